/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that come and go all the time: those that are free wait here to be used again, so that the steady
 * state does not allocate. One loop's, and one bound for all of them: when more bytes wait than that, the
 * blocks that waited longest go back to the heap, so a burst leaves little behind and what is not used any
 * more makes room for what is.
 *
 * A block is at most a quarter larger than what was asked for, or 64 bytes. Very large ones never wait. Its
 * content is undefined when it is taken. A pool that is NULL, or all zero, is the heap; so is any pool under
 * AddressSanitizer, which then sees each use of a freed block and each byte beyond one. */
#ifndef COMMON_BASE_SPARE_POOL_H
#define COMMON_BASE_SPARE_POOL_H

#include <stddef.h>

#include "common/base/error.h"
#include "common/base/list.h"

/* 64 bytes to 2 MiB, four sizes for each doubling. */
enum { SPARE_CLASSES = 61 };

struct spare_pool {
    struct list classes[SPARE_CLASSES]; /* free blocks of a size, the last used first */
    struct list by_age;                 /* all of them, the one that waited longest first */
    size_t bytes;
    size_t bytes_max;
};

void spare_pool_init(struct spare_pool *pool, size_t bytes_max);
/* Frees what waits; blocks in use may still be given back with free(). */
void spare_pool_done(struct spare_pool *pool);
/* NULL = out of memory. Give it back with spare_pool_give and the same size, or with free(). */
void *spare_pool_take(struct spare_pool *pool, size_t size) WARN_UNUSED;
/* NULL is fine. Only what the same pool gave. */
void spare_pool_give(struct spare_pool *pool, void *block, size_t size);
/* A block of another size with the same content; `block` may be NULL with size 0. NULL = out of memory: the
 * old one stays. */
void *spare_pool_resize(struct spare_pool *pool, void *block, size_t size,
                        size_t new_size) WARN_UNUSED;

#endif
