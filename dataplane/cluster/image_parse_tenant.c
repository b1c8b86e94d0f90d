/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/checked.h"
#include "dataplane/cluster/image_parse_internal.h"

#include <stdlib.h>

#define MAX_INTERNAL_PARTITIONS 1000

static void parse_limits(struct image_fields *fields, struct image_limits *limits)
{
    struct image_fields inner = {.object = fields_object(fields, "limits"), .error = fields->error};

    if (inner.object == NULL) {
        fields_fail(fields, "limits", "is missing");
        return;
    }
    limits->partitions = fields_integer(&inner, "partitions", -1, INT64_MAX);
    limits->produce_bytes_per_second =
        fields_integer(&inner, "produce_bytes_per_second", -1, INT64_MAX);
    limits->consume_bytes_per_second =
        fields_integer(&inner, "consume_bytes_per_second", -1, INT64_MAX);
    /* Not there in what an earlier release published. */
    limits->produce_bytes_per_second_per_partition =
        fields_integer_or(&inner, "produce_bytes_per_second_per_partition", -1, INT64_MAX, -1);
    limits->consume_bytes_per_second_per_partition =
        fields_integer_or(&inner, "consume_bytes_per_second_per_partition", -1, INT64_MAX, -1);
    limits->clients = fields_integer_or(&inner, "clients", -1, INT64_MAX, -1);
    limits->connections = fields_integer(&inner, "connections", -1, INT64_MAX);
    limits->groups = fields_integer(&inner, "groups", -1, INT64_MAX);
    limits->max_message_bytes = fields_integer(&inner, "max_message_bytes", -1, INT64_MAX);
    limits->retention_bytes_per_partition =
        fields_integer(&inner, "retention_bytes_per_partition", -1, INT64_MAX);
    limits->storage_bytes = fields_integer(&inner, "storage_bytes", -1, INT64_MAX);
    fields->is_bad = fields->is_bad || inner.is_bad;
}

/* {"retention.ms": {"min": …, "max": …}, "cleanup.policy": {}, …}: keys that this release does not
 * know are for a later one. */
static enum err parse_policy(struct image_fields *fields, struct topic_policy *policy)
{
    const json_t *settings = fields_object(fields, "topic_settings");
    size_t room = settings ? json_object_size(settings) : 0;

    policy->allows_every_key = settings == NULL;
    if (room == 0 || fields->is_bad)
        return ERR_OK;
    if (room > topic_setting_count())
        room = topic_setting_count();
    policy->ranges = calloc(room, sizeof(struct topic_setting_range));
    if (policy->ranges == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < topic_setting_count() && policy->range_count < room; i++) {
        const struct topic_setting *setting = topic_setting_at(i);
        struct image_fields range = {.object = json_object_get(settings, setting->name),
                                     .error = fields->error};

        if (range.object == NULL)
            continue;
        if (!json_is_object(range.object)) {
            fields_fail(fields, setting->name, "of topic_settings is not an object");
            return ERR_OK;
        }
        policy->ranges[policy->range_count++] = (struct topic_setting_range){
            .setting = setting,
            .minimum = fields_integer_or(&range, "min", INT64_MIN, INT64_MAX, INT64_MIN),
            .maximum = fields_integer_or(&range, "max", INT64_MIN, INT64_MAX, INT64_MAX)};
        fields->is_bad = fields->is_bad || range.is_bad;
    }
    return ERR_OK;
}

static bool parse_state(struct image_fields *fields)
{
    struct slice state = fields_text(fields, "state", 1, 32);

    if (!slice_equal_cstring(state, "active") && !slice_equal_cstring(state, "suspended"))
        fields_fail(fields, "state", "is not active or suspended");
    return slice_equal_cstring(state, "active");
}

/* All versions of a tenant share one usage. */
static enum err attach_usage(const struct image_parser *parser, struct image_tenant *tenant)
{
    const struct image_tenant *before = image_tenant_by_uuid(parser->image, tenant->instance);

    if (before == NULL)
        return instance_usage_new(parser->now_us, &tenant->usage);
    instance_usage_ref(before->usage);
    tenant->usage = before->usage;
    return ERR_OK;
}

enum err image_parse_tenant(const struct image_parser *parser, struct image_fields *fields,
                            struct image_record **ret_record)
{
    struct image_record *record = image_record_new(IMAGE_TENANT, sizeof(struct image_tenant));
    struct image_tenant *tenant = (struct image_tenant *)(void *)record;
    enum err rc = ERR_OK;

    if (record == NULL)
        return ERR_NO_MEMORY;
    *ret_record = record;
    tenant->instance = fields_uuid(fields, "instance");
    tenant->instance_no = (int32_t)fields_integer(fields, "instance_no", 1, INT32_MAX);
    fields_copy(fields, "label", 1, tenant->label, sizeof(tenant->label));
    uuid_format_base64(tenant->instance, tenant->cluster_id);
    tenant->is_active = parse_state(fields);
    tenant->is_internal_visible = fields_bool(fields, "internal_visible");
    tenant->internal_partitions =
        (int32_t)fields_integer(fields, "internal_partitions", 1, MAX_INTERNAL_PARTITIONS);
    parse_limits(fields, &tenant->limits);
    record->id = slice_of(tenant->instance.bytes, sizeof(tenant->instance.bytes));
    rc = parse_policy(fields, &tenant->policy);
    tenant->policy.max_retention_bytes = tenant->limits.retention_bytes_per_partition;
    tenant->policy.max_message_bytes = tenant->limits.max_message_bytes;
    return rc == ERR_OK ? attach_usage(parser, tenant) : rc;
}
