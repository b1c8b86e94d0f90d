/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a maximum fixed at init. Owned by whoever embeds it. Not thread-safe. */
#ifndef COMMON_BASE_BUFFER_H
#define COMMON_BASE_BUFFER_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/spare_pool.h"

struct buffer {
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t max_bytes;
    struct spare_pool *spares; /* where the memory comes from; NULL = the heap */
};

void buffer_init(struct buffer *buffer, size_t max_bytes);
/* Its memory comes from spare blocks, and goes back there. */
void buffer_init_spare(struct buffer *buffer, size_t max_bytes, struct spare_pool *spares);
void buffer_done(struct buffer *buffer);
/* len = 0; keeps the memory. */
void buffer_clear(struct buffer *buffer);
/* Room for `more` bytes after len. ERR_TOO_LARGE over max_bytes, ERR_NO_MEMORY. */
enum err buffer_reserve(struct buffer *buffer, size_t more) WARN_UNUSED;
enum err buffer_append(struct buffer *buffer, const void *data, size_t len) WARN_UNUSED;
enum err buffer_append_slice(struct buffer *buffer, struct slice bytes) WARN_UNUSED;
enum err buffer_append_cstring(struct buffer *buffer, const char *text) WARN_UNUSED;
enum err buffer_printf(struct buffer *buffer, const char *format, ...)
    PRINTF_LIKE(2, 3) WARN_UNUSED;
/* Drops the first len bytes, moving the rest down. */
void buffer_consume(struct buffer *buffer, size_t len);
/* Moves the memory out: caller frees *ret_data with free(); buffer is empty after. */
uint8_t *buffer_take(struct buffer *buffer, size_t *ret_len);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data ? buffer->data : (const uint8_t *)"", buffer->len);
}

#endif
