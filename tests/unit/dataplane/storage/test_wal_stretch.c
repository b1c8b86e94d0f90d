/* SPDX-License-Identifier: Apache-2.0 */
/* Several rounds in the write-ahead log at once, by real threads, on a disk whose power may go at any moment: what
 * was synced is there, of the rest any block may be. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/wal/wal_stretch.h"
#include "tests/support/check_main.h"

enum { BLOCK = 64, FILE_BYTES = 8192, THREADS = 4, ROUNDS = 50, CUTS = 200, PAYLOAD_MAX = 200 };

/* --- the disk --- */

struct memory_file {
    struct file base;
    uint8_t now[FILE_BYTES];
    uint8_t durable[FILE_BYTES];
    int64_t size;
    bool is_syncing;
    bool is_there;
};

static struct memory_file files[WAL_FILES_MAX];
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static int syncs;
static int writes_left; /* then they fail; -1 = never */

static struct memory_file *memory_of(struct file *file)
{
    return container_of(file, struct memory_file, base);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

static enum err memory_write(struct file *file, int64_t offset, const struct iovec *iov, int count)
{
    struct memory_file *memory = memory_of(file);
    enum err rc = ERR_OK;

    sched_yield();
    pthread_mutex_lock(&disk_lock);
    if (writes_left == 0)
        rc = ERR_IO;
    else if (writes_left > 0)
        writes_left--;
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        ck_assert_int_le(offset + (int64_t)iov[i].iov_len, FILE_BYTES);
        /* No block twice: only zeros are written over. */
        ck_assert(is_zero(memory->now + offset, iov[i].iov_len));
        memcpy(memory->now + offset, iov[i].iov_base, iov[i].iov_len);
        offset += (int64_t)iov[i].iov_len;
        memory->size = offset > memory->size ? offset : memory->size;
    }
    pthread_mutex_unlock(&disk_lock);
    return rc;
}

static enum err memory_sync(struct file *file)
{
    struct memory_file *memory = memory_of(file);
    uint8_t then[FILE_BYTES];

    pthread_mutex_lock(&disk_lock);
    ck_assert(!memory->is_syncing);
    memory->is_syncing = true;
    memcpy(then, memory->now, sizeof(then));
    pthread_mutex_unlock(&disk_lock);
    for (int i = 0; i < 10; i++) /* others write meanwhile */
        sched_yield();
    pthread_mutex_lock(&disk_lock);
    memcpy(memory->durable, then, sizeof(then));
    memory->is_syncing = false;
    syncs++;
    pthread_mutex_unlock(&disk_lock);
    return ERR_OK;
}

static enum err memory_read(struct file *file, int64_t offset, void *data, size_t len,
                            size_t *ret_len)
{
    memcpy(data, memory_of(file)->now + offset, len);
    *ret_len = len;
    return ERR_OK;
}

static enum err memory_size(struct file *file, int64_t *ret_size)
{
    *ret_size = memory_of(file)->size;
    return ERR_OK;
}

static void memory_close(struct file *file)
{
    (void)file;
}

static const struct file_ops memory_file_ops = {
    .read_at = memory_read,
    .write_at = memory_write,
    .sync = memory_sync,
    .size = memory_size,
    .close = memory_close,
};

static enum err disk_open(struct disk *disk, const char *path, int flags, struct file **ret_file)
{
    long number = strtol(strrchr(path, '/') + 1, NULL, 10);

    (void)disk;
    (void)flags;
    ck_assert_int_lt(number, WAL_FILES_MAX);
    pthread_mutex_lock(&disk_lock);
    files[number].base.ops = &memory_file_ops;
    files[number].is_there = true;
    pthread_mutex_unlock(&disk_lock);
    *ret_file = &files[number].base;
    return ERR_OK;
}

static enum err disk_make_dir(struct disk *disk, const char *path)
{
    (void)disk;
    (void)path;
    return ERR_OK;
}

static enum err disk_list(struct disk *disk, const char *path, disk_list_fn each, void *context)
{
    (void)disk;
    (void)path;
    (void)each;
    (void)context;
    return ERR_NOT_FOUND;
}

static void disk_sync_all(struct disk *disk, struct disk_sync *all, int count)
{
    (void)disk;
    for (int i = 0; i < count; i++)
        all[i].err = all[i].file->ops->sync(all[i].file);
}

static const struct disk_ops memory_disk_ops = {
    .open = disk_open,
    .make_dir = disk_make_dir,
    .sync_dir = disk_make_dir,
    .list = disk_list,
    .sync_all = disk_sync_all,
};

static struct disk disk = {&memory_disk_ops};

/* --- the log --- */

static const struct uuid directory_id = {{1, 2, 3}};
static struct write_ahead_log wal;
static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned seed;

static void open_stream(enum wal_stream stream)
{
    struct wal_options options = {
        .disk = &disk,
        .directory_id = directory_id,
        .stream = stream,
        .file_bytes = FILE_BYTES,
        .block_bytes = BLOCK,
        .shard_count = THREADS,
    };
    int64_t lsn = 0;

    memset(files, 0, sizeof(files));
    syncs = 0;
    writes_left = -1;
    ck_assert_int_eq(wal_open(&wal, &options), ERR_OK);
    ck_assert_int_eq(wal_begin(&wal, 0, &lsn), ERR_OK);
}

static void setup(void)
{
    open_stream(WAL_SYNCED);
}

static void setup_written(void)
{
    open_stream(WAL_WRITTEN);
}

static void teardown(void)
{
    wal_done(&wal);
}

static struct wal_stretch *must_place(size_t payload)
{
    struct wal_stretch *stretch = NULL;
    int64_t bytes = WAL_DATA_OVERHEAD + (int64_t)payload;

    if (wal_reserve(&wal, bytes, &stretch) != ERR_OK || stretch == NULL)
        ck_abort_msg("no room");
    wal_place(&wal, stretch, bytes);
    return stretch;
}

/* Others may reserve, place and change the file between the two. NULL = no room, or a failure. */
static struct wal_stretch *place_between_others(size_t payload)
{
    struct wal_stretch *stretch = NULL;
    int64_t bytes = WAL_DATA_OVERHEAD + (int64_t)payload;
    enum err rc = ERR_OK;

    pthread_mutex_lock(&store_lock);
    rc = wal_reserve(&wal, bytes + PAYLOAD_MAX, &stretch);
    pthread_mutex_unlock(&store_lock);
    if (rc != ERR_OK)
        return NULL;
    sched_yield();
    pthread_mutex_lock(&store_lock);
    wal_place(&wal, stretch, bytes);
    pthread_mutex_unlock(&store_lock);
    return stretch;
}

/* Of a partition: its entries are numbered from 1 on. */
static void add(struct wal_stretch *stretch, int32_t partition, int number, size_t payload)
{
    static const uint8_t bytes[PAYLOAD_MAX] = {7};
    struct wal_data data = {
        .id = {{{9}}, partition},
        .end_offset = number,
        .bytes = slice_of(bytes, payload),
    };

    wal_add_data(&wal, stretch, &data);
}

/* --- what a start would find --- */

static struct memory_file images[WAL_FILES_MAX];

/* Durable is there; of what is only written, any block. */
static void cut_power(void)
{
    pthread_mutex_lock(&disk_lock);
    memcpy(images, files, sizeof(images));
    pthread_mutex_unlock(&disk_lock);
    for (int f = 0; f < WAL_FILES_MAX; f++) {
        for (int at = 0; at < FILE_BYTES; at += BLOCK) {
            if (rand_r(&seed) % 2 == 0)
                memcpy(images[f].now + at, images[f].durable + at, BLOCK);
        }
    }
}

static const struct memory_file *find_image(int64_t first_lsn)
{
    for (int f = 0; f < WAL_FILES_MAX; f++) {
        int64_t found = -1;

        if (images[f].is_there &&
            wal_header_read(slice_of(images[f].now, FILE_BYTES), directory_id, &found) == ERR_OK &&
            found == first_lsn)
            return &images[f];
    }
    return NULL;
}

/* Walks the stream as replay does, up to its end; the number of the last entry of each partition. */
static void replay(int found[THREADS])
{
    const struct memory_file *image = find_image(0);
    int64_t first_lsn = 0;
    int64_t at = WAL_HEADER_BYTES;
    struct wal_entry entry;

    memset(found, 0, THREADS * sizeof(found[0]));
    while (image != NULL && wal_entry_read(slice_of(image->now + at, (size_t)(FILE_BYTES - at)),
                                           first_lsn + at, &entry)) {
        at += (int64_t)entry.size_bytes;
        if (entry.type == WAL_DATA) {
            ck_assert_int_eq(entry.data.end_offset, found[entry.data.id.partition] + 1);
            found[entry.data.id.partition]++;
        } else if (entry.type == WAL_END) {
            first_lsn = entry.next_lsn;
            image = find_image(first_lsn);
            at = WAL_HEADER_BYTES;
        }
    }
}

/* --- one thread --- */

START_TEST(one_sync_covers_all_that_is_written)
{
    struct wal_stretch *first = must_place(10);
    struct wal_stretch *second = must_place(100);
    struct wal_stretch *third = must_place(1);
    int64_t end_lsn = third->end_lsn;
    int found[THREADS];

    add(third, 2, 1, 1);
    ck_assert_int_eq(wal_end_stretch(&wal, third, false), ERR_OK);
    add(second, 1, 1, 100);
    ck_assert_int_eq(wal_end_stretch(&wal, second, false), ERR_OK);
    ck_assert_int_eq(syncs, 0);
    add(first, 0, 1, 10);
    ck_assert_int_eq(wal_end_stretch(&wal, first, true), ERR_OK);
    ck_assert_int_eq(syncs, 1);
    ck_assert_int_eq(wal.synced_lsn, end_lsn);
    cut_power();
    replay(found);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(found[i], 1);
}
END_TEST

START_TEST(a_stretch_ends_with_its_block_however_long_its_entries_are)
{
    int found[THREADS];

    for (int payload = 1; payload <= 2 * BLOCK; payload++) {
        struct wal_stretch *stretch = must_place((size_t)payload);

        ck_assert_int_eq((stretch->begin_lsn - stretch->file->first_lsn) % BLOCK, 0);
        ck_assert_int_eq((stretch->end_lsn - stretch->file->first_lsn) % BLOCK, 0);
        add(stretch, 0, payload, (size_t)payload);
        ck_assert_int_eq(wal_end_stretch(&wal, stretch, true), ERR_OK);
        cut_power();
        replay(found);
        ck_assert_int_eq(found[0], payload);
    }
}
END_TEST

START_TEST(nothing_becomes_durable_after_a_stretch_that_was_abandoned)
{
    struct wal_stretch *first = must_place(10);
    struct wal_stretch *second = must_place(10);

    wal_abandon_stretch(&wal, first);
    add(second, 1, 1, 10);
    ck_assert_int_eq(wal_end_stretch(&wal, second, true), ERR_IO);
    ck_assert_int_eq(syncs, 0);
}
END_TEST

/* --- many threads --- */

struct writer {
    pthread_t thread;
    int32_t partition;
    unsigned seed;
    int acknowledged; /* under disk_lock */
    bool has_failed;
};

/* Files are numbered as they are used; none is used again here. */
static void check_durable(const struct wal_file *file, int64_t end_lsn)
{
    for (int f = 0; f <= file->number; f++) {
        size_t len = f < file->number ? FILE_BYTES : (size_t)(end_lsn - file->first_lsn);

        ck_assert_mem_eq(files[f].durable, files[f].now, len);
    }
}

/* A start after a kill would find it: there is no hole before it. */
static void check_written(int32_t partition, int number)
{
    int found[THREADS];

    memcpy(images, files, sizeof(images));
    replay(found);
    ck_assert_int_ge(found[partition], number);
}

static void acknowledge(struct writer *writer, int number, const struct wal_file *file,
                        int64_t end_lsn)
{
    pthread_mutex_lock(&disk_lock);
    if (wal.stream == WAL_SYNCED)
        check_durable(file, end_lsn);
    else
        check_written(writer->partition, number);
    writer->acknowledged = number;
    pthread_mutex_unlock(&disk_lock);
}

static void *write_rounds(void *context)
{
    struct writer *writer = context;

    for (int number = 1; number <= ROUNDS; number++) {
        size_t payload = 1 + (size_t)rand_r(&writer->seed) % (PAYLOAD_MAX - 1);
        bool is_awaited = rand_r(&writer->seed) % 4 != 0;
        struct wal_stretch *stretch = NULL;
        const struct wal_file *file = NULL;
        int64_t end_lsn = 0;
        enum err rc = ERR_OK;

        stretch = place_between_others(payload);
        writer->has_failed = stretch == NULL;
        if (stretch == NULL)
            return NULL;
        file = stretch->file;
        end_lsn = stretch->end_lsn;
        add(stretch, writer->partition, number, payload);
        rc = wal_end_stretch(&wal, stretch, is_awaited);
        writer->has_failed = rc != ERR_OK;
        if (rc != ERR_OK)
            return NULL;
        if (is_awaited)
            acknowledge(writer, number, file, end_lsn);
    }
    return NULL;
}

static struct writer writers[THREADS];

static void start_writers(unsigned base_seed)
{
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.partition = i, .seed = base_seed * THREADS + (unsigned)i};
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_rounds, &writers[i]), 0);
    }
}

static void join_writers(void)
{
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
}

static void check_acknowledged(void)
{
    int acknowledged[THREADS];
    int found[THREADS];

    pthread_mutex_lock(&disk_lock);
    for (int i = 0; i < THREADS; i++)
        acknowledged[i] = writers[i].acknowledged;
    pthread_mutex_unlock(&disk_lock);
    cut_power();
    replay(found);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_ge(found[i], acknowledged[i]);
}

START_TEST(what_was_acknowledged_is_found_whenever_the_power_goes)
{
    seed = (unsigned)_i;
    start_writers((unsigned)_i);
    for (int i = 0; i < CUTS; i++)
        check_acknowledged();
    join_writers();
    check_acknowledged();
    for (int i = 0; i < THREADS; i++)
        ck_assert(!writers[i].has_failed);
}
END_TEST

START_TEST(after_a_write_that_failed_nobody_is_told_that_more_is_durable)
{
    int failed = 0;

    seed = (unsigned)_i;
    writes_left = 20 + 7 * _i;
    start_writers((unsigned)_i);
    join_writers();
    check_acknowledged();
    for (int i = 0; i < THREADS; i++)
        failed += writers[i].has_failed;
    ck_assert_int_gt(failed, 0);
}
END_TEST

START_TEST(what_is_only_written_waits_for_all_before_it_and_for_no_sync)
{
    start_writers((unsigned)_i);
    join_writers();
    for (int i = 0; i < THREADS; i++) {
        ck_assert(!writers[i].has_failed);
        ck_assert_int_gt(writers[i].acknowledged, 0);
    }
    ck_assert_int_eq(syncs, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("storage/wal_stretch");
    TCase *tc = tcase_create("wal_stretch");
    TCase *written = tcase_create("written");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, one_sync_covers_all_that_is_written);
    tcase_add_test(tc, a_stretch_ends_with_its_block_however_long_its_entries_are);
    tcase_add_test(tc, nothing_becomes_durable_after_a_stretch_that_was_abandoned);
    tcase_add_loop_test(tc, what_was_acknowledged_is_found_whenever_the_power_goes, 0, 8);
    tcase_add_loop_test(tc, after_a_write_that_failed_nobody_is_told_that_more_is_durable, 0, 16);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(written, setup_written, teardown);
    tcase_add_loop_test(written, what_is_only_written_waits_for_all_before_it_and_for_no_sync, 0,
                        8);
    suite_add_tcase(suite, written);
    return suite;
}
