/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire/reader.h"

#include <arpa/inet.h>
#include <endian.h>

void reader_init(struct reader *reader, struct slice bytes)
{
    reader->at = bytes.data ? bytes.data : (const uint8_t *)"";
    reader->end = reader->at + bytes.len;
    reader->err = ERR_OK;
}

size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

void reader_fail(struct reader *reader, enum err err)
{
    if (reader->err == ERR_OK)
        reader->err = err;
}

/* True = size bytes are there and were copied. */
static bool take(struct reader *reader, void *data, size_t size)
{
    if (reader->err != ERR_OK)
        return false;
    if (reader_left(reader) < size) {
        reader->err = ERR_TRUNCATED;
        return false;
    }
    memcpy(data, reader->at, size);
    reader->at += size;
    return true;
}

bool reader_bool(struct reader *reader)
{
    return reader_i8(reader) != 0;
}

int8_t reader_i8(struct reader *reader)
{
    int8_t value = 0;

    return take(reader, &value, sizeof(value)) ? value : (int8_t)0;
}

uint16_t reader_u16(struct reader *reader)
{
    uint16_t raw = 0;

    return take(reader, &raw, sizeof(raw)) ? ntohs(raw) : (uint16_t)0;
}

int16_t reader_i16(struct reader *reader)
{
    return (int16_t)reader_u16(reader);
}

uint32_t reader_u32(struct reader *reader)
{
    uint32_t raw = 0;

    return take(reader, &raw, sizeof(raw)) ? ntohl(raw) : 0;
}

int32_t reader_i32(struct reader *reader)
{
    return (int32_t)reader_u32(reader);
}

int64_t reader_i64(struct reader *reader)
{
    uint64_t raw = 0;

    return take(reader, &raw, sizeof(raw)) ? (int64_t)be64toh(raw) : 0;
}

double reader_f64(struct reader *reader)
{
    int64_t bits = reader_i64(reader);
    double value = 0;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t read_groups(struct reader *reader, int max_bits)
{
    uint64_t value = 0;

    for (int shift = 0; shift < max_bits; shift += 7) {
        uint8_t byte = 0;

        if (!take(reader, &byte, 1))
            return 0;
        /* The last group may only hold the bits that are left. */
        if (max_bits - shift < 7 && (byte >> (max_bits - shift)) != 0)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    reader_fail(reader, ERR_INVALID);
    return 0;
}

uint32_t reader_uvarint(struct reader *reader)
{
    return (uint32_t)read_groups(reader, 32);
}

int32_t reader_varint(struct reader *reader)
{
    uint32_t raw = reader_uvarint(reader);

    return (int32_t)((raw >> 1) ^ (0u - (raw & 1)));
}

int64_t reader_varlong(struct reader *reader)
{
    uint64_t raw = read_groups(reader, 64);

    return (int64_t)((raw >> 1) ^ (0u - (raw & 1)));
}

struct slice reader_bytes(struct reader *reader, size_t len)
{
    struct slice bytes = SLICE_NULL;

    if (reader->err != ERR_OK)
        return SLICE_NULL;
    if (reader_left(reader) < len) {
        reader->err = ERR_TRUNCATED;
        return SLICE_NULL;
    }
    bytes = slice_of(reader->at, len);
    reader->at += len;
    return bytes;
}

void reader_skip(struct reader *reader, size_t len)
{
    (void)reader_bytes(reader, len);
}
