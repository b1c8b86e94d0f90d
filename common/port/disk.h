/* SPDX-License-Identifier: Apache-2.0 */
/* The disk as a port: blocking calls, relative to one root directory.
 *
 * Called on workers (executor.h) and at start only, never on a loop. Every path is made by us from
 * ids; none comes from a tenant. The simulated disk loses unflushed bytes, tears writes, fails
 * calls and fills up; code above must not assume more than is written here:
 *   - file bytes are durable after file_sync returned ERR_OK, and only up to what was written
 * before
 *   - a new, renamed or removed name is durable after disk_sync_dir of its directory returned
 * ERR_OK
 *   - after a failed sync nothing is known; the file must not be synced again in the hope it helps
 * Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE, ERR_IO, ERR_CORRUPT, ERR_NO_MEMORY. */
#ifndef COMMON_PORT_DISK_H
#define COMMON_PORT_DISK_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct disk;
struct file;

#define DISK_BLOCK_BYTES ((int64_t)4096)

enum disk_open {
    DISK_READ = 1,      /* else read and write */
    DISK_CREATE = 2,    /* make it when it is not there */
    DISK_EXCLUSIVE = 4, /* with CREATE: ERR_EXISTS when it is there */
    DISK_BULK = 8 /* grows by large writes that are seldom read soon: they need not stay in memory;
                     nothing, or little, is read of it but what is asked for */
};

/* name is borrowed for the call. Return false to stop. */
typedef bool (*disk_list_fn)(void *context, const char *name, bool is_directory);

/* One of several calls that may run at the same time. */
typedef void (*disk_job_fn)(void *context, int index);

/* One of several that shall become durable together: a file, or the names in a directory. */
struct disk_sync {
    struct file *file; /* NULL = dir */
    const char *dir;
    enum err err; /* the answer */
};

struct disk_ops {
    enum err (*open)(struct disk *disk, const char *path, int flags, struct file **ret_file);
    enum err (*rename)(struct disk *disk, const char *from, const char *to);
    enum err (*remove)(struct disk *disk, const char *path);
    enum err (*make_dir)(struct disk *disk, const char *path); /* parents too; there already: ok */
    enum err (*remove_dir)(struct disk *disk, const char *path); /* with all that is in it */
    enum err (*list)(struct disk *disk, const char *path, disk_list_fn each, void *context);
    enum err (*sync_dir)(struct disk *disk, const char *path);
    /* job(context, 0), … job(context, count - 1), in any order, several at a time; returns when all have. */
    void (*at_once)(struct disk *disk, disk_job_fn job, void *context, int count);
    /* As sync and sync_dir one by one, but a disk may do several at once. */
    void (*sync_all)(struct disk *disk, struct disk_sync *syncs, int count);
    /* Between the two somebody waits for what is written and synced. Reads of others that have to go to the device begin
     * after it, or after a little while. In pairs; any thread, several at a time. */
    void (*hurry_begin)(struct disk *disk);
    void (*hurry_end)(struct disk *disk);
    /* Held until the process ends; ERR_LOCKED when another holds it. */
    enum err (*lock)(struct disk *disk, const char *path);
    enum err (*free_bytes)(struct disk *disk, int64_t *ret_free, int64_t *ret_total);
};

struct file_ops {
    /* ret_len < len only at the end of the file. */
    enum err (*read_at)(struct file *file, int64_t offset, void *data, size_t len, size_t *ret_len);
    /* All bytes or an error; after an error any prefix may be there. */
    enum err (*write_at)(struct file *file, int64_t offset, const struct iovec *iov, int iov_count);
    /* As write_at, where no byte of the file from `offset` on is worth anything: zeros may follow what is written, less
     * than DISK_BLOCK_BYTES of them, until the file is truncated. One thread at a time of a file. */
    enum err (*append_at)(struct file *file, int64_t offset, const struct iovec *iov,
                          int iov_count);
    /* The file has `size` bytes, no fewer than before, all of them zeros, and keeps the room that it has on the disk: what
     * is written there needs no new one. ERR_UNSUPPORTED: the file system cannot. ERR_EXISTS: the file has another name. */
    enum err (*make_zeros)(struct file *file, int64_t size);
    /* Where from `offset` on something may have been written; what lies before is zeros. The file's size = nothing was. */
    enum err (*next_data)(struct file *file, int64_t offset, int64_t *ret_offset);
    enum err (*sync)(struct file *file); /* fdatasync; ERR_IO, whatever failed */
    enum err (*truncate)(struct file *file, int64_t size);
    enum err (*size)(struct file *file, int64_t *ret_size);
    void (*close)(struct file *file);
};

struct disk {
    const struct disk_ops *ops;
};

struct file {
    const struct file_ops *ops;
};

/* The real one: openat below root, O_CLOEXEC, files 0640, directories 0750. Owned; any thread. */
enum err posix_disk_open(const char *root, struct disk **ret_disk, struct error *error) WARN_UNUSED;
void posix_disk_close(struct disk *disk);

/* Bulk is read ahead of only where the device's setting, which the system goes by, is no more than this. */
#define POSIX_DISK_READ_AHEAD_MAX_BYTES ((int64_t)256 << 10)
/* The setting; -1 = it cannot be told. */
int64_t posix_disk_read_ahead_bytes(struct disk *disk);

/* Removes a file from its end on, as much of it as *budget bytes allow, which becomes less by that (and by a little
 * for the file itself). *ret_is_gone: all of it. ERR_NOT_FOUND: it was not there. */
enum err disk_cut_file(struct disk *disk, const char *path, int64_t *budget,
                       bool *ret_is_gone) WARN_UNUSED;

static inline int64_t disk_whole_blocks(int64_t bytes)
{
    return (bytes + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES * DISK_BLOCK_BYTES;
}

/* Of a file of `size` bytes, whose first `end` are known to be appends: where what was written ends, but for zeros that
 * the last one may have left, or that the file was made of (make_zeros). At or behind that, if it is more than a block. */
enum err disk_written_end(struct file *file, int64_t end, int64_t size,
                          int64_t *ret_end) WARN_UNUSED;

/* Whole-file helpers on top of the ops. read: *ret_data is owned (free), at most max_bytes.
 * replace: writes path.new, syncs, renames, syncs dir: the old or the new content, never between.
 */
enum err disk_read_file(struct disk *disk, const char *path, size_t max_bytes, uint8_t **ret_data,
                        size_t *ret_len) WARN_UNUSED;
enum err disk_replace_file(struct disk *disk, const char *dir, const char *name, const void *data,
                           size_t len) WARN_UNUSED;

#endif
