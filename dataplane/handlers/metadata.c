/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: the brokers, and topics by name, by id, or all of them.
 *
 *   read ─▶ unknown names, on a listener that makes topics? ──no──▶ answer from the image
 *                          └─yes─▶ cluster_submit ──done──▶ answer from the image as it is then
 *
 * One entry for each name or id asked for, errors included. Waiting for a topic that is being made is
 * kinder than Kafka's "ask again": the first answer is already the right one. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/metadata_request.h"
#include "common/kafka/metadata_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/name_set.h"
#include "dataplane/handlers/partition_view.h"
#include "dataplane/handlers/topic_change.h"
#include "dataplane/handlers/topic_lookup.h"

enum { AUTO_CREATE_MAX_TOPICS = 100, AUTO_CREATE_WAIT_MS = 5000 };

struct metadata {
    struct request *request;
    struct kafka_metadata_request body;
    struct kafka_metadata_response response;
    struct broker_list brokers;
    struct name_set asked; /* names and ids (16 bytes: no name that we know is like one) */
    struct cluster_request change;
    bool creates; /* change was submitted */
};

static bool wants_all(const struct metadata *metadata)
{
    const struct kafka_metadata_request *body = &metadata->body;

    return body->topics.count < 0 || (metadata->request->version == 0 && body->topics.count == 0);
}

/* --- topics --- */

static bool fill_partitions(struct metadata *metadata, const struct image_topic *topic,
                            struct kafka_metadata_response_topic *entry)
{
    struct arena *arena = &metadata->request->arena;
    enum kafka_error no_listener =
        metadata->request->version >= 6 ? KAFKA_LISTENER_NOT_FOUND : KAFKA_LEADER_NOT_AVAILABLE;

    if (kafka_metadata_response_partition_array_init(&entry->partitions, arena,
                                                     topic->partition_count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct kafka_metadata_response_partition *partition = &entry->partitions.items[i];
        struct partition_view view;

        if (!partition_view_make(&topic->partitions[i], &metadata->brokers, no_listener, arena,
                                 &view))
            return false;
        partition->error_code = (int16_t)view.error;
        partition->partition_index = i;
        partition->leader_id = view.leader_id;
        partition->leader_epoch = view.leader_epoch;
        partition->replica_nodes = view.replicas;
        partition->isr_nodes = view.isr;
        partition->offline_replicas = view.offline;
    }
    return true;
}

static bool fill_topic(struct metadata *metadata, const struct image_topic *topic,
                       struct kafka_metadata_response_topic *entry)
{
    entry->name = topic->name;
    entry->topic_id = topic->topic_id;
    entry->is_internal = topic->is_internal;
    if (metadata->body.include_topic_authorized_operations)
        entry->topic_authorized_operations =
            request_operations(metadata->request, AUTHORIZED_TOPIC);
    return fill_partitions(metadata, topic, entry);
}

/* Why the topic is not in the answer. */
static enum kafka_error unknown_name_error(const struct metadata *metadata, struct slice name)
{
    if (topic_name_check(name, TOPIC_NAME_MAX) != NULL)
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    /* It is still to be made: ask again. */
    if (metadata->creates && metadata->change.err != ERR_OK)
        return KAFKA_LEADER_NOT_AVAILABLE;
    return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static struct slice id_slice(const struct uuid *topic_id)
{
    return slice_of(topic_id->bytes, sizeof(topic_id->bytes));
}

/* One item of the request. False = no memory. */
static bool answer_item(struct metadata *metadata, const struct kafka_metadata_request_topic *item,
                        struct kafka_metadata_response_topic_array *topics)
{
    bool is_by_id = !uuid_is_zero(item->topic_id) || slice_is_null(item->name);
    struct kafka_metadata_response_topic *entry = &topics->items[topics->count];
    struct name_entry *seen =
        name_set_add(&metadata->asked, is_by_id ? id_slice(&item->topic_id) : item->name);
    const struct image_topic *topic = is_by_id
                                          ? topic_lookup_by_id(metadata->request, item->topic_id)
                                          : topic_lookup_by_name(metadata->request, item->name);

    if (seen == NULL)
        return false;
    if (seen->count > 1)
        return true;
    topics->count++;
    if (topic != NULL)
        return fill_topic(metadata, topic, entry);
    entry->error_code =
        (int16_t)(is_by_id ? KAFKA_UNKNOWN_TOPIC_ID : unknown_name_error(metadata, item->name));
    entry->topic_id = item->topic_id;
    entry->name = is_by_id ? SLICE_NULL : item->name;
    return true;
}

static bool answer_items(struct metadata *metadata)
{
    struct kafka_metadata_response_topic_array *topics = &metadata->response.topics;
    bool ok = true;

    if (kafka_metadata_response_topic_array_init(topics, &metadata->request->arena,
                                                 metadata->body.topics.count) != ERR_OK)
        return false;
    topics->count = 0;
    name_set_init(&metadata->asked, metadata->request->broker->seed, &metadata->request->arena);
    for (int32_t i = 0; ok && i < metadata->body.topics.count; i++)
        ok = answer_item(metadata, &metadata->body.topics.items[i], topics);
    name_set_done(&metadata->asked);
    return ok;
}

static bool answer_all(struct metadata *metadata)
{
    struct request *request = metadata->request;
    const struct image *image = request->broker->image;
    const struct image_tenant *tenant = request_tenant(request);
    struct kafka_metadata_response_topic_array *topics = &metadata->response.topics;
    size_t count = image_topic_count(image, request_instance(request));

    if (kafka_metadata_response_topic_array_init(topics, &request->arena, (int32_t)count) != ERR_OK)
        return false;
    topics->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct image_topic *topic = image_topic_at(image, request_instance(request), i);

        if (!topic_is_visible(tenant, topic))
            continue;
        if (!fill_topic(metadata, topic, &topics->items[topics->count++]))
            return false;
    }
    return true;
}

/* --- the answer --- */

static bool fill_brokers(struct metadata *metadata)
{
    struct kafka_metadata_response *response = &metadata->response;

    if (!broker_list_make(metadata->request, &metadata->brokers) ||
        kafka_metadata_response_broker_array_init(&response->brokers, &metadata->request->arena,
                                                  metadata->brokers.count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < metadata->brokers.count; i++) {
        const struct broker_address *address = &metadata->brokers.items[i];

        response->brokers.items[i].node_id = address->id;
        response->brokers.items[i].host = address->host;
        response->brokers.items[i].port = address->port;
        response->brokers.items[i].rack = address->rack;
    }
    response->controller_id =
        broker_list_controller(&metadata->brokers, metadata->request->broker->broker_id);
    return true;
}

static void begin_answer(struct metadata *metadata)
{
    kafka_metadata_response_init_defaults(&metadata->response);
    metadata->response.throttle_time_ms = metadata->request->throttle_time_ms;
}

static void answer(struct metadata *metadata)
{
    struct request *request = metadata->request;
    const struct image_tenant *tenant = request_tenant(request);

    begin_answer(metadata);
    if (tenant == NULL) {
        request_fail(request, "instance is gone or suspended");
        return;
    }
    metadata->response.cluster_id = slice_from_cstring(tenant->cluster_id);
    if (metadata->body.include_cluster_authorized_operations)
        metadata->response.cluster_authorized_operations =
            request_operations(request, AUTHORIZED_CLUSTER);
    if (!fill_brokers(metadata) ||
        !(wants_all(metadata) ? answer_all(metadata) : answer_items(metadata))) {
        request_fail_no_room(request);
        return;
    }
    request_reply(request, kafka_metadata_response, &metadata->response);
}

/* Versions 10 and 11 have ids and cannot be asked by them. Every item gets the error. */
static void refuse(struct metadata *metadata, enum kafka_error error)
{
    struct kafka_metadata_response_topic_array *topics = &metadata->response.topics;

    begin_answer(metadata);
    metadata->response.error_code = (int16_t)error;
    if (kafka_metadata_response_topic_array_init(topics, &metadata->request->arena,
                                                 metadata->body.topics.count) != ERR_OK) {
        request_fail_no_room(metadata->request);
        return;
    }
    for (int32_t i = 0; i < topics->count; i++) {
        const struct kafka_metadata_request_topic *item = &metadata->body.topics.items[i];

        topics->items[i].error_code = (int16_t)error;
        topics->items[i].topic_id = item->topic_id;
        topics->items[i].name = slice_is_null(item->name) ? SLICE_LITERAL("") : item->name;
    }
    request_reply(metadata->request, kafka_metadata_response, &metadata->response);
}

static bool is_refused(const struct metadata *metadata)
{
    int16_t version = metadata->request->version;

    if (version != 10 && version != 11)
        return false;
    for (int32_t i = 0; i < metadata->body.topics.count; i++) {
        const struct kafka_metadata_request_topic *item = &metadata->body.topics.items[i];

        if (!uuid_is_zero(item->topic_id) || slice_is_null(item->name))
            return true;
    }
    return false;
}

/* --- topics made by asking for them --- */

static bool may_create(const struct metadata *metadata,
                       const struct kafka_metadata_request_topic *item)
{
    return uuid_is_zero(item->topic_id) && !slice_is_null(item->name) &&
           topic_lookup_by_name(metadata->request, item->name) == NULL &&
           topic_name_check(item->name, TOPIC_NAME_CLIENT_MAX) == NULL &&
           !topic_name_is_reserved(item->name);
}

/* How many topics are to be made; they lie in ret_topics. */
static size_t plan_creation(struct metadata *metadata, struct topic_request **ret_topics)
{
    struct request *request = metadata->request;
    size_t count = 0;

    *ret_topics = arena_new_array(&request->arena, AUTO_CREATE_MAX_TOPICS, struct topic_request);
    if (*ret_topics == NULL)
        return 0;
    name_set_init(&metadata->asked, request->broker->seed, &request->arena);
    for (int32_t i = 0; i < metadata->body.topics.count && count < AUTO_CREATE_MAX_TOPICS; i++) {
        const struct kafka_metadata_request_topic *item = &metadata->body.topics.items[i];
        const struct name_entry *seen = NULL;

        if (!may_create(metadata, item))
            continue;
        seen = name_set_add(&metadata->asked, item->name);
        if (seen == NULL || seen->count > 1)
            continue;
        (*ret_topics)[count++] = (struct topic_request){
            .name = item->name,
            .add_partitions = request->session->listener->auto_create_partitions,
            .replication_factor = -1,
        };
    }
    name_set_done(&metadata->asked);
    return count;
}

static void on_created(struct cluster_request *change)
{
    answer(container_of(change, struct metadata, change));
}

static bool start_creation(struct metadata *metadata)
{
    struct topic_request *topics = NULL;
    size_t count = 0;

    if (wants_all(metadata) || !metadata->body.allow_auto_topic_creation ||
        metadata->request->session->listener->auto_create_partitions <= 0)
        return false;
    count = plan_creation(metadata, &topics);
    if (count == 0)
        return false;
    metadata->creates = true;
    topic_change_submit(metadata->request, &metadata->change, META_CREATE_TOPICS, topics, count,
                        AUTO_CREATE_WAIT_MS, on_created);
    return true;
}

void handle_metadata(struct request *request)
{
    struct metadata *metadata = arena_new(&request->arena, struct metadata);

    if (metadata == NULL) {
        request_fail_no_room(request);
        return;
    }
    metadata->request = request;
    if (!request_read(request, kafka_metadata_request, &metadata->body))
        return;
    request_make_room(request, ANSWER_ROOM_BYTES);
    if (is_refused(metadata)) {
        refuse(metadata, KAFKA_INVALID_REQUEST);
        return;
    }
    if (!start_creation(metadata))
        answer(metadata);
}
