/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/partition_log.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/shard.h"

#define WRITTEN_TIMES_SMALL 2
#define CHECKPOINT_BYTES ((int64_t)1 << 20)
/* A start after a crash reads the producers out of the log from their last snapshot on. */
#define PRODUCERS_SNAPSHOT_EVERY_BYTES ((int64_t)64 << 20)
#define PRODUCERS_SNAPSHOT_MAX_BYTES ((size_t)64 << 20)

/* --- positions --- */

static void position_ref(struct log_position *position)
{
    position->closed->refs++;
    if (position->active.segment != NULL)
        position->active.segment->refs++;
    if (position->chunk != NULL)
        tail_chunk_ref(position->chunk);
}

static void position_unref(struct partition_log *log, struct log_position *position)
{
    shard_segment_list_unref(log->shard, position->closed);
    if (position->active.segment != NULL)
        shard_segment_unref(log->shard, position->active.segment);
    tail_chunk_unref(position->chunk);
    *position = (struct log_position){.end = position->end};
}

static void position_set(struct partition_log *log, struct log_position *to,
                         const struct log_position *from)
{
    struct log_position old = *to;

    *to = *from;
    position_ref(to);
    if (old.closed != NULL)
        position_unref(log, &old);
}

void partition_log_init(struct partition_log *log, struct shard *shard, struct recovered_log *found)
{
    *log = (struct partition_log){
        .id = found->id,
        .shard = shard,
        .log_start = found->log_start,
        .cleaned_end = found->cleaned_end,
        .head = {.closed = found->closed, .active = found->active, .end = found->end},
        .epochs = found->epochs,
        .epochs_saved = found->epochs_saved,
        .is_on_disk = found->is_on_disk,
        .is_dir_doubtful = found->is_dir_doubtful,
        .has_unsynced_dirs = found->is_dir_doubtful,
        .may_be_on_disk = found->is_on_disk,
        .is_changed = found->is_changed,
        .late_lsn = -1,
    };
    producer_state_move(&log->producers, &found->producers);
    for (int i = 0; i < found->closed->count; i++) {
        if (found->closed->views[i].segment->generation > log->last_generation)
            log->last_generation = found->closed->views[i].segment->generation;
    }
    position_set(log, &log->durable, &log->head);
    partition_log_set_written(log, &log->durable.active);
    log_tail_init(&log->tail, &shard->tail, found->end);
}

void partition_log_give_back(struct partition_log *log, struct recovered_log *found)
{
    partition_log_set_written(log, &(struct segment_view){.segment = NULL});
    position_unref(log, &log->durable);
    found->closed = log->head.closed;
    found->active = log->head.active;
    found->epochs = log->epochs;
    producer_state_move(&found->producers, &log->producers);
}

enum err recovered_log_init(struct recovered_log *found, const struct log_identity *id,
                            struct hash_seed seed)
{
    *found = (struct recovered_log){.id = *id};
    found->closed = segment_list_new(NULL, 0);
    found->epochs = epoch_history_new(NULL, 0);
    producer_state_init(&found->producers, seed);
    if (found->closed != NULL && found->epochs != NULL)
        return ERR_OK;
    free(found->closed);
    epoch_history_unref(found->epochs);
    return ERR_NO_MEMORY;
}

void recovered_log_done(struct recovered_log *found, struct segment_files *files)
{
    for (int i = 0; i < found->closed->count; i++) {
        segment_files_drop(files, found->closed->views[i].segment);
        segment_free(found->closed->views[i].segment);
    }
    free(found->closed);
    if (found->active.segment != NULL) {
        segment_files_drop(files, found->active.segment);
        segment_free(found->active.segment);
    }
    epoch_history_unref(found->epochs);
    producer_state_done(&found->producers);
}

static void free_pending(struct partition_log *log, struct run_list *runs)
{
    log->shard->pending_bytes -= runs->bytes;
    run_list_free(log->shard, runs);
}

static void free_undos(struct partition_log *log)
{
    struct append_undo *undo = NULL;

    while ((undo = log->undos) != NULL) {
        log->undos = undo->older;
        spare_pool_give(&log->shard->loop->spares, undo, sizeof(*undo));
    }
}

static void free_snapshot(struct producers_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    buffer_done(&snapshot->bytes);
    free(snapshot);
}

void partition_log_done(struct partition_log *log)
{
    free_pending(log, &log->pending);
    partition_log_drop_late(log);
    free_undos(log);
    free_snapshot(log->producers_snapshot);
    if (log->is_taken)
        position_unref(log, &log->taken);
    epoch_history_unref(log->taken_epochs);
    position_unref(log, &log->durable);
    position_unref(log, &log->head);
    log_tail_done(&log->tail);
    producer_state_done(&log->producers);
    epoch_history_unref(log->epochs);
}

/* --- append --- */

static struct producers_snapshot *take_producers_snapshot(const struct partition_log *log)
{
    struct producers_snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (snapshot == NULL)
        return NULL;
    snapshot->offset = log->head.end;
    snapshot->count = (int32_t)log->producers.table.count;
    snapshot->segment =
        log->head.active.segment != NULL ? log->head.active.base_offset : log->head.end;
    snapshot->position = log->head.active.segment != NULL ? log->head.active.size_bytes : 0;
    buffer_init(&snapshot->bytes, PRODUCERS_SNAPSHOT_MAX_BYTES);
    if (producer_state_save(&log->producers, log->head.end, &snapshot->bytes) == ERR_OK)
        return snapshot;
    free_snapshot(snapshot);
    return NULL;
}

bool partition_log_snapshot_producers(struct partition_log *log)
{
    struct producers_snapshot *snapshot = take_producers_snapshot(log);

    if (snapshot == NULL)
        return false;
    free_snapshot(log->producers_snapshot);
    log->producers_snapshot = snapshot;
    log->bytes_since_producers = 0;
    return true;
}

enum err partition_log_roll(struct partition_log *log)
{
    struct segment_list *closed = segment_list_with(log->head.closed, 0, &log->head.active);

    if (closed == NULL)
        return ERR_NO_MEMORY;
    shard_segment_list_unref(log->shard, log->head.closed);
    shard_segment_unref(log->shard, log->head.active.segment);
    log->head.closed = closed;
    log->head.active = (struct segment_view){.segment = NULL};
    (void)partition_log_snapshot_producers(log); /* a start reads more without it */
    return ERR_OK;
}

static enum err begin_segment(struct partition_log *log, const struct log_config *config,
                              int64_t now_ms)
{
    struct segment *segment = segment_new(&log->id, log->head.end, 0, config->index_interval_bytes);

    if (segment == NULL)
        return ERR_NO_MEMORY;
    segment->bytes_max = config->segment_bytes;
    log->head.active = (struct segment_view){
        .segment = segment,
        .base_offset = log->head.end,
        .end_offset = log->head.end,
        .max_timestamp = -1,
        .first_append_ms = now_ms,
        .first_timestamp = -1,
    };
    return ERR_OK;
}

/* Notes that bytes [at, at + len) of the chunk go to the end of the active segment. */
static void note_run(struct partition_log *log, struct write_run *spare, struct tail_chunk *chunk,
                     size_t at, size_t len)
{
    struct write_run content = {
        .segment = log->head.active.segment,
        .position = log->head.active.size_bytes,
        .chunk = chunk,
        .from = at,
        .to = at + len,
    };

    log->shard->pending_bytes += (int64_t)len;
    run_list_put(log->shard, &log->pending, spare, &content);
}

static enum err remember_producer(struct partition_log *log, const struct record_batch *batch,
                                  int64_t now_ms)
{
    struct append_undo *undo = NULL;
    enum err rc = ERR_OK;

    if (batch->producer_id < 0)
        return ERR_OK;
    undo = spare_pool_take(&log->shard->loop->spares, sizeof(*undo));
    if (undo == NULL)
        return ERR_NO_MEMORY;
    rc = producer_state_append(&log->producers, batch, now_ms, &undo->producer);
    if (rc != ERR_OK) {
        spare_pool_give(&log->shard->loop->spares, undo, sizeof(*undo));
        return rc;
    }
    undo->base_offset = batch->base_offset;
    undo->older = log->undos;
    log->undos = undo;
    return ERR_OK;
}

static void take_back_newest_undo(struct partition_log *log)
{
    struct append_undo *undo = log->undos;

    log->undos = undo->older;
    producer_state_revert(&log->producers, &undo->producer);
    spare_pool_give(&log->shard->loop->spares, undo, sizeof(*undo));
}

enum err partition_log_append(struct partition_log *log, const struct log_config *config,
                              uint8_t *bytes, struct record_batch *batch, leader_epoch epoch,
                              int64_t now_ms)
{
    struct write_run *spare = NULL;
    struct tail_chunk *chunk = NULL;
    size_t at = 0;
    enum err rc = ERR_OK;

    if (segment_must_roll(&log->head.active, config, batch, now_ms))
        rc = partition_log_roll(log);
    if (rc == ERR_OK && log->head.active.segment == NULL)
        rc = begin_segment(log, config, now_ms);
    if (rc != ERR_OK)
        return rc;
    spare = spare_pool_take(&log->shard->loop->spares, sizeof(*spare));
    if (spare == NULL)
        return ERR_NO_MEMORY;

    batch->base_offset = log->head.end;
    batch->leader_epoch = epoch;
    record_batch_set_offset(bytes, batch->base_offset, epoch);
    rc = remember_producer(log, batch, now_ms);
    if (rc != ERR_OK)
        goto fail_spare;
    rc = log_tail_put(&log->tail, bytes, (size_t)batch->size_bytes, log->head.active.size_bytes,
                      batch->base_offset, record_batch_next_offset(batch), &chunk, &at);
    if (rc != ERR_OK)
        goto fail_producer;

    note_run(log, spare, chunk, at, (size_t)batch->size_bytes);
    log->is_changed = true;
    log->head.end = record_batch_next_offset(batch);
    segment_view_add(&log->head.active, batch);
    return ERR_OK;

fail_producer:
    if (batch->producer_id >= 0)
        take_back_newest_undo(log);
fail_spare:
    spare_pool_give(&log->shard->loop->spares, spare, sizeof(*spare));
    return rc;
}

enum err partition_log_begin_epoch(struct partition_log *log, leader_epoch epoch)
{
    struct epoch_history *longer = NULL;

    if (epoch <= epoch_history_latest(log->epochs))
        return ERR_OK;
    longer = epoch_history_with(log->epochs, epoch, log->head.end);
    if (longer == NULL)
        return ERR_NO_MEMORY;
    if (log->epochs_saved > longer->count - 1)
        log->epochs_saved = longer->count - 1;
    epoch_history_unref(log->epochs);
    log->epochs = longer;
    return ERR_OK;
}

/* --- the way to the disk --- */

/* Segments that head has closed and durable has not. */
static int count_new_closed(const struct partition_log *log)
{
    const struct segment_list *closed = log->head.closed;
    int count = 0;

    while (count < closed->count &&
           closed->views[closed->count - 1 - count].end_offset > log->durable.end)
        count++;
    /* The one that was the newest, if nothing was appended to it since. */
    if (count < closed->count && log->durable.active.segment != NULL &&
        closed->views[closed->count - 1 - count].segment == log->durable.active.segment)
        count++;
    return count;
}

/* A snapshot that ends with an item takes the place of an older one, and batches that it knows may go: the item's
 * bytes are durable before the catalogue says so. (One of a roll ends before them.) */
static bool is_synced_first(const struct partition_log *log, log_offset log_start,
                            enum flush_policy flush, bool is_last)
{
    return is_last || log_start >= 0 || (flush == FLUSH_COMMIT && log->producers_snapshot != NULL);
}

static bool wants_producers(const struct partition_log *log, enum flush_policy flush, bool is_last)
{
    return is_last || (flush == FLUSH_COMMIT && log->bytes_since_producers + log->pending.bytes >=
                                                    PRODUCERS_SNAPSHOT_EVERY_BYTES);
}

/* What is synced goes to the device twice when it is logged, which is worth it when it is small; what is only written goes
 * there once, and costs copies: into pages that are there, which beats the device for what is not much larger. */
static int64_t loggable_bytes_max(const struct partition_log *log, enum flush_policy flush)
{
    int64_t small = log->shard->store->small_bytes_max;

    return flush == FLUSH_COMMIT ? small : small * WRITTEN_TIMES_SMALL;
}

/* The policy has changed, and the write-ahead log of the old one has bytes of it: they are synced first. */
static bool changes_stream(const struct partition_log *log, enum flush_policy flush)
{
    return flush == FLUSH_COMMIT ? log->has_unsynced_bytes
                                 : log->has_logged_bytes && log->stream == WAL_SYNCED;
}

bool partition_log_is_loggable(const struct partition_log *log, log_offset log_start,
                               enum flush_policy flush, bool is_last)
{
    return log->pending.first != NULL && log->pending.bytes <= loggable_bytes_max(log, flush) &&
           !changes_stream(log, flush) && count_new_closed(log) == 0 &&
           !wants_producers(log, flush, is_last) &&
           !is_synced_first(log, log_start, flush, is_last);
}

static void take_position(struct partition_log *log)
{
    log->head.chunk = log_tail_last(&log->tail);
    log->head.chunk_used = log->head.chunk != NULL ? log->head.chunk->used : 0;
    log->taken = log->head;
    position_ref(&log->taken);
    log->head.chunk = NULL;
    log->is_taken = true;
    log->may_be_on_disk = true;
}

void partition_log_take(struct partition_log *log, struct flush_item *item, log_offset log_start,
                        enum flush_policy flush, bool is_last)
{
    int new_closed = count_new_closed(log);
    bool is_loggable = partition_log_is_loggable(log, log_start, flush, is_last);
    bool is_change = changes_stream(log, flush);
    bool is_first = false;

    invariant(!log->is_taken && (log->late_away == NULL || is_loggable));
    if (wants_producers(log, flush, is_last))
        (void)partition_log_snapshot_producers(log); /* a start reads more without it */
    is_first = is_synced_first(log, log_start, flush, is_last);
    take_position(log);
    log->bytes_since_checkpoint += log->pending.bytes;
    log->bytes_since_producers += log->pending.bytes;
    *item = (struct flush_item){
        .id = log->id,
        .is_new = !log->is_on_disk,
        .must_make_dir = !log->is_on_disk || log->is_dir_doubtful,
        .must_sync = flush == FLUSH_COMMIT || is_first || is_change,
        .must_sync_end = is_change || (log->has_unsynced_bytes && is_first) ||
                         (is_last && log->has_logged_bytes),
        .may_be_logged = is_loggable,
        .is_late_away = log->late_away != NULL,
        .has_unsynced_dirs = log->has_unsynced_dirs || !log->is_on_disk,
        .has_unsynced_name = log->has_unsynced_name,
        .late = log->late,
        .runs = log->pending,
        .end = log->taken.active,
        .closed = log->taken.closed->views + (log->taken.closed->count - new_closed),
        .closed_count = new_closed,
        .epochs = log->epochs->entries + log->epochs_saved,
        .epoch_count = log->epochs->count - log->epochs_saved,
        .log_start = log_start,
        .producers = log->producers_snapshot,
        .old_producers = -1,
    };
    /* What is claimed to be flushed is synced by this item, or was before. */
    item->wants_checkpoint =
        item->must_sync &&
        (item->runs.first != NULL || item->must_sync_end || !log->has_logged_bytes) &&
        (log->bytes_since_checkpoint >= CHECKPOINT_BYTES || is_last || is_change ||
         log_start >= 0 || item->is_new || new_closed > 0);
    log->taken_epochs = epoch_history_ref(log->epochs); /* the worker reads the entries */
    list_init(&item->link);
    log->pending = (struct run_list){.first = NULL};
    log->late = (struct run_list){.first = NULL};
    log->producers_snapshot = NULL;
}

static void return_item(struct partition_log *log, struct flush_item *item)
{
    free_pending(log, &item->runs);
    free_snapshot(item->producers);
    epoch_history_unref(log->taken_epochs);
    log->taken_epochs = NULL;
    *item = (struct flush_item){.err = item->err};
    log->is_taken = false;
}

void partition_log_untake(struct partition_log *log, struct flush_item *item)
{
    log->bytes_since_checkpoint -= item->runs.bytes;
    log->bytes_since_producers -= item->runs.bytes;
    run_list_append(log->shard, &item->runs, &log->pending);
    log->pending = item->runs;
    item->runs = (struct run_list){.first = NULL};
    run_list_append(log->shard, &log->late, &item->late);
    invariant(item->producers == NULL);
    return_item(log, item);
    position_unref(log, &log->taken);
}

static void forget_durable_undos(struct partition_log *log)
{
    struct append_undo **link = &log->undos;

    while (*link != NULL && (*link)->base_offset >= log->durable.end)
        link = &(*link)->older;
    while (*link != NULL) {
        struct append_undo *undo = *link;

        *link = undo->older;
        spare_pool_give(&log->shard->loop->spares, undo, sizeof(*undo));
    }
}

/* Everything in `saved` is in the catalogue: how many of ours are the same? An epoch that began
 * meanwhile may have replaced one at the same offset. */
static int count_same(const struct epoch_history *ours, const struct epoch_history *saved)
{
    int count = 0;

    while (count < ours->count && count < saved->count &&
           ours->entries[count].epoch == saved->entries[count].epoch &&
           ours->entries[count].start == saved->entries[count].start)
        count++;
    return count;
}

/* What vouches for the newest segment's bytes, and for its name, after an item. */
static void note_durability(struct partition_log *log, const struct flush_item *item)
{
    bool has_runs = item->runs.first != NULL;

    if (item->is_logged) {
        log->stream = flush_item_stream(item);
        log->has_logged_bytes = true;
        log->has_unsynced_bytes |= log->stream == WAL_WRITTEN;
        log->has_unsynced_dirs |= item->is_new;
        log->has_unsynced_name |= item->runs.first->position == 0;
        return;
    }
    if (item->must_sync && (has_runs || item->must_sync_end)) {
        log->has_unsynced_bytes = false;
        log->has_logged_bytes = false;
    } else if (has_runs) {
        log->has_unsynced_bytes = true;
    }
    log->has_unsynced_dirs = false;
    /* A file that what is late makes was not there when the names were synced. */
    log->has_unsynced_name =
        !flush_item_is_direct(item) && log->late_lsn >= 0 && partition_log_written_bytes(log) == 0;
    if (item->wants_checkpoint)
        log->bytes_since_checkpoint = 0;
}

void partition_log_checkpointed(struct partition_log *log, const struct segment_view *end)
{
    const struct segment_view *active = &log->durable.active;

    log->has_unsynced_dirs = false;
    if (active->segment == NULL)
        log->has_logged_bytes = false; /* all of it is closed, or below the log start */
    if (active->segment == NULL || active->segment != end->segment)
        return;
    log->has_unsynced_name = false;
    log->bytes_since_checkpoint = 0;
    if (active->size_bytes > end->size_bytes)
        return;
    log->has_unsynced_bytes = false;
    log->has_logged_bytes = false;
}

bool partition_log_is_dirty(const struct partition_log *log)
{
    return log->pending.first != NULL || log->head.closed->count > log->durable.closed->count;
}

void partition_log_flushed(struct partition_log *log, struct flush_item *item)
{
    note_durability(log, item);
    log->epochs_saved = count_same(log->epochs, log->taken_epochs);
    partition_log_note_late(log, item);
    spare_rests_closed(log->shard, item);
    return_item(log, item);
    position_set(log, &log->durable, &log->taken);
    position_unref(log, &log->taken);
    log->is_on_disk = true;
    log->is_dir_doubtful = false;
    log->tail.flushed_end = partition_log_written_end(log);
    forget_durable_undos(log);
    tail_budget_trim(log->tail.budget);
}

/* The current epoch may not begin beyond the end. */
static void cut_epochs(struct partition_log *log)
{
    leader_epoch latest = epoch_history_latest(log->epochs);
    struct epoch_history *shorter = NULL;

    if (log->epochs->count == 0 ||
        log->epochs->entries[log->epochs->count - 1].start <= log->head.end)
        return;
    shorter = epoch_history_with(log->epochs, latest, log->head.end);
    if (shorter == NULL)
        return; /* its start is too high until the next epoch: a client reads a little twice */
    epoch_history_unref(log->epochs);
    log->epochs = shorter;
    log->epochs_saved = 0;
}

void partition_log_revert(struct partition_log *log, struct flush_item *item)
{
    run_list_append(log->shard, &log->late, &item->late);
    return_item(log, item);
    free_pending(log, &log->pending);
    position_unref(log, &log->taken);
    position_set(log, &log->head, &log->durable);
    log_tail_cut(&log->tail, log->head.end, log->durable.chunk, log->durable.chunk_used);
    tail_chunk_unref(log->head.chunk);
    log->head.chunk = NULL;
    while (log->undos != NULL)
        take_back_newest_undo(log);
    free_snapshot(log->producers_snapshot);
    log->producers_snapshot = NULL;
    cut_epochs(log);
}
