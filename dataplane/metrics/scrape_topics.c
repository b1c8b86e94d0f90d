/* SPDX-License-Identifier: Apache-2.0 */
/* Topics and instances. The topics are taken at the start, with a reference each, so that walking them may
 * take many turns of the loop; totals are added when the last was seen. */
#include "dataplane/metrics/scrape_internal.h"
#include "dataplane/quota/instance_usage.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTITIONS_A_TURN = 256 };

static const struct broker_loop *home_of(const struct scrape *scrape)
{
    return scrape->source->loop_of(scrape->source->context, scrape->home);
}

/* --- what is walked --- */

static size_t count_topics(const struct image *image)
{
    size_t count = 0;

    for (size_t i = 0; i < image_tenant_count(image); i++)
        count += image_topic_count(image, image_tenant_at(image, i)->instance_no);
    return count;
}

static void take_topics(struct scrape *scrape, const struct image *image)
{
    for (size_t i = 0; i < image_tenant_count(image); i++) {
        int32_t instance_no = image_tenant_at(image, i)->instance_no;

        for (size_t t = 0; t < image_topic_count(image, instance_no); t++) {
            const struct image_topic *topic = image_topic_at(image, instance_no, t);

            image_record_ref(&topic->record);
            scrape->topics[scrape->topic_count++] = &topic->record;
        }
    }
}

static void add_cell(struct scrape *scrape, const struct image *image)
{
    int64_t active = 0;

    for (size_t i = 0; i < image_tenant_count(image); i++)
        active += image_tenant_at(image, i)->is_active;
    exposition_add(&scrape->exposition, FAMILY_INSTANCES, NULL, active);
    if (!scrape->is_per_object)
        return;
    exposition_add(&scrape->exposition, FAMILY_BROKERS, NULL, (int64_t)image_broker_count(image));
    exposition_add(&scrape->exposition, FAMILY_GROUPS_NOT_SHOWN, NULL, scrape->groups_not_shown);
    for (size_t i = 0; i < image_listener_count(image); i++) {
        const struct image_listener *listener = image_listener_at(image, i);
        char address[IMAGE_HOST_MAX + 8];
        struct metric_labels labels;

        metric_labels_clear(&labels);
        metric_labels_add_i64(&labels, "id", listener->broker);
        snprintf(address, sizeof(address), "%s:%d", listener->host, listener->port);
        metric_labels_add(&labels, "address", slice_from_cstring(address));
        metric_labels_add(&labels, "listener", slice_from_cstring(listener->name));
        exposition_add(&scrape->exposition, FAMILY_BROKER_INFO, &labels, 1);
    }
}

bool scrape_topics_begin(struct scrape *scrape)
{
    const struct image *image = home_of(scrape)->image;
    size_t count = count_topics(image);

    add_cell(scrape, image);
    scrape->topics = calloc(count > 0 ? count : 1, sizeof(struct image_record *));
    if (scrape->topics == NULL)
        return false;
    take_topics(scrape, image);
    return true;
}

void scrape_topics_end(struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->topic_count; i++)
        image_record_unref(scrape->topics[i]);
    free(scrape->topics);
    scrape->topics = NULL;
    scrape->topic_count = 0;
}

/* --- one partition, one topic --- */

static void total_partition(struct scrape_totals *totals, const struct image_topic *topic,
                            int32_t index, int32_t broker_id)
{
    const struct image_partition *partition = &topic->partitions[index];

    totals->offline += partition->leader < 0;
    totals->hosted += topic->replicas[index] != NULL;
    if (partition->leader != broker_id)
        return;
    totals->led++;
    totals->under_replicated += partition->isr_count < partition->replica_count;
    totals->under_min_isr += partition->isr_count < topic->min_insync_replicas;
    if (topic->replicas[index] != NULL)
        totals->log_bytes += replica_snapshot(topic->replicas[index])->size_bytes;
}

static void show_partition(struct scrape *scrape, const struct image_topic *topic, int32_t index,
                           const struct metric_labels *topic_labels)
{
    struct exposition *exposition = &scrape->exposition;
    const struct image_partition *partition = &topic->partitions[index];
    const struct log_snapshot *snapshot = NULL;
    struct metric_labels labels = *topic_labels;

    metric_labels_add_i64(&labels, "partition", index);
    exposition_add(exposition, FAMILY_TOPIC_LEADER, &labels, partition->leader);
    exposition_add(exposition, FAMILY_TOPIC_IN_SYNC, &labels, partition->isr_count);
    exposition_add(exposition, FAMILY_TOPIC_REPLICAS, &labels, partition->replica_count);
    exposition_add(exposition, FAMILY_TOPIC_LEADER_PREFERRED, &labels,
                   partition->replica_count > 0 && partition->leader == partition->replicas[0]);
    exposition_add(exposition, FAMILY_TOPIC_UNDER_REPLICATED, &labels,
                   partition->isr_count < partition->replica_count);
    if (topic->replicas[index] == NULL)
        return;
    snapshot = replica_snapshot(topic->replicas[index]);
    exposition_add(exposition, FAMILY_TOPIC_CURRENT_OFFSET, &labels, snapshot->high_watermark);
    exposition_add(exposition, FAMILY_TOPIC_OLDEST_OFFSET, &labels, snapshot->log_start);
    exposition_add(exposition, FAMILY_TOPIC_LOG_BYTES, &labels, snapshot->size_bytes);
}

static void show_topic(struct scrape *scrape, const struct image_topic *topic)
{
    const struct image_tenant *tenant =
        image_tenant_by_no(home_of(scrape)->image, topic->instance_no);
    char instance_id[UUID_TEXT_LEN + 1] = "";
    struct metric_labels labels;

    if (tenant == NULL) /* gone since */
        return;
    uuid_format(tenant->instance, instance_id);
    metric_labels_clear(&labels);
    metric_labels_add(&labels, "instance_id", slice_from_cstring(instance_id));
    metric_labels_add(&labels, "topic", topic->name);
    exposition_add(&scrape->exposition, FAMILY_TOPIC_PARTITIONS, &labels, topic->partition_count);
    for (int32_t i = 0; i < topic->partition_count; i++)
        show_partition(scrape, topic, i, &labels);
}

/* --- instances --- */

struct instance_sums {
    int64_t partitions;
    int64_t log_bytes;
};

static struct instance_sums sum_instance(const struct image *image, int32_t instance_no)
{
    struct instance_sums sums = {0, 0};

    for (size_t t = 0; t < image_topic_count(image, instance_no); t++) {
        const struct image_topic *topic = image_topic_at(image, instance_no, t);

        sums.partitions += topic->is_internal ? 0 : topic->partition_count;
        for (int32_t i = 0; i < topic->partition_count; i++) {
            if (topic->replicas[i] != NULL)
                sums.log_bytes += replica_snapshot(topic->replicas[i])->size_bytes;
        }
    }
    return sums;
}

/* Bytes, or microseconds of throttling. */
static void add_directed(struct exposition *exposition, enum broker_family family,
                         const struct metric_labels *of_instance, const char *direction,
                         int64_t value)
{
    struct metric_labels labels = *of_instance;

    metric_labels_add(&labels, "direction", slice_from_cstring(direction));
    if (family == FAMILY_INSTANCE_THROTTLED)
        exposition_add_us(exposition, family, &labels, value);
    else
        exposition_add(exposition, family, &labels, value);
}

static void show_usage(struct exposition *exposition, struct instance_usage *usage,
                       const struct metric_labels *labels)
{
    const struct instance_counts *counts = &usage->counts;

    exposition_add(exposition, FAMILY_INSTANCE_CONNECTIONS, labels,
                   instance_usage_connections(usage));
    exposition_add(exposition, FAMILY_INSTANCE_CLIENTS, labels,
                   (int64_t)client_count_now(&usage->clients));
    exposition_add(exposition, FAMILY_INSTANCE_REQUESTS, labels, atomic_load(&counts->requests));
    exposition_add(exposition, FAMILY_INSTANCE_REFUSED, labels,
                   atomic_load(&counts->refused_connections));
    exposition_add(exposition, FAMILY_INSTANCE_MEMORY, labels,
                   atomic_load(&usage->memory.used_bytes));
    add_directed(exposition, FAMILY_INSTANCE_BYTES, labels, "in",
                 atomic_load(&counts->produce_bytes));
    add_directed(exposition, FAMILY_INSTANCE_BYTES, labels, "out",
                 atomic_load(&counts->consume_bytes));
    add_directed(exposition, FAMILY_INSTANCE_THROTTLED, labels, "in",
                 1000 * atomic_load(&counts->produce_throttle_ms));
    add_directed(exposition, FAMILY_INSTANCE_THROTTLED, labels, "out",
                 1000 * atomic_load(&counts->consume_throttle_ms));
}

static void show_instance(struct scrape *scrape, const struct image_tenant *tenant)
{
    struct exposition *exposition = &scrape->exposition;
    struct instance_sums sums = sum_instance(home_of(scrape)->image, tenant->instance_no);
    char instance_id[UUID_TEXT_LEN + 1];
    struct metric_labels labels;

    uuid_format(tenant->instance, instance_id);
    metric_labels_clear(&labels);
    metric_labels_add(&labels, "instance_id", slice_from_cstring(instance_id));
    show_usage(exposition, tenant->usage, &labels);
    exposition_add(exposition, FAMILY_INSTANCE_PARTITIONS, &labels, sums.partitions);
    exposition_add(exposition, FAMILY_INSTANCE_LOG_BYTES, &labels, sums.log_bytes);
}

/* --- turns --- */

static void add_totals(struct scrape *scrape)
{
    const struct scrape_totals *totals = &scrape->totals;
    struct exposition *exposition = &scrape->exposition;

    exposition_add(exposition, FAMILY_PARTITIONS, NULL, totals->hosted);
    exposition_add(exposition, FAMILY_LEADERS, NULL, totals->led);
    exposition_add(exposition, FAMILY_UNDER_REPLICATED, NULL, totals->under_replicated);
    exposition_add(exposition, FAMILY_UNDER_MIN_ISR, NULL, totals->under_min_isr);
    exposition_add(exposition, FAMILY_OFFLINE, NULL, totals->offline);
    exposition_add(exposition, FAMILY_LOG_BYTES, NULL, totals->log_bytes);
}

static void see_topic(struct scrape *scrape, const struct image_topic *topic)
{
    int32_t broker_id = home_of(scrape)->broker_id;

    for (int32_t i = 0; i < topic->partition_count; i++)
        total_partition(&scrape->totals, topic, i, broker_id);
    if (scrape->is_per_object)
        show_topic(scrape, topic);
}

/* Instances come after topics; each is a piece of work by its partitions, too. */
static bool step_instances(struct scrape *scrape, int32_t budget)
{
    const struct image *image = home_of(scrape)->image;

    while (scrape->is_per_object && scrape->next_instance < image_tenant_count(image)) {
        const struct image_tenant *tenant = image_tenant_at(image, scrape->next_instance);

        if (budget <= 0)
            return false;
        show_instance(scrape, tenant);
        budget -= 1 + (int32_t)image_topic_count(image, tenant->instance_no);
        scrape->next_instance++;
    }
    return true;
}

bool scrape_topics_step(struct scrape *scrape)
{
    int32_t budget = PARTITIONS_A_TURN;

    while (scrape->next_topic < scrape->topic_count) {
        const struct image_topic *topic = image_as_topic(scrape->topics[scrape->next_topic]);

        if (budget <= 0)
            return false;
        see_topic(scrape, topic);
        budget -= 1 + topic->partition_count;
        scrape->next_topic++;
    }
    if (!step_instances(scrape, budget))
        return false;
    add_totals(scrape);
    return true;
}
