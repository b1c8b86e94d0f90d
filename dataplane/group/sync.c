/* SPDX-License-Identifier: Apache-2.0 */
/* SyncGroup and Heartbeat.
 *
 * Syncs wait in Completing until the leader brings the assignment; that is put into the log with the
 * members, and all are answered once it is there (rebalance_assignment_resolved). A late sync in Stable
 * is answered at once from what the log holds. */
#include "dataplane/group/group_internal.h"

void sync_answer(struct group_member *member, struct group_call *call, enum kafka_error error)
{
    struct group *group = member->group;
    struct group_sync_reply *reply = &call->sync.reply;

    if (error == KAFKA_NONE &&
        (!arena_copy(&call->arena, group->protocol_type, &reply->protocol_type) ||
         !arena_copy(&call->arena, group->protocol_name, &reply->protocol_name) ||
         !arena_copy(&call->arena, member->assignment, &reply->assignment)))
        error = KAFKA_COORDINATOR_NOT_AVAILABLE;
    if (error == KAFKA_NONE)
        call_finish(group->shard, call, KAFKA_NONE);
    else
        call_fail(group->shard, call, error);
    member_touch(member);
}

static void park_sync(struct group_member *member, struct group_call *call)
{
    struct group_shard *shard = member->group->shard;

    if (member->sync_call != NULL)
        call_fail(shard, member->sync_call, KAFKA_REBALANCE_IN_PROGRESS);
    member->sync_call = call;
    call->member = member;
    call->is_parked = true;
    timer_queue_stop(&shard->timers, &member->session);
}

/* Sets every member's `proposed`; false = the assignments are more than the shard may hold. */
static bool propose(struct group *group, const struct group_sync_request *request)
{
    const struct group_shard *shard = group->shard;
    int64_t more = 0;

    list_for_each(&group->members, node) container_of(node, struct group_member, link)->proposed =
        SLICE_LITERAL("");
    for (size_t i = 0; i < request->assignment_count; i++) {
        struct group_member *member = member_find(group, request->assignments[i].member_id);

        if (member != NULL && !slice_is_null(request->assignments[i].assignment))
            member->proposed = request->assignments[i].assignment;
    }
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);

        more += (int64_t)member->proposed.len - (int64_t)member->assignment.len;
    }
    return more <= 0 ||
           shard->counts.membership_bytes + more <= (int64_t)shard->options.max_membership_bytes;
}

static void store_assignment(struct group *group, struct group_call *call)
{
    struct group_append *append = append_new(group, GROUP_APPEND_ASSIGNMENT);
    enum err rc = append == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (rc == ERR_OK)
        rc = propose(group, &call->sync.request) ? metadata_record_write(append, true)
                                                 : ERR_TOO_LARGE;
    if (rc != ERR_OK) {
        append_free(append);
        rebalance_assignment_resolved(group, rc == ERR_TOO_LARGE ? KAFKA_MESSAGE_TOO_LARGE
                                                                 : KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    append_submit(append);
    call_await_log(group->shard, call);
}

/* Null on either side says nothing. */
static bool contradicts(struct slice asked, struct slice known)
{
    return !slice_is_null(asked) && !slice_is_null(known) && !slice_equal(asked, known);
}

static enum kafka_error check_sync(const struct group *group,
                                   const struct group_sync_request *request,
                                   struct group_member **ret_member)
{
    enum kafka_error error =
        member_validate(group, request->member_id, request->instance_id, ret_member);

    if (error != KAFKA_NONE)
        return error;
    if (request->generation != group->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (contradicts(request->protocol_type, group->protocol_type) ||
        contradicts(request->protocol_name, group->protocol_name))
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    return KAFKA_NONE;
}

void group_sync(struct group_shard *shard, struct group_call *call)
{
    const struct group_sync_request *request = &call->sync.request;
    struct group *group = group_lookup(shard, call->group_id);
    struct group_member *member = NULL;
    enum kafka_error error = KAFKA_UNKNOWN_MEMBER_ID;

    if (call->group_id.len == 0)
        error = KAFKA_INVALID_GROUP_ID;
    else if (group != NULL)
        error = check_sync(group, request, &member);
    if (error != KAFKA_NONE) {
        call_fail(shard, call, error);
        return;
    }
    switch (group->state) {
    case GROUP_EMPTY:
        call_fail(shard, call, KAFKA_UNKNOWN_MEMBER_ID);
        break;
    case GROUP_PREPARING:
        call_fail(shard, call, KAFKA_REBALANCE_IN_PROGRESS);
        break;
    case GROUP_COMPLETING:
        rebalance_stop_awaiting_sync(member);
        park_sync(member, call);
        if (group->leader == member)
            store_assignment(group, call);
        break;
    case GROUP_STABLE:
        rebalance_stop_awaiting_sync(member);
        sync_answer(member, call, KAFKA_NONE);
        break;
    }
}

void group_heartbeat(struct group_shard *shard, struct group_call *call)
{
    const struct group_heartbeat_request *request = &call->heartbeat.request;
    struct group *group = group_lookup(shard, call->group_id);
    struct group_member *member = NULL;
    enum kafka_error error = KAFKA_UNKNOWN_MEMBER_ID;

    if (call->group_id.len == 0)
        error = KAFKA_INVALID_GROUP_ID;
    else if (group != NULL)
        error = member_validate(group, request->member_id, request->instance_id, &member);
    if (error == KAFKA_NONE && request->generation != group->generation)
        error = KAFKA_ILLEGAL_GENERATION;
    if (error == KAFKA_NONE) {
        member_touch(member);
        if (group->state == GROUP_PREPARING)
            error = KAFKA_REBALANCE_IN_PROGRESS;
    }
    call_finish(shard, call, error);
}
