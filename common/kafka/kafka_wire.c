/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka_wire.h"

#define NULL_LENGTH (-1)

/* n, or NULL_LENGTH; anything else that is negative or not allowed fails. */
static int64_t checked_length(struct reader *reader, bool nullable, int64_t length)
{
    if (reader->err != ERR_OK)
        return 0;
    if (length >= 0 || (length == NULL_LENGTH && nullable))
        return length;
    reader_fail(reader, ERR_INVALID);
    return 0;
}

static int64_t read_compact_length(struct reader *reader, bool nullable)
{
    return checked_length(reader, nullable, (int64_t)reader_uvarint(reader) - 1);
}

static struct slice read_view(struct reader *reader, int64_t length)
{
    return length == NULL_LENGTH ? SLICE_NULL : reader_bytes(reader, (size_t)length);
}

struct slice kafka_read_string(struct reader *reader, bool flexible, bool nullable)
{
    const int64_t length = flexible ? read_compact_length(reader, nullable)
                                    : checked_length(reader, nullable, reader_i16(reader));

    if (length > INT16_MAX) {
        reader_fail(reader, ERR_INVALID);
        return SLICE_NULL;
    }
    return read_view(reader, length);
}

struct slice kafka_read_bytes(struct reader *reader, bool flexible, bool nullable)
{
    return read_view(reader, flexible ? read_compact_length(reader, nullable)
                                      : checked_length(reader, nullable, reader_i32(reader)));
}

struct uuid kafka_read_uuid(struct reader *reader)
{
    struct uuid uuid = {{0}};
    const struct slice bytes = reader_bytes(reader, sizeof(uuid.bytes));

    if (reader->err == ERR_OK)
        memcpy(uuid.bytes, bytes.data, sizeof(uuid.bytes));
    return uuid;
}

void *kafka_read_array(struct reader *reader, struct arena *arena, bool flexible, bool nullable,
                       size_t min_element_bytes, size_t element_size, int32_t *ret_count)
{
    const int64_t count = flexible ? read_compact_length(reader, nullable)
                                   : checked_length(reader, nullable, reader_i32(reader));
    void *items = NULL;

    *ret_count = count == NULL_LENGTH ? NULL_LENGTH : 0;
    if (count <= 0)
        return NULL;
    if ((size_t)count > reader_left(reader) / min_element_bytes) {
        reader_fail(reader, ERR_TRUNCATED);
        return NULL;
    }
    items = arena_array(arena, (size_t)count, element_size);
    if (items == NULL) {
        reader_fail(reader, ERR_NO_MEMORY);
        return NULL;
    }
    *ret_count = (int32_t)count; /* a frame is shorter than 2 GiB, and so is what fits into it */
    return items;
}

struct kafka_i32_array kafka_read_i32_array(struct reader *reader, struct arena *arena,
                                            bool flexible, bool nullable)
{
    struct kafka_i32_array array = {NULL, 0};

    array.items = kafka_read_array(reader, arena, flexible, nullable, sizeof(int32_t),
                                   sizeof(*array.items), &array.count);
    for (int32_t i = 0; i < array.count; i++)
        array.items[i] = reader_i32(reader);
    return array;
}

struct kafka_string_array kafka_read_string_array(struct reader *reader, struct arena *arena,
                                                  bool flexible, bool nullable)
{
    struct kafka_string_array array = {NULL, 0};

    array.items = kafka_read_array(reader, arena, flexible, nullable,
                                   flexible ? sizeof(uint8_t) : sizeof(int16_t),
                                   sizeof(*array.items), &array.count);
    for (int32_t i = 0; i < array.count && reader->err == ERR_OK; i++)
        array.items[i] = kafka_read_string(reader, flexible, false);
    return array;
}

bool kafka_read_is_present(struct reader *reader)
{
    const int8_t mark = reader_i8(reader);

    if (reader->err != ERR_OK || mark == NULL_LENGTH)
        return false;
    if (mark != 1)
        reader_fail(reader, ERR_INVALID);
    return mark == 1;
}

struct kafka_tags kafka_read_tags(struct reader *reader)
{
    struct kafka_tags tags = {.left = reader_uvarint(reader), .last = -1};

    return tags;
}

bool kafka_tags_next(struct kafka_tags *tags, struct reader *reader)
{
    uint32_t size = 0;

    if (reader->err != ERR_OK || tags->left == 0)
        return false;
    tags->left--;
    tags->tag = reader_uvarint(reader);
    size = reader_uvarint(reader);
    if (reader->err == ERR_OK && (int64_t)tags->tag <= tags->last)
        reader_fail(reader, ERR_INVALID);
    tags->last = tags->tag;
    reader_init(&tags->value, reader_bytes(reader, size));
    return reader->err == ERR_OK;
}

void kafka_tags_read_done(struct kafka_tags *tags, struct reader *reader)
{
    if (tags->value.err != ERR_OK)
        reader_fail(reader, tags->value.err);
    else if (reader_left(&tags->value) != 0)
        reader_fail(reader, ERR_INVALID);
}

void kafka_skip_tags(struct reader *reader)
{
    struct kafka_tags tags = kafka_read_tags(reader);

    while (kafka_tags_next(&tags, reader))
        continue;
}

/* False when there is nothing more to write. */
static bool write_length(struct writer *writer, bool flexible, bool nullable, struct slice bytes)
{
    if (slice_is_null(bytes) && !nullable) {
        writer_fail(writer, ERR_INVALID);
        return false;
    }
    if (bytes.len >= INT32_MAX) {
        writer_fail(writer, ERR_TOO_LARGE);
        return false;
    }
    if (flexible)
        writer_uvarint(writer, slice_is_null(bytes) ? 0 : (uint32_t)bytes.len + 1);
    else
        writer_i32(writer, slice_is_null(bytes) ? NULL_LENGTH : (int32_t)bytes.len);
    return bytes.len > 0;
}

void kafka_write_string(struct writer *writer, bool flexible, bool nullable, struct slice string)
{
    if (string.len > INT16_MAX) {
        writer_fail(writer, ERR_TOO_LARGE);
        return;
    }
    if (flexible) {
        kafka_write_bytes(writer, true, nullable, string);
        return;
    }
    if (slice_is_null(string) && !nullable) {
        writer_fail(writer, ERR_INVALID);
        return;
    }
    writer_i16(writer, (int16_t)(slice_is_null(string) ? NULL_LENGTH : (int)string.len));
    if (string.len > 0)
        writer_slice(writer, string);
}

void kafka_write_bytes(struct writer *writer, bool flexible, bool nullable, struct slice bytes)
{
    if (write_length(writer, flexible, nullable, bytes))
        writer_slice(writer, bytes);
}

void kafka_write_bytes_cut(struct writer *writer, bool flexible, bool nullable, struct slice bytes,
                           struct kafka_cut_list *cuts)
{
    if (!write_length(writer, flexible, nullable, bytes))
        return;
    if (cuts == NULL || cuts->count == cuts->capacity || bytes.len < cuts->min_bytes) {
        writer_slice(writer, bytes);
        return;
    }
    cuts->items[cuts->count++] = (struct kafka_cut){writer_position(writer), bytes};
    cuts->total_bytes += bytes.len;
}

void kafka_write_uuid(struct writer *writer, struct uuid uuid)
{
    writer_bytes(writer, uuid.bytes, sizeof(uuid.bytes));
}

void kafka_write_array_count(struct writer *writer, bool flexible, bool nullable, int32_t count)
{
    if (count < NULL_LENGTH || (count == NULL_LENGTH && !nullable) || count == INT32_MAX) {
        writer_fail(writer, ERR_INVALID);
        return;
    }
    if (flexible)
        writer_uvarint(writer, (uint32_t)(count + 1));
    else
        writer_i32(writer, count);
}

void kafka_write_i32_array(struct writer *writer, bool flexible, bool nullable,
                           const struct kafka_i32_array *array)
{
    kafka_write_array_count(writer, flexible, nullable, array->count);
    for (int32_t i = 0; i < array->count; i++)
        writer_i32(writer, array->items[i]);
}

void kafka_write_string_array(struct writer *writer, bool flexible, bool nullable,
                              const struct kafka_string_array *array)
{
    kafka_write_array_count(writer, flexible, nullable, array->count);
    for (int32_t i = 0; i < array->count; i++)
        kafka_write_string(writer, flexible, false, array->items[i]);
}

void kafka_write_is_present(struct writer *writer, bool present)
{
    writer_i8(writer, present ? 1 : NULL_LENGTH);
}

size_t kafka_write_tag_begin(struct writer *writer, uint32_t tag)
{
    writer_uvarint(writer, tag);
    return writer_position(writer);
}

/* The size is known only now: writing it at the end makes the room, then the value moves up. */
void kafka_write_tag_end(struct writer *writer, size_t value_position)
{
    const size_t size = writer_position(writer) - value_position;
    uint8_t prefix[5];
    size_t prefix_len = 0;

    if (writer->err != ERR_OK)
        return;
    if (size > INT32_MAX) {
        writer_fail(writer, ERR_TOO_LARGE);
        return;
    }
    writer_uvarint(writer, (uint32_t)size);
    if (writer->err != ERR_OK)
        return;

    uint8_t *value = writer->buffer->data + value_position;
    prefix_len = uvarint_size((uint32_t)size);
    memcpy(prefix, value + size, prefix_len);
    memmove(value + prefix_len, value, size);
    memcpy(value, prefix, prefix_len);
}

enum err kafka_i32_array_init(struct kafka_i32_array *array, struct arena *arena, int32_t count)
{
    int32_t *items = NULL;

    if (count < 0)
        return ERR_INVALID;
    items = arena_array(arena, (size_t)count, sizeof(*items));
    if (items == NULL)
        return ERR_NO_MEMORY;
    array->items = items;
    array->count = count;
    return ERR_OK;
}

enum err kafka_string_array_init(struct kafka_string_array *array, struct arena *arena,
                                 int32_t count)
{
    struct slice *items = NULL;

    if (count < 0)
        return ERR_INVALID;
    items = arena_array(arena, (size_t)count, sizeof(*items));
    if (items == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < count; i++)
        items[i] = SLICE_LITERAL("");
    array->items = items;
    array->count = count;
    return ERR_OK;
}
