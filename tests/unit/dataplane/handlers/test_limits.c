/* SPDX-License-Identifier: Apache-2.0 */
/* Each limit of an instance: what is let through at the limit, and what one past it is told. */
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum { MUTATIONS_PER_SECOND = 2, MUTATIONS_AT_ONCE = 20 };

/* --- changes of topics (KIP-599) --- */

static void setup_mutations(void)
{
    rig_setup_with(&(struct broker_limits){.topic_mutations_per_second = MUTATIONS_PER_SECOND});
}

static struct kafka_create_topics_response create(int16_t version, const char *name,
                                                  int32_t partitions)
{
    struct kafka_create_topics_request request;
    struct kafka_create_topics_request_topic topic;
    struct kafka_create_topics_response response;

    kafka_create_topics_request_init_defaults(&request);
    kafka_create_topics_request_topic_init_defaults(&topic);
    topic.name = text(name);
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(&rig_client, CREATE_TOPICS, create_topics, version, &request, &response);
    ck_assert_int_eq(response.topics.count, 1);
    return response;
}

START_TEST(topics_over_the_rate_of_changes_are_refused_with_the_time_to_wait)
{
    struct kafka_create_topics_response response = create(7, "first", MUTATIONS_AT_ONCE);

    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(response.throttle_time_ms, 0);
    /* A bucket that is empty, not in debt, lets one more through, and that one may overdraw it. */
    response = create(7, "second", 4);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_NONE);
    response = create(7, "third", 1);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_THROTTLING_QUOTA_EXCEEDED);
    ck_assert_int_gt(response.throttle_time_ms, 1000);
    ck_assert_int_le(response.throttle_time_ms, 2000);
    ck_assert_int_eq(rig_partition_count(&rig_client, "third"), -1);
    rig_run_ms(2000);
    ck_assert_int_eq(create(7, "third", 1).topics.items[0].error_code, KAFKA_NONE);
    /* The neighbour has a bucket of its own. */
    ck_assert_int_eq(rig_create_topic(&rig_other, "first", MUTATIONS_AT_ONCE), KAFKA_NONE);
}
END_TEST

START_TEST(old_versions_are_let_through_and_throttled_after)
{
    struct kafka_create_topics_response response;

    create(5, "first", MUTATIONS_AT_ONCE);
    response = create(5, "second", 4);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_NONE);
    ck_assert_int_gt(response.throttle_time_ms, 1000);
    ck_assert_int_le(response.throttle_time_ms, 2000);
    ck_assert_int_eq(create(5, "third", 1).topics.items[0].error_code, KAFKA_NONE);
}
END_TEST

START_TEST(deleting_topics_counts_too)
{
    struct kafka_delete_topics_request request;
    struct kafka_delete_topics_request_topic topic;
    struct kafka_delete_topics_response response;

    create(7, "first", MUTATIONS_AT_ONCE);
    create(7, "second", 2);
    kafka_delete_topics_request_init_defaults(&request);
    kafka_delete_topics_request_topic_init_defaults(&topic);
    topic.name = text("first");
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(&rig_client, DELETE_TOPICS, delete_topics, 6, &request, &response);
    ck_assert_int_eq(response.responses.items[0].error_code, KAFKA_THROTTLING_QUOTA_EXCEEDED);
    ck_assert_int_gt(response.throttle_time_ms, 0);
    rig_run_ms(2000);
    rig_call(&rig_client, DELETE_TOPICS, delete_topics, 6, &request, &response);
    ck_assert_int_eq(response.responses.items[0].error_code, KAFKA_NONE);
}
END_TEST

/* --- counts --- */

static bool is_alive(struct sim_kafka *kafka)
{
    struct kafka_metadata_request request;
    struct kafka_metadata_response response;

    kafka_metadata_request_init_defaults(&request);
    sim_kafka_send(kafka, KAFKA_API_METADATA, 12, kafka_metadata_request, &request);
    if (!sim_broker_wait(&rig, kafka))
        return false;
    sim_kafka_answer(kafka, kafka_metadata_response, &response);
    return true;
}

START_TEST(one_connection_too_many_is_closed_and_the_others_stay)
{
    struct sim_kafka third, fourth;

    sim_broker_set_limit(&rig, 0, "connections", 2);
    sim_broker_connect(&rig, 0, &third);
    ck_assert(is_alive(&third));
    sim_broker_connect(&rig, 0, &fourth);
    ck_assert(!is_alive(&fourth));
    ck_assert(is_alive(&rig_client));
    ck_assert(is_alive(&third));
    ck_assert(is_alive(&rig_other));
    sim_kafka_done(&fourth);
    /* When one goes there is room for the next. */
    sim_kafka_done(&third);
    rig_run_ms(100);
    sim_broker_connect(&rig, 0, &fourth);
    ck_assert(is_alive(&fourth));
    sim_kafka_done(&fourth);
}
END_TEST

START_TEST(one_client_too_many_is_closed_and_connections_of_known_ones_are_not)
{
    struct sim_kafka second, third, again;

    sim_broker_set_limit(&rig, 0, "clients", 2);
    ck_assert(is_alive(&rig_client));
    sim_broker_connect(&rig, 0, &second);
    second.client_id = "second";
    ck_assert(is_alive(&second));
    sim_broker_connect(&rig, 0, &third);
    third.client_id = "third";
    ck_assert(!is_alive(&third));
    sim_broker_connect(&rig, 0, &again);
    again.client_id = "second";
    ck_assert(is_alive(&again));
    ck_assert(is_alive(&rig_client));
    sim_kafka_done(&second);
    sim_kafka_done(&third);
    sim_kafka_done(&again);
    rig_run_ms(100);
    sim_broker_connect(&rig, 0, &third);
    third.client_id = "third";
    ck_assert(is_alive(&third));
    sim_kafka_done(&third);
}
END_TEST

static int16_t join(const char *group)
{
    struct kafka_join_group_request request;
    struct kafka_join_group_request_protocol protocol;
    struct kafka_join_group_response response;

    kafka_join_group_request_init_defaults(&request);
    kafka_join_group_request_protocol_init_defaults(&protocol);
    request.group_id = text(group);
    request.session_timeout_ms = 10000;
    request.rebalance_timeout_ms = 10000;
    request.protocol_type = text("consumer");
    protocol.name = text("range");
    protocol.metadata = text("");
    request.protocols.items = &protocol;
    request.protocols.count = 1;
    rig_call(&rig_client, JOIN_GROUP, join_group, 3, &request, &response);
    return response.error_code;
}

START_TEST(one_group_too_many_is_told_so_and_the_others_go_on)
{
    sim_broker_set_limit(&rig, 0, "groups", 2);
    ck_assert_int_eq(join("first"), KAFKA_NONE);
    ck_assert_int_eq(join("second"), KAFKA_NONE);
    ck_assert_int_eq(join("third"), KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert(is_alive(&rig_client));
}
END_TEST

START_TEST(one_partition_too_many_is_refused_with_all_the_numbers)
{
    struct kafka_create_topics_response response;

    rig_limit_partitions(0, 10);
    ck_assert_int_eq(rig_create_topic(&rig_client, "first", 7), KAFKA_NONE);
    response = create(7, "second", 4);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_POLICY_VIOLATION);
    assert_text(
        response.topics.items[0].error_message,
        "4 partitions for topic 'second' are too many: the maximum of this service instance is "
        "10 and it has 7. Ask for fewer, delete topics, or change the plan");
    ck_assert_int_eq(create(7, "second", 3).topics.items[0].error_code, KAFKA_NONE);
}
END_TEST

static int16_t alter(const char *name, const char *value, struct slice *ret_message)
{
    struct kafka_incremental_alter_configs_response_resource answer =
        rig_alter(&rig_client, "orders", name, value);

    *ret_message = answer.error_message;
    return answer.error_code;
}

START_TEST(retention_and_message_size_over_the_plan_are_refused_with_the_range)
{
    struct slice message;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    sim_broker_set_limit(&rig, 0, "retention_bytes_per_partition", 1073741824);
    ck_assert_int_eq(alter("retention.bytes", "1073741824", &message), KAFKA_NONE);
    ck_assert_int_eq(alter("retention.bytes", "1073741825", &message), KAFKA_POLICY_VIOLATION);
    assert_text(message, "Invalid retention.bytes specified. The allowed range is [0..1073741824]");
    ck_assert_int_eq(alter("retention.bytes", "-1", &message), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(alter("max.message.bytes", "1048588", &message), KAFKA_NONE);
    ck_assert_int_eq(alter("max.message.bytes", "1048589", &message), KAFKA_POLICY_VIOLATION);
    assert_text(message, "Invalid max.message.bytes specified. The allowed range is [0..1048588]");
}
END_TEST

START_TEST(reserved_storage_is_checked_when_topics_are_made_grown_and_changed)
{
    struct kafka_create_topics_response response;
    struct slice message;

    /* Two partitions with the defaults reserve 3 347 054 592 bytes. */
    sim_broker_set_limit(&rig, 0, "storage_bytes", 4294967296);
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 2), KAFKA_NONE);
    response = create(7, "more", 1);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_POLICY_VIOLATION);
    assert_text(
        response.topics.items[0].error_message,
        "The reserved storage limit is reached: with topic 'more' more than 3865470561 bytes "
        "would be reserved, 90 % of the storage of this service instance, and it has "
        "3347054592 reserved. Lower retention.bytes or segment.bytes, ask for fewer "
        "partitions, delete topics, or add storage");
    ck_assert_int_eq(alter("retention.bytes", "2147483648", &message), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(alter("retention.bytes", "-1", &message), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(alter("cleanup.policy", "compact", &message), KAFKA_NONE);
    ck_assert_int_eq(create(7, "more", 1).topics.items[0].error_code, KAFKA_NONE);
}
END_TEST

/* --- message size --- */

static struct kafka_produce_response_partition produce(int32_t padding)
{
    const struct sim_batch batch = {
        .count = 1, .padding = padding, .timestamp_ms = 1700000000000, .producer_id = -1};

    rig_send_batch(&rig_client, "orders", &batch);
    ck_assert(sim_broker_wait(&rig, &rig_client));
    return rig_take_produce(&rig_client);
}

START_TEST(one_byte_over_the_largest_message_is_too_large)
{
    int32_t overhead = 0;
    struct buffer records;
    struct sim_batch batch = {.count = 1, .padding = 100000, .producer_id = -1};

    buffer_init(&records, 1 << 20);
    sim_batch_write(&batch, &records);
    overhead = (int32_t)records.len - batch.padding;
    buffer_done(&records);
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(produce(1048588 - overhead - 1).error_code, KAFKA_NONE);
    ck_assert_int_eq(produce(1048588 - overhead + 2).error_code, KAFKA_MESSAGE_TOO_LARGE);
    /* The plan bounds what topics that set nothing take. */
    sim_broker_set_limit(&rig, 0, "max_message_bytes", 1000);
    ck_assert_int_eq(produce(800).error_code, KAFKA_NONE);
    ck_assert_int_eq(produce(1000).error_code, KAFKA_MESSAGE_TOO_LARGE);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *mutations = tcase_create("mutations");
    TCase *counts = tcase_create("counts");

    tcase_add_checked_fixture(mutations, setup_mutations, rig_teardown);
    tcase_add_test(mutations, topics_over_the_rate_of_changes_are_refused_with_the_time_to_wait);
    tcase_add_test(mutations, old_versions_are_let_through_and_throttled_after);
    tcase_add_test(mutations, deleting_topics_counts_too);
    suite_add_tcase(suite, mutations);
    tcase_add_checked_fixture(counts, rig_setup, rig_teardown);
    tcase_add_test(counts, one_connection_too_many_is_closed_and_the_others_stay);
    tcase_add_test(counts, one_client_too_many_is_closed_and_connections_of_known_ones_are_not);
    tcase_add_test(counts, one_group_too_many_is_told_so_and_the_others_go_on);
    tcase_add_test(counts, one_partition_too_many_is_refused_with_all_the_numbers);
    tcase_add_test(counts, retention_and_message_size_over_the_plan_are_refused_with_the_range);
    tcase_add_test(counts, reserved_storage_is_checked_when_topics_are_made_grown_and_changed);
    tcase_add_test(counts, one_byte_over_the_largest_message_is_too_large);
    suite_add_tcase(suite, counts);
    return suite;
}
