/* SPDX-License-Identifier: Apache-2.0 */
/* Composition root of the broker, and the order of its end:
 *
 *   metrics ▶ listeners ▶ sessions of all loops ▶ group coordinators ▶ metadata image ▶ log directory */
#include "dataplane/broker.h"

#include "common/observe/log.h"
#include "dataplane/broker_listeners.h"
#include "dataplane/cluster/cluster.h"
#include "dataplane/coordinator/group_coordinator.h"
#include "dataplane/dispatch/broker_loop.h"
#include "dataplane/dispatch/session.h"
#include "dataplane/handlers/fetch_session.h"
#include "dataplane/handlers/handlers.h"
#include "dataplane/handlers/sasl.h"
#include "dataplane/metrics/metrics_server.h"

#include <stdlib.h>

enum {
    SCRATCH_BYTES = 64 * 1024,
    FETCH_SLOTS = 1000,
    DRAIN_CHECK_US = 10000,
    LISTEN_AGAIN_US = 5000000,
};

/* One a loop, with the mail that starts and stops it. */
struct hosted_loop {
    struct broker_loop base;
    struct broker *broker;
    struct mail mail;
    struct timer drain;
};

struct broker {
    struct broker_options options;
    struct cluster *cluster;
    struct group_coordinator *coordinator;
    struct broker_listeners *listeners;
    struct metrics_server *metrics; /* NULL = not served */
    struct hosted_loop *loops;
    struct image_observer observer; /* loop 0: who coordinates what */
    struct memory_budget memory;
    atomic_bool is_listening;  /* any loop */
    struct timer listen_again; /* loop 0: while a listener could not be opened */
    uint8_t pepper[32];
    struct hash_seed seed;
    int loops_open;
    void (*stopped)(void *context);
    void *stopped_context;
};

/* --- what coordinators ask of the image --- */

static const struct image *current_image(const struct broker *broker)
{
    const struct executor *executor = broker->options.executor;

    for (int i = 0; i < executor->loop_count; i++) {
        if (on_loop(executor->loops[i]))
            return cluster_image(broker->cluster, executor->loops[i]);
    }
    invariant(false && "asked on a loop");
    return NULL;
}

static const struct slice offsets_topic = {(const uint8_t *)"__consumer_offsets", 18};

static struct replica *host_offsets_replica(void *context, int32_t instance_no, int32_t partition)
{
    const struct broker *broker = context;
    const struct image_topic *topic =
        image_topic_by_name(current_image(broker), instance_no, offsets_topic);

    if (topic == NULL || partition < 0 || partition >= topic->partition_count ||
        topic->partitions[partition].leader != broker->options.broker_id)
        return NULL;
    return topic->replicas[partition];
}

static int32_t host_offsets_partitions(void *context, int32_t instance_no)
{
    const struct image_topic *topic =
        image_topic_by_name(current_image(context), instance_no, offsets_topic);

    return topic ? topic->partition_count : 0;
}

static bool host_topic_exists(void *context, int32_t instance_no, struct slice name)
{
    return image_topic_by_name(current_image(context), instance_no, name) != NULL;
}

static int64_t host_groups_limit(void *context, int32_t instance_no)
{
    const struct image_tenant *tenant = image_tenant_by_no(current_image(context), instance_no);

    return tenant ? tenant->limits.groups : -1;
}

/* --- who coordinates what, as the image changes --- */

static void lead_all(struct broker *broker, const struct image_topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct image_partition *partition = &topic->partitions[i];

        if (partition->leader == broker->options.broker_id && topic->replicas[i] != NULL)
            group_coordinator_lead(broker->coordinator, topic->instance_no, i, topic->replicas[i],
                                   partition->leader_epoch);
        else if (topic->replicas[i] != NULL)
            group_coordinator_resign(broker->coordinator, topic->instance_no, i,
                                     replica_loop(topic->replicas[i]), NULL, NULL);
    }
}

static void resign_all(struct broker *broker, const struct image_topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        if (topic->replicas[i] != NULL)
            group_coordinator_resign(broker->coordinator, topic->instance_no, i,
                                     replica_loop(topic->replicas[i]), NULL, NULL);
    }
}

static void on_image_change(struct image_observer *observer, const struct image_change *change)
{
    struct broker *broker = container_of(observer, struct broker, observer);
    const struct image_topic *topic = NULL;

    if (change->kind != IMAGE_TOPIC)
        return;
    topic = image_as_topic(change->after ? change->after : change->before);
    if (topic->is_internal && slice_equal(topic->name, offsets_topic)) {
        if (change->after != NULL)
            lead_all(broker, topic);
        else
            resign_all(broker, topic);
        return;
    }
    if (change->after == NULL)
        group_coordinator_topic_deleted(broker->coordinator, topic->instance_no, topic->name);
}

/* The cached image was filled before anyone could observe it. */
static void lead_known(struct broker *broker)
{
    const struct image *image = cluster_image(broker->cluster, broker->options.executor->loops[0]);
    const struct image_record *record = NULL;

    while ((record = image_next(image, IMAGE_TOPIC, record)) != NULL) {
        const struct image_topic *topic = image_as_topic(record);

        if (topic->is_internal && slice_equal(topic->name, offsets_topic))
            lead_all(broker, topic);
    }
}

/* --- life --- */

static void free_loops(struct broker *broker)
{
    for (int i = 0; broker->loops != NULL && i < broker->options.executor->loop_count; i++) {
        scheduler_done(&broker->loops[i].base.scheduler);
        login_guard_done(&broker->loops[i].base.guard);
        free(broker->loops[i].base.scratch.data);
        free(broker->loops[i].base.metrics);
        fetch_sessions_free(broker->loops[i].base.fetch_sessions);
    }
    free(broker->loops);
}

static enum err make_loops(struct broker *broker)
{
    struct executor *executor = broker->options.executor;

    broker->loops = calloc((size_t)executor->loop_count, sizeof(*broker->loops));
    if (broker->loops == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < executor->loop_count; i++) {
        struct hosted_loop *hosted = &broker->loops[i];

        hosted->broker = broker;
        hosted->base = (struct broker_loop){
            .loop = executor->loops[i],
            .image = cluster_image(broker->cluster, executor->loops[i]),
            .cluster = broker->cluster,
            .coordinator = broker->coordinator,
            .directory = broker->options.directory,
            .loop0 = executor->loops[0],
            .fetch_sessions = fetch_sessions_new(broker->seed, broker->options.random, FETCH_SLOTS),
            .random = broker->options.random,
            .pepper = broker->pepper,
            .seed = broker->seed,
            .broker_id = broker->options.broker_id,
            .handlers = served_apis,
            .handle_raw_sasl = handle_raw_sasl,
            .limits = &broker->options.limits,
            .memory = &broker->memory,
            .is_listening = &broker->is_listening,
            .scratch = {malloc(SCRATCH_BYTES), SCRATCH_BYTES},
            .metrics = calloc(1, sizeof(*hosted->base.metrics)),
        };
        list_init(&hosted->base.sessions);
        list_init(&hosted->base.starved);
        login_guard_init(&hosted->base.guard, &broker->options.limits.logins, broker->seed);
        handshake_queue_init(&hosted->base.handshakes, executor->loops[i]);
        scheduler_init(&hosted->base.scheduler, executor->loops[i], broker->seed);
        if (hosted->base.scratch.data == NULL || hosted->base.fetch_sessions == NULL ||
            hosted->base.metrics == NULL)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static void update_listeners(struct broker *broker)
{
    bool is_listening = broker_listeners_update(broker->listeners);

    atomic_store(&broker->is_listening, is_listening);
    if (!is_listening)
        timer_start_in(broker->options.executor->loops[0], &broker->listen_again, LISTEN_AGAIN_US);
}

static void listen_again(struct timer *timer)
{
    update_listeners(container_of(timer, struct broker, listen_again));
}

/* A port that is taken holds up no revocation: what could not be opened is tried again, and until then the broker is
 * not ready. */
static void open_listeners(void *context, int64_t version)
{
    struct broker *broker = context;

    if (broker->stopped == NULL)
        update_listeners(broker);
    cluster_listeners_opened(broker->cluster, version);
}

static enum err make_cluster(struct broker *broker, struct error *error)
{
    const struct broker_options *options = &broker->options;
    struct cluster_options cluster = {
        .executor = options->executor,
        .store = options->store,
        .disk = options->disk,
        .directory = options->directory,
        .random = options->random,
        .broker_id = options->broker_id,
        .open_listeners = open_listeners,
        .context = broker,
    };

    return cluster_new(&cluster, &broker->cluster, error);
}

static enum err make_coordinator(struct broker *broker)
{
    struct group_coordinator_options options = {
        .executor = broker->options.executor,
        .random = broker->options.random,
        .seed = broker->seed,
        .host = {broker, host_offsets_replica, host_offsets_partitions, host_topic_exists,
                 host_groups_limit},
        .group = group_shard_options_default(),
    };

    options.group.initial_rebalance_delay_ms = broker->options.group_initial_rebalance_delay_ms;
    return group_coordinator_new(&options, &broker->coordinator);
}

enum err broker_new(const struct broker_options *options, struct broker **ret_broker,
                    struct error *error)
{
    struct broker *broker = calloc(1, sizeof(*broker));
    struct broker_listeners_options listeners;
    enum err rc = ERR_OK;

    if (broker == NULL)
        return error_set(error, ERR_NO_MEMORY, "broker");
    broker->options = *options;
    broker->listen_again.fire = listen_again;
    memory_budget_init(&broker->memory, &options->limits.memory);
    rc = random_fill(options->random, broker->pepper, sizeof(broker->pepper));
    if (rc == ERR_OK)
        rc = random_fill(options->random, &broker->seed, sizeof(broker->seed));
    if (rc != ERR_OK)
        error_set(error, rc, "random numbers");
    if (rc == ERR_OK)
        rc = make_cluster(broker, error);
    if (rc == ERR_OK && (rc = make_coordinator(broker)) != ERR_OK)
        error_set(error, rc, "group coordinator");
    if (rc == ERR_OK && (rc = make_loops(broker)) != ERR_OK)
        error_set(error, rc, "loops of the broker");
    if (rc == ERR_OK) {
        listeners = (struct broker_listeners_options){
            .network = options->network,
            .cluster = broker->cluster,
            .loop0 = options->executor->loops[0],
            .tls = options->tls,
            .bind_addresses = broker->options.bind_addresses,
            .loop_of = broker_loop_of,
            .context = broker,
        };
        broker->listeners = broker_listeners_new(&listeners);
        rc = broker->listeners ? ERR_OK : error_set(error, ERR_NO_MEMORY, "listeners");
    }
    if (rc != ERR_OK) {
        broker_free(broker);
        return rc;
    }
    *ret_broker = broker;
    return ERR_OK;
}

struct broker_loop *broker_loop_of(void *context, const struct loop *loop)
{
    struct broker *broker = context;

    return &broker->loops[loop->index].base;
}

static void start_loop(struct mail *mail)
{
    broker_loop_start(&container_of(mail, struct hosted_loop, mail)->base);
}

/* Without its metrics a broker is better than no broker. */
static void serve_metrics(struct broker *broker)
{
    const struct broker_options *options = &broker->options;
    struct metrics_server_options metrics = {
        .network = options->network,
        .source = {.executor = options->executor,
                   .loop_of = broker_loop_of,
                   .context = broker,
                   .directory = options->directory,
                   .coordinator = broker->coordinator,
                   .tls = options->tls,
                   .software = options->software,
                   .has_process = options->has_process},
        .addresses = options->metrics_addresses,
        .port = options->metrics_port,
    };
    struct error error = {.code = ERR_OK};

    if (options->metrics_addresses[0] != NULL &&
        metrics_server_new(&metrics, &broker->metrics, &error) != ERR_OK)
        log_event(LOG_ERROR, "metrics_not_opened", f_i64("port", options->metrics_port),
                  f_str("why", error.message));
}

void broker_start(struct broker *broker)
{
    struct executor *executor = broker->options.executor;

    broker->loops_open = executor->loop_count;
    broker->observer.changed = on_image_change;
    image_observe(cluster_image(broker->cluster, executor->loops[0]), &broker->observer);
    lead_known(broker);
    for (int i = 0; i < executor->loop_count; i++) {
        broker->loops[i].mail.deliver = start_loop;
        loop_post(executor->loops[i], &broker->loops[i].mail);
    }
    cluster_start(broker->cluster);
    serve_metrics(broker);
}

/* --- the end, step by step --- */

static void on_directory_closed(void *context)
{
    struct broker *broker = context;

    broker->stopped(broker->stopped_context);
}

static void on_cluster_stopped(void *context)
{
    struct broker *broker = context;

    log_directory_close(broker->options.directory, on_directory_closed, broker);
}

static void on_coordinator_closed(void *context)
{
    struct broker *broker = context;

    cluster_stop(broker->cluster, on_cluster_stopped, broker);
}

static void loop_is_drained(struct mail *mail)
{
    struct broker *broker = container_of(mail, struct hosted_loop, mail)->broker;

    if (--broker->loops_open > 0)
        return;
    image_unobserve(&broker->observer);
    group_coordinator_close(broker->coordinator, on_coordinator_closed, broker);
}

static void check_drained(struct timer *timer)
{
    struct hosted_loop *hosted = container_of(timer, struct hosted_loop, drain);

    if (!broker_loop_is_empty(&hosted->base)) {
        timer_start_in(hosted->base.loop, &hosted->drain, DRAIN_CHECK_US);
        return;
    }
    hosted->mail.deliver = loop_is_drained;
    loop_post(hosted->base.loop0, &hosted->mail);
}

static void stop_loop(struct mail *mail)
{
    struct hosted_loop *hosted = container_of(mail, struct hosted_loop, mail);

    broker_loop_stop(&hosted->base);
    hosted->drain.fire = check_drained;
    timer_start_in(hosted->base.loop, &hosted->drain, 0);
}

static void on_metrics_stopped(void *context)
{
    struct broker *broker = context;
    struct executor *executor = broker->options.executor;

    broker_listeners_close(broker->listeners);
    for (int i = 0; i < executor->loop_count; i++) {
        broker->loops[i].mail.deliver = stop_loop;
        loop_post(executor->loops[i], &broker->loops[i].mail);
    }
}

void broker_stop(struct broker *broker, void (*done)(void *context), void *context)
{
    log_event(LOG_INFO, "broker_stopping", f_i64("broker", broker->options.broker_id));
    broker->stopped = done;
    broker->stopped_context = context;
    timer_stop(broker->options.executor->loops[0], &broker->listen_again);
    if (broker->metrics != NULL)
        metrics_server_stop(broker->metrics, on_metrics_stopped, broker);
    else
        on_metrics_stopped(broker);
}

void broker_free(struct broker *broker)
{
    if (broker == NULL)
        return;
    metrics_server_free(broker->metrics);
    broker_listeners_free(broker->listeners);
    free_loops(broker);
    if (broker->coordinator != NULL)
        group_coordinator_free(broker->coordinator);
    if (broker->cluster != NULL)
        cluster_free(broker->cluster);
    free(broker);
}

int broker_metrics_port(const struct broker *broker)
{
    return broker->metrics != NULL ? metrics_server_port(broker->metrics) : 0;
}

int broker_listener_port(const struct broker *broker, const char *name)
{
    return broker_listeners_port(broker->listeners, name);
}

const struct memory_budget *broker_memory(const struct broker *broker)
{
    return &broker->memory;
}
