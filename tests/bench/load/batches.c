/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/batches.h"

#include <err.h>
#include <time.h>

#include "common/base/buffer.h"
#include "common/wire/crc32c.h"
#include "common/wire/writer.h"
#include "dataplane/storage/record_batch.h"
#include "tests/bench/load/link.h"

#define BATCH_MAX_BYTES ((size_t)64 << 20)
#define CRC_AT 17
#define CRC_FROM 21
#define RANDOM_EVERY 4

/* --- building --- */

static size_t record_size(int value_bytes, int32_t offset_delta, struct buffer *scratch)
{
    struct writer writer;

    buffer_clear(scratch);
    writer_init(&writer, scratch);
    writer_i8(&writer, 0); /* attributes */
    writer_varlong(&writer, 0);
    writer_varint(&writer, offset_delta);
    writer_varint(&writer, -1); /* no key */
    writer_varint(&writer, value_bytes);
    return scratch->len + (size_t)value_bytes + 1; /* and no headers */
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void write_value(struct writer *writer, int bytes, uint64_t *random)
{
    for (int i = 0; i < bytes; i++) {
        bool is_random = i / 16 % RANDOM_EVERY == 0;
        uint8_t byte = (uint8_t)(is_random ? next_random(random) : (uint64_t)('a' + i % 16));

        writer_bytes(writer, &byte, 1);
    }
}

static void write_header(struct writer *writer, int32_t records)
{
    int64_t now_ms = (int64_t)time(NULL) * 1000;

    writer_i64(writer, 0);
    writer_i32(writer, 0); /* length, patched */
    writer_i32(writer, -1);
    writer_i8(writer, 2);
    writer_i32(writer, 0); /* CRC, patched */
    writer_i16(writer, 0);
    writer_i32(writer, records - 1);
    writer_i64(writer, now_ms);
    writer_i64(writer, now_ms);
    writer_i64(writer, -1);
    writer_i16(writer, -1);
    writer_i32(writer, -1);
    writer_i32(writer, records);
}

static void write_crc(uint8_t *batch, size_t len)
{
    uint32_t crc = __builtin_bswap32(crc32c(batch + CRC_FROM, len - CRC_FROM));

    memcpy(batch + CRC_AT, &crc, sizeof(crc));
}

struct slice batch_build(int record_bytes, int batch_bytes, int32_t *ret_records)
{
    struct buffer buffer, scratch;
    struct writer writer;
    uint64_t random = 88172645463325252;
    size_t room = (size_t)batch_bytes - RECORD_BATCH_HEADER_BYTES;
    size_t len = record_size(record_bytes, 0, (buffer_init(&scratch, 64), &scratch)) + 3;
    int32_t records = room > len ? (int32_t)(room / len) : 1;
    uint8_t *data = NULL;

    buffer_init(&buffer, BATCH_MAX_BYTES);
    writer_init(&writer, &buffer);
    write_header(&writer, records);
    for (int32_t i = 0; i < records; i++) {
        writer_varint(&writer, (int32_t)record_size(record_bytes, i, &scratch));
        writer_slice(&writer, buffer_slice(&scratch));
        write_value(&writer, record_bytes, &random);
        writer_varint(&writer, 0);
    }
    writer_patch_i32(&writer, 8, (int32_t)(writer_position(&writer) - RECORD_BATCH_LOG_OVERHEAD));
    if (writer.err != ERR_OK)
        errx(1, "a batch of %d bytes cannot be built", batch_bytes);
    buffer_done(&scratch);
    data = buffer_take(&buffer, &len);
    write_crc(data, len);
    *ret_records = records;
    return slice_of(data, len);
}

/* --- the time in it --- */

/* Where the value of the first record begins; 0 = nowhere. */
static size_t first_value_at(struct slice batch)
{
    size_t at = RECORD_BATCH_HEADER_BYTES;

    while (at < batch.len && (batch.data[at] & 0x80) != 0)
        at++;    /* its length */
    at += 1 + 4; /* attributes, time, offset, no key: a byte each */
    while (at < batch.len && (batch.data[at] & 0x80) != 0)
        at++;
    return at + 1 + sizeof(int64_t) <= batch.len ? at + 1 : 0;
}

void batch_stamp(uint8_t *batch, size_t len, int64_t time_ns)
{
    memcpy(batch + first_value_at(slice_of(batch, len)), &time_ns, sizeof(time_ns));
    write_crc(batch, len);
}

int64_t batch_stamped(struct slice batch)
{
    size_t at = first_value_at(batch);
    int64_t time_ns = -1;

    if (at > 0)
        memcpy(&time_ns, batch.data + at, sizeof(time_ns));
    return time_ns;
}

/* --- walking --- */

bool batch_walk_next(struct batch_walk *walk)
{
    struct record_batch batch;

    if (record_batch_parse(walk->left, &batch) != ERR_OK ||
        batch.size_bytes > (int64_t)walk->left.len)
        return false;
    walk->batch = slice_of(walk->left.data, (size_t)batch.size_bytes);
    walk->left =
        slice_of(walk->left.data + batch.size_bytes, walk->left.len - (size_t)batch.size_bytes);
    walk->next_offset = record_batch_next_offset(&batch);
    walk->records = batch.record_count;
    return true;
}
