/* SPDX-License-Identifier: Apache-2.0 */
/* What serve counts, and what the rows say of work under way. Without the store only the latter is missing, and
 * millrace_store_up says why. */
#include "controlplane/endpoints/serve_metrics.h"

#include "common/observe/process_figures.h"
#include "controlplane/endpoints/endpoints.h"
#include "controlplane/endpoints/health.h"

#define METRICS_MAX_BYTES (1 << 20)

enum serve_family {
    FAMILY_BUILD_INFO = PROCESS_FAMILY_COUNT,
    FAMILY_CERTIFICATE_ENDS,
    FAMILY_STORE_UP,
    FAMILY_STORE_CONNECTIONS,
    FAMILY_STORE_BUSY,
    FAMILY_REQUESTS,
    FAMILY_REQUEST_SECONDS
};

static const struct metric_family families[] = {
    PROCESS_METRIC_FAMILIES,
    [FAMILY_BUILD_INFO] = {"millrace_build_info", METRIC_GAUGE, "Always 1; labels say what runs."},
    [FAMILY_CERTIFICATE_ENDS] = {"millrace_tls_certificate_expiry_timestamp_seconds", METRIC_GAUGE,
                                 "When the certificate of REST ends, in seconds since 1970."},
    [FAMILY_STORE_UP] = {"millrace_store_up", METRIC_GAUGE, "1 if the store answers."},
    [FAMILY_STORE_CONNECTIONS] = {"millrace_store_connections", METRIC_GAUGE,
                                  "Connections to the store that may be open at most."},
    [FAMILY_STORE_BUSY] = {"millrace_store_connections_busy", METRIC_GAUGE,
                           "Connections to the store in use."},
    [FAMILY_REQUESTS] = {"millrace_http_requests_total", METRIC_COUNTER,
                         "Requests answered, by route and status."},
    [FAMILY_REQUEST_SECONDS] = {"millrace_http_request_seconds", METRIC_HISTOGRAM,
                                "From the head of a request to its answer, waits for operations "
                                "included."},
    {.name = NULL},
};

static void add_build(struct exposition *exposition)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "version", SLICE_LITERAL(MILLRACE_VERSION));
    metric_labels_add(&labels, "role", SLICE_LITERAL("serve"));
    exposition_add(exposition, FAMILY_BUILD_INFO, &labels, 1);
}

static void add_all(struct endpoints *endpoints, struct exposition *exposition)
{
    static const struct http_metric_families http = {FAMILY_REQUESTS, FAMILY_REQUEST_SECONDS};
    struct error error;

    exposition_add_process(exposition);
    add_build(exposition);
    exposition_add(exposition, FAMILY_CERTIFICATE_ENDS, NULL,
                   atomic_load(endpoints->certificate_ends_s));
    exposition_add(exposition, FAMILY_STORE_UP, NULL, health_check(endpoints, &error) == ERR_OK);
    exposition_add(exposition, FAMILY_STORE_CONNECTIONS, NULL, db_pool_size(endpoints->pool));
    exposition_add(exposition, FAMILY_STORE_BUSY, NULL, db_pool_busy(endpoints->pool));
    if (endpoints->server)
        http_server_add_metrics(endpoints->server, &http, exposition);
}

void serve_metrics_show(struct http_request *request)
{
    struct exposition exposition;
    struct buffer text;
    enum err rc = exposition_init(&exposition, families, METRICS_MAX_BYTES);

    buffer_init(&text, 2 * METRICS_MAX_BYTES);
    if (rc == ERR_OK) {
        add_all(request->context, &exposition);
        rc = exposition_render(&exposition, &text);
    }
    if (rc == ERR_OK)
        rc = buffer_append(&text, "", 1);
    if (rc == ERR_OK)
        http_reply_text(request, 200, "text/plain; version=0.0.4", (const char *)text.data);
    else
        http_reply_error(request, &(struct error){rc, "metrics: no memory"});
    buffer_done(&text);
    exposition_done(&exposition);
}
