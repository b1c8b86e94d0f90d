/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/direct_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/slice.h"

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
    file->end = -1;
    file->rest = NULL;
}

void direct_file_close(struct direct_writes *writes, struct direct_file *file)
{
    int fd = atomic_load(&file->fd);

    free(file->rest);
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

/* The bytes of one write in their order: what is remembered of the block it begins in, the vectors, and zeros. */
struct source {
    struct slice rest;
    const struct iovec *iov;
    size_t at;   /* in the first of them */
    size_t left; /* in all of them */
};

/* The next bytes that there are, at most `len`. */
static size_t next_bytes(struct source *source, size_t len, const uint8_t **ret_bytes)
{
    size_t part = source->iov->iov_len - source->at;

    part = part < len ? part : len;
    *ret_bytes = (const uint8_t *)source->iov->iov_base + source->at;
    source->at += part;
    source->left -= part;
    return part;
}

/* To a vector that has bytes, unless there is none. */
static void settle(struct source *source)
{
    while (source->left > 0 && source->at == source->iov->iov_len) {
        source->iov++;
        source->at = 0;
    }
}

static void skip_bytes(struct source *source, size_t len)
{
    size_t of_rest = len < source->rest.len ? len : source->rest.len;
    const uint8_t *bytes = NULL;

    if (of_rest > 0)
        source->rest = slice_of(source->rest.data + of_rest, source->rest.len - of_rest);
    for (len -= of_rest; len > 0 && source->left > 0; settle(source))
        len -= next_bytes(source, len, &bytes);
}

static void copy_bytes(struct source *source, uint8_t *to, size_t len)
{
    uint8_t *end = to + len;

    if (source->rest.len > 0)
        memcpy(to, source->rest.data, source->rest.len);
    to += source->rest.len;
    source->rest = slice_of(NULL, 0);
    for (; to < end && source->left > 0; settle(source)) {
        const uint8_t *bytes = NULL;
        size_t part = next_bytes(source, (size_t)(end - to), &bytes);

        memcpy(to, bytes, part);
        to += part;
    }
    memset(to, 0, (size_t)(end - to));
}

/* Whole blocks that lie in memory as the disk wants them, as many as follow each other; 0 = none. */
static size_t aligned_bytes(const struct source *source, size_t len)
{
    const uint8_t *at = NULL;
    size_t left = 0;

    if (source->rest.len > 0 || source->left == 0)
        return 0;
    at = (const uint8_t *)source->iov->iov_base + source->at;
    left = source->iov->iov_len - source->at;
    if ((uintptr_t)at % BLOCK_BYTES != 0)
        return 0;
    return (left < len ? left : len) / BLOCK_BYTES * BLOCK_BYTES;
}

/* Whole blocks that come before those; `len` = there are none of those. */
static size_t unaligned_bytes(const struct source *source, size_t len)
{
    const struct iovec *iov = source->iov;
    size_t all = source->rest.len + source->left;
    size_t bytes = source->rest.len;
    size_t at = source->at;

    while (bytes < len && bytes < all) {
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
        settle(source);
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

/* All of the source, which is whole blocks. *ret_len = 0: it must go another way. */
static enum err write_source(struct direct_writes *writes, struct direct_file *file, int fd,
                             const char *path, int64_t offset, struct source source, size_t len,
                             size_t *ret_len)
{
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
    rc = write_blocks(direct, offset, &source, len, buffer, ret_len);
    give_buffer(writes, buffer);
    if (rc != ERR_INVALID || *ret_len > 0)
        return rc;
    atomic_store(&writes->is_refused, true);
    return ERR_OK;
}

static struct source source_of(const struct iovec *iov, size_t skip, size_t len)
{
    struct source source = {.iov = iov, .left = skip + len};

    settle(&source);
    skip_bytes(&source, skip);
    return source;
}

enum err direct_write(struct direct_writes *writes, struct direct_file *file, int fd,
                      const char *path, int64_t offset, const struct iovec *iov, size_t skip,
                      size_t len, size_t *ret_len)
{
    return write_source(writes, file, fd, path, offset, source_of(iov, skip, len),
                        len - len % BLOCK_BYTES, ret_len);
}

/* --- appending --- */

size_t direct_append_head(const struct direct_file *file, int64_t offset)
{
    return file->end == offset ? 0 : direct_write_head(offset);
}

/* Writes of several threads to a file that nobody appends to come here, too: they must not store. */
void direct_append_forget(struct direct_file *file)
{
    if (file->end >= 0)
        file->end = -1;
}

/* The file ends at `end`, with the last bytes of the source. Without memory nothing is remembered. */
static void remember(struct direct_file *file, int64_t end, struct source source)
{
    size_t rest = (size_t)end % BLOCK_BYTES;
    size_t all = source.rest.len + source.left;

    if (file->rest == NULL && rest > 0)
        file->rest = malloc(BLOCK_BYTES);
    if (file->rest == NULL || rest == 0)
        return;
    skip_bytes(&source, all - rest);
    copy_bytes(&source, file->rest, rest);
    file->end = end;
}

enum err direct_append(struct direct_writes *writes, struct direct_file *file, int fd,
                       const char *path, int64_t offset, const struct iovec *iov, size_t skip,
                       size_t len, size_t *ret_len)
{
    struct source source = source_of(iov, skip, len);
    size_t before = (size_t)offset % BLOCK_BYTES;
    size_t all = (before + len + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    size_t written = 0;
    enum err rc = ERR_OK;

    source.rest = slice_of(file->rest, before);
    direct_append_forget(file);
    rc = write_source(writes, file, fd, path, offset - (int64_t)before, source, all, &written);
    if (written == all)
        remember(file, offset + (int64_t)len, source);
    written = written > before ? written - before : 0;
    *ret_len = written < len ? written : len;
    return rc;
}
