/* SPDX-License-Identifier: Apache-2.0 */
/* One request from its frame to its answer.
 *
 *   QUEUED ──scheduler──▶ RUNNING ──request_reply / request_finish──▶ DONE ──(all before it are
 *                                                                 done)──▶ sent ──▶ freed
 *
 * A handler reads request->body, and answers now or later, exactly once, on this loop. A handler that
 * waits sets `cancel`: called at most once when the connection closes; it must then finish soon. What
 * other loops or workers still use is kept alive by request_hold / request_release. */
#ifndef DATAPLANE_DISPATCH_REQUEST_H
#define DATAPLANE_DISPATCH_REQUEST_H

#include "common/base/arena.h"
#include "common/kafka/kafka_api.h"
#include "common/kafka/kafka_error.h"
#include "common/kafka/kafka_wire.h"
#include "dataplane/auth/authorizer.h"
#include "dataplane/dispatch/session.h"

enum { REQUEST_FEW_IOV = 5 };

enum request_state { REQUEST_QUEUED, REQUEST_RUNNING, REQUEST_DONE, REQUEST_SENT };

struct request {
    /* for handlers */
    struct session *session;
    struct broker_loop *broker;
    const struct kafka_api *api;
    int16_t version;
    int32_t correlation_id;
    struct slice client_id;    /* null becomes "" */
    struct reader body;        /* after the header */
    struct arena arena;        /* freed with the request */
    int32_t throttle_time_ms;  /* goes into the answer by the handler; then the client is muted */
    int64_t throttle_until_us; /* the same as a time */
    bool closes;               /* close after the answer */
    void (*cancel)(struct request *request);
    void (*release)(
        struct request *request); /* the answer is sent or dropped: free what it borrowed */
    void *operation;              /* the handler's */
    /* private to dispatch */
    enum request_state state;
    int holds; /* dispatch's own, and request_hold */
    bool has_answer;
    bool is_counted; /* by the loop's metrics */
    struct frame frame;
    struct memory_account *account;
    size_t memory_bytes;
    struct list queued_link;
    struct buffer response;
    struct kafka_cut_list cuts; /* items in the arena, made on demand */
    struct outgoing outgoing;
    struct iovec *iov;                     /* few_iov, or in the arena */
    struct iovec few_iov[REQUEST_FEW_IOV]; /* an answer with two cuts */
    struct list link;
    int64_t started_us;
};

/* Begins the answer: frame size (patched later) and response header. */
struct writer request_begin_response(struct request *request);
/* Ends it: `rc` is what the generated write function returned. A failure closes the connection. */
void request_end_response(struct request *request, struct writer *writer, enum err rc);
/* Where zero-copy writers note their cuts. NULL when the arena is full. */
struct kafka_cut_list *request_cuts(struct request *request, size_t capacity);

/* request_reply(request, kafka_heartbeat_response, &response) */
#define request_reply(request, message, pointer)                                                   \
    do {                                                                                           \
        struct writer writer_ = request_begin_response(request);                                   \
        enum err rc_ = message##_write(&writer_, (request)->version, (pointer));                   \
        request_end_response(request, &writer_, rc_);                                              \
    } while (0)

/* No answer (Produce with acks 0). */
void request_finish_without_answer(struct request *request);
/* Malformed body, or nothing that an answer could say: closes the connection, as Apache does. */
void request_fail(struct request *request, const char *why);

void request_hold(struct request *request);
void request_release(struct request *request);

/* Reads the whole body: `message` must be used up. False = the request has been failed.
 *   if (!request_read(request, kafka_heartbeat_request, &body)) return; */
#define request_read(request, message, pointer)                                                    \
    request_check_read(request, message##_read(&(request)->body, (request)->version,               \
                                               &(request)->arena, (pointer)))
bool request_check_read(struct request *request, enum err rc);

/* A frame of a session, into its queue; before login it starts at once. Takes the frame. */
void dispatch_frame(struct session *session, struct frame frame);
/* The request that starts next; NULL = none, or not yet. */
struct request *dispatch_next(struct session *session);
/* Header, version, permission, then the handler. */
void dispatch_start(struct request *request);
/* Moves records: Produce, Fetch. */
bool request_is_data(const struct request *request);
/* Sends answers that are due, in order. */
void dispatch_flush(struct session *session);
/* The connection is closing: running requests are told. */
void dispatch_cancel_all(struct session *session);

static inline const struct image_tenant *request_tenant(const struct request *request)
{
    return session_tenant(request->session);
}

/* May whoever sent it do this? */
static inline bool request_may(const struct request *request, enum access access)
{
    return authorizer_allows(request->session->binding.role, access);
}

static inline int32_t request_operations(const struct request *request,
                                         enum authorized_resource resource)
{
    return authorizer_operations(request->session->binding.role, resource);
}

static inline int32_t request_instance(const struct request *request)
{
    return request->session->binding.instance_no;
}

#endif
