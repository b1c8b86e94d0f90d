/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/job_pool.h"

struct batch {
    struct list link; /* while jobs are left to be taken */
    disk_job_fn job;
    void *context;
    int count;
    int taken;
    int finished;
    pthread_cond_t is_finished;
};

void job_pool_init(struct job_pool *pool)
{
    *pool = (struct job_pool){.thread_count = 0};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    list_init(&pool->batches);
}

void job_pool_done(struct job_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_ending = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->lock);
}

/* Holding the lock, which is let go meanwhile. */
static void run_next(struct job_pool *pool, struct batch *batch)
{
    int index = batch->taken++;

    if (batch->taken == batch->count)
        list_remove(&batch->link);
    pthread_mutex_unlock(&pool->lock);
    batch->job(batch->context, index);
    pthread_mutex_lock(&pool->lock);
    if (++batch->finished == batch->count)
        pthread_cond_signal(&batch->is_finished);
}

static void *run_thread(void *context)
{
    struct job_pool *pool = context;

    pthread_mutex_lock(&pool->lock);
    while (!pool->is_ending) {
        if (list_is_empty(&pool->batches))
            pthread_cond_wait(&pool->has_work, &pool->lock);
        else
            run_next(pool, container_of(pool->batches.next, struct batch, link));
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* As many as `wanted` and no more than there may be; holding the lock. */
static void get_threads(struct job_pool *pool, int wanted)
{
    while (pool->thread_count < wanted &&
           pthread_create(&pool->threads[pool->thread_count], NULL, run_thread, pool) == 0)
        pool->thread_count++;
}

/* Threads are woken without the lock: one that needs it at once would only go to sleep again. */
static void begin(struct job_pool *pool, struct batch *batch)
{
    int wanted = batch->count - 1 < JOB_POOL_THREADS_MAX ? batch->count - 1 : JOB_POOL_THREADS_MAX;

    pthread_mutex_lock(&pool->lock);
    list_push_back(&pool->batches, &batch->link);
    get_threads(pool, wanted);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < wanted; i++)
        pthread_cond_signal(&pool->has_work);
}

void job_pool_run(struct job_pool *pool, disk_job_fn job, void *context, int count)
{
    struct batch batch = {.job = job, .context = context, .count = count};

    if (count == 1)
        job(context, 0);
    if (count <= 1)
        return;
    pthread_cond_init(&batch.is_finished, NULL);
    begin(pool, &batch);
    pthread_mutex_lock(&pool->lock);
    while (batch.taken < batch.count)
        run_next(pool, &batch);
    while (batch.finished < batch.count)
        pthread_cond_wait(&batch.is_finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&batch.is_finished);
}
