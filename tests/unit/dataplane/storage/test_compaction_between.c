/* SPDX-License-Identifier: Apache-2.0 */
/* What comes between a pass of the cleaner and its end: crashes, trims, deletions, a full disk, damage. */
#include <stdlib.h>

#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/compacted_log.h"

static void write_bytes(const char *path, void *bytes, size_t len)
{
    struct file *file = NULL;
    struct iovec iov = {bytes, len};

    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, DISK_CREATE, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    file->ops->close(file);
}

static void write_file(const char *path)
{
    char bytes[] = "left over";

    write_bytes(path, bytes, sizeof(bytes));
}

START_TEST(files_that_no_fact_names_are_removed_at_a_start)
{
    compacted_put(40, KEYS);
    one_log_pass_seconds(20);
    rig_stop(&rig, RIG_KILL);
    write_file(compacted_path(0, ".log"));    /* replaced */
    write_file(compacted_path(0, ".index"));  /* its index */
    write_file(compacted_path(10, ".log"));   /* inside what replaced it */
    write_file(compacted_path(0, ".99.log")); /* written, and not exchanged */
    write_file(compacted_path(0, ".99.index"));
    write_file(compacted_path(150, ".2.index"));
    one_log_start();
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".index")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(10, ".log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".99.log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".99.index")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(150, ".2.index")), -1);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
}
END_TEST

START_TEST(old_files_may_come_back_when_all_of_the_log_was_trimmed)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    rig.config.segment_bytes = 1 << 20;
    rig.config.max_compaction_lag_ms = 12000;
    rig.small_bytes_max = 1;
    one_log_restart(RIG_CLEAN);
    compacted_set_policy(CLEANUP_COMPACT);
    compacted_put(40, KEYS);
    ck_assert_int_eq(disk_read_file(rig.disk, compacted_path(0, ".log"), 1 << 20, &bytes, &len),
                     ERR_OK);
    one_log_pass_seconds(20);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, compacted_path(0, ".1.log")), 0);
    ck_assert_int_eq(rig_trim(&rig, replica, -1).error, KAFKA_NONE);
    rig_stop(&rig, RIG_POWER_CUT);
    write_bytes(compacted_path(0, ".log"), bytes, len); /* its removal was not durable */
    free(bytes);
    one_log_start();
    ck_assert_int_eq(compacted_end(), 200);
    compacted_put(1, KEYS);
    one_log_restart(RIG_KILL);
    compacted_look(1);
    ck_assert_int_eq(compacted_count(200, 205), 5);
}
END_TEST

static bool has_new_file(void *context)
{
    (void)context;
    return sim_disk_file_size(rig.disk, compacted_path(0, ".1.log")) > 0;
}

/* A pass is in the middle: the file is there, the exchange is not made. */
static void put_and_begin(void)
{
    compacted_set_policy(CLEANUP_DELETE);
    compacted_put(40, KEYS);
    compacted_set_policy(CLEANUP_COMPACT);
    ck_assert(sim_executor_run_until(rig.executor, has_new_file, NULL, 100000));
}

static bool is_first_gone(void *context)
{
    (void)context;
    return sim_disk_file_size(rig.disk, compacted_path(0, ".log")) < 0;
}

START_TEST(cleaning_is_paced_and_gives_room_back_as_it_goes)
{
    int64_t began_us = 0;

    rig.config.segment_bytes = 1 << 20;
    rig.cleaner_bytes_per_second = 1 << 20;
    one_log_restart(RIG_CLEAN);
    compacted_set_policy(CLEANUP_DELETE);
    for (int i = 0; i < 20; i++) {
        struct sim_batch batch = rig_batch(&rig, 5); /* half a segment */

        batch.key_count = COMPACTED_OFFSETS_MAX; /* all of it stays */
        batch.padding = 100000;
        (void)compacted_put_batch(batch);
    }
    compacted_set_policy(CLEANUP_COMPACT);
    began_us = clock_monotonic_us(sim_executor_clock(rig.executor));
    ck_assert(sim_executor_run_until(rig.executor, is_first_gone, NULL, 100000));
    ck_assert_int_gt(sim_disk_file_size(rig.disk, compacted_path(80, ".log")), 0);
    /* Some nine mebibytes of keys. */
    ck_assert_int_gt(clock_monotonic_us(sim_executor_clock(rig.executor)) - began_us,
                     8 * SECOND_US);
    one_log_pass_seconds(20);
    ck_assert_int_lt(sim_disk_file_size(rig.disk, compacted_path(80, ".log")), 0);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 100), 100);
}
END_TEST

START_TEST(a_trim_that_comes_between_makes_the_cleaner_give_up_and_begin_again)
{
    struct replica_trim trim;

    put_and_begin();
    trim = rig_trim(&rig, replica, 30);
    ck_assert_int_eq(trim.error, KAFKA_NONE);
    one_log_pass_seconds(20);
    one_log_restart(RIG_POWER_CUT);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 30);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
}
END_TEST

static void note_removed(void *context, enum err err)
{
    ck_assert_int_eq(err, ERR_OK);
    *(bool *)context = true;
}

static void remove_replica(void *context)
{
    replica_remove(replica, sim_executor_loop(rig.executor, 0), note_removed, context);
}

START_TEST(a_topic_that_is_deleted_in_the_middle_of_a_pass_is_gone)
{
    bool is_removed = false;

    put_and_begin();
    rig_call(&rig, remove_replica, &is_removed);
    one_log_pass_seconds(20);
    ck_assert(is_removed);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".1.log")), -1);
    rig_stop(&rig, RIG_CLEAN);
    one_log_start();
    ck_assert_int_eq(compacted_end(), 0);
}
END_TEST

START_TEST(a_broker_that_stops_in_the_middle_of_a_pass_loses_nothing)
{
    put_and_begin();
    one_log_restart(RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 0);
    one_log_pass_seconds(20);
    one_log_restart(RIG_POWER_CUT);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
}
END_TEST

START_TEST(a_full_disk_puts_compaction_off)
{
    struct sim_disk_faults faults = {0};

    compacted_set_policy(CLEANUP_DELETE);
    compacted_put(40, KEYS);
    faults.capacity_bytes = sim_disk_used_bytes(rig.disk) + 10;
    sim_disk_set_faults(rig.disk, &faults);
    compacted_set_policy(CLEANUP_COMPACT);
    one_log_pass_seconds(20);
    ck_assert(!has_new_file(NULL));
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    one_log_pass_seconds(60);
    one_log_restart(RIG_POWER_CUT);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
}
END_TEST

START_TEST(damage_stops_the_compaction_of_that_partition_only)
{
    struct replica *other = NULL;
    struct replica *damaged = replica;
    int64_t damaged_bytes = 0;

    compacted_set_policy(CLEANUP_DELETE);
    compacted_put(40, KEYS);
    other = rig_open(&rig, 1, 1);
    replica = other;
    compacted_put(40, KEYS);
    ck_assert(sim_disk_flip_bit(rig.disk, compacted_path(0, ".log"), 300, 3));
    damaged_bytes = replica_snapshot(damaged)->size_bytes;
    compacted_set_policy(CLEANUP_COMPACT);
    replica = damaged;
    compacted_set_policy(CLEANUP_COMPACT);
    one_log_pass_seconds(30);
    ck_assert_int_eq(replica_snapshot(damaged)->size_bytes, damaged_bytes);
    ck_assert_int_lt(replica_snapshot(other)->size_bytes, damaged_bytes / 2);
    /* Nothing of it went. */
    ck_assert_int_gt(sim_disk_file_size(rig.disk, compacted_path(0, ".log")), 0);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, compacted_path(0, ".1.log")), -1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/compaction_between");
    TCase *tc = tcase_create("compaction_between");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, compacted_begin, one_log_end);
    tcase_add_test(tc, files_that_no_fact_names_are_removed_at_a_start);
    tcase_add_test(tc, old_files_may_come_back_when_all_of_the_log_was_trimmed);
    tcase_add_test(tc, cleaning_is_paced_and_gives_room_back_as_it_goes);
    tcase_add_test(tc, a_trim_that_comes_between_makes_the_cleaner_give_up_and_begin_again);
    tcase_add_test(tc, a_topic_that_is_deleted_in_the_middle_of_a_pass_is_gone);
    tcase_add_test(tc, a_broker_that_stops_in_the_middle_of_a_pass_loses_nothing);
    tcase_add_test(tc, a_full_disk_puts_compaction_off);
    tcase_add_test(tc, damage_stops_the_compaction_of_that_partition_only);
    suite_add_tcase(suite, tc);
    return suite;
}
