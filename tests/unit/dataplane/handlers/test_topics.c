/* SPDX-License-Identifier: Apache-2.0 */
/* CreateTopics, DeleteTopics, CreatePartitions. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <stdio.h>

static struct kafka_create_topics_request create;
static struct kafka_create_topics_request_topic new_topics[8];
static struct kafka_create_topics_response created;

static struct kafka_create_topics_request_topic *ask_create(const char *name, int32_t partitions)
{
    struct kafka_create_topics_request_topic *topic = &new_topics[create.topics.count++];

    kafka_create_topics_request_topic_init_defaults(topic);
    topic->name = text(name);
    topic->num_partitions = partitions;
    topic->replication_factor = -1;
    return topic;
}

static void begin_create(void)
{
    kafka_create_topics_request_init_defaults(&create);
    create.topics.items = new_topics;
    create.topics.count = 0;
}

static void call_create(struct sim_kafka *kafka, int16_t version)
{
    rig_call(kafka, CREATE_TOPICS, create_topics, version, &create, &created);
}

static const struct kafka_create_topics_response_topic *result(const char *name)
{
    const struct kafka_create_topics_response_topic *found = NULL;

    for (int32_t i = 0; i < created.topics.count; i++) {
        if (!slice_equal_cstring(created.topics.items[i].name, name))
            continue;
        ck_assert_msg(found == NULL, "%s is answered twice", name);
        found = &created.topics.items[i];
    }
    ck_assert_msg(found != NULL, "%s is not answered", name);
    return found;
}

static void setup(void)
{
    rig_setup();
    begin_create();
}

START_TEST(a_topic_that_was_answered_as_made_is_there_at_once)
{
    for (int16_t version = 2; version <= KAFKA_CREATE_TOPICS_REQUEST_HIGHEST_VERSION; version++) {
        char name[16];

        snprintf(name, sizeof(name), "topic%d", version);
        begin_create();
        ask_create(name, 3);
        call_create(&rig_client, version);
        ck_assert_int_eq(result(name)->error_code, KAFKA_NONE);
        ck_assert_int_eq(rig_partition_count(&rig_client, name), 3);
        ck_assert_int_eq(rig_partition_count(&rig_other, name), -1);
    }
}
END_TEST

static const struct kafka_create_topics_response_config *
config_of(const struct kafka_create_topics_response_topic *topic, const char *name)
{
    for (int32_t i = 0; i < topic->configs.count; i++) {
        if (slice_equal_cstring(topic->configs.items[i].name, name))
            return &topic->configs.items[i];
    }
    ck_abort_msg("%s is not among the settings", name);
    return NULL;
}

START_TEST(the_answer_has_id_numbers_and_all_settings)
{
    struct kafka_create_topics_request_config config = {text("cleanup.policy"), text("compact")};
    struct kafka_create_topics_request_topic *topic = ask_create("orders", -1);
    struct uuid id;

    topic->replication_factor = 3;
    topic->configs.items = &config;
    topic->configs.count = 1;
    call_create(&rig_client, 7);
    ck_assert_int_eq(result("orders")->error_code, KAFKA_NONE);
    ck_assert_int_eq(result("orders")->num_partitions, 1);
    ck_assert_int_eq(result("orders")->replication_factor, 1);
    assert_text(config_of(result("orders"), "cleanup.policy")->value, "compact");
    ck_assert_int_eq(config_of(result("orders"), "cleanup.policy")->config_source, 1);
    assert_text(config_of(result("orders"), "retention.ms")->value, "86400000");
    ck_assert_int_eq(config_of(result("orders"), "retention.ms")->config_source, 4);
    id = result("orders")->topic_id;
    ck_assert(!uuid_is_zero(id));
    ck_assert(uuid_equal(rig_topic_id(&rig_client, "orders"), id));
}
END_TEST

START_TEST(one_topics_failure_does_not_touch_the_others)
{
    rig_create_topic(&rig_client, "there", 1);
    ask_create("there", 1);
    ask_create("orders", 1);
    ask_create("bad name", 1);
    ask_create("twice", 1);
    ask_create("none", 0);
    ask_create("twice", 2);
    ask_create("__transaction_state", 1);
    call_create(&rig_client, 5);
    ck_assert_int_eq(created.topics.count, 6);
    ck_assert_int_eq(result("there")->error_code, KAFKA_TOPIC_ALREADY_EXISTS);
    ck_assert_int_eq(result("orders")->error_code, KAFKA_NONE);
    ck_assert_int_eq(result("bad name")->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(result("twice")->error_code, KAFKA_INVALID_REQUEST);
    ck_assert_int_eq(result("none")->error_code, KAFKA_INVALID_PARTITIONS);
    ck_assert_int_eq(result("__transaction_state")->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(result("none")->num_partitions, -1);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), 1);
    ck_assert_int_eq(rig_partition_count(&rig_client, "twice"), -1);
}
END_TEST

START_TEST(names_are_at_most_200_characters_long)
{
    char name[202];

    memset(name, 'a', sizeof(name));
    name[201] = '\0';
    ck_assert_int_eq(rig_create_topic(&rig_client, name, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    name[200] = '\0';
    ck_assert_int_eq(rig_create_topic(&rig_client, name, 1), KAFKA_NONE);
}
END_TEST

START_TEST(dots_and_underscores_are_one_to_the_metrics_and_collide)
{
    ck_assert_int_eq(rig_create_topic(&rig_client, "us_west.orders", 1), KAFKA_NONE);
    ck_assert_int_eq(rig_create_topic(&rig_client, "us.west_orders", 1),
                     KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(rig_create_topic(&rig_other, "us.west_orders", 1), KAFKA_NONE);
}
END_TEST

START_TEST(two_instances_use_the_same_name)
{
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(rig_create_topic(&rig_other, "orders", 2), KAFKA_NONE);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), 1);
    ck_assert_int_eq(rig_partition_count(&rig_other, "orders"), 2);
    ck_assert(!uuid_equal(rig_topic_id(&rig_client, "orders"), rig_topic_id(&rig_other, "orders")));
}
END_TEST

START_TEST(a_dry_run_checks_all_and_makes_nothing)
{
    ask_create("orders", 3);
    ask_create("bad name", 3);
    create.validate_only = true;
    call_create(&rig_client, 7);
    ck_assert_int_eq(result("orders")->error_code, KAFKA_NONE);
    ck_assert_int_eq(result("orders")->num_partitions, 3);
    ck_assert(uuid_is_zero(result("orders")->topic_id));
    ck_assert_int_eq(result("bad name")->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), -1);
}
END_TEST

START_TEST(the_limit_of_partitions_is_a_policy_violation_that_says_why)
{
    rig_limit_partitions(0, 10);
    ck_assert_int_eq(rig_create_topic(&rig_client, "first", 7), KAFKA_NONE);
    ask_create("orders", 4);
    call_create(&rig_client, 7);
    ck_assert_int_eq(result("orders")->error_code, KAFKA_POLICY_VIOLATION);
    assert_text(
        result("orders")->error_message,
        "4 partitions for topic 'orders' are too many: the maximum of this service instance "
        "is 10 and it has 7. Ask for fewer, delete topics, or change the plan");
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 3), KAFKA_NONE);
}
END_TEST

START_TEST(a_time_out_of_zero_still_makes_the_topic)
{
    ask_create("orders", 1);
    create.timeout_ms = 0;
    call_create(&rig_client, 7);
    ck_assert_int_eq(result("orders")->error_code, KAFKA_NONE);
}
END_TEST

START_TEST(with_the_store_away_the_answer_is_retriable_and_comes_at_once)
{
    int64_t before_us = 0;

    rig_create_topic(&rig_client, "there", 1);
    rig_set_store_reachable(false);
    before_us = clock_monotonic_us(sim_executor_clock(rig.executor));
    ask_create("orders", 1);
    ask_create("there", 1);
    call_create(&rig_client, 7);
    ck_assert_int_eq(result("orders")->error_code, KAFKA_NOT_CONTROLLER);
    ck_assert(kafka_error_is_retriable(KAFKA_NOT_CONTROLLER));
    ck_assert_int_eq(result("there")->error_code, KAFKA_TOPIC_ALREADY_EXISTS);
    ck_assert_int_lt(clock_monotonic_us(sim_executor_clock(rig.executor)) - before_us, 100000);
    ck_assert_int_eq(rig_partition_count(&rig_client, "there"), 1);
    rig_set_store_reachable(true);
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
}
END_TEST

START_TEST(an_empty_request_has_an_empty_answer)
{
    call_create(&rig_client, 7);
    ck_assert_int_eq(created.topics.count, 0);
}
END_TEST

/* --- DeleteTopics --- */

static struct kafka_delete_topics_request delete;
static struct kafka_delete_topics_request_topic old_topics[8];
static struct slice old_names[4];
static struct kafka_delete_topics_response deleted;

static void ask_delete(const char *name, struct uuid id)
{
    struct kafka_delete_topics_request_topic *topic = &old_topics[delete.topics.count++];

    kafka_delete_topics_request_topic_init_defaults(topic);
    topic->name = text(name);
    topic->topic_id = id;
}

static void begin_delete(void)
{
    kafka_delete_topics_request_init_defaults(&delete);
    delete.topics.items = old_topics;
    delete.topics.count = 0;
    delete.topic_names.items = old_names;
    delete.timeout_ms = 10000;
}

static void call_delete(struct sim_kafka *kafka, int16_t version)
{
    rig_call(kafka, DELETE_TOPICS, delete_topics, version, &delete, &deleted);
}

static const struct uuid no_id;

START_TEST(a_topic_is_deleted_by_name_in_every_version)
{
    for (int16_t version = 1; version <= 5; version++) {
        rig_create_topic(&rig_client, "orders", 1);
        begin_delete();
        old_names[0] = text("orders");
        old_names[1] = text("nothing");
        delete.topic_names.count = 2;
        call_delete(&rig_client, version);
        ck_assert_int_eq(deleted.responses.count, 2);
        ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_NONE);
        ck_assert_int_eq(deleted.responses.items[1].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        assert_text(deleted.responses.items[1].name, "nothing");
        ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), -1);
    }
}
END_TEST

START_TEST(version_6_deletes_by_name_or_id_and_echoes_both)
{
    struct uuid by_name, by_id;

    rig_create_topic(&rig_client, "a", 1);
    rig_create_topic(&rig_client, "b", 1);
    by_name = rig_topic_id(&rig_client, "a");
    by_id = rig_topic_id(&rig_client, "b");
    begin_delete();
    ask_delete("a", no_id);
    ask_delete(NULL, by_id);
    call_delete(&rig_client, 6);
    ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_NONE);
    ck_assert(uuid_equal(deleted.responses.items[0].topic_id, by_name));
    ck_assert_int_eq(deleted.responses.items[1].error_code, KAFKA_NONE);
    assert_text(deleted.responses.items[1].name, "b");
    ck_assert_int_eq(rig_partition_count(&rig_client, "b"), -1);
}
END_TEST

START_TEST(a_topic_made_again_has_another_id)
{
    struct uuid first;

    rig_create_topic(&rig_client, "a", 1);
    first = rig_topic_id(&rig_client, "a");
    begin_delete();
    ask_delete("a", no_id);
    call_delete(&rig_client, 6);
    ck_assert_int_eq(rig_create_topic(&rig_client, "a", 1), KAFKA_NONE);
    ck_assert(!uuid_equal(rig_topic_id(&rig_client, "a"), first));
}
END_TEST

START_TEST(unclear_deletions_are_refused_and_delete_nothing)
{
    struct uuid id;

    rig_create_topic(&rig_client, "a", 1);
    rig_create_topic(&rig_client, "b", 1);
    id = rig_topic_id(&rig_client, "a");
    begin_delete();
    ask_delete("a", id);     /* name and id */
    ask_delete(NULL, no_id); /* neither */
    ask_delete("b", no_id);
    ask_delete("b", no_id); /* twice */
    call_delete(&rig_client, 6);
    ck_assert_int_eq(deleted.responses.count, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(deleted.responses.items[i].error_code, KAFKA_INVALID_REQUEST);
    ck_assert_int_eq(rig_partition_count(&rig_client, "a"), 1);
    ck_assert_int_eq(rig_partition_count(&rig_client, "b"), 1);
}
END_TEST

START_TEST(a_topic_named_and_given_by_id_is_deleted_once)
{
    rig_create_topic(&rig_client, "a", 1);
    begin_delete();
    ask_delete("a", no_id);
    ask_delete(NULL, rig_topic_id(&rig_client, "a"));
    call_delete(&rig_client, 6);
    ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(deleted.responses.items[1].error_code, KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(another_instances_topic_cannot_be_deleted_and_looks_unknown)
{
    struct uuid id;

    rig_create_topic(&rig_client, "a", 1);
    id = rig_topic_id(&rig_client, "a");
    begin_delete();
    ask_delete("a", no_id);
    ask_delete(NULL, id);
    call_delete(&rig_other, 6);
    ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert(uuid_is_zero(deleted.responses.items[0].topic_id));
    ck_assert_int_eq(deleted.responses.items[1].error_code, KAFKA_UNKNOWN_TOPIC_ID);
    ck_assert(slice_is_null(deleted.responses.items[1].name));
    ck_assert_int_eq(rig_partition_count(&rig_client, "a"), 1);
}
END_TEST

START_TEST(internal_topics_stay)
{
    begin_delete();
    ask_delete("__consumer_offsets", no_id);
    call_delete(&rig_client, 6);
    ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    rig_hide_internal_topics(0);
    call_delete(&rig_client, 6);
    ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(with_the_store_away_nothing_is_deleted)
{
    rig_create_topic(&rig_client, "a", 1);
    rig_set_store_reachable(false);
    begin_delete();
    ask_delete("a", no_id);
    call_delete(&rig_client, 6);
    ck_assert_int_eq(deleted.responses.items[0].error_code, KAFKA_NOT_CONTROLLER);
    ck_assert_int_eq(rig_partition_count(&rig_client, "a"), 1);
}
END_TEST

/* --- CreatePartitions --- */

static struct kafka_create_partitions_request grow;
static struct kafka_create_partitions_request_topic growing[4];
static struct kafka_create_partitions_response grown;

static void ask_grow(const char *name, int32_t count)
{
    struct kafka_create_partitions_request_topic *topic = &growing[grow.topics.count++];

    kafka_create_partitions_request_topic_init_defaults(topic);
    topic->name = text(name);
    topic->count = count;
    topic->assignments.count = -1;
}

static void begin_grow(void)
{
    kafka_create_partitions_request_init_defaults(&grow);
    grow.topics.items = growing;
    grow.topics.count = 0;
    grow.timeout_ms = 10000;
}

static void call_grow(int16_t version)
{
    rig_call(&rig_client, CREATE_PARTITIONS, create_partitions, version, &grow, &grown);
}

START_TEST(a_topic_grows_in_every_version)
{
    rig_create_topic(&rig_client, "orders", 1);
    for (int16_t version = 0; version <= 3; version++) {
        begin_grow();
        ask_grow("orders", 2 + version);
        call_grow(version);
        ck_assert_int_eq(grown.results.items[0].error_code, KAFKA_NONE);
        ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), 2 + version);
    }
}
END_TEST

START_TEST(growing_is_refused_topic_by_topic)
{
    rig_create_topic(&rig_client, "orders", 3);
    rig_create_topic(&rig_client, "twice", 1);
    begin_grow();
    ask_grow("orders", 3);
    ask_grow("nothing", 3);
    ask_grow("twice", 3);
    ask_grow("twice", 4);
    call_grow(3);
    ck_assert_int_eq(grown.results.count, 3);
    ck_assert_int_eq(grown.results.items[0].error_code, KAFKA_INVALID_PARTITIONS);
    ck_assert_int_eq(grown.results.items[1].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(grown.results.items[2].error_code, KAFKA_INVALID_REQUEST);
    begin_grow();
    ask_grow("__consumer_offsets", 9);
    call_grow(3);
    ck_assert_int_eq(grown.results.items[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
}
END_TEST

START_TEST(a_dry_run_of_growing_changes_nothing)
{
    rig_create_topic(&rig_client, "orders", 1);
    begin_grow();
    grow.validate_only = true;
    ask_grow("orders", 5);
    call_grow(3);
    ck_assert_int_eq(grown.results.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), 1);
}
END_TEST

START_TEST(growing_past_the_limit_is_a_policy_violation)
{
    rig_limit_partitions(0, 4);
    rig_create_topic(&rig_client, "orders", 3);
    begin_grow();
    ask_grow("orders", 5);
    call_grow(3);
    ck_assert_int_eq(grown.results.items[0].error_code, KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), 3);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("topics");
    TCase *creation = tcase_create("create");
    TCase *deletion = tcase_create("delete");
    TCase *growth = tcase_create("grow");

    tcase_add_checked_fixture(creation, setup, rig_teardown);
    tcase_add_test(creation, a_topic_that_was_answered_as_made_is_there_at_once);
    tcase_add_test(creation, the_answer_has_id_numbers_and_all_settings);
    tcase_add_test(creation, one_topics_failure_does_not_touch_the_others);
    tcase_add_test(creation, names_are_at_most_200_characters_long);
    tcase_add_test(creation, dots_and_underscores_are_one_to_the_metrics_and_collide);
    tcase_add_test(creation, two_instances_use_the_same_name);
    tcase_add_test(creation, a_dry_run_checks_all_and_makes_nothing);
    tcase_add_test(creation, the_limit_of_partitions_is_a_policy_violation_that_says_why);
    tcase_add_test(creation, a_time_out_of_zero_still_makes_the_topic);
    tcase_add_test(creation, with_the_store_away_the_answer_is_retriable_and_comes_at_once);
    tcase_add_test(creation, an_empty_request_has_an_empty_answer);
    suite_add_tcase(suite, creation);
    tcase_add_checked_fixture(deletion, setup, rig_teardown);
    tcase_add_test(deletion, a_topic_is_deleted_by_name_in_every_version);
    tcase_add_test(deletion, version_6_deletes_by_name_or_id_and_echoes_both);
    tcase_add_test(deletion, a_topic_made_again_has_another_id);
    tcase_add_test(deletion, unclear_deletions_are_refused_and_delete_nothing);
    tcase_add_test(deletion, a_topic_named_and_given_by_id_is_deleted_once);
    tcase_add_test(deletion, another_instances_topic_cannot_be_deleted_and_looks_unknown);
    tcase_add_test(deletion, internal_topics_stay);
    tcase_add_test(deletion, with_the_store_away_nothing_is_deleted);
    suite_add_tcase(suite, deletion);
    tcase_add_checked_fixture(growth, setup, rig_teardown);
    tcase_add_test(growth, a_topic_grows_in_every_version);
    tcase_add_test(growth, growing_is_refused_topic_by_topic);
    tcase_add_test(growth, a_dry_run_of_growing_changes_nothing);
    tcase_add_test(growth, growing_past_the_limit_is_a_policy_violation);
    suite_add_tcase(suite, growth);
    return suite;
}
