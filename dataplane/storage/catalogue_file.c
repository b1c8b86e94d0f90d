/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue's file: read at start, appended to, and written anew when it is mostly history. */
#include <stdlib.h>

#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "dataplane/storage/catalogue_internal.h"

#define FILE_NAME "catalogue"
#define FILE_MAGIC 0x4d52434c /* "MRCL" */
#define FILE_VERSION 2
#define FILE_HEADER_BYTES 28
#define CATALOGUE_FILE_MAX_BYTES ((size_t)1 << 30)
#define PENDING_MAX_BYTES ((size_t)64 << 20)
#define COMPACT_MIN_BYTES ((int64_t)1 << 20)
#define COMPACT_FACTOR 4

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
    for (size_t at = bad_at; at < bytes.len; at++) {
        struct entry_view entry;

        if (catalogue_read_entry(slice_of(bytes.data + at, bytes.len - at), &entry) &&
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

        if (!catalogue_read_entry(slice_of(bytes.data + at, bytes.len - at), &entry))
            break;
        rc = catalogue_apply(catalogue, entry.type, entry.payload);
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
    enum err rc = disk_read_file(catalogue->disk, FILE_NAME, CATALOGUE_FILE_MAX_BYTES, &data, &len);

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
    buffer_init(&catalogue->payload, ENTRY_MAX_BYTES);
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
    if (catalogue == NULL)
        return;
    catalogue_forget_facts(catalogue);
    buffer_done(&catalogue->pending);
    buffer_done(&catalogue->payload);
    if (catalogue->file != NULL)
        catalogue->file->ops->close(catalogue->file);
    free(catalogue);
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
    if (rc == ERR_OK && facts->producers.offset >= 0)
        rc = catalogue_set_producers(fresh, &facts->id, &facts->producers);
    if (rc == ERR_OK && facts->cleaned_end > 0)
        rc = catalogue_set_cleaned(fresh, &facts->id, facts->cleaned_end);
    if (rc == ERR_OK && facts->is_isolated)
        rc = catalogue_isolate_log(fresh, &facts->id);
    return rc;
}

/* All facts and no history, as one buffer. */
static enum err encode_all(const struct catalogue *catalogue, struct buffer *out)
{
    struct catalogue fresh = {.registration = -1};
    enum err rc = ERR_OK;

    hash_table_init(&fresh.logs, catalogue->logs.seed);
    buffer_init(&fresh.pending, CATALOGUE_FILE_MAX_BYTES);
    buffer_init(&fresh.payload, ENTRY_MAX_BYTES);
    if (catalogue->registration >= 0)
        rc = catalogue_set_producer_ids(&fresh, catalogue->registration, catalogue->counter);
    for (int i = 0; i < WAL_STREAMS && rc == ERR_OK; i++)
        rc = catalogue->wal_floors[i] == 0
                 ? ERR_OK
                 : catalogue_set_wal_floor(&fresh, (enum wal_stream)i, catalogue->wal_floors[i]);
    for (const struct log_facts *facts = catalogue_next(catalogue, NULL);
         facts != NULL && rc == ERR_OK; facts = catalogue_next(catalogue, facts))
        rc = write_facts(&fresh, facts);
    if (rc == ERR_OK && catalogue->is_clean)
        rc = catalogue_mark(&fresh, true);
    if (rc == ERR_OK)
        rc = write_header(catalogue, out);
    if (rc == ERR_OK)
        rc = buffer_append_slice(out, buffer_slice(&fresh.pending));
    catalogue_forget_facts(&fresh);
    buffer_done(&fresh.pending);
    buffer_done(&fresh.payload);
    return rc;
}

/* Beside, synced, renamed over. A failure before the rename leaves the old one as it is. */
static enum err compact(struct catalogue *catalogue)
{
    struct disk *disk = catalogue->disk;
    struct buffer all;
    struct file *file = NULL;
    enum err rc = ERR_OK;

    buffer_init(&all, CATALOGUE_FILE_MAX_BYTES);
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
