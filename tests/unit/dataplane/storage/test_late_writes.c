/* SPDX-License-Identifier: Apache-2.0 */
/* What is durable in the write-ahead log and not yet in its segment: read, written, lost by nothing. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/late_rig.h"

#define LATE_MAX_BYTES (512 << 10) /* half of the rig's tail */

enum { LOGS = 20 };

static struct storage_rig rig;

static void setup(void)
{
    late_rig_start(&rig);
}

static void teardown(void)
{
    rig_done(&rig);
}

static void submit(void *context)
{
    replica_append_submit(context);
}

static void begin_append(struct appending *appending, struct replica *replica, size_t padding,
                         struct buffer *bytes)
{
    late_rig_prepare(&rig, appending, replica, padding, bytes);
    rig_call(&rig, submit, &appending->append);
}

/* How many it takes, with the one that waits, whose bytes stay. */
static int64_t append_until_one_waits(struct replica *replica, size_t padding,
                                      struct appending *waiting, struct buffer *bytes)
{
    for (int64_t count = 1;; count++) {
        ck_assert_int_lt(count, 200);
        begin_append(waiting, replica, padding, bytes);
        if (!waiting->is_done)
            return count;
        ck_assert_int_eq(waiting->append.error, KAFKA_NONE);
        buffer_done(bytes);
    }
}

/* --- reading --- */

START_TEST(what_is_late_is_read_from_memory)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 10; i++)
        rig_put(&rig, replica, 3);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 30);
    ck_assert_int_eq(rig_read_all(&rig, replica, 15, 15), 15);
}
END_TEST

START_TEST(times_are_found_in_what_is_late)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 10; i++) {
        struct sim_batch batch = rig_batch(&rig, 1);

        batch.timestamp_ms = 1000 * i;
        /* Half of it is in the file. */
        batch.padding = i == 4 ? 2 * ENOUGH_BYTES / 3 : 20000 / (i + 1);
        ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
    }
    ck_assert_int_gt(late_rig_file_size(&rig, 0), 0);
    ck_assert_int_lt(late_rig_file_size(&rig, 0), (int64_t)replica_snapshot(replica)->size_bytes);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(rig_lookup(&rig, replica, 1000 * i).offset, i);
        if (i > 0)
            ck_assert_int_eq(rig_lookup(&rig, replica, 1000 * i - 1).offset, i);
    }
    ck_assert_int_eq(rig_lookup(&rig, replica, -3).found_timestamp, 9000); /* the newest of all */
}
END_TEST

/* --- writing --- */

START_TEST(what_is_late_is_written_when_it_has_become_much)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 100; i++) {
        late_rig_put(&rig, replica);
        ck_assert_int_ge(late_rig_file_size(&rig, 0),
                         replica_snapshot(replica)->size_bytes - ENOUGH_BYTES - BATCH_BYTES);
    }
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 100);
}
END_TEST

START_TEST(what_is_late_of_many_logs_is_bounded)
{
    int64_t late = 0;

    for (int i = 0; i < LOGS; i++) {
        struct replica *replica = rig_open(&rig, i, 0);

        for (int n = 0; n < 6; n++)
            late_rig_put(&rig, replica); /* not enough in any */
    }
    for (int i = 0; i < LOGS; i++)
        late += 6 * BATCH_BYTES - (late_rig_file_size(&rig, i) > 0 ? 6 * BATCH_BYTES : 0);
    ck_assert_int_le(late, LATE_MAX_BYTES);
    ck_assert_int_gt(late, 0);
}
END_TEST

START_TEST(a_checkpoint_writes_what_is_late_and_then_needs_no_write_ahead_log)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 5);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), 0);
    sim_executor_run_for(rig.executor, 21 * SECOND_US);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), replica_snapshot(replica)->size_bytes);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

START_TEST(a_clean_end_writes_what_is_late)
{
    rig_put(&rig, rig_open(&rig, 0, 0), 5);
    late_rig_restart(&rig, RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

START_TEST(a_late_write_that_finds_no_room_is_tried_again)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_disk_faults faults = {.capacity_bytes = 1};

    for (int i = 0; i < 5; i++)
        late_rig_put(&rig, replica);
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, 25 * SECOND_US);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 5);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, 25 * SECOND_US);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), replica_snapshot(replica)->size_bytes);
    late_rig_put(&rig, replica);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 6);
}
END_TEST

/* Four mebibytes are what the rig's loop may keep; a log keeps at most its share of them. */
START_TEST(appends_wait_when_there_is_too_much_that_is_late_and_go_on_after_it)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct appending waiting;
    struct buffer bytes;
    int64_t put = 0;

    sim_executor_stall(rig.executor, WORKER_WRITE, LONG_US);
    put = append_until_one_waits(replica, 60000, &waiting, &bytes);
    ck_assert_int_gt(put, (4 << 20) / 60000 - 1);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(waiting.is_done);
    buffer_done(&bytes);
    ck_assert_int_eq(waiting.append.error, KAFKA_NONE);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), put);
}
END_TEST

START_TEST(appends_are_refused_when_what_is_late_finds_no_room_on_the_disk)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_disk_faults faults = {.capacity_bytes = 1};
    struct appending waiting;
    struct buffer bytes;

    sim_executor_stall(rig.executor, WORKER_WRITE, LONG_US);
    (void)append_until_one_waits(replica, 60000, &waiting, &bytes);
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(waiting.is_done);
    buffer_done(&bytes);
    ck_assert_int_eq(waiting.append.error, KAFKA_KAFKA_STORAGE_ERROR);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, 2 * SECOND_US);
    late_rig_put(&rig, replica);
}
END_TEST

/* --- while one is under way --- */

START_TEST(small_appends_go_on_while_a_late_write_is_under_way_and_large_ones_wait)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct appending large;
    struct buffer bytes;

    late_rig_stall_write(&rig, replica, LONG_US);
    for (int i = 0; i < 7; i++)
        late_rig_put(&rig, replica);
    begin_append(&large, replica, 100000, &bytes);
    ck_assert(!large.is_done);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 14);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(large.is_done);
    ck_assert_int_eq(large.append.error, KAFKA_NONE);
    ck_assert_int_eq(large.append.base_offset, 14);
    buffer_done(&bytes);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), replica_snapshot(replica)->size_bytes);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 15);
}
END_TEST

START_TEST(an_append_that_finds_the_write_ahead_log_full_waits_for_the_late_write)
{
    struct replica *replica = NULL;
    struct appending waiting;
    struct buffer bytes;
    int64_t put = 0;

    rig.wal_file_bytes = 100000;
    late_rig_restart(&rig, RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    sim_executor_stall(rig.executor, WORKER_WRITE, LONG_US);
    put = append_until_one_waits(replica, BATCH_BYTES, &waiting, &bytes);
    ck_assert_int_eq(replica_snapshot(replica)->high_watermark, put - 1);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(waiting.is_done);
    buffer_done(&bytes);
    ck_assert_int_eq(waiting.append.error, KAFKA_NONE);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), put);
}
END_TEST

START_TEST(a_power_cut_during_a_late_write_loses_nothing)
{
    late_rig_stall_write(&rig, rig_open(&rig, 0, 0), LONG_US);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 7);
}
END_TEST

static void submit_all(void *context)
{
    struct appending *appendings = context;

    for (int i = 0; i < LOGS; i++)
        replica_append_submit(&appendings[i].append);
}

/* Logs that begin in one round, which does not end. */
static void begin_logs(int64_t changes)
{
    struct appending appendings[LOGS];
    struct buffer bytes[LOGS];

    for (int i = 0; i < LOGS; i++)
        late_rig_prepare(&rig, &appendings[i], rig_open(&rig, i, 0), 0, &bytes[i]);
    sim_disk_die_after(rig.disk, changes);
    rig_call(&rig, submit_all, appendings);
    for (int i = 0; i < LOGS; i++)
        buffer_done(&bytes[i]);
}

/* It dies when the catalogue knows the logs and the write-ahead log does not have their first bytes, or later. */
START_TEST(a_log_whose_first_bytes_were_lost_begins_again_and_is_kept)
{
    log_offset ends[LOGS];

    begin_logs(_i / 2);
    late_rig_restart(&rig, _i % 2 == 0 ? RIG_KILL : RIG_POWER_CUT);
    for (int i = 0; i < LOGS; i++) {
        struct replica *replica = rig_open(&rig, i, 1);

        late_rig_put(&rig, replica);
        ends[i] = replica_snapshot(replica)->high_watermark;
    }
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    rig_put(&rig, rig_open(&rig, LOGS, 1), 1); /* so that the checkpoints are durable */
    late_rig_restart(&rig, RIG_POWER_CUT);
    for (int i = 0; i < LOGS; i++) {
        struct replica *replica = rig_open(&rig, i, 2);

        ck_assert_ptr_nonnull(replica);
        ck_assert_int_eq(replica_snapshot(replica)->high_watermark, ends[i]);
    }
}
END_TEST

START_TEST(a_clean_end_waits_for_the_late_write_under_way)
{
    late_rig_stall_write(&rig, rig_open(&rig, 0, 0), SHORT_US);
    late_rig_restart(&rig, RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 7);
}
END_TEST

START_TEST(a_log_that_is_removed_during_its_late_write_leaves_nothing)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    late_rig_stall_write(&rig, replica, SHORT_US);
    rig_remove(&rig, replica);
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), 0);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.partitions, 0);
}
END_TEST

START_TEST(what_is_late_of_a_log_that_is_trimmed_whole_is_forgotten)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 5);
    ck_assert_int_eq(rig_trim(&rig, replica, -1).error, KAFKA_NONE);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 5);
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 5, 5), 1);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 5, 5), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/late_writes");
    TCase *tc = tcase_create("late_writes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_late_is_read_from_memory);
    tcase_add_test(tc, times_are_found_in_what_is_late);
    tcase_add_test(tc, what_is_late_is_written_when_it_has_become_much);
    tcase_add_test(tc, what_is_late_of_many_logs_is_bounded);
    tcase_add_test(tc, a_checkpoint_writes_what_is_late_and_then_needs_no_write_ahead_log);
    tcase_add_test(tc, a_clean_end_writes_what_is_late);
    tcase_add_test(tc, a_late_write_that_finds_no_room_is_tried_again);
    tcase_add_test(tc, appends_wait_when_there_is_too_much_that_is_late_and_go_on_after_it);
    tcase_add_test(tc, appends_are_refused_when_what_is_late_finds_no_room_on_the_disk);
    tcase_add_test(tc, small_appends_go_on_while_a_late_write_is_under_way_and_large_ones_wait);
    tcase_add_test(tc, an_append_that_finds_the_write_ahead_log_full_waits_for_the_late_write);
    tcase_add_test(tc, a_power_cut_during_a_late_write_loses_nothing);
    tcase_add_loop_test(tc, a_log_whose_first_bytes_were_lost_begins_again_and_is_kept, 52, 70);
    tcase_add_test(tc, a_clean_end_waits_for_the_late_write_under_way);
    tcase_add_test(tc, a_log_that_is_removed_during_its_late_write_leaves_nothing);
    tcase_add_test(tc, what_is_late_of_a_log_that_is_trimmed_whole_is_forgotten);
    suite_add_tcase(suite, tc);
    return suite;
}
