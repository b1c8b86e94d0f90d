/* SPDX-License-Identifier: Apache-2.0 */
/* The timers of one loop: a binary heap by (deadline, arming order), so that equal deadlines fire
 * in the order they were armed, in the simulator as in life. */
#ifndef COMMON_PORT_TIMER_QUEUE_H
#define COMMON_PORT_TIMER_QUEUE_H

#include "common/port/executor.h"

struct timer_entry;

struct timer_queue {
    struct timer_entry *entries; /* 1-based */
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

void timer_queue_init(struct timer_queue *queue);
void timer_queue_done(struct timer_queue *queue);
void timer_queue_start(struct timer_queue *queue, struct timer *timer, int64_t deadline_us);
void timer_queue_stop(struct timer_queue *queue, struct timer *timer);
/* False = no timer armed. */
bool timer_queue_next_deadline(const struct timer_queue *queue, int64_t *ret_deadline_us);
/* Takes the first timer that is due out of the queue; NULL = none. The caller fires it. */
struct timer *timer_queue_pop_due(struct timer_queue *queue, int64_t now_us);

#endif
