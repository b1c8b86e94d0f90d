/* SPDX-License-Identifier: Apache-2.0 */
/* Which partition of __consumer_offsets (or __transaction_state) an id belongs to, as every Kafka broker
 * and tool computes it: abs(String.hashCode) modulo the partition count, over UTF-16. */
#ifndef DATAPLANE_GROUP_GROUP_PARTITION_H
#define DATAPLANE_GROUP_GROUP_PARTITION_H

#include "common/base/slice.h"

/* partition_count > 0. */
int32_t group_partition_for(struct slice id, int32_t partition_count);

#endif
