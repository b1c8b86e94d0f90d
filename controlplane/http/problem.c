/* SPDX-License-Identifier: Apache-2.0 */
/* Resource Controller's clients read errors[0].message first and decide on the status alone, so both must be right.
 * application/json, never problem+json: Go's SDK does not recognise that. What went wrong inside stays inside. */
#include "controlplane/http/problem.h"

#define AWAY_TEXT "The service cannot reach its store now. Try again in a few seconds."
#define INTERNAL_TEXT "The service failed to answer. The log of the control plane names the reason."

static const struct problem problems[] = {
    [ERR_OK] = {500, "internal_error", true, INTERNAL_TEXT, 0},
    [ERR_NO_MEMORY] = {503, "service_unavailable", true, "The service is out of memory. Try again.",
                       2},
    [ERR_INVALID] = {400, "bad_request", false, NULL, 0},
    [ERR_TRUNCATED] = {400, "bad_request", false, NULL, 0},
    [ERR_TOO_LARGE] = {413, "content_too_large", false, NULL, 0},
    [ERR_NOT_FOUND] = {404, "not_found", false, NULL, 0},
    [ERR_EXISTS] = {409, "conflict", false, NULL, 0},
    [ERR_CONFLICT] = {409, "conflict", false, NULL, 0},
    [ERR_GONE] = {410, "gone", false, NULL, 0},
    [ERR_STALE] = {412, "precondition_failed", false, NULL, 0},
    [ERR_LOCKED] = {422, "locked", false, NULL, 0},
    [ERR_UNAUTHENTICATED] = {401, "unauthorized", false, NULL, 0},
    [ERR_DENIED] = {403, "forbidden", false, NULL, 0},
    [ERR_LIMIT] = {422, "limit_exceeded", false, NULL, 0},
    [ERR_THROTTLED] = {429, "too_many_requests", false, NULL, 1},
    [ERR_UNAVAILABLE] = {503, "service_unavailable", true, AWAY_TEXT, 2},
    [ERR_TIMEOUT] = {503, "service_unavailable", true, AWAY_TEXT, 2},
    [ERR_FENCED] = {503, "service_unavailable", true, AWAY_TEXT, 2},
    [ERR_UNSUPPORTED] = {501, "not_implemented", false, NULL, 0},
    [ERR_CORRUPT] = {500, "internal_error", true, INTERNAL_TEXT, 0},
    [ERR_IO] = {500, "internal_error", true, INTERNAL_TEXT, 0},
    [ERR_NO_SPACE] = {503, "service_unavailable", true, AWAY_TEXT, 10},
    [ERR_CLOSED] = {503, "service_unavailable", true, "The service is stopping. Try again.", 2},
    [ERR_CANCELLED] = {503, "service_unavailable", true, "The service is stopping. Try again.", 2},
    [ERR_INTERNAL] = {500, "internal_error", true, INTERNAL_TEXT, 0},
};
_Static_assert(sizeof(problems) / sizeof(problems[0]) == ERR_INTERNAL + 1, "a code has no problem");

const struct problem *problem_of(enum err code)
{
    return &problems[code];
}

json_t *problem_render(int status, const char *code, const char *message,
                       const char *transaction_id)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:[{s:s, s:s}]}", "message", message, "error_code", code,
                     "status_code", status, "transaction_id", transaction_id, "errors", "code",
                     code, "message", message);
}
