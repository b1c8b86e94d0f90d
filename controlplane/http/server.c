/* SPDX-License-Identifier: Apache-2.0 */
/* A beginning, and an end without losses: no new connection is taken, waits are over, what runs is answered, then
 * libmicrohttpd stops. Addresses and TLS are in listeners.c, a request's way in exchange.c. */
#include "controlplane/http/server_internal.h"

#include <stdlib.h>
#include <unistd.h>

#define QUEUE_MAX 1024
#define STOP_WAIT_MS 2000

enum err http_server_start(const struct http_server_config *config, struct http_server **ret_server,
                           struct error *error)
{
    struct http_server *server = calloc(1, sizeof(*server));
    struct workers_config workers = {.thread_count = config->worker_count,
                                     .queue_max = QUEUE_MAX,
                                     .wait_max_ms = config->wait_max_ms,
                                     .run = exchange_run};

    if (server)
        server->metrics = http_metrics_new(config->routes, config->route_count);
    if (!server || !server->metrics) {
        free(server);
        return error_set(error, ERR_NO_MEMORY, "http: no memory");
    }
    server->config = *config;
    server->config.certificate = (struct http_certificate){.chain_pem = NULL};
    server->has_tls = config->certificate.chain_pem != NULL;
    server->port = (int)config->port;
    enum err rc = workers_start(&workers, &server->workers, error);
    if (rc == ERR_OK)
        rc = deadlines_start(&server->deadlines, error);
    if (rc == ERR_OK)
        rc = listeners_open(server, &config->certificate, error);
    if (rc != ERR_OK) {
        http_server_stop(server);
        return rc;
    }
    *ret_server = server;
    return ERR_OK;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_wake(struct http_server *server, struct uuid key)
{
    workers_wake(server->workers, key);
}

void http_server_add_metrics(struct http_server *server,
                             const struct http_metric_families *families,
                             struct exposition *exposition)
{
    http_metrics_add(server->metrics, families, exposition);
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    listeners_quiesce(server);
    workers_stop(server->workers); /* every suspended connection is resumed after this */
    for (int waited_ms = 0; waited_ms < STOP_WAIT_MS && atomic_load(&server->in_flight) > 0;
         waited_ms += 10)
        usleep(10000);
    listeners_close(server);
    deadlines_stop(server->deadlines);
    workers_free(server->workers);
    http_metrics_free(server->metrics);
    free(server);
}
