/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetDelete: forgets what a group committed for partitions that it no longer reads. Partitions that
 * are not there are refused one by one; an error of the group as a whole comes alone. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/offset_delete_request.h"
#include "common/kafka/offset_delete_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"
#include "dataplane/handlers/topic_lookup.h"

static bool fill_topic(struct request *request, const struct group_offset_topic *topic,
                       struct kafka_offset_delete_response_topic *entry)
{
    entry->name = topic->name;
    if (kafka_offset_delete_response_partition_array_init(
            &entry->partitions, &request->arena, (int32_t)topic->partition_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < topic->partition_count; i++) {
        entry->partitions.items[i].partition_index = topic->partitions[i].partition;
        entry->partitions.items[i].error_code = (int16_t)topic->partitions[i].error;
    }
    return true;
}

static bool fill(struct request *request, const struct group_call *call,
                 struct kafka_offset_delete_response *response)
{
    const struct group_offset_delete_request *asked = &call->offset_delete.request;

    response->throttle_time_ms = request->throttle_time_ms;
    response->error_code = (int16_t)call->error;
    if (call->error != KAFKA_NONE)
        return true;
    if (kafka_offset_delete_response_topic_array_init(&response->topics, &request->arena,
                                                      (int32_t)asked->topic_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < asked->topic_count; i++) {
        if (!fill_topic(request, &asked->topics[i], &response->topics.items[i]))
            return false;
    }
    return true;
}

static void reply(struct group_calls *calls)
{
    struct kafka_offset_delete_response response;

    kafka_offset_delete_response_init_defaults(&response);
    if (fill(calls->request, group_calls_only(calls), &response))
        request_reply(calls->request, kafka_offset_delete_response, &response);
    else
        request_fail_no_room(calls->request);
}

static bool take_topic(struct request *request,
                       const struct kafka_offset_delete_request_topic *asked,
                       struct group_offset_topic *topic)
{
    const struct image_topic *known = topic_lookup_by_name(request, asked->name);

    topic->name = asked->name;
    topic->partition_count = (size_t)asked->partitions.count;
    topic->partitions =
        arena_new_array(&request->arena, topic->partition_count, struct group_offset);
    if (topic->partitions == NULL)
        return false;
    for (int32_t i = 0; i < asked->partitions.count; i++) {
        int32_t partition = asked->partitions.items[i].partition_index;

        topic->partitions[i].partition = partition;
        if (known == NULL || !topic_has_partition(known, partition))
            topic->partitions[i].error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    return true;
}

static bool take_topics(struct request *request, const struct kafka_offset_delete_request *body,
                        struct group_offset_delete_request *asked)
{
    asked->topic_count = (size_t)body->topics.count;
    asked->topics = arena_new_array(&request->arena, asked->topic_count, struct group_offset_topic);
    if (asked->topics == NULL)
        return false;
    for (int32_t i = 0; i < body->topics.count; i++) {
        if (!take_topic(request, &body->topics.items[i], &asked->topics[i]))
            return false;
    }
    return true;
}

void handle_offset_delete(struct request *request)
{
    struct kafka_offset_delete_request body;
    struct group_calls *calls = NULL;

    if (!request_read(request, kafka_offset_delete_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_new(request, GROUP_OFFSET_DELETE, 1);
    if (calls == NULL ||
        !take_topics(request, &body, &group_calls_only(calls)->offset_delete.request)) {
        request_fail_no_room(request);
        return;
    }
    group_calls_only(calls)->group_id = body.group_id;
    if (request_may(request, ACCESS_MANAGE_GROUPS))
        group_calls_start(calls, reply);
    else
        group_calls_refuse(calls, KAFKA_GROUP_AUTHORIZATION_FAILED, reply);
}
