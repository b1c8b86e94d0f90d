/* SPDX-License-Identifier: Apache-2.0 */
/* Every change goes one way: encode an entry, apply the entry, as at start. So what memory holds is what
 * a restart would find. */
#include "dataplane/storage/catalogue.h"

#include <stdlib.h>

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define FILE_NAME "catalogue"
#define FILE_MAGIC 0x4d52434c /* "MRCL" */
#define FILE_VERSION 1
#define FILE_HEADER_BYTES 28
#define FILE_MAX_BYTES ((size_t)1 << 30)
#define PENDING_MAX_BYTES ((size_t)64 << 20)
#define ENTRY_FRAME_BYTES 8 /* length and CRC */
#define ENTRY_MIN_BYTES 9   /* durable_below and type */
#define ENTRY_MAX_BYTES 256
#define COMPACT_MIN_BYTES ((int64_t)1 << 20)
#define COMPACT_FACTOR 4

enum entry_type {
    ENTRY_LOG_ADDED = 1,
    ENTRY_LOG_REMOVED = 2,
    ENTRY_LOG_START = 3,
    ENTRY_EPOCH = 4,
    ENTRY_SEGMENT = 5,
    ENTRY_FLUSHED = 6,
    ENTRY_PRODUCERS = 7,
    ENTRY_LOG_ISOLATED = 8,
    ENTRY_PRODUCER_IDS = 9,
    ENTRY_CLEAN = 10,
    ENTRY_OPENED = 11
};

struct catalogue {
    struct disk *disk;
    struct file *file;
    struct uuid directory_id;
    struct hash_table logs;
    struct buffer pending;
    int64_t file_bytes;
    int64_t durable_bytes;
    int64_t compact_at_bytes;
    int64_t registration;
    int64_t counter;
    bool is_clean;
};

/* --- facts --- */

static uint64_t hash_of(const struct catalogue *catalogue, const struct log_identity *id)
{
    return hash_bytes(catalogue->logs.seed, id, sizeof(*id));
}

static bool has_identity(const struct hash_node *node, const void *key)
{
    const struct log_identity *id = key;
    const struct log_facts *facts = container_of(node, const struct log_facts, node);

    return facts->id.partition == id->partition && uuid_equal(facts->id.topic_id, id->topic_id);
}

static struct log_facts *find(const struct catalogue *catalogue, const struct log_identity *id)
{
    struct hash_node *node =
        hash_table_find(&catalogue->logs, hash_of(catalogue, id), has_identity, id);

    return node == NULL ? NULL : container_of(node, struct log_facts, node);
}

static void facts_free(struct log_facts *facts)
{
    free(facts->segments);
    free(facts->epochs);
    free(facts);
}

static enum err apply_added(struct catalogue *catalogue, const struct log_identity *id)
{
    struct log_facts *facts = find(catalogue, id);
    enum err rc = ERR_OK;

    if (facts != NULL)
        return ERR_OK;
    facts = calloc(1, sizeof(*facts));
    if (facts == NULL)
        return ERR_NO_MEMORY;
    facts->id = *id;
    facts->producers_offset = -1;
    rc = hash_table_insert(&catalogue->logs, hash_of(catalogue, id), &facts->node);
    if (rc != ERR_OK)
        free(facts);
    return rc;
}

static void apply_removed(struct catalogue *catalogue, struct log_facts *facts)
{
    hash_table_remove(&catalogue->logs, &facts->node);
    facts_free(facts);
}

static enum err grow(void **array, int count, int *capacity, size_t element_bytes)
{
    int wanted = *capacity == 0 ? 4 : *capacity * 2;
    void *larger = NULL;

    if (count < *capacity)
        return ERR_OK;
    larger = realloc(*array, (size_t)wanted * element_bytes);
    if (larger == NULL)
        return ERR_NO_MEMORY;
    *array = larger;
    *capacity = wanted;
    return ERR_OK;
}

static enum err apply_epoch(struct log_facts *facts, struct epoch_entry epoch)
{
    enum err rc = ERR_OK;

    while (facts->epoch_count > 0 && facts->epochs[facts->epoch_count - 1].start >= epoch.start)
        facts->epoch_count--;
    rc = grow((void **)&facts->epochs, facts->epoch_count, &facts->epoch_capacity,
              sizeof(facts->epochs[0]));
    if (rc == ERR_OK)
        facts->epochs[facts->epoch_count++] = epoch;
    return rc;
}

static enum err apply_segment(struct log_facts *facts, const struct segment_fact *segment)
{
    enum err rc = ERR_OK;

    while (facts->segment_count > 0 &&
           facts->segments[facts->segment_count - 1].base_offset >= segment->base_offset)
        facts->segment_count--;
    rc = grow((void **)&facts->segments, facts->segment_count, &facts->segment_capacity,
              sizeof(facts->segments[0]));
    if (rc == ERR_OK)
        facts->segments[facts->segment_count++] = *segment;
    return rc;
}

/* What lies wholly below the log start is not needed any more. */
static void apply_log_start(struct log_facts *facts, log_offset log_start)
{
    int gone = 0;

    facts->log_start = log_start;
    while (gone < facts->segment_count && facts->segments[gone].end_offset <= log_start)
        gone++;
    facts->segment_count -= gone;
    if (gone > 0 && facts->segment_count > 0)
        memmove(facts->segments, facts->segments + gone,
                (size_t)facts->segment_count * sizeof(facts->segments[0]));
}

static struct log_identity read_identity(struct reader *reader)
{
    struct log_identity id = {.partition = 0};
    struct slice uuid = reader_bytes(reader, sizeof(id.topic_id.bytes));

    if (reader->err == ERR_OK)
        memcpy(id.topic_id.bytes, uuid.data, uuid.len);
    id.partition = reader_i32(reader);
    return id;
}

static struct segment_fact read_segment(struct reader *reader)
{
    struct segment_fact segment;

    segment.base_offset = reader_i64(reader);
    segment.end_offset = reader_i64(reader);
    segment.size_bytes = reader_i64(reader);
    segment.max_timestamp = reader_i64(reader);
    return segment;
}

static enum err apply_to_log(struct log_facts *facts, enum entry_type type, struct reader *reader)
{
    struct epoch_entry epoch;
    struct segment_fact segment;

    if (type == ENTRY_EPOCH) {
        epoch.epoch = reader_i32(reader);
        epoch.start = reader_i64(reader);
        return reader->err != ERR_OK ? reader->err : apply_epoch(facts, epoch);
    }
    if (type == ENTRY_SEGMENT || type == ENTRY_FLUSHED) {
        segment = read_segment(reader);
        if (reader->err == ERR_OK && type == ENTRY_SEGMENT)
            return apply_segment(facts, &segment);
        if (reader->err == ERR_OK)
            facts->flushed = segment;
        return reader->err;
    }
    if (type == ENTRY_PRODUCERS) {
        facts->producers_offset = reader_i64(reader);
        facts->producers_count = reader_i32(reader);
        return reader->err;
    }
    if (type == ENTRY_LOG_ISOLATED)
        facts->is_isolated = true;
    else
        apply_log_start(facts, reader_i64(reader));
    return reader->err;
}

static enum err apply_log_entry(struct catalogue *catalogue, enum entry_type type,
                                struct reader *reader)
{
    struct log_identity id = read_identity(reader);
    struct log_facts *facts = NULL;

    if (reader->err != ERR_OK)
        return reader->err;
    if (type == ENTRY_LOG_ADDED)
        return apply_added(catalogue, &id);
    facts = find(catalogue, &id);
    if (facts == NULL)
        return ERR_OK; /* removed meanwhile */
    if (type == ENTRY_LOG_REMOVED) {
        apply_removed(catalogue, facts);
        return ERR_OK;
    }
    return apply_to_log(facts, type, reader);
}

static enum err apply(struct catalogue *catalogue, int type, struct slice payload)
{
    struct reader reader;

    reader_init(&reader, payload);
    catalogue->is_clean = type == ENTRY_CLEAN;
    if (type >= ENTRY_LOG_ADDED && type <= ENTRY_LOG_ISOLATED)
        return apply_log_entry(catalogue, (enum entry_type)type, &reader);
    if (type == ENTRY_PRODUCER_IDS) {
        catalogue->registration = reader_i64(&reader);
        catalogue->counter = reader_i64(&reader);
        return reader.err;
    }
    return type == ENTRY_CLEAN || type == ENTRY_OPENED ? ERR_OK : ERR_UNSUPPORTED;
}

/* --- entries --- */

static enum err append_entry(struct buffer *out, int64_t durable_below, int type,
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

struct entry_view {
    int64_t durable_below;
    int type;
    struct slice payload;
    size_t size_bytes;
};

static bool read_entry(struct slice bytes, struct entry_view *ret_entry)
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
    enum err rc = append_entry(&catalogue->pending, catalogue->durable_bytes, (int)type,
                               buffer_slice(payload));

    if (rc == ERR_OK)
        rc = apply(catalogue, (int)type, buffer_slice(payload));
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
}

static enum err change_and_free(struct catalogue *catalogue, enum entry_type type,
                                struct writer *writer)
{
    enum err rc = writer->err;

    if (rc == ERR_OK)
        rc = change(catalogue, type, writer->buffer);
    buffer_done(writer->buffer);
    return rc;
}

static void start_payload(struct writer *writer, struct buffer *payload,
                          const struct log_identity *id)
{
    buffer_init(payload, ENTRY_MAX_BYTES);
    writer_init(writer, payload);
    if (id != NULL)
        write_identity(writer, id);
}

enum err catalogue_add_log(struct catalogue *catalogue, const struct log_identity *id)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    return change_and_free(catalogue, ENTRY_LOG_ADDED, &writer);
}

enum err catalogue_remove_log(struct catalogue *catalogue, const struct log_identity *id)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    return change_and_free(catalogue, ENTRY_LOG_REMOVED, &writer);
}

enum err catalogue_set_log_start(struct catalogue *catalogue, const struct log_identity *id,
                                 log_offset log_start)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    writer_i64(&writer, log_start);
    return change_and_free(catalogue, ENTRY_LOG_START, &writer);
}

enum err catalogue_add_epoch(struct catalogue *catalogue, const struct log_identity *id,
                             struct epoch_entry epoch)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    writer_i32(&writer, epoch.epoch);
    writer_i64(&writer, epoch.start);
    return change_and_free(catalogue, ENTRY_EPOCH, &writer);
}

enum err catalogue_add_segment(struct catalogue *catalogue, const struct log_identity *id,
                               const struct segment_fact *segment)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    write_segment(&writer, segment);
    return change_and_free(catalogue, ENTRY_SEGMENT, &writer);
}

enum err catalogue_set_flushed(struct catalogue *catalogue, const struct log_identity *id,
                               const struct segment_fact *flushed)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    write_segment(&writer, flushed);
    return change_and_free(catalogue, ENTRY_FLUSHED, &writer);
}

enum err catalogue_set_producers(struct catalogue *catalogue, const struct log_identity *id,
                                 log_offset offset, int32_t count)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    writer_i64(&writer, offset);
    writer_i32(&writer, count);
    return change_and_free(catalogue, ENTRY_PRODUCERS, &writer);
}

enum err catalogue_isolate_log(struct catalogue *catalogue, const struct log_identity *id)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, id);
    return change_and_free(catalogue, ENTRY_LOG_ISOLATED, &writer);
}

enum err catalogue_set_producer_ids(struct catalogue *catalogue, int64_t registration,
                                    int64_t counter)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, NULL);
    writer_i64(&writer, registration);
    writer_i64(&writer, counter);
    return change_and_free(catalogue, ENTRY_PRODUCER_IDS, &writer);
}

enum err catalogue_mark(struct catalogue *catalogue, bool is_clean)
{
    struct buffer payload;
    struct writer writer;

    start_payload(&writer, &payload, NULL);
    return change_and_free(catalogue, is_clean ? ENTRY_CLEAN : ENTRY_OPENED, &writer);
}

/* --- the file --- */

static enum err write_header(const struct catalogue *catalogue, struct buffer *out)
{
    struct writer writer;

    writer_init(&writer, out);
    writer_u32(&writer, FILE_MAGIC);
    writer_i32(&writer, FILE_VERSION);
    writer_bytes(&writer, catalogue->directory_id.bytes, sizeof(catalogue->directory_id.bytes));
    if (writer.err == ERR_OK)
        writer_u32(&writer, crc32c(out->data, out->len));
    return writer.err;
}

static enum err check_header(const struct catalogue *catalogue, struct slice bytes,
                             struct error *error)
{
    struct reader reader;
    uint32_t magic = 0;
    int32_t version = 0;
    struct slice uuid;

    reader_init(&reader, bytes);
    magic = reader_u32(&reader);
    version = reader_i32(&reader);
    uuid = reader_bytes(&reader, sizeof(struct uuid));
    if (reader_u32(&reader) != crc32c(bytes.data, FILE_HEADER_BYTES - 4) || magic != FILE_MAGIC)
        return error_set(
            error, ERR_CORRUPT,
            "the catalogue's header is damaged; restore the data directory from a copy");
    if (version != FILE_VERSION)
        return error_set(
            error, ERR_UNSUPPORTED,
            "the catalogue has version %d, this broker knows %d; start the broker version "
            "that wrote it",
            version, FILE_VERSION);
    if (memcmp(uuid.data, catalogue->directory_id.bytes, uuid.len) != 0)
        return error_set(error, ERR_FENCED, "the catalogue belongs to another data directory");
    return ERR_OK;
}

/* An entry beyond a bad one that calls the bad one durable? */
static bool is_corrupt_at(struct slice bytes, size_t bad_at)
{
    for (size_t at = bad_at; at + ENTRY_FRAME_BYTES < bytes.len; at++) {
        struct entry_view entry;

        if (read_entry(slice_of(bytes.data + at, bytes.len - at), &entry) &&
            entry.durable_below > (int64_t)bad_at && entry.durable_below <= (int64_t)at)
            return true;
    }
    return false;
}

static enum err load_entries(struct catalogue *catalogue, struct slice bytes, struct error *error)
{
    size_t at = FILE_HEADER_BYTES;

    while (at < bytes.len) {
        struct entry_view entry;
        enum err rc = ERR_OK;

        if (!read_entry(slice_of(bytes.data + at, bytes.len - at), &entry))
            break;
        rc = apply(catalogue, entry.type, entry.payload);
        if (rc != ERR_OK)
            return error_set(error, rc, "the catalogue has an entry of type %d at byte %zu: %s",
                             entry.type, at, err_text(rc));
        at += entry.size_bytes;
    }
    if (at < bytes.len) {
        catalogue->is_clean = false;
        if (is_corrupt_at(bytes, at))
            return error_set(error, ERR_CORRUPT,
                             "the catalogue is damaged at byte %zu, in a part that was on the disk "
                             "for sure; restore the data directory from a copy",
                             at);
    }
    catalogue->file_bytes = (int64_t)at;
    return ERR_OK;
}

static enum err create(struct catalogue *catalogue, struct error *error)
{
    struct buffer header;
    enum err rc = ERR_OK;

    buffer_init(&header, FILE_HEADER_BYTES);
    rc = write_header(catalogue, &header);
    if (rc == ERR_OK)
        rc = disk_replace_file(catalogue->disk, "", FILE_NAME, header.data, header.len);
    buffer_done(&header);
    return rc == ERR_OK ? ERR_OK
                        : error_set(error, rc, "cannot create the catalogue: %s", err_text(rc));
}

static enum err load(struct catalogue *catalogue, struct error *error)
{
    uint8_t *data = NULL;
    size_t len = 0;
    enum err rc = disk_read_file(catalogue->disk, FILE_NAME, FILE_MAX_BYTES, &data, &len);

    if (rc != ERR_OK)
        return error_set(error, rc, "cannot read the catalogue: %s", err_text(rc));
    rc = check_header(catalogue, slice_of(data, len), error);
    if (rc == ERR_OK)
        rc = load_entries(catalogue, slice_of(data, len), error);
    free(data);
    return rc;
}

enum err catalogue_open(struct disk *disk, struct uuid directory_id, struct hash_seed seed,
                        bool is_fresh, struct catalogue **ret_catalogue, struct error *error)
{
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));
    enum err rc = ERR_OK;

    if (catalogue == NULL)
        return error_set(error, ERR_NO_MEMORY, "catalogue");
    catalogue->disk = disk;
    catalogue->directory_id = directory_id;
    catalogue->registration = -1;
    catalogue->compact_at_bytes = COMPACT_MIN_BYTES;
    hash_table_init(&catalogue->logs, seed);
    buffer_init(&catalogue->pending, PENDING_MAX_BYTES);
    if (is_fresh)
        rc = create(catalogue, error);
    if (rc == ERR_OK)
        rc = load(catalogue, error);
    if (rc != ERR_OK)
        goto fail;

    rc = disk->ops->open(disk, FILE_NAME, 0, &catalogue->file);
    if (rc == ERR_OK)
        rc = catalogue->file->ops->truncate(catalogue->file, catalogue->file_bytes);
    /* What a killed process had written but not synced is relied on from now on. */
    if (rc == ERR_OK)
        rc = catalogue->file->ops->sync(catalogue->file);
    if (rc != ERR_OK) {
        error_set(error, rc, "cannot open the catalogue: %s", err_text(rc));
        goto fail;
    }
    catalogue->durable_bytes = catalogue->file_bytes;
    *ret_catalogue = catalogue;
    return ERR_OK;

fail:
    catalogue_free(catalogue);
    return rc;
}

void catalogue_free(struct catalogue *catalogue)
{
    struct hash_node *node = NULL;

    if (catalogue == NULL)
        return;
    while ((node = hash_table_next(&catalogue->logs, NULL)) != NULL)
        apply_removed(catalogue, container_of(node, struct log_facts, node));
    hash_table_done(&catalogue->logs);
    buffer_done(&catalogue->pending);
    if (catalogue->file != NULL)
        catalogue->file->ops->close(catalogue->file);
    free(catalogue);
}

bool catalogue_was_clean(const struct catalogue *catalogue)
{
    return catalogue->is_clean;
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
    return find(catalogue, id);
}

const struct log_facts *catalogue_next(const struct catalogue *catalogue,
                                       const struct log_facts *facts)
{
    struct hash_node *node = hash_table_next(&catalogue->logs, facts != NULL ? &facts->node : NULL);

    return node == NULL ? NULL : container_of(node, const struct log_facts, node);
}

/* --- writing --- */

static enum err write_facts(struct catalogue *fresh, const struct log_facts *facts)
{
    enum err rc = catalogue_add_log(fresh, &facts->id);

    if (rc == ERR_OK)
        rc = catalogue_set_log_start(fresh, &facts->id, facts->log_start);
    for (int i = 0; rc == ERR_OK && i < facts->epoch_count; i++)
        rc = catalogue_add_epoch(fresh, &facts->id, facts->epochs[i]);
    for (int i = 0; rc == ERR_OK && i < facts->segment_count; i++)
        rc = catalogue_add_segment(fresh, &facts->id, &facts->segments[i]);
    if (rc == ERR_OK && facts->flushed.size_bytes > 0)
        rc = catalogue_set_flushed(fresh, &facts->id, &facts->flushed);
    if (rc == ERR_OK && facts->producers_offset >= 0)
        rc = catalogue_set_producers(fresh, &facts->id, facts->producers_offset,
                                     facts->producers_count);
    if (rc == ERR_OK && facts->is_isolated)
        rc = catalogue_isolate_log(fresh, &facts->id);
    return rc;
}

/* All facts and no history, as one buffer. */
static enum err encode_all(const struct catalogue *catalogue, struct buffer *out)
{
    struct catalogue fresh = {.registration = -1};
    struct hash_node *node = NULL;
    enum err rc = ERR_OK;

    hash_table_init(&fresh.logs, catalogue->logs.seed);
    buffer_init(&fresh.pending, FILE_MAX_BYTES);
    if (catalogue->registration >= 0)
        rc = catalogue_set_producer_ids(&fresh, catalogue->registration, catalogue->counter);
    for (const struct log_facts *facts = catalogue_next(catalogue, NULL);
         facts != NULL && rc == ERR_OK; facts = catalogue_next(catalogue, facts))
        rc = write_facts(&fresh, facts);
    if (rc == ERR_OK && catalogue->is_clean)
        rc = catalogue_mark(&fresh, true);
    if (rc == ERR_OK)
        rc = write_header(catalogue, out);
    if (rc == ERR_OK)
        rc = buffer_append_slice(out, buffer_slice(&fresh.pending));
    while ((node = hash_table_next(&fresh.logs, NULL)) != NULL)
        apply_removed(&fresh, container_of(node, struct log_facts, node));
    hash_table_done(&fresh.logs);
    buffer_done(&fresh.pending);
    return rc;
}

/* Beside, synced, renamed over. A failure before the rename leaves the old one as it is. */
static enum err compact(struct catalogue *catalogue)
{
    struct disk *disk = catalogue->disk;
    struct buffer all;
    struct file *file = NULL;
    enum err rc = ERR_OK;

    buffer_init(&all, FILE_MAX_BYTES);
    rc = encode_all(catalogue, &all);
    if (rc == ERR_OK)
        rc = disk_replace_file(disk, "", FILE_NAME, all.data, all.len);
    /* From here on the name leads to the new file: it must be opened, or nothing may be written. */
    if (rc == ERR_OK && disk->ops->open(disk, FILE_NAME, 0, &file) != ERR_OK)
        rc = ERR_IO;
    if (rc == ERR_OK) {
        catalogue->file->ops->close(catalogue->file);
        catalogue->file = file;
        catalogue->file_bytes = (int64_t)all.len;
        catalogue->durable_bytes = catalogue->file_bytes;
    }
    catalogue->compact_at_bytes = catalogue->file_bytes * COMPACT_FACTOR;
    if (catalogue->compact_at_bytes < COMPACT_MIN_BYTES)
        catalogue->compact_at_bytes = COMPACT_MIN_BYTES;
    buffer_done(&all);
    return rc == ERR_NO_SPACE || rc == ERR_NO_MEMORY || rc == ERR_TOO_LARGE ? ERR_OK : rc;
}

enum err catalogue_commit(struct catalogue *catalogue, bool must_sync)
{
    struct iovec iov = {catalogue->pending.data, catalogue->pending.len};
    enum err rc = ERR_OK;

    if (catalogue->pending.len > 0) {
        rc = catalogue->file->ops->write_at(catalogue->file, catalogue->file_bytes, &iov, 1);
        if (rc == ERR_NO_SPACE) {
            enum err cut = catalogue->file->ops->truncate(catalogue->file, catalogue->file_bytes);

            return cut == ERR_OK ? ERR_NO_SPACE : cut;
        }
        if (rc != ERR_OK)
            return rc;
        catalogue->file_bytes += (int64_t)catalogue->pending.len;
        buffer_clear(&catalogue->pending);
    }
    if (must_sync && catalogue->durable_bytes < catalogue->file_bytes) {
        rc = catalogue->file->ops->sync(catalogue->file);
        if (rc != ERR_OK)
            return rc;
        catalogue->durable_bytes = catalogue->file_bytes;
    }
    if (catalogue->file_bytes >= catalogue->compact_at_bytes)
        rc = compact(catalogue);
    return rc;
}
