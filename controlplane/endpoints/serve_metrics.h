/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics of serve, on its own listener. */
#ifndef CONTROLPLANE_ENDPOINTS_SERVE_METRICS_H
#define CONTROLPLANE_ENDPOINTS_SERVE_METRICS_H

#include "controlplane/http/request.h"

void serve_metrics_show(struct http_request *request);

#endif
