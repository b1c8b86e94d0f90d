/* SPDX-License-Identifier: Apache-2.0 */
/* Loops with their real threads and workers. */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/port/clock.h"
#include "dataplane/uv/uv_executor_internal.h"
#include "tests/support/check_main.h"

#define SUBMITTED 40
#define TURN_US 20000 /* in which a worker would have run long ago */
#define PIECES 100

static struct uv_executor *executor;
static struct loop *loop;
static struct mail first, second;
static struct work works[SUBMITTED];
static atomic_int runs;
static int dones;
static struct timer timers[2];
static int fires[2];
static uint64_t last_turn;
static int64_t piece_delay_us;
static int signals_seen;

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

static void count_delivery(struct mail *mail)
{
    (void)mail;
    dones++;
}

/* A piece of a long task: it sends mail to its loop and starts the timer for the next piece. */
static void fire_piece(struct timer *timer)
{
    uint64_t turn = uv_loop_of(loop)->turn;

    ck_assert_int_eq(dones, fires[0]);
    ck_assert_uint_ne(turn, last_turn);
    last_turn = turn;
    if (++fires[0] == PIECES) {
        uv_executor_stop(executor);
        return;
    }
    first.deliver = count_delivery;
    loop_post(loop, &first);
    timer_start_in(loop, timer, piece_delay_us);
}

static void start_pieces(struct mail *mail)
{
    (void)mail;
    fires[0] = 0;
    last_turn = 0;
    timers[0].fire = fire_piece;
    timer_start_in(loop, &timers[0], piece_delay_us);
}

START_TEST(a_timer_that_is_started_again_with_no_delay_lets_mail_and_sockets_go_first)
{
    static const int64_t delays_us[] = {0, -1000000};

    piece_delay_us = delays_us[_i];
    first.deliver = start_pieces;
    loop_post(loop, &first);
    uv_executor_run(executor);
    ck_assert_int_eq(fires[0], PIECES);
}
END_TEST

static void fire_greedy(struct timer *timer)
{
    fires[0]++;
    timer_start(loop, timer, 0);
}

static void fire_patient(struct timer *timer)
{
    timer_stop(loop, &timers[0]);
    fires[1]++;
    ck_assert(!timer_is_armed(timer));
    uv_executor_stop(executor);
}

static void start_both(struct mail *mail)
{
    (void)mail;
    fires[0] = fires[1] = 0;
    timers[0].fire = fire_greedy;
    timers[1].fire = fire_patient;
    timer_start(loop, &timers[0], 0);
    timer_start_in(loop, &timers[1], 1500);
}

START_TEST(a_timer_whose_deadline_is_long_ago_does_not_keep_others_from_firing)
{
    first.deliver = start_both;
    loop_post(loop, &first);
    uv_executor_run(executor);
    ck_assert_int_gt(fires[0], 0);
    ck_assert_int_eq(fires[1], 1);
}
END_TEST

static void fire_in_order(struct timer *timer)
{
    int64_t late_us = clock_monotonic_us(&system_clock) - timer->deadline_us;

    ck_assert_int_ge(late_us, 0);
    fires[timer - timers]++;
    if (timer == &timers[0]) {
        ck_assert_int_eq(fires[1], 1);
        uv_executor_stop(executor);
    }
}

static void start_later_first(struct mail *mail)
{
    (void)mail;
    fires[0] = fires[1] = 0;
    timers[0].fire = timers[1].fire = fire_in_order;
    timer_start_in(loop, &timers[0], 3700);
    timer_start_in(loop, &timers[1], 1300);
}

START_TEST(no_timer_fires_before_its_deadline_and_the_alarm_is_moved_to_an_earlier_one)
{
    first.deliver = start_later_first;
    loop_post(loop, &first);
    uv_executor_run(executor);
    ck_assert_int_eq(fires[0], 1);
}
END_TEST

static void note_signal(void *context, int number)
{
    static const int sent[] = {SIGHUP, SIGINT, SIGTERM};

    (void)context;
    ck_assert_int_eq(number, sent[signals_seen++]);
    if (signals_seen < 3)
        (void)kill(getpid(), sent[signals_seen]);
    else
        uv_executor_stop(executor);
}

static void send_first_signal(struct mail *mail)
{
    (void)mail;
    (void)kill(getpid(), SIGHUP);
}

START_TEST(who_hangs_up_interrupts_or_terminates_is_told_and_ends_nothing_by_itself)
{
    uv_executor_on_signal(executor, note_signal, NULL);
    first.deliver = send_first_signal;
    loop_post(loop, &first);
    uv_executor_run(executor);
    ck_assert_int_eq(signals_seen, 3);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/uv/uv_executor");
    TCase *tc = tcase_create("work");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, work_begins_when_the_mail_of_its_turn_is_delivered_and_each_is_done_once);
    suite_add_tcase(suite, tc);
    tc = tcase_create("signals");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_hangs_up_interrupts_or_terminates_is_told_and_ends_nothing_by_itself);
    suite_add_tcase(suite, tc);
    tc = tcase_create("timers");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(
        tc, a_timer_that_is_started_again_with_no_delay_lets_mail_and_sockets_go_first, 0, 2);
    tcase_add_test(tc, a_timer_whose_deadline_is_long_ago_does_not_keep_others_from_firing);
    tcase_add_test(tc, no_timer_fires_before_its_deadline_and_the_alarm_is_moved_to_an_earlier_one);
    suite_add_tcase(suite, tc);
    return suite;
}
