/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/cleaner/offset_map.h"

#include <stdlib.h>

#define SLOTS_MIN 16
/* Three quarters of the slots are used at most: probes stay short. */
#define USED_OF_FOUR 3

enum err offset_map_init(struct offset_map *map, size_t bytes, struct hash_seed seed)
{
    size_t count = bytes / sizeof(struct offset_map_slot);

    if (count < SLOTS_MIN)
        count = SLOTS_MIN;
    *map = (struct offset_map){
        .slots = malloc(count * sizeof(map->slots[0])),
        .slot_count = count,
        .used_max = count / 4 * USED_OF_FOUR,
        .seeds = {seed},
    };
    if (map->slots == NULL)
        return ERR_NO_MEMORY;
    map->seeds[1].k0 = hash_bytes(seed, "k0", 2);
    map->seeds[1].k1 = hash_bytes(seed, "k1", 2);
    for (size_t i = 0; i < count; i++)
        map->slots[i].offset = -1;
    return ERR_OK;
}

void offset_map_done(struct offset_map *map)
{
    free(map->slots);
    map->slots = NULL;
}

/* The key's slot, or the empty one where it belongs: one is always empty. */
static struct offset_map_slot *find_slot(const struct offset_map *map, struct slice key,
                                         uint64_t ret_hash[2])
{
    size_t at = 0;

    ret_hash[0] = hash_bytes(map->seeds[0], key.data, key.len);
    ret_hash[1] = hash_bytes(map->seeds[1], key.data, key.len);
    at = (size_t)(ret_hash[0] % map->slot_count);
    for (;;) {
        struct offset_map_slot *slot = &map->slots[at];

        if (slot->offset < 0 || (slot->hash[0] == ret_hash[0] && slot->hash[1] == ret_hash[1]))
            return slot;
        at = at + 1 == map->slot_count ? 0 : at + 1;
    }
}

bool offset_map_put(struct offset_map *map, struct slice key, int64_t offset)
{
    uint64_t hash[2];
    struct offset_map_slot *slot = find_slot(map, key, hash);

    if (slot->offset < 0) {
        if (map->used == map->used_max)
            return false;
        map->used++;
        slot->hash[0] = hash[0];
        slot->hash[1] = hash[1];
    }
    if (offset > slot->offset)
        slot->offset = offset;
    return true;
}

int64_t offset_map_find(const struct offset_map *map, struct slice key)
{
    uint64_t hash[2];

    return find_slot(map, key, hash)->offset;
}
