/* SPDX-License-Identifier: Apache-2.0 */
/* Committed offsets: commit, fetch, and the table they live in.
 *
 * A commit becomes records at once and state when they are in the log, so a fetch never sees an offset
 * that could still be lost. Per group a hash table of topics, per topic an array sorted by partition. */
#include "dataplane/group/group_internal.h"

#include "common/base/checked.h"
#include "dataplane/group/group_records.h"

#include <stdlib.h>

/* Where a missing group and a generation became GROUP_ID_NOT_FOUND. */
enum { GROUP_NOT_FOUND_VERSION = 9 };

/* --- the table --- */

static bool has_name(const struct hash_node *node, const void *key)
{
    const struct group_topic *topic = container_of(node, struct group_topic, node);

    return slice_equal(topic->name, *(const struct slice *)key);
}

struct group_topic *offset_topic_find(const struct group *group, struct slice name)
{
    struct hash_node *node = hash_table_find(
        &group->topics, hash_bytes(group->shard->seed, name.data, name.len), has_name, &name);

    return node == NULL ? NULL : container_of(node, struct group_topic, node);
}

/* Index of the partition, or of where it would be. */
static size_t search(const struct group_topic *topic, int32_t partition)
{
    size_t low = 0;
    size_t high = topic->offset_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (topic->offsets[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct group_topic *topic, size_t index, int32_t partition)
{
    return index < topic->offset_count && topic->offsets[index].partition == partition;
}

struct committed_offset *offset_find(const struct group *group, struct slice name,
                                     int32_t partition)
{
    struct group_topic *topic = offset_topic_find(group, name);
    size_t index = 0;

    if (topic == NULL)
        return NULL;
    index = search(topic, partition);
    return is_at(topic, index, partition) ? &topic->offsets[index] : NULL;
}

static void topic_free(struct group *group, struct group_topic *topic)
{
    hash_table_remove(&group->topics, &topic->node);
    slice_free(&topic->name);
    free(topic->offsets);
    free(topic);
}

static struct group_topic *topic_obtain(struct group *group, struct slice name)
{
    struct group_topic *topic = offset_topic_find(group, name);

    if (topic != NULL)
        return topic;
    topic = calloc(1, sizeof(*topic));
    if (topic == NULL)
        return NULL;
    if (slice_own(name, &topic->name) &&
        hash_table_insert(&group->topics, hash_bytes(group->shard->seed, name.data, name.len),
                          &topic->node) == ERR_OK)
        return topic;
    slice_free(&topic->name);
    free(topic);
    return NULL;
}

static bool make_room(struct group_topic *topic)
{
    size_t capacity = topic->offset_capacity ? topic->offset_capacity * 2 : 4;
    struct committed_offset *offsets = NULL;

    if (topic->offset_count < topic->offset_capacity)
        return true;
    offsets = reallocarray(topic->offsets, capacity, sizeof(*offsets));
    if (offsets == NULL)
        return false;
    topic->offsets = offsets;
    topic->offset_capacity = capacity;
    return true;
}

bool offset_put(struct group *group, struct slice name, const struct committed_offset *offset)
{
    struct group_topic *topic = topic_obtain(group, name);
    struct committed_offset copy = *offset;
    size_t index = 0;

    if (topic == NULL)
        return false;
    if (!make_room(topic) || !slice_own(offset->metadata, &copy.metadata)) {
        if (topic->offset_count == 0)
            topic_free(group, topic);
        return false;
    }
    index = search(topic, offset->partition);
    if (is_at(topic, index, offset->partition)) {
        slice_free(&topic->offsets[index].metadata);
    } else {
        memmove(&topic->offsets[index + 1], &topic->offsets[index],
                (topic->offset_count - index) * sizeof(*offset));
        topic->offset_count++;
        group->shard->counts.offsets++;
    }
    topic->offsets[index] = copy;
    return true;
}

void offset_remove(struct group *group, struct slice name, int32_t partition)
{
    struct group_topic *topic = offset_topic_find(group, name);
    size_t index = topic == NULL ? 0 : search(topic, partition);

    if (topic == NULL || !is_at(topic, index, partition))
        return;
    slice_free(&topic->offsets[index].metadata);
    topic->offset_count--;
    memmove(&topic->offsets[index], &topic->offsets[index + 1],
            (topic->offset_count - index) * sizeof(*topic->offsets));
    group->shard->counts.offsets--;
    if (topic->offset_count == 0)
        topic_free(group, topic);
}

void offsets_free(struct group *group)
{
    struct hash_node *node = NULL;

    while ((node = hash_table_next(&group->topics, NULL)) != NULL) {
        struct group_topic *topic = container_of(node, struct group_topic, node);

        for (size_t i = 0; i < topic->offset_count; i++)
            slice_free(&topic->offsets[i].metadata);
        group->shard->counts.offsets -= (int64_t)topic->offset_count;
        topic_free(group, topic);
    }
}

/* --- commit --- */

void offsets_fail(struct group_offset_topic *topics, size_t count, enum kafka_error error)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < topics[i].partition_count; k++)
            if (topics[i].partitions[k].error == KAFKA_NONE)
                topics[i].partitions[k].error = error;
}

static enum kafka_error check_committer(const struct group *group, const struct group_call *call,
                                        struct group_member **ret_member)
{
    const struct group_offset_commit_request *request = &call->offset_commit.request;
    enum kafka_error error = KAFKA_NONE;

    /* Not a member: tools, and consumers that assign themselves. */
    if (request->generation < 0 && group->state == GROUP_EMPTY)
        return KAFKA_NONE;
    if (request->generation < 0 && request->member_id.len == 0 &&
        slice_is_null(request->instance_id))
        return KAFKA_UNKNOWN_MEMBER_ID;
    error = member_validate(group, request->member_id, request->instance_id, ret_member);
    if (error != KAFKA_NONE)
        return error;
    if (request->generation != group->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (group->state == GROUP_COMPLETING)
        return KAFKA_REBALANCE_IN_PROGRESS;
    return KAFKA_NONE;
}

static enum kafka_error find_group(struct group_shard *shard, const struct group_call *call,
                                   struct group **ret_group)
{
    struct group *group = group_lookup(shard, call->group_id);

    if (group == NULL && call->offset_commit.request.generation >= 0)
        return call->version >= GROUP_NOT_FOUND_VERSION ? KAFKA_GROUP_ID_NOT_FOUND
                                                        : KAFKA_ILLEGAL_GENERATION;
    if (group == NULL)
        return group_obtain(shard, call->group_id, false, ret_group);
    *ret_group = group;
    return KAFKA_NONE;
}

static enum err write_offset(struct group_append *append, struct slice topic,
                             const struct group_offset *entry, int64_t retention_ms)
{
    const struct group *group = append->group;
    int64_t now_ms = group->shard->time.wall_ms;
    struct slice empty = SLICE_LITERAL("");
    struct kafka_offset_commit_value stored = {
        .offset = entry->offset,
        .leader_epoch = entry->leader_epoch,
        .metadata = slice_is_null(entry->metadata) ? empty : entry->metadata,
        .commit_timestamp = now_ms,
        .expire_timestamp = -1,
    };
    struct append_writer out;

    if (retention_ms >= 0 && !checked_add_i64(now_ms, retention_ms, &stored.expire_timestamp))
        stored.expire_timestamp = INT64_MAX;
    append_begin_key(&out, append);
    group_record_write_offset_key(&out.writer, group->id, topic, entry->partition);
    append_begin_value(&out);
    group_record_write_offset(&out.writer, &stored);
    return append_end_record(&out);
}

static enum err write_commit(struct group_append *append,
                             struct group_offset_commit_request *request)
{
    size_t longest = (size_t)append->group->shard->options.max_metadata_bytes;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < request->topic_count && rc == ERR_OK; i++) {
        struct group_offset_topic *topic = &request->topics[i];

        for (size_t k = 0; k < topic->partition_count && rc == ERR_OK; k++) {
            struct group_offset *entry = &topic->partitions[k];

            if (entry->error != KAFKA_NONE)
                continue;
            if (entry->metadata.len > longest)
                entry->error = KAFKA_OFFSET_METADATA_TOO_LARGE;
            else
                rc = write_offset(append, topic->name, entry, request->retention_time_ms);
        }
    }
    return rc;
}

void group_offset_commit(struct group_shard *shard, struct group_call *call)
{
    struct group *group = NULL;
    struct group_member *member = NULL;
    struct group_append *append = NULL;
    enum kafka_error error = find_group(shard, call, &group);
    enum err rc = ERR_OK;

    if (error == KAFKA_NONE)
        error = check_committer(group, call, &member);
    if (error != KAFKA_NONE) {
        call_fail(shard, call, error);
        return;
    }
    if (member != NULL)
        member_touch(member);
    append = append_new(group, GROUP_APPEND_OFFSETS);
    rc = append == NULL ? ERR_NO_MEMORY : write_commit(append, &call->offset_commit.request);
    if (rc != ERR_OK) {
        append_free(append);
        call_fail(shard, call,
                  rc == ERR_NO_MEMORY ? KAFKA_COORDINATOR_NOT_AVAILABLE
                                      : KAFKA_INVALID_COMMIT_OFFSET_SIZE);
        return;
    }
    if (append->record_count == 0) {
        append_free(append);
        call_finish(shard, call, KAFKA_NONE);
        return;
    }
    append_submit(append);
    call_await_append(call, append);
}

/* --- fetch --- */

static void clear_entry(struct group_offset *entry)
{
    entry->offset = -1;
    entry->leader_epoch = -1;
    entry->metadata = SLICE_LITERAL("");
}

void offsets_clear(struct group_call *call)
{
    struct group_offset_fetch_request *request = &call->offset_fetch.request;

    for (size_t i = 0; i < request->topic_count; i++)
        for (size_t k = 0; k < request->topics[i].partition_count; k++)
            clear_entry(&request->topics[i].partitions[k]);
}

static bool fill_entry(struct arena *arena, const struct committed_offset *offset,
                       struct group_offset *entry)
{
    entry->partition = offset->partition;
    entry->offset = offset->offset;
    entry->leader_epoch = offset->leader_epoch;
    return arena_copy(arena, offset->metadata, &entry->metadata);
}

static bool fetch_asked(const struct group *group, struct group_call *call)
{
    struct group_offset_fetch_request *request = &call->offset_fetch.request;

    for (size_t i = 0; i < request->topic_count; i++) {
        for (size_t k = 0; k < request->topics[i].partition_count; k++) {
            struct group_offset *entry = &request->topics[i].partitions[k];
            const struct committed_offset *offset = NULL;

            if (entry->error == KAFKA_NONE)
                offset = offset_find(group, request->topics[i].name, entry->partition);
            if (offset != NULL && !fill_entry(&call->arena, offset, entry))
                return false;
        }
    }
    return true;
}

static bool fetch_topic(const struct group_topic *topic, struct arena *arena,
                        struct group_offset_topic *ret_topic)
{
    struct group_offset *entries = arena_new_array(arena, topic->offset_count, struct group_offset);

    if (entries == NULL || !arena_copy(arena, topic->name, &ret_topic->name))
        return false;
    for (size_t i = 0; i < topic->offset_count; i++)
        if (!fill_entry(arena, &topic->offsets[i], &entries[i]))
            return false;
    ret_topic->partitions = entries;
    ret_topic->partition_count = topic->offset_count;
    return true;
}

static bool fetch_all(const struct group *group, struct group_call *call)
{
    struct group_offset_fetch_request *request = &call->offset_fetch.request;
    struct group_offset_topic *topics =
        arena_new_array(&call->arena, group->topics.count, struct group_offset_topic);
    size_t count = 0;

    if (topics == NULL)
        return false;
    for (struct hash_node *node = hash_table_next(&group->topics, NULL); node != NULL;
         node = hash_table_next(&group->topics, node))
        if (!fetch_topic(container_of(node, struct group_topic, node), &call->arena,
                         &topics[count++]))
            return false;
    request->topics = topics;
    request->topic_count = count;
    return true;
}

void group_offset_fetch(struct group_shard *shard, struct group_call *call)
{
    const struct group *group = group_lookup(shard, call->group_id);
    bool is_filled = true;

    offsets_clear(call);
    if (group != NULL)
        is_filled = call->offset_fetch.request.wants_all ? fetch_all(group, call)
                                                         : fetch_asked(group, call);
    if (is_filled)
        call_finish(shard, call, KAFKA_NONE);
    else
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
}
