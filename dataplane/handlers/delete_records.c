/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteRecords: moves the start of logs forward, durably.
 *
 *   read ─▶ check each partition ─▶ replica_trim_submit each ─▶ all done, or time is up ─▶ answer
 *                                   (on the loops of the logs)
 *
 * What is late at the deadline is answered with REQUEST_TIMED_OUT and still happens; the request is held
 * until the last log has said so. Which offsets are possible is the replica's to say. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/delete_records_request.h"
#include "common/kafka/delete_records_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/hosted_partition.h"
#include "dataplane/storage/replica.h"

enum { LONGEST_WAIT_MS = 60000, USUAL_WAIT_MS = 30000 };

struct delete_records;

struct trim {
    struct replica_trim trim;
    struct delete_records *owner;
    struct kafka_delete_records_response_partition *entry;
};

struct delete_records {
    struct request *request;
    struct kafka_delete_records_request body;
    struct kafka_delete_records_response response;
    struct trim *trims;
    int32_t trim_count;
    int32_t pending;
    bool is_answered;
    struct timer deadline;
};

static void answer(struct delete_records *delete)
{
    delete->is_answered = true;
    timer_stop(delete->request->broker->loop, &delete->deadline);
    delete->response.throttle_time_ms = delete->request->throttle_time_ms;
    request_reply(delete->request, kafka_delete_records_response, &delete->response);
}

static void on_trimmed(struct replica_trim *trim)
{
    struct trim *item = container_of(trim, struct trim, trim);
    struct delete_records *delete = item->owner;
    struct request *request = delete->request;

    replica_unref(trim->replica);
    delete->pending--;
    if (!delete->is_answered) {
        item->entry->error_code = (int16_t)trim->error;
        item->entry->low_watermark = trim->error == KAFKA_NONE ? trim->log_start : -1;
        if (delete->pending == 0)
            answer(delete);
    }
    request_release(request);
}

static void on_deadline(struct timer *timer)
{
    answer(container_of(timer, struct delete_records, deadline));
}

/* The client is gone: the answer no longer waits for the logs. */
static void on_cancel(struct request *request)
{
    answer(request->operation);
}

/* --- checks --- */

static enum kafka_error check(const struct request *request, struct slice name,
                              const struct kafka_delete_records_request_partition *asked,
                              struct replica **ret_replica)
{
    const struct topic_reference reference = {.name = name};
    struct hosted_partition hosted;
    enum kafka_error error = KAFKA_NONE;

    if (!request_may(request, ACCESS_MANAGE_TOPICS))
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    error = hosted_partition_find(request, &reference, asked->partition_index, -1, &hosted);
    if (hosted.partition == NULL)
        return error;
    if (hosted.topic->is_internal)
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    if ((hosted.topic->config.cleanup_policy & CLEANUP_DELETE) == 0)
        return KAFKA_POLICY_VIOLATION;
    if (asked->offset < -1)
        return KAFKA_OFFSET_OUT_OF_RANGE;
    *ret_replica = hosted.replica;
    return error;
}

static void plan_partition(struct delete_records *delete, struct slice topic,
                           const struct kafka_delete_records_request_partition *asked,
                           struct kafka_delete_records_response_partition *entry)
{
    struct replica *replica = NULL;
    enum kafka_error error = check(delete->request, topic, asked, &replica);
    struct trim *item = NULL;

    entry->partition_index = asked->partition_index;
    entry->low_watermark = -1;
    entry->error_code = (int16_t)error;
    if (error != KAFKA_NONE)
        return;
    entry->error_code = (int16_t)KAFKA_REQUEST_TIMED_OUT; /* until it is done */
    item = &delete->trims[delete->trim_count++];
    item->owner = delete;
    item->entry = entry;
    item->trim.replica = replica;
    item->trim.home = delete->request->broker->loop;
    item->trim.offset = asked->offset;
    item->trim.done = on_trimmed;
}

static bool plan_topic(struct delete_records *delete,
                       const struct kafka_delete_records_request_topic *asked,
                       struct kafka_delete_records_response_topic *entry)
{
    entry->name = asked->name;
    if (kafka_delete_records_response_partition_array_init(
            &entry->partitions, &delete->request->arena, asked->partitions.count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < asked->partitions.count; i++)
        plan_partition(delete, asked->name, &asked->partitions.items[i],
                       &entry->partitions.items[i]);
    return true;
}

static bool plan(struct delete_records *delete)
{
    struct arena *arena = &delete->request->arena;
    const struct kafka_delete_records_request_topic_array *topics = &delete->body.topics;
    size_t count = 0;

    for (int32_t i = 0; i < topics->count; i++)
        count += (size_t)topics->items[i].partitions.count;
    delete->trims = arena_new_array(arena, count, struct trim);
    if (delete->trims == NULL || kafka_delete_records_response_topic_array_init(
                                     &delete->response.topics, arena, topics->count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < topics->count; i++) {
        if (!plan_topic(delete, &topics->items[i], &delete->response.topics.items[i]))
            return false;
    }
    return true;
}

/* --- carrying out --- */

static void start(struct delete_records *delete)
{
    struct request *request = delete->request;
    int64_t wait_ms = delete->body.timeout_ms > 0 ? delete->body.timeout_ms : USUAL_WAIT_MS;

    if (wait_ms > LONGEST_WAIT_MS)
        wait_ms = LONGEST_WAIT_MS;
    request->operation = delete;
    request->cancel = on_cancel;
    delete->pending = delete->trim_count;
    delete->deadline.fire = on_deadline;
    timer_start_in(request->broker->loop, &delete->deadline, wait_ms * 1000);
    for (int32_t i = 0; i < delete->trim_count; i++) {
        request_hold(request);
        replica_ref(delete->trims[i].trim.replica);
        replica_trim_submit(&delete->trims[i].trim);
    }
}

void handle_delete_records(struct request *request)
{
    struct delete_records *delete = arena_new(&request->arena, struct delete_records);

    if (delete == NULL) {
        request_fail_no_room(request);
        return;
    }
    delete->request = request;
    if (!request_read(request, kafka_delete_records_request, &delete->body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    kafka_delete_records_response_init_defaults(&delete->response);
    if (!plan(delete)) {
        request_fail_no_room(request);
        return;
    }
    if (delete->trim_count > 0)
        start(delete);
    else
        answer(delete);
}
