/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/provisioning/fleet_fixture.h"

#include "common/port/clock.h"
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/process_driver.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 30000, POLL_MS = 2, MAX_OPTIONS = 16, OPTION_ROOM = 320 };

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

/* ---- processes ---- */

/* Runs a verb of the control plane as a process of its own. */
static pid_t start_verb(struct fleet *fleet, const char *verb, const char *extra)
{
    char options[MAX_OPTIONS][OPTION_ROOM];
    char *arguments[MAX_OPTIONS + 3] = {NULL};
    char program[] = PROVISIONING_VERBS;
    char verb_text[32];
    char log_file[PATH_ROOM];
    const char *socket = fleet->postgres->directory;
    int count = 0;

    snprintf(options[count++], OPTION_ROOM, "--fleet=host=%s dbname=fleet user=millrace_provision",
             socket);
    snprintf(options[count++], OPTION_ROOM, "--cells=host=%s dbname=cells user=millrace_provision",
             socket);
    snprintf(options[count++], OPTION_ROOM, "--broker_store=host=%s dbname=cells", socket);
    snprintf(options[count++], OPTION_ROOM, "--password_file=%s/password", socket);
    snprintf(options[count++], OPTION_ROOM, "--state_dir=%s", fleet->state);
    snprintf(options[count++], OPTION_ROOM, "--broker_program=%s", fleet->broker_program);
    snprintf(options[count++], OPTION_ROOM, "--ca_certificate_file=%s/ca.crt", fleet->state);
    snprintf(options[count++], OPTION_ROOM, "--ca_key_file=%s/ca.key", fleet->state);
    snprintf(options[count++], OPTION_ROOM, "--http_url=https://localhost:1");
    snprintf(options[count++], OPTION_ROOM, "--lease_ms=1000");
    snprintf(options[count++], OPTION_ROOM, "--poll_ms=100");
    snprintf(options[count++], OPTION_ROOM, "--failpoint_file=%s/failpoint", fleet->state);
    if (extra != NULL)
        snprintf(options[count++], OPTION_ROOM, "%s", extra);
    snprintf(verb_text, sizeof(verb_text), "%s", verb);
    arguments[0] = program;
    arguments[1] = verb_text;
    for (int i = 0; i < count; i++)
        arguments[i + 2] = options[i];
    snprintf(log_file, sizeof(log_file), "%s/%s.log", fleet->state, verb);
    /* Returns once the program runs: a signal before that would meet the test's own handlers. */
    int running[2];
    ck_assert_int_eq(pipe2(running, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int log = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0644);

        dup2(log, STDERR_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(program, arguments);
        _exit(127);
    }
    close(running[1]);
    ck_assert_int_eq(read(running[0], options[0], 1), 0);
    close(running[0]);
    return child;
}

void fleet_start_provision(struct fleet *fleet, const char *extra)
{
    ck_assert_int_eq(fleet->provision, 0);
    fleet->provision = start_verb(fleet, "provision", extra);
}

void fleet_stop_provision(struct fleet *fleet, int signal_number)
{
    int status = 0;

    if (fleet->provision == 0)
        return;
    kill(fleet->provision, signal_number);
    ck_assert_int_eq(waitpid(fleet->provision, &status, 0), fleet->provision);
    /* A signal that comes before the program has begun to care kills it. */
    ck_assert_msg(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == signal_number),
                  "provision ended with status %d", status);
    fleet->provision = 0;
}

int fleet_stop_cells(struct fleet *fleet)
{
    int status = 0;

    waitpid(start_verb(fleet, "stop-cells", NULL), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Calls each for every directory of a broker; returns how many there are. */
static int count_brokers(struct fleet *fleet, bool only_running, char *path, size_t room)
{
    char cells[PATH_ROOM], cell_path[2 * PATH_ROOM], broker_path[3 * PATH_ROOM];
    struct dirent *cell = NULL;
    int count = 0;

    snprintf(cells, sizeof(cells), "%s/cells", fleet->state);
    DIR *stream = opendir(cells);
    while (stream != NULL && (cell = readdir(stream)) != NULL) {
        struct dirent *broker = NULL;

        snprintf(cell_path, sizeof(cell_path), "%s/%s", cells, cell->d_name);
        DIR *inner = cell->d_name[0] == '.' ? NULL : opendir(cell_path);
        while (inner != NULL && (broker = readdir(inner)) != NULL) {
            snprintf(broker_path, sizeof(broker_path), "%s/%s", cell_path, broker->d_name);
            if (strspn(broker->d_name, "012") != 1 ||
                (only_running && !process_driver_is_running(broker_path)))
                continue;
            count++;
            if (path != NULL)
                snprintf(path, room, "%s", broker_path);
        }
        if (inner != NULL)
            closedir(inner);
    }
    if (stream != NULL)
        closedir(stream);
    return count;
}

int fleet_count_supervisors(struct fleet *fleet, char *path, size_t room)
{
    return count_brokers(fleet, true, path, room);
}

int fleet_count_directories(struct fleet *fleet)
{
    return count_brokers(fleet, false, NULL, 0);
}

pid_t fleet_broker_pid(const char *directory)
{
    char path[PATH_ROOM];
    char *text = NULL;
    int pid = 0;

    snprintf(path, sizeof(path), "%s/supervisor.jsonl", directory);
    ck_assert_int_eq(file_read(path, 1 << 20, &text, NULL), ERR_OK);
    for (char *at = strstr(text, "\"started\""); at != NULL; at = strstr(at + 1, "\"started\"")) {
        char *broker = strstr(at, "\"broker\": ");

        if (broker != NULL)
            pid = (int)strtol(broker + 10, NULL, 10);
    }
    free(text);
    return pid;
}

/* ---- rows ---- */

void fleet_insert_instance(struct fleet *fleet, int number, const char *sharing, int plaintext_port)
{
    sql(fleet->fleet,
        "BEGIN;"
        "INSERT INTO fleet.instance (instance_id, account_id, resource_group_id, plan_id, name, "
        "label, crn, region_id, "
        "target_crn, sharing, limits, internal_partitions, internal_visible, plaintext_port, "
        "created_by) "
        "SELECT '00000000-0000-4000-8000-%012d', repeat('a', 32), repeat('b', 32), plan_id, 'i%d', "
        "'k%015d', 'crn:%d', "
        "'local', 'crn', '%s', limits, 1, false, nullif(%d, 0), 'test' FROM fleet.plan WHERE name "
        "= 'standard';"
        "INSERT INTO fleet.operation (instance_id, type, is_async, revision, description, "
        "request_id, created_by) VALUES "
        "('00000000-0000-4000-8000-%012d', 'create', true, 1, 'Started create instance operation', "
        "'r', 'test');"
        "COMMIT",
        number, number, number, number, sharing, plaintext_port, number);
    sql(fleet->fleet, "SELECT pg_notify('fleet_desired', '00000000-0000-4000-8000-%012d')", number);
}

void fleet_delete_instance(struct fleet *fleet, int number)
{
    sql(fleet->fleet,
        "BEGIN;"
        "UPDATE fleet.operation SET state = 'failed', reason_code = 'superseded' WHERE instance_id "
        "= "
        "'00000000-0000-4000-8000-%012d' AND state = 'in progress';"
        "UPDATE fleet.instance SET phase = 'deleting', revision = revision + 1 WHERE instance_id = "
        "'00000000-0000-4000-8000-%012d' AND phase NOT IN ('deleting', 'removed');"
        "INSERT INTO fleet.operation (instance_id, type, is_async, revision, description, "
        "request_id, created_by) SELECT "
        "instance_id, 'delete', true, revision, 'Started', 'r', 'test' FROM fleet.instance WHERE "
        "instance_id = "
        "'00000000-0000-4000-8000-%012d' AND phase = 'deleting';"
        "COMMIT",
        number, number, number);
    sql(fleet->fleet, "SELECT pg_notify('fleet_desired', '00000000-0000-4000-8000-%012d')", number);
}

void fleet_insert_credential(struct fleet *fleet, int number, int instance)
{
    sql(fleet->fleet,
        "INSERT INTO fleet.credential (credential_id, instance_id, account_id, crn, name, role, "
        "key_id, verifier, onetime, "
        "created_by) VALUES ('00000000-0000-4000-9000-%012d', '00000000-0000-4000-8000-%012d', "
        "repeat('a', 32), "
        "'crn:key:%d', 'k', 'Manager', lpad('%d', 16, '0'), decode(repeat('ab', 32), 'hex'), true, "
        "'test')",
        number, instance, number, number);
    sql(fleet->fleet, "SELECT pg_notify('fleet_desired', '00000000-0000-4000-9000-%012d')", number);
}

void fleet_delete_credential(struct fleet *fleet, int number)
{
    sql(fleet->fleet,
        "UPDATE fleet.credential SET state = 'deleting', revision = revision + 1 WHERE "
        "credential_id = "
        "'00000000-0000-4000-9000-%012d'",
        number);
    sql(fleet->fleet, "SELECT pg_notify('fleet_desired', '00000000-0000-4000-9000-%012d')", number);
}

long fleet_wait(struct fleet *fleet, const char *expected, const char *format, ...)
{
    char query[1024];
    char seen[256] = "";
    int64_t began_ms = now_ms();
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(query, sizeof(query), format, arguments);
    va_end(arguments);
    while (now_ms() - began_ms < WAIT_MS) {
        snprintf(seen, sizeof(seen), "%s", sql(fleet->fleet, "%s", query));
        if (strcmp(seen, expected) == 0)
            return (long)(now_ms() - began_ms);
        poll(NULL, 0, POLL_MS);
    }
    ck_abort_msg("%s: \"%s\" did not become \"%s\"; see %s/provision.log", query, seen, expected,
                 fleet->state);
    return -1;
}

long fleet_wait_instance(struct fleet *fleet, int number, const char *phase)
{
    return fleet_wait(
        fleet, phase,
        "SELECT phase FROM fleet.instance WHERE instance_id = '00000000-0000-4000-8000-%012d'",
        number);
}

long fleet_wait_credential(struct fleet *fleet, int number, const char *state)
{
    return fleet_wait(
        fleet, state,
        "SELECT state FROM fleet.credential WHERE credential_id = '00000000-0000-4000-9000-%012d'",
        number);
}

/* ---- life ---- */

void fleet_put_sign(struct fleet *fleet, const char *name)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof(path), "%s/%s", fleet->state, name);
    ck_assert_int_eq(file_replace(path, SLICE_LITERAL("x"), 0644, NULL), ERR_OK);
}

void fleet_remove_sign(struct fleet *fleet, const char *name)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof(path), "%s/%s", fleet->state, name);
    unlink(path);
}

void fleet_kill_leftovers(struct private_postgres *postgres)
{
    struct fleet fleet = {.postgres = postgres};
    char directory[3 * PATH_ROOM];

    snprintf(fleet.state, sizeof(fleet.state), "%s/state", postgres->directory);
    while (fleet_count_supervisors(&fleet, directory, sizeof(directory)) > 0) {
        ck_assert_int_eq(process_driver_signal(directory, SIGKILL, NULL), ERR_OK);
        poll(NULL, 0, POLL_MS);
    }
}

/* What a failed test before this one left. */
static void forget_leftovers(struct fleet *fleet)
{
    fleet_kill_leftovers(fleet->postgres);
    ck_assert_int_eq(directory_remove(fleet->state, NULL), ERR_OK);
    sql(fleet->fleet,
        "DELETE FROM fleet.reclamation; DELETE FROM fleet.port; DELETE FROM fleet.broker; DELETE "
        "FROM fleet.operation; "
        "DELETE FROM fleet.credential; DELETE FROM fleet.instance; DELETE FROM fleet.cell");
    sql(fleet->cells,
        "SELECT cell_admin.v1_remove_tenant(cell_id, instance_id) FROM cell_private.cell JOIN "
        "cell_private.tenant USING (cell_no)");
    sql(fleet->cells, "SELECT cell_admin.v1_drop_cell(cell_id) FROM cell_private.cell");
}

void fleet_open(struct fleet *fleet, struct private_postgres *postgres, const char *broker_program)
{
    *fleet = (struct fleet){.postgres = postgres,
                            .broker_program = broker_program ? broker_program : FAKE_BROKER};
    snprintf(fleet->state, sizeof(fleet->state), "%s/state", postgres->directory);
    fleet->fleet = sql_open(postgres->admin, "fleet", "postgres");
    fleet->cells = sql_open(postgres->admin, "cells", "postgres");
    forget_leftovers(fleet);
    ck_assert_int_eq(directory_make(fleet->state, NULL), ERR_OK);
    sql(fleet->fleet, "INSERT INTO fleet.account (account_id, name) VALUES (repeat('a', 32), "
                      "'test') ON CONFLICT DO NOTHING");
    sql(fleet->fleet, "INSERT INTO fleet.resource_group (resource_group_id, account_id, name) "
                      "VALUES (repeat('b', 32), "
                      "repeat('a', 32), 'test') ON CONFLICT DO NOTHING");
}

/* All instances deleted the regular way; then shared cells, which stay otherwise; then nothing may be left. */
void fleet_close(struct fleet *fleet)
{
    fleet_remove_sign(fleet, "hold");
    fleet_remove_sign(fleet, "mute");
    fleet_remove_sign(fleet, "crash");
    if (fleet->provision == 0)
        fleet_start_provision(fleet, NULL);
    sql(fleet->fleet, "UPDATE fleet.operation SET state = 'failed' WHERE state = 'in progress'");
    sql(fleet->fleet, "UPDATE fleet.instance SET phase = 'deleting', revision = revision + 1 WHERE "
                      "phase <> 'removed'");
    fleet_wait(fleet, "0", "SELECT count(*) FROM fleet.instance WHERE phase <> 'removed'");
    sql(fleet->fleet, "UPDATE fleet.cell SET desired = 'absent'");
    fleet_wait(fleet, "0", "SELECT count(*) FROM fleet.cell WHERE removed_at IS NULL");
    ck_assert_str_eq(
        sql(fleet->fleet,
            "SELECT (SELECT count(*) FROM fleet.port) + (SELECT count(*) FROM fleet.broker)"),
        "0");
    ck_assert_str_eq(
        sql(fleet->fleet, "SELECT count(*) FROM fleet.credential WHERE state <> 'removed'"), "0");
    ck_assert_str_eq(sql(fleet->cells, "SELECT count(*) FROM cell_private.cell"), "0");
    ck_assert_str_eq(
        sql(fleet->cells, "SELECT count(*) FROM pg_roles WHERE rolname ~ '^millrace_cell_'"), "0");
    ck_assert_int_eq(fleet_count_directories(fleet), 0);
    fleet_stop_provision(fleet, SIGTERM);
    PQfinish(fleet->fleet);
    PQfinish(fleet->cells);
    ck_assert_int_eq(directory_remove(fleet->state, NULL), ERR_OK);
}
