/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's many calls per request, turned into one struct http_request.
 *
 *   exchange_begin        the raw target, before anything is unescaped: the request is born here
 *   exchange_call, first  the head is whole: guard; a doubtful head is answered and closed here
 *   exchange_call, more   pieces of the body, into a capped buffer
 *   exchange_call, last   route, suspend, hand to a worker
 *   exchange_run          on a worker: the handler; when it has replied: resume
 *   exchange_call, again  the reply is there: queue it
 *   exchange_end          the request dies, however it ended
 *
 * While a connection is suspended libmicrohttpd does not touch its request, so a worker may. */
#include "controlplane/http/server_internal.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "common/port/clock.h"

#define ARENA_MAX_BYTES (4 << 20)
/* Of a body that is too large, so that its sender hears of it; then we cut the line. */
#define SWALLOW_MAX_BYTES (8 << 20)
#define REQUEST_ID_MAX 128

/* The request as the server keeps it. */
struct exchange {
    struct http_request request; /* first: exchange_call casts back */
    struct slice raw_target;
    size_t swallowed_bytes;
};

/* ---- deadlines ---- */

void exchange_connection(void *context, struct MHD_Connection *connection, void **socket_slot,
                         enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;
    const union MHD_ConnectionInfo *info = NULL;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        deadline_remove(server->deadlines, *socket_slot);
        *socket_slot = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        *socket_slot =
            deadline_add(server->deadlines, info->connect_fd, server->config.request_timeout_ms);
}

/* The client's next step is due by then; 0 = we are at work. */
static void set_deadline(struct http_server *server, struct MHD_Connection *connection,
                         int64_t in_ms)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    if (info)
        deadline_set(server->deadlines, info->socket_context, in_ms);
}

/* ---- birth and death ---- */

void *exchange_begin(void *context, const char *uri, struct MHD_Connection *connection)
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

void exchange_end(void *context, struct MHD_Connection *connection, void **slot,
                  enum MHD_RequestTerminationCode how)
{
    struct http_server *server = context;
    struct exchange *exchange = *slot;

    (void)how;
    if (!exchange)
        return;
    *slot = NULL;
    set_deadline(server, connection,
                 SERVER_IDLE_TIMEOUT_S * 1000 + server->config.request_timeout_ms);
    struct http_request *request = &exchange->request;
    if (request->body.data)
        explicit_bzero(request->body.data, request->body.len); /* may hold an API key */
    free(request->reply);
    buffer_done(&request->body);
    arena_done(&request->arena);
    free(exchange);
    atomic_fetch_sub(&server->in_flight, 1);
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

    set_deadline(server, request->connection, server->config.request_timeout_ms);
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
    if (server->has_tls)
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
void exchange_run(struct http_request *request, bool *ret_is_parked)
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

enum MHD_Result exchange_call(void *context, struct MHD_Connection *connection, const char *url,
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
        set_deadline(server, connection, server->config.request_timeout_ms);
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
    set_deadline(server, connection, 0);
    MHD_suspend_connection(connection);
    if (!workers_submit(server->workers, request)) {
        refuse_when_full(request);
        count_and_log(server, request);
        MHD_resume_connection(connection);
    }
    return MHD_YES;
}
