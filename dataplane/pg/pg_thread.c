/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: takes what loop 0 left, lets the session do what it can, sleeps in poll(2). All
 * signals are blocked in it, SIGPIPE too. */
#include "common/port/clock.h"
#include "dataplane/pg/pg_session.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* False = stop. */
static bool take_work(struct pg_meta_store *store, struct pg_session *session, int64_t now_us)
{
    struct pg_exchange *exchange = &store->exchange;
    struct list requests;
    int64_t version = 0;
    bool is_stopping = false;

    list_init(&requests);
    pthread_mutex_lock(&exchange->mutex);
    list_splice_back(&requests, &exchange->requests);
    version = exchange->acknowledge_version;
    is_stopping = exchange->is_stopping;
    pthread_mutex_unlock(&exchange->mutex);

    pg_session_acknowledge(session, version);
    list_for_each(&requests, node)
    {
        list_remove(node);
        pg_session_submit(session, container_of(node, struct pg_request, link), now_us);
    }
    return !is_stopping;
}

static int timeout_ms(const struct pg_session *session, int64_t now_us)
{
    int64_t left_us = pg_session_wakeup_us(session) - now_us;

    if (left_us <= 0)
        return 0;
    return left_us > 60000000 ? 60000 : (int)((left_us + 999) / 1000);
}

/* Sleeps; true = the session's socket is ready. */
static bool wait_ready(struct pg_meta_store *store, struct pg_session *session, int64_t now_us)
{
    struct pollfd fds[2] = {{.fd = store->exchange.wake_fd, .events = POLLIN}, {.fd = -1}};
    uint64_t count = 0;

    fds[1].fd = pg_session_socket(session, &fds[1].events);
    if (poll(fds, 2, timeout_ms(session, now_us)) <= 0)
        return false;
    if (fds[0].revents != 0)
        (void)!read(store->exchange.wake_fd, &count, sizeof(count));
    return fds[1].revents != 0;
}

void *pg_thread_run(void *argument)
{
    struct pg_meta_store *store = argument;
    struct pg_session session;
    bool is_ready = false;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pg_session_init(&session, store, store->have_version, clock_monotonic_us(&system_clock));
    while (take_work(store, &session, clock_monotonic_us(&system_clock))) {
        pg_session_advance(&session, is_ready, clock_monotonic_us(&system_clock));
        is_ready = wait_ready(store, &session, clock_monotonic_us(&system_clock));
    }
    pg_session_done(&session);
    return NULL;
}
