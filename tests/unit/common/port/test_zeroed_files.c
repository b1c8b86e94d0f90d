/* SPDX-License-Identifier: Apache-2.0 */
/* Files that become zeros and keep their room. Where the file system cannot, that is what is said. */
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/support/check_main.h"
#include "tests/unit/common/port/disk_rig.h"

enum { FILE_BYTES = 3 << 20 };

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

static bool has_zero_range(void)
{
    struct statfs status;

    ck_assert_int_eq(statfs(rig.root, &status), 0);
    return status.f_type != TMPFS_MAGIC;
}

static int64_t blocks_of(const char *name)
{
    struct stat status;
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", rig.root, name);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_blocks;
}

/* A file of FILE_BYTES, durably; open. */
static struct file *full_file(const char *name)
{
    static uint8_t bytes[FILE_BYTES];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct file *file = NULL;

    memset(bytes, 7, sizeof(bytes));
    ck_assert_int_eq(disk->ops->open(disk, name, DISK_CREATE | DISK_BULK, &file), ERR_OK);
    ck_assert_int_eq(file->ops->append_at(file, 0, &iov, 1), ERR_OK);
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    return file;
}

static void check_zeros(struct file *file, int64_t from, int64_t to)
{
    static uint8_t bytes[FILE_BYTES];
    size_t len = 0;

    ck_assert_int_eq(file->ops->read_at(file, from, bytes, (size_t)(to - from), &len), ERR_OK);
    ck_assert_uint_eq(len, (size_t)(to - from));
    for (size_t i = 0; i < len; i++)
        ck_assert_uint_eq(bytes[i], 0);
}

START_TEST(a_file_made_of_zeros_keeps_its_room_and_nothing_of_what_it_had)
{
    struct file *file = full_file("bulk");
    int64_t blocks = blocks_of("bulk");
    int64_t size = 0;
    int64_t data = 0;

    ck_assert_int_ge(blocks * 512, FILE_BYTES);
    if (!has_zero_range()) {
        ck_assert_int_eq(file->ops->make_zeros(file, FILE_BYTES), ERR_UNSUPPORTED);
    } else {
        ck_assert_int_eq(file->ops->make_zeros(file, FILE_BYTES + 4096), ERR_OK);
        ck_assert_int_eq(file->ops->sync(file), ERR_OK);
        ck_assert_int_ge(blocks_of("bulk"), blocks);
        ck_assert_int_eq(file->ops->size(file, &size), ERR_OK);
        ck_assert_int_eq(size, FILE_BYTES + 4096);
        ck_assert_int_eq(file->ops->next_data(file, 0, &data), ERR_OK);
        ck_assert_int_eq(data, size);
        check_zeros(file, 0, FILE_BYTES);
    }
    file->ops->close(file);
}
END_TEST

START_TEST(what_is_appended_to_a_file_of_zeros_is_told_from_what_follows)
{
    static uint8_t bytes[300000];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct file *file = full_file("bulk");
    int64_t end = 0;

    memset(bytes, 1, sizeof(bytes));
    if (has_zero_range()) {
        ck_assert_int_eq(file->ops->make_zeros(file, FILE_BYTES), ERR_OK);
        ck_assert_int_eq(file->ops->append_at(file, 0, &iov, 1), ERR_OK);
        ck_assert_int_eq(disk_written_end(file, 200000, FILE_BYTES, &end), ERR_OK);
        ck_assert_int_ge(end, 300000);
        ck_assert_int_eq(disk_written_end(file, 299100, FILE_BYTES, &end), ERR_OK);
        ck_assert_int_eq(end, 300000);
        ck_assert_int_eq(disk_written_end(file, 300000, FILE_BYTES, &end), ERR_OK);
        ck_assert_int_eq(end, 300000);
        check_zeros(file, 300000, FILE_BYTES);
    }
    file->ops->close(file);
}
END_TEST

/* A copy that somebody keeps by another name. */
START_TEST(a_file_with_another_name_is_not_made_of_zeros)
{
    struct file *file = full_file("bulk");
    uint8_t byte = 0;
    size_t len = 0;
    char from[128];
    char to[128];

    snprintf(from, sizeof(from), "%s/bulk", rig.root);
    snprintf(to, sizeof(to), "%s/copy", rig.root);
    ck_assert_int_eq(link(from, to), 0);
    ck_assert_int_eq(file->ops->make_zeros(file, FILE_BYTES), ERR_EXISTS);
    ck_assert_int_eq(file->ops->read_at(file, 5, &byte, 1, &len), ERR_OK);
    ck_assert_uint_eq(byte, 7);
    file->ops->close(file);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/zeroed_files");
    TCase *tc = tcase_create("zeroed_files");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_file_made_of_zeros_keeps_its_room_and_nothing_of_what_it_had);
    tcase_add_test(tc, what_is_appended_to_a_file_of_zeros_is_told_from_what_follows);
    tcase_add_test(tc, a_file_with_another_name_is_not_made_of_zeros);
    suite_add_tcase(suite, tc);
    return suite;
}
