/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetFetch: what groups have committed.
 *
 * Up to version 7 of one group, from 8 on of several, each asked of its own coordinator. Each partition
 * asked for is answered: -1 where nothing was committed, whether or not the topic exists. Version 10 names
 * topics by id. An error of a group comes alone; version 1, which has no place for it, gets it in each
 * partition. There are no transactions, so what is committed is always stable. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/offset_fetch_request.h"
#include "common/kafka/offset_fetch_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"
#include "dataplane/handlers/name_set.h"
#include "dataplane/handlers/topic_lookup.h"

/* --- what is asked --- */

static bool take_partitions(struct request *request, const struct kafka_i32_array *indexes,
                            enum kafka_error error, struct group_offset_topic *topic)
{
    topic->partition_count = (size_t)indexes->count;
    topic->partitions =
        arena_new_array(&request->arena, topic->partition_count, struct group_offset);
    if (topic->partitions == NULL)
        return false;
    for (int32_t i = 0; i < indexes->count; i++)
        topic->partitions[i] = (struct group_offset){.partition = indexes->items[i],
                                                     .error = error,
                                                     .offset = -1,
                                                     .leader_epoch = -1,
                                                     .metadata = SLICE_LITERAL("")};
    return true;
}

static bool take_one_group(struct request *request, const struct kafka_offset_fetch_request *body,
                           struct group_call *call)
{
    struct group_offset_fetch_request *asked = &call->offset_fetch.request;
    int32_t count = body->topics.count;

    call->group_id = body->group_id;
    asked->wants_all = count < 0;
    if (asked->wants_all)
        return true;
    asked->topic_count = (size_t)count;
    asked->topics = arena_new_array(&request->arena, asked->topic_count, struct group_offset_topic);
    for (int32_t i = 0; asked->topics != NULL && i < count; i++) {
        asked->topics[i].name = body->topics.items[i].name;
        if (!take_partitions(request, &body->topics.items[i].partition_indexes, KAFKA_NONE,
                             &asked->topics[i]))
            return false;
    }
    return asked->topics != NULL;
}

static bool take_group_topic(struct request *request,
                             const struct kafka_offset_fetch_request_group_topic *item,
                             struct group_offset_topic *topic)
{
    const struct image_topic *known = NULL;
    enum kafka_error error = KAFKA_NONE;

    topic->name = item->name;
    if (request->version >= 10) {
        known = topic_lookup_by_id(request, item->topic_id);
        topic->name = SLICE_LITERAL("");
        if (known == NULL)
            error = KAFKA_UNKNOWN_TOPIC_ID;
        else if (!arena_copy(&request->arena, known->name, &topic->name))
            return false;
    }
    return take_partitions(request, &item->partition_indexes, error, topic);
}

static bool take_group(struct request *request,
                       const struct kafka_offset_fetch_request_group *group,
                       struct group_call *call)
{
    struct group_offset_fetch_request *asked = &call->offset_fetch.request;
    int32_t count = group->topics.count;

    call->group_id = group->group_id;
    asked->wants_all = count < 0;
    if (asked->wants_all)
        return true;
    asked->topic_count = (size_t)count;
    asked->topics = arena_new_array(&request->arena, asked->topic_count, struct group_offset_topic);
    for (int32_t i = 0; asked->topics != NULL && i < count; i++) {
        if (!take_group_topic(request, &group->topics.items[i], &asked->topics[i]))
            return false;
    }
    return asked->topics != NULL;
}

/* --- the answer up to version 7 --- */

static bool fill_topic(struct request *request, const struct group_offset_topic *topic,
                       enum kafka_error group_error,
                       struct kafka_offset_fetch_response_topic *entry)
{
    entry->name = topic->name;
    if (kafka_offset_fetch_response_partition_array_init(&entry->partitions, &request->arena,
                                                         (int32_t)topic->partition_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < topic->partition_count; i++) {
        struct kafka_offset_fetch_response_partition *partition = &entry->partitions.items[i];
        const struct group_offset *offset = &topic->partitions[i];

        partition->partition_index = offset->partition;
        partition->committed_offset = offset->offset;
        partition->committed_leader_epoch = offset->leader_epoch;
        partition->metadata = slice_or_empty(offset->metadata);
        partition->error_code = (int16_t)(group_error != KAFKA_NONE ? group_error : offset->error);
    }
    return true;
}

static bool fill_one_group(struct request *request, const struct group_call *call,
                           struct kafka_offset_fetch_response *response)
{
    const struct group_offset_fetch_request *fetched = &call->offset_fetch.request;

    response->error_code = (int16_t)call->error;
    if (call->error != KAFKA_NONE && request->version >= 2)
        return true;
    if (kafka_offset_fetch_response_topic_array_init(&response->topics, &request->arena,
                                                     (int32_t)fetched->topic_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < fetched->topic_count; i++) {
        if (!fill_topic(request, &fetched->topics[i], call->error, &response->topics.items[i]))
            return false;
    }
    return true;
}

static void reply_one_group(struct group_calls *calls)
{
    struct request *request = calls->request;
    struct kafka_offset_fetch_response response;

    kafka_offset_fetch_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    if (fill_one_group(request, group_calls_only(calls), &response))
        request_reply(request, kafka_offset_fetch_response, &response);
    else
        request_fail_no_room(request);
}

/* --- the answer from version 8 on --- */

/* The id of a topic that the group was asked for by "all". False = it is gone, so is its entry. */
static bool find_id(const struct request *request, struct slice name, struct uuid *ret_id)
{
    const struct image_topic *topic = topic_lookup_by_name(request, name);

    if (topic != NULL)
        *ret_id = topic->topic_id;
    return topic != NULL || request->version < 10;
}

static bool fill_group_topic(struct request *request, const struct group_offset_topic *topic,
                             struct kafka_offset_fetch_response_group_topic *entry)
{
    entry->name = topic->name;
    if (kafka_offset_fetch_response_group_partition_array_init(
            &entry->partitions, &request->arena, (int32_t)topic->partition_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < topic->partition_count; i++) {
        struct kafka_offset_fetch_response_group_partition *partition = &entry->partitions.items[i];
        const struct group_offset *offset = &topic->partitions[i];

        partition->partition_index = offset->partition;
        partition->committed_offset = offset->offset;
        partition->committed_leader_epoch = offset->leader_epoch;
        partition->metadata = slice_or_empty(offset->metadata);
        partition->error_code = (int16_t)offset->error;
    }
    return true;
}

static bool fill_group(struct request *request,
                       const struct kafka_offset_fetch_request_group *asked,
                       const struct group_call *call,
                       struct kafka_offset_fetch_response_group *entry)
{
    const struct group_offset_fetch_request *fetched = &call->offset_fetch.request;

    entry->group_id = call->group_id;
    entry->error_code = (int16_t)call->error;
    if (call->error != KAFKA_NONE)
        return true;
    if (kafka_offset_fetch_response_group_topic_array_init(&entry->topics, &request->arena,
                                                           (int32_t)fetched->topic_count) != ERR_OK)
        return false;
    entry->topics.count = 0;
    for (size_t i = 0; i < fetched->topic_count; i++) {
        struct kafka_offset_fetch_response_group_topic *topic =
            &entry->topics.items[entry->topics.count];

        if (!fetched->wants_all)
            topic->topic_id = asked->topics.items[i].topic_id;
        else if (!find_id(request, fetched->topics[i].name, &topic->topic_id))
            continue;
        entry->topics.count++;
        if (!fill_group_topic(request, &fetched->topics[i], topic))
            return false;
    }
    return true;
}

static void reply_groups(struct group_calls *calls)
{
    struct request *request = calls->request;
    const struct kafka_offset_fetch_request *body = calls->context;
    struct kafka_offset_fetch_response response;

    kafka_offset_fetch_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    if (kafka_offset_fetch_response_group_array_init(&response.groups, &request->arena,
                                                     calls->count) != ERR_OK) {
        request_fail_no_room(request);
        return;
    }
    for (int32_t i = 0; i < calls->count; i++) {
        if (!fill_group(request, &body->groups.items[i], &calls->items[i].call.group,
                        &response.groups.items[i])) {
            request_fail_no_room(request);
            return;
        }
    }
    request_reply(request, kafka_offset_fetch_response, &response);
}

/* --- */

/* A group asked for twice is answered once. False = no memory. */
static bool drop_repeated(struct request *request,
                          struct kafka_offset_fetch_request_group_array *groups)
{
    struct name_set seen;
    int32_t count = 0;
    bool ok = true;

    name_set_init(&seen, request->broker->seed, &request->arena);
    for (int32_t i = 0; ok && i < groups->count; i++) {
        const struct name_entry *entry = name_set_add(&seen, groups->items[i].group_id);

        ok = entry != NULL;
        if (ok && entry->count == 1)
            groups->items[count++] = groups->items[i];
    }
    name_set_done(&seen);
    groups->count = count;
    return ok;
}

/* NULL = no memory. */
static struct group_calls *take(struct request *request, struct kafka_offset_fetch_request *body)
{
    bool is_one = request->version < 8;
    struct group_calls *calls = NULL;

    if (!is_one && !drop_repeated(request, &body->groups))
        return NULL;
    calls = group_calls_new(request, GROUP_OFFSET_FETCH, is_one ? 1 : body->groups.count);
    if (calls == NULL)
        return NULL;
    calls->context = body;
    if (is_one)
        return take_one_group(request, body, group_calls_only(calls)) ? calls : NULL;
    for (int32_t i = 0; i < calls->count; i++) {
        if (!take_group(request, &body->groups.items[i], &calls->items[i].call.group))
            return NULL;
    }
    return calls;
}

void handle_offset_fetch(struct request *request)
{
    struct kafka_offset_fetch_request *body =
        arena_new(&request->arena, struct kafka_offset_fetch_request);
    struct group_calls *calls = NULL;

    if (body == NULL) {
        request_fail_no_room(request);
        return;
    }
    if (!request_read(request, kafka_offset_fetch_request, body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = take(request, body);
    if (calls == NULL) {
        request_fail_no_room(request);
        return;
    }
    group_calls_start(calls, request->version < 8 ? reply_one_group : reply_groups);
}
