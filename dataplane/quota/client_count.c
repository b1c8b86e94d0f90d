/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/quota/client_count.h"

#include <stdlib.h>

enum { ID_MAX = 255, HOST_MAX = 63 }; /* what is beyond does not tell clients apart */

struct active_client {
    struct hash_node node;
    int connections;
    size_t len;
    uint8_t key[HOST_MAX + 1 + ID_MAX]; /* host, NUL, client id */
};

void client_count_init(struct client_count *count)
{
    static const struct hash_seed unused; /* hashes are made by the caller's seed */

    pthread_mutex_init(&count->mutex, NULL);
    hash_table_init(&count->clients, unused);
}

void client_count_done(struct client_count *count)
{
    invariant(count->clients.count == 0);
    hash_table_done(&count->clients);
    pthread_mutex_destroy(&count->mutex);
}

static void make_key(struct active_client *client, struct slice client_id, const char *host)
{
    size_t host_len = strnlen(host, HOST_MAX);
    size_t id_len = client_id.len < ID_MAX ? client_id.len : ID_MAX;

    memcpy(client->key, host, host_len);
    client->key[host_len] = '\0';
    if (id_len > 0)
        memcpy(client->key + host_len + 1, client_id.data, id_len);
    client->len = host_len + 1 + id_len;
}

static bool is_client(const struct hash_node *node, const void *key)
{
    const struct active_client *a = container_of(node, const struct active_client, node);
    const struct active_client *b = key;

    return a->len == b->len && memcmp(a->key, b->key, a->len) == 0;
}

static enum err enter(struct client_count *count, uint64_t hash, const struct active_client *wanted,
                      int64_t limit, struct active_client **ret_client)
{
    struct hash_node *node = hash_table_find(&count->clients, hash, is_client, wanted);
    struct active_client *client = NULL;

    if (node != NULL) {
        client = container_of(node, struct active_client, node);
    } else {
        if (limit >= 0 && (int64_t)count->clients.count >= limit)
            return ERR_LIMIT;
        client = malloc(sizeof(*client));
        if (client == NULL)
            return ERR_NO_MEMORY;
        *client = *wanted;
        if (hash_table_insert(&count->clients, hash, &client->node) != ERR_OK) {
            free(client);
            return ERR_NO_MEMORY;
        }
    }
    client->connections++;
    *ret_client = client;
    return ERR_OK;
}

enum err client_count_enter(struct client_count *count, struct hash_seed seed,
                            struct slice client_id, const char *host, int64_t limit,
                            struct active_client **ret_client)
{
    struct active_client wanted = {.connections = 0};
    enum err rc = ERR_OK;

    make_key(&wanted, client_id, host);
    pthread_mutex_lock(&count->mutex);
    rc = enter(count, hash_bytes(seed, wanted.key, wanted.len), &wanted, limit, ret_client);
    pthread_mutex_unlock(&count->mutex);
    return rc;
}

void client_count_leave(struct client_count *count, struct active_client *client)
{
    if (client == NULL)
        return;
    pthread_mutex_lock(&count->mutex);
    if (--client->connections > 0)
        client = NULL;
    else
        hash_table_remove(&count->clients, &client->node);
    pthread_mutex_unlock(&count->mutex);
    free(client);
}

size_t client_count_now(struct client_count *count)
{
    size_t now = 0;

    pthread_mutex_lock(&count->mutex);
    now = count->clients.count;
    pthread_mutex_unlock(&count->mutex);
    return now;
}
