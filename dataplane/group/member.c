/* SPDX-License-Identifier: Apache-2.0 */
/* Members: how they are made, found, counted, replaced.
 *
 * A pending member was given an id (MEMBER_ID_REQUIRED) and has not used it yet: it is in by_id and in
 * group->pending, and in nothing else. A static member is also in by_instance. What a member costs is
 * counted in the shard's membership_bytes from member_new to member_free. */
#include "dataplane/group/group_internal.h"

#include "common/base/checked.h"
#include "common/base/uuid.h"

#include <stdlib.h>

/* --- finding --- */

static bool has_member_id(const struct hash_node *node, const void *key)
{
    const struct group_member *member = container_of(node, struct group_member, by_id);

    return slice_equal(member->member_id, *(const struct slice *)key);
}

static bool has_instance_id(const struct hash_node *node, const void *key)
{
    const struct group_member *member = container_of(node, struct group_member, by_instance);

    return slice_equal(member->instance_id, *(const struct slice *)key);
}

static struct group_member *find_any(const struct group *group, struct slice member_id)
{
    struct hash_node *node = NULL;

    if (slice_is_null(member_id))
        return NULL;
    node = hash_table_find(&group->by_id,
                           hash_bytes(group->shard->seed, member_id.data, member_id.len),
                           has_member_id, &member_id);
    return node == NULL ? NULL : container_of(node, struct group_member, by_id);
}

struct group_member *member_find(const struct group *group, struct slice member_id)
{
    struct group_member *member = find_any(group, member_id);

    return member != NULL && !member->is_pending ? member : NULL;
}

struct group_member *member_find_pending(const struct group *group, struct slice member_id)
{
    struct group_member *member = find_any(group, member_id);

    return member != NULL && member->is_pending ? member : NULL;
}

struct group_member *member_find_static(const struct group *group, struct slice instance_id)
{
    struct hash_node *node = NULL;

    if (slice_is_null(instance_id))
        return NULL;
    node = hash_table_find(&group->by_instance,
                           hash_bytes(group->shard->seed, instance_id.data, instance_id.len),
                           has_instance_id, &instance_id);
    return node == NULL ? NULL : container_of(node, struct group_member, by_instance);
}

enum kafka_error member_validate(const struct group *group, struct slice member_id,
                                 struct slice instance_id, struct group_member **ret_member)
{
    struct group_member *member = NULL;

    if (!slice_is_null(instance_id)) {
        member = member_find_static(group, instance_id);
        if (member == NULL)
            return KAFKA_UNKNOWN_MEMBER_ID;
        if (!slice_equal(member->member_id, member_id))
            return KAFKA_FENCED_INSTANCE_ID;
    } else {
        member = member_find(group, member_id);
        if (member == NULL)
            return KAFKA_UNKNOWN_MEMBER_ID;
    }
    *ret_member = member;
    return KAFKA_NONE;
}

/* --- making --- */

bool member_id_make(struct group_shard *shard, struct slice prefix, struct slice *ret_id)
{
    struct uuid uuid;
    char text[UUID_TEXT_LEN + 1];
    uint8_t *id = NULL;
    size_t len = prefix.len + 1 + UUID_TEXT_LEN;

    if (random_fill(shard->random, uuid.bytes, sizeof(uuid.bytes)) != ERR_OK)
        return false;
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    uuid_format(uuid, text);
    id = malloc(len);
    if (id == NULL)
        return false;
    if (prefix.len > 0)
        memcpy(id, prefix.data, prefix.len);
    id[prefix.len] = '-';
    memcpy(id + prefix.len + 1, text, UUID_TEXT_LEN);
    *ret_id = slice_of(id, len);
    return true;
}

size_t protocols_size(const struct group_protocol *protocols, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        if (!checked_add(total, sizeof(*protocols), &total) ||
            !checked_add(total, protocols[i].name.len, &total) ||
            !checked_add(total, protocols[i].metadata.len, &total))
            return SIZE_MAX;
    return total;
}

/* One block: the array, then the bytes it points to. */
static struct group_protocol *protocols_own(const struct group_protocol *protocols, size_t count)
{
    struct group_protocol *copy = malloc(protocols_size(protocols, count) + 1);
    uint8_t *at = (uint8_t *)(copy + count);

    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct slice *from[2] = {&protocols[i].name, &protocols[i].metadata};
        struct slice *to[2] = {&copy[i].name, &copy[i].metadata};

        for (int k = 0; k < 2; k++) {
            if (from[k]->len > 0)
                memcpy(at, from[k]->data, from[k]->len);
            *to[k] = slice_of(at, from[k]->len);
            at += from[k]->len;
        }
    }
    return copy;
}

static void count_bytes(struct group_member *member, size_t bytes)
{
    struct group_shard_counts *counts = &member->group->shard->counts;

    counts->membership_bytes += (int64_t)bytes - (int64_t)member->counted_bytes;
    member->counted_bytes = bytes;
}

static void recount(struct group_member *member)
{
    count_bytes(member, sizeof(*member) + member->member_id.len + member->instance_id.len +
                            member->client_id.len + member->client_host.len +
                            member->assignment.len +
                            protocols_size(member->protocols, member->protocol_count));
}

static void set_timeouts(struct group_member *member, const struct group_join_request *request)
{
    member->session_timeout_ms = request->session_timeout_ms;
    member->rebalance_timeout_ms = request->rebalance_timeout_ms < 0
                                       ? request->session_timeout_ms
                                       : request->rebalance_timeout_ms;
}

struct group_member *member_new(struct group *group, struct slice member_id,
                                const struct group_join_request *request)
{
    struct group_member *member = calloc(1, sizeof(*member));
    struct slice empty = SLICE_LITERAL("");
    struct slice client_id = slice_is_null(request->client_id) ? empty : request->client_id;

    if (member == NULL)
        return NULL;
    member->group = group;
    member->session.fire = rebalance_on_session_timer;
    list_init(&member->link);
    set_timeouts(member, request);
    member->protocols = protocols_own(request->protocols, request->protocol_count);
    member->protocol_count = request->protocol_count;
    if (member->protocols == NULL || !slice_own(member_id, &member->member_id) ||
        !slice_own(request->instance_id, &member->instance_id) ||
        !slice_own(client_id, &member->client_id) ||
        !slice_own(request->client_host, &member->client_host) ||
        !slice_own(empty, &member->assignment)) {
        member->protocol_count = 0;
        member_free(member);
        return NULL;
    }
    recount(member);
    return member;
}

void member_free(struct group_member *member)
{
    if (member == NULL)
        return;
    count_bytes(member, 0);
    free(member->protocols);
    slice_free(&member->member_id);
    slice_free(&member->instance_id);
    slice_free(&member->client_id);
    slice_free(&member->client_host);
    slice_free(&member->assignment);
    free(member);
}

/* --- in and out of the group --- */

static bool insert_by_id(struct group_member *member)
{
    struct group *group = member->group;
    struct slice id = member->member_id;

    return hash_table_insert(&group->by_id, hash_bytes(group->shard->seed, id.data, id.len),
                             &member->by_id) == ERR_OK;
}

static bool insert_by_instance(struct group_member *member)
{
    struct group *group = member->group;
    struct slice id = member->instance_id;

    return slice_is_null(id) ||
           hash_table_insert(&group->by_instance, hash_bytes(group->shard->seed, id.data, id.len),
                             &member->by_instance) == ERR_OK;
}

bool member_add(struct group_member *member)
{
    struct group *group = member->group;

    if (!insert_by_id(member))
        return false;
    if (!insert_by_instance(member)) {
        hash_table_remove(&group->by_id, &member->by_id);
        return false;
    }
    list_push_back(&group->members, &member->link);
    group->member_count++;
    group->shard->counts.members++;
    if (group->leader == NULL)
        group->leader = member;
    return true;
}

bool member_add_pending(struct group_member *member)
{
    if (!insert_by_id(member))
        return false;
    member->is_pending = true;
    list_push_back(&member->group->pending, &member->link);
    member->group->pending_count++;
    return true;
}

static void fail_parked(struct group_member *member, enum kafka_error error)
{
    struct group_shard *shard = member->group->shard;

    if (member->join_call != NULL)
        call_fail(shard, member->join_call, error);
    if (member->sync_call != NULL)
        call_fail(shard, member->sync_call, error);
}

static void unlink_member(struct group_member *member)
{
    struct group *group = member->group;

    timer_queue_stop(&group->shard->timers, &member->session);
    hash_table_remove(&group->by_id, &member->by_id);
    list_remove(&member->link);
    if (member->is_pending) {
        group->pending_count--;
        return;
    }
    if (!slice_is_null(member->instance_id))
        hash_table_remove(&group->by_instance, &member->by_instance);
    group->member_count--;
    group->shard->counts.members--;
}

void member_remove(struct group_member *member)
{
    struct group *group = member->group;

    fail_parked(member, KAFKA_UNKNOWN_MEMBER_ID);
    unlink_member(member);
    if (group->leader == member)
        group->leader = list_is_empty(&group->members)
                            ? NULL
                            : container_of(group->members.next, struct group_member, link);
    member_free(member);
}

bool member_replace(struct group_member *old, struct group_member *newcomer)
{
    struct group *group = old->group;
    struct list *after = old->link.prev;
    bool was_leader = group->leader == old;

    if (!insert_by_id(newcomer))
        return false;
    fail_parked(old, KAFKA_FENCED_INSTANCE_ID);
    unlink_member(old);
    /* The table has its buckets since the old one was in it: this cannot fail. */
    invariant(insert_by_instance(newcomer));
    list_push_front(after, &newcomer->link);
    group->member_count++;
    group->shard->counts.members++;
    if (was_leader)
        group->leader = newcomer;
    slice_free(&newcomer->assignment);
    newcomer->assignment = old->assignment;
    old->assignment = SLICE_NULL;
    recount(newcomer);
    member_free(old);
    return true;
}

bool member_update(struct group_member *member, const struct group_join_request *request)
{
    struct group_protocol *protocols = protocols_own(request->protocols, request->protocol_count);

    if (protocols == NULL)
        return false;
    free(member->protocols);
    member->protocols = protocols;
    member->protocol_count = request->protocol_count;
    set_timeouts(member, request);
    recount(member);
    return true;
}

bool member_set_assignment(struct group_member *member, struct slice assignment)
{
    struct slice copy = SLICE_NULL;

    if (slice_equal(member->assignment, assignment))
        return true;
    if (!slice_own(assignment, &copy))
        return false;
    slice_free(&member->assignment);
    member->assignment = copy;
    recount(member);
    return true;
}

void member_touch(struct group_member *member)
{
    struct group_shard *shard = member->group->shard;

    if (member->join_call != NULL || member->sync_call != NULL)
        return;
    shard_timer_start(shard, &member->session, member->session_timeout_ms);
}

void member_unpark(struct group_member *member, struct group_call *call)
{
    if (member->join_call == call) {
        member->join_call = NULL;
        member->group->joining_count--;
    }
    if (member->sync_call == call)
        member->sync_call = NULL;
    call->member = NULL;
    member_touch(member);
}
