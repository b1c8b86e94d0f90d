/* SPDX-License-Identifier: Apache-2.0 */
/* One data directory: its identity, its lock, its catalogue, the recovery of all its logs, and the
 * flush rounds that make appends durable (group commit: what is dirty when a round starts is
 * written and flushed together; the next round starts when it ends).
 *
 *   <data>/meta.json                         format, cell, broker, directory uuid
 *   <data>/lock
 *   <data>/catalogue                         one log of small facts: partitions, log starts, epochs
 *   <data>/wal/                              the write-ahead log: small appends of all partitions
 *   <data>/wal-os/                           likewise under millrace.flush=os, never synced
 *   <data>/topics/<topic uuid>/<partition>/  segments
 *   <data>/spare/                            files of segments that went, empty
 *
 * A failed flush is never retried: the directory is failed, appends get KAFKA_STORAGE_ERROR, reads
 * go on. */
#ifndef DATAPLANE_STORAGE_LOG_DIRECTORY_H
#define DATAPLANE_STORAGE_LOG_DIRECTORY_H

#include "common/base/error.h"
#include "common/base/uuid.h"
#include "common/port/clock.h"
#include "common/port/disk.h"
#include "common/port/executor.h"
#include "common/port/random.h"

struct histogram_sum;
struct log_directory;
struct storage_metrics;

struct log_directory_options {
    struct disk *disk;         /* borrowed */
    struct executor *executor; /* borrowed */
    struct random *random;     /* borrowed */
    struct uuid cell_id;       /* zero = not known yet: taken from meta.json, or set later */
    int32_t broker_id;
    int64_t tail_cache_bytes;  /* recent bytes kept in memory, all partitions together */
    int64_t small_bytes_max;   /* of an item that the write-ahead log takes; 0 = the usual */
    int64_t wal_file_bytes;    /* of a file of the write-ahead log; 0 = the usual */
    int64_t wal_block_bytes;   /* of what is written to it at least; likewise */
    int64_t cleaner_map_bytes; /* for keys of logs that are compacted; 0 = none is */
    int64_t cleaner_bytes_per_second;
    int64_t cleaner_check_us;    /* how often a log to be compacted is looked for; 0 = the usual */
    int64_t removal_piece_bytes; /* of files that go, at once; likewise */
    int spare_percent;           /* of what is free: files that are used again; 0 = none are */
    int64_t spare_bytes_min;     /* of such a file; 0 = the usual */
    unsigned sabotage;           /* tests only: enum storage_sabotage in flush_round.h; else 0 */
};

struct log_directory_report {
    int64_t partitions;
    int64_t replayed_bytes;  /* of the write-ahead log, put in place after a crash */
    int64_t recovered_bytes; /* read again after a crash */
    int64_t truncated_bytes; /* torn tails cut */
    int64_t corrupt_partitions;
    bool was_clean;
};

/* Blocking; at start, before loops run. ERR_LOCKED (another process), ERR_UNSUPPORTED (unknown
 * format version), ERR_FENCED (belongs to another cell or broker), ERR_IO, ERR_CORRUPT. */
enum err log_directory_open(const struct log_directory_options *options,
                            struct log_directory **ret_directory,
                            struct log_directory_report *ret_report,
                            struct error *error) WARN_UNUSED;
struct uuid log_directory_uuid(const struct log_directory *directory);
/* Loop 0, when options.cell_id was zero: kept in meta.json. ERR_FENCED: the directory is another cell's. */
enum err log_directory_set_cell(struct log_directory *directory, struct uuid cell_id) WARN_UNUSED;
/* Topics on disk that the image does not know any more: each is passed once; return false to keep.
 */
typedef bool (*log_directory_is_known_fn)(void *context, struct uuid topic_id);
/* Loop 0, after the image is complete: removes the files of topics that are gone. */
void log_directory_remove_unknown(struct log_directory *directory,
                                  log_directory_is_known_fn is_known, void *context);
/* Loop 0: flushes all, writes the clean mark, calls done on loop 0. Then log_directory_free. */
void log_directory_close(struct log_directory *directory, void (*done)(void *context),
                         void *context);
void log_directory_free(struct log_directory *directory);

bool log_directory_is_failed(const struct log_directory *directory); /* any thread */
/* Any thread: what all loops count; adds how long flush rounds took. For metrics. */
void log_directory_add_metrics(const struct log_directory *directory, struct storage_metrics *sum);
void log_directory_add_flush_times(const struct log_directory *directory,
                                   struct histogram_sum *sum);

/* Producer ids: registration << 32 | counter, reserved in durable blocks of 1000. Loop 0 only;
 * calls done on loop 0, at once when a block is open. registration comes from the store once and is
 * kept in the directory. */
void log_directory_set_producer_registration(struct log_directory *directory, int64_t registration);
struct producer_id_request {
    void (*done)(struct producer_id_request *request, enum err err, int64_t producer_id);
    struct producer_id_request *next;
};
void log_directory_next_producer_id(struct log_directory *directory,
                                    struct producer_id_request *request);

#endif
