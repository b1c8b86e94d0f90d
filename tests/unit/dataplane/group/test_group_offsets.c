/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetCommit, OffsetFetch, OffsetDelete, retention, topics that go (kafka-protocol reference, 4.8). */
#include "tests/unit/dataplane/group/group_rig.h"

#define DAYS_MS(n) ((int64_t)(n)*24 * 60 * 60 * 1000)

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

static enum kafka_error entry_error(const struct rig_call *call)
{
    return call->call.offset_commit.request.topics->partitions->error;
}

START_TEST(a_commit_outside_any_group_makes_a_simple_group)
{
    struct rig_call *commit = rig_commit(&rig, "simple", "", -1, "orders", 3, 42);

    ck_assert_error(rig_error(commit), KAFKA_NONE);
    ck_assert_error(entry_error(commit), KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "simple", "orders", 3), 42);
    ck_assert_str_eq(rig_state(&rig, "simple"), "Empty");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_commit_with_a_generation_to_a_group_that_is_not_there_is_refused)
{
    struct rig_call *commit = rig_commit(&rig, "none", "m", 1, "orders", 0, 1);

    ck_assert_error(rig_error(commit), KAFKA_ILLEGAL_GENERATION);
    ck_assert_error(entry_error(commit), KAFKA_ILLEGAL_GENERATION);
    commit = rig_call_new(&rig, GROUP_OFFSET_COMMIT, "none");
    commit->call.version = 9;
    commit->call.offset_commit.request.generation = 1;
    rig_submit(&rig, commit);
    ck_assert_error(rig_error(commit), KAFKA_GROUP_ID_NOT_FOUND);
    ck_assert_str_eq(rig_state(&rig, "none"), "Dead");
}
END_TEST

START_TEST(members_commit_with_their_generation_only)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    ck_assert_error(rig_error(rig_commit(&rig, "g", member, generation, "t", 0, 5)), KAFKA_NONE);
    ck_assert_error(rig_error(rig_commit(&rig, "g", member, generation + 1, "t", 0, 6)),
                    KAFKA_ILLEGAL_GENERATION);
    ck_assert_error(rig_error(rig_commit(&rig, "g", "ghost", generation, "t", 0, 6)),
                    KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_error(rig_error(rig_commit(&rig, "g", "", -1, "t", 0, 6)), KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 5);
}
END_TEST

START_TEST(commits_are_taken_while_preparing_and_refused_while_completing)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig_join(&rig, .group = "g");
    ck_assert_error(rig_error(rig_commit(&rig, "g", member, generation, "t", 0, 5)), KAFKA_NONE);
    generation = rig_join(&rig, .member = member)->call.join.reply.generation;
    ck_assert_error(rig_error(rig_commit(&rig, "g", member, generation, "t", 0, 6)),
                    KAFKA_REBALANCE_IN_PROGRESS);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 5);
}
END_TEST

START_TEST(a_commit_is_seen_only_once_it_is_in_the_log)
{
    struct rig_call *commit = NULL;

    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    rig.holds_log = true;
    commit = rig_commit(&rig, "g", "", -1, "t", 0, 2);
    ck_assert(!commit->is_finished);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_error(rig_error(commit), KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 2);
}
END_TEST

START_TEST(a_lost_commit_changes_nothing)
{
    struct rig_call *commit = NULL;

    rig.holds_log = true;
    commit = rig_commit(&rig, "g", "", -1, "t", 0, 2);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    rig_resolve(&rig, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert_error(rig_error(commit), KAFKA_NOT_COORDINATOR);
    ck_assert_error(entry_error(commit), KAFKA_NOT_COORDINATOR);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    ck_assert_int_eq(rig.group_count, 0);
}
END_TEST

START_TEST(append_errors_become_what_clients_of_the_group_know)
{
    static const struct {
        enum kafka_error log, client;
    } cases[] = {
        {KAFKA_NOT_LEADER_OR_FOLLOWER, KAFKA_NOT_COORDINATOR},
        {KAFKA_NOT_ENOUGH_REPLICAS, KAFKA_COORDINATOR_NOT_AVAILABLE},
        {KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_COORDINATOR_NOT_AVAILABLE},
        {KAFKA_UNKNOWN_TOPIC_OR_PARTITION, KAFKA_COORDINATOR_NOT_AVAILABLE},
        {KAFKA_REQUEST_TIMED_OUT, KAFKA_COORDINATOR_NOT_AVAILABLE},
        {KAFKA_MESSAGE_TOO_LARGE, KAFKA_INVALID_COMMIT_OFFSET_SIZE},
    };

    rig.holds_log = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rig_call *commit = rig_commit(&rig, "g", "", -1, "t", 0, 2);

        rig_resolve(&rig, cases[i].log);
        ck_assert_error(rig_error(commit), cases[i].client);
    }
}
END_TEST

START_TEST(commits_take_effect_in_the_order_they_were_made_however_they_are_reported)
{
    struct group_append *first = NULL;
    struct group_append *second = NULL;
    struct rig_call *a = NULL;
    struct rig_call *b = NULL;

    rig.holds_log = true;
    a = rig_commit(&rig, "g", "", -1, "t", 0, 10);
    b = rig_commit(&rig, "g", "", -1, "t", 0, 20);
    first = rig.pending[0];
    second = rig.pending[1];
    rig.pending_count = 0;
    group_shard_appended(rig.shard, second, KAFKA_NONE, rig.time);
    rig_pump(&rig);
    ck_assert(!b->is_finished);
    group_shard_appended(rig.shard, first, KAFKA_NONE, rig.time);
    rig_pump(&rig);
    ck_assert_error(rig_error(a), KAFKA_NONE);
    ck_assert_error(rig_error(b), KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 20);
}
END_TEST

START_TEST(a_reply_does_not_wait_for_the_log_for_ever)
{
    struct rig_call *commit = NULL;

    rig.holds_log = true;
    commit = rig_commit(&rig, "g", "", -1, "t", 0, 2);
    rig_advance(&rig, 4999);
    ck_assert(!commit->is_finished);
    rig_advance(&rig, 1);
    ck_assert_error(rig_error(commit), KAFKA_COORDINATOR_NOT_AVAILABLE);
    /* The log took it after all: that is what counts from now on. */
    rig_resolve(&rig, KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 2);
    rig.holds_log = false;
    rig_check_replay(&rig);
}
END_TEST

START_TEST(metadata_over_4096_bytes_fails_its_partition_only)
{
    static uint8_t text[4097];
    struct group_offset offsets[2] = {{.partition = 0, .offset = 1}, {.partition = 1, .offset = 2}};
    struct group_offset_topic topic = {SLICE_LITERAL("t"), offsets, 2};
    struct rig_call *call = rig_call_new(&rig, GROUP_OFFSET_COMMIT, "g");

    offsets[0].metadata = slice_of(text, 4097);
    offsets[1].metadata = slice_of(text, 4096);
    call->call.offset_commit.request = (struct group_offset_commit_request){
        .generation = -1, .retention_time_ms = -1, .topics = &topic, .topic_count = 1};
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_error(offsets[0].error, KAFKA_OFFSET_METADATA_TOO_LARGE);
    ck_assert_error(offsets[1].error, KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 1), 2);
}
END_TEST

START_TEST(entries_that_the_handler_refused_are_left_alone_and_the_others_committed)
{
    struct group_offset offsets[2] = {
        {.partition = 0, .offset = 1, .error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION},
        {.partition = 1, .offset = 2}};
    struct group_offset_topic topic = {SLICE_LITERAL("t"), offsets, 2};
    struct rig_call *call = rig_call_new(&rig, GROUP_OFFSET_COMMIT, "g");

    call->call.offset_commit.request = (struct group_offset_commit_request){
        .generation = -1, .retention_time_ms = -1, .topics = &topic, .topic_count = 1};
    rig_submit(&rig, call);
    ck_assert_error(offsets[0].error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_error(offsets[1].error, KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 1), 2);
}
END_TEST

START_TEST(a_commit_larger_than_a_batch_is_refused_whole)
{
    struct rig_call *call = NULL;

    rig.shard->options.max_append_bytes = 60;
    call = rig_commit(&rig, "g", "", -1, "a-topic-with-a-long-name", 0, 1);
    ck_assert_error(rig_error(call), KAFKA_INVALID_COMMIT_OFFSET_SIZE);
    ck_assert_error(entry_error(call), KAFKA_INVALID_COMMIT_OFFSET_SIZE);
}
END_TEST

START_TEST(a_fetch_answers_every_partition_that_was_asked_for_exactly_once)
{
    struct group_offset offsets[2] = {{.partition = 0}, {.partition = 9}};
    struct group_offset_topic topic = {SLICE_LITERAL("t"), offsets, 2};
    struct rig_call *call = rig_call_new(&rig, GROUP_OFFSET_FETCH, "g");

    rig_commit(&rig, "g", "", -1, "t", 0, 77);
    call->call.offset_fetch.request.topics = &topic;
    call->call.offset_fetch.request.topic_count = 1;
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_int_eq(offsets[0].offset, 77);
    ck_assert_int_eq(offsets[0].leader_epoch, 7);
    ck_assert_str_eq(rig_text(offsets[0].metadata), "note");
    ck_assert_int_eq(offsets[1].offset, -1);
    ck_assert_int_eq(offsets[1].leader_epoch, -1);
    ck_assert_uint_eq(offsets[1].metadata.len, 0);
    ck_assert_error(offsets[1].error, KAFKA_NONE);
}
END_TEST

START_TEST(a_fetch_of_everything_lists_all_topics)
{
    struct rig_call *call = rig_call_new(&rig, GROUP_OFFSET_FETCH, "g");
    size_t partitions = 0;

    for (int32_t i = 0; i < 10; i++)
        rig_commit(&rig, "g", "", -1, i % 2 ? "odd" : "even", 10 - i, i);
    call->call.offset_fetch.request.wants_all = true;
    rig_submit(&rig, call);
    ck_assert_uint_eq(call->call.offset_fetch.request.topic_count, 2);
    for (size_t i = 0; i < 2; i++)
        partitions += call->call.offset_fetch.request.topics[i].partition_count;
    ck_assert_uint_eq(partitions, 10);
    call = rig_call_new(&rig, GROUP_OFFSET_FETCH, "none");
    call->call.offset_fetch.request.wants_all = true;
    rig_submit(&rig, call);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_uint_eq(call->call.offset_fetch.request.topic_count, 0);
}
END_TEST

/* --- retention --- */

START_TEST(offsets_of_a_simple_group_expire_by_their_own_age)
{
    rig_commit(&rig, "g", "", -1, "old", 0, 1);
    rig_advance(&rig, DAYS_MS(4));
    rig_commit(&rig, "g", "", -1, "new", 0, 2);
    rig_advance(&rig, DAYS_MS(3) + 11 * 60 * 1000);
    ck_assert_int_eq(rig_fetch(&rig, "g", "old", 0), -1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "new", 0), 2);
    rig_advance(&rig, DAYS_MS(4));
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(an_explicit_retention_time_goes_before_the_service_s)
{
    struct group_offset offset = {.partition = 0, .offset = 1};
    struct group_offset_topic topic = {SLICE_LITERAL("t"), &offset, 1};
    struct rig_call *call = rig_call_new(&rig, GROUP_OFFSET_COMMIT, "g");

    call->call.offset_commit.request = (struct group_offset_commit_request){
        .generation = -1, .retention_time_ms = 60000, .topics = &topic, .topic_count = 1};
    rig_submit(&rig, call);
    rig_check_replay(&rig);
    rig_advance(&rig, 9 * 60 * 1000);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
    rig_advance(&rig, 60 * 1000); /* the check is every ten minutes */
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
}
END_TEST

START_TEST(offsets_of_a_group_of_members_expire_by_when_it_became_empty)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig_commit(&rig, "g", member, generation, "t", 0, 1);
    for (int i = 0; i < 10 * 24 * 60 * 60 / 9; i++) { /* ten days of heartbeats */
        rig_heartbeat(&rig, "g", member, generation);
        rig_advance(&rig, 9000);
    }
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
    rig_leave(&rig, "g", member, NULL);
    rig_advance(&rig, DAYS_MS(6));
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
    rig_restart(&rig); /* the time it became empty is in the log */
    rig_advance(&rig, DAYS_MS(1) + 11 * 60 * 1000);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_stable_consumer_group_loses_only_what_it_does_not_subscribe_to)
{
    struct slice subscription = rig_subscription(&rig, "kept");
    struct rig_call *join = rig_join(&rig, .subscription = subscription, .session_ms = 1800000);

    rig_sync(&rig, "g", rig_member(join), 1, NULL);
    rig_commit(&rig, "g", rig_member(join), 1, "kept", 0, 1);
    rig_commit(&rig, "g", rig_member(join), 1, "dropped", 0, 2);
    for (int i = 0; i < 8 * 24 * 2; i++) {
        rig_heartbeat(&rig, "g", rig_member(join), 1);
        rig_advance(&rig, 30 * 60 * 1000 - 1);
    }
    ck_assert_int_eq(rig_fetch(&rig, "g", "kept", 0), 1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "dropped", 0), -1);
    ck_assert_str_eq(rig_state(&rig, "g"), "Stable");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(offsets_of_a_live_group_of_another_type_do_not_expire)
{
    struct rig_call *join = rig_join(&rig, .type = "connect", .session_ms = 1800000);

    rig_sync(&rig, "g", rig_member(join), 1, NULL);
    rig_commit(&rig, "g", rig_member(join), 1, "t", 0, 1);
    for (int i = 0; i < 8 * 24 * 2; i++) {
        rig_heartbeat(&rig, "g", rig_member(join), 1);
        rig_advance(&rig, 30 * 60 * 1000 - 1);
    }
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
}
END_TEST

START_TEST(an_empty_group_without_offsets_is_forgotten_at_the_next_check)
{
    int32_t generation = 0;
    const char *member = rig_stable_member(&rig, "g", &generation);

    rig_leave(&rig, "g", member, NULL);
    ck_assert_str_eq(rig_state(&rig, "g"), "Empty");
    rig_advance(&rig, 10 * 60 * 1000);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    ck_assert_int_eq(rig.group_count, 0);
    rig_check_replay(&rig);
}
END_TEST

/* --- topics that go --- */

START_TEST(offsets_of_a_deleted_topic_go_at_once)
{
    rig_commit(&rig, "a", "", -1, "gone", 0, 1);
    rig_commit(&rig, "a", "", -1, "kept", 0, 2);
    rig_commit(&rig, "b", "", -1, "gone", 5, 3);
    group_shard_topic_deleted(rig.shard, SLICE_LITERAL("gone"), rig.time);
    rig_advance(&rig, 0);
    ck_assert_int_eq(rig_fetch(&rig, "a", "gone", 0), -1);
    ck_assert_int_eq(rig_fetch(&rig, "a", "kept", 0), 2);
    ck_assert_str_eq(rig_state(&rig, "b"), "Dead");
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_topic_made_again_keeps_what_is_committed_to_it)
{
    struct rig_call *late = NULL;

    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    rig.holds_log = true;
    late = rig_commit(&rig, "g", "", -1, "t", 1, 1); /* on its way when the topic goes */
    group_shard_topic_deleted(rig.shard, SLICE_LITERAL("t"), rig.time);
    rig_advance(&rig, 0);
    rig_commit(&rig, "g", "", -1, "t", 0, 99); /* waits for the sweep */
    while (rig.pending_count > 0)
        rig_resolve(&rig, KAFKA_NONE);
    rig.holds_log = false;
    rig_advance(&rig, 3000);
    ck_assert_error(rig_error(late), KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 99);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 1), -1);
    rig_check_replay(&rig);
}
END_TEST

START_TEST(a_sweep_that_the_log_did_not_take_is_tried_again)
{
    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    rig.holds_log = true;
    group_shard_topic_deleted(rig.shard, SLICE_LITERAL("t"), rig.time);
    rig_advance(&rig, 0);
    rig_resolve(&rig, KAFKA_NOT_ENOUGH_REPLICAS);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
    rig.holds_log = false;
    rig_advance(&rig, 1000);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), -1);
}
END_TEST

START_TEST(offsets_of_topics_deleted_while_nobody_led_go_after_the_load)
{
    rig_commit(&rig, "g", "", -1, "gone", 0, 1);
    rig_commit(&rig, "g", "", -1, "kept", 0, 2);
    rig.missing_topic = "gone";
    rig_restart(&rig);
    rig_advance(&rig, 0);
    ck_assert_int_eq(rig_fetch(&rig, "g", "gone", 0), -1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "kept", 0), 2);
    rig_check_replay(&rig);
}
END_TEST

/* --- OffsetDelete --- */

static enum kafka_error deleted_error(const struct rig_call *call)
{
    return call->call.offset_delete.request.topics->partitions->error;
}

START_TEST(offset_delete_removes_what_nobody_subscribes_to)
{
    struct slice subscription = rig_subscription(&rig, "live");
    struct rig_call *join = rig_join(&rig, .subscription = subscription);
    struct rig_call *call = NULL;

    rig_sync(&rig, "g", rig_member(join), 1, NULL);
    rig_commit(&rig, "g", rig_member(join), 1, "live", 0, 1);
    rig_commit(&rig, "g", rig_member(join), 1, "old", 0, 2);
    call = rig_delete_offset(&rig, "g", "live", 0);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    ck_assert_error(deleted_error(call), KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
    call = rig_delete_offset(&rig, "g", "old", 0);
    ck_assert_error(deleted_error(call), KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "live", 0), 1);
    ck_assert_int_eq(rig_fetch(&rig, "g", "old", 0), -1);
    rig_check_replay(&rig);
}
END_TEST

START_TEST(offset_delete_is_refused_for_the_reason_that_applies)
{
    struct rig_call *join = NULL;

    ck_assert_error(rig_error(rig_delete_offset(&rig, "none", "t", 0)), KAFKA_GROUP_ID_NOT_FOUND);
    ck_assert_error(rig_error(rig_delete_offset(&rig, "", "t", 0)), KAFKA_INVALID_GROUP_ID);
    join = rig_join(&rig, .type = "connect");
    ck_assert_error(rig_error(rig_delete_offset(&rig, "g", "t", 0)), KAFKA_NON_EMPTY_GROUP);
    rig_leave(&rig, "g", rig_member(join), NULL);
    ck_assert_error(rig_error(rig_delete_offset(&rig, "g", "t", 0)), KAFKA_NONE);
}
END_TEST

START_TEST(deleting_an_offset_that_is_not_there_succeeds)
{
    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    ck_assert_error(deleted_error(rig_delete_offset(&rig, "g", "t", 8)), KAFKA_NONE);
    ck_assert_int_eq(rig_fetch(&rig, "g", "t", 0), 1);
}
END_TEST

START_TEST(deleting_the_last_offset_of_a_simple_group_forgets_it)
{
    rig_commit(&rig, "g", "", -1, "t", 0, 1);
    ck_assert_error(rig_error(rig_delete_offset(&rig, "g", "t", 0)), KAFKA_NONE);
    ck_assert_str_eq(rig_state(&rig, "g"), "Dead");
    ck_assert_int_eq(rig.group_count, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group offsets");
    TCase *tcase = tcase_create("rules");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_commit_outside_any_group_makes_a_simple_group);
    tcase_add_test(tcase, a_commit_with_a_generation_to_a_group_that_is_not_there_is_refused);
    tcase_add_test(tcase, members_commit_with_their_generation_only);
    tcase_add_test(tcase, commits_are_taken_while_preparing_and_refused_while_completing);
    tcase_add_test(tcase, a_commit_is_seen_only_once_it_is_in_the_log);
    tcase_add_test(tcase, a_lost_commit_changes_nothing);
    tcase_add_test(tcase, append_errors_become_what_clients_of_the_group_know);
    tcase_add_test(tcase,
                   commits_take_effect_in_the_order_they_were_made_however_they_are_reported);
    tcase_add_test(tcase, a_reply_does_not_wait_for_the_log_for_ever);
    tcase_add_test(tcase, metadata_over_4096_bytes_fails_its_partition_only);
    tcase_add_test(tcase, entries_that_the_handler_refused_are_left_alone_and_the_others_committed);
    tcase_add_test(tcase, a_commit_larger_than_a_batch_is_refused_whole);
    tcase_add_test(tcase, a_fetch_answers_every_partition_that_was_asked_for_exactly_once);
    tcase_add_test(tcase, a_fetch_of_everything_lists_all_topics);
    tcase_add_test(tcase, offsets_of_a_simple_group_expire_by_their_own_age);
    tcase_add_test(tcase, an_explicit_retention_time_goes_before_the_service_s);
    tcase_add_test(tcase, offsets_of_a_group_of_members_expire_by_when_it_became_empty);
    tcase_add_test(tcase, a_stable_consumer_group_loses_only_what_it_does_not_subscribe_to);
    tcase_add_test(tcase, offsets_of_a_live_group_of_another_type_do_not_expire);
    tcase_add_test(tcase, an_empty_group_without_offsets_is_forgotten_at_the_next_check);
    tcase_add_test(tcase, offsets_of_a_deleted_topic_go_at_once);
    tcase_add_test(tcase, a_topic_made_again_keeps_what_is_committed_to_it);
    tcase_add_test(tcase, a_sweep_that_the_log_did_not_take_is_tried_again);
    tcase_add_test(tcase, offsets_of_topics_deleted_while_nobody_led_go_after_the_load);
    tcase_add_test(tcase, offset_delete_removes_what_nobody_subscribes_to);
    tcase_add_test(tcase, offset_delete_is_refused_for_the_reason_that_applies);
    tcase_add_test(tcase, deleting_an_offset_that_is_not_there_succeeds);
    tcase_add_test(tcase, deleting_the_last_offset_of_a_simple_group_forgets_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
