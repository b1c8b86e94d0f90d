/* SPDX-License-Identifier: Apache-2.0 */
/* Groups as Kafka clients meet them: the whole broker, over the wire, on 1, 2 and 4 loops. The traces are
 * those of the kafka-protocol reference, appendix D. */
#include "common/kafka/kafka_error.h"
#include "common/kafka/kafka_messages.h"
#include "dataplane/storage/segment.h"
#include "tests/simulation/sim_broker.h"
#include "tests/support/check_main.h"

#include <stdio.h>

static const int loop_counts[] = {1, 2, 4};

static struct sim_broker sim;

struct consumer {
    struct sim_kafka kafka;
    struct slice group;
    char member_id[200];
    int32_t generation;
};

static void start(uint64_t seed, int loops)
{
    sim_broker_init(&sim, seed, loops);
    sim_broker_start(&sim);
}

static void stop(void)
{
    sim_broker_stop(&sim);
    sim_broker_done(&sim);
}

static void connect(struct consumer *consumer, int tenant, const char *group)
{
    *consumer = (struct consumer){.group = slice_from_cstring(group), .generation = -1};
    sim_broker_connect(&sim, tenant, &consumer->kafka);
}

static void disconnect(struct consumer *consumer)
{
    sim_kafka_done(&consumer->kafka);
}

static void create_topic(struct consumer *consumer, const char *name)
{
    struct kafka_create_topics_request request;
    struct kafka_create_topics_response response;
    struct kafka_create_topics_request_topic topic;

    kafka_create_topics_request_topic_init_defaults(&topic);
    topic.name = slice_from_cstring(name);
    topic.num_partitions = 3;
    topic.replication_factor = -1;
    kafka_create_topics_request_init_defaults(&request);
    request.topics.items = &topic;
    request.topics.count = 1;
    request.timeout_ms = 10000;
    sim_broker_call(&sim, &consumer->kafka, KAFKA_API_CREATE_TOPICS, 7, kafka_create_topics_request,
                    &request, kafka_create_topics_response, &response);
    ck_assert_int_eq(response.topics.items[0].error_code, KAFKA_NONE);
}

/* After a start the coordinator may still read its log. */
static bool is_not_ready(int16_t error)
{
    if (error != KAFKA_COORDINATOR_LOAD_IN_PROGRESS && error != KAFKA_NOT_COORDINATOR &&
        error != KAFKA_COORDINATOR_NOT_AVAILABLE)
        return false;
    sim_executor_run_for(sim.executor, 10000);
    return true;
}

static void send_join(struct consumer *consumer, int16_t version)
{
    struct kafka_join_group_request request;
    struct kafka_join_group_request_protocol protocol = {SLICE_LITERAL("range"),
                                                         SLICE_LITERAL("subscription")};

    kafka_join_group_request_init_defaults(&request);
    request.group_id = consumer->group;
    request.session_timeout_ms = 45000;
    request.rebalance_timeout_ms = version > 0 ? 300000 : -1;
    request.member_id = slice_from_cstring(consumer->member_id);
    request.protocol_type = SLICE_LITERAL("consumer");
    request.protocols.items = &protocol;
    request.protocols.count = 1;
    sim_kafka_send(&consumer->kafka, KAFKA_API_JOIN_GROUP, version, kafka_join_group_request,
                   &request);
}

static int16_t take_join(struct consumer *consumer, struct kafka_join_group_response *response)
{
    ck_assert(sim_broker_wait(&sim, &consumer->kafka));
    sim_kafka_answer(&consumer->kafka, kafka_join_group_response, response);
    ck_assert_uint_lt(response->member_id.len, sizeof(consumer->member_id));
    memcpy(consumer->member_id, response->member_id.data, response->member_id.len);
    consumer->member_id[response->member_id.len] = '\0';
    consumer->generation = response->generation_id;
    return response->error_code;
}

static int16_t join(struct consumer *consumer, int16_t version,
                    struct kafka_join_group_response *response)
{
    int16_t error = 0;

    do {
        send_join(consumer, version);
        error = take_join(consumer, response);
    } while (is_not_ready(error));
    return error;
}

static int16_t sync_all_to_self(struct consumer *consumer, int16_t version, const char *expected)
{
    struct kafka_sync_group_request request;
    struct kafka_sync_group_response response;
    struct kafka_sync_group_request_assignment assignment = {
        slice_from_cstring(consumer->member_id), SLICE_LITERAL("everything")};

    kafka_sync_group_request_init_defaults(&request);
    request.group_id = consumer->group;
    request.generation_id = consumer->generation;
    request.member_id = slice_from_cstring(consumer->member_id);
    if (version >= 5) {
        request.protocol_type = SLICE_LITERAL("consumer");
        request.protocol_name = SLICE_LITERAL("range");
    }
    request.assignments.items = &assignment;
    request.assignments.count = 1;
    sim_broker_call(&sim, &consumer->kafka, KAFKA_API_SYNC_GROUP, version, kafka_sync_group_request,
                    &request, kafka_sync_group_response, &response);
    if (response.error_code == KAFKA_NONE)
        ck_assert(slice_equal_cstring(response.assignment, expected));
    return response.error_code;
}

static int16_t heartbeat(struct consumer *consumer, int16_t version)
{
    struct kafka_heartbeat_request request;
    struct kafka_heartbeat_response response;

    kafka_heartbeat_request_init_defaults(&request);
    request.group_id = consumer->group;
    request.generation_id = consumer->generation;
    request.member_id = slice_from_cstring(consumer->member_id);
    do {
        sim_broker_call(&sim, &consumer->kafka, KAFKA_API_HEARTBEAT, version,
                        kafka_heartbeat_request, &request, kafka_heartbeat_response, &response);
    } while (is_not_ready(response.error_code));
    return response.error_code;
}

static void send_commit(struct consumer *consumer, int16_t version, int32_t partition,
                        int64_t offset)
{
    struct kafka_offset_commit_request request;
    struct kafka_offset_commit_request_partition entry;
    struct kafka_offset_commit_request_topic topic;

    kafka_offset_commit_request_partition_init_defaults(&entry);
    entry.partition_index = partition;
    entry.committed_offset = offset;
    entry.committed_metadata = SLICE_LITERAL("");
    kafka_offset_commit_request_topic_init_defaults(&topic);
    topic.name = SLICE_LITERAL("orders");
    topic.partitions.items = &entry;
    topic.partitions.count = 1;
    kafka_offset_commit_request_init_defaults(&request);
    request.group_id = consumer->group;
    request.generation_id_or_member_epoch = consumer->generation;
    request.member_id = slice_from_cstring(consumer->member_id);
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_kafka_send(&consumer->kafka, KAFKA_API_OFFSET_COMMIT, version, kafka_offset_commit_request,
                   &request);
}

static int16_t commit(struct consumer *consumer, int16_t version, int32_t partition, int64_t offset)
{
    struct kafka_offset_commit_response response;
    int16_t error = 0;

    do {
        send_commit(consumer, version, partition, offset);
        ck_assert(sim_broker_wait(&sim, &consumer->kafka));
        sim_kafka_answer(&consumer->kafka, kafka_offset_commit_response, &response);
        ck_assert_int_eq(response.topics.count, 1);
        ck_assert_int_eq(response.topics.items[0].partitions.count, 1);
        error = response.topics.items[0].partitions.items[0].error_code;
    } while (is_not_ready(error));
    return error;
}

/* Version 8 and later: several groups; here one. */
static int64_t fetch(struct consumer *consumer, int32_t partition)
{
    struct kafka_offset_fetch_request request;
    struct kafka_offset_fetch_response response;
    struct kafka_offset_fetch_request_group group;
    struct kafka_offset_fetch_request_group_topic topic;

    kafka_offset_fetch_request_group_topic_init_defaults(&topic);
    topic.name = SLICE_LITERAL("orders");
    topic.partition_indexes.items = &partition;
    topic.partition_indexes.count = 1;
    kafka_offset_fetch_request_group_init_defaults(&group);
    group.group_id = consumer->group;
    group.topics.items = &topic;
    group.topics.count = 1;
    kafka_offset_fetch_request_init_defaults(&request);
    request.groups.items = &group;
    request.groups.count = 1;
    request.require_stable = true;
    do {
        sim_broker_call(&sim, &consumer->kafka, KAFKA_API_OFFSET_FETCH, 8,
                        kafka_offset_fetch_request, &request, kafka_offset_fetch_response,
                        &response);
    } while (is_not_ready(response.groups.items[0].error_code));
    ck_assert_int_eq(response.groups.items[0].error_code, KAFKA_NONE);
    return response.groups.items[0].topics.items[0].partitions.items[0].committed_offset;
}

static int16_t leave(struct consumer *consumer, int16_t version)
{
    struct kafka_leave_group_request request;
    struct kafka_leave_group_response response;
    struct kafka_leave_group_request_member member;

    kafka_leave_group_request_init_defaults(&request);
    kafka_leave_group_request_member_init_defaults(&member);
    request.group_id = consumer->group;
    if (version < 3) {
        request.member_id = slice_from_cstring(consumer->member_id);
    } else {
        member.member_id = slice_from_cstring(consumer->member_id);
        request.members.items = &member;
        request.members.count = 1;
    }
    sim_broker_call(&sim, &consumer->kafka, KAFKA_API_LEAVE_GROUP, version,
                    kafka_leave_group_request, &request, kafka_leave_group_response, &response);
    return version < 3 || response.error_code != KAFKA_NONE ? response.error_code
                                                            : response.members.items[0].error_code;
}

static size_t count_groups(struct consumer *consumer, const char *state)
{
    struct kafka_list_groups_request request;
    struct kafka_list_groups_response response;
    struct slice wanted = slice_from_cstring(state);

    kafka_list_groups_request_init_defaults(&request);
    request.states_filter.items = &wanted;
    request.states_filter.count = state == NULL ? 0 : 1;
    do {
        sim_broker_call(&sim, &consumer->kafka, KAFKA_API_LIST_GROUPS, 4, kafka_list_groups_request,
                        &request, kafka_list_groups_response, &response);
    } while (is_not_ready(response.error_code));
    return (size_t)response.groups.count;
}

/* --- traces --- */

START_TEST(a_java_consumer_joins_commits_and_leaves)
{
    struct kafka_join_group_response joined;
    struct consumer consumer;

    start(1, loop_counts[_i]);
    connect(&consumer, 0, "app");
    create_topic(&consumer, "orders");
    ck_assert_int_eq(join(&consumer, 9, &joined), KAFKA_MEMBER_ID_REQUIRED);
    ck_assert_int_eq(join(&consumer, 9, &joined), KAFKA_NONE);
    ck_assert_int_eq(joined.generation_id, 1);
    ck_assert_int_eq(joined.members.count, 1);
    ck_assert(slice_equal_cstring(joined.members.items[0].metadata, "subscription"));
    ck_assert(slice_equal(joined.leader, joined.member_id));
    ck_assert(slice_equal_cstring(joined.protocol_name, "range"));
    ck_assert_int_eq(sync_all_to_self(&consumer, 5, "everything"), KAFKA_NONE);
    ck_assert_int_eq(fetch(&consumer, 0), -1);
    ck_assert_int_eq(heartbeat(&consumer, 4), KAFKA_NONE);
    ck_assert_int_eq(commit(&consumer, 9, 0, 17), KAFKA_NONE);
    ck_assert_int_eq(commit(&consumer, 9, 99, 17), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(fetch(&consumer, 0), 17);
    ck_assert_uint_eq(count_groups(&consumer, "Stable"), 1);
    ck_assert_int_eq(leave(&consumer, 5), KAFKA_NONE);
    ck_assert_uint_eq(count_groups(&consumer, "Empty"), 1);
    disconnect(&consumer);
    stop();
}
END_TEST

START_TEST(a_kafka_go_reader_joins_commits_and_leaves)
{
    struct kafka_join_group_response joined;
    struct consumer consumer;

    start(2, loop_counts[_i]);
    connect(&consumer, 0, "reader");
    create_topic(&consumer, "orders");
    ck_assert_int_eq(join(&consumer, 1, &joined), KAFKA_NONE);
    ck_assert_int_eq(sync_all_to_self(&consumer, 0, "everything"), KAFKA_NONE);
    ck_assert_int_eq(heartbeat(&consumer, 0), KAFKA_NONE);
    ck_assert_int_eq(commit(&consumer, 2, 1, 5), KAFKA_NONE);
    ck_assert_int_eq(fetch(&consumer, 1), 5);
    ck_assert_int_eq(leave(&consumer, 0), KAFKA_NONE);
    ck_assert_int_eq(leave(&consumer, 0), KAFKA_UNKNOWN_MEMBER_ID);
    disconnect(&consumer);
    stop();
}
END_TEST

START_TEST(a_second_consumer_makes_the_first_join_again)
{
    struct kafka_join_group_response joined;
    struct consumer first;
    struct consumer second;

    start(3, loop_counts[_i]);
    connect(&first, 0, "app");
    connect(&second, 0, "app");
    ck_assert_int_eq(join(&first, 3, &joined), KAFKA_NONE);
    ck_assert_int_eq(sync_all_to_self(&first, 3, "everything"), KAFKA_NONE);
    send_join(&second, 3);
    sim_executor_run_for(sim.executor, 100000);
    ck_assert(!sim_kafka_has_answer(&second.kafka));
    ck_assert_int_eq(heartbeat(&first, 3), KAFKA_REBALANCE_IN_PROGRESS);
    ck_assert_int_eq(join(&first, 3, &joined), KAFKA_NONE);
    ck_assert_int_eq(joined.members.count, 2);
    ck_assert_int_eq(take_join(&second, &joined), KAFKA_NONE);
    ck_assert_int_eq(joined.members.count, 0);
    ck_assert_int_eq(first.generation, second.generation);
    disconnect(&first);
    disconnect(&second);
    stop();
}
END_TEST

START_TEST(two_instances_with_the_same_group_never_meet)
{
    struct kafka_join_group_response joined;
    struct consumer ours;
    struct consumer theirs;

    start(4, loop_counts[_i]);
    connect(&ours, 0, "app");
    connect(&theirs, 1, "app");
    create_topic(&ours, "orders");
    create_topic(&theirs, "orders");
    ck_assert_int_eq(join(&ours, 3, &joined), KAFKA_NONE);
    ck_assert_int_eq(sync_all_to_self(&ours, 3, "everything"), KAFKA_NONE);
    ck_assert_int_eq(commit(&ours, 8, 0, 5), KAFKA_NONE);
    ck_assert_uint_eq(count_groups(&theirs, NULL), 0);
    ck_assert_int_eq(fetch(&theirs, 0), -1);
    ck_assert_int_eq(commit(&theirs, 8, 0, 900), KAFKA_NONE);
    ck_assert_int_eq(fetch(&ours, 0), 5);
    ck_assert_int_eq(fetch(&theirs, 0), 900);
    disconnect(&ours);
    disconnect(&theirs);
    stop();
}
END_TEST

START_TEST(a_client_that_goes_while_its_join_waits_holds_up_nothing)
{
    struct kafka_join_group_response joined;
    struct consumer first;
    struct consumer gone;

    start(5, loop_counts[_i]);
    connect(&first, 0, "app");
    connect(&gone, 0, "app");
    ck_assert_int_eq(join(&first, 3, &joined), KAFKA_NONE);
    send_join(&gone, 3);
    sim_executor_run_for(sim.executor, 100000);
    disconnect(&gone);
    sim_executor_run_for(sim.executor, 100000);
    disconnect(&first);
    stop();
}
END_TEST

/* --- power --- */

START_TEST(members_and_offsets_survive_a_power_cut)
{
    struct kafka_join_group_response joined;
    struct consumer consumer;
    struct consumer other;
    int64_t acknowledged = -1;
    int64_t found = 0;

    start((uint64_t)_i + 100, loop_counts[_i % 3]);
    connect(&consumer, 0, "app");
    connect(&other, 0, "another");
    create_topic(&consumer, "orders");
    ck_assert_int_eq(join(&consumer, 9, &joined), KAFKA_MEMBER_ID_REQUIRED);
    ck_assert_int_eq(join(&consumer, 9, &joined), KAFKA_NONE);
    ck_assert_int_eq(sync_all_to_self(&consumer, 5, "everything"), KAFKA_NONE);
    for (int life = 0; life < 3; life++) {
        for (int i = 0; i < 5 + _i % 4; i++) {
            ck_assert_int_eq(commit(&consumer, 8, 0, acknowledged + 1), KAFKA_NONE);
            acknowledged++;
            ck_assert_int_eq(commit(&other, 8, 2, acknowledged), KAFKA_NONE);
        }
        send_commit(&consumer, 8, 0, acknowledged + 1); /* may or may not make it */
        for (int i = 0; i < _i * 3; i++)
            sim_executor_step(sim.executor);
        disconnect(&consumer);
        disconnect(&other);
        sim_broker_crash(&sim);
        sim_broker_start(&sim);
        sim_broker_connect(&sim, 0, &consumer.kafka);
        sim_broker_connect(&sim, 0, &other.kafka);
        found = fetch(&consumer, 0);
        ck_assert_int_ge(found, acknowledged);
        ck_assert_int_le(found, acknowledged + 1);
        ck_assert_int_eq(fetch(&other, 2), acknowledged);
        acknowledged = found;
        /* The member goes on as if nothing had been. */
        ck_assert_int_eq(heartbeat(&consumer, 4), KAFKA_NONE);
        ck_assert_int_eq(sync_all_to_self(&consumer, 5, "everything"), KAFKA_NONE);
    }
    disconnect(&consumer);
    disconnect(&other);
    stop();
}
END_TEST

static bool note_generation(void *context, const char *name, bool is_directory)
{
    log_offset base = 0;
    int32_t generation = 0;

    if (!is_directory && segment_parse_name(name, SEGMENT_SUFFIX, &base, &generation))
        *(bool *)context |= generation > 0;
    return true;
}

static bool is_offsets_log_compacted(void)
{
    bool is_compacted = false;
    char path[128];

    for (int partition = 0; partition < 2; partition++) {
        snprintf(path, sizeof(path), "topics/00000001-1111-4111-8111-00000000000c/%d", partition);
        (void)sim.disk->ops->list(sim.disk, path, note_generation, &is_compacted);
    }
    return is_compacted;
}

static void (*const ends[])(struct sim_broker *sim) = {sim_broker_crash, sim_broker_kill,
                                                       sim_broker_stop};

START_TEST(members_and_offsets_survive_the_compaction_of_their_log)
{
    struct kafka_join_group_response joined;
    struct consumer consumer;

    start((uint64_t)_i + 200, loop_counts[_i / 3]);
    connect(&consumer, 0, "group");
    create_topic(&consumer, "orders");
    ck_assert_int_eq(join(&consumer, 3, &joined), KAFKA_NONE);
    ck_assert_int_eq(sync_all_to_self(&consumer, 5, "everything"), KAFKA_NONE);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 30; i++)
            ck_assert_int_eq(commit(&consumer, 8, i % 3, round * 100 + i), KAFKA_NONE);
        sim_executor_run_for(sim.executor, 12000000);
        ck_assert(is_offsets_log_compacted());
        ck_assert_int_eq(heartbeat(&consumer, 4), KAFKA_NONE);
        disconnect(&consumer);
        ends[_i % 3](&sim);
        sim_broker_start(&sim);
        sim_broker_connect(&sim, 0, &consumer.kafka);
        for (int i = 27; i < 30; i++)
            ck_assert_int_eq(fetch(&consumer, i % 3), round * 100 + i);
        ck_assert_int_eq(heartbeat(&consumer, 4), KAFKA_NONE);
        ck_assert_int_eq(sync_all_to_self(&consumer, 5, "everything"), KAFKA_NONE);
    }
    disconnect(&consumer);
    stop();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("simulation/group_broker");
    TCase *tcase = tcase_create("groups");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_java_consumer_joins_commits_and_leaves, 0, 3);
    tcase_add_loop_test(tcase, a_kafka_go_reader_joins_commits_and_leaves, 0, 3);
    tcase_add_loop_test(tcase, a_second_consumer_makes_the_first_join_again, 0, 3);
    tcase_add_loop_test(tcase, two_instances_with_the_same_group_never_meet, 0, 3);
    tcase_add_loop_test(tcase, a_client_that_goes_while_its_join_waits_holds_up_nothing, 0, 3);
    tcase_add_loop_test(tcase, members_and_offsets_survive_a_power_cut, 0, 30);
    tcase_add_loop_test(tcase, members_and_offsets_survive_the_compaction_of_their_log, 0, 9);
    suite_add_tcase(suite, tcase);
    return suite;
}
