/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/certificate_watch.h"

#include "common/observe/log.h"
#include "dataplane/net/tls_context.h"

#define LOOK_US ((int64_t)60 * 1000 * 1000)
#define TICKETS_US ((int64_t)12 * 3600 * 1000 * 1000)
#define SOON_S ((int64_t)21 * 24 * 3600)

static void warn_of_the_end(const struct certificate_watch *watch)
{
    int64_t left_s = tls_context_ends_s(watch->tls) - loop_wall_ms(watch->loop) / 1000;

    if (left_s < SOON_S)
        log_event(LOG_WARN, "certificate_ends_soon", f_i64("seconds_left", left_s),
                  f_str("what_to_do", "replace both files; they are taken within a minute"));
}

static void look(struct work *work)
{
    struct certificate_watch *watch = container_of(work, struct certificate_watch, work);

    watch->is_tried = watch->must_take || tls_context_is_outdated(watch->tls);
    watch->error.code = watch->is_tried ? tls_context_renew(watch->tls, &watch->error) : ERR_OK;
}

static void begin_look(struct certificate_watch *watch)
{
    watch->must_take = watch->is_asked || loop_now_us(watch->loop) - watch->taken_us >= TICKETS_US;
    watch->is_asked = false;
    watch->is_looking = true;
    worker_submit(watch->loop, WORKER_SLOW, &watch->work);
}

static void say_what_was_done(struct certificate_watch *watch)
{
    if (watch->error.code != ERR_OK) {
        log_event(
            LOG_ERROR, "certificate_refused", f_str("why", watch->error.message),
            f_str("what_to_do", "put a certificate and its key in place; the old one serves"));
        return;
    }
    watch->taken_us = loop_now_us(watch->loop);
    log_event(LOG_INFO, "certificate_taken", f_i64("ends", tls_context_ends_s(watch->tls)));
    warn_of_the_end(watch);
}

static void looked(struct work *work)
{
    struct certificate_watch *watch = container_of(work, struct certificate_watch, work);

    watch->is_looking = false;
    if (watch->is_tried)
        say_what_was_done(watch);
    if (watch->is_ended)
        return;
    if (watch->is_asked)
        begin_look(watch);
    else
        timer_start_in(watch->loop, &watch->timer, LOOK_US);
}

static void on_timer(struct timer *timer)
{
    begin_look(container_of(timer, struct certificate_watch, timer));
}

void certificate_watch_begin(struct certificate_watch *watch, struct tls_context *tls,
                             struct loop *loop)
{
    *watch = (struct certificate_watch){
        .tls = tls,
        .loop = loop,
        .timer = {.fire = on_timer},
        .work = {.run = look, .done = looked},
        .taken_us = loop_now_us(loop),
    };
    warn_of_the_end(watch);
    timer_start_in(loop, &watch->timer, LOOK_US);
}

void certificate_watch_ask(struct certificate_watch *watch)
{
    watch->is_asked = true;
    if (watch->is_looking || watch->is_ended)
        return;
    timer_stop(watch->loop, &watch->timer);
    begin_look(watch);
}

void certificate_watch_end(struct certificate_watch *watch)
{
    watch->is_ended = true;
    timer_stop(watch->loop, &watch->timer);
}
