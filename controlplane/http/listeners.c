/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and TLS: one daemon of libmicrohttpd for each address.
 *
 * A daemon keeps its certificate for life. So a renewed one comes with a daemon that listens beside the old one at the
 * same socket; then the old one takes no connection any more, and ends when its last one has. Nobody is turned away. */
#include "controlplane/http/server_internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "common/observe/log.h"

#define CONNECTION_MEMORY_BYTES (32 << 10) /* bounds the head of a request */

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

/* On the address, or where `listening` listens (-1 = nowhere yet), which is the daemon's then, whatever comes of it. NULL = it
 * cannot. */
static struct MHD_Daemon *start_daemon(struct http_server *server,
                                       const struct http_certificate *certificate,
                                       struct sockaddr_storage *address, int listening)
{
    const struct http_server_config *config = &server->config;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate->chain_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)certificate->key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem at_address[] = {{MHD_OPTION_SOCK_ADDR, 0, address},
                                          {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem at_socket[] = {{MHD_OPTION_LISTEN_SOCKET, listening, NULL},
                                         {MHD_OPTION_END, 0, NULL}};

    if (certificate->chain_pem)
        flags |= MHD_USE_TLS;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_call, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_ARRAY, listening < 0 ? at_address : at_socket, MHD_OPTION_NOTIFY_COMPLETED,
        exchange_end, server, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->connection_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, certificate->chain_pem ? tls : none,
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

static enum err listen_on(struct http_server *server, const struct http_certificate *certificate,
                          const char *text, struct error *error)
{
    struct sockaddr_storage address;
    bool is_loopback = false;
    enum err rc = parse_address(text, server->port, &address, &is_loopback, error);

    if (rc != ERR_OK)
        return rc;
    if (!server->has_tls && !is_loopback)
        return error_set(error, ERR_DENIED, "listen on %s: without TLS only loopback is allowed",
                         text);
    if (!has_address(&address)) {
        log_event(LOG_INFO, "listen_address_absent", f_str("address", text));
        return ERR_OK;
    }
    struct MHD_Daemon *daemon = start_daemon(server, certificate, &address, -1);
    if (!daemon)
        return error_set(error, ERR_UNAVAILABLE,
                         "cannot listen on %s port %d: is the port in use, or the certificate bad?",
                         text, server->port);
    server->listeners[server->listener_count++] =
        (struct http_listener){.daemon = daemon, .address = address, .quiesced_fd = -1};
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info ? info->port : server->port;
    return ERR_OK;
}

enum err listeners_open(struct http_server *server, const struct http_certificate *certificate,
                        struct error *error)
{
    char list[256];
    char *rest = list;
    enum err rc = ERR_OK;

    snprintf(list, sizeof(list), "%s", server->config.addresses);
    for (char *text; rc == ERR_OK && (text = strsep(&rest, ", ")) != NULL;) {
        if (*text == '\0')
            continue;
        if (server->listener_count == SERVER_MAX_ADDRESSES)
            return error_set(error, ERR_INVALID, "listen on at most %d addresses",
                             SERVER_MAX_ADDRESSES);
        rc = listen_on(server, certificate, text, error);
    }
    if (rc == ERR_OK && server->listener_count == 0)
        return error_set(error, ERR_INVALID, "no address to listen on in \"%s\"",
                         server->config.addresses);
    return rc;
}

static void quiesce(struct http_listener *listener)
{
    listener->quiesced_fd = MHD_quiesce_daemon(listener->daemon);
}

static void close_listener(struct http_listener *listener)
{
    MHD_stop_daemon(listener->daemon);
    if (listener->quiesced_fd >= 0)
        close(listener->quiesced_fd);
}

/* ---- renewed ---- */

static bool has_connections(const struct http_listener *listener)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info == NULL || info->num_connections > 0;
}

void http_server_tidy(struct http_server *server)
{
    int kept = 0;

    for (int i = 0; i < server->retired_count; i++) {
        if (has_connections(&server->retired[i]))
            server->retired[kept++] = server->retired[i];
        else
            close_listener(&server->retired[i]);
    }
    server->retired_count = kept;
}

static enum err replace(struct http_server *server, const struct http_certificate *certificate,
                        struct http_listener *listener, struct error *error)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    int beside = info != NULL ? fcntl(info->listen_fd, F_DUPFD_CLOEXEC, 0) : -1;
    struct MHD_Daemon *daemon =
        beside < 0 ? NULL : start_daemon(server, certificate, &listener->address, beside);

    if (daemon == NULL) /* it has closed what it was given */
        return error_set(error, ERR_UNAVAILABLE, "libmicrohttpd does not take the certificate");
    quiesce(listener);
    server->retired[server->retired_count++] = *listener;
    listener->daemon = daemon;
    listener->quiesced_fd = -1;
    return ERR_OK;
}

enum err http_server_renew(struct http_server *server, const struct http_certificate *certificate,
                           struct error *error)
{
    enum err rc = ERR_OK;

    http_server_tidy(server);
    if (server->retired_count + server->listener_count > SERVER_MAX_RETIRED)
        return error_set(error, ERR_LIMIT, "connections of %d earlier certificates are still open",
                         server->retired_count / server->listener_count);
    for (int i = 0; rc == ERR_OK && i < server->listener_count; i++)
        rc = replace(server, certificate, &server->listeners[i], error);
    return rc;
}

/* ---- the end ---- */

void listeners_quiesce(struct http_server *server)
{
    for (int i = 0; i < server->listener_count; i++)
        quiesce(&server->listeners[i]);
}

void listeners_close(struct http_server *server)
{
    for (int i = 0; i < server->listener_count; i++)
        close_listener(&server->listeners[i]);
    for (int i = 0; i < server->retired_count; i++)
        close_listener(&server->retired[i]);
}
