/* SPDX-License-Identifier: Apache-2.0 */
/* Every change goes one way: encode an entry, apply the entry, as at start. So what memory holds is what
 * a restart would find. */
#include "dataplane/storage/catalogue.h"

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "dataplane/storage/catalogue_internal.h"

#define ENTRY_FRAME_BYTES 8 /* length and CRC */
#define ENTRY_MIN_BYTES 9   /* durable_below and type */

enum err catalogue_append_entry(struct buffer *out, int64_t durable_below, int type,
                                struct slice payload)
{
    struct writer writer;
    size_t start = out->len;

    writer_init(&writer, out);
    writer_u32(&writer, (uint32_t)(ENTRY_MIN_BYTES + payload.len));
    writer_u32(&writer, 0);
    writer_i64(&writer, durable_below);
    writer_i8(&writer, (int8_t)type);
    writer_slice(&writer, payload);
    if (writer.err != ERR_OK) {
        out->len = start;
        return writer.err;
    }
    writer_patch_i32(&writer, start + 4,
                     (int32_t)crc32c(out->data + start + ENTRY_FRAME_BYTES,
                                     out->len - start - ENTRY_FRAME_BYTES));
    return ERR_OK;
}

bool catalogue_read_entry(struct slice bytes, struct entry_view *ret_entry)
{
    struct reader reader;
    uint32_t len = 0;
    uint32_t crc = 0;
    struct slice body;

    reader_init(&reader, bytes);
    len = reader_u32(&reader);
    crc = reader_u32(&reader);
    if (reader.err != ERR_OK || len < ENTRY_MIN_BYTES || len > ENTRY_MAX_BYTES)
        return false;
    body = reader_bytes(&reader, len);
    if (reader.err != ERR_OK || crc32c(body.data, body.len) != crc)
        return false;
    reader_init(&reader, body);
    ret_entry->durable_below = reader_i64(&reader);
    ret_entry->type = reader_i8(&reader);
    ret_entry->payload = reader_bytes(&reader, reader_left(&reader));
    ret_entry->size_bytes = ENTRY_FRAME_BYTES + len;
    return true;
}

/* Encodes, applies, collects. */
static enum err change(struct catalogue *catalogue, enum entry_type type,
                       const struct buffer *payload)
{
    size_t before = catalogue->pending.len;
    enum err rc = catalogue_append_entry(&catalogue->pending, catalogue->durable_bytes, (int)type,
                                         buffer_slice(payload));

    if (rc == ERR_OK)
        rc = catalogue_apply(catalogue, (int)type, buffer_slice(payload));
    if (rc != ERR_OK)
        catalogue->pending.len = before;
    return rc;
}

static void write_identity(struct writer *writer, const struct log_identity *id)
{
    writer_bytes(writer, id->topic_id.bytes, sizeof(id->topic_id.bytes));
    writer_i32(writer, id->partition);
}

static void write_segment(struct writer *writer, const struct segment_fact *segment)
{
    writer_i64(writer, segment->base_offset);
    writer_i64(writer, segment->end_offset);
    writer_i64(writer, segment->size_bytes);
    writer_i64(writer, segment->max_timestamp);
    writer_i32(writer, segment->generation);
}

static enum err change_if_whole(struct catalogue *catalogue, enum entry_type type,
                                const struct writer *writer)
{
    return writer->err == ERR_OK ? change(catalogue, type, writer->buffer) : writer->err;
}

static void start_payload(struct writer *writer, struct catalogue *catalogue,
                          const struct log_identity *id)
{
    buffer_clear(&catalogue->payload);
    writer_init(writer, &catalogue->payload);
    if (id != NULL)
        write_identity(writer, id);
}

enum err catalogue_add_log(struct catalogue *catalogue, const struct log_identity *id)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    return change_if_whole(catalogue, ENTRY_LOG_ADDED, &writer);
}

enum err catalogue_remove_log(struct catalogue *catalogue, const struct log_identity *id)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    return change_if_whole(catalogue, ENTRY_LOG_REMOVED, &writer);
}

enum err catalogue_set_log_start(struct catalogue *catalogue, const struct log_identity *id,
                                 log_offset log_start)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    writer_i64(&writer, log_start);
    return change_if_whole(catalogue, ENTRY_LOG_START, &writer);
}

enum err catalogue_add_epoch(struct catalogue *catalogue, const struct log_identity *id,
                             struct epoch_entry epoch)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    writer_i32(&writer, epoch.epoch);
    writer_i64(&writer, epoch.start);
    return change_if_whole(catalogue, ENTRY_EPOCH, &writer);
}

enum err catalogue_add_segment(struct catalogue *catalogue, const struct log_identity *id,
                               const struct segment_fact *segment)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    write_segment(&writer, segment);
    return change_if_whole(catalogue, ENTRY_SEGMENT, &writer);
}

enum err catalogue_replace_segments(struct catalogue *catalogue, const struct log_identity *id,
                                    const struct segment_fact *segment)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    write_segment(&writer, segment);
    return change_if_whole(catalogue, ENTRY_SEGMENTS_REPLACED, &writer);
}

enum err catalogue_set_cleaned(struct catalogue *catalogue, const struct log_identity *id,
                               log_offset cleaned_end)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    writer_i64(&writer, cleaned_end);
    return change_if_whole(catalogue, ENTRY_CLEANED, &writer);
}

enum err catalogue_set_flushed(struct catalogue *catalogue, const struct log_identity *id,
                               const struct segment_fact *flushed)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    write_segment(&writer, flushed);
    return change_if_whole(catalogue, ENTRY_FLUSHED, &writer);
}

enum err catalogue_set_producers(struct catalogue *catalogue, const struct log_identity *id,
                                 const struct producers_fact *producers)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    writer_i64(&writer, producers->offset);
    writer_i64(&writer, producers->segment);
    writer_i64(&writer, producers->position);
    writer_i32(&writer, producers->count);
    return change_if_whole(catalogue, ENTRY_PRODUCERS, &writer);
}

enum err catalogue_isolate_log(struct catalogue *catalogue, const struct log_identity *id)
{
    struct writer writer;

    start_payload(&writer, catalogue, id);
    return change_if_whole(catalogue, ENTRY_LOG_ISOLATED, &writer);
}

enum err catalogue_set_producer_ids(struct catalogue *catalogue, int64_t registration,
                                    int64_t counter)
{
    struct writer writer;

    start_payload(&writer, catalogue, NULL);
    writer_i64(&writer, registration);
    writer_i64(&writer, counter);
    return change_if_whole(catalogue, ENTRY_PRODUCER_IDS, &writer);
}

enum err catalogue_set_wal_floor(struct catalogue *catalogue, enum wal_stream stream, int64_t lsn)
{
    enum entry_type type = stream == WAL_SYNCED ? ENTRY_WAL_FLOOR : ENTRY_WAL_OS_FLOOR;
    struct writer writer;

    start_payload(&writer, catalogue, NULL);
    writer_i64(&writer, lsn);
    return change_if_whole(catalogue, type, &writer);
}

enum err catalogue_mark(struct catalogue *catalogue, bool is_clean)
{
    struct writer writer;

    start_payload(&writer, catalogue, NULL);
    return change_if_whole(catalogue, is_clean ? ENTRY_CLEAN : ENTRY_OPENED, &writer);
}

bool catalogue_was_clean(const struct catalogue *catalogue)
{
    return catalogue->is_clean;
}

int64_t catalogue_wal_floor(const struct catalogue *catalogue, enum wal_stream stream)
{
    return catalogue->wal_floors[stream];
}

int64_t catalogue_producer_registration(const struct catalogue *catalogue)
{
    return catalogue->registration;
}

int64_t catalogue_producer_counter(const struct catalogue *catalogue)
{
    return catalogue->counter;
}

const struct log_facts *catalogue_find(const struct catalogue *catalogue,
                                       const struct log_identity *id)
{
    return catalogue_find_facts(catalogue, id);
}

const struct log_facts *catalogue_next(const struct catalogue *catalogue,
                                       const struct log_facts *facts)
{
    struct hash_node *node = hash_table_next(&catalogue->logs, facts != NULL ? &facts->node : NULL);

    return node == NULL ? NULL : container_of(node, const struct log_facts, node);
}
