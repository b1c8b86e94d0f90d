/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/batch_cursor.h"

#include <stdlib.h>

#define WINDOW_BYTES 65536

void batch_cursor_init(struct batch_cursor *cursor, struct file *file, int64_t position,
                       int64_t end)
{
    *cursor = (struct batch_cursor){.file = file, .position = position, .end = end};
}

void batch_cursor_done(struct batch_cursor *cursor)
{
    free(cursor->window);
    cursor->window = NULL;
}

static bool is_in_window(const struct batch_cursor *cursor, int64_t at, int64_t len)
{
    return at >= cursor->window_at && at + len <= cursor->window_at + (int64_t)cursor->window_len;
}

static enum err grow_window(struct batch_cursor *cursor, size_t room)
{
    uint8_t *window = NULL;

    if (room <= cursor->window_room)
        return ERR_OK;
    window = malloc(room);
    if (window == NULL)
        return ERR_NO_MEMORY;
    free(cursor->window);
    cursor->window = window;
    cursor->window_room = room;
    cursor->window_len = 0;
    return ERR_OK;
}

/* Makes [at, at + len) visible; len lies within the file as far as we were told. */
static enum err load_window(struct batch_cursor *cursor, int64_t at, int64_t len)
{
    size_t wanted = 0;
    enum err rc = ERR_OK;

    if (is_in_window(cursor, at, len))
        return ERR_OK;
    rc = grow_window(cursor, (size_t)(len < WINDOW_BYTES ? WINDOW_BYTES : len));
    if (rc != ERR_OK)
        return rc;
    wanted = cursor->window_room;
    if (cursor->end - at < (int64_t)wanted)
        wanted = (size_t)(cursor->end - at);
    cursor->window_at = at;
    cursor->window_len = 0;
    rc = cursor->file->ops->read_at(cursor->file, at, cursor->window, wanted, &cursor->window_len);
    if (rc != ERR_OK)
        return rc;
    return (int64_t)cursor->window_len < len ? ERR_TRUNCATED : ERR_OK;
}

enum err batch_cursor_next(struct batch_cursor *cursor, struct record_batch *ret_batch)
{
    int64_t left = cursor->end - cursor->position;
    struct record_batch batch;
    enum err rc = ERR_OK;

    if (left <= 0)
        return ERR_NOT_FOUND;
    if (left < RECORD_BATCH_HEADER_BYTES)
        return ERR_TRUNCATED;
    rc = load_window(cursor, cursor->position, RECORD_BATCH_HEADER_BYTES);
    if (rc != ERR_OK)
        return rc;
    rc = record_batch_parse(slice_of(cursor->window + (cursor->position - cursor->window_at),
                                     RECORD_BATCH_HEADER_BYTES),
                            &batch);
    if (rc != ERR_OK || batch.last_offset_delta < 0 || batch.base_offset < 0)
        return ERR_CORRUPT;
    if (batch.size_bytes > left)
        return ERR_TRUNCATED;
    cursor->batch_at = cursor->position;
    cursor->position += batch.size_bytes;
    *ret_batch = batch;
    return ERR_OK;
}

enum err batch_cursor_body(struct batch_cursor *cursor, const struct record_batch *batch,
                           struct slice *ret_bytes)
{
    struct slice bytes;
    enum err rc = load_window(cursor, cursor->batch_at, batch->size_bytes);

    if (rc != ERR_OK)
        return rc;
    bytes = slice_of(cursor->window + (cursor->batch_at - cursor->window_at),
                     (size_t)batch->size_bytes);
    if (!record_batch_is_crc_right(batch, bytes))
        return ERR_CORRUPT;
    *ret_bytes = bytes;
    return ERR_OK;
}
