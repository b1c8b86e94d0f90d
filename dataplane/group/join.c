/* SPDX-License-Identifier: Apache-2.0 */
/* JoinGroup.
 *
 *   member id    group knows it as     what happens
 *   ""           –                     dynamic, version >= 4: becomes pending, MEMBER_ID_REQUIRED
 *                                      else: becomes a member, rebalance
 *   ""           static instance id    takes the place of the old member, which is fenced. In a stable
 *                                      group whose protocol would not change that is one record in the
 *                                      log and no rebalance
 *   known        pending               becomes a member, rebalance
 *   known        member                Preparing: parked again; Stable and nothing new of a follower, or
 *                                      Completing and nothing new: answered at once; else rebalance
 *   other        –                     UNKNOWN_MEMBER_ID
 *
 * A parked join is answered when the join phase is over (rebalance.c). */
#include "dataplane/group/group_internal.h"

#include "common/base/uuid.h"

/* Version 4 brought MEMBER_ID_REQUIRED, version 9 skip_assignment. */
enum { KNOWN_MEMBER_VERSION = 4, SKIP_ASSIGNMENT_VERSION = 9 };

/* --- answers --- */

static bool list_members(const struct group *group, struct group_call *call)
{
    struct group_join_reply *reply = &call->join.reply;
    size_t count = 0;

    reply->members = arena_new_array(&call->arena, group->member_count, struct group_join_member);
    if (reply->members == NULL)
        return false;
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);
        struct group_join_member *entry = &reply->members[count++];

        if (!arena_copy(&call->arena, member->member_id, &entry->member_id) ||
            !arena_copy(&call->arena, member->instance_id, &entry->instance_id) ||
            !arena_copy(&call->arena, member_metadata(member, group->protocol_name),
                        &entry->metadata))
            return false;
    }
    reply->member_count = count;
    return true;
}

static bool fill_reply(const struct group_member *member, struct group_call *call)
{
    const struct group *group = member->group;
    struct group_join_reply *reply = &call->join.reply;

    *reply = (struct group_join_reply){.generation = group->generation};
    return arena_copy(&call->arena, group->protocol_type, &reply->protocol_type) &&
           arena_copy(&call->arena, group->protocol_name, &reply->protocol_name) &&
           arena_copy(&call->arena, group->leader->member_id, &reply->leader) &&
           arena_copy(&call->arena, member->member_id, &reply->member_id);
}

void join_answer(struct group_member *member, struct group_call *call)
{
    struct group *group = member->group;

    if (!fill_reply(member, call) || (group->leader == member && !list_members(group, call)))
        call_fail(group->shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
    else
        call_finish(group->shard, call, KAFKA_NONE);
    member_touch(member);
}

void member_park_join(struct group_member *member, struct group_call *call)
{
    struct group_shard *shard = member->group->shard;

    /* The same member asks twice: its first connection is gone, or it gave up waiting. */
    if (member->join_call != NULL)
        call_fail(shard, member->join_call, KAFKA_REBALANCE_IN_PROGRESS);
    member->join_call = call;
    member->group->joining_count++;
    call->member = member;
    call->is_parked = true;
    if (member->is_new)
        shard_timer_start(shard, &member->session, shard->options.new_member_timeout_ms);
    else
        timer_queue_stop(&shard->timers, &member->session);
}

/* --- new members --- */

static bool fits_membership(const struct group_shard *shard,
                            const struct group_join_request *request)
{
    size_t bytes = protocols_size(request->protocols, request->protocol_count);

    return shard->counts.membership_bytes < (int64_t)shard->options.max_membership_bytes &&
           bytes <= shard->options.max_membership_bytes - (size_t)shard->counts.membership_bytes;
}

/* Takes over new_id. NULL = failed, and the call is answered. */
static struct group_member *make_member(struct group *group, struct group_call *call,
                                        struct slice member_id)
{
    struct group_shard *shard = group->shard;
    struct group_member *member = NULL;

    if (!fits_membership(shard, &call->join.request)) {
        call_fail(shard, call, KAFKA_GROUP_MAX_SIZE_REACHED);
        return NULL;
    }
    member = member_new(group, member_id, &call->join.request);
    if (member == NULL)
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
    return member;
}

static bool set_protocol_type(struct group *group, struct slice protocol_type)
{
    struct slice copy = SLICE_NULL;

    if (group->member_count > 0 || slice_equal(group->protocol_type, protocol_type))
        return true;
    if (!slice_own(protocol_type, &copy))
        return false;
    slice_free(&group->protocol_type);
    group->protocol_type = copy;
    return true;
}

static void add_member(struct group *group, struct group_call *call, struct slice member_id)
{
    struct group_shard *shard = group->shard;
    struct group_member *member = make_member(group, call, member_id);

    if (member == NULL)
        return;
    if (!set_protocol_type(group, call->join.request.protocol_type) || !member_add(member)) {
        member_free(member);
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    member->is_new = true;
    if (group->state == GROUP_PREPARING && group->is_initial_rebalance)
        group->was_member_added = true;
    member_park_join(member, call);
    rebalance_prepare_or_complete_join(group);
}

static void add_pending(struct group *group, struct group_call *call, struct slice member_id)
{
    struct group_shard *shard = group->shard;
    struct group_join_request named = call->join.request;
    struct group_member *member = NULL;
    struct slice reply_id = SLICE_NULL;

    if (!arena_copy(&call->arena, member_id, &reply_id)) {
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    named.protocol_count = 0; /* comes again with the second join */
    member = member_new(group, member_id, &named);
    if (member == NULL || !member_add_pending(member)) {
        member_free(member);
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    member_touch(member);
    call_fail(shard, call, KAFKA_MEMBER_ID_REQUIRED);
    call->join.reply.member_id = reply_id;
}

/* --- static members that come back --- */

/* One record says who holds the instance id now; until it is in the log the old member holds it. */
static void store_replacement(struct group_member *old, struct group_member *newcomer,
                              struct group_call *call)
{
    struct group *group = old->group;
    struct group_append *append = append_new(group, GROUP_APPEND_REPLACEMENT);
    enum err rc = ERR_NO_MEMORY;

    if (append == NULL) {
        member_free(newcomer);
        call_fail(group->shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    append->replaced = old;
    append->replacement = newcomer;
    rc = metadata_record_write(append, false);
    if (rc != ERR_OK) {
        append_free(append);
        call_fail(group->shard, call,
                  rc == ERR_TOO_LARGE ? KAFKA_MESSAGE_TOO_LARGE : KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    append_submit(append);
    call_await_append(call, append);
}

bool join_replace_member(struct group_append *append)
{
    struct group *group = append->group;

    /* The answer of old versions names the old leader: kept where the reply can copy it from. */
    list_for_each(&append->calls, node)
    {
        struct group_call *call = container_of(node, struct group_call, link);

        if (!arena_copy(&call->arena, group->leader->member_id, &call->join.reply.leader))
            call->join.reply.leader = SLICE_LITERAL("");
    }
    if (!member_replace(append->replaced, append->replacement))
        return false;
    member_touch(append->replacement);
    append->newcomer = append->replacement;
    append->replacement = NULL;
    return true;
}

void join_replacement_resolved(struct group_append *append, enum kafka_error error)
{
    struct group *group = append->group;
    struct group_member *newcomer = append->newcomer;

    list_for_each(&append->calls, node)
    {
        struct group_call *call = container_of(node, struct group_call, link);
        struct slice old_leader = call->join.reply.leader;
        bool is_leader = group->leader == newcomer;

        if (error != KAFKA_NONE) {
            call_fail(group->shard, call, error);
            continue;
        }
        if (call->version >= SKIP_ASSIGNMENT_VERSION) {
            join_answer(newcomer, call);
            call->join.reply.skip_assignment = is_leader && call->error == KAFKA_NONE;
            continue;
        }
        /* It must not think that it leads, and assign anew: there is no rebalance. */
        if (!fill_reply(newcomer, call)) {
            call_fail(group->shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
            continue;
        }
        call->join.reply.leader = old_leader;
        call_finish(group->shard, call, KAFKA_NONE);
    }
}

static void rejoin_static(struct group_member *old, struct group_call *call, struct slice member_id)
{
    struct group *group = old->group;
    struct group_member *newcomer = make_member(group, call, member_id);

    if (newcomer == NULL)
        return;
    if (group->state == GROUP_STABLE &&
        slice_equal(group->protocol_name, group_select_protocol(group, old, newcomer))) {
        store_replacement(old, newcomer, call);
        return;
    }
    if (!member_replace(old, newcomer)) {
        member_free(newcomer);
        call_fail(group->shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    member_park_join(newcomer, call);
    rebalance_prepare_or_complete_join(group);
}

static void join_as_new(struct group *group, struct group_call *call)
{
    struct group_shard *shard = group->shard;
    const struct group_join_request *request = &call->join.request;
    bool is_static = !slice_is_null(request->instance_id);
    struct group_member *old = member_find_static(group, request->instance_id);
    struct slice member_id = SLICE_NULL;

    if (!member_id_make(shard, is_static ? request->instance_id : request->client_id, &member_id)) {
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    if (old != NULL)
        rejoin_static(old, call, member_id);
    else if (!is_static && call->version >= KNOWN_MEMBER_VERSION)
        add_pending(group, call, member_id);
    else
        add_member(group, call, member_id);
    slice_free(&member_id);
}

/* --- members that come again --- */

static void rejoin_and_rebalance(struct group_member *member, struct group_call *call)
{
    struct group_shard *shard = member->group->shard;

    if (!fits_membership(shard, &call->join.request)) {
        call_fail(shard, call, KAFKA_GROUP_MAX_SIZE_REACHED);
        return;
    }
    if (!member_update(member, &call->join.request)) {
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    member_park_join(member, call);
    rebalance_prepare_or_complete_join(member->group);
}

static void join_again(struct group *group, struct group_call *call)
{
    const struct group_join_request *request = &call->join.request;
    struct group_member *pending = member_find_pending(group, request->member_id);
    struct group_member *member = NULL;
    enum kafka_error error = KAFKA_NONE;
    bool is_unchanged = false;

    if (pending != NULL) {
        if (!slice_is_null(request->instance_id)) {
            call_fail(group->shard, call, KAFKA_INVALID_REQUEST);
            return;
        }
        member_remove(pending);
        add_member(group, call, request->member_id);
        return;
    }
    error = member_validate(group, request->member_id, request->instance_id, &member);
    if (error != KAFKA_NONE) {
        call_fail(group->shard, call, error);
        return;
    }
    is_unchanged = member_matches_protocols(member, request);
    if ((group->state == GROUP_COMPLETING && is_unchanged) ||
        (group->state == GROUP_STABLE && is_unchanged && group->leader != member)) {
        /* It did not get its answer, or missed nothing: the generation goes on. */
        join_answer(member, call);
        return;
    }
    rejoin_and_rebalance(member, call);
}

/* --- checks --- */

static enum kafka_error check_request(const struct group_shard *shard,
                                      const struct group_call *call)
{
    const struct group_join_request *request = &call->join.request;
    size_t longest_prefix = INT16_MAX - 1 - UUID_TEXT_LEN;

    if (call->group_id.len == 0)
        return KAFKA_INVALID_GROUP_ID;
    if (request->session_timeout_ms < shard->options.min_session_timeout_ms ||
        request->session_timeout_ms > shard->options.max_session_timeout_ms)
        return KAFKA_INVALID_SESSION_TIMEOUT;
    if (request->client_id.len > longest_prefix || request->instance_id.len > longest_prefix ||
        request->protocol_type.len > INT16_MAX || request->client_host.len > INT16_MAX ||
        request->protocol_count > MAX_PROTOCOLS ||
        protocols_size(request->protocols, request->protocol_count) >
            shard->options.max_member_bytes)
        return KAFKA_INVALID_REQUEST;
    for (size_t i = 0; i < request->protocol_count; i++)
        if (request->protocols[i].name.len > INT16_MAX)
            return KAFKA_INVALID_REQUEST;
    return KAFKA_NONE;
}

/* As Apache counts: while a group prepares, who waits already; later, who is a member. Ids given out
 * count too, so that asking for ids costs bounded memory. */
static bool has_room(const struct group *group, const struct group_member *known)
{
    size_t most = (size_t)group->shard->options.max_members;

    switch (group->state) {
    case GROUP_EMPTY:
        break;
    case GROUP_PREPARING:
        if (known != NULL && known->join_call != NULL)
            return true;
        if (group->joining_count >= most)
            return false;
        break;
    case GROUP_COMPLETING:
    case GROUP_STABLE:
        if (known != NULL)
            return true;
        if (group->member_count >= most)
            return false;
        break;
    }
    return group->pending_count <= most;
}

void group_join(struct group_shard *shard, struct group_call *call)
{
    const struct group_join_request *request = &call->join.request;
    struct group *group = group_lookup(shard, call->group_id);
    bool is_unnamed = request->member_id.len == 0;
    enum kafka_error error = check_request(shard, call);

    if (error == KAFKA_NONE && group == NULL) {
        if (!is_unnamed)
            error = KAFKA_UNKNOWN_MEMBER_ID;
        else if (request->protocol_type.len == 0 || request->protocol_count == 0)
            error = KAFKA_INCONSISTENT_GROUP_PROTOCOL;
        else
            error = group_obtain(shard, call->group_id, false, &group);
    }
    if (error != KAFKA_NONE) {
        call_fail(shard, call, error);
        return;
    }
    if (!has_room(group, member_find(group, request->member_id))) {
        call_fail(shard, call, KAFKA_GROUP_MAX_SIZE_REACHED);
        return;
    }
    if (!group_supports_protocols(group, request)) {
        call_fail(shard, call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    if (is_unnamed)
        join_as_new(group, call);
    else
        join_again(group, call);
}
