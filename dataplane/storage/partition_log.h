/* SPDX-License-Identifier: Apache-2.0 */
/* The log of one partition, as its owner's loop sees it: offsets, segments by number, the tail in memory,
 * producers, epochs. It does no I/O and knows no file: what must be written it hands over as a flush
 * item, and it is told how that ended.
 *
 *             append ──▶ head ──take──▶ item (one at a time) ──flushed──▶ durable
 *                          ▲                    │
 *                          └──────revert────────┘   head is durable again, producers and tail too
 *
 * head is the log with everything appended, durable the log as of the last round that ended well; what
 * others may see is made of durable.
 *
 * Of durable, the end of the newest segment may be late: in the write-ahead log and in the tail, not yet in the
 * segment's file. It is written when it has become much, or when somebody needs it there: a roll, a large item, a
 * checkpoint, the end. */
#ifndef DATAPLANE_STORAGE_PARTITION_LOG_H
#define DATAPLANE_STORAGE_PARTITION_LOG_H

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/log_view.h"
#include "dataplane/storage/producer_state.h"

/* A consistent end of a log. Holds references. */
struct log_position {
    struct segment_list *closed;
    struct segment_view active;
    log_offset end;
    struct tail_chunk *chunk; /* the last one, or NULL */
    size_t chunk_used;
};

/* What one append of an idempotent producer changed. */
struct append_undo {
    struct append_undo *older;
    log_offset base_offset;
    struct producer_undo producer;
};

/* How far a segment is in its file; holds a reference. */
struct written_end {
    struct segment *segment; /* NULL = none */
    log_offset end_offset;
    int64_t size_bytes;
    int64_t max_timestamp;
};

struct partition_log {
    struct log_identity id;
    int32_t last_generation; /* given to a segment; each only once in a life */
    struct shard *shard;
    log_offset log_start;
    log_offset cleaned_end; /* what the cleaner knows ends here */
    struct log_position head;
    struct log_position durable;
    struct log_position taken; /* where the item under way ends, if is_taken */
    struct log_tail tail;
    struct producer_state producers;
    struct epoch_history *epochs;
    struct epoch_history *taken_epochs; /* as the item under way knows them */
    int epochs_saved;                   /* how many of them the catalogue has */
    bool is_taken;
    struct run_list pending; /* appended, in no item yet */
    struct run_list late;    /* the write-ahead log vouches for it; to be written to the segment */
    struct written_end written;   /* of the newest segment */
    int64_t late_lsn;             /* the oldest entry with bytes beyond it; -1 = none */
    struct late_write *late_away; /* under way; NULL = none */
    struct append_undo *undos;    /* newest first */
    struct producers_snapshot *producers_snapshot; /* taken at the last roll, to be written */
    int64_t bytes_since_checkpoint;
    int64_t bytes_since_producers; /* since the last snapshot of them */
    bool is_on_disk;               /* its directory and its entry in the catalogue exist */
    bool is_dir_doubtful;          /* the catalogue knows it, but its directory may not be there */
    bool may_be_on_disk;           /* they may, though the item that made them failed */
    bool has_unsynced_bytes;       /* taken under FLUSH_OS: a power cut may take them */
    bool has_logged_bytes;         /* only a write-ahead log vouches for them: */
    enum wal_stream stream;        /* this one */
    bool has_unsynced_dirs;        /* see struct flush_item */
    bool has_unsynced_name;
    bool is_changed; /* a clean end must write where the log ends */
};

/* What recovery found; everything is moved into the log. */
struct recovered_log {
    struct log_identity id;
    log_offset log_start;
    log_offset cleaned_end;
    struct segment_list *closed;
    struct segment_view active;
    log_offset end;
    struct epoch_history *epochs;
    int epochs_saved;
    struct producer_state producers;
    bool is_on_disk;
    bool is_dir_doubtful; /* it has no files: its directory may not be there, or not durably */
    bool is_changed;      /* the catalogue does not say all of this yet */
};

void partition_log_init(struct partition_log *log, struct shard *shard,
                        struct recovered_log *found);
void partition_log_done(struct partition_log *log);
/* Undoes init, when nothing happened since. */
void partition_log_give_back(struct partition_log *log, struct recovered_log *found);

/* An empty log. ERR_NO_MEMORY. */
enum err recovered_log_init(struct recovered_log *found, const struct log_identity *id,
                            struct hash_seed seed) WARN_UNUSED;
/* What the settings say of segments that were found. Before anybody reads them. */
void recovered_log_configure(struct recovered_log *found, const struct log_config *config);
/* What was not moved into a log. Blocking. */
void recovered_log_done(struct recovered_log *found, struct segment_files *files);

/* Assigns offsets, writes them and the epoch into `bytes`, copies these into the tail, remembers the
 * producer. batch gets its base offset. ERR_NO_MEMORY: nothing changed. */
enum err partition_log_append(struct partition_log *log, const struct log_config *config,
                              uint8_t *bytes, struct record_batch *batch, leader_epoch epoch,
                              int64_t now_ms) WARN_UNUSED;
/* An epoch begins at the end of the log. */
enum err partition_log_begin_epoch(struct partition_log *log, leader_epoch epoch) WARN_UNUSED;

/* What is known of producers goes with the next item. Needed when the log start moves: afterwards the
 * batches that say it are gone. False = no memory. */
bool partition_log_snapshot_producers(struct partition_log *log);
/* Moves what is pending into the item. log_start -1 = does not change. */
void partition_log_take(struct partition_log *log, struct flush_item *item, log_offset log_start,
                        enum flush_policy flush, bool is_last);
/* Inverse of take, for an item that must wait. */
void partition_log_untake(struct partition_log *log, struct flush_item *item);
/* There is something to be taken. */
bool partition_log_is_dirty(const struct partition_log *log);
/* An item of what is pending now can go through the write-ahead log: the only kind that may be taken while a late
 * write is under way. */
bool partition_log_is_loggable(const struct partition_log *log, log_offset log_start,
                               enum flush_policy flush, bool is_last);

/* --- log_late.c --- */

/* The view may be the one that is there. */
void partition_log_set_written(struct partition_log *log, const struct segment_view *view);
/* The newest segment as far as its file has it. */
struct segment_view partition_log_written_view(const struct partition_log *log);
/* Of the newest segment, what its file has; and the offset that comes after what is in files. */
int64_t partition_log_written_bytes(const struct partition_log *log);
log_offset partition_log_written_end(const struct partition_log *log);
/* An item ended well. If it was written it took along what was late; what was only logged is late now. */
void partition_log_note_late(struct partition_log *log, struct flush_item *item);
/* The newest segment goes with all that is in it, or the log does. */
void partition_log_drop_late(struct partition_log *log);
/* Moves what is late into `write`, which is log->late_away until it ends. */
void partition_log_take_late(struct partition_log *log, struct late_write *write);
/* It ended well, and what it was given is in the file; or nothing is known of it, and it is late as before. */
void partition_log_late_ended(struct partition_log *log, bool is_written);

/* A checkpoint has synced the newest segment up to `end`, and the names. */
void partition_log_checkpointed(struct partition_log *log, const struct segment_view *end);
void partition_log_flushed(struct partition_log *log, struct flush_item *item);
void partition_log_revert(struct partition_log *log, struct flush_item *item);

/* The log begins here now; durable is told already. Segments below go when nobody reads them. */
void partition_log_set_start(struct partition_log *log, log_offset log_start);
/* Where retention lets the log begin, at most at high_watermark; -1 = no change. */
log_offset partition_log_retention(const struct partition_log *log, const struct log_config *config,
                                   log_offset high_watermark, int64_t now_ms);

/* What the cleaner would find. */
struct log_dirt {
    int count;              /* of closed segments, from the oldest on, that may be cleaned */
    log_offset first_dirty; /* keys from here on are not known to the cleaner */
    int64_t clean_bytes;
    int64_t dirty_bytes;
    bool is_due;
};

void partition_log_survey(const struct partition_log *log, const struct log_config *config,
                          log_offset high_watermark, int64_t now_ms, struct log_dirt *ret_dirt);
/* log_roll.c: when the newest segment ends, and what of it that depends on. */
bool segment_must_roll(const struct segment_view *active, const struct log_config *config,
                       const struct record_batch *batch, int64_t now_ms);
int64_t segment_age_max_ms(const struct segment *segment, const struct log_config *config);
/* The batch is appended to it. */
void segment_view_add(struct segment_view *active, const struct record_batch *batch);
/* The newest segment is closed; the next append begins another. ERR_NO_MEMORY. */
enum err partition_log_roll(struct partition_log *log) WARN_UNUSED;
/* True = it was closed for its age: an item is to be taken. A log that is being written to is left to its
 * appends. */
bool partition_log_roll_if_old(struct partition_log *log, const struct log_config *config,
                               int64_t now_ms);
/* fresh takes the place of the closed segments that it covers, as the catalogue says already; they go when
 * nobody reads them. No item may be under way. ERR_NO_MEMORY: nothing changed. */
enum err partition_log_exchange(struct partition_log *log,
                                const struct segment_view *fresh) WARN_UNUSED;

/* A view of durable. spares are the loop's that calls, and frees the view, or NULL. NULL = no memory. */
struct log_view *partition_log_view(struct partition_log *log, struct shared_config *config,
                                    log_offset high_watermark, leader_epoch epoch,
                                    struct spare_pool *spares) WARN_UNUSED;
void log_view_free(struct log_view *view);

#endif
