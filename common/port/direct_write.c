/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/direct_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES DIRECT_WRITE_BLOCK_BYTES
#define BUFFER_BYTES ((size_t)256 << 10)
#define OPEN_MAX 256
#define PARTS_MAX 16
#define NOT_OPENED (-1)
#define NOT_TO_BE_HAD (-2)

/* In the first bytes of a buffer that nobody uses. */
struct direct_buffer {
    struct direct_buffer *next;
};

void direct_writes_init(struct direct_writes *writes, int root)
{
    *writes = (struct direct_writes){.root = root};
    pthread_mutex_init(&writes->lock, NULL);
}

void direct_writes_done(struct direct_writes *writes)
{
    while (writes->spares != NULL) {
        struct direct_buffer *buffer = writes->spares;

        writes->spares = buffer->next;
        free(buffer);
    }
    pthread_mutex_destroy(&writes->lock);
}

void direct_file_init(struct direct_file *file)
{
    atomic_init(&file->fd, NOT_OPENED);
}

void direct_file_close(struct direct_writes *writes, struct direct_file *file)
{
    int fd = atomic_load(&file->fd);

    if (fd < 0)
        return;
    (void)close(fd);
    atomic_fetch_sub(&writes->open_count, 1);
}

size_t direct_write_head(int64_t offset)
{
    return (BLOCK_BYTES - (size_t)offset % BLOCK_BYTES) % BLOCK_BYTES;
}

/* --- the second descriptor --- */

static bool is_same_file(int one, int other)
{
    struct stat a;
    struct stat b;

    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* NOT_TO_BE_HAD when it is not. */
static int open_again(struct direct_writes *writes, int fd, const char *path)
{
    bool may_open = atomic_fetch_add(&writes->open_count, 1) < OPEN_MAX;
    int again = may_open ? openat(writes->root, path, O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW)
                         : NOT_TO_BE_HAD;

    if (again >= 0 && is_same_file(fd, again))
        return again;
    if (again >= 0)
        (void)close(again);
    else if (may_open && errno == EINVAL)
        atomic_store(&writes->is_refused, true);
    atomic_fetch_sub(&writes->open_count, 1);
    return NOT_TO_BE_HAD;
}

static int descriptor(struct direct_writes *writes, struct direct_file *file, int fd,
                      const char *path)
{
    int expected = NOT_OPENED;
    int known = atomic_load(&file->fd);
    int again = NOT_TO_BE_HAD;

    if (known != NOT_OPENED)
        return known;
    again = open_again(writes, fd, path);
    if (atomic_compare_exchange_strong(&file->fd, &expected, again))
        return again;
    if (again >= 0) { /* another was first */
        (void)close(again);
        atomic_fetch_sub(&writes->open_count, 1);
    }
    return expected;
}

/* --- buffers --- */

static void *take_buffer(struct direct_writes *writes)
{
    struct direct_buffer *buffer = NULL;

    pthread_mutex_lock(&writes->lock);
    buffer = writes->spares;
    if (buffer != NULL)
        writes->spares = buffer->next;
    pthread_mutex_unlock(&writes->lock);
    return buffer != NULL ? (void *)buffer : aligned_alloc(BLOCK_BYTES, BUFFER_BYTES);
}

static void give_buffer(struct direct_writes *writes, void *bytes)
{
    struct direct_buffer *buffer = bytes;

    pthread_mutex_lock(&writes->lock);
    buffer->next = writes->spares;
    writes->spares = buffer;
    pthread_mutex_unlock(&writes->lock);
}

/* --- writing --- */

struct source {
    const struct iovec *iov;
    size_t at; /* in the first of them */
};

/* The next bytes that there are, at most `len`. */
static size_t next_bytes(struct source *source, size_t len, const uint8_t **ret_bytes)
{
    size_t left = 0;

    while (source->at == source->iov->iov_len) {
        source->iov++;
        source->at = 0;
    }
    left = source->iov->iov_len - source->at;
    len = left < len ? left : len;
    *ret_bytes = (const uint8_t *)source->iov->iov_base + source->at;
    source->at += len;
    return len;
}

static void skip_bytes(struct source *source, size_t len)
{
    const uint8_t *bytes = NULL;

    while (len > 0)
        len -= next_bytes(source, len, &bytes);
}

static void copy_bytes(struct source *source, uint8_t *to, size_t len)
{
    while (len > 0) {
        const uint8_t *bytes = NULL;
        size_t part = next_bytes(source, len, &bytes);

        memcpy(to, bytes, part);
        to += part;
        len -= part;
    }
}

/* Whole blocks that lie in memory as the disk wants them, as many as follow each other; 0 = none. */
static size_t aligned_bytes(const struct source *source, size_t len)
{
    const uint8_t *at = (const uint8_t *)source->iov->iov_base + source->at;
    size_t left = source->iov->iov_len - source->at;

    if ((uintptr_t)at % BLOCK_BYTES != 0)
        return 0;
    return (left < len ? left : len) / BLOCK_BYTES * BLOCK_BYTES;
}

/* Whole blocks that come before those; `len` = there are none of those. */
static size_t unaligned_bytes(const struct source *source, size_t len)
{
    const struct iovec *iov = source->iov;
    size_t at = source->at;
    size_t bytes = 0;

    while (bytes < len) {
        size_t left = iov->iov_len - at;
        size_t to_block = (BLOCK_BYTES - bytes % BLOCK_BYTES) % BLOCK_BYTES;
        uintptr_t address = (uintptr_t)iov->iov_base + at + to_block;

        if (left >= to_block + BLOCK_BYTES && address % BLOCK_BYTES == 0)
            return bytes + to_block < len ? bytes + to_block : len;
        bytes += left;
        iov++;
        at = 0;
    }
    return len;
}

/* What one call writes. */
struct parts {
    struct iovec iov[PARTS_MAX];
    int count;
    size_t bytes;
    size_t copied; /* into the buffer */
};

/* The next part, which begins with a whole block. False = the buffer is full. */
static bool add_part(struct parts *parts, struct source *source, size_t len, uint8_t *buffer)
{
    size_t part = aligned_bytes(source, len);
    const uint8_t *bytes = buffer + parts->copied;

    if (part > 0) {
        next_bytes(source, part, &bytes);
    } else {
        size_t room = BUFFER_BYTES - parts->copied;

        part = unaligned_bytes(source, len);
        part = part < room ? part : room;
        copy_bytes(source, buffer + parts->copied, part);
        parts->copied += part;
    }
    if (part == 0)
        return false;
    parts->iov[parts->count++] = (struct iovec){(void *)(uintptr_t)bytes, part};
    parts->bytes += part;
    return true;
}

static ssize_t write_parts(int fd, int64_t offset, const struct parts *parts)
{
    ssize_t n = 0;

    do
        n = pwritev(fd, parts->iov, parts->count, offset);
    while (n < 0 && errno == EINTR);
    return n;
}

/* *ret_len < len after an error, or when this is no way to write. */
static enum err write_blocks(int fd, int64_t offset, struct source *source, size_t len,
                             uint8_t *buffer, size_t *ret_len)
{
    while (*ret_len < len) {
        struct parts parts = {.count = 0};
        struct source begin = *source;
        ssize_t n = 0;

        while (parts.bytes < len - *ret_len && parts.count < PARTS_MAX &&
               add_part(&parts, source, len - *ret_len - parts.bytes, buffer))
            continue;
        n = write_parts(fd, offset + (int64_t)*ret_len, &parts);
        if (n < 0)
            return err_from_errno(errno);
        *ret_len += (size_t)n;
        if (n == 0 || (size_t)n % BLOCK_BYTES != 0)
            return ERR_OK;
        if ((size_t)n < parts.bytes) {
            *source = begin;
            skip_bytes(source, (size_t)n);
        }
    }
    return ERR_OK;
}

enum err direct_write(struct direct_writes *writes, struct direct_file *file, int fd,
                      const char *path, int64_t offset, const struct iovec *iov, size_t skip,
                      size_t len, size_t *ret_len)
{
    struct source source = {.iov = iov};
    uint8_t *buffer = NULL;
    int direct = 0;
    enum err rc = ERR_OK;

    *ret_len = 0;
    if (atomic_load_explicit(&writes->is_refused, memory_order_relaxed))
        return ERR_OK;
    direct = descriptor(writes, file, fd, path);
    buffer = direct >= 0 ? take_buffer(writes) : NULL;
    if (buffer == NULL)
        return ERR_OK;
    skip_bytes(&source, skip);
    rc = write_blocks(direct, offset, &source, len / BLOCK_BYTES * BLOCK_BYTES, buffer, ret_len);
    give_buffer(writes, buffer);
    if (rc != ERR_INVALID || *ret_len > 0)
        return rc;
    atomic_store(&writes->is_refused, true);
    return ERR_OK;
}
