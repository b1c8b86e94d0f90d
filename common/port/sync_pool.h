/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that flush several files at the same time. Flushes of different files wait for the disk, not for each other:
 * many at once cost hardly more than one.
 *
 * Threads are made when they are first wanted, sleep between batches, and end with the pool. Batches of several callers
 * mix; each caller works at its own and returns when all of it is done. */
#ifndef COMMON_PORT_SYNC_POOL_H
#define COMMON_PORT_SYNC_POOL_H

#include <pthread.h>

#include "common/base/list.h"
#include "common/port/disk.h"

enum { SYNC_POOL_THREADS_MAX = 15 };

/* Sets sync->err. Blocking; several threads at once. */
typedef void (*sync_one_fn)(struct disk *disk, struct disk_sync *sync);

struct sync_pool {
    struct disk *disk;
    sync_one_fn sync_one;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct list batches; /* that have syncs nobody took yet */
    pthread_t threads[SYNC_POOL_THREADS_MAX];
    int thread_count;
    bool is_ending;
};

/* disk is borrowed. */
void sync_pool_init(struct sync_pool *pool, struct disk *disk, sync_one_fn sync_one);
/* No batch may be under way. */
void sync_pool_done(struct sync_pool *pool);
/* Any thread; blocking. Without threads to be had it works alone. */
void sync_pool_run(struct sync_pool *pool, struct disk_sync *syncs, int count);

#endif
