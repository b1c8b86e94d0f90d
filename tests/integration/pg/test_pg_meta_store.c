/* SPDX-License-Identifier: Apache-2.0 */
/* meta_store on PostgreSQL against the real functions: following, asking, outages, lost answers, fencing.
 * The test is the control plane (as superuser) and loop 0 at once. */
#include "common/base/list.h"
#include "dataplane/pg/pg_meta_store.h"
#include "tests/integration/pg/mail_loop.h"
#include "tests/support/check_main.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CELL_ID "c0000000-0000-4000-8000-000000000001"
#define CELL_ROLE "millrace_cell_c0000000000040008000000000000001"
#define CELL_PASSWORD "a password of the cell"
#define INSTANCE "11111111-2222-4333-8444-555555555555"
#define TOPIC "22222222-2222-4333-8444-555555555555"

static char directory[64];
static PGconn *admin;
static struct loop *loop;

enum { PATIENCE_MS = 30000, RUNNING_MAX = 4 };

/* Those whose threads run, so that a test that fails in the middle takes them along. */
static struct pg_meta_store *running[RUNNING_MAX];

static void swap_running(const struct pg_meta_store *from, struct pg_meta_store *to)
{
    for (int i = 0; i < RUNNING_MAX; i++) {
        if (running[i] == from) {
            running[i] = to;
            return;
        }
    }
    ck_abort_msg("too many brokers, or not one of ours");
}

/* --- the database --- */

static void tool(const char *verb, const char *more)
{
    pid_t child = fork();
    int status = 0;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        execl(POSTGRES_TOOL, POSTGRES_TOOL, verb, directory, more, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        exit(77);
    ck_assert_msg(status == 0, "%s %s", POSTGRES_TOOL, verb);
}

static void connect_admin(void)
{
    char conninfo[256];

    PQfinish(admin);
    snprintf(conninfo, sizeof(conninfo), "host=%s user=postgres dbname=cells", directory);
    admin = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(admin) == CONNECTION_OK, "%s", PQerrorMessage(admin));
}

/* The first value of the first row, as a number; 0 when it is none. */
static int64_t run(const char *sql)
{
    PGresult *result = PQexec(admin, sql);
    ExecStatusType status = PQresultStatus(result);
    int64_t value = 0;

    ck_assert_msg(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", sql,
                  PQerrorMessage(admin));
    if (PQntuples(result) > 0)
        value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

static void write_password(const char *password)
{
    char path[128];
    FILE *file = NULL;

    snprintf(path, sizeof(path), "%s/password", directory);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fchmod(fileno(file), 0600);
    fprintf(file, "%s\n", password);
    fclose(file);
}

static void create_postgres(void)
{
    snprintf(directory, sizeof(directory), "/tmp/millrace-pg-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    chmod(directory, 0755);
    tool("create", CELLS_MIGRATIONS);
    connect_admin();
}

static void destroy_postgres(void)
{
    PQfinish(admin);
    admin = NULL;
    tool("destroy", "");
}

static void put_tenant(int revision, const char *state)
{
    char sql[2048];

    snprintf(
        sql, sizeof(sql),
        "SELECT version FROM cell_admin.v2_put_tenant('" CELL_ID "', %d, "
        "'{\"instance\": \"" INSTANCE "\", \"label\": \"k3x\", \"state\": \"%s\", "
        "\"internal_partitions\": 1, \"internal_visible\": false, \"limits\": {\"partitions\": 5, "
        "\"produce_bytes_per_second\": -1, \"consume_bytes_per_second\": -1, \"connections\": -1, "
        "\"groups\": -1, \"max_message_bytes\": -1, \"retention_bytes_per_partition\": -1, "
        "\"storage_bytes\": -1}, \"topic_settings\": null}'::jsonb)",
        revision, state);
    run(sql);
}

/* --- a broker --- */

struct broker {
    struct pg_meta_store *store;
    struct meta_registration registration;
    int registered;
    bool is_reachable;
    int times_reachable;
    int64_t version;
    int changes;
    int snapshots;
    int deliveries;
    bool has_tenant;
    bool is_tenant_active;
    bool has_topic;
    int64_t have_version;
};

static void on_registered(void *context, const struct meta_registration *registration)
{
    struct broker *broker = context;

    broker->registration = *registration;
    broker->registered++;
}

static void on_changes(void *context, const struct meta_change *changes, size_t count,
                       bool is_snapshot, bool is_last, int64_t version)
{
    struct broker *broker = context;

    broker->snapshots += is_snapshot && is_last;
    broker->deliveries++;
    broker->changes += (int)count;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_cstring(changes[i].kind, "tenant")) {
            broker->has_tenant = !slice_is_null(changes[i].payload);
            broker->is_tenant_active =
                broker->has_tenant &&
                memmem(changes[i].payload.data, changes[i].payload.len, "\"active\"", 8) != NULL;
        }
        if (slice_equal_cstring(changes[i].kind, "topic") &&
            slice_equal_cstring(changes[i].key, TOPIC))
            broker->has_topic = !slice_is_null(changes[i].payload);
    }
    if (is_last)
        broker->version = version;
}

static void on_reachable(void *context, bool is_reachable)
{
    struct broker *broker = context;

    broker->is_reachable = is_reachable;
    broker->times_reachable += is_reachable;
}

static const struct meta_store_events events = {on_registered, on_changes, on_reachable};

static struct meta_store *port(const struct broker *broker)
{
    return pg_meta_store_port(broker->store);
}

static void start_broker(struct broker *broker, int64_t have_version)
{
    char conninfo[256], password_file[128];
    struct pg_meta_store_options options = {.loop = loop,
                                            .conninfo = conninfo,
                                            .password_file = password_file,
                                            .random = &system_random,
                                            .broker_id = 0,
                                            .directory = {{7, 7, 7}},
                                            .software = "millrace test"};
    struct error error;

    snprintf(conninfo, sizeof(conninfo), "host=%s dbname=cells user=" CELL_ROLE, directory);
    snprintf(password_file, sizeof(password_file), "%s/password", directory);
    *broker = (struct broker){.have_version = have_version};
    ck_assert_msg(pg_meta_store_new(&options, &broker->store, &error) == ERR_OK, "%s",
                  error.message);
    swap_running(NULL, broker->store);
    port(broker)->ops->start(port(broker), &events, broker, have_version);
}

static void stop_broker(struct broker *broker)
{
    swap_running(broker->store, NULL);
    port(broker)->ops->stop(port(broker));
    mail_loop_run_for(loop, 20);
    pg_meta_store_free(broker->store);
}

static bool is_up(void *context)
{
    const struct broker *broker = context;

    return broker->is_reachable && broker->deliveries > 0;
}

static bool is_down(void *context)
{
    return !((const struct broker *)context)->is_reachable;
}

static void wait_for(bool (*is_met)(void *context), void *context)
{
    ck_assert(mail_loop_run_until(loop, is_met, context, PATIENCE_MS));
}

struct asked {
    struct meta_request request;
    char body[1024];
    bool is_done;
    enum err err;
    char reply[1024];
    int64_t version;
};

static void on_done(struct meta_request *request, enum err err, struct slice reply, int64_t version)
{
    struct asked *asked = container_of(request, struct asked, request);

    ck_assert(!asked->is_done);
    asked->is_done = true;
    asked->err = err;
    asked->version = version;
    snprintf(asked->reply, sizeof(asked->reply), SLICE_FORMAT, SLICE_ARG(reply));
}

static bool is_done(void *context)
{
    return ((const struct asked *)context)->is_done;
}

static void ask(struct broker *broker, struct asked *asked, enum meta_request_kind kind,
                const char *request_id, const char *topics)
{
    *asked = (struct asked){.request = {.kind = kind, .done = on_done}};
    snprintf(asked->body, sizeof(asked->body),
             "{\"request_id\": \"%s\", \"instance_no\": 1, \"topics\": [%s]}", request_id, topics);
    asked->request.body = slice_from_cstring(asked->body);
    port(broker)->ops->submit(port(broker), &asked->request);
    ck_assert(!asked->is_done);
}

#define REQUEST_1 "aaaaaaaa-0000-4000-8000-000000000001"
#define REQUEST_2 "aaaaaaaa-0000-4000-8000-000000000002"
#define NEW_TOPIC                                                                                  \
    "{\"topic_id\": \"" TOPIC "\", \"name\": \"orders\", \"internal\": false, "                    \
    "\"partitions\": [[0, [0]]], \"configs\": {}}"

static void setup(void)
{
    loop = mail_loop_new();
    write_password(CELL_PASSWORD);
    run("SELECT cell_no FROM cell_admin.v1_create_cell('" CELL_ID "', 'shared', 1, '" CELL_PASSWORD
        "')");
    put_tenant(1, "active");
}

static void teardown(void)
{
    for (int i = 0; i < RUNNING_MAX; i++) {
        if (running[i] != NULL)
            pg_meta_store_port(running[i])->ops->stop(pg_meta_store_port(running[i]));
        running[i] = NULL;
    }
    run("SELECT cell_admin.v1_remove_tenant('" CELL_ID "', '" INSTANCE "')");
    run("SELECT cell_admin.v1_drop_cell('" CELL_ID "')");
    mail_loop_free(loop);
}

static int64_t store_version(void)
{
    return run("SELECT version FROM cell_private.cell WHERE cell_id = '" CELL_ID "'");
}

START_TEST(a_broker_registers_and_is_given_a_snapshot)
{
    struct broker broker;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    ck_assert_int_eq(broker.registered, 1);
    ck_assert_int_gt(broker.registration.cell_no, 0);
    ck_assert_int_gt(broker.registration.producer_registration, 0);
    ck_assert_int_eq(broker.snapshots, 1);
    ck_assert(broker.has_tenant);
    ck_assert_int_eq(broker.version, store_version());
    stop_broker(&broker);
}
END_TEST

static bool is_suspended(void *context)
{
    const struct broker *broker = context;

    return broker->has_tenant && !broker->is_tenant_active;
}

START_TEST(a_change_arrives_when_notified_and_when_not)
{
    struct broker broker;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    mail_loop_run_for(loop, 50);
    put_tenant(2, "suspended");
    run("SELECT cell_admin.v1_notify('" CELL_ID "')");
    wait_for(is_suspended, &broker);
    put_tenant(3, "active");
    while (is_suspended(&broker))
        mail_loop_run_for(loop, 10);
    stop_broker(&broker);
}
END_TEST

START_TEST(a_broker_that_knows_a_version_is_given_what_came_after)
{
    struct broker broker;
    int64_t version = store_version();

    put_tenant(2, "suspended");
    start_broker(&broker, version);
    wait_for(is_suspended, &broker);
    ck_assert_int_eq(broker.snapshots, 0);
    stop_broker(&broker);
}
END_TEST

START_TEST(a_request_is_executed_once_and_repeated_gives_the_same_answer)
{
    struct broker broker;
    struct asked asked, again;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    ask(&broker, &asked, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_OK);
    ck_assert_ptr_nonnull(strstr(asked.reply, "\"ok\""));
    ck_assert_int_eq(asked.version, store_version());
    mail_loop_run_for(loop, 100);
    ck_assert(broker.has_topic);
    ck_assert_int_eq(broker.version, asked.version);
    ask(&broker, &again, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    wait_for(is_done, &again);
    ck_assert_str_eq(asked.reply, again.reply);
    ask(&broker, &again, META_CREATE_TOPICS, REQUEST_2, NEW_TOPIC);
    wait_for(is_done, &again);
    ck_assert_ptr_nonnull(strstr(again.reply, "\"exists\""));
    stop_broker(&broker);
}
END_TEST

START_TEST(a_request_that_breaks_the_contract_fails_and_the_connection_stays)
{
    struct broker broker;
    struct asked asked;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    ask(&broker, &asked, META_CREATE_TOPICS, "no uuid", NEW_TOPIC);
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_INTERNAL);
    ck_assert_int_eq(broker.times_reachable, 1);
    ask(&broker, &asked, META_DELETE_TOPICS, REQUEST_1, "{\"topic_id\": \"" TOPIC "\"}");
    wait_for(is_done, &asked);
    ck_assert_ptr_nonnull(strstr(asked.reply, "\"not_found\""));
    stop_broker(&broker);
}
END_TEST

static int64_t acknowledged(void)
{
    return run("SELECT acknowledged_version FROM cell_admin.v1_status('" CELL_ID "')");
}

static bool is_acknowledged(void *context)
{
    const struct broker *broker = context;

    return acknowledged() == broker->version;
}

static int64_t has_lease(void)
{
    return run("SELECT has_lease::int FROM cell_admin.v1_status('" CELL_ID "')");
}

START_TEST(acknowledgement_and_lease_are_seen_by_the_control_plane)
{
    struct broker broker;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    port(&broker)->ops->acknowledge(port(&broker), broker.version);
    wait_for(is_acknowledged, &broker);
    mail_loop_run_for(loop, 4000);
    ck_assert_int_eq(has_lease(), 1);
    stop_broker(&broker);
}
END_TEST

START_TEST(with_postgresql_killed_requests_fail_and_all_comes_back)
{
    struct broker broker;
    struct asked asked;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    port(&broker)->ops->acknowledge(port(&broker), broker.version);
    wait_for(is_acknowledged, &broker);
    run("UPDATE cell_private.broker_lease SET acknowledged_version = 0"); /* so that it is seen to come again */
    tool("kill", "");
    wait_for(is_down, &broker);
    ask(&broker, &asked, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_UNAVAILABLE);
    mail_loop_run_for(loop, 1000);
    tool("start", "");
    connect_admin();
    wait_for(is_up, &broker);
    ck_assert_int_eq(broker.registered, 2);
    wait_for(is_acknowledged, &broker);
    ask(&broker, &asked, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_OK);
    stop_broker(&broker);
}
END_TEST

static void lock_cell(void)
{
    run("BEGIN");
    run("SELECT version FROM cell_private.cell WHERE cell_id = '" CELL_ID "' FOR UPDATE");
}

START_TEST(a_request_that_waits_for_a_lock_fails_while_it_is_locked)
{
    struct broker broker;
    struct asked asked;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    lock_cell();
    ask(&broker, &asked, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_UNAVAILABLE);
    run("ROLLBACK");
    mail_loop_run_for(loop, 100);
    ck_assert(!broker.has_topic);
    ck_assert_int_eq(broker.times_reachable, 1);
    stop_broker(&broker);
}
END_TEST

#define BROKER_PID "SELECT pid FROM pg_stat_activity WHERE usename = '" CELL_ROLE "'"

START_TEST(a_request_whose_connection_broke_is_sent_again_with_the_same_id)
{
    struct broker broker;
    struct asked asked;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    lock_cell();
    ask(&broker, &asked, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    mail_loop_run_for(loop, 200);
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" CELL_ROLE "'");
    mail_loop_run_for(loop, 100);
    ck_assert(!asked.is_done);
    run("ROLLBACK");
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_OK);
    ck_assert_ptr_nonnull(strstr(asked.reply, "\"ok\""));
    ck_assert_int_eq(broker.times_reachable, 2);
    stop_broker(&broker);
}
END_TEST

START_TEST(a_server_that_stops_answering_is_given_up_and_the_request_fails_in_time)
{
    struct broker broker;
    struct asked asked;
    pid_t pid = 0;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    pid = (pid_t)run(BROKER_PID);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ask(&broker, &asked, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    wait_for(is_done, &asked);
    ck_assert_int_eq(asked.err, ERR_UNAVAILABLE);
    wait_for(is_down, &broker);
    wait_for(is_up, &broker);
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    stop_broker(&broker);
}
END_TEST

START_TEST(a_newer_process_of_the_same_broker_fences_the_older)
{
    struct broker older, newer;

    start_broker(&older, 0);
    wait_for(is_up, &older);
    start_broker(&newer, 0);
    wait_for(is_up, &newer);
    ck_assert_int_gt(newer.registration.broker_epoch, older.registration.broker_epoch);
    ck_assert_int_eq(newer.registration.producer_registration,
                     older.registration.producer_registration);
    wait_for(is_down, &older);
    mail_loop_run_for(loop, 2000);
    ck_assert(newer.is_reachable);
    ck_assert_int_eq(newer.times_reachable, 1);
    ck_assert_int_eq(older.times_reachable, 1);
    stop_broker(&older);
    stop_broker(&newer);
}
END_TEST

START_TEST(a_store_older_than_the_cached_image_offers_its_snapshot)
{
    struct broker broker;

    start_broker(&broker, 1000000);
    wait_for(is_up, &broker);
    ck_assert_int_eq(broker.snapshots, 1);
    ck_assert_int_lt(broker.version, 1000000);
    stop_broker(&broker);
}
END_TEST

START_TEST(more_changes_than_one_call_gives_all_arrive)
{
    struct broker broker;
    int64_t version = store_version();

    run("DO $$ BEGIN FOR i IN 1..2500 LOOP PERFORM cell_admin.v1_put_listener('" CELL_ID "', "
        "jsonb_build_object('broker', 0, 'name', 'sasl_ssl', 'host', 'localhost', 'port', 10000 + "
        "i, "
        "'security', 'SASL_SSL')); END LOOP; END $$");
    start_broker(&broker, version);
    wait_for(is_up, &broker);
    mail_loop_run_for(loop, 500);
    ck_assert_int_eq(broker.version, store_version());
    ck_assert_int_ge(broker.changes, 2500);
    ck_assert_int_eq(broker.snapshots, 0);
    stop_broker(&broker);
    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    ck_assert_int_eq(broker.snapshots, 1);
    stop_broker(&broker);
}
END_TEST

START_TEST(the_password_file_is_read_again_at_each_connect)
{
    struct broker broker;

    write_password("not the password");
    start_broker(&broker, 0);
    mail_loop_run_for(loop, 500);
    ck_assert(!broker.is_reachable);
    write_password(CELL_PASSWORD);
    wait_for(is_up, &broker);
    stop_broker(&broker);
}
END_TEST

START_TEST(a_stop_cancels_what_is_under_way)
{
    struct broker broker;
    struct asked first, second;

    start_broker(&broker, 0);
    wait_for(is_up, &broker);
    lock_cell();
    ask(&broker, &first, META_CREATE_TOPICS, REQUEST_1, NEW_TOPIC);
    ask(&broker, &second, META_CREATE_TOPICS, REQUEST_2, NEW_TOPIC);
    mail_loop_run_for(loop, 100);
    port(&broker)->ops->stop(port(&broker));
    ck_assert(first.is_done && second.is_done);
    ck_assert_int_eq(first.err, ERR_CANCELLED);
    ck_assert_int_eq(second.err, ERR_CANCELLED);
    run("ROLLBACK");
    stop_broker(&broker);
}
END_TEST

START_TEST(a_connection_string_that_cannot_be_parsed_is_refused_at_start)
{
    struct pg_meta_store_options options = {
        .loop = loop, .conninfo = "host", .random = &system_random, .software = "x"};
    struct pg_meta_store *store = NULL;
    struct error error;

    ck_assert_int_eq(pg_meta_store_new(&options, &store, &error), ERR_INVALID);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("integration/pg");
    TCase *tc = tcase_create("meta store");

    tcase_add_unchecked_fixture(tc, create_postgres, destroy_postgres);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_broker_registers_and_is_given_a_snapshot);
    tcase_add_test(tc, a_change_arrives_when_notified_and_when_not);
    tcase_add_test(tc, a_broker_that_knows_a_version_is_given_what_came_after);
    tcase_add_test(tc, a_request_is_executed_once_and_repeated_gives_the_same_answer);
    tcase_add_test(tc, a_request_that_breaks_the_contract_fails_and_the_connection_stays);
    tcase_add_test(tc, acknowledgement_and_lease_are_seen_by_the_control_plane);
    tcase_add_test(tc, with_postgresql_killed_requests_fail_and_all_comes_back);
    tcase_add_test(tc, a_request_that_waits_for_a_lock_fails_while_it_is_locked);
    tcase_add_test(tc, a_request_whose_connection_broke_is_sent_again_with_the_same_id);
    tcase_add_test(tc, a_server_that_stops_answering_is_given_up_and_the_request_fails_in_time);
    tcase_add_test(tc, a_newer_process_of_the_same_broker_fences_the_older);
    tcase_add_test(tc, a_store_older_than_the_cached_image_offers_its_snapshot);
    tcase_add_test(tc, more_changes_than_one_call_gives_all_arrive);
    tcase_add_test(tc, the_password_file_is_read_again_at_each_connect);
    tcase_add_test(tc, a_stop_cancels_what_is_under_way);
    tcase_add_test(tc, a_connection_string_that_cannot_be_parsed_is_refused_at_start);
    suite_add_tcase(suite, tc);
    return suite;
}
