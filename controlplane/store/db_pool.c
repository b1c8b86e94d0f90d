/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed number of connections, opened when first needed.
 *
 * While the store is away callers must hear it at once, not each after a connect time-out: one attempt
 * fails for all who come within RETRY_AFTER_MS of it. */
#include "controlplane/store/db.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/port/clock.h"
#include "controlplane/store/db_internal.h"

#define RETRY_AFTER_MS 250

struct db_pool {
    const struct db_config *config;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    struct db **idle; /* stack; an entry is a connection, NULL = not opened yet */
    int idle_count;
    int size;
    int64_t failed_at_ms; /* of the last attempt to connect; 0 = it worked */
    struct error failure;
};

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

enum err db_pool_new(const struct db_config *config, int connection_count,
                     struct db_pool **ret_pool, struct error *error)
{
    struct db_pool *pool = calloc(1, sizeof(*pool));
    pthread_condattr_t attributes;

    invariant(connection_count > 0);
    if (pool)
        pool->idle = calloc((size_t)connection_count, sizeof(*pool->idle));
    if (!pool || !pool->idle) {
        free(pool);
        return error_set(error, ERR_NO_MEMORY, "store: no memory for the pool");
    }
    pool->config = config;
    pool->size = connection_count;
    pool->idle_count = connection_count;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_pool = pool;
    return ERR_OK;
}

void db_pool_free(struct db_pool *pool)
{
    if (!pool)
        return;
    invariant(pool->idle_count == pool->size);
    for (int i = 0; i < pool->size; i++)
        db_close(pool->idle[i]);
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->idle);
    free(pool);
}

/* Under the mutex. ERR_TIMEOUT when all stay in use. */
static enum err take_slot(struct db_pool *pool, int64_t timeout_ms, struct db **ret_db)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};

    while (pool->idle_count == 0)
        if (pthread_cond_timedwait(&pool->freed, &pool->mutex, &until) != 0)
            return ERR_TIMEOUT;
    *ret_db = pool->idle[--pool->idle_count];
    return ERR_OK;
}

static void give_back(struct db_pool *pool, struct db *db, const struct error *failure)
{
    pthread_mutex_lock(&pool->mutex);
    pool->idle[pool->idle_count++] = db;
    pool->failed_at_ms = failure ? now_ms() : pool->failed_at_ms;
    if (failure)
        pool->failure = *failure;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
}

enum err db_pool_acquire(struct db_pool *pool, int64_t timeout_ms, struct db **ret_db,
                         struct error *error)
{
    struct error failure = {.code = ERR_OK};
    struct db *db = NULL;

    pthread_mutex_lock(&pool->mutex);
    enum err rc = take_slot(pool, timeout_ms, &db);
    bool failed_lately = pool->failed_at_ms != 0 && now_ms() - pool->failed_at_ms < RETRY_AFTER_MS;
    failure = pool->failure;
    pthread_mutex_unlock(&pool->mutex);
    if (rc != ERR_OK)
        return error_set(error, ERR_UNAVAILABLE, "store: all %d connections are busy", pool->size);

    if (failed_lately) {
        pthread_mutex_lock(&pool->mutex);
        pool->idle[pool->idle_count++] = db;
        pthread_cond_signal(&pool->freed);
        pthread_mutex_unlock(&pool->mutex);
        return error_set(error, ERR_UNAVAILABLE, "%s", failure.message);
    }
    rc = db ? db_ensure(db, &failure) : db_open(pool->config, &db, &failure);
    if (rc != ERR_OK) {
        give_back(pool, db, &failure);
        return error_set(error, ERR_UNAVAILABLE, "%s", failure.message);
    }
    *ret_db = db;
    return ERR_OK;
}

void db_pool_release(struct db_pool *pool, struct db *db)
{
    invariant(!db->is_in_transaction);
    give_back(pool, db, NULL);
}

int db_pool_size(const struct db_pool *pool)
{
    return pool->size;
}

int db_pool_busy(struct db_pool *pool)
{
    int busy = 0;

    pthread_mutex_lock(&pool->mutex);
    busy = pool->size - pool->idle_count;
    pthread_mutex_unlock(&pool->mutex);
    return busy;
}
