/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/frame_reader.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

static struct memory_budget budget;

static void setup(void)
{
    static const struct memory_limits limits = {.limit_bytes = 200 << 20,
                                                .shared_bytes = 200 << 20,
                                                .instance_bytes = 200 << 20,
                                                .stranger_bytes = 200 << 20};

    memory_budget_init(&budget, &limits);
}

static void teardown(void)
{
    ck_assert_int_eq(budget.used_bytes, 0);
    ck_assert_int_eq(budget.strangers.used_bytes, 0);
    ck_assert(!budget.has_finisher);
}

START_TEST(frames_come_out_whole_whatever_the_pieces)
{
    static const uint8_t bytes[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 1, 'z'};
    static const size_t sizes[] = {3, 0, 1};
    size_t step = (size_t)_i + 1;
    struct frame_reader reader;
    size_t frames = 0;

    frame_reader_init(&reader, &budget, &budget.strangers, NULL, 100);
    for (size_t at = 0; at < sizeof(bytes); at += step) {
        size_t part = sizeof(bytes) - at < step ? sizeof(bytes) - at : step;
        struct slice piece = slice_of(bytes + at, part);
        struct frame frame;

        do {
            ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
            if (frame_reader_take(&reader, &frame)) {
                ck_assert_uint_lt(frames, 3);
                ck_assert_uint_eq(frame.len, sizes[frames++]);
                frame_free(&budget, &frame);
            }
        } while (piece.len > 0);
    }
    ck_assert_uint_eq(frames, 3);
    ck_assert(!frame_reader_is_partial(&reader));
    frame_reader_done(&reader);
}
END_TEST

static const uint8_t bad_sizes[][4] = {
    {0, 0, 0, 101}, {0xff, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}, {0x16, 3, 1, 0}};

START_TEST(a_length_that_is_negative_or_over_the_limit_is_refused)
{
    struct frame_reader reader;
    struct slice piece = slice_of(bad_sizes[_i], 4);

    frame_reader_init(&reader, &budget, &budget.strangers, NULL, 100);
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_TOO_LARGE);
    ck_assert_ptr_null(reader.data);
    frame_reader_done(&reader);
}
END_TEST

START_TEST(a_large_announced_length_takes_memory_only_as_bytes_come)
{
    static const uint8_t size[] = {6, 0, 0, 0}; /* 96 MiB */
    struct frame_reader reader;
    struct slice piece = slice_of(size, 4);

    frame_reader_init(&reader, &budget, &budget.strangers, NULL, 100 * 1048576);
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    ck_assert_ptr_null(reader.data);
    ck_assert_int_eq(budget.used_bytes, 0);
    piece = SLICE_LITERAL("x");
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    ck_assert_uint_le(reader.capacity, 20480);
    ck_assert_int_eq(budget.used_bytes, (int64_t)reader.capacity);
    ck_assert(frame_reader_is_partial(&reader));
    frame_reader_done(&reader);
}
END_TEST

START_TEST(a_large_frame_is_read_in_place)
{
    enum { SIZE = 1000000 };
    static const uint8_t size[] = {0, SIZE >> 16, (SIZE >> 8) & 255, SIZE & 255, 'x'};
    struct frame_reader reader;
    struct slice piece = slice_of(size, 5);
    struct frame frame;
    size_t filled = 1;
    size_t others = 0;

    frame_reader_init(&reader, &budget, &budget.strangers, NULL, 100 * 1048576);
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    for (;;) {
        uint8_t *room = NULL;
        size_t len = 0;

        frame_reader_room(&reader, &room, &len);
        if (len == 0)
            break;
        len = len < 50000 ? len : 50000;
        memset(room, 'x', len);
        frame_reader_filled(&reader, len);
        filled += len;
    }
    /* The last few bytes come through other memory. */
    ck_assert_uint_gt(filled, SIZE - 20000);
    while (filled < SIZE) {
        piece = SLICE_LITERAL("x");
        ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
        filled++;
    }
    ck_assert(frame_reader_take(&reader, &frame));
    ck_assert_uint_eq(frame.len, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        others += frame.data[i] != 'x';
    ck_assert_uint_eq(others, 0);
    frame_free(&budget, &frame);
}
END_TEST

/* The first 20 KiB: the block that they are in next is that of the whole frame, and so much of it is paid for as comes. */
START_TEST(bytes_of_a_frame_of_two_mebibytes_move_once)
{
    enum { SIZE = 2 << 20 };
    static const uint8_t start[] = {0, 0x20, 0, 0, 'a'};
    struct slice piece = slice_of(start, sizeof(start));
    struct frame_reader reader;
    struct frame frame;
    const uint8_t *first = NULL;
    uint8_t *room = NULL;
    size_t len = 0;

    frame_reader_init(&reader, &budget, &budget.strangers, NULL, 100 * 1048576);
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    for (size_t filled = 1; filled < SIZE; filled += len) {
        frame_reader_room(&reader, &room, &len);
        ck_assert_uint_gt(len, 0);
        if (filled >= 20 * 1024 && first == NULL)
            first = room - filled;
        if (first != NULL)
            ck_assert_ptr_eq(room - filled, first);
        ck_assert_int_le(budget.used_bytes, filled < 20 * 1024 ? 20 * 1024 : 4 * (int64_t)filled);
        memset(room, 'x', len);
        frame_reader_filled(&reader, len);
    }
    ck_assert(frame_reader_take(&reader, &frame));
    ck_assert_ptr_eq(frame.data, first);
    ck_assert_uint_eq(frame.data[0], 'a');
    frame_free(&budget, &frame);
}
END_TEST

START_TEST(while_memory_is_short_no_byte_is_taken_and_then_all_goes_on)
{
    static const uint8_t size[] = {0, 0, 100, 0, 'a'};
    struct memory_limits limits = budget.limits;
    struct frame_reader reader;
    struct slice piece = slice_of(size, 5);
    struct frame frame;

    limits.stranger_bytes = 20000;
    memory_budget_init(&budget, &limits);
    frame_reader_init(&reader, &budget, &budget.strangers, NULL, 100 * 1048576);
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_LIMIT);
    ck_assert_uint_eq(piece.len, 1);
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_LIMIT);
    budget.limits.stranger_bytes = 21000;
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    ck_assert_uint_eq(piece.len, 0);
    for (int i = 1; i < 20480; i++) {
        piece = SLICE_LITERAL("b");
        ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    }
    piece = SLICE_LITERAL("c");
    ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_LIMIT);
    ck_assert_uint_eq(piece.len, 1);
    budget.limits.stranger_bytes = 25600;
    for (int i = 20480; i < 25600; i++) {
        piece = SLICE_LITERAL("d");
        ck_assert_int_eq(frame_reader_feed(&reader, &piece), ERR_OK);
    }
    ck_assert(frame_reader_take(&reader, &frame));
    ck_assert_int_eq(budget.used_bytes, 25600);
    frame_free(&budget, &frame);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/net/frame_reader");
    TCase *tc = tcase_create("frame_reader");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, frames_come_out_whole_whatever_the_pieces, 0, 16);
    tcase_add_loop_test(tc, a_length_that_is_negative_or_over_the_limit_is_refused, 0, 4);
    tcase_add_test(tc, a_large_announced_length_takes_memory_only_as_bytes_come);
    tcase_add_test(tc, bytes_of_a_frame_of_two_mebibytes_move_once);
    tcase_add_test(tc, while_memory_is_short_no_byte_is_taken_and_then_all_goes_on);
    tcase_add_test(tc, a_large_frame_is_read_in_place);
    suite_add_tcase(suite, tc);
    return suite;
}
