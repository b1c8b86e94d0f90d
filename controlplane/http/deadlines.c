/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/deadlines.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "common/base/list.h"
#include "common/observe/log.h"
#include "common/port/clock.h"

#define LOOK_EVERY_MS 250

struct deadlines {
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    struct list all;
    bool is_stopping;
    pthread_t thread;
};

struct deadline {
    struct list link;
    int fd;
    int64_t due_ms; /* INT64_MAX = none */
};

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

static int64_t due_in(int64_t in_ms)
{
    return in_ms == 0 ? INT64_MAX : now_ms() + in_ms;
}

/* Under the mutex. The descriptor is open: deadline_remove comes before its close. */
static void shut_down_late(struct deadlines *deadlines)
{
    int64_t at_ms = now_ms();

    list_for_each(&deadlines->all, node)
    {
        struct deadline *deadline = container_of(node, struct deadline, link);

        if (deadline->due_ms > at_ms)
            continue;
        deadline->due_ms = INT64_MAX;
        (void)shutdown(deadline->fd, SHUT_RDWR); /* it may be closed by the client already */
        log_event(LOG_DEBUG, "connection_too_slow");
    }
}

static void *look(void *argument)
{
    struct deadlines *deadlines = argument;

    pthread_mutex_lock(&deadlines->mutex);
    while (!deadlines->is_stopping) {
        int64_t next_ms = now_ms() + LOOK_EVERY_MS;
        struct timespec until = {.tv_sec = next_ms / 1000, .tv_nsec = next_ms % 1000 * 1000000};

        shut_down_late(deadlines);
        if (list_is_empty(&deadlines->all))
            pthread_cond_wait(&deadlines->stopped, &deadlines->mutex);
        else
            pthread_cond_timedwait(&deadlines->stopped, &deadlines->mutex, &until);
    }
    pthread_mutex_unlock(&deadlines->mutex);
    return NULL;
}

enum err deadlines_start(struct deadlines **ret_deadlines, struct error *error)
{
    struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
    pthread_condattr_t attributes;

    if (!deadlines)
        return error_set(error, ERR_NO_MEMORY, "deadlines: no memory");
    list_init(&deadlines->all);
    pthread_mutex_init(&deadlines->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&deadlines->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&deadlines->thread, NULL, look, deadlines) != 0) {
        free(deadlines);
        return error_set(error, ERR_NO_MEMORY, "deadlines: cannot start a thread");
    }
    *ret_deadlines = deadlines;
    return ERR_OK;
}

void deadlines_stop(struct deadlines *deadlines)
{
    if (!deadlines)
        return;
    pthread_mutex_lock(&deadlines->mutex);
    deadlines->is_stopping = true;
    pthread_cond_signal(&deadlines->stopped);
    pthread_mutex_unlock(&deadlines->mutex);
    pthread_join(deadlines->thread, NULL);
    invariant(list_is_empty(&deadlines->all));
    pthread_cond_destroy(&deadlines->stopped);
    pthread_mutex_destroy(&deadlines->mutex);
    free(deadlines);
}

struct deadline *deadline_add(struct deadlines *deadlines, int fd, int64_t in_ms)
{
    struct deadline *deadline = calloc(1, sizeof(*deadline));

    if (!deadline)
        return NULL;
    deadline->fd = fd;
    deadline->due_ms = due_in(in_ms);
    pthread_mutex_lock(&deadlines->mutex);
    if (list_is_empty(&deadlines->all))
        pthread_cond_signal(&deadlines->stopped);
    list_push_back(&deadlines->all, &deadline->link);
    pthread_mutex_unlock(&deadlines->mutex);
    return deadline;
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t in_ms)
{
    if (!deadline)
        return;
    pthread_mutex_lock(&deadlines->mutex);
    deadline->due_ms = due_in(in_ms);
    pthread_mutex_unlock(&deadlines->mutex);
}

void deadline_remove(struct deadlines *deadlines, struct deadline *deadline)
{
    if (!deadline)
        return;
    pthread_mutex_lock(&deadlines->mutex);
    list_remove(&deadline->link);
    pthread_mutex_unlock(&deadlines->mutex);
    free(deadline);
}
