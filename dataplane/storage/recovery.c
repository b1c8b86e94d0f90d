/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/recovery.h"

#include <stdlib.h>

#include "common/observe/log.h"
#include "common/wire/reader.h"
#include "dataplane/storage/batch_cursor.h"
#include "dataplane/storage/recovery_files.h"

#define PRODUCERS_FILE_MAX_BYTES ((size_t)64 << 20)

/* One recovery of one log. */
struct log_recovery {
    struct recovery *recovery;
    const struct log_facts *facts;       /* as before; refetched after a change */
    const struct replayed_log *replayed; /* NULL = the write-ahead log had nothing of it */
    struct segment_fact promised; /* flushed for sure, by whoever says most; size 0 = unknown */
    struct log_identity id;
    struct log_files files;
    struct segment_view *views;
    int view_count;
    struct epoch_history *epochs;
    log_offset end; /* -1 = no segment yet */
};

/* --- files --- */

/* Durably, when recovery_sync returns: a file that came back later would look like the next segment to a log that
 * went on without it. */
static enum err remove_segment(struct log_recovery *log, log_offset base)
{
    struct recovery *recovery = log->recovery;
    char path[LOG_PATH_BYTES];

    log_path(&log->id, path);
    sync_batch_dir(&recovery->syncs, &recovery->sync_err, path);
    return log_files_remove_segment(recovery->store->disk, log->facts, base);
}

/* --- one segment --- */

static const struct segment_fact *find_fact(const struct log_recovery *log, log_offset base)
{
    return log_facts_find_segment(log->facts, base);
}

/* Bytes of the segment that were flushed for sure; `size` is what its file has. Of a segment older than
 * the newest that was flushed, that is everything. Below the log start nothing matters: removals may
 * come back after a power cut, in any order. */
static int64_t flushed_bytes(const struct log_recovery *log, log_offset base, int64_t size)
{
    const struct segment_fact *flushed = &log->promised;

    if (flushed->size_bytes == 0 || flushed->base_offset < base ||
        flushed->end_offset <= log->facts->log_start)
        return 0;
    return flushed->base_offset == base ? flushed->size_bytes : size;
}

static enum err note_epoch(struct log_recovery *log, const struct record_batch *batch)
{
    struct epoch_history *longer = NULL;

    if (batch->leader_epoch <= epoch_history_latest(log->epochs))
        return ERR_OK;
    longer = epoch_history_with(log->epochs, batch->leader_epoch, batch->base_offset);
    if (longer == NULL)
        return ERR_NO_MEMORY;
    epoch_history_unref(log->epochs);
    log->epochs = longer;
    return ERR_OK;
}

/* Walks good batches from where the view ends; they are added to it. ERR_OK at whatever ended the walk. */
static enum err scan(struct log_recovery *log, struct file *file, int64_t size,
                     struct segment_view *view)
{
    bool is_sabotaged = (log->recovery->store->sabotage & SABOTAGE_TRUST_TAIL) != 0;
    int64_t begin = view->size_bytes;
    struct batch_cursor cursor;
    enum err rc = ERR_OK;

    batch_cursor_init(&cursor, file, begin, size);
    for (;;) {
        struct record_batch batch;
        struct slice bytes;

        rc = batch_cursor_next(&cursor, &batch);
        if (rc == ERR_OK && batch.base_offset != view->end_offset)
            rc = ERR_CORRUPT;
        if (rc == ERR_OK && !is_sabotaged)
            rc = batch_cursor_body(&cursor, &batch, &bytes);
        if (rc == ERR_OK)
            rc = note_epoch(log, &batch);
        if (rc != ERR_OK)
            break;
        view->end_offset = record_batch_next_offset(&batch);
        view->size_bytes = cursor.position;
        if (batch.max_timestamp > view->max_timestamp)
            view->max_timestamp = batch.max_timestamp;
    }
    batch_cursor_done(&cursor);
    log->recovery->scanned_bytes += view->size_bytes - begin;
    return rc == ERR_NOT_FOUND || rc == ERR_TRUNCATED || rc == ERR_CORRUPT ? ERR_OK : rc;
}

static bool is_flushed_to(const struct log_recovery *log, const struct segment_view *view)
{
    return log->facts->flushed.base_offset == view->base_offset &&
           log->facts->flushed.size_bytes == view->size_bytes;
}

/* The segment's bytes will be durable when recovery_sync returns, and so will its name, unless a checkpoint says
 * that it is. */
static void sync_later(struct log_recovery *log, struct segment *segment)
{
    struct recovery *recovery = log->recovery;
    bool is_name_known = log->facts->flushed.size_bytes > 0 &&
                         log->facts->flushed.base_offset == segment->base_offset;
    char path[LOG_PATH_BYTES];

    sync_batch_segment(&recovery->syncs, &recovery->sync_err, segment);
    if (is_name_known && (log->replayed == NULL || !log->replayed->is_name_new))
        return;
    log_path(&log->id, path);
    sync_batch_dir(&recovery->syncs, &recovery->sync_err, path);
    log_path_topic(&log->id, path);
    sync_batch_dir(&recovery->syncs, &recovery->sync_err, path);
}

/* Cuts a torn tail, or says that it is none, and makes what stays durable. */
static enum err settle_tail(struct log_recovery *log, struct file *file, int64_t size,
                            const struct segment_view *view)
{
    bool is_written = log->replayed != NULL && log->replayed->is_written;
    int64_t held = 0;
    enum err rc = disk_written_end(file, view->size_bytes, size, &held);

    if (rc != ERR_OK)
        return rc;
    if (view->size_bytes < flushed_bytes(log, view->base_offset, held) &&
        (log->recovery->store->sabotage & SABOTAGE_TRUST_TAIL) == 0)
        return ERR_CORRUPT;
    if (view->size_bytes == held && size - held > DISK_BLOCK_BYTES)
        spare_rest_begin(view->segment, held);
    /* Nothing beyond what was flushed for sure: nothing that a sync could add. */
    if (view->size_bytes == held && is_flushed_to(log, view) && !is_written)
        return ERR_OK;
    if (view->size_bytes < held) {
        log->recovery->truncated_bytes += held - view->size_bytes;
        rc = file->ops->truncate(file, view->size_bytes);
    }
    if (rc == ERR_OK)
        sync_later(log, view->segment);
    return rc;
}

static struct segment_view empty_view(struct segment *segment)
{
    return (struct segment_view){
        .segment = segment,
        .base_offset = segment->base_offset,
        .end_offset = segment->base_offset,
        .max_timestamp = -1,
        .first_timestamp = -1,
    };
}

/* The file is shorter than it was when it was flushed: fatal, unless all that matters no more. */
static enum err begin_anew(const struct log_recovery *log, struct segment_view *view)
{
    if (flushed_bytes(log, view->base_offset, view->size_bytes) > 0)
        return ERR_CORRUPT;
    *view = empty_view(view->segment);
    return ERR_OK;
}

/* -1 = it cannot be read: then the segment ends by another rule, or by another clock. */
static int64_t first_timestamp(struct file *file, int64_t size)
{
    uint8_t header[RECORD_BATCH_HEADER_BYTES];
    struct record_batch batch;
    size_t len = 0;

    if (size < RECORD_BATCH_HEADER_BYTES ||
        file->ops->read_at(file, 0, header, sizeof(header), &len) != ERR_OK ||
        record_batch_parse(slice_of(header, len), &batch) != ERR_OK)
        return -1;
    return batch.max_timestamp;
}

static enum err scan_segment(struct log_recovery *log, struct segment_view *view)
{
    struct segment_files *files = &log->recovery->store->files;
    struct file *file = NULL;
    int64_t size = 0;
    enum err rc = segment_files_acquire(files, view->segment, 0, &file);

    if (rc != ERR_OK)
        return rc;
    rc = file->ops->size(file, &size);
    if (rc == ERR_OK && size < view->size_bytes)
        rc = begin_anew(log, view);
    if (rc == ERR_OK)
        rc = scan(log, file, size, view);
    if (rc == ERR_OK)
        rc = settle_tail(log, file, size, view);
    if (rc == ERR_OK)
        view->first_timestamp = first_timestamp(file, view->size_bytes);
    segment_files_release(files, view->segment);
    return rc;
}

/* Zeros that nobody had cut off yet go. */
static enum err cut_zeros(struct file *file, int64_t end, int64_t *size)
{
    int64_t written = 0;
    enum err rc = disk_written_end(file, end, *size, &written);

    if (rc != ERR_OK || written > end)
        return rc;
    *size = end;
    return file->ops->truncate(file, end);
}

/* *ret_is_whole: the file has exactly the size that the view says. ERR_CORRUPT: it is shorter. */
static enum err check_size(struct log_recovery *log, const struct segment_view *view,
                           bool *ret_is_whole)
{
    struct segment_files *files = &log->recovery->store->files;
    struct file *file = NULL;
    int64_t size = 0;
    enum err rc = segment_files_acquire(files, view->segment, 0, &file);

    if (rc != ERR_OK)
        return rc;
    rc = file->ops->size(file, &size);
    if (rc == ERR_OK && size > view->size_bytes)
        rc = cut_zeros(file, view->size_bytes, &size);
    segment_files_release(files, view->segment);
    if (rc != ERR_OK)
        return rc;
    *ret_is_whole = size == view->size_bytes;
    return size < view->size_bytes ? ERR_CORRUPT : ERR_OK;
}

/* Flushed for sure, and where: a closed segment is whole, the newest one is believed up to its checkpoint. */
static const struct segment_fact *believable(const struct log_recovery *log, log_offset base)
{
    const struct segment_fact *fact = find_fact(log, base);

    if (fact != NULL)
        return fact;
    if (log->facts->flushed.size_bytes > 0 && log->facts->flushed.base_offset == base)
        return &log->facts->flushed;
    return NULL;
}

/* A closed segment that is longer than it should be is read from its start. */
static enum err check_closed(struct log_recovery *log, struct segment_view *view)
{
    bool is_whole = false;
    enum err rc = check_size(log, view, &is_whole);

    if (rc != ERR_OK || is_whole)
        return rc;
    *view = empty_view(view->segment);
    return scan_segment(log, view);
}

static enum err recover_segment(struct log_recovery *log, log_offset base)
{
    const struct segment_fact *fact = believable(log, base);
    bool is_closed = fact != NULL && fact != &log->facts->flushed;
    struct segment_view *view = &log->views[log->view_count];
    struct segment *segment = NULL;
    enum err rc = ERR_OK;

    /* The index gets its interval with the settings. */
    segment = segment_new(&log->id, base, fact != NULL ? fact->generation : 0, 0);
    if (segment == NULL)
        return ERR_NO_MEMORY;
    *view = empty_view(segment);
    log->view_count++;
    if (fact != NULL) {
        view->end_offset = fact->end_offset;
        view->size_bytes = fact->size_bytes;
        view->max_timestamp = fact->max_timestamp;
    }
    /* Closed segments after a clean end are believed unseen: there may be very many. */
    if (!is_closed)
        rc = scan_segment(log, view);
    else if (!log->recovery->was_clean)
        rc = check_closed(log, view);
    view->first_append_ms = log->recovery->now_ms;
    if (view->max_timestamp >= 0 && view->max_timestamp < view->first_append_ms)
        view->first_append_ms = view->max_timestamp;
    return rc;
}

static void drop_last_view(struct log_recovery *log)
{
    struct segment *segment = log->views[--log->view_count].segment;

    sync_batch_run(&log->recovery->syncs); /* it may be in there */
    segment_files_drop(&log->recovery->store->files, segment);
    segment_free(segment);
}

/* --- all segments --- */

/* A file that begins elsewhere than where the log so far ends. Below: the rest of an append that was
 * taken back. Above: after a torn tail it is part of it; otherwise something is missing. */
static enum err settle_misplaced(struct log_recovery *log, log_offset base)
{
    if (base > log->end && (believable(log, base) != NULL || flushed_bytes(log, base, 1) > 0))
        return ERR_CORRUPT;
    return remove_segment(log, base);
}

static enum err recover_base(struct log_recovery *log, log_offset base)
{
    enum err rc = ERR_OK;

    if (log->end < 0 && base > log->facts->log_start)
        return flushed_bytes(log, base, 1) > 0 || find_fact(log, base) != NULL
                   ? ERR_CORRUPT
                   : remove_segment(log, base);
    if (log->end >= 0 && base != log->end)
        return settle_misplaced(log, base);
    rc = recover_segment(log, base);
    if (rc != ERR_OK)
        return rc;
    if (log->views[log->view_count - 1].size_bytes == 0) {
        drop_last_view(log);
        return remove_segment(log, base);
    }
    log->end = log->views[log->view_count - 1].end_offset;
    return ERR_OK;
}

static enum err recover_segments(struct log_recovery *log)
{
    log_offset log_start = log->facts->log_start;
    enum err rc = ERR_OK;

    log->views = calloc((size_t)log->files.base_count + 1, sizeof(log->views[0]));
    if (log->views == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < log->files.base_count && rc == ERR_OK; i++) {
        /* Wholly below the log start: its removal was under way. */
        if (i + 1 < log->files.base_count && log->files.bases[i + 1] <= log_start)
            rc = remove_segment(log, log->files.bases[i]);
        else
            rc = recover_base(log, log->files.bases[i]);
    }
    if (rc != ERR_OK)
        return rc;
    if (log->promised.end_offset > log_start && log->promised.end_offset > log->end &&
        (log->recovery->store->sabotage & SABOTAGE_TRUST_TAIL) == 0)
        return ERR_CORRUPT; /* what was flushed is gone */
    if (log->end > log_start)
        return ERR_OK;
    /* The newest one, too, lies wholly below: of a file that is going, any part may be there, even one with its whole
     * size and nothing in it. */
    while (log->view_count > 0 && rc == ERR_OK) {
        rc = remove_segment(log, log->views[log->view_count - 1].base_offset);
        drop_last_view(log);
    }
    log->end = log_start;
    return rc;
}

/* --- epochs and producers --- */

static enum err cut_epochs(struct log_recovery *log)
{
    struct epoch_history *shorter = NULL;
    int count = log->epochs->count;

    while (count > 0 && log->epochs->entries[count - 1].start > log->end)
        count--;
    shorter = epoch_history_new(log->epochs->entries, count);
    if (shorter == NULL)
        return ERR_NO_MEMORY;
    epoch_history_unref(log->epochs);
    log->epochs = shorter;
    return ERR_OK;
}

/* Sets *ret_offset to where the snapshot ends; 0 when there is none that can be used. */
static void load_producers(struct log_recovery *log, struct producer_state *producers,
                           log_offset *ret_offset)
{
    log_offset offset = log->facts->producers.offset;
    struct disk *disk = log->recovery->store->disk;
    char path[LOG_PATH_BYTES];
    uint8_t *data = NULL;
    size_t len = 0;

    *ret_offset = 0;
    if (offset < 0 || offset > log->end)
        return;
    if (log->facts->producers.count == 0) {
        *ret_offset = offset;
        return;
    }
    log_path_file(&log->id, offset, PRODUCERS_SUFFIX, path);
    if (disk_read_file(disk, path, PRODUCERS_FILE_MAX_BYTES, &data, &len) != ERR_OK)
        return;
    if (producer_state_load(producers, slice_of(data, len), ret_offset) != ERR_OK)
        log_event(LOG_WARN, "producers_not_loaded", f_str("file", path));
    free(data);
}

/* Where in a segment `from` may be, or before it. The position is known as it was appended. */
static int64_t replay_position(const struct log_recovery *log, const struct segment_view *view,
                               log_offset from)
{
    const struct producers_fact *snapshot = &log->facts->producers;
    bool is_newest = view == &log->views[log->view_count - 1];

    return is_newest && view->segment->generation == 0 && from == snapshot->offset &&
                   view->base_offset == snapshot->segment && snapshot->position <= view->size_bytes
               ? snapshot->position
               : 0;
}

static enum err replay_segment(struct log_recovery *log, const struct segment_view *view,
                               log_offset from, struct producer_state *producers)
{
    struct segment_files *files = &log->recovery->store->files;
    int64_t position = replay_position(log, view, from);
    log_offset expected = position == 0 ? view->base_offset : from;
    struct batch_cursor cursor;
    struct file *file = NULL;
    enum err rc = segment_files_acquire(files, view->segment, 0, &file);

    if (rc != ERR_OK)
        return rc;
    batch_cursor_init(&cursor, file, position, view->size_bytes);
    while (rc == ERR_OK) {
        struct record_batch batch;
        struct slice bytes;

        rc = batch_cursor_next(&cursor, &batch);
        if (rc == ERR_OK && batch.base_offset != expected)
            rc = ERR_CORRUPT;
        if (rc == ERR_OK)
            rc = batch_cursor_body(&cursor, &batch, &bytes);
        if (rc != ERR_OK)
            break;
        expected = record_batch_next_offset(&batch);
        if (batch.base_offset >= from && batch.producer_id >= 0)
            rc = producer_state_append(producers, &batch, log->recovery->now_ms, NULL);
    }
    batch_cursor_done(&cursor);
    segment_files_release(files, view->segment);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err recover_producers(struct log_recovery *log, struct producer_state *producers)
{
    log_offset from = 0;
    enum err rc = ERR_OK;

    load_producers(log, producers, &from);
    for (int i = 0; i < log->view_count && rc == ERR_OK; i++) {
        if (log->views[i].end_offset > from)
            rc = replay_segment(log, &log->views[i], from, producers);
    }
    return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

/* --- telling the catalogue --- */

/* How many of the epochs the catalogue has already. */
static int count_known_epochs(const struct log_recovery *log)
{
    int count = 0;

    while (count < log->epochs->count && count < log->facts->epoch_count &&
           log->epochs->entries[count].epoch == log->facts->epochs[count].epoch &&
           log->epochs->entries[count].start == log->facts->epochs[count].start)
        count++;
    return count;
}

static enum err tell_catalogue(struct log_recovery *log, bool is_last_closed)
{
    struct catalogue *catalogue = log->recovery->store->catalogue;
    enum err rc = ERR_OK;

    for (int i = count_known_epochs(log); i < log->epochs->count && rc == ERR_OK; i++)
        rc = catalogue_add_epoch(catalogue, &log->id, log->epochs->entries[i]);
    for (int i = 0; i < log->view_count && rc == ERR_OK; i++) {
        struct segment_fact fact = segment_fact_of(&log->views[i]);

        if (i + 1 == log->view_count && !is_last_closed && is_flushed_to(log, &log->views[i]))
            continue;
        if (i + 1 == log->view_count && !is_last_closed)
            rc = catalogue_set_flushed(catalogue, &log->id, &fact);
        else if (find_fact(log, fact.base_offset) == NULL)
            rc = catalogue_add_segment(catalogue, &log->id, &fact);
    }
    /* A snapshot of what did not become durable: other batches will be there. */
    if (rc == ERR_OK && log->facts->producers.offset > log->end)
        rc = catalogue_set_producers(catalogue, &log->id, &(struct producers_fact){.offset = -1});
    return rc;
}

/* --- one log --- */

static enum err assemble(struct log_recovery *log, struct recovered_log *found)
{
    bool is_empty = log->view_count == 0;
    bool is_last_closed =
        log->view_count > 0 && find_fact(log, log->views[log->view_count - 1].base_offset) != NULL;
    int closed_count = log->view_count - (log->view_count > 0 && !is_last_closed ? 1 : 0);
    struct segment_list *closed = NULL;
    enum err rc = recover_producers(log, &found->producers);

    /* After a clean end there is nothing to tell, but for a file whose removal a power cut took back. */
    if (rc == ERR_OK)
        rc = tell_catalogue(log, is_last_closed);
    if (rc != ERR_OK)
        return rc;
    log_files_remove_snapshots(log->recovery->store->disk, &log->id, &log->files,
                               log->facts->producers.offset);
    closed = segment_list_new(log->views, closed_count);
    if (closed == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < closed_count; i++)
        log->views[i].segment->refs--; /* moved into the list */
    free(found->closed);
    found->closed = closed;
    if (closed_count < log->view_count)
        found->active = log->views[closed_count];
    log->view_count = 0;
    epoch_history_unref(found->epochs);
    found->epochs = log->epochs;
    found->epochs_saved = log->epochs->count;
    log->epochs = NULL;
    found->log_start = log->facts->log_start;
    found->cleaned_end = log->facts->cleaned_end;
    found->end = log->end;
    found->is_on_disk = true;
    found->is_dir_doubtful = is_empty;
    return ERR_OK;
}

enum err recovery_sync(struct recovery *recovery)
{
    sync_batch_dir(&recovery->syncs, &recovery->sync_err, "topics");
    sync_batch_run(&recovery->syncs);
    return recovery->sync_err;
}

enum err recover_log(struct recovery *recovery, const struct log_identity *id,
                     struct recovered_log *ret_found)
{
    struct log_recovery log = {.recovery = recovery, .id = *id, .end = -1};
    enum err rc = recovered_log_init(ret_found, id, recovery->seed);

    if (rc != ERR_OK)
        return rc;
    log.facts = catalogue_find(recovery->store->catalogue, id);
    invariant(log.facts != NULL);
    log.replayed = wal_replay_find(&recovery->replay, id);
    log.promised = log.facts->flushed;
    if (log.replayed != NULL && log.replayed->promised.size_bytes > 0 &&
        log.replayed->promised.end_offset > log.promised.end_offset)
        log.promised = log.replayed->promised;
    log.epochs = epoch_history_new(log.facts->epochs, log.facts->epoch_count);
    rc = log.epochs == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (rc == ERR_OK && log.facts->is_isolated)
        rc = ERR_CORRUPT;
    if (rc == ERR_OK)
        rc = log_files_list(recovery->store->disk, log.facts, &log.files);
    if (rc == ERR_OK)
        rc = recover_segments(&log);
    if (rc == ERR_OK)
        rc = cut_epochs(&log);
    if (rc == ERR_OK)
        rc = assemble(&log, ret_found);
    while (log.view_count > 0)
        drop_last_view(&log);
    epoch_history_unref(log.epochs);
    free(log.views);
    log_files_done(&log.files);
    if (rc != ERR_OK)
        recovered_log_done(ret_found, &recovery->store->files);
    return rc;
}
