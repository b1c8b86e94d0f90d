/* SPDX-License-Identifier: Apache-2.0 */
/* From frame to handler, and from answers to the wire in the order of arrival.
 *
 * Closed without an answer, as Apache does: unknown API, unsupported version (ApiVersions excepted: it
 * answers in any), malformed body, anything but SASL before login. */
#include "dataplane/dispatch/request.h"

#include "common/observe/log.h"
#include "dataplane/dispatch/request_memory.h"
#include "dataplane/dispatch/throttle.h"
#include "dataplane/quota/instance_usage.h"

#include <string.h>

enum {
    MAX_REQUESTS = 64,                /* under way on one connection */
    MAX_REQUEST_BYTES = 64 * 1048576, /* their frames together; one larger than this still fits */
    MAX_RESPONSE_BYTES = 64 * 1048576,
    ARENA_BASE_BYTES = 1 << 20,
    UNSENT_MARK_BYTES = 4 * 1048576,
    UNCOUNTED_BYTES = 4096 /* of a decoded request */
};

static void free_request(struct request *request)
{
    if (request->release != NULL)
        request->release(request);
    frame_free(request->broker->memory, &request->frame);
    request_give_memory(request, request->memory_bytes);
    buffer_done(&request->response);
    arena_done(&request->arena);
    spare_pool_give(&request->broker->loop->spares, request, sizeof(*request));
}

void request_hold(struct request *request)
{
    request->holds++;
}

void request_release(struct request *request)
{
    struct connection *connection = request->session->connection;

    invariant(request->holds > 0);
    if (--request->holds > 0)
        return;
    free_request(request);
    connection_unref(connection);
}

/* --- reading may go on? --- */

static void update_pause(struct session *session)
{
    bool is_full = session->request_count >= MAX_REQUESTS ||
                   session->request_bytes >= MAX_REQUEST_BYTES ||
                   connection_unsent_bytes(session->connection) >= UNSENT_MARK_BYTES;

    if (is_full == session->is_full)
        return;
    session->is_full = is_full;
    if (is_full) {
        connection_pause(session->connection);
        return;
    }
    connection_touch(session->connection);
    connection_resume(session->connection);
}

/* --- answers --- */

struct writer request_begin_response(struct request *request)
{
    struct writer writer;

    writer_init(&writer, &request->response);
    writer_i32(&writer, 0); /* size */
    if (writer.err == ERR_OK)
        writer.err = kafka_api_write_response_header(&writer, request->api, request->version,
                                                     request->correlation_id);
    return writer;
}

struct kafka_cut_list *request_cuts(struct request *request, size_t capacity)
{
    request->cuts = (struct kafka_cut_list){.capacity = capacity, .min_bytes = 512};
    request->cuts.items = arena_new_array(&request->arena, capacity, struct kafka_cut);
    return request->cuts.items ? &request->cuts : NULL;
}

static void mark_done(struct request *request)
{
    struct session *session = request->session;

    invariant(request->state == REQUEST_RUNNING);
    request->state = REQUEST_DONE;
    request->cancel = NULL;
    if (request->api != NULL && request->api->key == KAFKA_API_FETCH) {
        session->fetch_count--;
        scheduler_ready(&session->broker->scheduler, session);
    }
    dispatch_flush(session);
}

void request_fail(struct request *request, const char *why)
{
    log_event(
        LOG_INFO, "request_refused", f_str("peer", connection_peer(request->session->connection)),
        f_str("api", request->api->name), f_i64("version", request->version), f_str("why", why));
    request->has_answer = false;
    request->closes = true;
    mark_done(request);
}

void request_end_response(struct request *request, struct writer *writer, enum err rc)
{
    size_t size = request->response.len + request->cuts.total_bytes - 4;

    if (rc == ERR_OK)
        rc = writer->err;
    if (rc == ERR_OK && size > INT32_MAX)
        rc = ERR_TOO_LARGE;
    if (rc != ERR_OK) {
        request_fail(request, err_text(rc));
        return;
    }
    writer_patch_i32(writer, 0, (int32_t)size);
    request_force_memory(request, request->response.capacity);
    request->has_answer = true;
    mark_done(request);
}

void request_finish_without_answer(struct request *request)
{
    request->has_answer = false;
    mark_done(request);
}

/* Bytes after the request are ignored, as Apache ignores them: librdkafka 2.16 leaves three after a
 * Metadata for all topics (version 13). */
bool request_check_read(struct request *request, enum err rc)
{
    if (rc == ERR_OK) {
        if (request->arena.used_bytes > UNCOUNTED_BYTES)
            request_force_memory(request, request->arena.used_bytes);
        return true;
    }
    request_fail(request, err_text(rc));
    return false;
}

/* The buffer with the cuts put in, as vectors; nothing is copied. */
static bool make_iov(struct request *request)
{
    size_t at = 0;
    size_t most = 2 * request->cuts.count + 1;
    int count = 0;

    request->iov = most <= REQUEST_FEW_IOV ? request->few_iov
                                           : arena_new_array(&request->arena, most, struct iovec);
    if (request->iov == NULL)
        return false;
    for (size_t i = 0; i < request->cuts.count; i++) {
        const struct kafka_cut *cut = &request->cuts.items[i];

        request->iov[count++] = (struct iovec){request->response.data + at, cut->position - at};
        request->iov[count++] = (struct iovec){(void *)(uintptr_t)cut->bytes.data, cut->bytes.len};
        at = cut->position;
    }
    if (request->response.len > at)
        request->iov[count++] =
            (struct iovec){request->response.data + at, request->response.len - at};
    request->outgoing.iov = request->iov;
    request->outgoing.iov_count = count;
    return true;
}

static void on_sent(struct outgoing *outgoing)
{
    struct request *request = container_of(outgoing, struct request, outgoing);
    struct session *session = request->session;

    if (!session->is_closing)
        update_pause(session);
    request_release(request);
}

static void count_finished(const struct request *request)
{
    struct api_metrics *metrics = &request->broker->metrics->apis[request->api->key];

    histogram_note(&metrics->time, loop_now_us(request->broker->loop) - request->started_us);
    if (request->has_answer)
        counter_add(&metrics->bytes_out,
                    (int64_t)(request->response.len + request->cuts.total_bytes));
    else if (request->closes)
        counter_add(&metrics->refused, 1);
}

/* Takes a finished request out of the queue and sends its answer. */
static void finish(struct session *session, struct request *request)
{
    bool closes = request->closes;
    bool has_answer = request->has_answer;

    list_remove(&request->link);
    session->request_count--;
    session->request_bytes -= request->frame.len;
    request->state = REQUEST_SENT;
    if (request->is_counted)
        count_finished(request);
    throttle_mute(session, request->throttle_time_ms);
    if (session->is_closing || !has_answer || !make_iov(request)) {
        if (!session->is_closing && (closes || has_answer))
            connection_close(session->connection, ERR_CLOSED);
        request_release(request);
        return;
    }
    /* From here the frame is not needed, unless the answer borrows from it. */
    request->outgoing.done = on_sent;
    scheduler_charge(session, request->response.len + request->cuts.total_bytes);
    connection_send(session->connection, &request->outgoing);
    if (closes)
        connection_close_after_sending(session->connection);
}

void dispatch_flush(struct session *session)
{
    if (session->is_cancelling)
        return;
    connection_ref(session->connection);
    while (!list_is_empty(&session->requests)) {
        struct request *request = container_of(session->requests.next, struct request, link);

        if (request->state != REQUEST_DONE)
            break;
        finish(session, request);
    }
    if (!session->is_closing)
        update_pause(session);
    connection_unref(session->connection);
}

/* Requests that have not started are gone; those that run are told. */
void dispatch_cancel_all(struct session *session)
{
    struct list *queued = NULL;

    /* Nothing leaves the list while it is walked. */
    session->is_cancelling = true;
    while ((queued = list_pop_front(&session->queued)) != NULL)
        container_of(queued, struct request, queued_link)->state = REQUEST_DONE;
    list_for_each(&session->requests, link)
    {
        struct request *request = container_of(link, struct request, link);
        void (*cancel)(struct request *) = request->cancel;

        request->cancel = NULL;
        if (request->state == REQUEST_RUNNING && cancel != NULL)
            cancel(request);
    }
    session->is_cancelling = false;
    dispatch_flush(session);
}

/* --- requests --- */

static const struct api_handler *find_handler(const struct broker_loop *broker, int16_t key)
{
    for (const struct api_handler *handler = broker->handlers; handler->handle != NULL; handler++) {
        if ((int16_t)handler->key == key)
            return handler;
    }
    return NULL;
}

static struct request *new_request(struct session *session, struct frame frame)
{
    struct spare_pool *spares = &session->broker->loop->spares;
    struct request *request = spare_pool_take(spares, sizeof(*request));

    if (request == NULL)
        return NULL;
    memset(request, 0, sizeof(*request));
    request->session = session;
    request->broker = session->broker;
    request->frame = frame;
    request->account = frame.account;
    request->holds = 1;
    request->started_us = loop_now_us(session->broker->loop);
    arena_init_spare(&request->arena, ARENA_BASE_BYTES + frame.len * KAFKA_READ_AMPLIFICATION,
                     spares);
    buffer_init_spare(&request->response, MAX_RESPONSE_BYTES, spares);
    list_init(&request->link);
    list_init(&request->queued_link);
    list_init(&request->outgoing.link);
    reader_init(&request->body, slice_of(frame.data, frame.len));
    request_force_memory(request, sizeof(*request));
    return request;
}

void dispatch_frame(struct session *session, struct frame frame)
{
    struct request *request = new_request(session, frame);

    if (request == NULL) {
        frame_free(session->broker->memory, &frame);
        connection_close(session->connection, ERR_NO_MEMORY);
        return;
    }
    connection_ref(session->connection);
    list_push_back(&session->requests, &request->link);
    list_push_back(&session->queued, &request->queued_link);
    session->request_count++;
    session->request_bytes += frame.len;
    update_pause(session);
    if (session->queue == NULL)
        dispatch_start(request);
    else
        scheduler_ready(&session->broker->scheduler, session);
}

/* --- starting --- */

/* As the frame says; what it is worth is found out when it starts. */
static int16_t peek_key(const struct request *request)
{
    struct reader reader = request->body;
    int16_t key = reader_i16(&reader);

    return reader.err == ERR_OK ? key : -1;
}

bool request_is_data(const struct request *request)
{
    int16_t key = peek_key(request);

    return key == KAFKA_API_PRODUCE || key == KAFKA_API_FETCH;
}

struct request *dispatch_next(struct session *session)
{
    struct request *request = NULL;
    int16_t key = 0;

    if (list_is_empty(&session->queued))
        return NULL;
    request = container_of(session->queued.next, struct request, queued_link);
    key = peek_key(request);
    if ((key == KAFKA_API_FETCH && session->fetch_count > 0) ||
        (key == KAFKA_API_PRODUCE && session->checks > 0))
        return NULL;
    return request;
}

static void count_started(struct request *request)
{
    struct api_metrics *metrics = &request->broker->metrics->apis[request->api->key];

    request->is_counted = true;
    if (request->session->usage != NULL)
        instance_usage_count(&request->session->usage->counts.requests, 1);
    counter_add(&metrics->requests, 1);
    counter_add(&metrics->bytes_in, (int64_t)request->frame.len);
}

/* NULL, or why the connection is closed without an answer. */
static const char *read_header(struct request *request, const struct api_handler **ret_handler)
{
    struct session *session = request->session;
    struct kafka_request_header header;
    const struct kafka_api *api = NULL;
    const struct api_handler *handler = NULL;

    memset(&header, 0, sizeof(header));
    if (kafka_api_read_request_header(&request->body, &header, &api) != ERR_OK)
        return "bad request header";
    request->version = header.request_api_version;
    request->correlation_id = header.correlation_id;
    request->client_id = slice_is_null(header.client_id) ? SLICE_LITERAL("") : header.client_id;
    if (api == NULL || (handler = find_handler(session->broker, header.request_api_key)) == NULL)
        return "unknown API";
    request->api = api;
    *ret_handler = handler;
    if (api->key != KAFKA_API_API_VERSIONS && !kafka_api_has_version(api, request->version))
        return "unsupported version";
    if (api->key != KAFKA_API_PRODUCE &&
        request->frame.len > session->broker->limits->max_control_frame_bytes)
        return "too large";
    if (!handler->is_sasl && !auth_session_allows(&session->auth, false))
        return "not logged in";
    if (!handler->is_sasl && session_tenant(session) == NULL)
        return "instance is gone or suspended";
    if (!handler->is_sasl && !session_enter_client(session, request->client_id))
        return "too many active clients";
    return NULL;
}

void dispatch_start(struct request *request)
{
    struct session *session = request->session;
    const struct api_handler *handler = NULL;
    int16_t key = peek_key(request);
    const char *why = NULL;

    list_remove(&request->queued_link);
    request->state = REQUEST_RUNNING;
    why = read_header(request, &handler);
    if (why == NULL) {
        count_started(request);
        if (handler->key == KAFKA_API_FETCH)
            session->fetch_count++;
        handler->handle(request);
        return;
    }
    counter_add(&session->broker->metrics->frames_refused, 1);
    log_event(LOG_INFO, "frame_refused", f_str("peer", connection_peer(session->connection)),
              f_i64("api_key", key), f_i64("version", request->version), f_str("why", why));
    request->state = REQUEST_DONE;
    connection_close(session->connection, ERR_INVALID);
}
