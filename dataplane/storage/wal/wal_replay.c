/* SPDX-License-Identifier: Apache-2.0 */
/* Two walks along the stream: the first finds out up to where it was on the disk for sure, as the entries say; in the
 * second, what is bad below that is damage, and the first bad entry above it is the end. Files are taken each as a
 * whole: its entries are sorted by log, then written. */
#include "dataplane/storage/wal/wal_replay.h"

#include <stdlib.h>

#include "common/observe/log.h"

#define IOV_PER_CALL 64

struct ready_entry {
    struct list link;
    struct wal_data data; /* its bytes lie in the file that was read */
};

struct replay_walk {
    struct wal_replay *replay;
    struct write_ahead_log *wal;
    const struct catalogue *catalogue;
    bool is_measuring;  /* the first walk */
    int64_t synced_lsn; /* the most that an entry called synced */
};

/* --- logs --- */

static bool has_identity(const struct hash_node *node, const void *key)
{
    const struct log_identity *id = key;
    const struct replayed_log *log = container_of(node, const struct replayed_log, node);

    return log->id.partition == id->partition && uuid_equal(log->id.topic_id, id->topic_id);
}

const struct replayed_log *wal_replay_find(const struct wal_replay *replay,
                                           const struct log_identity *id)
{
    struct hash_node *node = hash_table_find(
        &replay->logs, hash_bytes(replay->logs.seed, id, sizeof(*id)), has_identity, id);

    return node == NULL ? NULL : container_of(node, const struct replayed_log, node);
}

static struct replayed_log *find_or_add(struct wal_replay *replay, const struct log_identity *id)
{
    uint64_t hash = hash_bytes(replay->logs.seed, id, sizeof(*id));
    struct hash_node *node = hash_table_find(&replay->logs, hash, has_identity, id);
    struct replayed_log *log = NULL;

    if (node != NULL)
        return container_of(node, struct replayed_log, node);
    log = calloc(1, sizeof(*log));
    if (log == NULL)
        return NULL;
    log->id = *id;
    list_init(&log->ready);
    if (hash_table_insert(&replay->logs, hash, &log->node) == ERR_OK)
        return log;
    free(log);
    return NULL;
}

static void forget_ready(struct replayed_log *log)
{
    list_for_each(&log->ready, node)
    {
        list_remove(node);
        free(container_of(node, struct ready_entry, link));
    }
}

void wal_replay_done(struct wal_replay *replay)
{
    struct hash_node *next = NULL;

    for (struct hash_node *node = hash_table_next(&replay->logs, NULL); node != NULL; node = next) {
        struct replayed_log *log = container_of(node, struct replayed_log, node);

        next = hash_table_next(&replay->logs, node);
        hash_table_remove(&replay->logs, node);
        forget_ready(log);
        free(log);
    }
    hash_table_done(&replay->logs);
}

/* --- what an entry is still good for --- */

static bool is_closed(const struct log_facts *facts, log_offset base_offset)
{
    for (int i = facts->segment_count - 1; i >= 0; i--) {
        if (facts->segments[i].base_offset <= base_offset)
            return facts->segments[i].end_offset > base_offset;
    }
    return false;
}

/* The catalogue is ahead of the entry: what it says is over. What lies below the log start is replayed all the
 * same: a segment may begin there and reach above it. */
static bool is_over(const struct log_facts *facts, const struct wal_data *data)
{
    if (facts == NULL || facts->is_isolated || is_closed(facts, data->base_offset))
        return true;
    return facts->flushed.base_offset == data->base_offset &&
           data->position + (int64_t)data->bytes.len <= facts->flushed.size_bytes;
}

static enum err take_data(struct replay_walk *walk, const struct wal_data *data)
{
    struct replayed_log *log = NULL;
    struct ready_entry *ready = NULL;

    if (is_over(catalogue_find(walk->catalogue, &data->id), data))
        return ERR_OK;
    log = find_or_add(walk->replay, &data->id);
    ready = log == NULL ? NULL : malloc(sizeof(*ready));
    if (ready == NULL)
        return ERR_NO_MEMORY;
    ready->data = *data;
    list_push_back(&log->ready, &ready->link);
    log->is_written = true;
    log->is_name_new |= data->position == 0;
    walk->replay->bytes += (int64_t)data->bytes.len;
    return ERR_OK;
}

static enum err take_note(struct replay_walk *walk, const struct wal_note *note, int64_t lsn)
{
    struct replayed_log *log = NULL;

    if (catalogue_find(walk->catalogue, &note->id) == NULL)
        return ERR_OK;
    log = find_or_add(walk->replay, &note->id);
    if (log == NULL)
        return ERR_NO_MEMORY;
    if (note->is_certain || lsn < walk->synced_lsn)
        log->promised = note->flushed;
    return ERR_OK;
}

static enum err take_entry(struct replay_walk *walk, const struct wal_entry *entry, int64_t lsn)
{
    if (walk->is_measuring) {
        if (entry->synced_below > walk->synced_lsn)
            walk->synced_lsn = entry->synced_below;
        return ERR_OK;
    }
    if (entry->type == WAL_DATA)
        return take_data(walk, &entry->data);
    return entry->type == WAL_NOTE ? take_note(walk, &entry->note, lsn) : ERR_OK;
}

/* --- into the segments --- */

/* Only its first bytes make a file: one that is not there for later bytes was removed, after its name was durable. */
static enum err open_segment(struct disk *disk, const struct wal_data *data, struct file **ret_file)
{
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (data->position == 0) {
        log_path(&data->id, path);
        rc = disk->ops->make_dir(disk, path);
    }
    log_path_file(&data->id, data->base_offset, SEGMENT_SUFFIX, path);
    return rc == ERR_OK
               ? disk->ops->open(disk, path, data->position == 0 ? DISK_CREATE : 0, ret_file)
               : rc;
}

static struct ready_entry *entry_of(struct list *node)
{
    return container_of(node, struct ready_entry, link);
}

/* Entries of one segment from *node on that follow each other, in one call. */
static enum err write_stretch(struct file *file, const struct list *end, struct list **node)
{
    const struct wal_data *first = &entry_of(*node)->data;
    int64_t position = first->position;
    struct iovec iov[IOV_PER_CALL];
    int count = 0;

    while (*node != end && count < IOV_PER_CALL) {
        const struct wal_data *data = &entry_of(*node)->data;

        if (data->base_offset != first->base_offset || data->position != position)
            break;
        iov[count++] = (struct iovec){(void *)(uintptr_t)data->bytes.data, data->bytes.len};
        position += (int64_t)data->bytes.len;
        *node = (*node)->next;
    }
    return file->ops->write_at(file, first->position, iov, count);
}

static void skip_segment(const struct list *end, struct list **node)
{
    log_offset base_offset = entry_of(*node)->data.base_offset;

    while (*node != end && entry_of(*node)->data.base_offset == base_offset)
        *node = (*node)->next;
}

static enum err write_segment(struct disk *disk, const struct list *end, struct list **node)
{
    log_offset base_offset = entry_of(*node)->data.base_offset;
    struct file *file = NULL;
    enum err rc = open_segment(disk, &entry_of(*node)->data, &file);

    if (rc == ERR_NOT_FOUND) {
        skip_segment(end, node);
        return ERR_OK;
    }
    while (rc == ERR_OK && *node != end && entry_of(*node)->data.base_offset == base_offset)
        rc = write_stretch(file, end, node);
    if (file != NULL)
        file->ops->close(file);
    return rc;
}

static enum err write_log(struct disk *disk, struct replayed_log *log)
{
    struct list *node = log->ready.next;
    enum err rc = ERR_OK;

    while (node != &log->ready && rc == ERR_OK)
        rc = write_segment(disk, &log->ready, &node);
    forget_ready(log);
    return rc;
}

static enum err write_all(struct replay_walk *walk)
{
    enum err rc = ERR_OK;

    for (struct hash_node *node = hash_table_next(&walk->replay->logs, NULL);
         node != NULL && rc == ERR_OK; node = hash_table_next(&walk->replay->logs, node))
        rc = write_log(walk->wal->disk, container_of(node, struct replayed_log, node));
    return rc;
}

/* --- the stream --- */

static bool read_entry(const struct replay_walk *walk, struct slice bytes, int64_t lsn,
                       struct wal_entry *ret_entry)
{
    return wal_entry_read(bytes, walk->wal->is_unseeded ? 0 : lsn, ret_entry);
}

/* The next good entry behind a bad one; bytes.len = none. */
static size_t find_entry(const struct replay_walk *walk, struct slice bytes, size_t at,
                         int64_t first_lsn)
{
    struct wal_entry entry;

    for (at++; at + WAL_ENTRY_OVERHEAD <= bytes.len; at++) {
        const uint8_t *length = bytes.data + at;
        struct slice rest = slice_of(length, bytes.len - at);
        int64_t lsn = first_lsn + (int64_t)at;

        /* Most of it is zeros, or bytes that are no length: seen quickly. */
        if (length[0] != 0 || (length[1] | length[2] | length[3]) == 0)
            continue;
        if (wal_entry_is_likely(rest, lsn) && read_entry(walk, rest, lsn, &entry))
            return at;
    }
    return bytes.len;
}

/* True = the stream ends here; else what is here was damaged, and it goes on. */
static bool is_end(struct replay_walk *walk, int64_t bad_lsn)
{
    if (walk->is_measuring || walk->wal->is_unseeded)
        return false;
    if (bad_lsn >= walk->synced_lsn)
        return true;
    log_event(LOG_ERROR, "write_ahead_log_damaged", f_i64("lsn", bad_lsn));
    return false;
}

/* *ret_next_lsn: where the next file begins, or should; -1 = the stream has ended. */
static enum err replay_bytes(struct replay_walk *walk, struct slice bytes, int64_t first_lsn,
                             int64_t *ret_next_lsn)
{
    size_t at = WAL_HEADER_BYTES;
    enum err rc = ERR_OK;

    *ret_next_lsn = first_lsn + walk->wal->file_bytes;
    while (at < bytes.len && rc == ERR_OK) {
        struct wal_entry entry;
        int64_t lsn = first_lsn + (int64_t)at;

        if (!read_entry(walk, slice_of(bytes.data + at, bytes.len - at), lsn, &entry)) {
            if (is_end(walk, lsn)) {
                *ret_next_lsn = -1;
                return ERR_OK;
            }
            at = find_entry(walk, bytes, at, first_lsn);
            continue;
        }
        rc = take_entry(walk, &entry, lsn);
        at += entry.size_bytes;
        if (entry.type == WAL_END) {
            *ret_next_lsn = entry.next_lsn;
            return rc;
        }
    }
    return rc;
}

static enum err read_file(const struct wal_file *file, struct slice *ret_bytes)
{
    size_t wanted = (size_t)file->allocated_bytes; /* an earlier life may have made larger ones */
    uint8_t *data = malloc(wanted == 0 ? 1 : wanted);
    size_t len = 0;
    enum err rc = ERR_OK;

    if (data == NULL)
        return ERR_NO_MEMORY;
    rc = file->file->ops->read_at(file->file, 0, data, wanted, &len);
    if (rc != ERR_OK) {
        free(data);
        return rc;
    }
    *ret_bytes = slice_of(data, len);
    return ERR_OK;
}

/* Does a file whose header is damaged hold the stretch that begins at first_lsn? Its first entry says so. */
static enum err adopt_headless(const struct replay_walk *walk, int64_t first_lsn,
                               struct wal_file **ret_file)
{
    struct write_ahead_log *wal = walk->wal;
    enum err rc = ERR_OK;

    for (int i = 0; i < wal->file_count && rc == ERR_OK; i++) {
        struct wal_file *file = &wal->files[i];
        struct wal_entry entry;
        struct slice bytes;

        if (file->first_lsn >= 0 || file->allocated_bytes <= WAL_HEADER_BYTES)
            continue;
        rc = read_file(file, &bytes);
        if (rc != ERR_OK)
            break;
        if (read_entry(walk, slice_of(bytes.data + WAL_HEADER_BYTES, bytes.len - WAL_HEADER_BYTES),
                       first_lsn + WAL_HEADER_BYTES, &entry)) {
            file->first_lsn = first_lsn;
            *ret_file = file;
        }
        free((void *)(uintptr_t)bytes.data);
        if (*ret_file != NULL)
            break;
    }
    return rc;
}

static enum err find_file(const struct replay_walk *walk, int64_t first_lsn,
                          struct wal_file **ret_file)
{
    struct write_ahead_log *wal = walk->wal;

    *ret_file = NULL;
    for (int i = 0; i < wal->file_count; i++) {
        if (wal->files[i].first_lsn == first_lsn) {
            *ret_file = &wal->files[i];
            return ERR_OK;
        }
    }
    return adopt_headless(walk, first_lsn, ret_file);
}

static enum err replay_files(struct replay_walk *walk, int64_t first_lsn)
{
    enum err rc = ERR_OK;

    for (int left = walk->wal->file_count; left > 0 && first_lsn >= 0 && rc == ERR_OK; left--) {
        struct wal_file *file = NULL;
        struct slice bytes;
        int64_t next_lsn = -1;

        rc = find_file(walk, first_lsn, &file);
        if (rc != ERR_OK || file == NULL)
            return rc;
        rc = read_file(file, &bytes);
        if (rc != ERR_OK)
            return rc;
        rc = replay_bytes(walk, bytes, first_lsn, &next_lsn);
        if (rc == ERR_OK && !walk->is_measuring)
            rc = write_all(walk);
        free((void *)(uintptr_t)bytes.data);
        first_lsn = next_lsn;
    }
    return rc;
}

/* Sabotage: whatever is in any file counts. */
static enum err replay_stale(struct replay_walk *walk)
{
    enum err rc = ERR_OK;

    for (int i = 0; i < walk->wal->file_count && rc == ERR_OK; i++) {
        struct slice bytes;
        int64_t ignored = 0;

        rc = read_file(&walk->wal->files[i], &bytes);
        if (rc != ERR_OK)
            return rc;
        rc = replay_bytes(walk, bytes, walk->wal->files[i].first_lsn, &ignored);
        if (rc == ERR_OK)
            rc = write_all(walk);
        free((void *)(uintptr_t)bytes.data);
    }
    return rc;
}

void wal_replay_init(struct wal_replay *replay, struct hash_seed seed)
{
    *replay = (struct wal_replay){.bytes = 0};
    hash_table_init(&replay->logs, seed);
}

enum err wal_replay_run(struct wal_replay *replay, struct write_ahead_log *wal, int64_t floor_lsn,
                        const struct catalogue *catalogue)
{
    struct replay_walk walk = {
        .replay = replay, .wal = wal, .catalogue = catalogue, .is_measuring = true};
    enum err rc = ERR_OK;

    rc = replay_files(&walk, floor_lsn);
    walk.is_measuring = false;
    if (rc == ERR_OK)
        rc = wal->is_unseeded ? replay_stale(&walk) : replay_files(&walk, floor_lsn);
    return rc;
}
