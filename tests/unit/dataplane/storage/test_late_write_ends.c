/* SPDX-License-Identifier: Apache-2.0 */
/* What comes after a late write, whichever way it ended. */
#include "dataplane/storage/record_batch.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/late_rig.h"

#define WAL_STEP_BYTES (256 << 10) /* a 256th of a file: it grows by so much */

enum { BEFORE_CHECKPOINT = 40 /* appends one by one */ };

static struct storage_rig rig;

static void setup(void)
{
    late_rig_start(&rig);
}

static void teardown(void)
{
    rig_done(&rig);
}

static int64_t rewritten_bytes(void)
{
    char path[128];

    rig_path(&rig, 0, 0, ".log", path);
    return sim_disk_rewritten_bytes(rig.disk, path);
}

START_TEST(a_large_item_goes_on_where_a_late_write_ended)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    int64_t count = 1;

    for (; late_rig_file_size(&rig, 0) == 0; count++)
        late_rig_put(&rig, replica);
    late_rig_put_padded(&rig, replica, 0, 100000);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), replica_snapshot(replica)->size_bytes);
    ck_assert_int_eq(rewritten_bytes(), 0);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), count);
}
END_TEST

START_TEST(times_of_what_a_late_write_brought_into_the_file_are_known_after_a_power_cut)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    late_rig_put_padded(&rig, replica, 9000, BATCH_BYTES);
    for (int i = 0; i < 3 * BEFORE_CHECKPOINT; i++)
        late_rig_put_padded(&rig, replica, 1000, BATCH_BYTES);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_lt(rig.report.replayed_bytes, BEFORE_CHECKPOINT * BATCH_BYTES);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(rig_lookup(&rig, replica, 9000).offset, 0);
    ck_assert_int_eq(rig_lookup(&rig, replica, -3).found_timestamp, 9000);
}
END_TEST

/* All can be read, whatever their numbers are. */
static int64_t count_records(struct replica *replica)
{
    log_offset offset = 0;

    while (offset < replica_snapshot(replica)->high_watermark) {
        struct replica_read read = rig_read(&rig, replica, offset, 1 << 20);
        struct record_batch batch;
        size_t at = 0;

        ck_assert_int_eq(read.error, KAFKA_NONE);
        for (; at < read.records_len; at += (size_t)batch.size_bytes) {
            ck_assert_int_eq(
                record_batch_parse(slice_of(read.records + at, read.records_len - at), &batch),
                ERR_OK);
            offset = record_batch_next_offset(&batch);
        }
        ck_assert_uint_gt(at, 0);
        replica_read_done(&read);
    }
    return offset;
}

static void submit_both(void *context)
{
    struct appending *appendings = context;

    for (int i = 0; i < 2; i++)
        replica_append_submit(&appendings[i].append);
}

/* The write-ahead log of millrace.flush=os begins with the other batch, and takes the room that this one was promised: it is
 * half written, and cut. */
START_TEST(an_item_that_is_taken_back_after_a_late_write_leaves_no_hole)
{
    struct replica *replicas[2] = {NULL};
    struct sim_disk_faults faults = {.capacity_bytes = 0};
    struct appending appendings[2];
    struct buffer bytes[2];
    int64_t written = 0;

    rig.wal_file_bytes = 256 * WAL_STEP_BYTES;
    late_rig_restart(&rig, RIG_CLEAN);
    replicas[0] = rig_open(&rig, 0, 0);
    rig.config.flush = FLUSH_OS;
    replicas[1] = rig_open(&rig, 1, 0);
    for (int i = 0; i < 7; i++)
        late_rig_put(&rig, replicas[0]);
    sim_executor_run_for(rig.executor, SECOND_US);
    written = late_rig_file_size(&rig, 0);
    ck_assert_int_eq(written, replica_snapshot(replicas[0])->size_bytes);
    late_rig_prepare(&rig, &appendings[0], replicas[0], 100000, &bytes[0]);
    late_rig_prepare(&rig, &appendings[1], replicas[1], 1000, &bytes[1]);
    faults.capacity_bytes = sim_disk_used_bytes(rig.disk) + WAL_STEP_BYTES + 97000;
    sim_disk_set_faults(rig.disk, &faults);
    rig_call(&rig, submit_both, appendings);
    ck_assert_int_eq(appendings[0].append.error, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert_int_eq(appendings[1].append.error, KAFKA_NONE);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), written);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    for (int i = 0; i < 2; i++)
        buffer_done(&bytes[i]);
    sim_executor_run_for(rig.executor, SECOND_US);

    for (int i = 0; i < 7; i++)
        late_rig_put(&rig, replicas[0]);
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    rig.config.flush = FLUSH_COMMIT;
    rig_put(&rig, rig_open(&rig, 2, 0), 1); /* so that the checkpoint is durable */
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(count_records(rig_open(&rig, 0, 1)), 14);
}
END_TEST

/* The write-ahead log goes round twice meanwhile. */
START_TEST(what_a_late_write_found_no_room_for_is_kept_by_the_write_ahead_log)
{
    struct replica *quiet = rig_open(&rig, 0, 0);
    struct replica *busy = rig_open(&rig, 1, 0);
    struct sim_disk_faults faults = {.capacity_bytes = 1};

    late_rig_stall_write(&rig, quiet, SHORT_US);
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, SECOND_US);
    ck_assert_int_eq(late_rig_file_size(&rig, 0), 0);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    for (int64_t written = 0; written < 2 * rig.wal_file_bytes; written += BATCH_BYTES)
        late_rig_put(&rig, busy);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 7);
}
END_TEST

/* Likewise. */
START_TEST(what_came_after_a_late_write_is_kept_by_the_write_ahead_log)
{
    struct replica *quiet = rig_open(&rig, 0, 0);
    struct replica *busy = rig_open(&rig, 1, 0);
    int64_t count = 0;

    for (; late_rig_file_size(&rig, 0) == 0; count++)
        late_rig_put(&rig, quiet);
    late_rig_put(&rig, quiet);
    count++;
    ck_assert_int_lt(late_rig_file_size(&rig, 0), replica_snapshot(quiet)->size_bytes);
    for (int64_t written = 0; written < 2 * rig.wal_file_bytes; written += BATCH_BYTES)
        late_rig_put(&rig, busy);
    late_rig_restart(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), count);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/late_write_ends");
    TCase *tc = tcase_create("late_write_ends");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_large_item_goes_on_where_a_late_write_ended);
    tcase_add_test(tc,
                   times_of_what_a_late_write_brought_into_the_file_are_known_after_a_power_cut);
    tcase_add_test(tc, an_item_that_is_taken_back_after_a_late_write_leaves_no_hole);
    tcase_add_test(tc, what_a_late_write_found_no_room_for_is_kept_by_the_write_ahead_log);
    tcase_add_test(tc, what_came_after_a_late_write_is_kept_by_the_write_ahead_log);
    suite_add_tcase(suite, tc);
    return suite;
}
