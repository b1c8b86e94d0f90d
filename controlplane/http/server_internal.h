/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c (start and stop) and exchange.c (a request's way through libmicrohttpd) share. */
#ifndef CONTROLPLANE_HTTP_SERVER_INTERNAL_H
#define CONTROLPLANE_HTTP_SERVER_INTERNAL_H

#include "controlplane/http/deadlines.h"
#include "controlplane/http/metrics.h"
#include "controlplane/http/server.h"
#include "controlplane/http/workers.h"

#include <microhttpd.h>
#include <stdatomic.h>

#define SERVER_MAX_ADDRESSES 4
#define SERVER_IDLE_TIMEOUT_S 30

struct http_server {
    struct http_server_config config;
    struct MHD_Daemon *daemons[SERVER_MAX_ADDRESSES];
    int listen_fds[SERVER_MAX_ADDRESSES]; /* ours to close after a quiesce */
    int daemon_count;
    int port;
    struct workers *workers;
    struct deadlines *deadlines;
    struct http_metrics *metrics;
    atomic_int in_flight; /* requests between exchange_begin and exchange_end */
};

/* Callbacks of libmicrohttpd; context is the server. */
void *exchange_begin(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_call(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **slot);
void exchange_end(void *context, struct MHD_Connection *connection, void **slot,
                  enum MHD_RequestTerminationCode how);
void exchange_connection(void *context, struct MHD_Connection *connection, void **socket_slot,
                         enum MHD_ConnectionNotificationCode what);

/* Runs a request on a worker. */
void exchange_run(struct http_request *request, bool *ret_is_parked);

#endif
