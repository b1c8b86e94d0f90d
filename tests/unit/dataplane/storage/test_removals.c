/* SPDX-License-Identifier: Apache-2.0 */
/* Files that go a piece at a time: on a simulated loop whose SLOW work takes its time, and a simulated disk. */
#include <stdio.h>

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/recovery.h"
#include "dataplane/storage/removals.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define PIECE 1000
#define FILES 3
#define WORK_US 2000

struct counted {
    struct removal removal;
    const char *path;
    int runs, dones;
    int done_as; /* the how manieth of all */
};

static struct sim_trace trace;
static struct disk *disk;
static struct sim_executor *executor;
static struct log_store store;
static struct removals removals;
static struct counted files[FILES];
static const char *const paths[FILES] = {"a", "b", "c"};
static int pieces, done_count;

static void make_file(const char *path, int64_t size)
{
    static uint8_t bytes[16 * PIECE];
    struct iovec iov = {bytes, (size_t)size};
    struct file *file = NULL;

    ck_assert_int_eq(disk->ops->open(disk, path, DISK_CREATE, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    file->ops->close(file);
}

static enum err cut(struct removal *removal, int64_t *budget, bool *ret_is_gone)
{
    struct counted *file = container_of(removal, struct counted, removal);

    pieces++;
    file->runs++;
    return disk_cut_file(disk, file->path, budget, ret_is_gone);
}

static void note_done(struct removal *removal)
{
    struct counted *file = container_of(removal, struct counted, removal);

    file->dones++;
    file->done_as = ++done_count;
}

static void setup(void)
{
    struct sim_executor_options options = {
        .loop_count = 1,
        .seed = 3,
        .work_delay_max_us = {[WORKER_SLOW] = WORK_US},
    };

    trace = (struct sim_trace){0};
    disk = sim_disk_new(5, &trace);
    executor = sim_executor_new(&options);
    store = (struct log_store){.disk = disk};
    removals_init(&removals, sim_executor_loop(executor, 0), &store, PIECE);
    pieces = done_count = 0;
    for (int i = 0; i < FILES; i++)
        files[i] = (struct counted){.removal = {.run = cut, .done = note_done}, .path = paths[i]};
}

static void teardown(void)
{
    sim_executor_free(executor);
    sim_disk_free(disk);
}

static void add(void *context)
{
    removals_add(&removals, &((struct counted *)context)->removal);
}

static void add_file(int index, int64_t size)
{
    make_file(paths[index], size);
    sim_executor_call(executor, 0, add, &files[index]);
}

static bool has_run(void *context)
{
    return pieces == *(int *)context && !removals.is_running;
}

static void run_pieces(int count)
{
    ck_assert(sim_executor_run_until(executor, has_run, &count, 1000));
}

static void run_all(void)
{
    while (sim_executor_step(executor))
        ck_assert(!removals.is_running || !timer_is_armed(&removals.rest));
}

static void run_all_without_rest(void)
{
    while (sim_executor_step(executor))
        ck_assert(!timer_is_armed(&removals.rest));
}

START_TEST(a_large_file_goes_from_its_end_a_piece_at_a_time)
{
    add_file(0, 3 * PIECE + 1);
    for (int i = 1; i <= 3; i++) {
        run_pieces(i);
        ck_assert_int_eq(sim_disk_file_size(disk, "a"), 3 * PIECE + 1 - i * PIECE);
        ck_assert_int_eq(files[0].dones, 0);
    }
    run_all();
    ck_assert_int_eq(sim_disk_file_size(disk, "a"), -1);
    ck_assert_int_eq(files[0].runs, 4);
    ck_assert_int_eq(files[0].dones, 1);
    ck_assert_int_eq(files[0].removal.err, ERR_OK);
}
END_TEST

START_TEST(files_go_in_their_order_and_each_is_done_once)
{
    add_file(0, 2 * PIECE);
    add_file(1, 5 * PIECE);
    add_file(2, 0);
    run_all();
    for (int i = 0; i < FILES; i++) {
        ck_assert_int_eq(sim_disk_file_size(disk, paths[i]), -1);
        ck_assert_int_eq(files[i].dones, 1);
        ck_assert_int_eq(files[i].done_as, i + 1);
    }
}
END_TEST

START_TEST(after_each_piece_is_a_rest)
{
    add_file(0, 3 * PIECE);
    run_pieces(1);
    ck_assert(timer_is_armed(&removals.rest));
    ck_assert_int_eq(removals.rest.deadline_us - loop_now_us(removals.loop),
                     3 * (loop_now_us(removals.loop) - removals.began_us));
}
END_TEST

static void add_another(struct removal *removal)
{
    note_done(removal);
    removals_add(&removals, &files[2].removal);
}

START_TEST(what_is_added_when_another_is_done_goes_once_and_after_what_waited)
{
    make_file(paths[2], 3 * PIECE);
    files[0].removal.done = add_another;
    add_file(0, PIECE);
    add_file(1, 2 * PIECE);
    run_all();
    ck_assert_int_eq(files[1].done_as, 2);
    ck_assert_int_eq(files[2].done_as, 3);
    for (int i = 0; i < FILES; i++)
        ck_assert_int_eq(files[i].dones, 1);
    ck_assert_int_eq(files[2].runs, 3);
}
END_TEST

static void hurry(void *context)
{
    (void)context;
    removals_hurry(&removals);
}

START_TEST(a_loop_that_closes_does_not_rest)
{
    add_file(0, 5 * PIECE);
    run_pieces(1);
    sim_executor_call(executor, 0, hurry, NULL);
    ck_assert(!timer_is_armed(&removals.rest));
    run_all_without_rest();
    ck_assert_int_eq(files[0].dones, 1);
}
END_TEST

START_TEST(nothing_rests_while_room_is_short)
{
    sim_disk_set_faults(disk, &(struct sim_disk_faults){.capacity_bytes = 100 * PIECE});
    add_file(0, 5 * PIECE);
    run_all_without_rest();
    ck_assert_int_eq(files[0].runs, 5);
    ck_assert_int_eq(files[0].dones, 1);
}
END_TEST

START_TEST(a_file_that_is_not_there_ends_with_that_error_and_the_next_one_goes)
{
    sim_executor_call(executor, 0, add, &files[0]);
    add_file(1, PIECE);
    run_all();
    ck_assert_int_eq(files[0].removal.err, ERR_NOT_FOUND);
    ck_assert_int_eq(files[0].dones, 1);
    ck_assert_int_eq(files[1].removal.err, ERR_OK);
    ck_assert_int_eq(sim_disk_file_size(disk, "b"), -1);
}
END_TEST

START_TEST(the_files_of_a_log_go_piece_by_piece_and_the_directories_last)
{
    const struct log_identity id = {.topic_id = {{7}}, .partition = 4};
    char dir[LOG_PATH_BYTES];
    char path[LOG_PATH_BYTES + 16];
    int64_t sizes[] = {5 * PIECE, 10, 3 * PIECE};
    bool is_gone = false;
    int turns = 0;

    log_path(&id, dir);
    ck_assert_int_eq(disk->ops->make_dir(disk, dir), ERR_OK);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%d.log", dir, i);
        make_file(path, sizes[i]);
    }
    while (!is_gone) {
        int64_t budget = PIECE;
        int64_t before = sim_disk_used_bytes(disk);

        ck_assert_int_eq(log_remove_some(disk, &id, &budget, &is_gone), ERR_OK);
        ck_assert_int_le(before - sim_disk_used_bytes(disk), PIECE);
        turns++;
    }
    ck_assert_int_ge(turns, 9);
    ck_assert_int_eq(sim_disk_used_bytes(disk), 0);
    ck_assert_int_eq(disk->ops->remove_dir(disk, dir), ERR_NOT_FOUND);
}
END_TEST

/* --- what a crash leaves --- */

/* As a device may leave it that was told of free blocks before the file was gone: its size, and nothing in it. */
static void put_back_without_content(struct storage_rig *rig, const char *path, int64_t size)
{
    struct file *file = NULL;

    ck_assert_int_eq(rig->disk->ops->open(rig->disk, path, DISK_CREATE, &file), ERR_OK);
    ck_assert_int_eq(file->ops->truncate(file, size), ERR_OK);
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    file->ops->close(file);
}

START_TEST(a_segment_that_was_going_is_not_believed_when_it_comes_back_with_its_whole_size)
{
    struct storage_rig rig;
    struct replica *replica = NULL;
    char path[128];
    int64_t size = 0;

    rig_init(&rig, 1);
    rig.small_bytes_max = 1;
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(rig_put(&rig, replica, 5), 0);
    rig_path(&rig, 0, 0, ".log", path);
    size = sim_disk_file_size(rig.disk, path);
    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(rig_trim(&rig, replica, 5).error, KAFKA_NONE);
    rig_settle(&rig);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), -1);
    rig_stop(&rig, RIG_KILL);

    put_back_without_content(&rig, path, size);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 2);
    ck_assert_int_eq(rig_put(&rig, replica, 3), 5);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 8);
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 3), 5, 5), 4);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), -1);
    rig_stop(&rig, RIG_CLEAN);
    rig_done(&rig);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/removals");
    TCase *tc = tcase_create("a piece at a time");
    TCase *crash = tcase_create("a crash");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_large_file_goes_from_its_end_a_piece_at_a_time);
    tcase_add_test(tc, files_go_in_their_order_and_each_is_done_once);
    tcase_add_test(tc, what_is_added_when_another_is_done_goes_once_and_after_what_waited);
    tcase_add_test(tc, after_each_piece_is_a_rest);
    tcase_add_test(tc, a_loop_that_closes_does_not_rest);
    tcase_add_test(tc, nothing_rests_while_room_is_short);
    tcase_add_test(tc, a_file_that_is_not_there_ends_with_that_error_and_the_next_one_goes);
    tcase_add_test(tc, the_files_of_a_log_go_piece_by_piece_and_the_directories_last);
    suite_add_tcase(suite, tc);
    tcase_add_test(crash,
                   a_segment_that_was_going_is_not_believed_when_it_comes_back_with_its_whole_size);
    suite_add_tcase(suite, crash);
    return suite;
}
