/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of our own making: the same records with another codec, fewer records, or none. */
#include "common/wire/crc32c.h"
#include "common/wire/writer.h"
#include "dataplane/storage/compression.h"
#include "dataplane/storage/record_batch.h"
#include "dataplane/storage/record_stream.h"

#define LENGTH_AT 8
#define CRC_AT 17
#define ATTRIBUTES_AT 21
#define MAGIC 2

enum err record_batch_unpack(const struct record_batch *batch, struct slice bytes,
                             struct buffer *out)
{
    struct slice input = record_batch_records(batch, bytes);
    struct decompressor *decompressor = NULL;
    enum err rc = ERR_OK;
    size_t len = 1;

    if (record_batch_codec(batch) == COMPRESSION_NONE)
        return buffer_append_slice(out, input);
    rc =
        decompressor_open(record_batch_codec(batch), input, RECORD_STREAM_MAX_BYTES, &decompressor);
    while (rc == ERR_OK && len > 0) {
        rc = buffer_reserve(out, RECORD_STREAM_WINDOW_BYTES);
        if (rc == ERR_OK)
            rc = decompressor_read(decompressor, out->data + out->len, RECORD_STREAM_WINDOW_BYTES,
                                   &len);
        if (rc == ERR_OK)
            out->len += len;
    }
    decompressor_close(decompressor);
    return rc;
}

static void write_header(struct writer *writer, const struct record_batch *batch)
{
    writer_i64(writer, batch->base_offset);
    writer_i32(writer, 0); /* length, below */
    writer_i32(writer, batch->leader_epoch);
    writer_i8(writer, MAGIC);
    writer_i32(writer, 0); /* CRC, below */
    writer_i16(writer, batch->attributes);
    writer_i32(writer, batch->last_offset_delta);
    writer_i64(writer, batch->base_timestamp);
    writer_i64(writer, batch->max_timestamp);
    writer_i64(writer, batch->producer_id);
    writer_i16(writer, batch->producer_epoch);
    writer_i32(writer, batch->base_sequence);
    writer_i32(writer, batch->record_count);
}

enum err record_batch_pack(struct record_batch *batch, int codec, struct slice records,
                           struct buffer *out)
{
    size_t start = out->len;
    struct writer writer;
    enum err rc = ERR_OK;

    if (batch->record_count == 0)
        codec = COMPRESSION_NONE;
    batch->attributes = (int16_t)((batch->attributes & ~RECORD_BATCH_CODEC_MASK) | codec);
    writer_init(&writer, out);
    write_header(&writer, batch);
    rc = writer.err;
    if (rc == ERR_OK)
        rc = codec == COMPRESSION_NONE ? buffer_append_slice(out, records)
                                       : compress_records(codec, records, out);
    if (rc != ERR_OK) {
        out->len = start;
        return rc;
    }
    batch->size_bytes = (int64_t)(out->len - start);
    batch->crc = crc32c(out->data + start + ATTRIBUTES_AT, out->len - start - ATTRIBUTES_AT);
    writer_patch_i32(&writer, start + LENGTH_AT,
                     (int32_t)(batch->size_bytes - RECORD_BATCH_LOG_OVERHEAD));
    writer_patch_i32(&writer, start + CRC_AT, (int32_t)batch->crc);
    return ERR_OK;
}

enum err record_batch_recompress(struct slice bytes, int codec, struct buffer *out)
{
    struct record_batch batch;
    struct buffer plain;
    enum err rc = record_batch_parse(bytes, &batch);

    if (rc != ERR_OK)
        return rc;
    buffer_init(&plain, RECORD_BATCH_UNPACKED_MAX_BYTES);
    rc = record_batch_unpack(&batch, bytes, &plain);
    if (rc == ERR_OK)
        rc = record_batch_pack(&batch, codec, buffer_slice(&plain), out);
    buffer_done(&plain);
    return rc;
}

enum err record_batch_write_gap(int64_t base_offset, int64_t end_offset, int32_t leader_epoch,
                                struct buffer *out)
{
    struct record_batch gap = {
        .base_offset = base_offset,
        .leader_epoch = leader_epoch,
        .last_offset_delta = (int32_t)(end_offset - base_offset - 1),
        .base_timestamp = -1,
        .max_timestamp = -1,
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
    };

    return record_batch_pack(&gap, COMPRESSION_NONE, SLICE_NULL, out);
}
