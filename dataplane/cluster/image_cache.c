/* SPDX-License-Identifier: Apache-2.0 */
/* The cached image: one file, replaced whole by rename, so that a broker serves with the store
 * down.
 *
 *   magic "MRIMAGE\n"  u32 format (1)  i32 broker id  i64 version  u32 count
 *   count × { u8 kind, u32 length, key, u32 length, payload }    as the store gave them
 *   u32 CRC-32C of all before
 *
 * Big-endian. Brokers come first, then tenants and what belongs to them, as in a snapshot. The
 * worker gets references to the records and writes without the loop; while it writes, changes only
 * mark the image dirty, and the next write begins when it is done. A write that fails is said and
 * tried again with the next change. */
#include "common/observe/log.h"
#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "dataplane/cluster/cluster_internal.h"

#include <stdlib.h>

#define CACHE_MAGIC "MRIMAGE\n"
#define CACHE_MAGIC_LEN 8
#define CACHE_FORMAT 1
#define CACHE_HEADER_LEN (CACHE_MAGIC_LEN + 4 + 4 + 8 + 4)
#define CACHE_MAX_BYTES ((size_t)1 << 30)
#define CACHE_DELAY_US 200000

static const enum image_kind cache_order[] = {IMAGE_BROKER, IMAGE_TENANT, IMAGE_LISTENER,
                                              IMAGE_CREDENTIAL, IMAGE_TOPIC};

/* --- writing --- */

/* The key that the store knows the object by. */
static struct slice key_of(const struct image_record *record, char room[UUID_TEXT_LEN + 1])
{
    struct uuid uuid;

    if (record->kind != IMAGE_TENANT && record->kind != IMAGE_TOPIC)
        return record->id;
    memcpy(uuid.bytes, record->id.data, sizeof(uuid.bytes));
    uuid_format(uuid, room);
    return slice_from_cstring(room);
}

static void write_slice(struct writer *writer, struct slice bytes)
{
    writer_u32(writer, (uint32_t)bytes.len);
    writer_slice(writer, bytes);
}

static enum err encode(const struct image_cache *cache, int32_t broker_id, struct buffer *buffer)
{
    struct writer writer;

    writer_init(&writer, buffer);
    writer_bytes(&writer, CACHE_MAGIC, CACHE_MAGIC_LEN);
    writer_u32(&writer, CACHE_FORMAT);
    writer_i32(&writer, broker_id);
    writer_i64(&writer, cache->version);
    writer_u32(&writer, (uint32_t)cache->record_count);
    for (size_t i = 0; i < cache->record_count; i++) {
        char key[UUID_TEXT_LEN + 1];

        writer_i8(&writer, (int8_t)cache->records[i]->kind);
        write_slice(&writer, key_of(cache->records[i], key));
        write_slice(&writer, cache->records[i]->source);
    }
    if (writer.err == ERR_OK)
        writer_u32(&writer, crc32c(buffer->data, buffer->len));
    return writer.err;
}

/* On a worker. */
static void write_cache(struct work *work)
{
    struct image_cache *cache = container_of(work, struct image_cache, work);
    struct cluster *cluster = container_of(cache, struct cluster, cache);
    struct buffer buffer;

    buffer_init(&buffer, CACHE_MAX_BYTES);
    cache->result = encode(cache, cluster->options.broker_id, &buffer);
    if (cache->result == ERR_OK)
        cache->result =
            disk_replace_file(cluster->options.disk, "", IMAGE_CACHE_NAME, buffer.data, buffer.len);
    buffer_done(&buffer);
}

static void begin_write(struct cluster *cluster);

static void on_written(struct work *work)
{
    struct image_cache *cache = container_of(work, struct image_cache, work);
    struct cluster *cluster = container_of(cache, struct cluster, cache);

    for (size_t i = 0; i < cache->record_count; i++)
        image_record_unref(cache->records[i]);
    free((void *)cache->records);
    cache->records = NULL;
    cache->is_writing = false;
    if (cache->result != ERR_OK)
        log_event(LOG_ERROR, "cached_image_not_written", f_err(cache->result),
                  f_i64("version", cache->version));
    /* An acknowledgement does not wait for a disk that cannot write. */
    cache->written_version = cache->version;
    if (cache->is_dirty &&
        (cluster->is_stopping || cluster->revoked_version > cache->written_version))
        begin_write(cluster);
    else if (cache->is_dirty)
        timer_start_in(cluster->loop, &cache->delay, CACHE_DELAY_US);
    cluster_advance(cluster);
}

static void begin_write(struct cluster *cluster)
{
    struct image_cache *cache = &cluster->cache;
    const struct image *image = cluster->images[0];
    size_t count = 0;

    for (int kind = 0; kind < IMAGE_KIND_COUNT; kind++)
        count += image_record_count(image, (enum image_kind)kind);
    cache->records = (const struct image_record **)calloc(count > 0 ? count : 1,
                                                          sizeof(const struct image_record *));
    invariant(cache->records != NULL);
    cache->record_count = 0;
    for (size_t k = 0; k < sizeof(cache_order) / sizeof(cache_order[0]); k++) {
        const struct image_record *record = NULL;

        while ((record = image_next(image, cache_order[k], record)) != NULL) {
            image_record_ref(record);
            cache->records[cache->record_count++] = record;
        }
    }
    timer_stop(cluster->loop, &cache->delay);
    cache->version = image_version(image);
    cache->is_dirty = false;
    cache->is_writing = true;
    cache->work = (struct work){.run = write_cache, .done = on_written};
    worker_submit(cluster->loop, WORKER_SLOW, &cache->work);
}

static void on_delay(struct timer *timer)
{
    struct image_cache *cache = container_of(timer, struct image_cache, delay);

    begin_write(container_of(cache, struct cluster, cache));
}

void image_cache_touch(struct cluster *cluster, bool is_urgent)
{
    struct image_cache *cache = &cluster->cache;

    if (image_version(cluster->images[0]) == cache->written_version)
        return;
    cache->is_dirty = true;
    if (cache->is_writing)
        return;
    if (is_urgent) {
        begin_write(cluster);
        return;
    }
    cache->delay.fire = on_delay;
    if (!timer_is_armed(&cache->delay))
        timer_start_in(cluster->loop, &cache->delay, CACHE_DELAY_US);
}

bool image_cache_is_idle(const struct cluster *cluster)
{
    return !cluster->cache.is_dirty && !cluster->cache.is_writing;
}

/* --- reading --- */

static enum err check_frame(struct slice file, struct error *error)
{
    struct reader reader;
    uint32_t format = 0;
    uint32_t crc = 0;

    if (file.len < CACHE_HEADER_LEN + 4 || memcmp(file.data, CACHE_MAGIC, CACHE_MAGIC_LEN) != 0)
        return error_set(error, ERR_CORRUPT, "the file %s is no cached image", IMAGE_CACHE_NAME);
    reader_init(&reader, slice_of(file.data + CACHE_MAGIC_LEN, 4));
    format = reader_u32(&reader);
    if (format != CACHE_FORMAT)
        return error_set(error, ERR_UNSUPPORTED,
                         "the cached image has format %u, this release reads %d", format,
                         CACHE_FORMAT);
    reader_init(&reader, slice_of(file.data + file.len - 4, 4));
    crc = reader_u32(&reader);
    if (crc != crc32c(file.data, file.len - 4))
        return error_set(error, ERR_CORRUPT, "the cached image has a bad checksum");
    return ERR_OK;
}

static struct slice read_slice(struct reader *reader)
{
    uint32_t len = reader_u32(reader);

    return reader_bytes(reader, len);
}

static enum err read_changes(struct reader *reader, uint32_t count, struct meta_change *changes,
                             int64_t version)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = (uint8_t)reader_i8(reader);

        changes[i].version = version;
        changes[i].key = read_slice(reader);
        changes[i].payload = read_slice(reader);
        if (reader->err != ERR_OK || kind >= IMAGE_KIND_COUNT)
            return ERR_CORRUPT;
        changes[i].kind = slice_from_cstring(image_kind_name((enum image_kind)kind));
    }
    return reader_left(reader) == 0 ? ERR_OK : ERR_CORRUPT;
}

static enum err apply_file(struct cluster *cluster, struct slice file, struct error *error)
{
    struct reader reader;
    struct meta_change *changes = NULL;
    enum err rc = check_frame(file, error);
    int64_t version = 0;
    int32_t broker_id = 0;
    uint32_t count = 0;

    if (rc != ERR_OK)
        return rc;
    reader_init(&reader, slice_of(file.data + CACHE_MAGIC_LEN + 4, file.len - CACHE_MAGIC_LEN - 8));
    broker_id = reader_i32(&reader);
    version = reader_i64(&reader);
    count = reader_u32(&reader);
    if (broker_id != cluster->options.broker_id)
        return error_set(error, ERR_CORRUPT, "the cached image is of broker %d", broker_id);
    /* Each object takes at least its kind and two lengths. */
    if (version <= 0 || count > reader_left(&reader) / 9)
        return error_set(error, ERR_CORRUPT, "the cached image has a bad header");
    changes = calloc(count > 0 ? count : 1, sizeof(*changes));
    if (changes == NULL)
        return error_set(error, ERR_NO_MEMORY, "no memory for the cached image");
    rc = read_changes(&reader, count, changes, version);
    if (rc == ERR_OK)
        cluster_apply_at_start(cluster, changes, count, version);
    else
        error_set(error, rc, "the cached image ends early or has bytes left");
    free(changes);
    return rc;
}

enum err image_cache_load(struct cluster *cluster, struct error *error)
{
    uint8_t *data = NULL;
    size_t len = 0;
    enum err rc =
        disk_read_file(cluster->options.disk, IMAGE_CACHE_NAME, CACHE_MAX_BYTES, &data, &len);

    if (rc != ERR_OK)
        return error_set(error, rc, "read the cached image: %s", err_text(rc));
    rc = apply_file(cluster, slice_of(data, len), error);
    free(data);
    if (rc == ERR_OK)
        cluster->cache.written_version = cluster->applied_version;
    return rc;
}
