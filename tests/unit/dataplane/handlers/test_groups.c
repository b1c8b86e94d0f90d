/* SPDX-License-Identifier: Apache-2.0 */
/* The group APIs as clients see them, in every version. The rules of groups have tests of their own; here
 * it is what becomes of them on the wire, and that instances do not see each other. */
#include "common/kafka/kafka_messages.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <limits.h>

enum { SESSION_MS = 30000 };

static char member_id[256];

static const char *keep(struct slice value, char *room, size_t size)
{
    snprintf(room, size, "%.*s", (int)value.len, value.data ? (const char *)value.data : "");
    return room;
}

/* --- joining --- */

static struct kafka_join_group_response joined;

static void join(struct sim_kafka *kafka, int16_t version, const char *group, const char *member)
{
    struct kafka_join_group_request request;
    struct kafka_join_group_request_protocol protocol;

    kafka_join_group_request_init_defaults(&request);
    kafka_join_group_request_protocol_init_defaults(&protocol);
    request.group_id = text(group);
    request.session_timeout_ms = SESSION_MS;
    request.rebalance_timeout_ms = SESSION_MS;
    request.member_id = text(member);
    request.protocol_type = text("consumer");
    protocol.name = text("range");
    protocol.metadata = text("subscription");
    request.protocols.items = &protocol;
    request.protocols.count = 1;
    rig_call(kafka, JOIN_GROUP, join_group, version, &request, &joined);
    if (joined.member_id.len > 0)
        keep(joined.member_id, member_id, sizeof(member_id));
}

/* Joins for good; from version 4 on that takes two requests. Returns the generation. */
static int32_t join_whole(struct sim_kafka *kafka, int16_t version, const char *group)
{
    join(kafka, version, group, "");
    if (joined.error_code == KAFKA_MEMBER_ID_REQUIRED)
        join(kafka, version, group, member_id);
    ck_assert_int_eq(joined.error_code, KAFKA_NONE);
    return joined.generation_id;
}

static struct kafka_sync_group_response synced;

static void sync_group(struct sim_kafka *kafka, int16_t version, const char *group,
                       int32_t generation)
{
    struct kafka_sync_group_request request;
    struct kafka_sync_group_request_assignment assignment;

    kafka_sync_group_request_init_defaults(&request);
    kafka_sync_group_request_assignment_init_defaults(&assignment);
    request.group_id = text(group);
    request.generation_id = generation;
    request.member_id = text(member_id);
    request.protocol_type = text("consumer");
    request.protocol_name = text("range");
    assignment.member_id = text(member_id);
    assignment.assignment = text("partitions");
    request.assignments.items = &assignment;
    request.assignments.count = 1;
    rig_call(kafka, SYNC_GROUP, sync_group, version, &request, &synced);
}

static int heartbeat(struct sim_kafka *kafka, int16_t version, const char *group,
                     int32_t generation)
{
    struct kafka_heartbeat_request request;
    struct kafka_heartbeat_response response;

    kafka_heartbeat_request_init_defaults(&request);
    request.group_id = text(group);
    request.generation_id = generation;
    request.member_id = text(member_id);
    rig_call(kafka, HEARTBEAT, heartbeat, version, &request, &response);
    return response.error_code;
}

/* A stable group of one member. Returns the generation. */
static int32_t make_group(struct sim_kafka *kafka, const char *group)
{
    int32_t generation = join_whole(kafka, 9, group);

    sync_group(kafka, 5, group, generation);
    ck_assert_int_eq(synced.error_code, KAFKA_NONE);
    return generation;
}

START_TEST(a_member_joins_in_every_version)
{
    for (int16_t version = 0; version <= KAFKA_JOIN_GROUP_REQUEST_HIGHEST_VERSION; version++) {
        char group[16];

        snprintf(group, sizeof(group), "group%d", version);
        join(&rig_client, version, group, "");
        if (version >= 4) {
            ck_assert_int_eq(joined.error_code, KAFKA_MEMBER_ID_REQUIRED);
            ck_assert_int_eq(joined.generation_id, -1);
            ck_assert_uint_gt(joined.member_id.len, 0);
            ck_assert(slice_is_null(joined.protocol_name) == (version >= 7));
            join(&rig_client, version, group, member_id);
        }
        ck_assert_int_eq(joined.error_code, KAFKA_NONE);
        ck_assert_int_eq(joined.generation_id, 1);
        assert_text(joined.protocol_name, "range");
        ck_assert(slice_equal(joined.leader, joined.member_id));
        ck_assert_int_eq(joined.members.count, 1);
        assert_text(joined.members.items[0].metadata, "subscription");
        if (version >= 7)
            assert_text(joined.protocol_type, "consumer");
        ck_assert_int_eq(strncmp(member_id, "sim-", 4), 0);
    }
}
END_TEST

START_TEST(sync_heartbeat_and_leave_go_in_every_version)
{
    int32_t generation = join_whole(&rig_client, 9, "g");

    for (int16_t version = 0; version <= KAFKA_SYNC_GROUP_REQUEST_HIGHEST_VERSION; version++) {
        sync_group(&rig_client, version, "g", generation);
        ck_assert_int_eq(synced.error_code, KAFKA_NONE);
        assert_text(synced.assignment, "partitions");
        if (version >= 5)
            assert_text(synced.protocol_name, "range");
    }
    for (int16_t version = 0; version <= KAFKA_HEARTBEAT_REQUEST_HIGHEST_VERSION; version++) {
        ck_assert_int_eq(heartbeat(&rig_client, version, "g", generation), KAFKA_NONE);
        ck_assert_int_eq(heartbeat(&rig_client, version, "g", generation + 1),
                         KAFKA_ILLEGAL_GENERATION);
    }
}
END_TEST

START_TEST(a_member_leaves_in_every_version)
{
    for (int16_t version = 0; version <= KAFKA_LEAVE_GROUP_REQUEST_HIGHEST_VERSION; version++) {
        struct kafka_leave_group_request request;
        struct kafka_leave_group_request_member member;
        struct kafka_leave_group_response response;

        make_group(&rig_client, "g");
        for (int again = 0; again < 2; again++) {
            int16_t expected = (int16_t)(again ? KAFKA_UNKNOWN_MEMBER_ID : KAFKA_NONE);

            kafka_leave_group_request_init_defaults(&request);
            kafka_leave_group_request_member_init_defaults(&member);
            request.group_id = text("g");
            request.member_id = member.member_id = text(member_id);
            request.members.items = &member;
            request.members.count = 1;
            rig_call(&rig_client, LEAVE_GROUP, leave_group, version, &request, &response);
            if (version < 3) {
                ck_assert_int_eq(response.error_code, expected);
                continue;
            }
            ck_assert_int_eq(response.error_code, KAFKA_NONE);
            ck_assert_int_eq(response.members.count, 1);
            ck_assert_int_eq(response.members.items[0].error_code, expected);
            assert_text(response.members.items[0].member_id, member_id);
        }
    }
}
END_TEST

START_TEST(errors_of_the_group_come_through)
{
    join(&rig_client, 5, "", "");
    ck_assert_int_eq(joined.error_code, KAFKA_INVALID_GROUP_ID);
    join(&rig_client, 5, "g", "nobody");
    ck_assert_int_eq(joined.error_code, KAFKA_UNKNOWN_MEMBER_ID);
    snprintf(member_id, sizeof(member_id), "nobody");
    sync_group(&rig_client, 5, "g", 1);
    ck_assert_int_eq(synced.error_code, KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_uint_eq(synced.assignment.len, 0);
    ck_assert_int_eq(heartbeat(&rig_client, 4, "g", 1), KAFKA_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(a_member_of_one_instance_is_nobody_in_another)
{
    int32_t generation = make_group(&rig_client, "g");

    ck_assert_int_eq(heartbeat(&rig_other, 4, "g", generation), KAFKA_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(heartbeat(&rig_client, 4, "g", generation), KAFKA_NONE);
}
END_TEST

START_TEST(a_client_that_goes_while_it_joins_leaves_nothing_hanging)
{
    struct kafka_join_group_request request;
    struct kafka_join_group_request_protocol protocol;
    struct sim_kafka leaving;

    /* A second member makes the first one's group rebalance, and waits for it. */
    make_group(&rig_client, "g");
    sim_broker_connect(&rig, 0, &leaving);
    kafka_join_group_request_init_defaults(&request);
    kafka_join_group_request_protocol_init_defaults(&protocol);
    request.group_id = text("g");
    request.session_timeout_ms = SESSION_MS;
    request.rebalance_timeout_ms = SESSION_MS;
    request.member_id = text("");
    request.protocol_type = text("consumer");
    protocol.name = text("range");
    protocol.metadata = text("subscription");
    request.protocols.items = &protocol;
    request.protocols.count = 1;
    sim_kafka_send(&leaving, KAFKA_API_JOIN_GROUP, 3, kafka_join_group_request, &request);
    rig_run_ms(100);
    ck_assert(!sim_kafka_has_answer(&leaving));
    sim_client_close(leaving.client);
    rig_run_ms(100);
    sim_kafka_done(&leaving);
    ck_assert_int_eq(heartbeat(&rig_client, 4, "g", 1), KAFKA_REBALANCE_IN_PROGRESS);
}
END_TEST

/* --- describing, listing, deleting --- */

static struct kafka_describe_groups_response described;

static void describe(struct sim_kafka *kafka, int16_t version, struct slice *names, int32_t count,
                     bool include_operations)
{
    struct kafka_describe_groups_request request;

    kafka_describe_groups_request_init_defaults(&request);
    request.groups.items = names;
    request.groups.count = count;
    request.include_authorized_operations = include_operations;
    rig_call(kafka, DESCRIBE_GROUPS, describe_groups, version, &request, &described);
}

START_TEST(groups_are_described_in_every_version)
{
    make_group(&rig_client, "g");
    for (int16_t version = 0; version <= KAFKA_DESCRIBE_GROUPS_REQUEST_HIGHEST_VERSION; version++) {
        struct slice names[] = {text("g"), text("nothing"), text("g")};

        describe(&rig_client, version, names, 3, true);
        ck_assert_int_eq(described.groups.count, 2);
        ck_assert_int_eq(described.groups.items[0].error_code, KAFKA_NONE);
        assert_text(described.groups.items[0].group_state, "Stable");
        assert_text(described.groups.items[0].protocol_type, "consumer");
        assert_text(described.groups.items[0].protocol_data, "range");
        ck_assert_int_eq(described.groups.items[0].members.count, 1);
        assert_text(described.groups.items[0].members.items[0].client_id, "sim");
        assert_text(described.groups.items[0].members.items[0].member_assignment, "partitions");
        ck_assert_int_eq(described.groups.items[0].members.items[0].client_host.data[0], '/');
        ck_assert_int_eq(described.groups.items[0].authorized_operations,
                         version >= 3 ? 3400 : INT_MIN);
        assert_text(described.groups.items[1].group_state, "Dead");
        ck_assert_int_eq(described.groups.items[1].error_code,
                         version >= 6 ? KAFKA_GROUP_ID_NOT_FOUND : KAFKA_NONE);
        if (version >= 6)
            assert_text(described.groups.items[1].error_message, "Group nothing not found.");
    }
}
END_TEST

START_TEST(many_groups_are_described_in_one_request)
{
    static struct slice names[100];
    static char texts[100][16];

    make_group(&rig_client, "group77");
    for (int i = 0; i < 100; i++) {
        snprintf(texts[i], sizeof(texts[i]), "group%d", i);
        names[i] = text(texts[i]);
    }
    describe(&rig_client, 5, names, 100, false);
    ck_assert_int_eq(described.groups.count, 100);
    for (int i = 0; i < 100; i++) {
        assert_text(described.groups.items[i].group_id, texts[i]);
        assert_text(described.groups.items[i].group_state, i == 77 ? "Stable" : "Dead");
    }
    describe(&rig_client, 5, names, 0, false);
    ck_assert_int_eq(described.groups.count, 0);
}
END_TEST

static struct kafka_list_groups_response listed;

static void list(struct sim_kafka *kafka, int16_t version, const char *state)
{
    struct kafka_list_groups_request request;
    struct slice filter = text(state);

    kafka_list_groups_request_init_defaults(&request);
    request.states_filter.items = &filter;
    request.states_filter.count = state != NULL;
    rig_call(kafka, LIST_GROUPS, list_groups, version, &request, &listed);
    ck_assert_int_eq(listed.error_code, KAFKA_NONE);
}

START_TEST(only_ones_own_groups_are_listed)
{
    make_group(&rig_client, "a");
    make_group(&rig_client, "b");
    make_group(&rig_other, "a");
    for (int16_t version = 0; version <= KAFKA_LIST_GROUPS_REQUEST_HIGHEST_VERSION; version++) {
        list(&rig_client, version, NULL);
        ck_assert_int_eq(listed.groups.count, 2);
        assert_text(listed.groups.items[0].protocol_type, "consumer");
        list(&rig_other, version, NULL);
        ck_assert_int_eq(listed.groups.count, 1);
        assert_text(listed.groups.items[0].group_id, "a");
    }
    assert_text(listed.groups.items[0].group_state, "Stable");
    assert_text(listed.groups.items[0].group_type, "classic");
    list(&rig_client, 5, "empty");
    ck_assert_int_eq(listed.groups.count, 0);
    list(&rig_client, 5, "STABLE");
    ck_assert_int_eq(listed.groups.count, 2);
}
END_TEST

START_TEST(only_groups_without_members_are_deleted)
{
    struct slice names[] = {text("full"), text("nothing"), text("full")};
    struct kafka_delete_groups_request request;
    struct kafka_delete_groups_response response;

    make_group(&rig_client, "full");
    for (int16_t version = 0; version <= KAFKA_DELETE_GROUPS_REQUEST_HIGHEST_VERSION; version++) {
        struct slice again[] = {names[0], names[1], names[2]};

        kafka_delete_groups_request_init_defaults(&request);
        request.groups_names.items = again;
        request.groups_names.count = 3;
        rig_call(&rig_client, DELETE_GROUPS, delete_groups, version, &request, &response);
        ck_assert_int_eq(response.results.count, 2);
        ck_assert_int_eq(response.results.items[0].error_code, KAFKA_NON_EMPTY_GROUP);
        ck_assert_int_eq(response.results.items[1].error_code, KAFKA_GROUP_ID_NOT_FOUND);
    }
}
END_TEST

/* --- FindCoordinator --- */

static struct kafka_find_coordinator_response found;

static void find(int16_t version, int8_t type, struct slice *keys, int32_t count)
{
    struct kafka_find_coordinator_request request;

    kafka_find_coordinator_request_init_defaults(&request);
    request.key_type = type;
    request.key = keys[0];
    request.coordinator_keys.items = keys;
    request.coordinator_keys.count = count;
    rig_call(&rig_client, FIND_COORDINATOR, find_coordinator, version, &request, &found);
}

START_TEST(the_coordinator_is_found_in_every_version)
{
    struct slice keys[] = {text("g"), text(""), text("g")};

    for (int16_t version = 0; version <= KAFKA_FIND_COORDINATOR_REQUEST_HIGHEST_VERSION;
         version++) {
        find(version, 0, keys, 3);
        if (version < 4) {
            ck_assert_int_eq(found.error_code, KAFKA_NONE);
            ck_assert_int_eq(found.node_id, 0);
            assert_text(found.host, "localhost");
            ck_assert_int_eq(found.port, SIM_PORT);
            continue;
        }
        ck_assert_int_eq(found.coordinators.count, 2);
        assert_text(found.coordinators.items[0].key, "g");
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(found.coordinators.items[i].error_code, KAFKA_NONE);
            ck_assert_int_eq(found.coordinators.items[i].port, SIM_PORT);
        }
    }
}
END_TEST

START_TEST(coordinators_of_transactions_and_shares_are_refused_for_good)
{
    struct slice keys[] = {text("t")};
    struct slice empty[] = {text("")};

    find(2, 1, keys, 1);
    ck_assert_int_eq(found.error_code, KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    ck_assert_int_eq(found.node_id, -1);
    ck_assert_uint_eq(found.host.len, 0);
    ck_assert_int_eq(found.port, -1);
    find(4, 1, keys, 1);
    ck_assert_int_eq(found.coordinators.items[0].error_code,
                     KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    find(4, 1, empty, 1);
    ck_assert_int_eq(found.coordinators.items[0].error_code, KAFKA_INVALID_REQUEST);
    find(6, 2, keys, 1);
    ck_assert_int_eq(found.coordinators.items[0].error_code, KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(groups_work_where_internal_topics_are_hidden)
{
    struct slice keys[] = {text("g")};

    rig_hide_internal_topics(0);
    find(3, 0, keys, 1);
    ck_assert_int_eq(found.error_code, KAFKA_NONE);
    make_group(&rig_client, "g");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("groups");
    TCase *members = tcase_create("members");
    TCase *groups = tcase_create("groups");

    tcase_add_checked_fixture(members, rig_setup, rig_teardown);
    tcase_add_test(members, a_member_joins_in_every_version);
    tcase_add_test(members, sync_heartbeat_and_leave_go_in_every_version);
    tcase_add_test(members, a_member_leaves_in_every_version);
    tcase_add_test(members, errors_of_the_group_come_through);
    tcase_add_test(members, a_member_of_one_instance_is_nobody_in_another);
    tcase_add_test(members, a_client_that_goes_while_it_joins_leaves_nothing_hanging);
    suite_add_tcase(suite, members);
    tcase_add_checked_fixture(groups, rig_setup, rig_teardown);
    tcase_add_test(groups, groups_are_described_in_every_version);
    tcase_add_test(groups, many_groups_are_described_in_one_request);
    tcase_add_test(groups, only_ones_own_groups_are_listed);
    tcase_add_test(groups, only_groups_without_members_are_deleted);
    tcase_add_test(groups, the_coordinator_is_found_in_every_version);
    tcase_add_test(groups, coordinators_of_transactions_and_shares_are_refused_for_good);
    tcase_add_test(groups, groups_work_where_internal_topics_are_hidden);
    suite_add_tcase(suite, groups);
    return suite;
}
