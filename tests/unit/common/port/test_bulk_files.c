/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
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

/* --- large writes --- */

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

    ck_assert_int_eq(statfs(rig.root, &status), 0);
    return status.f_type == TMPFS_MAGIC;
}

/* What is in memory of it goes, as far as the file system has it on a disk. */
static void forget_pages(struct file *file, const char *path)
{
    char name[600];
    int fd = -1;

    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    snprintf(name, sizeof(name), "%s/%s", rig.root, path);
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

    snprintf(name, sizeof(name), "%s/%s", rig.root, path);
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

/* --- what only grows --- */

static int64_t size_of(struct file *file)
{
    int64_t size = 0;

    ck_assert_int_eq(file->ops->size(file, &size), ERR_OK);
    return size;
}

/* What was appended, and less than a block of zeros. */
static void check_appended(struct file *file, const uint8_t *expected, size_t len)
{
    size_t size = (size_t)size_of(file);
    uint8_t *data = malloc(size + 1);
    size_t found = 0;

    ck_assert_uint_ge(size, len);
    ck_assert_uint_lt(size - len, (size_t)DISK_BLOCK_BYTES);
    ck_assert_int_eq(file->ops->read_at(file, 0, data, size, &found), ERR_OK);
    ck_assert_uint_eq(found, size);
    ck_assert(memcmp(data, expected, len) == 0);
    for (size_t i = len; i < size; i++)
        ck_assert_uint_eq(data[i], 0);
    free(data);
}

static size_t append_some(struct file *file, uint8_t *bytes, size_t at, size_t len,
                          uint64_t *random)
{
    struct iovec iov[100];
    size_t part = next_random(random) % (next_random(random) % 3 != 0 ? 300000 : 9000) + 1;

    part = part > len - at ? len - at : part;
    ck_assert_int_eq(
        file->ops->append_at(file, (int64_t)at, iov, cut(bytes + at, part, random, iov)), ERR_OK);
    return at + part;
}

/* As above, in memory as in the file, or not. And read by the way, so that what is cached must go. */
START_TEST(what_is_appended_is_all_that_a_file_has_but_for_zeros_up_to_the_end_of_a_block)
{
    uint8_t *memory = aligned_alloc(4096, BULK_BYTES + 4096);
    uint8_t *bytes = _i % 2 == 0 ? memory : memory + 100;
    struct file *file = NULL;
    uint64_t random = (uint64_t)_i + 1;

    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    for (size_t i = 0; i < BULK_BYTES; i++)
        bytes[i] = (uint8_t)(next_random(&random) | 1);
    for (size_t at = 0; at < BULK_BYTES;) {
        at = append_some(file, bytes, at, BULK_BYTES, &random);
        if (next_random(&random) % 2 == 0)
            check_appended(file, bytes, at);
    }
    ck_assert_int_eq(file->ops->truncate(file, BULK_BYTES), ERR_OK);
    check_content("bulk", bytes, BULK_BYTES);
    file->ops->close(file);
    free(memory);
}
END_TEST

/* By small pieces, which the page cache has, up to where the last large one ended. */
START_TEST(what_was_cut_and_appended_anew_is_not_overwritten_with_what_was_there)
{
    static uint8_t bytes[210003];
    struct iovec pieces[] = {{bytes, 70001}, {bytes + 69000, 1001}, {bytes + 70001, 140002}};
    struct file *file = NULL;

    memset(bytes, 1, sizeof(bytes));
    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    ck_assert_int_eq(file->ops->append_at(file, 0, &pieces[0], 1), ERR_OK);
    ck_assert_int_eq(file->ops->truncate(file, 69000), ERR_OK);
    memset(bytes + 69000, 2, sizeof(bytes) - 69000);
    ck_assert_int_eq(file->ops->append_at(file, 69000, &pieces[1], 1), ERR_OK);
    ck_assert_int_eq(file->ops->append_at(file, 70001, &pieces[2], 1), ERR_OK);
    check_appended(file, bytes, sizeof(bytes));
    file->ops->close(file);
}
END_TEST

/* Cut, written to anywhere, opened again: what is remembered of the last block is not believed then. */
START_TEST(appends_go_on_rightly_after_whatever_else_was_done_to_the_file)
{
    uint8_t *bytes = malloc(BULK_BYTES);
    struct file *file = NULL;
    uint64_t random = (uint64_t)_i + 1;

    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    for (size_t at = 0; at < BULK_BYTES;) {
        size_t step = next_random(&random) % 100000;
        uint64_t what = next_random(&random) % 5;
        size_t part = step < at ? step : at;
        struct iovec iov = {bytes + at - part, part};

        for (size_t i = at - part; i < BULK_BYTES && i < at + 700000; i++)
            bytes[i] = (uint8_t)(next_random(&random) | 1);
        ck_assert_int_eq(file->ops->write_at(file, (int64_t)(at - part), &iov, 1), ERR_OK);
        if (what == 0) {
            at -= part;
            ck_assert_int_eq(file->ops->truncate(file, (int64_t)at), ERR_OK);
        } else if (what == 1) {
            file->ops->close(file);
            ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_BULK, &file), ERR_OK);
        }
        at = append_some(file, bytes, at, BULK_BYTES, &random);
        check_appended(file, bytes, at);
    }
    file->ops->close(file);
    free(bytes);
}
END_TEST

START_TEST(zeros_behind_an_append_are_told_from_what_was_written)
{
    static uint8_t bytes[70001];
    static const struct {
        size_t known;
        size_t more;
        size_t end;
    } cases[] = {
        {70000, 0, 70000}, /* nothing but zeros */
        {70000, 1, 70001}, /* a byte more */
        {69700, 0, 70000}, /* some that nobody knew of */
        {69632, 0, 70000}, /* a whole block of them */
    };
    struct file *file = NULL;
    int64_t end = 0;

    memset(bytes, 1, sizeof(bytes));
    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct iovec iov = {bytes, 70000 + cases[i].more};

        ck_assert_int_eq(file->ops->truncate(file, 0), ERR_OK);
        ck_assert_int_eq(file->ops->append_at(file, 0, &iov, 1), ERR_OK);
        ck_assert_int_eq(file->ops->truncate(file, 73728), ERR_OK);
        ck_assert_int_eq(disk_written_end(file, (int64_t)cases[i].known, 73728, &end), ERR_OK);
        ck_assert_int_eq(end, (int64_t)cases[i].end);
    }
    file->ops->close(file);
}
END_TEST

START_TEST(large_appends_leave_no_page_in_memory)
{
    static uint8_t bytes[BULK_BYTES];
    struct file *file = NULL;
    uint64_t random = 1;

    ck_assert_int_eq(disk->ops->open(disk, "bulk", DISK_CREATE | DISK_BULK, &file), ERR_OK);
    for (size_t at = 0; at + 100000 < sizeof(bytes);) {
        size_t part = 65536 + next_random(&random) % 60000;
        struct iovec iov = {bytes + at, part};

        ck_assert_int_eq(file->ops->append_at(file, (int64_t)at, &iov, 1), ERR_OK);
        at += part;
    }
    if (!is_in_memory_only())
        ck_assert_uint_eq(cached_pages("bulk", (size_t)size_of(file)), 0);
    file->ops->close(file);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/bulk_files");
    TCase *tc = tcase_create("bulk_files");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_file_has_exactly_the_bytes_it_was_given_however_large_the_writes_were,
                        0, 8);
    tcase_add_test(tc,
                   a_large_write_goes_into_the_file_that_was_opened_whatever_its_name_leads_to_now);
    tcase_add_test(tc, a_large_write_to_a_file_without_a_name_is_written);
    tcase_add_test(tc, many_files_may_be_written_to_at_once);
    tcase_add_loop_test(tc, large_reads_give_exactly_what_was_written_wherever_they_begin_and_end,
                        0, 5);
    tcase_add_loop_test(tc, a_large_read_sees_every_write_that_came_before_it, 0, 5);
    tcase_add_test(tc, of_such_a_file_nothing_is_read_ahead_where_the_system_would_read_much);
    tcase_add_loop_test(
        tc, what_is_appended_is_all_that_a_file_has_but_for_zeros_up_to_the_end_of_a_block, 0, 6);
    tcase_add_loop_test(tc, appends_go_on_rightly_after_whatever_else_was_done_to_the_file, 0, 8);
    tcase_add_test(tc, what_was_cut_and_appended_anew_is_not_overwritten_with_what_was_there);
    tcase_add_test(tc, zeros_behind_an_append_are_told_from_what_was_written);
    tcase_add_test(tc, large_appends_leave_no_page_in_memory);
    suite_add_tcase(suite, tc);
    return suite;
}
