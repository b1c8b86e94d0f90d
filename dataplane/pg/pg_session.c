/* SPDX-License-Identifier: Apache-2.0 */
/* The connection itself: connecting, preparing, sending and receiving one statement, losing it all.
 *
 * A request that was sent when the connection went has an unknown outcome: it waits at the head of
 * the queue and is sent once more, with the same request id, on the next connection within its
 * deadline. Requests that were not sent fail at once. */
#include "dataplane/pg/pg_session.h"

#include "common/observe/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTION_OPTIONS 64

void pg_session_init(struct pg_session *session, struct pg_meta_store *store, int64_t have_version,
                     int64_t now_us)
{
    *session = (struct pg_session){.store = store,
                                   .state = PG_DOWN,
                                   .retry_us = now_us,
                                   .backoff_us = PG_BACKOFF_MIN_US,
                                   .version = have_version};
    list_init(&session->queue);
}

void pg_session_done(struct pg_session *session)
{
    PQclear(session->result);
    PQfinish(session->connection);
}

/* --- events --- */

void pg_request_finish(struct pg_session *session, struct pg_request *request, enum err err,
                       PGresult *result)
{
    struct pg_event *event = pg_event_new(PG_EVENT_ANSWER);

    list_remove(&request->link);
    event->request = request;
    event->err = err;
    event->result = result;
    pg_store_post_event(session->store, event);
}

static void tell_reachable(struct pg_session *session, bool is_reachable)
{
    struct pg_event *event = NULL;

    if (session->is_reachable == is_reachable)
        return;
    session->is_reachable = is_reachable;
    event = pg_event_new(PG_EVENT_REACHABLE);
    event->is_reachable = is_reachable;
    pg_store_post_event(session->store, event);
}

/* --- losing the connection --- */

static void log_drop(struct pg_session *session, const char *why)
{
    enum log_level level = session->was_said ? LOG_DEBUG : LOG_WARN;

    session->was_said = true;
    log_event(level, "metadata_store_connection_lost", f_slice("reason", pg_first_line(why)));
}

static int64_t next_backoff(struct pg_session *session)
{
    int64_t backoff_us = session->backoff_us;

    session->backoff_us *= 2;
    if (session->backoff_us > PG_BACKOFF_MAX_US)
        session->backoff_us = PG_BACKOFF_MAX_US;
    /* from half to the whole, so that brokers do not come back in step */
    return backoff_us / 2 +
           (int64_t)seeded_random_below(&session->store->jitter, (uint64_t)(backoff_us / 2 + 1));
}

static void drop_requests(struct pg_session *session)
{
    struct pg_request *current = session->current;

    session->current = NULL;
    if (current != NULL && !current->was_retried)
        list_push_front(&session->queue, &current->link);
    else if (current != NULL)
        pg_request_finish(session, current, ERR_UNAVAILABLE, NULL);
    list_for_each(&session->queue, node)
    {
        struct pg_request *request = container_of(node, struct pg_request, link);

        if (!request->was_sent)
            pg_request_finish(session, request, ERR_UNAVAILABLE, NULL);
    }
}

void pg_session_drop(struct pg_session *session, const char *why, int64_t now_us)
{
    log_drop(session, why);
    PQclear(session->result);
    PQfinish(session->connection);
    session->result = NULL;
    session->connection = NULL;
    session->is_busy = false;
    session->is_output_pending = false;
    session->prepared = 0;
    session->is_in_sync = false;
    session->is_notify_due = false;
    session->is_woken = false;
    session->acknowledged_version = 0;
    session->retry_us = now_us + next_backoff(session);
    session->state = PG_DOWN;
    tell_reachable(session, false);
    drop_requests(session);
}

static void drop_with_connection_error(struct pg_session *session, int64_t now_us)
{
    char why[256];

    snprintf(why, sizeof(why), "%s", PQerrorMessage(session->connection));
    pg_session_drop(session, why, now_us);
}

/* --- connecting --- */

static void add_option(const char **keywords, const char **values, int *count, const char *keyword,
                       const char *value)
{
    if (*count >= MAX_CONNECTION_OPTIONS)
        return;
    keywords[*count] = keyword;
    values[*count] = value;
    (*count)++;
}

/* Ours first: what the configuration says wins, for libpq takes the last one. */
static PGconn *start_connection(const struct pg_settings *settings, PQconninfoOption *options,
                                const char *password)
{
    const char *keywords[MAX_CONNECTION_OPTIONS + 1];
    const char *values[MAX_CONNECTION_OPTIONS + 1];
    char name[64];
    int count = 0;

    snprintf(name, sizeof(name), "millrace broker %d", settings->broker_id);
    add_option(keywords, values, &count, "application_name", name);
    add_option(keywords, values, &count, "client_encoding", "UTF8");
    add_option(keywords, values, &count, "tcp_user_timeout", "5000");
    /* By default libpq looks for credentials of Kerberos first: its libraries at work in each broker, 0.6 MiB, for
     * an encryption that is not how a store is reached. */
    add_option(keywords, values, &count, "gssencmode", "disable");
    /* Shorter than our own patience, so that a request that waits for a lock fails with a known
     * outcome. */
    add_option(keywords, values, &count, "options",
               "-c lock_timeout=1500 -c idle_in_transaction_session_timeout=10000");
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val != NULL)
            add_option(keywords, values, &count, option->keyword, option->val);
    }
    if (password != NULL)
        add_option(keywords, values, &count, "password", password);
    keywords[count] = NULL;
    values[count] = NULL;
    return PQconnectStartParams(keywords, values, 0);
}

static void connect_now(struct pg_session *session, int64_t now_us)
{
    const struct pg_settings *settings = &session->store->settings;
    PQconninfoOption *options = PQconninfoParse(settings->conninfo, NULL);
    struct secret password = {.len = 0};
    struct error error = {.code = ERR_OK};
    char text[SECRET_MAX_BYTES + 1] = "";

    session->deadline_us = now_us + PG_CONNECT_TIMEOUT_US;
    if (settings->password_file != NULL &&
        secret_read_file(settings->password_file, &password, &error) != ERR_OK) {
        PQconninfoFree(options);
        pg_session_drop(session, error.message, now_us);
        return;
    }
    memcpy(text, password.bytes, password.len);
    if (options != NULL)
        session->connection =
            start_connection(settings, options, settings->password_file ? text : NULL);
    explicit_bzero(text, sizeof(text));
    secret_done(&password);
    PQconninfoFree(options);
    if (session->connection == NULL || PQstatus(session->connection) == CONNECTION_BAD) {
        drop_with_connection_error(session, now_us);
        return;
    }
    session->state = PG_CONNECTING;
    session->connect_wants = PGRES_POLLING_WRITING;
}

/* --- one statement --- */

static void begin_statement(struct pg_session *session, int was_sent, int64_t timeout_us,
                            int64_t now_us)
{
    int flushed = was_sent ? PQflush(session->connection) : -1;

    if (flushed < 0) {
        drop_with_connection_error(session, now_us);
        return;
    }
    session->is_output_pending = flushed > 0;
    session->is_busy = true;
    session->deadline_us = now_us + timeout_us;
}

void pg_session_send(struct pg_session *session, enum pg_statement statement,
                     const char *const *arguments, int64_t timeout_us, int64_t now_us)
{
    session->statement = statement;
    begin_statement(session,
                    PQsendQueryPrepared(session->connection, pg_statement_name(statement),
                                        pg_statement_argument_count(statement), arguments, NULL,
                                        NULL, 0),
                    timeout_us, now_us);
}

static void prepare_next(struct pg_session *session, int64_t now_us)
{
    enum pg_statement statement = (enum pg_statement)session->prepared;

    begin_statement(session,
                    PQsendPrepare(session->connection, pg_statement_name(statement),
                                  pg_statement_sql(statement), 0, NULL),
                    PG_ANSWER_TIMEOUT_US, now_us);
}

static void register_broker(struct pg_session *session, int64_t now_us)
{
    const struct pg_settings *settings = &session->store->settings;
    char broker_id[16], incarnation[UUID_TEXT_LEN + 1], directory[UUID_TEXT_LEN + 1];
    const char *arguments[] = {broker_id, incarnation, directory,
                               settings->was_clean ? "true" : "false", settings->software};

    snprintf(broker_id, sizeof(broker_id), "%d", settings->broker_id);
    uuid_format(settings->incarnation, incarnation);
    uuid_format(settings->directory, directory);
    session->state = PG_REGISTERING;
    pg_session_send(session, PG_REGISTER, arguments, PG_ANSWER_TIMEOUT_US, now_us);
}

static void listen_for_changes(struct pg_session *session, int64_t now_us)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "LISTEN cell_%d", session->registration.cell_no);
    session->state = PG_LISTENING;
    begin_statement(session, PQsendQuery(session->connection, sql), PG_ANSWER_TIMEOUT_US, now_us);
}

static bool is_success(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static void fence(struct pg_session *session, int64_t now_us)
{
    log_event(LOG_ERROR, "broker_is_fenced", f_i64("broker", session->store->settings.broker_id),
              f_str("message", "a newer process has registered as this broker; this one serves no "
                               "changes any more: stop one of the two"));
    pg_session_drop(session, "fenced", now_us);
    session->state = PG_FENCED;
    session->retry_us = now_us + PG_FENCED_POLL_US;
}

/* Before SERVING nothing may fail. */
static void on_setup_result(struct pg_session *session, int64_t now_us)
{
    char why[256];

    if (!is_success(session->result)) {
        if (pg_error_of(session->result) == ERR_FENCED) {
            fence(session, now_us);
            return;
        }
        snprintf(why, sizeof(why), "%s", PQresultErrorMessage(session->result));
        pg_session_drop(session, why, now_us);
        return;
    }
    if (session->state == PG_PREPARING) {
        session->prepared++;
    } else if (session->state == PG_REGISTERING) {
        pg_serve_registered(session, now_us);
        if (session->state != PG_REGISTERING)
            return;
        listen_for_changes(session, now_us);
        return;
    } else {
        session->state = PG_SERVING;
        session->was_said = false;
        session->backoff_us = PG_BACKOFF_MIN_US;
        session->changes_us = now_us;
        session->lease_us = now_us + PG_LEASE_US;
        tell_reachable(session, true);
        return;
    }
    if (session->prepared < PG_STATEMENT_COUNT)
        prepare_next(session, now_us);
    else
        register_broker(session, now_us);
}

static void on_result(struct pg_session *session, int64_t now_us)
{
    session->is_busy = false;
    if (session->state == PG_SERVING) {
        if (!is_success(session->result) && pg_error_of(session->result) == ERR_FENCED) {
            fence(session, now_us);
            return;
        }
        pg_serve_result(session, now_us);
    } else {
        on_setup_result(session, now_us);
    }
    /* What followed may have begun another statement; its result is not there yet. */
}

static void take_notifications(struct pg_session *session)
{
    PGnotify *notification = NULL;

    while ((notification = PQnotifies(session->connection)) != NULL) {
        PQfreemem(notification);
        session->is_woken = true;
    }
}

static void receive(struct pg_session *session, int64_t now_us)
{
    if (!PQconsumeInput(session->connection)) {
        drop_with_connection_error(session, now_us);
        return;
    }
    if (!session->is_busy && PQstatus(session->connection) == CONNECTION_BAD) {
        drop_with_connection_error(session, now_us);
        return;
    }
    while (session->is_busy && !PQisBusy(session->connection)) {
        PGresult *result = PQgetResult(session->connection);
        PGresult *kept = session->result;

        if (result != NULL && kept == NULL) {
            session->result = result;
            continue;
        }
        if (result != NULL) {
            PQclear(result);
            continue;
        }
        if (kept == NULL || PQstatus(session->connection) == CONNECTION_BAD) {
            drop_with_connection_error(session, now_us);
            return;
        }
        on_result(session, now_us);
        if (session->result == kept) {
            PQclear(kept);
            session->result = NULL;
        }
    }
    if (session->connection != NULL)
        take_notifications(session);
}

static void advance_connecting(struct pg_session *session, int64_t now_us)
{
    session->connect_wants = PQconnectPoll(session->connection);
    if (session->connect_wants == PGRES_POLLING_FAILED) {
        drop_with_connection_error(session, now_us);
        return;
    }
    if (session->connect_wants != PGRES_POLLING_OK)
        return;
    if (PQsetnonblocking(session->connection, 1) != 0) {
        drop_with_connection_error(session, now_us);
        return;
    }
    session->state = PG_PREPARING;
    prepare_next(session, now_us);
}

/* --- driven by the thread --- */

void pg_session_submit(struct pg_session *session, struct pg_request *request, int64_t now_us)
{
    request->deadline_us = now_us + PG_ANSWER_TIMEOUT_US;
    list_push_back(&session->queue, &request->link);
    if (session->state != PG_SERVING)
        pg_request_finish(session, request, ERR_UNAVAILABLE, NULL);
}

void pg_session_acknowledge(struct pg_session *session, int64_t version)
{
    session->acknowledge_version = version;
}

int pg_session_socket(const struct pg_session *session, short *ret_events)
{
    if (session->connection == NULL)
        return -1;
    *ret_events = POLLIN;
    if (session->state == PG_CONNECTING)
        *ret_events = session->connect_wants == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    else if (session->is_output_pending)
        *ret_events = POLLIN | POLLOUT;
    return PQsocket(session->connection);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t pg_session_wakeup_us(const struct pg_session *session)
{
    int64_t wakeup_us = session->retry_us;

    if (session->is_busy || session->state == PG_CONNECTING)
        wakeup_us = session->deadline_us;
    else if (session->state == PG_SERVING)
        wakeup_us = earlier(session->changes_us, session->lease_us);
    if (!list_is_empty(&session->queue))
        wakeup_us = earlier(
            wakeup_us, container_of(session->queue.next, struct pg_request, link)->deadline_us);
    return wakeup_us;
}

static void expire_requests(struct pg_session *session, int64_t now_us)
{
    list_for_each(&session->queue, node)
    {
        struct pg_request *request = container_of(node, struct pg_request, link);

        if (now_us >= request->deadline_us)
            pg_request_finish(session, request, ERR_UNAVAILABLE, NULL);
    }
}

static void check_deadlines(struct pg_session *session, int64_t now_us)
{
    expire_requests(session, now_us);
    if ((session->is_busy || session->state == PG_CONNECTING) && now_us >= session->deadline_us)
        pg_session_drop(session,
                        session->state == PG_CONNECTING ? "connecting took too long"
                                                        : "an answer took too long",
                        now_us);
    if ((session->state == PG_DOWN || session->state == PG_FENCED) && now_us >= session->retry_us)
        connect_now(session, now_us);
}

void pg_session_advance(struct pg_session *session, bool is_ready, int64_t now_us)
{
    if (is_ready && session->state == PG_CONNECTING)
        advance_connecting(session, now_us);
    else if (is_ready && session->connection != NULL)
        receive(session, now_us);
    if (session->connection != NULL && session->is_output_pending) {
        int flushed = PQflush(session->connection);

        session->is_output_pending = flushed > 0;
        if (flushed < 0)
            drop_with_connection_error(session, now_us);
    }
    check_deadlines(session, now_us);
    if (session->state == PG_SERVING && !session->is_busy)
        pg_serve_next(session, now_us);
}
