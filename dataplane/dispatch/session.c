/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting, login, deadlines, and closing what a deleted key or instance leaves behind. */
#include "dataplane/dispatch/session.h"

#include "common/observe/log.h"
#include "dataplane/dispatch/request_memory.h"
#include "dataplane/quota/instance_usage.h"

#include <stdio.h>
#include <stdlib.h>

enum { SWEEP_US = 1000000 };

static void on_frame(void *owner, struct frame frame)
{
    struct session *session = owner;

    if (session->auth.is_raw && session->auth.state != AUTH_AUTHENTICATED)
        session->broker->handle_raw_sasl(session, frame);
    else
        dispatch_frame(session, frame);
}

static void on_starved(void *owner)
{
    session_starve(owner);
}

static void on_closing(void *owner, enum err why)
{
    struct session *session = owner;

    log_event(LOG_DEBUG, "connection_closed", f_str("peer", connection_peer(session->connection)),
              f_err(why));
    session->is_closing = true;
    timer_stop(session->broker->loop, &session->unmute);
    session_unstarve(session);
    scheduler_leave(&session->broker->scheduler, session);
    dispatch_cancel_all(session);
}

static void stranger_no_more(struct session *session)
{
    if (session->is_stranger)
        login_guard_leave(&session->broker->guard, connection_peer_host(session->connection));
    session->is_stranger = false;
}

static void on_gone(void *owner)
{
    struct session *session = owner;

    list_remove(&session->link);
    counter_add(&session->broker->metrics->connections[session->listener->security], -1);
    stranger_no_more(session);
    if (session->usage != NULL) {
        client_count_leave(&session->usage->clients, session->client);
        instance_usage_disconnect(session->usage);
        instance_usage_unref(session->usage);
    }
    image_record_unref(&session->listener->record);
    auth_session_done(&session->auth);
    free(session);
}

static const struct connection_owner session_calls = {on_frame, on_starved, on_closing, on_gone};

static struct session *new_session(struct broker_loop *broker, struct stream *stream,
                                   const struct image_listener *listener, struct tls_context *tls)
{
    struct session *session = calloc(1, sizeof(*session));
    struct connection_options options = {
        .stream = stream,
        .tls = tls,
        .scratch = &broker->scratch,
        .handshakes = &broker->handshakes,
        .max_frame_bytes = broker->limits->max_login_frame_bytes,
        .budget = broker->memory,
        .calls = &session_calls,
        .owner = session,
    };

    if (session == NULL)
        return NULL;
    session->broker = broker;
    session->listener = listener;
    session->accepted_us = loop_now_us(broker->loop);
    list_init(&session->requests);
    list_init(&session->queued);
    list_init(&session->ready_link);
    list_init(&session->starved_link);
    auth_session_init(&session->auth);
    if (connection_new(&options, &session->connection) != ERR_OK) {
        free(session);
        return NULL;
    }
    image_record_ref(&listener->record);
    list_push_back(&broker->sessions, &session->link);
    counter_add(&broker->metrics->connections[listener->security], 1);
    return session;
}

/* Without a login the port says whose connection it is. */
static bool accept_plaintext(struct broker_loop *broker, struct stream *stream,
                             const struct image_listener *listener)
{
    struct session *session = NULL;
    struct tenant_binding binding;

    if (tenant_bind_listener(broker->image, listener, &binding) != ERR_OK)
        return false;
    session = new_session(broker, stream, listener, NULL);
    if (session == NULL)
        return false;
    auth_session_skip(&session->auth, session->accepted_us);
    if (session_bind(session, &binding) != ERR_OK)
        connection_close(session->connection, ERR_LIMIT);
    return true;
}

bool session_accept(struct broker_loop *broker, struct stream *stream,
                    const struct image_listener *listener, struct tls_context *tls)
{
    struct session *session = NULL;

    if (broker->is_stopping)
        return false;
    if (listener->security == LISTENER_PLAINTEXT)
        return accept_plaintext(broker, stream, listener);
    if (!login_guard_admit(&broker->guard, stream->peer_host))
        return false;
    session = new_session(broker, stream, listener, tls);
    if (session == NULL) {
        login_guard_leave(&broker->guard, stream->peer_host);
        return false;
    }
    session->is_stranger = true;
    return true;
}

/* Once in a session's life: from a stranger to one of the instance's. */
static enum err join_instance(struct session *session, const struct image_tenant *tenant)
{
    if (!instance_usage_connect(tenant->usage, tenant->limits.connections)) {
        instance_usage_count(&tenant->usage->counts.refused_connections, 1);
        return ERR_LIMIT;
    }
    if (!scheduler_join(&session->broker->scheduler, session, tenant->instance_no)) {
        instance_usage_disconnect(tenant->usage);
        return ERR_NO_MEMORY;
    }
    instance_usage_ref(tenant->usage);
    session->usage = tenant->usage;
    stranger_no_more(session);
    connection_set_frames(session->connection, session->broker->limits->max_frame_bytes,
                          &tenant->usage->memory);
    return ERR_OK;
}

enum err session_bind(struct session *session, const struct tenant_binding *binding)
{
    const struct image_tenant *tenant = tenant_of(session->broker->image, binding);

    if (tenant == NULL)
        return ERR_DENIED;
    if (session->usage == NULL) {
        enum err rc = join_instance(session, tenant);

        if (rc != ERR_OK)
            return rc;
    }
    session->binding = *binding;
    return ERR_OK;
}

bool session_enter_client(struct session *session, struct slice client_id)
{
    const struct image_tenant *tenant = session_tenant(session);
    enum err rc = ERR_OK;

    if (session->client != NULL || tenant == NULL)
        return tenant != NULL;
    rc = client_count_enter(&session->usage->clients, session->broker->seed, client_id,
                            connection_peer_host(session->connection), tenant->limits.clients,
                            &session->client);
    if (rc != ERR_OK)
        instance_usage_count(&session->usage->counts.refused_connections, 1);
    return rc == ERR_OK;
}

static void on_close_later(struct timer *timer)
{
    connection_close(container_of(timer, struct session, unmute)->connection, ERR_UNAUTHENTICATED);
}

void session_close_later(struct session *session, int64_t delay_us)
{
    connection_pause(session->connection);
    session->unmute.fire = on_close_later;
    timer_start_in(session->broker->loop, &session->unmute, delay_us);
}

const struct image_tenant *session_tenant(const struct session *session)
{
    return tenant_of(session->broker->image, &session->binding);
}

void session_principal(const struct session *session, char text[64])
{
    snprintf(text, 64, "User:%s",
             session->binding.key_id[0] ? session->binding.key_id : "ANONYMOUS");
}

/* --- the loop's sessions --- */

static enum err why_to_close(const struct session *session, int64_t now_us)
{
    const struct broker_limits *limits = session->broker->limits;
    int64_t idle_us = now_us - connection_last_active_us(session->connection);

    if (session->binding.instance_no == 0)
        return now_us - session->accepted_us > limits->login_deadline_us ? ERR_TIMEOUT : ERR_OK;
    /* It does not read its answers. */
    if (connection_unsent_bytes(session->connection) > 0 && idle_us > limits->stalled_timeout_us)
        return ERR_TIMEOUT;
    /* It does not end what it began to send; whatever else is under way, memory is held for it. */
    if (connection_has_partial_frame(session->connection) && idle_us > limits->stalled_timeout_us &&
        !session->is_full && !session->is_muted)
        return ERR_TIMEOUT;
    if (session->request_count > 0 || session->is_muted)
        return ERR_OK;
    return idle_us > limits->idle_timeout_us ? ERR_TIMEOUT : ERR_OK;
}

static void on_sweep(struct timer *timer)
{
    struct broker_loop *broker = container_of(timer, struct broker_loop, sweep);
    int64_t now_us = loop_now_us(broker->loop);

    list_for_each(&broker->sessions, link)
    {
        struct session *session = container_of(link, struct session, link);
        enum err why = why_to_close(session, now_us);

        if (why != ERR_OK)
            connection_close(session->connection, why);
    }
    timer_start_in(broker->loop, &broker->sweep, SWEEP_US);
}

static bool is_hit(const struct session *session, const struct image_change *change)
{
    if (change->kind == IMAGE_CREDENTIAL)
        return change->before != NULL &&
               strcmp(session->binding.key_id, image_as_credential(change->before)->key_id) == 0;
    return change->before != NULL &&
           session->binding.instance_no == image_as_tenant(change->before)->instance_no;
}

/* A key that is gone (or changed) takes its live connections with it, an instance all of its own. */
static void on_image_change(struct image_observer *observer, const struct image_change *change)
{
    struct broker_loop *broker = container_of(observer, struct broker_loop, observer);

    if (change->kind != IMAGE_CREDENTIAL && change->kind != IMAGE_TENANT)
        return;
    if (change->kind == IMAGE_TENANT && change->after != NULL &&
        image_as_tenant(change->after)->is_active)
        return;
    list_for_each(&broker->sessions, link)
    {
        struct session *session = container_of(link, struct session, link);

        if (is_hit(session, change))
            connection_close(session->connection, ERR_DENIED);
    }
}

void broker_loop_start(struct broker_loop *broker)
{
    broker->observer.changed = on_image_change;
    image_observe(broker->image, &broker->observer);
    broker->sweep.fire = on_sweep;
    timer_start_in(broker->loop, &broker->sweep, SWEEP_US);
}

void broker_loop_stop(struct broker_loop *broker)
{
    broker->is_stopping = true;
    image_unobserve(&broker->observer);
    timer_stop(broker->loop, &broker->sweep);
    timer_stop(broker->loop, &broker->memory_retry);
    scheduler_stop(&broker->scheduler);
    handshake_queue_stop(&broker->handshakes);
    list_for_each(&broker->sessions, link)
    {
        struct session *session = container_of(link, struct session, link);

        connection_close(session->connection, ERR_CANCELLED);
    }
}

bool broker_loop_is_empty(const struct broker_loop *broker)
{
    return list_is_empty(&broker->sessions);
}
