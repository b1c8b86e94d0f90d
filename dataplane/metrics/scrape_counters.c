/* SPDX-License-Identifier: Apache-2.0 */
/* What the loops count, added up; the process; the log directory. */
#include "dataplane/metrics/scrape_internal.h"
#include "dataplane/net/tls_context.h"
#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/storage_metrics.h"

#include <stdio.h>

static const struct loop_metrics *metrics_of(const struct scrape *scrape, int loop)
{
    const struct scrape_source *source = scrape->source;

    return source->loop_of(source->context, source->executor->loops[loop])->metrics;
}

/* The sum over all loops of the counter that lies `at` bytes into struct loop_metrics. */
static int64_t sum_at(const struct scrape *scrape, size_t at)
{
    int64_t sum = 0;

    for (int i = 0; i < scrape->source->executor->loop_count; i++)
        sum += counter_read(
            (const struct counter *)(const void *)((const uint8_t *)metrics_of(scrape, i) + at));
    return sum;
}

static void add_sum(struct scrape *scrape, enum broker_family family, size_t at)
{
    exposition_add(&scrape->exposition, family, NULL, sum_at(scrape, at));
}

#define AT(field) offsetof(struct loop_metrics, field)
#define AT_API(key, field)                                                                         \
    (AT(apis) + (size_t)(key) * sizeof(struct api_metrics) + offsetof(struct api_metrics, field))

static void add_request_time(struct scrape *scrape, int16_t key, const struct metric_labels *labels)
{
    struct histogram_sum sum = {{0}, 0};

    for (int i = 0; i < scrape->source->executor->loop_count; i++)
        histogram_sum_add(&sum, &metrics_of(scrape, i)->apis[key].time);
    exposition_add_histogram(&scrape->exposition, FAMILY_REQUEST_SECONDS, labels, &sum);
}

static void add_request_bytes(struct scrape *scrape, const char *api, const char *direction,
                              size_t at)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "request", slice_from_cstring(api));
    metric_labels_add(&labels, "direction", slice_from_cstring(direction));
    exposition_add(&scrape->exposition, FAMILY_REQUEST_BYTES, &labels, sum_at(scrape, at));
}

/* APIs that were never asked for have no series. */
static void add_api(struct scrape *scrape, const struct kafka_api *api)
{
    struct exposition *exposition = &scrape->exposition;
    int64_t requests = sum_at(scrape, AT_API(api->key, requests));
    struct metric_labels labels;

    if (requests == 0)
        return;
    metric_labels_clear(&labels);
    metric_labels_add(&labels, "request", slice_from_cstring(api->name));
    exposition_add(exposition, FAMILY_REQUESTS, &labels, requests);
    exposition_add(exposition, FAMILY_REQUESTS_REFUSED, &labels,
                   sum_at(scrape, AT_API(api->key, refused)));
    add_request_bytes(scrape, api->name, "in", AT_API(api->key, bytes_in));
    add_request_bytes(scrape, api->name, "out", AT_API(api->key, bytes_out));
    add_request_time(scrape, api->key, &labels);
}

static void add_apis(struct scrape *scrape)
{
    const struct broker_loop *broker =
        scrape->source->loop_of(scrape->source->context, scrape->home);

    for (const struct api_handler *handler = broker->handlers; handler->handle != NULL; handler++)
        add_api(scrape, kafka_api_find((int16_t)handler->key));
}

static void add_labelled(struct scrape *scrape, enum broker_family family, const char *name,
                         const char *value, int64_t count)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, name, slice_from_cstring(value));
    exposition_add(&scrape->exposition, family, &labels, count);
}

static void add_connections(struct scrape *scrape)
{
    static const char *const names[] = {[LISTENER_SASL_SSL] = "SASL_SSL",
                                        [LISTENER_SASL_PLAINTEXT] = "SASL_PLAINTEXT",
                                        [LISTENER_PLAINTEXT] = "PLAINTEXT"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add_labelled(scrape, FAMILY_CONNECTIONS, "listener", names[i],
                     sum_at(scrape, AT(connections) + i * sizeof(struct counter)));
}

static void add_loops(struct scrape *scrape)
{
    for (int i = 0; i < scrape->source->executor->loop_count; i++) {
        const struct histogram *busy = loop_busy_times(scrape->source->executor->loops[i]);
        struct histogram_sum sum = {{0}, 0};
        struct metric_labels labels;

        if (busy == NULL)
            continue;
        metric_labels_clear(&labels);
        metric_labels_add_i64(&labels, "loop", i);
        histogram_sum_add(&sum, busy);
        exposition_add_histogram(&scrape->exposition, FAMILY_LOOP_BUSY, &labels, &sum);
    }
}

static void add_directory(struct scrape *scrape)
{
    struct histogram_sum flushes = {{0}, 0};

    log_directory_add_flush_times(scrape->source->directory, &flushes);
    exposition_add_histogram(&scrape->exposition, FAMILY_FLUSH_SECONDS, NULL, &flushes);
    exposition_add(&scrape->exposition, FAMILY_DIRECTORY_FAILED, NULL,
                   log_directory_is_failed(scrape->source->directory));
}

static void add_storage(struct scrape *scrape)
{
    struct exposition *exposition = &scrape->exposition;
    struct storage_metrics sum = {.wal_bytes = {0}};

    log_directory_add_metrics(scrape->source->directory, &sum);
    exposition_add(exposition, FAMILY_WAL_BYTES, NULL, counter_read(&sum.wal_bytes));
    exposition_add(exposition, FAMILY_CHECKPOINTS, NULL, counter_read(&sum.checkpoints));
    exposition_add(exposition, FAMILY_UNSYNCED_LOGS, NULL, counter_read(&sum.unsynced_logs));
    exposition_add(exposition, FAMILY_LATE_BYTES, NULL, counter_read(&sum.late_bytes));
    exposition_add(exposition, FAMILY_LATE_WRITES, NULL, counter_read(&sum.late_writes));
    exposition_add(exposition, FAMILY_SPARE_BYTES, NULL, counter_read(&sum.spare_bytes));
    add_labelled(scrape, FAMILY_SPARES, "what", "kept", counter_read(&sum.spares_kept));
    add_labelled(scrape, FAMILY_SPARES, "what", "taken", counter_read(&sum.spares_taken));
    add_labelled(scrape, FAMILY_COMPACTIONS, "result", "done", counter_read(&sum.compactions));
    add_labelled(scrape, FAMILY_COMPACTIONS, "result", "paused",
                 counter_read(&sum.compactions_paused));
    add_labelled(scrape, FAMILY_COMPACTIONS, "result", "failed",
                 counter_read(&sum.compactions_failed));
    add_labelled(scrape, FAMILY_COMPACTION_BYTES, "direction", "in",
                 counter_read(&sum.compaction_bytes_read));
    add_labelled(scrape, FAMILY_COMPACTION_BYTES, "direction", "out",
                 counter_read(&sum.compaction_bytes_wrote));
}

static void add_build(struct scrape *scrape)
{
    const struct broker_loop *broker =
        scrape->source->loop_of(scrape->source->context, scrape->home);
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "version", slice_from_cstring(scrape->source->software));
    metric_labels_add(&labels, "role", SLICE_LITERAL("broker"));
    metric_labels_add_i64(&labels, "broker", broker->broker_id);
    exposition_add(&scrape->exposition, FAMILY_BUILD_INFO, &labels, 1);
    exposition_add(&scrape->exposition, FAMILY_IMAGE_VERSION, NULL, image_version(broker->image));
}

static void add_memory(struct scrape *scrape)
{
    struct exposition *exposition = &scrape->exposition;
    const struct memory_budget *memory =
        scrape->source->loop_of(scrape->source->context, scrape->home)->memory;

    exposition_add(exposition, FAMILY_MEMORY_USED, NULL, atomic_load(&memory->used_bytes));
    exposition_add(exposition, FAMILY_MEMORY_LIMIT, NULL, memory->limits.limit_bytes);
    exposition_add(exposition, FAMILY_MEMORY_REFUSALS, NULL, atomic_load(&memory->refusals));
}

void scrape_counters(struct scrape *scrape)
{
    add_build(scrape);
    if (scrape->source->has_process)
        exposition_add_process(&scrape->exposition);
    add_sum(scrape, FAMILY_RECORDS_IN, AT(records_in));
    add_sum(scrape, FAMILY_BYTES_IN, AT(record_bytes_in));
    add_sum(scrape, FAMILY_BYTES_OUT, AT(record_bytes_out));
    add_sum(scrape, FAMILY_PRODUCE_REQUESTS, AT_API(KAFKA_API_PRODUCE, requests));
    add_sum(scrape, FAMILY_PRODUCE_FAILURES, AT(produce_failures));
    add_sum(scrape, FAMILY_FETCH_REQUESTS, AT_API(KAFKA_API_FETCH, requests));
    add_sum(scrape, FAMILY_FETCH_FAILURES, AT(fetch_failures));
    add_sum(scrape, FAMILY_FRAMES_REFUSED, AT(frames_refused));
    add_labelled(scrape, FAMILY_LOGINS, "result", "ok", sum_at(scrape, AT(logins)));
    add_labelled(scrape, FAMILY_LOGINS, "result", "failed", sum_at(scrape, AT(logins_failed)));
    add_connections(scrape);
    add_apis(scrape);
    if (scrape->source->tls != NULL)
        exposition_add(&scrape->exposition, FAMILY_CERTIFICATE_ENDS, NULL,
                       tls_context_ends_s(scrape->source->tls));
    add_loops(scrape);
    add_directory(scrape);
    add_storage(scrape);
    add_memory(scrape);
}
