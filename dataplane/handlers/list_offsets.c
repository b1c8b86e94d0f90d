/* SPDX-License-Identifier: Apache-2.0 */
/* ListOffsets: ends from the snapshot at once, times by a look-up in the log (a worker). Timestamps:
 * -1 latest, -2 earliest, -3 of the largest timestamp (v7), -4 earliest local (v8), -5 latest tiered
 * (v9), -6 earliest pending upload (v11). kafka-protocol.md 4.5. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/list_offsets_request.h"
#include "common/kafka/list_offsets_response.h"
#include "dataplane/handlers/hosted_partition.h"

struct list_offsets;

struct offset_lookup {
    struct replica_lookup lookup;
    struct list_offsets *list;
    struct kafka_list_offsets_response_partition *out;
};

struct list_offsets {
    struct request *request;
    struct kafka_list_offsets_request body;
    struct kafka_list_offsets_response response;
    size_t open_count;
};

enum {
    LATEST = -1,
    EARLIEST = -2,
    MAX_TIMESTAMP = -3,
    EARLIEST_LOCAL = -4,
    LATEST_TIERED = -5,
    EARLIEST_PENDING_UPLOAD = -6
};

static void on_found(struct replica_lookup *lookup)
{
    struct offset_lookup *item = container_of(lookup, struct offset_lookup, lookup);
    struct list_offsets *list = item->list;
    struct request *request = list->request;

    item->out->error_code = (int16_t)lookup->error;
    if (lookup->error == KAFKA_NONE) {
        item->out->offset = lookup->offset;
        item->out->timestamp = lookup->found_timestamp;
        item->out->leader_epoch = lookup->epoch;
    }
    replica_unref(lookup->replica);
    if (--list->open_count == 0)
        request_reply(request, kafka_list_offsets_response, &list->response);
    request_release(request);
}

static void look_up(struct list_offsets *list, struct replica *replica, int64_t timestamp,
                    struct kafka_list_offsets_response_partition *out)
{
    struct offset_lookup *item = arena_new(&list->request->arena, struct offset_lookup);

    if (item == NULL) {
        out->error_code = KAFKA_KAFKA_STORAGE_ERROR;
        return;
    }
    item->list = list;
    item->out = out;
    item->lookup = (struct replica_lookup){
        .replica = replica,
        .home = list->request->broker->loop,
        .timestamp = timestamp,
        .isolation = list->body.isolation_level == 1 ? READ_COMMITTED : READ_UNCOMMITTED,
        .done = on_found,
    };
    list->open_count++;
    request_hold(list->request);
    replica_ref(replica);
    replica_lookup_submit(&item->lookup);
}

static bool has_special(int64_t timestamp, int16_t version)
{
    switch (timestamp) {
    case LATEST:
    case EARLIEST:
        return true;
    case MAX_TIMESTAMP:
        return version >= 7;
    case EARLIEST_LOCAL:
        return version >= 8;
    case LATEST_TIERED:
        return version >= 9;
    case EARLIEST_PENDING_UPLOAD:
        return version >= 11;
    default:
        return timestamp >= 0;
    }
}

static void answer_partition(struct list_offsets *list,
                             const struct kafka_list_offsets_request_topic *topic,
                             const struct kafka_list_offsets_request_partition *in,
                             struct kafka_list_offsets_response_partition *out)
{
    struct topic_reference reference = {false, topic->name, {{0}}};
    const struct log_snapshot *snapshot = NULL;
    struct hosted_partition hosted;
    enum kafka_error error = hosted_partition_find(list->request, &reference, in->partition_index,
                                                   in->current_leader_epoch, &hosted);

    if (error == KAFKA_NONE && !has_special(in->timestamp, list->request->version))
        error = KAFKA_UNSUPPORTED_VERSION;
    if (error != KAFKA_NONE) {
        out->error_code = (int16_t)error;
        return;
    }
    snapshot = replica_snapshot(hosted.replica);
    out->leader_epoch = hosted.partition->leader_epoch;
    if (in->timestamp == LATEST)
        out->offset =
            list->body.isolation_level == 1 ? snapshot->last_stable : snapshot->high_watermark;
    else if (in->timestamp == EARLIEST || in->timestamp == EARLIEST_LOCAL)
        out->offset = snapshot->log_start;
    else if (in->timestamp == LATEST_TIERED || in->timestamp == EARLIEST_PENDING_UPLOAD)
        out->leader_epoch = -1; /* nothing is tiered: offset -1 */
    else
        look_up(list, hosted.replica, in->timestamp, out);
}

static bool is_repeated(const struct kafka_list_offsets_request_topic *topic, int32_t at)
{
    for (int32_t i = 0; i < topic->partitions.count; i++) {
        if (i != at && topic->partitions.items[i].partition_index ==
                           topic->partitions.items[at].partition_index)
            return true;
    }
    return false;
}

static bool answer_topic(struct list_offsets *list,
                         const struct kafka_list_offsets_request_topic *topic,
                         struct kafka_list_offsets_response_topic *out)
{
    /* Looking for repetitions is quadratic: no topic has more partitions than that. */
    bool is_checked = topic->partitions.count <= 1000;

    out->name = topic->name;
    if (kafka_list_offsets_response_partition_array_init(&out->partitions, &list->request->arena,
                                                         topic->partitions.count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < topic->partitions.count; i++) {
        out->partitions.items[i].partition_index = topic->partitions.items[i].partition_index;
        if (is_checked && is_repeated(topic, i))
            out->partitions.items[i].error_code = KAFKA_INVALID_REQUEST;
        else
            answer_partition(list, topic, &topic->partitions.items[i], &out->partitions.items[i]);
    }
    return true;
}

void handle_list_offsets(struct request *request)
{
    struct list_offsets *list = arena_new(&request->arena, struct list_offsets);
    bool has_room = list != NULL;

    if (has_room && !request_read(request, kafka_list_offsets_request, &list->body))
        return;
    if (has_room) {
        list->request = request;
        list->open_count = 1; /* ours, until all are started */
        kafka_list_offsets_response_init_defaults(&list->response);
        has_room = kafka_list_offsets_response_topic_array_init(
                       &list->response.topics, &request->arena, list->body.topics.count) == ERR_OK;
    }
    for (int32_t t = 0; has_room && t < list->body.topics.count; t++)
        has_room = answer_topic(list, &list->body.topics.items[t], &list->response.topics.items[t]);
    if (list == NULL || (!has_room && list->open_count == 1)) {
        request_fail(request, "out of memory");
        return;
    }
    if (--list->open_count == 0)
        request_reply(request, kafka_list_offsets_response, &list->response);
}
