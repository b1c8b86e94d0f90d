/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/codegen/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct pool_block {
    struct pool_block *next;
    _Alignas(16) unsigned char bytes[];
};

void *pool_alloc(struct pool *pool, size_t size)
{
    struct pool_block *block = calloc(1, sizeof(*block) + size);

    if (block == NULL)
        fail("out of memory");
    block->next = pool->blocks;
    pool->blocks = block;
    return block->bytes;
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
    va_list args;
    int len = 0;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        fail("cannot format \"%s\"", format);

    char *text = pool_alloc(pool, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void pool_done(struct pool *pool)
{
    while (pool->blocks != NULL) {
        struct pool_block *block = pool->blocks;

        pool->blocks = block->next;
        free(block);
    }
}

_Noreturn void fail(const char *format, ...)
{
    va_list args;

    fputs("kafka_codegen: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}
