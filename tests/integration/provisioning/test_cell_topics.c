/* SPDX-License-Identifier: Apache-2.0 */
/* The cells contract (migrations/README.md) on a real PostgreSQL: what brokers ask for. */
#include "tests/integration/provisioning/cell_fixture.h"
#include "tests/support/check_main.h"

#include <stdio.h>

START_TEST(topics_are_made_once_and_within_the_limit)
{
    cell_put_tenant(1, "active", 3);
    ck_assert_str_eq(cell_create_topic(1, TOPIC, "orders", "[[0, [0]], [0, [0]]]"), "ok|2|3");
    ck_assert_str_eq(cell_create_topic(1, TOPIC, "other", "[[0, [0]]]"),
                     "ok|2|3"); /* the same request */
    ck_assert_str_eq(cell_create_topic(2, FIRST, "orders", "[[0, [0]]]"), "exists|2|3");
    ck_assert_str_eq(cell_create_topic(3, TOPIC, "other", "[[0, [0]]]"), "conflict|2|3");
    ck_assert_str_eq(cell_create_topic(4, FIRST, "other", "[[0, [0]], [0, [0]]]"), "limit|2|3");
    ck_assert_str_eq(cell_create_topic(5, FIRST, "other", "[[0, [0]]]"), "ok|3|3");
    ck_assert_str_eq(cell_call_on_topic("v1_delete_topics", 6, ""), "ok|1|3");
    ck_assert_str_eq(cell_create_topic(7, TOPIC, "orders", "[[0, [0]]]"),
                     "conflict|1|3"); /* ids do not come back */
    ck_assert_str_eq(cell_create_topic(8, SECOND, "orders", "[[0, [0]]]"), "ok|2|3");
}
END_TEST

START_TEST(names_are_an_instances_own)
{
    cell_put_tenant(1, "active", 3);
    cell_create_topic(1, TOPIC, "orders", "[[0, [0]]]");
    ck_assert_str_eq(sql(broker,
                         "SELECT t ->> 'result' FROM jsonb_array_elements(cell.v1_delete_topics("
                         "'{\"request_id\": \"" FIRST
                         "\", \"instance_no\": 2, \"topics\": [{\"topic_id\": \"" TOPIC
                         "\"}]}') -> 'topics') t"),
                     "denied");
}
END_TEST

START_TEST(a_suspended_instance_may_change_nothing)
{
    cell_put_tenant(1, "active", 3);
    cell_create_topic(1, TOPIC, "orders", "[[0, [0]]]");
    cell_put_tenant(2, "suspended", 3);
    ck_assert_str_eq(cell_create_topic(2, FIRST, "other", "[[0, [0]]]"), "denied|0|-1");
    ck_assert_str_eq(cell_call_on_topic("v1_delete_topics", 3, ""), "denied|0|-1");
    ck_assert_str_eq(cell_call_on_topic("v2_alter_configs", 4, ", \"set\": {\"a\": \"b\"}"),
                     "denied|0|-1");
}
END_TEST

START_TEST(a_placement_outside_of_the_cell_is_refused_whole)
{
    static const char *const wrong[] = {"[[0, [0]], [1, [1]]]", "[[0, [0, 0]]]", "[]", "[[0, []]]",
                                        "[[1, [0]]]"};

    cell_put_tenant(1, "active", 30);
    long before = cell_version();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_str_ne(
            sql_failure(
                broker,
                "SELECT cell.v2_create_topics('{\"request_id\": \"%s\", \"instance_no\": 1, "
                "\"topics\": [{\"topic_id\": \"%s\", \"name\": \"a\", \"partitions\": %s}]}')",
                FIRST, TOPIC, wrong[i]),
            "");
    ck_assert_int_eq(cell_version(), before);
    ck_assert_str_eq(
        sql_failure(broker,
                    "SELECT cell.v2_create_topics('{\"request_id\": \"" FIRST
                    "\", \"instance_no\": 1, \"topics\": [{\"topic_id\": \"" TOPIC
                    "\", \"name\": \"a\", \"internal\": true, \"partitions\": [[0, [0]]]}]}')"),
        "23514");
}
END_TEST

START_TEST(partitions_are_added_to_what_was_expected)
{
    cell_put_tenant(1, "active", 4);
    cell_create_topic(1, TOPIC, "orders", "[[0, [0]], [0, [0]]]");
    ck_assert_str_eq(
        cell_call_on_topic("v2_create_partitions", 2, ", \"expected\": 1, \"add\": [[0, [0]]]"),
        "conflict|2|4");
    ck_assert_str_eq(
        cell_call_on_topic("v2_create_partitions", 3, ", \"expected\": 2, \"add\": [[0, [0]]]"),
        "ok|3|4");
    ck_assert_str_eq(cell_call_on_topic("v2_create_partitions", 4,
                                        ", \"expected\": 3, \"add\": [[0, [0]], [0, [0]]]"),
                     "limit|3|4");
    ck_assert_str_eq(
        sql(broker,
            "SELECT jsonb_array_length(payload::jsonb -> 'partitions') FROM cell.v1_snapshot() "
            "WHERE key = '" TOPIC "'"),
        "3");
}
END_TEST

START_TEST(settings_are_set_and_deleted_and_no_change_makes_no_version)
{
    cell_put_tenant(1, "active", 4);
    cell_create_topic(1, TOPIC, "orders", "[[0, [0]]]");
    long before = cell_version();
    cell_call_on_topic("v2_alter_configs", 2, ", \"set\": {\"retention.ms\": \"5\"}");
    ck_assert_int_eq(cell_version(), before);
    cell_call_on_topic("v2_alter_configs", 3,
                       ", \"set\": {\"a\": \"b\"}, \"delete\": [\"retention.ms\"]");
    ck_assert_int_eq(cell_version(), before + 1);
    ck_assert_str_eq(
        sql(broker,
            "SELECT payload::jsonb -> 'configs' FROM cell.v1_snapshot() WHERE key = '" TOPIC "'"),
        "{\"a\": \"b\"}");
    ck_assert_str_eq(cell_call_on_topic("v1_delete_topics", 4, ""), "ok|0|4");
    ck_assert_str_eq(cell_call_on_topic("v2_alter_configs", 5, ", \"set\": {\"a\": \"c\"}"),
                     "not_found|0|4");
}
END_TEST

START_TEST(internal_topics_are_on_all_brokers_and_belong_to_nobody_else)
{
    cell_make(CELL_B, 3);
    cell_put_tenant(1, "active", 0);
    ck_assert_str_eq(sql(admin, "SELECT count(*) FROM cell_private.topic WHERE is_internal"), "1");
    sql(provision,
        "SELECT cell_admin.v2_put_tenant('" CELL_B
        "', 1, (SELECT jsonb_build_object('instance', '" INSTANCE
        "', 'label', 'x', 'state', 'active', 'internal_partitions', 4, 'internal_visible', true, "
        "'limits', "
        "'{\"partitions\": -1, \"produce_bytes_per_second\": -1, \"consume_bytes_per_second\": -1, "
        "\"connections\": -1, \"groups\": -1, \"max_message_bytes\": 1, "
        "\"retention_bytes_per_partition\": "
        "-1, \"storage_bytes\": -1}'::jsonb)))");
    ck_assert_str_eq(
        sql(admin,
            "SELECT leader, replicas FROM cell_private.partition p JOIN cell_private.cell c USING "
            "(cell_no) WHERE c.cell_id = '" CELL_B "' ORDER BY partition"),
        "0|{0,1,2}\n1|{1,2,0}\n2|{2,0,1}\n0|{0,1,2}");
}
END_TEST

/* 1 673 527 296 bytes a partition with the defaults; 4 GiB of storage take 90 % of it. */
#define FOUR_GIB 4294967296
#define RESERVED_BY_TWO "3347054592"
#define BOUND "3865470561"

START_TEST(topics_reserve_disk_up_to_ninety_percent_of_the_storage)
{
    cell_put_tenant_with_storage(1, "active", 100, FOUR_GIB);
    ck_assert_str_eq(cell_create_topic(1, TOPIC, "a", "[[0, [0]], [0, [0]]]"), "ok|2|100");
    ck_assert_str_eq(cell_create_topic(2, FIRST, "b", "[[0, [0]]]"),
                     "storage|" RESERVED_BY_TWO "|" BOUND);
    ck_assert_str_eq(
        cell_call_on_topic("v2_create_partitions", 3, ", \"expected\": 2, \"add\": [[0, [0]]]"),
        "storage|" RESERVED_BY_TWO "|" BOUND);
    ck_assert_str_eq(
        cell_call_on_topic("v2_alter_configs", 4, ", \"set\": {\"retention.bytes\": \"-1\"}"),
        "storage|" RESERVED_BY_TWO "|" BOUND);
    ck_assert_str_eq(cell_call_on_topic("v2_alter_configs", 5,
                                        ", \"set\": {\"retention.bytes\": \"2147483648\"}"),
                     "storage|" RESERVED_BY_TWO "|" BOUND);
    ck_assert_str_eq(
        cell_call_on_topic("v2_alter_configs", 6, ", \"set\": {\"cleanup.policy\": \"compact\"}"),
        "ok|2|100");
    ck_assert_str_eq(cell_create_topic(7, FIRST, "b", "[[0, [0]]]"), "ok|3|100");
    ck_assert_str_eq(cell_create_topic(8, SECOND, "c", "[[0, [0]]]"), "storage|3821010944|" BOUND);
}
END_TEST

START_TEST(more_storage_or_fewer_topics_make_room)
{
    cell_put_tenant_with_storage(1, "active", 100, FOUR_GIB);
    cell_create_topic(1, TOPIC, "a", "[[0, [0]], [0, [0]]]");
    cell_put_tenant_with_storage(2, "active", 100, 2 * FOUR_GIB);
    ck_assert_str_eq(cell_create_topic(2, FIRST, "b", "[[0, [0]], [0, [0]]]"), "ok|4|100");
    ck_assert_str_eq(cell_create_topic(3, SECOND, "c", "[[0, [0]]]"),
                     "storage|6694109184|7730941131");
    ck_assert_str_eq(cell_call_on_topic("v1_delete_topics", 4, ""), "ok|2|100");
    ck_assert_str_eq(cell_create_topic(5, SECOND, "c", "[[0, [0]]]"), "ok|3|100");
}
END_TEST

/* A control plane and brokers of the release before. */
START_TEST(functions_of_version_one_still_serve)
{
    sql(provision, "SELECT cell_admin.v1_put_tenant('" CELL_A "', 1, '{\"instance\": \"" INSTANCE
                   "\", \"label\": \"k3x\", \"state\": \"active\", \"internal_partitions\": 1, "
                   "\"internal_visible\": false, \"limits\": {\"partitions\": 1, "
                   "\"produce_bytes_per_second\": 1, \"consume_bytes_per_second\": 1, "
                   "\"connections\": 1, \"groups\": 1, \"max_message_bytes\": 1, "
                   "\"retention_bytes_per_partition\": -1, \"storage_bytes\": -1}}')");
    ck_assert_str_eq(sql(admin,
                         "SELECT payload::jsonb -> 'limits' ->> 'clients', payload::jsonb -> "
                         "'limits' ->> 'produce_bytes_per_second_per_partition' FROM "
                         "cell_private.tenant_object"),
                     "-1|-1");
    sql(broker, "SELECT cell.v1_create_topics('{\"request_id\": \"" SECOND
                "\", \"instance_no\": 1, \"topics\": [{\"topic_id\": \"" TOPIC
                "\", \"name\": \"a\", \"partitions\": [[0, [0]]]}]}')");
    ck_assert_str_eq(
        cell_call_on_topic("v1_create_partitions", 2, ", \"expected\": 1, \"add\": [[0, [0]]]"),
        "limit|1|1");
    ck_assert_str_eq(cell_call_on_topic("v1_alter_configs", 3, ", \"set\": {\"a\": \"b\"}"),
                     "ok|1|1");
}
END_TEST

/* Two brokers' requests at once: the second waits for the first and sees what it did. */
START_TEST(concurrent_requests_cannot_pass_the_limit_together)
{
    PGconn *other = cell_login(CELL_A);

    cell_put_tenant(1, "active", 1);
    sql(broker, "BEGIN");
    ck_assert_str_eq(cell_create_topic(1, TOPIC, "a", "[[0, [0]]]"), "ok|1|1");
    ck_assert_int_eq(
        PQsendQuery(other,
                    "SELECT cell.v2_create_topics('{\"request_id\": \"" SECOND
                    "\", \"instance_no\": 1, \"topics\": [{\"topic_id\": \"" FIRST
                    "\", \"name\": \"b\", \"partitions\": [[0, [0]]]}]}') -> 'topics' -> 0 ->> "
                    "'result'"),
        1);
    sql(broker, "COMMIT");
    PGresult *result = PQgetResult(other);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), "limit");
    PQclear(result);
    PQfinish(other);
}
END_TEST

Suite *test_suite(void)
{
    const TTest *const tests[] = {
        topics_are_made_once_and_within_the_limit,
        names_are_an_instances_own,
        a_suspended_instance_may_change_nothing,
        a_placement_outside_of_the_cell_is_refused_whole,
        partitions_are_added_to_what_was_expected,
        settings_are_set_and_deleted_and_no_change_makes_no_version,
        internal_topics_are_on_all_brokers_and_belong_to_nobody_else,
        topics_reserve_disk_up_to_ninety_percent_of_the_storage,
        more_storage_or_fewer_topics_make_room,
        functions_of_version_one_still_serve,
        concurrent_requests_cannot_pass_the_limit_together,
    };
    Suite *suite = suite_create("cell topics");
    TCase *tcase = tcase_create("cell topics");

    tcase_add_unchecked_fixture(tcase, cell_start_server, cell_stop_server);
    tcase_add_checked_fixture(tcase, cell_set_up, cell_tear_down);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite;
}
