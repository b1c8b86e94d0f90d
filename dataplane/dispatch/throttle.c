/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dispatch/throttle.h"

#include "dataplane/quota/instance_usage.h"
#include "dataplane/tenant/tenant_rates.h"

static void on_unmute(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, unmute);

    session->is_muted = false;
    connection_touch(session->connection);
    connection_resume(session->connection);
}

void throttle_mute(struct session *session, int32_t throttle_time_ms)
{
    struct loop *loop = session->broker->loop;
    int64_t until_us = loop_now_us(loop) + (int64_t)throttle_time_ms * 1000;

    if (throttle_time_ms <= 0 || session->is_closing ||
        (session->is_muted && session->unmute.deadline_us >= until_us))
        return;
    if (!session->is_muted)
        connection_pause(session->connection);
    session->is_muted = true;
    session->unmute.fire = on_unmute;
    timer_start(loop, &session->unmute, until_us);
}

static int64_t now_us(const struct request *request)
{
    return loop_now_us(request->broker->loop);
}

static void set_time(struct request *request, int32_t throttle_time_ms)
{
    request->throttle_time_ms = throttle_time_ms;
    request->throttle_until_us = now_us(request) + (int64_t)throttle_time_ms * 1000;
}

void throttle_refresh(struct request *request)
{
    int64_t left_us = request->throttle_until_us - now_us(request);

    if (request->throttle_time_ms > 0)
        request->throttle_time_ms = left_us > 0 ? (int32_t)((left_us + 999) / 1000) : 0;
}

void throttle_produce(struct request *request)
{
    struct instance_usage *usage = request->session->usage;
    const struct image_tenant *tenant = request_tenant(request);
    int64_t bytes = (int64_t)request->frame.len;
    int32_t time_ms = 0;

    if (usage == NULL || tenant == NULL)
        return;
    time_ms =
        token_bucket_take(&usage->produce, tenant_produce_rate(request->broker->image, tenant),
                          bytes, now_us(request));
    instance_usage_count(&usage->counts.produce_bytes, bytes);
    instance_usage_count(&usage->counts.produce_throttle_ms, time_ms);
    set_time(request, time_ms);
    throttle_mute(request->session, time_ms);
}

bool throttle_is_consume_over(struct request *request)
{
    struct instance_usage *usage = request->session->usage;
    const struct image_tenant *tenant = request_tenant(request);
    int32_t time_ms = 0;

    if (usage == NULL || tenant == NULL)
        return false;
    time_ms = token_bucket_throttle_ms(
        &usage->consume, tenant_consume_rate(request->broker->image, tenant), now_us(request));
    if (time_ms > 0)
        instance_usage_count(&usage->counts.consume_throttle_ms, time_ms);
    set_time(request, time_ms);
    return time_ms > 0;
}

size_t throttle_reserve_fetch(struct request *request, size_t wanted)
{
    struct instance_usage *usage = request->session->usage;
    const struct image_tenant *tenant = request_tenant(request);
    int64_t rate = 0;
    int64_t depth = 0;

    if (usage == NULL || tenant == NULL)
        return wanted;
    if (throttle_is_consume_over(request))
        return 0;
    rate = tenant_consume_rate(request->broker->image, tenant);
    depth = token_bucket_depth(&usage->consume, rate);
    if (depth < 1)
        depth = 1;
    if (wanted > (size_t)depth)
        wanted = (size_t)depth;
    (void)token_bucket_take(&usage->consume, rate, (int64_t)wanted, now_us(request));
    return wanted;
}

void throttle_settle_fetch(struct request *request, size_t reserved, size_t read)
{
    struct instance_usage *usage = request->session->usage;
    const struct image_tenant *tenant = request_tenant(request);
    int64_t rate = 0;
    int32_t time_ms = 0;

    if (usage == NULL || tenant == NULL)
        return;
    rate = tenant_consume_rate(request->broker->image, tenant);
    if (read < reserved)
        token_bucket_give(&usage->consume, rate, (int64_t)(reserved - read));
    else
        (void)token_bucket_take(&usage->consume, rate, (int64_t)(read - reserved), now_us(request));
    instance_usage_count(&usage->counts.consume_bytes, (int64_t)read);
    if (read > 0)
        time_ms = token_bucket_throttle_ms(&usage->consume, rate, now_us(request));
    instance_usage_count(&usage->counts.consume_throttle_ms, time_ms);
    set_time(request, time_ms);
}

bool throttle_mutation(struct request *request, int64_t partitions, bool is_strict)
{
    struct instance_usage *usage = request->session->usage;
    int64_t rate = request->broker->limits->topic_mutations_per_second;
    int32_t time_ms = 0;

    if (usage == NULL)
        return true;
    time_ms = token_bucket_throttle_ms(&usage->mutations, rate, now_us(request));
    if (time_ms > 0 && is_strict) {
        set_time(request, time_ms);
        return false;
    }
    time_ms = token_bucket_take(&usage->mutations, rate, partitions, now_us(request));
    if (!is_strict)
        set_time(request, time_ms);
    return true;
}
