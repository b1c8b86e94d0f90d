/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/segment_read.h"

#include <stdlib.h>

#include "dataplane/storage/batch_cursor.h"
#include "dataplane/storage/record_stream.h"

#define INDEX_FILE_MAX_BYTES ((size_t)16 << 20)
/* An index may lag behind what is written by this many entries before a reader extends it. */
#define INDEX_LAG_ENTRIES 4

/* --- the index, made on demand --- */

static bool load_index_file(const struct segment_range *range, struct offset_index *index)
{
    char path[LOG_PATH_BYTES];
    uint8_t *data = NULL;
    size_t len = 0;
    enum err rc = ERR_OK;

    segment_path(range->view.segment, SEGMENT_INDEX_SUFFIX, path);
    if (disk_read_file(range->files->disk, path, INDEX_FILE_MAX_BYTES, &data, &len) != ERR_OK)
        return false;
    rc = offset_index_load(index, slice_of(data, len), range->view.base_offset,
                           range->view.size_bytes);
    free(data);
    return rc == ERR_OK;
}

/* A place to start looking: where, and which offset the batch there must begin with. Base offsets are outside the
 * batches' CRCs: only that each is the one that must come next says that it is right. */
struct place {
    int64_t position;
    log_offset expected;
};

static struct place place_of(const struct segment_range *range,
                             const struct offset_index_entry *entry)
{
    return entry == NULL ? (struct place){0, range->view.base_offset}
                         : (struct place){entry->position, entry->offset};
}

static enum err next_in_order(struct batch_cursor *cursor, log_offset *expected,
                              struct record_batch *ret_batch)
{
    enum err rc = batch_cursor_next(cursor, ret_batch);

    if (rc == ERR_OK && ret_batch->base_offset != *expected)
        rc = ERR_CORRUPT;
    if (rc == ERR_OK)
        *expected = record_batch_next_offset(ret_batch);
    return rc;
}

/* From the last entry to the end of the view, header by header. */
static void scan_index(const struct segment_range *range, struct file *file,
                       struct offset_index *index)
{
    struct place from =
        place_of(range, index->count > 0 ? &index->entries[index->count - 1] : NULL);
    struct batch_cursor cursor;
    struct record_batch batch;

    batch_cursor_init(&cursor, file, from.position, range->view.size_bytes);
    while (next_in_order(&cursor, &from.expected, &batch) == ERR_OK)
        offset_index_add(index, &batch, cursor.batch_at);
    batch_cursor_done(&cursor);
}

/* Puts a fresher index in place, unless somebody did already. */
static void install_index(const struct segment_range *range, struct offset_index *fresh)
{
    struct segment *segment = range->view.segment;
    struct offset_index old = *fresh;

    pthread_mutex_lock(&range->files->lock);
    if (fresh->covered_bytes > segment->index.covered_bytes) {
        range->files->index_bytes += ((int64_t)fresh->capacity - (int64_t)segment->index.capacity) *
                                     (int64_t)sizeof(struct offset_index_entry);
        old = segment->index;
        segment->index = *fresh;
    }
    pthread_mutex_unlock(&range->files->lock);
    offset_index_done(&old);
}

static bool copy_index(const struct segment_range *range, struct offset_index *ret_copy)
{
    const struct offset_index *index = &range->view.segment->index;
    bool is_fresh = false;

    pthread_mutex_lock(&range->files->lock);
    is_fresh = index->covered_bytes + INDEX_LAG_ENTRIES * (int64_t)index->interval_bytes >=
               range->view.size_bytes;
    if (!is_fresh)
        offset_index_copy(ret_copy, index);
    pthread_mutex_unlock(&range->files->lock);
    return is_fresh;
}

static void make_index(const struct segment_range *range, struct file *file)
{
    struct offset_index index;

    if (copy_index(range, &index))
        return;
    if (index.covered_bytes > 0 || !load_index_file(range, &index))
        scan_index(range, file, &index);
    install_index(range, &index);
}

static void forget_index(const struct segment_range *range)
{
    segment_index_truncate(range->files, range->view.segment, 0);
}

static struct place find_offset(const struct segment_range *range)
{
    struct place place;

    pthread_mutex_lock(&range->files->lock);
    place = place_of(range, offset_index_find_offset(&range->view.segment->index, range->start));
    pthread_mutex_unlock(&range->files->lock);
    return place;
}

static struct place find_timestamp(const struct segment_range *range, int64_t timestamp)
{
    struct place place;

    pthread_mutex_lock(&range->files->lock);
    place = place_of(range, offset_index_find_timestamp(&range->view.segment->index, timestamp));
    pthread_mutex_unlock(&range->files->lock);
    return place;
}

/* --- ranges --- */

/* Stops the cursor at the batch that contains range->start. ERR_CORRUPT when what is there does not
 * lead to it. */
static enum err locate(const struct segment_range *range, struct batch_cursor *cursor,
                       log_offset expected, struct record_batch *ret_batch)
{
    enum err rc = ERR_OK;

    if (range->files->is_index_trusted)
        return batch_cursor_next(cursor, ret_batch);
    if (expected > range->start)
        return ERR_CORRUPT;
    do {
        rc = next_in_order(cursor, &expected, ret_batch);
    } while (rc == ERR_OK && expected <= range->start);
    return rc == ERR_OK || rc == ERR_IO || rc == ERR_NO_MEMORY ? rc : ERR_CORRUPT;
}

/* A gap may reach from epochs that went with the beginning of the log into one that is known. */
static bool has_right_epoch(const struct epoch_history *epochs, const struct record_batch *batch)
{
    leader_epoch epoch = epoch_history_at(epochs, batch->base_offset);

    if (epoch < 0 && epochs->count > 0 && record_batch_is_gap(batch))
        return batch->leader_epoch < epochs->entries[0].epoch;
    return batch->leader_epoch == epoch;
}

size_t batches_good_bytes(struct slice bytes, const struct epoch_history *epochs,
                          log_offset expected, log_offset limit, size_t max_bytes)
{
    size_t good = 0;

    if (max_bytes < bytes.len)
        bytes.len = max_bytes;
    while (good < bytes.len && expected < limit) {
        struct slice rest = slice_of(bytes.data + good, bytes.len - good);
        struct record_batch batch;

        if (record_batch_parse(rest, &batch) != ERR_OK || batch.size_bytes > (int64_t)rest.len ||
            batch.base_offset != expected || !has_right_epoch(epochs, &batch) ||
            !record_batch_is_crc_right(&batch, rest))
            break;
        good += (size_t)batch.size_bytes;
        expected = record_batch_next_offset(&batch);
    }
    return good;
}

static enum err read_from(const struct segment_range *range, struct file *file,
                          const struct record_batch *first, int64_t position, bool must_progress,
                          struct read_room *room)
{
    int64_t left = range->view.size_bytes - position;
    size_t wanted = (int64_t)room->block_bytes < left ? room->block_bytes : (size_t)left;
    size_t len = 0;
    enum err rc = ERR_OK;

    if (wanted < (size_t)first->size_bytes) {
        if (!must_progress)
            return ERR_OK;
        wanted = (size_t)first->size_bytes;
        room->larger = malloc(wanted);
        if (room->larger == NULL)
            return ERR_NO_MEMORY;
    }
    rc = file->ops->read_at(file, position, read_room_data(room), wanted, &len);
    if (rc == ERR_OK) {
        room->len = batches_good_bytes(slice_of(read_room_data(room), len), range->epochs,
                                       first->base_offset, range->limit, wanted);
        rc = room->len == 0 ? ERR_CORRUPT : ERR_OK;
    }
    return rc;
}

static enum err read_range(const struct segment_range *range, struct file *file, struct place from,
                           bool must_progress, struct read_room *room)
{
    struct batch_cursor cursor;
    struct record_batch first;
    enum err rc = ERR_OK;

    batch_cursor_init(&cursor, file, from.position, range->view.size_bytes);
    rc = locate(range, &cursor, from.expected, &first);
    if (rc == ERR_OK)
        rc = read_from(range, file, &first, cursor.batch_at, must_progress, room);
    batch_cursor_done(&cursor);
    return rc;
}

static enum err read_segment(const struct segment_range *range, bool must_progress,
                             struct read_room *room)
{
    struct view_file file;
    struct place from;
    enum err rc = view_file_open(&file, range->files, &range->view, range->log);

    if (rc != ERR_OK)
        return rc;
    make_index(range, &file.base);
    from = find_offset(range);
    rc = read_range(range, &file.base, from, must_progress, room);
    if (rc == ERR_CORRUPT && from.position > 0) {
        /* Perhaps it is only the index that is wrong. */
        free(room->larger);
        room->larger = NULL;
        forget_index(range);
        rc = read_range(range, &file.base, place_of(range, NULL), must_progress, room);
    }
    view_file_close(&file);
    return rc;
}

/* Moves what is not a gap batch together. When there is nothing else the last gap batch stays. */
static void leave_out_gaps(uint8_t *data, size_t *len, log_offset *ret_gap_end)
{
    size_t kept = 0;
    struct record_batch batch;

    for (size_t at = 0; at < *len; at += (size_t)batch.size_bytes) {
        enum err rc = record_batch_parse(slice_of(data + at, *len - at), &batch);

        invariant(rc == ERR_OK);
        if (record_batch_is_gap(&batch)) {
            if (kept > 0 || at + (size_t)batch.size_bytes < *len)
                continue;
            *ret_gap_end = record_batch_next_offset(&batch);
        }
        memmove(data + kept, data + at, (size_t)batch.size_bytes);
        kept += (size_t)batch.size_bytes;
    }
    *len = kept;
}

enum err segment_read(const struct segment_range *range, struct read_room *room, bool must_progress,
                      log_offset *ret_gap_end)
{
    enum err rc = ERR_OK;

    room->len = 0;
    rc = read_segment(range, must_progress, room);
    *ret_gap_end = -1;
    if (rc != ERR_OK)
        room->len = 0;
    else if (room->len > 0 && range->view.segment->generation > 0)
        leave_out_gaps(read_room_data(room), &room->len, ret_gap_end);
    return rc;
}

/* --- by time --- */

/* The first record of one batch in [start, limit) that is new enough; or, with `timestamp` INT64_MIN,
 * the newest of all of them. ERR_NOT_FOUND. */
static enum err find_in_batch(const struct segment_range *range, struct batch_cursor *cursor,
                              const struct record_batch *batch, int64_t timestamp,
                              struct record_position *ret_record)
{
    struct record_position best = {-1, -1, batch->leader_epoch};
    struct record_stream stream;
    struct slice bytes;
    enum err rc = batch_cursor_body(cursor, batch, &bytes);

    if (rc != ERR_OK)
        return rc;
    rc = record_stream_init(&stream, record_batch_codec(batch), record_batch_records(batch, bytes),
                            RECORD_STREAM_MAX_BYTES);
    for (int32_t i = 0; rc == ERR_OK && i < batch->record_count; i++) {
        struct record_view record;
        log_offset offset = 0;
        int64_t at = batch->max_timestamp;

        rc = record_stream_next(&stream, &record);
        if (rc != ERR_OK)
            break;
        offset = batch->base_offset + record.offset_delta;
        if ((batch->attributes & RECORD_BATCH_LOG_APPEND_TIME) == 0)
            at = record_batch_timestamp(batch, record.timestamp_delta);
        if (offset < range->start || offset >= range->limit || at < timestamp)
            continue;
        if (best.offset < 0 || at > best.timestamp) {
            best.offset = offset;
            best.timestamp = at;
        }
        if (timestamp != INT64_MIN)
            break;
    }
    record_stream_done(&stream);
    if (rc != ERR_OK)
        return rc;
    *ret_record = best;
    return best.offset < 0 ? ERR_NOT_FOUND : ERR_OK;
}

static enum err find_from(const struct segment_range *range, struct file *file, struct place from,
                          int64_t timestamp, struct record_position *ret_record)
{
    struct batch_cursor cursor;
    struct record_batch batch;
    enum err rc = ERR_OK;

    batch_cursor_init(&cursor, file, from.position, range->view.size_bytes);
    while ((rc = next_in_order(&cursor, &from.expected, &batch)) == ERR_OK) {
        if (batch.base_offset >= range->limit) {
            rc = ERR_NOT_FOUND;
            break;
        }
        if (batch.max_timestamp < timestamp || record_batch_next_offset(&batch) <= range->start)
            continue;
        rc = find_in_batch(range, &cursor, &batch, timestamp, ret_record);
        if (rc != ERR_NOT_FOUND)
            break;
    }
    batch_cursor_done(&cursor);
    return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

enum err segment_find_timestamp(const struct segment_range *range, int64_t timestamp,
                                struct record_position *ret_record)
{
    struct view_file file;
    struct place from;
    enum err rc = view_file_open(&file, range->files, &range->view, range->log);

    if (rc != ERR_OK)
        return rc;
    make_index(range, &file.base);
    from = find_timestamp(range, timestamp);
    rc = find_from(range, &file.base, from, timestamp, ret_record);
    if (rc == ERR_CORRUPT && from.position > 0) {
        forget_index(range);
        rc = find_from(range, &file.base, place_of(range, NULL), timestamp, ret_record);
    }
    view_file_close(&file);
    return rc;
}

enum err segment_max_timestamp(const struct segment_range *range, int64_t *ret_timestamp)
{
    struct batch_cursor cursor;
    struct record_batch batch;
    log_offset expected = range->view.base_offset;
    struct view_file file;
    int64_t newest = -1;
    enum err rc = view_file_open(&file, range->files, &range->view, range->log);

    if (rc != ERR_OK)
        return rc;
    batch_cursor_init(&cursor, &file.base, 0, range->view.size_bytes);
    while ((rc = next_in_order(&cursor, &expected, &batch)) == ERR_OK) {
        struct record_position record = {-1, batch.max_timestamp, -1};

        if (batch.base_offset >= range->limit)
            break;
        if (record_batch_next_offset(&batch) <= range->start)
            continue;
        /* Only the batch that the log start cuts in two must be looked into. */
        if (batch.base_offset < range->start)
            rc = find_in_batch(range, &cursor, &batch, INT64_MIN, &record);
        if (rc == ERR_NOT_FOUND)
            continue; /* compaction left none of them */
        if (rc != ERR_OK)
            break;
        if (record.timestamp > newest)
            newest = record.timestamp;
    }
    batch_cursor_done(&cursor);
    view_file_close(&file);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
    *ret_timestamp = newest;
    return ERR_OK;
}
