/* SPDX-License-Identifier: Apache-2.0 */
/* When a segment ends: each rule of README.md, one test. */
#include "dataplane/storage/partition_log.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/one_log.h"

START_TEST(a_segment_ends_before_the_batch_that_would_make_it_larger_than_segment_bytes)
{
    rig.small_bytes_max = 1;
    one_log_restart(RIG_CLEAN);
    one_log_put(1);
    rig.config.segment_bytes = 3 * one_log_file_size(0, ".log");
    one_log_restart(RIG_CLEAN);
    one_log_put(2);
    ck_assert_int_eq(one_log_file_size(0, ".log"), rig.config.segment_bytes);
    one_log_put(1);
    ck_assert_int_eq(one_log_file_size(0, ".log"), rig.config.segment_bytes);
    ck_assert(one_log_begins_segment(3));
}
END_TEST

/* _i: how the broker ends in between; one more: it does not. */
START_TEST(a_segment_ends_when_a_batch_is_more_than_segment_ms_younger_than_its_first)
{
    int64_t first_ms = rig.wall_ms - 48 * HOUR_MS;

    rig.config.segment_ms = HOUR_MS;
    one_log_open();
    one_log_put_at(first_ms);
    one_log_put_at(first_ms - HOUR_MS);
    one_log_put_at(first_ms + HOUR_MS);
    if (_i <= RIG_CLEAN)
        one_log_restart((enum rig_end)_i);
    one_log_put_at(first_ms + HOUR_MS);
    for (log_offset base = 1; base <= 3; base++)
        ck_assert(!one_log_begins_segment(base));
    one_log_put_at(first_ms + HOUR_MS + 1);
    ck_assert(one_log_begins_segment(4));
    one_log_put_at(first_ms + 2 * HOUR_MS + 1);
    ck_assert(!one_log_begins_segment(5));
}
END_TEST

START_TEST(without_timestamps_a_segment_ends_by_the_wall_clock)
{
    struct log_identity id = one_log_identity(1);
    struct segment *segment = segment_new(&id, 0, 0, 4096);
    struct segment_view active = {.segment = segment, .first_append_ms = 70000};
    struct record_batch batch = {.size_bytes = 100, .max_timestamp = -1};

    segment_view_add(&active, &batch);
    ck_assert(!segment_must_roll(&active, &one_log_rolling, &batch, 71000));
    ck_assert(segment_must_roll(&active, &one_log_rolling, &batch, 71001));
    segment_free(segment);
}
END_TEST

START_TEST(segment_jitter_ms_is_taken_off_segment_ms_differently_for_each_segment)
{
    struct log_config config = one_log_rolling;
    int64_t least = INT64_MAX;
    int64_t most = 0;

    for (uint8_t i = 0; i < 100; i++) {
        struct log_identity id = one_log_identity(i);
        struct segment *segment = segment_new(&id, 1000 * i, 0, 4096);
        int64_t age_ms = 0;

        config.segment_jitter_ms = 0;
        ck_assert_int_eq(segment_age_max_ms(segment, &config), 1000);
        config.segment_jitter_ms = 400;
        age_ms = segment_age_max_ms(segment, &config);
        ck_assert_int_eq(segment_age_max_ms(segment, &config), age_ms);
        ck_assert_int_gt(age_ms, 600);
        ck_assert_int_le(age_ms, 1000);
        least = age_ms < least ? age_ms : least;
        most = age_ms > most ? age_ms : most;
        config.segment_jitter_ms = INT64_MAX;
        ck_assert_int_gt(segment_age_max_ms(segment, &config), 0);
        segment_free(segment);
    }
    ck_assert_int_lt(least, 650);
    ck_assert_int_gt(most, 950);
}
END_TEST

START_TEST(a_segment_ends_when_its_index_has_a_twelfth_of_segment_index_bytes_entries)
{
    rig.config.index_interval_bytes = 0;
    rig.config.segment_index_bytes = 36;
    one_log_open();
    one_log_put(5); /* the first batch needs no entry */
    ck_assert(!one_log_begins_segment(3));
    ck_assert(one_log_begins_segment(4));
    ck_assert_int_eq(one_log_file_size(0, ".index"), 44 + 3 * OFFSET_INDEX_ENTRY_BYTES);
    /* What was found at a start counts, too. */
    one_log_restart(RIG_CLEAN);
    one_log_put(3);
    ck_assert(!one_log_begins_segment(6));
    ck_assert(one_log_begins_segment(7));
}
END_TEST

static void append_gap_batch(log_offset base, log_offset end)
{
    struct buffer bytes;
    struct iovec iov;
    struct file *file = NULL;
    char path[128];

    buffer_init(&bytes, 1000);
    ck_assert_int_eq(record_batch_write_gap(base, end, 0, &bytes), ERR_OK);
    iov = (struct iovec){bytes.data, bytes.len};
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, sim_disk_file_size(rig.disk, path), &iov, 1),
                     ERR_OK);
    file->ops->close(file);
    buffer_done(&bytes);
}

START_TEST(a_segment_ends_before_an_offset_2_to_the_31_above_its_first)
{
    log_offset last = INT32_MAX;

    rig.small_bytes_max = 1;
    one_log_restart(RIG_CLEAN);
    one_log_put(1);
    rig_stop(&rig, RIG_KILL);
    append_gap_batch(1, last);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    one_log_open();
    ck_assert_int_eq(rig_put(&rig, replica, 1), last);
    ck_assert(!one_log_begins_segment(last));
    ck_assert_int_eq(rig_put(&rig, replica, 1), last + 1);
    ck_assert(one_log_begins_segment(last + 1));
    ck_assert_int_eq(rig_read_all(&rig, replica, last, 1), 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/segment_ends");
    TCase *tc = tcase_create("segment_ends");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, one_log_begin, one_log_end);
    tcase_add_test(tc,
                   a_segment_ends_before_the_batch_that_would_make_it_larger_than_segment_bytes);
    tcase_add_loop_test(tc,
                        a_segment_ends_when_a_batch_is_more_than_segment_ms_younger_than_its_first,
                        RIG_POWER_CUT, RIG_CLEAN + 2);
    tcase_add_test(tc, without_timestamps_a_segment_ends_by_the_wall_clock);
    tcase_add_test(tc, segment_jitter_ms_is_taken_off_segment_ms_differently_for_each_segment);
    tcase_add_test(tc, a_segment_ends_when_its_index_has_a_twelfth_of_segment_index_bytes_entries);
    tcase_add_test(tc, a_segment_ends_before_an_offset_2_to_the_31_above_its_first);
    suite_add_tcase(suite, tc);
    return suite;
}
