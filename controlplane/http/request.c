/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers see of a request and how they answer it; no libmicrohttpd here. */
#include "controlplane/http/request.h"

#include <stdlib.h>
#include <strings.h>

#include "common/observe/log.h"
#include "controlplane/http/inflate.h"
#include "controlplane/http/problem.h"

const char *http_header(const struct http_request *request, const char *name)
{
    for (int i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

const char *http_query(const struct http_request *request, const char *name)
{
    return target_pair_value(request->target.pairs, request->target.pair_count, name);
}

/* ---- bodies ---- */

/* jansson's own bound on depth is far too generous and fixed; strings may hold brackets, so they are skipped. */
static bool is_too_deep(struct slice text)
{
    int depth = 0;
    bool is_in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];

        if (is_in_string) {
            if (byte == '\\')
                i++;
            else if (byte == '"')
                is_in_string = false;
        } else if (byte == '"') {
            is_in_string = true;
        } else if (byte == '{' || byte == '[') {
            if (++depth > HTTP_MAX_JSON_DEPTH)
                return true;
        } else if (byte == '}' || byte == ']') {
            depth--;
        }
    }
    return false;
}

enum err http_json_parse(struct slice text, json_t **ret_root, struct error *error)
{
    json_error_t why;

    if (is_too_deep(text))
        return error_set(error, ERR_INVALID, "The JSON body is nested deeper than %d.",
                         HTTP_MAX_JSON_DEPTH);
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return error_set(error, ERR_INVALID, "The body is not valid JSON: line %d, column %d: %s.",
                         why.line, why.column, why.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(error, ERR_INVALID, "The body must be a JSON object.");
    }
    *ret_root = root;
    return ERR_OK;
}

static bool is_type(const struct http_request *request, const char *type)
{
    const char *sent = http_header(request, "Content-Type");
    size_t len = strlen(type);

    return sent && strncasecmp(sent, type, len) == 0 &&
           (sent[len] == '\0' || sent[len] == ';' || sent[len] == ' ');
}

/* Turns a body sent with Content-Encoding: gzip into what it holds, once. */
static enum err open_body(struct http_request *request, struct error *error)
{
    const char *encoding = http_header(request, "Content-Encoding");
    struct buffer plain;

    if (!encoding || strcasecmp(encoding, "identity") == 0 || request->is_body_open)
        return ERR_OK;
    if (strcasecmp(encoding, "gzip") != 0)
        return error_set(error, ERR_INVALID, "The only Content-Encoding is gzip.");
    buffer_init(&plain, HTTP_MAX_BODY_BYTES);
    enum err rc = inflate_gzip(buffer_slice(&request->body), &plain, error);
    if (rc != ERR_OK) {
        buffer_done(&plain);
        return rc;
    }
    buffer_done(&request->body);
    request->body = plain;
    request->is_body_open = true;
    return ERR_OK;
}

enum err http_json_body(struct http_request *request, json_t **ret_body, struct error *error)
{
    if (!is_type(request, "application/json") && !is_type(request, "application/merge-patch+json"))
        return error_set(error, ERR_INVALID, "Content-Type must be application/json.");
    enum err rc = open_body(request, error);
    if (rc != ERR_OK)
        return rc;
    return http_json_parse(buffer_slice(&request->body), ret_body, error);
}

enum err http_form_body(struct http_request *request, struct target_pair *ret_pairs, int max_pairs,
                        int *ret_count, struct error *error)
{
    if (!is_type(request, "application/x-www-form-urlencoded"))
        return error_set(error, ERR_INVALID,
                         "Content-Type must be application/x-www-form-urlencoded.");
    enum err rc = open_body(request, error);
    if (rc != ERR_OK)
        return rc;
    return target_parse_form(buffer_slice(&request->body), &request->arena, ret_pairs, max_pairs,
                             ret_count, error);
}

/* ---- replies ---- */

static void set_reply(struct http_request *request, int status, const char *type, char *text,
                      size_t len)
{
    free(request->reply);
    request->status = status;
    request->reply_type = type;
    request->reply = text;
    request->reply_len = len;
    request->is_waiting = false;
}

void http_reply_text(struct http_request *request, int status, const char *type, const char *text)
{
    char *copy = strdup(text);

    set_reply(request, copy ? status : 503, type, copy, copy ? strlen(copy) : 0);
}

void http_reply_json(struct http_request *request, int status, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

    json_decref(body);
    if (!text) {
        http_reply_text(request, 503, "application/json",
                        "{\"message\":\"out of memory\",\"errors\":[{\"code\":\"service_"
                        "unavailable\",\"message\":\"out of memory\"}]}");
        return;
    }
    set_reply(request, status, "application/json", text, strlen(text));
}

void http_reply_empty(struct http_request *request, int status)
{
    set_reply(request, status, NULL, NULL, 0);
}

void http_reply_problem(struct http_request *request, int status, const char *code,
                        const char *message)
{
    http_reply_json(request, status, problem_render(status, code, message, request->request_id));
}

void http_reply_error(struct http_request *request, const struct error *error)
{
    const struct problem *problem = problem_of(error->code);

    if (problem->is_private)
        log_event(LOG_WARN, "request_failed", f_str("request_id", request->request_id),
                  f_str("route", request->route ? request->route->template : ""),
                  f_err(error->code), f_str("message", error->message));
    if (problem->retry_after_s > 0)
        http_reply_header(request, "Retry-After",
                          arena_printf(&request->arena, "%d", problem->retry_after_s));
    http_reply_problem(request, problem->status, problem->code,
                       problem->is_private ? problem->text : error->message);
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    const char *copy = NULL;

    invariant(request->reply_header_count < HTTP_MAX_REPLY_HEADERS);
    if (arena_cstring(&request->arena, slice_from_cstring(value), &copy) != ERR_OK)
        return;
    request->reply_headers[request->reply_header_count++] = (struct http_header){name, copy};
}

void http_wait(struct http_request *request, struct uuid key, http_handler_fn next)
{
    request->wait_key = key;
    request->next = next;
    request->is_waiting = true;
}
