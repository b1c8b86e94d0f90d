/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/fetch_session.h"
#include "tests/support/check_main.h"

enum { SECOND = 1000000, INSTANCE = 7, OTHER = 8 };

static struct seeded_random random_source;
static struct fetch_sessions *sessions;

static void setup(void)
{
    seeded_random_init(&random_source, 5);
    sessions = fetch_sessions_new((struct hash_seed){1, 2}, &random_source.base, 2);
}

static void teardown(void)
{
    fetch_sessions_free(sessions);
}

static struct fetch_target target(const char *topic, int32_t partition)
{
    return (struct fetch_target){
        .topic = slice_from_cstring(topic), .partition = partition, .max_bytes = 100};
}

static struct fetch_session *open_with_one(int32_t instance, int64_t now_us)
{
    struct fetch_session *session = fetch_session_open(sessions, instance, false, now_us);
    struct fetch_target one = target("a", 0);

    ck_assert_ptr_nonnull(session);
    ck_assert(fetch_session_put(sessions, session, &one));
    return session;
}

START_TEST(a_session_goes_on_with_the_next_epoch_only)
{
    struct fetch_session *session = open_with_one(INSTANCE, 0);
    struct fetch_session *again = NULL;
    int32_t id = session->id;

    fetch_session_release(sessions, session);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 2, false, 0, &again),
                     KAFKA_INVALID_FETCH_SESSION_EPOCH);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 1, false, 0, &again),
                     KAFKA_NONE);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 2, false, 0, &again),
                     KAFKA_INVALID_FETCH_SESSION_EPOCH);
    fetch_session_release(sessions, again);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 2, false, 0, &again),
                     KAFKA_NONE);
    fetch_session_release(sessions, again);
}
END_TEST

START_TEST(a_session_of_another_instance_looks_unknown)
{
    struct fetch_session *session = open_with_one(INSTANCE, 0);
    struct fetch_session *again = NULL;
    int32_t id = session->id;

    fetch_session_release(sessions, session);
    ck_assert_int_eq(fetch_session_continue(sessions, OTHER, id, 1, false, 0, &again),
                     KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    fetch_session_close(sessions, OTHER, id);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 1, false, 0, &again),
                     KAFKA_NONE);
    fetch_session_release(sessions, again);
}
END_TEST

START_TEST(a_session_does_not_mix_names_and_ids)
{
    struct fetch_session *session = open_with_one(INSTANCE, 0);
    struct fetch_session *again = NULL;
    int32_t id = session->id;

    fetch_session_release(sessions, session);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 1, true, 0, &again),
                     KAFKA_FETCH_SESSION_TOPIC_ID_ERROR);
}
END_TEST

START_TEST(slots_are_counted_per_instance_and_an_idle_session_makes_room)
{
    fetch_session_release(sessions, open_with_one(INSTANCE, 0));
    fetch_session_release(sessions, open_with_one(INSTANCE, 0));
    ck_assert_ptr_null(fetch_session_open(sessions, INSTANCE, false, 60 * (int64_t)SECOND));
    fetch_session_release(sessions, open_with_one(OTHER, 0));
    fetch_session_release(sessions, open_with_one(INSTANCE, 121 * (int64_t)SECOND));
}
END_TEST

START_TEST(epochs_wrap_to_one)
{
    struct fetch_session *session = open_with_one(INSTANCE, 0);
    struct fetch_session *again = NULL;

    session->epoch = INT32_MAX;
    fetch_session_release(sessions, session);
    ck_assert_int_eq(
        fetch_session_continue(sessions, INSTANCE, session->id, INT32_MAX, false, 0, &again),
        KAFKA_NONE);
    ck_assert_int_eq(again->epoch, 1);
    fetch_session_release(sessions, again);
}
END_TEST

START_TEST(forgetting_the_last_partition_ends_the_session)
{
    struct fetch_session *session = open_with_one(INSTANCE, 0);
    struct fetch_session *again = NULL;
    int32_t id = session->id;

    fetch_session_forget(sessions, session, SLICE_LITERAL("a"), (struct uuid){{0}}, 0);
    fetch_session_release(sessions, session);
    ck_assert_int_eq(fetch_session_continue(sessions, INSTANCE, id, 1, false, 0, &again),
                     KAFKA_FETCH_SESSION_ID_NOT_FOUND);
}
END_TEST

START_TEST(a_served_partition_moves_behind_the_others)
{
    struct fetch_session *session = open_with_one(INSTANCE, 0);
    struct fetch_target two = target("b", 1);
    struct fetch_session_partition *first = NULL;

    ck_assert(fetch_session_put(sessions, session, &two));
    first = container_of(session->partitions.next, struct fetch_session_partition, link);
    fetch_session_rotate(session, first);
    ck_assert_ptr_eq(session->partitions.prev, &first->link);
    fetch_session_release(sessions, session);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/handlers/fetch_session");
    TCase *tc = tcase_create("fetch_session");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_session_goes_on_with_the_next_epoch_only);
    tcase_add_test(tc, a_session_of_another_instance_looks_unknown);
    tcase_add_test(tc, a_session_does_not_mix_names_and_ids);
    tcase_add_test(tc, slots_are_counted_per_instance_and_an_idle_session_makes_room);
    tcase_add_test(tc, epochs_wrap_to_one);
    tcase_add_test(tc, forgetting_the_last_partition_ends_the_session);
    tcase_add_test(tc, a_served_partition_moves_behind_the_others);
    suite_add_tcase(suite, tc);
    return suite;
}
