/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/offset_index.h"

#include <stdlib.h>

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define FILE_MAGIC 0x4d524f49 /* "MROI" */
#define FILE_VERSION 2        /* 1 had no interval */

void offset_index_init(struct offset_index *index, int32_t interval_bytes)
{
    *index = (struct offset_index){.interval_bytes = interval_bytes, .max_timestamp = -1};
}

void offset_index_done(struct offset_index *index)
{
    free(index->entries);
    offset_index_init(index, index->interval_bytes);
}

static bool reserve(struct offset_index *index, size_t count)
{
    size_t capacity = index->capacity == 0 ? 8 : index->capacity;
    struct offset_index_entry *entries = NULL;

    if (count <= index->capacity)
        return true;
    while (capacity < count)
        capacity *= 2;
    entries = realloc(index->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return false;
    index->entries = entries;
    index->capacity = capacity;
    return true;
}

void offset_index_copy(struct offset_index *copy, const struct offset_index *index)
{
    offset_index_init(copy, index->interval_bytes);
    if (!reserve(copy, index->count))
        return;
    if (index->count > 0)
        memcpy(copy->entries, index->entries, index->count * sizeof(index->entries[0]));
    copy->count = index->count;
    copy->covered_bytes = index->covered_bytes;
    copy->max_timestamp = index->max_timestamp;
}

void offset_index_add(struct offset_index *index, const struct record_batch *batch,
                      int64_t position)
{
    int64_t last = index->count == 0 ? 0 : index->entries[index->count - 1].position;

    if (position != index->covered_bytes)
        return;
    if (offset_index_wants(position, last, index->interval_bytes) &&
        reserve(index, index->count + 1))
        index->entries[index->count++] = (struct offset_index_entry){
            .offset = batch->base_offset,
            .position = position,
            .max_timestamp_before = index->max_timestamp,
        };
    index->covered_bytes = position + batch->size_bytes;
    if (batch->max_timestamp > index->max_timestamp)
        index->max_timestamp = batch->max_timestamp;
}

void offset_index_truncate(struct offset_index *index, int64_t size)
{
    if (size >= index->covered_bytes)
        return;
    while (index->count > 0 && index->entries[index->count - 1].position >= size)
        index->count--;
    /* Cover ends at an entry, where the maximum so far is known. */
    index->covered_bytes = index->count == 0 ? 0 : index->entries[index->count - 1].position;
    index->max_timestamp =
        index->count == 0 ? -1 : index->entries[index->count - 1].max_timestamp_before;
    if (index->count > 0)
        index->count--; /* is added again with its batch */
}

const struct offset_index_entry *offset_index_find_offset(const struct offset_index *index,
                                                          int64_t offset)
{
    size_t low = 0;
    size_t high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->entries[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : &index->entries[low - 1];
}

const struct offset_index_entry *offset_index_find_timestamp(const struct offset_index *index,
                                                             int64_t timestamp)
{
    size_t low = 0;
    size_t high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->entries[middle].max_timestamp_before < timestamp)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : &index->entries[low - 1];
}

enum err offset_index_save(const struct offset_index *index, int64_t base_offset,
                           struct buffer *out)
{
    struct writer writer;

    writer_init(&writer, out);
    writer_u32(&writer, FILE_MAGIC);
    writer_i32(&writer, FILE_VERSION);
    writer_i64(&writer, base_offset);
    writer_i32(&writer, index->interval_bytes);
    writer_i64(&writer, index->covered_bytes);
    writer_i64(&writer, index->max_timestamp);
    writer_i32(&writer, (int32_t)index->count);
    for (size_t i = 0; i < index->count; i++) {
        writer_i64(&writer, index->entries[i].offset);
        writer_i64(&writer, index->entries[i].position);
        writer_i64(&writer, index->entries[i].max_timestamp_before);
    }
    if (writer.err == ERR_OK)
        writer_u32(&writer, crc32c(out->data, out->len));
    return writer.err;
}

static void load_entries(struct offset_index *index, struct reader *reader, int32_t count)
{
    if (count < 0 || (size_t)count > reader_left(reader) / OFFSET_INDEX_ENTRY_BYTES) {
        reader_fail(reader, ERR_CORRUPT);
        return;
    }
    if (!reserve(index, (size_t)count)) {
        reader_fail(reader, ERR_NO_MEMORY);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        struct offset_index_entry *entry = &index->entries[index->count++];

        entry->offset = reader_i64(reader);
        entry->position = reader_i64(reader);
        entry->max_timestamp_before = reader_i64(reader);
        if (entry->position < 0 || entry->position >= index->covered_bytes)
            reader_fail(reader, ERR_CORRUPT);
    }
}

enum err offset_index_load(struct offset_index *index, struct slice bytes, int64_t base_offset,
                           int64_t segment_bytes)
{
    struct reader reader;
    struct reader tail;
    int32_t version = 0;
    int32_t interval_bytes = 0;

    if (bytes.len < sizeof(uint32_t))
        return ERR_CORRUPT;
    bytes.len -= sizeof(uint32_t);
    reader_init(&tail, slice_of(bytes.data + bytes.len, sizeof(uint32_t)));
    reader_init(&reader, bytes);
    if (reader_u32(&tail) != crc32c(bytes.data, bytes.len) || reader_u32(&reader) != FILE_MAGIC)
        return ERR_CORRUPT;
    version = reader_i32(&reader);
    if (reader.err == ERR_OK && version != FILE_VERSION)
        return ERR_UNSUPPORTED;
    if (reader_i64(&reader) != base_offset)
        reader_fail(&reader, ERR_CORRUPT);
    interval_bytes = reader_i32(&reader);
    index->covered_bytes = reader_i64(&reader);
    index->max_timestamp = reader_i64(&reader);
    if (index->covered_bytes != segment_bytes || interval_bytes < 0)
        reader_fail(&reader, ERR_CORRUPT);
    load_entries(index, &reader, reader_i32(&reader));
    if (reader.err == ERR_OK && reader_left(&reader) == 0) {
        index->interval_bytes = interval_bytes;
        return ERR_OK;
    }
    offset_index_done(index);
    return reader.err == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_CORRUPT;
}
