/* SPDX-License-Identifier: Apache-2.0 */
/* What a start finds, and what it has to do without: each rule of README.md, one test. */
#include "dataplane/storage/partition_log.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/one_log.h"

static void replace(log_offset base, const char *suffix, const struct buffer *bytes)
{
    char path[128];
    char *name = NULL;

    rig_path(&rig, 0, base, suffix, path);
    name = strrchr(path, '/');
    *name++ = '\0';
    ck_assert_int_eq(disk_replace_file(rig.disk, path, name, bytes->data, bytes->len), ERR_OK);
}

/* An index that is whole and wrong: offset i is said to be where another batch is. */
static void write_lying_index(log_offset base, int batches)
{
    struct offset_index index;
    struct buffer bytes;
    int64_t size = one_log_file_size(base, ".log");

    offset_index_init(&index, 0);
    for (int i = 0; i < batches; i++) {
        struct record_batch batch = {
            .base_offset = base + (i == 0 ? 0 : batches - i),
            .size_bytes = i + 1 < batches ? size / batches : size - index.covered_bytes,
            .max_timestamp = rig.wall_ms,
        };

        offset_index_add(&index, &batch, index.covered_bytes);
    }
    buffer_init(&bytes, 1 << 16);
    ck_assert_int_eq(offset_index_save(&index, base, &bytes), ERR_OK);
    replace(base, ".index", &bytes);
    buffer_done(&bytes);
    offset_index_done(&index);
}

START_TEST(an_index_that_is_wrong_misleads_nobody)
{
    rig.config.index_interval_bytes = 0;
    rig.config.segment_bytes = 2000;
    one_log_open();
    one_log_put(60);
    ck_assert_int_gt(one_log_file_size(0, ".index"), 200);
    rig_stop(&rig, RIG_CLEAN);
    write_lying_index(0, 20);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    one_log_open();
    for (int i = 0; i < 60; i++) {
        struct replica_read read = rig_read(&rig, replica, i, 1);

        ck_assert_int_eq(read.error, KAFKA_NONE);
        rig_check_records(&read, i, i);
        ck_assert_uint_gt(read.records_len, 0);
        replica_read_done(&read);
    }
    ck_assert_int_eq(rig_lookup(&rig, replica, rig.wall_ms - 10 * HOUR_MS).offset, 0);
}
END_TEST

static void check_epoch_end(leader_epoch epoch, leader_epoch known, log_offset end)
{
    leader_epoch found = -2;
    log_offset at = -2;

    replica_epoch_end(replica, epoch, &found, &at);
    ck_assert_int_eq(found, known);
    ck_assert_int_eq(at, end);
}

START_TEST(epochs_go_with_the_beginning_of_the_log)
{
    replica = rig_open(&rig, 0, 3);
    one_log_put(2);
    for (leader_epoch epoch = 5; epoch <= 7; epoch += 2) {
        rig_stop(&rig, RIG_CLEAN);
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, epoch);
        one_log_put(2);
    }
    check_epoch_end(4, 3, 2);
    ck_assert_int_eq(rig_trim(&rig, replica, 3).error, KAFKA_NONE);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        /* Of 3 nothing is left. Of 5 there is still something, and where it began does not matter. */
        check_epoch_end(3, 3, 3);
        check_epoch_end(4, 4, 3);
        check_epoch_end(5, 5, 4);
        check_epoch_end(6, 5, 4);
        check_epoch_end(7, 7, 6);
        ck_assert_int_eq(rig_read_all(&rig, replica, 3, 3), 3);
        rig_stop(&rig, (enum rig_end)end);
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, 7);
    }
}
END_TEST

static void lead_anew(void *context)
{
    replica_become_leader(replica, *(leader_epoch *)context);
}

static void cut_file(int64_t size)
{
    struct file *file = NULL;
    char path[128];

    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->truncate(file, size), ERR_OK);
    file->ops->close(file);
}

START_TEST(epochs_are_cut_with_the_end_of_the_log)
{
    leader_epoch newer = 6;
    int64_t size = 0;

    rig.config.flush = FLUSH_OS; /* what is cut is no damage */
    rig_stop(&rig, RIG_CLEAN);
    rig.small_bytes_max = 1; /* and no write-ahead log brings it back */
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 3);
    one_log_put(2);
    rig_stop(&rig, RIG_KILL);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 5);
    one_log_put(1);
    size = one_log_file_size(0, ".log");
    one_log_put(1);
    rig_call(&rig, lead_anew, &newer);
    one_log_put(1);
    rig_stop(&rig, RIG_KILL);
    cut_file(size + 20);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, -1);
        ck_assert_ptr_nonnull(replica);
        ck_assert_int_eq(replica_snapshot(replica)->log_end, 3);
        check_epoch_end(3, 3, 2);
        check_epoch_end(5, 5, 3);
        check_epoch_end(6, -1, -1);
        rig_stop(&rig, (enum rig_end)end);
    }
}
END_TEST

START_TEST(producers_are_saved_at_each_roll_and_at_a_clean_end)
{
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.producer_id = 5;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    one_log_open();
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
    one_log_put(1);
    ck_assert_int_gt(one_log_file_size(1, ".producers"), 0);
    one_log_put(1);
    ck_assert_int_gt(one_log_file_size(2, ".producers"), 0);
    ck_assert_int_eq(one_log_file_size(1, ".producers"), -1); /* only the newest is kept */
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_gt(one_log_file_size(3, ".producers"), 0);
}
END_TEST

/* _i 0: the snapshot is gone, 1: it is damaged. */
START_TEST(without_a_good_snapshot_producers_are_read_out_of_the_log)
{
    struct sim_batch batch = rig_batch(&rig, 1);
    char path[128];

    batch.producer_id = 5;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    one_log_open();
    ck_assert_int_eq(rig_append(&rig, replica, &batch).base_offset, 0);
    one_log_put(2);
    rig_stop(&rig, RIG_CLEAN);
    rig_path(&rig, 0, 3, ".producers", path);
    if (_i == 0)
        ck_assert_int_eq(rig.disk->ops->remove(rig.disk, path), ERR_OK);
    else
        ck_assert(sim_disk_flip_bit(rig.disk, path, 20, 3));
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    one_log_open();
    ck_assert_int_eq(rig_append(&rig, replica, &batch).base_offset, 0);
    ck_assert_int_eq(replica_snapshot(replica)->log_end, 3);
}
END_TEST

START_TEST(half_written_files_are_removed_at_a_start)
{
    static const char *const halves[] = {".index.new", ".7.index.new", ".producers.new"};
    struct buffer bytes;

    one_log_open();
    one_log_put(1);
    rig_stop(&rig, RIG_KILL);
    buffer_init(&bytes, 10);
    ck_assert_int_eq(buffer_append(&bytes, "half", 4), ERR_OK);
    for (int i = 0; i < 3; i++) {
        replace(0, halves[i], &bytes);
        ck_assert_int_eq(one_log_file_size(0, halves[i]), 4);
    }
    buffer_done(&bytes);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(one_log_file_size(0, halves[i]), -1);
    one_log_open();
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/log_start");
    TCase *tc = tcase_create("log_start");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, one_log_begin, one_log_end);
    tcase_add_test(tc, an_index_that_is_wrong_misleads_nobody);
    tcase_add_test(tc, epochs_go_with_the_beginning_of_the_log);
    tcase_add_test(tc, epochs_are_cut_with_the_end_of_the_log);
    tcase_add_test(tc, producers_are_saved_at_each_roll_and_at_a_clean_end);
    tcase_add_loop_test(tc, without_a_good_snapshot_producers_are_read_out_of_the_log, 0, 2);
    tcase_add_test(tc, half_written_files_are_removed_at_a_start);
    suite_add_tcase(suite, tc);
    return suite;
}
