/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/frame_reader.h"

#include <stdlib.h>

enum { FIRST_CHUNK = 256 * 1024, DIRECT_MINIMUM = 16 * 1024 };

void frame_reader_init(struct frame_reader *reader, size_t max_size)
{
    *reader = (struct frame_reader){.max_size = max_size};
}

void frame_reader_done(struct frame_reader *reader)
{
    free(reader->data);
    reader->data = NULL;
}

static enum err begin(struct frame_reader *reader)
{
    uint32_t size = (uint32_t)reader->size_bytes[0] << 24 | (uint32_t)reader->size_bytes[1] << 16 |
                    (uint32_t)reader->size_bytes[2] << 8 | reader->size_bytes[3];

    if (size > INT32_MAX || size > reader->max_size)
        return ERR_TOO_LARGE;
    reader->size = size;
    reader->len = 0;
    reader->capacity = size < FIRST_CHUNK ? size : FIRST_CHUNK;
    reader->data = malloc(reader->capacity > 0 ? reader->capacity : 1);
    return reader->data ? ERR_OK : ERR_NO_MEMORY;
}

static enum err grow(struct frame_reader *reader)
{
    size_t capacity = reader->capacity * 2 < reader->size ? reader->capacity * 2 : reader->size;
    uint8_t *data = realloc(reader->data, capacity);

    if (data == NULL)
        return ERR_NO_MEMORY;
    reader->data = data;
    reader->capacity = capacity;
    return ERR_OK;
}

void frame_reader_room(struct frame_reader *reader, uint8_t **ret_data, size_t *ret_len)
{
    *ret_data = NULL;
    *ret_len = 0;
    if (reader->data == NULL || reader->size - reader->len < DIRECT_MINIMUM)
        return;
    if (reader->len == reader->capacity && grow(reader) != ERR_OK)
        return; /* feed reports it */
    *ret_data = reader->data + reader->len;
    *ret_len = reader->capacity - reader->len;
}

void frame_reader_filled(struct frame_reader *reader, size_t len)
{
    invariant(len <= reader->capacity - reader->len);
    reader->len += len;
}

enum err frame_reader_feed(struct frame_reader *reader, struct slice *bytes)
{
    while (bytes->len > 0 && !(reader->data != NULL && reader->len == reader->size)) {
        size_t part = 0;
        enum err rc = ERR_OK;

        if (reader->data == NULL) {
            reader->size_bytes[reader->size_len++] = bytes->data[0];
            part = 1;
            if (reader->size_len == sizeof(reader->size_bytes))
                rc = begin(reader);
        } else {
            if (reader->len == reader->capacity)
                rc = grow(reader);
            part = reader->capacity - reader->len;
            part = part < bytes->len ? part : bytes->len;
            if (rc == ERR_OK)
                memcpy(reader->data + reader->len, bytes->data, part);
            reader->len += part;
        }
        if (rc != ERR_OK)
            return rc;
        bytes->data += part;
        bytes->len -= part;
    }
    return ERR_OK;
}

bool frame_reader_take(struct frame_reader *reader, struct frame *ret_frame)
{
    if (reader->data == NULL || reader->len < reader->size)
        return false;
    *ret_frame = (struct frame){reader->data, reader->size};
    reader->data = NULL;
    reader->size_len = 0;
    return true;
}

bool frame_reader_is_partial(const struct frame_reader *reader)
{
    return reader->size_len > 0;
}
