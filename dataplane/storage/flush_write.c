/* SPDX-License-Identifier: Apache-2.0 */
/* A round's part in the segments: writing an item, taking it back, noting its batches in the index. */
#include "dataplane/storage/flush_round.h"

#define IOV_PER_CALL 64
#define WRITING_BYTES ((int64_t)256 << 10)

/* Room that appends may not use, so that there is always some for what frees room: log starts, producer
 * snapshots, the catalogue. */
#define RESERVE_MAX_BYTES ((int64_t)64 << 20)
#define RESERVE_SHARE 20

/* What appends may use now. A disk that cannot say it is not held to it. */
int64_t flush_room_bytes(struct log_store *store)
{
    int64_t available = 0;
    int64_t total = 0;
    int64_t reserve = 0;

    if (store->disk->ops->free_bytes(store->disk, &available, &total) != ERR_OK)
        return INT64_MAX;
    reserve = total / RESERVE_SHARE < RESERVE_MAX_BYTES ? total / RESERVE_SHARE : RESERVE_MAX_BYTES;
    return available - reserve;
}

/* The runs of one segment that follow each other, as one call (or few). */
static enum err write_stretch(struct file *file, const struct write_run **run, int64_t *ret_end)
{
    const struct segment *segment = (*run)->segment;
    enum err rc = ERR_OK;

    while (*run != NULL && (*run)->segment == segment && rc == ERR_OK) {
        struct iovec iov[IOV_PER_CALL];
        int64_t position = (*run)->position;
        int count = 0;

        while (*run != NULL && (*run)->segment == segment && count < IOV_PER_CALL) {
            iov[count++] =
                (struct iovec){(*run)->chunk->data + (*run)->from, (*run)->to - (*run)->from};
            *ret_end = (*run)->position + (int64_t)((*run)->to - (*run)->from);
            *run = (*run)->next;
        }
        rc = file->ops->write_at(file, position, iov, count);
    }
    return rc;
}

/* Whole stretches begin to go to the disk at once: what a checkpoint has to sync is little, and the write-ahead log's
 * syncs do not wait behind it. */
static void start_writing(struct file *file, int64_t from, int64_t to)
{
    int64_t begin = from / WRITING_BYTES * WRITING_BYTES;
    int64_t end = to / WRITING_BYTES * WRITING_BYTES;

    if (end > begin)
        file->ops->start_writing(file, begin, end - begin);
}

static enum err write_segment(struct log_store *store, const struct write_run **run)
{
    struct segment *segment = (*run)->segment;
    int64_t position = (*run)->position;
    bool is_new = position == 0;
    struct file *file = NULL;
    int64_t end = 0;
    enum err rc = segment_files_acquire(&store->files, segment, is_new ? DISK_CREATE : 0, &file);

    if (rc != ERR_OK)
        return rc;
    /* A new segment may find the rest of one that was never recorded. */
    if (is_new)
        rc = file->ops->truncate(file, 0);
    if (rc == ERR_OK)
        rc = write_stretch(file, run, &end);
    if (rc == ERR_OK)
        start_writing(file, position, end);
    if (log_store_is_sabotaged(store, SABOTAGE_SHORT_WRITE))
        rc = ERR_OK;
    segment_files_release(&store->files, segment);
    return rc;
}

enum err flush_write_item(struct log_store *store, const struct flush_item *item)
{
    const struct write_run *run = item->runs;
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (item->is_new) {
        log_path(&item->id, path);
        rc = store->disk->ops->make_dir(store->disk, path);
    }
    while (run != NULL && rc == ERR_OK)
        rc = write_segment(store, &run);
    return rc;
}

/* Durably: the log goes on without it, and a file that came back would look like its next segment. */
static enum err undo_new_segment(struct log_store *store, const struct write_run *run)
{
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    segment_files_drop(&store->files, run->segment);
    segment_path(run->segment, SEGMENT_SUFFIX, path);
    rc = store->disk->ops->remove(store->disk, path);
    if (rc == ERR_NOT_FOUND)
        return ERR_OK; /* it was not made yet */
    log_path(&run->segment->id, path);
    return rc == ERR_OK ? store->disk->ops->sync_dir(store->disk, path) : rc;
}

static enum err undo_segment(struct log_store *store, const struct write_run *run)
{
    struct file *file = NULL;
    enum err rc = ERR_OK;

    if (run->position == 0)
        return undo_new_segment(store, run);
    rc = segment_files_acquire(&store->files, run->segment, 0, &file);
    if (rc != ERR_OK)
        return rc;
    rc = file->ops->truncate(file, run->position);
    segment_files_release(&store->files, run->segment);
    segment_index_truncate(&store->files, run->segment, run->position);
    return rc;
}

/* Takes a half-written item back: the files are as they were at its first byte. */
enum err flush_undo_item(struct log_store *store, const struct flush_item *item)
{
    const struct segment *done = NULL;
    enum err rc = ERR_OK;

    for (const struct write_run *run = item->runs; run != NULL && rc == ERR_OK; run = run->next) {
        if (run->segment != done)
            rc = undo_segment(store, run);
        done = run->segment;
    }
    return rc;
}

void flush_index_item(struct log_store *store, const struct flush_item *item)
{
    for (const struct write_run *run = item->runs; run != NULL; run = run->next) {
        size_t at = run->from;

        while (at < run->to) {
            struct record_batch batch;
            enum err rc = record_batch_parse(slice_of(run->chunk->data + at, run->to - at), &batch);

            invariant(rc == ERR_OK);
            segment_index_add(&store->files, run->segment, &batch,
                              run->position + (int64_t)(at - run->from));
            at += (size_t)batch.size_bytes;
        }
    }
}
