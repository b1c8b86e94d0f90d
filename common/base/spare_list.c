/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/spare_list.h"

#include <stdlib.h>

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

struct spare_block {
    struct spare_block *next;
};

void spare_list_init(struct spare_list *list, size_t block_bytes, int most)
{
    invariant(block_bytes >= sizeof(struct spare_block));
    *list = (struct spare_list){.block_bytes = block_bytes, .most = KEEPS_NOTHING ? 0 : most};
}

void spare_list_done(struct spare_list *list)
{
    while (list->first != NULL) {
        struct spare_block *block = list->first;

        list->first = block->next;
        free(block);
    }
    list->count = 0;
}

void *spare_list_take(struct spare_list *list)
{
    struct spare_block *block = list->first;

    if (block == NULL)
        return malloc(list->block_bytes);
    list->first = block->next;
    list->count--;
    return block;
}

void spare_list_give(struct spare_list *list, void *memory)
{
    struct spare_block *block = memory;

    if (block == NULL)
        return;
    if (list->count >= list->most) {
        free(block);
        return;
    }
    block->next = list->first;
    list->first = block;
    list->count++;
}
