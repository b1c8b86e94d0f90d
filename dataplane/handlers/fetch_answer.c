/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a fetch: which partitions are listed, and their records without a copy. */
#include "common/kafka/fetch_response.h"
#include "dataplane/handlers/fetch_internal.h"

/* Incremental answers list what changed only. */
static bool is_listed(const struct fetch *fetch, const struct fetch_item *item)
{
    const struct fetch_session_partition *known = item->followed;

    if (fetch->is_full || known == NULL || !known->is_told || item->error != KAFKA_NONE ||
        (item->has_read && item->read.records_len > 0))
        return true;
    return known->high_watermark != item->high_watermark ||
           known->last_stable != item->last_stable || known->log_start != item->log_start;
}

static void remember_told(struct fetch *fetch, struct fetch_item *item)
{
    struct fetch_session_partition *known = item->followed;

    if (known == NULL)
        return;
    known->is_told = item->error == KAFKA_NONE;
    known->high_watermark = item->high_watermark;
    known->last_stable = item->last_stable;
    known->log_start = item->log_start;
    if (item->has_read && item->read.records_len > 0)
        fetch_session_rotate(fetch->session, known);
}

static void fill_partition(const struct fetch *fetch, const struct fetch_item *item,
                           struct kafka_fetch_response_partition *out)
{
    out->partition_index = item->target->partition;
    out->error_code = (int16_t)item->error;
    out->records = SLICE_LITERAL("");
    out->aborted_transactions.count = fetch->body.isolation_level == 1 ? 0 : -1;
    if (item->error == KAFKA_NOT_LEADER_OR_FOLLOWER || item->error == KAFKA_FENCED_LEADER_EPOCH) {
        out->current_leader.leader_id = item->leader;
        out->current_leader.leader_epoch = item->epoch;
    }
    out->high_watermark = -1;
    out->last_stable_offset = -1;
    out->log_start_offset = -1;
    if (item->error != KAFKA_NONE)
        return;
    out->high_watermark = item->high_watermark;
    out->last_stable_offset = item->last_stable;
    out->log_start_offset = item->log_start;
    if (item->has_read)
        out->records = slice_of(item->read.records, item->read.records_len);
    if (slice_is_null(out->records))
        out->records = SLICE_LITERAL("");
}

static bool is_same_topic(const struct fetch_item *a, const struct fetch_item *b)
{
    return uuid_equal(a->target->topic_id, b->target->topic_id) &&
           slice_compare(a->target->topic, b->target->topic) == 0;
}

static void count_partition(const struct fetch *fetch,
                            const struct kafka_fetch_response_partition *out)
{
    struct loop_metrics *metrics = fetch->request->broker->metrics;

    if (out->error_code != KAFKA_NONE)
        counter_add(&metrics->fetch_failures, 1);
    counter_add(&metrics->record_bytes_out, (int64_t)out->records.len);
}

/* Listed items that follow each other and share a topic become one topic entry. */
static enum err fill_topics(struct fetch *fetch, struct fetch_item **listed, int32_t count,
                            struct kafka_fetch_response *response)
{
    struct arena *arena = &fetch->request->arena;
    int32_t topics = 0;
    int32_t at = 0;
    enum err rc = ERR_OK;

    for (int32_t i = 0; i < count; i++)
        topics += i == 0 || !is_same_topic(listed[i], listed[i - 1]);
    rc = kafka_fetch_response_topic_array_init(&response->responses, arena, topics);
    for (int32_t t = 0; rc == ERR_OK && t < topics; t++) {
        struct kafka_fetch_response_topic *topic = &response->responses.items[t];
        int32_t first = at;

        while (at < count && is_same_topic(listed[at], listed[first]))
            at++;
        topic->topic = listed[first]->target->topic;
        topic->topic_id = listed[first]->target->topic_id;
        rc = kafka_fetch_response_partition_array_init(&topic->partitions, arena, at - first);
        for (int32_t p = 0; rc == ERR_OK && p < at - first; p++) {
            fill_partition(fetch, listed[first + p], &topic->partitions.items[p]);
            count_partition(fetch, &topic->partitions.items[p]);
        }
    }
    return rc;
}

static void send_answer(struct request *request, const struct kafka_fetch_response *response,
                        size_t cut_count)
{
    struct kafka_cut_list *cuts = request_cuts(request, cut_count + 1);
    struct writer writer;
    enum err rc = ERR_NO_MEMORY;

    if (cuts == NULL) {
        request_fail(request, "out of memory");
        return;
    }
    writer = request_begin_response(request);
    rc = kafka_fetch_response_write_cut(&writer, request->version, response, cuts);
    request_end_response(request, &writer, rc);
}

void fetch_answer(struct fetch *fetch)
{
    struct request *request = fetch->request;
    struct fetch_item **listed =
        arena_new_array(&request->arena, (size_t)fetch->item_count, struct fetch_item *);
    struct kafka_fetch_response response;
    int32_t count = 0;
    size_t cut_count = 0;

    kafka_fetch_response_init_defaults(&response);
    for (int32_t i = 0; listed != NULL && i < fetch->item_count; i++) {
        struct fetch_item *item = &fetch->items[i];

        if (is_listed(fetch, item))
            listed[count++] = item;
        cut_count += item->has_read;
        remember_told(fetch, item);
    }
    response.throttle_time_ms = request->throttle_time_ms;
    response.session_id = fetch->session ? fetch->session->id : 0;
    if (listed == NULL || fill_topics(fetch, listed, count, &response) != ERR_OK) {
        fetch_leave(fetch);
        request_fail(request, "out of memory");
        return;
    }
    /* The names in the response live in the session: it is released after they are written. */
    request_hold(request);
    send_answer(request, &response, cut_count);
    fetch_leave(fetch);
    request_release(request);
}

void fetch_answer_empty(struct request *request, enum kafka_error error, int32_t session_id)
{
    struct kafka_fetch_response response;

    kafka_fetch_response_init_defaults(&response);
    response.error_code = (int16_t)error;
    response.session_id = session_id;
    response.throttle_time_ms = request->throttle_time_ms;
    request_reply(request, kafka_fetch_response, &response);
}
