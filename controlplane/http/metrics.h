/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of requests by route and status, for Prometheus. Labels come from the route table and a fixed list of
 * statuses, so a client cannot add a time series. */
#ifndef CONTROLPLANE_HTTP_METRICS_H
#define CONTROLPLANE_HTTP_METRICS_H

#include "common/base/buffer.h"
#include "controlplane/http/router.h"

struct http_metrics;

struct http_metrics *http_metrics_new(const struct http_route *routes, int route_count);
void http_metrics_free(struct http_metrics *metrics); /* takes NULL */
/* route NULL = no route matched. Any thread. */
void http_metrics_count(struct http_metrics *metrics, const struct http_route *route, int status,
                        int64_t duration_us);
/* Errors: of the buffer. */
enum err http_metrics_render(struct http_metrics *metrics, struct buffer *buffer) WARN_UNUSED;

#endif
