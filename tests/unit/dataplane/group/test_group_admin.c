/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeGroups, ListGroups, DeleteGroups (kafka-protocol reference, 4.7.12 to 4.7.14), and what a shard
 * does while it loads, when it resigns and when calls cross each other. */
#include "tests/unit/dataplane/group/group_rig.h"

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

START_TEST(describe_of_a_stable_group_gives_the_raw_bytes)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);
    const struct group_describe_reply *reply = &rig_describe(&rig, "g")->call.describe.reply;

    ck_assert_str_eq(rig_text(reply->state), "Stable");
    ck_assert_str_eq(rig_text(reply->protocol_type), "consumer");
    ck_assert_str_eq(rig_text(reply->protocol_name), "range");
    ck_assert_uint_eq(reply->member_count, 1);
    ck_assert_str_eq(rig_text(reply->members[0].member_id), member);
    ck_assert_str_eq(rig_text(reply->members[0].client_id), "client");
    ck_assert_str_eq(rig_text(reply->members[0].client_host), "/127.0.0.1");
    ck_assert_str_eq(rig_text(reply->members[0].metadata), "m");
    ck_assert_str_eq(rig_text(reply->members[0].assignment), "all");
}
END_TEST

START_TEST(describe_of_a_rebalancing_group_gives_members_without_bytes)
{
    const struct group_describe_reply *reply = NULL;

    rig_join(&rig, .group = "g");
    reply = &rig_describe(&rig, "g")->call.describe.reply;
    ck_assert_str_eq(rig_text(reply->state), "CompletingRebalance");
    ck_assert_str_eq(rig_text(reply->protocol_name), "");
    ck_assert_uint_eq(reply->member_count, 1);
    ck_assert_uint_eq(reply->members[0].metadata.len, 0);
}
END_TEST

START_TEST(describe_of_an_unknown_group_is_dead_and_from_version_6_not_found)
{
    struct rig_call *call = rig_describe(&rig, "none");

    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_str_eq(rig_text(call->call.describe.reply.state), "Dead");
    call = rig_call_new(&rig, GROUP_DESCRIBE, "none");
    call->call.version = 6;
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_GROUP_ID_NOT_FOUND);
    ck_assert_str_eq(rig_text(call->call.describe.reply.state), "Dead");
}
END_TEST

static size_t list(const char *state, const char *type)
{
    struct slice states = slice_from_cstring(state);
    struct slice types = slice_from_cstring(type);
    struct rig_call *call = rig_call_new(&rig, GROUP_LIST, "");

    call->call.list.request =
        (struct group_list_request){&states, state != NULL, &types, type != NULL};
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    return call->call.list.reply.group_count;
}

START_TEST(list_filters_by_state_and_type_whatever_the_case)
{
    int32_t generation = 0;

    rig_stable_member(&rig, "one", &generation);
    rig_commit(&rig, "simple", "", -1, "t", 0, 1);
    ck_assert_uint_eq(list(NULL, NULL), 2);
    ck_assert_uint_eq(list("stable", NULL), 1);
    ck_assert_uint_eq(list("EMPTY", NULL), 1);
    ck_assert_uint_eq(list("Dead", NULL), 0);
    ck_assert_uint_eq(list(NULL, "CLASSIC"), 2);
    ck_assert_uint_eq(list(NULL, "share"), 0);
}
END_TEST

START_TEST(a_simple_group_is_listed_as_empty_without_a_type_of_protocol)
{
    struct rig_call *call = rig_call_new(&rig, GROUP_LIST, "");

    rig_commit(&rig, "simple", "", -1, "t", 0, 1);
    rig_submit(&rig, call);
    ck_assert_str_eq(rig_text(call->call.list.reply.groups[0].state), "Empty");
    ck_assert_str_eq(rig_text(call->call.list.reply.groups[0].protocol_type), "");
    ck_assert_str_eq(rig_text(call->call.list.reply.groups[0].type), "classic");
}
END_TEST

START_TEST(a_group_whose_first_commit_is_not_in_the_log_is_not_listed)
{
    rig.holds_log = true;
    rig_commit(&rig, "simple", "", -1, "t", 0, 1);
    ck_assert_uint_eq(list(NULL, NULL), 0);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_uint_eq(list(NULL, NULL), 1);
}
END_TEST

START_TEST(delete_needs_a_group_that_is_there_and_empty)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig_commit(&rig, "g", member, generation, "t", 0, 1);
    ck_assert_error(rig_delete_group(&rig, "none"), KAFKA_GROUP_ID_NOT_FOUND);
    ck_assert_error(rig_delete_group(&rig, "g"), KAFKA_NON_EMPTY_GROUP);
    rig_leave(&rig, "g", member, NULL);
    ck_assert_error(rig_delete_group(&rig, "g"), KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
    ck_assert_int_eq(rig.group_count, 0);
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_delete_larger_than_a_batch_takes_several)
{
    struct rig_call *call = NULL;

    for (int32_t i = 0; i < 100; i++)
        rig_commit(&rig, "g", "", -1, "topic", i, i);
    rig.shard->options.max_append_bytes = 200;
    rig.holds_log = true;
    call = rig_call_new(&rig, GROUP_DELETE, "g");
    rig_submit(&rig, call);
    for (int i = 0; i < 10; i++) {
        ck_assert(!call->is_finished);
        rig_resolve(&rig, KAFKA_NONE);
    }
    while (!call->is_finished)
        rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    rig.holds_log = false;
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_delete_waits_for_commits_under_way_and_a_join_for_the_delete)
{
    struct rig_call *commit = NULL;
    struct rig_call *delete = NULL;
    struct rig_call *join = NULL;

    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    rig.holds_log = true;
    commit = rig_commit(&rig, "g", "", -1, "t", 1, 2);
    delete = rig_call_new(&rig, GROUP_DELETE, "g");
    rig_submit(&rig, delete);
    join = rig_join(&rig, .version = 3);
    ck_assert_uint_eq(rig.pending_count, 1);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(commit), KAFKA_NONE);
    ck_assert(!delete->is_finished && !join->is_finished);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(delete), KAFKA_NONE);
    rig_advance(&rig, 0);
    ck_assert_error(rig_error(join), KAFKA_NONE);
    ck_assert_int_eq(join->call.join.reply.generation, 1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 1), -1);
}
END_TEST

START_TEST(a_failed_delete_leaves_the_group)
{
    struct rig_call *delete = NULL;

    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    rig.holds_log = true;
    delete = rig_call_new(&rig, GROUP_DELETE, "g");
    rig_submit(&rig, delete);
    rig_resolve(&rig, KAFKA_NOT_LEADER_OR_FOLLOWER);
    ck_assert_error(rig_error(delete), KAFKA_NOT_COORDINATOR);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
}
END_TEST

START_TEST(calls_at_the_gate_do_not_wait_for_ever)
{
    struct rig_call *delete = NULL;
    struct rig_call *heartbeat = NULL;

    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    rig.holds_log = true;
    delete = rig_call_new(&rig, GROUP_DELETE, "g");
    rig_submit(&rig, delete);
    rig_advance(&rig, 3000);
    heartbeat = rig_heartbeat(&rig, "g", "m", 1);
    ck_assert(!heartbeat->is_finished);
    rig_advance(&rig, 5000);
    ck_assert_error(rig_error(delete), KAFKA_COORDINATOR_NOT_AVAILABLE);
    ck_assert_error(rig_error(heartbeat), KAFKA_COORDINATOR_NOT_AVAILABLE);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
}
END_TEST

START_TEST(sessions_do_not_end_while_the_group_waits_for_the_log)
{
    struct rig_call *join = rig_join(&rig, .session_ms = 6000);
    struct rig_call *sync = NULL;

    rig.holds_log = true;
    sync = rig_sync(&rig, "g", rig_member(join), 1, NULL);
    rig_advance(&rig, 30000);
    ck_assert_error(rig_error(sync), KAFKA_COORDINATOR_NOT_AVAILABLE);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
}
END_TEST

START_TEST(while_loading_calls_are_told_so)
{
    struct rig loading;
    struct rig_call *call = NULL;

    rig_init(&loading);
    rig_start(&loading);
    loading.shard->phase = SHARD_LOADING;
    ck_assert_error(rig_error(rig_heartbeat(&loading, "g", "m", 1)),
                    KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    call = rig_commit(&loading, "g", "", -1, "t", 0, 1);
    ck_assert_error(call->call.offset_commit.request.topics->partitions->error,
                    KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    call = rig_call_new(&loading, GROUP_LIST, "");
    rig_submit(&loading, call);
    ck_assert_error(rig_error(call), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    rig_done(&loading);
}
END_TEST

START_TEST(a_loaded_group_goes_on_with_its_members)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig_restart(&rig);
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", member, generation)), KAFKA_NONE);
    ck_assert_str_eq(
        rig_text(rig_sync(&rig, "g", member, generation, NULL)->call.sync.reply.assignment), "all");
    rig_advance(&rig, 10001);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
}
END_TEST

START_TEST(on_resignation_every_parked_call_gets_not_coordinator)
{
    int32_t generation = 0;
    struct rig_call *join = NULL;
    struct rig_call *sync = NULL;
    struct rig_call *commit = NULL;
    struct rig_call *at_gate = NULL;

    rig_stable_member(&rig, "joining", &generation);
    join = rig_join(&rig, .group = "joining");
    rig_join(&rig, .group = "syncing");
    rig.holds_log = true;
    sync = rig_sync(
        &rig, "syncing",
        rig_text(rig_describe(&rig, "syncing")->call.describe.reply.members[0].member_id), 1, NULL);
    at_gate = rig_heartbeat(&rig, "syncing", "x", 1);
    commit = rig_commit(&rig, "simple", "", -1, "t", 0, 1);
    group_shard_resign(rig.shard);
    rig_pump(&rig);
    ck_assert_error(rig_error(join), KAFKA_NOT_COORDINATOR);
    ck_assert_error(rig_error(sync), KAFKA_NOT_COORDINATOR);
    ck_assert_error(rig_error(at_gate), KAFKA_NOT_COORDINATOR);
    ck_assert_error(rig_error(commit), KAFKA_NOT_COORDINATOR);
    ck_assert_error(rig_error(rig_commit(&rig, "g", "", -1, "t", 0, 1)), KAFKA_NOT_COORDINATOR);
}
END_TEST

START_TEST(a_group_id_longer_than_the_format_can_say_is_invalid)
{
    static char id[40000];
    struct rig_call *call = NULL;

    memset(id, 'x', sizeof(id) - 1);
    call = rig_commit(&rig, id, "", -1, "t", 0, 1);
    ck_assert_error(rig_error(call), KAFKA_INVALID_GROUP_ID);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group admin");
    TCase *tcase = tcase_create("rules");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, describe_of_a_stable_group_gives_the_raw_bytes);
    tcase_add_test(tcase, describe_of_a_rebalancing_group_gives_members_without_bytes);
    tcase_add_test(tcase, describe_of_an_unknown_group_is_dead_and_from_version_6_not_found);
    tcase_add_test(tcase, list_filters_by_state_and_type_whatever_the_case);
    tcase_add_test(tcase, a_simple_group_is_listed_as_empty_without_a_type_of_protocol);
    tcase_add_test(tcase, a_group_whose_first_commit_is_not_in_the_log_is_not_listed);
    tcase_add_test(tcase, delete_needs_a_group_that_is_there_and_empty);
    tcase_add_test(tcase, a_delete_larger_than_a_batch_takes_several);
    tcase_add_test(tcase, a_delete_waits_for_commits_under_way_and_a_join_for_the_delete);
    tcase_add_test(tcase, a_failed_delete_leaves_the_group);
    tcase_add_test(tcase, calls_at_the_gate_do_not_wait_for_ever);
    tcase_add_test(tcase, sessions_do_not_end_while_the_group_waits_for_the_log);
    tcase_add_test(tcase, while_loading_calls_are_told_so);
    tcase_add_test(tcase, a_loaded_group_goes_on_with_its_members);
    tcase_add_test(tcase, on_resignation_every_parked_call_gets_not_coordinator);
    tcase_add_test(tcase, a_group_id_longer_than_the_format_can_say_is_invalid);
    suite_add_tcase(suite, tcase);
    return suite;
}
