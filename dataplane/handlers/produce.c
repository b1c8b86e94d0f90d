/* SPDX-License-Identifier: Apache-2.0 */
/* Produce: each partition's batch goes to the partition's own loop; the answer leaves when all are
 * durable under the high watermark (acks 1 and -1), or in the log's tail (0, which gets no answer).
 *
 *   COLLECTING ──▶ APPENDING ──all done──▶ ANSWERED
 *                      └──timeout_ms──▶ ANSWERED (what is open gets REQUEST_TIMED_OUT; its batch stays
 *                                       in the log, the request's memory until it is done)
 *
 * Order per connection: the batches of one request are submitted before the next request starts, which
 * waits while a worker checks one of them; and mail from one loop to another keeps its order.
 * kafka-protocol.md 4.2, 4.3. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/produce_request.h"
#include "common/kafka/produce_response.h"
#include "dataplane/dispatch/throttle.h"
#include "dataplane/handlers/hosted_partition.h"

struct produce_append {
    struct replica_append append;
    struct produce *produce;
    struct kafka_produce_response_partition *out;
    struct check_slot check; /* the connection's order waits while a worker checks the batch */
    struct hash_node node;   /* by replica: one batch a partition and request */
};

struct produce {
    struct request *request;
    struct kafka_produce_request body;
    struct kafka_produce_response response;
    struct produce_append *appends;
    size_t append_count;
    size_t open_count;
    struct timer timeout;
    bool is_answered;
    bool has_error;
};

static void set_error(struct produce *produce, struct kafka_produce_response_partition *out,
                      enum kafka_error error, const char *message)
{
    counter_add(&produce->request->broker->metrics->produce_failures, 1);
    out->error_code = (int16_t)error;
    out->base_offset = -1;
    out->log_append_time_ms = -1;
    out->log_start_offset = -1;
    out->error_message = message ? slice_from_cstring(message) : SLICE_NULL;
    produce->has_error = true;
}

static void answer(struct produce *produce)
{
    struct request *request = produce->request;

    produce->is_answered = true;
    timer_stop(request->broker->loop, &produce->timeout);
    throttle_refresh(request);
    produce->response.throttle_time_ms = request->throttle_time_ms;
    if (produce->body.acks != 0) {
        request_reply(request, kafka_produce_response, &produce->response);
        return;
    }
    /* Nobody is told: closing is how a client without acks learns of an error. */
    request->closes = produce->has_error;
    request_finish_without_answer(request);
}

static void on_timeout(struct timer *timer)
{
    struct produce *produce = container_of(timer, struct produce, timeout);

    for (size_t i = 0; i < produce->append_count; i++) {
        if (produce->appends[i].out != NULL)
            set_error(produce, produce->appends[i].out, KAFKA_REQUEST_TIMED_OUT,
                      "the batch was not durable in time; it may be later");
        produce->appends[i].out = NULL;
    }
    answer(produce);
}

static void fill_in(struct produce_append *item)
{
    const struct replica_append *append = &item->append;
    struct kafka_produce_response_partition *out = item->out;
    struct loop_metrics *metrics = item->produce->request->broker->metrics;

    if (append->error != KAFKA_NONE) {
        set_error(item->produce, out, append->error, append->error_message);
        if (append->bad_record_index >= 0 &&
            kafka_produce_response_record_error_array_init(
                &out->record_errors, &item->produce->request->arena, 1) == ERR_OK) {
            out->record_errors.items[0].batch_index = append->bad_record_index;
            out->record_errors.items[0].batch_index_error_message = out->error_message;
        }
        return;
    }
    counter_add(&metrics->records_in, append->last_offset - append->base_offset + 1);
    counter_add(&metrics->record_bytes_in, (int64_t)append->records_len);
    out->error_code = KAFKA_NONE;
    out->base_offset = append->base_offset;
    out->log_append_time_ms = append->log_append_time_ms;
    out->log_start_offset = append->log_start;
}

static void on_appended(struct replica_append *append)
{
    struct produce_append *item = container_of(append, struct produce_append, append);
    struct produce *produce = item->produce;
    struct request *request = produce->request;

    if (item->out != NULL)
        fill_in(item);
    item->out = NULL;
    replica_unref(append->replica);
    produce->open_count--;
    if (produce->open_count == 0 && !produce->is_answered)
        answer(produce);
    request_release(request);
}

static void on_order_released(struct replica_append *append)
{
    struct produce_append *item = container_of(append, struct produce_append, append);

    scheduler_check_done(&item->produce->request->broker->scheduler, &item->check);
}

static void on_check_slot(struct check_slot *slot)
{
    replica_append_check(&container_of(slot, struct produce_append, check)->append);
}

static void wants_worker(struct replica_append *append)
{
    struct produce_append *item = container_of(append, struct produce_append, append);

    scheduler_want_check(&item->check, item->produce->request->session, on_check_slot);
}

static bool is_same_replica(const struct hash_node *node, const void *key)
{
    return container_of(node, struct produce_append, node)->append.replica == key;
}

/* NONE, or why this partition gets nothing appended. */
static enum kafka_error check(struct produce *produce,
                              const struct kafka_produce_request_topic *topic, int32_t index,
                              struct hash_table *seen, struct hosted_partition *ret_hosted)
{
    struct request *request = produce->request;
    struct topic_reference reference = {request->version >= 13, topic->name, topic->topic_id};
    const struct image_topic *image_topic = NULL;
    enum kafka_error error = hosted_partition_find(request, &reference, index, -1, ret_hosted);
    uint64_t hash = 0;

    if (!request_may(request, ACCESS_WRITE) && error != KAFKA_UNKNOWN_TOPIC_ID)
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    image_topic = ret_hosted->topic;
    if (!reference.by_id && slice_equal_cstring(topic->name, "__consumer_offsets"))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    if (error != KAFKA_NONE)
        return error;
    if (image_topic->is_internal)
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    if (produce->body.acks == -1 &&
        ret_hosted->partition->isr_count < image_topic->min_insync_replicas)
        return KAFKA_NOT_ENOUGH_REPLICAS;
    hash = hash_bytes(request->broker->seed, &ret_hosted->replica, sizeof(ret_hosted->replica));
    if (hash_table_find(seen, hash, is_same_replica, ret_hosted->replica) != NULL)
        return KAFKA_INVALID_REQUEST;
    return KAFKA_NONE;
}

static void prepare(struct produce *produce, const struct kafka_produce_request_partition *in,
                    struct kafka_produce_response_partition *out, struct replica *replica,
                    struct hash_table *seen)
{
    struct produce_append *item = &produce->appends[produce->append_count];
    uint64_t hash = hash_bytes(produce->request->broker->seed, &replica, sizeof(replica));

    item->append = (struct replica_append){
        .replica = replica,
        /* The frame is ours and outlives the append: the log rewrites header fields in it. */
        .records = (uint8_t *)(uintptr_t)in->records.data,
        .records_len = in->records.len,
        .origin = APPEND_CLIENT,
        .acks = produce->body.acks,
        .produce_version = produce->request->version,
        .home = produce->request->broker->loop,
        .done = on_appended,
        .order_released = on_order_released,
        .wants_worker = wants_worker,
    };
    item->produce = produce;
    item->out = out;
    if (hash_table_insert(seen, hash, &item->node) != ERR_OK) {
        set_error(produce, out, KAFKA_KAFKA_STORAGE_ERROR, "out of memory; try again");
        return;
    }
    produce->append_count++;
}

static enum kafka_error check_whole_request(const struct kafka_produce_request *body)
{
    if (body->acks < -1 || body->acks > 1)
        return KAFKA_INVALID_REQUIRED_ACKS;
    /* No transactional id is registered here: none can own a producer id. */
    if (!slice_is_null(body->transactional_id))
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    return KAFKA_NONE;
}

static void collect_topic(struct produce *produce, const struct kafka_produce_request_topic *topic,
                          struct kafka_produce_response_topic *out, struct hash_table *seen)
{
    enum kafka_error whole = check_whole_request(&produce->body);

    for (int32_t i = 0; i < topic->partition_data.count; i++) {
        const struct kafka_produce_request_partition *in = &topic->partition_data.items[i];
        struct kafka_produce_response_partition *partition = &out->partition_responses.items[i];
        struct hosted_partition hosted;
        enum kafka_error error = whole;

        partition->index = in->index;
        if (error == KAFKA_NONE)
            error = check(produce, topic, in->index, seen, &hosted);
        if (error == KAFKA_NONE && slice_is_null(in->records))
            error = KAFKA_INVALID_RECORD;
        if (error != KAFKA_NONE)
            set_error(produce, partition, error, NULL);
        else
            prepare(produce, in, partition, hosted.replica, seen);
    }
}

static bool collect(struct produce *produce)
{
    struct request *request = produce->request;
    const struct kafka_produce_request_topic_array *topics = &produce->body.topic_data;
    struct hash_table seen;
    size_t count = 0;

    for (int32_t t = 0; t < topics->count; t++)
        count += (size_t)topics->items[t].partition_data.count;
    produce->appends = arena_new_array(&request->arena, count, struct produce_append);
    if (produce->appends == NULL ||
        kafka_produce_response_topic_array_init(&produce->response.responses, &request->arena,
                                                topics->count) != ERR_OK)
        return false;
    hash_table_init_spare(&seen, request->broker->seed, &request->broker->loop->spares);
    for (int32_t t = 0; t < topics->count; t++) {
        struct kafka_produce_response_topic *out = &produce->response.responses.items[t];

        out->name = topics->items[t].name;
        out->topic_id = topics->items[t].topic_id;
        if (kafka_produce_response_partition_array_init(&out->partition_responses, &request->arena,
                                                        topics->items[t].partition_data.count) !=
            ERR_OK)
            break;
        collect_topic(produce, &topics->items[t], out, &seen);
    }
    hash_table_done(&seen);
    return true;
}

void handle_produce(struct request *request)
{
    struct produce *produce = arena_new(&request->arena, struct produce);

    if (produce == NULL) {
        request_fail(request, "out of memory");
        return;
    }
    if (!request_read(request, kafka_produce_request, &produce->body))
        return;
    throttle_produce(request);
    produce->request = request;
    produce->timeout.fire = on_timeout;
    kafka_produce_response_init_defaults(&produce->response);
    if (!collect(produce)) {
        request_fail(request, "out of memory");
        return;
    }
    produce->open_count = produce->append_count;
    if (produce->open_count == 0) {
        answer(produce);
        return;
    }
    if (produce->body.acks == -1 && produce->body.timeout_ms > 0)
        timer_start_in(request->broker->loop, &produce->timeout,
                       (int64_t)produce->body.timeout_ms * 1000);
    /* All are counted before the first is submitted. */
    for (size_t i = 0; i < produce->append_count; i++) {
        request_hold(request);
        replica_ref(produce->appends[i].append.replica);
    }
    for (size_t i = 0; i < produce->append_count; i++)
        replica_append_submit(&produce->appends[i].append);
}
