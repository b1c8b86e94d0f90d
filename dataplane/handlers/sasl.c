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

/* Notes which key is asked for: failures are counted by it. */
struct noting_directory {
    struct sasl_directory inner;
    struct session *session;
};

static bool note_and_find(void *context, struct slice key_id,
                          struct sasl_credential *ret_credential)
{
    const struct noting_directory *noting = context;
    char *tried = noting->session->tried_key;
    size_t len = key_id.len < KEY_ID_LEN ? key_id.len : KEY_ID_LEN;

    memcpy(tried, key_id.data, len);
    tried[len] = '\0';
    return noting->inner.find(noting->inner.context, key_id, ret_credential);
}

/* Runs a token through the session; on success binds the connection to its instance. */
static enum kafka_error step(struct session *session, struct slice token,
                             char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    struct broker_loop *broker = session->broker;
    struct noting_directory noting = {
        .inner = tenant_directory(broker->image, broker->random, broker->pepper),
        .session = session,
    };
    struct sasl_directory directory = noting.inner;
    struct tenant_binding binding;
    enum kafka_error error = KAFKA_NONE;
    enum err rc = ERR_OK;

    directory.find = note_and_find;
    directory.context = &noting;
    error = auth_session_authenticate(&session->auth, &directory, token, loop_now_us(broker->loop),
                                      reply, ret_reply_len);

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
    /* A full instance is no failed login, which clients would take for final: they come again. */
    return rc == ERR_DENIED ? KAFKA_SASL_AUTHENTICATION_FAILED : KAFKA_BROKER_NOT_AVAILABLE;
}

static enum kafka_error authenticate(struct session *session, struct slice token,
                                     char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    enum kafka_error error = step(session, token, reply, ret_reply_len);
    struct loop_metrics *metrics = session->broker->metrics;

    if (error != KAFKA_NONE)
        counter_add(&metrics->logins_failed, 1);
    else if (session->auth.state == AUTH_AUTHENTICATED)
        counter_add(&metrics->logins, 1);
    return error;
}

/* --- SaslAuthenticate --- */

struct delayed_failure {
    struct request *request;
    struct timer timer;
    bool is_silent; /* closed without an answer */
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

    if (failure->is_silent)
        request_fail(failure->request, "the instance is full");
    else
        answer(failure->request, KAFKA_SASL_AUTHENTICATION_FAILED, SLICE_LITERAL(""));
}

static void on_cancel(struct request *request)
{
    struct delayed_failure *failure = request->operation;

    timer_stop(request->broker->loop, &failure->timer);
    request_finish_without_answer(request);
}

static void fail_later(struct request *request, int64_t delay_us, bool is_silent)
{
    struct delayed_failure *failure = arena_new(&request->arena, struct delayed_failure);

    if (failure == NULL) {
        request_fail(request, "out of memory");
        return;
    }
    failure->request = request;
    failure->timer.fire = on_delay_over;
    failure->is_silent = is_silent;
    request->operation = failure;
    request->cancel = on_cancel;
    timer_start_in(request->broker->loop, &failure->timer, delay_us);
}

/* How long the client waits for the bad news. */
static int64_t note_failure(struct session *session)
{
    bool is_notable = false;
    int64_t delay_us =
        login_guard_fail(&session->broker->guard, connection_peer_host(session->connection),
                         session->tried_key, loop_now_us(session->broker->loop), &is_notable);

    if (is_notable)
        log_event(LOG_INFO, "login_failed", f_str("peer", connection_peer(session->connection)),
                  f_str("why", session->auth.failure), f_i64("delay_ms", delay_us / 1000));
    return delay_us;
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
        fail_later(request, note_failure(session), false);
        return;
    }
    if (error == KAFKA_BROKER_NOT_AVAILABLE) {
        fail_later(request, LOGIN_GUARD_DELAY_US, true);
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
        session_close_later(session, error == KAFKA_SASL_AUTHENTICATION_FAILED
                                         ? note_failure(session)
                                         : LOGIN_GUARD_DELAY_US);
        return;
    }
    reply->size = htonl((uint32_t)len);
    reply->iov = (struct iovec){&reply->size, sizeof(reply->size) + len};
    reply->outgoing = (struct outgoing){.iov = &reply->iov, .iov_count = 1, .done = on_raw_sent};
    list_init(&reply->outgoing.link);
    connection_send(session->connection, &reply->outgoing);
}
