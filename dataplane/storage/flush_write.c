/* SPDX-License-Identifier: Apache-2.0 */
/* What is written to segments: an item of a round, which may be taken back, and what is late; and noting its batches in
 * the index. */
#include "dataplane/storage/flush_round.h"

#define IOV_PER_CALL 64

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
    available -= atomic_load_explicit(&store->late_bytes, memory_order_relaxed);
    reserve = total / RESERVE_SHARE < RESERVE_MAX_BYTES ? total / RESERVE_SHARE : RESERVE_MAX_BYTES;
    return available - reserve;
}

/* One item's runs in their order, or those of a late write. */
struct run_cursor {
    const struct write_run *run; /* NULL = no more */
    const struct write_run *last_late;
    const struct write_run *after_late;
};

static struct run_cursor all_runs(const struct flush_item *item)
{
    return (struct run_cursor){
        .run = item->late.first != NULL ? item->late.first : item->runs.first,
        .last_late = item->late.last,
        .after_late = item->runs.first,
    };
}

static struct run_cursor late_runs(const struct late_write *write)
{
    return (struct run_cursor){.run = write->runs.first, .last_late = write->runs.last};
}

static void next_run(struct run_cursor *cursor)
{
    cursor->run = cursor->run == cursor->last_late ? cursor->after_late : cursor->run->next;
}

/* The runs of one segment that follow each other, as one call (or few). */
static enum err write_stretch(struct file *file, struct run_cursor *cursor)
{
    const struct segment *segment = cursor->run->segment;
    enum err rc = ERR_OK;

    while (cursor->run != NULL && cursor->run->segment == segment && rc == ERR_OK) {
        struct iovec iov[IOV_PER_CALL];
        int64_t position = cursor->run->position;
        int count = 0;

        while (cursor->run != NULL && cursor->run->segment == segment && count < IOV_PER_CALL) {
            const struct write_run *run = cursor->run;

            iov[count++] = (struct iovec){run->chunk->data + run->from, run->to - run->from};
            next_run(cursor);
        }
        rc = file->ops->append_at(file, position, iov, count);
    }
    return rc;
}

/* Of the segment's runs, which follow each other. */
static int64_t stretch_end(struct run_cursor cursor)
{
    const struct segment *segment = cursor.run->segment;
    int64_t end = 0;

    for (; cursor.run != NULL && cursor.run->segment == segment; next_run(&cursor))
        end = cursor.run->position + (int64_t)(cursor.run->to - cursor.run->from);
    return end;
}

/* Who begins with much is likely to fill it: the new segment gets a spare's file. ERR_NOT_FOUND: it does not. A file that was begun
 * (a late write that failed is tried again) stays: it may be open. */
static enum err take_spare(struct log_store *store, struct segment *segment, int64_t end)
{
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (end < store->small_bytes_max || segment->is_begun)
        return ERR_NOT_FOUND;
    segment_path(segment, SEGMENT_SUFFIX, path);
    rc = segment_spares_take(&store->spares, path, disk_whole_blocks(segment->bytes_max));
    if (rc == ERR_OK)
        spare_rest_begin(segment, 0);
    return rc;
}

static enum err begin_file(struct log_store *store, struct segment *segment, int64_t end,
                           struct file **ret_file)
{
    enum err spared = take_spare(store, segment, end);
    enum err rc = ERR_OK;

    segment->is_begun = true;
    if (spared != ERR_OK && spared != ERR_NOT_FOUND)
        return spared;
    rc = segment_files_acquire(&store->files, segment, DISK_CREATE, ret_file);
    if (rc != ERR_OK || spared == ERR_OK)
        return rc;
    /* A new segment may find the rest of one that was never recorded. */
    rc = (*ret_file)->ops->truncate(*ret_file, 0);
    if (rc != ERR_OK)
        segment_files_release(&store->files, segment);
    return rc;
}

static enum err write_segment(struct log_store *store, struct run_cursor *cursor)
{
    struct segment *segment = cursor->run->segment;
    bool is_new = cursor->run->position == 0;
    int64_t end = stretch_end(*cursor);
    struct file *file = NULL;
    enum err rc = is_new ? begin_file(store, segment, end, &file)
                         : segment_files_acquire(&store->files, segment, 0, &file);

    if (rc == ERR_OK) {
        spare_rest_reach(segment, end);
        rc = write_stretch(file, cursor);
        if (log_store_is_sabotaged(store, SABOTAGE_SHORT_WRITE))
            rc = ERR_OK;
        segment_files_release(&store->files, segment);
    }
    return rc;
}

static enum err write_runs(struct log_store *store, struct run_cursor cursor)
{
    enum err rc = ERR_OK;

    while (cursor.run != NULL && rc == ERR_OK)
        rc = write_segment(store, &cursor);
    return rc;
}

/* Takes away the zeros that an append may leave: the size of its file is trusted from now on. (Of one that
 * is longer all the same, zeros are cut off later, or at the next start.) */
static enum err cut_closed(struct log_store *store, const struct segment_view *closed)
{
    struct file *file = NULL;
    enum err rc = segment_files_acquire(&store->files, closed->segment, 0, &file);

    if (rc != ERR_OK)
        return rc;
    rc = spare_rest_close(closed->segment, file, closed->size_bytes, store->spares.min_bytes);
    segment_files_release(&store->files, closed->segment);
    return rc;
}

enum err flush_write_item(struct log_store *store, const struct flush_item *item)
{
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (item->must_make_dir) {
        log_path(&item->id, path);
        rc = store->disk->ops->make_dir(store->disk, path);
    }
    if (rc == ERR_OK && flush_item_is_direct(item))
        rc = write_runs(store, all_runs(item));
    for (int i = 0; i < item->closed_count && rc == ERR_OK; i++)
        rc = cut_closed(store, &item->closed[i]);
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

enum err flush_undo_item(struct log_store *store, const struct flush_item *item)
{
    struct run_cursor cursor = all_runs(item);
    const struct segment *done = NULL;
    enum err rc = ERR_OK;

    if (!flush_item_is_direct(item))
        return ERR_OK;
    for (; cursor.run != NULL && rc == ERR_OK; next_run(&cursor)) {
        if (cursor.run->segment != done)
            rc = undo_segment(store, cursor.run);
        done = cursor.run->segment;
    }
    return rc;
}

/* The batches of runs, which are whole ones, in their order. */
struct batch_walk {
    struct run_cursor cursor;
    size_t at; /* of its run */
};

static bool next_batch(struct batch_walk *walk, struct record_batch *ret_batch)
{
    const struct write_run *run = walk->cursor.run;
    enum err rc = ERR_OK;

    if (run != NULL && walk->at == run->to - run->from) {
        next_run(&walk->cursor);
        run = walk->cursor.run;
        walk->at = 0;
    }
    if (run == NULL)
        return false;
    rc = record_batch_parse(
        slice_of(run->chunk->data + run->from + walk->at, run->to - run->from - walk->at),
        ret_batch);
    invariant(rc == ERR_OK);
    walk->at += (size_t)ret_batch->size_bytes;
    return true;
}

static void index_runs(struct log_store *store, struct run_cursor cursor)
{
    struct batch_walk walk = {.cursor = cursor};
    struct record_batch batch;

    while (next_batch(&walk, &batch)) {
        const struct write_run *run = walk.cursor.run;

        segment_index_add(&store->files, run->segment, &batch,
                          run->position + (int64_t)walk.at - batch.size_bytes);
    }
}

void flush_index_item(struct log_store *store, const struct flush_item *item)
{
    if (flush_item_is_direct(item))
        index_runs(store, all_runs(item));
}

enum err flush_write_late(struct log_store *store, const struct late_write *write)
{
    enum err rc = write_runs(store, late_runs(write));

    if (rc == ERR_OK)
        index_runs(store, late_runs(write));
    return rc;
}
