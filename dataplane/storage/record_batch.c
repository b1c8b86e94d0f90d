/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/record_batch.h"

#include <stdlib.h>

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "dataplane/storage/compression.h"
#include "dataplane/storage/record_stream.h"

#define LEADER_EPOCH_AT 12
#define CRC_AT 17
#define ATTRIBUTES_AT 21
#define MAX_TIMESTAMP_AT 35
#define MAGIC 2
#define ZSTD_MIN_PRODUCE_VERSION 7

enum err record_batch_parse(struct slice bytes, struct record_batch *ret_batch)
{
    struct record_batch batch = {0};
    struct reader reader;
    int32_t length = 0;
    int8_t magic = 0;

    reader_init(&reader, bytes);
    batch.base_offset = reader_i64(&reader);
    length = reader_i32(&reader);
    batch.leader_epoch = reader_i32(&reader);
    magic = reader_i8(&reader);
    if (reader.err == ERR_OK && magic != MAGIC)
        return magic == 0 || magic == 1 ? ERR_UNSUPPORTED : ERR_CORRUPT;
    batch.crc = reader_u32(&reader);
    batch.attributes = reader_i16(&reader);
    batch.last_offset_delta = reader_i32(&reader);
    batch.base_timestamp = reader_i64(&reader);
    batch.max_timestamp = reader_i64(&reader);
    batch.producer_id = reader_i64(&reader);
    batch.producer_epoch = reader_i16(&reader);
    batch.base_sequence = reader_i32(&reader);
    batch.record_count = reader_i32(&reader);
    if (reader.err != ERR_OK)
        return reader.err;
    if (length < RECORD_BATCH_HEADER_BYTES - RECORD_BATCH_LOG_OVERHEAD)
        return ERR_CORRUPT;
    batch.size_bytes = (int64_t)length + RECORD_BATCH_LOG_OVERHEAD;
    *ret_batch = batch;
    return ERR_OK;
}

bool record_batch_is_crc_right(const struct record_batch *batch, struct slice bytes)
{
    return (int64_t)bytes.len >= batch->size_bytes &&
           crc32c(bytes.data + ATTRIBUTES_AT, (size_t)batch->size_bytes - ATTRIBUTES_AT) ==
               batch->crc;
}

struct slice record_batch_records(const struct record_batch *batch, struct slice bytes)
{
    return slice_of(bytes.data + RECORD_BATCH_HEADER_BYTES,
                    (size_t)batch->size_bytes - RECORD_BATCH_HEADER_BYTES);
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

void record_batch_set_offset(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch)
{
    put(bytes, (uint64_t)base_offset, 8);
    put(bytes + LEADER_EPOCH_AT, (uint32_t)leader_epoch, 4);
}

static void update_crc(uint8_t *bytes, struct record_batch *batch)
{
    batch->crc = crc32c(bytes + ATTRIBUTES_AT, (size_t)batch->size_bytes - ATTRIBUTES_AT);
    put(bytes + CRC_AT, batch->crc, 4);
}

static bool refuse(struct record_batch_verdict *verdict, enum kafka_error error,
                   const char *message)
{
    *verdict = (struct record_batch_verdict){error, message, -1, false};
    return false;
}

static bool refuse_record(struct record_batch_verdict *verdict, enum kafka_error error,
                          int32_t index, const char *message)
{
    *verdict = (struct record_batch_verdict){error, message, index, false};
    return false;
}

/* One whole batch, neither more nor less, with an intact CRC. */
static bool check_frame(struct slice bytes, const struct record_batch_rules *rules,
                        struct record_batch *batch, struct record_batch_verdict *verdict)
{
    enum err rc = record_batch_parse(bytes, batch);

    if (bytes.len == 0)
        return refuse(verdict, KAFKA_INVALID_RECORD, "there is no record batch");
    if (rc == ERR_UNSUPPORTED)
        return refuse(verdict, KAFKA_INVALID_RECORD, "record batches must have magic 2");
    if (rc != ERR_OK)
        return refuse(verdict, KAFKA_CORRUPT_MESSAGE, "the record batch's header is damaged");
    if ((int64_t)bytes.len < batch->size_bytes)
        return refuse(verdict, KAFKA_CORRUPT_MESSAGE, "the record batch ends too early");
    if ((int64_t)bytes.len > batch->size_bytes)
        return refuse(verdict, KAFKA_INVALID_RECORD, "there must be exactly one record batch");
    if (batch->size_bytes > rules->max_message_bytes)
        return refuse(verdict, KAFKA_MESSAGE_TOO_LARGE,
                      "the record batch is over max.message.bytes");
    if (batch->size_bytes > rules->segment_bytes)
        return refuse(verdict, KAFKA_RECORD_LIST_TOO_LARGE,
                      "the record batch is over segment.bytes");
    if (!record_batch_is_crc_right(batch, bytes))
        return refuse(verdict, KAFKA_CORRUPT_MESSAGE, "the record batch's CRC is wrong");
    return true;
}

static bool check_header(const struct record_batch *batch, const struct record_batch_rules *rules,
                         struct record_batch_verdict *verdict)
{
    int codec = record_batch_codec(batch);

    if (batch->record_count <= 0 || batch->last_offset_delta != batch->record_count - 1)
        return refuse(verdict, KAFKA_INVALID_RECORD, "the record count and offsets do not agree");
    if (!rules->may_be_control && (batch->attributes & RECORD_BATCH_CONTROL) != 0)
        return refuse(verdict, KAFKA_INVALID_RECORD, "clients may not write control records");
    if (!rules->may_be_control && (batch->attributes & RECORD_BATCH_TRANSACTIONAL) != 0)
        return refuse(verdict, KAFKA_INVALID_TXN_STATE, "the partition is in no transaction");
    if ((batch->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0)
        return refuse(verdict, KAFKA_INVALID_TIMESTAMP, "clients may not set the append time");
    if ((batch->attributes & RECORD_BATCH_DELETE_HORIZON) != 0)
        return refuse(verdict, KAFKA_INVALID_RECORD, "clients may not set a delete horizon");
    if (batch->producer_id >= 0 && (batch->base_sequence < 0 || batch->producer_epoch < 0))
        return refuse(verdict, KAFKA_INVALID_RECORD, "a producer id needs an epoch and a sequence");
    if (codec > COMPRESSION_ZSTD)
        return refuse(verdict, KAFKA_UNSUPPORTED_COMPRESSION_TYPE, "the codec is unknown");
    if (codec == COMPRESSION_ZSTD && rules->produce_version < ZSTD_MIN_PRODUCE_VERSION)
        return refuse(verdict, KAFKA_UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7");
    return true;
}

static bool is_in_window(int64_t timestamp, const struct record_batch_rules *rules)
{
    int64_t earliest = INT64_MIN;
    int64_t latest = INT64_MAX;

    /* An overflow means no bound on that side. */
    if (__builtin_sub_overflow(rules->now_ms, rules->timestamp_before_max_ms, &earliest))
        earliest = INT64_MIN;
    if (__builtin_add_overflow(rules->now_ms, rules->timestamp_after_max_ms, &latest))
        latest = INT64_MAX;
    return timestamp == -1 || (timestamp >= earliest && timestamp <= latest);
}

static bool check_record(const struct record_batch *batch, const struct record_batch_rules *rules,
                         const struct record_view *record, int32_t index, int64_t *max_timestamp,
                         struct record_batch_verdict *verdict)
{
    int64_t timestamp = 0;

    if (record->offset_delta != index)
        return refuse_record(verdict, KAFKA_INVALID_RECORD, index,
                             "the offsets are not consecutive");
    if (rules->is_compacted && record->key_len < 0)
        return refuse_record(verdict, KAFKA_INVALID_RECORD, index,
                             "a compacted topic takes no record without a key");
    if (__builtin_add_overflow(batch->base_timestamp, record->timestamp_delta, &timestamp) ||
        (!rules->is_log_append_time && !is_in_window(timestamp, rules)))
        return refuse_record(
            verdict, KAFKA_INVALID_TIMESTAMP, index,
            "the timestamp is outside message.timestamp.before.max.ms or after.max.ms");
    if (timestamp > *max_timestamp)
        *max_timestamp = timestamp;
    return true;
}

static bool refuse_stream(struct record_batch_verdict *verdict, enum err err, int32_t index)
{
    if (err == ERR_CORRUPT)
        return refuse(verdict, KAFKA_CORRUPT_MESSAGE, "the records cannot be decompressed");
    if (err == ERR_TOO_LARGE) {
        (void)refuse(verdict, KAFKA_MESSAGE_TOO_LARGE, "the records decompress to too many bytes");
        verdict->is_unpacked_too_much = true;
        return false;
    }
    if (err == ERR_NO_MEMORY)
        return refuse(verdict, KAFKA_KAFKA_STORAGE_ERROR, "the broker is short of memory");
    return refuse_record(verdict, KAFKA_INVALID_RECORD, index, "the record is malformed");
}

static bool check_records(const struct record_batch *batch, struct slice bytes,
                          const struct record_batch_rules *rules, int64_t *ret_max_timestamp,
                          struct record_batch_verdict *verdict)
{
    struct record_stream stream;
    bool is_good = true;
    enum err rc = record_stream_init(&stream, record_batch_codec(batch),
                                     record_batch_records(batch, bytes), rules->max_unpacked_bytes);

    *ret_max_timestamp = -1;
    for (int32_t i = 0; rc == ERR_OK && is_good && i < batch->record_count; i++) {
        struct record_view record;

        rc = record_stream_next(&stream, &record);
        if (rc == ERR_OK)
            is_good = check_record(batch, rules, &record, i, ret_max_timestamp, verdict);
        else
            is_good = refuse_stream(verdict, rc, i);
    }
    if (is_good && rc != ERR_OK)
        is_good = refuse_stream(verdict, rc, -1);
    if (is_good && !record_stream_is_at_end(&stream))
        is_good = refuse(verdict, KAFKA_INVALID_RECORD, "bytes follow the last record");
    record_stream_done(&stream);
    return is_good;
}

/* What the broker knows better than the producer: the largest timestamp, or when it was appended. */
static void rewrite_timestamp(uint8_t *bytes, const struct record_batch_rules *rules,
                              int64_t max_timestamp, struct record_batch *batch)
{
    if (rules->is_log_append_time) {
        batch->attributes |= RECORD_BATCH_LOG_APPEND_TIME;
        max_timestamp = rules->now_ms;
    } else if (batch->max_timestamp == max_timestamp) {
        return;
    }
    batch->max_timestamp = max_timestamp;
    put(bytes + ATTRIBUTES_AT, (uint16_t)batch->attributes, 2);
    put(bytes + MAX_TIMESTAMP_AT, (uint64_t)max_timestamp, 8);
    update_crc(bytes, batch);
}

bool record_batch_validate(uint8_t *bytes, size_t len, const struct record_batch_rules *rules,
                           struct record_batch *ret_batch, struct record_batch_verdict *ret_verdict)
{
    struct slice view = slice_of(bytes, len);
    struct record_batch batch;
    int64_t max_timestamp = -1;

    *ret_verdict = (struct record_batch_verdict){KAFKA_NONE, NULL, -1, false};
    if (!check_frame(view, rules, &batch, ret_verdict) ||
        !check_header(&batch, rules, ret_verdict) ||
        !check_records(&batch, view, rules, &max_timestamp, ret_verdict))
        return false;
    rewrite_timestamp(bytes, rules, max_timestamp, &batch);
    *ret_batch = batch;
    return true;
}
