/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/clients/librdkafka/admin.h"

#include "tests/clients/librdkafka/check.h"
#include "tests/clients/librdkafka/client.h"

#include <string.h>

static rd_kafka_event_t *await(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);

    if (event == NULL)
        fail("no answer in %d ms", PATIENCE_MS);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("%s", rd_kafka_event_error_string(event));
    return event;
}

/* The one topic of an answer, or the end of the program. */
static void check_topic(const rd_kafka_topic_result_t **results, size_t count)
{
    expect_number((int64_t)count, 1, "results");
    if (rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("%s", rd_kafka_topic_result_error_string(results[0]));
}

void create_topic(rd_kafka_t *client, const char *topic, int partitions)
{
    char why[256];
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, -1, why, sizeof(why));

    if (wanted == NULL)
        fail("%s", why);
    rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    check_topic(results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(wanted);
    rd_kafka_queue_destroy(queue);
}

void delete_topic(rd_kafka_t *client, const char *topic)
{
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopic_t *unwanted = rd_kafka_DeleteTopic_new(topic);

    rd_kafka_DeleteTopics(client, &unwanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    check_topic(results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(unwanted);
    rd_kafka_queue_destroy(queue);
}

void grow_topic(rd_kafka_t *client, const char *topic, int partitions)
{
    char why[256];
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(topic, (size_t)partitions, why, sizeof(why));

    if (wanted == NULL)
        fail("%s", why);
    rd_kafka_CreatePartitions(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    check_topic(results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(wanted);
    rd_kafka_queue_destroy(queue);
}

int partitions_of(rd_kafka_t *client, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int count = 0;

    expect_no_error(rd_kafka_metadata(client, 1, NULL, &metadata, PATIENCE_MS), "metadata");
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, topic) != 0)
            continue;
        count = metadata->topics[i].partition_cnt;
        for (int partition = 0; partition < count; partition++)
            if (metadata->topics[i].partitions[partition].leader < 0)
                fail("partition %d has no leader", partition);
    }
    rd_kafka_metadata_destroy(metadata);
    return count;
}

void alter_setting(rd_kafka_t *client, const char *topic, const char *name, const char *value)
{
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);

    expect_no_error(rd_kafka_ConfigResource_set_config(resource, name, value), name);
    rd_kafka_AlterConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_ConfigResource_t **results =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &count);
    expect_number((int64_t)count, 1, "results");
    expect_no_error(rd_kafka_ConfigResource_error(results[0]), name);
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
}

void expect_setting(rd_kafka_t *client, const char *topic, const char *name, const char *wanted)
{
    const char *value = NULL;
    size_t count = 0, entry_count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);

    rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_ConfigResource_t **results = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    expect_number((int64_t)count, 1, "results");
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(results[0], &entry_count);
    for (size_t i = 0; i < entry_count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            value = rd_kafka_ConfigEntry_value(entries[i]);
    if (value == NULL || strcmp(value, wanted) != 0)
        fail("%s is %s, not %s", name, value == NULL ? "not there" : value, wanted);
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
}
