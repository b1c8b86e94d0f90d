/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue: one append-only log of small facts per data directory, instead of small files per
 * partition. Which logs exist, where each begins, its leader epochs, its closed segments, how far it was
 * flushed for sure, producer ids given out, and whether the last end was clean.
 *
 *   header  magic, version, directory uuid, CRC
 *   entry   length, CRC, durable_below, type, payload
 *
 * durable_below is how much of the catalogue was on the disk for sure when the entry was made. So a bad
 * entry can be told apart: below what a later entry calls durable it is corruption (we refuse to start
 * and say so), else it is a torn tail, and is cut.
 *
 * Facts live in memory, too; when the file is mostly history it is written anew beside and renamed over.
 * Used by one thread at a time: at start, then by the FLUSH worker that holds the store's lock. */
#ifndef DATAPLANE_STORAGE_CATALOGUE_H
#define DATAPLANE_STORAGE_CATALOGUE_H

#include "common/base/hash_table.h"
#include "common/port/disk.h"
#include "dataplane/storage/epoch_history.h"
#include "dataplane/storage/segment.h"
#include "dataplane/storage/wal/wal_stream.h"

struct segment_fact {
    log_offset base_offset;
    log_offset end_offset;
    int64_t size_bytes;
    int64_t max_timestamp;
    int32_t generation;
};

static inline struct segment_fact segment_fact_of(const struct segment_view *view)
{
    return (struct segment_fact){view->base_offset, view->end_offset, view->size_bytes,
                                 view->max_timestamp, view->segment->generation};
}

/* The newest snapshot of producers: what they were when the log ended at `offset`. */
struct producers_fact {
    log_offset offset;
    log_offset segment; /* which begins there or before */
    int64_t position;   /* of `offset` in it */
    int32_t count;      /* 0 = there was none: no file either */
};

/* What is known of one log. Read only outside of catalogue.c. */
struct log_facts {
    struct hash_node node;
    struct log_identity id;
    log_offset log_start;
    struct segment_fact
        flushed; /* of the newest segment: how far it was flushed; size 0 = unknown */
    struct producers_fact producers; /* offset -1 = no snapshot was taken */
    log_offset cleaned_end;          /* up to here the cleaner knows every key */
    struct segment_fact *segments;   /* closed and flushed, by base offset */
    int segment_count;
    int segment_capacity;
    struct epoch_entry *epochs;
    int epoch_count;
    int epoch_capacity;
    bool is_isolated; /* found corrupt: nothing of it is served or changed until it is removed */
};

struct catalogue;

/* Makes it when is_fresh (durable when this returns). ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NOT_FOUND, … */
enum err catalogue_open(struct disk *disk, struct uuid directory_id, struct hash_seed seed,
                        bool is_fresh, struct catalogue **ret_catalogue,
                        struct error *error) WARN_UNUSED;
void catalogue_free(struct catalogue *catalogue);

/* The last thing written was the clean mark. */
bool catalogue_was_clean(const struct catalogue *catalogue);
int64_t catalogue_producer_registration(const struct catalogue *catalogue); /* -1 = none */
int64_t catalogue_producer_counter(const struct catalogue *catalogue); /* first not given out */
int64_t catalogue_wal_floor(const struct catalogue *catalogue, enum wal_stream stream);
/* NULL = no such log. Valid until the next change. */
const struct log_facts *catalogue_find(const struct catalogue *catalogue,
                                       const struct log_identity *id);
/* Start with NULL; NULL = end. */
const struct log_facts *catalogue_next(const struct catalogue *catalogue,
                                       const struct log_facts *facts);

/* Changes take effect in memory at once and are collected for the next commit. ERR_NO_MEMORY,
 * ERR_TOO_LARGE. */
enum err catalogue_add_log(struct catalogue *catalogue, const struct log_identity *id) WARN_UNUSED;
enum err catalogue_remove_log(struct catalogue *catalogue,
                              const struct log_identity *id) WARN_UNUSED;
enum err catalogue_set_log_start(struct catalogue *catalogue, const struct log_identity *id,
                                 log_offset log_start) WARN_UNUSED;
enum err catalogue_add_epoch(struct catalogue *catalogue, const struct log_identity *id,
                             struct epoch_entry epoch) WARN_UNUSED;
enum err catalogue_add_segment(struct catalogue *catalogue, const struct log_identity *id,
                               const struct segment_fact *segment) WARN_UNUSED;
/* One segment takes the place of those that it covers; the log may have been cut or trimmed meanwhile:
 * catalogue_has_stretch must hold. */
enum err catalogue_replace_segments(struct catalogue *catalogue, const struct log_identity *id,
                                    const struct segment_fact *segment) WARN_UNUSED;
/* Closed segments make up exactly [base_offset, end_offset). */
bool catalogue_has_stretch(const struct log_facts *facts, log_offset base_offset,
                           log_offset end_offset);
enum err catalogue_set_cleaned(struct catalogue *catalogue, const struct log_identity *id,
                               log_offset cleaned_end) WARN_UNUSED;
enum err catalogue_set_flushed(struct catalogue *catalogue, const struct log_identity *id,
                               const struct segment_fact *flushed) WARN_UNUSED;
enum err catalogue_set_producers(struct catalogue *catalogue, const struct log_identity *id,
                                 const struct producers_fact *producers) WARN_UNUSED;
enum err catalogue_isolate_log(struct catalogue *catalogue,
                               const struct log_identity *id) WARN_UNUSED;
enum err catalogue_set_producer_ids(struct catalogue *catalogue, int64_t registration,
                                    int64_t counter) WARN_UNUSED;
/* Where a write-ahead log begins: what has a lower LSN is nobody's any more. */
enum err catalogue_set_wal_floor(struct catalogue *catalogue, enum wal_stream stream,
                                 int64_t lsn) WARN_UNUSED;
/* clean: the last entry of a clean end; else the first of a new life. */
enum err catalogue_mark(struct catalogue *catalogue, bool is_clean) WARN_UNUSED;

/* Writes what was collected; with must_sync it is durable after ERR_OK. On ERR_NO_SPACE what was
 * collected is kept for the next commit. Other errors: the directory has failed. */
enum err catalogue_commit(struct catalogue *catalogue, bool must_sync) WARN_UNUSED;

#endif
