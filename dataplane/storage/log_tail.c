/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/log_tail.h"

#include <string.h>

#include "common/port/direct_write.h"

/* With its header. */
#define CHUNK_MIN_BYTES ((size_t)512)
#define CHUNK_MAX_BYTES ((size_t)256 << 10)
#define MARK_BYTES ((size_t)4 << 10)
#define MARKED_MIN_BYTES (4 * MARK_BYTES)
#define TRIM_LOOKS 16
/* Smaller ones are hardly written past the page cache. */
#define ALIGNED_MIN_BYTES ((size_t)64 << 10)

void tail_budget_init(struct tail_budget *budget, int64_t bytes_max, struct spare_pool *spares)
{
    *budget = (struct tail_budget){.bytes_max = bytes_max, .spares = spares};
    list_init(&budget->chunks);
}

void tail_chunk_ref(struct tail_chunk *chunk)
{
    chunk->refs++;
}

static size_t size_of_marks(const struct tail_chunk *chunk)
{
    return chunk->room / MARK_BYTES * sizeof(chunk->marks[0]);
}

void tail_chunk_unref(struct tail_chunk *chunk)
{
    if (chunk == NULL || --chunk->refs > 0)
        return;
    spare_pool_give(chunk->spares, chunk->marks, size_of_marks(chunk));
    spare_pool_give(chunk->spares, chunk, chunk->block_bytes);
}

int tail_chunk_marks(const struct tail_chunk *chunk, size_t used)
{
    int count = chunk->mark_count;

    while (count > 0 && chunk->marks[count - 1].at >= used)
        count--;
    return count;
}

size_t tail_chunk_seek(const struct tail_chunk *chunk, int mark_count, log_offset offset)
{
    int low = 0;
    int high = mark_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (chunk->marks[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : chunk->marks[low - 1].at;
}

static void drop_chunk(struct tail_chunk *chunk)
{
    chunk->tail->budget->bytes -= (int64_t)chunk->room;
    chunk->tail->count--;
    chunk->tail = NULL;
    list_remove(&chunk->by_age);
    list_remove(&chunk->in_tail);
    tail_chunk_unref(chunk);
}

/* In a tail chunks go from the front, so that what is left has no hole. */
static bool may_go(const struct tail_chunk *chunk)
{
    return chunk->end_offset <= chunk->tail->flushed_end &&
           chunk->tail->chunks.next == &chunk->in_tail;
}

void tail_budget_trim(struct tail_budget *budget)
{
    for (int looks = 0; looks < TRIM_LOOKS && budget->bytes > budget->bytes_max; looks++) {
        struct tail_chunk *chunk = container_of(budget->chunks.next, struct tail_chunk, by_age);

        if (may_go(chunk)) {
            drop_chunk(chunk);
            continue;
        }
        list_remove(&chunk->by_age);
        list_push_back(&budget->chunks, &chunk->by_age);
    }
}

void log_tail_init(struct log_tail *tail, struct tail_budget *budget, log_offset flushed_end)
{
    *tail = (struct log_tail){.budget = budget, .flushed_end = flushed_end};
    list_init(&tail->chunks);
}

void log_tail_done(struct log_tail *tail)
{
    list_for_each(&tail->chunks, node) drop_chunk(container_of(node, struct tail_chunk, in_tail));
}

struct tail_chunk *log_tail_last(const struct log_tail *tail)
{
    return list_is_empty(&tail->chunks)
               ? NULL
               : container_of(tail->chunks.prev, struct tail_chunk, in_tail);
}

/* Chunks double with use: a log that gets little costs little. */
static size_t next_block_bytes(const struct log_tail *tail, size_t len)
{
    const struct tail_chunk *last = log_tail_last(tail);
    size_t bytes = last == NULL ? CHUNK_MIN_BYTES : last->block_bytes * 2;
    size_t least = sizeof(*last) + len;

    if (bytes > CHUNK_MAX_BYTES)
        bytes = CHUNK_MAX_BYTES;
    if (least + DIRECT_WRITE_BLOCK_BYTES >= ALIGNED_MIN_BYTES)
        least += DIRECT_WRITE_BLOCK_BYTES;
    return bytes < least ? least : bytes;
}

/* How much of a block, after the chunk itself, stays empty, so that its first byte lies as at `position` of a file. */
static size_t empty_bytes(const struct tail_chunk *chunk, size_t block_bytes, int64_t position)
{
    if (block_bytes < ALIGNED_MIN_BYTES)
        return 0;
    return ((size_t)position - (size_t)(uintptr_t)(chunk + 1)) % DIRECT_WRITE_BLOCK_BYTES;
}

static struct tail_chunk *add_chunk(struct log_tail *tail, size_t len, int64_t position,
                                    log_offset base_offset)
{
    size_t bytes = next_block_bytes(tail, len);
    struct tail_chunk *chunk = NULL;
    size_t empty = 0;

    chunk = spare_pool_take(tail->budget->spares, bytes);
    if (chunk == NULL)
        return NULL;
    empty = empty_bytes(chunk, bytes, position);
    *chunk = (struct tail_chunk){
        .tail = tail,
        .spares = tail->budget->spares,
        .refs = 1,
        .base_offset = base_offset,
        .end_offset = base_offset,
        .room = bytes - sizeof(*chunk) - empty,
        .block_bytes = bytes,
        .data = (uint8_t *)(chunk + 1) + empty,
    };
    if (bytes >= MARKED_MIN_BYTES)
        chunk->marks = spare_pool_take(chunk->spares, size_of_marks(chunk)); /* NULL: found later */
    list_push_back(&tail->budget->chunks, &chunk->by_age);
    list_push_back(&tail->chunks, &chunk->in_tail);
    tail->budget->bytes += (int64_t)chunk->room;
    tail->count++;
    return chunk;
}

/* Snapshots list their chunks: there must not be too many of them. */
static void bound_count(struct log_tail *tail)
{
    list_for_each(&tail->chunks, node)
    {
        struct tail_chunk *chunk = container_of(node, struct tail_chunk, in_tail);

        if (tail->count < LOG_TAIL_CHUNKS_MAX || chunk->end_offset > tail->flushed_end)
            return;
        drop_chunk(chunk);
    }
}

/* A batch begins at the end of what is used. */
static void mark(struct tail_chunk *chunk, log_offset base_offset)
{
    size_t next = (size_t)(chunk->mark_count + 1) * MARK_BYTES;

    if (chunk->marks != NULL && chunk->used >= next && next <= chunk->room)
        chunk->marks[chunk->mark_count++] = (struct tail_mark){base_offset, chunk->used};
}

enum err log_tail_put(struct log_tail *tail, const uint8_t *bytes, size_t len, int64_t position,
                      log_offset base_offset, log_offset end_offset, struct tail_chunk **ret_chunk,
                      size_t *ret_at)
{
    struct tail_chunk *chunk = log_tail_last(tail);

    if (chunk == NULL || chunk->room - chunk->used < len) {
        bound_count(tail);
        chunk = add_chunk(tail, len, position, base_offset);
    }
    if (chunk == NULL)
        return ERR_NO_MEMORY;
    mark(chunk, base_offset);
    memcpy(chunk->data + chunk->used, bytes, len);
    *ret_chunk = chunk;
    *ret_at = chunk->used;
    chunk->used += len;
    chunk->end_offset = end_offset;
    return ERR_OK;
}

void log_tail_cut(struct log_tail *tail, log_offset end, struct tail_chunk *last, size_t used)
{
    while (!list_is_empty(&tail->chunks)) {
        struct tail_chunk *chunk = log_tail_last(tail);

        if (chunk == last) {
            chunk->used = used;
            chunk->mark_count = tail_chunk_marks(chunk, used);
            chunk->end_offset = end;
            return;
        }
        if (chunk->end_offset <= end)
            return;
        drop_chunk(chunk);
    }
}
