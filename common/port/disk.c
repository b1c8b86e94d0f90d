/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files on top of any disk: small ones that are read at start and replaced as a whole, and large ones that go.
 *
 * A replaced file is written beside the old one, synced, renamed over it, and the directory is synced:
 * after a crash the name leads to the old or to the new content, never to something between. */
#include "common/port/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#define PATH_MAX_BYTES 512
#define CUT_FILE_COST 65536 /* a small file is work, too */

enum err disk_read_file(struct disk *disk, const char *path, size_t max_bytes, uint8_t **ret_data,
                        size_t *ret_len)
{
    struct file *file = NULL;
    uint8_t *data = NULL;
    int64_t size = 0;
    size_t len = 0;
    enum err rc = disk->ops->open(disk, path, DISK_READ, &file);

    if (rc != ERR_OK)
        return rc;
    rc = file->ops->size(file, &size);
    if (rc == ERR_OK && (uint64_t)size > max_bytes)
        rc = ERR_TOO_LARGE;
    if (rc != ERR_OK)
        goto close;

    data = malloc((size_t)size + 1);
    if (data == NULL) {
        rc = ERR_NO_MEMORY;
        goto close;
    }
    rc = file->ops->read_at(file, 0, data, (size_t)size, &len);
    if (rc != ERR_OK) {
        free(data);
        goto close;
    }
    *ret_data = data;
    *ret_len = len;
close:
    file->ops->close(file);
    return rc;
}

static enum err write_whole(struct disk *disk, const char *path, const void *data, size_t len)
{
    struct file *file = NULL;
    enum err rc = disk->ops->open(disk, path, DISK_CREATE, &file);

    if (rc != ERR_OK)
        return rc;
    /* A leftover of an earlier attempt may be longer. */
    rc = file->ops->truncate(file, 0);
    if (rc == ERR_OK && len > 0) {
        struct iovec iov = {(void *)(uintptr_t)data, len};

        rc = file->ops->write_at(file, 0, &iov, 1);
    }
    if (rc == ERR_OK)
        rc = file->ops->sync(file);
    file->ops->close(file);
    return rc;
}

enum err disk_replace_file(struct disk *disk, const char *dir, const char *name, const void *data,
                           size_t len)
{
    char path[PATH_MAX_BYTES];
    char fresh[PATH_MAX_BYTES];
    const char *between = dir[0] == '\0' ? "" : "/";
    int path_len = snprintf(path, sizeof(path), "%s%s%s", dir, between, name);
    int fresh_len = snprintf(fresh, sizeof(fresh), "%s%s%s.new", dir, between, name);
    enum err rc = ERR_OK;

    if (path_len < 0 || fresh_len < 0 || (size_t)fresh_len >= sizeof(fresh))
        return ERR_TOO_LARGE;
    rc = write_whole(disk, fresh, data, len);
    if (rc == ERR_OK)
        rc = disk->ops->rename(disk, fresh, path);
    if (rc == ERR_OK)
        rc = disk->ops->sync_dir(disk, dir);
    return rc;
}

enum err disk_written_end(struct file *file, int64_t end, int64_t size, int64_t *ret_end)
{
    uint8_t bytes[DISK_BLOCK_BYTES];
    int64_t rest = end + DISK_BLOCK_BYTES <= size ? disk_whole_blocks(end + 1) : size;
    int64_t written = size;
    size_t len = 0;
    enum err rc = ERR_OK;

    *ret_end = size;
    if (rest < size)
        rc = file->ops->next_data(file, rest, &written);
    if (rc != ERR_OK || written < size)
        return rc;
    rc = file->ops->read_at(file, end, bytes, (size_t)(rest - end), &len);
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    if (rc == ERR_OK)
        *ret_end = end + (int64_t)len;
    return rc;
}

/* False = what is left of it goes at once: it is no larger than the budget, or cannot be made shorter. */
static bool cut_end(struct disk *disk, const char *path, int64_t *budget)
{
    struct file *file = NULL;
    int64_t size = 0;
    int64_t kept = 0;

    if (disk->ops->open(disk, path, 0, &file) != ERR_OK)
        return false;
    if (file->ops->size(file, &size) == ERR_OK && size > *budget)
        kept = size - *budget;
    if (kept > 0 && file->ops->truncate(file, kept) != ERR_OK)
        kept = 0;
    file->ops->close(file);
    *budget -= size - kept;
    return kept > 0;
}

enum err disk_cut_file(struct disk *disk, const char *path, int64_t *budget, bool *ret_is_gone)
{
    bool is_cut = cut_end(disk, path, budget);
    enum err rc = is_cut ? ERR_OK : disk->ops->remove(disk, path);

    *budget -= CUT_FILE_COST;
    *ret_is_gone = rc == ERR_OK && !is_cut;
    return rc;
}
