/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/coordinator/batch_builder.h"

#include "common/wire/crc32c.h"

enum {
    LENGTH_AT = 8,
    LENGTH_COUNTS_FROM = 12,
    MAGIC = 2,
    CRC_AT = 17,
    ATTRIBUTES_AT = 21, /* the CRC covers from here */
    LAST_OFFSET_DELTA_AT = 23,
    RECORD_COUNT_AT = 57
};

void batch_builder_begin(struct batch_builder *builder, struct buffer *buffer, int64_t timestamp_ms)
{
    struct writer *writer = &builder->writer;

    writer_init(writer, buffer);
    builder->start_at = writer_position(writer);
    builder->timestamp_ms = timestamp_ms;
    builder->record_count = 0;
    writer_i64(writer, 0);  /* base offset */
    writer_i32(writer, 0);  /* length */
    writer_i32(writer, -1); /* leader epoch */
    writer_i8(writer, MAGIC);
    writer_u32(writer, 0); /* CRC */
    writer_i16(writer, 0); /* attributes: uncompressed, CreateTime */
    writer_i32(writer, 0); /* last offset delta */
    writer_i64(writer, timestamp_ms);
    writer_i64(writer, timestamp_ms);
    writer_i64(writer, -1); /* producer id, epoch, sequence: none */
    writer_i16(writer, -1);
    writer_i32(writer, -1);
    writer_i32(writer, 0); /* record count */
}

static size_t varint_size(int64_t value)
{
    uint64_t zig_zag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t size = 1;

    for (; zig_zag >= 0x80; zig_zag >>= 7)
        size++;
    return size;
}

static size_t field_size(struct slice field)
{
    return slice_is_null(field) ? varint_size(-1) : varint_size((int64_t)field.len) + field.len;
}

static void write_field(struct writer *writer, struct slice field)
{
    writer_varint(writer, slice_is_null(field) ? -1 : (int32_t)field.len);
    if (!slice_is_null(field))
        writer_slice(writer, field);
}

void batch_builder_add(struct batch_builder *builder, struct slice key, struct slice value)
{
    struct writer *writer = &builder->writer;
    /* attributes, timestamp delta 0, offset delta, key, value, header count 0 */
    size_t len =
        1 + 1 + varint_size(builder->record_count) + field_size(key) + field_size(value) + 1;

    if (key.len > INT32_MAX || value.len > INT32_MAX || len > INT32_MAX) {
        writer_fail(writer, ERR_TOO_LARGE);
        return;
    }
    writer_varint(writer, (int32_t)len);
    writer_i8(writer, 0);
    writer_varlong(writer, 0);
    writer_varint(writer, builder->record_count);
    write_field(writer, key);
    write_field(writer, value);
    writer_varint(writer, 0);
    builder->record_count++;
}

enum err batch_builder_end(struct batch_builder *builder)
{
    struct writer *writer = &builder->writer;
    size_t start = builder->start_at;
    size_t len = writer_position(writer) - start;
    const uint8_t *bytes = NULL;

    if (builder->record_count == 0)
        writer_fail(writer, ERR_INVALID);
    if (len > INT32_MAX)
        writer_fail(writer, ERR_TOO_LARGE);
    if (writer->err != ERR_OK)
        return writer->err;
    writer_patch_i32(writer, start + LENGTH_AT, (int32_t)(len - LENGTH_COUNTS_FROM));
    writer_patch_i32(writer, start + LAST_OFFSET_DELTA_AT, builder->record_count - 1);
    writer_patch_i32(writer, start + RECORD_COUNT_AT, builder->record_count);
    bytes = writer->buffer->data + start;
    writer_patch_i32(writer, start + CRC_AT,
                     (int32_t)crc32c(bytes + ATTRIBUTES_AT, len - ATTRIBUTES_AT));
    return writer->err;
}
