/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/partition_placement.h"

#define DEFAULT_REPLICATION_FACTOR 3

void partition_placement(struct uuid topic_id, int32_t partition, const int32_t *brokers,
                         int32_t broker_count, int32_t replication_factor,
                         struct partition_assignment *ret_assignment)
{
    int32_t count = replication_factor == -1 ? DEFAULT_REPLICATION_FACTOR : replication_factor;
    int32_t start = (topic_id.bytes[14] << 8 | topic_id.bytes[15]) % broker_count;
    int32_t leader = (int32_t)(((int64_t)start + partition) % broker_count);
    int32_t turn = partition / broker_count;

    if (count > broker_count)
        count = broker_count;
    if (count > IMAGE_MAX_REPLICAS)
        count = IMAGE_MAX_REPLICAS;
    ret_assignment->replica_count = count;
    ret_assignment->replicas[0] = brokers[leader];
    for (int32_t i = 1; i < count; i++) {
        int32_t step = 1 + (turn + i - 1) % (broker_count - 1);

        ret_assignment->replicas[i] = brokers[(leader + step) % broker_count];
    }
}
