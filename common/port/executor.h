/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs what: loops, mail between them, timers on them, work off them.
 *
 *   loop     one thread (uv) or a share of one thread (simulation). Everything that a loop owns is
 *            touched on that loop only.
 *   mail     an embedded node posted to a loop from any thread; delivered there in posting order
 *            per sender. Posting never blocks and never fails; who may post is bounded at admission.
 *   timer    belongs to one loop; fires there once.
 *   work     runs on a worker thread (blocking calls allowed), then done() on the loop it came from.
 *
 * A node is in at most one place: it may be posted again only from its deliver() on. */
#ifndef COMMON_PORT_EXECUTOR_H
#define COMMON_PORT_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/spare_pool.h"

struct histogram;
struct loop;
struct mail;
struct timer;
struct work;
struct executor;

struct mail {
    struct mail *_Atomic next;
    void (*deliver)(struct mail *mail); /* on the target loop; last use of the node by the loop */
};

struct timer {
    void (*fire)(struct timer *timer); /* on the loop; the timer is stopped before */
    int64_t deadline_us;
    size_t heap_index; /* 0 = not armed (timer_queue is 1-based) */
};

struct work {
    void (*run)(struct work *work);  /* on a worker; touches nothing a loop owns */
    void (*done)(struct work *work); /* on the submitting loop, once, never before submit returns */
    struct loop *home;               /* set by worker_submit */
    struct mail mail;                /* carries done home */
    struct work *next;               /* queue link of the pool */
};

/* Which pool: flush makes a data directory's writes durable; reads must not wait behind it;
 * write is for bytes that are durable elsewhere already; check is for bytes that take long to look at; slow is for hashing, file deletion and other leisurely things. */
enum worker_pool {
    WORKER_FLUSH,
    WORKER_READ,
    WORKER_WRITE,
    WORKER_CHECK,
    WORKER_SLOW,
    WORKER_POOL_COUNT
};

struct loop_ops {
    void (*post)(struct loop *loop, struct mail *mail);
    void (*timer_start)(struct loop *loop, struct timer *timer, int64_t deadline_us);
    void (*timer_stop)(struct loop *loop, struct timer *timer);
    void (*submit)(struct loop *loop, enum worker_pool pool, struct work *work);
    int64_t (*now_us)(const struct loop *loop);  /* monotonic, as of this turn */
    int64_t (*wall_ms)(const struct loop *loop); /* as of this turn */
    bool (*is_current)(const struct loop *loop);
    /* How long each turn worked; any thread. NULL = not measured. */
    const struct histogram *(*busy_times)(const struct loop *loop);
};

/* What waits to be used again, on each loop. */
enum { LOOP_SPARE_BYTES = 4 << 20 };

struct loop {
    const struct loop_ops *ops;
    struct executor *executor;
    int index;                /* 0 … executor->loop_count-1 */
    struct spare_pool spares; /* of everything on the loop; touched on it only */
};

struct executor {
    struct loop **loops;
    int loop_count;
};

static inline void loop_post(struct loop *loop, struct mail *mail)
{
    loop->ops->post(loop, mail);
}

static inline int64_t loop_now_us(const struct loop *loop)
{
    return loop->ops->now_us(loop);
}

static inline int64_t loop_wall_ms(const struct loop *loop)
{
    return loop->ops->wall_ms(loop);
}

static inline const struct histogram *loop_busy_times(const struct loop *loop)
{
    return loop->ops->busy_times != NULL ? loop->ops->busy_times(loop) : NULL;
}

static inline bool on_loop(const struct loop *loop)
{
    return loop->ops->is_current(loop);
}

/* deadline_us is on the loop's monotonic clock. Restarting an armed timer moves it. Even when it has passed, the
 * loop's other mail and sockets go first: a long task that starts a timer with no delay for its next piece holds
 * nobody up (mail to its own loop would). Loop only. */
static inline void timer_start(struct loop *loop, struct timer *timer, int64_t deadline_us)
{
    loop->ops->timer_start(loop, timer, deadline_us);
}

static inline void timer_start_in(struct loop *loop, struct timer *timer, int64_t delay_us)
{
    loop->ops->timer_start(loop, timer, loop_now_us(loop) + delay_us);
}

/* Safe on a timer that is not armed. Loop only. */
static inline void timer_stop(struct loop *loop, struct timer *timer)
{
    loop->ops->timer_stop(loop, timer);
}

static inline bool timer_is_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}

/* All run in parallel, each pool's in the order of submission as they begin. */
static inline void worker_submit(struct loop *loop, enum worker_pool pool, struct work *work)
{
    work->home = loop;
    loop->ops->submit(loop, pool, work);
}

#endif
