/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 over TLS on libmicrohttpd; the only room that knows it.
 *
 * A request is checked by the guard, read whole (at most HTTP_MAX_BODY_BYTES), routed, suspended, and run on a
 * worker thread; libmicrohttpd's threads only move bytes. See request.h for what handlers do. */
#ifndef CONTROLPLANE_HTTP_SERVER_H
#define CONTROLPLANE_HTTP_SERVER_H

#include "controlplane/http/metrics.h"
#include "controlplane/http/request.h"

struct http_server;

struct http_certificate {
    const char *chain_pem; /* NULL = plain HTTP */
    const char *key_pem;
};

struct http_server_config {
    const char *
        addresses; /* literal, comma-separated: "127.0.0.1,::1"; one that this machine lacks is passed over */
    int64_t port;                        /* 0 = any; see http_server_port */
    struct http_certificate certificate; /* without one only loopback addresses are taken */
    const struct http_route *routes;
    int route_count;
    void *context; /* becomes request->context */
    int worker_count;
    int connection_max;
    int64_t wait_max_ms;        /* of a request for its operation */
    int64_t request_timeout_ms; /* of a client: to send a head, to send a body, to take an answer */
};

/* config's strings are borrowed until http_server_stop, its certificate's for the call. */
enum err http_server_start(const struct http_server_config *config, struct http_server **ret_server,
                           struct error *error) WARN_UNUSED;
int http_server_port(const struct http_server *server);
/* For connections to come; those that are open keep what they began with. ERR_UNAVAILABLE: it cannot be taken; ERR_LIMIT:
 * connections of too many earlier ones are open; after either some addresses may have it, and the others go on as before.
 * Borrowed for the call. This and the next: one thread. */
enum err http_server_renew(struct http_server *server, const struct http_certificate *certificate,
                           struct error *error) WARN_UNUSED;
/* Gives back what earlier certificates needed, where their connections have ended. */
void http_server_tidy(struct http_server *server);
/* Requests that wait for this key run again; the zero key wakes all. Any thread. */
void http_server_wake(struct http_server *server, struct uuid key);
/* Takes no new connection, answers what it has, stops. Takes NULL. */
void http_server_stop(struct http_server *server);
/* Requests by route, method and status; how long they took. Any thread. */
void http_server_add_metrics(struct http_server *server,
                             const struct http_metric_families *families,
                             struct exposition *exposition);

#endif
