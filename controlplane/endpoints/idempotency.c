/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/encoding.h"
#include "common/observe/log.h"

#define KEY_MAX 255

static enum err read_key(const struct call *call, const char **ret_key, struct error *error)
{
    const char *key = http_header(call->request, "Idempotency-Key");
    size_t len = key ? strlen(key) : 0;
    bool is_clean = len > 0 && len <= KEY_MAX;

    *ret_key = key;
    if (!key)
        return ERR_OK;
    for (size_t i = 0; i < len; i++)
        is_clean &= key[i] > ' ' && key[i] <= '~';
    if (!is_clean)
        return error_set(error, ERR_INVALID,
                         "Idempotency-Key must be 1 to %d visible ASCII characters.", KEY_MAX);
    return ERR_OK;
}

/* What is authenticated with a kept answer. */
static const char *answer_purpose(struct call *call, const struct idempotency *idempotency)
{
    return arena_printf(call->arena, "answer:%s:%s", idempotency->owner.caller,
                        idempotency->owner.key);
}

static enum err replay(struct call *call, const struct idempotency *idempotency,
                       const struct idempotency_row *row, struct error *error)
{
    const char *purpose = answer_purpose(call, idempotency);
    struct slice text = SLICE_NULL;
    enum err rc =
        purpose ? unseal(call->endpoints->seal_key, purpose, row->answer, call->arena, &text, error)
                : error_set(error, ERR_NO_MEMORY, "replay: no memory");

    if (rc != ERR_OK)
        return rc;
    http_reply_header(call->request, "Idempotency-Replayed", "true");
    http_reply_text(call->request, (int)row->status, "application/json", (const char *)text.data);
    return ERR_OK;
}

enum err idempotency_begin(struct call *call, const char *route, struct idempotency *ret,
                           bool *ret_is_replied, struct error *error)
{
    struct idempotency_row row;
    struct slice body = buffer_slice(&call->request->body);

    *ret_is_replied = false;
    *ret = (struct idempotency){
        .route = route,
        .owner = {.account_id = call->principal.account_id, .caller = call->principal.iam_id}};
    enum err rc = read_key(call, &ret->owner.key, error);
    if (rc != ERR_OK || !ret->owner.key)
        return rc;
    sha256(body.data, body.len, ret->body_hash);
    rc = store_load_idempotency(call->db, &ret->owner, call->arena, &row, error);
    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (rc != ERR_OK)
        return rc;
    if (strcmp(row.route, route) != 0 ||
        !slice_equal(row.body_hash, slice_of(ret->body_hash, sizeof(ret->body_hash)))) {
        http_reply_problem(call->request, 422, "idempotency_key_reused",
                           "This Idempotency-Key was used for another request.");
        *ret_is_replied = true;
        return ERR_OK;
    }
    if (row.status != 0) {
        *ret_is_replied = true;
        return replay(call, ret, &row, error);
    }
    ret->is_known = true;
    ret->subject = row.subject;
    ret->secret = row.secret;
    return ERR_OK;
}

enum err idempotency_insert(struct call *call, const struct idempotency *idempotency,
                            struct uuid subject, struct slice secret, struct error *error)
{
    struct idempotency_row row = {
        .route = idempotency->route,
        .body_hash = slice_of(idempotency->body_hash, sizeof(idempotency->body_hash)),
        .subject = subject,
        .secret = secret,
    };

    if (!idempotency->owner.key)
        return ERR_OK;
    return store_insert_idempotency(call->db, &idempotency->owner, &row, error);
}

enum err idempotency_begin_again(struct call *call, struct idempotency *idempotency,
                                 bool *ret_is_replied, struct error *error)
{
    if (!idempotency->owner.key)
        return ERR_EXISTS;
    enum err rc = idempotency_begin(call, idempotency->route, idempotency, ret_is_replied, error);
    if (rc == ERR_OK && !*ret_is_replied && !idempotency->is_known)
        rc = ERR_EXISTS;
    return rc;
}

void idempotency_keep_answer(struct call *call, const struct idempotency *idempotency)
{
    const struct http_request *request = call->request;
    struct error error = {.code = ERR_OK};
    struct slice sealed = SLICE_NULL;

    if (!idempotency->owner.key || request->status < 200 || request->status > 299)
        return;
    const char *purpose = answer_purpose(call, idempotency);
    enum err rc =
        purpose ? seal(call->endpoints->seal_key, purpose,
                       slice_of(request->reply, request->reply_len), call->arena, &sealed, &error)
                : error_set(&error, ERR_NO_MEMORY, "keep answer: no memory");
    if (rc == ERR_OK)
        rc = store_keep_answer(call->db, &idempotency->owner, request->status, sealed, &error);
    if (rc != ERR_OK)
        log_event(LOG_WARN, "answer_not_kept", f_str("request_id", request->request_id),
                  f_str("message", error.message));
}
