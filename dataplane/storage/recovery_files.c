/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/recovery_files.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 64

struct leftover {
    log_offset base;
    int32_t generation;
    const char *suffix; /* NULL = of a segment and its index */
};

struct listing {
    const struct log_facts *facts;
    struct log_files *files;
    struct leftover *leftovers;
    int leftover_count;
    int leftover_capacity;
    enum err err;
};

static enum err make_room(void **array, int count, int *capacity, size_t element_bytes)
{
    int wanted = *capacity == 0 ? 8 : *capacity * 2;
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

static enum err push_offset(log_offset **array, int *count, int *capacity, log_offset offset)
{
    enum err rc = make_room((void **)array, *count, capacity, sizeof(**array));

    if (rc == ERR_OK)
        (*array)[(*count)++] = offset;
    return rc;
}

static enum err push_leftover(struct listing *listing, struct leftover leftover)
{
    enum err rc = make_room((void **)&listing->leftovers, listing->leftover_count,
                            &listing->leftover_capacity, sizeof(listing->leftovers[0]));

    if (rc == ERR_OK)
        listing->leftovers[listing->leftover_count++] = leftover;
    return rc;
}

const struct segment_fact *log_facts_find_segment(const struct log_facts *facts, log_offset base)
{
    for (int i = 0; i < facts->segment_count; i++) {
        if (facts->segments[i].base_offset == base)
            return &facts->segments[i];
    }
    return NULL;
}

static bool is_of_the_log(const struct log_facts *facts, struct leftover file)
{
    for (int i = 0; i < facts->segment_count; i++) {
        const struct segment_fact *fact = &facts->segments[i];

        if (file.base >= fact->base_offset && file.base < fact->end_offset)
            return file.base == fact->base_offset && file.generation == fact->generation;
    }
    return file.generation == 0;
}

/* Of a file that was being replaced (disk_replace_file). */
static bool is_half_written(const char *name, struct leftover *ret_file)
{
    static const char *const suffixes[] = {SEGMENT_INDEX_SUFFIX ".new", PRODUCERS_SUFFIX ".new"};

    for (int i = 0; i < 2; i++) {
        ret_file->suffix = suffixes[i];
        if (segment_parse_name(name, suffixes[i], &ret_file->base, &ret_file->generation))
            return true;
    }
    return false;
}

static bool note_file(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    struct log_files *files = listing->files;
    struct leftover file = {0, 0, NULL};
    struct leftover half = {0, 0, NULL};
    bool is_segment = false;

    if (is_directory || strlen(name) >= NAME_MAX_BYTES)
        return true;
    is_segment = segment_parse_name(name, SEGMENT_SUFFIX, &file.base, &file.generation);
    if (is_segment ||
        segment_parse_name(name, SEGMENT_INDEX_SUFFIX, &file.base, &file.generation)) {
        if (!is_of_the_log(listing->facts, file))
            listing->err = push_leftover(listing, file);
        else if (is_segment)
            listing->err =
                push_offset(&files->bases, &files->base_count, &files->base_capacity, file.base);
    } else if (log_parse_file_name(name, PRODUCERS_SUFFIX, &file.base)) {
        listing->err = push_offset(&files->snapshots, &files->snapshot_count,
                                   &files->snapshot_capacity, file.base);
    } else if (is_half_written(name, &half)) {
        listing->err = push_leftover(listing, half);
    }
    return listing->err == ERR_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const log_offset *left = a;
    const log_offset *right = b;

    return (*left > *right) - (*left < *right);
}

static enum err remove_leftover(struct disk *disk, const struct log_identity *id,
                                struct leftover file)
{
    const char *const suffixes[] = {file.suffix != NULL ? file.suffix : SEGMENT_SUFFIX,
                                    SEGMENT_INDEX_SUFFIX};
    int count = file.suffix != NULL ? 1 : 2;
    struct segment segment = {.id = *id, .base_offset = file.base, .generation = file.generation};
    char path[LOG_PATH_BYTES];

    for (int i = 0; i < count; i++) {
        enum err rc = ERR_OK;

        segment_path(&segment, suffixes[i], path);
        rc = disk->ops->remove(disk, path);
        if (rc != ERR_OK && rc != ERR_NOT_FOUND)
            return rc;
    }
    return ERR_OK;
}

enum err log_files_list(struct disk *disk, const struct log_facts *facts,
                        struct log_files *ret_files)
{
    struct listing listing = {.facts = facts, .files = ret_files};
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    *ret_files = (struct log_files){.bases = NULL};
    log_path(&facts->id, path);
    rc = disk->ops->list(disk, path, note_file, &listing);
    if (rc == ERR_NOT_FOUND)
        rc = ERR_OK; /* none at all; whether that can be is seen later */
    if (rc == ERR_OK)
        rc = listing.err;
    for (int i = 0; i < listing.leftover_count && rc == ERR_OK; i++)
        rc = remove_leftover(disk, &facts->id, listing.leftovers[i]);
    free(listing.leftovers);
    if (ret_files->base_count > 0)
        qsort(ret_files->bases, (size_t)ret_files->base_count, sizeof(ret_files->bases[0]),
              compare_offsets);
    return rc;
}

void log_files_done(struct log_files *files)
{
    free(files->bases);
    free(files->snapshots);
}

enum err log_files_remove_segment(struct disk *disk, const struct log_facts *facts, log_offset base)
{
    const struct segment_fact *fact = log_facts_find_segment(facts, base);

    return remove_leftover(disk, &facts->id,
                           (struct leftover){base, fact != NULL ? fact->generation : 0, NULL});
}

void log_files_remove_snapshots(struct disk *disk, const struct log_identity *id,
                                const struct log_files *files, log_offset but)
{
    for (int i = 0; i < files->snapshot_count; i++) {
        char path[LOG_PATH_BYTES];

        log_path_file(id, files->snapshots[i], PRODUCERS_SUFFIX, path);
        if (files->snapshots[i] != but)
            (void)disk->ops->remove(disk, path);
    }
}
