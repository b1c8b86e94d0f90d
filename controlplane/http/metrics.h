/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of requests by route and status, for Prometheus. Labels come from the route table and a fixed list of
 * statuses, so a client cannot add a time series. */
#ifndef CONTROLPLANE_HTTP_METRICS_H
#define CONTROLPLANE_HTTP_METRICS_H

#include "common/observe/exposition.h"
#include "controlplane/http/router.h"

struct http_metrics;

/* Where in a program's table of families these are. */
struct http_metric_families {
    size_t requests; /* counter: method, route, status */
    size_t seconds;  /* histogram: method, route */
};

struct http_metrics *http_metrics_new(const struct http_route *routes, int route_count);
void http_metrics_free(struct http_metrics *metrics); /* takes NULL */
/* route NULL = no route matched. Any thread. */
void http_metrics_count(struct http_metrics *metrics, const struct http_route *route, int status,
                        int64_t duration_us);
/* Any thread. Routes that were never asked for have no series. */
void http_metrics_add(const struct http_metrics *metrics,
                      const struct http_metric_families *families, struct exposition *exposition);

#endif
