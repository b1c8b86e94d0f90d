/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a turn that took long. What the thread ran is counted by the system, so it depends on nobody else. */
#include <time.h>
#include <unistd.h>

#include "dataplane/uv/turn_watch.h"
#include "tests/support/check_main.h"

#define LONG_US (2 * TURN_WATCH_LONG_US)

static struct turn_watch watch;
static struct long_turn turn;

static void setup(void)
{
    turn_watch_init(&watch);
    ck_assert(!turn_watch_note(&watch, 1, &turn)); /* the first: the thread is asked */
}

static void teardown(void)
{
    turn_watch_done(&watch);
}

static int64_t ran_us(void)
{
    struct timespec ran;

    ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran), 0);
    return (int64_t)ran.tv_sec * 1000000 + ran.tv_nsec / 1000;
}

START_TEST(a_turn_is_long_above_twenty_milliseconds)
{
    ck_assert(!turn_watch_note(&watch, TURN_WATCH_LONG_US, &turn));
    ck_assert(turn_watch_note(&watch, TURN_WATCH_LONG_US + 1, &turn));
    ck_assert(!turn_watch_note(&watch, 0, &turn));
}
END_TEST

START_TEST(of_a_long_turn_that_worked_it_is_said_that_it_ran)
{
    int64_t until_us = ran_us() + LONG_US;

    while (ran_us() < until_us)
        continue;
    ck_assert(turn_watch_note(&watch, LONG_US, &turn));
    ck_assert_int_ge(turn.ran_us, LONG_US);
}
END_TEST

START_TEST(of_one_that_was_blocked_it_is_said_that_it_did_not)
{
    ck_assert_int_eq(usleep(LONG_US), 0);
    ck_assert(turn_watch_note(&watch, LONG_US, &turn));
    ck_assert_int_lt(turn.ran_us, LONG_US / 2);
}
END_TEST

START_TEST(what_ran_long_ago_is_not_said_of_it)
{
    int64_t until_us = ran_us() + LONG_US;

    while (ran_us() < until_us)
        continue;
    for (int i = 0; i < 64; i++)
        ck_assert(!turn_watch_note(&watch, 1, &turn));
    ck_assert(turn_watch_note(&watch, LONG_US, &turn));
    ck_assert_int_lt(turn.ran_us, LONG_US / 2);
    ck_assert_int_ge(turn.ready_us, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/uv/turn_watch");
    TCase *tc = tcase_create("turns");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_turn_is_long_above_twenty_milliseconds);
    tcase_add_test(tc, of_a_long_turn_that_worked_it_is_said_that_it_ran);
    tcase_add_test(tc, of_one_that_was_blocked_it_is_said_that_it_did_not);
    tcase_add_test(tc, what_ran_long_ago_is_not_said_of_it);
    suite_add_tcase(suite, tc);
    return suite;
}
