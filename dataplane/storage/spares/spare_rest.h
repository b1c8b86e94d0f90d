/* SPDX-License-Identifier: Apache-2.0 */
/* What a segment's file has behind what was appended to it, because it was a spare: zeros that keep room on the disk.
 *
 *   taken ──appends fill it──▶ closed by size: less than a batch is left, and cut off by the round
 *     ├──nothing comes for a while──▶ given back, a piece at a time (removals.h), while appends may come
 *     └──closed early───────────────▶ given back likewise
 *
 * A start leaves it as it is. */
#ifndef DATAPLANE_STORAGE_SPARES_SPARE_REST_H
#define DATAPLANE_STORAGE_SPARES_SPARE_REST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/port/disk.h"
#include "dataplane/storage/removals.h"

struct flush_item;
struct segment;
struct segment_view;
struct shard;

/* Embedded in a segment. */
struct spare_rest {
    atomic_bool is_there;
    pthread_mutex_t lock;
    int64_t
        reached; /* under it: the file is not cut below this, in whole blocks but for a closed segment */
    /* The loop's: */
    struct removal giving;
    bool is_giving;
    int64_t size_seen; /* of what was appended, at the last look */
};

void spare_rest_init(struct spare_rest *rest);
void spare_rest_done(struct spare_rest *rest);

/* A worker, or a start: the file reaches beyond `end`, which is what was appended so far. */
void spare_rest_begin(struct segment *segment, int64_t end);
/* A worker is about to append up to `end`. */
void spare_rest_reach(struct segment *segment, int64_t end);
/* A worker: nothing is appended any more. The file is cut to that size, unless more than at_once_bytes of it would go. */
enum err spare_rest_close(struct segment *segment, struct file *file, int64_t size,
                          int64_t at_once_bytes) WARN_UNUSED;

/* The loop: the segments that the item closed give back what is left of theirs. */
void spare_rests_closed(struct shard *shard, const struct flush_item *item);
/* The loop, now and then: likewise the newest segment, when nothing was appended since the last time. */
void spare_rest_look(struct shard *shard, const struct segment_view *active);

#endif
