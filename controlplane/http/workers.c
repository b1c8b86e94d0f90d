/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/port/clock.h"

#define FIRST_CHECK_MS 20
#define LAST_CHECK_MS 320

struct workers {
    struct workers_config config;
    pthread_mutex_t mutex;
    pthread_cond_t has_work;  /* workers wait here */
    pthread_cond_t has_timer; /* the timekeeper waits here */
    struct list queue;
    struct list parked;
    int queue_count;
    int busy_count;
    bool is_stopping;
    pthread_t timekeeper;
    pthread_t *threads;
    int thread_count; /* started */
};

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

/* ---- under the mutex ---- */

static void enqueue(struct workers *workers, struct http_request *request)
{
    list_push_back(&workers->queue, &request->queue_link);
    workers->queue_count++;
    pthread_cond_signal(&workers->has_work);
}

static void unpark(struct workers *workers, struct http_request *request, int64_t at_ms)
{
    list_remove(&request->queue_link);
    request->is_wait_over = workers->is_stopping || at_ms >= request->wait_deadline_ms;
    enqueue(workers, request);
}

static void park(struct workers *workers, struct http_request *request)
{
    int64_t at_ms = now_ms();

    if (request->wait_deadline_ms == 0)
        request->wait_deadline_ms = at_ms + workers->config.wait_max_ms;
    request->check_pause_ms =
        request->check_pause_ms == 0 ? FIRST_CHECK_MS : request->check_pause_ms * 2;
    if (request->check_pause_ms > LAST_CHECK_MS)
        request->check_pause_ms = LAST_CHECK_MS;
    request->check_at_ms = at_ms + request->check_pause_ms;
    if (request->check_at_ms > request->wait_deadline_ms)
        request->check_at_ms = request->wait_deadline_ms;
    list_push_back(&workers->parked, &request->queue_link);
    if (workers->is_stopping)
        unpark(workers, request, at_ms);
    else
        pthread_cond_signal(&workers->has_timer);
}

/* ---- threads ---- */

static void *work(void *argument)
{
    struct workers *workers = argument;

    pthread_mutex_lock(&workers->mutex);
    for (;;) {
        struct list *node = list_pop_front(&workers->queue);

        if (!node) {
            if (workers->is_stopping && workers->busy_count == 0 && list_is_empty(&workers->parked))
                break;
            pthread_cond_wait(&workers->has_work, &workers->mutex);
            continue;
        }
        struct http_request *request = container_of(node, struct http_request, queue_link);
        bool is_parked = false;

        workers->queue_count--;
        workers->busy_count++;
        pthread_mutex_unlock(&workers->mutex);
        workers->config.run(request, &is_parked); /* when not parked: the last use of request */
        pthread_mutex_lock(&workers->mutex);
        workers->busy_count--;
        if (is_parked)
            park(workers, request);
        if (workers->is_stopping)
            pthread_cond_broadcast(&workers->has_work);
    }
    pthread_cond_broadcast(&workers->has_work);
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

static void *keep_time(void *argument)
{
    struct workers *workers = argument;

    pthread_mutex_lock(&workers->mutex);
    while (!workers->is_stopping) {
        int64_t at_ms = now_ms(), next_ms = INT64_MAX;

        list_for_each(&workers->parked, node)
        {
            struct http_request *request = container_of(node, struct http_request, queue_link);

            if (request->check_at_ms <= at_ms)
                unpark(workers, request, at_ms);
            else if (request->check_at_ms < next_ms)
                next_ms = request->check_at_ms;
        }
        if (next_ms == INT64_MAX) {
            pthread_cond_wait(&workers->has_timer, &workers->mutex);
            continue;
        }
        struct timespec until = {.tv_sec = next_ms / 1000, .tv_nsec = next_ms % 1000 * 1000000};
        pthread_cond_timedwait(&workers->has_timer, &workers->mutex, &until);
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

/* ---- outside ---- */

bool workers_submit(struct workers *workers, struct http_request *request)
{
    bool is_taken = false;

    pthread_mutex_lock(&workers->mutex);
    if (!workers->is_stopping && workers->queue_count < workers->config.queue_max) {
        enqueue(workers, request);
        is_taken = true;
    }
    pthread_mutex_unlock(&workers->mutex);
    return is_taken;
}

void workers_wake(struct workers *workers, struct uuid key)
{
    int64_t at_ms = now_ms();

    pthread_mutex_lock(&workers->mutex);
    list_for_each(&workers->parked, node)
    {
        struct http_request *request = container_of(node, struct http_request, queue_link);

        if (uuid_is_zero(key) || uuid_equal(request->wait_key, key))
            unpark(workers, request, at_ms);
    }
    pthread_mutex_unlock(&workers->mutex);
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->mutex);
    workers->is_stopping = true;
    list_for_each(&workers->parked, node)
    {
        unpark(workers, container_of(node, struct http_request, queue_link), 0);
    }
    pthread_cond_broadcast(&workers->has_work);
    pthread_cond_broadcast(&workers->has_timer);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_join(workers->timekeeper, NULL);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    pthread_cond_destroy(&workers->has_timer);
    pthread_cond_destroy(&workers->has_work);
    pthread_mutex_destroy(&workers->mutex);
    free(workers->threads);
    free(workers);
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum err workers_start(const struct workers_config *config, struct workers **ret_workers,
                       struct error *error)
{
    struct workers *workers = calloc(1, sizeof(*workers));

    if (workers)
        workers->threads = calloc((size_t)config->thread_count, sizeof(*workers->threads));
    if (!workers || !workers->threads) {
        free(workers);
        return error_set(error, ERR_NO_MEMORY, "workers: no memory");
    }
    workers->config = *config;
    pthread_mutex_init(&workers->mutex, NULL);
    init_condition(&workers->has_work);
    init_condition(&workers->has_timer);
    list_init(&workers->queue);
    list_init(&workers->parked);
    if (pthread_create(&workers->timekeeper, NULL, keep_time, workers) != 0) {
        free(workers->threads);
        free(workers);
        return error_set(error, ERR_NO_MEMORY, "workers: cannot start a thread");
    }
    for (int i = 0; i < config->thread_count; i++) {
        if (pthread_create(&workers->threads[i], NULL, work, workers) != 0) {
            workers_stop(workers);
            workers_free(workers);
            return error_set(error, ERR_NO_MEMORY, "workers: cannot start a thread");
        }
        workers->thread_count++;
    }
    *ret_workers = workers;
    return ERR_OK;
}
