/* SPDX-License-Identifier: Apache-2.0 */
/* One group: found, made, forgotten, and what it subscribes to. */
#include "dataplane/group/group_internal.h"

#include "common/wire/reader.h"

#include <stdlib.h>

bool slice_own(struct slice source, struct slice *ret_copy)
{
    uint8_t *copy = NULL;

    if (slice_is_null(source)) {
        *ret_copy = SLICE_NULL;
        return true;
    }
    copy = malloc(source.len > 0 ? source.len : 1);
    if (copy == NULL)
        return false;
    if (source.len > 0)
        memcpy(copy, source.data, source.len);
    *ret_copy = slice_of(copy, source.len);
    return true;
}

void slice_free(struct slice *slice)
{
    union {
        const uint8_t *borrowed;
        void *owned;
    } bytes = {.borrowed = slice->data};

    free(bytes.owned);
    *slice = SLICE_NULL;
}

static bool has_id(const struct hash_node *node, const void *key)
{
    const struct group *group = container_of(node, struct group, node);

    return slice_equal(group->id, *(const struct slice *)key);
}

struct group *group_find(const struct group_shard *shard, struct slice id)
{
    struct hash_node *node =
        hash_table_find(&shard->groups, hash_bytes(shard->seed, id.data, id.len), has_id, &id);

    return node == NULL ? NULL : container_of(node, struct group, node);
}

bool group_is_there(const struct group *group)
{
    return group->is_stored || group->topics.count > 0 || group->member_count > 0 ||
           group->pending_count > 0;
}

struct group *group_lookup(const struct group_shard *shard, struct slice id)
{
    struct group *group = group_find(shard, id);

    return group != NULL && group_is_there(group) ? group : NULL;
}

static struct group *group_new(struct group_shard *shard, struct slice id)
{
    struct group *group = calloc(1, sizeof(*group));

    if (group == NULL)
        return NULL;
    group->shard = shard;
    group->state = GROUP_EMPTY;
    group->state_timestamp_ms = -1;
    group->phase.fire = rebalance_on_phase_timer;
    list_init(&group->members);
    list_init(&group->pending);
    list_init(&group->waiting);
    hash_table_init(&group->by_id, shard->seed);
    hash_table_init(&group->by_instance, shard->seed);
    hash_table_init(&group->topics, shard->seed);
    if (slice_own(id, &group->id) &&
        hash_table_insert(&shard->groups, hash_bytes(shard->seed, id.data, id.len), &group->node) ==
            ERR_OK)
        return group;
    slice_free(&group->id);
    free(group);
    return NULL;
}

enum kafka_error group_obtain(struct group_shard *shard, struct slice id, bool is_forced,
                              struct group **ret_group)
{
    struct group *group = group_find(shard, id);

    if (group == NULL) {
        if (!shard->host.add_group(shard->host.context, is_forced))
            return KAFKA_GROUP_MAX_SIZE_REACHED;
        group = group_new(shard, id);
        if (group == NULL) {
            shard->host.remove_group(shard->host.context);
            return KAFKA_COORDINATOR_NOT_AVAILABLE;
        }
    }
    *ret_group = group;
    return KAFKA_NONE;
}

void group_drop_members(struct group *group)
{
    while (!list_is_empty(&group->members))
        member_remove(container_of(group->members.next, struct group_member, link));
    while (!list_is_empty(&group->pending))
        member_remove(container_of(group->pending.next, struct group_member, link));
}

void group_free(struct group *group)
{
    struct group_shard *shard = group->shard;

    invariant(list_is_empty(&group->waiting));
    group_drop_members(group);
    offsets_free(group);
    timer_queue_stop(&shard->timers, &group->phase);
    hash_table_remove(&shard->groups, &group->node);
    hash_table_done(&group->by_id);
    hash_table_done(&group->by_instance);
    hash_table_done(&group->topics);
    slice_free(&group->id);
    slice_free(&group->protocol_type);
    slice_free(&group->protocol_name);
    free(group);
    shard->host.remove_group(shard->host.context);
}

bool group_is_idle_husk(const struct group *group)
{
    return !group_is_there(group) && group->append_count == 0 && list_is_empty(&group->waiting);
}

struct slice group_state_name(enum group_state state)
{
    switch (state) {
    case GROUP_EMPTY:
        return SLICE_LITERAL("Empty");
    case GROUP_PREPARING:
        return SLICE_LITERAL("PreparingRebalance");
    case GROUP_COMPLETING:
        return SLICE_LITERAL("CompletingRebalance");
    case GROUP_STABLE:
        return SLICE_LITERAL("Stable");
    }
    return SLICE_LITERAL("");
}

bool group_uses_consumer_protocol(const struct group *group)
{
    return slice_equal_cstring(group->protocol_type, "consumer");
}

/* ConsumerProtocolSubscription of any version begins with its version and the topics. Bytes that are
 * no such thing count as a subscription to everything. */
static bool subscription_names(struct slice subscription, struct slice topic)
{
    struct reader reader;
    int32_t count = 0;

    reader_init(&reader, subscription);
    reader_i16(&reader);
    count = reader_i32(&reader);
    for (int32_t i = 0; i < count && reader.err == ERR_OK; i++) {
        int16_t len = reader_i16(&reader);

        if (len < 0)
            return true;
        if (slice_equal(reader_bytes(&reader, (size_t)len), topic))
            return true;
    }
    return reader.err != ERR_OK;
}

bool group_is_subscribed(const struct group *group, struct slice topic)
{
    if (!group_uses_consumer_protocol(group) || group->member_count == 0)
        return false;
    if (slice_is_null(group->protocol_name))
        return true;
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);

        if (subscription_names(member_metadata(member, group->protocol_name), topic))
            return true;
    }
    return false;
}
