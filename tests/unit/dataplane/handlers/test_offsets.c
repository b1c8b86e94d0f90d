/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetCommit, OffsetFetch, OffsetDelete, DeleteRecords. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

static struct uuid orders_id;

static void setup(void)
{
    rig_setup();
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 3), KAFKA_NONE);
    orders_id = rig_topic_id(&rig_client, "orders");
}

/* --- committing --- */

static struct kafka_offset_commit_response committed;

/* Commits offset + i for partition i of the topic, count of them. */
static void commit(struct sim_kafka *kafka, int16_t version, const char *group, const char *topic,
                   struct uuid topic_id, int64_t offset, int32_t count)
{
    struct kafka_offset_commit_request request;
    struct kafka_offset_commit_request_topic item;
    struct kafka_offset_commit_request_partition partitions[8];

    kafka_offset_commit_request_init_defaults(&request);
    kafka_offset_commit_request_topic_init_defaults(&item);
    request.group_id = text(group);
    request.member_id = text("");
    item.name = text(topic);
    item.topic_id = topic_id;
    item.partitions.items = partitions;
    item.partitions.count = count;
    for (int32_t i = 0; i < count; i++) {
        kafka_offset_commit_request_partition_init_defaults(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].committed_offset = offset + i;
        partitions[i].committed_leader_epoch = 0;
        partitions[i].committed_metadata = text("note");
    }
    request.topics.items = &item;
    request.topics.count = 1;
    rig_call(kafka, OFFSET_COMMIT, offset_commit, version, &request, &committed);
    ck_assert_int_eq(committed.topics.count, 1);
    ck_assert_int_eq(committed.topics.items[0].partitions.count, count);
}

static int commit_error(int32_t partition)
{
    return committed.topics.items[0].partitions.items[partition].error_code;
}

/* Offset of a partition by version 5; -1 = none. */
static int64_t fetch_one(struct sim_kafka *kafka, const char *group, int32_t partition)
{
    struct kafka_offset_fetch_request request;
    struct kafka_offset_fetch_request_topic topic;
    struct kafka_offset_fetch_response response;

    kafka_offset_fetch_request_init_defaults(&request);
    kafka_offset_fetch_request_topic_init_defaults(&topic);
    request.group_id = text(group);
    topic.name = text("orders");
    topic.partition_indexes = (struct kafka_i32_array){&partition, 1};
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(kafka, OFFSET_FETCH, offset_fetch, 5, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    ck_assert_int_eq(response.topics.items[0].partitions.items[0].error_code, KAFKA_NONE);
    return response.topics.items[0].partitions.items[0].committed_offset;
}

START_TEST(offsets_are_committed_in_every_version)
{
    for (int16_t version = 2; version <= KAFKA_OFFSET_COMMIT_REQUEST_HIGHEST_VERSION; version++) {
        commit(&rig_client, version, "g", "orders", orders_id, version * 10, 3);
        for (int32_t i = 0; i < 3; i++)
            ck_assert_int_eq(commit_error(i), KAFKA_NONE);
        if (version < 10)
            assert_text(committed.topics.items[0].name, "orders");
        else
            ck_assert(uuid_equal(committed.topics.items[0].topic_id, orders_id));
        ck_assert_int_eq(fetch_one(&rig_client, "g", 2), version * 10 + 2);
    }
}
END_TEST

START_TEST(unknown_partitions_are_refused_and_the_others_committed)
{
    commit(&rig_client, 9, "g", "orders", orders_id, 100, 5);
    ck_assert_int_eq(commit_error(2), KAFKA_NONE);
    ck_assert_int_eq(commit_error(3), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(commit_error(4), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(fetch_one(&rig_client, "g", 2), 102);
    ck_assert_int_eq(fetch_one(&rig_client, "g", 3), -1);
}
END_TEST

START_TEST(another_instances_topic_cannot_be_committed_for)
{
    commit(&rig_other, 9, "g", "orders", orders_id, 100, 1);
    ck_assert_int_eq(commit_error(0), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    commit(&rig_other, 10, "g", "", orders_id, 100, 1);
    ck_assert_int_eq(commit_error(0), KAFKA_UNKNOWN_TOPIC_ID);
    ck_assert(uuid_equal(committed.topics.items[0].topic_id, orders_id));
}
END_TEST

START_TEST(the_same_group_in_two_instances_has_two_positions)
{
    rig_create_topic(&rig_other, "orders", 3);
    commit(&rig_client, 9, "g", "orders", orders_id, 100, 1);
    ck_assert_int_eq(fetch_one(&rig_other, "g", 0), -1);
    commit(&rig_other, 9, "g", "orders", orders_id, 7, 1);
    ck_assert_int_eq(fetch_one(&rig_client, "g", 0), 100);
    ck_assert_int_eq(fetch_one(&rig_other, "g", 0), 7);
}
END_TEST

START_TEST(an_error_of_the_group_is_in_every_partition)
{
    struct kafka_offset_commit_request request;
    struct kafka_offset_commit_request_topic topic;
    struct kafka_offset_commit_request_partition partitions[2] = {{.partition_index = 0},
                                                                  {.partition_index = 9}};

    kafka_offset_commit_request_init_defaults(&request);
    kafka_offset_commit_request_topic_init_defaults(&topic);
    request.group_id = text("g");
    request.member_id = text("nobody");
    request.generation_id_or_member_epoch = 5;
    topic.name = text("orders");
    topic.partitions.items = partitions;
    topic.partitions.count = 2;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(&rig_client, OFFSET_COMMIT, offset_commit, 8, &request, &committed);
    ck_assert_int_eq(commit_error(0), KAFKA_ILLEGAL_GENERATION);
    ck_assert_int_eq(commit_error(1), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

/* --- fetching --- */

START_TEST(one_group_is_fetched_up_to_version_7)
{
    int32_t partitions[] = {1, 9};
    struct kafka_offset_fetch_request request;
    struct kafka_offset_fetch_request_topic topics[2];
    struct kafka_offset_fetch_response response;

    commit(&rig_client, 9, "g", "orders", orders_id, 100, 3);
    for (int16_t version = 1; version <= 7; version++) {
        kafka_offset_fetch_request_init_defaults(&request);
        for (int i = 0; i < 2; i++) {
            kafka_offset_fetch_request_topic_init_defaults(&topics[i]);
            topics[i].name = text(i == 0 ? "orders" : "nothing");
            topics[i].partition_indexes = (struct kafka_i32_array){partitions, 2};
        }
        request.group_id = text("g");
        request.topics.items = topics;
        request.topics.count = 2;
        request.require_stable = true;
        rig_call(&rig_client, OFFSET_FETCH, offset_fetch, version, &request, &response);
        ck_assert_int_eq(response.topics.count, 2);
        assert_text(response.topics.items[1].name, "nothing");
        for (int t = 0; t < 2; t++) {
            for (int p = 0; p < 2; p++) {
                const struct kafka_offset_fetch_response_partition *partition =
                    &response.topics.items[t].partitions.items[p];
                bool is_there = t == 0 && p == 0;

                ck_assert_int_eq(partition->partition_index, partitions[p]);
                ck_assert_int_eq(partition->error_code, KAFKA_NONE);
                ck_assert_int_eq(partition->committed_offset, is_there ? 101 : -1);
                ck_assert_int_eq(partition->committed_leader_epoch,
                                 is_there && version >= 5 ? 0 : -1);
                assert_text(partition->metadata, is_there ? "note" : "");
            }
        }
        if (version < 2)
            continue;
        request.topics.items = NULL;
        request.topics.count = -1;
        rig_call(&rig_client, OFFSET_FETCH, offset_fetch, version, &request, &response);
        ck_assert_int_eq(response.topics.count, 1);
        ck_assert_int_eq(response.topics.items[0].partitions.count, 3);
    }
}
END_TEST

START_TEST(several_groups_are_fetched_from_version_8_on)
{
    int32_t partition = 1;
    struct uuid none = {{9, 9}};
    struct kafka_offset_fetch_request request;
    struct kafka_offset_fetch_request_group groups[4];
    struct kafka_offset_fetch_request_group_topic topics[2];
    struct kafka_offset_fetch_response response;

    commit(&rig_client, 9, "g", "orders", orders_id, 100, 3);
    for (int16_t version = 8; version <= KAFKA_OFFSET_FETCH_REQUEST_HIGHEST_VERSION; version++) {
        kafka_offset_fetch_request_init_defaults(&request);
        for (int i = 0; i < 4; i++) {
            kafka_offset_fetch_request_group_init_defaults(&groups[i]);
            groups[i].group_id = text(i == 1 ? "empty" : "g");
            groups[i].topics.items = topics;
            groups[i].topics.count = 2;
        }
        for (int i = 0; i < 2; i++) {
            kafka_offset_fetch_request_group_topic_init_defaults(&topics[i]);
            topics[i].name = text(i == 0 ? "orders" : "nothing");
            topics[i].topic_id = i == 0 ? orders_id : none;
            topics[i].partition_indexes = (struct kafka_i32_array){&partition, 1};
        }
        groups[2].group_id = text("all"); /* nothing committed, everything wanted */
        groups[2].topics.items = NULL;
        groups[2].topics.count = -1;
        request.groups.items = groups;
        request.groups.count = 4;
        rig_call(&rig_client, OFFSET_FETCH, offset_fetch, version, &request, &response);
        ck_assert_int_eq(response.groups.count, 3); /* "g" is there once */
        assert_text(response.groups.items[0].group_id, "g");
        ck_assert_int_eq(
            response.groups.items[0].topics.items[0].partitions.items[0].committed_offset, 101);
        ck_assert_int_eq(
            response.groups.items[1].topics.items[0].partitions.items[0].committed_offset, -1);
        ck_assert_int_eq(response.groups.items[0].topics.items[1].partitions.items[0].error_code,
                         version >= 10 ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_NONE);
        ck_assert_int_eq(
            response.groups.items[0].topics.items[1].partitions.items[0].committed_offset, -1);
        ck_assert_int_eq(response.groups.items[2].topics.count, 0);
        if (version >= 10)
            ck_assert(uuid_equal(response.groups.items[0].topics.items[0].topic_id, orders_id));
    }
}
END_TEST

START_TEST(all_of_a_group_comes_with_names_or_ids)
{
    struct kafka_offset_fetch_request request;
    struct kafka_offset_fetch_request_group group;
    struct kafka_offset_fetch_response response;

    commit(&rig_client, 9, "g", "orders", orders_id, 100, 3);
    for (int16_t version = 8; version <= KAFKA_OFFSET_FETCH_REQUEST_HIGHEST_VERSION; version++) {
        kafka_offset_fetch_request_init_defaults(&request);
        kafka_offset_fetch_request_group_init_defaults(&group);
        group.group_id = text("g");
        group.topics.count = -1;
        request.groups.items = &group;
        request.groups.count = 1;
        rig_call(&rig_client, OFFSET_FETCH, offset_fetch, version, &request, &response);
        ck_assert_int_eq(response.groups.items[0].topics.count, 1);
        ck_assert_int_eq(response.groups.items[0].topics.items[0].partitions.count, 3);
        if (version < 10)
            assert_text(response.groups.items[0].topics.items[0].name, "orders");
        else
            ck_assert(uuid_equal(response.groups.items[0].topics.items[0].topic_id, orders_id));
    }
}
END_TEST

/* --- deleting offsets --- */

START_TEST(offsets_are_deleted_partition_by_partition)
{
    struct kafka_offset_delete_request request;
    struct kafka_offset_delete_request_topic topic;
    struct kafka_offset_delete_request_partition partitions[2] = {{1}, {9}};
    struct kafka_offset_delete_response response;

    commit(&rig_client, 9, "g", "orders", orders_id, 100, 3);
    kafka_offset_delete_request_init_defaults(&request);
    kafka_offset_delete_request_topic_init_defaults(&topic);
    request.group_id = text("g");
    topic.name = text("orders");
    topic.partitions.items = partitions;
    topic.partitions.count = 2;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(&rig_client, OFFSET_DELETE, offset_delete, 0, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    ck_assert_int_eq(response.topics.items[0].partitions.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(response.topics.items[0].partitions.items[1].error_code,
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(fetch_one(&rig_client, "g", 1), -1);
    ck_assert_int_eq(fetch_one(&rig_client, "g", 2), 102);
    request.group_id = text("nothing");
    rig_call(&rig_client, OFFSET_DELETE, offset_delete, 0, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_GROUP_ID_NOT_FOUND);
    ck_assert_int_eq(response.topics.count, 0);
}
END_TEST

/* --- DeleteRecords --- */

static struct kafka_delete_records_response_partition trimmed;

static int trim(struct sim_kafka *kafka, int16_t version, const char *topic, int32_t partition,
                int64_t offset)
{
    struct kafka_delete_records_request request;
    struct kafka_delete_records_request_topic item;
    struct kafka_delete_records_request_partition asked = {partition, offset};
    struct kafka_delete_records_response response;

    kafka_delete_records_request_init_defaults(&request);
    kafka_delete_records_request_topic_init_defaults(&item);
    item.name = text(topic);
    item.partitions.items = &asked;
    item.partitions.count = 1;
    request.topics.items = &item;
    request.topics.count = 1;
    request.timeout_ms = 10000;
    rig_call(kafka, DELETE_RECORDS, delete_records, version, &request, &response);
    assert_text(response.topics.items[0].name, topic);
    trimmed = response.topics.items[0].partitions.items[0];
    ck_assert_int_eq(trimmed.partition_index, partition);
    return trimmed.error_code;
}

START_TEST(records_below_an_offset_are_deleted)
{
    ck_assert_int_eq(rig_produce(&rig_client, "orders", 10), KAFKA_NONE);
    for (int16_t version = 0; version <= 2; version++) {
        ck_assert_int_eq(trim(&rig_client, version, "orders", 0, 2 + version), KAFKA_NONE);
        ck_assert_int_eq(trimmed.low_watermark, 2 + version);
    }
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, 1), KAFKA_NONE); /* gone already */
    ck_assert_int_eq(trimmed.low_watermark, 4);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, -1), KAFKA_NONE); /* all */
    ck_assert_int_eq(trimmed.low_watermark, 10);
}
END_TEST

START_TEST(records_that_are_not_there_or_not_ones_own_cannot_be_deleted)
{
    ck_assert_int_eq(rig_produce(&rig_client, "orders", 10), KAFKA_NONE);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, 11), KAFKA_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(trimmed.low_watermark, -1);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, -2), KAFKA_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 7, 1), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(trim(&rig_other, 2, "orders", 0, 1), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(trim(&rig_client, 2, "__consumer_offsets", 0, 1),
                     KAFKA_INVALID_TOPIC_EXCEPTION);
    rig_hide_internal_topics(0);
    ck_assert_int_eq(trim(&rig_client, 2, "__consumer_offsets", 0, 1),
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(compacted_topics_keep_their_records)
{
    struct kafka_incremental_alter_configs_request request;
    struct kafka_incremental_alter_configs_request_resource resource;
    struct kafka_incremental_alter_configs_request_config config = {text("cleanup.policy"), 0,
                                                                    text("compact")};
    struct kafka_incremental_alter_configs_response response;

    kafka_incremental_alter_configs_request_init_defaults(&request);
    kafka_incremental_alter_configs_request_resource_init_defaults(&resource);
    resource.resource_type = 2;
    resource.resource_name = text("orders");
    resource.configs.items = &config;
    resource.configs.count = 1;
    request.resources.items = &resource;
    request.resources.count = 1;
    rig_call(&rig_client, INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, 1, &request,
             &response);
    ck_assert_int_eq(response.responses.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, -1), KAFKA_POLICY_VIOLATION);
}
END_TEST

START_TEST(a_stalled_disk_is_told_when_the_time_is_up)
{
    ck_assert_int_eq(rig_produce(&rig_client, "orders", 10), KAFKA_NONE);
    sim_executor_stall(rig.executor, WORKER_FLUSH, 60000000);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, 5), KAFKA_REQUEST_TIMED_OUT);
    ck_assert_int_eq(trimmed.low_watermark, -1);
    rig_run_ms(60000);
    ck_assert_int_eq(trim(&rig_client, 2, "orders", 0, 5), KAFKA_NONE);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("offsets");
    TCase *offsets = tcase_create("offsets");
    TCase *records = tcase_create("records");

    tcase_add_checked_fixture(offsets, setup, rig_teardown);
    tcase_add_test(offsets, offsets_are_committed_in_every_version);
    tcase_add_test(offsets, unknown_partitions_are_refused_and_the_others_committed);
    tcase_add_test(offsets, another_instances_topic_cannot_be_committed_for);
    tcase_add_test(offsets, the_same_group_in_two_instances_has_two_positions);
    tcase_add_test(offsets, an_error_of_the_group_is_in_every_partition);
    tcase_add_test(offsets, one_group_is_fetched_up_to_version_7);
    tcase_add_test(offsets, several_groups_are_fetched_from_version_8_on);
    tcase_add_test(offsets, all_of_a_group_comes_with_names_or_ids);
    tcase_add_test(offsets, offsets_are_deleted_partition_by_partition);
    suite_add_tcase(suite, offsets);
    tcase_add_checked_fixture(records, setup, rig_teardown);
    tcase_add_test(records, records_below_an_offset_are_deleted);
    tcase_add_test(records, records_that_are_not_there_or_not_ones_own_cannot_be_deleted);
    tcase_add_test(records, compacted_topics_keep_their_records);
    tcase_add_test(records, a_stalled_disk_is_told_when_the_time_is_up);
    suite_add_tcase(suite, records);
    return suite;
}
