/* SPDX-License-Identifier: Apache-2.0 */
/* One loop's share of a data directory: its replicas, what of them is dirty, the flush round under way,
 * the tail in memory, appends that wait for room, and what is to be freed later.
 *
 *   dirty ──(kick, at the end of the turn)──▶ round on a FLUSH worker ──▶ done ──▶ next round
 *
 * Each loop has one round under way at most; rounds of several loops run side by side. Everything
 * here is touched on the loop only, but for `store`. */
#ifndef DATAPLANE_STORAGE_SHARD_H
#define DATAPLANE_STORAGE_SHARD_H

#include "common/observe/histogram.h"
#include "dataplane/storage/checkpoint.h"
#include "dataplane/storage/cleaner/cleaner.h"
#include "dataplane/storage/log_tail.h"
#include "dataplane/storage/published.h"
#include "dataplane/storage/removals.h"
#include "dataplane/storage/retention_clock.h"
#include "dataplane/storage/storage_metrics.h"
#include "dataplane/storage/wal_ahead.h"

struct shard {
    struct log_store *store; /* shared by all; see flush_round.h */
    struct log_directory *directory;
    struct loop *loop;
    struct list replicas;
    struct list dirty;
    struct flush_round round;
    struct work round_work;
    bool is_round_running;
    struct wal_ahead wal_ahead;
    int64_t round_began_us;
    struct histogram rounds; /* from submit to done, as this loop saw them */
    struct storage_metrics metrics;
    struct mail kick;
    bool is_kicked;
    struct replica_append *deferred; /* no room for them yet; in order of arrival */
    struct replica_append **deferred_end;
    int64_t pending_bytes; /* appended and not durable */
    int64_t pending_bytes_max;
    int64_t late_bytes; /* durable, and not in the segments' files */
    int64_t late_bytes_max;
    int64_t late_bytes_enough; /* of one log: they are written */
    int64_t full_until_us;     /* the disk was full: appends are refused until then */
    struct tail_budget tail;
    struct reclaim reclaim;
    struct checkpoint_queue checkpoints[WAL_STREAMS];
    int late_writes;     /* under way */
    struct list leaving; /* segments whose files are being closed or removed */
    struct removals removals;
    struct removal shrinking; /* of the store's spares; loop 0 */
    bool is_shrinking;
    int works; /* of those, of whole partitions, of a checkpoint, the cleaner's, of wal_ahead: under way off the loop */
    struct timer retention;
    struct retention_clock retention_clock; /* since the timer runs */
    struct cleaner cleaner;
    bool is_closing;     /* appends are refused */
    bool is_end_unknown; /* the last round failed: there may be no clean mark */
    bool is_last_round;  /* the round under way, or the next, is the last of all */
    bool is_dead;        /* no loop runs any more: nothing may be submitted */
    void (*on_closed)(struct shard *shard);
    struct mail close_mail;
};

void shard_init(struct shard *shard, struct log_directory *directory, struct log_store *store,
                struct loop *loop, int64_t tail_bytes, const struct cleaner_limits *cleaner_limits,
                int64_t removal_piece_bytes);
/* When no loop runs any more. */
void shard_done(struct shard *shard);
/* Any loop: flushes everything, marks each log's end; on_closed is called on the shard's loop. */
void shard_close(struct shard *shard, void (*on_closed)(struct shard *shard));

struct replica;

/* For what is appended: it is bounded what waits to be durable, and what waits to be written after that. */
bool shard_has_room(const struct shard *shard);
/* When there is much that is late, the oldest of it is written. */
void shard_bound_late(struct shard *shard);
/* A late write ended; appends may have waited for it. */
void shard_late_write_ended(struct shard *shard, enum err err);

/* A replica lives here from now on. */
void shard_adopt(struct shard *shard, struct replica *replica);
/* Something is done for the shard off its loop: closing waits for it. */
void shard_work_began(struct shard *shard);
void shard_work_ended(struct shard *shard);
/* The time that decides what goes: retention, producers, tombstones (retention_clock.h). */
int64_t shard_judged_ms(struct shard *shard);
/* Something of the replica is to be written: a round begins at the end of this turn. */
void shard_kick(struct shard *shard);
/* A reference to a segment goes; with the last one its file is closed, and removed when it is doomed. */
void shard_segment_unref(struct shard *shard, struct segment *segment);
void shard_segment_list_unref(struct shard *shard, struct segment_list *list);

#endif
