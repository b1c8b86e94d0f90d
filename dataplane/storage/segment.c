/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OFFSET_DIGITS 20
#define GENERATION_DIGITS 10

/* --- names --- */

void log_path_topic(const struct log_identity *id, char path[LOG_PATH_BYTES])
{
    char uuid[UUID_TEXT_LEN + 1];

    uuid_format(id->topic_id, uuid);
    (void)snprintf(path, LOG_PATH_BYTES, "topics/%s", uuid);
}

void log_path(const struct log_identity *id, char path[LOG_PATH_BYTES])
{
    char uuid[UUID_TEXT_LEN + 1];

    uuid_format(id->topic_id, uuid);
    (void)snprintf(path, LOG_PATH_BYTES, "topics/%s/%" PRId32, uuid, id->partition);
}

void log_file_name(log_offset base_offset, const char *suffix, char name[LOG_PATH_BYTES])
{
    (void)snprintf(name, LOG_PATH_BYTES, "%0*" PRId64 "%s", OFFSET_DIGITS, base_offset, suffix);
}

void log_path_file(const struct log_identity *id, log_offset base_offset, const char *suffix,
                   char path[LOG_PATH_BYTES])
{
    char uuid[UUID_TEXT_LEN + 1];

    uuid_format(id->topic_id, uuid);
    (void)snprintf(path, LOG_PATH_BYTES, "topics/%s/%" PRId32 "/%0*" PRId64 "%s", uuid,
                   id->partition, OFFSET_DIGITS, base_offset, suffix);
}

/* Digits from *at on, at most `most` of them; *at is moved behind them. -1 = none, or too large. */
static int64_t parse_digits(const char **at, int most)
{
    const char *digit = *at;
    int64_t number = 0;

    for (; digit - *at < most && *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *digit - '0', &number))
            return -1;
    }
    number = digit == *at ? -1 : number;
    *at = digit;
    return number;
}

bool log_parse_file_name(const char *name, const char *suffix, log_offset *ret_base_offset)
{
    const char *at = name;
    log_offset base = parse_digits(&at, OFFSET_DIGITS);

    if (base < 0 || at - name != OFFSET_DIGITS || strcmp(at, suffix) != 0)
        return false;
    *ret_base_offset = base;
    return true;
}

bool segment_parse_name(const char *name, const char *suffix, log_offset *ret_base_offset,
                        int32_t *ret_generation)
{
    char base[OFFSET_DIGITS + 1] = "";
    const char *at = name + OFFSET_DIGITS;
    int64_t generation = 0;

    *ret_generation = 0;
    if (log_parse_file_name(name, suffix, ret_base_offset))
        return true;
    memccpy(base, name, '\0', OFFSET_DIGITS);
    if (!log_parse_file_name(base, "", ret_base_offset) || *at++ != '.' || *at == '0')
        return false;
    generation = parse_digits(&at, GENERATION_DIGITS);
    if (generation < 1 || generation > INT32_MAX || strcmp(at, suffix) != 0)
        return false;
    *ret_generation = (int32_t)generation;
    return true;
}

/* --- one segment --- */

struct segment *segment_new(const struct log_identity *id, log_offset base_offset,
                            int32_t generation, int32_t index_interval_bytes)
{
    struct segment *segment = calloc(1, sizeof(*segment));

    if (segment == NULL)
        return NULL;
    segment->id = *id;
    segment->base_offset = base_offset;
    segment->generation = generation;
    segment->index_interval_bytes = index_interval_bytes;
    segment->refs = 1;
    list_init(&segment->leaving);
    list_init(&segment->by_use);
    offset_index_init(&segment->index, index_interval_bytes);
    spare_rest_init(&segment->rest);
    return segment;
}

void segment_name(const struct segment *segment, const char *suffix, char name[LOG_PATH_BYTES])
{
    if (segment->generation == 0)
        log_file_name(segment->base_offset, suffix, name);
    else
        (void)snprintf(name, LOG_PATH_BYTES, "%0*" PRId64 ".%" PRId32 "%s", OFFSET_DIGITS,
                       segment->base_offset, segment->generation, suffix);
}

void segment_path(const struct segment *segment, const char *suffix, char path[LOG_PATH_BYTES])
{
    char name[LOG_PATH_BYTES];
    char uuid[UUID_TEXT_LEN + 1];

    segment_name(segment, suffix, name);
    uuid_format(segment->id.topic_id, uuid);
    (void)snprintf(path, LOG_PATH_BYTES, "topics/%s/%" PRId32 "/%.48s", uuid, segment->id.partition,
                   name);
}

void segment_free(struct segment *segment)
{
    invariant(segment->file == NULL);
    list_remove(&segment->leaving);
    offset_index_done(&segment->index);
    spare_rest_done(&segment->rest);
    free(segment);
}

/* --- the open ones --- */

void segment_files_init(struct segment_files *files, struct disk *disk, int open_max,
                        int64_t index_bytes_max)
{
    *files = (struct segment_files){
        .disk = disk,
        .open_max = open_max,
        .index_bytes_max = index_bytes_max,
    };
    pthread_mutex_init(&files->lock, NULL);
    list_init(&files->by_use);
}

static int64_t index_size(const struct segment *segment)
{
    return (int64_t)(segment->index.capacity * sizeof(struct offset_index_entry));
}

static void close_locked(struct segment_files *files, struct segment *segment, bool with_index)
{
    if (segment->file != NULL) {
        segment->file->ops->close(segment->file);
        segment->file = NULL;
        list_remove(&segment->by_use);
        files->open_count--;
    }
    if (with_index) {
        files->index_bytes -= index_size(segment);
        offset_index_done(&segment->index);
    }
}

static void evict_locked(struct segment_files *files)
{
    list_for_each(&files->by_use, node)
    {
        struct segment *segment = container_of(node, struct segment, by_use);

        if (files->open_count <= files->open_max && files->index_bytes <= files->index_bytes_max)
            return;
        if (segment->users == 0)
            close_locked(files, segment, !segment->is_index_kept);
    }
}

void segment_files_done(struct segment_files *files)
{
    list_for_each(&files->by_use, node)
        close_locked(files, container_of(node, struct segment, by_use), true);
    pthread_mutex_destroy(&files->lock);
}

/* Two workers may open the same file at once: the first to come back keeps it. */
static enum err open_unlocked(struct segment_files *files, struct segment *segment, int flags,
                              struct file **ret_file)
{
    char path[LOG_PATH_BYTES];

    segment_path(segment, SEGMENT_SUFFIX, path);
    return files->disk->ops->open(files->disk, path, flags | DISK_BULK, ret_file);
}

enum err segment_files_acquire(struct segment_files *files, struct segment *segment, int flags,
                               struct file **ret_file)
{
    struct file *spare = NULL;
    enum err rc = ERR_OK;

    pthread_mutex_lock(&files->lock);
    if (segment->file == NULL) {
        pthread_mutex_unlock(&files->lock);
        rc = open_unlocked(files, segment, flags, &spare);
        if (rc != ERR_OK)
            return rc;
        pthread_mutex_lock(&files->lock);
    }
    if (segment->file == NULL) {
        segment->file = spare;
        spare = NULL;
        files->open_count++;
    }
    segment->users++;
    list_remove(&segment->by_use);
    list_push_back(&files->by_use, &segment->by_use);
    *ret_file = segment->file;
    evict_locked(files);
    pthread_mutex_unlock(&files->lock);
    if (spare != NULL)
        spare->ops->close(spare);
    return ERR_OK;
}

void segment_files_release(struct segment_files *files, struct segment *segment)
{
    pthread_mutex_lock(&files->lock);
    segment->users--;
    if (segment->users == 0 && segment->is_dropped)
        close_locked(files, segment, true);
    evict_locked(files);
    pthread_mutex_unlock(&files->lock);
}

bool segment_files_drop(struct segment_files *files, struct segment *segment)
{
    bool is_used = false;

    pthread_mutex_lock(&files->lock);
    is_used = segment->users > 0;
    segment->is_dropped = is_used;
    if (!is_used)
        close_locked(files, segment, true);
    pthread_mutex_unlock(&files->lock);
    return !is_used;
}

void segment_index_add(struct segment_files *files, struct segment *segment,
                       const struct record_batch *batch, int64_t position)
{
    pthread_mutex_lock(&files->lock);
    files->index_bytes -= index_size(segment);
    segment->is_index_kept = true;
    offset_index_add(&segment->index, batch, position);
    files->index_bytes += index_size(segment);
    pthread_mutex_unlock(&files->lock);
}

void segment_index_truncate(struct segment_files *files, struct segment *segment, int64_t size)
{
    pthread_mutex_lock(&files->lock);
    offset_index_truncate(&segment->index, size);
    pthread_mutex_unlock(&files->lock);
}

enum err segment_index_close(struct segment_files *files, struct segment *segment, int64_t size,
                             struct buffer *out, bool *ret_is_whole)
{
    enum err rc = ERR_OK;

    pthread_mutex_lock(&files->lock);
    *ret_is_whole = segment->index.covered_bytes == size;
    segment->is_index_kept = false;
    if (*ret_is_whole)
        rc = offset_index_save(&segment->index, segment->base_offset, out);
    pthread_mutex_unlock(&files->lock);
    return rc;
}

/* --- lists --- */

struct segment_list *segment_list_new(const struct segment_view *views, int count)
{
    struct segment_list *list = malloc(sizeof(*list) + (size_t)count * sizeof(list->views[0]));

    if (list == NULL)
        return NULL;
    list->refs = 1;
    list->count = count;
    list->size_bytes = 0;
    for (int i = 0; i < count; i++) {
        list->views[i] = views[i];
        list->size_bytes += views[i].size_bytes;
        views[i].segment->refs++;
    }
    return list;
}

struct segment_list *segment_list_with(const struct segment_list *list, int skip,
                                       const struct segment_view *view)
{
    int kept = list->count - skip;
    int count = kept + (view->segment != NULL ? 1 : 0);
    struct segment_list *copy = malloc(sizeof(*copy) + (size_t)count * sizeof(copy->views[0]));

    if (copy == NULL)
        return NULL;
    copy->refs = 1;
    copy->count = count;
    copy->size_bytes = 0;
    for (int i = 0; i < count; i++) {
        copy->views[i] = i < kept ? list->views[skip + i] : *view;
        copy->size_bytes += copy->views[i].size_bytes;
        copy->views[i].segment->refs++;
    }
    return copy;
}
