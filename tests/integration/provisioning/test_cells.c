/* SPDX-License-Identifier: Apache-2.0 */
/* The cells contract (migrations/README.md) on a real PostgreSQL: who may do what, registration, changes, publishing. */
#include "tests/integration/provisioning/cell_fixture.h"
#include "tests/support/check_main.h"

#include <stdio.h>

START_TEST(making_a_cell_again_gives_the_same_answer)
{
    char first[256];

    snprintf(first, sizeof(first), "%s",
             sql(provision, "SELECT * FROM cell_admin.v1_create_cell('" CELL_A
                            "', 'shared', 1, '0123456789abcdef')"));
    ck_assert_str_eq(sql(provision, "SELECT * FROM cell_admin.v1_create_cell('" CELL_A
                                    "', 'shared', 1, 'fedcba9876543210')"),
                     first);
    ck_assert_str_eq(sql_failure(provision, "SELECT * FROM cell_admin.v1_create_cell('" CELL_A
                                            "', 'dedicated', 1, '0123456789abcdef')"),
                     "22023");
}
END_TEST

START_TEST(a_broker_may_call_its_functions_and_nothing_else)
{
    ck_assert_str_eq(sql_failure(broker, "SELECT * FROM cell_private.cell"), "42501");
    ck_assert_str_eq(sql_failure(broker, "SELECT cell_admin.v1_notify('" CELL_A "')"), "42501");
    ck_assert_str_eq(sql_failure(broker, "SELECT cell_roles.remove('" CELL_A "')"), "42501");
    ck_assert_str_eq(sql_failure(broker, "CREATE TABLE public.x (i int)"), "42501");
    ck_assert_str_eq(sql_failure(broker, "CREATE TEMP TABLE x (i int)"), "42501");
    ck_assert_str_eq(sql_failure(broker, "SELECT cell_private.session_cell_no()"), "42501");
    ck_assert_str_eq(sql_failure(provision, "SELECT cell_roles.remove('" CELL_A "')"), "42501");
    ck_assert_str_eq(sql_failure(provision, "SELECT * FROM cell_private.credential"), "42501");
    ck_assert_str_eq(sql_failure(provision, "CREATE ROLE x"), "42501");
}
END_TEST

START_TEST(no_function_is_anybodys)
{
    ck_assert_str_eq(
        sql(admin, "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                   "p.pronamespace "
                   "WHERE n.nspname LIKE 'cell%%' AND (p.proacl IS NULL OR EXISTS (SELECT FROM "
                   "aclexplode(p.proacl) a WHERE a.grantee = 0))"),
        "");
    ck_assert_str_eq(
        sql(admin,
            "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = "
            "p.pronamespace "
            "WHERE n.nspname IN ('cell', 'cell_admin', 'cell_roles') AND (NOT p.prosecdef OR "
            "NOT coalesce(p.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp'])"),
        "");
}
END_TEST

/* Even somebody who got hold of the owner's rights in a broker's session sees one cell. */
START_TEST(row_level_security_stands_behind_the_functions)
{
    char role[64];

    cell_make(CELL_B, 3);
    snprintf(role, sizeof(role), "%s", PQuser(broker));
    sql(admin, "GRANT millrace_cells_owner TO %s", role);
    sql(broker, "SET ROLE millrace_cells_owner");
    ck_assert_str_eq(sql(broker, "SELECT cell_id FROM cell_private.cell"), CELL_A);
    sql(provision, "SELECT cell_admin.v1_put_listener('" CELL_B
                   "', '{\"broker\": 2, \"name\": \"sasl_ssl\", \"host\": "
                   "\"h\", \"port\": 9, \"security\": \"SASL_SSL\"}')");
    ck_assert_str_eq(sql(broker, "SELECT count(*) FROM cell_private.listener"), "0");
    ck_assert_str_eq(sql(broker, "UPDATE cell_private.listener SET port = 1"), "");
    ck_assert_str_eq(sql(admin, "SELECT port FROM cell_private.listener"), "9");
    sql(broker, "RESET ROLE");
    sql(admin, "REVOKE millrace_cells_owner FROM %s", role);
}
END_TEST

START_TEST(a_role_that_is_no_cells_is_told_so)
{
    sql(admin, "CREATE ROLE stranger LOGIN PASSWORD 'x' IN ROLE millrace_broker");
    PGconn *stranger = sql_open(postgres.admin, "cells", "stranger password=x");
    ck_assert_str_eq(sql_failure(stranger, "SELECT * FROM cell.v1_snapshot()"), "MR003");
    ck_assert_str_eq(sql_failure(stranger, "SELECT * FROM cell.v1_register(0, '" FIRST
                                           "', '" DIRECTORY "', true, 'x')"),
                     "MR003");
    PQfinish(stranger);
    sql(admin, "DROP ROLE stranger");
}
END_TEST

START_TEST(roles_have_timeouts_and_a_limit_of_connections)
{
    ck_assert_str_eq(
        sql(admin,
            "SELECT rolconnlimit, rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE "
            "rolname = '%s'",
            PQuser(broker)),
        "8|f");
    ck_assert_str_eq(sql(broker, "SHOW statement_timeout"), "15s");
    ck_assert_str_eq(sql(broker, "SHOW lock_timeout"), "5s");
    ck_assert_str_eq(sql(broker, "SHOW idle_in_transaction_session_timeout"), "10s");
}
END_TEST

START_TEST(registering_again_changes_nothing_and_another_incarnation_fences)
{
    char first[256];

    snprintf(first, sizeof(first), "%s", sql(broker, REGISTER, FIRST));
    ck_assert_str_eq(sql(broker, REGISTER, FIRST), first);
    long before = cell_version();
    sql(broker, REGISTER, SECOND);
    ck_assert_int_eq(cell_version(), before + 1);
    ck_assert_str_eq(sql_failure(broker, "SELECT * FROM cell.v1_renew_lease(0, '" FIRST "')"),
                     "MR002");
    ck_assert_str_eq(sql_failure(broker, "SELECT cell.v1_acknowledge(0, '" FIRST "', 1)"), "MR002");
    ck_assert_str_eq(sql_failure(broker, REGISTER, FIRST), "MR002");
    ck_assert_str_eq(sql(broker, "SELECT lease_ms FROM cell.v1_renew_lease(0, '" SECOND "')"), "0");
    ck_assert_str_eq(sql_failure(broker, "SELECT * FROM cell.v1_register(1, '" FIRST
                                         "', '" DIRECTORY "', true, 'x')"),
                     "22023");
}
END_TEST

START_TEST(a_directory_keeps_its_producer_registration_and_no_two_share_one)
{
    char first[32], other[32];

    snprintf(first, sizeof(first), "%s", sql(broker, REGISTRATION_NUMBER, FIRST, DIRECTORY));
    snprintf(other, sizeof(other), "%s", sql(broker, REGISTRATION_NUMBER, SECOND, SECOND));
    ck_assert_str_ne(first, other);
    ck_assert_str_eq(
        sql(broker, REGISTRATION_NUMBER, "66666666-6666-4666-8666-666666666666", DIRECTORY), first);
}
END_TEST

START_TEST(an_empty_cell_gives_a_snapshot_of_one_row_without_kind)
{
    ck_assert_str_eq(sql(broker, "SELECT * FROM cell.v1_snapshot()"), "0|||");
    ck_assert_str_eq(sql(broker, "SELECT * FROM cell.v1_changes(0, 100)"), "");
}
END_TEST

START_TEST(a_snapshot_holds_what_the_changes_add_up_to)
{
    cell_put_tenant(1, "active", 10);
    cell_put_credential(1, "Manager");
    cell_create_topic(1, TOPIC, "orders", "[[0, [0]], [0, [0]]]");
    sql(broker, "SELECT * FROM cell.v1_register(0, '" FIRST "', '" DIRECTORY "', true, 'test')");
    ck_assert_str_eq(
        sql(admin, "SELECT count(*) FROM (SELECT DISTINCT ON (kind, key) kind, key, payload FROM "
                   "cell_private.cell_change ORDER BY kind, key, v DESC, seq DESC) c FULL JOIN "
                   "cell_private.object o USING (kind, key, payload) WHERE c.kind IS NULL OR "
                   "o.kind IS NULL"),
        "0");
    ck_assert_str_eq(sql(broker, "SELECT kind FROM cell.v1_snapshot()"),
                     "broker\ntenant\ncredential\ntopic\ntopic");
    ck_assert_str_eq(
        sql(broker,
            "SELECT payload::jsonb -> 'partitions' FROM cell.v1_snapshot() WHERE payload LIKE "
            "'%%orders%%'"),
        "[[0, 0, 0, [0], [0]], [0, 0, 0, [0], [0]]]");
    ck_assert_str_eq(
        sql(broker,
            "SELECT length(payload::jsonb -> 'scram_sha_512' ->> 'stored_key'), payload LIKE "
            "E'%%\\n%%', payload::jsonb ->> 'verifier' FROM cell.v1_snapshot() WHERE kind = "
            "'credential'"),
        "88|f|abababababababababababababababababababababababababababababababab");
}
END_TEST

START_TEST(changes_come_as_whole_versions)
{
    cell_put_tenant(1, "active", 10); /* version 1: tenant and internal topic */
    cell_put_credential(1, "Manager");
    ck_assert_str_eq(sql(broker, "SELECT v, kind FROM cell.v1_changes(0, 1)"), "1|tenant\n1|topic");
    ck_assert_str_eq(sql(broker, "SELECT v, kind FROM cell.v1_changes(0, 2)"), "1|tenant\n1|topic");
    ck_assert_str_eq(sql(broker, "SELECT v, kind FROM cell.v1_changes(0, 3)"),
                     "1|tenant\n1|topic\n2|credential");
    ck_assert_str_eq(sql(broker, "SELECT v, kind FROM cell.v1_changes(1, 100)"), "2|credential");
    ck_assert_str_eq(sql(broker, "SELECT v, kind FROM cell.v1_changes(2, 100)"), "");
    ck_assert_str_eq(sql_failure(broker, "SELECT * FROM cell.v1_changes(3, 100)"), "MR001");
}
END_TEST

START_TEST(what_is_trimmed_needs_a_snapshot)
{
    cell_put_tenant(1, "active", 10);
    sql(admin, "UPDATE cell_private.cell SET version = 100999 WHERE cell_id = '" CELL_A "'");
    cell_put_credential(1, "Manager"); /* version 101000 */
    ck_assert_str_eq(
        sql(admin, "SELECT floor_version FROM cell_private.cell WHERE cell_id = '" CELL_A "'"),
        "1000");
    ck_assert_str_eq(sql_failure(broker, "SELECT * FROM cell.v1_changes(999, 100)"), "MR001");
    ck_assert_str_eq(sql(broker, "SELECT v, kind FROM cell.v1_changes(1000, 100)"),
                     "101000|credential");
}
END_TEST

START_TEST(publishing_again_makes_no_version_and_an_older_revision_changes_nothing)
{
    ck_assert_str_eq(cell_put_tenant(5, "active", 10), "1|1");
    ck_assert_str_eq(cell_put_tenant(5, "active", 10), "1|1");
    ck_assert_str_eq(cell_put_tenant(6, "active", 10), "1|1");
    ck_assert_str_eq(cell_put_tenant(6, "active", 20), "1|2");
    ck_assert_str_eq(cell_put_tenant(5, "suspended", 1), "1|2");
    ck_assert_str_eq(cell_put_credential(2, "Manager"), "3");
    ck_assert_str_eq(cell_put_credential(2, "Manager"), "3");
    ck_assert_str_eq(cell_put_credential(1, "Reader"), "3");
    ck_assert_str_eq(cell_put_credential(3, "Reader"), "4");
}
END_TEST

START_TEST(removed_objects_do_not_come_back_and_numbers_are_not_reused)
{
    cell_put_tenant(1, "active", 10);
    cell_put_credential(1, "Manager");
    sql(provision, "SELECT cell_admin.v1_remove_credential('" CELL_A "', '" KEY "')");
    ck_assert_str_eq(sql_failure(provision, "SELECT cell_admin.v1_put_credential('" CELL_A
                                            "', 9, '{\"key_id\": \"" KEY "\"}')"),
                     "MR004");
    sql(provision, "SELECT cell_admin.v1_remove_tenant('" CELL_A "', '" INSTANCE "')");
    ck_assert_str_eq(sql_failure(provision,
                                 "SELECT cell_admin.v2_put_tenant('" CELL_A
                                 "', 9, '{\"instance\": \"" INSTANCE "\", \"limits\": {}}')"),
                     "MR004");
    ck_assert_str_eq(
        sql(admin, "SELECT next_instance_no FROM cell_private.cell WHERE cell_id = '" CELL_A "'"),
        "2");
}
END_TEST

START_TEST(removing_an_instance_removes_all_that_is_its_own_in_one_version)
{
    cell_put_tenant(1, "active", 10);
    cell_put_credential(1, "Manager");
    cell_create_topic(1, TOPIC, "orders", "[[0, [0]]]");
    sql(provision, "SELECT cell_admin.v1_put_listener('" CELL_A
                   "', '{\"broker\": 0, \"name\": \"plaintext\", \"host\": "
                   "\"127.0.0.1\", \"port\": 9, \"security\": \"PLAINTEXT\", \"instance_no\": 1, "
                   "\"auto_create_partitions\": 4}')");
    long before = cell_version();
    sql(provision, "SELECT cell_admin.v1_remove_tenant('" CELL_A "', '" INSTANCE "')");
    ck_assert_int_eq(cell_version(), before + 1);
    ck_assert_str_eq(
        sql(broker, "SELECT kind, payload IS NULL FROM cell.v1_changes(%ld, 100)", before),
        "credential|t\nlistener|t\ntopic|t\ntopic|t\ntenant|t");
    ck_assert_str_eq(sql(admin, "SELECT count(*) FROM cell_private.partition"), "0");
    sql(provision, "SELECT cell_admin.v1_remove_tenant('" CELL_A "', '" INSTANCE "')");
    ck_assert_int_eq(cell_version(), before + 1);
}
END_TEST

START_TEST(a_cell_with_an_instance_is_not_dropped_and_a_dropped_one_leaves_nothing)
{
    char role[64];

    snprintf(role, sizeof(role), "%s", PQuser(broker));
    cell_put_tenant(1, "active", 10);
    ck_assert_str_eq(sql_failure(provision, "SELECT cell_admin.v1_drop_cell('" CELL_A "')"),
                     "23503");
    sql(broker, "SELECT * FROM cell.v1_register(0, '" FIRST "', '" DIRECTORY "', true, 'test')");
    sql(provision, "SELECT cell_admin.v1_remove_tenant('" CELL_A "', '" INSTANCE "')");
    sql(provision, "SELECT cell_admin.v1_drop_cell('" CELL_A "')");
    sql(provision, "SELECT cell_admin.v1_drop_cell('" CELL_A "')");
    ck_assert_str_eq(sql(admin, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'", role), "0");
    ck_assert_str_eq(sql(admin,
                         "SELECT (SELECT count(*) FROM cell_private.cell) + (SELECT count(*) FROM "
                         "cell_private.cell_change) + (SELECT count(*) FROM "
                         "cell_private.broker_lease) + (SELECT "
                         "count(*) FROM cell_private.data_directory)"),
                     "0");
}
END_TEST

START_TEST(a_plaintext_listener_belongs_to_an_instance)
{
    ck_assert_str_eq(
        sql_failure(provision,
                    "SELECT cell_admin.v1_put_listener('" CELL_A "', '{\"broker\": 0, \"name\": "
                    "\"plaintext\", \"host\": \"h\", \"port\": 9, \"security\": \"PLAINTEXT\"}')"),
        "23514");
    ck_assert_str_eq(
        sql_failure(provision,
                    "SELECT cell_admin.v1_put_listener('" CELL_A "', '{\"broker\": 1, \"name\": "
                    "\"sasl_ssl\", \"host\": \"h\", \"port\": 9, \"security\": \"SASL_SSL\"}')"),
        "22023");
}
END_TEST

START_TEST(the_status_says_who_acknowledged_and_who_is_there)
{
    const char *query = "SELECT broker_id, acknowledged_version, has_lease, version FROM "
                        "cell_admin.v1_status('" CELL_A "')";

    ck_assert_str_eq(sql(provision, "%s", query), "");
    sql(broker, "SELECT * FROM cell.v1_register(0, '" FIRST "', '" DIRECTORY "', true, 'test')");
    ck_assert_str_eq(sql(provision, "%s", query), "0|0|t|1");
    sql(broker, "SELECT cell.v1_acknowledge(0, '" FIRST "', 99)"); /* more than there is */
    ck_assert_str_eq(sql(provision, "%s", query), "0|1|t|1");
    sql(admin, "UPDATE cell_private.broker_lease SET last_seen = now() - interval '4 seconds'");
    ck_assert_str_eq(sql(provision, "%s", query), "0|1|f|1");
    sql(broker, "SELECT * FROM cell.v1_renew_lease(0, '" FIRST "')");
    ck_assert_str_eq(sql(provision, "%s", query), "0|1|t|1");
}
END_TEST

START_TEST(a_notification_reaches_the_brokers_of_the_cell)
{
    char channel[64];

    snprintf(channel, sizeof(channel), "cell_%s",
             sql(admin, "SELECT cell_no FROM cell_private.cell WHERE cell_id = '" CELL_A "'"));
    sql(broker, "LISTEN %s", channel);
    sql(provision, "SELECT cell_admin.v1_notify('" CELL_A "')");
    sql(broker, "SELECT 1");
    PGnotify *notification = PQnotifies(broker);
    ck_assert_ptr_nonnull(notification);
    ck_assert_str_eq(notification->relname, channel);
    PQfreemem(notification);
}
END_TEST

Suite *test_suite(void)
{
    const TTest *const tests[] = {
        making_a_cell_again_gives_the_same_answer,
        a_broker_may_call_its_functions_and_nothing_else,
        no_function_is_anybodys,
        row_level_security_stands_behind_the_functions,
        a_role_that_is_no_cells_is_told_so,
        roles_have_timeouts_and_a_limit_of_connections,
        registering_again_changes_nothing_and_another_incarnation_fences,
        a_directory_keeps_its_producer_registration_and_no_two_share_one,
        an_empty_cell_gives_a_snapshot_of_one_row_without_kind,
        a_snapshot_holds_what_the_changes_add_up_to,
        changes_come_as_whole_versions,
        what_is_trimmed_needs_a_snapshot,
        publishing_again_makes_no_version_and_an_older_revision_changes_nothing,
        removed_objects_do_not_come_back_and_numbers_are_not_reused,
        removing_an_instance_removes_all_that_is_its_own_in_one_version,
        a_cell_with_an_instance_is_not_dropped_and_a_dropped_one_leaves_nothing,
        a_plaintext_listener_belongs_to_an_instance,
        the_status_says_who_acknowledged_and_who_is_there,
        a_notification_reaches_the_brokers_of_the_cell,
    };
    Suite *suite = suite_create("cells");
    TCase *tcase = tcase_create("cells");

    tcase_add_unchecked_fixture(tcase, cell_start_server, cell_stop_server);
    tcase_add_checked_fixture(tcase, cell_set_up, cell_tear_down);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite;
}
