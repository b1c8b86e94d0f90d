/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/hosted_partition.h"

#include "dataplane/handlers/topic_lookup.h"

enum kafka_error hosted_partition_find(const struct request *request,
                                       const struct topic_reference *reference, int32_t index,
                                       int32_t client_epoch, struct hosted_partition *ret_hosted)
{
    const struct image_topic *topic = reference->by_id
                                          ? topic_lookup_by_id(request, reference->topic_id)
                                          : topic_lookup_by_name(request, reference->name);
    const struct image_partition *partition = NULL;

    *ret_hosted = (struct hosted_partition){.topic = topic};
    if (topic == NULL)
        return reference->by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (!topic_has_partition(topic, index))
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    partition = &topic->partitions[index];
    ret_hosted->partition = partition;
    if (client_epoch >= 0 && client_epoch < partition->leader_epoch)
        return KAFKA_FENCED_LEADER_EPOCH;
    if (client_epoch > partition->leader_epoch)
        return KAFKA_UNKNOWN_LEADER_EPOCH;
    if (partition->leader != request->broker->broker_id)
        return KAFKA_NOT_LEADER_OR_FOLLOWER;
    if (topic->replicas[index] == NULL)
        return KAFKA_KAFKA_STORAGE_ERROR;
    ret_hosted->replica = topic->replicas[index];
    return KAFKA_NONE;
}
