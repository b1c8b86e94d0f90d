/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeGroups and ListGroups: what is there, as it is now. */
#include "dataplane/group/group_internal.h"

#include <strings.h>

/* From here on a group that is not there is an error of its own. */
enum { NOT_FOUND_VERSION = 6 };

static bool describe_member(const struct group_member *member, struct arena *arena,
                            struct group_described_member *ret)
{
    const struct group *group = member->group;
    bool is_stable = group->state == GROUP_STABLE;
    struct slice empty = SLICE_LITERAL("");

    return arena_copy(arena, member->member_id, &ret->member_id) &&
           arena_copy(arena, member->instance_id, &ret->instance_id) &&
           arena_copy(arena, member->client_id, &ret->client_id) &&
           arena_copy(arena, member->client_host, &ret->client_host) &&
           arena_copy(arena, is_stable ? member_metadata(member, group->protocol_name) : empty,
                      &ret->metadata) &&
           arena_copy(arena, is_stable ? member->assignment : empty, &ret->assignment);
}

static bool describe(const struct group *group, struct group_call *call)
{
    struct group_describe_reply *reply = &call->describe.reply;
    struct slice empty = SLICE_LITERAL("");
    struct slice type = slice_is_null(group->protocol_type) ? empty : group->protocol_type;
    bool has_protocol = group->state == GROUP_STABLE && !slice_is_null(group->protocol_name);

    *reply = (struct group_describe_reply){.state = group_state_name(group->state)};
    reply->members =
        arena_new_array(&call->arena, group->member_count, struct group_described_member);
    if (reply->members == NULL || !arena_copy(&call->arena, type, &reply->protocol_type) ||
        !arena_copy(&call->arena, has_protocol ? group->protocol_name : empty,
                    &reply->protocol_name))
        return false;
    list_for_each(&group->members, node)
    {
        if (!describe_member(container_of(node, struct group_member, link), &call->arena,
                             &reply->members[reply->member_count++]))
            return false;
    }
    return true;
}

void group_describe(struct group_shard *shard, struct group_call *call)
{
    const struct group *group = group_lookup(shard, call->group_id);

    if (group == NULL) {
        call_fail(shard, call,
                  call->version >= NOT_FOUND_VERSION ? KAFKA_GROUP_ID_NOT_FOUND : KAFKA_NONE);
        call->describe.reply.state = SLICE_LITERAL("Dead");
        return;
    }
    if (describe(group, call))
        call_finish(shard, call, KAFKA_NONE);
    else
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
}

/* --- list --- */

static bool passes(const struct slice *wanted, size_t count, struct slice value)
{
    for (size_t i = 0; i < count; i++)
        if (wanted[i].len == value.len &&
            strncasecmp((const char *)wanted[i].data, (const char *)value.data, value.len) == 0)
            return true;
    return count == 0;
}

static bool is_listed(const struct group *group, const struct group_list_request *request)
{
    return group_is_there(group) &&
           passes(request->states, request->state_count, group_state_name(group->state)) &&
           passes(request->types, request->type_count, SLICE_LITERAL("classic"));
}

/* Adds to what other shards of the instance have listed before. */
static bool list_groups(const struct group_shard *shard, struct group_call *call)
{
    struct group_list_reply *reply = &call->list.reply;
    struct group_listing *groups = arena_new_array(
        &call->arena, reply->group_count + shard->groups.count, struct group_listing);
    struct slice empty = SLICE_LITERAL("");

    if (groups == NULL)
        return false;
    if (reply->group_count > 0)
        memcpy(groups, reply->groups, reply->group_count * sizeof(*groups));
    reply->groups = groups;
    for (struct hash_node *node = hash_table_next(&shard->groups, NULL); node != NULL;
         node = hash_table_next(&shard->groups, node)) {
        const struct group *group = container_of(node, struct group, node);
        struct group_listing *entry = &groups[reply->group_count];

        if (!is_listed(group, &call->list.request))
            continue;
        if (!arena_copy(&call->arena, group->id, &entry->group_id) ||
            !arena_copy(&call->arena,
                        slice_is_null(group->protocol_type) ? empty : group->protocol_type,
                        &entry->protocol_type))
            return false;
        entry->state = group_state_name(group->state);
        entry->type = SLICE_LITERAL("classic");
        reply->group_count++;
    }
    return true;
}

enum kafka_error group_shard_list(const struct group_shard *shard, struct group_call *call)
{
    if (shard->phase == SHARD_LOADING)
        return KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
    if (shard->phase == SHARD_RESIGNED)
        return KAFKA_NOT_COORDINATOR;
    return list_groups(shard, call) ? KAFKA_NONE : KAFKA_COORDINATOR_NOT_AVAILABLE;
}
