/* SPDX-License-Identifier: Apache-2.0 */
/* /identity: API keys and refresh tokens become access tokens; the keys to verify them.
 *
 * The form of errors is IAM's own: clients look for errorCode. Which key was wrong, and why, is not told. */
#include "controlplane/endpoints/tokens.h"

#include <string.h>
#include <strings.h>

#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "common/crypto/service_key.h"
#include "controlplane/endpoints/call.h"
#include "controlplane/http/problem.h"

#define MAX_FORM_PAIRS 16
#define ACQUIRE_TIMEOUT_MS 2000
#define GRANT_API_KEY "urn:ibm:params:oauth:grant-type:apikey"
#define GRANT_REFRESH "refresh_token"

struct grant {
    struct target_pair form[MAX_FORM_PAIRS];
    int form_count;
    const char *client_id;
};

static void reply_iam_error(struct http_request *request, int status, const char *code,
                            const char *message)
{
    http_reply_json(request, status,
                    json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "errorCode", code, "errorMessage",
                              message, "errorDetails", message, "context", "requestId",
                              request->request_id, "requestType", "incoming.Identity_Token"));
}

static const char *form_value(const struct grant *grant, const char *name)
{
    const char *value = target_pair_value(grant->form, grant->form_count, name);

    return value && *value != '\0' ? value : NULL;
}

/* SDKs send no client credentials, or bx:bx as the CLI and Terraform do. */
static bool read_client(struct http_request *request, struct grant *grant)
{
    const char *authorization = http_header(request, "Authorization");
    uint8_t bytes[64];
    size_t len = 0;

    grant->client_id = "default";
    if (!authorization)
        return true;
    if (strncasecmp(authorization, "Basic ", 6) != 0 ||
        base64_decode(slice_from_cstring(authorization + 6), bytes, sizeof(bytes), &len) != ERR_OK)
        return false;
    if (len == 1 && bytes[0] == ':')
        return true;
    grant->client_id = "bx";
    return slice_equal_cstring(slice_of(bytes, len), "bx:bx");
}

static void reply_token(struct http_request *request, const struct issued_token *token)
{
    http_reply_header(request, "Pragma", "no-cache");
    http_reply_json(request, 200,
                    json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "access_token", token->access_token,
                              "refresh_token", token->refresh_token, "token_type", "Bearer",
                              "expires_in", (json_int_t)token->expires_in_s, "expiration",
                              (json_int_t)token->expires_at_s, "scope", "ibm openid"));
}

/* ---- whoever guesses ---- */

/* The id of the key that is tried, "" when it has not the form of one. Guesses are counted by it, too. */
static void read_key_id(const char *proof, bool is_refresh, char ret_id[KEY_ID_LEN + 1])
{
    struct service_key key;

    ret_id[0] = '\0';
    if (!is_refresh && service_key_parse(slice_from_cstring(proof), &key) == ERR_OK)
        memcpy(ret_id, key.id, sizeof(key.id));
    if (!is_refresh)
        service_key_done(&key);
}

/* True when this address, or this key, has failed too often: answered. */
static bool is_throttled(struct http_request *request, const char *key_id)
{
    struct endpoints *endpoints = request->context;
    int64_t now_us = clock_monotonic_us(endpoints->clock);
    int64_t wait_us = rate_limiter_look(endpoints->failures, request->client_address, now_us);
    int64_t key_wait_us =
        key_id[0] != '\0' ? rate_limiter_look(endpoints->failures, key_id, now_us) : 0;

    if (key_wait_us > wait_us)
        wait_us = key_wait_us;
    if (wait_us == 0)
        return false;
    http_reply_header(request, "Retry-After",
                      arena_printf(&request->arena, "%lld", (long long)(wait_us / 1000000 + 1)));
    reply_iam_error(request, 429, "BXNIM0429E", "Too many failed attempts; try again later.");
    return true;
}

static void count_failure(struct http_request *request, struct db *db, const char *key_id,
                          const struct error *error)
{
    struct endpoints *endpoints = request->context;
    int64_t now_us = clock_monotonic_us(endpoints->clock);

    (void)rate_limiter_take(endpoints->failures, request->client_address, now_us);
    if (key_id[0] != '\0')
        (void)rate_limiter_take(endpoints->failures, key_id, now_us);
    log_event(LOG_INFO, "token_refused", f_str("client", request->client_address),
              f_str("request_id", request->request_id), f_str("reason", error->message));
    audit_refusal(request, db, "", "", "iam-identity.token.create",
                  key_id[0] != '\0' ? key_id : request->route->template, error->message);
}

static void reply_refused(struct http_request *request, const struct error *error, bool is_refresh)
{
    const struct problem *problem = problem_of(error->code);

    if (error->code == ERR_UNAUTHENTICATED) {
        reply_iam_error(request, 400, is_refresh ? "BXNIM0407E" : "BXNIM0415E", error->message);
        return;
    }
    log_event(LOG_WARN, "token_failed", f_err(error->code), f_str("message", error->message),
              f_str("request_id", request->request_id));
    if (problem->retry_after_s > 0)
        http_reply_header(request, "Retry-After", "2");
    reply_iam_error(request, problem->status, "BXNIM0500E",
                    problem->is_private ? problem->text : error->message);
}

/* ---- the exchange ---- */

static void exchange(struct http_request *request, const struct grant *grant, bool is_refresh)
{
    struct endpoints *endpoints = request->context;
    struct error error = {.code = ERR_OK};
    struct issued_token token;
    struct db *db = NULL;
    char key_id[KEY_ID_LEN + 1];
    int64_t now_s = clock_wall_ms(endpoints->clock) / 1000;
    const char *proof = form_value(grant, is_refresh ? "refresh_token" : "apikey");

    if (!proof) {
        reply_iam_error(request, 400, "BXNIM0109E",
                        is_refresh ? "Property missing or empty: refresh_token"
                                   : "Property missing or empty: apikey");
        return;
    }
    read_key_id(proof, is_refresh, key_id);
    if (is_throttled(request, key_id))
        return;
    enum err rc = db_pool_acquire(endpoints->pool, ACQUIRE_TIMEOUT_MS, &db, &error);
    if (rc == ERR_OK) {
        rc = is_refresh
                 ? identity_refresh(endpoints->identity, db, proof, grant->client_id, now_s,
                                    &request->arena, &token, &error)
                 : identity_exchange_api_key(endpoints->identity, db, proof, grant->client_id,
                                             now_s, &request->arena, &token, &error);
        if (rc == ERR_UNAUTHENTICATED)
            count_failure(request, db, key_id, &error);
        db_pool_release(endpoints->pool, db);
    }
    if (rc == ERR_OK)
        reply_token(request, &token);
    else
        reply_refused(request, &error, is_refresh);
}

void tokens_create(struct http_request *request)
{
    struct error error = {.code = ERR_OK};
    struct grant grant = {.form_count = 0};

    if (http_form_body(request, grant.form, MAX_FORM_PAIRS, &grant.form_count, &error) != ERR_OK) {
        reply_iam_error(request, 400, "BXNIM0108E", error.message);
        return;
    }
    if (!read_client(request, &grant)) {
        reply_iam_error(request, 401, "BXNIM0136E", "Client credentials are not known.");
        return;
    }
    const char *grant_type = form_value(&grant, "grant_type");
    if (!grant_type)
        reply_iam_error(request, 400, "BXNIM0109E", "Property missing or empty: grant_type");
    else if (strcmp(grant_type, GRANT_API_KEY) == 0)
        exchange(request, &grant, false);
    else if (strcmp(grant_type, GRANT_REFRESH) == 0)
        exchange(request, &grant, true);
    else
        reply_iam_error(request, 400, "BXNIM0113E", "This grant_type is not offered.");
}

void tokens_key_set(struct http_request *request)
{
    struct endpoints *endpoints = request->context;

    if (!identity_is_ready(endpoints->identity)) {
        reply_refused(request, &(struct error){ERR_UNAVAILABLE, "no signing key yet"}, false);
        return;
    }
    http_reply_header(request, "Cache-Control", "public, max-age=300");
    http_reply_json(request, 200, identity_key_set(endpoints->identity));
}

void tokens_configuration(struct http_request *request)
{
    struct endpoints *endpoints = request->context;
    const char *url = endpoints->public_url;
    const char *issuer = arena_printf(&request->arena, "%s/identity", url);
    const char *token = arena_printf(&request->arena, "%s/identity/token", url);
    const char *keys = arena_printf(&request->arena, "%s/identity/keys", url);

    http_reply_header(request, "Cache-Control", "public, max-age=300");
    http_reply_json(request, 200,
                    issuer && token && keys
                        ? json_pack("{s:s, s:s, s:s, s:[s, s], s:[s], s:[s], s:[s]}", "issuer",
                                    issuer, "token_endpoint", token, "jwks_uri", keys,
                                    "grant_types_supported", GRANT_API_KEY, GRANT_REFRESH,
                                    "response_types_supported", "token", "subject_types_supported",
                                    "public", "id_token_signing_alg_values_supported", "RS256")
                        : NULL);
}
