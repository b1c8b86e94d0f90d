/* SPDX-License-Identifier: Apache-2.0 */
/* SaslHandshake and SaslAuthenticate: what dataplane/auth decides, told to the client. A failure is told
 * after a delay, in one text for all reasons, then the connection is closed. kafka-protocol.md 2.6. */
#include "dataplane/handlers/sasl.h"

#include "common/kafka/sasl_authenticate_request.h"
#include "common/kafka/sasl_authenticate_response.h"
#include "common/kafka/sasl_handshake_request.h"
#include "common/kafka/sasl_handshake_response.h"
#include "common/observe/log.h"
#include "dataplane/handlers/handlers.h"

#include <arpa/inet.h>
#include <stdlib.h>

void handle_sasl_handshake(struct request *request)
{
    struct kafka_sasl_handshake_request body;
    struct kafka_sasl_handshake_response response;
    enum kafka_error error = KAFKA_NONE;

    if (!request_read(request, kafka_sasl_handshake_request, &body))
        return;
    kafka_sasl_handshake_response_init_defaults(&response);
    error = auth_session_handshake(&request->session->auth, request->version, body.mechanism,
                                   loop_now_us(request->broker->loop));
    if (kafka_string_array_init(&response.mechanisms, &request->arena, SASL_MECHANISM_COUNT) !=
        ERR_OK) {
        request_fail(request, "out of memory");
        return;
    }
    for (int i = 0; i < SASL_MECHANISM_COUNT; i++)
        response.mechanisms.items[i] =
            slice_from_cstring(sasl_mechanism_name((enum sasl_mechanism)i));
    response.error_code = (int16_t)error;
    request->closes = error != KAFKA_NONE;
    request_reply(request, kafka_sasl_handshake_response, &response);
}

/* Runs a token through the session; on success binds the connection to its instance. */
static enum kafka_error authenticate(struct session *session, struct slice token,
                                     char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    struct broker_loop *broker = session->broker;
    struct sasl_directory directory =
        tenant_directory(broker->image, broker->random, broker->pepper);
    struct tenant_binding binding;
    enum kafka_error error = auth_session_authenticate(
        &session->auth, &directory, token, loop_now_us(broker->loop), reply, ret_reply_len);
    enum err rc = ERR_OK;

    if (error != KAFKA_NONE || session->auth.state != AUTH_AUTHENTICATED)
        return error;
    rc = tenant_bind_credential(broker->image, slice_from_cstring(session->auth.key_id),
                                slice_from_cstring(session->auth.authzid), session->listener,
                                &binding);
    if (rc == ERR_OK)
        rc = session_bind(session, &binding);
    if (rc == ERR_OK)
        return KAFKA_NONE;
    log_event(LOG_INFO, "login_refused", f_str("peer", connection_peer(session->connection)),
              f_str("key_id", session->auth.key_id), f_err(rc));
    auth_session_refuse(&session->auth);
    *ret_reply_len = 0;
    return KAFKA_SASL_AUTHENTICATION_FAILED;
}

/* --- SaslAuthenticate --- */

struct delayed_failure {
    struct request *request;
    struct timer timer;
};

static void answer(struct request *request, enum kafka_error error, struct slice auth_bytes)
{
    struct kafka_sasl_authenticate_response response;

    kafka_sasl_authenticate_response_init_defaults(&response);
    response.error_code = (int16_t)error;
    response.auth_bytes = auth_bytes;
    if (error == KAFKA_SASL_AUTHENTICATION_FAILED)
        response.error_message = SLICE_LITERAL(SASL_FAILURE_TEXT);
    else if (error != KAFKA_NONE)
        response.error_message = SLICE_LITERAL("SaslHandshake comes first");
    request->closes = error != KAFKA_NONE;
    request_reply(request, kafka_sasl_authenticate_response, &response);
}

static void on_delay_over(struct timer *timer)
{
    struct delayed_failure *failure = container_of(timer, struct delayed_failure, timer);

    answer(failure->request, KAFKA_SASL_AUTHENTICATION_FAILED, SLICE_LITERAL(""));
}

static void on_cancel(struct request *request)
{
    struct delayed_failure *failure = request->operation;

    timer_stop(request->broker->loop, &failure->timer);
    request_finish_without_answer(request);
}

static void fail_later(struct request *request)
{
    struct delayed_failure *failure = arena_new(&request->arena, struct delayed_failure);

    if (failure == NULL) {
        request_fail(request, "out of memory");
        return;
    }
    failure->request = request;
    failure->timer.fire = on_delay_over;
    request->operation = failure;
    request->cancel = on_cancel;
    timer_start_in(request->broker->loop, &failure->timer, AUTH_FAILURE_DELAY_MS * 1000);
}

void handle_sasl_authenticate(struct request *request)
{
    struct session *session = request->session;
    struct kafka_sasl_authenticate_request body;
    char reply[SASL_REPLY_MAX];
    size_t reply_len = 0;
    enum kafka_error error = KAFKA_NONE;

    if (!request_read(request, kafka_sasl_authenticate_request, &body))
        return;
    error = authenticate(session, body.auth_bytes, reply, &reply_len);
    if (error == KAFKA_SASL_AUTHENTICATION_FAILED) {
        log_event(LOG_INFO, "login_failed", f_str("peer", connection_peer(session->connection)),
                  f_str("why", session->auth.failure));
        fail_later(request);
        return;
    }
    answer(request, error, slice_of(reply, reply_len));
}

/* --- raw tokens --- */

struct raw_reply {
    struct outgoing outgoing;
    struct iovec iov;
    uint32_t size;
    uint8_t bytes[SASL_REPLY_MAX];
};

static void on_raw_sent(struct outgoing *outgoing)
{
    free(container_of(outgoing, struct raw_reply, outgoing));
}

void handle_raw_sasl(struct session *session, struct frame frame)
{
    struct raw_reply *reply = calloc(1, sizeof(*reply));
    size_t len = 0;
    enum kafka_error error = KAFKA_UNKNOWN_SERVER_ERROR;

    if (reply != NULL)
        error = authenticate(session, slice_of(frame.data, frame.len), (char *)reply->bytes, &len);
    frame_free(session->broker->memory, &frame);
    if (error != KAFKA_NONE) {
        free(reply);
        connection_close(session->connection, ERR_UNAUTHENTICATED);
        return;
    }
    reply->size = htonl((uint32_t)len);
    reply->iov = (struct iovec){&reply->size, sizeof(reply->size) + len};
    reply->outgoing = (struct outgoing){.iov = &reply->iov, .iov_count = 1, .done = on_raw_sent};
    list_init(&reply->outgoing.link);
    connection_send(session->connection, &reply->outgoing);
}
