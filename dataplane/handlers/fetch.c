/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch: what is there at once, or a wait until there is enough (kafka-protocol.md 4.4).
 *
 *   LOOKING ──nothing to read──▶ WAITING ──woken, max_wait over──▶ GATHERING ──all back──▶ LOOKING
 *      │ ▲
 *      │ └──────── not enough bytes, time left: WAITING ◀──┐
 *      └─something──▶ READING ──all read──▶ enough? ───────┴──▶ ANSWERED
 *
 * LOOKING takes each partition's snapshot on this loop. READING asks for ranges, in order, within the
 * request's bytes; the first partition with data makes progress whatever its size. GATHERING waits until
 * every waiter is ours again. Cancelled (connection closed): ends without an answer from any state. */
#include "dataplane/dispatch/request_memory.h"
#include "dataplane/dispatch/throttle.h"
#include "dataplane/handlers/fetch_internal.h"
#include "dataplane/handlers/hosted_partition.h"

enum {
    FETCH_MAX_BYTES = 57671680,
    NEAR_BYTES = 1 << 20,   /* more at once only spoils the caches when the client is near */
    LINE_BYTES_A_US = 1000, /* a client that is far gets what a fast line carries in a round trip */
    LEAST_BYTES = 65536,    /* with less memory than this a fetch waits, when it wants so much */
    MEMORY_RETRY_US = 5000,
    MAX_WAIT_MS = 300000
};

static void look(struct fetch *fetch);

static bool uses_ids(const struct request *request)
{
    return request->version >= 13;
}

static void drop_records(struct request *request)
{
    struct fetch *fetch = request->operation;

    for (int32_t i = 0; i < fetch->item_count; i++) {
        if (fetch->items[i].has_read)
            replica_read_done(&fetch->items[i].read);
        fetch->items[i].has_read = false;
    }
    request_give_memory(request, fetch->held_bytes);
    fetch->held_bytes = 0;
}

void fetch_leave(struct fetch *fetch)
{
    for (int32_t i = 0; i < fetch->item_count; i++) {
        if (fetch->items[i].replica != NULL)
            replica_unref(fetch->items[i].replica);
        fetch->items[i].replica = NULL;
    }
    if (fetch->session != NULL)
        fetch_session_release(fetch->request->broker->fetch_sessions, fetch->session);
    fetch->session = NULL;
    timer_stop(fetch->request->broker->loop, &fetch->timer);
    fetch->state = FETCH_ANSWERED;
}

static void give_up(struct fetch *fetch)
{
    fetch_leave(fetch);
    request_finish_without_answer(fetch->request);
}

/* --- waiting --- */

static void one_back(struct fetch *fetch)
{
    if (--fetch->open_count > 0)
        return;
    if (fetch->is_cancelled)
        give_up(fetch);
    else
        look(fetch);
}

static void on_cancelled(struct replica_waiter *waiter)
{
    struct fetch_item *item = container_of(waiter, struct fetch_item, waiter);

    item->is_waiting = false;
    one_back(item->fetch);
}

static void gather(struct fetch *fetch)
{
    fetch->state = FETCH_GATHERING;
    for (int32_t i = 0; i < fetch->item_count; i++) {
        if (fetch->items[i].is_waiting)
            replica_wait_cancel(&fetch->items[i].waiter, on_cancelled);
    }
}

static void on_wake(struct replica_waiter *waiter)
{
    struct fetch_item *item = container_of(waiter, struct fetch_item, waiter);
    struct fetch *fetch = item->fetch;

    if (fetch->state == FETCH_WAITING)
        gather(fetch);
}

static void on_max_wait(struct timer *timer)
{
    struct fetch *fetch = container_of(timer, struct fetch, timer);

    if (fetch->state != FETCH_WAITING)
        return;
    if (fetch->open_count > 0)
        gather(fetch);
    else
        look(fetch);
}

static void wait_for_more(struct fetch *fetch)
{
    struct loop *loop = fetch->request->broker->loop;

    drop_records(fetch->request);
    fetch->state = FETCH_WAITING;
    timer_start(loop, &fetch->timer, fetch->deadline_us);
    for (int32_t i = 0; i < fetch->item_count; i++) {
        struct fetch_item *item = &fetch->items[i];

        if (item->replica == NULL)
            continue;
        item->waiter = (struct replica_waiter){
            .replica = item->replica,
            .home = loop,
            .offset = fetch->body.isolation_level == 1 ? item->last_stable : item->high_watermark,
            .isolation = fetch->body.isolation_level == 1 ? READ_COMMITTED : READ_UNCOMMITTED,
            .wake = on_wake,
        };
        item->is_waiting = true;
        fetch->open_count++;
    }
    for (int32_t i = 0; i < fetch->item_count; i++) {
        if (fetch->items[i].is_waiting)
            replica_wait(&fetch->items[i].waiter);
    }
}

/* --- reading --- */

static bool is_time_over(const struct fetch *fetch)
{
    return loop_now_us(fetch->request->broker->loop) >= fetch->deadline_us;
}

static bool is_enough(const struct fetch *fetch)
{
    return fetch->has_error || is_time_over(fetch) || (fetch->is_short && fetch->read_bytes > 0) ||
           fetch->read_bytes >= (size_t)(fetch->body.min_bytes > 0 ? fetch->body.min_bytes : 0);
}

/* The quota is paid for what leaves; what is read again later is paid then. */
static void settle(struct fetch *fetch, size_t sent_bytes)
{
    if (fetch->reserved_bytes > 0)
        throttle_settle_fetch(fetch->request, fetch->reserved_bytes, sent_bytes);
    fetch->reserved_bytes = 0;
}

static void decide(struct fetch *fetch)
{
    if (fetch->is_cancelled) {
        settle(fetch, 0);
        give_up(fetch);
    } else if (is_enough(fetch)) {
        settle(fetch, fetch->read_bytes);
        fetch_answer(fetch);
    } else {
        settle(fetch, 0);
        wait_for_more(fetch);
    }
}

/* One batch may be larger than what was asked for: the first partition makes progress. */
static void hold_what_was_read(struct fetch *fetch)
{
    if (fetch->read_bytes > fetch->held_bytes)
        request_force_memory(fetch->request, fetch->read_bytes - fetch->held_bytes);
    else
        request_give_memory(fetch->request, fetch->held_bytes - fetch->read_bytes);
    fetch->held_bytes = fetch->read_bytes;
}

static void on_read(struct replica_read *read)
{
    struct fetch_item *item = container_of(read, struct fetch_item, read);
    struct fetch *fetch = item->fetch;

    item->is_reading = false;
    item->has_read = true;
    if (read->error != KAFKA_NONE) {
        item->error = read->error;
        fetch->has_error = true;
    } else {
        item->high_watermark = read->high_watermark;
        item->last_stable = read->last_stable;
        item->log_start = read->log_start;
        fetch->read_bytes += read->records_len;
    }
    if (--fetch->open_count > 0)
        return;
    hold_what_was_read(fetch);
    decide(fetch);
}

static size_t at_most(int32_t bytes, size_t bound)
{
    size_t size = bytes < 0 ? 0 : (size_t)bytes;

    return size < bound ? size : bound;
}

/* What is sent at once, at most: enough to fill the line until the client can ask again. */
static size_t answer_bytes_max(const struct fetch *fetch)
{
    int64_t on_the_line =
        connection_round_trip_us(fetch->request->session->connection) * LINE_BYTES_A_US;

    if (on_the_line >= FETCH_MAX_BYTES)
        return FETCH_MAX_BYTES;
    return on_the_line > NEAR_BYTES ? (size_t)on_the_line : NEAR_BYTES;
}

/* What the client would take, up to `bound`; at least 1, for the first partition makes progress. */
static size_t wanted_bytes(struct fetch *fetch, size_t bound)
{
    size_t wanted = 0;

    for (int32_t i = 0; i < fetch->item_count && wanted < bound; i++) {
        struct fetch_item *item = &fetch->items[i];

        if (!item->has_data)
            continue;
        /* No more than there is: what one does not need is the next one's. */
        item->wanted_bytes = replica_bytes_from(item->replica, item->target->offset,
                                                at_most(item->target->max_bytes, bound - wanted));
        wanted += item->wanted_bytes;
    }
    return wanted > 0 ? wanted : 1;
}

/* Memory, then quota, for as much of `wanted` as there is of both; 0 = the fetch waits or is answered. */
static size_t get_leave_to_read(struct fetch *fetch, size_t wanted)
{
    struct request *request = fetch->request;
    size_t least = wanted < LEAST_BYTES ? wanted : LEAST_BYTES;
    size_t granted = request_take_memory(request, wanted, least);

    if (granted == 0 && !is_time_over(fetch)) {
        fetch->state = FETCH_WAITING;
        timer_start_in(request->broker->loop, &fetch->timer, MEMORY_RETRY_US);
        return 0;
    }
    if (granted > 0) {
        fetch->held_bytes = granted;
        fetch->reserved_bytes = throttle_reserve_fetch(request, granted);
        if (fetch->reserved_bytes > 0)
            return fetch->reserved_bytes;
        request_give_memory(request, granted);
        fetch->held_bytes = 0;
    }
    fetch_answer(fetch);
    return 0;
}

static void start_reads(struct fetch *fetch)
{
    size_t most = answer_bytes_max(fetch);
    size_t wanted = wanted_bytes(fetch, at_most(fetch->body.max_bytes, most));
    size_t left = get_leave_to_read(fetch, wanted);
    bool is_first = true;

    if (left == 0)
        return;
    fetch->is_short = left < wanted || wanted == most;
    fetch->state = FETCH_READING;
    for (int32_t i = 0; i < fetch->item_count; i++) {
        struct fetch_item *item = &fetch->items[i];
        size_t max = item->wanted_bytes < left ? item->wanted_bytes : left;

        if (!item->has_data || (left == 0 && !is_first))
            continue;
        item->read = (struct replica_read){
            .replica = item->replica,
            .home = fetch->request->broker->loop,
            .offset = item->target->offset,
            .max_bytes = max,
            .must_progress = is_first,
            .isolation = fetch->body.isolation_level == 1 ? READ_COMMITTED : READ_UNCOMMITTED,
            .done = on_read,
        };
        item->is_reading = true;
        fetch->open_count++;
        left -= max;
        is_first = false;
    }
    for (int32_t i = 0; i < fetch->item_count; i++) {
        if (fetch->items[i].is_reading)
            replica_read_submit(&fetch->items[i].read);
    }
}

/* --- looking --- */

static void look_at(struct fetch *fetch, struct fetch_item *item)
{
    const struct fetch_target *target = item->target;
    struct topic_reference reference = {uses_ids(fetch->request), target->topic, target->topic_id};
    const struct log_snapshot *snapshot = NULL;
    struct hosted_partition hosted;
    int64_t bound = 0;

    item->has_data = false;
    item->error = hosted_partition_find(fetch->request, &reference, target->partition,
                                        target->current_leader_epoch, &hosted);
    item->leader = hosted.partition ? hosted.partition->leader : -1;
    item->epoch = hosted.partition ? hosted.partition->leader_epoch : -1;
    if (item->error == KAFKA_NONE) {
        snapshot = replica_snapshot(hosted.replica);
        if (target->offset < snapshot->log_start || target->offset > snapshot->log_end)
            item->error = KAFKA_OFFSET_OUT_OF_RANGE;
    }
    if (item->error != KAFKA_NONE) {
        fetch->has_error = true;
        return;
    }
    item->replica = hosted.replica;
    replica_ref(item->replica);
    item->high_watermark = snapshot->high_watermark;
    item->last_stable = snapshot->last_stable;
    item->log_start = snapshot->log_start;
    bound = fetch->body.isolation_level == 1 ? snapshot->last_stable : snapshot->high_watermark;
    item->has_data = target->offset < bound;
}

static void look(struct fetch *fetch)
{
    bool has_data = false;

    fetch->state = FETCH_LOOKING;
    fetch->has_error = false;
    fetch->read_bytes = 0;
    timer_stop(fetch->request->broker->loop, &fetch->timer);
    for (int32_t i = 0; i < fetch->item_count; i++) {
        struct fetch_item *item = &fetch->items[i];

        if (item->replica != NULL)
            replica_unref(item->replica);
        item->replica = NULL;
        look_at(fetch, item);
        has_data = has_data || item->has_data;
    }
    if (has_data)
        start_reads(fetch);
    else if (fetch->item_count == 0)
        fetch_answer(fetch);
    else
        decide(fetch);
}

static void on_connection_closed(struct request *request)
{
    struct fetch *fetch = request->operation;

    fetch->is_cancelled = true;
    if (fetch->state == FETCH_WAITING && fetch->open_count > 0)
        gather(fetch);
    else if (fetch->state == FETCH_WAITING)
        give_up(fetch);
    /* READING and GATHERING end by themselves. */
}

/* --- sessions --- */

static void target_from(const struct kafka_fetch_request_topic *topic,
                        const struct kafka_fetch_request_partition *in, struct fetch_target *target)
{
    *target = (struct fetch_target){
        .topic = slice_is_null(topic->topic) ? SLICE_LITERAL("") : topic->topic,
        .topic_id = topic->topic_id,
        .partition = in->partition,
        .current_leader_epoch = in->current_leader_epoch,
        .last_fetched_epoch = in->last_fetched_epoch,
        .max_bytes = in->partition_max_bytes,
        .offset = in->fetch_offset,
    };
}

static bool follow_all(struct fetch *fetch)
{
    struct fetch_sessions *sessions = fetch->request->broker->fetch_sessions;
    const struct kafka_fetch_request *body = &fetch->body;

    for (int32_t t = 0; t < body->forgotten_topics_data.count; t++) {
        const struct kafka_fetch_request_forgotten_topic *topic =
            &body->forgotten_topics_data.items[t];
        struct slice name = slice_is_null(topic->topic) ? SLICE_LITERAL("") : topic->topic;

        for (int32_t p = 0; p < topic->partitions.count; p++)
            fetch_session_forget(sessions, fetch->session, name, topic->topic_id,
                                 topic->partitions.items[p]);
    }
    for (int32_t t = 0; t < body->topics.count; t++) {
        const struct kafka_fetch_request_topic *topic = &body->topics.items[t];

        for (int32_t p = 0; p < topic->partitions.count; p++) {
            struct fetch_target target;

            target_from(topic, &topic->partitions.items[p], &target);
            if (!fetch_session_put(sessions, fetch->session, &target))
                return false;
        }
    }
    return true;
}

static bool items_from_session(struct fetch *fetch)
{
    int32_t i = 0;

    fetch->items = arena_new_array(&fetch->request->arena, (size_t)fetch->session->partition_count,
                                   struct fetch_item);
    if (fetch->items == NULL)
        return false;
    list_for_each(&fetch->session->partitions, link)
    {
        struct fetch_session_partition *followed =
            container_of(link, struct fetch_session_partition, link);

        fetch->items[i].fetch = fetch;
        fetch->items[i].followed = followed;
        fetch->items[i].target = &followed->target;
        i++;
    }
    fetch->item_count = i;
    return true;
}

static bool items_from_request(struct fetch *fetch)
{
    const struct kafka_fetch_request_topic_array *topics = &fetch->body.topics;
    size_t count = 0;

    for (int32_t t = 0; t < topics->count; t++)
        count += (size_t)topics->items[t].partitions.count;
    fetch->targets = arena_new_array(&fetch->request->arena, count, struct fetch_target);
    fetch->items = arena_new_array(&fetch->request->arena, count, struct fetch_item);
    if (fetch->targets == NULL || fetch->items == NULL)
        return false;
    for (int32_t t = 0; t < topics->count; t++) {
        for (int32_t p = 0; p < topics->items[t].partitions.count; p++) {
            struct fetch_item *item = &fetch->items[fetch->item_count];

            item->fetch = fetch;
            item->target = &fetch->targets[fetch->item_count];
            target_from(&topics->items[t], &topics->items[t].partitions.items[p],
                        &fetch->targets[fetch->item_count]);
            fetch->item_count++;
        }
    }
    return true;
}

/* (0,-1) none; (0,0) open; (id,0) close and open anew; (id,-1) close, none; (id,n) go on. */
static enum kafka_error enter_session(struct fetch *fetch)
{
    struct request *request = fetch->request;
    struct fetch_sessions *sessions = request->broker->fetch_sessions;
    const struct kafka_fetch_request *body = &fetch->body;
    int64_t now_us = loop_now_us(request->broker->loop);
    int32_t instance_no = request_instance(request);

    fetch->is_full = true;
    if (body->session_epoch > 0) {
        fetch->is_full = false;
        return fetch_session_continue(sessions, instance_no, body->session_id, body->session_epoch,
                                      uses_ids(request), now_us, &fetch->session);
    }
    if (body->session_id != 0)
        fetch_session_close(sessions, instance_no, body->session_id);
    if (body->session_epoch == 0 && request->version >= 7)
        fetch->session = fetch_session_open(sessions, instance_no, uses_ids(request), now_us);
    return KAFKA_NONE;
}

/* Over quota: an empty answer at once. An open session takes note of what the client changed and goes
 * on; a new one is not opened (as Apache does). */
static void answer_throttled(struct fetch *fetch)
{
    struct request *request = fetch->request;
    int32_t id = 0;

    if (fetch->session != NULL && !fetch->is_full && follow_all(fetch))
        id = fetch->session->id;
    fetch_leave(fetch);
    fetch_answer_empty(request, KAFKA_NONE, id);
}

static bool prepare_items(struct fetch *fetch)
{
    if (fetch->session == NULL)
        return items_from_request(fetch);
    return follow_all(fetch) && items_from_session(fetch);
}

void handle_fetch(struct request *request)
{
    struct fetch *fetch = arena_new(&request->arena, struct fetch);
    enum kafka_error error = KAFKA_NONE;
    int32_t wait_ms = 0;

    if (fetch == NULL) {
        request_fail(request, "out of memory");
        return;
    }
    if (!request_read(request, kafka_fetch_request, &fetch->body))
        return;
    fetch->request = request;
    fetch->timer.fire = on_max_wait;
    request->operation = fetch;
    request->release = drop_records;
    error = enter_session(fetch);
    if (error != KAFKA_NONE) {
        fetch_answer_empty(request, error, 0);
        return;
    }
    if (throttle_is_consume_over(request)) {
        answer_throttled(fetch);
        return;
    }
    if (!prepare_items(fetch)) {
        fetch_leave(fetch);
        request_fail(request, "too many partitions, or out of memory");
        return;
    }
    wait_ms = fetch->body.max_wait_ms;
    wait_ms = wait_ms < 0 ? 0 : wait_ms > MAX_WAIT_MS ? MAX_WAIT_MS : wait_ms;
    fetch->deadline_us = loop_now_us(request->broker->loop) + (int64_t)wait_ms * 1000;
    request->cancel = on_connection_closed;
    look(fetch);
}
