/* SPDX-License-Identifier: Apache-2.0 */
/* Which brokers get the replicas of a partition. Pure and the same everywhere: leaders go round the
 * brokers from a start that the topic's id gives; followers follow in the ring, and each turn of
 * the ring begins them one further, so that they spread as well. */
#ifndef DATAPLANE_CLUSTER_PARTITION_PLACEMENT_H
#define DATAPLANE_CLUSTER_PARTITION_PLACEMENT_H

#include "common/base/uuid.h"
#include "dataplane/cluster/cluster.h"

/* brokers: ids of the cell, ascending, at least one. replication_factor -1 = up to 3. Never more
 * replicas than brokers. */
void partition_placement(struct uuid topic_id, int32_t partition, const int32_t *brokers,
                         int32_t broker_count, int32_t replication_factor,
                         struct partition_assignment *ret_assignment);

#endif
