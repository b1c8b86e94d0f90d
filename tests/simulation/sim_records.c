/* SPDX-License-Identifier: Apache-2.0 */
/* Written from the layout in kafka-protocol.md 3.1, apart from the code under test. */
#include "tests/simulation/sim_records.h"

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#include <stdlib.h>

enum { HEADER = 61, CRC_AT = 17, CRC_FROM = 21, LAST_OFFSET_DELTA_AT = 23, MAX_RECORD = 1 << 20 };

static void write_number(struct writer *writer, int64_t number, int32_t padding)
{
    writer_i64(writer, number);
    for (int32_t i = 0; i < padding; i++)
        writer_i8(writer, (int8_t)(number + i));
}

static void write_record(struct writer *writer, const struct sim_batch *batch, int32_t index)
{
    struct buffer body;
    struct writer record;
    int64_t number = batch->first_number + index;
    bool is_tombstone = batch->tombstone_every > 0 && number % batch->tombstone_every == 0;

    buffer_init(&body, MAX_RECORD);
    writer_init(&record, &body);
    writer_i8(&record, 0);
    writer_varlong(&record, 0);
    writer_varint(&record, index);
    writer_varint(&record, batch->key_count > 0 ? 4 : -1);
    if (batch->key_count > 0)
        writer_i32(&record, (int32_t)(number % batch->key_count));
    writer_varint(&record, is_tombstone ? -1 : 8 + batch->padding);
    if (!is_tombstone)
        write_number(&record, number, batch->padding);
    writer_varint(&record, is_tombstone ? 1 : 0);
    if (is_tombstone) {
        writer_varint(&record, 0);
        writer_varint(&record, 8 + batch->padding);
        write_number(&record, number, batch->padding);
    }
    writer_varint(writer, (int32_t)body.len);
    writer_slice(writer, buffer_slice(&body));
    invariant(record.err == ERR_OK);
    buffer_done(&body);
}

void sim_batch_write(const struct sim_batch *batch, struct buffer *buffer)
{
    size_t start = buffer->len;
    struct writer writer;

    writer_init(&writer, buffer);
    writer_i64(&writer, 0);
    writer_i32(&writer, 0);  /* length, below */
    writer_i32(&writer, -1); /* leader epoch */
    writer_i8(&writer, 2);
    writer_i32(&writer, 0); /* CRC, below */
    writer_i16(&writer, 0);
    writer_i32(&writer, batch->count - 1);
    writer_i64(&writer, batch->timestamp_ms);
    writer_i64(&writer, batch->timestamp_ms);
    writer_i64(&writer, batch->producer_id);
    writer_i16(&writer, batch->producer_id < 0 ? -1 : batch->producer_epoch);
    writer_i32(&writer, batch->producer_id < 0 ? -1 : batch->base_sequence);
    writer_i32(&writer, batch->count);
    for (int32_t i = 0; i < batch->count; i++)
        write_record(&writer, batch, i);
    writer_patch_i32(&writer, start + 8, (int32_t)(buffer->len - start - 12));
    writer_patch_i32(
        &writer, start + CRC_AT,
        (int32_t)crc32c(buffer->data + start + CRC_FROM, buffer->len - start - CRC_FROM));
    invariant(writer.err == ERR_OK);
}

/* To the number: in the value, or in the header of a tombstone. */
static void skip_key(struct reader *record)
{
    int32_t key_len = reader_varint(record);
    int32_t value_len = 0;

    invariant(key_len == -1 || key_len == 4);
    reader_skip(record, key_len == 4 ? 4 : 0);
    value_len = reader_varint(record);
    if (value_len == -1) {
        invariant(reader_varint(record) == 1);
        invariant(reader_varint(record) == 0);
        value_len = reader_varint(record);
    }
    invariant(value_len >= 8);
}

static void read_batch(struct slice batch, int64_t base_offset,
                       void (*each)(void *context, int64_t offset, int64_t number), void *context)
{
    struct reader reader;
    uint32_t crc = 0;
    int32_t count = 0;

    reader_init(&reader, batch);
    reader_skip(&reader, CRC_AT);
    crc = reader_u32(&reader);
    invariant(crc == crc32c(batch.data + CRC_FROM, batch.len - CRC_FROM));
    reader_skip(&reader, HEADER - CRC_FROM - 4);
    count = reader_i32(&reader);
    for (int32_t i = 0; i < count; i++) {
        struct reader record;
        int32_t delta = 0;

        reader_init(&record, reader_bytes(&reader, (size_t)reader_varint(&reader)));
        reader_i8(&record);
        reader_varlong(&record);
        delta = reader_varint(&record);
        skip_key(&record);
        each(context, base_offset + delta, reader_i64(&record));
        invariant(record.err == ERR_OK);
    }
    invariant(reader.err == ERR_OK && reader_left(&reader) == 0);
}

void sim_records_read(struct slice records,
                      void (*each)(void *context, int64_t offset, int64_t number), void *context)
{
    while (records.len > 0) {
        struct reader reader;
        int64_t base_offset = 0;
        size_t size = 0;

        invariant(records.len >= HEADER);
        reader_init(&reader, records);
        base_offset = reader_i64(&reader);
        size = 12 + (size_t)reader_u32(&reader);
        invariant(size <= records.len);
        read_batch(slice_of(records.data, size), base_offset, each, context);
        records.data += size;
        records.len -= size;
    }
}

int64_t sim_records_end(struct slice records)
{
    int64_t end = -1;

    while (records.len > 0) {
        struct reader reader;
        int64_t base_offset = 0;
        size_t size = 0;

        reader_init(&reader, records);
        base_offset = reader_i64(&reader);
        size = 12 + (size_t)reader_u32(&reader);
        reader_skip(&reader, LAST_OFFSET_DELTA_AT - 12);
        end = base_offset + reader_i32(&reader) + 1;
        invariant(reader.err == ERR_OK && size <= records.len);
        records.data += size;
        records.len -= size;
    }
    return end;
}
