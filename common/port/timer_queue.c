/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap, 1-based; each timer knows its index, so that stopping is O(log n). */
#include "common/port/timer_queue.h"

#include "common/base/error.h"

#include <stdlib.h>

struct timer_entry {
    struct timer *timer;
    int64_t deadline_us;
    uint64_t order;
};

void timer_queue_init(struct timer_queue *queue)
{
    *queue = (struct timer_queue){.next_order = 1};
}

void timer_queue_done(struct timer_queue *queue)
{
    free(queue->entries);
    *queue = (struct timer_queue){.next_order = 1};
}

static bool is_before(const struct timer_entry *a, const struct timer_entry *b)
{
    if (a->deadline_us != b->deadline_us)
        return a->deadline_us < b->deadline_us;
    return a->order < b->order;
}

static void place(struct timer_queue *queue, size_t at, struct timer_entry entry)
{
    queue->entries[at] = entry;
    entry.timer->heap_index = at;
}

static void sift_up(struct timer_queue *queue, size_t at, struct timer_entry entry)
{
    while (at > 1 && is_before(&entry, &queue->entries[at / 2])) {
        place(queue, at, queue->entries[at / 2]);
        at /= 2;
    }
    place(queue, at, entry);
}

static void sift_down(struct timer_queue *queue, size_t at, struct timer_entry entry)
{
    for (;;) {
        size_t child = at * 2;

        if (child > queue->count)
            break;
        if (child < queue->count && is_before(&queue->entries[child + 1], &queue->entries[child]))
            child++;
        if (!is_before(&queue->entries[child], &entry))
            break;
        place(queue, at, queue->entries[child]);
        at = child;
    }
    place(queue, at, entry);
}

static void make_room(struct timer_queue *queue)
{
    size_t capacity = queue->capacity ? queue->capacity * 2 : 64;
    struct timer_entry *entries = NULL;

    if (queue->count + 1 < queue->capacity)
        return;
    /* A timer that cannot be armed would hang its owner: without these few bytes we stop. */
    entries = realloc(queue->entries, capacity * sizeof(*entries));
    invariant(entries != NULL);
    queue->entries = entries;
    queue->capacity = capacity;
}

void timer_queue_start(struct timer_queue *queue, struct timer *timer, int64_t deadline_us)
{
    struct timer_entry entry = {timer, deadline_us, queue->next_order++};

    timer_queue_stop(queue, timer);
    make_room(queue);
    timer->deadline_us = deadline_us;
    queue->count++;
    sift_up(queue, queue->count, entry);
}

void timer_queue_stop(struct timer_queue *queue, struct timer *timer)
{
    size_t at = timer->heap_index;
    struct timer_entry last;

    if (at == 0)
        return;
    timer->heap_index = 0;
    last = queue->entries[queue->count--];
    if (last.timer == timer)
        return;
    if (at > 1 && is_before(&last, &queue->entries[at / 2]))
        sift_up(queue, at, last);
    else
        sift_down(queue, at, last);
}

bool timer_queue_next_deadline(const struct timer_queue *queue, int64_t *ret_deadline_us)
{
    if (queue->count == 0)
        return false;
    *ret_deadline_us = queue->entries[1].deadline_us;
    return true;
}

struct timer *timer_queue_pop_due(struct timer_queue *queue, int64_t now_us)
{
    struct timer *timer = NULL;

    if (queue->count == 0 || queue->entries[1].deadline_us > now_us)
        return NULL;
    timer = queue->entries[1].timer;
    timer_queue_stop(queue, timer);
    return timer;
}
