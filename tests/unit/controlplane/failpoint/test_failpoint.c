/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/failpoint/failpoint.h"
#include "tests/support/check_main.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char file[64];

static void make_name(void)
{
    snprintf(file, sizeof(file), "/tmp/millrace-failpoint-%d", (int)getpid());
    failpoint_setup(file);
}

static void remove_file(void)
{
    (void)unlink(file);
    failpoint_setup("");
}

static void arm(const char *order)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, order, strlen(order)), (ssize_t)strlen(order));
    close(fd);
}

START_TEST(without_a_file_nothing_happens)
{
    failpoint_setup("");
    for (int i = 0; i < FAILPOINT_COUNT; i++)
        ck_assert_int_eq(failpoint_pass((enum failpoint)i, NULL), ERR_OK);
}
END_TEST

START_TEST(the_nth_passage_acts_once)
{
    struct error error;

    arm("instance_before_ready error 3");
    ck_assert_int_eq(failpoint_pass(FAILPOINT_instance_after_ready, &error), ERR_OK);
    ck_assert_int_eq(failpoint_pass(FAILPOINT_instance_before_ready, &error), ERR_OK);
    ck_assert_int_eq(failpoint_pass(FAILPOINT_instance_before_ready, &error), ERR_OK);
    ck_assert_int_eq(failpoint_pass(FAILPOINT_instance_before_ready, &error), ERR_UNAVAILABLE);
    ck_assert_int_eq(access(file, F_OK), -1);
    ck_assert_int_eq(failpoint_pass(FAILPOINT_instance_before_ready, &error), ERR_OK);
}
END_TEST

START_TEST(kill_ends_the_process_at_that_place)
{
    int status = 0;

    arm("cell_after_start kill 1");
    pid_t child = fork();
    if (child == 0) {
        (void)!failpoint_pass(FAILPOINT_cell_after_start, NULL);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}
END_TEST

START_TEST(freeze_stops_the_process_until_it_is_told_to_go_on)
{
    int status = 0;

    arm("cell_after_start freeze 1");
    pid_t child = fork();
    if (child == 0)
        _exit(failpoint_pass(FAILPOINT_cell_after_start, NULL) == ERR_OK ? 7 : 8);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    kill(child, SIGCONT);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("controlplane/failpoint");
    TCase *tc = tcase_create("failpoint");

    tcase_add_checked_fixture(tc, make_name, remove_file);
    tcase_add_test(tc, without_a_file_nothing_happens);
    tcase_add_test(tc, the_nth_passage_acts_once);
    tcase_add_test(tc, kill_ends_the_process_at_that_place);
    tcase_add_test(tc, freeze_stops_the_process_until_it_is_told_to_go_on);
    suite_add_tcase(suite, tc);
    return suite;
}
