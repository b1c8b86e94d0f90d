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

static void write_member(struct writer *writer, const struct group *group,
                         const struct group_member *member, struct slice assignment)
{
    struct stored_member stored = {
        .member_id = member->member_id,
        .instance_id = member->instance_id,
        .client_id = member->client_id,
        .client_host = or_empty(member->client_host),
        .rebalance_timeout_ms = member->rebalance_timeout_ms,
        .session_timeout_ms = member->session_timeout_ms,
        .subscription = member_metadata(member, group->protocol_name),
        .assignment = assignment,
    };

    group_record_write_member(writer, &stored);
}

enum err metadata_record_write(struct group_append *append, bool is_proposal)
{
    const struct group *group = append->group;
    const struct group_member *leader = group->leader;
    struct stored_group stored = {
        .protocol_type = or_empty(group->protocol_type),
        .generation = group->generation,
        .protocol_name = group->protocol_name,
        .state_timestamp_ms = group->state_timestamp_ms,
        .member_count = (int32_t)group->member_count,
    };
    struct append_writer out;

    if (leader != NULL && leader == append->replaced)
        leader = append->replacement;
    if (leader != NULL)
        stored.leader = leader->member_id;
    append_begin_key(&out, append);
    group_record_write_metadata_key(&out.writer, group->id);
    append_begin_value(&out);
    group_record_write_metadata(&out.writer, &stored);
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);
        struct slice assignment = is_proposal ? member->proposed : member->assignment;

        if (member == append->replaced)
            member = append->replacement;
        write_member(&out.writer, group, member, assignment);
    }
    return append_end_record(&out);
}

/* --- replay --- */

static enum err load_member(struct group *group, const struct stored_member *stored,
                            struct slice protocol_name)
{
    struct group_protocol protocol = {or_empty(protocol_name), stored->subscription};
    struct group_join_request request = {
        .instance_id = stored->instance_id,
        .client_id = stored->client_id,
        .client_host = stored->client_host,
        .protocols = &protocol,
        .protocol_count = 1,
        .session_timeout_ms = stored->session_timeout_ms,
        .rebalance_timeout_ms = stored->rebalance_timeout_ms,
    };
    struct group_member *member = NULL;

    /* A record that names a member twice would corrupt our tables: the first one counts. */
    if (member_find(group, stored->member_id) != NULL ||
        member_find_static(group, stored->instance_id) != NULL)
        return ERR_OK;
    member = member_new(group, stored->member_id, &request);
    if (member == NULL || !member_set_assignment(member, stored->assignment) ||
        !member_add(member)) {
        member_free(member);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static enum err load_metadata(struct group *group, struct stored_group stored)
{
    struct slice type = stored.protocol_type.len == 0 ? SLICE_NULL : stored.protocol_type;
    struct group_member *leader = NULL;

    group_drop_members(group);
    slice_free(&group->protocol_type);
    slice_free(&group->protocol_name);
    if (!slice_own(type, &group->protocol_type) ||
        !slice_own(stored.protocol_name, &group->protocol_name))
        return ERR_NO_MEMORY;
    group->is_stored = true;
    group->generation = stored.generation;
    group->state = stored.member_count > 0 ? GROUP_STABLE : GROUP_EMPTY;
    group->state_timestamp_ms = stored.state_timestamp_ms;
    for (int32_t i = 0; i < stored.member_count; i++) {
        struct stored_member member;

        stored_group_next_member(&stored, &member);
        if (load_member(group, &member, stored.protocol_name) != ERR_OK)
            return ERR_NO_MEMORY;
    }
    leader = slice_is_null(stored.leader) ? NULL : member_find(group, stored.leader);
    if (leader != NULL)
        group->leader = leader;
    return ERR_OK;
}

static enum err adopt_assignments(struct group *group, struct stored_group stored)
{
    group->is_stored = true;
    if (stored.generation != group->generation)
        return ERR_OK;
    for (int32_t i = 0; i < stored.member_count; i++) {
        struct stored_member entry;
        struct group_member *member = NULL;

        stored_group_next_member(&stored, &entry);
        member = member_find(group, entry.member_id);
        if (member != NULL && !member_set_assignment(member, entry.assignment))
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* The group's tombstone: what is left of it are offsets, if there are any. */
static void forget_metadata(struct group *group)
{
    group_drop_members(group);
    slice_free(&group->protocol_type);
    slice_free(&group->protocol_name);
    group->is_stored = false;
    group->generation = 0;
    group->state = GROUP_EMPTY;
    group->state_timestamp_ms = -1;
}

static enum err replay_metadata(struct group_shard *shard, struct slice group_id, struct slice value)
{
    struct stored_group stored;
    struct group *group = NULL;

    if (slice_is_null(value)) {
        group = group_find(shard, group_id);
        if (group != NULL)
            forget_metadata(group);
        return ERR_OK;
    }
    if (group_record_read_metadata(value, &stored) != ERR_OK) {
        shard->counts.skipped_records++;
        return ERR_OK;
    }
    if (group_obtain(shard, group_id, true, &group) != KAFKA_NONE)
        return ERR_NO_MEMORY;
    return shard->phase == SHARD_LOADING ? load_metadata(group, stored)
                                         : adopt_assignments(group, stored);
}

static enum err replay_offset(struct group_shard *shard, const struct group_record_key *key,
                              struct slice value, uint64_t sequence)
{
    struct stored_offset stored;
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
        .commit_timestamp_ms = stored.commit_timestamp_ms,
        .expire_timestamp_ms = stored.expire_timestamp_ms,
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
