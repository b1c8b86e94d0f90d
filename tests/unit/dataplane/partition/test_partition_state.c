/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/partition/partition_state.h"
#include "tests/support/check_main.h"

static struct partition_state state;

static void setup(void)
{
    partition_state_init(&state, 1, 10);
}

START_TEST(alone_the_flushed_offset_is_the_high_watermark)
{
    const int32_t self[] = {1};

    ck_assert_int_eq(state.high_watermark, 10);
    ck_assert(!partition_state_flushed(&state, 1, 11)); /* nobody leads yet */
    ck_assert(partition_state_lead(&state, 0, 0, self, 1));
    ck_assert_int_eq(state.high_watermark, 11);
    ck_assert(partition_state_flushed(&state, 1, 20));
    ck_assert_int_eq(state.high_watermark, 20);
    ck_assert(!partition_state_flushed(&state, 1, 15));
    ck_assert_int_eq(state.high_watermark, 20);
}
END_TEST

START_TEST(the_slowest_in_sync_replica_decides_and_others_do_not)
{
    const int32_t three[] = {1, 2, 3};
    const int32_t two[] = {1, 2};

    ck_assert(partition_state_lead(&state, 0, 0, three, 3));
    ck_assert(!partition_state_flushed(&state, 1, 30));
    ck_assert(!partition_state_flushed(&state, 2, 20));
    ck_assert(partition_state_flushed(&state, 3, 15));
    ck_assert_int_eq(state.high_watermark, 15);
    ck_assert(partition_state_lead(&state, 0, 1, two, 2));
    ck_assert_int_eq(state.high_watermark, 20);
}
END_TEST

START_TEST(the_high_watermark_never_falls_when_one_that_is_behind_joins)
{
    const int32_t two[] = {1, 2};
    const int32_t self[] = {1};

    ck_assert(partition_state_lead(&state, 0, 0, self, 1));
    partition_state_flushed(&state, 1, 30);
    ck_assert(partition_state_lead(&state, 0, 1, two, 2));
    partition_state_flushed(&state, 2, 12);
    ck_assert_int_eq(state.high_watermark, 30);
}
END_TEST

START_TEST(epochs_that_go_back_are_ignored)
{
    const int32_t self[] = {1};

    ck_assert(partition_state_lead(&state, 5, 3, self, 1));
    ck_assert(!partition_state_lead(&state, 4, 9, self, 1));
    ck_assert(!partition_state_lead(&state, 5, 2, self, 1));
    ck_assert(!partition_state_follow(&state, 5));
    ck_assert(partition_state_follow(&state, 6));
    ck_assert(!state.is_leader);
    ck_assert(!partition_state_lead(&state, 6, 0, self, 1));
    ck_assert(partition_state_lead(&state, 7, 0, self, 1));
    ck_assert(state.is_leader);
}
END_TEST

START_TEST(what_followers_said_to_an_earlier_leader_does_not_count)
{
    const int32_t two[] = {1, 2};

    ck_assert(partition_state_lead(&state, 0, 0, two, 2));
    partition_state_flushed(&state, 1, 30);
    partition_state_flushed(&state, 2, 20);
    ck_assert(partition_state_lead(&state, 1, 0, two, 2));
    partition_state_flushed(&state, 1, 40);
    ck_assert_int_eq(state.high_watermark, 20);
    partition_state_flushed(&state, 2, 25);
    ck_assert_int_eq(state.high_watermark, 25);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/partition/partition_state");
    TCase *tc = tcase_create("partition_state");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, alone_the_flushed_offset_is_the_high_watermark);
    tcase_add_test(tc, the_slowest_in_sync_replica_decides_and_others_do_not);
    tcase_add_test(tc, the_high_watermark_never_falls_when_one_that_is_behind_joins);
    tcase_add_test(tc, epochs_that_go_back_are_ignored);
    tcase_add_test(tc, what_followers_said_to_an_earlier_leader_does_not_count);
    suite_add_tcase(suite, tc);
    return suite;
}
