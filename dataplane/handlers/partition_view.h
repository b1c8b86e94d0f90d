/* SPDX-License-Identifier: Apache-2.0 */
/* One partition as Metadata and DescribeTopicPartitions show it: never a leader that the client could
 * not reach. */
#ifndef DATAPLANE_HANDLERS_PARTITION_VIEW_H
#define DATAPLANE_HANDLERS_PARTITION_VIEW_H

#include "dataplane/handlers/broker_list.h"

struct partition_view {
    enum kafka_error error;
    int32_t leader_id; /* -1 with an error */
    int32_t leader_epoch;
    struct kafka_i32_array
        replicas; /* these two are the image's own: for this turn, not to be changed */
    struct kafka_i32_array isr;
    struct kafka_i32_array offline; /* in the arena */
};

/* no_listener: what to call a leader that has no such listener (LISTENER_NOT_FOUND, or
 * LEADER_NOT_AVAILABLE for clients too old to know it). False = no memory. */
bool partition_view_make(const struct image_partition *partition, const struct broker_list *brokers,
                         enum kafka_error no_listener, struct arena *arena,
                         struct partition_view *ret_view) WARN_UNUSED;

#endif
