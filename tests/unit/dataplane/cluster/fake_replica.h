/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas that only remember what the cluster told them, so that tests of the metadata need no
 * log. They take the place of dataplane/storage at link time. */
#ifndef TESTS_UNIT_DATAPLANE_CLUSTER_FAKE_REPLICA_H
#define TESTS_UNIT_DATAPLANE_CLUSTER_FAKE_REPLICA_H

#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/replica.h"

#define FAKE_MAX_REPLICAS 256

struct replica {
    struct uuid topic_id;
    int32_t partition;
    struct log_config config;
    leader_epoch epoch; /* -1 = does not lead */
    int references;
    int configs_set;
    bool is_removed;
};

/* All that were ever opened since the reset, removed ones too. */
extern struct replica fake_replicas[FAKE_MAX_REPLICAS];
extern int fake_replica_count;
extern int64_t fake_producer_registration;
extern int fake_remove_unknown_calls;
extern bool fake_open_fails;

void fake_replicas_reset(void);
/* NULL = none, or removed. */
struct replica *fake_replica_find(struct uuid topic_id, int32_t partition);
int fake_replicas_referenced(void);

#endif
