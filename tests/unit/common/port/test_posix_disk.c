/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/port/disk.h"
#include "tests/support/check_main.h"

static char root[64];
static struct disk *disk;

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/millrace-disk-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(posix_disk_open(root, &disk, NULL), ERR_OK);
}

static bool remove_each(void *context, const char *name, bool is_directory)
{
    (void)context;
    if (is_directory)
        ck_assert_int_eq(disk->ops->remove_dir(disk, name), ERR_OK);
    else
        ck_assert_int_eq(disk->ops->remove(disk, name), ERR_OK);
    return true;
}

static void teardown(void)
{
    ck_assert_int_eq(disk->ops->list(disk, "", remove_each, NULL), ERR_OK);
    posix_disk_close(disk);
    ck_assert_int_eq(rmdir(root), 0);
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
    snprintf(path, sizeof(path), "%s/d/e/f", root);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0640);
    snprintf(path, sizeof(path), "%s/d", root);
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
    ck_assert_int_eq(posix_disk_open(root, &other, NULL), ERR_OK);
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

/* --- large writes of files that grow --- */

enum { BULK_BYTES = 3 << 20 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Cuts `len` bytes into pieces. */
static int cut(uint8_t *bytes, size_t len, uint64_t *random, struct iovec iov[100])
{
    int count = 0;

    while (len > 0 && count < 99) {
        size_t part = next_random(random) % 40000;

        part = part > len ? len : part;
        iov[count++] = (struct iovec){bytes, part};
        bytes += part;
        len -= part;
    }
    iov[count] = (struct iovec){bytes, len};
    return count + 1;
}

static void check_content(const char *path, const uint8_t *expected, size_t len)
{
    uint8_t *data = NULL;
    size_t found = 0;

    ck_assert_int_eq(disk_read_file(disk, path, BULK_BYTES, &data, &found), ERR_OK);
    ck_assert_uint_eq(found, len);
    ck_assert(memcmp(data, expected, len) == 0);
    free(data);
}

/* Some of the pieces come from a copy that lies otherwise in memory. */
static void mix(struct iovec *iov, int count, const uint8_t *bytes, uint8_t *copy, uint64_t *random)
{
    for (int i = 0; i < count; i++) {
        uint8_t *same = copy + ((const uint8_t *)iov[i].iov_base - bytes);

        memcpy(same, iov[i].iov_base, iov[i].iov_len);
        if (next_random(random) % 2 == 0)
            iov[i].iov_base = same;
    }
}

/* Bytes that lie in memory as in the blocks of the file need no copy, others do; pieces may be both. */
START_TEST(a_file_has_exactly_the_bytes_it_was_given_however_large_the_writes_were)
{
    bool is_as_in_file = _i % 3 != 0;
    bool is_mixed = _i % 3 == 2;
    uint8_t *memory = aligned_alloc(4096, BULK_BYTES + 4096);
    uint8_t *bytes = is_as_in_file ? memory : memory + 100;
    uint8_t *copy = malloc(BULK_BYTES);
    struct file *file = NULL;
    uint64_t random = (uint64_t)_i + 1;
    size_t at = 0;

    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    for (size_t i = 0; i < BULK_BYTES; i++)
        bytes[i] = (uint8_t)next_random(&random);
    while (at < BULK_BYTES) {
        size_t part = next_random(&random) % (next_random(&random) % 2 == 0 ? 600000 : 9000) + 1;
        struct iovec iov[100];
        int count = 0;

        part = part > BULK_BYTES - at ? BULK_BYTES - at : part;
        count = cut(bytes + at, part, &random, iov);
        if (is_mixed)
            mix(iov, count, bytes, copy, &random);
        ck_assert_int_eq(file->ops->write_at(file, (int64_t)at, iov, count), ERR_OK);
        at += part;
        if (next_random(&random) % 3 == 0)
            ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    }
    check_content("bulk", bytes, BULK_BYTES);
    /* And over what is there. */
    for (int i = 0; i < 10; i++) {
        size_t from = next_random(&random) % (BULK_BYTES - 400000);
        size_t part = 66000 + next_random(&random) % 300000;
        struct iovec iov = {bytes + from, part};

        for (size_t b = from; b < from + part; b++)
            bytes[b] = (uint8_t)(bytes[b] + 1);
        ck_assert_int_eq(file->ops->write_at(file, (int64_t)from, &iov, 1), ERR_OK);
    }
    check_content("bulk", bytes, BULK_BYTES);
    file->ops->close(file);
    free(copy);
    free(memory);
}
END_TEST

START_TEST(a_large_write_goes_into_the_file_that_was_opened_whatever_its_name_leads_to_now)
{
    static uint8_t bytes[200000];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct file *file = NULL;

    memset(bytes, 7, sizeof(bytes));
    ck_assert_int_eq(disk->ops->open(disk, "one", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    ck_assert_int_eq(disk->ops->rename(disk, "one", "other"), ERR_OK);
    ck_assert_int_eq(disk_replace_file(disk, "", "one", "mine", 4), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    file->ops->close(file);
    check_content("one", (const uint8_t *)"mine", 4);
    check_content("other", bytes, sizeof(bytes));
}
END_TEST

START_TEST(a_large_write_to_a_file_without_a_name_is_written)
{
    static uint8_t bytes[200000];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct file *file = NULL;
    uint8_t last = 0;
    size_t len = 0;

    memset(bytes, 9, sizeof(bytes));
    ck_assert_int_eq(disk->ops->open(disk, "gone", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    ck_assert_int_eq(disk->ops->remove(disk, "gone"), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    ck_assert_int_eq(file->ops->read_at(file, sizeof(bytes) - 1, &last, 1, &len), ERR_OK);
    ck_assert_uint_eq(last, 9);
    file->ops->close(file);
}
END_TEST

/* More files than have a way past the page cache at a time. */
START_TEST(many_files_may_be_written_to_at_once)
{
    enum { FILES = 300 };
    static uint8_t bytes[70000];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct file *files[FILES];
    char path[32];

    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "file-%d", i);
        ck_assert_int_eq(disk->ops->open(disk, path, DISK_CREATE | DISK_BULK, &files[i]), ERR_OK);
        memset(bytes, i, sizeof(bytes));
        ck_assert_int_eq(files[i]->ops->write_at(files[i], 0, &iov, 1), ERR_OK);
    }
    for (int i = 0; i < FILES; i++) {
        files[i]->ops->close(files[i]);
        snprintf(path, sizeof(path), "file-%d", i);
        memset(bytes, i, sizeof(bytes));
        check_content(path, bytes, sizeof(bytes));
    }
}
END_TEST

/* --- large reads of such files --- */

/* Written by turns in small and large pieces, so that the page cache has some of it. */
static struct file *grow_file(const char *path, uint8_t *bytes, size_t len, uint64_t *random)
{
    struct file *file = NULL;

    ck_assert_int_eq(disk->ops->open(disk, path, DISK_CREATE | DISK_BULK, &file), ERR_OK);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next_random(random);
    for (size_t at = 0, part = 0; at < len; at += part) {
        part = next_random(random) % (next_random(random) % 2 == 0 ? 600000 : 9000) + 1;
        part = part > len - at ? len - at : part;
        struct iovec iov = {bytes + at, part};

        ck_assert_int_eq(file->ops->write_at(file, (int64_t)at, &iov, 1), ERR_OK);
    }
    return file;
}

static void check_read(struct file *file, const uint8_t *bytes, size_t size, size_t from,
                       size_t len)
{
    uint8_t *data = malloc(len);
    size_t expected = from >= size ? 0 : (size - from < len ? size - from : len);
    size_t found = 0;

    ck_assert_int_eq(file->ops->read_at(file, (int64_t)from, data, len, &found), ERR_OK);
    ck_assert_uint_eq(found, expected);
    ck_assert(memcmp(data, bytes + (expected == 0 ? 0 : from), found) == 0);
    free(data);
}

START_TEST(large_reads_give_exactly_what_was_written_wherever_they_begin_and_end)
{
    uint8_t *bytes = malloc(BULK_BYTES);
    uint64_t random = (uint64_t)_i + 1;
    size_t size = BULK_BYTES - next_random(&random) % 5000;
    struct file *file = grow_file("bulk", bytes, size, &random);

    for (int i = 0; i < 60; i++)
        check_read(file, bytes, size, next_random(&random) % (size + 10000),
                   65536 + next_random(&random) % 900000);
    for (size_t from = size - 70000; from <= size + 1; from += 997)
        check_read(file, bytes, size, from, 70000);
    file->ops->close(file);
    free(bytes);
}
END_TEST

/* What is dirty in the page cache, before, beside and over what went past it. */
START_TEST(a_large_read_sees_every_write_that_came_before_it)
{
    uint8_t *bytes = malloc(BULK_BYTES);
    uint64_t random = (uint64_t)_i + 1;
    struct file *file = grow_file("bulk", bytes, BULK_BYTES, &random);

    for (int i = 0; i < 60; i++) {
        size_t part = next_random(&random) % (i % 2 == 0 ? 5000 : 300000) + 1;
        size_t from = 300000 + next_random(&random) % (BULK_BYTES - 700000);
        struct iovec iov = {bytes + from, part};

        for (size_t b = from; b < from + part; b++)
            bytes[b] = (uint8_t)next_random(&random);
        ck_assert_int_eq(file->ops->write_at(file, (int64_t)from, &iov, 1), ERR_OK);
        check_read(file, bytes, BULK_BYTES, from - next_random(&random) % 300000, 600000);
    }
    file->ops->close(file);
    free(bytes);
}
END_TEST

static bool is_in_memory_only(void)
{
    struct statfs status;

    ck_assert_int_eq(statfs(root, &status), 0);
    return status.f_type == TMPFS_MAGIC;
}

/* What is in memory of it goes, as far as the file system has it on a disk. */
static void forget_pages(struct file *file, const char *path)
{
    char name[600];
    int fd = -1;

    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    snprintf(name, sizeof(name), "%s/%s", root, path);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

/* Of the file's pages, how many are in memory. */
static size_t cached_pages(const char *path, size_t len)
{
    static unsigned char is_cached[BULK_BYTES / 4096 + 1];
    char name[600];
    void *map = NULL;
    size_t count = 0;
    int fd = -1;

    snprintf(name, sizeof(name), "%s/%s", root, path);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_int_eq(mincore(map, len, is_cached), 0);
    for (size_t i = 0; i < len / 4096; i++)
        count += is_cached[i] & 1;
    ck_assert_int_eq(munmap(map, len), 0);
    close(fd);
    return count;
}

/* How far ahead of a reader the system may be. */
static size_t most_pages_ahead(void)
{
    int64_t bytes = posix_disk_read_ahead_bytes(disk);

    return bytes < 0 || bytes > POSIX_DISK_READ_AHEAD_MAX_BYTES ? 0 : (size_t)(2 * bytes / 4096);
}

START_TEST(of_such_a_file_nothing_is_read_ahead_where_the_system_would_read_much)
{
    size_t read_pages = (size_t)3 * 65536 / 4096;
    static uint8_t bytes[BULK_BYTES];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct file *file = NULL;

    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    forget_pages(file, "bulk");
    for (size_t at = 0; at < 3; at++)
        check_read(file, bytes, sizeof(bytes), at * 65536, 65536);
    if (!is_in_memory_only()) {
        ck_assert_uint_ge(cached_pages("bulk", sizeof(bytes)), read_pages);
        ck_assert_uint_le(cached_pages("bulk", sizeof(bytes)), read_pages + most_pages_ahead());
    }
    file->ops->close(file);
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
    tcase_add_loop_test(tc, a_file_has_exactly_the_bytes_it_was_given_however_large_the_writes_were,
                        0, 8);
    tcase_add_test(tc,
                   a_large_write_goes_into_the_file_that_was_opened_whatever_its_name_leads_to_now);
    tcase_add_test(tc, a_large_write_to_a_file_without_a_name_is_written);
    tcase_add_test(tc, many_files_may_be_written_to_at_once);
    tcase_add_test(tc, jobs_at_once_run_each_of_them_once);
    tcase_add_test(tc, a_missing_root_says_what_to_do);
    tcase_add_loop_test(tc, large_reads_give_exactly_what_was_written_wherever_they_begin_and_end,
                        0, 5);
    tcase_add_loop_test(tc, a_large_read_sees_every_write_that_came_before_it, 0, 5);
    tcase_add_test(tc, of_such_a_file_nothing_is_read_ahead_where_the_system_would_read_much);
    suite_add_tcase(suite, tc);
    return suite;
}
