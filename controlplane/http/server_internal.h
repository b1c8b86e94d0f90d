/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c (start and stop), listeners.c (addresses and TLS) and exchange.c (a request's way through libmicrohttpd)
 * share. */
#ifndef CONTROLPLANE_HTTP_SERVER_INTERNAL_H
#define CONTROLPLANE_HTTP_SERVER_INTERNAL_H

#include "controlplane/http/deadlines.h"
#include "controlplane/http/metrics.h"
#include "controlplane/http/server.h"
#include "controlplane/http/workers.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define SERVER_MAX_ADDRESSES 4
#define SERVER_MAX_RETIRED (4 * SERVER_MAX_ADDRESSES)
#define SERVER_IDLE_TIMEOUT_S 30

struct http_listener {
    struct MHD_Daemon *daemon;
    struct sockaddr_storage address;
    int quiesced_fd; /* ours to close when the daemon has stopped; -1 = it is the daemon's */
};

struct http_server {
    struct http_server_config config; /* without its certificate */
    struct http_listener listeners[SERVER_MAX_ADDRESSES];
    int listener_count;
    struct http_listener
        retired[SERVER_MAX_RETIRED]; /* of earlier certificates; they take no connection */
    int retired_count;
    int port;
    bool has_tls;
    struct workers *workers;
    struct deadlines *deadlines;
    struct http_metrics *metrics;
    atomic_int in_flight; /* requests between exchange_begin and exchange_end */
};

/* All that the config names. After an error some may be open. */
enum err listeners_open(struct http_server *server, const struct http_certificate *certificate,
                        struct error *error) WARN_UNUSED;
void listeners_quiesce(struct http_server *server);
void listeners_close(struct http_server *server);

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
