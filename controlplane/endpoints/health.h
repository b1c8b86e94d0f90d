/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLPLANE_ENDPOINTS_HEALTH_H
#define CONTROLPLANE_ENDPOINTS_HEALTH_H

#include "controlplane/http/request.h"

struct endpoints;

void health_alive(struct http_request *request); /* GET /healthz: the process turns */
void health_ready(
    struct http_request *request); /* GET /readyz: the store answers, tokens can be signed */
/* Whether requests can be served: the store answers, tokens can be signed. Errors: of the store. */
enum err health_check(struct endpoints *endpoints, struct error *error) WARN_UNUSED;

/* 501 with a body: what a later version will answer. */
void not_offered_yet(struct http_request *request);

#endif
