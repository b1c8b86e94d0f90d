/* SPDX-License-Identifier: Apache-2.0 */
/* One number per name: the moment at which it will have rested fully (the theoretical arrival time of the generic cell rate
 * algorithm). A take moves it on by one interval; it is refused when that would lie more than a burst ahead. */
#include "controlplane/identity/rate_limiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash_table.h"
#include "common/port/random.h"

#define SETS 1024 /* a power of two */
#define WAYS 4

struct place {
    uint64_t hash; /* 0 = free */
    int64_t rested_at_us;
};

struct rate_limiter {
    pthread_mutex_t mutex; /* over places */
    struct hash_seed seed;
    int64_t interval_us;
    int64_t burst_us;
    struct place places[SETS][WAYS];
};

enum err rate_limiter_new(int64_t per_minute, int64_t burst, struct rate_limiter **ret_limiter,
                          struct error *error)
{
    struct rate_limiter *limiter = calloc(1, sizeof(*limiter));

    if (!limiter)
        return error_set(error, ERR_NO_MEMORY, "rate limiter: no memory");
    if (random_fill(&system_random, &limiter->seed, sizeof(limiter->seed)) != ERR_OK) {
        free(limiter);
        return error_set(error, ERR_INTERNAL, "no random numbers");
    }
    pthread_mutex_init(&limiter->mutex, NULL);
    limiter->interval_us = 60000000 / per_minute;
    limiter->burst_us = (burst - 1) * limiter->interval_us;
    *ret_limiter = limiter;
    return ERR_OK;
}

void rate_limiter_free(struct rate_limiter *limiter)
{
    if (!limiter)
        return;
    pthread_mutex_destroy(&limiter->mutex);
    free(limiter);
}

/* Its own place, or the one that is missed least. */
static struct place *find(struct rate_limiter *limiter, uint64_t hash)
{
    struct place *set = limiter->places[hash % SETS], *best = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (set[i].rested_at_us < best->rested_at_us)
            best = &set[i];
    }
    return best;
}

static int64_t ask(struct rate_limiter *limiter, const char *who, int64_t now_us, bool counts)
{
    uint64_t hash = hash_bytes(limiter->seed, who, strlen(who)) | 1;

    pthread_mutex_lock(&limiter->mutex);
    struct place *place = find(limiter, hash);
    int64_t rested_at_us = place->hash == hash ? place->rested_at_us : 0;
    if (rested_at_us < now_us)
        rested_at_us = now_us;
    int64_t wait_us = rested_at_us - limiter->burst_us - now_us;
    if (wait_us <= 0 && counts)
        *place = (struct place){hash, rested_at_us + limiter->interval_us};
    pthread_mutex_unlock(&limiter->mutex);
    return wait_us > 0 ? wait_us : 0;
}

int64_t rate_limiter_take(struct rate_limiter *limiter, const char *who, int64_t now_us)
{
    return ask(limiter, who, now_us, true);
}

int64_t rate_limiter_look(struct rate_limiter *limiter, const char *who, int64_t now_us)
{
    return ask(limiter, who, now_us, false);
}
