/* SPDX-License-Identifier: Apache-2.0 */
/* Records become state: while a log is loaded, and when an append of ours is committed. It is the only
 * place where durable state changes.
 *
 * The metadata record of a group is replayed in two ways. Loading makes the group what the record says.
 * Live, the group may have moved on in what is not durable (who is waiting, the next generation): then
 * only the assignments are taken, and only of the generation they are for. */
#include "dataplane/group/group_internal.h"

#include "dataplane/group/group_records.h"

/* --- writing the metadata record --- */

static struct slice or_empty(struct slice slice)
{
    return slice_is_null(slice) ? SLICE_LITERAL("") : slice;
}

static void describe_member(const struct group *group, const struct group_member *member,
                            struct slice assignment, struct kafka_group_metadata_value_member *ret)
{
    *ret = (struct kafka_group_metadata_value_member){
        .member_id = member->member_id,
        .group_instance_id = member->instance_id,
        .client_id = member->client_id,
        .client_host = or_empty(member->client_host),
        .rebalance_timeout = member->rebalance_timeout_ms,
        .session_timeout = member->session_timeout_ms,
        .subscription = member_metadata(member, group->protocol_name),
        .assignment = assignment,
    };
}

/* Borrows everything but the array, which is in the shard's scratch arena. */
static enum err describe_group(const struct group_append *append, bool is_proposal,
                               struct kafka_group_metadata_value *ret)
{
    const struct group *group = append->group;
    const struct group_member *leader = group->leader;
    struct kafka_group_metadata_value_member *at = NULL;
    enum err rc = ERR_OK;

    if (leader != NULL && leader == append->replaced)
        leader = append->replacement;
    *ret = (struct kafka_group_metadata_value){
        .protocol_type = or_empty(group->protocol_type),
        .generation = group->generation,
        .protocol = group->protocol_name,
        .leader = leader == NULL ? SLICE_NULL : leader->member_id,
        .current_state_timestamp = group->state_timestamp_ms,
    };
    rc = kafka_group_metadata_value_member_array_init(&ret->members, &group->shard->scratch,
                                                      (int32_t)group->member_count);
    if (rc != ERR_OK)
        return rc;
    at = ret->members.items;
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);
        struct slice assignment = is_proposal ? member->proposed : member->assignment;

        describe_member(group, member == append->replaced ? append->replacement : member,
                        assignment, at++);
    }
    return ERR_OK;
}

enum err metadata_record_write(struct group_append *append, bool is_proposal)
{
    struct arena *scratch = &append->group->shard->scratch;
    struct kafka_group_metadata_value value;
    struct append_writer out;
    enum err rc = describe_group(append, is_proposal, &value);

    if (rc == ERR_OK) {
        append_begin_key(&out, append);
        group_record_write_metadata_key(&out.writer, append->group->id);
        append_begin_value(&out);
        group_record_write_metadata(&out.writer, &value);
        rc = append_end_record(&out);
    }
    arena_reset(scratch);
    return rc;
}

/* --- replay --- */

static enum err load_member(struct group *group,
                            const struct kafka_group_metadata_value_member *stored,
                            struct slice protocol_name)
{
    struct group_protocol protocol = {or_empty(protocol_name), stored->subscription};
    struct group_join_request request = {
        .instance_id = stored->group_instance_id,
        .client_id = stored->client_id,
        .client_host = stored->client_host,
        .protocols = &protocol,
        .protocol_count = 1,
        .session_timeout_ms = stored->session_timeout,
        .rebalance_timeout_ms = stored->rebalance_timeout,
    };
    struct group_member *member = NULL;

    /* A record that names a member twice would corrupt our tables: the first one counts. */
    if (member_find(group, stored->member_id) != NULL ||
        member_find_static(group, stored->group_instance_id) != NULL)
        return ERR_OK;
    member = member_new(group, stored->member_id, &request);
    if (member == NULL || !member_set_assignment(member, stored->assignment) ||
        !member_add(member)) {
        member_free(member);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static enum err load_metadata(struct group *group, const struct kafka_group_metadata_value *stored)
{
    struct slice type = stored->protocol_type.len == 0 ? SLICE_NULL : stored->protocol_type;
    struct group_member *leader = NULL;

    group_drop_members(group);
    slice_free(&group->protocol_type);
    slice_free(&group->protocol_name);
    if (!slice_own(type, &group->protocol_type) ||
        !slice_own(stored->protocol, &group->protocol_name))
        return ERR_NO_MEMORY;
    group->is_stored = true;
    group->generation = stored->generation;
    group->state = stored->members.count > 0 ? GROUP_STABLE : GROUP_EMPTY;
    group->state_timestamp_ms = stored->current_state_timestamp;
    for (int32_t i = 0; i < stored->members.count; i++)
        if (load_member(group, &stored->members.items[i], stored->protocol) != ERR_OK)
            return ERR_NO_MEMORY;
    leader = slice_is_null(stored->leader) ? NULL : member_find(group, stored->leader);
    if (leader != NULL)
        group->leader = leader;
    return ERR_OK;
}

static enum err adopt_assignments(struct group *group,
                                  const struct kafka_group_metadata_value *stored)
{
    group->is_stored = true;
    if (stored->generation != group->generation)
        return ERR_OK;
    for (int32_t i = 0; i < stored->members.count; i++) {
        const struct kafka_group_metadata_value_member *entry = &stored->members.items[i];
        struct group_member *member = member_find(group, entry->member_id);

        if (member != NULL && !member_set_assignment(member, entry->assignment))
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* The group's tombstone: what is left of it are offsets, if there are any. */
static void forget_metadata(struct group *group)
{
    group_drop_members(group);
    timer_queue_stop(&group->shard->timers, &group->phase);
    slice_free(&group->protocol_type);
    slice_free(&group->protocol_name);
    group->is_stored = false;
    group->generation = 0;
    group->state = GROUP_EMPTY;
    group->state_timestamp_ms = -1;
}

static enum err replay_metadata_value(struct group_shard *shard, struct slice group_id,
                                      struct slice value)
{
    struct kafka_group_metadata_value stored;
    struct group *group = NULL;
    enum err rc = group_record_read_metadata(value, &shard->scratch, &stored);

    if (rc == ERR_NO_MEMORY)
        return rc;
    if (rc != ERR_OK) {
        shard->counts.skipped_records++;
        return ERR_OK;
    }
    if (group_obtain(shard, group_id, true, &group) != KAFKA_NONE)
        return ERR_NO_MEMORY;
    return shard->phase == SHARD_LOADING ? load_metadata(group, &stored)
                                         : adopt_assignments(group, &stored);
}

static enum err replay_metadata(struct group_shard *shard, struct slice group_id,
                                struct slice value)
{
    enum err rc = ERR_OK;

    if (slice_is_null(value)) {
        struct group *group = group_find(shard, group_id);

        if (group != NULL)
            forget_metadata(group);
        return ERR_OK;
    }
    rc = replay_metadata_value(shard, group_id, value);
    arena_reset(&shard->scratch);
    return rc;
}

static enum err replay_offset(struct group_shard *shard, const struct group_record_key *key,
                              struct slice value, uint64_t sequence)
{
    struct kafka_offset_commit_value stored;
    struct committed_offset offset;
    struct group *group = NULL;

    if (slice_is_null(value)) {
        group = group_find(shard, key->group_id);
        if (group != NULL)
            offset_remove(group, key->topic, key->partition);
        return ERR_OK;
    }
    if (group_record_read_offset(value, &stored) != ERR_OK) {
        shard->counts.skipped_records++;
        return ERR_OK;
    }
    if (group_obtain(shard, key->group_id, true, &group) != KAFKA_NONE)
        return ERR_NO_MEMORY;
    offset = (struct committed_offset){
        .partition = key->partition,
        .leader_epoch = stored.leader_epoch,
        .offset = stored.offset,
        .metadata = stored.metadata,
        .commit_timestamp_ms = stored.commit_timestamp,
        .expire_timestamp_ms = stored.expire_timestamp,
        .sequence = sequence,
    };
    return offset_put(group, key->topic, &offset) ? ERR_OK : ERR_NO_MEMORY;
}

enum err replay_record(struct group_shard *shard, struct group_record record, uint64_t sequence)
{
    struct group_record_key key;

    if (group_record_read_key(record.key, &key) != ERR_OK) {
        shard->counts.skipped_records++;
        return ERR_OK;
    }
    if (key.kind == GROUP_RECORD_METADATA)
        return replay_metadata(shard, key.group_id, record.value);
    return replay_offset(shard, &key, record.value, sequence);
}

/* --- errors --- */

static enum kafka_error translate(enum kafka_error error, enum kafka_error too_large)
{
    if (error == KAFKA_NONE)
        return KAFKA_NONE;
    if (error == KAFKA_NOT_LEADER_OR_FOLLOWER || error == KAFKA_KAFKA_STORAGE_ERROR)
        return KAFKA_NOT_COORDINATOR;
    if (error == KAFKA_MESSAGE_TOO_LARGE || error == KAFKA_RECORD_LIST_TOO_LARGE ||
        error == KAFKA_INVALID_FETCH_SIZE)
        return too_large;
    /* UNKNOWN_TOPIC_OR_PARTITION, NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT, and whatever else a log may
     * say: the client looks for the coordinator again and retries. */
    return KAFKA_COORDINATOR_NOT_AVAILABLE;
}

enum kafka_error append_error_for_group(enum kafka_error error)
{
    return translate(error, KAFKA_MESSAGE_TOO_LARGE);
}

enum kafka_error append_error_for_offsets(enum kafka_error error)
{
    return translate(error, KAFKA_INVALID_COMMIT_OFFSET_SIZE);
}
