/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/health.h"

#include "controlplane/endpoints/endpoints.h"
#include "controlplane/store/catalog.h"

#define ACQUIRE_TIMEOUT_MS 500

void health_alive(struct http_request *request)
{
    http_reply_json(request, 200,
                    json_pack("{s:s, s:s}", "status", "ok", "version", MILLRACE_VERSION));
}

enum err health_check(struct endpoints *endpoints, struct error *error)
{
    struct db *db = NULL;
    enum err rc = db_pool_acquire(endpoints->pool, ACQUIRE_TIMEOUT_MS, &db, error);

    if (rc != ERR_OK)
        return rc;
    rc = store_ping(db, error);
    if (rc == ERR_OK && !identity_is_ready(endpoints->identity))
        rc = identity_load_keys(endpoints->identity, db, error);
    db_pool_release(endpoints->pool, db);
    return rc;
}

void health_ready(struct http_request *request)
{
    struct error error = {.code = ERR_OK};

    if (health_check(request->context, &error) != ERR_OK)
        http_reply_error(request, &error);
    else
        http_reply_json(request, 200, json_pack("{s:s}", "status", "ready"));
}

void not_offered_yet(struct http_request *request)
{
    http_reply_problem(request, 501, "not_implemented",
                       "This version of the service does not offer this operation yet.");
}
