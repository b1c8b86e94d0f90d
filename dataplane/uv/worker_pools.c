/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/uv/worker_pools.h"

#include "common/base/list.h"
#include "dataplane/uv/short_turns.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { MAX_THREADS = 16, STACK_BYTES = 256 * 1024 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct work_queue queue;
    bool is_waited_for; /* by what is in a hurry: answers wait for a flush */
    bool is_stopping;
    pthread_t threads[MAX_THREADS];
    int thread_count;
};

struct worker_pools {
    struct pool pools[WORKER_POOL_COUNT];
};

void work_queue_init(struct work_queue *queue)
{
    *queue = (struct work_queue){.last = &queue->first};
}

void work_queue_add(struct work_queue *queue, struct work *work)
{
    work->next = NULL;
    *queue->last = work;
    queue->last = &work->next;
    queue->count++;
}

/* NULL = empty. */
static struct work *work_queue_take(struct work_queue *queue)
{
    struct work *work = queue->first;

    if (work == NULL)
        return NULL;
    queue->first = work->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->count--;
    return work;
}

static void work_queue_move(struct work_queue *from, struct work_queue *to)
{
    *to->last = from->first;
    to->last = from->last;
    to->count += from->count;
    work_queue_init(from);
}

static void deliver_done(struct mail *mail)
{
    struct work *work = container_of(mail, struct work, mail);

    work->done(work);
}

static struct work *next_work(struct pool *pool)
{
    struct work *work = NULL;

    pthread_mutex_lock(&pool->lock);
    while (pool->queue.first == NULL && !pool->is_stopping)
        pthread_cond_wait(&pool->has_work, &pool->lock);
    work = work_queue_take(&pool->queue);
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void *run_worker(void *context)
{
    struct pool *pool = context;
    struct work *work = NULL;

    if (pool->is_waited_for)
        take_short_turns();
    while ((work = next_work(pool)) != NULL) {
        work->run(work);
        work->mail.deliver = deliver_done;
        loop_post(work->home, &work->mail);
    }
    return NULL;
}

static enum err start_threads(struct pool *pool, int count)
{
    pthread_attr_t attributes;
    sigset_t all, old;
    enum err rc = ERR_OK;

    invariant(count <= MAX_THREADS);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (rc == ERR_OK && pool->thread_count < count) {
        if (pthread_create(&pool->threads[pool->thread_count], &attributes, run_worker, pool) != 0)
            rc = ERR_UNAVAILABLE;
        else
            pool->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return rc;
}

enum err worker_pools_new(const int thread_counts[WORKER_POOL_COUNT],
                          struct worker_pools **ret_pools)
{
    struct worker_pools *pools = calloc(1, sizeof(*pools));
    enum err rc = ERR_OK;

    if (pools == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < WORKER_POOL_COUNT; i++) {
        struct pool *pool = &pools->pools[i];

        pthread_mutex_init(&pool->lock, NULL);
        pthread_cond_init(&pool->has_work, NULL);
        work_queue_init(&pool->queue);
    }
    pools->pools[WORKER_FLUSH].is_waited_for = true;
    for (int i = 0; rc == ERR_OK && i < WORKER_POOL_COUNT; i++)
        rc = start_threads(&pools->pools[i], thread_counts[i]);
    if (rc != ERR_OK) {
        worker_pools_free(pools);
        return rc;
    }
    *ret_pools = pools;
    return ERR_OK;
}

/* Threads are woken without the lock: one that needs it at once would only go to sleep again. */
void worker_pools_submit(struct worker_pools *pools, enum worker_pool which,
                         struct work_queue *works)
{
    struct pool *pool = &pools->pools[which];
    int count = works->count;

    if (count == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    work_queue_move(works, &pool->queue);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < count && i < pool->thread_count; i++)
        pthread_cond_signal(&pool->has_work);
}

void worker_pools_free(struct worker_pools *pools)
{
    for (int i = 0; i < WORKER_POOL_COUNT; i++) {
        struct pool *pool = &pools->pools[i];

        pthread_mutex_lock(&pool->lock);
        pool->is_stopping = true;
        pthread_cond_broadcast(&pool->has_work);
        pthread_mutex_unlock(&pool->lock);
        for (int t = 0; t < pool->thread_count; t++)
            pthread_join(pool->threads[t], NULL);
        pthread_cond_destroy(&pool->has_work);
        pthread_mutex_destroy(&pool->lock);
    }
    free(pools);
}
