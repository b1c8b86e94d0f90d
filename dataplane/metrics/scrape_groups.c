/* SPDX-License-Identifier: Apache-2.0 */
/* Consumer groups, as kafka_exporter shows them. A group's id may be any bytes; one that cannot be a label
 * is counted, not shown. */
#include "dataplane/coordinator/group_coordinator.h"
#include "dataplane/metrics/scrape_internal.h"

/* The loop's own view, while its shards are shown. */
struct groups_view {
    struct scrape *scrape;
    const struct image *image;
};

static void on_instance(void *context, int32_t instance_no)
{
    struct groups_view *view = context;
    const struct image_tenant *tenant = image_tenant_by_no(view->image, instance_no);

    view->scrape->instance_no = instance_no;
    view->scrape->instance_id[0] = '\0';
    if (tenant != NULL)
        uuid_format(tenant->instance, view->scrape->instance_id);
}

static void group_labels(const struct scrape *scrape, struct slice group_id,
                         struct metric_labels *labels)
{
    metric_labels_clear(labels);
    metric_labels_add(labels, "instance_id", slice_from_cstring(scrape->instance_id));
    metric_labels_add(labels, "consumergroup", group_id);
}

static void on_group(void *context, struct slice group_id, size_t members)
{
    struct scrape *scrape = ((struct groups_view *)context)->scrape;
    struct metric_labels labels;

    if (!label_value_is_text(group_id)) {
        scrape->groups_not_shown++;
        return;
    }
    group_labels(scrape, group_id, &labels);
    exposition_add(&scrape->exposition, FAMILY_GROUP_MEMBERS, &labels, (int64_t)members);
}

/* Lag is known where the partition lives here. */
static void on_offset(void *context, struct slice group_id, struct slice topic, int32_t partition,
                      int64_t offset)
{
    const struct groups_view *view = context;
    struct scrape *scrape = view->scrape;
    const struct image_topic *known = image_topic_by_name(view->image, scrape->instance_no, topic);
    struct metric_labels labels;
    int64_t end = 0;

    if (!label_value_is_text(group_id) || known == NULL || partition >= known->partition_count)
        return;
    group_labels(scrape, group_id, &labels);
    metric_labels_add(&labels, "topic", topic);
    metric_labels_add_i64(&labels, "partition", partition);
    exposition_add(&scrape->exposition, FAMILY_GROUP_OFFSET, &labels, offset);
    if (known->replicas[partition] == NULL)
        return;
    end = replica_snapshot(known->replicas[partition])->high_watermark;
    exposition_add(&scrape->exposition, FAMILY_GROUP_LAG, &labels, end > offset ? end - offset : 0);
}

void scrape_groups(struct scrape *scrape, const struct loop *loop)
{
    const struct scrape_source *source = scrape->source;
    struct groups_view view = {scrape, source->loop_of(source->context, loop)->image};
    struct coordinator_visitor visitor = {on_instance, {&view, on_group, on_offset}};

    group_coordinator_visit(source->coordinator, loop, &visitor);
}
