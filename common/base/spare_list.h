/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of one size that come and go all the time: a few that are free wait here to be used again, so that
 * the steady state does not allocate. One loop's; more than `most` go back to the heap at once, so a burst
 * leaves little behind. A block's content is undefined when it is taken. Under AddressSanitizer nothing
 * waits, so that it sees each use of a freed block. */
#ifndef COMMON_BASE_SPARE_LIST_H
#define COMMON_BASE_SPARE_LIST_H

#include <stddef.h>

#include "common/base/error.h"

struct spare_block;

struct spare_list {
    struct spare_block *first;
    size_t block_bytes;
    int count;
    int most;
};

void spare_list_init(struct spare_list *list, size_t block_bytes, int most);
/* Frees what waits; blocks in use may still be given back with free(). */
void spare_list_done(struct spare_list *list);
/* NULL = out of memory. Give it back with spare_list_give, or free(). */
void *spare_list_take(struct spare_list *list);
/* NULL is fine. */
void spare_list_give(struct spare_list *list, void *block);

#endif
