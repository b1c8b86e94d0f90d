/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <limits.h>

static struct kafka_metadata_request request;
static struct kafka_metadata_request_topic asked[8];
static struct kafka_metadata_response response;

static void ask_nothing(void)
{
    kafka_metadata_request_init_defaults(&request);
    request.topics.items = asked;
    request.topics.count = 0;
    request.allow_auto_topic_creation = false;
}

static void ask_name(const char *name)
{
    struct kafka_metadata_request_topic *topic = &asked[request.topics.count++];

    kafka_metadata_request_topic_init_defaults(topic);
    topic->name = text(name);
}

static void ask_id(struct uuid id)
{
    struct kafka_metadata_request_topic *topic = &asked[request.topics.count++];

    kafka_metadata_request_topic_init_defaults(topic);
    topic->topic_id = id;
    topic->name = SLICE_NULL;
}

static void call(struct sim_kafka *kafka, int16_t version)
{
    rig_call(kafka, METADATA, metadata, version, &request, &response);
}

static const struct kafka_metadata_response_topic *answered(const char *name)
{
    const struct kafka_metadata_response_topic *found = NULL;

    for (int32_t i = 0; i < response.topics.count; i++) {
        if (!slice_equal_cstring(response.topics.items[i].name, name))
            continue;
        ck_assert_msg(found == NULL, "%s is answered twice", name);
        found = &response.topics.items[i];
    }
    return found;
}

static void setup(void)
{
    rig_setup();
    ask_nothing();
}

START_TEST(brokers_are_listed_with_the_address_of_the_listener_that_was_asked)
{
    call(&rig_other, 12);
    ck_assert_int_eq(response.brokers.count, 1);
    ck_assert_int_eq(response.brokers.items[0].node_id, 0);
    assert_text(response.brokers.items[0].host, "localhost");
    ck_assert_int_eq(response.brokers.items[0].port, SIM_PORT + 1);
    ck_assert(slice_is_null(response.brokers.items[0].rack));
    ck_assert_int_eq(response.controller_id, 0);
    ck_assert_uint_eq(response.cluster_id.len, UUID_BASE64_LEN);
}
END_TEST

START_TEST(each_instance_has_a_cluster_id_of_its_own)
{
    char first[UUID_BASE64_LEN + 1] = {0};

    call(&rig_client, 12);
    memcpy(first, response.cluster_id.data, UUID_BASE64_LEN);
    call(&rig_other, 12);
    ck_assert(!slice_equal_cstring(response.cluster_id, first));
}
END_TEST

START_TEST(every_version_is_answered)
{
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 3), KAFKA_NONE);
    for (int16_t version = 0; version <= KAFKA_METADATA_REQUEST_HIGHEST_VERSION; version++) {
        ask_nothing();
        ask_name("orders");
        call(&rig_client, version);
        ck_assert_int_eq(response.topics.count, 1);
        ck_assert_int_eq(response.topics.items[0].partitions.count, 3);
        ck_assert_int_eq(response.topics.items[0].partitions.items[2].leader_id, 0);
        ck_assert_int_eq(response.topics.items[0].partitions.items[2].partition_index, 2);
        ck_assert_int_eq(response.topics.items[0].partitions.items[0].isr_nodes.count, 1);
        ck_assert(version < 10 || !uuid_is_zero(response.topics.items[0].topic_id));
    }
}
END_TEST

START_TEST(each_name_is_answered_once_whatever_is_wrong_with_it)
{
    rig_create_topic(&rig_client, "orders", 1);
    ask_name("orders");
    ask_name("nothing");
    ask_name("bad name");
    ask_name("orders");
    ask_name("");
    call(&rig_client, 9);
    ck_assert_int_eq(response.topics.count, 4);
    ck_assert_int_eq(answered("orders")->error_code, KAFKA_NONE);
    ck_assert_int_eq(answered("nothing")->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(answered("nothing")->partitions.count, 0);
    ck_assert_int_eq(answered("bad name")->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(answered("")->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
}
END_TEST

START_TEST(names_are_case_sensitive)
{
    rig_create_topic(&rig_client, "orders", 1);
    ask_name("Orders");
    call(&rig_client, 9);
    ck_assert_int_eq(answered("Orders")->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(null_asks_for_all_and_so_does_an_empty_list_in_version_0)
{
    rig_create_topic(&rig_client, "orders", 1);
    rig_create_topic(&rig_client, "payments", 1);
    call(&rig_client, 0);
    ck_assert_int_eq(response.topics.count, 3);
    call(&rig_client, 1);
    ck_assert_int_eq(response.topics.count, 0);
    request.topics.count = -1;
    call(&rig_client, 1);
    ck_assert_int_eq(response.topics.count, 3);
    ck_assert(answered("__consumer_offsets")->is_internal);
    ck_assert(!answered("orders")->is_internal);
}
END_TEST

START_TEST(another_instances_topic_looks_as_if_it_were_not_there)
{
    struct uuid id;
    struct uuid none = {{9, 9, 9}};

    rig_create_topic(&rig_client, "orders", 1);
    id = rig_topic_id(&rig_client, "orders");
    ask_name("orders");
    ask_id(id);
    ask_id(none);
    call(&rig_other, 12);
    ck_assert_int_eq(response.topics.count, 3);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(response.topics.items[1].error_code, KAFKA_UNKNOWN_TOPIC_ID);
    ck_assert(slice_is_null(response.topics.items[1].name));
    ck_assert(uuid_equal(response.topics.items[1].topic_id, id));
    ck_assert_int_eq(response.topics.items[2].error_code, KAFKA_UNKNOWN_TOPIC_ID);
    ask_nothing();
    request.topics.count = -1;
    call(&rig_other, 12);
    ck_assert_ptr_null(answered("orders"));
}
END_TEST

START_TEST(a_topic_is_found_by_its_id)
{
    struct uuid id;

    rig_create_topic(&rig_client, "orders", 2);
    id = rig_topic_id(&rig_client, "orders");
    ask_id(id);
    call(&rig_client, 12);
    assert_text(response.topics.items[0].name, "orders");
    ck_assert_int_eq(response.topics.items[0].partitions.count, 2);
}
END_TEST

START_TEST(versions_10_and_11_cannot_be_asked_by_id)
{
    struct uuid id;

    rig_create_topic(&rig_client, "orders", 1);
    id = rig_topic_id(&rig_client, "orders");
    for (int16_t version = 10; version <= 11; version++) {
        ask_nothing();
        ask_id(id);
        call(&rig_client, version);
        ck_assert_int_eq(response.topics.count, 1);
        ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_INVALID_REQUEST);
    }
}
END_TEST

START_TEST(allowed_operations_are_told_when_asked_for)
{
    rig_create_topic(&rig_client, "orders", 1);
    ask_name("orders");
    call(&rig_client, 8);
    ck_assert_int_eq(response.cluster_authorized_operations, INT_MIN);
    ck_assert_int_eq(response.topics.items[0].topic_authorized_operations, INT_MIN);
    request.include_cluster_authorized_operations = true;
    request.include_topic_authorized_operations = true;
    call(&rig_client, 8);
    ck_assert_int_eq(response.cluster_authorized_operations, 8096);
    ck_assert_int_eq(response.topics.items[0].topic_authorized_operations, 3576);
}
END_TEST

START_TEST(internal_topics_are_not_there_where_the_plan_hides_them)
{
    rig_hide_internal_topics(0);
    request.topics.count = -1;
    call(&rig_client, 12);
    ck_assert_int_eq(response.topics.count, 0);
    ask_nothing();
    ask_name("__consumer_offsets");
    call(&rig_client, 12);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    call(&rig_other, 12);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_NONE);
}
END_TEST

START_TEST(topics_are_not_made_by_asking_for_them)
{
    request.allow_auto_topic_creation = true;
    ask_name("orders");
    call(&rig_client, 12);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    rig_run_ms(2000);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), -1);
}
END_TEST

START_TEST(a_listener_that_makes_topics_answers_with_the_topic_it_made)
{
    rig_auto_create(0, 4);
    request.allow_auto_topic_creation = true;
    ask_name("orders");
    ask_name("bad name");
    ask_name("__transaction_state");
    call(&rig_client, 12);
    ck_assert_int_eq(answered("orders")->error_code, KAFKA_NONE);
    ck_assert_int_eq(answered("orders")->partitions.count, 4);
    ck_assert_int_eq(answered("bad name")->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(answered("__transaction_state")->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    /* versions before 4 always mean yes */
    ask_nothing();
    ask_name("payments");
    call(&rig_client, 1);
    ck_assert_int_eq(answered("payments")->partitions.count, 4);
}
END_TEST

START_TEST(topics_are_not_made_when_the_client_says_no)
{
    rig_auto_create(0, 4);
    ask_name("orders");
    call(&rig_client, 12);
    ck_assert_int_eq(answered("orders")->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), -1);
}
END_TEST

START_TEST(with_the_store_away_a_topic_to_be_made_is_asked_for_again)
{
    rig_auto_create(0, 4);
    rig_set_store_reachable(false);
    request.allow_auto_topic_creation = true;
    ask_name("orders");
    call(&rig_client, 12);
    ck_assert_int_eq(answered("orders")->error_code, KAFKA_LEADER_NOT_AVAILABLE);
}
END_TEST

/* --- DescribeCluster --- */

START_TEST(describe_cluster_tells_brokers_cluster_and_operations)
{
    struct kafka_describe_cluster_request cluster;
    struct kafka_describe_cluster_response answer;

    kafka_describe_cluster_request_init_defaults(&cluster);
    cluster.include_cluster_authorized_operations = true;
    for (int16_t version = 0; version <= 2; version++) {
        rig_call(&rig_client, DESCRIBE_CLUSTER, describe_cluster, version, &cluster, &answer);
        ck_assert_int_eq(answer.error_code, KAFKA_NONE);
        ck_assert_int_eq(answer.brokers.count, 1);
        ck_assert_int_eq(answer.brokers.items[0].port, SIM_PORT);
        ck_assert_int_eq(answer.controller_id, 0);
        ck_assert_uint_eq(answer.cluster_id.len, UUID_BASE64_LEN);
        ck_assert_int_eq(answer.cluster_authorized_operations, 8096);
    }
    cluster.endpoint_type = 2;
    rig_call(&rig_client, DESCRIBE_CLUSTER, describe_cluster, 1, &cluster, &answer);
    ck_assert_int_eq(answer.error_code, KAFKA_MISMATCHED_ENDPOINT_TYPE);
}
END_TEST

/* --- DescribeTopicPartitions --- */

static struct kafka_describe_topic_partitions_request pages;
static struct kafka_describe_topic_partitions_request_topic page_topics[4];
static struct kafka_describe_topic_partitions_response page;

static void ask_pages(int32_t limit)
{
    kafka_describe_topic_partitions_request_init_defaults(&pages);
    pages.topics.items = page_topics;
    pages.response_partition_limit = limit;
}

static void call_page(void)
{
    rig_call(&rig_client, DESCRIBE_TOPIC_PARTITIONS, describe_topic_partitions, 0, &pages, &page);
}

START_TEST(pages_go_through_all_topics_in_the_order_of_names)
{
    struct kafka_describe_topic_partitions_request_cursor cursor;
    char topic[64];

    rig_hide_internal_topics(0);
    rig_create_topic(&rig_client, "b", 3);
    rig_create_topic(&rig_client, "a", 2);
    ask_pages(3);
    call_page();
    ck_assert_int_eq(page.topics.count, 2);
    assert_text(page.topics.items[0].name, "a");
    ck_assert_int_eq(page.topics.items[0].partitions.count, 2);
    assert_text(page.topics.items[1].name, "b");
    ck_assert_int_eq(page.topics.items[1].partitions.count, 1);
    ck_assert_ptr_nonnull(page.next_cursor);
    ck_assert_int_eq(page.next_cursor->partition_index, 1);

    snprintf(topic, sizeof(topic), SLICE_FORMAT, SLICE_ARG(page.next_cursor->topic_name));
    cursor.topic_name = text(topic);
    cursor.partition_index = 1;
    pages.cursor = &cursor;
    call_page();
    ck_assert_int_eq(page.topics.count, 1);
    assert_text(page.topics.items[0].name, "b");
    ck_assert_int_eq(page.topics.items[0].partitions.count, 2);
    ck_assert_int_eq(page.topics.items[0].partitions.items[0].partition_index, 1);
    ck_assert_ptr_null(page.next_cursor);
}
END_TEST

START_TEST(a_full_page_points_to_the_start_of_the_next_topic)
{
    rig_hide_internal_topics(0);
    rig_create_topic(&rig_client, "a", 2);
    rig_create_topic(&rig_client, "b", 1);
    ask_pages(2);
    call_page();
    ck_assert_int_eq(page.topics.count, 1);
    assert_text(page.next_cursor->topic_name, "b");
    ck_assert_int_eq(page.next_cursor->partition_index, 0);
}
END_TEST

START_TEST(named_topics_are_sorted_and_the_unknown_ones_said)
{
    rig_create_topic(&rig_client, "b", 1);
    ask_pages(2000);
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"x", "b", "bad name", "b"};

        kafka_describe_topic_partitions_request_topic_init_defaults(&page_topics[i]);
        page_topics[i].name = text(names[i]);
    }
    pages.topics.count = 4;
    call_page();
    ck_assert_int_eq(page.topics.count, 3);
    assert_text(page.topics.items[0].name, "b");
    ck_assert_int_eq(page.topics.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(page.topics.items[1].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(page.topics.items[2].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_ptr_null(page.next_cursor);
}
END_TEST

START_TEST(a_cursor_may_point_anywhere)
{
    struct kafka_describe_topic_partitions_request_cursor cursor = {text("a"), INT_MAX};

    rig_hide_internal_topics(0);
    rig_create_topic(&rig_client, "a", 1);
    rig_create_topic(&rig_client, "b", 1);
    ask_pages(1);
    pages.cursor = &cursor;
    call_page();
    ck_assert_int_eq(page.topics.count, 2);
    ck_assert_int_eq(page.topics.items[0].partitions.count, 0);
    ck_assert_int_eq(page.topics.items[1].partitions.count, 1);
    cursor.topic_name = text("zzz");
    call_page();
    ck_assert_int_eq(page.topics.count, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("metadata");
    TCase *metadata = tcase_create("metadata");
    TCase *others = tcase_create("cluster and pages");

    tcase_add_checked_fixture(metadata, setup, rig_teardown);
    tcase_add_test(metadata, brokers_are_listed_with_the_address_of_the_listener_that_was_asked);
    tcase_add_test(metadata, each_instance_has_a_cluster_id_of_its_own);
    tcase_add_test(metadata, every_version_is_answered);
    tcase_add_test(metadata, each_name_is_answered_once_whatever_is_wrong_with_it);
    tcase_add_test(metadata, names_are_case_sensitive);
    tcase_add_test(metadata, null_asks_for_all_and_so_does_an_empty_list_in_version_0);
    tcase_add_test(metadata, another_instances_topic_looks_as_if_it_were_not_there);
    tcase_add_test(metadata, a_topic_is_found_by_its_id);
    tcase_add_test(metadata, versions_10_and_11_cannot_be_asked_by_id);
    tcase_add_test(metadata, allowed_operations_are_told_when_asked_for);
    tcase_add_test(metadata, internal_topics_are_not_there_where_the_plan_hides_them);
    tcase_add_test(metadata, topics_are_not_made_by_asking_for_them);
    tcase_add_test(metadata, a_listener_that_makes_topics_answers_with_the_topic_it_made);
    tcase_add_test(metadata, topics_are_not_made_when_the_client_says_no);
    tcase_add_test(metadata, with_the_store_away_a_topic_to_be_made_is_asked_for_again);
    suite_add_tcase(suite, metadata);
    tcase_add_checked_fixture(others, setup, rig_teardown);
    tcase_add_test(others, describe_cluster_tells_brokers_cluster_and_operations);
    tcase_add_test(others, pages_go_through_all_topics_in_the_order_of_names);
    tcase_add_test(others, a_full_page_points_to_the_start_of_the_next_topic);
    tcase_add_test(others, named_topics_are_sorted_and_the_unknown_ones_said);
    tcase_add_test(others, a_cursor_may_point_anywhere);
    suite_add_tcase(suite, others);
    return suite;
}
