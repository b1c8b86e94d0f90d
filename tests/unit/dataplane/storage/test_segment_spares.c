/* SPDX-License-Identifier: Apache-2.0 */
/* Files of segments that went are used again: which, when, and what may be in them. README.md says which test holds which
 * rule. */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/storage/spares/segment_spares.h"
#include "dataplane/storage/storage_metrics.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US 1000000
#define BLOCK ((int)DISK_BLOCK_BYTES)

static struct storage_rig rig;
static struct replica *replica;
static leader_epoch epoch;

static void start(void)
{
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, epoch++);
    ck_assert_ptr_nonnull(replica);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    start();
}

/* Nothing goes through the write-ahead log, and every file is worth it; two batches a segment. */
static void setup(void)
{
    epoch = 0;
    rig_init(&rig, 1);
    rig.small_bytes_max = 1;
    rig.spare_bytes_min = 1;
    rig.wal_file_bytes = 16384;
    rig.config.segment_bytes = 2 * BLOCK;
    start();
}

static void teardown(void)
{
    rig_done(&rig);
}

static struct storage_metrics metrics(void)
{
    struct storage_metrics sum = {.wal_bytes = {0}};

    log_directory_add_metrics(rig.directory, &sum);
    return sum;
}

#define COUNT(name) (counter_read(&(struct counter){metrics().name.value}))

/* A batch of somewhat less than a block. Returns its offset. */
static log_offset put(void)
{
    struct sim_batch batch = rig_batch(&rig, 3);
    struct replica_append result;

    batch.padding = 1200;
    result = rig_append(&rig, replica, &batch);
    ck_assert_int_eq(result.error, KAFKA_NONE);
    return result.base_offset;
}

static int64_t file_bytes(int32_t partition, log_offset base)
{
    char path[128];

    rig_path(&rig, partition, base, ".log", path);
    return sim_disk_file_size(rig.disk, path);
}

/* Segments until `count` are closed; the base of the newest. */
static log_offset fill(int count)
{
    log_offset newest = 0;

    for (int closed = 0; closed < count;) {
        log_offset offset = put();

        if (offset == 0 || file_bytes(0, offset) < 0)
            continue;
        newest = offset;
        closed++;
    }
    return newest;
}

static void pass_seconds(int seconds)
{
    sim_executor_run_for(rig.executor, (int64_t)seconds * SECOND_US);
}

static void trim(log_offset offset)
{
    ck_assert_int_eq(rig_trim(&rig, replica, offset).error, KAFKA_NONE);
    pass_seconds(2); /* they go a few at a time */
}

static void check_empty(const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    ck_assert_int_eq(disk_read_file(rig.disk, path, 1 << 20, &bytes, &len), ERR_OK);
    for (size_t i = 0; i < len; i++)
        ck_assert_uint_eq(bytes[i], 0);
    free(bytes);
}

START_TEST(the_file_of_a_segment_that_went_is_that_of_a_new_one)
{
    log_offset newest = fill(2);
    int64_t used = 0;

    trim(newest);
    ck_assert_int_eq(COUNT(spares_kept), 2);
    ck_assert_int_eq(COUNT(spare_bytes), 4 * BLOCK);
    used = sim_disk_used_bytes(rig.disk);
    newest = fill(2);
    ck_assert_int_eq(COUNT(spares_taken), 2);
    ck_assert_int_eq(COUNT(spare_bytes), 0);
    ck_assert_int_lt(sim_disk_used_bytes(rig.disk) - used, 3 * BLOCK);
    ck_assert_int_eq(file_bytes(0, newest), 2 * BLOCK);
    rig_read_all(&rig, replica, replica_snapshot(replica)->log_start,
                 replica_snapshot(replica)->log_start);
}
END_TEST

START_TEST(so_is_that_of_a_topic_that_was_deleted)
{
    fill(3);
    rig_remove(&rig, replica);
    ck_assert_int_eq(COUNT(spares_kept), 4);
    ck_assert_int_gt(COUNT(spare_bytes), 6 * BLOCK);
    replica = rig_open(&rig, 1, epoch++);
    ck_assert_int_eq(put(), 0);
    ck_assert_int_eq(COUNT(spares_taken), 1);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, rig.next_number - 3), 3);
}
END_TEST

START_TEST(a_spare_has_nothing_of_what_it_held_whatever_comes)
{
    trim(fill(2));
    check_empty("spare/1");
    check_empty("spare/2");
    rig_stop(&rig, RIG_POWER_CUT);
    for (int i = 1; i <= 2; i++) {
        char path[16];

        snprintf(path, sizeof(path), "spare/%d", i);
        if (sim_disk_file_size(rig.disk, path) >= 0)
            check_empty(path);
    }
    start();
}
END_TEST

START_TEST(spares_are_found_again_by_a_start_and_emptied_once_more)
{
    static char something[] = "something";
    struct iovec iov = {something, sizeof(something)};
    struct file *file = NULL;

    trim(fill(2));
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, "spare/2", 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 100, &iov, 1), ERR_OK);
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    file->ops->close(file);
    start();
    ck_assert_int_eq(COUNT(spare_bytes), 4 * BLOCK);
    check_empty("spare/2");
    trim(fill(3));
    ck_assert_int_eq(COUNT(spares_taken), 2);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, "spare/3"), 0);
}
END_TEST

/* A crash may leave a file both names, that of a spare and that of a segment. */
START_TEST(a_spare_that_is_a_segment_too_is_only_a_name_too_many)
{
    char path[128];

    put();
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_eq(rig.disk->ops->make_dir(rig.disk, "spare"), ERR_OK);
    rig_path(&rig, 0, 0, ".log", path);
    sim_disk_link(rig.disk, path, "spare/9");
    start();
    ck_assert_int_eq(sim_disk_file_size(rig.disk, "spare/9"), -1);
    ck_assert_int_eq(COUNT(spare_bytes), 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 3);
}
END_TEST

START_TEST(a_segment_gets_the_largest_that_is_no_larger_than_segment_bytes)
{
    log_offset newest = 0;

    rig.config.segment_bytes = 6 * BLOCK;
    restart(RIG_CLEAN);
    newest = fill(1);
    trim(newest);
    rig.config.segment_bytes = 2 * BLOCK;
    restart(RIG_CLEAN);
    trim(fill(1));
    ck_assert_int_eq(COUNT(spares_taken), 0);
    newest = fill(1);
    ck_assert_int_eq(COUNT(spares_taken), 1);
    ck_assert_int_eq(file_bytes(0, newest), 2 * BLOCK);
    rig.config.segment_bytes = 7 * BLOCK;
    restart(RIG_CLEAN);
    newest = fill(1);
    ck_assert_int_eq(file_bytes(0, newest), 6 * BLOCK);
}
END_TEST

START_TEST(a_segment_that_begins_with_little_gets_none)
{
    trim(fill(1));
    ck_assert_int_eq(COUNT(spares_kept), 1);
    rig.small_bytes_max = 1 << 20;
    restart(RIG_CLEAN);
    fill(2);
    ck_assert_int_eq(COUNT(spares_taken), 0);
}
END_TEST

START_TEST(a_file_that_is_not_worth_it_goes)
{
    rig.spare_bytes_min = 3 * BLOCK;
    restart(RIG_CLEAN);
    trim(fill(2));
    ck_assert_int_eq(COUNT(spares_kept), 0);
    ck_assert_int_eq(file_bytes(0, 0), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, "spare/1"), -1);
}
END_TEST

START_TEST(when_there_are_as_many_as_may_be_the_smallest_makes_way)
{
    trim(fill(SEGMENT_SPARES_MAX + 2));
    pass_seconds(20);
    rig.small_bytes_max = 1 << 20; /* new segments get none */
    rig.config.segment_bytes = 6 * BLOCK;
    restart(RIG_KILL);
    ck_assert_int_eq(COUNT(spare_bytes), (SEGMENT_SPARES_MAX * 2) * BLOCK);
    trim(fill(2));
    ck_assert_int_eq(COUNT(spares_taken), 0);
    ck_assert_int_ge(COUNT(spare_bytes), (SEGMENT_SPARES_MAX * 2 + 4) * BLOCK);
}
END_TEST

/* Somebody's copy by links: that file goes, and others are kept all the same. */
START_TEST(a_file_with_another_name_is_none_and_others_are)
{
    log_offset newest = fill(3);
    char path[128];

    rig_path(&rig, 0, 0, ".log", path);
    sim_disk_link(rig.disk, path, "copy");
    trim(newest);
    ck_assert_int_eq(COUNT(spares_kept), 2);
    ck_assert_int_eq(file_bytes(0, 0), -1);
}
END_TEST

START_TEST(with_a_spare_percent_of_0_files_go_and_so_do_spares_that_are_there)
{
    trim(fill(2));
    ck_assert_int_eq(COUNT(spares_kept), 2);
    rig.spare_percent = 0;
    restart(RIG_CLEAN);
    ck_assert_int_eq(COUNT(spare_bytes), 0);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, "spare/1"), -1);
    trim(fill(2));
    ck_assert_int_eq(COUNT(spares_kept), 0);
}
END_TEST

START_TEST(where_the_file_system_cannot_empty_a_file_it_goes)
{
    log_offset newest = fill(2);

    sim_disk_set_faults(rig.disk, &(struct sim_disk_faults){.has_no_zeros = true});
    trim(newest);
    ck_assert_int_eq(COUNT(spares_kept), 0);
    ck_assert_int_eq(file_bytes(0, 0), -1);
    fill(1);
}
END_TEST

START_TEST(who_reads_a_deleted_topic_keeps_its_files_from_being_used_again)
{
    struct rig_reading reading;

    fill(1);
    restart(RIG_CLEAN); /* nothing of it is in memory */
    sim_executor_stall(rig.executor, WORKER_READ, 10 * SECOND_US);
    rig_begin_read(&rig, replica, 0, 1 << 20, &reading);
    rig_begin_remove(&rig, replica);
    pass_seconds(5);
    ck_assert(!reading.is_done);
    ck_assert_int_gt(file_bytes(0, 0), 0);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, "spare/1"), -1);
    pass_seconds(10);
    ck_assert(reading.is_done);
    replica_read_done(&reading.read);
    pass_seconds(1);
    ck_assert_int_eq(file_bytes(0, 0), -1);
    ck_assert_int_eq(COUNT(spares_kept), 2);
}
END_TEST

START_TEST(spares_have_no_more_than_a_quarter_of_what_is_free_with_them)
{
    log_offset newest = fill(8);
    int64_t used = sim_disk_used_bytes(rig.disk);
    int64_t capacity = 2 * used;

    sim_disk_set_faults(rig.disk, &(struct sim_disk_faults){.capacity_bytes = capacity});
    trim(newest);
    ck_assert_int_gt(COUNT(spares_kept), 0);
    ck_assert_int_lt(COUNT(spares_kept), 8);
    ck_assert_int_le(COUNT(spare_bytes) * 3, capacity - sim_disk_used_bytes(rig.disk));

    capacity = sim_disk_used_bytes(rig.disk) + 2 * BLOCK;
    used = COUNT(spare_bytes);
    sim_disk_set_faults(rig.disk, &(struct sim_disk_faults){.capacity_bytes = capacity});
    pass_seconds(31);
    ck_assert_int_lt(COUNT(spare_bytes), used);
    ck_assert_int_le(COUNT(spare_bytes) * 3, capacity - sim_disk_used_bytes(rig.disk));
}
END_TEST

START_TEST(spares_go_when_an_append_finds_no_room)
{
    log_offset newest = fill(4);
    int64_t before = 0;

    trim(newest);
    before = COUNT(spare_bytes);
    ck_assert_int_eq(before, 8 * BLOCK);
    sim_disk_set_faults(rig.disk, &(struct sim_disk_faults){
                                      .capacity_bytes = sim_disk_used_bytes(rig.disk) + BLOCK});
    rig.config.segment_bytes = BLOCK; /* none of them fits */
    restart(RIG_KILL);
    put();
    put();
    ck_assert_int_eq(COUNT(spare_bytes), 0);
}
END_TEST

/* What is late begins a segment, larger than its spare, and finds the disk full; then there is room, and another spare. */
START_TEST(a_file_that_was_begun_is_not_exchanged_when_its_first_write_is_tried_again)
{
    log_offset base = 0;

    fill(3);
    rig.small_bytes_max = BLOCK;
    rig.wal_file_bytes = 1 << 20;
    rig.config.segment_bytes = 100 * BLOCK;
    restart(RIG_CLEAN);
    base = replica_snapshot(replica)->high_watermark;
    trim(base);
    ck_assert_int_ge(COUNT(spares_kept), 3);
    for (int i = 0; i < 6; i++)
        put();
    ck_assert_int_eq(file_bytes(0, base), -1); /* all of it is late */
    sim_disk_set_faults(
        rig.disk, &(struct sim_disk_faults){.capacity_bytes = sim_disk_used_bytes(rig.disk) + 1});
    pass_seconds(25); /* a checkpoint */
    ck_assert_int_eq(COUNT(spares_taken), 1);
    sim_disk_set_faults(rig.disk, &(struct sim_disk_faults){.capacity_bytes = 0});
    pass_seconds(60);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, replica, base, base), 18);
}
END_TEST

/* --- what is left of one --- */

/* A segment of one batch, in a spare of two blocks; its base. */
static log_offset begin_in_a_spare(void)
{
    trim(fill(1));
    return fill(1);
}

START_TEST(what_is_left_of_a_spare_is_given_back_when_nothing_more_comes)
{
    log_offset base = begin_in_a_spare();
    log_offset end = 0;

    ck_assert_int_eq(file_bytes(0, base), 2 * BLOCK);
    pass_seconds(61);
    ck_assert_int_eq(file_bytes(0, base), BLOCK);
    end = put();
    ck_assert_int_eq(end, base + 3);
    ck_assert_int_gt(file_bytes(0, base), BLOCK);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, replica, base, base), 6);
}
END_TEST

START_TEST(it_stays_while_something_comes)
{
    log_offset base = 0;

    rig.config.segment_bytes = 100 * BLOCK;
    restart(RIG_CLEAN);
    base = begin_in_a_spare();
    ck_assert_int_gt(file_bytes(0, base), 90 * BLOCK);
    for (int i = 0; i < 5; i++) {
        pass_seconds(29);
        put();
    }
    ck_assert_int_gt(file_bytes(0, base), 90 * BLOCK);
}
END_TEST

START_TEST(a_start_leaves_it_and_takes_it_for_no_torn_tail)
{
    log_offset base = begin_in_a_spare();

    restart(RIG_KILL);
    ck_assert_int_eq(rig.report.truncated_bytes, 0);
    ck_assert_int_eq(file_bytes(0, base), 2 * BLOCK);
    ck_assert_int_eq(rig_read_all(&rig, replica, base, base), 3);
    restart(RIG_CLEAN);
    ck_assert_int_eq(file_bytes(0, base), 2 * BLOCK);
    pass_seconds(61);
    ck_assert_int_eq(file_bytes(0, base), BLOCK);
    ck_assert_int_eq(rig_read_all(&rig, replica, base, base), 3);
}
END_TEST

START_TEST(a_segment_that_is_closed_early_gives_it_back)
{
    log_offset base = 0;
    int64_t size = 0;

    rig.config.segment_bytes = 100 * BLOCK;
    restart(RIG_CLEAN);
    base = begin_in_a_spare();
    size = replica_snapshot(replica)->size_bytes;
    rig.config.segment_bytes = BLOCK;
    restart(RIG_CLEAN);
    ck_assert_int_gt(file_bytes(0, base), 90 * BLOCK);
    put();
    pass_seconds(1);
    ck_assert_int_lt(file_bytes(0, base), size);
    ck_assert_int_gt(file_bytes(0, base), 0);
    ck_assert_int_ne(file_bytes(0, base) % BLOCK, 0);
    restart(RIG_KILL);
    ck_assert_int_eq(rig_read_all(&rig, replica, base, base), 6);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/segment_spares");
    TCase *tc = tcase_create("spares");
    TCase *rest = tcase_create("rests");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_file_of_a_segment_that_went_is_that_of_a_new_one);
    tcase_add_test(tc, so_is_that_of_a_topic_that_was_deleted);
    tcase_add_test(tc, a_spare_has_nothing_of_what_it_held_whatever_comes);
    tcase_add_test(tc, spares_are_found_again_by_a_start_and_emptied_once_more);
    tcase_add_test(tc, a_spare_that_is_a_segment_too_is_only_a_name_too_many);
    tcase_add_test(tc, a_segment_gets_the_largest_that_is_no_larger_than_segment_bytes);
    tcase_add_test(tc, a_segment_that_begins_with_little_gets_none);
    tcase_add_test(tc, a_file_that_is_not_worth_it_goes);
    tcase_add_test(tc, when_there_are_as_many_as_may_be_the_smallest_makes_way);
    tcase_add_test(tc, a_file_with_another_name_is_none_and_others_are);
    tcase_add_test(tc, with_a_spare_percent_of_0_files_go_and_so_do_spares_that_are_there);
    tcase_add_test(tc, where_the_file_system_cannot_empty_a_file_it_goes);
    tcase_add_test(tc, who_reads_a_deleted_topic_keeps_its_files_from_being_used_again);
    tcase_add_test(tc, spares_have_no_more_than_a_quarter_of_what_is_free_with_them);
    tcase_add_test(tc, spares_go_when_an_append_finds_no_room);
    tcase_add_test(tc, a_file_that_was_begun_is_not_exchanged_when_its_first_write_is_tried_again);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_add_test(rest, what_is_left_of_a_spare_is_given_back_when_nothing_more_comes);
    tcase_add_test(rest, it_stays_while_something_comes);
    tcase_add_test(rest, a_start_leaves_it_and_takes_it_for_no_torn_tail);
    tcase_add_test(rest, a_segment_that_is_closed_early_gives_it_back);
    suite_add_tcase(suite, rest);
    return suite;
}
