/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes short turns on a core, by what the kernel says of the threads. Where it gives no choice they are all alike. */
#include <sched.h>
#include <sys/resource.h>

#include "dataplane/uv/short_turns.h"
#include "dataplane/uv/uv_executor.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/uv/turn_length.h"

#define SHORT_NS 100000

static struct uv_executor *executor;
static struct loop *loop;
static struct mail begin;
static struct work works[WORKER_POOL_COUNT];
static int64_t of_loop, of_workers[WORKER_POOL_COUNT];
static int dones;

START_TEST(a_thread_that_takes_short_turns_keeps_its_policy_and_its_nice_value)
{
    int policy = sched_getscheduler(0), nice_value = getpriority(PRIO_PROCESS, 0) + 1;

    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, nice_value), 0);
    take_short_turns();
    ck_assert_int_eq(sched_getscheduler(0), policy);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), nice_value);
}
END_TEST

START_TEST(a_thread_of_another_policy_keeps_its_turns)
{
    struct sched_param none = {0};
    int64_t before;

    ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    before = turn_length_ns();
    take_short_turns();
    ck_assert_int_eq(sched_getscheduler(0), SCHED_BATCH);
    ck_assert_int_eq(turn_length_ns(), before);
}
END_TEST

static void look(struct work *work)
{
    of_workers[work - works] = turn_length_ns();
}

static void stop_after_last(struct work *work)
{
    (void)work;
    if (++dones == WORKER_POOL_COUNT)
        uv_executor_stop(executor);
}

static void ask_each(struct mail *mail)
{
    (void)mail;
    of_loop = turn_length_ns();
    for (int i = 0; i < WORKER_POOL_COUNT; i++) {
        works[i] = (struct work){.run = look, .done = stop_after_last};
        worker_submit(loop, (enum worker_pool)i, &works[i]);
    }
}

START_TEST(loops_and_those_who_flush_take_short_turns_and_other_workers_do_not)
{
    struct uv_executor_options options = {
        .loop_count = 1,
        .read_workers = 1,
        .check_workers = 1,
        .write_workers = 1,
        .slow_workers = 1,
    };
    int64_t usual = turn_length_ns(), expected = turn_length_can_be_chosen() ? SHORT_NS : usual;
    struct error error;

    ck_assert_int_eq(uv_executor_new(&options, &executor, &error), ERR_OK);
    loop = uv_executor_base(executor)->loops[0];
    begin.deliver = ask_each;
    loop_post(loop, &begin);
    uv_executor_run(executor);
    uv_executor_free(executor);
    ck_assert_int_eq(of_loop, expected);
    for (int i = 0; i < WORKER_POOL_COUNT; i++)
        ck_assert_int_eq(of_workers[i], i == WORKER_FLUSH ? expected : usual);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/uv/short_turns");
    TCase *tc = tcase_create("threads");

    tcase_add_test(tc, a_thread_that_takes_short_turns_keeps_its_policy_and_its_nice_value);
    tcase_add_test(tc, a_thread_of_another_policy_keeps_its_turns);
    tcase_add_test(tc, loops_and_those_who_flush_take_short_turns_and_other_workers_do_not);
    suite_add_tcase(suite, tc);
    return suite;
}
