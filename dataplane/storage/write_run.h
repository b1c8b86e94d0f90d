/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be written: bytes of the tail's chunks that belong at places of segments, in the order of the log. The
 * owner's loop makes and frees lists; a worker that was given one reads it. */
#ifndef DATAPLANE_STORAGE_WRITE_RUN_H
#define DATAPLANE_STORAGE_WRITE_RUN_H

#include "dataplane/storage/log_tail.h"
#include "dataplane/storage/segment.h"

/* Bytes of one chunk that belong at one place of one segment. Holds references to both. */
struct write_run {
    struct write_run *next;
    struct segment *segment;
    int64_t position;
    struct tail_chunk *chunk;
    size_t from;
    size_t to;
};

struct run_list {
    struct write_run *first; /* NULL = nothing is to be written */
    struct write_run *last;
    int64_t bytes;
};

/* What comes next in the log. `run` is a block of the shard's spares, of that size; it takes references, or is given
 * back when the last run can be made longer instead. */
void run_list_put(struct shard *shard, struct run_list *list, struct write_run *run,
                  const struct write_run *content);
/* All of `from`, which is empty then, comes after what is in `to`. */
void run_list_append(struct shard *shard, struct run_list *to, struct run_list *from);
void run_list_free(struct shard *shard, struct run_list *list);

#endif
