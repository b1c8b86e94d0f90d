/* SPDX-License-Identifier: Apache-2.0 */
/* What uv_network needs of a loop. Private to dataplane/uv. */
#ifndef DATAPLANE_UV_UV_EXECUTOR_INTERNAL_H
#define DATAPLANE_UV_UV_EXECUTOR_INTERNAL_H

#include "common/base/list.h"
#include "common/observe/histogram.h"
#include "common/port/mailbox.h"
#include "common/port/timer_queue.h"
#include "dataplane/uv/turn_watch.h"
#include "dataplane/uv/uv_executor.h"
#include "dataplane/uv/worker_pools.h"

#include <pthread.h>
#include <uv.h>

struct uv_executor_loop {
    struct loop base;
    uv_loop_t uv;
    int wake_fd; /* an eventfd: mail from other threads */
    uv_poll_t wake;
    uv_timer_t alarm;     /* the first deadline of timers */
    uv_idle_t soon;       /* active: a timer is due, the poll does not wait */
    uv_prepare_t prepare; /* before the poll: deliver mail, hand work over */
    uv_check_t check;     /* after the poll: deliver mail, fire timers */
    struct mailbox mailbox;
    struct work_queue submitted[WORKER_POOL_COUNT]; /* in this turn */
    struct timer_queue timers;
    int64_t alarm_us; /* what `alarm` is set to; INT64_MAX = not */
    int64_t now_us;
    int64_t wall_ms;
    bool is_time_stale;
    uint64_t turn;          /* which one it is; the first is 0 */
    uint64_t turn_began_ns; /* 0 = the first turn */
    uint64_t turn_began_idle_ns;
    struct histogram busy;
    struct turn_watch watch;
    struct mail stop_mail;
};

static inline struct uv_executor_loop *uv_loop_of(const struct loop *loop)
{
    return container_of(loop, struct uv_executor_loop, base);
}

#endif
