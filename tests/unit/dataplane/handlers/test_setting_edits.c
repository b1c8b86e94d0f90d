/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/config_view.h"
#include "dataplane/handlers/setting_edits.h"
#include "tests/support/check_main.h"

static const struct topic_policy enterprise = {
    .allows_every_key = true, .max_retention_bytes = -1, .max_message_bytes = -1};
static struct topic_setting_range standard_ranges[1];
static struct topic_policy standard = {.range_count = 1,
                                       .ranges = standard_ranges,
                                       .max_retention_bytes = 1073741824,
                                       .max_message_bytes = 1048588};

static struct arena arena;
static struct topic_override stored[2];
static struct image_topic topic;
static struct setting_change change;

static const struct topic_setting *find(const char *name)
{
    return topic_setting_find(slice_from_cstring(name));
}

/* A topic that is compacted and keeps records for two hours. */
static void setup(void)
{
    arena_init(&arena, 1 << 20);
    stored[0] = (struct topic_override){find("cleanup.policy"), SLICE_LITERAL("compact")};
    stored[1] = (struct topic_override){find("retention.ms"), SLICE_LITERAL("7200000")};
    topic = (struct image_topic){.overrides = stored, .override_count = 2};
    standard_ranges[0] = (struct topic_setting_range){
        .setting = find("retention.ms"), .minimum = 3600000, .maximum = 2592000000};
}

static void teardown(void)
{
    arena_done(&arena);
}

static enum kafka_error decide(const struct setting_edit *items, int32_t count, bool replaces,
                               const struct topic_policy *policy)
{
    const struct setting_edits edits = {items, count, replaces};

    setting_edits_decide(&edits, &topic, policy, 1, &arena, &change);
    return change.error;
}

static enum kafka_error edit(const char *name, int operation, const char *value)
{
    const struct setting_edit item = {slice_from_cstring(name), (int8_t)operation,
                                      slice_from_cstring(value)};

    return decide(&item, 1, false, &enterprise);
}

static void assert_set(size_t index, const char *name, const char *value)
{
    ck_assert_uint_lt(index, change.set_count);
    ck_assert_str_eq(change.set[index].setting->name, name);
    ck_assert(slice_equal_cstring(change.set[index].value, value));
}

START_TEST(set_and_delete_become_changes_of_that_key_alone)
{
    ck_assert_int_eq(edit("segment.ms", SETTING_SET, "3600000"), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count, 1);
    ck_assert_uint_eq(change.remove_count, 0);
    assert_set(0, "segment.ms", "3600000");

    ck_assert_int_eq(edit("retention.ms", SETTING_DELETE, NULL), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count, 0);
    ck_assert_uint_eq(change.remove_count, 1);
    ck_assert_str_eq(change.remove[0]->name, "retention.ms");
}
END_TEST

START_TEST(what_comes_out_as_it_was_is_no_change)
{
    ck_assert_int_eq(edit("retention.ms", SETTING_SET, "7200000"), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count + change.remove_count, 0);
    ck_assert_int_eq(edit("segment.ms", SETTING_DELETE, NULL), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count + change.remove_count, 0);
}
END_TEST

START_TEST(a_list_is_edited_from_what_is_in_force)
{
    ck_assert_int_eq(edit("cleanup.policy", SETTING_APPEND, "delete"), KAFKA_NONE);
    assert_set(0, "cleanup.policy", "compact,delete");

    topic.override_count = 0; /* the default is delete */
    ck_assert_int_eq(edit("cleanup.policy", SETTING_APPEND, "compact"), KAFKA_NONE);
    assert_set(0, "cleanup.policy", "delete,compact");
}
END_TEST

START_TEST(only_lists_are_appended_to)
{
    ck_assert_int_eq(edit("retention.ms", SETTING_APPEND, "1"), KAFKA_INVALID_CONFIG);
    ck_assert_int_eq(edit("retention.ms", SETTING_SUBTRACT, "1"), KAFKA_INVALID_CONFIG);
}
END_TEST

START_TEST(missing_values_and_unknown_operations_are_bad_requests)
{
    ck_assert_int_eq(edit("retention.ms", SETTING_SET, NULL), KAFKA_INVALID_REQUEST);
    ck_assert_int_eq(edit("cleanup.policy", SETTING_APPEND, NULL), KAFKA_INVALID_REQUEST);
    ck_assert_int_eq(edit("retention.ms", 4, "1"), KAFKA_INVALID_REQUEST);
    ck_assert_int_eq(edit("retention.ms", -1, "1"), KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(unknown_keys_are_refused_even_when_deleted)
{
    ck_assert_int_eq(edit("retention.msx", SETTING_SET, "1"), KAFKA_INVALID_CONFIG);
    ck_assert_int_eq(edit("retention.msx", SETTING_DELETE, NULL), KAFKA_INVALID_CONFIG);
}
END_TEST

START_TEST(a_key_may_be_edited_once_in_a_call)
{
    const struct setting_edit twice[] = {
        {SLICE_LITERAL("retention.ms"), SETTING_SET, SLICE_LITERAL("1")},
        {SLICE_LITERAL("retention.ms"), SETTING_DELETE, SLICE_NULL},
    };

    ck_assert_int_eq(decide(twice, 2, false, &enterprise), KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(replacing_takes_back_what_is_not_named)
{
    const struct setting_edit items[] = {
        {SLICE_LITERAL("retention.ms"), SETTING_SET, SLICE_LITERAL("7200000")},
        {SLICE_LITERAL("segment.ms"), SETTING_SET, SLICE_LITERAL("3600000")},
    };

    ck_assert_int_eq(decide(items, 2, true, &enterprise), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count, 1);
    assert_set(0, "segment.ms", "3600000");
    ck_assert_uint_eq(change.remove_count, 1);
    ck_assert_str_eq(change.remove[0]->name, "cleanup.policy");
}
END_TEST

START_TEST(replacing_with_nothing_takes_back_all)
{
    ck_assert_int_eq(decide(NULL, 0, true, &enterprise), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count, 0);
    ck_assert_uint_eq(change.remove_count, 2);
}
END_TEST

START_TEST(the_plan_is_asked_about_what_changes_and_not_about_what_was_there)
{
    const struct setting_edit keep[] = {
        {SLICE_LITERAL("cleanup.policy"), SETTING_SET, SLICE_LITERAL("compact")},
        {SLICE_LITERAL("retention.ms"), SETTING_SET, SLICE_LITERAL("3600000")},
    };
    const struct setting_edit beyond = {SLICE_LITERAL("retention.ms"), SETTING_SET,
                                        SLICE_LITERAL("60000")};

    ck_assert_int_eq(decide(keep, 2, true, &standard), KAFKA_NONE);
    ck_assert_uint_eq(change.set_count, 1);
    ck_assert_int_eq(decide(&beyond, 1, false, &standard), KAFKA_POLICY_VIOLATION);
    ck_assert_ptr_nonnull(strstr(change.message, "[3600000..2592000000]"));
}
END_TEST

/* --- how settings are shown --- */

static const struct config_view *show(const char *name, const struct topic_policy *policy)
{
    static struct config_view views[64];
    const struct config_default *defaults = config_defaults_make(policy, 1, &arena);

    ck_assert_ptr_nonnull(defaults);
    config_views_fill(defaults, policy, topic.overrides, topic.override_count, views);
    return &views[topic_setting_index(find(name))];
}

START_TEST(a_value_set_on_the_topic_is_the_topics_even_when_it_is_the_default)
{
    stored[1].value = SLICE_LITERAL("86400000");
    ck_assert_int_eq(show("retention.ms", &enterprise)->source, CONFIG_SOURCE_TOPIC);
    topic.override_count = 1;
    ck_assert(slice_equal_cstring(show("retention.ms", &enterprise)->value, "86400000"));
    ck_assert_int_ne(show("retention.ms", &enterprise)->source, CONFIG_SOURCE_TOPIC);
}
END_TEST

START_TEST(a_default_that_is_not_kafkas_comes_from_the_broker)
{
    topic.override_count = 0;
    ck_assert_int_eq(show("retention.ms", &enterprise)->source, CONFIG_SOURCE_STATIC_BROKER);
    ck_assert_int_eq(show("cleanup.policy", &enterprise)->source, CONFIG_SOURCE_DEFAULT);
    ck_assert_int_eq(show("min.insync.replicas", &enterprise)->source, CONFIG_SOURCE_DEFAULT);
}
END_TEST

START_TEST(what_the_plan_keeps_is_read_only)
{
    ck_assert(show("cleanup.policy", &standard)->is_read_only);
    ck_assert(!show("retention.ms", &standard)->is_read_only);
    ck_assert(!show("cleanup.policy", &enterprise)->is_read_only);
    ck_assert(show("leader.replication.throttled.replicas", &enterprise)->is_read_only);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("setting_edits");
    TCase *edits = tcase_create("edits");
    TCase *views = tcase_create("views");

    tcase_add_checked_fixture(edits, setup, teardown);
    tcase_add_test(edits, set_and_delete_become_changes_of_that_key_alone);
    tcase_add_test(edits, what_comes_out_as_it_was_is_no_change);
    tcase_add_test(edits, a_list_is_edited_from_what_is_in_force);
    tcase_add_test(edits, only_lists_are_appended_to);
    tcase_add_test(edits, missing_values_and_unknown_operations_are_bad_requests);
    tcase_add_test(edits, unknown_keys_are_refused_even_when_deleted);
    tcase_add_test(edits, a_key_may_be_edited_once_in_a_call);
    tcase_add_test(edits, replacing_takes_back_what_is_not_named);
    tcase_add_test(edits, replacing_with_nothing_takes_back_all);
    tcase_add_test(edits, the_plan_is_asked_about_what_changes_and_not_about_what_was_there);
    suite_add_tcase(suite, edits);
    tcase_add_checked_fixture(views, setup, teardown);
    tcase_add_test(views, a_value_set_on_the_topic_is_the_topics_even_when_it_is_the_default);
    tcase_add_test(views, a_default_that_is_not_kafkas_comes_from_the_broker);
    tcase_add_test(views, what_the_plan_keeps_is_read_only);
    suite_add_tcase(suite, views);
    return suite;
}
