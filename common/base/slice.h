/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed view of bytes; no terminator. Valid as long as what it points into. */
#ifndef COMMON_BASE_SLICE_H
#define COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* NULL = absent (Kafka's null); empty is a non-NULL pointer and len 0 */
    size_t len;
};

#define SLICE_NULL ((struct slice){NULL, 0})
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})
#define SLICE_FORMAT "%.*s"
#define SLICE_ARG(s) (int)(s).len, (const char *)(s).data

static inline struct slice slice_of(const void *data, size_t len)
{
    return (struct slice){data, len};
}

static inline struct slice slice_from_cstring(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool slice_is_null(struct slice s)
{
    return s.data == NULL;
}

/* Two nulls are equal; null and empty are not. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.data == NULL) == (b.data == NULL) &&
           (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_equal_cstring(struct slice a, const char *text)
{
    return a.data != NULL && a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

/* Order of memcmp, shorter first. */
int slice_compare(struct slice a, struct slice b);

#endif
