/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences count from 0 to 2^31 - 1 and begin again at 0. */
#include "dataplane/storage/producer_state.h"

#include <stdlib.h>

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define SNAPSHOT_MAGIC 0x4d525053 /* "MRPS" */
#define SNAPSHOT_VERSION 1
#define ENTRY_MIN_BYTES 20

void producer_state_init(struct producer_state *state, struct hash_seed seed)
{
    hash_table_init(&state->table, seed);
    list_init(&state->by_age);
}

static uint64_t hash_of(const struct producer_state *state, int64_t producer_id)
{
    return hash_bytes(state->table.seed, &producer_id, sizeof(producer_id));
}

static bool has_id(const struct hash_node *node, const void *key)
{
    return container_of(node, const struct producer_entry, node)->producer_id ==
           *(const int64_t *)key;
}

static struct producer_entry *find(const struct producer_state *state, int64_t producer_id)
{
    struct hash_node *node =
        hash_table_find(&state->table, hash_of(state, producer_id), has_id, &producer_id);

    return node == NULL ? NULL : container_of(node, struct producer_entry, node);
}

static void drop(struct producer_state *state, struct producer_entry *entry)
{
    hash_table_remove(&state->table, &entry->node);
    list_remove(&entry->by_age);
    free(entry);
}

void producer_state_done(struct producer_state *state)
{
    list_for_each(&state->by_age, node)
        drop(state, container_of(node, struct producer_entry, by_age));
    hash_table_done(&state->table);
}

void producer_state_move(struct producer_state *to, struct producer_state *from)
{
    to->table = from->table;
    list_init(&to->by_age);
    list_splice_back(&to->by_age, &from->by_age);
    producer_state_init(from, to->table.seed);
}

static int32_t sequence_after(int32_t sequence)
{
    return sequence == INT32_MAX ? 0 : sequence + 1;
}

static int32_t last_sequence_of(const struct record_batch *batch)
{
    int64_t last = (int64_t)batch->base_sequence + batch->last_offset_delta;

    return (int32_t)(last > INT32_MAX ? last - INT32_MAX - 1 : last);
}

enum producer_verdict producer_state_check(const struct producer_state *state,
                                           const struct record_batch *batch,
                                           struct producer_batch *ret_batch)
{
    const struct producer_entry *entry = find(state, batch->producer_id);
    int32_t last_sequence = last_sequence_of(batch);

    if (entry == NULL)
        return PRODUCER_ACCEPTED;
    if (batch->producer_epoch < entry->epoch)
        return PRODUCER_FENCED;
    if (batch->producer_epoch > entry->epoch)
        return batch->base_sequence == 0 ? PRODUCER_ACCEPTED : PRODUCER_OUT_OF_ORDER;
    for (int i = 0; i < entry->batch_count; i++) {
        const struct producer_batch *seen = &entry->batches[i];

        if (seen->first_sequence == batch->base_sequence && seen->last_sequence == last_sequence) {
            *ret_batch = *seen;
            return PRODUCER_DUPLICATE;
        }
    }
    if (entry->batch_count == 0)
        return PRODUCER_ACCEPTED;
    return batch->base_sequence ==
                   sequence_after(entry->batches[entry->batch_count - 1].last_sequence)
               ? PRODUCER_ACCEPTED
               : PRODUCER_OUT_OF_ORDER;
}

static struct producer_entry *add(struct producer_state *state, int64_t producer_id)
{
    struct producer_entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL)
        return NULL;
    entry->producer_id = producer_id;
    list_init(&entry->by_age);
    if (hash_table_insert(&state->table, hash_of(state, producer_id), &entry->node) != ERR_OK) {
        free(entry);
        return NULL;
    }
    list_push_back(&state->by_age, &entry->by_age);
    return entry;
}

static void copy_numbers(struct producer_entry *to, const struct producer_entry *from)
{
    to->last_write_ms = from->last_write_ms;
    to->epoch = from->epoch;
    to->batch_count = from->batch_count;
    memcpy(to->batches, from->batches, sizeof(to->batches));
}

static void remember(struct producer_entry *entry, const struct record_batch *batch)
{
    bool is_append_time = (batch->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0;

    if (batch->producer_epoch != entry->epoch)
        entry->batch_count = 0;
    entry->epoch = batch->producer_epoch;
    if (entry->batch_count == PRODUCER_BATCHES) {
        memmove(&entry->batches[0], &entry->batches[1],
                (PRODUCER_BATCHES - 1) * sizeof(entry->batches[0]));
        entry->batch_count--;
    }
    entry->batches[entry->batch_count++] = (struct producer_batch){
        .first_sequence = batch->base_sequence,
        .last_sequence = last_sequence_of(batch),
        .base_offset = batch->base_offset,
        .last_offset = record_batch_last_offset(batch),
        .append_time_ms = is_append_time ? batch->max_timestamp : -1,
    };
}

enum err producer_state_append(struct producer_state *state, const struct record_batch *batch,
                               int64_t now_ms, struct producer_undo *ret_undo)
{
    struct producer_entry *entry = find(state, batch->producer_id);

    if (ret_undo != NULL) {
        *ret_undo = (struct producer_undo){batch->producer_id, entry != NULL, {.epoch = 0}};
        if (entry != NULL)
            copy_numbers(&ret_undo->before, entry);
    }
    if (entry == NULL) {
        if (state->table.count >= PRODUCER_STATE_MAX)
            drop(state, container_of(state->by_age.next, struct producer_entry, by_age));
        entry = add(state, batch->producer_id);
    }
    if (entry == NULL)
        return ERR_NO_MEMORY;
    remember(entry, batch);
    entry->last_write_ms = now_ms;
    list_remove(&entry->by_age);
    list_push_back(&state->by_age, &entry->by_age);
    return ERR_OK;
}

void producer_state_revert(struct producer_state *state, const struct producer_undo *undo)
{
    struct producer_entry *entry = find(state, undo->producer_id);

    if (entry == NULL)
        return;
    if (undo->was_there)
        copy_numbers(entry, &undo->before);
    else
        drop(state, entry);
}

void producer_state_expire(struct producer_state *state, int64_t now_ms)
{
    list_for_each(&state->by_age, node)
    {
        struct producer_entry *entry = container_of(node, struct producer_entry, by_age);

        if (now_ms - entry->last_write_ms < PRODUCER_EXPIRATION_MS)
            return;
        drop(state, entry);
    }
}

/* magic, version, offset, count, entries, CRC-32C of all before. */
enum err producer_state_save(const struct producer_state *state, int64_t offset, struct buffer *out)
{
    struct writer writer;

    writer_init(&writer, out);
    writer_u32(&writer, SNAPSHOT_MAGIC);
    writer_i32(&writer, SNAPSHOT_VERSION);
    writer_i64(&writer, offset);
    writer_i32(&writer, (int32_t)state->table.count);
    list_for_each(&state->by_age, node)
    {
        const struct producer_entry *entry =
            container_of(node, const struct producer_entry, by_age);

        writer_i64(&writer, entry->producer_id);
        writer_i64(&writer, entry->last_write_ms);
        writer_i16(&writer, entry->epoch);
        writer_i16(&writer, entry->batch_count);
        for (int i = 0; i < entry->batch_count; i++) {
            writer_i32(&writer, entry->batches[i].first_sequence);
            writer_i32(&writer, entry->batches[i].last_sequence);
            writer_i64(&writer, entry->batches[i].base_offset);
            writer_i64(&writer, entry->batches[i].last_offset);
            writer_i64(&writer, entry->batches[i].append_time_ms);
        }
    }
    if (writer.err == ERR_OK)
        writer_u32(&writer, crc32c(out->data, out->len));
    return writer.err;
}

static void load_entry(struct producer_state *state, struct reader *reader)
{
    int64_t producer_id = reader_i64(reader);
    struct producer_entry *entry = NULL;

    if (reader->err != ERR_OK || find(state, producer_id) != NULL) {
        reader_fail(reader, ERR_CORRUPT);
        return;
    }
    entry = add(state, producer_id);
    if (entry == NULL) {
        reader_fail(reader, ERR_NO_MEMORY);
        return;
    }
    entry->last_write_ms = reader_i64(reader);
    entry->epoch = reader_i16(reader);
    entry->batch_count = reader_i16(reader);
    if (entry->last_write_ms < 0 || entry->batch_count < 0 ||
        entry->batch_count > PRODUCER_BATCHES) {
        entry->batch_count = 0;
        reader_fail(reader, ERR_CORRUPT);
    }
    for (int i = 0; i < entry->batch_count; i++) {
        entry->batches[i].first_sequence = reader_i32(reader);
        entry->batches[i].last_sequence = reader_i32(reader);
        entry->batches[i].base_offset = reader_i64(reader);
        entry->batches[i].last_offset = reader_i64(reader);
        entry->batches[i].append_time_ms = reader_i64(reader);
    }
}

enum err producer_state_load(struct producer_state *state, struct slice bytes, int64_t *ret_offset)
{
    struct reader reader;
    struct reader tail;
    int64_t offset = 0;
    int32_t version = 0;
    int32_t count = 0;

    if (bytes.len < sizeof(uint32_t))
        return ERR_CORRUPT;
    bytes.len -= sizeof(uint32_t);
    reader_init(&tail, slice_of(bytes.data + bytes.len, sizeof(uint32_t)));
    reader_init(&reader, bytes);
    if (reader_u32(&tail) != crc32c(bytes.data, bytes.len) || reader_u32(&reader) != SNAPSHOT_MAGIC)
        return ERR_CORRUPT;
    version = reader_i32(&reader);
    if (reader.err == ERR_OK && version != SNAPSHOT_VERSION)
        return ERR_UNSUPPORTED;
    offset = reader_i64(&reader);
    count = reader_i32(&reader);
    if (count < 0 || (size_t)count > reader_left(&reader) / ENTRY_MIN_BYTES)
        reader_fail(&reader, ERR_CORRUPT);
    for (int32_t i = 0; i < count && reader.err == ERR_OK; i++)
        load_entry(state, &reader);
    if (reader.err == ERR_OK && reader_left(&reader) != 0)
        reader_fail(&reader, ERR_CORRUPT);
    if (reader.err != ERR_OK) {
        list_for_each(&state->by_age, node)
            drop(state, container_of(node, struct producer_entry, by_age));
        return reader.err == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_CORRUPT;
    }
    *ret_offset = offset;
    return ERR_OK;
}
