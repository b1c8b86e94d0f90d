/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/random.h"
#include "common/port/timer_queue.h"
#include "tests/support/check_main.h"

START_TEST(timers_fire_by_deadline_and_equal_ones_in_arming_order)
{
    struct timer_queue queue;
    struct timer timers[4] = {{0}};

    timer_queue_init(&queue);
    timer_queue_start(&queue, &timers[0], 50);
    timer_queue_start(&queue, &timers[1], 10);
    timer_queue_start(&queue, &timers[2], 50);
    timer_queue_start(&queue, &timers[3], 20);
    ck_assert_ptr_eq(timer_queue_pop_due(&queue, 60), &timers[1]);
    ck_assert_ptr_eq(timer_queue_pop_due(&queue, 60), &timers[3]);
    ck_assert_ptr_eq(timer_queue_pop_due(&queue, 60), &timers[0]);
    ck_assert_ptr_eq(timer_queue_pop_due(&queue, 60), &timers[2]);
    ck_assert_ptr_null(timer_queue_pop_due(&queue, 60));
    timer_queue_done(&queue);
}
END_TEST

START_TEST(a_thousand_random_starts_and_stops_keep_the_order)
{
    static struct timer timers[1000];
    struct timer_queue queue;
    struct seeded_random random;
    int64_t last = -1;
    size_t fired = 0, stopped = 0;

    seeded_random_init(&random, 42);
    timer_queue_init(&queue);
    for (int i = 0; i < 1000; i++)
        timer_queue_start(&queue, &timers[i], (int64_t)seeded_random_below(&random, 500));
    for (int i = 0; i < 1000; i += 3) {
        timer_queue_stop(&queue, &timers[i]);
        ck_assert(!timer_is_armed(&timers[i]));
        stopped++;
    }
    for (int i = 1; i < 1000; i += 3)
        timer_queue_start(&queue, &timers[i], (int64_t)seeded_random_below(&random, 500));
    for (struct timer *timer = NULL; (timer = timer_queue_pop_due(&queue, 1000)) != NULL; fired++) {
        ck_assert_int_ge(timer->deadline_us, last);
        last = timer->deadline_us;
    }
    ck_assert_uint_eq(fired + stopped, 1000);
    timer_queue_done(&queue);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/timer_queue");
    TCase *tc = tcase_create("timer_queue");

    tcase_add_test(tc, timers_fire_by_deadline_and_equal_ones_in_arming_order);
    tcase_add_test(tc, a_thousand_random_starts_and_stops_keep_the_order);
    suite_add_tcase(suite, tc);
    return suite;
}
