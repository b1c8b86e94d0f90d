/* SPDX-License-Identifier: Apache-2.0 */
/* Byte streams as a port. A stream belongs to the loop it was accepted on.
 *
 *   accepted ──▶ open ──(stream_close, or on_end was called)──▶ closing ──on_closed──▶ gone
 *
 * Reading: while reading is on, the stream asks for memory (on_buffer), fills it and calls on_read.
 * Writing: one stream_write at a time is in flight; its done is called once, never before
 * stream_write returns. on_closed is the last call; then the stream's memory is gone. */
#ifndef COMMON_PORT_NETWORK_H
#define COMMON_PORT_NETWORK_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/port/executor.h"

#include <sys/uio.h>

struct stream;
struct network;
struct network_listener;

struct stream_write {
    struct iovec *iov; /* borrowed until done; moved forward as bytes leave */
    int iov_count;
    void (*done)(struct stream_write *write, enum err err);
};

/* What the owner of a stream is told, always on the stream's loop. */
struct stream_events {
    /* Memory for the next read; len 0 = none now, reading is switched off. */
    void (*on_buffer)(void *owner, uint8_t **ret_data, size_t *ret_len);
    void (*on_read)(void *owner, size_t len);
    void (*on_end)(void *owner, enum err why); /* ERR_CLOSED: the peer is done; no on_read after */
    void (*on_closed)(void *owner);
};

struct stream_ops {
    void (*read_start)(struct stream *stream);
    void (*read_stop)(struct stream *stream);
    void (*write)(struct stream *stream, struct stream_write *write);
    void (*close)(struct stream *stream); /* pending write is done with ERR_CANCELLED first */
    /* The shortest round trip to the peer that was seen; 0 = unknown. */
    int64_t (*round_trip_us)(const struct stream *stream);
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_events *events; /* set by the owner in on_accept */
    void *owner;
    struct loop *loop;
    char peer[64]; /* "127.0.0.1:4711", for logs */
    char peer_host[56];
};

/* On the stream's loop. False = refused: the stream is closed at once, no events. */
typedef bool (*accept_fn)(void *context, struct stream *stream);

struct network_ops {
    /* host is a literal address; port 0 = any. Connections are spread over all loops. Called on
     * loop 0. ERR_EXISTS: address in use. */
    enum err (*listen)(struct network *network, const char *host, int port, accept_fn on_accept,
                       void *context, struct network_listener **ret_listener, struct error *error);
    int (*listener_port)(struct network_listener *listener);
    void (*listener_close)(struct network_listener *listener); /* loop 0; no accepts after */
};

struct network {
    const struct network_ops *ops;
};

#endif
