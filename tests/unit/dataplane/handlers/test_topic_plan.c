/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/topic_plan.h"
#include "tests/support/check_main.h"

static const struct topic_policy enterprise = {
    .allows_every_key = true, .max_retention_bytes = -1, .max_message_bytes = -1};
static const int32_t broker_ids[] = {0, 1, 2};

static struct arena arena;
static struct topic_plan_limits limits;
static struct kafka_create_topics_request_topic asked;
static struct topic_plan plan;

static void setup(void)
{
    arena_init(&arena, 8 << 20);
    limits = (struct topic_plan_limits){.policy = &enterprise,
                                        .broker_ids = broker_ids,
                                        .broker_count = 3,
                                        .max_partitions = -1,
                                        .max_reserved = -1};
    kafka_create_topics_request_topic_init_defaults(&asked);
    asked.name = SLICE_LITERAL("orders");
    asked.num_partitions = -1;
    asked.replication_factor = -1;
}

static void teardown(void)
{
    arena_done(&arena);
}

static enum kafka_error create(void)
{
    topic_plan_create(&limits, &asked, &arena, &plan);
    return plan.error;
}

static enum kafka_error create_counts(int32_t partitions, int16_t factor, int32_t brokers)
{
    asked.num_partitions = partitions;
    asked.replication_factor = factor;
    limits.broker_count = brokers;
    return create();
}

static void ask_setting(const char *name, const char *value)
{
    ck_assert_int_eq(kafka_create_topics_request_config_array_init(&asked.configs, &arena, 1),
                     ERR_OK);
    asked.configs.items[0].name = slice_from_cstring(name);
    asked.configs.items[0].value = slice_from_cstring(value);
}

static void ask_assignment(int32_t partition, int32_t first, int32_t second)
{
    struct kafka_create_topics_request_assignment *item =
        &asked.assignments.items[asked.assignments.count++];

    item->partition_index = partition;
    ck_assert_int_eq(kafka_i32_array_init(&item->broker_ids, &arena, second < 0 ? 1 : 2), ERR_OK);
    item->broker_ids.items[0] = first;
    if (second >= 0)
        item->broker_ids.items[1] = second;
}

static void begin_assignments(void)
{
    ck_assert_int_eq(
        kafka_create_topics_request_assignment_array_init(&asked.assignments, &arena, 8), ERR_OK);
    asked.assignments.count = 0;
}

START_TEST(minus_one_is_one_partition_and_as_many_replicas_as_can_be_up_to_three)
{
    ck_assert_int_eq(create_counts(-1, -1, 3), KAFKA_NONE);
    ck_assert_int_eq(plan.add_partitions, 1);
    ck_assert_int_eq(plan.replication_factor, 3);
    ck_assert_int_eq(create_counts(-1, -1, 1), KAFKA_NONE);
    ck_assert_int_eq(plan.replication_factor, 1);
    ck_assert_ptr_null(plan.assignments);
}
END_TEST

START_TEST(factors_one_and_three_are_taken_in_every_cell_and_two_where_there_are_two)
{
    ck_assert_int_eq(create_counts(4, 3, 1), KAFKA_NONE);
    ck_assert_int_eq(plan.replication_factor, 1);
    ck_assert_int_eq(plan.add_partitions, 4);
    ck_assert_int_eq(create_counts(4, 1, 3), KAFKA_NONE);
    ck_assert_int_eq(plan.replication_factor, 1);
    ck_assert_int_eq(create_counts(4, 2, 3), KAFKA_NONE);
    ck_assert_int_eq(plan.replication_factor, 2);
    ck_assert_int_eq(create_counts(4, 2, 1), KAFKA_INVALID_REPLICATION_FACTOR);
    ck_assert_int_eq(create_counts(4, 0, 3), KAFKA_INVALID_REPLICATION_FACTOR);
    ck_assert_int_eq(create_counts(4, 4, 3), KAFKA_INVALID_REPLICATION_FACTOR);
    ck_assert_int_eq(create_counts(4, -2, 3), KAFKA_INVALID_REPLICATION_FACTOR);
    ck_assert_ptr_nonnull(plan.message);
}
END_TEST

START_TEST(no_partitions_and_less_than_the_default_are_refused)
{
    ck_assert_int_eq(create_counts(0, -1, 3), KAFKA_INVALID_PARTITIONS);
    ck_assert_int_eq(create_counts(-2, -1, 3), KAFKA_INVALID_PARTITIONS);
}
END_TEST

START_TEST(replicas_by_hand_go_with_defaults_only)
{
    begin_assignments();
    ask_assignment(0, 1, 2);
    asked.num_partitions = 1;
    ck_assert_int_eq(create(), KAFKA_INVALID_REQUEST);
    asked.num_partitions = -1;
    asked.replication_factor = 2;
    ck_assert_int_eq(create(), KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(replicas_by_hand_are_taken_in_the_order_of_partitions)
{
    begin_assignments();
    ask_assignment(1, 2, 0);
    ask_assignment(0, 1, 2);
    ck_assert_int_eq(create(), KAFKA_NONE);
    ck_assert_int_eq(plan.add_partitions, 2);
    ck_assert_int_eq(plan.replication_factor, 2);
    ck_assert_int_eq(plan.assignments[0].replicas[0], 1);
    ck_assert_int_eq(plan.assignments[1].replicas[0], 2);
    ck_assert_int_eq(plan.assignments[1].replicas[1], 0);
    ck_assert_int_eq(plan.assignments[1].replica_count, 2);
}
END_TEST

START_TEST(bad_replicas_by_hand_are_refused)
{
    static const struct {
        int32_t partition, first, second;
    } cases[] = {
        {1, 0, 1},  /* a hole: partition 0 is missing */
        {-1, 0, 1}, /* no such number */
        {0, 0, 0},  /* the same broker twice */
        {0, 0, 7},  /* not a broker of the cell */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_assignments();
        ask_assignment(cases[i].partition, cases[i].first, cases[i].second);
        ck_assert_int_eq(create(), KAFKA_INVALID_REPLICA_ASSIGNMENT);
    }
    begin_assignments();
    ask_assignment(0, 0, 1);
    ask_assignment(0, 1, 2);
    ck_assert_int_eq(create(), KAFKA_INVALID_REPLICA_ASSIGNMENT);
    begin_assignments();
    ask_assignment(0, 0, 1);
    ask_assignment(1, 1, -1); /* one replica fewer than the first */
    ck_assert_int_eq(create(), KAFKA_INVALID_REPLICA_ASSIGNMENT);
}
END_TEST

START_TEST(settings_are_checked_and_come_out_once_each)
{
    ask_setting("retention.ms", "7200000");
    ck_assert_int_eq(create(), KAFKA_NONE);
    ck_assert_uint_eq(plan.override_count, 1);
    ck_assert_str_eq(plan.overrides[0].setting->name, "retention.ms");
    ck_assert(slice_equal_cstring(plan.overrides[0].value, "7200000"));

    ask_setting("retention.msx", "1");
    ck_assert_int_eq(create(), KAFKA_INVALID_CONFIG);
    ask_setting("retention.ms", NULL);
    ck_assert_int_eq(create(), KAFKA_INVALID_CONFIG);
    ask_setting("retention.ms", "soon");
    ck_assert_int_eq(create(), KAFKA_INVALID_CONFIG);
}
END_TEST

START_TEST(the_last_of_two_values_for_a_setting_counts)
{
    ck_assert_int_eq(kafka_create_topics_request_config_array_init(&asked.configs, &arena, 2),
                     ERR_OK);
    asked.configs.items[0].name = asked.configs.items[1].name = SLICE_LITERAL("cleanup.policy");
    asked.configs.items[0].value = SLICE_LITERAL("delete");
    asked.configs.items[1].value = SLICE_LITERAL("compact");
    ck_assert_int_eq(create(), KAFKA_NONE);
    ck_assert_uint_eq(plan.override_count, 1);
    ck_assert(slice_equal_cstring(plan.overrides[0].value, "compact"));
}
END_TEST

START_TEST(the_limit_of_partitions_is_named_with_what_was_asked_and_what_is_there)
{
    limits.max_partitions = 100;
    limits.partitions = 95;
    ck_assert_int_eq(create_counts(10, -1, 1), KAFKA_POLICY_VIOLATION);
    ck_assert_ptr_nonnull(strstr(plan.message, "10 partitions"));
    ck_assert_ptr_nonnull(strstr(plan.message, "'orders'"));
    ck_assert_ptr_nonnull(strstr(plan.message, "100"));
    ck_assert_ptr_nonnull(strstr(plan.message, "95"));
    ck_assert_int_eq(create_counts(5, -1, 1), KAFKA_NONE);
}
END_TEST

START_TEST(topics_of_one_request_use_up_the_limit_together)
{
    limits.max_partitions = 10;
    ck_assert_int_eq(create_counts(6, -1, 1), KAFKA_NONE);
    ck_assert_int_eq(create_counts(5, -1, 1), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(create_counts(4, -1, 1), KAFKA_NONE);
}
END_TEST

START_TEST(one_request_cannot_ask_for_more_than_ten_thousand_partitions)
{
    ck_assert_int_eq(create_counts(INT32_MAX, -1, 1), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(create_counts(9999, -1, 1), KAFKA_NONE);
    ck_assert_int_eq(create_counts(2, -1, 1), KAFKA_POLICY_VIOLATION);
}
END_TEST

START_TEST(reserved_disk_is_summed_over_all_that_the_request_makes)
{
    limits.max_reserved = 4 * (int64_t)1073741824;
    ck_assert_int_eq(create_counts(3, -1, 1), KAFKA_POLICY_VIOLATION);
    ck_assert_ptr_nonnull(strstr(plan.message, "reserved storage limit is reached"));
    ck_assert_ptr_nonnull(strstr(plan.message, "4294967296"));
    ck_assert_int_eq(create_counts(2, -1, 1), KAFKA_NONE);
    ck_assert_int_eq(limits.reserved, 2 * (int64_t)1673527296);
    ck_assert_int_eq(create_counts(1, -1, 1), KAFKA_POLICY_VIOLATION);
    limits.max_reserved = 3 * (int64_t)1673527296;
    ck_assert_int_eq(create_counts(1, -1, 1), KAFKA_NONE);
}
END_TEST

/* --- more partitions --- */

static struct image_partition partitions[3];
static struct image_topic topic;
static struct kafka_create_partitions_request_topic grown;

static enum kafka_error grow(int32_t count)
{
    topic.name = SLICE_LITERAL("orders");
    topic.partition_count = 3;
    topic.partitions = partitions;
    partitions[0].replica_count = 2;
    grown.count = count;
    topic_plan_grow(&limits, &topic, &grown, &arena, &plan);
    return plan.error;
}

static void setup_grow(void)
{
    setup();
    kafka_create_partitions_request_topic_init_defaults(&grown);
    grown.assignments.count = -1;
}

START_TEST(a_topic_grows_by_the_difference_with_its_own_replication_factor)
{
    ck_assert_int_eq(grow(5), KAFKA_NONE);
    ck_assert_int_eq(plan.add_partitions, 2);
    ck_assert_int_eq(plan.replication_factor, 2);
    ck_assert_ptr_null(plan.assignments);
}
END_TEST

START_TEST(a_topic_neither_shrinks_nor_stays)
{
    ck_assert_int_eq(grow(3), KAFKA_INVALID_PARTITIONS);
    ck_assert_int_eq(grow(2), KAFKA_INVALID_PARTITIONS);
    ck_assert_int_eq(grow(-1), KAFKA_INVALID_PARTITIONS);
}
END_TEST

START_TEST(growing_counts_against_the_limit)
{
    limits.max_partitions = 4;
    limits.partitions = 3;
    ck_assert_int_eq(grow(5), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(grow(4), KAFKA_NONE);
}
END_TEST

START_TEST(replicas_of_new_partitions_are_as_many_as_the_topic_has)
{
    ck_assert_int_eq(
        kafka_create_partitions_request_assignment_array_init(&grown.assignments, &arena, 1),
        ERR_OK);
    ck_assert_int_eq(kafka_i32_array_init(&grown.assignments.items[0].broker_ids, &arena, 2),
                     ERR_OK);
    grown.assignments.items[0].broker_ids.items[0] = 2;
    grown.assignments.items[0].broker_ids.items[1] = 1;
    ck_assert_int_eq(grow(4), KAFKA_NONE);
    ck_assert_int_eq(plan.assignments[0].replicas[0], 2);
    ck_assert_int_eq(grow(5), KAFKA_INVALID_REPLICA_ASSIGNMENT);
    grown.assignments.items[0].broker_ids.count = 1;
    ck_assert_int_eq(grow(4), KAFKA_INVALID_REPLICA_ASSIGNMENT);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("topic_plan");
    TCase *creating = tcase_create("create");
    TCase *growing = tcase_create("grow");

    tcase_add_checked_fixture(creating, setup, teardown);
    tcase_add_test(creating, minus_one_is_one_partition_and_as_many_replicas_as_can_be_up_to_three);
    tcase_add_test(creating,
                   factors_one_and_three_are_taken_in_every_cell_and_two_where_there_are_two);
    tcase_add_test(creating, no_partitions_and_less_than_the_default_are_refused);
    tcase_add_test(creating, replicas_by_hand_go_with_defaults_only);
    tcase_add_test(creating, replicas_by_hand_are_taken_in_the_order_of_partitions);
    tcase_add_test(creating, bad_replicas_by_hand_are_refused);
    tcase_add_test(creating, settings_are_checked_and_come_out_once_each);
    tcase_add_test(creating, the_last_of_two_values_for_a_setting_counts);
    tcase_add_test(creating,
                   the_limit_of_partitions_is_named_with_what_was_asked_and_what_is_there);
    tcase_add_test(creating, topics_of_one_request_use_up_the_limit_together);
    tcase_add_test(creating, reserved_disk_is_summed_over_all_that_the_request_makes);
    tcase_add_test(creating, one_request_cannot_ask_for_more_than_ten_thousand_partitions);
    suite_add_tcase(suite, creating);
    tcase_add_checked_fixture(growing, setup_grow, teardown);
    tcase_add_test(growing, a_topic_grows_by_the_difference_with_its_own_replication_factor);
    tcase_add_test(growing, a_topic_neither_shrinks_nor_stays);
    tcase_add_test(growing, growing_counts_against_the_limit);
    tcase_add_test(growing, replicas_of_new_partitions_are_as_many_as_the_topic_has);
    suite_add_tcase(suite, growing);
    return suite;
}
