/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/topic_settings.h"
#include "tests/support/check_main.h"

#include <stdio.h>

static const struct topic_policy enterprise = {
    .allows_every_key = true, .max_retention_bytes = -1, .max_message_bytes = -1};

static struct topic_setting_range standard_ranges[3];
static struct topic_policy standard = {.range_count = 3,
                                       .ranges = standard_ranges,
                                       .max_retention_bytes = 1073741824,
                                       .max_message_bytes = 1048588};

static const struct topic_setting *find(const char *name)
{
    return topic_setting_find(slice_from_cstring(name));
}

static void setup(void)
{
    standard_ranges[0] = (struct topic_setting_range){.setting = find("cleanup.policy")};
    standard_ranges[1] = (struct topic_setting_range){
        .setting = find("retention.bytes"), .minimum = 102400, .maximum = 1073741824};
    standard_ranges[2] = (struct topic_setting_range){
        .setting = find("retention.ms"), .minimum = 3600000, .maximum = 2592000000};
}

/* Checks up to two settings; key NULL = absent. */
static enum kafka_error check_two(const struct topic_policy *policy, const char *key,
                                  const char *value, const char *other_key, const char *other_value,
                                  struct topic_settings_check *check)
{
    static struct topic_override overrides[2]; /* tests check again with it */
    size_t count = 0;

    if (key != NULL)
        overrides[count++] = (struct topic_override){find(key), slice_from_cstring(value)};
    if (other_key != NULL)
        overrides[count++] =
            (struct topic_override){find(other_key), slice_from_cstring(other_value)};
    *check = (struct topic_settings_check){
        .overrides = overrides, .count = count, .policy = policy, .broker_count = 1};
    return topic_settings_check(check);
}

static enum kafka_error check_one(const struct topic_policy *policy, const char *key,
                                  const char *value)
{
    struct topic_settings_check check;

    return check_two(policy, key, value, NULL, NULL, &check);
}

START_TEST(the_table_is_in_order_and_each_default_is_a_value_of_its_key)
{
    char message[SETTING_MESSAGE_MAX];

    for (size_t i = 0; i < topic_setting_count(); i++) {
        const struct topic_setting *setting = topic_setting_at(i);

        if (i > 0)
            ck_assert_int_lt(strcmp(topic_setting_at(i - 1)->name, setting->name), 0);
        ck_assert_ptr_eq(find(setting->name), setting);
        ck_assert_msg(topic_setting_check_value(setting, slice_from_cstring(setting->default_value),
                                                message) == KAFKA_NONE,
                      "%s: %s", setting->name, message);
        ck_assert_ptr_nonnull(setting->documentation);
    }
    ck_assert_ptr_null(find("retention"));
    ck_assert_ptr_null(find("retention.msx"));
    ck_assert_ptr_null(find(""));
}
END_TEST

START_TEST(flush_settings_have_the_defaults_of_kafka)
{
    ck_assert_str_eq(find("flush.messages")->default_value, "9223372036854775807");
    ck_assert_str_eq(find("flush.ms")->default_value, "9223372036854775807");
    ck_assert_ptr_null(find("flush.messages")->kafka_default);
    ck_assert_ptr_null(find("flush.ms")->kafka_default);
}
END_TEST

START_TEST(the_defaults_are_the_services)
{
    struct topic_settings_check check;

    ck_assert_int_eq(check_two(&enterprise, NULL, NULL, NULL, NULL, &check), KAFKA_NONE);
    ck_assert_int_eq(check.config.retention_ms, 86400000);
    ck_assert_int_eq(check.config.retention_bytes, 1073741824);
    ck_assert_int_eq(check.config.segment_bytes, 536870912);
    ck_assert_int_eq(check.config.segment_ms, 604800000);
    ck_assert_int_eq(check.config.max_message_bytes, 1048588);
    ck_assert_int_eq(check.config.index_interval_bytes, 65536);
    ck_assert_int_eq(check.config.timestamp_before_max_ms, INT64_MAX);
    ck_assert_int_eq(check.config.timestamp_after_max_ms, 3600000);
    ck_assert_int_eq(check.config.compression, -1);
    ck_assert_int_eq(check.config.flush, FLUSH_COMMIT);
    ck_assert_uint_eq(check.config.cleanup_policy, CLEANUP_DELETE);
    ck_assert(!check.config.is_log_append_time);
    ck_assert_int_eq(check.config.min_cleanable_dirty_thousandths, 500);
    ck_assert_int_eq(check.config.min_compaction_lag_ms, 0);
    ck_assert_int_eq(check.config.max_compaction_lag_ms, INT64_MAX);
    ck_assert_int_eq(check.config.delete_retention_ms, 86400000);
    ck_assert_int_eq(check.min_insync_replicas, 1);
    check.broker_count = 3;
    ck_assert_int_eq(topic_settings_check(&check), KAFKA_NONE);
    ck_assert_int_eq(check.min_insync_replicas, 2);
}
END_TEST

START_TEST(settings_resolve_to_what_the_log_needs)
{
    struct topic_settings_check check;

    ck_assert_int_eq(check_two(&enterprise, "cleanup.policy", "compact, delete", "compression.type",
                               "zstd", &check),
                     KAFKA_NONE);
    ck_assert_uint_eq(check.config.cleanup_policy, CLEANUP_DELETE | CLEANUP_COMPACT);
    ck_assert_int_eq(check.config.compression, 4);
    ck_assert_int_eq(check_two(&enterprise, "millrace.flush", "os", "message.timestamp.type",
                               "LogAppendTime", &check),
                     KAFKA_NONE);
    ck_assert_int_eq(check.config.flush, FLUSH_OS);
    ck_assert(check.config.is_log_append_time);
    ck_assert_int_eq(
        check_two(&enterprise, "min.insync.replicas", "3", "retention.ms", "-1", &check),
        KAFKA_NONE);
    ck_assert_int_eq(check.min_insync_replicas, 3);
    ck_assert_int_eq(check.config.retention_ms, -1);
    ck_assert_int_eq(check_two(&enterprise, "min.cleanable.dirty.ratio", "0.125",
                               "delete.retention.ms", "7", &check),
                     KAFKA_NONE);
    ck_assert_int_eq(check.config.min_cleanable_dirty_thousandths, 125);
    ck_assert_int_eq(check.config.delete_retention_ms, 7);
    ck_assert_int_eq(
        check_two(&enterprise, "min.compaction.lag.ms", "5", "max.compaction.lag.ms", "6", &check),
        KAFKA_NONE);
    ck_assert_int_eq(check.config.min_compaction_lag_ms, 5);
    ck_assert_int_eq(check.config.max_compaction_lag_ms, 6);
    ck_assert_int_eq(
        check_two(&enterprise, "index.interval.bytes", "100000", "segment.jitter.ms", "7", &check),
        KAFKA_NONE);
    ck_assert_int_eq(check.config.index_interval_bytes, 100000);
    ck_assert_int_eq(check.config.segment_jitter_ms, 7);
    ck_assert_int_eq(check_two(&enterprise, "index.interval.bytes", "0", "segment.index.bytes",
                               "200000", &check),
                     KAFKA_NONE);
    ck_assert_int_eq(check.config.index_interval_bytes, 65536);
    ck_assert_int_eq(check.config.segment_index_bytes, 200000);
    ck_assert_int_eq(check_two(&enterprise, "cleanup.policy", "", NULL, NULL, &check), KAFKA_NONE);
    ck_assert_uint_eq(check.config.cleanup_policy, 0);
}
END_TEST

START_TEST(values_that_kafka_would_not_take_are_invalid)
{
    static const char *const bad[][2] = {{"retention.ms", "-2"},
                                         {"retention.ms", "12x"},
                                         {"retention.ms", ""},
                                         {"retention.ms", "9223372036854775808"},
                                         {"segment.bytes", "102399"},
                                         {"segment.bytes", "2147483648"},
                                         {"cleanup.policy", "remove"},
                                         {"cleanup.policy", "delete,delete"},
                                         {"compression.type", "brotli"},
                                         {"preallocate", "yes"},
                                         {"min.cleanable.dirty.ratio", "1.1"},
                                         {"min.cleanable.dirty.ratio", "nan"},
                                         {"millrace.flush", "never"},
                                         {"min.insync.replicas", "0"},
                                         {"retention.ms", "1\x01"}};
    struct topic_settings_check check;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(check_one(&enterprise, bad[i][0], bad[i][1]) == KAFKA_INVALID_CONFIG, "%s=%s",
                      bad[i][0], bad[i][1]);
    ck_assert_int_eq(check_two(&enterprise, "segment.bytes", "102400", NULL, NULL, &check),
                     KAFKA_NONE);
    ck_assert_int_eq(
        check_two(&enterprise, "min.compaction.lag.ms", "5", "max.compaction.lag.ms", "4", &check),
        KAFKA_INVALID_CONFIG);
    ck_assert_int_eq(check_two(&enterprise, "retention.ms", "x", NULL, NULL, &check),
                     KAFKA_INVALID_CONFIG);
    ck_assert_str_eq(check.message,
                     "Invalid value x for configuration retention.ms: Not a number of type LONG");
}
END_TEST

START_TEST(a_plan_bounds_what_may_be_set_and_the_message_names_the_range)
{
    struct topic_settings_check check;

    ck_assert_int_eq(check_two(&standard, "retention.ms", "60000", NULL, NULL, &check),
                     KAFKA_POLICY_VIOLATION);
    ck_assert_str_eq(check.message,
                     "Invalid retention.ms specified. The allowed range is [3600000..2592000000]");
    ck_assert_int_eq(check_one(&standard, "retention.ms", "3600000"), KAFKA_NONE);
    ck_assert_int_eq(check_one(&standard, "retention.bytes", "-1"), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(check_one(&standard, "retention.bytes", "1073741825"), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(check_one(&standard, "cleanup.policy", "compact"), KAFKA_NONE);
    ck_assert_int_eq(check_one(&standard, "cleanup.policy", ""), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(check_one(&standard, "max.message.bytes", "1048589"), KAFKA_POLICY_VIOLATION);
}
END_TEST

START_TEST(retention_for_ever_is_allowed_on_a_plan_when_the_bytes_are_bounded)
{
    struct topic_settings_check check;
    struct topic_policy unbounded = standard;
    struct topic_setting_range ranges[2] = {standard_ranges[1], standard_ranges[2]};

    ck_assert_int_eq(check_one(&standard, "retention.ms", "-1"), KAFKA_NONE);
    ranges[0].minimum = -1;
    unbounded.ranges = ranges;
    unbounded.range_count = 2;
    unbounded.max_retention_bytes = -1;
    ck_assert_int_eq(check_two(&unbounded, "retention.ms", "-1", "retention.bytes", "-1", &check),
                     KAFKA_POLICY_VIOLATION);
    check.changed = (const bool[]){false, true};
    ck_assert_int_eq(topic_settings_check(&check), KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(
        check_two(&unbounded, "retention.ms", "-1", "retention.bytes", "200000", &check),
        KAFKA_NONE);
}
END_TEST

START_TEST(a_key_that_the_plan_does_not_allow_is_taken_with_the_value_in_force)
{
    ck_assert_int_eq(check_one(&standard, "message.timestamp.type", "CreateTime"), KAFKA_NONE);
    ck_assert_int_eq(check_one(&standard, "message.timestamp.type", "LogAppendTime"),
                     KAFKA_POLICY_VIOLATION);
    ck_assert_int_eq(check_one(&standard, "max.message.bytes", "1048588"), KAFKA_NONE);
    ck_assert_int_eq(check_one(&enterprise, "unclean.leader.election.enable", "False"), KAFKA_NONE);
    ck_assert_int_eq(check_one(&enterprise, "unclean.leader.election.enable", "true"),
                     KAFKA_POLICY_VIOLATION);
}
END_TEST

START_TEST(everything_that_is_described_is_accepted_back)
{
    char text[SETTING_VALUE_MAX];

    for (size_t i = 0; i < topic_setting_count(); i++) {
        const struct topic_setting *setting = topic_setting_at(i);

        topic_setting_default(setting, &standard, 1, text);
        ck_assert_msg(check_one(&standard, setting->name, text) == KAFKA_NONE, "%s", setting->name);
        topic_setting_default(setting, &enterprise, 1, text);
        ck_assert_msg(check_one(&enterprise, setting->name, text) == KAFKA_NONE, "%s",
                      setting->name);
    }
}
END_TEST

START_TEST(defaults_never_pass_the_plans_limit)
{
    struct topic_policy lite = {
        .allows_every_key = true, .max_retention_bytes = 104857600, .max_message_bytes = 1000};
    struct topic_settings_check check;
    char text[SETTING_VALUE_MAX];

    topic_setting_default(find("retention.bytes"), &lite, 1, text);
    ck_assert_str_eq(text, "104857600");
    ck_assert_int_eq(check_two(&lite, NULL, NULL, NULL, NULL, &check), KAFKA_NONE);
    ck_assert_int_eq(check.config.retention_bytes, 104857600);
    ck_assert_int_eq(check.config.max_message_bytes, 1000);
    ck_assert_int_eq(check_one(&lite, "retention.bytes", "-1"), KAFKA_POLICY_VIOLATION);
}
END_TEST

START_TEST(defaults_never_lie_outside_the_plans_range)
{
    struct topic_setting_range range = {
        .setting = find("segment.bytes"), .minimum = 102400, .maximum = 104857600};
    struct topic_policy lite = {
        .range_count = 1, .ranges = &range, .max_retention_bytes = -1, .max_message_bytes = -1};
    struct topic_settings_check check;

    ck_assert_int_eq(check_two(&lite, NULL, NULL, NULL, NULL, &check), KAFKA_NONE);
    ck_assert_int_eq(check.config.segment_bytes, 104857600);
    ck_assert_int_eq(check_one(&lite, "segment.bytes", "536870912"), KAFKA_POLICY_VIOLATION);
}
END_TEST

START_TEST(what_is_stored_already_is_not_refused_again)
{
    struct topic_settings_check check;

    ck_assert_int_eq(check_two(&standard, "retention.ms", "60000", NULL, NULL, &check),
                     KAFKA_POLICY_VIOLATION);
    check.changed = (const bool[]){false};
    ck_assert_int_eq(topic_settings_check(&check), KAFKA_NONE);
    ck_assert_int_eq(check.config.retention_ms, 60000);
}
END_TEST

START_TEST(internal_topics_are_under_no_plan)
{
    struct topic_settings_check check;

    check_two(&standard, "segment.bytes", "104857600", "cleanup.policy", "compact", &check);
    check.is_internal = true;
    ck_assert_int_eq(topic_settings_check(&check), KAFKA_NONE);
    ck_assert(check.config.is_internal);
}
END_TEST

START_TEST(lists_are_appended_to_and_subtracted_from)
{
    char text[SETTING_VALUE_MAX];

    ck_assert(topic_setting_edit_list(SLICE_LITERAL("delete"), SLICE_LITERAL("compact,delete"),
                                      true, text));
    ck_assert_str_eq(text, "delete,compact");
    ck_assert(topic_setting_edit_list(SLICE_LITERAL("compact, delete"), SLICE_LITERAL("compact"),
                                      false, text));
    ck_assert_str_eq(text, "delete");
    ck_assert(topic_setting_edit_list(SLICE_LITERAL(""), SLICE_LITERAL("compact"), true, text));
    ck_assert_str_eq(text, "compact");
}
END_TEST

START_TEST(topic_names_follow_kafkas_rules_and_our_length)
{
    char name[260];

    memset(name, 'a', sizeof(name));
    ck_assert_ptr_null(topic_name_check(SLICE_LITERAL("orders.v1_x-Y"), TOPIC_NAME_CLIENT_MAX));
    ck_assert_ptr_null(topic_name_check(slice_of(name, 200), TOPIC_NAME_CLIENT_MAX));
    ck_assert_ptr_nonnull(topic_name_check(slice_of(name, 201), TOPIC_NAME_CLIENT_MAX));
    ck_assert_ptr_null(topic_name_check(slice_of(name, 249), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(slice_of(name, 250), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL(""), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_NULL, TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL("."), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL(".."), TOPIC_NAME_MAX));
    ck_assert_ptr_null(topic_name_check(SLICE_LITERAL("..."), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL("a b"), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL("a/b"), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL("caf\xc3\xa9"), TOPIC_NAME_MAX));
    ck_assert_ptr_nonnull(topic_name_check(SLICE_LITERAL("a\0b"), TOPIC_NAME_MAX));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/cluster: topic settings");
    TCase *tc = tcase_create("settings");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, the_table_is_in_order_and_each_default_is_a_value_of_its_key);
    tcase_add_test(tc, flush_settings_have_the_defaults_of_kafka);
    tcase_add_test(tc, the_defaults_are_the_services);
    tcase_add_test(tc, settings_resolve_to_what_the_log_needs);
    tcase_add_test(tc, values_that_kafka_would_not_take_are_invalid);
    tcase_add_test(tc, a_plan_bounds_what_may_be_set_and_the_message_names_the_range);
    tcase_add_test(tc, retention_for_ever_is_allowed_on_a_plan_when_the_bytes_are_bounded);
    tcase_add_test(tc, a_key_that_the_plan_does_not_allow_is_taken_with_the_value_in_force);
    tcase_add_test(tc, everything_that_is_described_is_accepted_back);
    tcase_add_test(tc, defaults_never_pass_the_plans_limit);
    tcase_add_test(tc, defaults_never_lie_outside_the_plans_range);
    tcase_add_test(tc, what_is_stored_already_is_not_refused_again);
    tcase_add_test(tc, internal_topics_are_under_no_plan);
    tcase_add_test(tc, lists_are_appended_to_and_subtracted_from);
    tcase_add_test(tc, topic_names_follow_kafkas_rules_and_our_length);
    suite_add_tcase(suite, tc);
    return suite;
}
