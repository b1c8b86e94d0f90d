/* SPDX-License-Identifier: Apache-2.0 */
/* Doubles from 256 bytes up to its maximum. */
#include "common/base/buffer.h"

#include "common/base/checked.h"

#include <stdio.h>

void buffer_init(struct buffer *buffer, size_t max_bytes)
{
    buffer_init_spare(buffer, max_bytes, NULL);
}

void buffer_init_spare(struct buffer *buffer, size_t max_bytes, struct spare_pool *spares)
{
    *buffer = (struct buffer){.max_bytes = max_bytes, .spares = spares};
}

void buffer_done(struct buffer *buffer)
{
    spare_pool_give(buffer->spares, buffer->data, buffer->capacity);
    buffer_init_spare(buffer, buffer->max_bytes, buffer->spares);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->len = 0;
}

enum err buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t need = 0;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    uint8_t *data = NULL;

    if (!checked_add(buffer->len, more, &need) || need > buffer->max_bytes)
        return ERR_TOO_LARGE;
    if (need <= buffer->capacity)
        return ERR_OK;
    while (capacity < need)
        capacity = capacity > buffer->max_bytes / 2 ? buffer->max_bytes : capacity * 2;
    data = spare_pool_resize(buffer->spares, buffer->data, buffer->capacity, capacity);
    if (data == NULL)
        return ERR_NO_MEMORY;
    buffer->data = data;
    buffer->capacity = capacity;
    return ERR_OK;
}

enum err buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    enum err rc = buffer_reserve(buffer, len);

    if (rc != ERR_OK || len == 0)
        return rc;
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return ERR_OK;
}

enum err buffer_append_slice(struct buffer *buffer, struct slice bytes)
{
    return buffer_append(buffer, bytes.data, bytes.len);
}

enum err buffer_append_cstring(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

enum err buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    int len = 0;
    enum err rc = ERR_OK;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return ERR_INVALID;
    rc = buffer_reserve(buffer, (size_t)len + 1);
    if (rc != ERR_OK)
        return rc;
    va_start(args, format);
    vsnprintf((char *)buffer->data + buffer->len, (size_t)len + 1, format, args);
    va_end(args);
    buffer->len += (size_t)len;
    return ERR_OK;
}

void buffer_consume(struct buffer *buffer, size_t len)
{
    invariant(len <= buffer->len);
    buffer->len -= len;
    if (buffer->len > 0)
        memmove(buffer->data, buffer->data + len, buffer->len);
}

uint8_t *buffer_take(struct buffer *buffer, size_t *ret_len)
{
    uint8_t *data = buffer->data;

    *ret_len = buffer->len;
    buffer->data = NULL;
    buffer->len = 0;
    buffer->capacity = 0;
    return data;
}
