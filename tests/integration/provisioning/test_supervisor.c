/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor as a process (the fake broker's `supervise`), with small programs as brokers. */
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/process_driver.h"
#include "tests/support/check_main.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];
static struct error error;

static void set_up(void)
{
    snprintf(root, sizeof(root), "/tmp/millrace-supervisor-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void wait_until_stopped(void)
{
    for (int i = 0; i < 1000 && process_driver_is_running(root); i++)
        poll(NULL, 0, 10);
    ck_assert(!process_driver_is_running(root));
}

static void tear_down(void)
{
    ck_assert_int_eq(process_driver_signal(root, SIGKILL, &error), ERR_OK);
    wait_until_stopped();
    ck_assert_int_eq(directory_remove(root, &error), ERR_OK);
}

/* Makes a shell script the broker and starts a supervisor for it; returns the exit status of `supervise`. */
static int supervise(const char *script)
{
    char broker[PATH_ROOM], text[2 * PATH_ROOM];
    char program[] = SUPERVISOR, verb[] = "supervise", directory_option[] = "--directory",
         config_option[] = "--config", config[] = "/none", program_option[] = "--program";
    char *const arguments[] = {program, verb,           directory_option, root, config_option,
                               config,  program_option, broker,           NULL};
    char *const environment[] = {NULL};
    pid_t child = 0;
    int status = 0;

    snprintf(broker, sizeof(broker), "%s/broker", root);
    snprintf(text, sizeof(text), "#!/bin/sh\ncd %s\n%s\n", root, script);
    ck_assert_int_eq(file_keep(broker, slice_from_cstring(text), 0755, &error), ERR_OK);
    ck_assert_int_eq(posix_spawn(&child, program, NULL, NULL, arguments, environment), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Waits until the status file holds `count` times `word`; its text (free). */
static char *wait_for(const char *word, int count)
{
    char path[PATH_ROOM];
    char *text = NULL;

    snprintf(path, sizeof(path), "%s/supervisor.jsonl", root);
    for (int i = 0; i < 1500; i++) {
        int seen = 0;

        free(text);
        text = NULL;
        if (file_read(path, 1 << 20, &text, NULL) == ERR_OK) {
            for (char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
                seen++;
        }
        if (seen >= count)
            return text;
        poll(NULL, 0, 10);
    }
    ck_abort_msg("%s was not seen %d times: %s", word, count, text ? text : "");
    return NULL;
}

START_TEST(a_second_supervisor_of_a_directory_says_that_one_runs)
{
    ck_assert_int_eq(supervise("exec sleep 1000"), 0);
    ck_assert(process_driver_is_running(root));
    ck_assert_int_eq(supervise("exec sleep 1000"), 3);
    free(wait_for("\"started\"", 1));
}
END_TEST

START_TEST(a_broker_that_exits_is_started_again_and_the_exit_is_recorded)
{
    ck_assert_int_eq(supervise("exit 7"), 0);
    char *text = wait_for("\"exited\"", 3);
    ck_assert_ptr_nonnull(strstr(text, "\"code\": 7"));
    ck_assert_ptr_nonnull(strstr(text, "\"restart_in_ms\": 100}"));
    ck_assert_ptr_nonnull(strstr(text, "\"restart_in_ms\": 200}"));
    ck_assert_ptr_nonnull(strstr(text, "\"restart_in_ms\": 400}"));
    free(text);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_tried_again_and_said)
{
    char path[PATH_ROOM];
    char *text = NULL;

    ck_assert_int_eq(supervise("exec sleep 1000"), 0);
    snprintf(path, sizeof(path), "%s/broker", root);
    char *started = wait_for("\"started\"", 1);
    unlink(path);
    int broker = (int)strtol(strstr(started, "\"broker\": ") + 10, NULL, 10);
    free(started);
    kill(broker, SIGKILL);
    free(wait_for("\"code\": 127", 1));
    snprintf(path, sizeof(path), "%s/broker.log", root);
    ck_assert_int_eq(file_read(path, 1 << 20, &text, &error), ERR_OK);
    ck_assert_ptr_nonnull(strstr(text, "cannot start"));
    free(text);
}
END_TEST

START_TEST(sigterm_stops_the_broker_in_order_and_then_the_supervisor)
{
    ck_assert_int_eq(
        supervise("trap 'echo bye; exit 0' TERM\necho hello\nwhile :; do sleep 0.01; done"), 0);
    char path[PATH_ROOM];
    char *text = NULL;

    snprintf(path, sizeof(path), "%s/broker.log", root);
    for (int i = 0; i < 500 && (text == NULL || strstr(text, "hello") == NULL); i++) {
        free(text);
        text = NULL;
        poll(NULL, 0, 10);
        ck_assert_int_eq(file_read(path, 1 << 20, &text, &error), ERR_OK);
    }
    free(text);
    ck_assert_int_eq(process_driver_signal(root, SIGTERM, &error), ERR_OK);
    wait_until_stopped();
    ck_assert_int_eq(file_read(path, 1 << 20, &text, &error), ERR_OK);
    ck_assert_ptr_nonnull(strstr(text, "bye"));
    free(text);
    free(wait_for("\"stopped\"", 1));
    ck_assert_int_eq(process_driver_signal(root, SIGTERM, &error), ERR_OK); /* nobody there: fine */
}
END_TEST

START_TEST(a_broker_gets_a_clean_environment_and_no_descriptors)
{
    char path[PATH_ROOM];
    char *text = NULL;

    ck_assert_int_eq(
        supervise("env > environment; ls /proc/self/fd > descriptors; exec sleep 1000"), 0);
    snprintf(path, sizeof(path), "%s/descriptors", root);
    for (int i = 0; i < 500 && (text == NULL || strchr(text, '3') == NULL); i++) {
        free(text);
        text = NULL;
        poll(NULL, 0, 10);
        if (file_read(path, 1 << 16, &text, NULL) != ERR_OK)
            text = NULL;
    }
    ck_assert_str_eq(text, "0\n1\n2\n3\n"); /* 3 is what ls reads the list from */
    free(text);
    snprintf(path, sizeof(path), "%s/environment", root);
    ck_assert_int_eq(file_read(path, 1 << 16, &text, &error), ERR_OK);
    ck_assert_ptr_null(strstr(text, "PG"));
    ck_assert_ptr_null(strstr(text, "HOME"));
    free(text);
}
END_TEST

START_TEST(a_supervisor_whose_directory_is_removed_goes_away)
{
    ck_assert_int_eq(supervise("exec sleep 1000"), 0);
    char *text = wait_for("\"started\"", 1);
    int broker = (int)strtol(strstr(text, "\"broker\": ") + 10, NULL, 10);
    free(text);
    poll(NULL, 0, 200); /* until the script has become sleep */
    ck_assert_int_eq(directory_remove(root, &error), ERR_OK);
    for (int i = 0; i < 1500 && kill(broker, 0) == 0; i++)
        poll(NULL, 0, 10);
    ck_assert_int_eq(kill(broker, 0), -1);
}
END_TEST

START_TEST(a_long_log_is_cut_and_kept_aside)
{
    char path[PATH_ROOM];
    struct stat status;

    ck_assert_int_eq(supervise("dd if=/dev/zero bs=1M count=17 2>/dev/null\nexit 1"), 0);
    snprintf(path, sizeof(path), "%s/broker.log.1", root);
    for (int i = 0; i < 1000 && stat(path, &status) != 0; i++)
        poll(NULL, 0, 10);
    ck_assert_int_eq(stat(path, &status), 0);
    snprintf(path, sizeof(path), "%s/broker.log", root);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_le(status.st_size, 35 * 1024 * 1024);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *tcase = tcase_create("supervisor");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_second_supervisor_of_a_directory_says_that_one_runs);
    tcase_add_test(tcase, a_broker_that_exits_is_started_again_and_the_exit_is_recorded);
    tcase_add_test(tcase, a_program_that_is_not_there_is_tried_again_and_said);
    tcase_add_test(tcase, sigterm_stops_the_broker_in_order_and_then_the_supervisor);
    tcase_add_test(tcase, a_broker_gets_a_clean_environment_and_no_descriptors);
    tcase_add_test(tcase, a_supervisor_whose_directory_is_removed_goes_away);
    tcase_add_test(tcase, a_long_log_is_cut_and_kept_aside);
    suite_add_tcase(suite, tcase);
    return suite;
}
