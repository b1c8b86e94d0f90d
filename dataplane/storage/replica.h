/* SPDX-License-Identifier: Apache-2.0 */
/* One partition as this broker serves it: the log, who leads it, how far it is committed, who
 * waits.
 *
 *            handlers (any loop)                         owner loop of the partition
 *   replica_append_submit ──mail──▶ sequence check, offsets, log tail ──▶ flush round (worker)
 *                         ◀─mail── reply: acks=1 and -1 once durable and under the high watermark
 *   replica_snapshot      ◀──────── published with release-store after each change
 *   replica_read_submit   ──worker▶ tail from memory, else file ──▶ done on the reader's loop
 *   replica_wait          ──mail──▶ woken when the high watermark (or last stable offset) passes
 *
 * The owner loop is fixed for life (hash of topic id and partition). Records are borrowed from the
 * request until done. What is acknowledged is on disk (millrace.flush=os: written). */
#ifndef DATAPLANE_STORAGE_REPLICA_H
#define DATAPLANE_STORAGE_REPLICA_H

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"
#include "common/kafka/kafka_error.h"
#include "common/port/executor.h"
#include "dataplane/storage/read_room.h"

typedef int64_t log_offset;
typedef int32_t leader_epoch;

struct log_directory;
struct log_view;
struct replica;

enum cleanup_policy { CLEANUP_DELETE = 1, CLEANUP_COMPACT = 2 };
enum flush_policy { FLUSH_COMMIT, FLUSH_OS };

/* Resolved topic settings the log needs; replaced whole by replica_set_config. */
struct log_config {
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int64_t segment_index_bytes;
    int64_t retention_ms;    /* -1 = for ever */
    int64_t retention_bytes; /* -1 = no bound */
    int32_t max_message_bytes;
    int32_t index_interval_bytes;
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    unsigned cleanup_policy;                 /* enum cleanup_policy bits */
    int32_t min_cleanable_dirty_thousandths; /* these four for CLEANUP_COMPACT */
    int64_t min_compaction_lag_ms;
    int64_t max_compaction_lag_ms;
    int64_t delete_retention_ms;
    bool is_log_append_time;
    int compression; /* -1 = as the producer sent it, else codec 0…4 */
    enum flush_policy flush;
    bool is_internal;
};

/* What readers may know, immutable. Valid until the callback that loaded it returns to its loop. */
struct log_snapshot {
    log_offset log_start;
    log_offset last_stable; /* == high_watermark until transactions exist */
    log_offset high_watermark;
    log_offset log_end;
    leader_epoch epoch; /* of the current leader; -1 = this broker does not lead */
    int64_t size_bytes; /* all segments */
    /* segments, tail, epoch history: log_view.h */
};

enum append_origin { APPEND_CLIENT, APPEND_COORDINATOR };

/* One batch for one partition; embedded in the request. */
struct replica_append {
    /* in */
    struct replica *replica;
    uint8_t *records; /* one whole record batch; header fields are rewritten in place */
    size_t records_len;
    enum append_origin origin;
    int16_t acks;            /* 0, 1, -1; 0 gets done as soon as the batch is in the log's tail */
    int16_t produce_version; /* zstd needs 7 */
    struct loop *home;       /* done is called there */
    void (*done)(struct replica_append *append);
    /* NULL, or told on home, before done, when the batch has its place in the order of appends: what is
     * submitted after it comes after it. Inside submit, or later. */
    void (*order_released)(struct replica_append *append);
    /* NULL, or called in submit instead of giving the batch to a worker at once: whoever is told calls
     * replica_append_check, now or later. */
    void (*wants_worker)(struct replica_append *append);
    /* out, valid in done */
    enum kafka_error error;
    const char *error_message; /* static text or NULL */
    int32_t bad_record_index;  /* -1 = the batch as a whole */
    log_offset base_offset;    /* -1 on error */
    log_offset last_offset;
    int64_t log_append_time_ms; /* -1 with CreateTime */
    log_offset log_start;       /* -1 on error */
    /* private */
    struct mail mail;
    struct replica_append *next;
    uint8_t *recompressed; /* owned; NULL = records as they came */
    struct work work;
    const struct log_view *view; /* pinned while a worker checks */
    int64_t submitted_ms;
    void (*checked)(struct replica_append *append);
};

/* On home, in the order of arrival. The caller keeps a reference to the replica until done. When a worker
 * checks the batch first (order_released is called later), appends submitted meanwhile may overtake it. */
void replica_append_submit(struct replica_append *append);

/* On home, once, for a batch that wants a worker. */
void replica_append_check(struct replica_append *append);

/* Any loop; never NULL. */
const struct log_snapshot *replica_snapshot(const struct replica *replica);

enum read_isolation { READ_UNCOMMITTED, READ_COMMITTED };

/* A range read: whole batches from the one that contains `offset` on, up to max_bytes, but at least
 * one batch when is_first (Kafka's rule for the first partition of a fetch). */
struct replica_read {
    /* in */
    struct replica *replica;
    struct loop *home;
    log_offset offset;
    size_t max_bytes;
    bool must_progress; /* give one batch even over max_bytes */
    enum read_isolation isolation;
    void (*done)(struct replica_read *read); /* on home, never before submit returns */
    /* out */
    enum kafka_error error; /* KAFKA_OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR, … */
    const uint8_t *records; /* the read's until replica_read_done */
    size_t records_len;
    /* The snapshot's numbers that the records belong to. */
    log_offset high_watermark, last_stable, log_start;
    /* private */
    struct work work;
    const struct log_view *view; /* pinned while a worker reads */
    struct read_room room;       /* its block is of home's spares */
};

/* Any loop: no more than so many bytes can be read from offset on, and never more than max_bytes. Where they are not in
 * memory it may be more than there is. */
size_t replica_bytes_from(const struct replica *replica, log_offset offset, size_t max_bytes);

/* On home. */
void replica_read_submit(struct replica_read *read);
/* On home: releases the records. Safe after an error. */
void replica_read_done(struct replica_read *read);

/* Find an offset by time (ListOffsets); same life as a read. */
struct replica_lookup {
    struct replica *replica;
    struct loop *home;
    int64_t timestamp; /* >= 0, or -3 = largest timestamp */
    enum read_isolation isolation;
    void (*done)(struct replica_lookup *lookup);
    enum kafka_error error;
    log_offset offset; /* -1 = none */
    int64_t found_timestamp;
    leader_epoch epoch;
    struct work work; /* private from here */
    const struct log_view *view;
};

/* On home. */
void replica_lookup_submit(struct replica_lookup *lookup);

/* Told once when the high watermark is above `offset`, or the replica stops leading, or is removed.
 */
struct replica_waiter {
    struct replica *replica;
    struct loop *home;
    log_offset offset;
    enum read_isolation isolation;
    void (*wake)(struct replica_waiter *waiter); /* on home; never before replica_wait returns */
    struct mail mail;                            /* private from here */
    struct mail cancel_mail;
    struct list waiting;
    void (*cancelled)(struct replica_waiter *waiter);
};

/* On home. The caller keeps a reference to the replica until wake or cancelled. */
void replica_wait(struct replica_waiter *waiter);
/* On home, not after wake was called. After cancelled() was called the waiter is the caller's again; wake
 * may come before it, not after. */
void replica_wait_cancel(struct replica_waiter *waiter,
                         void (*cancelled)(struct replica_waiter *waiter));

/* DeleteRecords: moves log start; durable when done. offset -1 = high watermark. */
struct replica_trim {
    struct replica *replica;
    struct loop *home;
    log_offset offset;
    void (*done)(struct replica_trim *trim);
    enum kafka_error error;
    log_offset log_start;
    struct mail mail; /* private from here */
    struct replica_trim *next;
};

/* On home. */
void replica_trim_submit(struct replica_trim *trim);

/* OffsetForLeaderEpoch; from the snapshot, any loop. -1/-1 when unknown; see epoch_history_end. */
void replica_epoch_end(const struct replica *replica, leader_epoch epoch, leader_epoch *ret_epoch,
                       log_offset *ret_end);

/* --- made and changed by the cluster image, on loop 0 --- */

/* Attaches to what recovery found, or starts empty (no I/O, no file before the first write). Owned
 * by the directory until replica_remove. ERR_NO_MEMORY, ERR_CORRUPT (partition isolated). */
enum err replica_open(struct log_directory *directory, struct uuid topic_id, int32_t partition,
                      const struct log_config *config, struct replica **ret_replica) WARN_UNUSED;
void replica_ref(struct replica *replica);
void replica_unref(struct replica *replica);
struct loop *replica_loop(const struct replica *replica);
/* Mailed to the owner. Epochs that go backwards are ignored. */
void replica_become_leader(struct replica *replica, leader_epoch epoch);
void replica_set_config(struct replica *replica, const struct log_config *config);
/* Files are gone from the disk when done; the memory when the last reference is. */
void replica_remove(struct replica *replica, struct loop *home,
                    void (*done)(void *context, enum err err), void *context);

#endif
