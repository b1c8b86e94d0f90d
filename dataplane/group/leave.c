/* SPDX-License-Identifier: Apache-2.0 */
/* LeaveGroup: members name themselves; tools name static members by instance id alone. */
#include "dataplane/group/group_internal.h"

static enum kafka_error find_leaving(const struct group *group,
                                     const struct group_leaving_member *leaving,
                                     struct group_member **ret_member)
{
    struct group_member *member = NULL;

    if (group == NULL)
        return KAFKA_UNKNOWN_MEMBER_ID;
    if (leaving->member_id.len == 0) {
        member = member_find_static(group, leaving->instance_id);
    } else {
        member = member_find_pending(group, leaving->member_id);
        if (member == NULL)
            return member_validate(group, leaving->member_id, leaving->instance_id, ret_member);
    }
    if (member == NULL)
        return KAFKA_UNKNOWN_MEMBER_ID;
    *ret_member = member;
    return KAFKA_NONE;
}

void group_leave(struct group_shard *shard, struct group_call *call)
{
    struct group_leave_request *request = &call->leave.request;
    struct group *group = group_lookup(shard, call->group_id);
    bool has_lost_member = false;
    bool has_lost_pending = false;

    if (call->group_id.len == 0) {
        call_fail(shard, call, KAFKA_INVALID_GROUP_ID);
        return;
    }
    for (size_t i = 0; i < request->member_count; i++) {
        struct group_leaving_member *leaving = &request->members[i];
        struct group_member *member = NULL;

        leaving->error = find_leaving(group, leaving, &member);
        if (leaving->error != KAFKA_NONE)
            continue;
        has_lost_member |= !member->is_pending;
        has_lost_pending |= member->is_pending;
        member_remove(member);
    }
    call_finish(shard, call, KAFKA_NONE);
    if (has_lost_member)
        rebalance_prepare_or_complete_join(group);
    else if (has_lost_pending)
        rebalance_complete_join_if_ready(group);
}
