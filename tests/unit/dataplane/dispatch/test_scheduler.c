/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is, without sockets and handlers: requests here are a size and a kind, and "serving" one
 * writes down whose it was. */
#include "dataplane/dispatch/scheduler.h"

#include "dataplane/dispatch/request.h"
#include "tests/simulation/sim_executor.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

enum { SESSIONS = 8, MOST = 4096, LARGE = 60000, SMALL = 100 };

static struct sim_executor *executor;
static struct loop *loop;
static struct scheduler scheduler;
static struct session sessions[SESSIONS];
static struct request *served[MOST];
static int served_count;
static struct session *leaves; /* when the next request is served */

/* --- what dispatch is to the scheduler --- */

struct request *dispatch_next(struct session *session)
{
    if (list_is_empty(&session->queued))
        return NULL;
    return container_of(session->queued.next, struct request, queued_link);
}

bool request_is_data(const struct request *request)
{
    return request->version == 0;
}

void dispatch_start(struct request *request)
{
    list_remove(&request->queued_link);
    served[served_count++] = request;
    if (leaves != NULL)
        scheduler_leave(&scheduler, leaves);
    leaves = NULL;
}

void connection_ref(struct connection *connection)
{
    (void)connection;
}

void connection_unref(struct connection *connection)
{
    (void)connection;
}

/* --- the tests' side --- */

static void setup(void)
{
    struct sim_executor_options options = {.loop_count = 1, .seed = 1};

    executor = sim_executor_new(&options);
    loop = sim_executor_loop(executor, 0);
    scheduler_init(&scheduler, loop, (struct hash_seed){1, 2});
    memset(sessions, 0, sizeof(sessions));
    served_count = 0;
    leaves = NULL;
    for (int i = 0; i < SESSIONS; i++) {
        list_init(&sessions[i].queued);
        list_init(&sessions[i].ready_link);
        /* Sessions 0 to 3 are of the first instance, 4 to 7 of the second. */
        ck_assert(scheduler_join(&scheduler, &sessions[i], i < SESSIONS / 2 ? 1 : 2));
    }
}

static void stop(void *context)
{
    scheduler_stop(context);
}

static void teardown(void)
{
    for (int i = 0; i < SESSIONS; i++) {
        scheduler_leave(&scheduler, &sessions[i]);
        while (!list_is_empty(&sessions[i].queued)) {
            struct list *link = list_pop_front(&sessions[i].queued);

            free(container_of(link, struct request, queued_link));
        }
    }
    for (int i = 0; i < served_count; i++)
        free(served[i]);
    sim_executor_call(executor, 0, stop, &scheduler);
    scheduler_done(&scheduler);
    sim_executor_free(executor);
}

struct arrival {
    int session, count;
    size_t bytes;
    bool is_control;
};

static void arrive(void *context)
{
    const struct arrival *arrival = context;
    struct session *session = &sessions[arrival->session];

    for (int i = 0; i < arrival->count; i++) {
        struct request *request = calloc(1, sizeof(*request));

        request->session = session;
        request->frame.len = arrival->bytes;
        request->version = arrival->is_control;
        request->correlation_id = i;
        list_push_back(&session->queued, &request->queued_link);
        scheduler_ready(&scheduler, session);
    }
}

static void put(int session, int count, size_t bytes, bool is_control)
{
    struct arrival arrival = {session, count, bytes, is_control};

    sim_executor_call(executor, 0, arrive, &arrival);
}

static bool step_until(int count)
{
    for (int i = 0; i < 100000 && served_count < count; i++)
        sim_executor_step(executor);
    return served_count >= count;
}

static int place_of(const struct session *session)
{
    for (int i = 0; i < served_count; i++) {
        if (served[i]->session == session)
            return i;
    }
    return -1;
}

START_TEST(a_neighbour_waits_for_one_quantum_and_not_for_the_backlog)
{
    for (int i = 0; i < 4; i++)
        put(i, 20, LARGE, false);
    put(4, 1, SMALL, false);
    ck_assert(step_until(81));
    ck_assert_int_le(place_of(&sessions[4]), 2);
}
END_TEST

START_TEST(two_backlogs_are_served_alike_in_bytes)
{
    int64_t bytes[2] = {0, 0};

    put(0, 30, LARGE, false);
    put(4, 600, SMALL, false);
    ck_assert(step_until(100));
    for (int i = 0; i < served_count; i++)
        bytes[served[i]->session == &sessions[0]] +=
            (int64_t)served[i]->frame.len + SCHEDULER_BASE_COST;
    ck_assert_int_le(llabs(bytes[0] - bytes[1]), 2 * SCHEDULER_QUANTUM);
}
END_TEST

START_TEST(control_comes_before_data_within_an_instance)
{
    for (int i = 0; i < 3; i++)
        put(i, 10, LARGE, false);
    put(3, 1, SMALL, true);
    ck_assert(step_until(31));
    ck_assert_int_eq(place_of(&sessions[3]), 0);
}
END_TEST

START_TEST(a_session_keeps_its_order)
{
    put(0, 50, LARGE, false);
    put(0, 50, SMALL, true);
    ck_assert(step_until(100));
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(served[i]->correlation_id, i % 50);
}
END_TEST

/* A step of the simulation is one run: between two of them timers and sockets get their turn. */
START_TEST(a_turn_ends_before_the_backlog_does)
{
    put(0, 200, LARGE, false);
    while (served_count < 200) {
        int before = served_count;

        ck_assert(sim_executor_step(executor));
        ck_assert_int_le(served_count - before, SCHEDULER_TURN_COST / LARGE + 2);
    }
}
END_TEST

START_TEST(large_answers_are_paid_for_later)
{
    put(0, 40, SMALL, false);
    put(4, 40, SMALL, false);
    scheduler_charge(&sessions[0], 100 << 20);
    ck_assert(step_until(80));
    /* What it owes is bounded, so it comes again; but the other is through by then. */
    ck_assert_int_ge(place_of(&sessions[0]), 39);
}
END_TEST

START_TEST(who_leaves_while_another_is_served_is_forgotten)
{
    put(0, 1, SMALL, false);
    put(1, 5, SMALL, false);
    put(4, 1, SMALL, false);
    leaves = &sessions[1];
    ck_assert(step_until(2));
    sim_executor_run_for(executor, 1000000);
    ck_assert_int_eq(served_count, 2);
    ck_assert_int_eq(place_of(&sessions[1]), -1);
}
END_TEST

/* --- slots of workers --- */

static int gone;

static void on_go(struct check_slot *slot)
{
    (void)slot;
    gone++;
}

START_TEST(an_instance_has_a_few_batches_with_workers_and_the_rest_wait)
{
    struct check_slot slots[4], other, free_one = {0};

    gone = 0;
    for (int i = 0; i < 4; i++)
        scheduler_want_check(&slots[i], &sessions[i], on_go);
    ck_assert_int_eq(gone, SCHEDULER_MOST_CHECKS);
    scheduler_want_check(&other, &sessions[4], on_go);
    ck_assert_int_eq(gone, SCHEDULER_MOST_CHECKS + 1);
    scheduler_check_done(&scheduler, &slots[0]);
    ck_assert_int_eq(gone, SCHEDULER_MOST_CHECKS + 2);
    /* A session that goes takes its waiting batch out, and gives back what it held. */
    scheduler_leave(&scheduler, &sessions[3]);
    ck_assert_int_eq(gone, SCHEDULER_MOST_CHECKS + 3);
    scheduler_leave(&scheduler, &sessions[1]);
    scheduler_check_done(&scheduler, &slots[1]);
    scheduler_check_done(&scheduler, &slots[3]);
    scheduler_check_done(&scheduler, &slots[2]);
    scheduler_check_done(&scheduler, &other);
    scheduler_check_done(&scheduler, &free_one);
    ck_assert_int_eq(sessions[0].checks + sessions[1].checks + sessions[2].checks, 0);
    for (int i = 0; i < SCHEDULER_MOST_CHECKS; i++)
        scheduler_want_check(&slots[i], &sessions[0], on_go);
    ck_assert_int_eq(gone, SCHEDULER_MOST_CHECKS + 3 + SCHEDULER_MOST_CHECKS);
    for (int i = 0; i < SCHEDULER_MOST_CHECKS; i++)
        scheduler_check_done(&scheduler, &slots[i]);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/dispatch/scheduler");
    TCase *tc = tcase_create("scheduler");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_neighbour_waits_for_one_quantum_and_not_for_the_backlog);
    tcase_add_test(tc, two_backlogs_are_served_alike_in_bytes);
    tcase_add_test(tc, control_comes_before_data_within_an_instance);
    tcase_add_test(tc, a_session_keeps_its_order);
    tcase_add_test(tc, a_turn_ends_before_the_backlog_does);
    tcase_add_test(tc, large_answers_are_paid_for_later);
    tcase_add_test(tc, who_leaves_while_another_is_served_is_forgotten);
    tcase_add_test(tc, an_instance_has_a_few_batches_with_workers_and_the_rest_wait);
    suite_add_tcase(suite, tc);
    return suite;
}
