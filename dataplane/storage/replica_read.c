/* SPDX-License-Identifier: Apache-2.0 */
/* Reads: from the tail in memory at once, from files on a worker. Either way from one snapshot, and done
 * is called from a mail or a work, never from submit. */
#include <stdlib.h>

#include "dataplane/storage/replica_internal.h"
#include "dataplane/storage/segment_read.h"

static const struct log_view *load_view(const struct replica *replica)
{
    return log_view_of(published_load(&replica->view));
}

/* The snapshot is immutable; only its pins change. */
static struct published_node *pins_of(const struct log_view *view)
{
    return (struct published_node *)(uintptr_t)&view->node;
}

static log_offset limit_of(const struct log_view *view, enum read_isolation isolation)
{
    return isolation == READ_COMMITTED ? view->snapshot.last_stable : view->snapshot.high_watermark;
}

/* A segment that is gone was below the log start, or its topic is deleted: the client asks again and is
 * told then. What is damaged must not look like a client's mistake either. */
static enum kafka_error kafka_error_of(enum err err)
{
    return err == ERR_OK ? KAFKA_NONE : KAFKA_KAFKA_STORAGE_ERROR;
}

/* --- range reads --- */

static void read_answer(struct mail *mail)
{
    struct replica_read *read =
        container_of(container_of(mail, struct work, mail), struct replica_read, work);

    read->done(read);
}

static void read_finish_later(struct replica_read *read)
{
    read->work.mail.deliver = read_answer;
    loop_post(read->home, &read->work.mail);
}

/* Finds the batch with `offset` in one chunk. False = it is not there. */
static bool locate_in_chunk(const struct tail_view *chunk, log_offset offset, size_t *ret_at,
                            int64_t *ret_size)
{
    size_t at = tail_chunk_seek(chunk->chunk, chunk->mark_count, offset);

    while (at < chunk->visible_bytes) {
        struct record_batch batch;

        if (record_batch_parse(slice_of(chunk->chunk->data + at, chunk->visible_bytes - at),
                               &batch) != ERR_OK)
            return false;
        if (record_batch_next_offset(&batch) > offset) {
            *ret_at = at;
            *ret_size = batch.size_bytes;
            return true;
        }
        at += (size_t)batch.size_bytes;
    }
    return false;
}

/* How many bytes of whole batches from `at` on fit into `room` and begin below `limit`. */
static size_t fitting_bytes(const struct tail_view *chunk, size_t at, log_offset limit, size_t room,
                            bool *ret_is_all)
{
    size_t start = at;

    *ret_is_all = false;
    while (at < chunk->visible_bytes) {
        struct record_batch batch;

        if (record_batch_parse(slice_of(chunk->chunk->data + at, chunk->visible_bytes - at),
                               &batch) != ERR_OK ||
            batch.base_offset >= limit || at - start + (size_t)batch.size_bytes > room)
            return at - start;
        at += (size_t)batch.size_bytes;
    }
    *ret_is_all = true;
    return at - start;
}

static int find_chunk(const struct log_view *view, log_offset offset)
{
    int i = view->chunk_count - 1;

    while (i >= 0 && view->chunks[i].base_offset > offset)
        i--;
    return i;
}

/* Total of what may be given, from chunk `first` at `at` on. */
static size_t sum_fitting(const struct log_view *view, int first, size_t at, log_offset limit,
                          size_t room)
{
    size_t total = 0;
    bool is_all = true;

    for (int i = first; i < view->chunk_count && is_all; i++)
        total += fitting_bytes(&view->chunks[i], i == first ? at : 0, limit, room - total, &is_all);
    return total;
}

static void copy_tail(const struct log_view *view, int first, size_t at, uint8_t *to, size_t len)
{
    for (int i = first; len > 0; i++) {
        size_t part = view->chunks[i].visible_bytes - at;

        if (part > len)
            part = len;
        memcpy(to, view->chunks[i].chunk->data + at, part);
        to += part;
        len -= part;
        at = 0;
    }
}

static bool take_room(struct replica_read *read, size_t size)
{
    read->room.block = spare_pool_take(&read->home->spares, size);
    read->room.block_bytes = size;
    if (read->room.block == NULL)
        read->error = KAFKA_KAFKA_STORAGE_ERROR;
    return read->room.block != NULL;
}

/* False = the tail does not hold the offset. */
static bool read_tail(struct replica_read *read, const struct log_view *view, log_offset limit)
{
    int first = find_chunk(view, read->offset);
    int64_t first_size = 0;
    size_t room = read->max_bytes;
    size_t at = 0;
    size_t len = 0;

    if (first < 0 || !locate_in_chunk(&view->chunks[first], read->offset, &at, &first_size))
        return false;
    if (read->must_progress && room < (size_t)first_size)
        room = (size_t)first_size;
    len = sum_fitting(view, first, at, limit, room);
    if (len == 0)
        return true;
    if (!take_room(read, len))
        return true;
    copy_tail(view, first, at, read->room.block, len);
    read->records = read->room.block;
    read->records_len = len;
    return true;
}

size_t replica_bytes_from(const struct replica *replica, log_offset offset, size_t max_bytes)
{
    const struct log_view *view = load_view(replica);
    int first = find_chunk(view, offset);
    struct segment_view segment;
    int64_t first_size = 0;
    size_t bytes = 0;
    size_t at = 0;

    if (first < 0 || !locate_in_chunk(&view->chunks[first], offset, &at, &first_size))
        return log_view_find_segment(view, offset, &segment) &&
                       segment.end_offset == view->snapshot.log_end &&
                       segment.size_bytes < (int64_t)max_bytes
                   ? (size_t)segment.size_bytes
                   : max_bytes;
    bytes = view->chunks[first].visible_bytes - at;
    for (int i = first + 1; i < view->chunk_count && bytes < max_bytes; i++)
        bytes += view->chunks[i].visible_bytes;
    return bytes < max_bytes ? bytes : max_bytes;
}

static void run_read(struct work *work)
{
    struct replica_read *read = container_of(work, struct replica_read, work);
    const struct log_view *view = read->view;
    struct segment_range range = {
        .files = &view->shard->store->files,
        .log = view,
        .epochs = view->epochs,
        .start = read->offset,
        .limit = limit_of(view, read->isolation),
    };
    log_offset gap_end = read->offset;
    enum err rc = ERR_OK;

    /* A gap leads to the next batch. Nothing but a gap up to the limit: its last batch is given, so that
     * the client gets beyond it. */
    while (rc == ERR_OK && gap_end >= 0 && gap_end < range.limit) {
        free(read->room.larger);
        read->room.larger = NULL;
        range.start = gap_end;
        rc = log_view_find_segment(view, gap_end, &range.view)
                 ? segment_read(&range, &read->room, read->must_progress, &gap_end)
                 : ERR_CORRUPT;
    }
    read->error = kafka_error_of(rc);
    read->records_len = rc == ERR_OK ? read->room.len : 0;
    read->records = read->records_len > 0 ? read_room_data(&read->room) : NULL;
}

static void read_done(struct work *work)
{
    struct replica_read *read = container_of(work, struct replica_read, work);

    published_unpin(pins_of(read->view));
    read->view = NULL;
    read->done(read);
}

/* No more than the segment has. A gap may lead to a larger one: then less than there is room for is read. */
static size_t room_wanted(const struct replica_read *read, const struct log_view *view)
{
    struct segment_view segment;

    if (!log_view_find_segment(view, read->offset, &segment) ||
        (int64_t)read->max_bytes < segment.size_bytes)
        return read->max_bytes;
    return (size_t)segment.size_bytes;
}

void replica_read_submit(struct replica_read *read)
{
    const struct log_view *view = load_view(read->replica);
    const struct log_snapshot *snapshot = &view->snapshot;
    log_offset limit = limit_of(view, read->isolation);

    invariant(on_loop(read->home));
    read->error = KAFKA_NONE;
    read->records = NULL;
    read->records_len = 0;
    read->room = (struct read_room){.block = NULL};
    read->high_watermark = snapshot->high_watermark;
    read->last_stable = snapshot->last_stable;
    read->log_start = snapshot->log_start;
    read->view = NULL;
    if (snapshot->epoch < 0)
        read->error = KAFKA_NOT_LEADER_OR_FOLLOWER;
    else if (read->offset < snapshot->log_start || read->offset > snapshot->log_end)
        read->error = KAFKA_OFFSET_OUT_OF_RANGE;
    if (read->error != KAFKA_NONE || read->offset >= limit || read_tail(read, view, limit)) {
        read_finish_later(read);
        return;
    }
    if (!take_room(read, room_wanted(read, view))) {
        read_finish_later(read);
        return;
    }
    published_pin(pins_of(view));
    read->view = view;
    read->work.run = run_read;
    read->work.done = read_done;
    worker_submit(read->home, WORKER_READ, &read->work);
}

void replica_read_done(struct replica_read *read)
{
    spare_pool_give(&read->home->spares, read->room.block, read->room.block_bytes);
    free(read->room.larger);
    read->room = (struct read_room){.block = NULL};
    read->records = NULL;
    read->records_len = 0;
}

/* --- by time --- */

static struct segment_range range_of(const struct log_view *view,
                                     const struct segment_view *segment, log_offset limit)
{
    return (struct segment_range){
        .files = &view->shard->store->files,
        .view = *segment,
        .log = view,
        .epochs = view->epochs,
        .start = view->snapshot.log_start,
        .limit = limit,
    };
}

/* Segment i of the view, the newest one last; false = no more. */
static bool segment_at(const struct log_view *view, int i, struct segment_view *ret_segment)
{
    *ret_segment = i < view->closed->count ? view->closed->views[i] : view->active;
    return i < view->closed->count || (i == view->closed->count && view->active.segment != NULL);
}

static enum err find_timestamp(const struct log_view *view, log_offset limit, int64_t timestamp,
                               struct record_position *ret_record)
{
    struct segment_view segment;
    enum err rc = ERR_NOT_FOUND;

    for (int i = 0; rc == ERR_NOT_FOUND && segment_at(view, i, &segment); i++) {
        struct segment_range range = range_of(view, &segment, limit);

        if (segment.max_timestamp >= timestamp && segment.end_offset > range.start)
            rc = segment_find_timestamp(&range, timestamp, ret_record);
    }
    return rc;
}

/* Of whole segments it is known; one that the log start or the limit cuts must be looked through. */
static enum err max_timestamp(const struct log_view *view, log_offset limit, int64_t *ret_timestamp)
{
    struct segment_view segment;
    int64_t newest = -1;

    for (int i = 0; segment_at(view, i, &segment); i++) {
        struct segment_range range = range_of(view, &segment, limit);
        int64_t timestamp = segment.max_timestamp;
        enum err rc = ERR_OK;

        if (segment.end_offset <= range.start || segment.base_offset >= limit)
            continue;
        if (segment.base_offset < range.start || segment.end_offset > limit)
            rc = segment_max_timestamp(&range, &timestamp);
        if (rc != ERR_OK)
            return rc;
        if (timestamp > newest)
            newest = timestamp;
    }
    *ret_timestamp = newest;
    return ERR_OK;
}

static void run_lookup(struct work *work)
{
    struct replica_lookup *lookup = container_of(work, struct replica_lookup, work);
    log_offset limit = limit_of(lookup->view, lookup->isolation);
    struct record_position record = {-1, -1, -1};
    int64_t timestamp = lookup->timestamp;
    enum err rc = ERR_OK;

    if (timestamp < 0)
        rc = max_timestamp(lookup->view, limit, &timestamp);
    if (rc == ERR_OK && timestamp >= 0)
        rc = find_timestamp(lookup->view, limit, timestamp, &record);
    lookup->error = kafka_error_of(rc == ERR_NOT_FOUND ? ERR_OK : rc);
    if (rc == ERR_OK) {
        lookup->offset = record.offset;
        lookup->found_timestamp = record.timestamp;
        lookup->epoch = record.epoch;
    }
}

static void lookup_done(struct work *work)
{
    struct replica_lookup *lookup = container_of(work, struct replica_lookup, work);

    published_unpin(pins_of(lookup->view));
    lookup->view = NULL;
    lookup->done(lookup);
}

static void lookup_answer(struct mail *mail)
{
    struct replica_lookup *lookup =
        container_of(container_of(mail, struct work, mail), struct replica_lookup, work);

    lookup->done(lookup);
}

void replica_lookup_submit(struct replica_lookup *lookup)
{
    const struct log_view *view = load_view(lookup->replica);

    invariant(on_loop(lookup->home));
    lookup->error = view->snapshot.epoch < 0 ? KAFKA_NOT_LEADER_OR_FOLLOWER : KAFKA_NONE;
    lookup->offset = -1;
    lookup->found_timestamp = -1;
    lookup->epoch = -1;
    lookup->view = NULL;
    if (lookup->error != KAFKA_NONE ||
        view->snapshot.log_start >= limit_of(view, lookup->isolation)) {
        lookup->work.mail.deliver = lookup_answer;
        loop_post(lookup->home, &lookup->work.mail);
        return;
    }
    published_pin(pins_of(view));
    lookup->view = view;
    lookup->work.run = run_lookup;
    lookup->work.done = lookup_done;
    worker_submit(lookup->home, WORKER_READ, &lookup->work);
}
