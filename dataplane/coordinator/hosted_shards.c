/* SPDX-License-Identifier: Apache-2.0 */
/* Each loop has a table of the shards that it serves, by (instance, partition), and a list of those that
 * are closing: several generations of one shard may live side by side for a while. */
#include "dataplane/coordinator/coordinator_internal.h"

#include "common/observe/log.h"

#include <stdatomic.h>
#include <stdlib.h>

/* --- groups of an instance --- */

static uint64_t hash_instance(const struct group_coordinator *coordinator, int32_t instance_no)
{
    return hash_bytes(coordinator->options.seed, &instance_no, sizeof(instance_no));
}

static bool is_instance(const struct hash_node *node, const void *key)
{
    return container_of(node, struct instance_groups, node)->instance_no == *(const int32_t *)key;
}

struct instance_groups *instance_groups_obtain(struct group_coordinator *coordinator,
                                               int32_t instance_no)
{
    uint64_t hash = hash_instance(coordinator, instance_no);
    struct hash_node *node =
        hash_table_find(&coordinator->instances, hash, is_instance, &instance_no);
    struct instance_groups *groups = NULL;

    if (node != NULL)
        return container_of(node, struct instance_groups, node);
    groups = calloc(1, sizeof(*groups));
    if (groups == NULL)
        return NULL;
    groups->instance_no = instance_no;
    if (hash_table_insert(&coordinator->instances, hash, &groups->node) != ERR_OK) {
        free(groups);
        return NULL;
    }
    return groups;
}

static bool add_group(void *context, bool is_forced)
{
    struct hosted_shard *hosted = context;
    struct instance_groups *groups = hosted->groups;
    const struct coordinator_host *host = &hosted->owner->coordinator->options.host;
    int64_t limit = is_forced ? -1 : host->groups_limit(host->context, hosted->instance_no);
    int64_t count = atomic_fetch_add(&groups->count, 1) + 1;

    if (limit < 0 || count <= limit)
        return true;
    atomic_fetch_sub(&groups->count, 1);
    return false;
}

static void remove_group(void *context)
{
    struct hosted_shard *hosted = context;

    atomic_fetch_sub(&hosted->groups->count, 1);
}

static bool topic_exists(void *context, struct slice topic)
{
    struct hosted_shard *hosted = context;
    const struct coordinator_host *host = &hosted->owner->coordinator->options.host;

    return host->topic_exists(host->context, hosted->instance_no, topic);
}

/* --- shards of a loop --- */

struct shard_key {
    int32_t instance_no;
    int32_t partition;
};

static uint64_t hash_shard(const struct coordinator_loop *at, struct shard_key key)
{
    return hash_bytes(at->coordinator->options.seed, &key, sizeof(key));
}

static bool is_shard(const struct hash_node *node, const void *key)
{
    const struct hosted_shard *hosted = container_of(node, struct hosted_shard, node);
    const struct shard_key *wanted = key;

    return hosted->instance_no == wanted->instance_no && hosted->partition == wanted->partition;
}

struct hosted_shard *hosted_shard_find(const struct coordinator_loop *at, int32_t instance_no,
                                       int32_t partition)
{
    struct shard_key key = {instance_no, partition};
    struct hash_node *node = hash_table_find(&at->shards, hash_shard(at, key), is_shard, &key);

    return node == NULL ? NULL : container_of(node, struct hosted_shard, node);
}

static void on_closed(void *context)
{
    struct hosted_shard *hosted = context;
    struct coordinator_loop *at = hosted->owner;

    list_remove(&hosted->link);
    coordinator_shard_free(hosted->shard);
    free(hosted);
    coordinator_finish_orders(at);
}

void hosted_shard_close(struct hosted_shard *hosted)
{
    hash_table_remove(&hosted->owner->shards, &hosted->node);
    list_push_back(&hosted->owner->closing, &hosted->link);
    coordinator_shard_close(hosted->shard);
}

static void on_finished(void *context, struct group_call *call)
{
    (void)context;
    coordinator_call_answer(container_of(call, struct coordinator_call, group));
}

static void on_broken(void *context);

/* The replica's leader epoch is only for telling elections apart. */
void hosted_shard_open(struct coordinator_loop *at, int32_t instance_no, int32_t partition,
                       struct replica *replica, leader_epoch epoch, struct instance_groups *groups)
{
    const struct group_coordinator_options *common = &at->coordinator->options;
    struct hosted_shard *hosted = calloc(1, sizeof(*hosted));
    struct coordinator_shard_options options = {
        .instance_no = instance_no,
        .partition = partition,
        .replica = replica,
        .epoch = epoch,
        .group = &common->group,
        .host = {hosted, add_group, remove_group, topic_exists},
        .random = common->random,
        .seed = common->seed,
        .events = {on_finished, on_broken, on_closed, hosted},
    };

    if (hosted == NULL)
        goto fail;
    *hosted = (struct hosted_shard){.owner = at,
                                    .instance_no = instance_no,
                                    .partition = partition,
                                    .replica = replica,
                                    .groups = groups};
    list_init(&hosted->link);
    if (hash_table_insert(&at->shards, hash_shard(at, (struct shard_key){instance_no, partition}),
                          &hosted->node) != ERR_OK)
        goto fail;
    if (coordinator_shard_new(&options, &hosted->shard) == ERR_OK)
        return;
    hash_table_remove(&at->shards, &hosted->node);
fail:
    free(hosted);
    log_event(
        LOG_ERROR, "group_shard_not_opened", f_i64("instance_no", instance_no),
        f_i64("partition", partition),
        f_str("reason", "out of memory; its groups get NOT_COORDINATOR until a new election"));
}

static void on_broken(void *context)
{
    struct hosted_shard *hosted = context;
    struct coordinator_loop *at = hosted->owner;
    struct hosted_shard was = *hosted;
    leader_epoch epoch = coordinator_shard_epoch(hosted->shard);

    /* Closing may be the last use of the replica: hold it until the next shard does. */
    replica_ref(was.replica);
    hosted_shard_close(hosted);
    hosted_shard_open(at, was.instance_no, was.partition, was.replica, epoch, was.groups);
    replica_unref(was.replica);
}

/* --- all of a loop --- */

void group_coordinator_visit(const struct group_coordinator *coordinator, const struct loop *loop,
                             const struct coordinator_visitor *visitor)
{
    const struct coordinator_loop *at = &coordinator->loops[loop->index];

    for (struct hash_node *node = hash_table_next(&at->shards, NULL); node != NULL;
         node = hash_table_next(&at->shards, node)) {
        const struct hosted_shard *hosted = container_of(node, struct hosted_shard, node);

        visitor->on_instance(visitor->groups.context, hosted->instance_no);
        coordinator_shard_visit(hosted->shard, &visitor->groups);
    }
}
