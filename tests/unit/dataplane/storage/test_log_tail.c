/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/log_tail.h"

#include "tests/support/check_main.h"

#include <string.h>

enum { BATCHES = 1500, LARGEST = 900 };

static struct tail_budget budget;
static struct log_tail tail;
static int64_t position; /* in the segment, of what is put next */

/* Of the batch at each offset. */
static struct {
    struct tail_chunk *chunk;
    size_t at;
    size_t len;
    int64_t position;
} places[BATCHES];

static void setup(void)
{
    tail_budget_init(&budget, 1 << 30, NULL);
    log_tail_init(&tail, &budget, 0);
    position = 61;
}

static void teardown(void)
{
    log_tail_done(&tail);
}

static void put(log_offset offset, size_t len)
{
    static const uint8_t bytes[LARGEST];

    places[offset].len = len;
    places[offset].position = position;
    ck_assert_int_eq(log_tail_put(&tail, bytes, len, position, offset, offset + 1,
                                  &places[offset].chunk, &places[offset].at),
                     ERR_OK);
    position += (int64_t)len;
}

/* From where one begins to look, each batch is few others away. */
static void check_seeks(log_offset end)
{
    for (log_offset offset = 0; offset < end; offset++) {
        const struct tail_chunk *chunk = places[offset].chunk;
        size_t at = tail_chunk_seek(chunk, chunk->mark_count, offset);

        ck_assert_uint_le(at, places[offset].at);
        if (chunk->room >= 16384)
            ck_assert_uint_lt(places[offset].at - at, 4096 + 2 * LARGEST);
    }
}

START_TEST(looking_for_a_batch_begins_a_few_kib_before_it_at_most)
{
    for (log_offset offset = 0; offset < BATCHES; offset++)
        put(offset, 100 + (size_t)(offset * 7919 % (LARGEST - 100)));
    check_seeks(BATCHES);
}
END_TEST

START_TEST(marks_of_bytes_that_are_not_told_of_are_not_looked_at)
{
    const struct tail_chunk *chunk = NULL;

    for (log_offset offset = 0; offset < BATCHES; offset++)
        put(offset, 300);
    for (log_offset offset = 0; offset < BATCHES; offset++) {
        int told = tail_chunk_marks(places[offset].chunk, places[offset].at);

        chunk = places[offset].chunk;
        ck_assert_uint_le(tail_chunk_seek(chunk, told, BATCHES), places[offset].at);
        for (int i = 0; i < told; i++)
            ck_assert_uint_lt(chunk->marks[i].at, places[offset].at);
    }
}
END_TEST

START_TEST(what_is_put_in_the_place_of_batches_that_were_cut_off_is_found)
{
    log_offset end = BATCHES - 100;

    for (log_offset offset = 0; offset < BATCHES; offset++)
        put(offset, 300);
    log_tail_cut(&tail, end, places[end].chunk, places[end].at);
    for (log_offset offset = end; offset < BATCHES; offset++)
        put(offset, 700);
    check_seeks(BATCHES);
}
END_TEST

START_TEST(bytes_of_large_chunks_lie_in_memory_as_in_the_blocks_of_their_file)
{
    int large = 0;

    for (log_offset offset = 0; offset < BATCHES; offset++)
        put(offset, 100 + (size_t)(offset * 7919 % (LARGEST - 100)));
    for (log_offset offset = 0; offset < BATCHES; offset++) {
        const struct tail_chunk *chunk = places[offset].chunk;
        uintptr_t address = (uintptr_t)(chunk->data + places[offset].at);

        if (chunk->block_bytes < (size_t)64 << 10)
            continue;
        ck_assert_uint_eq(address % 4096, (uintptr_t)places[offset].position % 4096);
        large++;
    }
    ck_assert_int_gt(large, BATCHES / 2);
}
END_TEST

START_TEST(a_batch_of_any_size_has_room_wherever_it_belongs)
{
    static uint8_t bytes[300000];

    for (size_t len = 1; len < sizeof(bytes); len = len * 5 / 4 + 1) {
        for (int64_t from = 4090; from < 4100; from++) {
            struct log_tail other;
            struct tail_chunk *chunk = NULL;
            size_t at = 0;

            log_tail_init(&other, &budget, 1);
            ck_assert_int_eq(log_tail_put(&other, bytes, len, from, 0, 1, &chunk, &at), ERR_OK);
            ck_assert_uint_le(chunk->used, chunk->room);
            ck_assert(chunk->data + chunk->room <= (uint8_t *)chunk + chunk->block_bytes);
            log_tail_done(&other);
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("storage/log_tail");
    TCase *tc = tcase_create("marks");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, looking_for_a_batch_begins_a_few_kib_before_it_at_most);
    tcase_add_test(tc, marks_of_bytes_that_are_not_told_of_are_not_looked_at);
    tcase_add_test(tc, what_is_put_in_the_place_of_batches_that_were_cut_off_is_found);
    suite_add_tcase(suite, tc);

    tc = tcase_create("memory");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, bytes_of_large_chunks_lie_in_memory_as_in_the_blocks_of_their_file);
    tcase_add_test(tc, a_batch_of_any_size_has_room_wherever_it_belongs);
    suite_add_tcase(suite, tc);
    return suite;
}
