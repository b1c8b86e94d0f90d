/* SPDX-License-Identifier: Apache-2.0 */
/* The write-ahead log of a data directory: small appends of all its logs, one sync for all of them.
 *
 *   <data>/wal/<number>   files of a fixed size at most; each holds a stretch of the stream
 *
 *   reserve ──▶ add data, notes ──▶ write ──▶ sync        one flush round
 *      └ another file when this one is full: one that nobody needs any more, else a new one
 *
 * Whole blocks are written, the last one of before once more: so large writes can go past the page cache, and none
 * has to read what it writes a part of.
 * Files grow by steps of zeros, ahead of what is written, and are used again: an entry overwrites blocks that
 * exist, so its sync commits nothing to the file system's journal. Who needs what: each shard says which LSN is
 * the oldest whose segment is not synced.
 *
 * The FLUSH worker only; at start, the thread that opens the directory. */
#ifndef DATAPLANE_STORAGE_WAL_WRITE_AHEAD_LOG_H
#define DATAPLANE_STORAGE_WAL_WRITE_AHEAD_LOG_H

#include "dataplane/storage/wal/wal_entry.h"

#define WAL_FILES_MAX 8
#define WAL_FILE_BYTES ((int64_t)64 << 20)

struct wal_file {
    struct file *file;
    int number;
    int64_t first_lsn; /* -1 = holds nothing */
    int64_t allocated_bytes;
};

struct write_ahead_log {
    struct disk *disk;
    struct uuid directory_id;
    int64_t file_bytes;
    bool is_unseeded; /* sabotage: entries of any LSN look right */
    struct wal_file files[WAL_FILES_MAX];
    int file_count;
    struct wal_file *current; /* NULL = none yet */
    struct file *left;        /* the file before, not synced since it was left */
    int64_t begin_lsn;        /* of this life */
    int64_t head_lsn;         /* where the next entry goes */
    int64_t written_lsn;
    int64_t synced_lsn;
    struct buffer
        staged; /* from staged_lsn to head_lsn: what is not written, and the block in which it begins */
    int64_t staged_lsn;
    int64_t *needed; /* by shard; INT64_MAX = nothing */
    int shard_count;
};

struct wal_options {
    struct disk *disk;
    struct uuid directory_id;
    int64_t file_bytes; /* WAL_FILE_BYTES; tests take less */
    int shard_count;
    bool is_unseeded;
};

/* Opens what files there are; nothing is read of them but their headers. ERR_IO, ERR_NO_MEMORY,
 * ERR_UNSUPPORTED. Call done after either. */
enum err wal_open(struct write_ahead_log *wal, const struct wal_options *options) WARN_UNUSED;
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
/* Room for `bytes` of entries, frames included, on the disk, in one file. ERR_NO_SPACE: none, and nothing has
 * changed. Other errors: the directory has failed. */
enum err wal_reserve(struct write_ahead_log *wal, int64_t bytes) WARN_UNUSED;
/* One entry, in reserved room. ERR_NO_MEMORY. */
enum err wal_add_data(struct write_ahead_log *wal, const struct wal_data *data) WARN_UNUSED;
enum err wal_add_note(struct write_ahead_log *wal, const struct wal_note *note) WARN_UNUSED;
/* Any error: the directory has failed. */
enum err wal_write(struct write_ahead_log *wal) WARN_UNUSED;
enum err wal_sync(struct write_ahead_log *wal) WARN_UNUSED;

/* What a shard needs from now on. */
void wal_set_needed(struct write_ahead_log *wal, int shard, int64_t lsn);

#endif
