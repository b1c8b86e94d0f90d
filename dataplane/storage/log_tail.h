/* SPDX-License-Identifier: Apache-2.0 */
/* The newest bytes of logs, in memory: what was appended and not yet flushed, and what readers at the end
 * want.
 *
 * What the write-ahead log made durable and the segment does not have yet counts as not flushed.
 *
 * A log's tail is a list of chunks; a batch lies in one chunk. Bytes in a chunk never change once they
 * were put, so workers and other loops may read what they were told of while the owner appends behind
 * it. Chunks are counted on the owner's loop: by the log, by snapshots, by a flush round. A budget per
 * loop drops the oldest flushed chunks of any log when there are too many bytes.
 *
 * The bytes of a large chunk lie in memory as they will in the blocks of their segment's file: their address and their
 * position there have the same rest. So a write past the page cache needs no copy of them (direct_write.h). Where a chunk
 * goes on in another segment they do not, and are copied then.
 *
 * A chunk that may hold many batches notes every few KiB which one begins there. Who reads knows how many of
 * these marks belong to the bytes it was told of, and looks at no others. */
#ifndef DATAPLANE_STORAGE_LOG_TAIL_H
#define DATAPLANE_STORAGE_LOG_TAIL_H

#include "common/base/list.h"
#include "common/base/spare_pool.h"
#include "dataplane/storage/replica.h"

#define LOG_TAIL_CHUNKS_MAX 64

struct tail_budget {
    struct list
        chunks; /* of all logs of the loop, oldest first; what may not go yet comes to the end again */
    int64_t bytes;
    int64_t bytes_max;
    struct spare_pool *spares; /* where chunks come from; the loop's */
};

struct log_tail {
    struct list chunks; /* oldest first */
    int count;
    log_offset flushed_end; /* chunks that end here or before may go */
    struct tail_budget *budget;
};

struct tail_mark {
    log_offset offset; /* of the batch that begins */
    size_t at;         /* there */
};

struct tail_chunk {
    struct list by_age;
    struct list in_tail;
    struct log_tail *tail; /* NULL = dropped from it */
    struct spare_pool *spares;
    struct tail_mark *marks; /* NULL = a small chunk */
    int refs;
    int mark_count;
    log_offset base_offset;
    log_offset end_offset;
    size_t used;
    size_t room;
    size_t block_bytes; /* what it takes of memory */
    uint8_t *data;      /* in the same block */
};

void tail_budget_init(struct tail_budget *budget, int64_t bytes_max, struct spare_pool *spares);
/* Drops flushed chunks until the budget is kept, a few at a time. */
void tail_budget_trim(struct tail_budget *budget);

void log_tail_init(struct log_tail *tail, struct tail_budget *budget, log_offset flushed_end);
void log_tail_done(struct log_tail *tail);
/* Copies a batch, which belongs at `position` of its segment. *ret_chunk is borrowed from the tail. ERR_NO_MEMORY. */
enum err log_tail_put(struct log_tail *tail, const uint8_t *bytes, size_t len, int64_t position,
                      log_offset base_offset, log_offset end_offset, struct tail_chunk **ret_chunk,
                      size_t *ret_at) WARN_UNUSED;
/* Forgets everything from `end` on; `last` (may be NULL) is cut to `used` bytes. */
void log_tail_cut(struct log_tail *tail, log_offset end, struct tail_chunk *last, size_t used);
struct tail_chunk *log_tail_last(const struct log_tail *tail); /* NULL = empty */

/* The owner's loop: how many marks lie below `used`. */
int tail_chunk_marks(const struct tail_chunk *chunk, size_t used);
/* Where to begin looking for the batch with `offset`: at one that begins there or before. */
size_t tail_chunk_seek(const struct tail_chunk *chunk, int mark_count, log_offset offset);

void tail_chunk_ref(struct tail_chunk *chunk);
void tail_chunk_unref(struct tail_chunk *chunk); /* NULL is fine */

#endif
