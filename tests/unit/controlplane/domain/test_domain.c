/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "controlplane/domain/crn.h"
#include "controlplane/domain/cursor.h"
#include "controlplane/domain/lifecycle.h"
#include "controlplane/domain/names.h"
#include "controlplane/domain/plan.h"
#include "tests/support/check_main.h"

#define ACCOUNT "0123456789abcdef0123456789abcdef"
#define GUID "5f0c1a52-1111-4222-8333-444455556666"
#define INSTANCE_CRN "crn:v1:bluemix:public:messagehub:global:a/" ACCOUNT ":" GUID "::"

static const uint8_t key_bytes[32] = {1, 2, 3};
static const struct slice cursor_key = {key_bytes, sizeof(key_bytes)};

/* ---- names ---- */

static const struct {
    const char *name;
    bool is_good;
} names[] = {
    {"orders", true},
    {"Orders 1_a-b.c:d", true},
    {"Bestellungen für Köln", true},
    {"注文", true},
    {"", false},
    {"a/b", false},
    {"a\nb", false},
    {"a\x7f", false},
    {"\xff", false},
    {"\xc0\xaf", false},
    {"\xed\xa0\x80", false},
    {"\xf4\x90\x80\x80", false},
    {"\xe2\x82", false},
    {"<b>", false},
    {"a\tb", false},
};

START_TEST(names_hold_letters_digits_and_five_marks)
{
    struct error error;
    enum err rc = name_check("name", slice_from_cstring(names[_i].name), &error);

    ck_assert_int_eq(rc, names[_i].is_good ? ERR_OK : ERR_INVALID);
}
END_TEST

START_TEST(a_name_has_at_most_180_characters_however_many_bytes)
{
    char text[2 * NAME_MAX_CHARS + 3];

    for (int i = 0; i <= NAME_MAX_CHARS; i++)
        memcpy(text + 2 * i, "ü", 2);
    ck_assert_int_eq(name_check("name", slice_of(text, 2 * NAME_MAX_CHARS), NULL), ERR_OK);
    ck_assert_int_eq(name_check("name", slice_of(text, 2 * NAME_MAX_CHARS + 2), NULL), ERR_INVALID);
}
END_TEST

START_TEST(a_host_label_is_one_dns_label_that_starts_with_a_letter)
{
    struct seeded_random random;
    char label[HOST_LABEL_LEN + 1];

    seeded_random_init(&random, 7);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(host_label_generate(&random.base, label), ERR_OK);
        ck_assert_uint_eq(strlen(label), HOST_LABEL_LEN);
        ck_assert(label[0] >= 'a' && label[0] <= 'p');
        ck_assert_uint_eq(strspn(label, "abcdefghijklmnopqrstuvwxyz012345"), HOST_LABEL_LEN);
    }
}
END_TEST

/* ---- CRNs ---- */

START_TEST(a_crn_of_ours_names_its_instance)
{
    char crn[CRN_MAX_LEN + 1];
    struct uuid instance, found;

    ck_assert_int_eq(uuid_parse(SLICE_LITERAL(GUID), &instance), ERR_OK);
    crn_format_instance("global", ACCOUNT, instance, crn);
    ck_assert_str_eq(crn, INSTANCE_CRN);
    ck_assert_int_eq(crn_parse_instance(crn, ACCOUNT, &found), ERR_OK);
    ck_assert(uuid_equal(instance, found));
    ck_assert_int_eq(crn_parse_instance(GUID, ACCOUNT, &found), ERR_OK);
    crn_format_key("global", ACCOUNT, instance, instance, crn);
    ck_assert_int_eq(crn_parse_key(crn, ACCOUNT, &found), ERR_OK);
    ck_assert_int_eq(crn_parse_instance(crn, ACCOUNT, &found), ERR_NOT_FOUND);
}
END_TEST

static const char *const foreign[] = {
    "",
    "x",
    "00000000-0000-0000-0000-000000000000",
    "crn:",
    "crn:v1:bluemix:public:messagehub:global:a/ffffffffffffffffffffffffffffffff:" GUID "::",
    "crn:v1:bluemix:public:other:global:a/" ACCOUNT ":" GUID "::",
    "crn:v2:bluemix:public:messagehub:global:a/" ACCOUNT ":" GUID "::",
    "crn:v1:bluemix:public:messagehub:global:a/" ACCOUNT ":" GUID ":",
    "crn:v1:bluemix:public:messagehub:global:a/" ACCOUNT ":" GUID ":::",
    "crn:v1:bluemix:public:messagehub:global:a/" ACCOUNT ":" GUID ":topic:x",
    "crn:v1:bluemix:public:messagehub:global:a/:" GUID "::",
    INSTANCE_CRN "x",
};

START_TEST(a_foreign_or_broken_crn_names_nothing)
{
    struct uuid found;

    ck_assert_int_eq(crn_parse_instance(foreign[_i], ACCOUNT, &found), ERR_NOT_FOUND);
    ck_assert_int_eq(crn_parse_key(foreign[_i], ACCOUNT, &found), ERR_NOT_FOUND);
}
END_TEST

START_TEST(the_last_part_of_a_crn_is_found)
{
    ck_assert_str_eq(crn_last_part("crn:v1:bluemix:public:iam::::serviceRole:Writer"), "Writer");
    ck_assert_str_eq(crn_last_part("Writer"), "Writer");
    ck_assert_str_eq(crn_last_part("a:b"), "a:b");
}
END_TEST

/* ---- life of an instance ---- */

static enum err next(enum instance_phase phase, enum instance_event event, bool is_locked,
                     enum instance_phase *ret_phase)
{
    return lifecycle_next(phase, event, is_locked, ret_phase, NULL);
}

START_TEST(every_phase_answers_every_event)
{
    enum instance_phase phase = (enum instance_phase)_i, result, parsed;

    ck_assert_int_eq(phase_parse(phase_name(phase), &parsed), ERR_OK);
    ck_assert_int_eq(parsed, phase);
    for (int event = 0; event < EVENT_COUNT; event++) {
        enum err rc = next(phase, (enum instance_event)event, false, &result);

        ck_assert(rc == ERR_OK || rc == ERR_GONE || rc == ERR_CONFLICT || rc == ERR_EXISTS);
        if (phase == PHASE_REMOVED)
            ck_assert_int_eq(rc, ERR_GONE);
    }
}
END_TEST

START_TEST(a_delete_overtakes_what_runs_and_nothing_overtakes_a_delete)
{
    enum instance_phase result;

    ck_assert_int_eq(next(PHASE_CREATING, EVENT_DELETE, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_DELETING);
    ck_assert_int_eq(next(PHASE_UPDATING, EVENT_DELETE, false, &result), ERR_OK);
    ck_assert_int_eq(next(PHASE_FAILED, EVENT_DELETE, false, &result), ERR_OK);
    ck_assert_int_eq(next(PHASE_DELETING, EVENT_DELETE, false, &result), ERR_EXISTS);
    ck_assert_int_eq(next(PHASE_DELETING, EVENT_UPDATE, false, &result), ERR_CONFLICT);
    ck_assert_int_eq(next(PHASE_DELETING, EVENT_PUBLISHED, false, &result), ERR_CONFLICT);
    ck_assert_int_eq(next(PHASE_DELETING, EVENT_ADD_KEY, false, &result), ERR_CONFLICT);
}
END_TEST

START_TEST(a_retired_instance_is_restored_or_reclaimed_and_nothing_else)
{
    enum instance_phase result;

    ck_assert_int_eq(next(PHASE_READY, EVENT_RETIRE, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_RETIRING);
    ck_assert_int_eq(next(PHASE_RETIRING, EVENT_PUBLISHED, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_RETIRED);
    ck_assert_int_eq(next(PHASE_RETIRED, EVENT_RETIRE, false, &result), ERR_GONE);
    ck_assert_int_eq(next(PHASE_RETIRED, EVENT_UPDATE, false, &result), ERR_GONE);
    ck_assert_int_eq(next(PHASE_RETIRED, EVENT_ADD_KEY, false, &result), ERR_GONE);
    ck_assert_int_eq(next(PHASE_RETIRED, EVENT_RECLAIM, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_DELETING);
    ck_assert_int_eq(next(PHASE_RETIRED, EVENT_RESTORE, false, &result), ERR_OK);
    ck_assert_int_eq(next(PHASE_RESTORING, EVENT_RECLAIM, false, &result), ERR_CONFLICT);
    ck_assert_int_eq(next(PHASE_RESTORING, EVENT_PUBLISHED, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_READY);
}
END_TEST

START_TEST(what_was_never_ready_is_not_kept)
{
    enum instance_phase result;

    ck_assert_int_eq(next(PHASE_CREATING, EVENT_RETIRE, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_DELETING);
    ck_assert_int_eq(next(PHASE_FAILED, EVENT_RETIRE, false, &result), ERR_OK);
    ck_assert_int_eq(result, PHASE_DELETING);
}
END_TEST

START_TEST(a_locked_instance_is_neither_changed_nor_deleted)
{
    enum instance_phase result;

    ck_assert_int_eq(next(PHASE_READY, EVENT_UPDATE, true, &result), ERR_LOCKED);
    ck_assert_int_eq(next(PHASE_READY, EVENT_DELETE, true, &result), ERR_LOCKED);
    ck_assert_int_eq(next(PHASE_READY, EVENT_RETIRE, true, &result), ERR_LOCKED);
    ck_assert_int_eq(next(PHASE_READY, EVENT_ADD_KEY, true, &result), ERR_OK);
    ck_assert_int_eq(next(PHASE_UPDATING, EVENT_PUBLISHED, true, &result), ERR_OK);
}
END_TEST

START_TEST(clients_see_active_while_an_instance_is_deleted)
{
    ck_assert_str_eq(lifecycle_rc_state(PHASE_DELETING), "active");
    ck_assert_str_eq(lifecycle_rc_state(PHASE_RETIRED), "pending_reclamation");
    ck_assert_str_eq(lifecycle_rc_state(PHASE_CREATING), "provisioning");
    ck_assert_ptr_null(strstr(lifecycle_phases_of_rc_state(NULL), "removed"));
    ck_assert_ptr_null(strstr(lifecycle_phases_of_rc_state(NULL), "failed"));
    ck_assert_ptr_null(lifecycle_phases_of_rc_state("nonsense"));
}
END_TEST

/* ---- plans ---- */

static json_t *limits, *rules;
static struct plan enterprise;

static void make_plan(void)
{
    limits = json_pack("{s:i, s:i}", "partitions", 3000, "connections", 100);
    rules = json_loads(
        "{\"throughput\": {\"default\": \"150\", \"grows_only\": true, \"values\": {\"150\": "
        "{\"partitions\": 3000}, \"300\": {\"partitions\": 6000}, \"450\": {\"partitions\": "
        "9000}}}}",
        0, NULL);
    enterprise =
        (struct plan){.plan_id = "e", .limits = limits, .parameters = rules, .upgrades_to = "f,gg"};
}

static void free_plan(void)
{
    json_decref(limits);
    json_decref(rules);
}

/* Partitions under these parameters; -1 when they are refused. */
static json_int_t partitions_of(const char *parameters_text)
{
    json_t *parameters = json_loads(parameters_text, 0, NULL), *resolved = NULL;
    enum err rc = plan_resolve_limits(&enterprise, parameters, &resolved, NULL);
    json_int_t partitions = json_integer_value(json_object_get(resolved, "partitions"));

    json_decref(parameters);
    json_decref(resolved);
    return rc == ERR_OK ? partitions : -1;
}

START_TEST(a_parameter_replaces_the_limits_it_names)
{
    ck_assert_int_eq(partitions_of("{}"), 3000);
    ck_assert_int_eq(partitions_of("{\"throughput\": \"300\"}"), 6000);
    ck_assert_int_eq(partitions_of("{\"throughput\": 450, \"unknown\": [1]}"), 9000);
    ck_assert_int_eq(partitions_of("{\"throughput\": \"451\"}"), -1);
    ck_assert_int_eq(partitions_of("{\"throughput\": 300.0}"), -1);
    ck_assert_int_eq(partitions_of("{\"throughput\": {}}"), -1);
    ck_assert_int_eq(json_integer_value(json_object_get(limits, "partitions")), 3000);
}
END_TEST

START_TEST(a_parameter_that_grows_only_does_not_shrink)
{
    json_t *held = json_pack("{s:i, s:s}", "throughput", 300, "note", "old");
    json_t *smaller = json_pack("{s:s}", "throughput", "150"), *merged = NULL;
    json_t *larger = json_pack("{s:s}", "throughput", "450");

    ck_assert_int_eq(plan_merge_parameters(&enterprise, held, smaller, &merged, NULL), ERR_INVALID);
    ck_assert_ptr_null(merged);
    ck_assert_int_eq(plan_merge_parameters(&enterprise, held, larger, &merged, NULL), ERR_OK);
    ck_assert_str_eq(json_string_value(json_object_get(merged, "throughput")), "450");
    ck_assert_str_eq(json_string_value(json_object_get(merged, "note")), "old");
    json_decref(held);
    json_decref(smaller);
    json_decref(larger);
    json_decref(merged);
}
END_TEST

START_TEST(a_plan_changes_only_into_those_it_names)
{
    ck_assert_int_eq(plan_check_upgrade(&enterprise, "f", NULL), ERR_OK);
    ck_assert_int_eq(plan_check_upgrade(&enterprise, "gg", NULL), ERR_OK);
    ck_assert_int_eq(plan_check_upgrade(&enterprise, "g", NULL), ERR_LIMIT);
    ck_assert_int_eq(plan_check_upgrade(&enterprise, "", NULL), ERR_LIMIT);
}
END_TEST

/* ---- cursors ---- */

START_TEST(a_cursor_brings_back_place_and_filters)
{
    json_t *filters = json_pack("{s:s}", "name", "orders"), *found = NULL;
    char *text = cursor_encode(cursor_key, "instances", 17, filters);
    int64_t after = 0;

    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."),
        strlen(text));
    ck_assert_int_eq(cursor_decode(cursor_key, "instances", text, &after, &found, NULL), ERR_OK);
    ck_assert_int_eq(after, 17);
    ck_assert(json_equal(filters, found));
    json_decref(filters);
    json_decref(found);
    free(text);
}
END_TEST

START_TEST(a_cursor_changed_in_any_byte_is_refused)
{
    json_t *filters = json_object(), *found = NULL;
    char *text = cursor_encode(cursor_key, "keys", 1, filters);
    int64_t after = 0;

    for (size_t i = 0; i + 1 < strlen(text); i++) { /* the last one has bits that mean nothing */
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_eq(cursor_decode(cursor_key, "keys", text, &after, &found, NULL),
                         ERR_INVALID);
        text[i] = kept;
    }
    ck_assert_int_eq(cursor_decode(cursor_key, "instances", text, &after, &found, NULL),
                     ERR_INVALID);
    ck_assert_int_eq(cursor_decode(slice_of("other", 5), "keys", text, &after, &found, NULL),
                     ERR_INVALID);
    ck_assert_int_eq(cursor_decode(cursor_key, "keys", "", &after, &found, NULL), ERR_INVALID);
    ck_assert_int_eq(cursor_decode(cursor_key, "keys", ".", &after, &found, NULL), ERR_INVALID);
    json_decref(filters);
    free(text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("controlplane/domain");
    TCase *tc = tcase_create("rules"), *plans = tcase_create("plans");

    tcase_add_loop_test(tc, names_hold_letters_digits_and_five_marks, 0,
                        sizeof(names) / sizeof(names[0]));
    tcase_add_test(tc, a_name_has_at_most_180_characters_however_many_bytes);
    tcase_add_test(tc, a_host_label_is_one_dns_label_that_starts_with_a_letter);
    tcase_add_test(tc, a_crn_of_ours_names_its_instance);
    tcase_add_loop_test(tc, a_foreign_or_broken_crn_names_nothing, 0,
                        sizeof(foreign) / sizeof(foreign[0]));
    tcase_add_test(tc, the_last_part_of_a_crn_is_found);
    tcase_add_loop_test(tc, every_phase_answers_every_event, 0, PHASE_COUNT);
    tcase_add_test(tc, a_delete_overtakes_what_runs_and_nothing_overtakes_a_delete);
    tcase_add_test(tc, a_retired_instance_is_restored_or_reclaimed_and_nothing_else);
    tcase_add_test(tc, what_was_never_ready_is_not_kept);
    tcase_add_test(tc, a_locked_instance_is_neither_changed_nor_deleted);
    tcase_add_test(tc, clients_see_active_while_an_instance_is_deleted);
    tcase_add_test(tc, a_cursor_brings_back_place_and_filters);
    tcase_add_test(tc, a_cursor_changed_in_any_byte_is_refused);
    tcase_add_checked_fixture(plans, make_plan, free_plan);
    tcase_add_test(plans, a_parameter_replaces_the_limits_it_names);
    tcase_add_test(plans, a_parameter_that_grows_only_does_not_shrink);
    tcase_add_test(plans, a_plan_changes_only_into_those_it_names);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, plans);
    return suite;
}
