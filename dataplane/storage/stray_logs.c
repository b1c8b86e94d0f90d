/* SPDX-License-Identifier: Apache-2.0 */
/* Files of logs that are no more: of a deleted partition, or below topics/ and in no catalogue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/recovery.h"

#define NAMES_AT_ONCE 16
#define NAME_MAX_BYTES 64

static bool note_any(void *context, const char *name, bool is_directory)
{
    bool *is_empty = context;

    (void)name;
    (void)is_directory;
    *is_empty = false;
    return false;
}

/* Some of the files in a directory; listed first, for they go then. */
struct some_names {
    char names[NAMES_AT_ONCE][NAME_MAX_BYTES];
    int count;
};

static bool note_name(void *context, const char *name, bool is_directory)
{
    struct some_names *found = context;
    size_t size = strlen(name) + 1;

    if (!is_directory && size <= NAME_MAX_BYTES)
        memcpy(found->names[found->count++], name, size);
    return found->count < NAMES_AT_ONCE;
}

/* *ret_is_done: what is there still goes at once. */
static enum err cut_files(struct disk *disk, const char *dir, int64_t *budget, bool *ret_is_done)
{
    struct some_names found = {.count = 0};
    enum err rc = disk->ops->list(disk, dir, note_name, &found);

    *ret_is_done = found.count == 0;
    for (int i = 0; i < found.count && rc == ERR_OK && *budget > 0; i++) {
        char path[LOG_PATH_BYTES + NAME_MAX_BYTES];
        bool is_gone = false;

        (void)snprintf(path, sizeof(path), "%s/%s", dir, found.names[i]);
        rc = disk_cut_file(disk, path, budget, &is_gone);
    }
    return rc;
}

enum err log_remove_some(struct disk *disk, const struct log_identity *id, int64_t *budget,
                         bool *ret_is_gone)
{
    char path[LOG_PATH_BYTES];
    bool is_done = false;
    enum err rc = ERR_OK;

    *ret_is_gone = false;
    log_path(id, path);
    while (rc == ERR_OK && !is_done && *budget > 0)
        rc = cut_files(disk, path, budget, &is_done);
    if (rc == ERR_OK && !is_done)
        return ERR_OK;
    /* Whatever could not be cut goes with the directory. */
    rc = log_remove_files(disk, id);
    *ret_is_gone = rc == ERR_OK;
    return rc;
}

enum err log_remove_files(struct disk *disk, const struct log_identity *id)
{
    char path[LOG_PATH_BYTES];
    bool is_empty = true;
    enum err rc = ERR_OK;

    log_path(id, path);
    rc = disk->ops->remove_dir(disk, path);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    log_path_topic(id, path);
    rc = disk->ops->list(disk, path, note_any, &is_empty);
    if (rc == ERR_OK && is_empty)
        rc = disk->ops->remove_dir(disk, path);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

struct stray_list {
    struct log_store *store;
    struct uuid topic_id;
    struct log_identity *strays;
    int count;
    int capacity;
    enum err err;
};

static void push_stray(struct stray_list *list, const struct log_identity *id)
{
    if (list->count == list->capacity) {
        int wanted = list->capacity == 0 ? 16 : list->capacity * 2;
        struct log_identity *larger = realloc(list->strays, (size_t)wanted * sizeof(*larger));

        if (larger == NULL) {
            list->err = ERR_NO_MEMORY;
            return;
        }
        list->strays = larger;
        list->capacity = wanted;
    }
    list->strays[list->count++] = *id;
}

static bool note_partition(void *context, const char *name, bool is_directory)
{
    struct stray_list *list = context;
    struct log_identity id = {list->topic_id, 0};
    char *rest = NULL;
    long partition = strtol(name, &rest, 10);

    if (!is_directory || rest == name || *rest != '\0' || partition < 0 || partition > INT32_MAX)
        return true;
    id.partition = (int32_t)partition;
    if (catalogue_find(list->store->catalogue, &id) == NULL)
        push_stray(list, &id);
    return list->err == ERR_OK;
}

static bool note_topic(void *context, const char *name, bool is_directory)
{
    struct stray_list *list = context;
    struct disk *disk = list->store->disk;
    struct log_identity id = {.partition = 0};
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (!is_directory || uuid_parse(slice_from_cstring(name), &list->topic_id) != ERR_OK)
        return true;
    id.topic_id = list->topic_id;
    log_path_topic(&id, path);
    rc = disk->ops->list(disk, path, note_partition, list);
    if (rc != ERR_OK && list->err == ERR_OK)
        list->err = rc;
    return list->err == ERR_OK;
}

enum err recovery_remove_strays(struct log_store *store)
{
    struct stray_list list = {.store = store};
    enum err rc = store->disk->ops->list(store->disk, "topics", note_topic, &list);

    if (rc == ERR_OK)
        rc = list.err;
    for (int i = 0; i < list.count && rc == ERR_OK; i++)
        rc = log_remove_files(store->disk, &list.strays[i]);
    free(list.strays);
    return rc;
}
