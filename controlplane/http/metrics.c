/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

static const int statuses[] = {200, 201, 202, 204, 400, 401, 403, 404, 405,
                               409, 410, 413, 422, 429, 500, 501, 503};
#define STATUS_COUNT (int)(sizeof(statuses) / sizeof(statuses[0]))
#define OTHER STATUS_COUNT

struct counters {
    atomic_llong by_status[STATUS_COUNT + 1];
    atomic_llong duration_us;
};

struct http_metrics {
    const struct http_route *routes;
    int route_count;
    struct counters counters[]; /* one a route, and one for no route */
};

struct http_metrics *http_metrics_new(const struct http_route *routes, int route_count)
{
    struct http_metrics *metrics =
        calloc(1, sizeof(*metrics) + (size_t)(route_count + 1) * sizeof(struct counters));

    if (!metrics)
        return NULL;
    metrics->routes = routes;
    metrics->route_count = route_count;
    return metrics;
}

void http_metrics_free(struct http_metrics *metrics)
{
    free(metrics);
}

void http_metrics_count(struct http_metrics *metrics, const struct http_route *route, int status,
                        int64_t duration_us)
{
    ptrdiff_t index = route ? route - metrics->routes : metrics->route_count;
    int slot = 0;

    while (slot < STATUS_COUNT && statuses[slot] != status)
        slot++;
    atomic_fetch_add(&metrics->counters[index].by_status[slot], 1);
    atomic_fetch_add(&metrics->counters[index].duration_us, duration_us);
}

static const char *method_of(const struct http_metrics *metrics, int index)
{
    return index < metrics->route_count ? http_method_name(metrics->routes[index].method) : "";
}

static const char *route_of(const struct http_metrics *metrics, int index)
{
    return index < metrics->route_count ? metrics->routes[index].template : "none";
}

static enum err render_counts(const struct http_metrics *metrics, int index, struct buffer *buffer)
{
    enum err rc = ERR_OK;

    for (int slot = 0; rc == ERR_OK && slot <= OTHER; slot++) {
        long long count = atomic_load(&metrics->counters[index].by_status[slot]);

        if (count == 0)
            continue;
        rc = buffer_printf(
            buffer, "millrace_http_requests_total{method=\"%s\",route=\"%s\",status=\"%d\"} %lld\n",
            method_of(metrics, index), route_of(metrics, index),
            slot < STATUS_COUNT ? statuses[slot] : 0, count);
    }
    return rc;
}

static enum err render_times(const struct http_metrics *metrics, int index, struct buffer *buffer)
{
    const char *method = method_of(metrics, index), *route = route_of(metrics, index);
    long long total = 0;

    for (int slot = 0; slot <= OTHER; slot++)
        total += atomic_load(&metrics->counters[index].by_status[slot]);
    if (total == 0)
        return ERR_OK;
    return buffer_printf(buffer,
                         "millrace_http_request_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n"
                         "millrace_http_request_seconds_count{method=\"%s\",route=\"%s\"} %lld\n",
                         method, route,
                         (double)atomic_load(&metrics->counters[index].duration_us) / 1e6, method,
                         route, total);
}

enum err http_metrics_render(struct http_metrics *metrics, struct buffer *buffer)
{
    enum err rc = buffer_append_cstring(
        buffer, "# HELP millrace_http_requests_total Requests answered (status 0: any other).\n"
                "# TYPE millrace_http_requests_total counter\n");

    for (int i = 0; rc == ERR_OK && i <= metrics->route_count; i++)
        rc = render_counts(metrics, i, buffer);
    if (rc == ERR_OK)
        rc = buffer_append_cstring(
            buffer, "# HELP millrace_http_request_seconds Time from head to answer.\n"
                    "# TYPE millrace_http_request_seconds summary\n");
    for (int i = 0; rc == ERR_OK && i <= metrics->route_count; i++)
        rc = render_times(metrics, i, buffer);
    return rc;
}
