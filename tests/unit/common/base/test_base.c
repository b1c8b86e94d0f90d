/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/checked.h"
#include "common/base/list.h"
#include "common/base/slice.h"
#include "tests/support/check_main.h"

START_TEST(null_slice_differs_from_empty_slice)
{
    ck_assert(!slice_equal(SLICE_NULL, SLICE_LITERAL("")));
    ck_assert(slice_equal(SLICE_NULL, SLICE_NULL));
}
END_TEST

START_TEST(a_sum_that_overflows_is_refused)
{
    size_t sum = 7;

    ck_assert(!checked_add(SIZE_MAX, 1, &sum));
    ck_assert(checked_add(1, 2, &sum));
    ck_assert_uint_eq(sum, 3);
}
END_TEST

START_TEST(list_keeps_order_and_survives_removal_while_walked)
{
    struct list head, nodes[3];
    int seen = 0;

    list_init(&head);
    for (int i = 0; i < 3; i++)
        list_push_back(&head, &nodes[i]);
    list_for_each(&head, node)
    {
        ck_assert_ptr_eq(node, &nodes[seen]);
        list_remove(node);
        seen++;
    }
    ck_assert_int_eq(seen, 3);
    ck_assert(list_is_empty(&head));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/base");
    TCase *tc = tcase_create("base");

    tcase_add_test(tc, null_slice_differs_from_empty_slice);
    tcase_add_test(tc, a_sum_that_overflows_is_refused);
    tcase_add_test(tc, list_keeps_order_and_survives_removal_while_walked);
    suite_add_tcase(suite, tc);
    return suite;
}
