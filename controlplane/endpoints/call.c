/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/call.h"

#include <stdlib.h>
#include <string.h>

#include "common/observe/log.h"

#define ACQUIRE_TIMEOUT_MS 2000

void audit_refusal(struct http_request *request, struct db *db, const char *account_id,
                   const char *actor, const char *action, const char *target, const char *reason)
{
    struct endpoints *endpoints = request->context;
    struct audit_event event = {
        .account_id = account_id,
        .actor = actor,
        .source_address = request->client_address,
        .action = action,
        .target = target,
        .is_success = false,
        .reason = reason,
        .request_id = request->request_id,
    };
    const char *who = actor[0] != '\0' ? actor : request->client_address;
    bool is_endless = actor[0] == '\0' || request->status == 429;
    struct error error = {.code = ERR_OK};

    if (is_endless &&
        rate_limiter_take(endpoints->audits, who, clock_monotonic_us(endpoints->clock)) > 0)
        return;
    if (store_insert_audit(db, &event, &error) != ERR_OK)
        log_event(LOG_WARN, "refusal_not_audited", f_str("request_id", request->request_id),
                  f_str("message", error.message));
}

/* The service's own failures are no refusals; reading is refused only to those who may not. */
static bool is_refusal(const struct http_request *request)
{
    if (request->status == 401 || request->status == 403)
        return true;
    return request->method != HTTP_GET && request->status >= 400 && request->status < 500;
}

static void finish(struct call *call, enum err rc, const struct error *error)
{
    struct http_request *request = call->request;

    if (rc == ERR_UNAUTHENTICATED)
        http_reply_header(request, "WWW-Authenticate", "Bearer");
    if (rc != ERR_OK)
        http_reply_error(request, error);
    if (call->db && is_refusal(request)) {
        const char *account_id = call->principal.account_id, *actor = call->principal.iam_id;

        audit_refusal(request, call->db, account_id ? account_id : "", actor ? actor : "",
                      call->action,
                      request->params[0] ? request->params[0] : request->route->template,
                      rc == ERR_OK ? "refused" : error->message);
    }
    if (call->db)
        db_pool_release(call->endpoints->pool, call->db);
    call->db = NULL;
}

static enum err authorize(struct call *call, enum role role, struct error *error)
{
    enum err rc = identity_authenticate(call->endpoints->identity, call->db,
                                        http_header(call->request, "Authorization"),
                                        call_now_s(call), call->arena, &call->principal, error);

    if (rc != ERR_OK)
        return rc;
    if (rate_limiter_take(call->endpoints->calls, call->principal.iam_id,
                          clock_monotonic_us(call->endpoints->clock)) > 0)
        return error_set(error, ERR_THROTTLED, "The caller makes too many calls.");
    if (call->principal.role < role)
        return error_set(error, ERR_DENIED, "The caller's role does not allow this.");
    return ERR_OK;
}

void call_run(struct http_request *request, enum role role, const char *action, call_body_fn body)
{
    struct error error = {.code = ERR_OK};
    struct call *call = arena_new(&request->arena, struct call);

    if (!call) {
        http_reply_error(request, &(struct error){ERR_NO_MEMORY, "call: no memory"});
        return;
    }
    call->request = request;
    call->endpoints = request->context;
    call->arena = &request->arena;
    call->action = action;
    request->state = call;
    enum err rc = db_pool_acquire(call->endpoints->pool, ACQUIRE_TIMEOUT_MS, &call->db, &error);
    if (rc == ERR_OK)
        rc = authorize(call, role, &error);
    if (rc == ERR_OK)
        rc = body(call, &error);
    finish(call, rc, &error);
}

void call_continue(struct http_request *request, call_body_fn body)
{
    struct error error = {.code = ERR_OK};
    struct call *call = request->state;
    enum err rc = db_pool_acquire(call->endpoints->pool, ACQUIRE_TIMEOUT_MS, &call->db, &error);

    if (rc == ERR_OK)
        rc = body(call, &error);
    finish(call, rc, &error);
}

enum err call_audit(struct call *call, const char *target, struct error *error)
{
    struct audit_event event = {
        .account_id = call->principal.account_id,
        .actor = call->principal.iam_id,
        .source_address = call->request->client_address,
        .action = call->action,
        .target = target,
        .is_success = true,
        .reason = "",
        .request_id = call->request->request_id,
    };

    return store_insert_audit(call->db, &event, error);
}

void call_notify(struct call *call, struct uuid id)
{
    struct error error = {.code = ERR_OK};
    char text[UUID_TEXT_LEN + 1];

    uuid_format(id, text);
    if (db_notify(call->db, "fleet_desired", text, &error) != ERR_OK)
        log_event(LOG_DEBUG, "notify_failed", f_str("message", error.message));
}

int64_t call_now_s(const struct call *call)
{
    return clock_wall_ms(call->endpoints->clock) / 1000;
}

/* ---- bodies ---- */

enum err body_check_members(const json_t *body, const char *const *names, struct error *error)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        int i = 0;

        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            return error_set(error, ERR_INVALID, "The body has an unknown member: %.60s.", name);
    }
    return ERR_OK;
}

enum err body_text(const json_t *body, const char *name, bool is_required, const char **ret_text,
                   struct error *error)
{
    const json_t *value = json_object_get(body, name);

    if (!value && is_required)
        return error_set(error, ERR_INVALID, "The body lacks %s.", name);
    if (value && !json_is_string(value))
        return error_set(error, ERR_INVALID, "%s must be a string.", name);
    *ret_text = json_string_value(value);
    return ERR_OK;
}

enum err body_bool(const json_t *body, const char *name, bool *ret_is_true, struct error *error)
{
    const json_t *value = json_object_get(body, name);

    if (!value)
        return ERR_OK;
    if (!json_is_boolean(value))
        return error_set(error, ERR_INVALID, "%s must be true or false.", name);
    *ret_is_true = json_is_true(value);
    return ERR_OK;
}

enum err body_object(const json_t *body, const char *name, const json_t **ret_object,
                     struct error *error)
{
    const json_t *value = json_object_get(body, name);

    if (value && !json_is_object(value))
        return error_set(error, ERR_INVALID, "%s must be an object.", name);
    *ret_object = value;
    return ERR_OK;
}

const char *json_in_arena(const json_t *value, struct arena *arena)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *copy = NULL;

    if (text && arena_cstring(arena, slice_from_cstring(text), &copy) != ERR_OK)
        copy = NULL;
    free(text);
    return copy;
}

json_t *json_of_column(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
}
