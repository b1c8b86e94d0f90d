/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sim_disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/list.h"

#define SECTOR_BYTES 512
#define PATH_MAX_BYTES 256

/* Bytes on the disk. Lives as long as a name or an open file leads to it. */
struct inode {
    bool is_directory;
    uint8_t *now;
    int64_t now_size;
    uint8_t *synced;
    int64_t synced_size;
    int64_t room; /* of both arrays */
    int refs;
};

struct entry {
    struct list link; /* sorted by path, so that listing does not depend on history */
    char path[PATH_MAX_BYTES];
    struct inode *now;     /* NULL = no such name now */
    struct inode *durable; /* NULL = no such name after a crash */
};

struct sim_file {
    struct file base;
    struct list link;
    struct sim_disk *disk;
    struct inode *inode;
    bool is_read_only;
};

struct sim_disk {
    struct disk base;
    struct list entries;
    struct list files;
    struct seeded_random random;
    struct sim_trace *trace;
    struct sim_disk_faults faults;
    int64_t changes_left; /* -1 = lives for ever */
    int64_t sync_count;
    int64_t open_files;
    bool is_locked;
};

static struct sim_disk *sim_disk_of(const struct disk *disk)
{
    return container_of(disk, struct sim_disk, base);
}

static struct sim_file *sim_file_of(struct file *file)
{
    return container_of(file, struct sim_file, base);
}

static void trace(struct sim_disk *disk, const char *what, int64_t number)
{
    if (disk->trace != NULL)
        sim_trace_event(disk->trace, what, number);
}

static bool is_drawn(struct sim_disk *disk, int per_million)
{
    return per_million > 0 && seeded_random_below(&disk->random, 1000000) < (uint64_t)per_million;
}

/* True = the process is still alive for this change. */
static bool count_change(struct sim_disk *disk)
{
    if (disk->changes_left < 0)
        return true;
    if (disk->changes_left == 0)
        return false;
    disk->changes_left--;
    return true;
}

static struct inode *inode_new(bool is_directory)
{
    struct inode *inode = calloc(1, sizeof(*inode));

    invariant(inode != NULL);
    inode->is_directory = is_directory;
    return inode;
}

static void inode_unref(struct inode *inode)
{
    if (inode == NULL || --inode->refs > 0)
        return;
    free(inode->now);
    free(inode->synced);
    free(inode);
}

static void point_at(struct inode **place, struct inode *inode)
{
    if (inode != NULL)
        inode->refs++;
    inode_unref(*place);
    *place = inode;
}

static void inode_reserve(struct inode *inode, int64_t size)
{
    int64_t room = inode->room;

    if (size <= room)
        return;
    room = size + size / 2 + SECTOR_BYTES;
    inode->now = realloc(inode->now, (size_t)room);
    inode->synced = realloc(inode->synced, (size_t)room);
    invariant(inode->now != NULL && inode->synced != NULL);
    memset(inode->now + inode->room, 0, (size_t)(room - inode->room));
    memset(inode->synced + inode->room, 0, (size_t)(room - inode->room));
    inode->room = room;
}

static struct entry *find(const struct sim_disk *disk, const char *path)
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
    struct entry *entry = find(disk, path);
    struct list *before = disk->entries.next;

    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof(*entry));
    invariant(entry != NULL && strlen(path) < PATH_MAX_BYTES);
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

static bool has_parent(const struct sim_disk *disk, const char *path)
{
    char parent[PATH_MAX_BYTES];
    const char *slash = strrchr(path, '/');
    struct entry *entry = NULL;

    if (slash == NULL)
        return true;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    entry = find(disk, parent);
    return entry != NULL && entry->now != NULL && entry->now->is_directory;
}

/* --- files --- */

static enum err file_read_at(struct file *base, int64_t offset, void *data, size_t len,
                             size_t *ret_len)
{
    struct sim_file *file = sim_file_of(base);
    int64_t left = file->inode->now_size - offset;

    if (sim_disk_is_dead(&file->disk->base) ||
        is_drawn(file->disk, file->disk->faults.read_error_per_million))
        return ERR_IO;
    if (left < 0)
        left = 0;
    if ((int64_t)len < left)
        left = (int64_t)len;
    if (left > 0)
        memcpy(data, file->inode->now + offset, (size_t)left);
    *ret_len = (size_t)left;
    return ERR_OK;
}

static void put_bytes(struct inode *inode, int64_t offset, const uint8_t *data, int64_t len)
{
    if (len <= 0)
        return;
    inode_reserve(inode, offset + len);
    if (offset > inode->now_size)
        memset(inode->now + inode->now_size, 0, (size_t)(offset - inode->now_size));
    memcpy(inode->now + offset, data, (size_t)len);
    if (offset + len > inode->now_size)
        inode->now_size = offset + len;
}

/* How many of len bytes get written, and what is said. */
static enum err draw_write(struct sim_disk *disk, const struct inode *inode, int64_t offset,
                           int64_t len, int64_t *ret_len)
{
    int64_t growth = offset + len - inode->now_size;
    int64_t used = sim_disk_used_bytes(&disk->base);

    *ret_len = len;
    if (!count_change(disk)) {
        *ret_len = 0;
        return ERR_IO;
    }
    /* The last change before death may be half a one; nobody lives to hear that it worked. */
    if (disk->changes_left == 0 || is_drawn(disk, disk->faults.write_error_per_million)) {
        *ret_len = (int64_t)seeded_random_below(&disk->random, (uint64_t)len + 1);
        return ERR_IO;
    }
    if (disk->faults.capacity_bytes > 0 && growth > 0 &&
        used + growth > disk->faults.capacity_bytes) {
        int64_t over = used + growth - disk->faults.capacity_bytes;

        *ret_len = over < len ? len - over : 0;
        return ERR_NO_SPACE;
    }
    return ERR_OK;
}

static enum err file_write_at(struct file *base, int64_t offset, const struct iovec *iov,
                              int iov_count)
{
    struct sim_file *file = sim_file_of(base);
    int64_t len = 0;
    int64_t allowed = 0;
    enum err rc = ERR_OK;

    invariant(!file->is_read_only);
    for (int i = 0; i < iov_count; i++)
        len += (int64_t)iov[i].iov_len;
    rc = draw_write(file->disk, file->inode, offset, len, &allowed);
    trace(file->disk, "write", allowed);
    for (int i = 0; i < iov_count && allowed > 0; i++) {
        int64_t part = (int64_t)iov[i].iov_len < allowed ? (int64_t)iov[i].iov_len : allowed;

        if (file->disk->trace != NULL)
            sim_trace_bytes(file->disk->trace, iov[i].iov_base, (size_t)part);
        put_bytes(file->inode, offset, iov[i].iov_base, part);
        offset += part;
        allowed -= part;
    }
    return rc;
}

static void sync_inode(struct inode *inode)
{
    inode_reserve(inode, inode->now_size);
    if (inode->now_size > 0)
        memcpy(inode->synced, inode->now, (size_t)inode->now_size);
    inode->synced_size = inode->now_size;
}

static enum err file_sync(struct file *base)
{
    struct sim_file *file = sim_file_of(base);

    if (!count_change(file->disk) ||
        is_drawn(file->disk, file->disk->faults.sync_error_per_million))
        return ERR_IO;
    file->disk->sync_count++;
    trace(file->disk, "sync", file->inode->now_size);
    if (!file->disk->faults.is_sync_lying)
        sync_inode(file->inode);
    return ERR_OK;
}

static enum err file_truncate(struct file *base, int64_t size)
{
    struct sim_file *file = sim_file_of(base);
    struct inode *inode = file->inode;

    invariant(!file->is_read_only);
    if (!count_change(file->disk))
        return ERR_IO;
    trace(file->disk, "truncate", size);
    inode_reserve(inode, size);
    if (size > inode->now_size)
        memset(inode->now + inode->now_size, 0, (size_t)(size - inode->now_size));
    inode->now_size = size;
    return ERR_OK;
}

static enum err file_size(struct file *base, int64_t *ret_size)
{
    *ret_size = sim_file_of(base)->inode->now_size;
    return ERR_OK;
}

static void file_free(struct sim_file *file)
{
    list_remove(&file->link);
    file->disk->open_files--;
    inode_unref(file->inode);
    free(file);
}

static void file_close(struct file *base)
{
    file_free(sim_file_of(base));
}

static const struct file_ops sim_file_ops = {
    .read_at = file_read_at,
    .write_at = file_write_at,
    .sync = file_sync,
    .truncate = file_truncate,
    .size = file_size,
    .close = file_close,
};

/* --- names --- */

static enum err disk_open(struct disk *base, const char *path, int flags, struct file **ret_file)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *entry = find(disk, path);
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
        if (!has_parent(disk, path))
            return ERR_NOT_FOUND;
        if (!count_change(disk))
            return ERR_IO;
        trace(disk, path, 0);
        entry = find_or_add(disk, path);
        point_at(&entry->now, inode_new(false));
    }
    file = calloc(1, sizeof(*file));
    invariant(file != NULL);
    file->base.ops = &sim_file_ops;
    file->disk = disk;
    file->is_read_only = (flags & DISK_READ) != 0;
    point_at(&file->inode, entry->now);
    list_push_back(&disk->files, &file->link);
    disk->open_files++;
    *ret_file = &file->base;
    return ERR_OK;
}

static enum err disk_rename(struct disk *base, const char *from, const char *to)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *source = find(disk, from);

    if (source == NULL || source->now == NULL)
        return ERR_NOT_FOUND;
    invariant(!source->now->is_directory);
    if (!count_change(disk))
        return ERR_IO;
    trace(disk, to, 1);
    point_at(&find_or_add(disk, to)->now, source->now);
    point_at(&source->now, NULL);
    return ERR_OK;
}

static enum err disk_remove(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *entry = find(disk, path);

    if (entry == NULL || entry->now == NULL)
        return ERR_NOT_FOUND;
    if (!count_change(disk))
        return ERR_IO;
    trace(disk, path, 2);
    point_at(&entry->now, NULL);
    return ERR_OK;
}

static enum err disk_make_dir(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);
    char prefix[PATH_MAX_BYTES];
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
        if (!count_change(disk))
            return ERR_IO;
        trace(disk, prefix, 3);
        point_at(&entry->now, inode_new(true));
    }
    return ERR_OK;
}

static enum err disk_remove_dir(struct disk *base, const char *path)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *directory = find(disk, path);

    if (directory == NULL || directory->now == NULL)
        return ERR_NOT_FOUND;
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now == NULL || !is_below(entry->path, path))
            continue;
        if (!count_change(disk))
            return ERR_IO;
        point_at(&entry->now, NULL);
    }
    if (!count_change(disk))
        return ERR_IO;
    trace(disk, path, 4);
    point_at(&directory->now, NULL);
    return ERR_OK;
}

static enum err disk_list(struct disk *base, const char *path, disk_list_fn each, void *context)
{
    struct sim_disk *disk = sim_disk_of(base);
    struct entry *directory = find(disk, path);

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

    if (!count_change(disk) || is_drawn(disk, disk->faults.sync_error_per_million))
        return ERR_IO;
    disk->sync_count++;
    trace(disk, "sync_dir", 0);
    if (disk->faults.is_sync_lying)
        return ERR_OK;
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (is_directly_in(entry->path, path))
            point_at(&entry->durable, entry->now);
    }
    return ERR_OK;
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

static const struct disk_ops sim_disk_ops = {
    .open = disk_open,
    .rename = disk_rename,
    .remove = disk_remove,
    .make_dir = disk_make_dir,
    .remove_dir = disk_remove_dir,
    .list = disk_list,
    .sync_dir = disk_sync_dir,
    .lock = disk_lock,
    .free_bytes = disk_free_bytes,
};

/* --- the test's side --- */

struct disk *sim_disk_new(uint64_t seed, struct sim_trace *sim_trace)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));

    invariant(disk != NULL);
    disk->base.ops = &sim_disk_ops;
    list_init(&disk->entries);
    list_init(&disk->files);
    seeded_random_init(&disk->random, seed);
    disk->trace = sim_trace;
    disk->changes_left = -1;
    return &disk->base;
}

static void entry_free(struct entry *entry)
{
    list_remove(&entry->link);
    inode_unref(entry->now);
    inode_unref(entry->durable);
    free(entry);
}

static void close_all(struct sim_disk *disk)
{
    list_for_each(&disk->files, node) file_free(container_of(node, struct sim_file, link));
    disk->is_locked = false;
    disk->changes_left = -1;
}

void sim_disk_free(struct disk *base)
{
    struct sim_disk *disk = sim_disk_of(base);

    close_all(disk);
    list_for_each(&disk->entries, node) entry_free(container_of(node, struct entry, link));
    free(disk);
}

void sim_disk_set_faults(struct disk *base, const struct sim_disk_faults *faults)
{
    sim_disk_of(base)->faults = *faults;
}

void sim_disk_die_after(struct disk *base, int64_t changes)
{
    sim_disk_of(base)->changes_left = changes;
}

bool sim_disk_is_dead(const struct disk *base)
{
    return sim_disk_of(base)->changes_left == 0;
}

/* A size between the synced and the new one, then per sector the synced or the new bytes. */
static void tear(struct sim_disk *disk, struct inode *inode)
{
    int64_t low = inode->now_size < inode->synced_size ? inode->now_size : inode->synced_size;
    int64_t high = inode->now_size < inode->synced_size ? inode->synced_size : inode->now_size;
    int64_t size = high;

    inode_reserve(inode, high);
    if (high > low) {
        uint64_t draw = seeded_random_below(&disk->random, 4);

        if (draw == 0)
            size = low;
        else if (draw == 1)
            size = low + (int64_t)seeded_random_below(&disk->random, (uint64_t)(high - low) + 1);
    }
    if (high > inode->synced_size)
        memset(inode->synced + inode->synced_size, 0, (size_t)(high - inode->synced_size));
    for (int64_t at = 0; at < size; at += SECTOR_BYTES) {
        int64_t len = size - at < SECTOR_BYTES ? size - at : SECTOR_BYTES;
        bool is_new_there = at < inode->now_size;

        if (is_new_there && memcmp(inode->now + at, inode->synced + at, (size_t)len) == 0)
            continue;
        if (!is_new_there || seeded_random_below(&disk->random, 2) == 0)
            memcpy(inode->now + at, inode->synced + at, (size_t)len);
    }
    inode->now_size = size;
    sync_inode(inode);
}

static void choose_names(struct sim_disk *disk)
{
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now != entry->durable && seeded_random_below(&disk->random, 2) == 0)
            point_at(&entry->now, entry->durable);
    }
    /* Sorted by path: a directory comes before what is in it. */
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now != NULL && !has_parent(disk, entry->path))
            point_at(&entry->now, NULL);
        point_at(&entry->durable, entry->now);
        if (entry->now == NULL)
            entry_free(entry);
    }
}

void sim_disk_crash(struct disk *base)
{
    struct sim_disk *disk = sim_disk_of(base);

    close_all(disk);
    trace(disk, "crash", 0);
    choose_names(disk);
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (!entry->now->is_directory)
            tear(disk, entry->now);
    }
}

void sim_disk_kill(struct disk *base)
{
    close_all(sim_disk_of(base));
}

bool sim_disk_flip_bit(struct disk *base, const char *path, int64_t offset, int bit)
{
    struct entry *entry = find(sim_disk_of(base), path);
    uint8_t mask = (uint8_t)(1u << (bit & 7));

    if (entry == NULL || entry->now == NULL || offset >= entry->now->now_size)
        return false;
    entry->now->now[offset] ^= mask;
    if (offset < entry->now->synced_size)
        entry->now->synced[offset] ^= mask;
    return true;
}

int64_t sim_disk_used_bytes(const struct disk *base)
{
    int64_t used = 0;

    list_for_each(&sim_disk_of(base)->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now != NULL && !entry->now->is_directory)
            used += entry->now->now_size;
    }
    return used;
}

int64_t sim_disk_open_files(const struct disk *base)
{
    return sim_disk_of(base)->open_files;
}

int64_t sim_disk_sync_count(const struct disk *base)
{
    return sim_disk_of(base)->sync_count;
}

int64_t sim_disk_file_size(const struct disk *base, const char *path)
{
    struct entry *entry = find(sim_disk_of(base), path);

    return entry != NULL && entry->now != NULL ? entry->now->now_size : -1;
}
