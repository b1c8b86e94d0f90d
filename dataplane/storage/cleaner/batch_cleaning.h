/* SPDX-License-Identifier: Apache-2.0 */
/* What compaction keeps of one record batch; pure.
 *
 *   a record      stays when the map knows no newer one of its key; when it lies at map_end or above; goes
 *                 when it has no key
 *   a tombstone   that stays gives its batch a delete horizon, now + delete.retention.ms, in the place of
 *                 the base timestamp; at a cleaning after the horizon it goes, too
 *   a batch       of which all stays is kept byte for byte; else written anew: same offsets, producer,
 *                 sequence and LogAppendTime, the largest timestamp of what stays, the topic's codec or
 *                 its own; one of which nothing stays goes, but for the newest of its producer, which is
 *                 kept with no records
 *   control       batches are kept as they are
 *
 * Memory: one batch unpacked and once more re-encoded, each bounded by what may be appended. */
#ifndef DATAPLANE_STORAGE_CLEANER_BATCH_CLEANING_H
#define DATAPLANE_STORAGE_CLEANER_BATCH_CLEANING_H

#include "dataplane/storage/cleaner/offset_map.h"
#include "dataplane/storage/cleaner/producer_ends.h"
#include "dataplane/storage/record_batch.h"

struct batch_cleaning {
    struct offset_map map;
    int64_t map_end; /* the map has the keys of all dirty records below it */
    struct producer_ends producers;
    int codec; /* of the topic; -1 = each batch's own */
    int64_t now_ms;
    int64_t delete_retention_ms;
    bool is_newest_dropped; /* sabotage: tests only */
    struct buffer
        plain; /* scratch: the batch's records, unpacked; what stays of them; one record */
    struct buffer kept;
    struct buffer record;
};

/* Scratch only; map and producers are the caller's to init. */
void batch_cleaning_init(struct batch_cleaning *cleaning);
/* With the map and the producers. */
void batch_cleaning_done(struct batch_cleaning *cleaning);

/* Puts the keys of the records from offset `from` on into the map. *ret_end: up to where they found room,
 * the batch's end when all did. The batch must be a valid one. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err batch_cleaning_note(struct batch_cleaning *cleaning, const struct record_batch *batch,
                             struct slice bytes, int64_t from, int64_t *ret_end) WARN_UNUSED;

/* Appends to `out` what stays of the batch; ret_batch is its header. *ret_is_gone: nothing stays, nothing
 * was appended. The batch must be a valid one. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err batch_cleaning_run(struct batch_cleaning *cleaning, const struct record_batch *batch,
                            struct slice bytes, struct buffer *out, struct record_batch *ret_batch,
                            bool *ret_is_gone) WARN_UNUSED;

#endif
