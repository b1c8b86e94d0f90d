/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of one loop's logs: segments that only a write-ahead log vouches for are synced, a few at a time, so
 * that its files can be used again and a start after a crash has little to replay. What is late of one is written
 * before that. Each write-ahead log has a queue of its own, and a log is in one of them.
 *
 *   round done ──note──▶ unsynced, by LSN ──tick──▶ away: a SLOW worker syncs ──▶ flushed points ──▶ next round
 *
 * Each is synced within about 20 s; sooner when the write-ahead log is half full. The loop only. */
#ifndef DATAPLANE_STORAGE_CHECKPOINT_H
#define DATAPLANE_STORAGE_CHECKPOINT_H

#include "dataplane/storage/flush_round.h"

struct replica;
struct shard;

/* One log's part; embedded in its replica. */
struct checkpoint_entry {
    enum wal_stream stream; /* whose queue it is in */
    struct list unsynced;
    struct list away;  /* in the checkpoint under way */
    int64_t first_lsn; /* the oldest entry of the write-ahead log that it needs */
    int64_t since_us;  /* how long */
    int64_t later_lsn; /* the oldest since it went away; -1 = none */
    /* what the worker needs */
    struct log_identity id;
    struct segment_view end; /* holds a reference; segment NULL = there is nothing to sync */
    bool has_unsynced_dirs;
    bool has_unsynced_name;
    enum err err;
    struct flushed_point point; /* until the round that records it is done */
};

struct checkpoint_queue {
    struct shard *shard;
    enum wal_stream stream;
    struct list unsynced; /* by first_lsn */
    int count;
    int64_t newest_lsn;
    struct list away;
    bool is_running;
    struct work work;
    struct timer tick;
    struct list points; /* for the next round */
};

void checkpoint_queue_init(struct checkpoint_queue *queue, struct shard *shard,
                           enum wal_stream stream);
void checkpoint_entry_init(struct checkpoint_entry *entry);

/* A round ended well: the log has an entry `lsn` in this write-ahead log now, and needs none of the other. */
void checkpoint_note(struct replica *replica, enum wal_stream stream, int64_t lsn);
/* About so many bytes that are late shall be written: the oldest. */
void checkpoint_want_late(struct shard *shard, int64_t bytes);
/* What is late of a log was written: it can be synced. */
void checkpoint_late_written(struct shard *shard);
/* The replica goes. */
void checkpoint_forget(struct replica *replica);
/* What a round must know; the points are the round's until they are released. */
int64_t checkpoint_needed_lsn(const struct checkpoint_queue *queue);
void checkpoint_release_points(struct list *points);
/* No more of them; the one under way ends. */
void checkpoint_stop(struct shard *shard);

#endif
