/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask a broker over plain HTTP, on loopback: /metrics (totals), /metrics/per-object
 * (instances, topics and groups one by one), /healthz (the loops turn), /readyz (it can serve).
 *
 *   READING ──whole head──▶ SCRAPING ──text──▶ WRITING ──sent──▶ CLOSING ──▶ gone
 *      └──bad head──▶ WRITING (400, 404, 405, 431)
 *
 * GET only, one request a connection, no body, a head of 8 KiB at most, 10 seconds for all of it, a few
 * connections at a time. It is no web server: those who scrape send nothing that it does not know. */
#ifndef DATAPLANE_METRICS_METRICS_SERVER_H
#define DATAPLANE_METRICS_METRICS_SERVER_H

#include "common/base/error.h"
#include "common/port/network.h"
#include "dataplane/metrics/scrape.h"

#define METRICS_MAX_ADDRESSES 8

struct metrics_server;

struct metrics_server_options {
    struct network *network;      /* borrowed, as is what follows */
    struct scrape_source source;  /* copied; what it points to is borrowed */
    const char *const *addresses; /* literal, NULL ends */
    int port;
};

/* Loop 0. Listens on every address. ERR_EXISTS: the port is taken; ERR_INVALID: not loopback. */
enum err metrics_server_new(const struct metrics_server_options *options,
                            struct metrics_server **ret_server, struct error *error) WARN_UNUSED;
/* Loop 0: no new connections. Requests under way are ended; done is called on loop 0 when none is left. */
void metrics_server_stop(struct metrics_server *server, void (*done)(void *context), void *context);
void metrics_server_free(struct metrics_server *server); /* NULL is allowed */
int metrics_server_port(const struct metrics_server *server);

#endif
