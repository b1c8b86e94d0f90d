/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/retention_clock.h"
#include "tests/support/check_main.h"

#define START_MS ((int64_t)1700000000000)
#define CHECK_US ((int64_t)30 * 1000 * 1000)
#define DAY_MS ((int64_t)86400 * 1000)

static struct retention_clock clock_;
static int64_t now_us;
static int64_t shift_ms; /* of the wall clock */

static void setup(void)
{
    now_us = 5000000;
    shift_ms = 0;
    retention_clock_init(&clock_, START_MS + now_us / 1000, now_us);
}

static int64_t right_ms(void)
{
    return START_MS + now_us / 1000;
}

static int64_t check_after(int64_t us)
{
    now_us += us;
    return retention_clock_read(&clock_, right_ms() + shift_ms, now_us);
}

START_TEST(a_clock_that_goes_right_is_believed)
{
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(check_after(CHECK_US), right_ms());
    /* A time server that mends it slowly, too. */
    for (int i = 0; i < 100; i++) {
        shift_ms += 500;
        ck_assert_int_eq(check_after(CHECK_US), right_ms() + shift_ms);
    }
}
END_TEST

START_TEST(after_a_jump_forward_time_goes_on_as_before)
{
    shift_ms = 10 * DAY_MS;
    for (int64_t i = 1; i <= 60; i++)
        ck_assert_int_eq(check_after(CHECK_US), right_ms() + i * RETENTION_CLOCK_ALLOWANCE_MS);
    /* Mended before half a day was over: as if nothing had been. */
    shift_ms = 0;
    ck_assert_int_eq(check_after(CHECK_US), right_ms());
    ck_assert_int_eq(check_after(RETENTION_CLOCK_DOUBT_US), right_ms());
}
END_TEST

START_TEST(a_jump_that_lasts_half_a_day_is_believed)
{
    int64_t until_us = 0;

    shift_ms = 10 * DAY_MS;
    ck_assert_int_lt(check_after(CHECK_US), right_ms() + DAY_MS);
    until_us = now_us + RETENTION_CLOCK_DOUBT_US;
    while (now_us + CHECK_US < until_us)
        ck_assert_int_lt(check_after(CHECK_US), right_ms() + DAY_MS);
    ck_assert_int_eq(check_after(CHECK_US), right_ms() + shift_ms);
    ck_assert_int_eq(check_after(CHECK_US), right_ms() + shift_ms);
}
END_TEST

START_TEST(a_second_jump_is_doubted_for_as_long_again)
{
    shift_ms = DAY_MS;
    ck_assert_int_lt(check_after(CHECK_US), right_ms() + DAY_MS / 2);
    (void)check_after(RETENTION_CLOCK_DOUBT_US - 2 * CHECK_US);
    shift_ms = 30 * DAY_MS;
    ck_assert_int_lt(check_after(CHECK_US), right_ms() + DAY_MS);
    ck_assert_int_lt(check_after(2 * CHECK_US), right_ms() + DAY_MS);
    ck_assert_int_eq(check_after(RETENTION_CLOCK_DOUBT_US), right_ms() + shift_ms);
}
END_TEST

START_TEST(backward_it_follows_at_once)
{
    shift_ms = -DAY_MS;
    ck_assert_int_eq(check_after(CHECK_US), right_ms() - DAY_MS);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/retention_clock");
    TCase *tc = tcase_create("retention_clock");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_clock_that_goes_right_is_believed);
    tcase_add_test(tc, after_a_jump_forward_time_goes_on_as_before);
    tcase_add_test(tc, a_jump_that_lasts_half_a_day_is_believed);
    tcase_add_test(tc, a_second_jump_is_doubted_for_as_long_again);
    tcase_add_test(tc, backward_it_follows_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}
