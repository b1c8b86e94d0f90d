/* SPDX-License-Identifier: Apache-2.0 */
/* The write-ahead logs of a data directory: small appends of all its logs, one sync for all that wait for one.
 *
 *   <data>/wal/<number>      files of a fixed size at most; each holds a stretch of the stream
 *   <data>/wal-os/<number>   likewise, of what is acknowledged when it is in the page cache: nothing is synced
 *
 *   reserve ──▶ place ──▶ add data, notes ──▶ write ──▶ synced        one flush round: a stretch (wal_stretch.h)
 *      └ another file when this one is full: one that nobody needs any more, else a new one
 *
 * Whole blocks are written, and no block twice: so large writes can go past the page cache, none has to read what it
 * writes a part of, and what was acknowledged is not written over. Of the one that is never synced the pages stay in
 * memory and are used again with the file; under load before the system has brought them to the device, for a copy.
 * Files grow by zeros, ahead of what is written (wal_growth.h), and are used again: an entry overwrites blocks that
 * exist, so its sync commits nothing to the file system's journal. Who needs what: each shard says which LSN is
 * the oldest whose segment is not synced.
 *
 * One thread at a time (the FLUSH worker that holds the store's lock; at start, the thread that opens the directory),
 * but for what several rounds have under way at once: that is under the log's own lock. */
#ifndef DATAPLANE_STORAGE_WAL_WRITE_AHEAD_LOG_H
#define DATAPLANE_STORAGE_WAL_WRITE_AHEAD_LOG_H

#include <pthread.h>

#include "common/base/list.h"
#include "dataplane/storage/wal/wal_entry.h"

#define WAL_FILES_MAX 8
#define WAL_FILE_BYTES ((int64_t)64 << 20)
#define WAL_BLOCK_BYTES ((int64_t)4096)
/* At once: more than rounds run side by side, and one where a file ends. */
#define WAL_STRETCHES_MAX 8

struct wal_file {
    struct file *file;
    int number;
    int64_t first_lsn; /* -1 = holds nothing */
    /* under the lock: */
    int64_t allocated_bytes;
    bool is_growing;  /* somebody writes zeros behind them */
    bool is_unsynced; /* written since its last sync began */
};

/* A part of the stream that is written at once: whole blocks of one file. Its round's own. */
struct wal_stretch {
    struct list link; /* of those under way, in the stream's order; or of the spare ones */
    struct wal_file *file;
    int64_t reserved_bytes; /* until it has its place */
    int64_t begin_lsn;
    int64_t end_lsn;
    int64_t synced_below; /* what its entries say */
    struct buffer staged; /* in memory that begins a block, too */
};

struct write_ahead_log {
    struct disk *disk;
    struct uuid directory_id;
    enum wal_stream stream;
    int64_t file_bytes;
    int64_t block_bytes;
    bool is_unseeded; /* sabotage: entries of any LSN look right */
    struct wal_file files[WAL_FILES_MAX];
    int file_count;
    struct wal_file *current; /* NULL = none yet */
    int64_t begin_lsn;        /* of this life */
    int64_t reserved_bytes;   /* of all stretches that have no place yet */
    int64_t *needed;          /* by shard; INT64_MAX = nothing */
    int shard_count;
    struct wal_stretch stretches[WAL_STRETCHES_MAX];
    struct list spares; /* of them */
    pthread_mutex_t lock;
    pthread_cond_t moved; /* something was written, or synced, or has grown, or has failed */
    /* under it: */
    int64_t head_lsn;      /* where the next stretch goes */
    int64_t synced_lsn;    /* all below is on the disk for sure */
    struct list unwritten; /* stretches that have a place, in the stream's order */
    bool is_syncing;
    bool is_failed;
};

struct wal_options {
    struct disk *disk;
    struct uuid directory_id;
    enum wal_stream stream;
    int64_t file_bytes;  /* WAL_FILE_BYTES; tests take less */
    int64_t block_bytes; /* WAL_BLOCK_BYTES; likewise, but 64 at least */
    int shard_count;
    bool is_unseeded;
};

/* Opens what files there are; nothing is read of them but their headers. ERR_IO, ERR_NO_MEMORY,
 * ERR_UNSUPPORTED. Call done after either. */
enum err wal_open(struct write_ahead_log *wal, const struct wal_options *options) WARN_UNUSED;
/* When nothing is under way. */
void wal_done(struct write_ahead_log *wal);

/* The stream goes on here, at *ret_lsn, above every one that was ever used; what the files hold is
 * of no use any more. The caller makes the LSN the floor (catalogue_set_wal_floor), durably, before anything
 * else; then files beyond the first few may go. */
enum err wal_begin(struct write_ahead_log *wal, int64_t floor_lsn, int64_t *ret_lsn) WARN_UNUSED;
void wal_trim(struct write_ahead_log *wal);

/* For these bytes a file will have to be used again: the new floor, which the caller makes known, durably, and
 * then forgets what is below. -1 = no need. */
int64_t wal_wanted_floor(struct write_ahead_log *wal, int64_t bytes);
void wal_forget_below(struct write_ahead_log *wal, int64_t floor_lsn);
/* Room for `bytes` of entries, frames included, on the disk, in one file. The stretch is then placed or given up.
 * ERR_NO_SPACE: none, ERR_NO_MEMORY; nothing has changed. Other errors: the directory has failed. */
enum err wal_reserve(struct write_ahead_log *wal, int64_t bytes,
                     struct wal_stretch **ret_stretch) WARN_UNUSED;
void wal_give_up(struct write_ahead_log *wal, struct wal_stretch *stretch);
/* Where its entries go: `bytes` of them, exactly, no more than were reserved. What is placed must be ended
 * (wal_stretch.h), or all that come after it wait. */
void wal_place(struct write_ahead_log *wal, struct wal_stretch *stretch, int64_t bytes);

/* What a shard needs from now on. */
void wal_set_needed(struct write_ahead_log *wal, int shard, int64_t lsn);

#endif
