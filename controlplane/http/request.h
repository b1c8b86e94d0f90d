/* SPDX-License-Identifier: Apache-2.0 */
/* One request, from its head to its answer.
 *
 * A handler runs on a worker thread, may block on the store (never longer than a statement's deadline), and
 * ends in exactly one of two ways: a reply, or http_wait(): then `next` runs, on some worker, when the server
 * is woken for that key, now and then, and when the wait is over (`is_wait_over`). While it waits the
 * connection is suspended and no thread is held.
 *
 *   head ─▶ body ─▶ queued ─▶ handler ─▶ replied ─▶ freed
 *                     ▲          │
 *                     └─ waiting ◀┘
 *
 * What lives as long as the request is in its arena. */
#ifndef CONTROLPLANE_HTTP_REQUEST_H
#define CONTROLPLANE_HTTP_REQUEST_H

#include "common/base/arena.h"
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/uuid.h"
#include "controlplane/http/guard.h"
#include "controlplane/http/router.h"
#include "controlplane/http/target.h"

#include <jansson.h>

#define HTTP_MAX_BODY_BYTES (1 << 20)
#define HTTP_MAX_REPLY_HEADERS 12
#define HTTP_MAX_JSON_DEPTH 32

struct http_header {
    const char *name;
    const char *value;
};

struct http_request {
    struct arena arena;
    void *context; /* of the server: what handlers work with */

    /* what came */
    enum http_method method;
    struct target target;
    const char *params[ROUTER_MAX_PARAMS]; /* what stood for {…} */
    struct http_header headers[GUARD_MAX_HEADERS];
    int header_count;
    struct buffer body;
    bool is_body_open;          /* no longer gzip */
    const char *request_id;     /* Transaction-Id and friends, or one of ours; clean */
    const char *client_address; /* without port */

    /* what goes */
    int status;  /* 0 = no reply yet */
    char *reply; /* malloc; NULL = no body */
    size_t reply_len;
    const char *reply_type;
    struct http_header reply_headers[HTTP_MAX_REPLY_HEADERS];
    int reply_header_count;
    bool is_closing; /* answer with Connection: close */

    /* between runs of handlers */
    void *state; /* the handler's own, in the arena */
    http_handler_fn next;
    struct uuid wait_key;
    bool is_waiting;
    bool is_wait_over;

    /* the server's own */
    const struct http_route *route;
    void *connection;
    void *server;
    struct list queue_link;
    int64_t started_us;
    int64_t wait_deadline_ms;
    int64_t check_at_ms;
    int64_t check_pause_ms;
    bool is_head_done;
    bool is_queued;
};

/* NULL = not sent. Any case of name. */
const char *http_header(const struct http_request *request, const char *name);
/* NULL = not given. */
const char *http_query(const struct http_request *request, const char *name);

/* The body as a JSON object; free with json_decref. ERR_INVALID for anything else: not JSON, not an object, a key
 * twice, deeper than HTTP_MAX_JSON_DEPTH, another Content-Type. */
enum err http_json_body(struct http_request *request, json_t **ret_body,
                        struct error *error) WARN_UNUSED;
/* Pairs of a form body. */
enum err http_form_body(struct http_request *request, struct target_pair *ret_pairs, int max_pairs,
                        int *ret_count, struct error *error) WARN_UNUSED;
/* Bytes as JSON, with the same limits: parts of http_json_body, apart for tests. */
enum err http_json_parse(struct slice text, json_t **ret_root, struct error *error) WARN_UNUSED;

/* body is moved; NULL (memory out) becomes 503. */
void http_reply_json(struct http_request *request, int status, json_t *body);
void http_reply_empty(struct http_request *request, int status);
/* text is copied. */
void http_reply_text(struct http_request *request, int status, const char *type, const char *text);
/* By the table of problem.c; logs what clients are not told. */
void http_reply_error(struct http_request *request, const struct error *error);
/* For answers that only HTTP knows: 405, 415. message is shown as it is. */
void http_reply_problem(struct http_request *request, int status, const char *code,
                        const char *message);
/* name is a constant; value is copied into the arena. */
void http_reply_header(struct http_request *request, const char *name, const char *value);

/* Instead of a reply: see above. The deadline counts from the first wait of this request. */
void http_wait(struct http_request *request, struct uuid key, http_handler_fn next);

#endif
