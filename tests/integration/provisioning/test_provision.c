/* SPDX-License-Identifier: Apache-2.0 */
/* The reconciler as a process, on a real PostgreSQL, with brokers that only follow their cell. Each test ends with a
 * check that nothing is left over. */
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/process_driver.h"
#include "tests/integration/provisioning/fleet_fixture.h"
#include "tests/support/check_main.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE_ID "00000000-0000-4000-8000-%012d"

static struct private_postgres postgres;
static struct fleet fleet;

static void start_server(void)
{
    private_postgres_start(&postgres);
}

static void stop_server(void)
{
    fleet_kill_leftovers(&postgres);
    private_postgres_stop(&postgres);
}

static void set_up(void)
{
    fleet_open(&fleet, &postgres, NULL);
    fleet_start_provision(&fleet, NULL);
}

static void tear_down(void)
{
    fleet_close(&fleet);
}

static void wait_ms(int ms)
{
    poll(NULL, 0, ms);
}

START_TEST(a_standard_instance_becomes_ready_with_its_endpoints)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state, description FROM fleet.operation"),
                     "succeeded|Completed create instance operation");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT endpoints ->> 'http_url' FROM fleet.instance"),
                     "https://localhost:1/instances/00000000-0000-4000-8000-000000000001");
    ck_assert_str_eq(
        sql(fleet.fleet,
            "SELECT endpoints -> 'brokers' ->> 0 = 'localhost:' || port FROM fleet.instance, "
            "fleet.port WHERE purpose = 'sasl_ssl'"),
        "t");
    ck_assert_str_eq(
        sql(fleet.fleet,
            "SELECT i.instance_no, published_revision, i.cell_id = c.cell_id, c.kind FROM "
            "fleet.instance i, fleet.cell c"),
        "1|1|t|shared");
}
END_TEST

START_TEST(standard_instances_share_a_cell_and_an_enterprise_one_has_its_own)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_insert_instance(&fleet, 2, "shared", 0);
    fleet_insert_instance(&fleet, 3, "dedicated", 0);
    for (int i = 1; i <= 3; i++)
        fleet_wait_instance(&fleet, i, "ready");
    ck_assert_str_eq(
        sql(fleet.fleet,
            "SELECT kind, count(*) FROM fleet.cell JOIN fleet.instance USING (cell_id) GROUP BY "
            "kind, cell_id ORDER BY kind"),
        "dedicated|1\nshared|2");
    ck_assert_int_eq(fleet_count_supervisors(&fleet, NULL, 0), 2);
}
END_TEST

START_TEST(a_second_standard_instance_takes_well_under_100_ms)
{
    long slowest_ms = 0;

    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    for (int i = 2; i < 12; i++) {
        fleet_insert_instance(&fleet, i, "shared", 0);
        long took_ms = fleet_wait_instance(&fleet, i, "ready");
        if (took_ms > slowest_ms)
            slowest_ms = took_ms;
    }
    printf("slowest of ten standard instances: %ld ms\n", slowest_ms);
    ck_assert_int_lt(slowest_ms, 1000); /* machines are slow at times; the usual is printed */
}
END_TEST

START_TEST(a_full_shared_cell_is_followed_by_another)
{
    fleet_stop_provision(&fleet, SIGTERM);
    fleet_start_provision(&fleet, "--shared_cell_instances=2");
    for (int i = 1; i <= 3; i++) {
        fleet_insert_instance(&fleet, i, "shared", 0);
        fleet_wait_instance(&fleet, i, "ready");
    }
    ck_assert_str_eq(
        sql(fleet.fleet, "SELECT count(*) FROM fleet.instance GROUP BY cell_id ORDER BY 1"),
        "1\n2");
}
END_TEST

START_TEST(a_credential_is_active_once_the_brokers_have_it_and_removed_once_they_do_not)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_put_sign(&fleet, "mute");
    fleet_insert_credential(&fleet, 1, 1);
    wait_ms(300);
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state FROM fleet.credential"), "creating");
    fleet_remove_sign(&fleet, "mute");
    fleet_wait_credential(&fleet, 1, "active");
    ck_assert_str_eq(sql(fleet.cells,
                         "SELECT role, encode(verifier, 'hex') = repeat('ab', 32) FROM "
                         "cell_private.credential"),
                     "Manager|t");
    fleet_put_sign(&fleet, "mute");
    fleet_delete_credential(&fleet, 1);
    wait_ms(300);
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state FROM fleet.credential"), "deleting");
    fleet_remove_sign(&fleet, "mute");
    fleet_wait_credential(&fleet, 1, "removed");
    ck_assert_str_eq(sql(fleet.cells, "SELECT count(*) FROM cell_private.credential"), "0");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT verifier IS NULL FROM fleet.credential"), "t");
}
END_TEST

START_TEST(a_credential_deleted_before_it_was_usable_is_removed)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_put_sign(&fleet, "mute");
    fleet_insert_credential(&fleet, 1, 1);
    wait_ms(100);
    fleet_delete_credential(&fleet, 1);
    fleet_remove_sign(&fleet, "mute");
    fleet_wait_credential(&fleet, 1, "removed");
    ck_assert_str_eq(sql(fleet.cells, "SELECT count(*) FROM cell_private.credential"), "0");
}
END_TEST

START_TEST(an_update_is_published)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    sql(fleet.fleet,
        "UPDATE fleet.instance SET phase = 'updating', revision = 2, limits = jsonb_set(limits, "
        "'{partitions}', '7')");
    fleet_wait_instance(&fleet, 1, "ready");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT published_revision FROM fleet.instance"), "2");
    ck_assert_str_eq(sql(fleet.cells, "SELECT partitions FROM cell_private.tenant"), "7");
}
END_TEST

START_TEST(deleting_an_enterprise_instance_leaves_no_process_file_role_or_port)
{
    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
    fleet_delete_instance(&fleet, 1);
    fleet_wait_instance(&fleet, 1, "removed");
    ck_assert_int_eq(fleet_count_directories(&fleet), 0);
    ck_assert_str_eq(sql(fleet.fleet, "SELECT count(*) FROM fleet.port"), "0");
    ck_assert_str_eq(
        sql(fleet.cells, "SELECT count(*) FROM pg_roles WHERE rolname ~ '^millrace_cell_'"), "0");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state FROM fleet.credential"), "removed");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state FROM fleet.operation WHERE type = 'delete'"),
                     "succeeded");
}
END_TEST

START_TEST(a_delete_overtakes_a_create_whose_broker_never_comes)
{
    fleet_put_sign(&fleet, "crash");
    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait(&fleet, "t", "SELECT count(*) > 0 FROM fleet.cell WHERE cell_no IS NOT NULL");
    fleet_delete_instance(&fleet, 1);
    fleet_wait_instance(&fleet, 1, "removed");
}
END_TEST

START_TEST(a_create_that_takes_too_long_fails_and_can_be_deleted)
{
    fleet_stop_provision(&fleet, SIGTERM);
    fleet_put_sign(&fleet, "crash");
    fleet_start_provision(&fleet, "--create_timeout_ms=1500");
    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "failed");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state, reason_code FROM fleet.operation"),
                     "failed|timeout");
    fleet_delete_instance(&fleet, 1);
    fleet_wait_instance(&fleet, 1, "removed");
}
END_TEST

START_TEST(a_slow_instance_holds_up_no_other)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_put_sign(&fleet, "hold");
    for (int i = 10; i < 20; i++)
        fleet_insert_instance(&fleet, i, "dedicated", 0);
    wait_ms(200);
    fleet_insert_instance(&fleet, 2, "shared", 0);
    ck_assert_int_lt(fleet_wait_instance(&fleet, 2, "ready"), 3000);
    ck_assert_str_eq(
        sql(fleet.fleet, "SELECT count(*) FROM fleet.instance WHERE phase = 'creating'"), "10");
    fleet_remove_sign(&fleet, "hold");
    for (int i = 10; i < 20; i++)
        fleet_wait_instance(&fleet, i, "ready");
}
END_TEST

START_TEST(brokers_outlive_provision_and_are_adopted)
{
    char directory[PATH_ROOM];

    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    ck_assert_int_eq(fleet_count_supervisors(&fleet, directory, sizeof(directory)), 1);
    pid_t before = fleet_broker_pid(directory);
    fleet_stop_provision(&fleet, SIGKILL);
    fleet_start_provision(&fleet, NULL);
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
    wait_ms(1200); /* a whole round of looks at all cells */
    ck_assert_int_eq(fleet_broker_pid(directory), before);
    ck_assert_int_eq(kill(before, 0), 0);
}
END_TEST

START_TEST(a_killed_broker_and_a_killed_supervisor_come_back)
{
    char directory[PATH_ROOM];

    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_count_supervisors(&fleet, directory, sizeof(directory));
    pid_t first = fleet_broker_pid(directory);
    kill(first, SIGKILL);
    for (int i = 0; i < 500 && fleet_broker_pid(directory) == first; i++)
        wait_ms(10);
    pid_t second = fleet_broker_pid(directory);
    ck_assert_int_ne(second, first);

    ck_assert_int_eq(process_driver_signal(directory, SIGKILL, NULL), ERR_OK);
    for (int i = 0; i < 500 && fleet_broker_pid(directory) == second; i++)
        wait_ms(10);
    ck_assert_int_ne(fleet_broker_pid(directory), second);
    for (int i = 0; i < 500 && kill(second, 0) == 0; i++) /* until somebody has collected it */
        wait_ms(10);
    ck_assert_int_eq(kill(second, 0), -1); /* no broker without its supervisor */
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
}
END_TEST

START_TEST(stopped_cells_come_back_on_the_same_ports)
{
    char ports[256];

    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_insert_instance(&fleet, 2, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_wait_instance(&fleet, 2, "ready");
    snprintf(ports, sizeof(ports), "%s",
             sql(fleet.fleet, "SELECT cell_id, port FROM fleet.port ORDER BY 1, 2"));
    fleet_stop_provision(&fleet, SIGTERM);
    ck_assert_int_eq(fleet_stop_cells(&fleet), 0);
    ck_assert_int_eq(fleet_count_supervisors(&fleet, NULL, 0), 0);
    fleet_start_provision(&fleet, NULL);
    for (int i = 0; i < 1000 && fleet_count_supervisors(&fleet, NULL, 0) < 2; i++)
        wait_ms(10);
    ck_assert_int_eq(fleet_count_supervisors(&fleet, NULL, 0), 2);
    ck_assert_str_eq(sql(fleet.fleet, "SELECT cell_id, port FROM fleet.port ORDER BY 1, 2"), ports);
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
}
END_TEST

START_TEST(a_plaintext_instance_has_two_listeners_on_its_ports)
{
    fleet_insert_instance(&fleet, 1, "shared", 18999);
    fleet_wait_instance(&fleet, 1, "ready");
    ck_assert_str_eq(
        sql(fleet.cells,
            "SELECT name, host, port, security, instance_no, auto_create_partitions FROM "
            "cell_private.listener WHERE name <> 'sasl_ssl' ORDER BY port"),
        "plaintext|127.0.0.1|18999|PLAINTEXT|1|4\nsasl_plaintext|127.0.0.1|19000|SASL_PLAINTEXT|1|"
        "4");
    fleet_delete_instance(&fleet, 1);
    fleet_wait_instance(&fleet, 1, "removed");
    ck_assert_str_eq(sql(fleet.cells, "SELECT name FROM cell_private.listener"), "sasl_ssl");
    ck_assert_str_eq(
        sql(fleet.fleet, "SELECT count(*) FROM fleet.port WHERE instance_id IS NOT NULL"), "0");
}
END_TEST

START_TEST(a_plaintext_port_in_use_fails_the_instance_and_says_why)
{
    fleet_insert_instance(&fleet, 1, "shared", 18999);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_insert_instance(&fleet, 2, "shared", 19000);
    fleet_wait_instance(&fleet, 2, "failed");
    ck_assert_str_eq(
        sql(fleet.fleet, "SELECT reason_code FROM fleet.operation WHERE state = 'failed'"),
        "port_in_use");
}
END_TEST

/* What serve writes when an instance is deleted on a plan with reclamation. */
static void retire_instance(const char *keeps_for)
{
    sql(fleet.fleet,
        "BEGIN; UPDATE fleet.instance SET phase = 'retiring', revision = revision + 1, reclaim_at "
        "= "
        "now() + interval '%s', reclaim_by = 'test';"
        "INSERT INTO fleet.reclamation (reclamation_id, instance_id, account_id, target_time, "
        "created_by) SELECT gen_random_uuid(), instance_id, account_id, reclaim_at, 'test' FROM "
        "fleet.instance;"
        "INSERT INTO fleet.operation (instance_id, type, is_async, revision, description, "
        "request_id, created_by) SELECT instance_id, 'reclamation', true, revision, 'Started', "
        "'r', 'test' FROM fleet.instance; COMMIT",
        keeps_for);
}

START_TEST(a_retired_instance_is_suspended_in_its_cell_and_can_be_restored)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
    retire_instance("1 hour");
    fleet_wait_instance(&fleet, 1, "retired");
    ck_assert_str_eq(sql(fleet.cells, "SELECT state FROM cell_private.tenant"), "suspended");
    ck_assert_str_eq(sql(fleet.cells, "SELECT count(*) FROM cell_private.credential"), "1");
    sql(fleet.fleet, "UPDATE fleet.instance SET phase = 'restoring', revision = revision + 1");
    fleet_wait_instance(&fleet, 1, "ready");
    ck_assert_str_eq(sql(fleet.cells, "SELECT state FROM cell_private.tenant"), "active");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT closed_at IS NOT NULL FROM fleet.reclamation"), "t");
    ck_assert_str_eq(
        sql(fleet.fleet, "SELECT reclaim_at IS NULL, restored_at IS NOT NULL FROM fleet.instance"),
        "t|t");
}
END_TEST

START_TEST(a_retired_instance_is_removed_when_its_time_is_over)
{
    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    retire_instance("0");
    fleet_wait_instance(&fleet, 1, "removed");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT type, state FROM fleet.operation ORDER BY "
                                      "operation_id DESC LIMIT 1"),
                     "delete|succeeded");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT state, closed_at IS NOT NULL FROM fleet.reclamation"),
                     "RECLAIMING|t");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT count(*) FROM fleet.audit_event WHERE action = "
                                      "'messagehub.instance.reclaim'"),
                     "1");
}
END_TEST

START_TEST(work_goes_on_after_the_database_was_away)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    private_postgres_kill(&postgres);
    wait_ms(500);
    private_postgres_run(&postgres);
    PQreset(fleet.fleet);
    PQreset(fleet.cells);
    fleet_insert_instance(&fleet, 2, "dedicated", 0);
    fleet_wait_instance(&fleet, 2, "ready");
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
}
END_TEST

/* The machine as after a power cut: no process of ours is left, only files. */
START_TEST(everything_may_be_killed_at_once)
{
    unsigned seed = 11;

    for (int round = 0; round < 4; round++) {
        fleet_insert_instance(&fleet, 200 + round, round % 2 == 0 ? "dedicated" : "shared", 0);
        fleet_insert_credential(&fleet, 200 + round, 200 + round);
        if (round >= 2)
            fleet_delete_instance(&fleet, 198 + round);
        wait_ms((int)(rand_r(&seed) % 300));
        fleet_stop_provision(&fleet, SIGKILL);
        private_postgres_kill(&postgres);
        fleet_kill_leftovers(&postgres);
        private_postgres_run(&postgres);
        PQreset(fleet.fleet);
        PQreset(fleet.cells);
        fleet_start_provision(&fleet, NULL);
    }
    fleet_wait_instance(&fleet, 200, "removed");
    fleet_wait_instance(&fleet, 201, "removed");
    fleet_wait_credential(&fleet, 202, "active");
    fleet_wait_credential(&fleet, 203, "active");
}
END_TEST

/* SIGKILL at many moments of making and unmaking: what is started again carries on, and tear_down counts. */
START_TEST(provision_may_be_killed_at_any_moment)
{
    unsigned seed = 7;

    for (int i = 0; i < 12; i++) {
        fleet_insert_instance(&fleet, 100 + i, i % 3 == 0 ? "shared" : "dedicated", 0);
        fleet_insert_credential(&fleet, 100 + i, 100 + i);
        if (i >= 4)
            fleet_delete_instance(&fleet, 96 + i);
        wait_ms((int)(rand_r(&seed) % 120));
        fleet_stop_provision(&fleet, SIGKILL);
        fleet_start_provision(&fleet, NULL);
        wait_ms((int)(rand_r(&seed) % 200));
    }
    for (int i = 0; i < 8; i++)
        fleet_wait_instance(&fleet, 100 + i, "removed");
    for (int i = 8; i < 12; i++) {
        fleet_wait_instance(&fleet, 100 + i, "ready");
        fleet_wait_credential(&fleet, 100 + i, "active");
    }
    ck_assert_str_eq(
        sql(fleet.fleet,
            "SELECT count(*) FROM fleet.cell WHERE kind = 'dedicated' AND removed_at IS NULL"),
        sql(fleet.fleet,
            "SELECT count(*) FROM fleet.instance WHERE sharing = 'dedicated' AND phase = 'ready'"));
}
END_TEST

Suite *test_suite(void)
{
    const TTest *const tests[] = {
        a_standard_instance_becomes_ready_with_its_endpoints,
        standard_instances_share_a_cell_and_an_enterprise_one_has_its_own,
        a_second_standard_instance_takes_well_under_100_ms,
        a_full_shared_cell_is_followed_by_another,
        a_credential_is_active_once_the_brokers_have_it_and_removed_once_they_do_not,
        a_credential_deleted_before_it_was_usable_is_removed,
        an_update_is_published,
        deleting_an_enterprise_instance_leaves_no_process_file_role_or_port,
        a_delete_overtakes_a_create_whose_broker_never_comes,
        a_create_that_takes_too_long_fails_and_can_be_deleted,
        a_slow_instance_holds_up_no_other,
        brokers_outlive_provision_and_are_adopted,
        a_killed_broker_and_a_killed_supervisor_come_back,
        stopped_cells_come_back_on_the_same_ports,
        a_plaintext_instance_has_two_listeners_on_its_ports,
        a_plaintext_port_in_use_fails_the_instance_and_says_why,
        a_retired_instance_is_suspended_in_its_cell_and_can_be_restored,
        a_retired_instance_is_removed_when_its_time_is_over,
        provision_may_be_killed_at_any_moment,
    };
    Suite *suite = suite_create("provision");
    TCase *tcase = tcase_create("provision");
    TCase *own_server = tcase_create("provision with a server of its own");

    tcase_add_unchecked_fixture(tcase, start_server, stop_server);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);

    /* The test restarts the server, so it has to be the server's parent. */
    tcase_add_checked_fixture(own_server, start_server, stop_server);
    tcase_add_checked_fixture(own_server, set_up, tear_down);
    tcase_set_timeout(own_server, 120);
    tcase_add_test(own_server, work_goes_on_after_the_database_was_away);
    tcase_add_test(own_server, everything_may_be_killed_at_once);
    suite_add_tcase(suite, own_server);
    return suite;
}
