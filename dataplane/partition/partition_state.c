/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/partition/partition_state.h"

#include <stddef.h>

static struct partition_replica *find_replica(struct partition_state *state, int32_t broker_id)
{
    for (int i = 0; i < state->replica_count; i++) {
        if (state->replicas[i].broker_id == broker_id)
            return &state->replicas[i];
    }
    return NULL;
}

void partition_state_init(struct partition_state *state, int32_t self, int64_t flushed_offset)
{
    *state = (struct partition_state){
        .self = self,
        .leader_epoch = -1,
        .partition_epoch = -1,
        .high_watermark = flushed_offset,
        .replica_count = 1,
    };
    state->replicas[0] = (struct partition_replica){self, flushed_offset, true};
}

/* The minimum over the in-sync replicas, if that is further than now. */
static bool advance(struct partition_state *state)
{
    int64_t lowest = INT64_MAX;

    for (int i = 0; i < state->replica_count; i++) {
        const struct partition_replica *replica = &state->replicas[i];

        if (replica->is_in_sync && replica->flushed_offset < lowest)
            lowest = replica->flushed_offset;
    }
    if (!state->is_leader || lowest == INT64_MAX || lowest <= state->high_watermark)
        return false;
    state->high_watermark = lowest;
    return true;
}

static bool is_listed(const int32_t *ids, int count, int32_t id)
{
    for (int i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

bool partition_state_lead(struct partition_state *state, int32_t leader_epoch,
                          int32_t partition_epoch, const int32_t *in_sync, int in_sync_count)
{
    bool is_new_epoch = leader_epoch > state->leader_epoch;

    if (leader_epoch < state->leader_epoch)
        return false;
    if (!is_new_epoch && (!state->is_leader || partition_epoch < state->partition_epoch))
        return false;
    state->leader_epoch = leader_epoch;
    state->partition_epoch = partition_epoch;
    state->is_leader = true;
    for (int i = 0; i < state->replica_count; i++) {
        struct partition_replica *replica = &state->replicas[i];

        replica->is_in_sync = is_listed(in_sync, in_sync_count, replica->broker_id);
        /* What a follower said to an earlier leader may have been cut since. */
        if (is_new_epoch && replica->broker_id != state->self)
            replica->flushed_offset = -1;
    }
    for (int i = 0; i < in_sync_count; i++) {
        if (find_replica(state, in_sync[i]) != NULL ||
            state->replica_count == PARTITION_REPLICAS_MAX)
            continue;
        state->replicas[state->replica_count++] = (struct partition_replica){in_sync[i], -1, true};
    }
    (void)advance(state);
    return true;
}

bool partition_state_follow(struct partition_state *state, int32_t leader_epoch)
{
    if (leader_epoch <= state->leader_epoch)
        return false;
    state->leader_epoch = leader_epoch;
    state->partition_epoch = -1;
    state->is_leader = false;
    return true;
}

bool partition_state_flushed(struct partition_state *state, int32_t broker_id, int64_t offset)
{
    struct partition_replica *replica = find_replica(state, broker_id);

    if (replica == NULL || offset <= replica->flushed_offset)
        return false;
    replica->flushed_offset = offset;
    return advance(state);
}
