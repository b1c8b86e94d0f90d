/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the simulated disk: what each leads to now, and what it durably leads to. */
#include <stdlib.h>

#include "tests/simulation/sim_disk_internal.h"

struct entry *sim_disk_find(const struct sim_disk *disk, const char *path)
{
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (strcmp(entry->path, path) == 0)
            return entry;
    }
    return NULL;
}

static struct entry *find_or_add(struct sim_disk *disk, const char *path)
{
    struct entry *entry = sim_disk_find(disk, path);
    struct list *before = disk->entries.next;

    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof(*entry));
    invariant(entry != NULL && strlen(path) < SIM_PATH_MAX_BYTES);
    memcpy(entry->path, path, strlen(path) + 1);
    while (before != &disk->entries &&
           strcmp(container_of(before, struct entry, link)->path, path) < 0)
        before = before->next;
    list_push_back(before, &entry->link); /* before `before` */
    return entry;
}

static bool is_directly_in(const char *path, const char *directory)
{
    size_t len = strlen(directory);

    if (len == 0)
        return strchr(path, '/') == NULL;
    return strncmp(path, directory, len) == 0 && path[len] == '/' &&
           strchr(path + len + 1, '/') == NULL;
}

static bool is_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);

    return strncmp(path, directory, len) == 0 && path[len] == '/';
}

bool sim_disk_has_parent(const struct sim_disk *disk, const char *path)
{
    char parent[SIM_PATH_MAX_BYTES];
    const char *slash = strrchr(path, '/');
    struct entry *entry = NULL;

    if (slash == NULL)
        return true;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    entry = sim_disk_find(disk, parent);
    return entry != NULL && entry->now != NULL && entry->now->is_directory;
}

static enum err disk_open(struct disk *base, const char *path, int flags, struct file **ret_file)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *entry = sim_disk_find(disk, path);
    bool is_there = entry != NULL && entry->now != NULL;
    struct sim_file *file = NULL;

    if (sim_disk_is_dead(base))
        return ERR_IO;
    if (!is_there && (flags & DISK_CREATE) == 0)
        return ERR_NOT_FOUND;
    if (is_there && (flags & DISK_EXCLUSIVE) != 0)
        return ERR_EXISTS;
    if (is_there && entry->now->is_directory)
        return ERR_INVALID;
    if (!is_there) {
        if (!sim_disk_has_parent(disk, path))
            return ERR_NOT_FOUND;
        if (!sim_disk_may_change(disk))
            return ERR_IO;
        sim_disk_note(disk, path, 0);
        entry = find_or_add(disk, path);
        sim_inode_point(&entry->now, sim_inode_new(false));
    }
    file = calloc(1, sizeof(*file));
    invariant(file != NULL);
    file->base.ops = &sim_file_ops;
    file->disk = disk;
    file->is_read_only = (flags & DISK_READ) != 0;
    sim_inode_point(&file->inode, entry->now);
    list_push_back(&disk->files, &file->link);
    disk->open_files++;
    *ret_file = &file->base;
    return ERR_OK;
}

static enum err disk_rename(struct disk *base, const char *from, const char *to)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *source = sim_disk_find(disk, from);

    if (source == NULL || source->now == NULL)
        return ERR_NOT_FOUND;
    invariant(!source->now->is_directory);
    if (!sim_disk_may_change(disk))
        return ERR_IO;
    sim_disk_note(disk, to, 1);
    sim_inode_point(&find_or_add(disk, to)->now, source->now);
    sim_inode_point(&source->now, NULL);
    return ERR_OK;
}

void sim_disk_link(struct disk *base, const char *path, const char *other)
{
    struct sim_disk *disk = sim_disk_of(base);
    const struct entry *source = sim_disk_find(disk, path);
    struct entry *entry = find_or_add(disk, other);

    invariant(source != NULL && source->now != NULL);
    sim_inode_point(&entry->now, source->now);
    sim_inode_point(&entry->durable, source->now);
}

static enum err disk_remove(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *entry = sim_disk_find(disk, path);

    if (entry == NULL || entry->now == NULL)
        return ERR_NOT_FOUND;
    if (!sim_disk_may_change(disk))
        return ERR_IO;
    sim_disk_note(disk, path, 2);
    sim_inode_point(&entry->now, NULL);
    return ERR_OK;
}

static enum err disk_make_dir(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);
    char prefix[SIM_PATH_MAX_BYTES];
    size_t len = strlen(path);

    invariant(len < sizeof(prefix));
    for (size_t i = 1; i <= len; i++) {
        struct entry *entry = NULL;

        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        entry = find_or_add(disk, prefix);
        if (entry->now != NULL)
            continue;
        if (!sim_disk_may_change(disk))
            return ERR_IO;
        sim_disk_note(disk, prefix, 3);
        sim_inode_point(&entry->now, sim_inode_new(true));
    }
    return ERR_OK;
}

static enum err disk_remove_dir(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *directory = sim_disk_find(disk, path);

    if (directory == NULL || directory->now == NULL)
        return ERR_NOT_FOUND;
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now == NULL || !is_below(entry->path, path))
            continue;
        if (!sim_disk_may_change(disk))
            return ERR_IO;
        sim_inode_point(&entry->now, NULL);
    }
    if (!sim_disk_may_change(disk))
        return ERR_IO;
    sim_disk_note(disk, path, 4);
    sim_inode_point(&directory->now, NULL);
    return ERR_OK;
}

static enum err disk_list(struct disk *base, const char *path, disk_list_fn each, void *context)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *directory = sim_disk_find(disk, path);

    if (sim_disk_is_dead(base))
        return ERR_IO;
    if (path[0] != '\0' && (directory == NULL || directory->now == NULL))
        return ERR_NOT_FOUND;
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);
        const char *slash = strrchr(entry->path, '/');

        if (entry->now == NULL || !is_directly_in(entry->path, path))
            continue;
        if (!each(context, slash != NULL ? slash + 1 : entry->path, entry->now->is_directory))
            break;
    }
    return ERR_OK;
}

static enum err disk_sync_dir(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);

    if (!sim_disk_may_change(disk) || sim_disk_draws(disk, disk->faults.sync_error_per_million))
        return ERR_IO;
    disk->sync_count++;
    sim_disk_note(disk, "sync_dir", 0);
    if (disk->faults.is_sync_lying)
        return ERR_OK;
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (is_directly_in(entry->path, path))
            sim_inode_point(&entry->durable, entry->now);
    }
    return ERR_OK;
}

/* Not in their order, so that nobody counts on it. */
static void disk_at_once(struct disk *base, disk_job_fn job, void *context, int count)
{
    (void)base;
    while (count > 0)
        job(context, --count);
}

static void disk_sync_all(struct disk *base, struct disk_sync *syncs, int count)
{
    for (int i = 0; i < count; i++)
        syncs[i].err = syncs[i].file != NULL ? syncs[i].file->ops->sync(syncs[i].file)
                                             : disk_sync_dir(base, syncs[i].dir);
}

/* Calls are done one after the other: nobody is in the way. But each that begins must end. */
static void disk_hurry_begin(struct disk *base)
{
    sim_disk_of(base)->hurries++;
}

static void disk_hurry_end(struct disk *base)
{
    invariant(sim_disk_of(base)->hurries-- > 0);
}

static enum err disk_lock(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);

    (void)path;
    if (disk->is_locked)
        return ERR_LOCKED;
    disk->is_locked = true;
    return ERR_OK;
}

static enum err disk_free_bytes(struct disk *base, int64_t *ret_free, int64_t *ret_total)
{
    struct sim_disk *disk = sim_disk_of(base);
    int64_t total =
        disk->faults.capacity_bytes > 0 ? disk->faults.capacity_bytes : (int64_t)1 << 40;

    *ret_total = total;
    *ret_free = total - sim_disk_used_bytes(base);
    return ERR_OK;
}

const struct disk_ops sim_disk_ops = {
    .open = disk_open,
    .rename = disk_rename,
    .remove = disk_remove,
    .make_dir = disk_make_dir,
    .remove_dir = disk_remove_dir,
    .list = disk_list,
    .sync_dir = disk_sync_dir,
    .at_once = disk_at_once,
    .sync_all = disk_sync_all,
    .hurry_begin = disk_hurry_begin,
    .hurry_end = disk_hurry_end,
    .lock = disk_lock,
    .free_bytes = disk_free_bytes,
};
