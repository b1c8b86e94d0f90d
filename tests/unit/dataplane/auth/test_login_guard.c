/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/auth/login_guard.h"
#include "tests/support/check_main.h"

#include <stdio.h>

#define NOW_US ((int64_t)1000000000)
#define KEY "0123456789abcdef"

static struct login_guard guard;
static bool is_notable;

static void setup(void)
{
    static const struct login_guard_limits limits = {.strangers = 5, .strangers_per_address = 3};

    login_guard_init(&guard, &limits, (struct hash_seed){1, 2});
}

static void teardown(void)
{
    login_guard_done(&guard);
}

static int64_t fail_ms(const char *address, const char *key_id, int64_t now_us)
{
    return login_guard_fail(&guard, address, key_id, now_us, &is_notable) / 1000;
}

START_TEST(failures_of_a_key_are_told_later_and_later_up_to_five_seconds)
{
    static const int64_t expected[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        ck_assert_int_eq(fail_ms("10.0.0.1", KEY, NOW_US), expected[i]);
    /* From wherever it is tried, and it is one key only. */
    ck_assert_int_eq(fail_ms("10.0.0.2", KEY, NOW_US), 5000);
    ck_assert_int_eq(fail_ms("10.0.0.2", "fedcba9876543210", NOW_US), 100);
}
END_TEST

START_TEST(an_address_has_some_failures_free_whatever_keys_it_tries)
{
    char key[20];

    for (int i = 0; i < LOGIN_GUARD_FREE_FAILURES; i++) {
        snprintf(key, sizeof(key), "%016d", i);
        ck_assert_int_eq(fail_ms("10.0.0.1", key, NOW_US), 100);
    }
    ck_assert_int_eq(fail_ms("10.0.0.1", "", NOW_US), 200);
    ck_assert_int_eq(fail_ms("10.0.0.1", "", NOW_US), 400);
    ck_assert_int_eq(fail_ms("10.0.0.2", "", NOW_US), 100);
}
END_TEST

START_TEST(failures_are_forgotten_one_by_one)
{
    for (int i = 0; i < 4; i++)
        fail_ms("10.0.0.1", KEY, NOW_US);
    ck_assert_int_eq(fail_ms("10.0.0.1", KEY, NOW_US + 2 * LOGIN_GUARD_FORGET_US), 400);
    ck_assert_int_eq(fail_ms("10.0.0.1", KEY, NOW_US + 100 * LOGIN_GUARD_FORGET_US), 100);
}
END_TEST

START_TEST(the_log_hears_of_powers_of_two)
{
    int lines = 0;

    for (int i = 0; i < 1000; i++) {
        fail_ms("10.0.0.1", "", NOW_US);
        lines += is_notable;
    }
    ck_assert_int_eq(lines, 10);
}
END_TEST

START_TEST(strangers_are_bounded_in_all_and_by_address)
{
    for (int i = 0; i < 3; i++)
        ck_assert(login_guard_admit(&guard, "10.0.0.1"));
    ck_assert(!login_guard_admit(&guard, "10.0.0.1"));
    ck_assert(login_guard_admit(&guard, "10.0.0.2"));
    ck_assert(login_guard_admit(&guard, "10.0.0.3"));
    ck_assert(!login_guard_admit(&guard, "10.0.0.4"));
    login_guard_leave(&guard, "10.0.0.1");
    ck_assert(login_guard_admit(&guard, "10.0.0.1"));
    for (int i = 0; i < 3; i++)
        login_guard_leave(&guard, "10.0.0.1");
    ck_assert(login_guard_admit(&guard, "10.0.0.4"));
}
END_TEST

START_TEST(memory_is_bounded_and_who_has_strangers_is_not_forgotten)
{
    char address[20];

    for (int i = 0; i < 3; i++)
        ck_assert(login_guard_admit(&guard, "10.0.0.1"));
    for (int i = 0; i < 3 * LOGIN_GUARD_ENTRIES; i++) {
        snprintf(address, sizeof(address), "a%d", i);
        fail_ms(address, "", NOW_US);
    }
    ck_assert_uint_le(guard.entries.count, LOGIN_GUARD_ENTRIES);
    ck_assert(!login_guard_admit(&guard, "10.0.0.1"));
    for (int i = 0; i < 3; i++)
        login_guard_leave(&guard, "10.0.0.1");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/auth/login_guard");
    TCase *tc = tcase_create("login_guard");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, failures_of_a_key_are_told_later_and_later_up_to_five_seconds);
    tcase_add_test(tc, an_address_has_some_failures_free_whatever_keys_it_tries);
    tcase_add_test(tc, failures_are_forgotten_one_by_one);
    tcase_add_test(tc, the_log_hears_of_powers_of_two);
    tcase_add_test(tc, strangers_are_bounded_in_all_and_by_address);
    tcase_add_test(tc, memory_is_bounded_and_who_has_strangers_is_not_forgotten);
    suite_add_tcase(suite, tc);
    return suite;
}
