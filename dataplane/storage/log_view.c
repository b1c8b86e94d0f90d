/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/log_view.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/shard.h"

/* A power of two, so that the views of a log that is written to are of one size nearly always. */
static int room_for(int chunk_count)
{
    int room = chunk_count > 0 ? 1 : 0;

    while (room < chunk_count)
        room *= 2;
    return room;
}

static size_t size_of_view(int chunk_room)
{
    return sizeof(struct log_view) + (size_t)chunk_room * sizeof(struct tail_view);
}

struct log_view *partition_log_view(struct partition_log *log, struct shared_config *config,
                                    log_offset high_watermark, leader_epoch epoch,
                                    struct spare_pool *spares)
{
    int room = room_for(log->tail.count);
    struct log_view *view = spare_pool_take(spares, size_of_view(room));

    if (view == NULL)
        return NULL;
    *view = (struct log_view){.spares = spares, .chunk_room = room};
    view->snapshot = (struct log_snapshot){
        .log_start = log->log_start,
        .last_stable = high_watermark,
        .high_watermark = high_watermark,
        .log_end = log->head.end,
        .epoch = epoch,
        .size_bytes = log->durable.closed->size_bytes + log->durable.active.size_bytes,
    };
    view->shard = log->shard;
    view->config = config;
    config->refs++;
    view->epochs = epoch_history_ref(log->epochs);
    view->closed = log->durable.closed;
    view->closed->refs++;
    view->active = log->durable.active;
    view->written_bytes = partition_log_written_bytes(log);
    if (view->active.segment != NULL)
        view->active.segment->refs++;
    list_for_each(&log->tail.chunks, node)
    {
        struct tail_chunk *chunk = container_of(node, struct tail_chunk, in_tail);
        bool is_last = chunk == log->durable.chunk;
        size_t visible = is_last ? log->durable.chunk_used : chunk->used;

        if (chunk->base_offset >= log->durable.end)
            break;
        tail_chunk_ref(chunk);
        view->chunks[view->chunk_count++] = (struct tail_view){chunk, chunk->base_offset, visible,
                                                               tail_chunk_marks(chunk, visible)};
    }
    return view;
}

void log_view_free(struct log_view *view)
{
    for (int i = 0; i < view->chunk_count; i++)
        tail_chunk_unref(view->chunks[i].chunk);
    shard_segment_list_unref(view->shard, view->closed);
    if (view->active.segment != NULL)
        shard_segment_unref(view->shard, view->active.segment);
    epoch_history_unref(view->epochs);
    if (--view->config->refs == 0)
        free(view->config);
    spare_pool_give(view->spares, view, size_of_view(view->chunk_room));
}

bool log_view_find_segment(const struct log_view *view, log_offset offset,
                           struct segment_view *ret_segment)
{
    int low = 0;
    int high = view->closed->count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (view->closed->views[middle].end_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < view->closed->count)
        *ret_segment = view->closed->views[low];
    else
        *ret_segment = view->active;
    return ret_segment->segment != NULL && offset < ret_segment->end_offset;
}

size_t log_view_read_end(const struct log_view *view, int64_t position, uint8_t *to, size_t len)
{
    int64_t back = view->active.size_bytes - position;
    size_t wanted = (int64_t)len < back ? len : (size_t)back;
    size_t done = 0;
    size_t at = 0;
    int i = view->chunk_count;

    while (back > 0) {
        invariant(i > 0);
        back -= (int64_t)view->chunks[--i].visible_bytes;
    }
    for (at = (size_t)-back; done < wanted; i++, at = 0) {
        size_t left = view->chunks[i].visible_bytes - at;
        size_t part = left < wanted - done ? left : wanted - done;

        memcpy(to + done, view->chunks[i].chunk->data + at, part);
        done += part;
    }
    return done;
}
