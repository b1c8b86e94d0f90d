/* SPDX-License-Identifier: Apache-2.0 */
/* The REST resources: what serve answers, and what it needs for that. One file per resource. */
#ifndef CONTROLPLANE_ENDPOINTS_ENDPOINTS_H
#define CONTROLPLANE_ENDPOINTS_ENDPOINTS_H

#include "common/port/clock.h"
#include "controlplane/http/server.h"
#include "controlplane/identity/identity.h"
#include "controlplane/identity/rate_limiter.h"
#include "controlplane/store/db.h"

/* Borrowed from the composition root for as long as the servers run. */
struct endpoints {
    struct db_pool *pool;
    struct identity *identity;
    const struct seal_key *seal_key;
    uint8_t cursor_key[SEAL_KEY_LEN];
    const struct clock *clock;
    const char *public_url;                    /* "https://localhost:8443" */
    const char *region;                        /* the one location on offer: "global" */
    const char *ca_certificate_pem;            /* goes into every credential */
    const _Atomic int64_t *certificate_ends_s; /* REST's; seconds since 1970 */
    struct rate_limiter *calls;                /* by caller */
    struct rate_limiter *failures;             /* to get a token: by address, and by key id */
    struct rate_limiter *audits;               /* of what anybody can cause: by address or caller */
    struct http_server *server;                /* whose metrics are shown; set once it runs */
};

/* Routes of the public listener and of the metrics listener. Their context is a struct endpoints. */
extern const struct http_route public_routes[];
extern const int public_route_count;
extern const struct http_route metrics_routes[];
extern const int metrics_route_count;

#endif
