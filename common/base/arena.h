/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one request, freed whole.
 *
 * Grows by chunks up to max_bytes, so that no request can cost more than its grant. Long-lived
 * objects never point into an arena. Under ASan the free part is poisoned. Not thread-safe. */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/spare_pool.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* newest chunk */
    size_t used_bytes;        /* handed out, chunk overhead included */
    size_t max_bytes;
    struct spare_pool *spares; /* where chunks come from; NULL = the heap */
};

void arena_init(struct arena *arena, size_t max_bytes);
/* Its chunks are spare blocks, and go back there. */
void arena_init_spare(struct arena *arena, size_t max_bytes, struct spare_pool *spares);
void arena_done(struct arena *arena);
/* Keeps the first chunk for the next request. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned to 16. NULL when max_bytes would be passed or memory is out. size 0 gives a
 * non-NULL pointer. */
void *arena_alloc(struct arena *arena, size_t size) WARN_UNUSED;
/* count * size checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size) WARN_UNUSED;
/* Copies; null stays null. ret.data NULL and len > 0 never happens: on no memory returns false. */
bool arena_copy(struct arena *arena, struct slice source, struct slice *ret_copy) WARN_UNUSED;
/* NUL-terminated copy; ERR_INVALID when the slice is null or has an inner NUL. */
enum err arena_cstring(struct arena *arena, struct slice source, const char **ret) WARN_UNUSED;
/* printf into the arena; NULL when memory is out. */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
