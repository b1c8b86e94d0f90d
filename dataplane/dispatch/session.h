/* SPDX-License-Identifier: Apache-2.0 */
/* What dispatch knows of one connection: who it is, and its requests in the order they came.
 *
 * Requests may finish in any order; answers leave in the order of arrival. Too much under way, or a
 * throttle time, stops reading. */
#ifndef DATAPLANE_DISPATCH_SESSION_H
#define DATAPLANE_DISPATCH_SESSION_H

#include "dataplane/auth/auth_session.h"
#include "dataplane/dispatch/broker_loop.h"
#include "dataplane/tenant/tenant_binding.h"

struct session {
    struct broker_loop *broker;
    struct connection *connection;         /* owned reference */
    const struct image_listener *listener; /* owned reference */
    struct auth_session auth;
    struct tenant_binding binding; /* instance_no 0 until login */
    struct instance_usage *usage;  /* counted there; owned reference; NULL until login */
    struct list link;              /* in broker->sessions */
    struct list requests;          /* struct request, arrival order */
    struct list queued;            /* those of them that have not started */
    int request_count;
    int fetch_count;              /* Fetches under way */
    struct instance_queue *queue; /* scheduler.h; NULL until login, and when closing */
    struct list ready_link;
    bool is_ready;
    int checks;          /* batches that wait for a worker, or that one has */
    int taken_checks;    /* of them, those that one has by the instance's leave */
    size_t memory_bytes; /* request_memory.h */
    bool is_starved;     /* paused because memory is short */
    struct list starved_link;
    size_t request_bytes;
    bool is_full;  /* paused because of count or bytes */
    bool is_muted; /* paused because of a throttle time */
    bool is_closing;
    bool is_cancelling; /* requests are being told; answers wait */
    struct timer unmute;
    bool is_stranger;               /* counted as one by the loop's guard */
    char tried_key[KEY_ID_LEN + 1]; /* the key id that a login named; "" = none */
    struct active_client *client;   /* counted there since its first request after login */
    int64_t accepted_us;
    char software_name[64];
    char software_version[64];
};

/* A stream came in on a listener. False = refused. On the stream's loop. */
bool session_accept(struct broker_loop *broker, struct stream *stream,
                    const struct image_listener *listener, struct tls_context *tls);

/* After login: binds the session to its instance, counts the connection. ERR_DENIED, ERR_LIMIT. */
enum err session_bind(struct session *session, const struct tenant_binding *binding) WARN_UNUSED;
/* Counts the session as a connection of this client, once. False = one client too many. */
bool session_enter_client(struct session *session, struct slice client_id);
/* Nothing is read any more, and the connection closes after a while. */
void session_close_later(struct session *session, int64_t delay_us);
/* The session's tenant; NULL = gone or suspended meanwhile. */
const struct image_tenant *session_tenant(const struct session *session);
/* "User:ANONYMOUS" or "User:<key id>", into text. */
void session_principal(const struct session *session, char text[64]);

/* Makes a loop ready to take sessions, and stops it: closes all, calls back when the last is gone. */
void broker_loop_start(struct broker_loop *broker);
void broker_loop_stop(struct broker_loop *broker);
bool broker_loop_is_empty(const struct broker_loop *broker);

#endif
