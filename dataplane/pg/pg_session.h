/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to PostgreSQL as a state machine, driven by the thread: readiness and time in,
 * statements out. One statement is in flight at a time.
 *
 *   DOWN ─retry time─▶ CONNECTING ─▶ PREPARING ─▶ REGISTERING ─▶ LISTENING ─▶ SERVING
 *    ▲                     │             │            │              │           │
 *    └── failure, answer too late, connection lost (back-off with jitter) ◀──────┘
 *                                                     └─ MR002 ─▶ FENCED (tries rarely)
 *
 * SERVING runs, in this order: the lease when due, the snapshot or changes when due, requests, the
 * acknowledgement, the wake-up of the other brokers. */
#ifndef DATAPLANE_PG_PG_SESSION_H
#define DATAPLANE_PG_PG_SESSION_H

#include "dataplane/pg/pg_internal.h"

enum pg_state {
    PG_DOWN,
    PG_CONNECTING,
    PG_PREPARING,
    PG_REGISTERING,
    PG_LISTENING,
    PG_SERVING,
    PG_FENCED
};

struct pg_session {
    struct pg_meta_store *store;
    enum pg_state state;
    PGconn *connection;
    PostgresPollingStatusType connect_wants;
    int prepared;                /* statements prepared on this connection */
    bool is_busy;                /* a statement is in flight */
    bool is_output_pending;      /* not all of it is written */
    enum pg_statement statement; /* in flight, in SERVING */
    PGresult *result;            /* its first result, until the last one came */
    struct pg_request *current;  /* the request in flight, or NULL */
    int64_t deadline_us;         /* of connecting, or of the statement in flight */
    int64_t retry_us;            /* DOWN: when to connect */
    int64_t backoff_us;
    bool was_said; /* this outage is in the log */

    struct list queue; /* struct pg_request.link: accepted, not in flight */

    struct meta_registration registration;
    bool is_reachable; /* as loop 0 was told */
    int64_t version;   /* the highest that was given to loop 0 */
    bool is_snapshot_due;
    bool is_behind;     /* the store is older than we are */
    bool is_in_sync;    /* loop 0 was told so since the connection */
    int64_t changes_us; /* when to ask next */
    bool is_woken;      /* NOTIFY came: ask now */
    int64_t lease_us;   /* when to renew next */
    int64_t acknowledge_version;
    int64_t acknowledged_version; /* on this connection */
    bool is_notify_due;
};

void pg_session_init(struct pg_session *session, struct pg_meta_store *store, int64_t have_version,
                     int64_t now_us);
void pg_session_done(struct pg_session *session);

/* Moved to the session; answered by an event. */
void pg_session_submit(struct pg_session *session, struct pg_request *request, int64_t now_us);
void pg_session_acknowledge(struct pg_session *session, int64_t version);

/* What to poll for: -1 = no socket. Events as of poll(2). */
int pg_session_socket(const struct pg_session *session, short *ret_events);
/* When to call advance at the latest. */
int64_t pg_session_wakeup_us(const struct pg_session *session);
/* Does what can be done now; is_ready: the socket was. */
void pg_session_advance(struct pg_session *session, bool is_ready, int64_t now_us);

/* --- between pg_session.c and pg_serve.c --- */

/* Runs a statement with text arguments; the answer is due by timeout_us. */
void pg_session_send(struct pg_session *session, enum pg_statement statement,
                     const char *const *arguments, int64_t timeout_us, int64_t now_us);
void pg_session_drop(struct pg_session *session, const char *why, int64_t now_us);
/* Begins the next statement that is due, if any. */
void pg_serve_next(struct pg_session *session, int64_t now_us);
/* The statement in flight has its result (session->result). */
void pg_serve_result(struct pg_session *session, int64_t now_us);
void pg_serve_registered(struct pg_session *session, int64_t now_us);
/* A request is over. result is moved, may be NULL. */
void pg_request_finish(struct pg_session *session, struct pg_request *request, enum err err,
                       PGresult *result);

#endif
