/* SPDX-License-Identifier: Apache-2.0 */
/* Entries lie in the request's arena, buckets are freed by done. The table is seeded, so that a client
 * cannot choose names that collide. */
#include "dataplane/handlers/name_set.h"

void name_set_init(struct name_set *set, struct hash_seed seed, struct arena *arena)
{
    hash_table_init(&set->table, seed);
    set->arena = arena;
}

void name_set_done(struct name_set *set)
{
    hash_table_done(&set->table);
}

static bool is_name(const struct hash_node *node, const void *key)
{
    const struct name_entry *entry = container_of(node, const struct name_entry, node);
    const struct slice *name = key;

    return slice_equal(entry->name, *name);
}

static struct slice not_null(struct slice name)
{
    return slice_is_null(name) ? SLICE_LITERAL("") : name;
}

static struct name_entry *find(const struct name_set *set, uint64_t hash, struct slice name)
{
    struct hash_node *node = hash_table_find(&set->table, hash, is_name, &name);

    return node != NULL ? container_of(node, struct name_entry, node) : NULL;
}

struct name_entry *name_set_find(const struct name_set *set, struct slice name)
{
    name = not_null(name);
    return find(set, hash_bytes(set->table.seed, name.data, name.len), name);
}

struct name_entry *name_set_add(struct name_set *set, struct slice name)
{
    struct name_entry *entry = NULL;
    uint64_t hash = 0;

    name = not_null(name);
    hash = hash_bytes(set->table.seed, name.data, name.len);
    entry = find(set, hash, name);
    if (entry == NULL) {
        entry = arena_new(set->arena, struct name_entry);
        if (entry == NULL)
            return NULL;
        entry->name = name;
        if (hash_table_insert(&set->table, hash, &entry->node) != ERR_OK)
            return NULL;
    }
    entry->count++;
    return entry;
}
