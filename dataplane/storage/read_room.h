/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATAPLANE_STORAGE_READ_ROOM_H
#define DATAPLANE_STORAGE_READ_ROOM_H

#include <stddef.h>
#include <stdint.h>

/* Where what is read is put: the reader's own block, or memory of the heap for one batch that the block has no room
 * for. */
struct read_room {
    uint8_t *block;
    size_t block_bytes;
    uint8_t *larger; /* owned (free); NULL = it is in the block */
    size_t len;
};

static inline uint8_t *read_room_data(const struct read_room *room)
{
    return room->larger != NULL ? room->larger : room->block;
}

#endif
