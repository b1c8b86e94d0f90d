/* SPDX-License-Identifier: Apache-2.0 */
/* The one hash table: chained, intrusive, seeded (SipHash-1-3), so that no tenant can choose names
 * that collide. Nodes are embedded in the caller's objects; the table owns only its buckets.
 * Not thread-safe. */
#ifndef COMMON_BASE_HASH_TABLE_H
#define COMMON_BASE_HASH_TABLE_H

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/slice.h"
#include "common/base/spare_pool.h"

struct hash_node {
    struct hash_node *next;
    uint64_t hash;
};

struct hash_seed {
    uint64_t k0, k1;
};

struct hash_table {
    struct hash_node **buckets;
    size_t bucket_count; /* power of two, or 0 before the first insert */
    size_t count;
    struct hash_seed seed;
    struct spare_pool *spares; /* where buckets come from; NULL = the heap */
};

typedef bool (*hash_equal_fn)(const struct hash_node *node, const void *key);

/* The seed of tables made from now on; called once at start with random bytes. Simulations pass a
 * fixed one. */
void hash_table_init(struct hash_table *table, struct hash_seed seed);
/* Its buckets are a spare block: for tables that come and go. */
void hash_table_init_spare(struct hash_table *table, struct hash_seed seed,
                           struct spare_pool *spares);
/* Frees the buckets, not the nodes. */
void hash_table_done(struct hash_table *table);

uint64_t hash_bytes(struct hash_seed seed, const void *data, size_t len);

/* ERR_NO_MEMORY when the buckets cannot grow the first time. Does not look for duplicates. */
enum err hash_table_insert(struct hash_table *table, uint64_t hash,
                           struct hash_node *node) WARN_UNUSED;
/* NULL = not found. */
struct hash_node *hash_table_find(const struct hash_table *table, uint64_t hash,
                                  hash_equal_fn equal, const void *key);
/* The node must be in this table. */
void hash_table_remove(struct hash_table *table, struct hash_node *node);

/* Iteration in bucket order: start with NULL; NULL = end. The returned node may be removed before
 * the next call only if next was fetched first. */
struct hash_node *hash_table_next(const struct hash_table *table, const struct hash_node *node);

#endif
