/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, TLS, and an end without losses: no new connection is taken, waits are over, what runs is answered, then
 * libmicrohttpd stops. A request's way is in exchange.c. */
#include "controlplane/http/server_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/observe/log.h"

#define CONNECTION_MEMORY_BYTES (32 << 10) /* bounds the head of a request */
#define QUEUE_MAX 1024
#define STOP_WAIT_MS 2000

#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"      \
    "+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/* Paths stay as they were sent; target.c decodes them. */
static size_t keep_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static void log_library(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void log_library(void *context, const char *format, va_list arguments)
{
    char text[256];

    (void)context;
    vsnprintf(text, sizeof(text), format, arguments);
    log_event(LOG_DEBUG, "http_library", f_slice("message", slice_of(text, strcspn(text, "\n"))));
}

static enum err parse_address(const char *text, int port, struct sockaddr_storage *ret,
                              bool *ret_is_loopback, struct error *error)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *ret_is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        return ERR_OK;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *ret_is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        return ERR_OK;
    }
    return error_set(error, ERR_INVALID, "listen on \"%s\": give a literal IP address", text);
}

static struct MHD_Daemon *start_daemon(struct http_server *server, struct sockaddr_storage *address)
{
    const struct http_server_config *config = &server->config;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)config->certificate_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)config->key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    if (config->certificate_pem)
        flags |= MHD_USE_TLS;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_call, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)address, MHD_OPTION_NOTIFY_COMPLETED, exchange_end,
        server, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->connection_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, config->certificate_pem ? tls : none,
        MHD_OPTION_END);
}

/* True when this machine can bind the address at all: a machine without IPv6 is no error. */
static bool has_address(const struct sockaddr_storage *address)
{
    struct sockaddr_storage any_port = *address;
    socklen_t len =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    ((struct sockaddr_in *)&any_port)->sin_port = 0; /* the port lies at the same place in both */
    bool is_there = bind(fd, (struct sockaddr *)&any_port, len) == 0;
    close(fd);
    return is_there;
}

static enum err listen_on(struct http_server *server, const char *text, struct error *error)
{
    struct sockaddr_storage address;
    bool is_loopback = false;
    enum err rc = parse_address(text, server->port, &address, &is_loopback, error);

    if (rc != ERR_OK)
        return rc;
    if (!server->config.certificate_pem && !is_loopback)
        return error_set(error, ERR_DENIED, "listen on %s: without TLS only loopback is allowed",
                         text);
    if (!has_address(&address)) {
        log_event(LOG_INFO, "listen_address_absent", f_str("address", text));
        return ERR_OK;
    }
    struct MHD_Daemon *daemon = start_daemon(server, &address);
    if (!daemon)
        return error_set(error, ERR_UNAVAILABLE,
                         "cannot listen on %s port %d: is the port in use, or the certificate bad?",
                         text, server->port);
    server->listen_fds[server->daemon_count] = -1;
    server->daemons[server->daemon_count++] = daemon;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info ? info->port : server->port;
    return ERR_OK;
}

static enum err listen_on_all(struct http_server *server, struct error *error)
{
    char list[256];
    char *rest = list;
    enum err rc = ERR_OK;

    snprintf(list, sizeof(list), "%s", server->config.addresses);
    for (char *text; rc == ERR_OK && (text = strsep(&rest, ", ")) != NULL;) {
        if (*text == '\0')
            continue;
        if (server->daemon_count == SERVER_MAX_ADDRESSES)
            return error_set(error, ERR_INVALID, "listen on at most %d addresses",
                             SERVER_MAX_ADDRESSES);
        rc = listen_on(server, text, error);
    }
    if (rc == ERR_OK && server->daemon_count == 0)
        return error_set(error, ERR_INVALID, "no address to listen on in \"%s\"",
                         server->config.addresses);
    return rc;
}

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
    server->port = (int)config->port;
    enum err rc = workers_start(&workers, &server->workers, error);
    if (rc == ERR_OK)
        rc = deadlines_start(&server->deadlines, error);
    if (rc == ERR_OK)
        rc = listen_on_all(server, error);
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
    for (int i = 0; i < server->daemon_count; i++)
        server->listen_fds[i] = MHD_quiesce_daemon(server->daemons[i]);
    workers_stop(server->workers); /* every suspended connection is resumed after this */
    for (int waited_ms = 0; waited_ms < STOP_WAIT_MS && atomic_load(&server->in_flight) > 0;
         waited_ms += 10)
        usleep(10000);
    for (int i = 0; i < server->daemon_count; i++) {
        MHD_stop_daemon(server->daemons[i]);
        if (server->listen_fds[i] >= 0)
            close(server->listen_fds[i]);
    }
    deadlines_stop(server->deadlines);
    workers_free(server->workers);
    http_metrics_free(server->metrics);
    free(server);
}
