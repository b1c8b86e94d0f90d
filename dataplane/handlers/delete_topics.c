/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteTopics, by name or (from version 6) by id.
 *
 *   read ─▶ find each topic ─▶ none left? ──yes──▶ answer
 *                               └─no─▶ cluster_submit ──done──▶ answer
 *
 * A topic asked for twice is refused once and stays. What the answer can say of a topic it says: name and
 * id both, where the caller may know it. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/delete_topics_request.h"
#include "common/kafka/delete_topics_response.h"
#include "dataplane/dispatch/throttle.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/name_set.h"
#include "dataplane/handlers/topic_change.h"
#include "dataplane/handlers/topic_lookup.h"

struct delete_topics {
    struct request *request;
    struct kafka_delete_topics_request body; /* older versions' names are turned into topics */
    struct kafka_delete_topics_response response;
    enum kafka_error *not_found; /* by index in response: what an unknown topic is called */
    struct topic_request *changes;
    size_t change_count;
    struct cluster_request change;
};

struct seen {
    struct name_set names;   /* as asked for */
    struct name_set ids;     /* as asked for */
    struct name_set deleted; /* ids of the topics found */
};

static struct slice id_slice(const struct uuid *topic_id)
{
    return slice_of(topic_id->bytes, sizeof(topic_id->bytes));
}

static void set_error(struct kafka_delete_topics_response_topic *entry, enum kafka_error error,
                      const char *message)
{
    entry->error_code = (int16_t)error;
    entry->error_message = slice_from_cstring(message);
}

static bool use_names(struct delete_topics *delete)
{
    const struct kafka_string_array *names = &delete->body.topic_names;

    if (delete->request->version >= 6)
        return true;
    if (kafka_delete_topics_request_topic_array_init(&delete->body.topics, &delete->request->arena,
                                                     names->count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < names->count; i++)
        delete->body.topics.items[i].name = names->items[i];
    return true;
}

/* False = no memory. */
static bool delete_found(struct delete_topics *delete, struct seen *seen,
                         const struct image_topic *topic,
                         struct kafka_delete_topics_response_topic *entry)
{
    const struct name_entry *deleted = NULL;

    entry->name = topic->name;
    entry->topic_id = topic->topic_id;
    if (topic->is_internal) {
        set_error(entry, KAFKA_TOPIC_AUTHORIZATION_FAILED,
                  "Topics of the service itself cannot be deleted");
        return true;
    }
    deleted = name_set_add(&seen->deleted, id_slice(&topic->topic_id));
    if (deleted == NULL)
        return false;
    if (deleted->count > 1) {
        set_error(entry, KAFKA_INVALID_REQUEST,
                  "The topic was asked for by its name and by its id");
        return true;
    }
    if (!throttle_mutation(delete->request, topic->partition_count,
                           delete->request->version >= 5)) {
        set_error(entry, KAFKA_THROTTLING_QUOTA_EXCEEDED, TOPIC_CHANGE_THROTTLED);
        return true;
    }
    delete->changes[delete->change_count++] = (struct topic_request){.topic_id = topic->topic_id};
    return true;
}

/* Name and id of what was found live in the image; the answer may come many turns later. */
static bool keep_name(struct delete_topics *delete,
                      struct kafka_delete_topics_response_topic *entry)
{
    return arena_copy(&delete->request->arena, entry->name, &entry->name);
}

static bool decide_item(struct delete_topics *delete, struct seen *seen,
                        const struct kafka_delete_topics_request_topic *item)
{
    struct kafka_delete_topics_response_topic_array *topics = &delete->response.responses;
    bool has_name = !slice_is_null(item->name), has_id = !uuid_is_zero(item->topic_id);
    struct name_entry *asked = has_name ? name_set_find(&seen->names, item->name)
                                        : name_set_find(&seen->ids, id_slice(&item->topic_id));
    struct kafka_delete_topics_response_topic *entry = &topics->items[topics->count];
    const struct image_topic *topic = NULL;

    if (asked->is_answered)
        return true;
    asked->is_answered = true;
    delete->not_found[topics->count++] =
        has_name ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_UNKNOWN_TOPIC_ID;
    entry->name = item->name;
    entry->topic_id = item->topic_id;
    if (has_name == has_id) {
        set_error(entry, KAFKA_INVALID_REQUEST, "Give either the topic's name or its id");
        return true;
    }
    if (asked->count > 1) {
        set_error(entry, KAFKA_INVALID_REQUEST,
                  has_name ? "Duplicate topic name." : "Duplicate topic id.");
        return true;
    }
    topic = has_name ? topic_lookup_by_name(delete->request, item->name)
                     : topic_lookup_by_id(delete->request, item->topic_id);
    if ((has_name || topic != NULL) && !request_may(delete->request, ACCESS_MANAGE_TOPICS)) {
        set_error(entry, KAFKA_TOPIC_AUTHORIZATION_FAILED, REFUSED_TOPIC_CHANGE);
        return true;
    }
    if (topic == NULL) {
        set_error(entry, delete->not_found[topics->count - 1], "There is no such topic");
        return true;
    }
    return delete_found(delete, seen, topic, entry) && keep_name(delete, entry);
}

static bool decide_all(struct delete_topics *delete, struct seen *seen)
{
    const struct kafka_delete_topics_request_topic_array *items = &delete->body.topics;

    for (int32_t i = 0; i < items->count; i++) {
        const struct kafka_delete_topics_request_topic *item = &items->items[i];

        if ((slice_is_null(item->name) ? name_set_add(&seen->ids, id_slice(&item->topic_id))
                                       : name_set_add(&seen->names, item->name)) == NULL)
            return false;
    }
    for (int32_t i = 0; i < items->count; i++) {
        if (!decide_item(delete, seen, &items->items[i]))
            return false;
    }
    return true;
}

static bool decide(struct delete_topics *delete)
{
    struct request *request = delete->request;
    struct hash_seed seed = request->broker->seed;
    size_t count = 0;
    struct seen seen;
    bool ok = false;

    if (!use_names(delete))
        return false;
    count = (size_t) delete->body.topics.count;
    delete->changes = arena_new_array(&request->arena, count, struct topic_request);
    delete->not_found = arena_new_array(&request->arena, count, enum kafka_error);
    if (delete->changes == NULL || delete->not_found == NULL ||
        kafka_delete_topics_response_topic_array_init(&delete->response.responses, &request->arena,
                                                      (int32_t)count) != ERR_OK)
        return false;
    delete->response.responses.count = 0;
    name_set_init(&seen.names, seed, &request->arena);
    name_set_init(&seen.ids, seed, &request->arena);
    name_set_init(&seen.deleted, seed, &request->arena);
    ok = decide_all(delete, &seen);
    name_set_done(&seen.names);
    name_set_done(&seen.ids);
    name_set_done(&seen.deleted);
    return ok;
}

static void answer(struct delete_topics *delete)
{
    delete->response.throttle_time_ms = delete->request->throttle_time_ms;
    request_reply(delete->request, kafka_delete_topics_response, &delete->response);
}

static void on_changed(struct cluster_request *change)
{
    struct delete_topics *delete = container_of(change, struct delete_topics, change);
    size_t next = 0;

    for (int32_t i = 0; i < delete->response.responses.count; i++) {
        struct kafka_delete_topics_response_topic *entry = &delete->response.responses.items[i];
        const char *message = NULL;
        enum kafka_error error = KAFKA_NONE;

        if (entry->error_code != KAFKA_NONE)
            continue;
        error = topic_change_result(change, &delete->changes[next++], delete->not_found[i],
                                    &delete->request->arena, &message);
        set_error(entry, error, message);
    }
    answer(delete);
}

void handle_delete_topics(struct request *request)
{
    struct delete_topics *delete = arena_new(&request->arena, struct delete_topics);

    if (delete == NULL) {
        request_fail_no_room(request);
        return;
    }
    delete->request = request;
    if (!request_read(request, kafka_delete_topics_request, &delete->body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    kafka_delete_topics_response_init_defaults(&delete->response);
    if (!decide(delete)) {
        request_fail_no_room(request);
        return;
    }
    if (delete->change_count == 0) {
        answer(delete);
        return;
    }
    topic_change_submit(request, &delete->change, META_DELETE_TOPICS, delete->changes,
                        delete->change_count, delete->body.timeout_ms, on_changed);
}
