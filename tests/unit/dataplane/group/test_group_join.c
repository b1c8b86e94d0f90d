/* SPDX-License-Identifier: Apache-2.0 */
/* JoinGroup: who is let in, how, and what is answered (kafka-protocol reference, 4.7.1 to 4.7.5). */
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

START_TEST(join_with_an_empty_group_id_is_invalid)
{
    ck_assert_error(rig_error(rig_join(&rig, .group = "")), KAFKA_INVALID_GROUP_ID);
}
END_TEST

START_TEST(join_with_a_session_timeout_out_of_bounds_is_refused)
{
    ck_assert_error(rig_error(rig_join(&rig, .session_ms = 5999)), KAFKA_INVALID_SESSION_TIMEOUT);
    ck_assert_error(rig_error(rig_join(&rig, .session_ms = 1800001)),
                    KAFKA_INVALID_SESSION_TIMEOUT);
    ck_assert_error(rig_error(rig_join(&rig, .session_ms = 6000)), KAFKA_NONE);
}
END_TEST

START_TEST(join_without_protocols_or_type_is_inconsistent)
{
    ck_assert_error(rig_error(rig_join(&rig, .no_protocols = true)),
                    KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    ck_assert_error(rig_error(rig_join(&rig, .type = "")), KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
}
END_TEST

START_TEST(join_with_another_type_or_no_common_protocol_is_inconsistent)
{
    int32_t generation = 0;

    rig_stable_member(&rig, "g", &generation);
    ck_assert_error(rig_error(rig_join(&rig, .type = "connect")),
                    KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    ck_assert_error(rig_error(rig_join(&rig, .protocol = "sticky")),
                    KAFKA_INCONSISTENT_GROUP_PROTOCOL);
}
END_TEST

START_TEST(join_with_a_member_id_nobody_gave_is_unknown)
{
    int32_t generation = 0;

    ck_assert_error(rig_error(rig_join(&rig, .member = "ghost")), KAFKA_UNKNOWN_MEMBER_ID);
    rig_stable_member(&rig, "g", &generation);
    ck_assert_error(rig_error(rig_join(&rig, .member = "ghost")), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(from_version_4_on_a_new_member_is_told_its_id_first)
{
    struct rig_call *first = rig_join(&rig, .version = 4, .client = "app");
    struct rig_call *second = NULL;

    ck_assert_error(rig_error(first), KAFKA_MEMBER_ID_REQUIRED);
    ck_assert_int_eq(first->call.join.reply.generation, -1);
    ck_assert_int_eq(strncmp(rig_member(first), "app-", 4), 0);
    ck_assert_uint_eq(strlen(rig_member(first)), 4 + 36);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
    second = rig_join(&rig, .version = 4, .member = rig_member(first));
    ck_assert_error(rig_error(second), KAFKA_NONE);
    ck_assert_str_eq(rig_member(second), rig_member(first));
    ck_assert_int_eq(second->call.join.reply.generation, 1);
}
END_TEST

START_TEST(before_version_4_a_new_member_is_taken_at_once)
{
    struct rig_call *join = rig_join(&rig, .version = 3);

    ck_assert_error(rig_error(join), KAFKA_NONE);
    ck_assert_int_eq(join->call.join.reply.generation, 1);
}
END_TEST

START_TEST(a_pending_member_id_expires_after_the_session_timeout)
{
    struct rig_call *first = rig_join(&rig, .version = 4, .session_ms = 6000);

    rig_advance(&rig, 6001);
    ck_assert_error(rig_error(rig_join(&rig, .version = 4, .member = rig_member(first))),
                    KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    ck_assert_int_eq(rig.group_count, 0);
}
END_TEST

START_TEST(a_static_member_is_named_after_its_instance_and_needs_one_join)
{
    struct rig_call *join = rig_join(&rig, .version = 5, .instance = "box-1");

    ck_assert_error(rig_error(join), KAFKA_NONE);
    ck_assert_int_eq(strncmp(rig_member(join), "box-1-", 6), 0);
}
END_TEST

START_TEST(only_the_leader_gets_the_members_and_their_metadata)
{
    struct rig_call *a = rig_join(&rig, .metadata = "of-a");
    struct rig_call *b = rig_join(&rig, .metadata = "of-b");
    struct rig_call *again = NULL;

    ck_assert(!b->is_finished);
    again = rig_join(&rig, .member = rig_member(a), .metadata = "of-a2");
    ck_assert_error(rig_error(again), KAFKA_NONE);
    ck_assert_error(rig_error(b), KAFKA_NONE);
    ck_assert_int_eq(again->call.join.reply.generation, 2);
    ck_assert_uint_eq(again->call.join.reply.member_count, 2);
    ck_assert_uint_eq(b->call.join.reply.member_count, 0);
    ck_assert_str_eq(rig_text(b->call.join.reply.leader), rig_member(a));
    ck_assert_str_eq(rig_text(again->call.join.reply.members[0].metadata), "of-a2");
    ck_assert_str_eq(rig_text(again->call.join.reply.members[1].metadata), "of-b");
    ck_assert_str_eq(rig_text(b->call.join.reply.protocol_type), "consumer");
    ck_assert_str_eq(rig_text(b->call.join.reply.protocol_name), "range");
}
END_TEST

START_TEST(the_protocol_is_the_favourite_among_those_all_know)
{
    struct rig_call *a = rig_join(&rig, .protocol = "x", .protocol2 = "y");
    struct rig_call *b = rig_join(&rig, .protocol = "y", .protocol2 = "x");
    struct rig_call *c = rig_join(&rig, .protocol = "y", .protocol2 = "x");

    a = rig_join(&rig, .member = rig_member(a), .protocol = "x", .protocol2 = "y");
    ck_assert_error(rig_error(c), KAFKA_NONE);
    ck_assert_str_eq(rig_text(a->call.join.reply.protocol_name), "y");
    ck_assert_error(rig_error(b), KAFKA_NONE);
    /* Who knows one of them only decides for all. */
    b = rig_join(&rig, .protocol = "x");
    rig_leave(&rig, "g", rig_member(c), NULL);
    rig_advance(&rig, 60001);
    ck_assert_str_eq(rig_text(b->call.join.reply.protocol_name), "x");
}
END_TEST

START_TEST(an_empty_group_waits_for_more_members_for_the_initial_delay)
{
    struct rig_call *a = NULL;
    struct rig_call *b = NULL;

    rig.shard->options.initial_rebalance_delay_ms = rig.options.initial_rebalance_delay_ms = 3000;
    a = rig_join(&rig, .group = "g");
    rig_advance(&rig, 2000);
    b = rig_join(&rig, .group = "g");
    rig_advance(&rig, 1001);
    /* Somebody new came: another round. */
    ck_assert(!a->is_finished);
    rig_advance(&rig, 3000);
    ck_assert_error(rig_error(a), KAFKA_NONE);
    ck_assert_error(rig_error(b), KAFKA_NONE);
    ck_assert_int_eq(b->call.join.reply.generation, 1);
    ck_assert_uint_eq(a->call.join.reply.member_count, 2);
}
END_TEST

START_TEST(the_initial_delay_is_extended_up_to_the_rebalance_timeout_in_all)
{
    struct rig_call *first = NULL;

    rig.shard->options.initial_rebalance_delay_ms = rig.options.initial_rebalance_delay_ms = 3000;
    first = rig_join(&rig, .rebalance_ms = 8000);
    for (int i = 0; i < 3; i++) {
        ck_assert(!first->is_finished);
        rig_advance(&rig, 2500);
        rig_join(&rig, .rebalance_ms = 8000);
    }
    rig_advance(&rig, 501); /* 8001 ms since the first */
    ck_assert_error(rig_error(first), KAFKA_NONE);
    ck_assert_uint_eq(first->call.join.reply.member_count, 4);
}
END_TEST

START_TEST(a_follower_that_joins_again_unchanged_is_answered_without_a_rebalance)
{
    struct rig_call *a = rig_join(&rig, .group = "g");
    struct rig_call *b = rig_join(&rig, .group = "g");
    struct rig_call *again = NULL;
    const char *leader = rig_member(a);

    rig_join(&rig, .member = leader);
    rig_sync(&rig, "g", leader, 2, "");
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    again = rig_join(&rig, .member = rig_member(b));
    ck_assert_error(rig_error(again), KAFKA_NONE);
    ck_assert_int_eq(again->call.join.reply.generation, 2);
    ck_assert_uint_eq(again->call.join.reply.member_count, 0);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    /* With other metadata it starts a rebalance. */
    again = rig_join(&rig, .member = rig_member(b), .metadata = "other");
    ck_assert(!again->is_finished);
    ck_assert_str_eq(rig_state(&rig, "g"), "PreparingRebalance");
}
END_TEST

START_TEST(a_leader_that_joins_again_always_starts_a_rebalance)
{
    int32_t generation = 0;
    const char *leader = rig_stable_member(&rig, "g", &generation);
    struct rig_call *again = rig_join(&rig, .member = leader);

    ck_assert_error(rig_error(again), KAFKA_NONE);
    ck_assert_int_eq(again->call.join.reply.generation, generation + 1);
}
END_TEST

START_TEST(in_completing_an_unchanged_join_is_answered_again_and_a_changed_one_rebalances)
{
    struct rig_call *a = rig_join(&rig, .group = "g");
    struct rig_call *again = NULL;

    ck_assert_str_eq(rig_state(&rig, "g"), "CompletingRebalance");
    again = rig_join(&rig, .member = rig_member(a));
    ck_assert_int_eq(again->call.join.reply.generation, 1);
    ck_assert_uint_eq(again->call.join.reply.member_count, 1);
    again = rig_join(&rig, .member = rig_member(a), .metadata = "other");
    ck_assert_int_eq(again->call.join.reply.generation, 2);
}
END_TEST

START_TEST(a_rebalance_waits_for_known_members_and_drops_those_who_do_not_come)
{
    int32_t generation = 0;
    const char *old = rig_stable_member(&rig, "g", &generation);
    struct rig_call *b = rig_join(&rig, .rebalance_ms = 30000);

    /* The old member lives on heartbeats but does not join. */
    for (int i = 0; i < 11; i++) {
        ck_assert(!b->is_finished);
        ck_assert_error(rig_error(rig_heartbeat(&rig, "g", old, generation)),
                        KAFKA_REBALANCE_IN_PROGRESS);
        rig_advance(&rig, 5000);
    }
    rig_advance(&rig, 5001); /* the longest rebalance timeout is the old member's: 60 s */
    ck_assert_error(rig_error(b), KAFKA_NONE);
    ck_assert_uint_eq(b->call.join.reply.member_count, 1);
    ck_assert_str_eq(rig_text(b->call.join.reply.leader), rig_member(b));
    ck_assert_error(rig_error(rig_heartbeat(&rig, "g", old, generation)), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(version_0_waits_as_long_as_its_session_timeout)
{
    int32_t generation = 0;
    const char *old = NULL;
    struct rig_call *join = rig_join(&rig, .rebalance_ms = -1, .session_ms = 7000);

    generation = join->call.join.reply.generation;
    old = rig_member(join);
    rig_sync(&rig, "g", old, generation, "");
    join = rig_join(&rig, .rebalance_ms = -1, .session_ms = 7000);
    rig_advance(&rig, 3500);
    rig_heartbeat(&rig, "g", old, generation);
    rig_advance(&rig, 3501);
    ck_assert_error(rig_error(join), KAFKA_NONE);
}
END_TEST

START_TEST(a_first_join_that_waits_five_minutes_is_dropped)
{
    int32_t generation = 0;
    const char *old = rig_stable_member(&rig, "g", &generation);
    struct rig_call *slow = rig_join(&rig, .rebalance_ms = 3600000);

    (void)slow;
    for (int i = 0; i < 61; i++) {
        rig_heartbeat(&rig, "g", old, generation);
        rig_advance(&rig, 5000);
        if (slow->is_finished)
            break;
    }
    /* Its group waits an hour for the old member, but not for it. */
    ck_assert_error(rig_error(slow), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(a_group_too_many_of_the_instance_gets_group_max_size_reached)
{
    rig.group_limit = 1;
    ck_assert_error(rig_error(rig_join(&rig, .group = "one")), KAFKA_NONE);
    ck_assert_error(rig_error(rig_join(&rig, .group = "two")), KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert_error(rig_error(rig_commit(&rig, "three", "", -1, "t", 0, 1)),
                    KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert_int_eq(rig.group_count, 1);
}
END_TEST

START_TEST(a_member_too_many_of_a_group_gets_group_max_size_reached)
{
    struct rig_call *a = NULL;

    rig.shard->options.max_members = 2;
    a = rig_join(&rig, .group = "g");
    rig_join(&rig, .group = "g");
    ck_assert_error(rig_error(rig_join(&rig, .member = rig_member(a))), KAFKA_NONE);
    ck_assert_error(rig_error(rig_join(&rig, .group = "g")), KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert_str_eq(rig_state(&rig, "g"), "CompletingRebalance");
}
END_TEST

START_TEST(asking_for_member_ids_for_ever_costs_bounded_memory)
{
    enum kafka_error last = KAFKA_NONE;

    rig.shard->options.max_members = 10;
    for (int i = 0; i < 30; i++)
        last = rig_error(rig_join(&rig, .version = 4));
    ck_assert_error(last, KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert_int_lt(rig.shard->counts.membership_bytes, 11 * 1024);
}
END_TEST

START_TEST(a_member_with_too_much_metadata_is_refused)
{
    rig.shard->options.max_member_bytes = 40;
    ck_assert_error(rig_error(rig_join(&rig, .metadata = "0123456789012345678901234567890")),
                    KAFKA_INVALID_REQUEST);
    rig.shard->options.max_member_bytes = 1000;
    rig.shard->options.max_membership_bytes = 10;
    ck_assert_error(rig_error(rig_join(&rig, .metadata = "small")), KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert_int_eq(rig.group_count, 0);
}
END_TEST

START_TEST(a_member_with_too_many_protocols_is_refused)
{
    static struct group_protocol protocols[MAX_PROTOCOLS + 1];
    struct rig_call *call = rig_call_new(&rig, GROUP_JOIN, "g");

    for (size_t i = 0; i <= MAX_PROTOCOLS; i++)
        protocols[i] = (struct group_protocol){SLICE_LITERAL("p"), SLICE_LITERAL("")};
    call->call.join.request = (struct group_join_request){
        .member_id = SLICE_LITERAL(""),
        .client_host = SLICE_LITERAL("/::1"),
        .protocol_type = SLICE_LITERAL("consumer"),
        .protocols = protocols,
        .protocol_count = MAX_PROTOCOLS + 1,
        .session_timeout_ms = 10000,
    };
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(a_member_that_joins_twice_is_answered_on_the_second_call)
{
    int32_t generation = 0;
    const char *old = rig_stable_member(&rig, "g", &generation);
    struct rig_call *b = NULL;
    struct rig_call *a1 = NULL;
    struct rig_call *a2 = NULL;

    b = rig_join(&rig, .version = 4);
    a1 = rig_join(&rig, .member = old);
    ck_assert(!a1->is_finished);
    a2 = rig_join(&rig, .member = old);
    ck_assert_error(rig_error(a1), KAFKA_REBALANCE_IN_PROGRESS);
    rig_join(&rig, .member = rig_member(b), .version = 4);
    ck_assert_error(rig_error(a2), KAFKA_NONE);
    ck_assert_uint_eq(a2->call.join.reply.member_count, 2);
}
END_TEST

START_TEST(a_rebalance_waits_for_members_that_were_only_given_an_id)
{
    int32_t generation = 0;
    const char *old = rig_stable_member(&rig, "g", &generation);
    struct rig_call *pending = rig_join(&rig, .version = 4);
    struct rig_call *again = rig_join(&rig, .member = old);

    ck_assert(!again->is_finished);
    rig_leave(&rig, "g", rig_member(pending), NULL);
    ck_assert_error(rig_error(again), KAFKA_NONE);
}
END_TEST

START_TEST(a_cancelled_join_is_answered_and_its_member_dropped_in_the_end)
{
    int32_t generation = 0;
    const char *old = rig_stable_member(&rig, "g", &generation);
    struct rig_call *gone = rig_join(&rig, .group = "g");
    struct rig_call *again = NULL;

    group_shard_cancel(rig.shard, &gone->call, rig.time);
    rig_pump(&rig);
    ck_assert_error(rig_error(gone), KAFKA_NOT_COORDINATOR);
    again = rig_join(&rig, .member = old);
    ck_assert(!again->is_finished);
    rig_advance(&rig, 10001); /* the session of the one who left */
    ck_assert_error(rig_error(again), KAFKA_NONE);
    ck_assert_uint_eq(again->call.join.reply.member_count, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group join");
    TCase *tcase = tcase_create("rules");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, join_with_an_empty_group_id_is_invalid);
    tcase_add_test(tcase, join_with_a_session_timeout_out_of_bounds_is_refused);
    tcase_add_test(tcase, join_without_protocols_or_type_is_inconsistent);
    tcase_add_test(tcase, join_with_another_type_or_no_common_protocol_is_inconsistent);
    tcase_add_test(tcase, join_with_a_member_id_nobody_gave_is_unknown);
    tcase_add_test(tcase, from_version_4_on_a_new_member_is_told_its_id_first);
    tcase_add_test(tcase, before_version_4_a_new_member_is_taken_at_once);
    tcase_add_test(tcase, a_pending_member_id_expires_after_the_session_timeout);
    tcase_add_test(tcase, a_static_member_is_named_after_its_instance_and_needs_one_join);
    tcase_add_test(tcase, only_the_leader_gets_the_members_and_their_metadata);
    tcase_add_test(tcase, the_protocol_is_the_favourite_among_those_all_know);
    tcase_add_test(tcase, an_empty_group_waits_for_more_members_for_the_initial_delay);
    tcase_add_test(tcase, the_initial_delay_is_extended_up_to_the_rebalance_timeout_in_all);
    tcase_add_test(tcase, a_follower_that_joins_again_unchanged_is_answered_without_a_rebalance);
    tcase_add_test(tcase, a_leader_that_joins_again_always_starts_a_rebalance);
    tcase_add_test(tcase,
                   in_completing_an_unchanged_join_is_answered_again_and_a_changed_one_rebalances);
    tcase_add_test(tcase, a_rebalance_waits_for_known_members_and_drops_those_who_do_not_come);
    tcase_add_test(tcase, version_0_waits_as_long_as_its_session_timeout);
    tcase_add_test(tcase, a_first_join_that_waits_five_minutes_is_dropped);
    tcase_add_test(tcase, a_group_too_many_of_the_instance_gets_group_max_size_reached);
    tcase_add_test(tcase, a_member_too_many_of_a_group_gets_group_max_size_reached);
    tcase_add_test(tcase, asking_for_member_ids_for_ever_costs_bounded_memory);
    tcase_add_test(tcase, a_member_with_too_much_metadata_is_refused);
    tcase_add_test(tcase, a_member_with_too_many_protocols_is_refused);
    tcase_add_test(tcase, a_member_that_joins_twice_is_answered_on_the_second_call);
    tcase_add_test(tcase, a_rebalance_waits_for_members_that_were_only_given_an_id);
    tcase_add_test(tcase, a_cancelled_join_is_answered_and_its_member_dropped_in_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
