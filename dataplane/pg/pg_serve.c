/* SPDX-License-Identifier: Apache-2.0 */
/* What a session does once it is registered: follow the cell, carry requests, keep the lease.
 *
 * Versions: session->version is the highest that loop 0 was given. A store that is older than that
 * was restored from a backup; it is asked for snapshots now and then (loop 0 refuses those that are
 * older) until it has caught up, for changes after our version would not be of our history. */
#include "dataplane/pg/pg_session.h"

#include "common/observe/log.h"

#include <stdio.h>

void pg_serve_registered(struct pg_session *session, int64_t now_us)
{
    const PGresult *result = session->result;
    struct meta_registration *registration = &session->registration;
    struct pg_event *event = NULL;
    int64_t cell_no = 0, version = 0;

    if (!pg_value_uuid(result, 0, 0, &registration->cell_id) ||
        !pg_value_i64(result, 0, 1, &cell_no) ||
        !pg_value_i64(result, 0, 2, &registration->broker_epoch) ||
        !pg_value_i64(result, 0, 3, &registration->producer_registration) ||
        !pg_value_i64(result, 0, 4, &version) ||
        !pg_value_i64(result, 0, 5, &registration->lease_ms) || cell_no <= 0 ||
        cell_no > INT32_MAX) {
        pg_session_drop(session, "cell.v1_register gave something else than the contract says",
                        now_us);
        return;
    }
    registration->cell_no = (int32_t)cell_no;
    session->is_behind = version < session->version;
    session->is_snapshot_due = session->version == 0 || session->is_behind;
    event = pg_event_new(PG_EVENT_REGISTERED);
    event->registration = *registration;
    pg_store_post_event(session->store, event);
}

/* --- following the cell --- */

/* Moves session->result to loop 0. */
static void give_changes(struct pg_session *session, bool is_snapshot, int64_t version)
{
    struct pg_event *event = pg_event_new(PG_EVENT_CHANGES);

    event->result = session->result;
    event->is_snapshot = is_snapshot;
    event->version = version;
    session->result = NULL;
    session->is_in_sync = true;
    pg_store_post_event(session->store, event);
}

static void on_snapshot(struct pg_session *session, int64_t now_us)
{
    int64_t version = 0;

    if (!pg_value_i64(session->result, 0, 0, &version)) {
        pg_session_drop(session, "cell.v1_snapshot gave no version", now_us);
        return;
    }
    session->is_behind = version < session->version;
    session->is_snapshot_due = session->is_behind;
    session->changes_us = now_us + (session->is_behind ? PG_BEHIND_POLL_US : PG_POLL_US);
    if (!session->is_behind)
        session->version = version;
    give_changes(session, true, version);
}

static void on_changes(struct pg_session *session, int64_t now_us)
{
    int rows = PQntuples(session->result);
    int64_t version = session->version;

    if (rows > 0 &&
        (!pg_value_i64(session->result, rows - 1, 0, &version) || version <= session->version)) {
        pg_session_drop(session, "cell.v1_changes gave versions out of order", now_us);
        return;
    }
    /* There may be more; when there is not, the next call says so and the wait begins. */
    session->changes_us = rows > 0 ? now_us : now_us + PG_POLL_US;
    session->version = version;
    if (rows > 0 || !session->is_in_sync)
        give_changes(session, false, version);
}

static void on_lease(struct pg_session *session, int64_t now_us)
{
    int64_t version = 0;

    if (!pg_value_i64(session->result, 0, 0, &session->registration.lease_ms) ||
        !pg_value_i64(session->result, 0, 1, &version)) {
        pg_session_drop(session, "cell.v1_renew_lease gave something else than the contract says",
                        now_us);
        return;
    }
    if (version < session->version)
        session->is_snapshot_due = true;
    else if (version > session->version && !session->is_behind)
        session->changes_us = now_us;
}

/* --- results --- */

static void on_request_result(struct pg_session *session, int64_t now_us)
{
    struct pg_request *request = session->current;
    bool is_success = PQresultStatus(session->result) == PGRES_TUPLES_OK &&
                      !slice_is_null(pg_value_text(session->result, 0, 0));
    enum err err = is_success ? ERR_OK : pg_error_of(session->result);

    session->current = NULL;
    if (err != ERR_OK && err != ERR_UNAVAILABLE) {
        log_event(LOG_ERROR, "metadata_request_refused",
                  f_str("statement", pg_statement_name(session->statement)),
                  f_slice("message", pg_first_line(PQresultErrorMessage(session->result))));
        err = ERR_INTERNAL;
    }
    pg_request_finish(session, request, err, is_success ? session->result : NULL);
    if (is_success)
        session->result = NULL;
    session->changes_us = now_us;
    /* In a cell of one there is nobody else to wake. */
    session->is_notify_due = is_success && session->registration.lease_ms > 0;
}

static void on_failure(struct pg_session *session, int64_t now_us)
{
    char why[256];

    if (session->statement == PG_CHANGES && pg_error_of(session->result) == ERR_CONFLICT) {
        session->is_snapshot_due = true;
        session->changes_us = now_us;
        return;
    }
    snprintf(why, sizeof(why), "%s: %s", pg_statement_name(session->statement),
             PQresultErrorMessage(session->result));
    pg_session_drop(session, why, now_us);
}

void pg_serve_result(struct pg_session *session, int64_t now_us)
{
    if (session->current != NULL) {
        on_request_result(session, now_us);
        return;
    }
    if (PQresultStatus(session->result) != PGRES_TUPLES_OK) {
        on_failure(session, now_us);
        return;
    }
    if (session->statement == PG_SNAPSHOT)
        on_snapshot(session, now_us);
    if (session->statement == PG_CHANGES)
        on_changes(session, now_us);
    if (session->statement == PG_RENEW_LEASE)
        on_lease(session, now_us);
}

/* --- what is next --- */

static void renew_lease(struct pg_session *session, const char *broker_id, const char *incarnation,
                        int64_t now_us)
{
    int64_t lease_ms = session->registration.lease_ms;
    int64_t interval_us = lease_ms > 0 ? lease_ms * 1000 / 3 : PG_LEASE_US;

    session->lease_us = now_us + interval_us;
    pg_session_send(session, PG_RENEW_LEASE, (const char *const[]){broker_id, incarnation},
                    PG_ANSWER_TIMEOUT_US, now_us);
}

static void ask_changes(struct pg_session *session, int64_t now_us)
{
    char after[32];

    session->is_woken = false;
    if (session->is_snapshot_due) {
        pg_session_send(session, PG_SNAPSHOT, NULL, PG_SNAPSHOT_TIMEOUT_US, now_us);
        return;
    }
    snprintf(after, sizeof(after), "%lld", (long long)session->version);
    pg_session_send(session, PG_CHANGES, (const char *const[]){after, PG_CHANGES_PER_CALL},
                    PG_ANSWER_TIMEOUT_US, now_us);
}

static void send_request(struct pg_session *session, int64_t now_us)
{
    struct pg_request *request =
        container_of(list_pop_front(&session->queue), struct pg_request, link);
    const char *body = request->body;

    request->was_retried = request->was_sent;
    request->was_sent = true;
    session->current = request;
    pg_session_send(session, request->statement, &body, PG_ANSWER_TIMEOUT_US, now_us);
}

static void acknowledge(struct pg_session *session, const char *broker_id, const char *incarnation,
                        int64_t now_us)
{
    char version[32];

    snprintf(version, sizeof(version), "%lld", (long long)session->acknowledge_version);
    session->acknowledged_version = session->acknowledge_version;
    pg_session_send(session, PG_ACKNOWLEDGE, (const char *const[]){broker_id, incarnation, version},
                    PG_ANSWER_TIMEOUT_US, now_us);
}

void pg_serve_next(struct pg_session *session, int64_t now_us)
{
    char broker_id[16], incarnation[UUID_TEXT_LEN + 1];

    snprintf(broker_id, sizeof(broker_id), "%d", session->store->settings.broker_id);
    uuid_format(session->store->settings.incarnation, incarnation);
    if (now_us >= session->lease_us) {
        renew_lease(session, broker_id, incarnation, now_us);
    } else if (session->is_woken || now_us >= session->changes_us) {
        ask_changes(session, now_us);
    } else if (!list_is_empty(&session->queue)) {
        send_request(session, now_us);
    } else if (session->acknowledge_version > session->acknowledged_version) {
        acknowledge(session, broker_id, incarnation, now_us);
    } else if (session->is_notify_due) {
        session->is_notify_due = false;
        pg_session_send(session, PG_NOTIFY, NULL, PG_ANSWER_TIMEOUT_US, now_us);
    }
}
