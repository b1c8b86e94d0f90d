/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/health.h"

#include "controlplane/endpoints/endpoints.h"
#include "controlplane/store/catalog.h"

#define ACQUIRE_TIMEOUT_MS 500
#define METRICS_MAX_BYTES (1 << 20)

void health_alive(struct http_request *request)
{
    http_reply_json(request, 200,
                    json_pack("{s:s, s:s}", "status", "ok", "version", MILLRACE_VERSION));
}

static enum err check_store(struct endpoints *endpoints, struct error *error)
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

    if (check_store(request->context, &error) != ERR_OK)
        http_reply_error(request, &error);
    else
        http_reply_json(request, 200, json_pack("{s:s}", "status", "ready"));
}

void health_metrics(struct http_request *request)
{
    struct endpoints *endpoints = request->context;
    struct error error = {.code = ERR_OK};
    struct buffer text;

    buffer_init(&text, METRICS_MAX_BYTES);
    bool is_store_up = check_store(endpoints, &error) == ERR_OK;
    enum err rc = buffer_printf(&text,
                                "# TYPE millrace_build_info gauge\n"
                                "millrace_build_info{version=\"%s\",part=\"controlplane\"} 1\n"
                                "# HELP millrace_store_up Whether the store answers.\n"
                                "# TYPE millrace_store_up gauge\n"
                                "millrace_store_up %d\n",
                                MILLRACE_VERSION, is_store_up ? 1 : 0);
    if (rc == ERR_OK && endpoints->server)
        rc = http_server_render_metrics(endpoints->server, &text);
    if (rc == ERR_OK)
        rc = buffer_append(&text, "", 1);
    if (rc == ERR_OK)
        http_reply_text(request, 200, "text/plain; version=0.0.4", (const char *)text.data);
    else
        http_reply_error(request, &(struct error){rc, "metrics: no memory"});
    buffer_done(&text);
}

void not_offered_yet(struct http_request *request)
{
    http_reply_problem(request, 501, "not_implemented",
                       "This version of the service does not offer this operation yet.");
}
