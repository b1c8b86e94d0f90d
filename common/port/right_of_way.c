/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/right_of_way.h"

#include <time.h>

#define US_PER_S 1000000
#define NS_PER_US 1000
#define NS_PER_S 1000000000

void right_of_way_init(struct right_of_way *way, int64_t patience_us)
{
    pthread_condattr_t attributes;

    *way = (struct right_of_way){.patience_us = patience_us};
    pthread_mutex_init(&way->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&way->is_clear, &attributes);
    pthread_condattr_destroy(&attributes);
}

void right_of_way_done(struct right_of_way *way)
{
    pthread_cond_destroy(&way->is_clear);
    pthread_mutex_destroy(&way->lock);
}

void right_of_way_begin(struct right_of_way *way)
{
    pthread_mutex_lock(&way->lock);
    way->hurries++;
    pthread_mutex_unlock(&way->lock);
}

void right_of_way_end(struct right_of_way *way)
{
    bool is_clear = false;

    pthread_mutex_lock(&way->lock);
    is_clear = --way->hurries == 0;
    pthread_mutex_unlock(&way->lock);
    if (is_clear)
        pthread_cond_broadcast(&way->is_clear);
}

bool right_of_way_is_taken(struct right_of_way *way)
{
    bool is_taken = false;

    pthread_mutex_lock(&way->lock);
    is_taken = way->hurries > 0;
    pthread_mutex_unlock(&way->lock);
    return is_taken;
}

static struct timespec end_of_patience(const struct right_of_way *way)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += way->patience_us / US_PER_S;
    time.tv_nsec += way->patience_us % US_PER_S * NS_PER_US;
    if (time.tv_nsec >= NS_PER_S) {
        time.tv_nsec -= NS_PER_S;
        time.tv_sec++;
    }
    return time;
}

void right_of_way_give(struct right_of_way *way)
{
    struct timespec end = end_of_patience(way);
    int rc = 0;

    pthread_mutex_lock(&way->lock);
    way->given += way->hurries > 0;
    while (way->hurries > 0 && rc == 0)
        rc = pthread_cond_timedwait(&way->is_clear, &way->lock, &end);
    pthread_mutex_unlock(&way->lock);
}

int64_t right_of_way_given(struct right_of_way *way)
{
    int64_t given = 0;

    pthread_mutex_lock(&way->lock);
    given = way->given;
    pthread_mutex_unlock(&way->lock);
    return given;
}
