/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/cleaner/batch_cleaning.h"

#include "common/wire/writer.h"
#include "dataplane/storage/record_stream.h"

/* What one walk over a batch's records found. */
struct survey {
    int32_t kept;
    bool has_tombstone; /* among those */
    int64_t max_timestamp;
};

void batch_cleaning_init(struct batch_cleaning *cleaning)
{
    buffer_init(&cleaning->plain, RECORD_BATCH_UNPACKED_MAX_BYTES);
    buffer_init(&cleaning->kept, RECORD_BATCH_UNPACKED_MAX_BYTES);
    buffer_init(&cleaning->record, RECORD_BATCH_UNPACKED_MAX_BYTES);
}

void batch_cleaning_done(struct batch_cleaning *cleaning)
{
    offset_map_done(&cleaning->map);
    producer_ends_done(&cleaning->producers);
    buffer_done(&cleaning->plain);
    buffer_done(&cleaning->kept);
    buffer_done(&cleaning->record);
}

/* Its CRC is right and it was checked when it was appended: anything else is damage. */
static enum err damage_of(enum err rc)
{
    return rc == ERR_OK || rc == ERR_NO_MEMORY ? rc : ERR_CORRUPT;
}

static enum err unpack(struct batch_cleaning *cleaning, const struct record_batch *batch,
                       struct slice bytes, struct record_stream *ret_stream)
{
    enum err rc = ERR_OK;

    buffer_clear(&cleaning->plain);
    rc = record_batch_unpack(batch, bytes, &cleaning->plain);
    if (rc == ERR_OK)
        rc = record_stream_init(ret_stream, COMPRESSION_NONE, buffer_slice(&cleaning->plain),
                                RECORD_STREAM_MAX_BYTES);
    return damage_of(rc);
}

static enum err next_record(struct record_stream *stream, const struct record_batch *batch,
                            struct record_view *ret_record)
{
    enum err rc = record_stream_next(stream, ret_record);

    if (rc == ERR_OK &&
        (ret_record->offset_delta < 0 || ret_record->offset_delta > batch->last_offset_delta))
        rc = ERR_CORRUPT;
    return damage_of(rc);
}

enum err batch_cleaning_note(struct batch_cleaning *cleaning, const struct record_batch *batch,
                             struct slice bytes, int64_t from, int64_t *ret_end)
{
    int64_t end = record_batch_next_offset(batch);
    struct record_stream stream;
    enum err rc = ERR_OK;

    *ret_end = end;
    if (batch->record_count == 0 || (batch->attributes & RECORD_BATCH_CONTROL) != 0)
        return ERR_OK;
    rc = unpack(cleaning, batch, bytes, &stream);
    if (rc != ERR_OK)
        return rc;
    for (int32_t i = 0; rc == ERR_OK && i < batch->record_count; i++) {
        struct record_view record;
        int64_t offset = 0;

        rc = next_record(&stream, batch, &record);
        if (rc != ERR_OK)
            break;
        offset = batch->base_offset + record.offset_delta;
        if (offset < from || record.key_len < 0)
            continue;
        if (!offset_map_put(&cleaning->map, record.key, offset)) {
            end = offset;
            break;
        }
    }
    record_stream_done(&stream);
    *ret_end = end;
    return rc;
}

/* --- what stays ---
 *
 * The records are walked twice: an uncompressed stream owns nothing, a copy of it begins anew. */

static bool is_past_horizon(const struct batch_cleaning *cleaning, const struct record_batch *batch)
{
    return (batch->attributes & RECORD_BATCH_DELETE_HORIZON) != 0 &&
           batch->base_timestamp <= cleaning->now_ms;
}

static bool stays(const struct batch_cleaning *cleaning, const struct record_batch *batch,
                  const struct record_view *record)
{
    int64_t offset = batch->base_offset + record->offset_delta;
    int64_t newest = 0;

    if (offset >= cleaning->map_end)
        return true;
    if (record->key_len < 0)
        return false;
    newest = offset_map_find(&cleaning->map, record->key);
    if (cleaning->is_newest_dropped && newest >= 0)
        return offset < newest;
    return offset >= newest && (record->value_len >= 0 || !is_past_horizon(cleaning, batch));
}

static enum err take_survey(const struct batch_cleaning *cleaning, const struct record_batch *batch,
                            struct record_stream stream, struct survey *ret_survey)
{
    enum err rc = ERR_OK;

    *ret_survey = (struct survey){0, false, -1};
    for (int32_t i = 0; rc == ERR_OK && i < batch->record_count; i++) {
        struct record_view record;
        int64_t timestamp = 0;

        rc = next_record(&stream, batch, &record);
        if (rc != ERR_OK || !stays(cleaning, batch, &record))
            continue;
        timestamp = record_batch_timestamp(batch, record.timestamp_delta);
        ret_survey->kept++;
        ret_survey->has_tombstone |= record.value_len < 0;
        if (timestamp > ret_survey->max_timestamp)
            ret_survey->max_timestamp = timestamp;
    }
    return rc;
}

/* --- writing it --- */

static void write_bytes(struct writer *writer, int32_t len, struct slice bytes)
{
    writer_varint(writer, len);
    if (len > 0)
        writer_slice(writer, bytes);
}

static enum err write_record(struct batch_cleaning *cleaning, const struct record_view *record,
                             int64_t timestamp_delta)
{
    struct writer body;
    struct writer all;

    buffer_clear(&cleaning->record);
    writer_init(&body, &cleaning->record);
    writer_i8(&body, 0); /* attributes: unused */
    writer_varlong(&body, timestamp_delta);
    writer_varint(&body, record->offset_delta);
    write_bytes(&body, record->key_len, record->key);
    write_bytes(&body, record->value_len, record->value);
    writer_varint(&body, record->header_count);
    writer_slice(&body, record->headers);
    writer_init(&all, &cleaning->kept);
    writer_varint(&all, (int32_t)cleaning->record.len);
    writer_slice(&all, buffer_slice(&cleaning->record));
    return body.err != ERR_OK ? body.err : all.err;
}

/* Timestamps stay what they are; deltas are against the new header's base. */
static enum err write_records(struct batch_cleaning *cleaning, const struct record_batch *batch,
                              const struct record_batch *fresh, struct record_stream stream)
{
    uint64_t shift = (uint64_t)batch->base_timestamp - (uint64_t)fresh->base_timestamp;
    enum err rc = ERR_OK;

    buffer_clear(&cleaning->kept);
    for (int32_t i = 0; rc == ERR_OK && i < batch->record_count; i++) {
        struct record_view record;

        rc = next_record(&stream, batch, &record);
        if (rc == ERR_OK && stays(cleaning, batch, &record))
            rc = write_record(cleaning, &record,
                              (int64_t)((uint64_t)record.timestamp_delta + shift));
    }
    return damage_of(rc);
}

static int64_t horizon_from(const struct batch_cleaning *cleaning)
{
    int64_t horizon = 0;

    return __builtin_add_overflow(cleaning->now_ms, cleaning->delete_retention_ms, &horizon)
               ? INT64_MAX
               : horizon;
}

static enum err write_anew(struct batch_cleaning *cleaning, const struct record_batch *batch,
                           const struct survey *survey, struct record_stream stream,
                           struct buffer *out, struct record_batch *ret_batch)
{
    struct record_batch fresh = *batch;
    enum err rc = ERR_OK;

    fresh.record_count = survey->kept;
    if (survey->has_tombstone && (batch->attributes & RECORD_BATCH_DELETE_HORIZON) == 0) {
        fresh.attributes |= RECORD_BATCH_DELETE_HORIZON;
        fresh.base_timestamp = horizon_from(cleaning);
    }
    if ((batch->attributes & RECORD_BATCH_LOG_APPEND_TIME) == 0)
        fresh.max_timestamp = survey->max_timestamp;
    rc = write_records(cleaning, batch, &fresh, stream);
    if (rc == ERR_OK)
        rc = record_batch_pack(&fresh,
                               cleaning->codec >= 0 ? cleaning->codec : record_batch_codec(batch),
                               buffer_slice(&cleaning->kept), out);
    *ret_batch = fresh;
    return damage_of(rc);
}

static enum err keep_as_is(const struct record_batch *batch, struct slice bytes, struct buffer *out,
                           struct record_batch *ret_batch)
{
    *ret_batch = *batch;
    return buffer_append_slice(out, bytes);
}

static enum err keep_emptied(const struct batch_cleaning *cleaning,
                             const struct record_batch *batch, struct buffer *out,
                             struct record_batch *ret_batch, bool *ret_is_gone)
{
    *ret_is_gone = !producer_ends_has(&cleaning->producers, batch);
    if (*ret_is_gone)
        return ERR_OK;
    *ret_batch = *batch;
    ret_batch->attributes &= ~RECORD_BATCH_DELETE_HORIZON;
    ret_batch->base_timestamp = -1;
    ret_batch->max_timestamp = -1;
    ret_batch->record_count = 0;
    return record_batch_pack(ret_batch, COMPRESSION_NONE, SLICE_NULL, out);
}

enum err batch_cleaning_run(struct batch_cleaning *cleaning, const struct record_batch *batch,
                            struct slice bytes, struct buffer *out, struct record_batch *ret_batch,
                            bool *ret_is_gone)
{
    struct record_stream stream;
    struct survey survey;
    enum err rc = ERR_OK;

    *ret_is_gone = false;
    if ((batch->attributes & RECORD_BATCH_CONTROL) != 0)
        return keep_as_is(batch, bytes, out, ret_batch);
    if (batch->record_count == 0)
        return keep_emptied(cleaning, batch, out, ret_batch, ret_is_gone);
    rc = unpack(cleaning, batch, bytes, &stream);
    if (rc != ERR_OK)
        return rc;
    rc = take_survey(cleaning, batch, stream, &survey);
    if (rc != ERR_OK)
        return rc;
    if (survey.kept == 0)
        return keep_emptied(cleaning, batch, out, ret_batch, ret_is_gone);
    if (survey.kept == batch->record_count &&
        (!survey.has_tombstone || (batch->attributes & RECORD_BATCH_DELETE_HORIZON) != 0))
        return keep_as_is(batch, bytes, out, ret_batch);
    return write_anew(cleaning, batch, &survey, stream, out, ret_batch);
}
