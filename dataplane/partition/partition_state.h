/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads a partition, and how far it is committed. Pure: events in, numbers out.
 *
 * The high watermark is the smallest flushed offset among the in-sync replicas; it never goes back, not
 * even when a replica that is behind joins. Leader epochs that go backwards are ignored; so are partition
 * epochs within a leader epoch. In a cell of one the only replica is ourselves, with real epochs. */
#ifndef DATAPLANE_PARTITION_PARTITION_STATE_H
#define DATAPLANE_PARTITION_PARTITION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define PARTITION_REPLICAS_MAX 7

struct partition_replica {
    int32_t broker_id;
    int64_t flushed_offset; /* everything below is on its disk; -1 = not heard of in this epoch */
    bool is_in_sync;
};

struct partition_state {
    int32_t self;         /* broker id */
    int32_t leader_epoch; /* highest seen; -1 = none */
    int32_t partition_epoch;
    bool is_leader;
    int64_t high_watermark;
    int replica_count;
    struct partition_replica replicas[PARTITION_REPLICAS_MAX];
};

/* Alone, leading nothing; everything that is on the disk was committed. */
void partition_state_init(struct partition_state *state, int32_t self, int64_t flushed_offset);

/* A leader of this epoch, with these in-sync replicas (ids; ourselves among them). False = old news. */
bool partition_state_lead(struct partition_state *state, int32_t leader_epoch,
                          int32_t partition_epoch, const int32_t *in_sync, int in_sync_count);
/* Another broker leads from this epoch on. False = old news. */
bool partition_state_follow(struct partition_state *state, int32_t leader_epoch);

/* A replica has flushed everything below `offset`. True = the high watermark moved. */
bool partition_state_flushed(struct partition_state *state, int32_t broker_id, int64_t offset);

#endif
