/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/frame_reader.h"

/* The first chunk holds a batch of the size that producers have by default, and what is around it. */
enum { FIRST_CHUNK = 20 * 1024, GROWTH = 4, DIRECT_MINIMUM = 16 * 1024, WHOLE_MAXIMUM = 2 << 20 };

void frame_reader_init(struct frame_reader *reader, struct memory_budget *budget,
                       struct memory_account *account, struct spare_pool *spares, size_t max_size)
{
    *reader = (struct frame_reader){
        .max_size = max_size, .budget = budget, .account = account, .spares = spares};
}

void frame_reader_done(struct frame_reader *reader)
{
    if (reader->data == NULL)
        return;
    memory_finished(reader->budget, &reader->is_finisher);
    memory_give(reader->budget, reader->account, reader->capacity);
    spare_pool_give(reader->spares, reader->data, reader->room);
    reader->data = NULL;
}

void frame_reader_set_account(struct frame_reader *reader, struct memory_account *account)
{
    invariant(reader->data == NULL);
    reader->account = account;
}

static uint32_t size_of(const struct frame_reader *reader)
{
    return (uint32_t)reader->size_bytes[0] << 24 | (uint32_t)reader->size_bytes[1] << 16 |
           (uint32_t)reader->size_bytes[2] << 8 | reader->size_bytes[3];
}

/* The size is known and good, and the first bytes are here. */
static enum err begin(struct frame_reader *reader)
{
    uint32_t size = size_of(reader);
    size_t capacity = size < FIRST_CHUNK ? size : FIRST_CHUNK;

    if (!memory_take(reader->budget, reader->account, capacity))
        return ERR_LIMIT;
    reader->data = spare_pool_take(reader->spares, capacity);
    if (reader->data == NULL) {
        memory_give(reader->budget, reader->account, capacity);
        return ERR_NO_MEMORY;
    }
    reader->size = size;
    reader->len = 0;
    reader->capacity = capacity;
    reader->room = capacity;
    return ERR_OK;
}

static enum err make_room(struct frame_reader *reader, size_t capacity)
{
    size_t room = reader->size <= WHOLE_MAXIMUM ? reader->size : capacity;
    uint8_t *data = NULL;

    if (capacity <= reader->room)
        return ERR_OK;
    data = spare_pool_resize(reader->spares, reader->data, reader->room, room);
    if (data == NULL)
        return ERR_NO_MEMORY;
    reader->data = data;
    reader->room = room;
    return ERR_OK;
}

static enum err grow(struct frame_reader *reader)
{
    size_t capacity =
        reader->capacity * GROWTH < reader->size ? reader->capacity * GROWTH : reader->size;
    size_t more = capacity - reader->capacity;
    enum err rc = ERR_OK;

    if (!memory_take_to_finish(reader->budget, reader->account, &reader->is_finisher, more))
        return ERR_LIMIT;
    rc = make_room(reader, capacity);
    if (rc == ERR_OK)
        reader->capacity = capacity;
    else
        memory_give(reader->budget, reader->account, more);
    return rc;
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

static enum err feed_size(struct frame_reader *reader, struct slice *bytes)
{
    reader->size_bytes[reader->size_len++] = bytes->data[0];
    bytes->data++;
    bytes->len--;
    if (reader->size_len < sizeof(reader->size_bytes))
        return ERR_OK;
    return size_of(reader) > INT32_MAX || size_of(reader) > reader->max_size ? ERR_TOO_LARGE
                                                                             : ERR_OK;
}

static enum err feed_body(struct frame_reader *reader, struct slice *bytes)
{
    size_t part = 0;

    if (reader->len == reader->capacity) {
        enum err rc = grow(reader);

        if (rc != ERR_OK)
            return rc;
    }
    part = reader->capacity - reader->len;
    part = part < bytes->len ? part : bytes->len;
    memcpy(reader->data + reader->len, bytes->data, part);
    reader->len += part;
    bytes->data += part;
    bytes->len -= part;
    return ERR_OK;
}

enum err frame_reader_feed(struct frame_reader *reader, struct slice *bytes)
{
    enum err rc = ERR_OK;

    while (rc == ERR_OK && !(reader->data != NULL && reader->len == reader->size)) {
        bool is_size_known = reader->size_len == sizeof(reader->size_bytes);

        if (bytes->len == 0 && !(is_size_known && size_of(reader) == 0))
            break;
        if (!is_size_known)
            rc = feed_size(reader, bytes);
        else if (reader->data == NULL)
            rc = begin(reader);
        else
            rc = feed_body(reader, bytes);
    }
    return rc;
}

bool frame_reader_take(struct frame_reader *reader, struct frame *ret_frame)
{
    if (reader->data == NULL || reader->len < reader->size)
        return false;
    *ret_frame = (struct frame){
        .data = reader->data,
        .len = reader->size,
        .account = reader->account,
        .spares = reader->spares,
        .is_finisher = reader->is_finisher,
    };
    reader->is_finisher = false;
    reader->data = NULL;
    reader->size_len = 0;
    return true;
}

bool frame_reader_is_partial(const struct frame_reader *reader)
{
    return reader->size_len > 0;
}

void frame_free(struct memory_budget *budget, struct frame *frame)
{
    if (frame->data == NULL)
        return;
    memory_finished(budget, &frame->is_finisher);
    memory_give(budget, frame->account, frame->len);
    spare_pool_give(frame->spares, frame->data, frame->len);
    frame->data = NULL;
}
