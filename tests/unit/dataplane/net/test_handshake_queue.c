/* SPDX-License-Identifier: Apache-2.0 */
/* Which handshake has its turn, without sockets and TLS. */
#include "dataplane/net/handshake_queue.h"

#include "tests/simulation/sim_executor.h"
#include "tests/support/check_main.h"

enum { STEPS = 3 * HANDSHAKE_STEPS_A_TURN };

static struct sim_executor *executor;
static struct handshake_queue queue;
static struct handshake_step steps[STEPS];
static int gone[STEPS]; /* which was let go, in order */
static int gone_count;
static bool expected;

static void note_go(struct handshake_step *step)
{
    gone[gone_count++] = (int)(step - steps);
}

static void setup(void)
{
    struct sim_executor_options options = {.loop_count = 1, .seed = 1};

    executor = sim_executor_new(&options);
    handshake_queue_init(&queue, sim_executor_loop(executor, 0));
    for (int i = 0; i < STEPS; i++)
        handshake_step_init(&steps[i], note_go);
    gone_count = 0;
}

static void teardown(void)
{
    sim_executor_free(executor);
}

static void do_take(void *step)
{
    ck_assert_int_eq(handshake_step_take(&queue, step), expected);
}

static void take(int index, bool may_be_done)
{
    expected = may_be_done;
    sim_executor_call(executor, 0, do_take, &steps[index]);
}

static void take_all(void)
{
    for (int i = 0; i < STEPS; i++)
        take(i, i < HANDSHAKE_STEPS_A_TURN);
}

static void pass_turn(void)
{
    ck_assert(sim_executor_step(executor));
}

START_TEST(a_few_steps_are_done_in_a_turn_and_the_others_in_the_next_ones_in_their_order)
{
    take_all();
    for (int turn = 1; turn < STEPS / HANDSHAKE_STEPS_A_TURN; turn++) {
        pass_turn();
        ck_assert_int_eq(gone_count, turn * HANDSHAKE_STEPS_A_TURN);
    }
    for (int i = 0; i < gone_count; i++) {
        ck_assert_int_eq(gone[i], HANDSHAKE_STEPS_A_TURN + i);
        take(gone[i], true);
    }
}
END_TEST

START_TEST(who_comes_later_waits_behind_those_who_wait)
{
    for (int i = 0; i <= HANDSHAKE_STEPS_A_TURN; i++)
        take(i, i < HANDSHAKE_STEPS_A_TURN);
    pass_turn();
    ck_assert_int_eq(gone_count, 1);
    for (int i = 1; i < HANDSHAKE_STEPS_A_TURN; i++)
        take(HANDSHAKE_STEPS_A_TURN + i, true);
    take(STEPS - 1, false); /* the one that was let go has a part of this turn */
}
END_TEST

START_TEST(who_asks_again_while_it_waits_keeps_its_place)
{
    take_all();
    take(HANDSHAKE_STEPS_A_TURN, false);
    pass_turn();
    ck_assert_int_eq(gone[0], HANDSHAKE_STEPS_A_TURN);
    pass_turn();
    ck_assert_int_eq(gone_count, STEPS - HANDSHAKE_STEPS_A_TURN);
}
END_TEST

START_TEST(one_that_gave_up_is_not_let_go)
{
    take_all();
    handshake_step_give_up(&steps[HANDSHAKE_STEPS_A_TURN]);
    pass_turn();
    ck_assert_int_eq(gone_count, HANDSHAKE_STEPS_A_TURN);
    ck_assert_int_eq(gone[0], HANDSHAKE_STEPS_A_TURN + 1);
    /* Nor does it have a turn for later. */
    handshake_step_give_up(&steps[gone[0]]);
    take(gone[0], false);
}
END_TEST

START_TEST(when_nobody_comes_any_more_the_loop_has_nothing_to_do)
{
    take(0, true);
    pass_turn();
    ck_assert(!sim_executor_step(executor));
    take(0, true);
}
END_TEST

static void stop(void *unused)
{
    (void)unused;
    handshake_queue_stop(&queue);
}

START_TEST(after_the_stop_nobody_is_let_go)
{
    take_all();
    sim_executor_call(executor, 0, stop, NULL);
    ck_assert(!sim_executor_step(executor));
    take(0, false);
    ck_assert(!sim_executor_step(executor));
    ck_assert_int_eq(gone_count, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net/handshake_queue");
    TCase *tc = tcase_create("handshake_queue");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc,
                   a_few_steps_are_done_in_a_turn_and_the_others_in_the_next_ones_in_their_order);
    tcase_add_test(tc, who_comes_later_waits_behind_those_who_wait);
    tcase_add_test(tc, who_asks_again_while_it_waits_keeps_its_place);
    tcase_add_test(tc, one_that_gave_up_is_not_let_go);
    tcase_add_test(tc, when_nobody_comes_any_more_the_loop_has_nothing_to_do);
    tcase_add_test(tc, after_the_stop_nobody_is_let_go);
    suite_add_tcase(suite, tc);
    return suite;
}
