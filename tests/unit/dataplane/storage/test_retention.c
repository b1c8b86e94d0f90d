/* SPDX-License-Identifier: Apache-2.0 */
/* What retention takes, and when files go: each rule of README.md, one test. */
#include <stdlib.h>

#include "dataplane/storage/partition_log.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/one_log.h"

#define VIEWS 4

/* Four segments of ten offsets and 100 bytes, of times 1000, 2000, …; the last is the newest. */
static struct partition_log *log_of_four(void)
{
    struct partition_log *log = calloc(1, sizeof(*log));
    struct segment_view views[VIEWS];

    ck_assert_ptr_nonnull(log);
    log->id = one_log_identity(1);
    for (int i = 0; i < VIEWS; i++)
        views[i] = (struct segment_view){
            .segment = segment_new(&log->id, 10 * i, 0, 4096),
            .base_offset = 10 * i,
            .end_offset = 10 * i + 10,
            .size_bytes = 100,
            .max_timestamp = 1000 * (i + 1),
        };
    log->durable.closed = segment_list_new(views, VIEWS - 1);
    log->durable.active = views[VIEWS - 1];
    log->durable.end = log->head.end = 10 * VIEWS;
    return log;
}

static void free_log(struct partition_log *log)
{
    for (int i = 0; i < log->durable.closed->count; i++)
        segment_free(log->durable.closed->views[i].segment);
    segment_free(log->durable.active.segment);
    free(log->durable.closed);
    free(log);
}

/* Where the log of four would begin. */
static log_offset retained(const struct log_config *config, log_offset high_watermark,
                           int64_t now_ms)
{
    struct partition_log *log = log_of_four();
    log_offset log_start = partition_log_retention(log, config, high_watermark, now_ms);

    free_log(log);
    return log_start;
}

START_TEST(retention_by_time_takes_segments_whose_newest_record_is_older_than_retention_ms)
{
    struct log_config config = one_log_rolling;

    config.retention_ms = 500;
    ck_assert_int_eq(retained(&config, 40, 1500), -1);
    ck_assert_int_eq(retained(&config, 40, 1501), 10);
    ck_assert_int_eq(retained(&config, 40, 3501), 30);
    ck_assert_int_eq(retained(&config, 40, 4501), 40); /* the newest, too */
}
END_TEST

START_TEST(retention_ms_of_minus_one_keeps_for_ever)
{
    ck_assert_int_eq(retained(&one_log_rolling, 40, INT64_MAX / 2), -1);
}
END_TEST

START_TEST(retention_by_bytes_takes_a_segment_when_retention_bytes_are_left_without_it)
{
    static const struct {
        int64_t retention_bytes;
        log_offset log_start;
    } cases[] = {{400, -1}, {301, -1}, {300, 10}, {201, 10}, {200, 20}, {1, 30}, {0, 40}};
    struct log_config config = one_log_rolling;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config.retention_bytes = cases[i].retention_bytes;
        ck_assert_int_eq(retained(&config, 40, 0), cases[i].log_start);
    }
}
END_TEST

START_TEST(retention_takes_nothing_above_the_high_watermark)
{
    struct log_config config = one_log_rolling;

    config.retention_ms = 0;
    ck_assert_int_eq(retained(&config, 39, 100000), 30);
    ck_assert_int_eq(retained(&config, 29, 100000), 20);
    ck_assert_int_eq(retained(&config, 0, 100000), -1);
}
END_TEST

START_TEST(only_a_cleanup_policy_with_delete_lets_retention_take_anything)
{
    struct log_config config = one_log_rolling;

    config.retention_ms = 0;
    config.retention_bytes = 0;
    config.cleanup_policy = 0; /* the empty list */
    ck_assert_int_eq(retained(&config, 40, 100000), -1);
    config.cleanup_policy = CLEANUP_COMPACT;
    ck_assert_int_eq(retained(&config, 40, 100000), -1);
    config.cleanup_policy = CLEANUP_COMPACT | CLEANUP_DELETE;
    ck_assert_int_eq(retained(&config, 40, 100000), 40);
}
END_TEST

START_TEST(timestamps_in_the_future_keep_a_segment_and_old_ones_do_not)
{
    rig.config.retention_ms = HOUR_MS;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    one_log_open();
    one_log_put_at(rig.wall_ms - 2 * HOUR_MS);
    one_log_put_at(rig.wall_ms + HOUR_MS / 2);
    one_log_put_at(rig.wall_ms - 2 * HOUR_MS);
    one_log_pass_seconds(31);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 1);
    one_log_pass_seconds(3600);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 1);
    one_log_pass_seconds(1860);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 3);
}
END_TEST

START_TEST(retention_is_checked_every_thirty_seconds)
{
    rig.config.retention_ms = 1000;
    one_log_open();
    one_log_put_at(rig.wall_ms - HOUR_MS);
    one_log_pass_seconds(28);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 0);
    one_log_pass_seconds(3);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 1);
}
END_TEST

START_TEST(a_wall_clock_that_jumps_forward_by_days_does_not_empty_the_log)
{
    rig.config.retention_ms = HOUR_MS;
    one_log_open();
    one_log_put(3);
    one_log_pass_seconds(60);
    sim_executor_shift_wall(rig.executor, 240 * HOUR_MS);
    one_log_pass_seconds(600);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 0);
    /* They do become old. */
    one_log_pass_seconds(3600);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 3);
}
END_TEST

START_TEST(producers_are_known_when_their_records_are_gone)
{
    struct sim_batch first = rig_batch(&rig, 2);
    struct sim_batch next = rig_batch(&rig, 1);

    first.producer_id = next.producer_id = 77;
    next.base_sequence = 2;
    rig.config.retention_ms = 1000;
    one_log_open();
    ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
    one_log_pass_seconds(61);
    ck_assert_int_eq(replica_snapshot(replica)->size_bytes, 0);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        one_log_restart((enum rig_end)end);
        ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
    }
    ck_assert_int_eq(rig_append(&rig, replica, &next).base_offset, 2);
}
END_TEST

START_TEST(segments_below_the_log_start_go_whatever_the_policy)
{
    rig.config.cleanup_policy = 0;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    one_log_open();
    one_log_put(4);
    ck_assert_int_eq(rig_trim(&rig, replica, 2).error, KAFKA_NONE);
    one_log_pass_seconds(1);
    ck_assert_int_eq(one_log_file_size(0, ".log"), -1);
    ck_assert_int_eq(one_log_file_size(0, ".index"), -1);
    ck_assert_int_eq(one_log_file_size(1, ".log"), -1);
    ck_assert_int_gt(one_log_file_size(2, ".log"), 0);
}
END_TEST

START_TEST(who_reads_a_segment_that_goes_reads_on_and_then_its_files_go)
{
    struct rig_reading reading;

    rig.config.segment_bytes = BATCH_A_SEGMENT;
    one_log_open();
    one_log_put(4);
    one_log_restart(RIG_CLEAN); /* nothing of it is in memory */
    sim_executor_stall(rig.executor, WORKER_READ, 10 * SECOND_US);
    rig_begin_read(&rig, replica, 0, 1 << 20, &reading);
    ck_assert(!reading.is_done);
    ck_assert_int_eq(rig_trim(&rig, replica, 3).error, KAFKA_NONE);
    one_log_pass_seconds(5);
    ck_assert(!reading.is_done);
    ck_assert_int_gt(one_log_file_size(0, ".log"), 0);
    one_log_pass_seconds(10);
    ck_assert(reading.is_done);
    ck_assert_int_eq(reading.read.error, KAFKA_NONE);
    rig_check_records(&reading.read, 0, 0);
    ck_assert_uint_gt(reading.read.records_len, 0);
    replica_read_done(&reading.read);
    one_log_pass_seconds(1);
    ck_assert_int_eq(one_log_file_size(0, ".log"), -1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/retention");
    TCase *tc = tcase_create("retention");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, one_log_begin, one_log_end);
    tcase_add_test(tc,
                   retention_by_time_takes_segments_whose_newest_record_is_older_than_retention_ms);
    tcase_add_test(tc, retention_ms_of_minus_one_keeps_for_ever);
    tcase_add_test(tc, retention_by_bytes_takes_a_segment_when_retention_bytes_are_left_without_it);
    tcase_add_test(tc, retention_takes_nothing_above_the_high_watermark);
    tcase_add_test(tc, only_a_cleanup_policy_with_delete_lets_retention_take_anything);
    tcase_add_test(tc, timestamps_in_the_future_keep_a_segment_and_old_ones_do_not);
    tcase_add_test(tc, retention_is_checked_every_thirty_seconds);
    tcase_add_test(tc, a_wall_clock_that_jumps_forward_by_days_does_not_empty_the_log);
    tcase_add_test(tc, producers_are_known_when_their_records_are_gone);
    tcase_add_test(tc, segments_below_the_log_start_go_whatever_the_policy);
    tcase_add_test(tc, who_reads_a_segment_that_goes_reads_on_and_then_its_files_go);
    suite_add_tcase(suite, tc);
    return suite;
}
