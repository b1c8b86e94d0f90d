/* SPDX-License-Identifier: Apache-2.0 */
/* CreatePartitions: a topic grows to `count` partitions, never shrinks.
 *
 *   read ─▶ decide each topic (topic_plan) ─▶ dry run, or none left? ──yes──▶ answer
 *                                              └─no─▶ cluster_submit ──done──▶ answer
 *
 * The store compares with the number of partitions that was seen here: of two requests that race, one is
 * told to try again. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/create_partitions_request.h"
#include "common/kafka/create_partitions_response.h"
#include "dataplane/dispatch/throttle.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/name_set.h"
#include "dataplane/handlers/plan_limits.h"
#include "dataplane/handlers/topic_change.h"
#include "dataplane/handlers/topic_lookup.h"

struct create_partitions {
    struct request *request;
    struct kafka_create_partitions_request body;
    struct kafka_create_partitions_response response;
    struct topic_plan_limits limits;
    struct topic_request *changes; /* of those whose plan is good, in the order of the entries */
    size_t change_count;
    struct cluster_request change;
};

static void set_error(struct kafka_create_partitions_response_topic *entry, enum kafka_error error,
                      const char *message)
{
    entry->error_code = (int16_t)error;
    entry->error_message = slice_from_cstring(message);
}

static void decide_topic(struct create_partitions *create,
                         const struct kafka_create_partitions_request_topic *asked,
                         struct kafka_create_partitions_response_topic *entry)
{
    const struct image_topic *topic = topic_lookup_by_name(create->request, asked->name);
    struct topic_plan plan;

    if (!request_may(create->request, ACCESS_MANAGE_TOPICS)) {
        set_error(entry, KAFKA_TOPIC_AUTHORIZATION_FAILED, REFUSED_TOPIC_CHANGE);
        return;
    }
    if (topic == NULL) {
        set_error(entry, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "There is no such topic");
        return;
    }
    if (topic->is_internal) {
        set_error(entry, KAFKA_TOPIC_AUTHORIZATION_FAILED,
                  "Topics of the service itself cannot grow");
        return;
    }
    topic_plan_grow(&create->limits, topic, asked, &create->request->arena, &plan);
    if (plan.error == KAFKA_NONE && !create->body.validate_only &&
        !throttle_mutation(create->request, plan.add_partitions, create->request->version >= 3)) {
        plan.error = KAFKA_THROTTLING_QUOTA_EXCEEDED;
        plan.message = TOPIC_CHANGE_THROTTLED;
    }
    set_error(entry, plan.error, plan.message);
    if (plan.error != KAFKA_NONE)
        return;
    create->changes[create->change_count++] = (struct topic_request){
        .topic_id = topic->topic_id,
        .name = asked->name,
        .current_partitions = topic->partition_count,
        .add_partitions = plan.add_partitions,
        .replication_factor = plan.replication_factor,
        .assignments = plan.assignments,
    };
}

static bool decide_all(struct create_partitions *create, struct name_set *names)
{
    struct kafka_create_partitions_response_topic_array *results = &create->response.results;

    for (int32_t i = 0; i < create->body.topics.count; i++) {
        if (name_set_add(names, create->body.topics.items[i].name) == NULL)
            return false;
    }
    for (int32_t i = 0; i < create->body.topics.count; i++) {
        const struct kafka_create_partitions_request_topic *asked = &create->body.topics.items[i];
        struct name_entry *name = name_set_find(names, asked->name);
        struct kafka_create_partitions_response_topic *entry = &results->items[results->count];

        if (name->is_answered)
            continue;
        name->is_answered = true;
        results->count++;
        entry->name = asked->name;
        if (name->count > 1)
            set_error(entry, KAFKA_INVALID_REQUEST, "Duplicate topic name.");
        else
            decide_topic(create, asked, entry);
    }
    return true;
}

static bool decide(struct create_partitions *create)
{
    struct request *request = create->request;
    struct name_set names;
    bool ok = false;

    create->changes =
        arena_new_array(&request->arena, (size_t)create->body.topics.count, struct topic_request);
    if (create->changes == NULL || !plan_limits_make(request, &create->limits) ||
        kafka_create_partitions_response_topic_array_init(
            &create->response.results, &request->arena, create->body.topics.count) != ERR_OK)
        return false;
    create->response.results.count = 0;
    name_set_init(&names, request->broker->seed, &request->arena);
    ok = decide_all(create, &names);
    name_set_done(&names);
    return ok;
}

static void answer(struct create_partitions *create)
{
    create->response.throttle_time_ms = create->request->throttle_time_ms;
    request_reply(create->request, kafka_create_partitions_response, &create->response);
}

static void on_changed(struct cluster_request *change)
{
    struct create_partitions *create = container_of(change, struct create_partitions, change);
    size_t next = 0;

    for (int32_t i = 0; i < create->response.results.count; i++) {
        struct kafka_create_partitions_response_topic *entry = &create->response.results.items[i];
        const char *message = NULL;
        enum kafka_error error = KAFKA_NONE;

        if (entry->error_code != KAFKA_NONE)
            continue;
        error =
            topic_change_result(change, &create->changes[next++], KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                &create->request->arena, &message);
        set_error(entry, error, message);
    }
    answer(create);
}

void handle_create_partitions(struct request *request)
{
    struct create_partitions *create = arena_new(&request->arena, struct create_partitions);

    if (create == NULL) {
        request_fail_no_room(request);
        return;
    }
    create->request = request;
    if (!request_read(request, kafka_create_partitions_request, &create->body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    kafka_create_partitions_response_init_defaults(&create->response);
    if (!decide(create)) {
        request_fail_no_room(request);
        return;
    }
    if (create->body.validate_only || create->change_count == 0) {
        answer(create);
        return;
    }
    topic_change_submit(request, &create->change, META_CREATE_PARTITIONS, create->changes,
                        create->change_count, create->body.timeout_ms, on_changed);
}
