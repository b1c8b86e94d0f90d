/* SPDX-License-Identifier: Apache-2.0 */
/* Loops with their real threads and workers. */
#include <stdatomic.h>
#include <unistd.h>

#include "dataplane/uv/uv_executor.h"
#include "tests/support/check_main.h"

#define SUBMITTED 40
#define TURN_US 20000 /* in which a worker would have run long ago */

static struct uv_executor *executor;
static struct loop *loop;
static struct mail first, second;
static struct work works[SUBMITTED];
static atomic_int runs;
static int dones;

static void setup(void)
{
    struct uv_executor_options options = {
        .loop_count = 1,
        .read_workers = 2,
        .check_workers = 1,
        .write_workers = 1,
        .slow_workers = 1,
    };
    struct error error;

    ck_assert_int_eq(uv_executor_new(&options, &executor, &error), ERR_OK);
    loop = uv_executor_base(executor)->loops[0];
    atomic_store(&runs, 0);
    dones = 0;
}

static void teardown(void)
{
    uv_executor_free(executor);
}

static void count_run(struct work *work)
{
    (void)work;
    atomic_fetch_add(&runs, 1);
}

static void stop_after_last(struct work *work)
{
    (void)work;
    if (++dones == SUBMITTED)
        uv_executor_stop(executor);
}

static void expect_none_has_run(struct mail *mail)
{
    (void)mail;
    usleep(TURN_US);
    ck_assert_int_eq(atomic_load(&runs), 0);
}

static void submit_all(struct mail *mail)
{
    (void)mail;
    for (int i = 0; i < SUBMITTED; i++) {
        works[i] = (struct work){.run = count_run, .done = stop_after_last};
        worker_submit(loop, i % 2 == 0 ? WORKER_READ : WORKER_SLOW, &works[i]);
    }
    second.deliver = expect_none_has_run;
    loop_post(loop, &second);
}

START_TEST(work_begins_when_the_mail_of_its_turn_is_delivered_and_each_is_done_once)
{
    first.deliver = submit_all;
    loop_post(loop, &first);
    uv_executor_run(executor);
    ck_assert_int_eq(atomic_load(&runs), SUBMITTED);
    ck_assert_int_eq(dones, SUBMITTED);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/uv/uv_executor");
    TCase *tc = tcase_create("work");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, work_begins_when_the_mail_of_its_turn_is_delivered_and_each_is_done_once);
    suite_add_tcase(suite, tc);
    return suite;
}
