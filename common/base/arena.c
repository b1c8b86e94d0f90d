/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks in a list, newest first. A chunk doubles the one before, between 4 KiB and 256 KiB with its
 * header; what does not fit gets a chunk of its own. MILLRACE_ARENA_MALLOC gives every allocation its
 * own chunk, so that overruns inside the arena are seen by the sanitizer. */
#include "common/base/arena.h"

#include "common/base/checked.h"

#include <stdalign.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define UNPOISON(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
#else
#define POISON(at, len) ((void)(at), (void)(len))
#define UNPOISON(at, len) ((void)(at), (void)(len))
#endif

enum { ARENA_ALIGN = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity;
    size_t used;
    alignas(ARENA_ALIGN) uint8_t bytes[];
};

#define FIRST_CHUNK (4096 - sizeof(struct arena_chunk))
#define LARGEST_CHUNK (256 * 1024 - sizeof(struct arena_chunk))

void arena_init(struct arena *arena, size_t max_bytes)
{
    arena_init_spare(arena, max_bytes, NULL);
}

void arena_init_spare(struct arena *arena, size_t max_bytes, struct spare_pool *spares)
{
    arena->spares = spares;
    arena->head = NULL;
    arena->used_bytes = 0;
    arena->max_bytes = max_bytes;
}

static void free_chunk(struct arena *arena, struct arena_chunk *chunk)
{
    UNPOISON(chunk->bytes, chunk->capacity);
    spare_pool_give(arena->spares, chunk, sizeof(*chunk) + chunk->capacity);
}

void arena_done(struct arena *arena)
{
    struct arena_chunk *chunk = NULL;

    while ((chunk = arena->head) != NULL) {
        arena->head = chunk->next;
        free_chunk(arena, chunk);
    }
    arena->used_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *keep = arena->head;

    if (keep == NULL)
        return;
    while (keep->next != NULL) {
        struct arena_chunk *next = keep->next;

        free_chunk(arena, keep);
        keep = next;
    }
    keep->used = 0;
    POISON(keep->bytes, keep->capacity);
    arena->head = keep;
    arena->used_bytes = sizeof(*keep) + keep->capacity;
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t need)
{
    size_t capacity =
        arena->head ? 2 * (arena->head->capacity + sizeof(*arena->head)) - sizeof(*arena->head)
                    : FIRST_CHUNK;
    size_t left = arena->max_bytes - arena->used_bytes;
    struct arena_chunk *chunk = NULL;

    if (capacity > LARGEST_CHUNK)
        capacity = LARGEST_CHUNK;
#ifdef MILLRACE_ARENA_MALLOC
    capacity = need;
#endif
    if (capacity < need)
        capacity = need;
    if (left < sizeof(*chunk) || left - sizeof(*chunk) < need)
        return NULL;
    if (capacity > left - sizeof(*chunk))
        capacity = left - sizeof(*chunk);
    chunk = spare_pool_take(arena->spares, sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->next = arena->head;
    chunk->capacity = capacity;
    chunk->used = 0;
    POISON(chunk->bytes, capacity);
    arena->head = chunk;
    arena->used_bytes += sizeof(*chunk) + capacity;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->head;
    size_t need = size == 0 ? ARENA_ALIGN : size;
    uint8_t *at = NULL;

    if (need > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    need = (need + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (chunk == NULL || chunk->capacity - chunk->used < need)
        chunk = add_chunk(arena, need);
    if (chunk == NULL)
        return NULL;
    at = chunk->bytes + chunk->used;
    chunk->used += need;
    UNPOISON(at, size);
    memset(at, 0, size);
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total = 0;

    if (!checked_mul(count, size, &total))
        return NULL;
    return arena_alloc(arena, total);
}

bool arena_copy(struct arena *arena, struct slice source, struct slice *ret_copy)
{
    uint8_t *copy = NULL;

    if (slice_is_null(source)) {
        *ret_copy = SLICE_NULL;
        return true;
    }
    copy = arena_alloc(arena, source.len);
    if (copy == NULL)
        return false;
    if (source.len > 0)
        memcpy(copy, source.data, source.len);
    *ret_copy = slice_of(copy, source.len);
    return true;
}

enum err arena_cstring(struct arena *arena, struct slice source, const char **ret)
{
    char *copy = NULL;

    if (slice_is_null(source) || memchr(source.data, '\0', source.len) != NULL)
        return ERR_INVALID;
    copy = arena_alloc(arena, source.len + 1);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, source.data, source.len);
    *ret = copy;
    return ERR_OK;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_list again;
    int len = 0;
    char *text = NULL;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0)
        text = arena_alloc(arena, (size_t)len + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}
