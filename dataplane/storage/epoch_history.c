/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/epoch_history.h"

#include <stdlib.h>
#include <string.h>

static struct epoch_history *allocate(int count)
{
    struct epoch_history *history =
        malloc(sizeof(*history) + (size_t)count * sizeof(history->entries[0]));

    if (history == NULL)
        return NULL;
    history->refs = 1;
    history->count = count;
    return history;
}

struct epoch_history *epoch_history_new(const struct epoch_entry *entries, int count)
{
    struct epoch_history *history = allocate(count);

    if (history != NULL && count > 0)
        memcpy(history->entries, entries, (size_t)count * sizeof(entries[0]));
    return history;
}

struct epoch_history *epoch_history_with(const struct epoch_history *history, leader_epoch epoch,
                                         log_offset start)
{
    struct epoch_history *longer = NULL;
    int kept = history->count;

    while (kept > 0 && history->entries[kept - 1].start >= start)
        kept--;
    longer = allocate(kept + 1);
    if (longer == NULL)
        return NULL;
    memcpy(longer->entries, history->entries, (size_t)kept * sizeof(longer->entries[0]));
    longer->entries[kept] = (struct epoch_entry){epoch, start};
    return longer;
}

struct epoch_history *epoch_history_ref(struct epoch_history *history)
{
    history->refs++;
    return history;
}

void epoch_history_unref(struct epoch_history *history)
{
    if (history != NULL && --history->refs == 0)
        free(history);
}

leader_epoch epoch_history_latest(const struct epoch_history *history)
{
    return history->count == 0 ? -1 : history->entries[history->count - 1].epoch;
}

leader_epoch epoch_history_at(const struct epoch_history *history, log_offset offset)
{
    leader_epoch epoch = -1;

    for (int i = history->count - 1; i >= 0 && epoch < 0; i--) {
        if (history->entries[i].start <= offset)
            epoch = history->entries[i].epoch;
    }
    return epoch;
}

int epoch_entries_below(const struct epoch_entry *entries, int count, log_offset log_start)
{
    int below = 0;

    while (below + 1 < count && entries[below + 1].start <= log_start)
        below++;
    return below;
}

void epoch_history_end(const struct epoch_history *history, leader_epoch epoch,
                       log_offset log_start, log_offset log_end, leader_epoch *ret_epoch,
                       log_offset *ret_end)
{
    *ret_epoch = -1;
    *ret_end = -1;
    if (epoch > epoch_history_latest(history))
        return;
    for (int i = history->count - 1; i >= 0; i--) {
        if (history->entries[i].epoch > epoch)
            continue;
        *ret_epoch = history->entries[i].epoch;
        *ret_end = i + 1 < history->count ? history->entries[i + 1].start : log_end;
        return;
    }
    if (epoch < 0 || history->count == 0)
        return;
    *ret_epoch = epoch;
    *ret_end = history->entries[0].start > log_start ? history->entries[0].start : log_start;
}
