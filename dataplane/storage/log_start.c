/* SPDX-License-Identifier: Apache-2.0 */
/* Where a log begins: retention says how far it may move, set_start moves it. Apache Kafka's rules:
 *   time    the oldest segment goes when its largest timestamp is more than retention.ms ago: a timestamp in the
 *           future keeps it longer
 *   bytes   the oldest segment goes when what is left has retention.bytes still
 *   both    one segment after another from the oldest on, whole ones, none with something above the high watermark,
 *           the newest too; only with `delete` in cleanup.policy
 *   start   what lies wholly below the log start goes whatever the policy says
 * The files of a segment begin to go (removals.h) as soon as nobody reads them: file.delete.delay.ms is the longest that they may
 * stay, not the shortest. */
#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/shard.h"

static int count_below(const struct segment_list *closed, log_offset log_start)
{
    int count = 0;

    while (count < closed->count && closed->views[count].end_offset <= log_start)
        count++;
    return count;
}

static void drop_closed(struct partition_log *log, struct log_position *position)
{
    struct segment_view none = {.segment = NULL};
    int count = count_below(position->closed, log->log_start);
    struct segment_list *rest =
        count == 0 ? NULL : segment_list_with(position->closed, count, &none);

    if (rest == NULL)
        return; /* they go with the next change of the log start, or at the next start */
    shard_segment_list_unref(log->shard, position->closed);
    position->closed = rest;
}

static void drop_active(struct partition_log *log, struct log_position *position)
{
    if (position->active.segment != NULL)
        shard_segment_unref(log->shard, position->active.segment);
    position->active = (struct segment_view){.segment = NULL};
}

/* In the catalogue they are gone already. */
static void drop_epochs(struct partition_log *log)
{
    struct epoch_history *epochs = log->epochs;
    int gone = epoch_entries_below(epochs->entries, epochs->count, log->log_start);
    struct epoch_history *rest =
        gone == 0 ? NULL : epoch_history_new(epochs->entries + gone, epochs->count - gone);

    if (rest == NULL)
        return; /* they go with the next change of the log start */
    log->epochs_saved = log->epochs_saved > gone ? log->epochs_saved - gone : 0;
    log->epochs = rest;
    epoch_history_unref(epochs);
}

void partition_log_set_start(struct partition_log *log, log_offset log_start)
{
    int gone = count_below(log->durable.closed, log_start);
    struct segment *active = log->durable.active.segment;

    invariant(!log->is_taken && log->late_away == NULL && log_start <= log->durable.end);
    log->log_start = log_start;
    drop_epochs(log);
    for (int i = 0; i < gone; i++)
        log->durable.closed->views[i].segment->is_doomed = true;
    drop_closed(log, &log->durable);
    drop_closed(log, &log->head);
    /* Nothing of the newest is left, and nobody is appending to it. */
    if (active != NULL && log->durable.end == log_start && log->head.end == log_start) {
        active->is_doomed = true;
        partition_log_drop_late(log);
        drop_active(log, &log->durable);
        drop_active(log, &log->head);
    }
}

static bool may_go(const struct segment_view *view, int64_t size_bytes,
                   const struct log_config *config, int64_t now_ms)
{
    int64_t newest_ms = view->max_timestamp >= 0 ? view->max_timestamp : view->first_append_ms;

    if (config->retention_bytes >= 0 && size_bytes - view->size_bytes >= config->retention_bytes)
        return true;
    return config->retention_ms >= 0 && now_ms - newest_ms > config->retention_ms;
}

log_offset partition_log_retention(const struct partition_log *log, const struct log_config *config,
                                   log_offset high_watermark, int64_t now_ms)
{
    const struct segment_list *closed = log->durable.closed;
    const struct segment_view *active = &log->durable.active;
    int64_t size_bytes = closed->size_bytes + active->size_bytes;
    log_offset log_start = -1;
    int i = 0;

    if ((config->cleanup_policy & CLEANUP_DELETE) == 0)
        return -1;
    for (; i < closed->count; i++) {
        const struct segment_view *view = &closed->views[i];

        if (view->end_offset > high_watermark || !may_go(view, size_bytes, config, now_ms))
            break;
        size_bytes -= view->size_bytes;
        log_start = view->end_offset;
    }
    if (i == closed->count && active->segment != NULL && log->head.end == high_watermark &&
        log->durable.end == high_watermark && may_go(active, size_bytes, config, now_ms))
        log_start = high_watermark;
    return log_start > log->log_start ? log_start : -1;
}
