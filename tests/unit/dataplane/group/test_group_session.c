/* SPDX-License-Identifier: Apache-2.0 */
/* SyncGroup, Heartbeat, LeaveGroup and sessions (kafka-protocol reference, 4.7.6 to 4.7.8, 4.7.10). */
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

/* Two members in Completing, generation 2; a leads. */
static void two_members(const char **ret_a, const char **ret_b)
{
    struct rig_call *a = rig_join(&rig, .group = "g");
    struct rig_call *b = rig_join(&rig, .group = "g");

    *ret_a = rig_member(a);
    a = rig_join(&rig, .member = *ret_a);
    *ret_b = rig_member(b);
    ck_assert_int_eq(b->call.join.reply.generation, 2);
    ck_assert_str_eq(rig_state(&rig, "g"), "CompletingRebalance");
}

static const char *assign(const char *a, const char *b)
{
    static char text[512];

    snprintf(text, sizeof(text), "%s=for-a,%s=for-b", a, b);
    return text;
}

START_TEST(syncs_wait_for_the_leader_and_all_get_what_is_in_the_log)
{
    const char *a = NULL;
    const char *b = NULL;
    struct rig_call *of_a = NULL;
    struct rig_call *of_b = NULL;

    two_members(&a, &b);
    of_b = rig_sync(&rig, "g", b, 2, NULL);
    ck_assert(!of_b->is_finished);
    rig.holds_log = true;
    of_a = rig_sync(&rig, "g", a, 2, assign(a, b));
    ck_assert(!of_a->is_finished);
    ck_assert(!of_b->is_finished);
    ck_assert_str_eq(rig_state(&rig, "g"), "CompletingRebalance");
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(of_a), KAFKA_NONE);
    ck_assert_str_eq(rig_text(of_a->call.sync.reply.assignment), "for-a");
    ck_assert_str_eq(rig_text(of_b->call.sync.reply.assignment), "for-b");
    ck_assert_str_eq(rig_text(of_b->call.sync.reply.protocol_name), "range");
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_lost_assignment_fails_all_syncs_and_starts_over)
{
    const char *a = NULL;
    const char *b = NULL;
    struct rig_call *of_a = NULL;
    struct rig_call *of_b = NULL;

    two_members(&a, &b);
    of_b = rig_sync(&rig, "g", b, 2, NULL);
    rig.holds_log = true;
    of_a = rig_sync(&rig, "g", a, 2, assign(a, b));
    rig_resolve(&rig, KAFKA_NOT_ENOUGH_REPLICAS);
    ck_assert_error(rig_error(of_a), KAFKA_COORDINATOR_NOT_AVAILABLE);
    ck_assert_error(rig_error(of_b), KAFKA_COORDINATOR_NOT_AVAILABLE);
    ck_assert_str_eq(rig_state(&rig, "g"), "PreparingRebalance");
    rig.holds_log = false;
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_late_sync_in_stable_gets_the_current_assignment)
{
    const char *a = NULL;
    const char *b = NULL;

    two_members(&a, &b);
    rig_sync(&rig, "g", a, 2, assign(a, b));
    ck_assert_str_eq(rig_text(rig_sync(&rig, "g", b, 2, NULL)->call.sync.reply.assignment),
                     "for-b");
}
END_TEST

START_TEST(a_member_missing_from_the_assignment_gets_empty_bytes)
{
    const char *a = NULL;
    const char *b = NULL;
    char text[128];
    struct rig_call *sync = NULL;

    two_members(&a, &b);
    snprintf(text, sizeof(text), "%s=all", a);
    rig_sync(&rig, "g", a, 2, text);
    sync = rig_sync(&rig, "g", b, 2, NULL);
    ck_assert_error(rig_error(sync), KAFKA_NONE);
    ck_assert_uint_eq(sync->call.sync.reply.assignment.len, 0);
    ck_assert_ptr_nonnull(sync->call.sync.reply.assignment.data);
}
END_TEST

START_TEST(a_sync_is_refused_for_the_reason_that_applies)
{
    const char *a = NULL;
    const char *b = NULL;
    struct rig_call *call = NULL;

    ck_assert_error(rig_error(rig_sync(&rig, "", "x", 1, NULL)), KAFKA_INVALID_GROUP_ID);
    ck_assert_error(rig_error(rig_sync(&rig, "none", "x", 1, NULL)), KAFKA_UNKNOWN_MEMBER_ID);
    two_members(&a, &b);
    ck_assert_error(rig_error(rig_sync(&rig, "g", "x", 2, NULL)), KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_error(rig_error(rig_sync(&rig, "g", a, 1, NULL)), KAFKA_ILLEGAL_GENERATION);
    call = rig_call_new(&rig, GROUP_SYNC, "g");
    call->call.sync.request = (struct group_sync_request){
        .generation = 2,
        .member_id = slice_from_cstring(a),
        .protocol_type = SLICE_LITERAL("connect"),
    };
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    call = rig_call_new(&rig, GROUP_SYNC, "g");
    call->call.sync.request = (struct group_sync_request){
        .generation = 2,
        .member_id = slice_from_cstring(a),
        .protocol_type = SLICE_LITERAL("consumer"),
        .protocol_name = SLICE_LITERAL("sticky"),
    };
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    rig_join(&rig, .group = "g");
    ck_assert_error(rig_error(rig_sync(&rig, "g", a, 2, NULL)), KAFKA_REBALANCE_IN_PROGRESS);
}
END_TEST

START_TEST(a_sync_in_an_empty_group_is_unknown_member)
{
    rig_commit(&rig, "simple", "", -1, "t", 0, 1);
    ck_assert_error(rig_error(rig_sync(&rig, "simple", "x", 0, NULL)), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(parked_syncs_are_told_of_a_new_rebalance)
{
    const char *a = NULL;
    const char *b = NULL;
    struct rig_call *of_b = NULL;

    two_members(&a, &b);
    of_b = rig_sync(&rig, "g", b, 2, NULL);
    rig_join(&rig, .group = "g");
    ck_assert_error(rig_error(of_b), KAFKA_REBALANCE_IN_PROGRESS);
}
END_TEST

START_TEST(members_that_do_not_sync_in_time_are_removed)
{
    const char *a = NULL;
    const char *b = NULL;
    struct rig_call *again = NULL;

    two_members(&a, &b);
    rig_sync(&rig, "g", a, 2, assign(a, b));
    for (int i = 0; i < 12; i++) {
        rig_heartbeat(&rig, "g", a, 2);
        rig_heartbeat(&rig, "g", b, 2);
        rig_advance(&rig, 5000);
    }
    rig_advance(&rig, 1);
    ck_assert_str_eq(rig_state(&rig, "g"), "PreparingRebalance");
    again = rig_join(&rig, .member = a);
    ck_assert_error(rig_error(again), KAFKA_NONE);
    ck_assert_uint_eq(again->call.join.reply.member_count, 1);
}
END_TEST

START_TEST(an_assignment_too_large_for_the_log_fails_with_message_too_large)
{
    const char *a = NULL;
    const char *b = NULL;
    struct rig_call *call = NULL;

    two_members(&a, &b);
    rig.shard->options.max_append_bytes = 200;
    call = rig_sync(&rig, "g", a, 2, assign(a, b));
    ck_assert_error(rig_error(call), KAFKA_MESSAGE_TOO_LARGE);
    ck_assert_str_eq(rig_state(&rig, "g"), "PreparingRebalance");
}
END_TEST

START_TEST(heartbeats_say_what_the_member_should_do)
{
    const char *a = NULL;
    const char *b = NULL;

    ck_assert_error(rig_error(rig_heartbeat(&rig, "", "x", 1)), KAFKA_INVALID_GROUP_ID);
    ck_assert_error(rig_error(rig_heartbeat(&rig, "none", "x", 1)), KAFKA_UNKNOWN_MEMBER_ID);
    two_members(&a, &b);
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", a, 2)), KAFKA_NONE);
    rig_sync(&rig, "g", a, 2, assign(a, b));
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", a, 2)), KAFKA_NONE);
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", a, 1)), KAFKA_ILLEGAL_GENERATION);
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", "x", 2)), KAFKA_UNKNOWN_MEMBER_ID);
    rig_join(&rig, .group = "g");
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", a, 2)), KAFKA_REBALANCE_IN_PROGRESS);
}
END_TEST

START_TEST(heartbeats_commits_joins_and_syncs_keep_a_session_alive)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig_advance(&rig, 9999);
    rig_heartbeat(&rig, "g", member, generation);
    rig_advance(&rig, 9999);
    rig_commit(&rig, "g", member, generation, "t", 0, 5);
    rig_advance(&rig, 9999);
    rig_sync(&rig, "g", member, generation, NULL);
    rig_advance(&rig, 9999);
    generation = rig_join(&rig, .member = member)->call.join.reply.generation;
    rig_sync(&rig, "g", member, generation, NULL);
    rig_advance(&rig, 9999);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    rig_advance(&rig, 2);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", member, generation)),
                    KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(a_parked_member_does_not_time_out)
{
    int32_t generation = 0;
    const char *old = rig_stable_member(&rig, "g", &generation);
    struct rig_call *waiting = NULL;

    rig_join(&rig, .version = 4, .session_ms = 59000); /* somebody to wait for */
    waiting = rig_join(&rig, .member = old);
    rig_advance(&rig, 50000); /* five sessions */
    ck_assert(!waiting->is_finished);
    rig_advance(&rig, 9001);
    ck_assert_error(rig_error(waiting), KAFKA_NONE);
    ck_assert_uint_eq(waiting->call.join.reply.member_count, 1);
}
END_TEST

START_TEST(the_last_member_to_leave_makes_the_group_empty_with_a_new_generation)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);
    struct rig_call *leave = rig_leave(&rig, "g", member, NULL);

    ck_assert_error(rig_error(leave), KAFKA_NONE);
    ck_assert_error(leave->call.leave.request.members[0].error, KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
    rig_check_replay(&rig);
    ck_assert_int_eq(rig_join(&rig, .group = "g")->call.join.reply.generation, generation + 2);
}
END_TEST

START_TEST(leaving_answers_per_member)
{
    int32_t generation = 0;
    struct rig_call *call = rig_leave(&rig, "none", "x", NULL);

    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_error(call->call.leave.request.members[0].error, KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_error(rig_error(rig_leave(&rig, "", "x", NULL)), KAFKA_INVALID_GROUP_ID);
    rig_stable_member(&rig, "g", &generation);
    call = rig_leave(&rig, "g", "x", NULL);
    ck_assert_error(call->call.leave.request.members[0].error, KAFKA_UNKNOWN_MEMBER_ID);
    call = rig_leave(&rig, "g", "", "no-instance");
    ck_assert_error(call->call.leave.request.members[0].error, KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
}
END_TEST

START_TEST(a_member_that_leaves_while_parked_is_answered)
{
    int32_t generation = 0;
    struct rig_call *parked = NULL;

    rig_stable_member(&rig, "g", &generation);
    parked = rig_join(&rig, .version = 5, .instance = "box");
    ck_assert(!parked->is_finished);
    rig_leave(&rig, "g", "", "box");
    ck_assert_error(rig_error(parked), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(a_member_that_leaves_starts_a_rebalance_of_the_others)
{
    const char *a = NULL;
    const char *b = NULL;

    two_members(&a, &b);
    rig_sync(&rig, "g", a, 2, assign(a, b));
    rig_leave(&rig, "g", a, NULL);
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", b, 2)), KAFKA_REBALANCE_IN_PROGRESS);
    ck_assert_str_eq(rig_text(rig_join(&rig, .member = b)->call.join.reply.leader), b);
}
END_TEST

START_TEST(a_lost_record_of_an_empty_group_is_written_again)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig.holds_log = true;
    ck_assert_error(rig_error(rig_leave(&rig, "g", member, NULL)), KAFKA_NONE);
    rig_resolve(&rig, KAFKA_NOT_ENOUGH_REPLICAS);
    rig.holds_log = false;
    rig_advance(&rig, 1000);
    rig_check_replay(&rig);
    rig_restart(&rig);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
}
END_TEST

START_TEST(a_deleted_group_is_not_written_again)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig.holds_log = true;
    rig_leave(&rig, "g", member, NULL);
    rig_resolve(&rig, KAFKA_NOT_ENOUGH_REPLICAS);
    rig.holds_log = false;
    ck_assert_error(rig_delete_group(&rig, "g"), KAFKA_NONE);
    rig_advance(&rig, 5000);
    rig_restart(&rig);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group session");
    TCase *tcase = tcase_create("rules");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, syncs_wait_for_the_leader_and_all_get_what_is_in_the_log);
    tcase_add_test(tcase, a_lost_assignment_fails_all_syncs_and_starts_over);
    tcase_add_test(tcase, a_late_sync_in_stable_gets_the_current_assignment);
    tcase_add_test(tcase, a_member_missing_from_the_assignment_gets_empty_bytes);
    tcase_add_test(tcase, a_sync_is_refused_for_the_reason_that_applies);
    tcase_add_test(tcase, a_sync_in_an_empty_group_is_unknown_member);
    tcase_add_test(tcase, parked_syncs_are_told_of_a_new_rebalance);
    tcase_add_test(tcase, members_that_do_not_sync_in_time_are_removed);
    tcase_add_test(tcase, an_assignment_too_large_for_the_log_fails_with_message_too_large);
    tcase_add_test(tcase, heartbeats_say_what_the_member_should_do);
    tcase_add_test(tcase, heartbeats_commits_joins_and_syncs_keep_a_session_alive);
    tcase_add_test(tcase, a_parked_member_does_not_time_out);
    tcase_add_test(tcase, the_last_member_to_leave_makes_the_group_empty_with_a_new_generation);
    tcase_add_test(tcase, leaving_answers_per_member);
    tcase_add_test(tcase, a_member_that_leaves_while_parked_is_answered);
    tcase_add_test(tcase, a_member_that_leaves_starts_a_rebalance_of_the_others);
    tcase_add_test(tcase, a_lost_record_of_an_empty_group_is_written_again);
    tcase_add_test(tcase, a_deleted_group_is_not_written_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
