/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a segment an offset or a time is: one entry at the first batch that begins interval_bytes
 * (index.interval.bytes when the segment was begun) or more behind the one before.
 *
 * A cache: built from batches as they are written or scanned, in order and without gaps from the start of
 * the segment on, up to covered_bytes. What it says is a place to start looking, always at a batch; it
 * is checked against the log, and rebuilt when it is missing or wrong. Not thread-safe. */
#ifndef DATAPLANE_STORAGE_OFFSET_INDEX_H
#define DATAPLANE_STORAGE_OFFSET_INDEX_H

#include "common/base/buffer.h"
#include "dataplane/storage/record_batch.h"

/* Of an entry in the file; Apache Kafka has one of 8 bytes in one file and one of 12 in another for it. */
#define OFFSET_INDEX_ENTRY_BYTES 24

struct offset_index_entry {
    int64_t offset; /* base offset of the batch at position */
    int64_t position;
    int64_t max_timestamp_before; /* of all batches before position; -1 = none has one */
};

struct offset_index {
    struct offset_index_entry *entries;
    size_t count;
    size_t capacity;
    int32_t interval_bytes;
    int64_t covered_bytes;
    int64_t max_timestamp;
};

void offset_index_init(struct offset_index *index, int32_t interval_bytes);
/* Empty again, with the same interval. */
void offset_index_done(struct offset_index *index);
/* An owned copy; empty when memory is out. */
void offset_index_copy(struct offset_index *copy, const struct offset_index *index);
/* The batch at `position` follows what is covered; else it is ignored. An entry that finds no memory is
 * left out: lookups start earlier. */
void offset_index_add(struct offset_index *index, const struct record_batch *batch,
                      int64_t position);
/* Forgets all that begins at `size` or later. */
void offset_index_truncate(struct offset_index *index, int64_t size);
/* The last entry at or before the batch that contains `offset`; NULL = the segment's first batch. Valid until the next
 * change. */
const struct offset_index_entry *offset_index_find_offset(const struct offset_index *index,
                                                          int64_t offset);
/* As above: every batch before it is older than `timestamp`. */
const struct offset_index_entry *offset_index_find_timestamp(const struct offset_index *index,
                                                             int64_t timestamp);

/* The batch at `position` gets an entry, when the one before is that of the batch at `last`. */
static inline bool offset_index_wants(int64_t position, int64_t last, int32_t interval_bytes)
{
    return position > last && position - last >= interval_bytes;
}

/* The file that is written when a segment is closed. It says its interval. */
enum err offset_index_save(const struct offset_index *index, int64_t base_offset,
                           struct buffer *out) WARN_UNUSED;
/* Fills an index that is empty. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NO_MEMORY: it is empty still. segment_bytes: what it must
 * cover exactly. */
enum err offset_index_load(struct offset_index *index, struct slice bytes, int64_t base_offset,
                           int64_t segment_bytes) WARN_UNUSED;

#endif
