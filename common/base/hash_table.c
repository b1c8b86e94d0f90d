/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets double when the table holds as many nodes as buckets; a growth that finds no memory is
 * put off, the chains only get longer. */
#include "common/base/hash_table.h"

void hash_table_init(struct hash_table *table, struct hash_seed seed)
{
    hash_table_init_spare(table, seed, NULL);
}

void hash_table_init_spare(struct hash_table *table, struct hash_seed seed,
                           struct spare_pool *spares)
{
    *table = (struct hash_table){.seed = seed, .spares = spares};
}

static void free_buckets(struct hash_table *table)
{
    spare_pool_give(table->spares, table->buckets,
                    table->bucket_count * sizeof(struct hash_node *));
}

void hash_table_done(struct hash_table *table)
{
    free_buckets(table);
    hash_table_init_spare(table, table->seed, table->spares);
}

static uint64_t rotl(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein), words read in host order: the hash never leaves the process.
 */
uint64_t hash_bytes(struct hash_seed seed, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t v[4] = {seed.k0 ^ 0x736f6d6570736575u, seed.k1 ^ 0x646f72616e646f6du,
                     seed.k0 ^ 0x6c7967656e657261u, seed.k1 ^ 0x7465646279746573u};
    uint64_t word = 0;
    uint64_t last = (uint64_t)len << 56;

    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&word, at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (len > 0)
        memcpy(&word, at, len);
    last |= word;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool grow(struct hash_table *table)
{
    size_t count = table->bucket_count ? table->bucket_count * 2 : 16;
    size_t bytes = count * sizeof(struct hash_node *);
    struct hash_node **buckets = spare_pool_take(table->spares, bytes);

    if (buckets == NULL)
        return false;
    memset(buckets, 0, bytes);
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct hash_node *node = table->buckets[i];

        while (node != NULL) {
            struct hash_node *next = node->next;
            size_t to = node->hash & (count - 1);

            node->next = buckets[to];
            buckets[to] = node;
            node = next;
        }
    }
    free_buckets(table);
    table->buckets = buckets;
    table->bucket_count = count;
    return true;
}

enum err hash_table_insert(struct hash_table *table, uint64_t hash, struct hash_node *node)
{
    struct hash_node **bucket = NULL;

    if (table->count >= table->bucket_count && !grow(table) && table->bucket_count == 0)
        return ERR_NO_MEMORY;
    bucket = &table->buckets[hash & (table->bucket_count - 1)];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    table->count++;
    return ERR_OK;
}

struct hash_node *hash_table_find(const struct hash_table *table, uint64_t hash,
                                  hash_equal_fn equal, const void *key)
{
    if (table->bucket_count == 0)
        return NULL;
    for (struct hash_node *node = table->buckets[hash & (table->bucket_count - 1)]; node != NULL;
         node = node->next) {
        if (node->hash == hash && equal(node, key))
            return node;
    }
    return NULL;
}

void hash_table_remove(struct hash_table *table, struct hash_node *node)
{
    struct hash_node **at = &table->buckets[node->hash & (table->bucket_count - 1)];

    while (*at != node) {
        invariant(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    table->count--;
}

struct hash_node *hash_table_next(const struct hash_table *table, const struct hash_node *node)
{
    size_t bucket = 0;

    if (node != NULL) {
        if (node->next != NULL)
            return node->next;
        bucket = (node->hash & (table->bucket_count - 1)) + 1;
    }
    for (; bucket < table->bucket_count; bucket++) {
        if (table->buckets[bucket] != NULL)
            return table->buckets[bucket];
    }
    return NULL;
}
