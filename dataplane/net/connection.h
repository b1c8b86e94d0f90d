/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: a stream, TLS on it if the listener says so, frames in, answers out.
 *
 *   OPEN ──connection_close, peer gone, bad frame──▶ CLOSING ──stream closed, no references──▶ gone
 *
 * The owner (dispatch) gets whole frames in order and sends answers in the order it wants them on the
 * wire. It holds a reference for each request under way. Reading stops while paused (muted, or too much
 * under way). Everything on the connection's loop. */
#ifndef DATAPLANE_NET_CONNECTION_H
#define DATAPLANE_NET_CONNECTION_H

#include "common/base/list.h"
#include "common/port/network.h"
#include "dataplane/net/frame_reader.h"
#include "dataplane/net/handshake_queue.h"

struct connection;
struct tls_context;

/* One answer; embedded in the request. Sent whole, in the order of connection_send. */
struct outgoing {
    struct iovec
        *iov; /* the connection moves it forward as bytes leave; memory borrowed until done */
    int iov_count;
    void (*done)(
        struct outgoing *outgoing); /* once, sent or not; never before connection_send returns */
    struct list link;
};

struct connection_owner {
    /* The memory is the owner's: frame_free. */
    void (*on_frame)(void *owner, struct frame frame);
    /* The budget has no memory for the next bytes of a frame. They are kept, and tried again when the
     * connection is resumed: the owner pauses it, and resumes it soon. */
    void (*on_starved)(void *owner);
    /* No frames after it; the owner gives up what it holds, by and by. Once. */
    void (*on_closing)(void *owner, enum err why);
    /* The connection's memory is about to go: last call. */
    void (*on_gone)(void *owner);
};

/* Per loop: the memory that small reads share. */
struct connection_scratch {
    uint8_t *data;
    size_t len;
};

struct connection_options {
    struct stream *stream;   /* moved */
    struct tls_context *tls; /* borrowed for the connection's life; NULL = plain */
    struct connection_scratch *scratch;
    struct handshake_queue *handshakes; /* of the loop; TLS handshakes wait in it */
    size_t max_frame_bytes;
    struct memory_budget *budget; /* frames are taken from it, at first as a stranger's */
    const struct connection_owner *calls;
    void *owner;
};

/* Reading starts at once (from the next turn on). ERR_NO_MEMORY: the stream is the caller's still. */
enum err connection_new(const struct connection_options *options,
                        struct connection **ret_connection) WARN_UNUSED;
void connection_ref(struct connection *connection);
void connection_unref(struct connection *connection);
void connection_send(struct connection *connection, struct outgoing *outgoing);
/* Answers already handed over are sent first, within a few seconds. */
void connection_close_after_sending(struct connection *connection);
void connection_close(struct connection *connection, enum err why);
bool connection_is_open(const struct connection *connection);
/* Counted: as many resumes as pauses. */
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);
/* From the next frame on. */
void connection_set_frames(struct connection *connection, size_t max_frame_bytes,
                           struct memory_account *account);
const char *connection_peer(const struct connection *connection);      /* "127.0.0.1:4711" */
const char *connection_peer_host(const struct connection *connection); /* "127.0.0.1" */
const char *connection_server_name(const struct connection *connection);
struct loop *connection_loop(const struct connection *connection);
int64_t connection_round_trip_us(const struct connection *connection); /* 0 = unknown */
/* Bytes handed over and not yet sent: back-pressure. */
size_t connection_unsent_bytes(const struct connection *connection);
/* Loop time of the last byte in or out, for idle time-outs. */
void connection_touch(struct connection *connection); /* it was silent because we did not read */
int64_t connection_last_active_us(const struct connection *connection);
bool connection_has_partial_frame(const struct connection *connection);

#endif
