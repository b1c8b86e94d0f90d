/* SPDX-License-Identifier: Apache-2.0 */
/* Large writes that go to the disk past the page cache (O_DIRECT).
 *
 * The page cache costs a copy into memory that may never have been touched, and a flush that comes later, all at
 * once. Past it bytes go in whole blocks: from where they are when those lie in memory as in the file, that is, at
 * addresses that are whole blocks, too; else from a few aligned buffers that are used again and again.
 *
 * What is no whole block at either end goes through the page cache when a file is written to anywhere, so that it has
 * exactly the bytes it was given. Where it only grows, nothing does: the last block is filled up with zeros, and written
 * again with what comes next. So a sync has no page to wait for, and no single page of a file is cached.
 *
 *   file     ─┬────────┬─── … ───┬────────┐
 *   first     │ whole  │         │ a  0 0 │   the end of `a` is remembered
 *   then                         │ a  b b │ b b b b b │ b 0 0 0 │
 *
 * A second descriptor is opened when a file first gets a large write, by its path, and only if that still leads to
 * the same file. Where that fails, or the file system wants nothing of it, writes go through the page cache. */
#ifndef COMMON_PORT_DIRECT_WRITE_H
#define COMMON_PORT_DIRECT_WRITE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/base/error.h"

#define DIRECT_WRITE_MIN_BYTES ((size_t)32 << 10)
#define DIRECT_WRITE_BLOCK_BYTES ((size_t)4096)

struct direct_buffer;

/* Of one disk. */
struct direct_writes {
    int root;
    atomic_int open_count;
    atomic_bool is_refused; /* by the file system */
    pthread_mutex_t lock;
    struct direct_buffer *spares; /* under it */
};

/* Of one file. */
struct direct_file {
    atomic_int fd; /* -1 = not opened yet, -2 = not to be had */
    /* One thread at a time, that of direct_append: */
    int64_t end;   /* where the last append ended, in the middle of a block; -1 = none did */
    uint8_t *rest; /* what that block has */
};

void direct_writes_init(struct direct_writes *writes, int root);
/* All files are closed. */
void direct_writes_done(struct direct_writes *writes);
void direct_file_init(struct direct_file *file);
void direct_file_close(struct direct_writes *writes, struct direct_file *file);

/* How many bytes of a write at `offset` come before the next block. */
size_t direct_write_head(int64_t offset);

/* Any thread. The whole blocks of `len` bytes of iov that come after `skip` of them, from block-aligned `offset` on:
 * *ret_len bytes of them, 0 when it must go another way. `fd` and `path` are the file's. Errors as of write_at. */
enum err direct_write(struct direct_writes *writes, struct direct_file *file, int fd,
                      const char *path, int64_t offset, const struct iovec *iov, size_t skip,
                      size_t len, size_t *ret_len) WARN_UNUSED;

/* As direct_write_head, of an append: none where the last one's block is remembered. */
size_t direct_append_head(const struct direct_file *file, int64_t offset);
/* As direct_write, of all `len` bytes, a block of them at least, which are the file's last: zeros up to the end of a block
 * may follow them. `offset` comes after direct_append_head. One thread at a time of a file. */
enum err direct_append(struct direct_writes *writes, struct direct_file *file, int fd,
                       const char *path, int64_t offset, const struct iovec *iov, size_t skip,
                       size_t len, size_t *ret_len) WARN_UNUSED;
/* What is remembered is the file's no more: it was cut, or written to. */
void direct_append_forget(struct direct_file *file);

#endif
