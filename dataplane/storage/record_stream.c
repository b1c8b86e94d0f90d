/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/record_stream.h"

#include <stdlib.h>

enum err record_stream_init(struct record_stream *stream, int codec, struct slice records,
                            size_t max_bytes)
{
    *stream = (struct record_stream){
        .at = records.data, .end = records.data + records.len, .shown_bytes = (int64_t)records.len};
    if (codec == COMPRESSION_NONE)
        return ERR_OK;
    stream->window = malloc(RECORD_STREAM_WINDOW_BYTES);
    if (stream->window == NULL)
        return ERR_NO_MEMORY;
    stream->at = stream->end = stream->window;
    stream->shown_bytes = 0;
    return decompressor_open(codec, records, max_bytes, &stream->decompressor);
}

void record_stream_done(struct record_stream *stream)
{
    decompressor_close(stream->decompressor);
    free(stream->window);
    *stream = (struct record_stream){.err = ERR_CLOSED};
}

static void fail(struct record_stream *stream, enum err err)
{
    if (stream->err == ERR_OK)
        stream->err = err;
}

/* True = there is at least one byte at `at`. */
static bool refill(struct record_stream *stream)
{
    size_t len = 0;
    enum err rc = ERR_OK;

    if (stream->at != stream->end)
        return true;
    if (stream->decompressor == NULL || stream->is_ended || stream->err != ERR_OK)
        return false;
    rc = decompressor_read(stream->decompressor, stream->window, RECORD_STREAM_WINDOW_BYTES, &len);
    if (rc != ERR_OK) {
        fail(stream, rc);
        return false;
    }
    stream->is_ended = len == 0;
    stream->at = stream->window;
    stream->end = stream->window + len;
    stream->shown_bytes += (int64_t)len;
    return len > 0;
}

static int64_t consumed_bytes(const struct record_stream *stream)
{
    return stream->shown_bytes - (stream->end - stream->at);
}

static uint8_t next_byte(struct record_stream *stream)
{
    if (stream->err != ERR_OK)
        return 0;
    if (!refill(stream)) {
        fail(stream, ERR_TRUNCATED);
        return 0;
    }
    return *stream->at++;
}

static int64_t signed_of(uint64_t zig_zag)
{
    return (int64_t)(zig_zag >> 1) ^ -(int64_t)(zig_zag & 1);
}

/* Any number, and all that can be wrong with one. */
static __attribute__((noinline)) int64_t next_long_number(struct record_stream *stream, int bits)
{
    uint64_t raw = 0;

    for (int shift = 0; shift < bits; shift += 7) {
        uint8_t byte = next_byte(stream);

        if (bits - shift < 7 && (byte & 0x7f) >> (bits - shift) != 0)
            break;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return signed_of(raw);
    }
    fail(stream, ERR_INVALID);
    return 0;
}

/* Zig-zag, 7-bit groups, at most 64 bits. Most have one byte or two, and lie there. */
static inline int64_t next_varlong(struct record_stream *stream, int bits)
{
    const uint8_t *at = stream->at;

    if (stream->end - at >= 2 && at[0] < 0x80) {
        stream->at = at + 1;
        return signed_of(at[0]);
    }
    if (stream->end - at >= 2 && at[1] < 0x80) {
        stream->at = at + 2;
        return signed_of((at[0] & 0x7fU) | (uint64_t)at[1] << 7);
    }
    return next_long_number(stream, bits);
}

static int32_t next_varint(struct record_stream *stream)
{
    return (int32_t)next_varlong(stream, 32);
}

static __attribute__((noinline)) void skip_windows(struct record_stream *stream, int64_t len)
{
    while (len > 0 && stream->err == ERR_OK) {
        int64_t part = 0;

        if (!refill(stream)) {
            fail(stream, ERR_TRUNCATED);
            return;
        }
        part = stream->end - stream->at < len ? stream->end - stream->at : len;
        stream->at += part;
        len -= part;
    }
}

/* Skips len bytes; ret_bytes is a view of them when they are uncompressed. Null (-1) has none. */
static inline void skip(struct record_stream *stream, int64_t len, struct slice *ret_bytes)
{
    if (len > stream->end - stream->at) {
        skip_windows(stream, len);
    } else if (len >= 0) {
        if (stream->decompressor == NULL)
            *ret_bytes = slice_of(stream->at, (size_t)len);
        stream->at += len;
    }
}

/* A length within what is left of the record; -1 = null where that may be. */
static int32_t next_len(struct record_stream *stream, int64_t record_end, bool may_be_null)
{
    int32_t len = next_varint(stream);

    if (len < (may_be_null ? -1 : 0) || len > record_end - consumed_bytes(stream))
        fail(stream, ERR_INVALID);
    return stream->err == ERR_OK ? len : 0;
}

static void skip_headers(struct record_stream *stream, int64_t record_end,
                         struct record_view *record)
{
    const uint8_t *start = stream->at;
    struct slice ignored = SLICE_NULL;

    record->header_count = next_varint(stream);
    if (record->header_count < 0 || record->header_count > record_end - consumed_bytes(stream))
        fail(stream, ERR_INVALID);
    if (stream->decompressor == NULL)
        start = stream->at;
    for (int32_t i = 0; i < record->header_count && stream->err == ERR_OK; i++) {
        skip(stream, next_len(stream, record_end, false), &ignored);
        skip(stream, next_len(stream, record_end, true), &ignored);
    }
    if (stream->err == ERR_OK && stream->decompressor == NULL)
        record->headers = slice_of(start, (size_t)(stream->at - start));
}

enum err record_stream_next(struct record_stream *stream, struct record_view *ret_record)
{
    struct record_view record = {0};
    int32_t len = next_varint(stream);
    int64_t record_end = consumed_bytes(stream) + len;

    if (stream->err == ERR_OK && len < 0)
        fail(stream, ERR_INVALID);
    (void)next_byte(stream); /* attributes: unused, as Kafka ignores them */
    record.timestamp_delta = next_varlong(stream, 64);
    record.offset_delta = next_varint(stream);
    record.key_len = next_len(stream, record_end, true);
    skip(stream, record.key_len, &record.key);
    record.value_len = next_len(stream, record_end, true);
    skip(stream, record.value_len, &record.value);
    skip_headers(stream, record_end, &record);
    if (stream->err == ERR_OK && consumed_bytes(stream) != record_end)
        fail(stream, ERR_INVALID);
    if (stream->err != ERR_OK)
        return stream->err;
    *ret_record = record;
    return ERR_OK;
}

bool record_stream_is_at_end(struct record_stream *stream)
{
    return !refill(stream) && stream->err == ERR_OK;
}
