/* SPDX-License-Identifier: Apache-2.0 */
/* Each limit of an instance: what is let through at the limit, and what one past it is told. */
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

Suite *test_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *mutations = tcase_create("mutations");

    tcase_add_checked_fixture(mutations, setup_mutations, rig_teardown);
    tcase_add_test(mutations, topics_over_the_rate_of_changes_are_refused_with_the_time_to_wait);
    tcase_add_test(mutations, old_versions_are_let_through_and_throttled_after);
    tcase_add_test(mutations, deleting_topics_counts_too);
    suite_add_tcase(suite, mutations);
    return suite;
}
