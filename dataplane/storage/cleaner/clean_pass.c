/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/cleaner/clean_pass.h"

#include <stdlib.h>

#include "common/observe/log.h"
#include "dataplane/storage/batch_cursor.h"

#define WRITE_BYTES ((size_t)1 << 20)
/* What is written is synced this often: no long burst at the end of a large segment. */
#define SYNC_BYTES ((int64_t)16 << 20)
#define OUT_MAX_BYTES (WRITE_BYTES + 2 * RECORD_BATCH_UNPACKED_MAX_BYTES)
#define INDEX_FILE_MAX_BYTES ((size_t)16 << 20)

enum err clean_pass_init(struct clean_pass *pass, struct log_store *store,
                         const struct segment_view *segments, int count, size_t map_bytes,
                         struct hash_seed seed)
{
    enum err rc = ERR_OK;

    *pass = (struct clean_pass){.store = store, .gap_start = -1};
    batch_cleaning_init(&pass->cleaning);
    pass->cleaning.is_newest_dropped = (store->sabotage & SABOTAGE_CLEAN_NEWEST) != 0;
    buffer_init(&pass->batch, RECORD_BATCH_UNPACKED_MAX_BYTES * 2);
    buffer_init(&pass->out, OUT_MAX_BYTES);
    rc = offset_map_init(&pass->cleaning.map, map_bytes, seed);
    if (rc != ERR_OK)
        return rc;
    pass->segments = malloc((size_t)count * sizeof(pass->segments[0]));
    if (pass->segments == NULL)
        return ERR_NO_MEMORY;
    for (; pass->count < count; pass->count++) {
        pass->segments[pass->count] = segments[pass->count];
        segments[pass->count].segment->refs++;
    }
    return ERR_OK;
}

void clean_pass_done(struct clean_pass *pass)
{
    free(pass->segments);
    batch_cleaning_done(&pass->cleaning);
    buffer_done(&pass->batch);
    buffer_done(&pass->out);
}

static const struct segment_view *view_at(const struct clean_pass *pass, int segment)
{
    return &pass->segments[segment];
}

/* --- reading --- */

static void begin_segment(struct clean_pass *pass, int segment)
{
    pass->segment = segment;
    pass->position = 0;
}

typedef enum err (*take_fn)(struct clean_pass *pass, const struct record_batch *batch,
                            struct slice bytes);

/* Batches of the segment from where the pass is, until it ends or the slice is full. */
static enum err walk(struct clean_pass *pass, struct file *file, int64_t slice_max_bytes,
                     take_fn take)
{
    const struct segment_view *view = view_at(pass, pass->segment);
    struct batch_cursor cursor;
    enum err rc = ERR_OK;

    if (pass->position == 0)
        pass->expected = view->base_offset;
    batch_cursor_init(&cursor, file, pass->position, view->size_bytes);
    while (pass->slice_bytes < slice_max_bytes) {
        struct record_batch batch;
        struct slice bytes;

        rc = batch_cursor_next(&cursor, &batch);
        if (rc == ERR_OK &&
            (batch.base_offset != pass->expected ||
             batch.leader_epoch != epoch_history_at(pass->epochs, batch.base_offset)))
            rc = ERR_CORRUPT;
        if (rc == ERR_OK)
            rc = batch_cursor_body(&cursor, &batch, &bytes);
        if (rc == ERR_OK)
            rc = take(pass, &batch, bytes);
        if (rc != ERR_OK)
            break;
        pass->position = cursor.position;
        pass->expected = record_batch_next_offset(&batch);
        pass->slice_bytes += batch.size_bytes;
    }
    batch_cursor_done(&cursor);
    if (rc == ERR_NOT_FOUND)
        return pass->expected == view->end_offset ? ERR_NOT_FOUND : ERR_CORRUPT;
    return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

/* ERR_NOT_FOUND: the segment was read to its end. */
static enum err read_on(struct clean_pass *pass, int64_t slice_max_bytes, take_fn take)
{
    struct segment_files *files = &pass->store->files;
    struct segment *segment = view_at(pass, pass->segment)->segment;
    struct file *file = NULL;
    enum err rc = segment_files_acquire(files, segment, 0, &file);

    if (rc != ERR_OK)
        return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
    rc = walk(pass, file, slice_max_bytes, take);
    segment_files_release(files, segment);
    return rc;
}

/* --- mapping --- */

/* ERR_TOO_LARGE: the map is full. */
static enum err note_keys(struct clean_pass *pass, const struct record_batch *batch,
                          struct slice bytes)
{
    log_offset end = 0;
    enum err rc = ERR_OK;

    if (record_batch_next_offset(batch) <= pass->first_dirty)
        return ERR_OK;
    rc = batch_cleaning_note(&pass->cleaning, batch, bytes, pass->first_dirty, &end);
    if (rc != ERR_OK)
        return rc;
    pass->cleaning.map_end = end;
    return end < record_batch_next_offset(batch) ? ERR_TOO_LARGE : ERR_OK;
}

static void begin_group(struct clean_pass *pass, int segment);

static enum err map_on(struct clean_pass *pass, int64_t slice_max_bytes)
{
    enum err rc = ERR_OK;

    while (pass->segment < pass->count &&
           view_at(pass, pass->segment)->end_offset <= pass->first_dirty)
        begin_segment(pass, pass->segment + 1);
    if (pass->segment == pass->count) {
        begin_group(pass, 0);
        return ERR_OK;
    }
    rc = read_on(pass, slice_max_bytes, note_keys);
    if (rc == ERR_TOO_LARGE)
        begin_group(pass, 0);
    else if (rc == ERR_NOT_FOUND)
        begin_segment(pass, pass->segment + 1);
    return rc == ERR_TOO_LARGE || rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* --- writing --- */

static enum err write_out(struct clean_pass *pass)
{
    struct segment_files *files = &pass->store->files;
    struct iovec iov = {pass->out.data, pass->out.len};
    int64_t position = pass->fresh.size_bytes - (int64_t)pass->out.len;
    struct file *file = NULL;
    enum err rc = ERR_OK;

    if (pass->out.len == 0)
        return ERR_OK;
    rc = segment_files_acquire(files, pass->fresh.segment, position == 0 ? DISK_CREATE : 0, &file);
    if (rc != ERR_OK)
        return rc;
    rc = file->ops->append_at(file, position, &iov, 1);
    if (rc == ERR_OK && pass->fresh.size_bytes / SYNC_BYTES != position / SYNC_BYTES)
        rc = file->ops->sync(file);
    segment_files_release(files, pass->fresh.segment);
    buffer_clear(&pass->out);
    return rc;
}

/* The batch was appended to `out`. */
static enum err note_written(struct clean_pass *pass, const struct record_batch *batch)
{
    segment_index_add(&pass->store->files, pass->fresh.segment, batch, pass->fresh.size_bytes);
    pass->fresh.size_bytes += batch->size_bytes;
    if (batch->max_timestamp > pass->fresh.max_timestamp)
        pass->fresh.max_timestamp = batch->max_timestamp;
    return pass->out.len < WRITE_BYTES ? ERR_OK : write_out(pass);
}

static enum err close_gap(struct clean_pass *pass, log_offset end)
{
    struct record_batch gap;
    size_t at = pass->out.len;
    enum err rc = ERR_OK;

    if (pass->gap_start < 0)
        return ERR_OK;
    rc = record_batch_write_gap(pass->gap_start, end, pass->gap_epoch, &pass->out);
    if (rc == ERR_OK)
        rc = record_batch_parse(slice_of(pass->out.data + at, pass->out.len - at), &gap);
    if (rc != ERR_OK)
        return rc;
    pass->gap_start = -1;
    return note_written(pass, &gap);
}

static enum err copy_batch(struct clean_pass *pass, const struct record_batch *batch,
                           struct slice bytes)
{
    struct record_batch fresh;
    bool is_gone = false;
    enum err rc = ERR_OK;

    /* What stays follows the gap that is open; whether anything does is seen after. */
    buffer_clear(&pass->batch);
    rc = batch_cleaning_run(&pass->cleaning, batch, bytes, &pass->batch, &fresh, &is_gone);
    if (rc != ERR_OK)
        return rc;
    if (is_gone) {
        if (pass->gap_start < 0) {
            pass->gap_start = batch->base_offset;
            pass->gap_epoch = batch->leader_epoch;
        }
        return ERR_OK;
    }
    rc = close_gap(pass, batch->base_offset);
    if (rc == ERR_OK)
        rc = buffer_append_slice(&pass->out, buffer_slice(&pass->batch));
    return rc == ERR_OK ? note_written(pass, &fresh) : rc;
}

/* --- groups --- */

static bool is_below_map_end(const struct clean_pass *pass, int segment)
{
    return segment < pass->count && view_at(pass, segment)->base_offset < pass->cleaning.map_end;
}

/* Does what the next one has fit behind what stayed so far? */
static bool takes_next(const struct clean_pass *pass)
{
    int next = pass->segment + 1;

    return is_below_map_end(pass, next) &&
           pass->fresh.size_bytes + view_at(pass, next)->size_bytes <= pass->group_bytes &&
           view_at(pass, next)->end_offset - pass->fresh.base_offset <= INT32_MAX;
}

static void begin_group(struct clean_pass *pass, int segment)
{
    pass->state = is_below_map_end(pass, segment) ? CLEAN_COPYING : CLEAN_DONE;
    pass->group = segment;
    begin_segment(pass, segment);
}

static enum err begin_fresh(struct clean_pass *pass)
{
    const struct segment_view *first = view_at(pass, pass->segment);
    struct segment *segment = segment_new(&first->segment->id, first->base_offset,
                                          pass->next_generation, pass->index_interval_bytes);

    if (segment == NULL)
        return ERR_NO_MEMORY;
    pass->next_generation++;
    pass->fresh = (struct segment_view){
        .segment = segment,
        .base_offset = first->base_offset,
        .max_timestamp = -1,
        .first_append_ms = first->first_append_ms,
    };
    return ERR_OK;
}

/* A cache: without it readers look for themselves. */
static void save_index(struct clean_pass *pass)
{
    struct segment *segment = pass->fresh.segment;
    char dir[LOG_PATH_BYTES];
    char name[LOG_PATH_BYTES];
    struct buffer bytes;
    bool is_whole = false;
    enum err rc = ERR_OK;

    buffer_init(&bytes, INDEX_FILE_MAX_BYTES);
    rc = segment_index_close(&pass->store->files, segment, pass->fresh.size_bytes, &bytes,
                             &is_whole);
    log_path(&segment->id, dir);
    segment_name(segment, SEGMENT_INDEX_SUFFIX, name);
    if (rc == ERR_OK && is_whole)
        rc = disk_replace_file(pass->store->disk, dir, name, bytes.data, bytes.len);
    buffer_done(&bytes);
    if (rc != ERR_OK)
        log_event(LOG_WARN, "index_not_saved", f_i64("base_offset", pass->fresh.base_offset),
                  f_err(rc));
}

static enum err sync_fresh(struct clean_pass *pass)
{
    struct segment_files *files = &pass->store->files;
    struct file *file = NULL;
    char dir[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if ((pass->store->sabotage & SABOTAGE_CLEAN_UNSYNCED) != 0)
        return ERR_OK;
    rc = segment_files_acquire(files, pass->fresh.segment, 0, &file);
    if (rc != ERR_OK)
        return rc;
    rc = file->ops->truncate(file, pass->fresh.size_bytes);
    if (rc == ERR_OK)
        rc = file->ops->sync(file);
    segment_files_release(files, pass->fresh.segment);
    log_path(&pass->fresh.segment->id, dir);
    return rc == ERR_OK ? pass->store->disk->ops->sync_dir(pass->store->disk, dir) : rc;
}

static enum err finish_group(struct clean_pass *pass)
{
    log_offset end = view_at(pass, pass->segment)->end_offset;
    enum err rc = close_gap(pass, end);

    if (rc == ERR_OK)
        rc = write_out(pass);
    if (rc == ERR_OK)
        rc = sync_fresh(pass);
    if (rc != ERR_OK)
        return rc;
    save_index(pass);
    pass->fresh.end_offset = end;
    pass->written_bytes += pass->fresh.size_bytes;
    pass->state = CLEAN_WRITTEN;
    return ERR_OK;
}

static enum err copy_on(struct clean_pass *pass, int64_t slice_max_bytes)
{
    enum err rc = ERR_OK;

    if (pass->fresh.segment == NULL)
        rc = begin_fresh(pass);
    if (rc == ERR_OK)
        rc = read_on(pass, slice_max_bytes, copy_batch);
    if (rc != ERR_NOT_FOUND)
        return rc;
    pass->read_bytes += view_at(pass, pass->segment)->size_bytes;
    if (!takes_next(pass))
        return finish_group(pass);
    begin_segment(pass, pass->segment + 1);
    return ERR_OK;
}

/* --- slices --- */

void clean_pass_run(struct clean_pass *pass, int64_t slice_max_bytes)
{
    pass->slice_bytes = 0;
    pass->err = ERR_OK;
    do {
        pass->err = pass->state == CLEAN_MAPPING ? map_on(pass, slice_max_bytes)
                                                 : copy_on(pass, slice_max_bytes);
    } while (pass->err == ERR_OK && pass->slice_bytes < slice_max_bytes &&
             (pass->state == CLEAN_MAPPING || pass->state == CLEAN_COPYING));
}

void clean_pass_go_on(struct clean_pass *pass)
{
    pass->fresh = (struct segment_view){.segment = NULL};
    begin_group(pass, pass->segment + 1);
}
