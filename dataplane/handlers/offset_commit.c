/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetCommit: partitions that are not there are refused one by one, the others are committed. Version
 * 10 names topics by id; what is stored is the name. The answer has the request's own shape. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/offset_commit_request.h"
#include "common/kafka/offset_commit_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"
#include "dataplane/handlers/topic_lookup.h"

struct offset_commit {
    struct kafka_offset_commit_request body;
    struct group_offset_topic *topics; /* as many, in the same order */
};

static bool fill_topic(struct request *request, const struct offset_commit *commit, int32_t index,
                       struct kafka_offset_commit_response_topic *entry)
{
    const struct group_offset_topic *topic = &commit->topics[index];

    entry->name = slice_or_empty(commit->body.topics.items[index].name);
    entry->topic_id = commit->body.topics.items[index].topic_id;
    if (kafka_offset_commit_response_partition_array_init(
            &entry->partitions, &request->arena, (int32_t)topic->partition_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < topic->partition_count; i++) {
        entry->partitions.items[i].partition_index = topic->partitions[i].partition;
        entry->partitions.items[i].error_code = (int16_t)topic->partitions[i].error;
    }
    return true;
}

static bool fill(struct request *request, const struct offset_commit *commit,
                 struct kafka_offset_commit_response *response)
{
    int32_t count = commit->body.topics.count;

    response->throttle_time_ms = request->throttle_time_ms;
    if (kafka_offset_commit_response_topic_array_init(&response->topics, &request->arena, count) !=
        ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++) {
        if (!fill_topic(request, commit, i, &response->topics.items[i]))
            return false;
    }
    return true;
}

static void reply(struct group_calls *calls)
{
    struct kafka_offset_commit_response response;

    kafka_offset_commit_response_init_defaults(&response);
    if (fill(calls->request, calls->context, &response))
        request_reply(calls->request, kafka_offset_commit_response, &response);
    else
        request_fail_no_room(calls->request);
}

static void take_partition(const struct kafka_offset_commit_request_partition *asked,
                           enum kafka_error error, struct group_offset *offset)
{
    offset->partition = asked->partition_index;
    offset->error = error;
    offset->offset = asked->committed_offset;
    offset->leader_epoch = asked->committed_leader_epoch;
    offset->metadata = asked->committed_metadata;
}

static bool take_topic(struct request *request,
                       const struct kafka_offset_commit_request_topic *asked,
                       struct group_offset_topic *topic)
{
    bool is_by_id = request->version >= 10;
    const struct image_topic *known = is_by_id ? topic_lookup_by_id(request, asked->topic_id)
                                               : topic_lookup_by_name(request, asked->name);
    enum kafka_error unknown =
        is_by_id && known == NULL ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;

    /* The image's name is gone after this turn. */
    topic->name = SLICE_LITERAL("");
    if (known != NULL && !arena_copy(&request->arena, known->name, &topic->name))
        return false;
    topic->partition_count = (size_t)asked->partitions.count;
    topic->partitions =
        arena_new_array(&request->arena, topic->partition_count, struct group_offset);
    if (topic->partitions == NULL)
        return false;
    for (int32_t i = 0; i < asked->partitions.count; i++) {
        const struct kafka_offset_commit_request_partition *item = &asked->partitions.items[i];
        bool is_known = known != NULL && topic_has_partition(known, item->partition_index);

        take_partition(item, is_known ? KAFKA_NONE : unknown, &topic->partitions[i]);
    }
    return true;
}

static bool take_topics(struct request *request, struct offset_commit *commit)
{
    int32_t count = commit->body.topics.count;

    commit->topics = arena_new_array(&request->arena, (size_t)count, struct group_offset_topic);
    if (commit->topics == NULL)
        return false;
    for (int32_t i = 0; i < count; i++) {
        if (!take_topic(request, &commit->body.topics.items[i], &commit->topics[i]))
            return false;
    }
    return true;
}

static void start(struct request *request, struct offset_commit *commit, struct group_calls *calls)
{
    calls->context = commit;
    group_calls_only(calls)->group_id = commit->body.group_id;
    group_calls_only(calls)->offset_commit.request = (struct group_offset_commit_request){
        .generation = commit->body.generation_id_or_member_epoch,
        .member_id = commit->body.member_id,
        .instance_id = commit->body.group_instance_id,
        .retention_time_ms = request->version <= 4 ? commit->body.retention_time_ms : -1,
        .topics = commit->topics,
        .topic_count = (size_t)commit->body.topics.count,
    };
    group_calls_start(calls, reply);
}

void handle_offset_commit(struct request *request)
{
    struct offset_commit *commit = arena_new(&request->arena, struct offset_commit);
    struct group_calls *calls = NULL;

    if (commit == NULL) {
        request_fail_no_room(request);
        return;
    }
    if (!request_read(request, kafka_offset_commit_request, &commit->body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_new(request, GROUP_OFFSET_COMMIT, 1);
    if (calls == NULL || !take_topics(request, commit)) {
        request_fail_no_room(request);
        return;
    }
    start(request, commit, calls);
}
