/* SPDX-License-Identifier: Apache-2.0 */
/* The migrations runner on a real PostgreSQL. */
#include "controlplane/store/migrations.h"
#include "tests/integration/provisioning/private_postgres.h"
#include "tests/integration/provisioning/sql_session.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <string.h>

static struct private_postgres postgres;
static PGconn *admin;
static struct db *db;
static struct error error;

static const struct migration first_only[] = {{"0001_a.sql", "CREATE TABLE a (i int)"},
                                              {NULL, NULL}};
static const struct migration both[] = {
    {"0001_a.sql", "CREATE TABLE a (i int)"},
    {"0002_b.sql", "CREATE TABLE b (i int); CREATE TABLE c (i int)"},
    {NULL, NULL}};
static const struct migration edited[] = {{"0001_a.sql", "CREATE TABLE a (j int)"}, {NULL, NULL}};
static const struct migration broken[] = {
    {"0001_a.sql", "CREATE TABLE a (i int)"},
    {"0002_b.sql", "CREATE TABLE b (i int); CREATE TABLE b (i int)"},
    {NULL, NULL}};

static void start_server(void)
{
    private_postgres_start(&postgres);
}

static void stop_server(void)
{
    private_postgres_stop(&postgres);
}

static void set_up(void)
{
    static char conninfo[256];
    static struct db_config config;
    PGconn *server = sql_open(postgres.admin, "postgres", "postgres");

    sql(server, "DROP DATABASE IF EXISTS scratch");
    sql(server, "CREATE DATABASE scratch");
    PQfinish(server);
    admin = sql_open(postgres.admin, "scratch", "postgres");
    snprintf(conninfo, sizeof(conninfo), "%s dbname=scratch", postgres.admin);
    config = (struct db_config){.conninfo = conninfo,
                                .application_name = "test",
                                .connect_timeout_ms = 5000,
                                .statement_timeout_ms = 20000};
    ck_assert_int_eq(db_open(&config, &db, &error), ERR_OK);
}

static void tear_down(void)
{
    db_close(db);
    PQfinish(admin);
}

static enum err apply(const struct migration *migrations, int *ret_applied)
{
    const struct migration_plan plan = {.migrations = migrations, .database = "scratch"};

    return migrations_apply(db, &plan, ret_applied, &error);
}

START_TEST(files_are_applied_once_and_in_order)
{
    int applied = -1;

    ck_assert_int_eq(apply(first_only, &applied), ERR_OK);
    ck_assert_int_eq(applied, 1);
    ck_assert_int_eq(apply(both, &applied), ERR_OK);
    ck_assert_int_eq(applied, 1);
    ck_assert_int_eq(apply(both, &applied), ERR_OK);
    ck_assert_int_eq(applied, 0);
    ck_assert_str_eq(
        sql(admin,
            "SELECT version, name, length(checksum) FROM migration.applied ORDER BY version"),
        "1|0001_a.sql|64\n2|0002_b.sql|64");
}
END_TEST

START_TEST(an_edited_file_is_refused_by_name)
{
    int applied = -1;

    ck_assert_int_eq(apply(first_only, &applied), ERR_OK);
    ck_assert_int_eq(apply(edited, &applied), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(error.message, "0001_a.sql was edited"));
}
END_TEST

START_TEST(a_database_that_is_newer_than_the_program_is_refused)
{
    int applied = -1;

    ck_assert_int_eq(apply(both, &applied), ERR_OK);
    ck_assert_int_eq(apply(first_only, &applied), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "0002_b.sql"));
}
END_TEST

START_TEST(a_file_that_fails_leaves_nothing_of_itself)
{
    int applied = -1;

    ck_assert_int_ne(apply(broken, &applied), ERR_OK);
    ck_assert_ptr_nonnull(strstr(error.message, "scratch/0002_b.sql"));
    ck_assert_str_eq(sql(admin, "SELECT to_regclass('a') IS NOT NULL, to_regclass('b') IS NULL"),
                     "t|t");
    ck_assert_int_eq(apply(both, &applied), ERR_OK);
    ck_assert_int_eq(applied, 1);
}
END_TEST

START_TEST(a_password_is_stored_as_a_verifier_and_opens_the_server)
{
    ck_assert_int_eq(
        migrations_set_password(db, "millrace_serve", SLICE_LITERAL("abc-123"), &error), ERR_OK);
    ck_assert_str_eq(
        sql(admin, "SELECT left(rolpassword, 19) FROM pg_authid WHERE rolname = 'millrace_serve'"),
        "SCRAM-SHA-256$4096:");
    PQfinish(sql_open(postgres.admin, "fleet", "millrace_serve password=abc-123"));
    ck_assert_int_eq(migrations_set_password(db, "millrace_serve",
                                             SLICE_LITERAL(PRIVATE_POSTGRES_PASSWORD), &error),
                     ERR_OK);
    ck_assert_int_eq(
        migrations_set_password(db, "millrace_serve", SLICE_LITERAL("with blank"), &error),
        ERR_INVALID);
}
END_TEST

START_TEST(a_database_name_is_never_more_than_a_name)
{
    ck_assert_int_eq(migrations_make_database(db, "x; DROP DATABASE fleet", NULL, &error),
                     ERR_INVALID);
    ck_assert_int_eq(migrations_make_database(db, "", NULL, &error), ERR_INVALID);
}
END_TEST

/* Serve and provision each see their own, and neither can change the schema. */
START_TEST(the_roles_of_the_control_plane_own_nothing)
{
    PGconn *serve =
        sql_open(postgres.admin, "fleet", "millrace_serve password=" PRIVATE_POSTGRES_PASSWORD);

    ck_assert_str_eq(sql_failure(serve, "CREATE TABLE fleet.x (i int)"), "42501");
    ck_assert_str_eq(sql_failure(serve, "DELETE FROM fleet.audit_event"), "42501");
    ck_assert_str_eq(sql_failure(serve, "SELECT * FROM fleet.port"), "42501");
    ck_assert_str_eq(sql_failure(serve, "CREATE ROLE x"), "42501");
    PQfinish(serve);
    PGconn *owner = sql_open(postgres.admin, "fleet", "postgres");
    ck_assert_str_eq(
        sql(owner, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'fleet'"),
        "millrace_fleet_owner");
    ck_assert_str_eq(sql(owner,
                         "SELECT has_database_privilege('millrace_serve', 'cells', 'CONNECT'), "
                         "has_database_privilege('millrace_broker', 'fleet', 'CONNECT')"),
                     "f|f");
    PQfinish(owner);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("migrations");
    TCase *tcase = tcase_create("migrations");

    tcase_add_unchecked_fixture(tcase, start_server, stop_server);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, files_are_applied_once_and_in_order);
    tcase_add_test(tcase, an_edited_file_is_refused_by_name);
    tcase_add_test(tcase, a_database_that_is_newer_than_the_program_is_refused);
    tcase_add_test(tcase, a_file_that_fails_leaves_nothing_of_itself);
    tcase_add_test(tcase, a_password_is_stored_as_a_verifier_and_opens_the_server);
    tcase_add_test(tcase, a_database_name_is_never_more_than_a_name);
    tcase_add_test(tcase, the_roles_of_the_control_plane_own_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
