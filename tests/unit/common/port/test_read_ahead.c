/* SPDX-License-Identifier: Apache-2.0 */
/* What the system's settings say of the device below a file. The settings are made up: a directory that looks as sysfs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/port/disk.h"
#include "common/port/read_ahead.h"
#include "tests/support/check_main.h"

static char root[64];
static struct disk *disk;
static int fd;
static char device[64]; /* "254:0" */

static void setup(void)
{
    struct stat status;

    snprintf(root, sizeof(root), "/tmp/millrace-sysfs-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(posix_disk_open(root, &disk, NULL), ERR_OK);
    fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &status), 0);
    snprintf(device, sizeof(device), "%u:%u", major(status.st_dev), minor(status.st_dev));
}

static void teardown(void)
{
    ck_assert_int_eq(disk->ops->remove_dir(disk, "sys"), ERR_OK);
    posix_disk_close(disk);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(rmdir(root), 0);
}

/* sys/<place>/<device><below>/read_ahead_kb */
static void set(const char *place, const char *below, const char *text)
{
    char dir[256];

    snprintf(dir, sizeof(dir), "sys/%s/%s%s", place, device, below);
    ck_assert_int_eq(disk->ops->make_dir(disk, dir), ERR_OK);
    ck_assert_int_eq(disk_replace_file(disk, dir, "read_ahead_kb", text, strlen(text)), ERR_OK);
}

static int64_t found(void)
{
    char sysfs[128];

    ck_assert_int_eq(disk->ops->make_dir(disk, "sys"), ERR_OK);
    snprintf(sysfs, sizeof(sysfs), "%s/sys", root);
    return read_ahead_bytes(fd, sysfs);
}

START_TEST(a_disk_says_it_itself)
{
    set("dev/block", "/queue", "128\n");
    set("class/bdi", "", "4096\n");
    ck_assert_int_eq(found(), 128 << 10);
}
END_TEST

/* sysfs has the part below the disk, and a link to it here. */
START_TEST(for_a_part_of_a_disk_the_disk_says_it)
{
    char target[256];
    char link[256];

    ck_assert_int_eq(disk->ops->make_dir(disk, "sys/dev/block"), ERR_OK);
    ck_assert_int_eq(disk->ops->make_dir(disk, "sys/devices/disk/part"), ERR_OK);
    ck_assert_int_eq(disk->ops->make_dir(disk, "sys/devices/disk/queue"), ERR_OK);
    ck_assert_int_eq(
        disk_replace_file(disk, "sys/devices/disk/queue", "read_ahead_kb", "8192\n", 5), ERR_OK);
    snprintf(target, sizeof(target), "%s/sys/devices/disk/part", root);
    snprintf(link, sizeof(link), "%s/sys/dev/block/%s", root, device);
    ck_assert_int_eq(symlink(target, link), 0);
    ck_assert_int_eq(found(), 8192 << 10);
}
END_TEST

START_TEST(a_file_system_without_a_device_says_it_where_it_is_one_to_write_back_to)
{
    set("class/bdi", "", "0\n");
    ck_assert_int_eq(found(), 0);
}
END_TEST

START_TEST(what_is_no_number_or_not_there_is_not_known)
{
    ck_assert_int_eq(found(), -1);
    set("dev/block", "/queue", "much\n");
    ck_assert_int_eq(found(), -1);
    set("dev/block", "/queue", "-1\n");
    ck_assert_int_eq(found(), -1);
    ck_assert_int_eq(read_ahead_bytes(-1, "/sys"), -1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/read_ahead");
    TCase *tc = tcase_create("read_ahead");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_disk_says_it_itself);
    tcase_add_test(tc, for_a_part_of_a_disk_the_disk_says_it);
    tcase_add_test(tc, a_file_system_without_a_device_says_it_where_it_is_one_to_write_back_to);
    tcase_add_test(tc, what_is_no_number_or_not_there_is_not_known);
    suite_add_tcase(suite, tc);
    return suite;
}
