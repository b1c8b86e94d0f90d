/* SPDX-License-Identifier: Apache-2.0 */
/* Who can wait gives way to who is in a hurry, and reads of what is not in memory can wait. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/port/polite_read.h"
#include "tests/support/check_main.h"

#define FOR_EVER_US ((int64_t)3600 * 1000 * 1000)
#define SHORT_US 1000
#define FILE_BYTES ((size_t)3 * POLITE_READ_PIECE_BYTES + 5000)

static struct right_of_way way;
static atomic_bool has_passed;
static uint8_t bytes[FILE_BYTES];
static uint8_t found[FILE_BYTES + 1];
static int fd;

static void setup(void)
{
    char path[] = "right-of-way-XXXXXX";

    atomic_store(&has_passed, false);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 4096);
    ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    ck_assert_int_eq(fsync(fd), 0);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0); /* none is read ahead */
}

static void teardown(void)
{
    right_of_way_done(&way);
    close(fd);
}

/* --- who gives way --- */

static void *give(void *unused)
{
    (void)unused;
    right_of_way_give(&way);
    atomic_store(&has_passed, true);
    return NULL;
}

START_TEST(who_gives_way_goes_on_when_the_last_hurry_is_over)
{
    pthread_t thread;

    right_of_way_init(&way, FOR_EVER_US);
    right_of_way_begin(&way);
    right_of_way_begin(&way);
    ck_assert_int_eq(pthread_create(&thread, NULL, give, NULL), 0);
    while (right_of_way_given(&way) == 0)
        sched_yield();
    right_of_way_end(&way);
    ck_assert(right_of_way_is_taken(&way));
    ck_assert(!atomic_load(&has_passed));
    right_of_way_end(&way);
    pthread_join(thread, NULL);
    ck_assert(atomic_load(&has_passed));
    ck_assert(!right_of_way_is_taken(&way));
}
END_TEST

START_TEST(nobody_gives_way_for_longer_than_patience_lasts)
{
    right_of_way_init(&way, SHORT_US);
    right_of_way_begin(&way);
    right_of_way_give(&way);
    ck_assert(right_of_way_is_taken(&way));
    ck_assert_int_eq(right_of_way_given(&way), 1);
    right_of_way_end(&way);
}
END_TEST

START_TEST(without_a_hurry_nobody_gives_way)
{
    right_of_way_init(&way, FOR_EVER_US);
    right_of_way_give(&way);
    ck_assert_int_eq(right_of_way_given(&way), 0);
}
END_TEST

/* --- polite reads --- */

static void read_back(size_t from, size_t len, size_t expected)
{
    size_t got = 0;

    ck_assert_int_eq(polite_read(&way, fd, (int64_t)from, found, len, &got), ERR_OK);
    ck_assert_uint_eq(got, expected);
    ck_assert_mem_eq(found, bytes + from, got);
}

static bool is_missing(const unsigned char *pages, size_t from, size_t to)
{
    for (size_t i = from / 4096; i < (to + 4095) / 4096; i++) {
        if ((pages[i] & 1) == 0)
            return true;
    }
    return false;
}

/* Forgets what is in memory; of a read of so many bytes from the beginning, how many pieces miss something then. Where
 * the file system is memory: none. */
static int64_t forget_pieces(size_t len)
{
    unsigned char pages[FILE_BYTES / 4096 + 1];
    void *mapped = NULL;
    int64_t count = 0;

    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    mapped = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(mapped, MAP_FAILED);
    ck_assert_int_eq(mincore(mapped, FILE_BYTES, pages), 0);
    for (size_t from = 0; from < len; from += POLITE_READ_PIECE_BYTES) {
        size_t left = len - from;

        count += is_missing(
            pages, from, from + (left < POLITE_READ_PIECE_BYTES ? left : POLITE_READ_PIECE_BYTES));
    }
    ck_assert_int_eq(munmap(mapped, FILE_BYTES), 0);
    return count;
}

START_TEST(a_piece_that_is_not_in_memory_gives_way_before_it_is_read)
{
    int64_t expected = 0;

    right_of_way_init(&way, SHORT_US);
    right_of_way_begin(&way);
    expected = forget_pieces(9000);
    read_back(0, 9000, 9000);
    ck_assert_int_eq(right_of_way_given(&way), expected);
    right_of_way_end(&way);
}
END_TEST

START_TEST(a_piece_that_is_in_memory_does_not)
{
    right_of_way_init(&way, FOR_EVER_US);
    read_back(0, FILE_BYTES, FILE_BYTES);
    right_of_way_begin(&way);
    read_back(0, FILE_BYTES, FILE_BYTES);
    read_back(12345, POLITE_READ_PIECE_BYTES, POLITE_READ_PIECE_BYTES);
    ck_assert_int_eq(right_of_way_given(&way), 0);
    right_of_way_end(&way);
}
END_TEST

START_TEST(without_a_hurry_no_read_gives_way)
{
    right_of_way_init(&way, FOR_EVER_US);
    forget_pieces(FILE_BYTES);
    read_back(0, FILE_BYTES, FILE_BYTES);
    ck_assert_int_eq(right_of_way_given(&way), 0);
}
END_TEST

START_TEST(each_piece_of_a_long_read_gives_way_by_itself)
{
    int64_t expected = 0;

    right_of_way_init(&way, SHORT_US);
    right_of_way_begin(&way);
    expected = forget_pieces(FILE_BYTES);
    read_back(0, FILE_BYTES, FILE_BYTES);
    ck_assert_int_eq(right_of_way_given(&way), expected);
    right_of_way_end(&way);
}
END_TEST

START_TEST(a_read_ends_where_the_file_does)
{
    right_of_way_init(&way, FOR_EVER_US);
    read_back(FILE_BYTES - 10, 11, 10);
    read_back(FILE_BYTES, 1, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_an_error)
{
    size_t got = 0;

    right_of_way_init(&way, FOR_EVER_US);
    ck_assert_int_ne(polite_read(&way, -1, 0, found, 1, &got), ERR_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/right_of_way");
    TCase *tc = tcase_create("right_of_way");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_gives_way_goes_on_when_the_last_hurry_is_over);
    tcase_add_test(tc, nobody_gives_way_for_longer_than_patience_lasts);
    tcase_add_test(tc, without_a_hurry_nobody_gives_way);
    suite_add_tcase(suite, tc);

    tc = tcase_create("polite_read");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_piece_that_is_not_in_memory_gives_way_before_it_is_read);
    tcase_add_test(tc, a_piece_that_is_in_memory_does_not);
    tcase_add_test(tc, without_a_hurry_no_read_gives_way);
    tcase_add_test(tc, each_piece_of_a_long_read_gives_way_by_itself);
    tcase_add_test(tc, a_read_ends_where_the_file_does);
    tcase_add_test(tc, what_cannot_be_read_is_an_error);
    suite_add_tcase(suite, tc);
    return suite;
}
