/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one run of the generator, freed whole; and the way the generator gives up. */
#ifndef COMMON_KAFKA_CODEGEN_POOL_H
#define COMMON_KAFKA_CODEGEN_POOL_H

#include "common/base/error.h"

#include <stddef.h>

struct pool_block;

struct pool {
    struct pool_block *blocks;
};

/* Zeroed. Never NULL: without memory the generator gives up. */
void *pool_alloc(struct pool *pool, size_t size);
char *pool_printf(struct pool *pool, const char *format, ...) PRINTF_LIKE(2, 3);
void pool_done(struct pool *pool);

/* Says why on stderr and exits: a schema or a file is wrong, and so the build is. */
_Noreturn void fail(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
