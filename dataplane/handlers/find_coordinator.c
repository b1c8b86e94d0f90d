/* SPDX-License-Identifier: Apache-2.0 */
/* FindCoordinator: who leads the partition of __consumer_offsets that a group belongs to. Answered from
 * the image. The address is that of the listener the client came in on, and always one that Metadata
 * lists too.
 *
 * Transactions and share groups are not offered yet. Asked for the coordinator of a transaction we say
 * TRANSACTIONAL_ID_AUTHORIZATION_FAILED: the one code that clients take as final, instead of asking for
 * ever. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/find_coordinator_request.h"
#include "common/kafka/find_coordinator_response.h"
#include "dataplane/coordinator/group_coordinator.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/broker_list.h"
#include "dataplane/handlers/name_set.h"

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1 };

struct coordinator {
    enum kafka_error error;
    const char *message;
    int32_t node_id;
    struct slice host;
    int32_t port;
};

static const struct coordinator unknown = {
    .node_id = -1, .host = {(const uint8_t *)"", 0}, .port = -1};

static struct coordinator failed(enum kafka_error error, const char *message)
{
    struct coordinator coordinator = unknown;

    coordinator.error = error;
    coordinator.message = message;
    return coordinator;
}

static struct coordinator find_group(const struct request *request,
                                     const struct broker_list *brokers, struct slice group_id)
{
    const struct image_topic *offsets = image_topic_by_name(
        request->broker->image, request_instance(request), SLICE_LITERAL("__consumer_offsets"));
    const struct broker_address *leader = NULL;
    int32_t partition = 0;

    if (offsets == NULL || offsets->partition_count == 0)
        return failed(KAFKA_COORDINATOR_NOT_AVAILABLE, "The coordinator is not available yet.");
    partition = group_partition_for(group_id, offsets->partition_count);
    leader = broker_list_find(brokers, offsets->partitions[partition].leader);
    if (leader == NULL)
        return failed(KAFKA_COORDINATOR_NOT_AVAILABLE, "The coordinator is not available.");
    return (struct coordinator){.node_id = leader->id, .host = leader->host, .port = leader->port};
}

static struct coordinator find(const struct request *request, const struct broker_list *brokers,
                               int8_t key_type, struct slice key)
{
    switch (key_type) {
    case KEY_GROUP:
        return find_group(request, brokers, key);
    case KEY_TRANSACTION:
        if (key.len == 0)
            return failed(KAFKA_INVALID_REQUEST, "A transactional id cannot be empty.");
        return failed(KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                      "This service has no transactions yet.");
    default:
        return failed(KAFKA_INVALID_REQUEST, "Unknown coordinator key type.");
    }
}

/* Versions 0 to 3. */
static void answer_one(struct request *request, const struct broker_list *brokers,
                       const struct kafka_find_coordinator_request *body,
                       struct kafka_find_coordinator_response *response)
{
    struct coordinator found = find(request, brokers, body->key_type, body->key);

    response->error_code = (int16_t)found.error;
    response->error_message = slice_from_cstring(found.message);
    response->node_id = found.node_id;
    response->host = found.host;
    response->port = found.port;
    request_reply(request, kafka_find_coordinator_response, response);
}

/* From version 4 on: one entry a key, in their order. False = no memory. */
static bool fill_coordinators(struct request *request, const struct broker_list *brokers,
                              const struct kafka_find_coordinator_request *body,
                              struct kafka_find_coordinator_response *response,
                              struct name_set *seen)
{
    const struct kafka_string_array *keys = &body->coordinator_keys;

    if (kafka_find_coordinator_response_coordinator_array_init(
            &response->coordinators, &request->arena, keys->count) != ERR_OK)
        return false;
    response->coordinators.count = 0;
    for (int32_t i = 0; i < keys->count; i++) {
        struct kafka_find_coordinator_response_coordinator *entry =
            &response->coordinators.items[response->coordinators.count];
        const struct name_entry *key = name_set_add(seen, keys->items[i]);
        struct coordinator found;

        if (key == NULL)
            return false;
        if (key->count > 1)
            continue;
        response->coordinators.count++;
        found = find(request, brokers, body->key_type, keys->items[i]);
        entry->key = keys->items[i];
        entry->error_code = (int16_t)found.error;
        entry->error_message = slice_from_cstring(found.message);
        entry->node_id = found.node_id;
        entry->host = found.host;
        entry->port = found.port;
    }
    return true;
}

void handle_find_coordinator(struct request *request)
{
    struct kafka_find_coordinator_request body;
    struct kafka_find_coordinator_response response;
    struct broker_list brokers;
    struct name_set seen;
    bool ok = false;

    if (!request_read(request, kafka_find_coordinator_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_BYTES);
    kafka_find_coordinator_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    if (!broker_list_make(request, &brokers)) {
        request_fail_no_room(request);
        return;
    }
    if (request->version < 4) {
        answer_one(request, &brokers, &body, &response);
        return;
    }
    name_set_init(&seen, request->broker->seed, &request->arena);
    ok = fill_coordinators(request, &brokers, &body, &response, &seen);
    name_set_done(&seen);
    if (ok)
        request_reply(request, kafka_find_coordinator_response, &response);
    else
        request_fail_no_room(request);
}
