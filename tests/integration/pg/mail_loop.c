/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/pg/mail_loop.h"

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/port/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct mail_loop {
    struct loop base;
    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    struct mail *first, *last;
};

static void post(struct loop *base, struct mail *mail)
{
    struct mail_loop *loop = container_of(base, struct mail_loop, base);

    pthread_mutex_lock(&loop->mutex);
    mail->next = NULL;
    if (loop->last != NULL)
        loop->last->next = mail;
    else
        loop->first = mail;
    loop->last = mail;
    pthread_cond_signal(&loop->arrived);
    pthread_mutex_unlock(&loop->mutex);
}

static const struct loop_ops loop_ops = {.post = post};

struct loop *mail_loop_new(void)
{
    struct mail_loop *loop = calloc(1, sizeof(*loop));

    invariant(loop != NULL);
    loop->base.ops = &loop_ops;
    pthread_mutex_init(&loop->mutex, NULL);
    pthread_cond_init(&loop->arrived, NULL);
    return &loop->base;
}

void mail_loop_free(struct loop *base)
{
    struct mail_loop *loop = container_of(base, struct mail_loop, base);

    pthread_cond_destroy(&loop->arrived);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

/* The next mail, waited for at most 10 ms. */
static struct mail *take(struct mail_loop *loop)
{
    struct timespec until;
    struct mail *mail = NULL;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 10000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&loop->mutex);
    if (loop->first == NULL)
        pthread_cond_timedwait(&loop->arrived, &loop->mutex, &until);
    mail = loop->first;
    if (mail != NULL) {
        loop->first = mail->next;
        if (loop->first == NULL)
            loop->last = NULL;
    }
    pthread_mutex_unlock(&loop->mutex);
    return mail;
}

bool mail_loop_run_until(struct loop *base, bool (*is_met)(void *context), void *context,
                         int64_t timeout_ms)
{
    struct mail_loop *loop = container_of(base, struct mail_loop, base);
    int64_t until_us = clock_monotonic_us(&system_clock) + timeout_ms * 1000;

    while (!is_met(context)) {
        struct mail *mail = NULL;

        if (clock_monotonic_us(&system_clock) > until_us)
            return false;
        mail = take(loop);
        if (mail != NULL)
            mail->deliver(mail);
    }
    return true;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

void mail_loop_run_for(struct loop *loop, int64_t duration_ms)
{
    (void)mail_loop_run_until(loop, never, NULL, duration_ms);
}
