/* SPDX-License-Identifier: Apache-2.0 */
/* From what a request names to the partition that this broker leads, for data requests. */
#ifndef DATAPLANE_HANDLERS_HOSTED_PARTITION_H
#define DATAPLANE_HANDLERS_HOSTED_PARTITION_H

#include "dataplane/dispatch/request.h"

/* How a request names a topic: by name, or (newer versions) by id only. */
struct topic_reference {
    bool by_id;
    struct slice name;
    struct uuid topic_id;
};

struct hosted_partition {
    const struct image_topic *topic; /* valid for the turn */
    const struct image_partition *partition;
    struct replica *replica; /* valid for the turn; replica_ref to keep it */
};

/* NONE; UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID (foreign and hidden internal topics look the
 * same); FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH (client_epoch -1 = not checked);
 * NOT_LEADER_OR_FOLLOWER; KAFKA_STORAGE_ERROR (our copy is broken). topic and partition are set when
 * they are known, on errors too. */
enum kafka_error hosted_partition_find(const struct request *request,
                                       const struct topic_reference *reference, int32_t index,
                                       int32_t client_epoch, struct hosted_partition *ret_hosted);

#endif
