/* SPDX-License-Identifier: Apache-2.0 */
/* What Readers, Writers and Managers may do, and what the others are told. service.md 3.2. */
#include "dataplane/auth/authorizer.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

static struct sim_kafka reader, writer, manager;

static void setup(void)
{
    rig_setup();
    ck_assert(rig_login("Reader", &reader));
    ck_assert(rig_login("Writer", &writer));
    ck_assert(rig_login("Manager", &manager));
    ck_assert_int_eq(rig_create_topic(&manager, "orders", 1), KAFKA_NONE);
}

static void teardown(void)
{
    sim_kafka_done(&reader);
    sim_kafka_done(&writer);
    sim_kafka_done(&manager);
    rig_teardown();
}

START_TEST(a_reader_fetches_and_commits_and_a_writer_produces)
{
    struct kafka_offset_commit_request commit;
    struct kafka_offset_commit_request_topic topic;
    struct kafka_offset_commit_request_partition partition;
    struct kafka_offset_commit_response committed;

    ck_assert_int_eq(rig_produce(&writer, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(rig_produce(&manager, "orders", 1), KAFKA_NONE);
    kafka_offset_commit_request_init_defaults(&commit);
    kafka_offset_commit_request_topic_init_defaults(&topic);
    kafka_offset_commit_request_partition_init_defaults(&partition);
    commit.group_id = text("g");
    commit.member_id = text("");
    partition.committed_offset = 1;
    partition.committed_metadata = text("");
    topic.name = text("orders");
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    commit.topics.items = &topic;
    commit.topics.count = 1;
    rig_call(&reader, OFFSET_COMMIT, offset_commit, 8, &commit, &committed);
    ck_assert_int_eq(committed.topics.items[0].partitions.items[0].error_code, KAFKA_NONE);
    ck_assert_int_eq(rig_partition_count(&reader, "orders"), 1);
}
END_TEST

START_TEST(a_reader_may_not_produce_and_learns_nothing_of_names)
{
    ck_assert_int_eq(rig_produce(&reader, "orders", 1), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(rig_produce(&reader, "nowhere", 1), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(rig_produce(&writer, "nowhere", 1), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(only_a_manager_creates_topics)
{
    ck_assert_int_eq(rig_create_topic(&reader, "new", 1), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(rig_create_topic(&writer, "new", 1), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(rig_create_topic(&writer, "orders", 1), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(rig_partition_count(&manager, "new"), -1);
    ck_assert_int_eq(rig_create_topic(&manager, "new", 1), KAFKA_NONE);
}
END_TEST

static int grow(struct sim_kafka *kafka, const char *name)
{
    struct kafka_create_partitions_request request;
    struct kafka_create_partitions_request_topic topic;
    struct kafka_create_partitions_response response;

    kafka_create_partitions_request_init_defaults(&request);
    kafka_create_partitions_request_topic_init_defaults(&topic);
    topic.name = text(name);
    topic.count = 2;
    topic.assignments.count = -1; /* null: the broker places them */
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(kafka, CREATE_PARTITIONS, create_partitions, 3, &request, &response);
    return response.results.items[0].error_code;
}

START_TEST(only_a_manager_adds_partitions)
{
    ck_assert_int_eq(grow(&writer, "orders"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(grow(&writer, "nowhere"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(grow(&manager, "orders"), KAFKA_NONE);
}
END_TEST

static int delete_topic(struct sim_kafka *kafka, const char *name, struct uuid topic_id)
{
    struct kafka_delete_topics_request request;
    struct kafka_delete_topics_request_topic topic;
    struct kafka_delete_topics_response response;

    kafka_delete_topics_request_init_defaults(&request);
    kafka_delete_topics_request_topic_init_defaults(&topic);
    topic.name = name != NULL ? text(name) : SLICE_NULL;
    topic.topic_id = topic_id;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(kafka, DELETE_TOPICS, delete_topics, 6, &request, &response);
    return response.responses.items[0].error_code;
}

START_TEST(only_a_manager_deletes_topics)
{
    struct uuid none = {{0}}, unknown = {{1}}, id = rig_topic_id(&manager, "orders");

    ck_assert_int_eq(delete_topic(&writer, "orders", none), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(delete_topic(&writer, "nowhere", none), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(delete_topic(&writer, NULL, id), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(delete_topic(&writer, NULL, unknown), KAFKA_UNKNOWN_TOPIC_ID);
    ck_assert_int_eq(delete_topic(&manager, "orders", none), KAFKA_NONE);
}
END_TEST

static int alter(struct sim_kafka *kafka, const char *name)
{
    return rig_alter(kafka, name, "retention.ms", "3600000").error_code;
}

START_TEST(only_a_manager_alters_topics)
{
    ck_assert_int_eq(alter(&writer, "orders"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(alter(&writer, "nowhere"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(alter(&manager, "orders"), KAFKA_NONE);
}
END_TEST

static int delete_records(struct sim_kafka *kafka, const char *name)
{
    struct kafka_delete_records_request request;
    struct kafka_delete_records_request_topic topic;
    struct kafka_delete_records_request_partition partition;
    struct kafka_delete_records_response response;

    kafka_delete_records_request_init_defaults(&request);
    kafka_delete_records_request_topic_init_defaults(&topic);
    kafka_delete_records_request_partition_init_defaults(&partition);
    partition.offset = -1;
    topic.name = text(name);
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(kafka, DELETE_RECORDS, delete_records, 2, &request, &response);
    return response.topics.items[0].partitions.items[0].error_code;
}

START_TEST(only_a_manager_deletes_records)
{
    ck_assert_int_eq(delete_records(&writer, "orders"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(delete_records(&writer, "nowhere"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    ck_assert_int_eq(delete_records(&manager, "orders"), KAFKA_NONE);
}
END_TEST

static int delete_group(struct sim_kafka *kafka)
{
    struct slice name = text("g");
    struct kafka_delete_groups_request request;
    struct kafka_delete_groups_response response;

    kafka_delete_groups_request_init_defaults(&request);
    request.groups_names = (struct kafka_string_array){&name, 1};
    rig_call(kafka, DELETE_GROUPS, delete_groups, 2, &request, &response);
    return response.results.items[0].error_code;
}

START_TEST(only_a_manager_deletes_groups_and_their_offsets)
{
    struct kafka_offset_delete_request request;
    struct kafka_offset_delete_response response;

    ck_assert_int_eq(delete_group(&writer), KAFKA_GROUP_AUTHORIZATION_FAILED);
    ck_assert_int_eq(delete_group(&manager), KAFKA_GROUP_ID_NOT_FOUND);
    kafka_offset_delete_request_init_defaults(&request);
    request.group_id = text("g");
    rig_call(&writer, OFFSET_DELETE, offset_delete, 0, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_GROUP_AUTHORIZATION_FAILED);
    rig_call(&manager, OFFSET_DELETE, offset_delete, 0, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_GROUP_ID_NOT_FOUND);
}
END_TEST

START_TEST(a_key_without_a_role_may_not_log_in)
{
    struct sim_kafka none;

    ck_assert(!rig_login("NONE", &none));
    sim_kafka_done(&none);
}
END_TEST

/* Bits as Kafka numbers them: READ 3, WRITE 4, CREATE 5, DELETE 6, ALTER 7, DESCRIBE 8, CLUSTER_ACTION 9,
 * DESCRIBE_CONFIGS 10, ALTER_CONFIGS 11, IDEMPOTENT_WRITE 12. */
START_TEST(allowed_operations_grow_with_the_role)
{
    ck_assert_int_eq(authorizer_operations(ROLE_NONE, AUTHORIZED_TOPIC), 0);
    ck_assert_int_eq(authorizer_operations(ROLE_READER, AUTHORIZED_TOPIC),
                     1 << 3 | 1 << 8 | 1 << 10);
    ck_assert_int_eq(authorizer_operations(ROLE_WRITER, AUTHORIZED_TOPIC),
                     1 << 3 | 1 << 4 | 1 << 8 | 1 << 10);
    ck_assert_int_eq(authorizer_operations(ROLE_MANAGER, AUTHORIZED_TOPIC), 3576);
    ck_assert_int_eq(authorizer_operations(ROLE_WRITER, AUTHORIZED_GROUP),
                     1 << 3 | 1 << 8 | 1 << 10);
    ck_assert_int_eq(authorizer_operations(ROLE_MANAGER, AUTHORIZED_GROUP),
                     1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11);
    ck_assert_int_eq(authorizer_operations(ROLE_WRITER, AUTHORIZED_CLUSTER),
                     1 << 8 | 1 << 10 | 1 << 12);
    ck_assert_int_eq(authorizer_operations(ROLE_MANAGER, AUTHORIZED_CLUSTER), 8096);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/handlers/roles");
    TCase *roles = tcase_create("roles");
    TCase *operations = tcase_create("operations");

    tcase_add_checked_fixture(roles, setup, teardown);
    tcase_add_test(roles, a_reader_fetches_and_commits_and_a_writer_produces);
    tcase_add_test(roles, a_reader_may_not_produce_and_learns_nothing_of_names);
    tcase_add_test(roles, only_a_manager_creates_topics);
    tcase_add_test(roles, only_a_manager_adds_partitions);
    tcase_add_test(roles, only_a_manager_deletes_topics);
    tcase_add_test(roles, only_a_manager_alters_topics);
    tcase_add_test(roles, only_a_manager_deletes_records);
    tcase_add_test(roles, only_a_manager_deletes_groups_and_their_offsets);
    tcase_add_test(roles, a_key_without_a_role_may_not_log_in);
    suite_add_tcase(suite, roles);
    tcase_add_test(operations, allowed_operations_grow_with_the_role);
    suite_add_tcase(suite, operations);
    return suite;
}
