/* SPDX-License-Identifier: Apache-2.0 */
/* One mutex over a hash table (what is known) and a timer queue (what waits). Steps run outside of it. */
#include "controlplane/provisioning/work_queue.h"

#include "common/base/hash_table.h"
#include "common/port/clock.h"
#include "common/port/random.h"
#include "common/port/timer_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_WORKERS = 64 };

enum item_state { ITEM_WAITING, ITEM_RUNNING, ITEM_RUNNING_AND_PUSHED };

struct queued_item {
    struct work_item work;
    struct hash_node node;
    struct timer timer; /* armed in ITEM_WAITING */
    enum item_state state;
};

struct worker {
    struct work_queue *queue;
    pthread_t thread;
    int index;
};

struct work_queue {
    struct work_queue_events events;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct hash_table items;
    struct timer_queue waiting;
    bool is_stopping;
    int worker_count;
    struct worker workers[MAX_WORKERS];
};

static uint64_t hash_of(const struct work_queue *queue, const struct work_item *key)
{
    return hash_bytes(queue->items.seed, key->id.bytes, sizeof(key->id.bytes)) +
           (uint64_t)key->kind;
}

static bool is_same(const struct hash_node *node, const void *key)
{
    const struct work_item *a = &container_of(node, const struct queued_item, node)->work;
    const struct work_item *b = key;

    return a->kind == b->kind && uuid_equal(a->id, b->id);
}

/* Timers are taken out by workers and never fire by themselves. */
static void never_fires(struct timer *timer)
{
    (void)timer;
}

static int64_t now_us(void)
{
    return clock_monotonic_us(&system_clock);
}

/* With the mutex held: waits until an item is due; NULL = stopping. */
static struct queued_item *take_due(struct work_queue *queue)
{
    for (;;) {
        int64_t deadline_us = 0;

        if (queue->is_stopping)
            return NULL;
        struct timer *timer = timer_queue_pop_due(&queue->waiting, now_us());
        if (timer != NULL)
            return container_of(timer, struct queued_item, timer);
        if (!timer_queue_next_deadline(&queue->waiting, &deadline_us)) {
            pthread_cond_wait(&queue->changed, &queue->mutex);
            continue;
        }
        struct timespec until = {deadline_us / 1000000, (deadline_us % 1000000) * 1000};
        pthread_cond_timedwait(&queue->changed, &queue->mutex, &until);
    }
}

static void put_back(struct work_queue *queue, struct queued_item *item, int64_t delay_ms)
{
    bool was_pushed = item->state == ITEM_RUNNING_AND_PUSHED;

    if (delay_ms == WORK_DONE_MS && !was_pushed) {
        hash_table_remove(&queue->items, &item->node);
        free(item);
        return;
    }
    if (delay_ms == WORK_DONE_MS) /* pushed while it was finishing: a new item, in effect */
        item->work = (struct work_item){.kind = item->work.kind, .id = item->work.id};
    item->state = ITEM_WAITING;
    timer_queue_start(&queue->waiting, &item->timer, now_us() + (was_pushed ? 0 : delay_ms * 1000));
    pthread_cond_signal(&queue->changed);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct work_queue *queue = worker->queue;
    struct queued_item *item = NULL;

    pthread_mutex_lock(&queue->mutex);
    while ((item = take_due(queue)) != NULL) {
        item->state = ITEM_RUNNING;
        pthread_mutex_unlock(&queue->mutex);
        int64_t delay_ms = queue->events.step(queue->events.context, worker->index, &item->work);
        pthread_mutex_lock(&queue->mutex);
        put_back(queue, item, delay_ms);
    }
    pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

void work_queue_push(struct work_queue *queue, enum provision_kind kind, struct uuid id,
                     bool is_urgent)
{
    struct work_item key = {.kind = kind, .id = id};

    pthread_mutex_lock(&queue->mutex);
    uint64_t hash = hash_of(queue, &key);
    struct hash_node *found = hash_table_find(&queue->items, hash, is_same, &key);
    struct queued_item *item = found ? container_of(found, struct queued_item, node) : NULL;
    if (item != NULL) {
        if (is_urgent && item->state == ITEM_RUNNING)
            item->state = ITEM_RUNNING_AND_PUSHED;
        else if (is_urgent && item->state == ITEM_WAITING)
            timer_queue_start(&queue->waiting, &item->timer, now_us());
    } else if ((item = calloc(1, sizeof(*item))) != NULL) {
        item->work = key;
        item->timer.fire = never_fires;
        if (hash_table_insert(&queue->items, hash, &item->node) == ERR_OK)
            timer_queue_start(&queue->waiting, &item->timer, now_us());
        else
            free(item);
    }
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

size_t work_queue_count(struct work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    size_t count = queue->items.count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

static void stop_workers(struct work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->is_stopping = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    for (int i = 0; i < queue->worker_count; i++)
        pthread_join(queue->workers[i].thread, NULL);
}

void work_queue_free(struct work_queue *queue)
{
    struct hash_node *node = NULL;

    if (queue == NULL)
        return;
    stop_workers(queue);
    while ((node = hash_table_next(&queue->items, NULL)) != NULL) {
        hash_table_remove(&queue->items, node);
        free(container_of(node, struct queued_item, node));
    }
    hash_table_done(&queue->items);
    timer_queue_done(&queue->waiting);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

enum err work_queue_new(int worker_count, const struct work_queue_events *events,
                        struct work_queue **ret_queue, struct error *error)
{
    struct hash_seed seed;
    pthread_condattr_t attributes;

    invariant(worker_count >= 1 && worker_count <= MAX_WORKERS);
    if (random_fill(&system_random, &seed, sizeof(seed)) != ERR_OK)
        return error_set(error, ERR_INTERNAL, "no random numbers");
    struct work_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL)
        return error_set(error, ERR_NO_MEMORY, "work queue");
    queue->events = *events;
    hash_table_init(&queue->items, seed);
    timer_queue_init(&queue->waiting);
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (; queue->worker_count < worker_count; queue->worker_count++) {
        struct worker *worker = &queue->workers[queue->worker_count];

        *worker = (struct worker){.queue = queue, .index = queue->worker_count};
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            work_queue_free(queue);
            return error_set(error, ERR_NO_MEMORY, "cannot start %d worker threads", worker_count);
        }
    }
    *ret_queue = queue;
    return ERR_OK;
}
