/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for blocking calls that can run at the same time: flushes and large writes of different files wait for the
 * disk, not for each other; many at once cost hardly more than one.
 *
 * Threads are made when they are first wanted, sleep between batches, and end with the pool. Batches of several callers
 * mix; each caller works at its own and returns when all of it is done. */
#ifndef COMMON_PORT_JOB_POOL_H
#define COMMON_PORT_JOB_POOL_H

#include <pthread.h>

#include "common/base/list.h"
#include "common/port/disk.h"

enum { JOB_POOL_THREADS_MAX = 15 };

struct job_pool {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct list batches; /* that have jobs nobody took yet */
    pthread_t threads[JOB_POOL_THREADS_MAX];
    int thread_count;
    bool is_ending;
};

void job_pool_init(struct job_pool *pool);
/* No batch may be under way. */
void job_pool_done(struct job_pool *pool);
/* job(context, 0), … job(context, count - 1), several at once. Any thread; blocking. Without threads to be had it
 * works alone. */
void job_pool_run(struct job_pool *pool, disk_job_fn job, void *context, int count);

#endif
