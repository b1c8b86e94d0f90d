/* SPDX-License-Identifier: Apache-2.0 */
/* A flush round: what was dirty on one loop, written and made durable by the FLUSH worker.
 *
 *   1 choose    small items go through the write-ahead log when it has room, the others are synced themselves
 *   2 write     the others' bytes into their segments, after what was left for later of them; large ones several at
 *               once, each synced by who wrote it
 *   3 sync      the files that are not yet, then the directories that got names
 *   4 snapshot  index files and producer snapshots of segments that were closed
 *   5 record    the catalogue's entries: first what somebody waits for, synced; then what is only known
 *   6 log       small items and notes into the write-ahead logs; one sync
 *
 * Rounds of several loops run side by side: 1 and 5 hold the store's lock, the rest is done without it. While one runs,
 * reads that have to go to the disk give way (disk.h, hurry_begin).
 *
 * An item ends with ERR_OK, with ERR_NO_SPACE (its files are as they were before), or with anything else:
 * then the directory has failed for good, because after a failed write or sync nobody knows what is on
 * the disk. */
#ifndef DATAPLANE_STORAGE_FLUSH_ROUND_H
#define DATAPLANE_STORAGE_FLUSH_ROUND_H

#include "dataplane/storage/catalogue.h"
#include "dataplane/storage/published.h"
#include "dataplane/storage/spares/segment_spares.h"
#include "dataplane/storage/wal/wal_growth.h"
#include "dataplane/storage/write_run.h"

#include <pthread.h>
#include <stdatomic.h>

/* Wrong on purpose, so that tests can show that they would see it. */
enum storage_sabotage {
    SABOTAGE_NONE = 0,
    SABOTAGE_SKIP_SYNC = 1,  /* says durable what was only written */
    SABOTAGE_ACK_EARLY = 2,  /* answers when the batch is in memory */
    SABOTAGE_TRUST_TAIL = 4, /* recovery believes what parses, CRCs unseen */
    SABOTAGE_LOG_REFUSED =
        8, /* what was refused for lack of room is in the write-ahead log all the same */
    SABOTAGE_REUSE_STALE =
        16, /* what a file of the write-ahead log held before is taken for its entries */
    SABOTAGE_SHORT_WRITE = 32,     /* a write that ended early counts as done */
    SABOTAGE_CLEAN_NEWEST = 64,    /* compaction drops the newest record of a key */
    SABOTAGE_CLEAN_UNSYNCED = 128, /* compaction exchanges segments that were only written */
    SABOTAGE_TRUST_INDEX = 256,    /* a reader serves what lies where the index says, unseen */
    SABOTAGE_SPARE_UNSYNCED = 512  /* a spare's file is used before it is durable that it is none */
};

/* What the FLUSH workers need of a data directory. */
struct log_store {
    struct disk *disk;
    struct segment_files files;
    struct segment_spares spares;
    pthread_mutex_t lock; /* of the FLUSH workers: who uses the next two holds it */
    struct catalogue *catalogue;
    struct write_ahead_log wals[WAL_STREAMS]; /* but what is placed there is written without it */
    int64_t small_bytes_max; /* of an item: up to here it goes through the write-ahead log */
    atomic_llong late_bytes; /* of all logs: what only the write-ahead logs have on the disk */
    struct shared_flag failed;
    unsigned sabotage;
};

struct producers_snapshot {
    log_offset offset;
    log_offset segment; /* which begins there or before */
    int64_t position;   /* of `offset` in it */
    int32_t count;
    struct buffer bytes;
};

/* One log's part of a round. The loop fills it, the worker reads it and sets err, the loop empties it. */
struct flush_item {
    struct list link; /* in the round */
    struct log_identity id;
    bool is_new;            /* directory and catalogue entry are to be made */
    bool must_make_dir;     /* the directory is; it may be there */
    bool must_sync;         /* FLUSH_COMMIT: its bytes are durable afterwards */
    bool must_sync_end;     /* bytes of earlier rounds in the newest segment, too */
    bool may_be_logged;     /* the write-ahead log may vouch for it */
    bool is_late_away;      /* a late write is under way: it must be logged, or wait */
    bool has_unsynced_dirs; /* of the topic and the log: their names may not be durable */
    bool has_unsynced_name; /* of the newest segment, likewise */
    bool wants_checkpoint;
    struct run_list
        late; /* of rounds before, written if the item is: only the write-ahead log has them on the disk */
    struct run_list runs;
    struct segment_view end; /* the newest segment, as it is after this item; may be none */
    const struct segment_view *closed; /* segments closed by this item */
    const struct epoch_entry *epochs;  /* not in the catalogue yet */
    int closed_count;
    int epoch_count;
    log_offset log_start;                 /* -1 = does not change */
    struct producers_snapshot *producers; /* NULL = none */
    /* the worker's */
    bool is_logged;     /* its bytes are safe in the write-ahead log; the segment gets them later */
    bool must_wait;     /* it cannot be logged, and a late write is under way: nothing was done */
    bool is_synced;     /* its segments are; names may not be */
    bool has_producers; /* the snapshot is on the disk */
    bool is_start_refused; /* no room to say it durably: the bytes stay, the log start is owed */
    enum err err;
    struct producers_fact producers_before;
    int64_t lsn;              /* its entries are there or later; -1 = it has none */
    log_offset old_producers; /* the snapshot that goes when the new one is recorded; -1 = none */
};

/* What is late of a log, for a worker that writes it to the newest segment while rounds go on. */
struct late_write {
    struct run_list runs;
    struct segment_view end; /* of the segment, where they end; holds a reference */
    int64_t later_lsn;       /* the loop's: the oldest entry since it was taken; -1 = none */
};

/* How far the segment of a log was synced by a checkpoint; to be recorded. */
struct flushed_point {
    struct list link;
    struct log_identity id;
    struct segment_fact flushed;
};

struct flush_round {
    struct list items;
    struct list flushed_points;
    int shard;
    /* The oldest entries that segments of the shard need, but for this round's; INT64_MAX = none. */
    int64_t needed_lsns[WAL_STREAMS];
    struct wal_stretch
        *stretches[WAL_STREAMS]; /* the worker's: its part of each write-ahead log; NULL = none */
    struct wal_growth growths[WAL_STREAMS]; /* out: what of them is worth growing now */
    int64_t wal_bytes;                      /* out: written to the write-ahead logs */
};

/* Blocking; a FLUSH worker only. Takes the lock. */
void flush_round_run(struct log_store *store, struct flush_round *round);

/* flush_write.c: step 2. What appends may use of the disk now. */
int64_t flush_room_bytes(struct log_store *store);
/* Makes what directories it needs; writes what was left for later and what is new, unless the item is logged. */
enum err flush_write_item(struct log_store *store, const struct flush_item *item);
/* Takes a half-written item back: the files are as they were before it. What was left for later still is. */
enum err flush_undo_item(struct log_store *store, const struct flush_item *item);
void flush_index_item(struct log_store *store, const struct flush_item *item);
/* A late write. Any worker. */
enum err flush_write_late(struct log_store *store, const struct late_write *write);

/* flush_log.c: steps 1 and 6. After 1 nothing that the round needs of the write-ahead log is short of room. Between
 * placing and logging the lock may be let go. */
void flush_choose_ways(struct log_store *store, struct flush_round *round);
void flush_place_items(struct log_store *store, struct flush_round *round);
void flush_log_items(struct log_store *store, struct flush_round *round);

/* Its bytes go into the segment now. */
static inline bool flush_item_is_direct(const struct flush_item *item)
{
    return !item->is_logged &&
           (item->runs.first != NULL || item->closed_count > 0 || item->must_sync_end);
}

/* Which write-ahead log it goes through, or is noted in. */
static inline enum wal_stream flush_item_stream(const struct flush_item *item)
{
    return item->must_sync ? WAL_SYNCED : WAL_WRITTEN;
}

static inline bool log_store_is_sabotaged(const struct log_store *store, enum storage_sabotage how)
{
    return (store->sabotage & (unsigned)how) != 0;
}

static inline struct flush_item *flush_item_of(struct list *node)
{
    return container_of(node, struct flush_item, link);
}

/* Any worker: the directory is done for; says so once. */
void log_store_fail(struct log_store *store, const char *step, enum err err);

static inline void log_store_lock(struct log_store *store)
{
    pthread_mutex_lock(&store->lock);
}

static inline void log_store_unlock(struct log_store *store)
{
    pthread_mutex_unlock(&store->lock);
}

/* A FLUSH worker: forgets a log in the catalogue, durably. Takes the lock. */
enum err flush_remove_log(struct log_store *store, const struct log_identity *id) WARN_UNUSED;

#endif
