/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files, the offset index, and the epoch history. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/epoch_history.h"
#include "dataplane/storage/offset_index.h"
#include "dataplane/storage/segment.h"
#include "tests/support/check_main.h"

START_TEST(names_of_files_are_read_back_and_others_are_not_ours)
{
    char name[LOG_PATH_BYTES];
    log_offset base = 0;

    log_file_name(4711, SEGMENT_SUFFIX, name);
    ck_assert_str_eq(name, "00000000000000004711.log");
    ck_assert(log_parse_file_name(name, SEGMENT_SUFFIX, &base));
    ck_assert_int_eq(base, 4711);
    ck_assert(!log_parse_file_name(name, PRODUCERS_SUFFIX, &base));
    ck_assert(!log_parse_file_name("", SEGMENT_SUFFIX, &base));
    ck_assert(!log_parse_file_name("4711.log", SEGMENT_SUFFIX, &base));
    ck_assert(!log_parse_file_name("00000000000000004711.log.new", SEGMENT_SUFFIX, &base));
    ck_assert(!log_parse_file_name("99999999999999999999.log", SEGMENT_SUFFIX, &base));
    ck_assert(!log_parse_file_name("00000000000000004711.2.log", SEGMENT_SUFFIX, &base));
}
END_TEST

START_TEST(segments_that_the_cleaner_wrote_have_their_generation_in_their_names)
{
    static const char *const bad[] = {
        "00000000000000004711..log",
        "00000000000000004711.0.log",
        "00000000000000004711.07.log",
        "00000000000000004711.-1.log",
        "00000000000000004711.2147483648.log",
        "00000000000000004711.12345678901.log",
        "4711.2.log",
        "00000000000000004711.2.logs",
        "00000000000000004711",
        "",
    };
    struct log_identity id = {.partition = 3};
    struct segment *segment = segment_new(&id, 4711, 12, 4096);
    char name[LOG_PATH_BYTES];
    log_offset base = 0;
    int32_t generation = -1;

    segment_name(segment, SEGMENT_SUFFIX, name);
    ck_assert_str_eq(name, "00000000000000004711.12.log");
    ck_assert(segment_parse_name(name, SEGMENT_SUFFIX, &base, &generation));
    ck_assert_int_eq(base, 4711);
    ck_assert_int_eq(generation, 12);
    ck_assert(!segment_parse_name(name, SEGMENT_INDEX_SUFFIX, &base, &generation));
    segment_path(segment, SEGMENT_INDEX_SUFFIX, name);
    ck_assert_str_eq(name,
                     "topics/00000000-0000-0000-0000-000000000000/3/00000000000000004711.12.index");
    segment->generation = 0;
    segment_name(segment, SEGMENT_SUFFIX, name);
    ck_assert_str_eq(name, "00000000000000004711.log");
    ck_assert(segment_parse_name(name, SEGMENT_SUFFIX, &base, &generation));
    ck_assert_int_eq(generation, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!segment_parse_name(bad[i], SEGMENT_SUFFIX, &base, &generation), "%s",
                      bad[i]);
    segment_free(segment);
}
END_TEST

/* A batch of 1000 bytes at i * 1000, offsets i * 10, time from a saw. */
static void add(struct offset_index *index, int64_t i)
{
    struct record_batch batch = {
        .base_offset = i * 10,
        .size_bytes = 1000,
        .last_offset_delta = 9,
        .max_timestamp = i % 100 < 50 ? i : 0,
    };

    offset_index_add(index, &batch, i * 1000);
}

static void fill(struct offset_index *index, int64_t batches, int32_t interval_bytes)
{
    offset_index_init(index, interval_bytes);
    for (int64_t i = 0; i < batches; i++)
        add(index, i);
}

static int64_t position_of(const struct offset_index_entry *entry)
{
    return entry == NULL ? 0 : entry->position;
}

START_TEST(a_lookup_leads_to_or_before_what_is_sought_and_not_far_before)
{
    struct offset_index index;

    fill(&index, 1000, 5000);
    ck_assert_uint_gt(index.count, 10);
    for (int64_t offset = 0; offset < 10000; offset += 7) {
        int64_t position = position_of(offset_index_find_offset(&index, offset));
        int64_t wanted = offset / 10 * 1000;

        ck_assert_int_le(position, wanted);
        ck_assert_int_gt(position + 2 * 5000, wanted);
        ck_assert_int_eq(position % 1000, 0);
    }
    for (int64_t time = 1; time < 950; time++) {
        int64_t position = position_of(offset_index_find_timestamp(&index, time));

        /* Nothing before the position is as new. */
        for (int64_t i = 0; i < position / 1000; i++)
            ck_assert_int_lt(i % 100 < 50 ? i : 0, time);
    }
    offset_index_done(&index);
}
END_TEST

START_TEST(an_index_is_saved_and_loaded_and_a_damaged_one_is_refused)
{
    struct offset_index index, loaded;
    struct buffer bytes;

    fill(&index, 500, 5000);
    offset_index_init(&loaded, 70000);
    buffer_init(&bytes, 1 << 20);
    ck_assert_int_eq(offset_index_save(&index, 77, &bytes), ERR_OK);
    ck_assert_int_eq(offset_index_load(&loaded, buffer_slice(&bytes), 77, 500000), ERR_OK);
    ck_assert_uint_eq(loaded.count, index.count);
    ck_assert_int_eq(loaded.max_timestamp, index.max_timestamp);
    ck_assert_int_eq(loaded.interval_bytes, 5000);
    offset_index_done(&loaded);
    ck_assert_int_eq(offset_index_load(&loaded, buffer_slice(&bytes), 78, 500000), ERR_CORRUPT);
    ck_assert_int_eq(offset_index_load(&loaded, buffer_slice(&bytes), 77, 500001), ERR_CORRUPT);
    for (size_t at = 0; at < bytes.len; at += 3) {
        bytes.data[at] ^= 8;
        ck_assert_int_eq(offset_index_load(&loaded, buffer_slice(&bytes), 77, 500000), ERR_CORRUPT);
        ck_assert_uint_eq(loaded.count, 0);
        bytes.data[at] ^= 8;
    }
    for (size_t len = 0; len < bytes.len; len += 11)
        ck_assert_int_eq(offset_index_load(&loaded, slice_of(bytes.data, len), 77, 500000),
                         ERR_CORRUPT);
    buffer_done(&bytes);
    offset_index_done(&index);
}
END_TEST

START_TEST(what_is_cut_off_is_forgotten_and_may_be_written_again)
{
    struct offset_index index, whole;

    fill(&index, 1000, 5000);
    fill(&whole, 1000, 5000);
    offset_index_truncate(&index, 300500);
    ck_assert_int_le(index.covered_bytes, 300500);
    ck_assert_int_le(position_of(offset_index_find_offset(&index, 9999)), 300500);
    for (int64_t i = index.covered_bytes / 1000; i < 1000; i++)
        add(&index, i);
    ck_assert_uint_eq(index.count, whole.count);
    ck_assert_int_eq(index.max_timestamp, whole.max_timestamp);
    ck_assert_mem_eq(index.entries, whole.entries, index.count * sizeof(index.entries[0]));
    offset_index_done(&index);
    offset_index_done(&whole);
}
END_TEST

START_TEST(entries_are_an_interval_apart_or_more)
{
    static const int32_t intervals[] = {0, 1000, 4096, 65536};
    static const size_t counts[] = {999, 999, 199, 15}; /* every 1, 1, 5, 66 batches */

    for (int i = 0; i < 4; i++) {
        struct offset_index index;

        fill(&index, 1000, intervals[i]);
        ck_assert_uint_eq(index.count, counts[i]);
        for (size_t at = 1; at < index.count; at++)
            ck_assert_int_ge(index.entries[at].position - index.entries[at - 1].position,
                             intervals[i]);
        offset_index_done(&index);
    }
}
END_TEST

START_TEST(a_gap_is_not_indexed)
{
    struct offset_index index;

    fill(&index, 10, 5000);
    add(&index, 11);
    ck_assert_int_eq(index.covered_bytes, 10000);
    offset_index_done(&index);
}
END_TEST

START_TEST(epochs_end_where_the_next_begins)
{
    const struct epoch_entry entries[] = {{1, 0}, {4, 10}, {6, 20}};
    struct epoch_history *history = epoch_history_new(entries, 3);
    struct epoch_history *longer = NULL;
    leader_epoch epoch = 0;
    log_offset end = 0;

    ck_assert_int_eq(epoch_history_at(history, 0), 1);
    ck_assert_int_eq(epoch_history_at(history, 19), 4);
    ck_assert_int_eq(epoch_history_at(history, 99), 6);
    epoch_history_end(history, 5, 0, 30, &epoch, &end);
    ck_assert_int_eq(epoch, 4);
    ck_assert_int_eq(end, 20);
    epoch_history_end(history, 6, 0, 30, &epoch, &end);
    ck_assert_int_eq(end, 30);
    epoch_history_end(history, 7, 0, 30, &epoch, &end);
    ck_assert_int_eq(epoch, -1);
    ck_assert_int_eq(end, -1);
    /* Older than all. */
    epoch_history_end(history, 0, 5, 30, &epoch, &end);
    ck_assert_int_eq(epoch, 0);
    ck_assert_int_eq(end, 5);
    /* An epoch without a record is replaced by the next. */
    longer = epoch_history_with(history, 7, 20);
    ck_assert_int_eq(longer->count, 3);
    ck_assert_int_eq(epoch_history_latest(longer), 7);
    epoch_history_unref(history);
    epoch_history_unref(longer);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/segment");
    TCase *tc = tcase_create("segment");

    tcase_add_test(tc, names_of_files_are_read_back_and_others_are_not_ours);
    tcase_add_test(tc, segments_that_the_cleaner_wrote_have_their_generation_in_their_names);
    tcase_add_test(tc, a_lookup_leads_to_or_before_what_is_sought_and_not_far_before);
    tcase_add_test(tc, an_index_is_saved_and_loaded_and_a_damaged_one_is_refused);
    tcase_add_test(tc, what_is_cut_off_is_forgotten_and_may_be_written_again);
    tcase_add_test(tc, entries_are_an_interval_apart_or_more);
    tcase_add_test(tc, a_gap_is_not_indexed);
    tcase_add_test(tc, epochs_end_where_the_next_begins);
    suite_add_tcase(suite, tc);
    return suite;
}
