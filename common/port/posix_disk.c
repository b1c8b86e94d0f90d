/* SPDX-License-Identifier: Apache-2.0 */
/* The disk port on POSIX: every path is opened below one root directory, O_CLOEXEC, files 0640,
 * directories 0750. errno ends here and in the files named below. Any thread; the locks are only taken at start.
 * What may run at the same time has threads of its own (job_pool.h); large writes may go past the page cache
 * (direct_write.h); reads are polite (polite_read.h).
 *
 * The lock is an open file description lock on a file of ours: held until the process ends or the disk
 * is closed, not inherited by children, and gone with a killed process. */
#include "common/port/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/port/direct_write.h"
#include "common/port/job_pool.h"
#include "common/port/polite_read.h"
#include "common/port/read_ahead.h"

#define FILE_MODE 0640
#define DIRECTORY_MODE 0750
#define PATH_MAX_BYTES 512
#define LOCKS_MAX 4
#define REMOVE_DEPTH_MAX 8
#define LIST_BYTES 16384
#define SYSFS "/sys"
#define PATIENCE_US 2000 /* about as long as a round takes on a slow disk */

_Static_assert(DIRECT_WRITE_BLOCK_BYTES == DISK_BLOCK_BYTES, "what an append fills up is a block");

struct posix_disk {
    struct disk base;
    int root;
    int locks[LOCKS_MAX]; /* set at start, before other threads */
    int lock_count;
    struct direct_writes direct;
    struct job_pool jobs;
    struct right_of_way way;
    int64_t read_ahead_bytes; /* of the device; -1 = not known */
};

struct posix_file {
    struct file base;
    int fd;
    struct posix_disk *disk;
    bool is_bulk;
    struct direct_file direct;
    char path[];
};

struct posix_syncs {
    struct disk *disk;
    struct disk_sync *syncs;
};

static struct posix_disk *posix_disk_of(struct disk *disk)
{
    return container_of(disk, struct posix_disk, base);
}

static struct posix_file *posix_file_of(struct file *file)
{
    return container_of(file, struct posix_file, base);
}

/* "" is the root itself. */
static const char *path_or_dot(const char *path)
{
    return path[0] == '\0' ? "." : path;
}

static enum err file_read_at(struct file *file, int64_t offset, void *data, size_t len,
                             size_t *ret_len)
{
    const struct posix_file *posix = posix_file_of(file);

    return polite_read(&posix->disk->way, posix->fd, offset, data, len, ret_len);
}

/* Bytes from `from` to `to` of the vectors, the first of which belongs at `offset`: one plain write after another. */
static enum err write_part(int fd, int64_t offset, const struct iovec *iov, size_t from, size_t to)
{
    size_t begin = 0; /* of this vector, in all of them */

    for (; begin < to; begin += (iov++)->iov_len) {
        size_t end = begin + iov->iov_len < to ? begin + iov->iov_len : to;

        while (from >= begin && from < end) {
            const uint8_t *at = (const uint8_t *)iov->iov_base + (from - begin);
            ssize_t n = pwrite(fd, at, end - from, offset + (int64_t)from);

            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return err_from_errno(errno);
            from += (size_t)n;
        }
    }
    return ERR_OK;
}

static size_t bytes_of(const struct iovec *iov, int iov_count)
{
    size_t bytes = 0;

    for (int i = 0; i < iov_count; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

/* Whole blocks past the page cache, as many as go; the rest through it. */
static enum err write_large(struct posix_file *file, int64_t offset, const struct iovec *iov,
                            size_t len)
{
    size_t head = direct_write_head(offset);
    size_t done = 0;
    enum err rc = write_part(file->fd, offset, iov, 0, head);

    if (rc == ERR_OK)
        rc = direct_write(&file->disk->direct, &file->direct, file->fd, file->path,
                          offset + (int64_t)head, iov, head, len - head, &done);
    return rc == ERR_OK ? write_part(file->fd, offset, iov, head + done, len) : rc;
}

/* All of it past the page cache, if the block it begins in is remembered. */
static enum err append_large(struct posix_file *file, int64_t offset, const struct iovec *iov,
                             size_t len)
{
    size_t head = direct_append_head(&file->direct, offset);
    size_t done = 0;
    enum err rc = write_part(file->fd, offset, iov, 0, head);

    if (rc == ERR_OK)
        rc = direct_append(&file->disk->direct, &file->direct, file->fd, file->path,
                           offset + (int64_t)head, iov, head, len - head, &done);
    return rc == ERR_OK ? write_part(file->fd, offset, iov, head + done, len) : rc;
}

static enum err write_small(int fd, int64_t offset, const struct iovec *iov, int iov_count)
{
    while (iov_count > 0) {
        int count = iov_count < IOV_MAX ? iov_count : IOV_MAX;
        size_t wanted = bytes_of(iov, count);
        ssize_t n = 0;
        enum err rc = ERR_OK;

        do
            n = pwritev(fd, iov, count, offset);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return err_from_errno(errno);
        rc = write_part(fd, offset, iov, (size_t)n, wanted);
        if (rc != ERR_OK)
            return rc;
        offset += (int64_t)wanted;
        iov += count;
        iov_count -= count;
    }
    return ERR_OK;
}

static enum err file_write_at(struct file *file, int64_t offset, const struct iovec *iov,
                              int iov_count)
{
    struct posix_file *posix = posix_file_of(file);
    size_t len = posix->is_bulk ? bytes_of(iov, iov_count) : 0;

    direct_append_forget(&posix->direct);
    if (len >= DIRECT_WRITE_MIN_BYTES)
        return write_large(posix, offset, iov, len);
    return write_small(posix->fd, offset, iov, iov_count);
}

static enum err file_append_at(struct file *file, int64_t offset, const struct iovec *iov,
                               int iov_count)
{
    struct posix_file *posix = posix_file_of(file);
    size_t len = bytes_of(iov, iov_count);

    if (posix->is_bulk && len >= DIRECT_WRITE_MIN_BYTES)
        return append_large(posix, offset, iov, len);
    return write_small(posix->fd, offset, iov, iov_count);
}

static bool has_other_names(int fd)
{
    struct stat status;

    return fstat(fd, &status) != 0 || status.st_nlink != 1;
}

static enum err file_make_zeros(struct file *file, int64_t size)
{
    struct posix_file *posix = posix_file_of(file);

    direct_append_forget(&posix->direct);
    if (has_other_names(posix->fd))
        return ERR_EXISTS;
    if (fallocate(posix->fd, FALLOC_FL_ZERO_RANGE, 0, size) == 0)
        return ERR_OK;
    return errno == EOPNOTSUPP || errno == ENOSYS ? ERR_UNSUPPORTED : err_from_errno(errno);
}

/* A file system that knows of no holes says that all of it was written. */
static enum err file_next_data(struct file *file, int64_t offset, int64_t *ret_offset)
{
    int fd = posix_file_of(file)->fd;
    off_t data = lseek(fd, offset, SEEK_DATA);
    struct stat status;

    *ret_offset = data >= 0 ? data : offset;
    if (data >= 0 || errno != ENXIO)
        return ERR_OK;
    if (fstat(fd, &status) != 0)
        return err_from_errno(errno);
    *ret_offset = status.st_size;
    return ERR_OK;
}

static enum err file_sync(struct file *file)
{
    /* Never repeated, not even after EINTR: a second success would prove nothing. Nor is it said why: nobody may take a lack
     * of room for a write that can be taken back. */
    return fdatasync(posix_file_of(file)->fd) == 0 ? ERR_OK : ERR_IO;
}

static enum err file_truncate(struct file *file, int64_t size)
{
    struct posix_file *posix = posix_file_of(file);

    direct_append_forget(&posix->direct);
    return ftruncate(posix->fd, size) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err file_size(struct file *file, int64_t *ret_size)
{
    struct stat status;

    if (fstat(posix_file_of(file)->fd, &status) != 0)
        return err_from_errno(errno);
    *ret_size = status.st_size;
    return ERR_OK;
}

static void file_close(struct file *file)
{
    struct posix_file *posix = posix_file_of(file);

    direct_file_close(&posix->disk->direct, &posix->direct);
    (void)close(posix->fd); /* what mattered was synced; nothing can be done about a failure here */
    free(posix);
}

static const struct file_ops posix_file_ops = {
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

/* Of bulk, a device is asked for no more at once than what a sync of somebody else can wait behind. */
static bool reads_ahead(const struct posix_disk *disk)
{
    return disk->read_ahead_bytes >= 0 && disk->read_ahead_bytes <= POSIX_DISK_READ_AHEAD_MAX_BYTES;
}

static enum err disk_open(struct disk *disk, const char *path, int flags, struct file **ret_file)
{
    size_t path_bytes = strlen(path) + 1;
    struct posix_file *file = malloc(sizeof(*file) + path_bytes);
    int open_flags = O_CLOEXEC | O_NOFOLLOW | ((flags & DISK_READ) != 0 ? O_RDONLY : O_RDWR);

    if (file == NULL)
        return ERR_NO_MEMORY;
    if ((flags & DISK_CREATE) != 0)
        open_flags |= O_CREAT;
    if ((flags & DISK_EXCLUSIVE) != 0)
        open_flags |= O_EXCL;
    file->base.ops = &posix_file_ops;
    file->disk = posix_disk_of(disk);
    file->is_bulk = (flags & DISK_BULK) != 0;
    direct_file_init(&file->direct);
    memcpy(file->path, path, path_bytes);
    file->fd = openat(posix_disk_of(disk)->root, path, open_flags, FILE_MODE);
    if (file->fd < 0) {
        enum err rc = err_from_errno(errno);

        free(file);
        return rc;
    }
    if (file->is_bulk && !reads_ahead(file->disk))
        (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
    *ret_file = &file->base;
    return ERR_OK;
}

static enum err disk_rename(struct disk *disk, const char *from, const char *to)
{
    int root = posix_disk_of(disk)->root;

    return renameat(root, from, root, to) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err disk_remove(struct disk *disk, const char *path)
{
    return unlinkat(posix_disk_of(disk)->root, path, 0) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err disk_make_dir(struct disk *disk, const char *path)
{
    char prefix[PATH_MAX_BYTES];
    size_t len = strlen(path);

    if (len >= sizeof(prefix))
        return ERR_TOO_LARGE;
    memcpy(prefix, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        char kept = prefix[i];

        if (kept != '/' && kept != '\0')
            continue;
        prefix[i] = '\0';
        if (mkdirat(posix_disk_of(disk)->root, prefix, DIRECTORY_MODE) != 0 && errno != EEXIST)
            return err_from_errno(errno);
        prefix[i] = kept;
    }
    return ERR_OK;
}

static bool is_dot_entry(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes all that is below the directory `fd`, which it takes over. */
static enum err remove_contents(int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry = NULL;
    enum err rc = ERR_OK;

    if (dir == NULL) {
        rc = err_from_errno(errno);
        (void)close(fd);
        return rc;
    }
    while (rc == ERR_OK && (entry = readdir(dir)) != NULL) {
        if (is_dot_entry(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            continue;
        if ((errno != EISDIR && errno != EPERM) || depth >= REMOVE_DEPTH_MAX) {
            rc = err_from_errno(errno);
            break;
        }
        int below =
            openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (below < 0) {
            rc = err_from_errno(errno);
            break;
        }
        rc = remove_contents(below, depth + 1);
        if (rc == ERR_OK && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) != 0)
            rc = err_from_errno(errno);
    }
    (void)closedir(dir);
    return rc;
}

static enum err disk_remove_dir(struct disk *disk, const char *path)
{
    int root = posix_disk_of(disk)->root;
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    enum err rc = ERR_OK;

    if (fd < 0)
        return err_from_errno(errno);
    rc = remove_contents(fd, 0);
    if (rc == ERR_OK && unlinkat(root, path, AT_REMOVEDIR) != 0)
        rc = err_from_errno(errno);
    return rc;
}

static bool is_directory_entry(int dir_fd, const struct dirent64 *entry)
{
    struct stat status;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dir_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
}

/* False: enough was told. */
static bool list_entries(int fd, const char *entries, size_t len, disk_list_fn each, void *context)
{
    for (size_t at = 0; at < len;) {
        const struct dirent64 *entry = (const void *)(entries + at);

        at += entry->d_reclen;
        if (is_dot_entry(entry->d_name))
            continue;
        if (!each(context, entry->d_name, is_directory_entry(fd, entry)))
            return false;
    }
    return true;
}

/* Without a stream: a start lists a directory for each partition, and a stream costs a buffer and three calls more. */
static enum err disk_list(struct disk *disk, const char *path, disk_list_fn each, void *context)
{
    alignas(struct dirent64) char entries[LIST_BYTES];
    int fd = openat(posix_disk_of(disk)->root, path_or_dot(path),
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len = 0;
    enum err rc = ERR_OK;

    if (fd < 0)
        return err_from_errno(errno);
    do {
        len = getdents64(fd, entries, sizeof(entries));
    } while (len > 0 && list_entries(fd, entries, (size_t)len, each, context));
    if (len < 0)
        rc = err_from_errno(errno);
    (void)close(fd);
    return rc;
}

static enum err disk_sync_dir(struct disk *disk, const char *path)
{
    int fd =
        openat(posix_disk_of(disk)->root, path_or_dot(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err rc = ERR_OK;

    if (fd < 0)
        return err_from_errno(errno);
    if (fsync(fd) != 0)
        rc = ERR_IO;
    (void)close(fd);
    return rc;
}

static void sync_one(void *context, int index)
{
    struct posix_syncs *syncs = context;
    struct disk_sync *sync = &syncs->syncs[index];

    sync->err = sync->file != NULL ? file_sync(sync->file) : disk_sync_dir(syncs->disk, sync->dir);
}

static void disk_at_once(struct disk *disk, disk_job_fn job, void *context, int count)
{
    job_pool_run(&posix_disk_of(disk)->jobs, job, context, count);
}

static void disk_sync_all(struct disk *disk, struct disk_sync *syncs, int count)
{
    struct posix_syncs all = {disk, syncs};

    disk_at_once(disk, sync_one, &all, count);
}

static void disk_hurry_begin(struct disk *disk)
{
    right_of_way_begin(&posix_disk_of(disk)->way);
}

static void disk_hurry_end(struct disk *disk)
{
    right_of_way_end(&posix_disk_of(disk)->way);
}

static enum err disk_lock(struct disk *disk, const char *path)
{
    struct posix_disk *posix = posix_disk_of(disk);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = openat(posix->root, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

    if (fd < 0)
        return err_from_errno(errno);
    if (posix->lock_count == LOCKS_MAX) {
        (void)close(fd);
        return ERR_LIMIT;
    }
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        enum err rc = errno == EAGAIN || errno == EACCES ? ERR_LOCKED : err_from_errno(errno);

        (void)close(fd);
        return rc;
    }
    posix->locks[posix->lock_count++] = fd;
    return ERR_OK;
}

static enum err disk_free_bytes(struct disk *disk, int64_t *ret_free, int64_t *ret_total)
{
    struct statvfs status;

    if (fstatvfs(posix_disk_of(disk)->root, &status) != 0)
        return err_from_errno(errno);
    *ret_free = (int64_t)(status.f_bavail * status.f_frsize);
    *ret_total = (int64_t)(status.f_blocks * status.f_frsize);
    return ERR_OK;
}

static const struct disk_ops posix_disk_ops = {
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

enum err posix_disk_open(const char *root, struct disk **ret_disk, struct error *error)
{
    struct posix_disk *disk = calloc(1, sizeof(*disk));

    if (disk == NULL)
        return error_set(error, ERR_NO_MEMORY, "out of memory opening the data directory %s", root);
    disk->base.ops = &posix_disk_ops;
    disk->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->root < 0) {
        int number = errno;

        free(disk);
        return error_set(error, err_from_errno(number),
                         "cannot open the data directory %s: %s; it must exist and belong to the "
                         "user that runs the broker",
                         root, strerror(number));
    }
    direct_writes_init(&disk->direct, disk->root);
    job_pool_init(&disk->jobs);
    right_of_way_init(&disk->way, PATIENCE_US);
    disk->read_ahead_bytes = read_ahead_bytes(disk->root, SYSFS);
    *ret_disk = &disk->base;
    return ERR_OK;
}

int64_t posix_disk_read_ahead_bytes(struct disk *disk)
{
    return posix_disk_of(disk)->read_ahead_bytes;
}

void posix_disk_close(struct disk *disk)
{
    struct posix_disk *posix = NULL;

    if (disk == NULL)
        return;
    posix = posix_disk_of(disk);
    job_pool_done(&posix->jobs);
    right_of_way_done(&posix->way);
    direct_writes_done(&posix->direct);
    for (int i = 0; i < posix->lock_count; i++)
        (void)close(posix->locks[i]);
    (void)close(posix->root);
    free(posix);
}
