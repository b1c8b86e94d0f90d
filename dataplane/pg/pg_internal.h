/* SPDX-License-Identifier: Apache-2.0 */
/* Two sides and what lies between them:
 *
 *   loop 0 (pg_meta_store.c)      requests, acknowledgement, stop  ──▶   the thread (pg_thread.c)
 *                                 ◀──  events                            one connection
 * (pg_session.c)
 *
 * Both lists are behind one mutex that is held for a few instructions. A request belongs to the
 * thread from submit until its event; loop 0 only remembers that it is there. */
#ifndef DATAPLANE_PG_PG_INTERNAL_H
#define DATAPLANE_PG_PG_INTERNAL_H

#include "common/base/list.h"
#include "common/crypto/secret.h"
#include "dataplane/pg/pg_meta_store.h"
#include "dataplane/pg/pg_statement.h"

#include <libpq-fe.h>
#include <pthread.h>

#define PG_ANSWER_TIMEOUT_US 1800000 /* over lock_timeout (1.5 s); clients hear within 2 s */
#define PG_SNAPSHOT_TIMEOUT_US 15000000
#define PG_CONNECT_TIMEOUT_US 5000000
#define PG_POLL_US 500000
#define PG_LEASE_US 1000000 /* how often a broker without a lease shows that it lives */
#define PG_BEHIND_POLL_US 5000000
#define PG_BACKOFF_MIN_US 50000
#define PG_BACKOFF_MAX_US 1000000
#define PG_FENCED_POLL_US 60000000

struct pg_request {
    struct list outstanding; /* loop 0's: submitted and not done */
    struct list link;        /* the thread's queue */
    struct meta_request *request;
    char *body; /* a copy with a NUL at its end */
    enum pg_statement statement;
    int64_t deadline_us;
    bool was_sent;    /* at least once: the outcome may be unknown */
    bool was_retried; /* sent again on another connection */
};

enum pg_event_kind { PG_EVENT_REGISTERED, PG_EVENT_REACHABLE, PG_EVENT_CHANGES, PG_EVENT_ANSWER };

struct pg_event {
    struct list link;
    enum pg_event_kind kind;
    struct meta_registration registration;
    bool is_reachable;
    PGresult *result; /* CHANGES: rows (version, kind, key, payload); ANSWER: one jsonb; owned */
    bool is_snapshot;
    int64_t version;
    struct pg_request *request;
    enum err err;
};

/* What the two sides share. */
struct pg_exchange {
    pthread_mutex_t mutex;
    int wake_fd; /* eventfd: the thread has something to look at */
    struct list requests;
    int64_t acknowledge_version;
    bool is_stopping;
    struct list events;
    bool is_mail_posted;
};

struct pg_settings {
    char *conninfo;
    char *password_file;
    int32_t broker_id;
    struct uuid incarnation;
    struct uuid directory;
    bool was_clean;
    char *software;
};

struct pg_meta_store {
    struct meta_store base;
    struct loop *loop;
    struct pg_settings settings;
    struct pg_exchange exchange;
    struct seeded_random jitter; /* the thread's */
    pthread_t thread;
    bool is_running; /* loop 0: the thread was started and not joined */
    struct mail mail;
    const struct meta_store_events *events;
    void *context;
    struct list outstanding;
    int64_t have_version; /* of the cached image, at start */
};

/* The thread's body; argument: the store. */
void *pg_thread_run(void *store);
/* From the thread: takes the event over and sees that loop 0 looks at it. */
void pg_store_post_event(struct pg_meta_store *store, struct pg_event *event);
struct pg_event *pg_event_new(enum pg_event_kind kind);

#endif
