/* SPDX-License-Identifier: Apache-2.0 */
/* Static members (kafka-protocol reference, 4.7.9 and pitfall 26). */
#include "tests/unit/dataplane/group/group_rig.h"

#include <stdio.h>

static struct rig rig;

static void start(void)
{
    rig_init(&rig);
    rig_start(&rig);
}

static void stop(void)
{
    rig_done(&rig);
}

/* One static member "box" that leads a stable group of generation 1. */
static const char *stable_box(void)
{
    struct rig_call *join = rig_join(&rig, .version = 9, .instance = "box");
    char text[128];

    snprintf(text, sizeof(text), "%s=all", rig_member(join));
    rig_sync(&rig, "g", rig_member(join), 1, text);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    return rig_member(join);
}

static enum kafka_error heartbeat_as(const char *member, const char *instance)
{
    struct rig_call *call = rig_call_new(&rig, GROUP_HEARTBEAT, "g");

    call->call.heartbeat.request = (struct group_heartbeat_request){1, slice_from_cstring(member),
                                                                    slice_from_cstring(instance)};
    rig_submit(&rig, call);
    return rig_error(call);
}

START_TEST(a_static_member_that_comes_back_gets_its_assignment_without_a_rebalance)
{
    const char *old = stable_box();
    struct rig_call *join = rig_join(&rig, .version = 9, .instance = "box");
    struct rig_call *sync = NULL;

    ck_assert_error(rig_error(join), KAFKA_NONE);
    ck_assert_int_eq(join->call.join.reply.generation, 1);
    ck_assert_str_ne(rig_member(join), old);
    ck_assert(join->call.join.reply.skip_assignment);
    ck_assert_str_eq(rig_text(join->call.join.reply.leader), rig_member(join));
    ck_assert_uint_eq(join->call.join.reply.member_count, 1);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    sync = rig_sync(&rig, "g", rig_member(join), 1, NULL);
    ck_assert_str_eq(rig_text(sync->call.sync.reply.assignment), "all");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(before_version_9_the_returning_leader_is_told_the_old_leader)
{
    const char *old = stable_box();
    struct rig_call *join = rig_join(&rig, .version = 8, .instance = "box");

    ck_assert_error(rig_error(join), KAFKA_NONE);
    ck_assert_str_eq(rig_text(join->call.join.reply.leader), old);
    ck_assert(!join->call.join.reply.skip_assignment);
    ck_assert_uint_eq(join->call.join.reply.member_count, 0);
}
END_TEST

START_TEST(the_old_member_is_fenced_on_every_call)
{
    const char *old = stable_box();
    struct rig_call *call = NULL;

    rig_join(&rig, .version = 9, .instance = "box");
    ck_assert_error(heartbeat_as(old, "box"), KAFKA_FENCED_INSTANCE_ID);
    ck_assert_error(rig_error(rig_join(&rig, .version = 9, .member = old, .instance = "box")),
                    KAFKA_FENCED_INSTANCE_ID);
    call = rig_call_new(&rig, GROUP_SYNC, "g");
    call->call.sync.request.generation = 1;
    call->call.sync.request.member_id = slice_from_cstring(old);
    call->call.sync.request.instance_id = SLICE_LITERAL("box");
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_FENCED_INSTANCE_ID);
    call = rig_leave(&rig, "g", old, "box");
    ck_assert_error(call->call.leave.request.members[0].error, KAFKA_FENCED_INSTANCE_ID);
    call = rig_call_new(&rig, GROUP_OFFSET_COMMIT, "g");
    call->call.offset_commit.request = (struct group_offset_commit_request){
        .generation = 1,
        .member_id = slice_from_cstring(old),
        .instance_id = SLICE_LITERAL("box"),
        .retention_time_ms = -1,
    };
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_FENCED_INSTANCE_ID);
}
END_TEST

START_TEST(a_lost_replacement_leaves_the_old_member_in_place)
{
    const char *old = stable_box();
    struct rig_call *join = NULL;

    rig.holds_log = true;
    join = rig_join(&rig, .version = 9, .instance = "box");
    ck_assert(!join->is_finished);
    rig_resolve(&rig, KAFKA_NOT_LEADER_OR_FOLLOWER);
    ck_assert_error(rig_error(join), KAFKA_NOT_COORDINATOR);
    ck_assert_error(heartbeat_as(old, "box"), KAFKA_NONE);
    rig.holds_log = false;
    rig_check_replay(&rig);
}
END_TEST

START_TEST(two_replacements_at_once_happen_one_after_the_other)
{
    struct rig_call *first = NULL;
    struct rig_call *second = NULL;

    stable_box();
    rig.holds_log = true;
    first = rig_join(&rig, .version = 9, .instance = "box");
    second = rig_join(&rig, .version = 9, .instance = "box");
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(first), KAFKA_NONE);
    ck_assert(!second->is_finished);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(second), KAFKA_NONE);
    ck_assert_error(heartbeat_as(rig_member(first), "box"), KAFKA_FENCED_INSTANCE_ID);
    ck_assert_error(heartbeat_as(rig_member(second), "box"), KAFKA_NONE);
    ck_assert_uint_eq(rig_describe(&rig, "g")->call.describe.reply.member_count, 1);
}
END_TEST

START_TEST(a_returning_member_that_changes_the_chosen_protocol_rebalances)
{
    struct rig_call *join = NULL;

    stable_box();
    join =
        rig_join(&rig, .version = 9, .instance = "box", .protocol = "sticky", .protocol2 = "range");
    ck_assert_error(rig_error(join), KAFKA_NONE);
    ck_assert_int_eq(join->call.join.reply.generation, 2);
    ck_assert_str_eq(rig_text(join->call.join.reply.protocol_name), "sticky");
}
END_TEST

START_TEST(a_member_parked_with_the_old_id_is_fenced_by_the_newcomer)
{
    int32_t generation = 0;
    struct rig_call *parked = NULL;
    struct rig_call *newcomer = NULL;

    rig_stable_member(&rig, "g", &generation);
    parked = rig_join(&rig, .version = 9, .instance = "box");
    newcomer = rig_join(&rig, .version = 9, .instance = "box");
    ck_assert_error(rig_error(parked), KAFKA_FENCED_INSTANCE_ID);
    ck_assert(!newcomer->is_finished);
    rig_advance(&rig, 60001);
    ck_assert_error(rig_error(newcomer), KAFKA_NONE);
    ck_assert_uint_eq(newcomer->call.join.reply.member_count, 1);
}
END_TEST

START_TEST(a_replacement_in_completing_starts_a_new_rebalance)
{
    struct rig_call *join = rig_join(&rig, .version = 9, .instance = "box");
    struct rig_call *again = rig_join(&rig, .version = 9, .instance = "box");

    ck_assert_int_eq(join->call.join.reply.generation, 1);
    ck_assert_int_eq(again->call.join.reply.generation, 2);
}
END_TEST

START_TEST(a_static_member_does_expire_with_its_session)
{
    stable_box();
    rig_advance(&rig, 10001);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
}
END_TEST

START_TEST(an_absent_static_member_stays_through_a_rebalance)
{
    struct rig_call *dynamic = NULL;

    rig_join(&rig, .version = 9, .instance = "box", .session_ms = 300000, .rebalance_ms = 20000);
    dynamic = rig_join(&rig, .rebalance_ms = 20000);
    rig_advance(&rig, 20001);
    ck_assert_error(rig_error(dynamic), KAFKA_NONE);
    ck_assert_uint_eq(dynamic->call.join.reply.member_count, 2);
    ck_assert_str_eq(rig_text(dynamic->call.join.reply.leader), rig_member(dynamic));
}
END_TEST

START_TEST(a_tool_removes_a_static_member_by_its_instance_id)
{
    struct rig_call *leave = NULL;

    stable_box();
    leave = rig_leave(&rig, "g", "", "box");
    ck_assert_error(leave->call.leave.request.members[0].error, KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
}
END_TEST

START_TEST(an_unknown_instance_with_a_member_id_is_unknown)
{
    stable_box();
    ck_assert_error(heartbeat_as("box-1", "other"), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("static members");
    TCase *tcase = tcase_create("rules");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_static_member_that_comes_back_gets_its_assignment_without_a_rebalance);
    tcase_add_test(tcase, before_version_9_the_returning_leader_is_told_the_old_leader);
    tcase_add_test(tcase, the_old_member_is_fenced_on_every_call);
    tcase_add_test(tcase, a_lost_replacement_leaves_the_old_member_in_place);
    tcase_add_test(tcase, two_replacements_at_once_happen_one_after_the_other);
    tcase_add_test(tcase, a_returning_member_that_changes_the_chosen_protocol_rebalances);
    tcase_add_test(tcase, a_member_parked_with_the_old_id_is_fenced_by_the_newcomer);
    tcase_add_test(tcase, a_replacement_in_completing_starts_a_new_rebalance);
    tcase_add_test(tcase, a_static_member_does_expire_with_its_session);
    tcase_add_test(tcase, an_absent_static_member_stays_through_a_rebalance);
    tcase_add_test(tcase, a_tool_removes_a_static_member_by_its_instance_id);
    tcase_add_test(tcase, an_unknown_instance_with_a_member_id_is_unknown);
    suite_add_tcase(suite, tcase);
    return suite;
}
