/* SPDX-License-Identifier: Apache-2.0 */
/* What the cleaner asks of a log, and what it does to it. Kafka's rules: the newest segment is never cleaned,
 * nor is anything from the first segment on that is above the high watermark or younger than
 * min.compaction.lag.ms; a log is due when its share of dirty bytes is at min.cleanable.dirty.ratio, or when
 * something dirty is older than max.compaction.lag.ms. So that this comes true for a log that gets little,
 * its newest segment is closed when it is old, without an append. */
#include <stdlib.h>

#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/shard.h"

static bool is_too_young(const struct segment_view *view, const struct log_config *config,
                         int64_t now_ms)
{
    int64_t newest_ms = view->max_timestamp >= 0 ? view->max_timestamp : view->first_append_ms;

    return config->min_compaction_lag_ms > 0 && now_ms - newest_ms < config->min_compaction_lag_ms;
}

void partition_log_survey(const struct partition_log *log, const struct log_config *config,
                          log_offset high_watermark, int64_t now_ms, struct log_dirt *ret_dirt)
{
    const struct segment_list *closed = log->durable.closed;
    struct log_dirt dirt = {
        .first_dirty = log->cleaned_end > log->log_start ? log->cleaned_end : log->log_start,
    };
    int64_t oldest_ms = now_ms;

    for (; dirt.count < closed->count; dirt.count++) {
        const struct segment_view *view = &closed->views[dirt.count];

        if (view->end_offset <= dirt.first_dirty) {
            dirt.clean_bytes += view->size_bytes;
            continue;
        }
        if (view->end_offset > high_watermark || is_too_young(view, config, now_ms))
            break;
        dirt.dirty_bytes += view->size_bytes;
        if (view->first_append_ms < oldest_ms)
            oldest_ms = view->first_append_ms;
    }
    /* dirty / (clean + dirty) >= thousandths / 1000 */
    dirt.is_due =
        dirt.dirty_bytes > 0 &&
        ((double)dirt.dirty_bytes * 1000 >= (double)(dirt.clean_bytes + dirt.dirty_bytes) *
                                                (double)config->min_cleanable_dirty_thousandths ||
         now_ms - oldest_ms >= config->max_compaction_lag_ms);
    *ret_dirt = dirt;
}

bool partition_log_roll_if_old(struct partition_log *log, const struct log_config *config,
                               int64_t now_ms)
{
    const struct segment_view *active = &log->head.active;

    if (active->segment == NULL || active->size_bytes == 0 || log->head.end != log->durable.end ||
        now_ms - active->first_append_ms < segment_age_max_ms(active->segment, config))
        return false;
    return partition_log_roll(log) == ERR_OK; /* else at the next check */
}

/* --- the exchange --- */

/* The segments that `fresh` covers: from *ret_first on. Returns how many; the log start may have passed
 * some of them. */
static int count_covered(const struct segment_list *closed, const struct segment_view *fresh,
                         int *ret_first)
{
    int first = 0;
    int count = 0;

    while (first < closed->count && closed->views[first].base_offset < fresh->base_offset)
        first++;
    while (first + count < closed->count &&
           closed->views[first + count].end_offset <= fresh->end_offset)
        count++;
    *ret_first = first;
    return count;
}

static struct segment_list *exchanged(const struct segment_list *closed,
                                      const struct segment_view *fresh)
{
    int first = 0;
    int covered = count_covered(closed, fresh, &first);
    int count = closed->count - covered + 1;
    struct segment_view *views = malloc((size_t)count * sizeof(views[0]));
    struct segment_list *list = NULL;

    if (views == NULL)
        return NULL;
    for (int i = 0; i < first; i++)
        views[i] = closed->views[i];
    views[first] = *fresh;
    for (int i = first + 1; i < count; i++)
        views[i] = closed->views[i + covered - 1];
    list = segment_list_new(views, count);
    free(views);
    return list;
}

static void doom_covered(const struct segment_list *closed, const struct segment_view *fresh)
{
    int first = 0;
    int count = count_covered(closed, fresh, &first);

    for (int i = first; i < first + count; i++)
        closed->views[i].segment->is_doomed = true;
}

static void set_closed(struct partition_log *log, struct log_position *position,
                       struct segment_list *list)
{
    shard_segment_list_unref(log->shard, position->closed);
    position->closed = list;
}

enum err partition_log_exchange(struct partition_log *log, const struct segment_view *fresh)
{
    struct segment_list *head = NULL;
    struct segment_list *durable = NULL;

    invariant(!log->is_taken);
    if (fresh->end_offset <= log->log_start) {
        fresh->segment->is_doomed = true;
        return ERR_OK;
    }
    head = exchanged(log->head.closed, fresh);
    durable = exchanged(log->durable.closed, fresh);
    if (head == NULL || durable == NULL) {
        shard_segment_list_unref(log->shard, head);
        shard_segment_list_unref(log->shard, durable);
        return ERR_NO_MEMORY;
    }
    doom_covered(log->durable.closed, fresh);
    set_closed(log, &log->head, head);
    set_closed(log, &log->durable, durable);
    return ERR_OK;
}
