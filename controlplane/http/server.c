/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's many calls per request, turned into one struct http_request.
 *
 *   on_target     the raw target, before anything is unescaped: the request is born here
 *   on_call #1    the head is whole: guard; a doubtful head is answered and closed here
 *   on_call …     pieces of the body, into a capped buffer
 *   on_call last  route, suspend, hand to a worker
 *   (worker)      handler; when it has replied: resume
 *   on_call again the reply is there: queue it
 *   on_completed  the request dies, however it ended
 *
 * While a connection is suspended libmicrohttpd does not touch its request, so a worker may. */
#include "controlplane/http/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "controlplane/http/metrics.h"
#include "controlplane/http/workers.h"

#define MAX_ADDRESSES 4
#define ARENA_MAX_BYTES (4 << 20)
#define CONNECTION_MEMORY_BYTES (32 << 10) /* bounds the head of a request */
#define IDLE_TIMEOUT_S 30
#define QUEUE_MAX 1024
#define SWALLOW_MAX_BYTES                                                                          \
    (8                                                                                             \
     << 20) /* of a body that is too large, so that its sender hears of it; then we cut the line */
#define STOP_WAIT_MS 2000
#define REQUEST_ID_MAX 128

#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"      \
    "+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

struct http_server {
    struct http_server_config config;
    struct MHD_Daemon *daemons[MAX_ADDRESSES];
    int listen_fds[MAX_ADDRESSES]; /* ours to close after a quiesce */
    int daemon_count;
    int port;
    struct workers *workers;
    struct http_metrics *metrics;
    atomic_int in_flight; /* requests between on_target and on_completed */
};

/* The request as the server keeps it. */
struct exchange {
    struct http_request request; /* first: on_call casts back */
    struct slice raw_target;
    size_t swallowed_bytes;
};

/* ---- birth and death ---- */

static void *on_target(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return NULL;
    struct http_request *request = &exchange->request;
    arena_init(&request->arena, ARENA_MAX_BYTES);
    buffer_init(&request->body, HTTP_MAX_BODY_BYTES);
    list_init(&request->queue_link);
    request->context = server->config.context;
    request->server = server;
    request->connection = connection;
    request->request_id = "";
    request->client_address = "";
    request->started_us = clock_monotonic_us(&system_clock);
    if (!arena_copy(&request->arena, slice_from_cstring(uri), &exchange->raw_target))
        exchange->raw_target = SLICE_NULL;
    atomic_fetch_add(&server->in_flight, 1);
    return exchange;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *server = context;
    struct exchange *exchange = *slot;

    (void)connection;
    (void)how;
    if (!exchange)
        return;
    *slot = NULL;
    struct http_request *request = &exchange->request;
    if (request->body.data)
        explicit_bzero(request->body.data, request->body.len); /* may hold an API key */
    free(request->reply);
    buffer_done(&request->body);
    arena_done(&request->arena);
    free(exchange);
    atomic_fetch_sub(&server->in_flight, 1);
}

/* Paths stay as they were sent; target.c decodes them. */
static size_t keep_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* ---- the head ---- */

struct head {
    struct http_request *request;
    struct guard guard;
    bool is_out_of_memory;
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct head *head = context;
    struct http_request *request = head->request;
    struct slice value_bytes = slice_of(value ? value : "", value ? value_len : 0);
    struct http_header *header = &request->headers[request->header_count];

    (void)kind;
    guard_add_header(&head->guard, slice_of(name, name_len), value_bytes);
    if (request->header_count == GUARD_MAX_HEADERS)
        return MHD_YES; /* counted, and refused by the guard */
    enum err rc = arena_cstring(&request->arena, slice_of(name, name_len), &header->name);
    if (rc == ERR_OK)
        rc = arena_cstring(&request->arena, value_bytes, &header->value);
    if (rc == ERR_OK)
        request->header_count++;
    else
        head->is_out_of_memory |= rc == ERR_NO_MEMORY;
    return MHD_YES;
}

static bool is_clean_id(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len <= REQUEST_ID_MAX;
}

/* The caller's id if it is clean, else one of ours. Echoed, logged, audited. */
static const char *choose_request_id(struct http_request *request)
{
    static const char *const names[] = {"Transaction-Id", "X-Request-Id", "X-Correlation-Id"};
    char text[UUID_TEXT_LEN + 1] = "unknown";
    struct uuid uuid;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *sent = http_header(request, names[i]);

        if (sent && is_clean_id(sent))
            return sent;
    }
    if (uuid_generate(&system_random, &uuid) == ERR_OK)
        uuid_format(uuid, text);
    const char *copy = arena_printf(&request->arena, "%s", text);
    return copy ? copy : "unknown";
}

static const char *client_address_of(struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char host[NI_MAXHOST] = "";

    if (!info || !info->client_addr)
        return "";
    socklen_t len = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                             : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
        return "";
    const char *copy = arena_printf(&request->arena, "%s", host);
    return copy ? copy : "";
}

/* ERR_OK: read on. Else the connection ends with the answer. */
static enum err read_head(struct exchange *exchange, struct error *error)
{
    struct http_request *request = &exchange->request;
    struct head head = {.request = request};

    guard_init(&head.guard, SWALLOW_MAX_BYTES);
    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_header, &head);
    request->request_id = choose_request_id(request);
    request->client_address = client_address_of(request);
    if (head.is_out_of_memory || slice_is_null(exchange->raw_target))
        return error_set(error, ERR_NO_MEMORY, "request head: no memory");
    return guard_check(&head.guard, error);
}

/* ---- the answer ---- */

static enum MHD_Result queue_reply(struct http_server *server, struct http_request *request)
{
    char *body = request->reply;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->reply_len, body, body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (!response)
        return MHD_NO;
    request->reply = NULL;
    if (request->reply_type)
        MHD_add_response_header(response, "Content-Type", request->reply_type);
    for (int i = 0; i < request->reply_header_count; i++)
        MHD_add_response_header(response, request->reply_headers[i].name,
                                request->reply_headers[i].value);
    if (request->is_closing)
        MHD_add_response_header(response, "Connection", "close");
    MHD_add_response_header(response, "Transaction-Id", request->request_id);
    MHD_add_response_header(response, "X-Request-Id", request->request_id);
    MHD_add_response_header(response, "X-Correlation-Id", request->request_id);
    MHD_add_response_header(response, "X-Global-Transaction-Id", request->request_id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (!MHD_get_response_header(response, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (server->config.certificate_pem)
        MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
    enum MHD_Result result =
        MHD_queue_response(request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    return result;
}

static void count_and_log(struct http_server *server, const struct http_request *request)
{
    int64_t duration_us = clock_monotonic_us(&system_clock) - request->started_us;
    bool is_quiet = request->method == HTTP_GET && request->status < 500;

    http_metrics_count(server->metrics, request->route, request->status, duration_us);
    log_event(is_quiet ? LOG_DEBUG : LOG_INFO, "request",
              f_str("method", http_method_name(request->method)),
              f_str("route", request->route ? request->route->template : "none"),
              f_i64("status", request->status), f_i64("duration_us", duration_us),
              f_str("request_id", request->request_id), f_str("client", request->client_address));
}

static void reply_method_not_allowed(struct http_request *request, unsigned allowed)
{
    char text[64] = "";
    size_t len = 0;

    for (int i = 0; i < HTTP_METHOD_COUNT; i++)
        if (allowed & (1u << i))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
                                    http_method_name((enum http_method)i));
    http_reply_header(request, "Allow", text);
    http_reply_problem(request, 405, "method_not_allowed",
                       "This resource does not take that method.");
}

/* Sets the handler, or a reply when there is none. */
static void route(struct http_server *server, struct exchange *exchange, const char *method)
{
    struct http_request *request = &exchange->request;
    struct error error = {.code = ERR_OK};
    struct router_match match;

    if (exchange->swallowed_bytes > 0) {
        error_set(&error, ERR_TOO_LARGE, "The body is larger than %d bytes.", HTTP_MAX_BODY_BYTES);
        http_reply_error(request, &error);
        return;
    }
    if (target_parse(exchange->raw_target, &request->arena, &request->target, &error) != ERR_OK) {
        http_reply_error(request, &error);
        return;
    }
    if (!http_method_parse(method, &request->method)) {
        http_reply_problem(request, 501, "not_implemented", "That method is not known here.");
        return;
    }
    router_match(server->config.routes, server->config.route_count, request->method,
                 &request->target, &match);
    if (!match.route && match.allowed_methods == 0) {
        http_reply_problem(request, 404, "not_found", "There is no such resource.");
        return;
    }
    if (!match.route) {
        reply_method_not_allowed(request, match.allowed_methods);
        return;
    }
    request->route = match.route;
    request->next = match.route->handler;
    memcpy(request->params, match.params, sizeof(request->params));
}

/* On a worker. */
static void run_handler(struct http_request *request, bool *ret_is_parked)
{
    request->is_waiting = false;
    request->next(request);
    if (request->is_waiting) {
        *ret_is_parked = true;
        return;
    }
    if (request->status == 0)
        http_reply_error(request, &(struct error){ERR_INTERNAL, "the handler gave no answer"});
    count_and_log(request->server, request);
    MHD_resume_connection(request->connection); /* the request may be gone after this */
}

static void refuse_when_full(struct http_request *request)
{
    http_reply_header(request, "Retry-After", "1");
    http_reply_problem(request, 503, "service_unavailable",
                       "The service has too much to do, or is stopping. Try again.");
    request->is_closing = true;
}

static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t *len)
{
    struct buffer *body = &exchange->request.body;

    if (exchange->swallowed_bytes == 0 && buffer_append(body, bytes, *len) == ERR_OK) {
        *len = 0;
        return MHD_YES;
    }
    exchange->swallowed_bytes += *len;
    exchange->request.is_closing = true;
    *len = 0;
    return exchange->swallowed_bytes > SWALLOW_MAX_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_call(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_len, void **slot)
{
    struct http_server *server = context;
    struct exchange *exchange = *slot;
    struct error error = {.code = ERR_OK};

    (void)url;
    (void)version;
    if (!exchange)
        return MHD_NO;
    struct http_request *request = &exchange->request;
    if (!request->is_head_done) {
        request->is_head_done = true;
        if (read_head(exchange, &error) == ERR_OK)
            return MHD_YES;
        request->is_closing = true;
        http_reply_error(request, &error);
        count_and_log(server, request);
        return queue_reply(server, request);
    }
    if (*upload_len > 0)
        return take_body(exchange, upload, upload_len);
    if (request->status != 0)
        return queue_reply(server, request);

    route(server, exchange, method);
    if (request->status != 0) {
        count_and_log(server, request);
        return queue_reply(server, request);
    }
    MHD_suspend_connection(connection);
    if (!workers_submit(server->workers, request)) {
        refuse_when_full(request);
        count_and_log(server, request);
        MHD_resume_connection(connection);
    }
    return MHD_YES;
}

/* ---- start and stop ---- */

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
        flags, 0, NULL, NULL, on_call, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)address, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->connection_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        config->certificate_pem ? tls : none, MHD_OPTION_END);
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
        if (server->daemon_count == MAX_ADDRESSES)
            return error_set(error, ERR_INVALID, "listen on at most %d addresses", MAX_ADDRESSES);
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
                                     .run = run_handler};

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

enum err http_server_render_metrics(struct http_server *server, struct buffer *buffer)
{
    return http_metrics_render(server->metrics, buffer);
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
    workers_free(server->workers);
    http_metrics_free(server->metrics);
    free(server);
}
