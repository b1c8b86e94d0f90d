/* SPDX-License-Identifier: Apache-2.0 */
/* The power goes, after the program under faulty_disk was killed: of what was not synced, chance decides
 * what is found. By the rules of tests/simulation/sim_disk.h: for each name that differs the new or the
 * durable one; then for each file a size between, and for each 512-byte sector that differs the new or
 * the synced bytes. Afterwards all that is there is durable, and the journal is empty.
 *
 *   power_cut --seed S DATA JOURNAL
 *
 * One line of JSON on stdout: how much was undecided, and how much of it went back. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/port/random.h"
#include "tests/support/faulty_disk/undo.h"

#define SECTOR_BYTES 512

struct tally {
    long names, old_names;
    long sectors, old_sectors;
    long sizes, shorter_sizes;
};

static struct seeded_random chance;
static struct tally tally;

static void join(char full[4096], const char *directory, const char *path)
{
    if (snprintf(full, 4096, "%s/%s", directory, path) >= 4096)
        errx(1, "a path is too long");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    if (remove(path) != 0)
        err(1, "%s", path);
    return 0;
}

static void remove_tree(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        err(1, "%s", path);
}

/* --- names --- */

/* What a path leads to, in the journal's words. */
static uint64_t target_of(const char *full)
{
    struct stat status;

    if (lstat(full, &status) != 0)
        return 0;
    return S_ISDIR(status.st_mode) ? JOURNAL_DIRECTORY : status.st_ino;
}

static void point_name(const char *full, const char *journal, uint64_t target)
{
    char kept[4096];

    remove_tree(full);
    if (target == 0)
        return;
    snprintf(kept, sizeof(kept), "%s/" JOURNAL_INODES "/%llu", journal, (unsigned long long)target);
    /* Without its directory a name is nothing: that was decided before, or it is not durable either. */
    if ((target == JOURNAL_DIRECTORY ? mkdir(full, 0750) : link(kept, full)) != 0 &&
        errno != ENOENT)
        err(1, "%s", full);
}

/* The first record of a path that can be taken back says what it durably leads to. All names are drawn
 * as they were before any is changed: what goes with its directory was drawn as well. */
static void choose_names(const struct undo_log *log, const char *data, const char *journal)
{
    bool *is_old = calloc(log->name_count + 1, sizeof(*is_old));
    char full[4096];

    if (is_old == NULL)
        err(1, "names");
    for (size_t i = 0; i < log->name_count; i++) {
        if (i > 0 && strcmp(log->names[i].path, log->names[i - 1].path) == 0)
            continue;
        join(full, data, log->names[i].path);
        if (target_of(full) == log->names[i].inode)
            continue;
        is_old[i] = seeded_random_below(&chance, 2) == 0;
        tally.names++;
        tally.old_names += is_old[i];
    }
    /* Sorted by path: a directory comes before what is in it. */
    for (size_t i = 0; i < log->name_count; i++) {
        join(full, data, log->names[i].path);
        if (is_old[i])
            point_name(full, journal, log->names[i].inode);
    }
    free(is_old);
}

/* --- bytes --- */

struct content {
    uint8_t *now;
    uint8_t *synced;
    int64_t now_size;
    int64_t synced_size;
    int64_t room;
};

static int64_t largest_size(const struct undo *undo, size_t count, int64_t now_size)
{
    int64_t largest = now_size;

    for (size_t i = 0; i < count; i++) {
        if (undo[i].old_size > largest)
            largest = undo[i].old_size;
    }
    return largest;
}

/* From the newest change back to the first one after the last sync. */
static void take_back(struct content *content, const struct undo *undo, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        content->synced_size = undo[i].old_size;
        memcpy(content->synced + undo[i].offset, undo[i].data, undo[i].data_len);
        memset(content->synced + undo[i].old_size, 0, (size_t)(content->room - undo[i].old_size));
    }
}

static int64_t draw_size(const struct content *content)
{
    int64_t low =
        content->now_size < content->synced_size ? content->now_size : content->synced_size;
    int64_t high = content->now_size + content->synced_size - low;
    uint64_t draw = 0;

    if (high == low)
        return high;
    tally.sizes++;
    draw = seeded_random_below(&chance, 4);
    if (draw > 1)
        return high;
    tally.shorter_sizes++;
    return draw == 0 ? low
                     : low + (int64_t)seeded_random_below(&chance, (uint64_t)(high - low) + 1);
}

static void draw_sectors(struct content *content, int64_t size)
{
    for (int64_t at = 0; at < size; at += SECTOR_BYTES) {
        int64_t len = size - at < SECTOR_BYTES ? size - at : SECTOR_BYTES;

        if (memcmp(content->now + at, content->synced + at, (size_t)len) == 0)
            continue;
        tally.sectors++;
        if (at < content->now_size && seeded_random_below(&chance, 2) != 0)
            continue;
        tally.old_sectors++;
        memcpy(content->now + at, content->synced + at, (size_t)len);
    }
}

static void tear(const char *path, const struct undo *undo, size_t count)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct content content = {0};
    struct stat status;
    int64_t size = 0;

    if (fd < 0 || fstat(fd, &status) != 0)
        err(1, "%s", path);
    content.now_size = content.synced_size = status.st_size;
    content.room = largest_size(undo, count, status.st_size) + 1;
    content.now = calloc(1, (size_t)content.room);
    content.synced = calloc(1, (size_t)content.room);
    if (content.now == NULL || content.synced == NULL ||
        pread(fd, content.now, (size_t)status.st_size, 0) != status.st_size)
        err(1, "%s", path);
    memcpy(content.synced, content.now, (size_t)status.st_size);
    take_back(&content, undo, count);
    size = draw_size(&content);
    draw_sectors(&content, size);
    if (pwrite(fd, content.now, (size_t)size, 0) != size || ftruncate(fd, size) != 0)
        err(1, "%s", path);
    free(content.now);
    free(content.synced);
    close(fd);
}

/* --- all files --- */

struct found_file {
    char *path;
    uint64_t inode;
};

static struct {
    struct found_file *list;
    size_t count;
} found;

static int note_file(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)where;
    if (type != FTW_F)
        return 0;
    found.list = realloc(found.list, (found.count + 1) * sizeof(found.list[0]));
    if (found.list == NULL)
        err(1, "files");
    found.list[found.count++] = (struct found_file){strdup(path), status->st_ino};
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct found_file *)a)->path, ((const struct found_file *)b)->path);
}

static int by_inode(const void *a, const void *b)
{
    uint64_t left = ((const struct undo *)a)->inode, right = ((const struct undo *)b)->inode;

    return left < right ? -1 : left > right;
}

/* What can be taken back of one file: a stretch of log->bytes. */
static size_t find_file(const struct undo_log *log, uint64_t inode, const struct undo **ret_first)
{
    struct undo key = {.inode = inode};
    struct undo *any = NULL;
    size_t count = 0;

    if (log->byte_count > 0)
        any = bsearch(&key, log->bytes, log->byte_count, sizeof(key), by_inode);
    if (any == NULL)
        return 0;
    while (any > log->bytes && any[-1].inode == inode)
        any--;
    while (any + count < log->bytes + log->byte_count && any[count].inode == inode)
        count++;
    *ret_first = any;
    return count;
}

static bool was_seen(size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (found.list[i].inode == found.list[index].inode)
            return true;
    }
    return false;
}

/* In the order of their paths, so that a seed means the same again. */
static void tear_files(const struct undo_log *log, const char *data)
{
    if (nftw(data, note_file, 16, FTW_PHYS) != 0)
        err(1, "%s", data);
    if (found.count > 0)
        qsort(found.list, found.count, sizeof(found.list[0]), by_path);
    for (size_t i = 0; i < found.count; i++) {
        const struct undo *undo = NULL;
        size_t count = find_file(log, found.list[i].inode, &undo);

        if (count > 0 && !was_seen(i))
            tear(found.list[i].path, undo, count);
    }
    for (size_t i = 0; i < found.count; i++)
        free(found.list[i].path);
    free(found.list);
}

int main(int argc, char **argv)
{
    struct undo_log log;

    if (argc != 5 || strcmp(argv[1], "--seed") != 0) {
        fprintf(stderr, "usage: power_cut --seed S DATA JOURNAL\n");
        return 2;
    }
    seeded_random_init(&chance, strtoull(argv[2], NULL, 10));
    undo_log_load(&log, argv[4]);
    choose_names(&log, argv[3], argv[4]);
    tear_files(&log, argv[3]);
    undo_log_done(&log);
    remove_tree(argv[4]);
    printf("{\"names\": %ld, \"old_names\": %ld, \"sizes\": %ld, \"shorter_sizes\": %ld, "
           "\"sectors\": %ld, \"old_sectors\": %ld}\n",
           tally.names, tally.old_names, tally.sizes, tally.shorter_sizes, tally.sectors,
           tally.old_sectors);
    return 0;
}
