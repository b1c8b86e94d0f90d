/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire/writer.h"

#include <arpa/inet.h>
#include <endian.h>

void writer_init(struct writer *writer, struct buffer *buffer)
{
    writer->buffer = buffer;
    writer->err = ERR_OK;
}

void writer_fail(struct writer *writer, enum err err)
{
    if (writer->err == ERR_OK)
        writer->err = err;
}

void writer_bytes(struct writer *writer, const void *data, size_t len)
{
    if (writer->err == ERR_OK)
        writer->err = buffer_append(writer->buffer, data, len);
}

void writer_slice(struct writer *writer, struct slice bytes)
{
    writer_bytes(writer, bytes.data, bytes.len);
}

void writer_bool(struct writer *writer, bool value)
{
    writer_i8(writer, value ? 1 : 0);
}

void writer_i8(struct writer *writer, int8_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

void writer_u16(struct writer *writer, uint16_t value)
{
    uint16_t raw = htons(value);

    writer_bytes(writer, &raw, sizeof(raw));
}

void writer_i16(struct writer *writer, int16_t value)
{
    writer_u16(writer, (uint16_t)value);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    uint32_t raw = htonl(value);

    writer_bytes(writer, &raw, sizeof(raw));
}

void writer_i32(struct writer *writer, int32_t value)
{
    writer_u32(writer, (uint32_t)value);
}

void writer_i64(struct writer *writer, int64_t value)
{
    uint64_t raw = htobe64((uint64_t)value);

    writer_bytes(writer, &raw, sizeof(raw));
}

void writer_f64(struct writer *writer, double value)
{
    int64_t bits = 0;

    memcpy(&bits, &value, sizeof(bits));
    writer_i64(writer, bits);
}

static void write_groups(struct writer *writer, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    writer_bytes(writer, bytes, len);
}

void writer_uvarint(struct writer *writer, uint32_t value)
{
    write_groups(writer, value);
}

void writer_varint(struct writer *writer, int32_t value)
{
    write_groups(writer, ((uint32_t)value << 1) ^ (value < 0 ? UINT32_MAX : 0));
}

void writer_varlong(struct writer *writer, int64_t value)
{
    write_groups(writer, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

size_t writer_position(const struct writer *writer)
{
    return writer->buffer->len;
}

void writer_patch_i32(struct writer *writer, size_t position, int32_t value)
{
    uint32_t raw = htonl((uint32_t)value);

    if (writer->err != ERR_OK)
        return;
    invariant(position + sizeof(raw) <= writer->buffer->len);
    memcpy(writer->buffer->data + position, &raw, sizeof(raw));
}

size_t uvarint_size(uint32_t value)
{
    size_t size = 1;

    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}
