/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches, magic 2: the 61-byte header and the rules a client's batch must keep.
 *
 * On disk a batch is what it is on the wire. The CRC covers everything from the attributes on, so base
 * offset and leader epoch can be written without touching it. */
#ifndef DATAPLANE_STORAGE_RECORD_BATCH_H
#define DATAPLANE_STORAGE_RECORD_BATCH_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/kafka/kafka_error.h"

#define RECORD_BATCH_HEADER_BYTES 61
#define RECORD_BATCH_LOG_OVERHEAD 12 /* base offset and length */

#define RECORD_BATCH_CODEC_MASK 0x07
#define RECORD_BATCH_LOG_APPEND_TIME 0x08
#define RECORD_BATCH_TRANSACTIONAL 0x10
#define RECORD_BATCH_CONTROL 0x20
#define RECORD_BATCH_DELETE_HORIZON 0x40

/* The header in host order; records is a view of what follows it. */
struct record_batch {
    int64_t base_offset;
    int64_t size_bytes; /* all of it: 12 + the length field */
    int32_t leader_epoch;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};

static inline int64_t record_batch_last_offset(const struct record_batch *batch)
{
    return batch->base_offset + batch->last_offset_delta;
}

static inline int64_t record_batch_next_offset(const struct record_batch *batch)
{
    return record_batch_last_offset(batch) + 1;
}

static inline int record_batch_codec(const struct record_batch *batch)
{
    return batch->attributes & RECORD_BATCH_CODEC_MASK;
}

/* Stands for offsets that compaction left out; README.md. */
static inline bool record_batch_is_gap(const struct record_batch *batch)
{
    return batch->record_count == 0 && batch->producer_id < 0 &&
           batch->size_bytes == RECORD_BATCH_HEADER_BYTES;
}

/* Of a record with CreateTime. Deltas wrap around, as they do for Kafka's readers. */
static inline int64_t record_batch_timestamp(const struct record_batch *batch,
                                             int64_t timestamp_delta)
{
    return (int64_t)((uint64_t)batch->base_timestamp + (uint64_t)timestamp_delta);
}

/* Needs the first 61 bytes only. ERR_TRUNCATED: fewer; ERR_UNSUPPORTED: magic 0 or 1; ERR_CORRUPT: the
 * length or magic is none. */
enum err record_batch_parse(struct slice bytes, struct record_batch *ret_batch) WARN_UNUSED;
/* bytes: the whole batch, size_bytes of it. */
bool record_batch_is_crc_right(const struct record_batch *batch, struct slice bytes);
struct slice record_batch_records(const struct record_batch *batch, struct slice bytes);
void record_batch_set_offset(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch);

struct record_batch_rules {
    int64_t segment_bytes;
    int32_t max_message_bytes;
    size_t max_unpacked_bytes; /* of all records, decompressed */
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    int64_t now_ms;
    int16_t produce_version;
    bool is_log_append_time;
    bool is_compacted;   /* null keys are refused */
    bool may_be_control; /* of our own coordinators */
};

struct record_batch_verdict {
    enum kafka_error error;
    const char *message; /* static text; NULL when KAFKA_NONE */
    int32_t bad_record_index;
    bool is_unpacked_too_much; /* over max_unpacked_bytes: MESSAGE_TOO_LARGE */
};

/* Checks `bytes`, which should be exactly one batch, in Kafka's order; computes the largest timestamp
 * itself and writes it, or the append time, into the header (and then the CRC). True = good:
 * ret_batch is the header as it is now. */
bool record_batch_validate(uint8_t *bytes, size_t len, const struct record_batch_rules *rules,
                           struct record_batch *ret_batch,
                           struct record_batch_verdict *ret_verdict) WARN_UNUSED;

/* Enough for what record_batch_unpack gives at most. */
#define RECORD_BATCH_UNPACKED_MAX_BYTES (((size_t)128 << 20) + 16384)

/* Appends the records, uncompressed. The batch must be a valid one; bytes are all of it. ERR_TOO_LARGE,
 * ERR_NO_MEMORY, ERR_CORRUPT, ERR_TRUNCATED, ERR_UNSUPPORTED. */
enum err record_batch_unpack(const struct record_batch *batch, struct slice bytes,
                             struct buffer *out) WARN_UNUSED;
/* Appends a batch of these plain records. The header is as given, but for size, CRC and codec, which are
 * set in it. ERR_TOO_LARGE, ERR_NO_MEMORY: nothing is appended. */
enum err record_batch_pack(struct record_batch *batch, int codec, struct slice records,
                           struct buffer *out) WARN_UNUSED;
/* Appends a gap batch for [base_offset, end_offset), at most INT32_MAX offsets. */
enum err record_batch_write_gap(int64_t base_offset, int64_t end_offset, int32_t leader_epoch,
                                struct buffer *out) WARN_UNUSED;

/* Appends to `out` the same batch with another codec. The batch must be a valid one. ERR_TOO_LARGE over
 * the buffer's maximum, ERR_NO_MEMORY. */
enum err record_batch_recompress(struct slice bytes, int codec, struct buffer *out) WARN_UNUSED;

#endif
