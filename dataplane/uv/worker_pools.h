/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for blocking calls, a queue a pool: a stalled flush never delays reads. */
#ifndef DATAPLANE_UV_WORKER_POOLS_H
#define DATAPLANE_UV_WORKER_POOLS_H

#include "common/base/error.h"
#include "common/port/executor.h"

struct worker_pools;

/* In their order. */
struct work_queue {
    struct work *first;
    struct work **last; /* where the next one is linked */
    int count;
};

void work_queue_init(struct work_queue *queue);
void work_queue_add(struct work_queue *queue, struct work *work);

enum err worker_pools_new(const int thread_counts[WORKER_POOL_COUNT],
                          struct worker_pools **ret_pools) WARN_UNUSED;
/* All of `works`, which is empty then. Any thread. */
void worker_pools_submit(struct worker_pools *pools, enum worker_pool pool,
                         struct work_queue *works);
/* Runs what is queued, then joins the threads. */
void worker_pools_free(struct worker_pools *pools);

#endif
