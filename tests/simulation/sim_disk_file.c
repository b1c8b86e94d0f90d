/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the simulated disk: those that are there, and those that were synced. */
#include <stdlib.h>

#include "tests/simulation/sim_disk_internal.h"
#include "tests/simulation/sim_memory.h"

static struct sim_file *sim_file_of(struct file *file)
{
    return container_of(file, struct sim_file, base);
}

struct inode *sim_inode_new(bool is_directory)
{
    struct inode *inode = calloc(1, sizeof(*inode));

    invariant(inode != NULL);
    inode->is_directory = is_directory;
    return inode;
}

void sim_inode_unref(struct inode *inode)
{
    if (inode == NULL || --inode->refs > 0)
        return;
    free(inode->now);
    free(inode->synced);
    free(inode);
}

void sim_inode_point(struct inode **place, struct inode *inode)
{
    if (inode != NULL)
        inode->refs++;
    sim_inode_unref(*place);
    *place = inode;
}

void sim_inode_reserve(struct inode *inode, int64_t size)
{
    int64_t room = inode->room;

    if (size <= room)
        return;
    room = size + size / 2 + SIM_SECTOR_BYTES;
    sim_memory_begin();
    inode->now = realloc(inode->now, (size_t)room);
    inode->synced = realloc(inode->synced, (size_t)room);
    sim_memory_end();
    invariant(inode->now != NULL && inode->synced != NULL);
    memset(inode->now + inode->room, 0, (size_t)(room - inode->room));
    memset(inode->synced + inode->room, 0, (size_t)(room - inode->room));
    inode->room = room;
}

static enum err file_read_at(struct file *base, int64_t offset, void *data, size_t len,
                             size_t *ret_len)
{
    struct sim_file *file = sim_file_of(base);
    int64_t left = file->inode->now_size - offset;

    if (sim_disk_is_dead(&file->disk->base) ||
        sim_disk_draws(file->disk, file->disk->faults.read_error_per_million))
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
    sim_inode_reserve(inode, offset + len);
    if (offset > inode->now_size)
        memset(inode->now + inode->now_size, 0, (size_t)(offset - inode->now_size));
    memcpy(inode->now + offset, data, (size_t)len);
    if (offset < inode->now_size)
        inode->rewritten_bytes += len < inode->now_size - offset ? len : inode->now_size - offset;
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
    if (!sim_disk_may_change(disk)) {
        *ret_len = 0;
        return ERR_IO;
    }
    /* The last change before death may be half a one; nobody lives to hear that it worked. */
    if (disk->changes_left == 0 || sim_disk_draws(disk, disk->faults.write_error_per_million)) {
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
    sim_disk_note(file->disk, "write", allowed);
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

/* Up to the end of a block, over whatever the file has there. */
static void put_zeros(struct sim_file *file, int64_t end)
{
    static const uint8_t zeros[DISK_BLOCK_BYTES];
    int64_t len = (DISK_BLOCK_BYTES - end % DISK_BLOCK_BYTES) % DISK_BLOCK_BYTES;

    if (file->disk->faults.leaves_zeros && !sim_disk_draws(file->disk, 250000))
        put_bytes(file->inode, end, zeros, len);
}

static enum err file_append_at(struct file *base, int64_t offset, const struct iovec *iov,
                               int iov_count)
{
    enum err rc = file_write_at(base, offset, iov, iov_count);

    for (int i = 0; i < iov_count; i++)
        offset += (int64_t)iov[i].iov_len;
    if (rc == ERR_OK)
        put_zeros(sim_file_of(base), offset);
    return rc;
}

void sim_inode_sync(struct inode *inode)
{
    sim_inode_reserve(inode, inode->now_size);
    if (inode->now_size > 0)
        memcpy(inode->synced, inode->now, (size_t)inode->now_size);
    inode->synced_size = inode->now_size;
}

static enum err file_sync(struct file *base)
{
    struct sim_file *file = sim_file_of(base);

    if (!sim_disk_may_change(file->disk) ||
        sim_disk_draws(file->disk, file->disk->faults.sync_error_per_million))
        return ERR_IO;
    file->disk->sync_count++;
    file->disk->unhurried_syncs += file->disk->hurries == 0;
    sim_disk_note(file->disk, "sync", file->inode->now_size);
    if (!file->disk->faults.is_sync_lying)
        sim_inode_sync(file->inode);
    return ERR_OK;
}

static enum err file_truncate(struct file *base, int64_t size)
{
    struct sim_file *file = sim_file_of(base);
    struct inode *inode = file->inode;

    invariant(!file->is_read_only);
    if (!sim_disk_may_change(file->disk))
        return ERR_IO;
    sim_disk_note(file->disk, "truncate", size);
    sim_inode_reserve(inode, size);
    if (size > inode->now_size)
        memset(inode->now + inode->now_size, 0, (size_t)(size - inode->now_size));
    inode->now_size = size;
    return ERR_OK;
}

static bool has_other_names(const struct sim_file *file)
{
    int count = 0;

    list_for_each(&file->disk->entries, node) count +=
        container_of(node, struct entry, link)->now == file->inode;
    return count != 1;
}

static enum err file_make_zeros(struct file *base, int64_t size)
{
    struct sim_file *file = sim_file_of(base);
    struct inode *inode = file->inode;

    invariant(!file->is_read_only && size >= inode->now_size);
    if (has_other_names(file))
        return ERR_EXISTS;
    if (file->disk->faults.has_no_zeros)
        return ERR_UNSUPPORTED;
    if (!sim_disk_may_change(file->disk) ||
        sim_disk_draws(file->disk, file->disk->faults.write_error_per_million))
        return ERR_IO;
    sim_disk_note(file->disk, "zeros", size);
    sim_inode_reserve(inode, size);
    memset(inode->now, 0, (size_t)size);
    inode->now_size = size;
    return ERR_OK;
}

/* Zeros that were written are found, too, now and then, where there are such. */
static enum err file_next_data(struct file *base, int64_t offset, int64_t *ret_offset)
{
    struct sim_file *file = sim_file_of(base);
    const struct inode *inode = file->inode;
    bool is_precise = !file->disk->faults.leaves_zeros || !sim_disk_draws(file->disk, 250000);

    while (is_precise && offset < inode->now_size && inode->now[offset] == 0)
        offset++;
    *ret_offset = offset;
    return ERR_OK;
}

static enum err file_size(struct file *base, int64_t *ret_size)
{
    *ret_size = sim_file_of(base)->inode->now_size;
    return ERR_OK;
}

void sim_file_free(struct sim_file *file)
{
    list_remove(&file->link);
    file->disk->open_files--;
    sim_inode_unref(file->inode);
    free(file);
}

static void file_close(struct file *base)
{
    sim_file_free(sim_file_of(base));
}

/* What was written may be found after a crash anyway. */
const struct file_ops sim_file_ops = {
    .read_at = file_read_at,
    .write_at = file_write_at,
    .append_at = file_append_at,
    .make_zeros = file_make_zeros,
    .next_data = file_next_data,
    .sync = file_sync,
    .truncate = file_truncate,
    .size = file_size,
    .close = file_close,
};
