/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/check_main.h"
#include "tests/unit/common/port/disk_rig.h"

static struct disk_rig rig;
static struct disk *disk;

static void setup(void)
{
    disk_rig_init(&rig);
    disk = rig.disk;
}

static void teardown(void)
{
    disk_rig_done(&rig);
}

static void write_text(struct file *file, int64_t offset, const char *text)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)text, 1},
                           {(void *)(uintptr_t)(text + 1), strlen(text) - 1}};

    ck_assert_int_eq(file->ops->write_at(file, offset, iov, 2), ERR_OK);
}

START_TEST(what_was_written_is_read_back_and_reading_past_the_end_is_short)
{
    struct file *file = NULL;
    char data[32] = "";
    size_t len = 0;
    int64_t size = 0;

    ck_assert_int_eq(disk->ops->open(disk, "a", DISK_CREATE | DISK_EXCLUSIVE, &file), ERR_OK);
    write_text(file, 0, "hello world");
    write_text(file, 6, "there");
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    ck_assert_int_eq(file->ops->read_at(file, 2, data, sizeof(data), &len), ERR_OK);
    ck_assert_uint_eq(len, 9);
    ck_assert_str_eq(data, "llo there");
    ck_assert_int_eq(file->ops->truncate(file, 5), ERR_OK);
    ck_assert_int_eq(file->ops->size(file, &size), ERR_OK);
    ck_assert_int_eq(size, 5);
    file->ops->close(file);
}
END_TEST

START_TEST(opening_says_not_found_and_exists)
{
    struct file *file = NULL;

    ck_assert_int_eq(disk->ops->open(disk, "nothing", 0, &file), ERR_NOT_FOUND);
    ck_assert_int_eq(disk->ops->open(disk, "a", DISK_CREATE, &file), ERR_OK);
    file->ops->close(file);
    ck_assert_int_eq(disk->ops->open(disk, "a", DISK_CREATE | DISK_EXCLUSIVE, &file), ERR_EXISTS);
}
END_TEST

START_TEST(modes_are_ours_and_descriptors_close_on_exec)
{
    struct file *file = NULL;
    struct stat status;
    char path[128];

    ck_assert_int_eq(disk->ops->make_dir(disk, "d/e"), ERR_OK);
    ck_assert_int_eq(disk->ops->make_dir(disk, "d/e"), ERR_OK);
    ck_assert_int_eq(disk->ops->open(disk, "d/e/f", DISK_CREATE, &file), ERR_OK);
    file->ops->close(file);
    snprintf(path, sizeof(path), "%s/d/e/f", rig.root);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0640);
    snprintf(path, sizeof(path), "%s/d", rig.root);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0750);
}
END_TEST

static bool count_each(void *context, const char *name, bool is_directory)
{
    int *counts = context;

    (void)name;
    counts[is_directory]++;
    return true;
}

START_TEST(a_directory_is_listed_and_removed_with_all_that_is_in_it)
{
    int counts[2] = {0, 0};
    struct file *file = NULL;

    ck_assert_int_eq(disk->ops->make_dir(disk, "d/e/f"), ERR_OK);
    ck_assert_int_eq(disk->ops->open(disk, "d/x", DISK_CREATE, &file), ERR_OK);
    file->ops->close(file);
    ck_assert_int_eq(disk->ops->open(disk, "d/e/y", DISK_CREATE, &file), ERR_OK);
    file->ops->close(file);
    ck_assert_int_eq(disk->ops->list(disk, "d", count_each, counts), ERR_OK);
    ck_assert_int_eq(counts[0], 1);
    ck_assert_int_eq(counts[1], 1);
    ck_assert_int_eq(disk->ops->sync_dir(disk, "d"), ERR_OK);
    ck_assert_int_eq(disk->ops->remove_dir(disk, "d"), ERR_OK);
    ck_assert_int_eq(disk->ops->list(disk, "d", count_each, counts), ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_second_opener_finds_the_directory_locked)
{
    struct disk *other = NULL;

    ck_assert_int_eq(disk->ops->lock(disk, "lock"), ERR_OK);
    ck_assert_int_eq(posix_disk_open(rig.root, &other, NULL), ERR_OK);
    ck_assert_int_eq(other->ops->lock(other, "lock"), ERR_LOCKED);
    posix_disk_close(other);
}
END_TEST

START_TEST(a_whole_file_is_replaced_and_read_up_to_a_maximum)
{
    uint8_t *data = NULL;
    size_t len = 0;

    ck_assert_int_eq(disk_replace_file(disk, "", "meta", "a longer first text", 19), ERR_OK);
    ck_assert_int_eq(disk_replace_file(disk, "", "meta", "short", 5), ERR_OK);
    ck_assert_int_eq(disk_read_file(disk, "meta", 4, &data, &len), ERR_TOO_LARGE);
    ck_assert_int_eq(disk_read_file(disk, "meta", 5, &data, &len), ERR_OK);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(data, "short", 5);
    free(data);
    ck_assert_int_eq(disk_read_file(disk, "meta.new", 99, &data, &len), ERR_NOT_FOUND);
}
END_TEST

START_TEST(many_syncs_at_once_answer_each_for_itself)
{
    struct disk_sync syncs[40];
    char path[32];

    ck_assert_int_eq(disk->ops->make_dir(disk, "d"), ERR_OK);
    for (int i = 0; i < 40; i++) {
        syncs[i] = (struct disk_sync){.dir = i % 4 == 1 ? "d" : "nowhere", .err = ERR_INTERNAL};
        snprintf(path, sizeof(path), "d/%d", i);
        if (i % 2 == 0)
            ck_assert_int_eq(disk->ops->open(disk, path, DISK_CREATE, &syncs[i].file), ERR_OK);
    }
    disk->ops->sync_all(disk, syncs, 40);
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(syncs[i].err, i % 4 == 3 ? ERR_NOT_FOUND : ERR_OK);
        if (syncs[i].file != NULL)
            syncs[i].file->ops->close(syncs[i].file);
    }
    disk->ops->sync_all(disk, syncs, 0);
}
END_TEST

enum { CALLERS = 4, CALLS = 50, SYNCS = 8 };

static void *sync_often(void *context)
{
    const char *dir = context;
    int wrong = 0;

    for (int call = 0; call < CALLS; call++) {
        struct disk_sync syncs[SYNCS];

        for (int i = 0; i < SYNCS; i++)
            syncs[i] = (struct disk_sync){.dir = i % 2 == 0 ? dir : "nowhere", .err = ERR_INTERNAL};
        disk->ops->sync_all(disk, syncs, SYNCS);
        for (int i = 0; i < SYNCS; i++)
            wrong += syncs[i].err != (i % 2 == 0 ? ERR_OK : ERR_NOT_FOUND);
    }
    return wrong == 0 ? NULL : context;
}

START_TEST(callers_that_sync_at_the_same_time_get_their_own_answers)
{
    pthread_t callers[CALLERS];
    char dir[] = "d";

    ck_assert_int_eq(disk->ops->make_dir(disk, dir), ERR_OK);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&callers[i], NULL, sync_often, dir), 0);
    for (int i = 0; i < CALLERS; i++) {
        void *wrong = NULL;

        pthread_join(callers[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
}
END_TEST

enum { JOBS = 100 };

static void count_job(void *context, int index)
{
    atomic_int *counts = context;

    atomic_fetch_add(&counts[index], 1);
}

START_TEST(jobs_at_once_run_each_of_them_once)
{
    atomic_int counts[JOBS] = {0};

    for (int count = 0; count <= JOBS; count += 25)
        disk->ops->at_once(disk, count_job, counts, count);
    for (int i = 0; i < JOBS; i++)
        ck_assert_int_eq(counts[i], 4 - i / 25);
}
END_TEST

START_TEST(a_missing_root_says_what_to_do)
{
    struct disk *other = NULL;
    struct error error;

    ck_assert_int_eq(posix_disk_open("/nowhere/at/all", &other, &error), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/at/all"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/posix_disk");
    TCase *tc = tcase_create("posix_disk");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_was_written_is_read_back_and_reading_past_the_end_is_short);
    tcase_add_test(tc, opening_says_not_found_and_exists);
    tcase_add_test(tc, modes_are_ours_and_descriptors_close_on_exec);
    tcase_add_test(tc, a_directory_is_listed_and_removed_with_all_that_is_in_it);
    tcase_add_test(tc, a_second_opener_finds_the_directory_locked);
    tcase_add_test(tc, a_whole_file_is_replaced_and_read_up_to_a_maximum);
    tcase_add_test(tc, many_syncs_at_once_answer_each_for_itself);
    tcase_add_test(tc, callers_that_sync_at_the_same_time_get_their_own_answers);
    tcase_add_test(tc, jobs_at_once_run_each_of_them_once);
    tcase_add_test(tc, a_missing_root_says_what_to_do);
    suite_add_tcase(suite, tc);
    return suite;
}
