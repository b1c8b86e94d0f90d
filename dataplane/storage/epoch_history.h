/* SPDX-License-Identifier: Apache-2.0 */
/* Which leader epoch begins at which offset: an immutable, counted list, shared with snapshots. The
 * count belongs to the owner's loop. */
#ifndef DATAPLANE_STORAGE_EPOCH_HISTORY_H
#define DATAPLANE_STORAGE_EPOCH_HISTORY_H

#include "common/base/error.h"
#include "dataplane/storage/replica.h"

struct epoch_entry {
    leader_epoch epoch;
    log_offset start;
};

struct epoch_history {
    int refs;
    int count;
    struct epoch_entry entries[]; /* both ascending */
};

/* entries may be NULL when count is 0. NULL = no memory. */
struct epoch_history *epoch_history_new(const struct epoch_entry *entries, int count) WARN_UNUSED;
/* A new list: what begins at `start` or later goes, the new entry comes last. NULL = no memory. */
struct epoch_history *epoch_history_with(const struct epoch_history *history, leader_epoch epoch,
                                         log_offset start) WARN_UNUSED;
struct epoch_history *epoch_history_ref(struct epoch_history *history);
void epoch_history_unref(struct epoch_history *history);

/* -1 = none known. */
leader_epoch epoch_history_latest(const struct epoch_history *history);
leader_epoch epoch_history_at(const struct epoch_history *history, log_offset offset);
/* How many of the oldest entries end at log_start or below: nothing is left of them. */
int epoch_entries_below(const struct epoch_entry *entries, int count, log_offset log_start);
/* OffsetForLeaderEpoch: the largest known epoch up to `epoch` and where it ends; -1 and -1 when epoch is
 * newer than all. An epoch older than all is answered as in Apache Kafka: it ended where the oldest that is
 * known begins, or the log. */
void epoch_history_end(const struct epoch_history *history, leader_epoch epoch,
                       log_offset log_start, log_offset log_end, leader_epoch *ret_epoch,
                       log_offset *ret_end);

#endif
