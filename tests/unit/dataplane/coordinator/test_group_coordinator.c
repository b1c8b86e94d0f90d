/* SPDX-License-Identifier: Apache-2.0 */
/* The shell on three simulated loops: who gets where, what is loaded, who comes home. */
#include "common/observe/log.h"
#include "dataplane/coordinator/batch_builder.h"
#include "dataplane/coordinator/group_coordinator.h"
#include "dataplane/storage/record_batch.h"
#include "dataplane/storage/record_stream.h"
#include "tests/simulation/sim_executor.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/coordinator/fake_replica.h"

enum { LOOPS = 3, PARTITIONS = 5, INSTANCES = 2, STEPS = 100000 };

static struct sim_executor *sim;
static struct group_coordinator *coordinator;
static struct replica replicas[INSTANCES][PARTITIONS];
static int64_t groups_limit;
static int resigned;
static bool is_closed;

struct test_call {
    struct coordinator_call call;
    struct group_offset offset;
    struct group_offset_topic topic;
    struct group_protocol protocol;
    int completed;
};

/* --- host --- */

static struct replica *offsets_replica(void *context, int32_t instance_no, int32_t partition)
{
    (void)context;
    return &replicas[instance_no][partition];
}

static int32_t offsets_partitions(void *context, int32_t instance_no)
{
    (void)context;
    return instance_no < INSTANCES ? PARTITIONS : 0;
}

static bool topic_exists(void *context, int32_t instance_no, struct slice topic)
{
    (void)context;
    (void)instance_no;
    (void)topic;
    return true;
}

static int64_t limit_groups(void *context, int32_t instance_no)
{
    (void)context;
    (void)instance_no;
    return groups_limit;
}

static void on_resigned(void *context)
{
    (void)context;
    resigned++;
}

static void on_closed(void *context)
{
    (void)context;
    is_closed = true;
}

/* --- doing things on loops --- */

static void settle(void)
{
    sim_executor_run_for(sim, 1000);
}

static void start(void)
{
    struct sim_executor_options sim_options = {
        .loop_count = LOOPS, .seed = 7, .start_wall_ms = 1700000000000};
    struct group_coordinator_options options = {
        .host = {NULL, offsets_replica, offsets_partitions, topic_exists, limit_groups},
        .seed = {3, 4},
        .group = group_shard_options_default(),
    };

    groups_limit = -1;
    resigned = 0;
    is_closed = false;
    sim = sim_executor_new(&sim_options);
    options.executor = sim_executor_base(sim);
    options.random = &sim_executor_random(sim)->base;
    options.group.initial_rebalance_delay_ms = 0;
    ck_assert_int_eq(group_coordinator_new(&options, &coordinator), ERR_OK);
    for (int i = 0; i < INSTANCES; i++)
        for (int p = 0; p < PARTITIONS; p++)
            fake_replica_init(&replicas[i][p], sim_executor_loop(sim, (i + p) % LOOPS));
}

static void close_coordinator(void *context)
{
    (void)context;
    group_coordinator_close(coordinator, on_closed, NULL);
}

static void stop(void)
{
    sim_executor_call(sim, 0, close_coordinator, NULL);
    settle();
    ck_assert(is_closed);
    group_coordinator_free(coordinator);
    sim_executor_free(sim);
    for (int i = 0; i < INSTANCES; i++)
        for (int p = 0; p < PARTITIONS; p++)
            fake_replica_done(&replicas[i][p]);
}

static leader_epoch epoch_to_lead;

static void lead_all(void *context)
{
    (void)context;
    for (int i = 0; i < INSTANCES; i++)
        for (int p = 0; p < PARTITIONS; p++)
            group_coordinator_lead(coordinator, i, p, &replicas[i][p], epoch_to_lead);
}

static void lead(leader_epoch epoch)
{
    epoch_to_lead = epoch;
    sim_executor_call(sim, 0, lead_all, NULL);
    settle();
}

static void resign_all(void *context)
{
    (void)context;
    for (int i = 0; i < INSTANCES; i++)
        for (int p = 0; p < PARTITIONS; p++)
            group_coordinator_resign(coordinator, i, p, replicas[i][p].loop, on_resigned, NULL);
}

static void on_complete(struct coordinator_call *call)
{
    struct test_call *test = container_of(call, struct test_call, call);

    ck_assert(on_loop(call->home));
    test->completed++;
}

static void submit_call(void *context)
{
    struct test_call *test = context;

    group_coordinator_submit(coordinator, &test->call);
    ck_assert_int_eq(test->completed, 0);
}

static void cancel_call(void *context)
{
    struct test_call *test = context;

    group_coordinator_cancel(&test->call);
}

static void prepare(struct test_call *test, enum group_operation operation, int32_t instance_no,
                    const char *group)
{
    *test = (struct test_call){.completed = 0};
    coordinator_call_init(&test->call, operation);
    test->call.group.group_id = slice_from_cstring(group);
    test->call.group.version = 3;
    test->call.instance_no = instance_no;
    test->call.home = sim_executor_loop(sim, 1);
    test->call.complete = on_complete;
}

static void submit(struct test_call *test)
{
    sim_executor_call(sim, 1, submit_call, test);
    settle();
}

static struct group_offset_topic *one_offset(struct test_call *test, int64_t offset)
{
    test->offset = (struct group_offset){.partition = 0, .offset = offset, .leader_epoch = -1};
    test->topic = (struct group_offset_topic){SLICE_LITERAL("orders"), &test->offset, 1};
    return &test->topic;
}

static void start_commit(struct test_call *test, int32_t instance_no, const char *group,
                         int64_t offset)
{
    prepare(test, GROUP_OFFSET_COMMIT, instance_no, group);
    test->call.group.offset_commit.request = (struct group_offset_commit_request){
        .generation = -1,
        .member_id = SLICE_LITERAL(""),
        .retention_time_ms = -1,
        .topics = one_offset(test, offset),
        .topic_count = 1,
    };
    submit(test);
}

static enum kafka_error finish(struct test_call *test)
{
    ck_assert_int_eq(test->completed, 1);
    coordinator_call_done(&test->call);
    return test->call.group.error;
}

static enum kafka_error commit(int32_t instance_no, const char *group, int64_t offset)
{
    struct test_call test;

    start_commit(&test, instance_no, group, offset);
    return finish(&test);
}

static int64_t fetch(int32_t instance_no, const char *group)
{
    struct test_call test;

    prepare(&test, GROUP_OFFSET_FETCH, instance_no, group);
    test.call.group.offset_fetch.request.topics = one_offset(&test, 0);
    test.call.group.offset_fetch.request.topic_count = 1;
    submit(&test);
    ck_assert_int_eq(finish(&test), KAFKA_NONE);
    return test.offset.offset;
}

static size_t list(int32_t instance_no, enum kafka_error expected)
{
    struct test_call test;
    size_t count = 0;

    prepare(&test, GROUP_LIST, instance_no, "");
    submit(&test);
    count = test.call.group.list.reply.group_count;
    ck_assert_int_eq(finish(&test), expected);
    return count;
}

static void start_join(struct test_call *test, const char *group)
{
    prepare(test, GROUP_JOIN, 0, group);
    test->protocol = (struct group_protocol){SLICE_LITERAL("range"), SLICE_LITERAL("m")};
    test->call.group.join.request = (struct group_join_request){
        .member_id = SLICE_LITERAL(""),
        .client_id = SLICE_LITERAL("c"),
        .client_host = SLICE_LITERAL("/127.0.0.1"),
        .protocol_type = SLICE_LITERAL("consumer"),
        .protocols = &test->protocol,
        .protocol_count = 1,
        .session_timeout_ms = 10000,
        .rebalance_timeout_ms = 60000,
    };
    submit(test);
}

/* --- tests --- */

START_TEST(a_call_finds_its_shard_and_comes_home)
{
    char group[] = "group-a";

    lead(1);
    for (char c = 'a'; c <= 'z'; c++) {
        group[6] = c;
        ck_assert_int_eq(commit(0, group, c), KAFKA_NONE);
    }
    for (char c = 'a'; c <= 'z'; c++) {
        group[6] = c;
        ck_assert_int_eq(fetch(0, group), c);
        ck_assert_int_eq(fetch(1, group), -1);
    }
}
END_TEST

START_TEST(without_a_shard_calls_get_not_coordinator)
{
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_NOT_COORDINATOR);
    ck_assert_int_eq(commit(99, "g", 1), KAFKA_NOT_COORDINATOR);
    ck_assert_uint_eq(list(99, KAFKA_NONE), 0);
}
END_TEST

START_TEST(what_was_committed_is_there_after_a_new_election)
{
    lead(1);
    for (int64_t i = 0; i < 20; i++)
        ck_assert_int_eq(commit(0, "g", i), KAFKA_NONE);
    lead(2);
    ck_assert_int_eq(fetch(0, "g"), 19);
    ck_assert_int_gt(replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)].reads, 10);
}
END_TEST

START_TEST(the_same_epoch_again_changes_nothing)
{
    int reads = 0;

    lead(1);
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_NONE);
    lead(1);
    for (int p = 0; p < PARTITIONS; p++)
        reads += replicas[0][p].reads;
    ck_assert_int_eq(reads, 0);
}
END_TEST

START_TEST(a_load_waits_until_the_whole_log_is_committed)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];

    lead(1);
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_NONE);
    ck_assert_int_eq(commit(0, "g", 2), KAFKA_NONE);
    replica->snapshot.high_watermark = 1;
    lead(2);
    ck_assert_int_eq(commit(0, "g", 3), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    list(0, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    fake_replica_commit(replica, 2);
    settle();
    ck_assert_int_eq(fetch(0, "g"), 2);
}
END_TEST

START_TEST(a_shard_that_waits_to_load_can_be_resigned)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];

    lead(1);
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_NONE);
    replica->snapshot.high_watermark = 0;
    lead(2);
    sim_executor_call(sim, 0, resign_all, NULL);
    settle();
    ck_assert_int_eq(resigned, INSTANCES * PARTITIONS);
    ck_assert_int_eq(replica->references, 1);
}
END_TEST

START_TEST(a_load_woken_by_a_replica_that_does_not_lead_pauses)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];
    struct replica_waiter *waiter = NULL;
    int reads = 0;

    lead(1);
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_NONE);
    replica->snapshot.high_watermark = 0;
    lead(2);
    reads = replica->reads;
    waiter = replica->waiter;
    replica->waiter = NULL;
    loop_post(waiter->home, &waiter->mail);
    settle();
    ck_assert_int_eq(replica->reads, reads);
    replica->snapshot.high_watermark = 1;
    sim_executor_run_for(sim, 1000 * 1000);
    ck_assert_int_eq(fetch(0, "g"), 1);
}
END_TEST

START_TEST(a_log_that_cannot_be_read_is_tried_again)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];

    lead(1);
    ck_assert_int_eq(commit(0, "g", 5), KAFKA_NONE);
    replica->read_error = KAFKA_KAFKA_STORAGE_ERROR;
    lead(2);
    ck_assert_int_eq(commit(0, "g", 6), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    replica->read_error = KAFKA_NONE;
    sim_executor_run_for(sim, 1000 * 1000);
    ck_assert_int_eq(fetch(0, "g"), 5);
}
END_TEST

START_TEST(bytes_that_are_no_batch_do_not_crash_a_load)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];

    lead(1);
    ck_assert_int_eq(commit(0, "g", 5), KAFKA_NONE);
    replica->log.data[16] = 9; /* magic */
    lead(2);
    ck_assert_int_eq(commit(0, "g", 6), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    replica->log.data[16] = 2;
    sim_executor_run_for(sim, 1000 * 1000);
    ck_assert_int_eq(fetch(0, "g"), 5);
}
END_TEST

START_TEST(a_list_gathers_the_shards_of_one_instance_over_all_loops)
{
    char group[] = "group-a";

    lead(1);
    for (char c = 'a'; c <= 'j'; c++) {
        group[6] = c;
        commit(0, group, 1);
    }
    commit(1, "other", 1);
    ck_assert_uint_eq(list(0, KAFKA_NONE), 10);
    ck_assert_uint_eq(list(1, KAFKA_NONE), 1);
}
END_TEST

START_TEST(the_limit_of_groups_counts_all_shards_of_an_instance)
{
    char group[] = "group-a";

    groups_limit = 3;
    lead(1);
    for (char c = 'a'; c <= 'c'; c++) {
        group[6] = c;
        ck_assert_int_eq(commit(0, group, 1), KAFKA_NONE);
    }
    ck_assert_int_eq(commit(0, "one-too-many", 1), KAFKA_GROUP_MAX_SIZE_REACHED);
    ck_assert_int_eq(commit(1, "of-another-instance", 1), KAFKA_NONE);
    lead(2);
    ck_assert_int_eq(commit(0, "one-too-many", 1), KAFKA_GROUP_MAX_SIZE_REACHED);
}
END_TEST

START_TEST(a_resignation_answers_parked_calls_and_waits_for_the_log)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];
    struct test_call waiting;

    lead(1);
    replica->holds_appends = true;
    start_commit(&waiting, 0, "g", 1);
    ck_assert_int_eq(waiting.completed, 0);
    sim_executor_call(sim, 0, resign_all, NULL);
    settle();
    ck_assert_int_eq(finish(&waiting), KAFKA_NOT_COORDINATOR);
    ck_assert_int_eq(resigned, INSTANCES * PARTITIONS - 1);
    fake_replica_release_appends(replica);
    settle();
    ck_assert_int_eq(resigned, INSTANCES * PARTITIONS);
    ck_assert_int_eq(replica->references, 1);
}
END_TEST

START_TEST(a_failed_append_is_answered_and_nothing_of_it_stays)
{
    struct replica *replica = &replicas[0][group_partition_for(SLICE_LITERAL("g"), PARTITIONS)];

    lead(1);
    replica->append_error = KAFKA_NOT_ENOUGH_REPLICAS;
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_COORDINATOR_NOT_AVAILABLE);
    ck_assert_int_eq(fetch(0, "g"), -1);
    ck_assert_uint_eq(list(0, KAFKA_NONE), 0);
}
END_TEST

START_TEST(timers_of_the_core_are_driven)
{
    struct test_call join;
    struct test_call describe;

    lead(1);
    start_join(&join, "g");
    ck_assert_int_eq(join.call.group.join.reply.generation, 1);
    ck_assert_int_eq(finish(&join), KAFKA_NONE);
    sim_executor_run_for(sim, 11 * 1000 * 1000); /* its session */
    prepare(&describe, GROUP_DESCRIBE, 0, "g");
    submit(&describe);
    ck_assert(slice_equal_cstring(describe.call.group.describe.reply.state, "Empty"));
    ck_assert_int_eq(finish(&describe), KAFKA_NONE);
}
END_TEST

START_TEST(a_cancelled_call_completes_once)
{
    struct test_call first;
    struct test_call second;

    lead(1);
    start_join(&first, "g");
    ck_assert_int_eq(finish(&first), KAFKA_NONE);
    start_join(&second, "g"); /* waits for the first to join again */
    ck_assert_int_eq(second.completed, 0);
    sim_executor_call(sim, 1, cancel_call, &second);
    settle();
    ck_assert_int_eq(finish(&second), KAFKA_NOT_COORDINATOR);
}
END_TEST

START_TEST(a_cancel_that_crosses_the_answer_completes_once_and_last)
{
    struct test_call join;

    lead(1);
    prepare(&join, GROUP_HEARTBEAT, 0, "g");
    join.call.group.heartbeat.request.member_id = SLICE_LITERAL("m");
    sim_executor_call(sim, 1, submit_call, &join);
    sim_executor_call(sim, 1, cancel_call, &join);
    settle();
    ck_assert_int_eq(finish(&join), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

static void delete_topic(void *context)
{
    (void)context;
    group_coordinator_topic_deleted(coordinator, 0, SLICE_LITERAL("orders"));
}

START_TEST(a_deleted_topic_loses_its_offsets_in_its_instance_only)
{
    lead(1);
    commit(0, "g", 5);
    commit(0, "other", 6);
    commit(1, "g", 7);
    sim_executor_call(sim, 0, delete_topic, NULL);
    settle();
    ck_assert_int_eq(fetch(0, "g"), -1);
    ck_assert_int_eq(fetch(0, "other"), -1);
    ck_assert_int_eq(fetch(1, "g"), 7);
}
END_TEST

START_TEST(closing_completes_what_is_parked)
{
    struct test_call first;
    struct test_call second;

    lead(1);
    start_join(&first, "g");
    ck_assert_int_eq(finish(&first), KAFKA_NONE);
    start_join(&second, "g");
    sim_executor_call(sim, 0, close_coordinator, NULL);
    settle();
    ck_assert(is_closed);
    ck_assert_int_eq(finish(&second), KAFKA_NOT_COORDINATOR);
    ck_assert_int_eq(commit(0, "g", 1), KAFKA_NOT_COORDINATOR);
}
END_TEST

START_TEST(a_built_batch_is_one_that_the_log_takes)
{
    struct buffer buffer;
    struct batch_builder builder;
    struct record_batch batch;
    struct record_stream stream;
    struct record_view record;

    buffer_init(&buffer, 100000);
    batch_builder_begin(&builder, &buffer, 123456789);
    for (int i = 0; i < 200; i++)
        batch_builder_add(&builder, SLICE_LITERAL("key"),
                          i % 2 ? SLICE_LITERAL("value") : SLICE_NULL);
    ck_assert_int_eq(batch_builder_end(&builder), ERR_OK);
    ck_assert_int_eq(record_batch_parse(buffer_slice(&buffer), &batch), ERR_OK);
    ck_assert(record_batch_is_crc_right(&batch, buffer_slice(&buffer)));
    ck_assert_int_eq(batch.size_bytes, (int64_t)buffer.len);
    ck_assert_int_eq(batch.record_count, 200);
    ck_assert_int_eq(batch.last_offset_delta, 199);
    ck_assert_int_eq(batch.max_timestamp, 123456789);
    ck_assert_int_eq(batch.producer_id, -1);
    ck_assert_int_eq(record_stream_init(&stream, 0,
                                        record_batch_records(&batch, buffer_slice(&buffer)),
                                        RECORD_STREAM_MAX_BYTES),
                     ERR_OK);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(record_stream_next(&stream, &record), ERR_OK);
        ck_assert_int_eq(record.offset_delta, i);
        ck_assert_int_eq(slice_is_null(record.value), i % 2 == 0);
    }
    ck_assert(record_stream_is_at_end(&stream));
    record_stream_done(&stream);
    buffer_done(&buffer);
}
END_TEST

START_TEST(a_batch_without_records_or_over_its_buffer_is_refused)
{
    struct buffer buffer;
    struct batch_builder builder;

    buffer_init(&buffer, 100);
    batch_builder_begin(&builder, &buffer, 0);
    ck_assert_int_eq(batch_builder_end(&builder), ERR_INVALID);
    buffer_clear(&buffer);
    batch_builder_begin(&builder, &buffer, 0);
    for (int i = 0; i < 10; i++)
        batch_builder_add(&builder, SLICE_LITERAL("key"), SLICE_LITERAL("value"));
    ck_assert_int_eq(batch_builder_end(&builder), ERR_TOO_LARGE);
    buffer_done(&buffer);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group coordinator");
    TCase *tcase = tcase_create("shell");
    TCase *batches = tcase_create("batches");

    log_setup("test", LOG_ERROR, LOG_FORMAT_TEXT);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_call_finds_its_shard_and_comes_home);
    tcase_add_test(tcase, without_a_shard_calls_get_not_coordinator);
    tcase_add_test(tcase, what_was_committed_is_there_after_a_new_election);
    tcase_add_test(tcase, the_same_epoch_again_changes_nothing);
    tcase_add_test(tcase, a_load_waits_until_the_whole_log_is_committed);
    tcase_add_test(tcase, a_shard_that_waits_to_load_can_be_resigned);
    tcase_add_test(tcase, a_load_woken_by_a_replica_that_does_not_lead_pauses);
    tcase_add_test(tcase, a_log_that_cannot_be_read_is_tried_again);
    tcase_add_test(tcase, bytes_that_are_no_batch_do_not_crash_a_load);
    tcase_add_test(tcase, a_list_gathers_the_shards_of_one_instance_over_all_loops);
    tcase_add_test(tcase, the_limit_of_groups_counts_all_shards_of_an_instance);
    tcase_add_test(tcase, a_resignation_answers_parked_calls_and_waits_for_the_log);
    tcase_add_test(tcase, a_failed_append_is_answered_and_nothing_of_it_stays);
    tcase_add_test(tcase, timers_of_the_core_are_driven);
    tcase_add_test(tcase, a_cancelled_call_completes_once);
    tcase_add_test(tcase, a_cancel_that_crosses_the_answer_completes_once_and_last);
    tcase_add_test(tcase, a_deleted_topic_loses_its_offsets_in_its_instance_only);
    tcase_add_test(tcase, closing_completes_what_is_parked);
    suite_add_tcase(suite, tcase);
    tcase_add_test(batches, a_built_batch_is_one_that_the_log_takes);
    tcase_add_test(batches, a_batch_without_records_or_over_its_buffer_is_refused);
    suite_add_tcase(suite, batches);
    return suite;
}
