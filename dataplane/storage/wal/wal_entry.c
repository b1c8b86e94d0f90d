/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal/wal_entry.h"

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define MAGIC 0x4d52574c /* "MRWL" */
#define VERSION 2
#define VERSION_MIN 1
#define FRAME_BYTES 8 /* length and CRC */
#define BODY_MIN_BYTES 9

/* --- the header of a file --- */

enum err wal_header_write(struct uuid directory_id, int64_t first_lsn, struct buffer *out)
{
    size_t start = out->len;
    struct writer writer;

    writer_init(&writer, out);
    writer_u32(&writer, MAGIC);
    writer_i32(&writer, VERSION);
    writer_bytes(&writer, directory_id.bytes, sizeof(directory_id.bytes));
    writer_i64(&writer, first_lsn);
    if (writer.err == ERR_OK)
        writer_u32(&writer, crc32c(out->data + start, out->len - start));
    return writer.err;
}

enum err wal_header_read(struct slice bytes, struct uuid directory_id, int64_t *ret_first_lsn)
{
    struct reader reader;
    struct slice uuid;
    uint32_t magic = 0;
    int32_t version = 0;

    if (bytes.len < WAL_HEADER_BYTES)
        return ERR_CORRUPT;
    reader_init(&reader, bytes);
    magic = reader_u32(&reader);
    version = reader_i32(&reader);
    uuid = reader_bytes(&reader, sizeof(directory_id.bytes));
    *ret_first_lsn = reader_i64(&reader);
    if (reader_u32(&reader) != crc32c(bytes.data, WAL_HEADER_BYTES - 4) || magic != MAGIC ||
        *ret_first_lsn < 0)
        return ERR_CORRUPT;
    if (version < VERSION_MIN || version > VERSION)
        return ERR_UNSUPPORTED;
    return memcmp(uuid.data, directory_id.bytes, uuid.len) == 0 ? ERR_OK : ERR_CORRUPT;
}

/* --- entries --- */

static uint32_t entry_crc(int64_t lsn, const uint8_t *body, size_t len)
{
    uint8_t seed[sizeof(uint64_t)];

    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)((uint64_t)lsn >> (8 * i));
    return crc32c_extend(crc32c(seed, sizeof(seed)), body, len);
}

struct entry_writer {
    struct writer writer;
    size_t start;
    int64_t lsn;
};

static void begin_entry(struct entry_writer *entry, int64_t lsn, int64_t synced_below,
                        enum wal_entry_type type, struct buffer *out)
{
    entry->start = out->len;
    entry->lsn = lsn;
    writer_init(&entry->writer, out);
    writer_u32(&entry->writer, 0);
    writer_u32(&entry->writer, 0);
    writer_i64(&entry->writer, synced_below);
    writer_i8(&entry->writer, (int8_t)type);
}

static enum err end_entry(struct entry_writer *entry)
{
    struct buffer *out = entry->writer.buffer;
    size_t body_len = out->len - entry->start - FRAME_BYTES;

    if (entry->writer.err == ERR_OK && body_len > WAL_ENTRY_MAX_BYTES)
        writer_fail(&entry->writer, ERR_TOO_LARGE);
    if (entry->writer.err != ERR_OK) {
        out->len = entry->start;
        return entry->writer.err;
    }
    writer_patch_i32(&entry->writer, entry->start, (int32_t)body_len);
    writer_patch_i32(
        &entry->writer, entry->start + 4,
        (int32_t)entry_crc(entry->lsn, out->data + entry->start + FRAME_BYTES, body_len));
    return ERR_OK;
}

static void write_identity(struct writer *writer, const struct log_identity *id)
{
    writer_bytes(writer, id->topic_id.bytes, sizeof(id->topic_id.bytes));
    writer_i32(writer, id->partition);
}

enum err wal_data_write(int64_t lsn, int64_t synced_below, const struct wal_data *data,
                        struct buffer *out)
{
    struct entry_writer entry;

    begin_entry(&entry, lsn, synced_below, WAL_DATA, out);
    write_identity(&entry.writer, &data->id);
    writer_i64(&entry.writer, data->base_offset);
    writer_i64(&entry.writer, data->position);
    writer_i64(&entry.writer, data->end_offset);
    writer_slice(&entry.writer, data->bytes);
    return end_entry(&entry);
}

enum err wal_note_write(int64_t lsn, int64_t synced_below, const struct wal_note *note,
                        struct buffer *out)
{
    struct entry_writer entry;

    begin_entry(&entry, lsn, synced_below, WAL_NOTE, out);
    write_identity(&entry.writer, &note->id);
    writer_i64(&entry.writer, note->flushed.base_offset);
    writer_i64(&entry.writer, note->flushed.end_offset);
    writer_i64(&entry.writer, note->flushed.size_bytes);
    writer_i64(&entry.writer, note->flushed.max_timestamp);
    writer_bool(&entry.writer, note->is_certain);
    return end_entry(&entry);
}

enum err wal_end_write(int64_t lsn, int64_t synced_below, int64_t next_lsn, struct buffer *out)
{
    struct entry_writer entry;

    begin_entry(&entry, lsn, synced_below, WAL_END, out);
    writer_i64(&entry.writer, next_lsn);
    return end_entry(&entry);
}

enum err wal_fill_write(int64_t lsn, int64_t synced_below, size_t size_bytes, struct buffer *out)
{
    size_t end = out->len + size_bytes;
    enum err rc = buffer_reserve(out, size_bytes);
    struct entry_writer entry;

    if (rc != ERR_OK)
        return rc;
    begin_entry(&entry, lsn, synced_below, WAL_FILL, out);
    writer_i32(&entry.writer, (int32_t)size_bytes);
    rc = end_entry(&entry);
    if (rc != ERR_OK)
        return rc;
    memset(out->data + out->len, 0, end - out->len);
    out->len = end;
    return ERR_OK;
}

static void read_identity(struct reader *reader, struct log_identity *id)
{
    struct slice uuid = reader_bytes(reader, sizeof(id->topic_id.bytes));

    if (reader->err == ERR_OK)
        memcpy(id->topic_id.bytes, uuid.data, uuid.len);
    id->partition = reader_i32(reader);
}

static void read_data(struct reader *reader, struct wal_data *data)
{
    read_identity(reader, &data->id);
    data->base_offset = reader_i64(reader);
    data->position = reader_i64(reader);
    data->end_offset = reader_i64(reader);
    data->bytes = reader_bytes(reader, reader_left(reader));
    if (data->position < 0 || data->base_offset < 0)
        reader_fail(reader, ERR_INVALID);
}

static void read_note(struct reader *reader, struct wal_note *note)
{
    read_identity(reader, &note->id);
    note->flushed.base_offset = reader_i64(reader);
    note->flushed.end_offset = reader_i64(reader);
    note->flushed.size_bytes = reader_i64(reader);
    note->flushed.max_timestamp = reader_i64(reader);
    note->is_certain = reader_bool(reader);
}

static size_t read_fill(struct reader *reader)
{
    int32_t size_bytes = reader_i32(reader);

    if (size_bytes < WAL_FILL_MIN_BYTES)
        reader_fail(reader, ERR_INVALID);
    return (size_t)size_bytes;
}

bool wal_entry_is_likely(struct slice bytes, int64_t lsn)
{
    struct reader reader;
    uint32_t len = 0;
    int64_t synced_below = 0;
    int8_t type = 0;

    reader_init(&reader, bytes);
    len = reader_u32(&reader);
    (void)reader_u32(&reader);
    synced_below = reader_i64(&reader);
    type = reader_i8(&reader);
    return reader.err == ERR_OK && len >= BODY_MIN_BYTES && len <= WAL_ENTRY_MAX_BYTES &&
           synced_below >= 0 && synced_below <= lsn && type >= WAL_DATA && type <= WAL_FILL;
}

bool wal_entry_read(struct slice bytes, int64_t lsn, struct wal_entry *ret_entry)
{
    struct reader reader;
    uint32_t len = 0;
    uint32_t crc = 0;
    struct slice body;

    *ret_entry = (struct wal_entry){.synced_below = -1};
    reader_init(&reader, bytes);
    len = reader_u32(&reader);
    crc = reader_u32(&reader);
    if (reader.err != ERR_OK || len < BODY_MIN_BYTES || len > WAL_ENTRY_MAX_BYTES)
        return false;
    body = reader_bytes(&reader, len);
    if (reader.err != ERR_OK || entry_crc(lsn, body.data, body.len) != crc)
        return false;
    reader_init(&reader, body);
    ret_entry->synced_below = reader_i64(&reader);
    ret_entry->type = (enum wal_entry_type)reader_i8(&reader);
    ret_entry->size_bytes = FRAME_BYTES + len;
    if (ret_entry->type == WAL_DATA)
        read_data(&reader, &ret_entry->data);
    else if (ret_entry->type == WAL_NOTE)
        read_note(&reader, &ret_entry->note);
    else if (ret_entry->type == WAL_END)
        ret_entry->next_lsn = reader_i64(&reader);
    else if (ret_entry->type == WAL_FILL)
        ret_entry->size_bytes = read_fill(&reader);
    return reader.err == ERR_OK && ret_entry->type >= WAL_DATA && ret_entry->type <= WAL_FILL;
}
