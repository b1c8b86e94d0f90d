/* SPDX-License-Identifier: Apache-2.0 */
/* For each key the offset of its newest record, in memory of a fixed size: a table of 128-bit hashes, open
 * addressing. Keys are tenants' and may be any length; they are not kept. Hashes are keyed (two SipHashes
 * with independent seeds), so that nobody can choose keys that fall together. When the table is full the
 * next new key is refused, and the pass ends before its record. Not thread-safe. */
#ifndef DATAPLANE_STORAGE_CLEANER_OFFSET_MAP_H
#define DATAPLANE_STORAGE_CLEANER_OFFSET_MAP_H

#include "common/base/error.h"
#include "common/base/hash_table.h"
#include "common/base/slice.h"

struct offset_map_slot {
    uint64_t hash[2];
    int64_t offset; /* -1 = empty */
};

struct offset_map {
    struct offset_map_slot *slots;
    size_t slot_count;
    size_t used;
    size_t used_max;
    struct hash_seed seeds[2];
};

/* At least a few keys whatever `bytes` says. ERR_NO_MEMORY. */
enum err offset_map_init(struct offset_map *map, size_t bytes, struct hash_seed seed) WARN_UNUSED;
void offset_map_done(struct offset_map *map);

/* The largest offset of a key stays. False = it is a new key, and the map is full. */
bool offset_map_put(struct offset_map *map, struct slice key, int64_t offset) WARN_UNUSED;
/* -1 = the key is not there. */
int64_t offset_map_find(const struct offset_map *map, struct slice key);

#endif
