/* SPDX-License-Identifier: Apache-2.0 */
/* A flush round: what was dirty on one loop, written and made durable by the FLUSH worker.
 *
 *   1 write     each item's bytes, with as few calls as they have pieces
 *   2 sync      each file that got bytes, then the directories that got names
 *   3 snapshot  index files and producer snapshots of segments that were closed
 *   4 record    the catalogue's entries, synced when somebody waits for one of them
 *
 * An item ends with ERR_OK, with ERR_NO_SPACE (its files are as they were before), or with anything else:
 * then the directory has failed for good, because after a failed write or sync nobody knows what is on
 * the disk. */
#ifndef DATAPLANE_STORAGE_FLUSH_ROUND_H
#define DATAPLANE_STORAGE_FLUSH_ROUND_H

#include "dataplane/storage/catalogue.h"
#include "dataplane/storage/log_tail.h"
#include "dataplane/storage/published.h"
#include "dataplane/storage/segment.h"

/* Wrong on purpose, so that tests can show that they would see it. */
enum storage_sabotage {
    SABOTAGE_NONE = 0,
    SABOTAGE_SKIP_SYNC = 1,      /* says durable what was only written */
    SABOTAGE_ACK_EARLY = 2,      /* answers when the batch is in memory */
    SABOTAGE_TRUST_TAIL = 4,     /* recovery believes what parses, CRCs unseen */
    SABOTAGE_CLEAN_NEWEST = 8,   /* compaction drops the newest record of a key */
    SABOTAGE_CLEAN_UNSYNCED = 16 /* compaction exchanges segments that were only written */
};

/* What the FLUSH worker needs of a data directory. */
struct log_store {
    struct disk *disk;
    struct segment_files files;
    struct catalogue *catalogue;
    struct shared_flag failed;
    unsigned sabotage;
};

/* Bytes of one chunk that belong at one place of one segment. */
struct write_run {
    struct write_run *next;
    struct segment *segment;
    int64_t position;
    struct tail_chunk *chunk;
    size_t from;
    size_t to;
};

struct producers_snapshot {
    log_offset offset;
    int32_t count;
    struct buffer bytes;
};

/* One log's part of a round. The loop fills it, the worker reads it and sets err, the loop empties it. */
struct flush_item {
    struct list link; /* in the round */
    struct log_identity id;
    bool is_new;        /* directory and catalogue entry are to be made */
    bool must_sync;     /* FLUSH_COMMIT: its bytes are durable afterwards */
    bool must_sync_end; /* bytes of earlier rounds (FLUSH_OS) in the newest segment, too */
    struct write_run *runs;
    struct segment_view end; /* the newest segment, as it is after this item; may be none */
    const struct segment_view *closed; /* segments closed by this item */
    int closed_count;
    const struct epoch_entry *epochs; /* not in the catalogue yet */
    int epoch_count;
    log_offset log_start;                 /* -1 = does not change */
    struct producers_snapshot *producers; /* NULL = none */
    bool wants_checkpoint;
    /* the worker's */
    log_offset old_producers; /* the snapshot that goes when the new one is recorded; -1 = none */
    enum err err;
};

/* Blocking; the FLUSH worker only. */
void flush_round_run(struct log_store *store, struct list *items);

/* The FLUSH worker: forgets a log in the catalogue, durably. */
enum err flush_remove_log(struct log_store *store, const struct log_identity *id) WARN_UNUSED;

/* The FLUSH worker: durably puts the segment, which is durable under its name, in the place of those that it
 * covers. ERR_GONE: they do not make up its stretch any more. ERR_NO_SPACE: not said yet; ask again, and let
 * both be until it is. After any other error it may be said or not: both stay. */
enum err flush_exchange_segments(struct log_store *store, const struct log_identity *id,
                                 const struct segment_fact *segment) WARN_UNUSED;
/* The FLUSH worker: how far the log's keys are known; durable with what comes next. */
enum err flush_note_cleaned(struct log_store *store, const struct log_identity *id,
                            log_offset cleaned_end) WARN_UNUSED;

#endif
