/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faulty_disk/undo.h"

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIFE_SHIFT 40 /* records of one life before the next one's */

/* Durable below `order`: a file, or the names in a directory. */
struct synced {
    uint64_t order;
    uint64_t inode;
    const char *path;
    size_t path_len;
    bool is_names;
};

struct syncs {
    struct synced *list;
    size_t count;
};

/* Room for one more; the new element is zero. */
static void *grow(void **list, size_t *count, size_t size)
{
    if ((*count & (*count - 1)) == 0) {
        *list = realloc(*list, (*count == 0 ? 1 : 2 * *count) * size);
        if (*list == NULL)
            err(1, "the journal is too large");
    }
    memset((char *)*list + *count * size, 0, size);
    return (char *)*list + (*count)++ * size;
}

/* --- reading --- */

static const char *path_of(const struct journal_record *record, const uint8_t *after)
{
    if (record->path_len == 0)
        return "";
    if (record->path_len > JOURNAL_PATH_BYTES || after[record->path_len - 1] != '\0')
        errx(1, "the journal has a path that is none");
    return (const char *)after;
}

static void take_undo(struct undo_log *log, const struct journal_record *record, uint64_t life,
                      const uint8_t *after)
{
    bool is_name = record->type == JOURNAL_NAME;
    struct undo *undo = is_name ? grow((void **)&log->names, &log->name_count, sizeof(*undo))
                                : grow((void **)&log->bytes, &log->byte_count, sizeof(*undo));

    undo->order = (life << LIFE_SHIFT) + record->number;
    undo->inode = record->inode;
    undo->offset = record->offset;
    undo->old_size = record->old_size;
    undo->data = after + record->path_len;
    undo->data_len = record->data_len;
    undo->path = path_of(record, after);
}

static void take_sync(struct syncs *syncs, const struct journal_record *record, uint64_t life,
                      const uint8_t *after)
{
    struct synced *synced = grow((void **)&syncs->list, &syncs->count, sizeof(*synced));

    synced->order = (life << LIFE_SHIFT) + record->until;
    synced->inode = record->inode;
    synced->is_names = record->type == JOURNAL_NAMES_SYNCED;
    synced->path = path_of(record, after);
    synced->path_len = strlen(synced->path);
}

/* Up to the torn record that a killed process may have left at the end. */
static void take_records(struct undo_log *log, struct syncs *syncs, uint64_t life,
                         const uint8_t *data, size_t len)
{
    size_t at = 0;

    while (len - at >= sizeof(struct journal_record)) {
        struct journal_record record;

        memcpy(&record, data + at, sizeof(record));
        at += sizeof(record);
        if (record.magic != JOURNAL_MAGIC)
            errx(1, "the journal has a record that is none");
        if (len - at < (size_t)record.path_len + record.data_len)
            return;
        if (record.type == JOURNAL_BYTES || record.type == JOURNAL_NAME)
            take_undo(log, &record, life, data + at);
        else
            take_sync(syncs, &record, life, data + at);
        at += (size_t)record.path_len + record.data_len;
    }
}

static uint8_t *read_file(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *data = NULL;
    struct stat status;
    ssize_t got = 0;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) != 0 || (data = malloc((size_t)status.st_size + 1)) == NULL)
        err(1, "%s", path);
    while ((got = read(fd, data + *ret_len, (size_t)status.st_size - *ret_len)) > 0)
        *ret_len += (size_t)got;
    if (got < 0)
        err(1, "%s", path);
    close(fd);
    return data;
}

/* --- what was made durable goes --- */

static int compare_syncs(const void *a, const void *b)
{
    const struct synced *left = a, *right = b;

    if (left->is_names != right->is_names)
        return left->is_names - right->is_names;
    if (left->inode != right->inode && !left->is_names)
        return left->inode < right->inode ? -1 : 1;
    if (!left->is_names)
        return 0;
    if (left->path_len != right->path_len)
        return left->path_len < right->path_len ? -1 : 1;
    return memcmp(left->path, right->path, left->path_len);
}

/* One for each file and directory: the newest. */
static void merge_syncs(struct syncs *syncs)
{
    size_t kept = 0;

    if (syncs->count == 0)
        return;
    qsort(syncs->list, syncs->count, sizeof(syncs->list[0]), compare_syncs);
    for (size_t i = 1; i < syncs->count; i++) {
        if (compare_syncs(&syncs->list[kept], &syncs->list[i]) != 0)
            syncs->list[++kept] = syncs->list[i];
        else if (syncs->list[i].order > syncs->list[kept].order)
            syncs->list[kept].order = syncs->list[i].order;
    }
    syncs->count = kept + 1;
}

static bool is_durable(const struct syncs *syncs, const struct undo *undo, bool is_name)
{
    const char *slash = strrchr(undo->path, '/');
    struct synced key = {.inode = undo->inode,
                         .is_names = is_name,
                         .path = undo->path,
                         .path_len = slash != NULL ? (size_t)(slash - undo->path) : 0};
    const struct synced *found = NULL;

    if (syncs->count > 0)
        found = bsearch(&key, syncs->list, syncs->count, sizeof(key), compare_syncs);
    return found != NULL && undo->order < found->order;
}

static size_t drop_durable(const struct syncs *syncs, struct undo *list, size_t count, bool is_name)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_durable(syncs, &list[i], is_name))
            list[kept++] = list[i];
    }
    return kept;
}

static int by_file(const void *a, const void *b)
{
    const struct undo *left = a, *right = b;

    if (left->inode != right->inode)
        return left->inode < right->inode ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

static int by_path(const void *a, const void *b)
{
    const struct undo *left = a, *right = b;
    int order = strcmp(left->path, right->path);

    if (order != 0)
        return order;
    return left->order < right->order ? -1 : left->order > right->order;
}

void undo_log_load(struct undo_log *log, const char *journal_dir)
{
    struct syncs syncs = {0};
    char path[4096];

    *log = (struct undo_log){0};
    for (int life = 1;; life++) {
        size_t len = 0;
        uint8_t *data = NULL;

        snprintf(path, sizeof(path), "%s/%08d" JOURNAL_SUFFIX, journal_dir, life);
        data = read_file(path, &len);
        if (data == NULL)
            break;
        *(uint8_t **)grow((void **)&log->files, &log->file_count, sizeof(data)) = data;
        take_records(log, &syncs, (uint64_t)life, data, len);
    }
    merge_syncs(&syncs);
    log->byte_count = drop_durable(&syncs, log->bytes, log->byte_count, false);
    log->name_count = drop_durable(&syncs, log->names, log->name_count, true);
    free(syncs.list);
    if (log->byte_count > 0)
        qsort(log->bytes, log->byte_count, sizeof(log->bytes[0]), by_file);
    if (log->name_count > 0)
        qsort(log->names, log->name_count, sizeof(log->names[0]), by_path);
}

void undo_log_done(struct undo_log *log)
{
    for (size_t i = 0; i < log->file_count; i++)
        free(log->files[i]);
    free(log->files);
    free(log->bytes);
    free(log->names);
}
