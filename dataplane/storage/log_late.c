/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a log that only the write-ahead log and the tail have: how it grows, and how it gets into the segment. */
#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/shard.h"

/* The view may be the one that is there. */
void partition_log_set_written(struct partition_log *log, const struct segment_view *view)
{
    struct segment *old = log->written.segment;

    log->written = (struct written_end){
        .segment = view->segment,
        .end_offset = view->end_offset,
        .size_bytes = view->size_bytes,
        .max_timestamp = view->max_timestamp,
    };
    if (view->segment != NULL)
        view->segment->refs++;
    if (old != NULL)
        shard_segment_unref(log->shard, old);
}

static void add_late_bytes(struct partition_log *log, int64_t bytes)
{
    log->shard->late_bytes += bytes;
    counter_set(&log->shard->metrics.late_bytes, log->shard->late_bytes);
    atomic_fetch_add_explicit(&log->shard->store->late_bytes, bytes, memory_order_relaxed);
}

static void free_late(struct partition_log *log, struct run_list *late)
{
    add_late_bytes(log, -late->bytes);
    run_list_free(log->shard, late);
}

struct segment_view partition_log_written_view(const struct partition_log *log)
{
    const struct written_end *written = &log->written;

    if (written->segment == NULL)
        return (struct segment_view){.segment = NULL};
    return (struct segment_view){
        .segment = written->segment,
        .base_offset = written->segment->base_offset,
        .end_offset = written->end_offset,
        .size_bytes = written->size_bytes,
        .max_timestamp = written->max_timestamp,
    };
}

int64_t partition_log_written_bytes(const struct partition_log *log)
{
    const struct segment *active = log->durable.active.segment;

    return active != NULL && log->written.segment == active ? log->written.size_bytes : 0;
}

log_offset partition_log_written_end(const struct partition_log *log)
{
    const struct segment_view *active = &log->durable.active;

    if (active->segment == NULL)
        return log->durable.end;
    return log->written.segment == active->segment ? log->written.end_offset : active->base_offset;
}

/* An item that was written took along what was late. What is only logged comes after it. */
void partition_log_note_late(struct partition_log *log, struct flush_item *item)
{
    if (flush_item_is_direct(item)) {
        free_late(log, &item->late);
        partition_log_set_written(log, &log->taken.active);
        log->late_lsn = -1;
    }
    run_list_append(log->shard, &log->late, &item->late);
    if (!item->is_logged)
        return;
    if (log->late_lsn < 0)
        log->late_lsn = item->lsn;
    if (log->late_away != NULL && log->late_away->later_lsn < 0)
        log->late_away->later_lsn = item->lsn;
    log->shard->pending_bytes -= item->runs.bytes;
    add_late_bytes(log, item->runs.bytes);
    run_list_append(log->shard, &log->late, &item->runs);
}

void partition_log_take_late(struct partition_log *log, struct late_write *write)
{
    invariant(log->late_away == NULL && !log->is_taken);
    *write = (struct late_write){
        .runs = log->late,
        .end = log->durable.active,
        .later_lsn = -1,
    };
    if (write->end.segment != NULL)
        write->end.segment->refs++;
    log->late = (struct run_list){.first = NULL};
    log->late_away = write;
}

static void note_late_written(struct partition_log *log, struct late_write *write)
{
    partition_log_set_written(log, &write->end);
    log->late_lsn = write->later_lsn;
    log->tail.flushed_end = partition_log_written_end(log);
    free_late(log, &write->runs);
    tail_budget_trim(log->tail.budget);
}

/* Comes before what was logged meanwhile. */
static void put_late_back(struct partition_log *log, struct late_write *write)
{
    run_list_append(log->shard, &write->runs, &log->late);
    log->late = write->runs;
    write->runs = (struct run_list){.first = NULL};
}

void partition_log_late_ended(struct partition_log *log, bool is_written)
{
    struct late_write *write = log->late_away;

    log->late_away = NULL;
    if (is_written)
        note_late_written(log, write);
    else
        put_late_back(log, write);
    if (write->end.segment != NULL)
        shard_segment_unref(log->shard, write->end.segment);
    write->end.segment = NULL;
}

void partition_log_drop_late(struct partition_log *log)
{
    invariant(log->late_away == NULL);
    free_late(log, &log->late);
    partition_log_set_written(log, &(struct segment_view){.segment = NULL});
    log->late_lsn = -1;
}
