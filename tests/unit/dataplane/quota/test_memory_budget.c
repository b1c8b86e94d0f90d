/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/quota/memory_budget.h"
#include "tests/support/check_main.h"

static struct memory_budget budget;
static struct memory_account hog, neighbour;

static void setup(void)
{
    static const struct memory_limits limits = {.limit_bytes = 1000,
                                                .shared_bytes = 700,
                                                .guarantee_bytes = 100,
                                                .instance_bytes = 600,
                                                .stranger_bytes = 50};

    memory_budget_init(&budget, &limits);
    hog = neighbour = (struct memory_account){0};
}

START_TEST(an_instance_takes_what_its_limit_allows_and_no_byte_more)
{
    ck_assert(memory_take(&budget, &hog, 600));
    ck_assert(!memory_take(&budget, &hog, 1));
    memory_give(&budget, &hog, 1);
    ck_assert(memory_take(&budget, &hog, 1));
    ck_assert_int_eq(hog.used_bytes, 600);
    ck_assert_int_eq(budget.used_bytes, 600);
}
END_TEST

START_TEST(a_hog_cannot_take_what_is_guaranteed_to_its_neighbour)
{
    struct memory_account third = {0};

    ck_assert(memory_take(&budget, &hog, 600));
    ck_assert(memory_take(&budget, &third, 100));
    ck_assert(!memory_take(&budget, &third, 1)); /* borrowing has come to its end */
    ck_assert(memory_take(&budget, &neighbour, 100));
    ck_assert(!memory_take(&budget, &neighbour, 1));
    ck_assert_int_eq(budget.refusals, 2);
}
END_TEST

START_TEST(nobody_passes_the_limit_of_the_broker)
{
    memory_force(&budget, &hog, 950);
    ck_assert(memory_take(&budget, &neighbour, 50));
    ck_assert(!memory_take(&budget, &neighbour, 1));
    memory_give(&budget, &hog, 950);
    ck_assert(memory_take(&budget, &neighbour, 1));
}
END_TEST

START_TEST(strangers_have_a_share_of_their_own)
{
    bool stranger = false;

    ck_assert(memory_take(&budget, &budget.strangers, 50));
    ck_assert(!memory_take(&budget, &budget.strangers, 1));
    ck_assert(!memory_take_to_finish(&budget, &budget.strangers, &stranger, 1));
    ck_assert(memory_take(&budget, &neighbour, 100));
}
END_TEST

START_TEST(one_frame_at_a_time_may_finish_whatever_is_left)
{
    bool first = false, second = false;

    ck_assert(memory_take(&budget, &hog, 600));
    ck_assert(memory_take_to_finish(&budget, &hog, &first, 500));
    ck_assert(!memory_take_to_finish(&budget, &hog, &second, 10));
    ck_assert(memory_take_to_finish(&budget, &hog, &first, 500));
    memory_finished(&budget, &second); /* it is not the finisher: nothing happens */
    ck_assert(!memory_take_to_finish(&budget, &hog, &second, 10));
    memory_finished(&budget, &first);
    ck_assert(memory_take_to_finish(&budget, &hog, &second, 10));
    ck_assert_int_eq(hog.used_bytes, 1610);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/quota/memory_budget");
    TCase *tc = tcase_create("memory_budget");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, an_instance_takes_what_its_limit_allows_and_no_byte_more);
    tcase_add_test(tc, a_hog_cannot_take_what_is_guaranteed_to_its_neighbour);
    tcase_add_test(tc, nobody_passes_the_limit_of_the_broker);
    tcase_add_test(tc, strangers_have_a_share_of_their_own);
    tcase_add_test(tc, one_frame_at_a_time_may_finish_whatever_is_left);
    suite_add_tcase(suite, tc);
    return suite;
}
