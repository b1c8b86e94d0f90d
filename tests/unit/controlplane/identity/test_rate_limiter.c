/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/identity/rate_limiter.h"
#include "tests/support/check_main.h"

#include <stdio.h>

#define SECOND 1000000LL

static struct rate_limiter *limiter;

static void make_limiter(void)
{
    ck_assert_int_eq(rate_limiter_new(60, 5, &limiter, NULL), ERR_OK);
}

static void free_limiter(void)
{
    rate_limiter_free(limiter);
}

START_TEST(a_burst_is_allowed_and_then_one_per_interval)
{
    int64_t now_us = 100 * SECOND;

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(rate_limiter_take(limiter, "a", now_us), 0);
    ck_assert_int_eq(rate_limiter_take(limiter, "a", now_us), SECOND);
    ck_assert_int_eq(rate_limiter_take(limiter, "a", now_us + SECOND - 1), 1);
    ck_assert_int_eq(rate_limiter_take(limiter, "a", now_us + SECOND), 0);
    ck_assert_int_gt(rate_limiter_take(limiter, "a", now_us + SECOND), 0);
}
END_TEST

START_TEST(one_does_not_pay_for_another)
{
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(rate_limiter_take(limiter, "a", SECOND), 0);
    ck_assert_int_gt(rate_limiter_take(limiter, "a", SECOND), 0);
    ck_assert_int_eq(rate_limiter_take(limiter, "b", SECOND), 0);
}
END_TEST

START_TEST(a_look_counts_nothing)
{
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(rate_limiter_look(limiter, "a", SECOND), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(rate_limiter_take(limiter, "a", SECOND), 0);
    ck_assert_int_eq(rate_limiter_look(limiter, "a", SECOND), SECOND);
}
END_TEST

START_TEST(after_a_rest_the_burst_is_whole_and_no_larger)
{
    int allowed = 0;

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(rate_limiter_take(limiter, "a", SECOND), 0);
    while (rate_limiter_take(limiter, "a", 10000 * SECOND) == 0)
        allowed++;
    ck_assert_int_eq(allowed, 5);
}
END_TEST

START_TEST(many_names_take_no_more_room_and_a_busy_one_is_not_forgotten)
{
    char name[32];

    for (int64_t now_us = SECOND; now_us < 50 * SECOND; now_us += SECOND / 10)
        (void)rate_limiter_take(limiter, "busy", now_us);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "name %d", i);
        ck_assert_int_eq(rate_limiter_take(limiter, name, 49 * SECOND + SECOND / 2), 0);
    }
    ck_assert_int_gt(rate_limiter_look(limiter, "busy", 49 * SECOND + SECOND / 2), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("controlplane/identity/rate_limiter");
    TCase *tc = tcase_create("rate limiter");

    tcase_add_checked_fixture(tc, make_limiter, free_limiter);
    tcase_add_test(tc, a_burst_is_allowed_and_then_one_per_interval);
    tcase_add_test(tc, one_does_not_pay_for_another);
    tcase_add_test(tc, a_look_counts_nothing);
    tcase_add_test(tc, after_a_rest_the_burst_is_whole_and_no_larger);
    tcase_add_test(tc, many_names_take_no_more_room_and_a_busy_one_is_not_forgotten);
    suite_add_tcase(suite, tc);
    return suite;
}
