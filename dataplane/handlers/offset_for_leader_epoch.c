/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetForLeaderEpoch: where an epoch ends, from the epoch history. kafka-protocol.md 4.5.5. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/offset_for_leader_epoch_request.h"
#include "common/kafka/offset_for_leader_epoch_response.h"
#include "dataplane/handlers/hosted_partition.h"

static void answer_partition(const struct request *request, struct slice topic,
                             const struct kafka_offset_for_leader_epoch_request_partition *in,
                             struct kafka_offset_for_leader_epoch_response_partition *out)
{
    struct topic_reference reference = {false, topic, {{0}}};
    struct hosted_partition hosted;
    enum kafka_error error = hosted_partition_find(request, &reference, in->partition,
                                                   in->current_leader_epoch, &hosted);

    out->partition = in->partition;
    out->error_code = (int16_t)error;
    if (error == KAFKA_NONE)
        replica_epoch_end(hosted.replica, in->leader_epoch, &out->leader_epoch, &out->end_offset);
}

void handle_offset_for_leader_epoch(struct request *request)
{
    struct kafka_offset_for_leader_epoch_request body;
    struct kafka_offset_for_leader_epoch_response response;
    enum err rc = ERR_OK;

    if (!request_read(request, kafka_offset_for_leader_epoch_request, &body))
        return;
    kafka_offset_for_leader_epoch_response_init_defaults(&response);
    rc = kafka_offset_for_leader_epoch_response_topic_array_init(&response.topics, &request->arena,
                                                                 body.topics.count);
    for (int32_t t = 0; rc == ERR_OK && t < body.topics.count; t++) {
        const struct kafka_offset_for_leader_epoch_request_topic *topic = &body.topics.items[t];
        struct kafka_offset_for_leader_epoch_response_topic *out = &response.topics.items[t];

        out->topic = topic->topic;
        rc = kafka_offset_for_leader_epoch_response_partition_array_init(
            &out->partitions, &request->arena, topic->partitions.count);
        for (int32_t p = 0; rc == ERR_OK && p < topic->partitions.count; p++)
            answer_partition(request, topic->topic, &topic->partitions.items[p],
                             &out->partitions.items[p]);
    }
    if (rc != ERR_OK)
        request_fail(request, err_text(rc));
    else
        request_reply(request, kafka_offset_for_leader_epoch_response, &response);
}
