/* SPDX-License-Identifier: Apache-2.0 */
/* A disk may leave zeros behind what is appended to a segment: where they may stay, and where they may not. README.md says
 * which test holds which rule. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SEGMENT_BYTES 20000

static struct storage_rig rig;
static struct replica *replica;

static void start(void)
{
    static leader_epoch epoch;

    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, epoch++);
    ck_assert_ptr_nonnull(replica);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    start();
}

/* Nothing goes through the write-ahead log: each batch is an append to the segment. */
static void setup(void)
{
    rig_init(&rig, 1);
    rig.small_bytes_max = 1;
    sim_disk_set_faults(rig.disk, &(struct sim_disk_faults){.leaves_zeros = true});
    start();
}

static void teardown(void)
{
    rig_done(&rig);
}

static int64_t file_bytes(log_offset base)
{
    char path[128];

    rig_path(&rig, 0, base, ".log", path);
    return sim_disk_file_size(rig.disk, path);
}

/* Until zeros are there: it does not leave them every time. */
static int64_t put_until_zeros(void)
{
    int64_t count = 0;

    do {
        rig_put(&rig, replica, 1);
        count++;
    } while (file_bytes(0) == replica_snapshot(replica)->size_bytes);
    return count;
}

START_TEST(they_are_no_records)
{
    int64_t count = put_until_zeros();

    ck_assert_int_eq(file_bytes(0) % DISK_BLOCK_BYTES, 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count);
    rig_put(&rig, replica, 1);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count + 1);
}
END_TEST

/* By whose size a start goes: it would read one that is longer than it should be. */
START_TEST(the_file_of_a_closed_segment_has_none)
{
    log_offset newest = 0;
    int64_t closed_bytes = 0;
    int64_t count = 0;

    rig.config.segment_bytes = SEGMENT_BYTES;
    restart(RIG_CLEAN);
    for (int segments = 1; segments < 10; count++) {
        log_offset offset = rig_put(&rig, replica, 1);

        if (offset == 0 || file_bytes(offset) < 0)
            continue;
        ck_assert_int_le(file_bytes(newest), SEGMENT_BYTES);
        closed_bytes += file_bytes(newest);
        newest = offset;
        segments++;
    }
    ck_assert_int_lt(closed_bytes, replica_snapshot(replica)->size_bytes);
    ck_assert_int_le(replica_snapshot(replica)->size_bytes - closed_bytes, file_bytes(newest));
    restart(RIG_KILL);
    ck_assert_int_lt(rig.report.recovered_bytes, SEGMENT_BYTES);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count);
}
END_TEST

/* The first batch is below the checkpoint that a new log gets. */
START_TEST(after_a_kill_they_are_no_torn_tail)
{
    int64_t count = put_until_zeros() + put_until_zeros();

    restart(RIG_KILL);
    ck_assert_int_eq(rig.report.truncated_bytes, 0);
    rig_put(&rig, replica, 1);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count + 1);
}
END_TEST

static int64_t syncs_of_a_start(void)
{
    int64_t before = 0;

    rig_stop(&rig, RIG_CLEAN);
    before = sim_disk_sync_count(rig.disk);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    return sim_disk_sync_count(rig.disk) - before;
}

START_TEST(after_a_clean_end_they_are_no_work_for_a_start)
{
    int64_t count = put_until_zeros();
    int64_t bytes = replica_snapshot(replica)->size_bytes;
    int64_t size = file_bytes(0);
    int64_t syncs = syncs_of_a_start();
    struct file *file = NULL;
    char path[128];

    ck_assert_int_eq(file_bytes(0), size);
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->truncate(file, bytes), ERR_OK);
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    file->ops->close(file);
    ck_assert_int_eq(syncs, syncs_of_a_start());
    replica = rig_open(&rig, 0, 100);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/segment_zeros");
    TCase *tc = tcase_create("segment_zeros");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, they_are_no_records);
    tcase_add_test(tc, the_file_of_a_closed_segment_has_none);
    tcase_add_test(tc, after_a_kill_they_are_no_torn_tail);
    tcase_add_test(tc, after_a_clean_end_they_are_no_work_for_a_start);
    suite_add_tcase(suite, tc);
    return suite;
}
