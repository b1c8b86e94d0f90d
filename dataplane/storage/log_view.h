/* SPDX-License-Identifier: Apache-2.0 */
/* One moment of a log, immutable: what replica_snapshot shows, and behind it the segments, the epoch
 * history, the tail in memory and the settings that belong to it. Made and freed on the owner's loop. */
#ifndef DATAPLANE_STORAGE_LOG_VIEW_H
#define DATAPLANE_STORAGE_LOG_VIEW_H

#include "dataplane/storage/epoch_history.h"
#include "dataplane/storage/log_tail.h"
#include "dataplane/storage/published.h"
#include "dataplane/storage/segment.h"

struct shard;

struct shared_config {
    int refs; /* the owner's loop */
    struct log_config config;
};

struct tail_view {
    struct tail_chunk *chunk;
    log_offset base_offset;
    size_t visible_bytes;
    int mark_count; /* of the chunk's, within them */
};

struct log_view {
    struct log_snapshot snapshot;
    struct published_node node;
    struct shard *shard;
    struct shared_config *config;
    struct epoch_history *epochs;
    struct segment_list *closed;
    struct segment_view active; /* segment NULL = none */
    int64_t written_bytes;     /* of it, in its file; what comes after them is in the last chunks */
    struct spare_pool *spares; /* where its memory goes; NULL = the heap */
    int chunk_room;
    int chunk_count;
    struct tail_view chunks[];
};

static inline const struct log_view *log_view_of(const struct published_node *node)
{
    return container_of(node, const struct log_view, node);
}

/* The segment that holds `offset`, or the first one after it; false = none. */
bool log_view_find_segment(const struct log_view *view, log_offset offset,
                           struct segment_view *ret_segment);

/* From `position` of the newest segment on, which must not be in its file; up to the end of the view. How many bytes
 * there were. */
size_t log_view_read_end(const struct log_view *view, int64_t position, uint8_t *to, size_t len);

#endif
