/* SPDX-License-Identifier: Apache-2.0 */
/* Topics: partitions are arrays [leader, leader epoch, partition epoch, [replicas], [in-sync
 * replicas]]; settings hold only what was set. Name and values are copied into one block. */
#include "dataplane/cluster/image_parse_internal.h"

#include <stdlib.h>

static bool parse_integer(const json_t *value, int64_t minimum, int64_t maximum, int32_t *ret)
{
    int64_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < minimum || number > maximum)
        return false;
    *ret = (int32_t)number;
    return true;
}

static bool contains(const int32_t *brokers, size_t count, int32_t broker)
{
    for (size_t i = 0; i < count; i++) {
        if (brokers[i] == broker)
            return true;
    }
    return false;
}

/* Distinct broker ids. */
static bool parse_brokers(const json_t *array, int32_t brokers[IMAGE_MAX_REPLICAS],
                          uint8_t *ret_count)
{
    size_t count = json_array_size(array);

    if (!json_is_array(array) || count > IMAGE_MAX_REPLICAS)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!parse_integer(json_array_get(array, i), 0, INT32_MAX, &brokers[i]) ||
            contains(brokers, i, brokers[i]))
            return false;
    }
    *ret_count = (uint8_t)count;
    return true;
}

static bool parse_partition(const json_t *array, struct image_partition *partition)
{
    if (json_array_size(array) != 5 ||
        !parse_integer(json_array_get(array, 0), -1, INT32_MAX, &partition->leader) ||
        !parse_integer(json_array_get(array, 1), 0, INT32_MAX, &partition->leader_epoch) ||
        !parse_integer(json_array_get(array, 2), 0, INT32_MAX, &partition->partition_epoch) ||
        !parse_brokers(json_array_get(array, 3), partition->replicas, &partition->replica_count) ||
        !parse_brokers(json_array_get(array, 4), partition->isr, &partition->isr_count))
        return false;
    for (size_t i = 0; i < partition->isr_count; i++) {
        if (!contains(partition->replicas, partition->replica_count, partition->isr[i]))
            return false;
    }
    return partition->replica_count > 0 &&
           (partition->leader == -1 ||
            contains(partition->replicas, partition->replica_count, partition->leader));
}

static enum err parse_partitions(struct image_fields *fields, struct image_topic *topic)
{
    const json_t *array = fields_array(fields, "partitions");
    size_t count = json_array_size(array);

    if (count == 0 || count > IMAGE_MAX_PARTITIONS) {
        fields_fail(fields, "partitions", "are too few or too many");
        return ERR_OK;
    }
    topic->partitions = calloc(count, sizeof(struct image_partition));
    topic->replicas = calloc(count, sizeof(struct replica *));
    if (topic->partitions == NULL || topic->replicas == NULL)
        return ERR_NO_MEMORY;
    topic->partition_count = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        if (!parse_partition(json_array_get(array, i), &topic->partitions[i])) {
            fields_fail(fields, "partitions", "hold one that is malformed");
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* Appends text and a NUL to the topic's block, which has room. */
static struct slice keep_text(struct image_topic *topic, size_t *at, struct slice text)
{
    char *to = topic->texts + *at;

    memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    *at += text.len + 1;
    return slice_of(to, text.len);
}

static bool override_text(const json_t *configs, size_t index, struct slice *ret_text)
{
    const json_t *value = json_object_get(configs, topic_setting_at(index)->name);

    if (!json_is_string(value) || json_string_length(value) >= SETTING_VALUE_MAX)
        return false;
    *ret_text = slice_of(json_string_value(value), json_string_length(value));
    return true;
}

/* Keys that this release does not know are left to a later one. */
static enum err parse_texts(struct image_fields *fields, struct image_topic *topic)
{
    struct slice name = fields_text(fields, "name", 1, TOPIC_NAME_MAX);
    const json_t *configs = fields_object(fields, "configs");
    size_t size = name.len + 1, count = 0, at = 0;
    struct slice text = SLICE_NULL;

    for (size_t i = 0; i < topic_setting_count(); i++) {
        if (override_text(configs, i, &text)) {
            size += text.len + 1;
            count++;
        }
    }
    topic->texts = malloc(size);
    topic->overrides = calloc(count > 0 ? count : 1, sizeof(struct topic_override));
    if (topic->texts == NULL || topic->overrides == NULL)
        return ERR_NO_MEMORY;
    topic->name = keep_text(topic, &at, name);
    for (size_t i = 0; i < topic_setting_count(); i++) {
        if (override_text(configs, i, &text))
            topic->overrides[topic->override_count++] = (struct topic_override){
                .setting = topic_setting_at(i), .value = keep_text(topic, &at, text)};
    }
    if (topic_name_check(topic->name, TOPIC_NAME_MAX) != NULL)
        fields_fail(fields, "name", "is not a topic name");
    return ERR_OK;
}

static void resolve(const struct image_parser *parser, struct image_topic *topic)
{
    static const bool nothing_changed[64];
    static const struct topic_policy unknown = {
        .allows_every_key = true, .max_retention_bytes = -1, .max_message_bytes = -1};
    const struct image_tenant *tenant = image_tenant_by_no(parser->image, topic->instance_no);
    struct topic_settings_check check = {
        .overrides = topic->overrides,
        .count = topic->override_count,
        .changed = nothing_changed,
        .policy = tenant ? &tenant->policy : &unknown,
        .broker_count = (int32_t)image_broker_count(parser->image),
        .is_internal = topic->is_internal,
    };

    /* Nothing changed, so nothing is refused. */
    invariant(topic->override_count <= sizeof(nothing_changed));
    (void)topic_settings_check(&check);
    topic->config = check.config;
    topic->min_insync_replicas = check.min_insync_replicas;
}

enum err image_parse_topic(const struct image_parser *parser, struct image_fields *fields,
                           struct image_record **ret_record)
{
    struct image_record *record = image_record_new(IMAGE_TOPIC, sizeof(struct image_topic));
    struct image_topic *topic = (struct image_topic *)(void *)record;
    enum err rc = ERR_OK;

    if (record == NULL)
        return ERR_NO_MEMORY;
    *ret_record = record;
    topic->topic_id = fields_uuid(fields, "topic_id");
    topic->instance_no = (int32_t)fields_integer(fields, "instance_no", 1, INT32_MAX);
    topic->is_internal = fields_bool(fields, "internal");
    record->id = slice_of(topic->topic_id.bytes, sizeof(topic->topic_id.bytes));
    rc = parse_texts(fields, topic);
    if (rc == ERR_OK)
        rc = parse_partitions(fields, topic);
    if (rc != ERR_OK || fields->is_bad)
        return rc;
    resolve(parser, topic);
    return ERR_OK;
}
