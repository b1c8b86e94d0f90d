/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/work_queue.h"

#include "tests/support/check_main.h"

#include <poll.h>
#include <pthread.h>

enum { MAX_SEEN = 16, WAIT_TRIES = 5000 };

/* What steps saw, and what they answer. */
struct script {
    pthread_mutex_t mutex;
    int steps; /* begun */
    int running, most_running;
    int running_by_kind[3], most_by_kind;
    int64_t delays[MAX_SEEN]; /* by number of step; WORK_DONE_MS after the last */
    int delay_count;
    int step_ms;
    int64_t remembered; /* item->instance_no as the last step found it */
};

static struct script script;
static struct work_queue *queue;

static int64_t step(void *context, int worker, struct work_item *item)
{
    int number = 0;

    (void)context;
    (void)worker;
    pthread_mutex_lock(&script.mutex);
    number = script.steps++;
    script.remembered = item->instance_no++;
    if (++script.running > script.most_running)
        script.most_running = script.running;
    if (++script.running_by_kind[item->kind] > script.most_by_kind)
        script.most_by_kind = script.running_by_kind[item->kind];
    pthread_mutex_unlock(&script.mutex);
    poll(NULL, 0, script.step_ms);
    pthread_mutex_lock(&script.mutex);
    script.running--;
    script.running_by_kind[item->kind]--;
    int64_t delay = number < script.delay_count ? script.delays[number] : WORK_DONE_MS;
    pthread_mutex_unlock(&script.mutex);
    return delay;
}

static int steps(void)
{
    pthread_mutex_lock(&script.mutex);
    int count = script.steps;
    pthread_mutex_unlock(&script.mutex);
    return count;
}

static void wait_for_steps(int count)
{
    for (int i = 0; i < WAIT_TRIES && steps() < count; i++)
        poll(NULL, 0, 1);
    ck_assert_int_ge(steps(), count);
}

static void wait_until_empty(void)
{
    for (int i = 0; i < WAIT_TRIES && work_queue_count(queue) > 0; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(work_queue_count(queue), 0);
}

static struct uuid id_of(uint8_t number)
{
    return (struct uuid){.bytes = {number}};
}

static void set_up(void)
{
    struct work_queue_events events = {.step = step};
    struct error error;

    script = (struct script){.mutex = PTHREAD_MUTEX_INITIALIZER};
    ck_assert_int_eq(work_queue_new(4, &events, &queue, &error), ERR_OK);
}

static void tear_down(void)
{
    work_queue_free(queue);
}

START_TEST(an_item_is_worked_on_until_it_is_done_and_then_forgotten)
{
    script.delays[0] = 0;
    script.delays[1] = 1;
    script.delay_count = 2;
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), false);
    wait_for_steps(3);
    wait_until_empty();
    ck_assert_int_eq(steps(), 3);
    ck_assert_int_eq(script.remembered, 2); /* what a step leaves in the item the next one finds */
}
END_TEST

START_TEST(an_item_pushed_twice_is_in_the_queue_once)
{
    script.delays[0] = 100000;
    script.delay_count = 1;
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), false);
    wait_for_steps(1);
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), false);
    ck_assert_uint_eq(work_queue_count(queue), 1);
    work_queue_push(queue, PROVISION_CELL, id_of(1), false);
    wait_for_steps(2);
    ck_assert_int_eq(script.remembered, 0); /* another kind is another item */
}
END_TEST

START_TEST(an_urgent_push_ends_a_wait_and_another_does_not)
{
    script.delays[0] = 100000;
    script.delay_count = 1;
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), false);
    wait_for_steps(1);
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), false);
    poll(NULL, 0, 20);
    ck_assert_int_eq(steps(), 1);
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), true);
    wait_for_steps(2);
    wait_until_empty();
}
END_TEST

START_TEST(an_item_pushed_while_it_runs_runs_once_more_from_the_start)
{
    script.step_ms = 30;
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), false);
    wait_for_steps(1);
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), true);
    work_queue_push(queue, PROVISION_INSTANCE, id_of(1), true);
    wait_until_empty();
    ck_assert_int_eq(steps(), 2);
    ck_assert_int_eq(script.most_running, 1);
    ck_assert_int_eq(script.remembered, 0);
}
END_TEST

START_TEST(different_items_run_at_the_same_time_one_item_never_twice)
{
    script.step_ms = 50;
    for (uint8_t i = 0; i < 4; i++)
        work_queue_push(queue, PROVISION_INSTANCE, id_of(i), true);
    wait_for_steps(4);
    wait_until_empty();
    ck_assert_int_gt(script.most_running, 1);
    script.most_by_kind = 0;
    for (int i = 0; i < 10; i++)
        work_queue_push(queue, PROVISION_CELL, id_of(9), true);
    wait_until_empty();
    ck_assert_int_eq(script.most_by_kind, 1);
}
END_TEST

START_TEST(a_queue_is_freed_with_items_waiting_and_running)
{
    script.step_ms = 20;
    script.delays[0] = 100000;
    script.delay_count = 1;
    for (uint8_t i = 0; i < 10; i++)
        work_queue_push(queue, PROVISION_CELL, id_of(i), false);
    wait_for_steps(1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("work_queue");
    TCase *tcase = tcase_create("work_queue");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, an_item_is_worked_on_until_it_is_done_and_then_forgotten);
    tcase_add_test(tcase, an_item_pushed_twice_is_in_the_queue_once);
    tcase_add_test(tcase, an_urgent_push_ends_a_wait_and_another_does_not);
    tcase_add_test(tcase, an_item_pushed_while_it_runs_runs_once_more_from_the_start);
    tcase_add_test(tcase, different_items_run_at_the_same_time_one_item_never_twice);
    tcase_add_test(tcase, a_queue_is_freed_with_items_waiting_and_running);
    suite_add_tcase(suite, tcase);
    return suite;
}
