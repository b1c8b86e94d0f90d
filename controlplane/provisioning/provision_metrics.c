/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/provision_metrics.h"

#include <stdlib.h>

#include "common/observe/process_figures.h"
#include "controlplane/http/server.h"
#include "controlplane/store/work_counts.h"

#define TEXT_MAX_BYTES (1 << 20)
#define ACQUIRE_TIMEOUT_MS 500
#define REQUEST_TIMEOUT_MS 10000

enum provision_family {
    FAMILY_BUILD_INFO = PROCESS_FAMILY_COUNT,
    FAMILY_STORE_UP,
    FAMILY_STEP_SECONDS,
    FAMILY_STEPS_FAILED,
    FAMILY_LEASES_LOST,
    FAMILY_OPERATIONS,
    FAMILY_OLDEST,
    FAMILY_INSTANCES
};

static const struct metric_family families[] = {
    PROCESS_METRIC_FAMILIES,
    [FAMILY_BUILD_INFO] = {"millrace_build_info", METRIC_GAUGE, "Always 1; labels say what runs."},
    [FAMILY_STORE_UP] = {"millrace_store_up", METRIC_GAUGE, "1 if the store answers."},
    [FAMILY_STEP_SECONDS] = {"millrace_provision_step_seconds", METRIC_HISTOGRAM,
                             "Steps of the reconciler, by kind of work."},
    [FAMILY_STEPS_FAILED] = {"millrace_provision_steps_failed_total", METRIC_COUNTER,
                             "Steps that failed and are tried again."},
    [FAMILY_LEASES_LOST] = {"millrace_provision_leases_lost_total", METRIC_COUNTER,
                            "Leases that another replica claimed while this one worked."},
    [FAMILY_OPERATIONS] = {"millrace_operations_running", METRIC_GAUGE,
                           "Operations of instances in progress, by type."},
    [FAMILY_OLDEST] = {"millrace_operation_oldest_seconds", METRIC_GAUGE,
                       "Age of the oldest operation in progress, by type."},
    [FAMILY_INSTANCES] = {"millrace_fleet_instances", METRIC_GAUGE,
                          "Service instances of the fleet, by phase."},
    {.name = NULL},
};

static const char *const kind_names[PROVISION_KINDS] = {[PROVISION_CELL] = "cell",
                                                        [PROVISION_INSTANCE] = "instance",
                                                        [PROVISION_CREDENTIAL] = "credential"};

struct provision_metrics {
    const struct provision_counters *counters;
    struct db_config store;
    struct db_pool *pool;
    struct http_server *server;
};

static void add_labelled(struct exposition *exposition, enum provision_family family,
                         const char *name, const char *value, int64_t number)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, name, slice_from_cstring(value));
    exposition_add(exposition, family, &labels, number);
}

static void add_counters(const struct provision_counters *counters, struct exposition *exposition)
{
    for (int kind = 0; kind < PROVISION_KINDS; kind++) {
        struct histogram_sum steps = {{0}, 0};
        struct metric_labels labels;

        metric_labels_clear(&labels);
        metric_labels_add(&labels, "kind", slice_from_cstring(kind_names[kind]));
        histogram_sum_add(&steps, &counters->steps[kind]);
        exposition_add_histogram(exposition, FAMILY_STEP_SECONDS, &labels, &steps);
        exposition_add(exposition, FAMILY_STEPS_FAILED, &labels,
                       counter_read(&counters->failures[kind]));
        exposition_add(exposition, FAMILY_LEASES_LOST, &labels,
                       counter_read(&counters->leases_lost[kind]));
    }
}

static void on_operations(void *context, const char *type, int64_t count, int64_t oldest_us)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "type", slice_from_cstring(type));
    exposition_add(context, FAMILY_OPERATIONS, &labels, count);
    exposition_add_us(context, FAMILY_OLDEST, &labels, oldest_us);
}

static void on_instances(void *context, const char *phase, int64_t count)
{
    add_labelled(context, FAMILY_INSTANCES, "phase", phase, count);
}

/* Without the store only what it knows is missing. */
static void add_rows(struct provision_metrics *metrics, struct exposition *exposition)
{
    struct work_counts_visitor visitor = {exposition, on_operations, on_instances};
    struct error error;
    struct db *db = NULL;
    enum err rc = db_pool_acquire(metrics->pool, ACQUIRE_TIMEOUT_MS, &db, &error);

    if (rc == ERR_OK) {
        rc = work_counts_read(db, &visitor, &error);
        db_pool_release(metrics->pool, db);
    }
    exposition_add(exposition, FAMILY_STORE_UP, NULL, rc == ERR_OK);
}

static void show(struct http_request *request)
{
    struct provision_metrics *metrics = request->context;
    struct exposition exposition;
    struct metric_labels labels;
    struct buffer text;
    enum err rc = exposition_init(&exposition, families, TEXT_MAX_BYTES);

    buffer_init(&text, 2 * TEXT_MAX_BYTES);
    if (rc == ERR_OK) {
        metric_labels_clear(&labels);
        metric_labels_add(&labels, "version", SLICE_LITERAL(MILLRACE_VERSION));
        metric_labels_add(&labels, "role", SLICE_LITERAL("provision"));
        exposition_add(&exposition, FAMILY_BUILD_INFO, &labels, 1);
        exposition_add_process(&exposition);
        add_counters(metrics->counters, &exposition);
        add_rows(metrics, &exposition);
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

static void show_health(struct http_request *request)
{
    http_reply_text(request, 200, "text/plain", "ok\n");
}

static const struct http_route routes[] = {
    {HTTP_GET, "/metrics", show},
    {HTTP_GET, "/healthz", show_health},
};

enum err provision_metrics_start(const struct provision_config *config,
                                 const struct provision_counters *counters,
                                 struct provision_metrics **ret_metrics, struct error *error)
{
    struct http_server_config server = {
        .addresses = config->metrics_addresses,
        .port = config->metrics_port,
        .routes = routes,
        .route_count = (int)(sizeof(routes) / sizeof(routes[0])),
        .worker_count = 1,
        .connection_max = 32,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
    };
    struct provision_metrics *metrics = NULL;

    *ret_metrics = NULL;
    if (config->metrics_port == 0)
        return ERR_OK;
    metrics = calloc(1, sizeof(*metrics));
    if (!metrics)
        return error_set(error, ERR_NO_MEMORY, "metrics: no memory");
    metrics->counters = counters;
    metrics->store = (struct db_config){.conninfo = config->fleet,
                                        .password_file = config->password_file,
                                        .application_name = "millrace provision metrics",
                                        .connect_timeout_ms = 2000,
                                        .statement_timeout_ms = 5000};
    server.context = metrics;
    enum err rc = db_pool_new(&metrics->store, 1, &metrics->pool, error);
    if (rc == ERR_OK)
        rc = http_server_start(&server, &metrics->server, error);
    if (rc != ERR_OK) {
        provision_metrics_stop(metrics);
        return rc;
    }
    *ret_metrics = metrics;
    return ERR_OK;
}

void provision_metrics_stop(struct provision_metrics *metrics)
{
    if (!metrics)
        return;
    http_server_stop(metrics->server);
    db_pool_free(metrics->pool);
    free(metrics);
}
