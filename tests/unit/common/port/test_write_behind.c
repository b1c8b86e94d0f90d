/* SPDX-License-Identifier: Apache-2.0 */
/* What nobody waits for goes to the device behind who wrote it. */
#include "common/port/write_behind.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check_main.h"

#define STRETCH WRITE_BEHIND_STRETCH_BYTES
#define FOR_EVER_US ((int64_t)3600 * 1000 * 1000)
#define TOO_MANY (WRITE_BEHIND_STRETCHES + 2) /* one is under way */

static struct right_of_way way;
static struct write_behind behind;
static atomic_int written;
static int fd;

static void setup(void)
{
    char path[] = "write-behind-XXXXXX";

    atomic_store(&written, 0);
    right_of_way_init(&way, FOR_EVER_US);
    write_behind_init(&behind, &way);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(ftruncate(fd, TOO_MANY * STRETCH), 0);
}

static void teardown(void)
{
    write_behind_done(&behind);
    right_of_way_done(&way);
    close(fd);
}

static int stretches_left(void)
{
    int count = 0;

    pthread_mutex_lock(&behind.lock);
    count = behind.count;
    pthread_mutex_unlock(&behind.lock);
    return count;
}

static void wait_until_left(int count)
{
    while (stretches_left() != count)
        sched_yield();
}

static void wait_until_it_gives_way(void)
{
    while (right_of_way_given(&way) == 0)
        sched_yield();
}

START_TEST(only_whole_stretches_go)
{
    right_of_way_begin(&way); /* nothing leaves the ring but the first one */
    write_behind_written(&behind, fd, 0, STRETCH - 1);
    write_behind_written(&behind, fd, STRETCH + 5, 2 * STRETCH - 1);
    ck_assert(!behind.has_thread);
    write_behind_written(&behind, fd, STRETCH - 1, STRETCH);
    wait_until_it_gives_way();
    ck_assert_int_eq(stretches_left(), 0);
    write_behind_written(&behind, fd, 2 * STRETCH - 1, 4 * STRETCH + 1);
    ck_assert_int_eq(stretches_left(), 1);
    ck_assert_int_eq(behind.stretches[behind.first].offset, STRETCH);
    ck_assert_int_eq(behind.stretches[behind.first].len, 3 * STRETCH);
    right_of_way_end(&way);
}
END_TEST

START_TEST(what_was_written_goes_also_when_its_descriptor_is_closed)
{
    int other = dup(fd);
    char found[6] = "";

    right_of_way_begin(&way);
    ck_assert_int_eq(pwrite(other, "bytes", sizeof("bytes"), 0), sizeof("bytes"));
    write_behind_written(&behind, other, 0, STRETCH);
    write_behind_written(&behind, other, STRETCH, 2 * STRETCH);
    close(other);
    right_of_way_end(&way);
    wait_until_left(0);
    ck_assert(!write_behind_has_failed(&behind));
    ck_assert_int_eq(pread(fd, found, sizeof(found), 0), sizeof("bytes"));
    ck_assert_str_eq(found, "bytes");
}
END_TEST

static void *write_too_many(void *unused)
{
    (void)unused;
    for (int i = 1; i < TOO_MANY; i++) {
        write_behind_written(&behind, fd, i * STRETCH, (i + 1) * STRETCH);
        atomic_fetch_add(&written, 1);
    }
    return NULL;
}

START_TEST(who_writes_waits_while_too_much_is_behind_and_goes_on_when_there_is_room)
{
    pthread_t thread;

    right_of_way_begin(&way);
    write_behind_written(&behind, fd, 0, STRETCH);
    wait_until_it_gives_way();
    ck_assert_int_eq(pthread_create(&thread, NULL, write_too_many, NULL), 0);
    wait_until_left(WRITE_BEHIND_STRETCHES);
    for (int i = 0; i < 100; i++)
        sched_yield();
    ck_assert_int_lt(atomic_load(&written), TOO_MANY - 1);
    right_of_way_end(&way);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&written), TOO_MANY - 1);
    wait_until_left(0);
    ck_assert(!write_behind_has_failed(&behind));
}
END_TEST

START_TEST(who_is_far_behind_gives_way_to_nobody)
{
    right_of_way_begin(&way); /* for ever */
    for (int i = 1; i < WRITE_BEHIND_STRETCHES; i++)
        behind.stretches[behind.count++] =
            (struct write_behind_stretch){dup(fd), i * STRETCH, STRETCH};
    write_behind_written(&behind, fd, 0, STRETCH);
    wait_until_it_gives_way();
    ck_assert_int_eq(stretches_left(), WRITE_BEHIND_STRETCHES / 2 - 1);
    right_of_way_end(&way);
}
END_TEST

START_TEST(what_failed_on_the_way_is_said)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0); /* which has no device to go to */
    ck_assert(!write_behind_has_failed(&behind));
    write_behind_written(&behind, ends[1], 0, STRETCH);
    while (!write_behind_has_failed(&behind))
        sched_yield();
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(the_end_closes_what_did_not_begin)
{
    int descriptors[3];

    for (int i = 0; i < 3; i++) {
        descriptors[i] = dup(fd);
        behind.stretches[behind.count++] =
            (struct write_behind_stretch){descriptors[i], i * STRETCH, STRETCH};
    }
    write_behind_done(&behind);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fcntl(descriptors[i], F_GETFD), -1);
    write_behind_init(&behind, &way); /* for teardown */
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("write_behind");
    TCase *tc = tcase_create("write_behind");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, only_whole_stretches_go);
    tcase_add_test(tc, what_was_written_goes_also_when_its_descriptor_is_closed);
    tcase_add_test(tc, who_writes_waits_while_too_much_is_behind_and_goes_on_when_there_is_room);
    tcase_add_test(tc, who_is_far_behind_gives_way_to_nobody);
    tcase_add_test(tc, what_failed_on_the_way_is_said);
    tcase_add_test(tc, the_end_closes_what_did_not_begin);
    suite_add_tcase(suite, tc);
    return suite;
}
