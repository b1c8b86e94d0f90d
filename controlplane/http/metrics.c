/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/metrics.h"

#include <stdlib.h>

static const int statuses[] = {200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409,
                               410, 412, 413, 415, 422, 428, 429, 431, 500, 501, 503};
#define STATUS_COUNT (int)(sizeof(statuses) / sizeof(statuses[0]))
#define OTHER STATUS_COUNT

struct route_metrics {
    struct counter by_status[STATUS_COUNT + 1];
    struct histogram time;
};

struct http_metrics {
    const struct http_route *routes;
    int route_count;
    struct route_metrics of_route[]; /* one a route, and one for no route */
};

struct http_metrics *http_metrics_new(const struct http_route *routes, int route_count)
{
    struct http_metrics *metrics =
        calloc(1, sizeof(*metrics) + (size_t)(route_count + 1) * sizeof(struct route_metrics));

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
    counter_add_shared(&metrics->of_route[index].by_status[slot], 1);
    histogram_note_shared(&metrics->of_route[index].time, duration_us);
}

static void route_labels(const struct http_metrics *metrics, int index,
                         struct metric_labels *labels)
{
    bool is_route = index < metrics->route_count;

    metric_labels_clear(labels);
    metric_labels_add(
        labels, "method",
        slice_from_cstring(is_route ? http_method_name(metrics->routes[index].method) : ""));
    metric_labels_add(labels, "route",
                      slice_from_cstring(is_route ? metrics->routes[index].template : "none"));
}

static void add_statuses(const struct route_metrics *route, const struct metric_labels *of_route,
                         size_t family, struct exposition *exposition)
{
    for (int slot = 0; slot <= OTHER; slot++) {
        int64_t count = counter_read(&route->by_status[slot]);
        struct metric_labels labels = *of_route;

        if (count == 0)
            continue;
        if (slot < STATUS_COUNT)
            metric_labels_add_i64(&labels, "status", statuses[slot]);
        else
            metric_labels_add(&labels, "status", SLICE_LITERAL("other"));
        exposition_add(exposition, family, &labels, count);
    }
}

void http_metrics_add(const struct http_metrics *metrics,
                      const struct http_metric_families *families, struct exposition *exposition)
{
    for (int i = 0; i <= metrics->route_count; i++) {
        struct histogram_sum time = {{0}, 0};
        struct metric_labels labels;

        histogram_sum_add(&time, &metrics->of_route[i].time);
        if (histogram_sum_count(&time) == 0)
            continue;
        route_labels(metrics, i, &labels);
        add_statuses(&metrics->of_route[i], &labels, families->requests, exposition);
        exposition_add_histogram(exposition, families->seconds, &labels, &time);
    }
}
