/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/producer_state.h"
#include "tests/support/check_main.h"

static struct producer_state state;
static int64_t next_offset;

static void setup(void)
{
    producer_state_init(&state, (struct hash_seed){1, 2});
    next_offset = 0;
}

static void teardown(void)
{
    producer_state_done(&state);
}

static struct record_batch batch_of(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
    return (struct record_batch){
        .base_offset = next_offset,
        .last_offset_delta = count - 1,
        .record_count = count,
        .producer_id = id,
        .producer_epoch = epoch,
        .base_sequence = sequence,
    };
}

static enum producer_verdict check(int64_t id, int16_t epoch, int32_t sequence, int32_t count,
                                   int64_t *ret_offset)
{
    struct record_batch batch = batch_of(id, epoch, sequence, count);
    struct producer_batch seen = {.base_offset = -1};
    enum producer_verdict verdict = producer_state_check(&state, &batch, &seen);

    if (ret_offset != NULL)
        *ret_offset = seen.base_offset;
    return verdict;
}

static struct producer_undo put(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
    struct record_batch batch = batch_of(id, epoch, sequence, count);
    struct producer_undo undo;

    ck_assert_int_eq(producer_state_append(&state, &batch, 1000, &undo), ERR_OK);
    next_offset += count;
    return undo;
}

START_TEST(an_unknown_producer_may_start_anywhere)
{
    ck_assert_int_eq(check(1, 0, 4711, 3, NULL), PRODUCER_ACCEPTED);
}
END_TEST

START_TEST(the_last_five_batches_are_known_again)
{
    int64_t offset = 0;

    for (int i = 0; i < 6; i++)
        put(1, 0, i * 2, 2);
    ck_assert_int_eq(check(1, 0, 0, 2, NULL), PRODUCER_OUT_OF_ORDER);
    for (int i = 1; i < 6; i++) {
        ck_assert_int_eq(check(1, 0, i * 2, 2, &offset), PRODUCER_DUPLICATE);
        ck_assert_int_eq(offset, i * 2);
    }
    ck_assert_int_eq(check(1, 0, 10, 1, NULL), PRODUCER_OUT_OF_ORDER);
    ck_assert_int_eq(check(1, 0, 12, 1, NULL), PRODUCER_ACCEPTED);
    ck_assert_int_eq(check(1, 0, 13, 1, NULL), PRODUCER_OUT_OF_ORDER);
}
END_TEST

START_TEST(sequences_wrap_to_zero)
{
    put(1, 0, INT32_MAX - 1, 3); /* MAX-1, MAX, 0 */
    ck_assert_int_eq(check(1, 0, 1, 1, NULL), PRODUCER_ACCEPTED);
    ck_assert_int_eq(check(1, 0, INT32_MAX - 1, 3, NULL), PRODUCER_DUPLICATE);
    put(2, 0, INT32_MAX, 1);
    ck_assert_int_eq(check(2, 0, 0, 1, NULL), PRODUCER_ACCEPTED);
}
END_TEST

START_TEST(a_new_epoch_forgets_the_batches_of_the_old)
{
    put(1, 3, 0, 1);
    ck_assert_int_eq(check(1, 2, 1, 1, NULL), PRODUCER_FENCED);
    ck_assert_int_eq(check(1, 4, 1, 1, NULL), PRODUCER_OUT_OF_ORDER);
    put(1, 4, 0, 1);
    ck_assert_int_eq(check(1, 4, 1, 1, NULL), PRODUCER_ACCEPTED);
    ck_assert_int_eq(check(1, 3, 1, 1, NULL), PRODUCER_FENCED);
}
END_TEST

START_TEST(what_is_taken_back_was_never_there)
{
    struct producer_undo undos[7];
    int64_t offset = 0;

    undos[0] = put(1, 0, 0, 1);
    for (int i = 1; i < 7; i++)
        undos[i] = put(1, 0, i, 1);
    for (int i = 6; i >= 1; i--)
        producer_state_revert(&state, &undos[i]);
    ck_assert_int_eq(check(1, 0, 0, 1, &offset), PRODUCER_DUPLICATE);
    ck_assert_int_eq(offset, 0);
    ck_assert_int_eq(check(1, 0, 1, 1, NULL), PRODUCER_ACCEPTED);
    ck_assert_int_eq(check(1, 0, 6, 1, NULL), PRODUCER_OUT_OF_ORDER);
    producer_state_revert(&state, &undos[0]);
    ck_assert_uint_eq(state.table.count, 0);
}
END_TEST

START_TEST(a_snapshot_holds_everything_and_a_damaged_one_nothing)
{
    struct producer_state loaded;
    struct buffer bytes;
    int64_t offset = 0;

    for (int id = 0; id < 20; id++) {
        for (int i = 0; i <= id % 7; i++)
            put(id, (int16_t)id, i, 1);
    }
    buffer_init(&bytes, 1 << 20);
    ck_assert_int_eq(producer_state_save(&state, 77, &bytes), ERR_OK);
    producer_state_init(&loaded, (struct hash_seed){3, 4});
    for (size_t at = 0; at < bytes.len; at += 7) {
        bytes.data[at] ^= 1;
        ck_assert_int_eq(producer_state_load(&loaded, buffer_slice(&bytes), &offset), ERR_CORRUPT);
        ck_assert_uint_eq(loaded.table.count, 0);
        bytes.data[at] ^= 1;
    }
    ck_assert_int_eq(producer_state_load(&loaded, buffer_slice(&bytes), &offset), ERR_OK);
    ck_assert_int_eq(offset, 77);
    ck_assert_uint_eq(loaded.table.count, 20);
    producer_state_done(&state);
    producer_state_move(&state, &loaded);
    ck_assert_int_eq(check(6, 6, 2, 1, NULL), PRODUCER_DUPLICATE);
    ck_assert_int_eq(check(6, 6, 7, 1, NULL), PRODUCER_ACCEPTED);
    producer_state_done(&loaded);
    buffer_done(&bytes);
}
END_TEST

START_TEST(a_snapshot_with_a_time_before_the_epoch_is_corrupt)
{
    struct producer_state loaded;
    struct record_batch batch = batch_of(1, 0, 0, 1);
    struct buffer bytes;
    int64_t offset = 0;

    ck_assert_int_eq(producer_state_append(&state, &batch, -1000, NULL), ERR_OK);
    buffer_init(&bytes, 1 << 10);
    ck_assert_int_eq(producer_state_save(&state, 77, &bytes), ERR_OK);
    producer_state_init(&loaded, (struct hash_seed){3, 4});
    ck_assert_int_eq(producer_state_load(&loaded, buffer_slice(&bytes), &offset), ERR_CORRUPT);
    producer_state_done(&loaded);
    buffer_done(&bytes);
}
END_TEST

START_TEST(state_goes_after_a_day_and_the_oldest_when_there_are_too_many)
{
    for (int64_t id = 0; id < PRODUCER_STATE_MAX + 10; id++)
        put(id, 0, 0, 1);
    ck_assert_uint_eq(state.table.count, PRODUCER_STATE_MAX);
    ck_assert_int_eq(check(0, 0, 0, 1, NULL), PRODUCER_ACCEPTED);
    ck_assert_int_eq(check(10, 0, 0, 1, NULL), PRODUCER_DUPLICATE);
    producer_state_expire(&state, 1000 + PRODUCER_EXPIRATION_MS - 1);
    ck_assert_uint_eq(state.table.count, PRODUCER_STATE_MAX);
    producer_state_expire(&state, 1000 + PRODUCER_EXPIRATION_MS);
    ck_assert_uint_eq(state.table.count, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/producer_state");
    TCase *tc = tcase_create("producer_state");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_unknown_producer_may_start_anywhere);
    tcase_add_test(tc, the_last_five_batches_are_known_again);
    tcase_add_test(tc, sequences_wrap_to_zero);
    tcase_add_test(tc, a_new_epoch_forgets_the_batches_of_the_old);
    tcase_add_test(tc, what_is_taken_back_was_never_there);
    tcase_add_test(tc, a_snapshot_holds_everything_and_a_damaged_one_nothing);
    tcase_add_test(tc, a_snapshot_with_a_time_before_the_epoch_is_corrupt);
    tcase_add_test(tc, state_goes_after_a_day_and_the_oldest_when_there_are_too_many);
    suite_add_tcase(suite, tc);
    return suite;
}
