/* SPDX-License-Identifier: Apache-2.0 */
/* Which names a request holds, and how often: requests are lists where Kafka means sets. A name given
 * twice is answered once (and refused, where Kafka refuses it), whatever it would cost to answer it. */
#ifndef DATAPLANE_HANDLERS_NAME_SET_H
#define DATAPLANE_HANDLERS_NAME_SET_H

#include "common/base/arena.h"
#include "common/base/hash_table.h"
#include "common/base/uuid.h"

struct name_entry {
    struct hash_node node;
    struct slice name;
    int32_t count;    /* how often it was added */
    bool is_answered; /* these two are the caller's */
    int32_t index;
};

struct name_set {
    struct hash_table table;
    struct arena *arena;
};

/* arena: for the entries; names are borrowed for the life of the set. */
void name_set_init(struct name_set *set, struct hash_seed seed, struct arena *arena);
void name_set_done(struct name_set *set);

/* Counts the name; null counts as "". NULL = no memory. */
struct name_entry *name_set_add(struct name_set *set, struct slice name) WARN_UNUSED;
/* NULL = not added. */
struct name_entry *name_set_find(const struct name_set *set, struct slice name);

#endif
