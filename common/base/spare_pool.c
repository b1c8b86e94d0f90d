/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/spare_pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_NOTHING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NOTHING 1
#endif
#endif
#ifndef KEEPS_NOTHING
#define KEEPS_NOTHING 0
#endif

enum { SMALLEST_BITS = 6, STEP_BITS = 2, STEPS = 1 << STEP_BITS };

struct spare_block {
    struct list in_class;
    struct list by_age;
    size_t size;
};

static const size_t largest = (size_t)1 << (SMALLEST_BITS + SPARE_CLASSES / STEPS);

_Static_assert(sizeof(struct spare_block) <= 1 << SMALLEST_BITS, "every block can wait");
_Static_assert(SPARE_CLASSES % STEPS == 1, "the smallest, and whole doublings");

/* Which blocks serve `size` (at most `largest`), and how large they are. */
static int class_of(size_t size, size_t *ret_size)
{
    size_t last = size - 1;
    int bits = 0;
    size_t step = 0;

    if (size <= (size_t)1 << SMALLEST_BITS) {
        *ret_size = (size_t)1 << SMALLEST_BITS;
        return 0;
    }
    bits = 63 - __builtin_clzll(last);
    step = last >> (bits - STEP_BITS);
    *ret_size = (step + 1) << (bits - STEP_BITS);
    return (bits - SMALLEST_BITS) * STEPS + (int)step - STEPS + 1;
}

static bool is_heap(const struct spare_pool *pool, size_t size)
{
    return pool == NULL || pool->bytes_max == 0 || size > largest;
}

void spare_pool_init(struct spare_pool *pool, size_t bytes_max)
{
    *pool = (struct spare_pool){.bytes_max = KEEPS_NOTHING ? 0 : bytes_max};
    for (int i = 0; i < SPARE_CLASSES; i++)
        list_init(&pool->classes[i]);
    list_init(&pool->by_age);
}

static void unlink_block(struct spare_pool *pool, struct spare_block *block)
{
    list_remove(&block->in_class);
    list_remove(&block->by_age);
    pool->bytes -= block->size;
}

static void trim(struct spare_pool *pool, size_t bytes_max)
{
    while (pool->bytes > bytes_max) {
        struct spare_block *block = container_of(pool->by_age.next, struct spare_block, by_age);

        unlink_block(pool, block);
        free(block);
    }
}

void spare_pool_done(struct spare_pool *pool)
{
    trim(pool, 0);
}

void *spare_pool_take(struct spare_pool *pool, size_t size)
{
    struct spare_block *block = NULL;
    struct list *waiting = NULL;
    size_t block_bytes = 0;

    if (is_heap(pool, size))
        return malloc(size > 0 ? size : 1);
    waiting = &pool->classes[class_of(size, &block_bytes)];
    if (list_is_empty(waiting))
        return malloc(block_bytes);
    block = container_of(waiting->next, struct spare_block, in_class);
    unlink_block(pool, block);
    return block;
}

void spare_pool_give(struct spare_pool *pool, void *memory, size_t size)
{
    struct spare_block *block = memory;
    size_t block_bytes = 0;

    if (block == NULL)
        return;
    if (is_heap(pool, size)) {
        free(block);
        return;
    }
    list_push_front(&pool->classes[class_of(size, &block_bytes)], &block->in_class);
    list_push_back(&pool->by_age, &block->by_age);
    block->size = block_bytes;
    pool->bytes += block_bytes;
    trim(pool, pool->bytes_max);
}

void *spare_pool_resize(struct spare_pool *pool, void *block, size_t size, size_t new_size)
{
    void *other = NULL;

    if (is_heap(pool, size) && is_heap(pool, new_size))
        return realloc(block, new_size > 0 ? new_size : 1);
    other = spare_pool_take(pool, new_size);
    if (other == NULL || block == NULL)
        return other;
    memcpy(other, block, size < new_size ? size : new_size);
    spare_pool_give(pool, block, size);
    return other;
}
