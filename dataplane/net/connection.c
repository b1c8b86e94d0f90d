/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: small reads go through the loop's shared scratch memory, large frames are read in place.
 * Frames are handed on while the connection is open and not paused; what was read beyond a pause waits
 * in `leftover`. Before a step of the TLS handshake nothing is read until it is its turn (handshake_queue.h).
 *
 * Writing: one stream write at a time. Plain connections gather the waiting answers' own memory; TLS ones
 * encrypt up to CIPHER_BYTES of it into a buffer that lives while it is sent. */
#include "dataplane/net/connection.h"

#include "common/base/buffer.h"
#include "dataplane/net/tls_stream.h"

#include <stdlib.h>

enum {
    GATHER = 32,
    GATHER_BYTES = 1048576,
    CIPHER_BYTES = 256 * 1024,
    CIPHER_SLACK = 1024, /* what a call to encrypt adds at most: 29 bytes for each 16 KiB */
    LINGER_US = 5000000
};

enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_DRAINING,
    CONNECTION_CLOSING,
    CONNECTION_CLOSED
};

struct connection {
    enum connection_state state;
    struct stream *stream;
    struct tls_stream *tls; /* NULL = plain */
    struct connection_scratch *scratch;
    struct handshake_queue *handshakes;
    struct handshake_step handshake;
    const struct connection_owner *calls;
    void *owner;
    struct loop *loop;
    int references;
    int pauses;
    bool is_delivering;
    bool reads_in_place; /* the room given to the stream is the frame's own */
    struct frame_reader frames;
    struct buffer leftover; /* bytes read while paused; plain text */
    struct list outgoing;   /* struct outgoing, not yet wholly sent */
    struct list sent;       /* wholly sent, done not yet called */
    size_t unsent_bytes;
    struct stream_write write;
    bool is_writing;
    struct iovec gathered[GATHER];
    size_t gathered_bytes;
    struct buffer cipher; /* ciphertext under way */
    struct timer linger;
    int64_t last_active_us;
    char peer[64];
    char peer_host[56];
};

static void pump(struct connection *connection);

/* --- reading --- */

static void fail(struct connection *connection, enum err why)
{
    connection_close(connection, why);
}

static bool may_deliver(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN && connection->pauses == 0;
}

/* Hands on whole frames; the rest of `plain` is kept when a pause came between. */
static void deliver(struct connection *connection, struct slice plain)
{
    struct frame frame;
    enum err rc = ERR_OK;

    connection->is_delivering = true;
    while (rc == ERR_OK && may_deliver(connection)) {
        rc = frame_reader_feed(&connection->frames, &plain);
        if (rc != ERR_OK || !frame_reader_take(&connection->frames, &frame))
            break;
        connection->calls->on_frame(connection->owner, frame);
    }
    connection->is_delivering = false;
    if (rc == ERR_LIMIT) {
        connection->calls->on_starved(connection->owner);
        rc = ERR_OK;
    }
    if (rc == ERR_OK && plain.len > 0 && connection->state == CONNECTION_OPEN)
        rc = buffer_append_slice(&connection->leftover, plain);
    if (rc != ERR_OK)
        fail(connection, rc);
}

static void deliver_leftover(struct connection *connection)
{
    struct buffer held = connection->leftover;

    buffer_init_spare(&connection->leftover, held.max_bytes, held.spares);
    deliver(connection, slice_of(held.data, held.len));
    buffer_done(&held);
}

static void read_tls(struct connection *connection)
{
    uint8_t plain[16 * 1024];

    while (may_deliver(connection)) {
        uint8_t *room = NULL;
        size_t room_len = 0;
        size_t got = 0;
        enum err rc = ERR_OK;

        frame_reader_room(&connection->frames, &room, &room_len);
        if (room_len > 0) {
            rc = tls_stream_read(connection->tls, room, room_len, &got);
            if (rc == ERR_OK && got > 0) {
                frame_reader_filled(&connection->frames, got);
                deliver(connection, slice_of(plain, 0));
            }
        } else {
            rc = tls_stream_read(connection->tls, plain, sizeof(plain), &got);
            if (rc == ERR_OK && got > 0)
                deliver(connection, slice_of(plain, got));
        }
        if (rc != ERR_OK)
            fail(connection, rc);
        if (rc != ERR_OK || got == 0)
            break;
    }
    pump(connection); /* handshake messages, alerts */
}

static void on_handshake_step(struct handshake_step *step)
{
    struct connection *connection = container_of(step, struct connection, handshake);

    if (may_deliver(connection))
        connection->stream->ops->read_start(connection->stream);
}

static bool must_wait(struct connection *connection)
{
    return connection->tls != NULL && !tls_stream_is_established(connection->tls) &&
           !handshake_step_take(connection->handshakes, &connection->handshake);
}

static void on_buffer(void *owner, uint8_t **ret_data, size_t *ret_len)
{
    struct connection *connection = owner;

    connection->reads_in_place = false;
    if (must_wait(connection)) {
        *ret_len = 0;
        return;
    }
    if (connection->tls == NULL) {
        frame_reader_room(&connection->frames, ret_data, ret_len);
        connection->reads_in_place = *ret_len > 0;
    }
    if (!connection->reads_in_place) {
        *ret_data = connection->scratch->data;
        *ret_len = connection->scratch->len;
    }
}

static void on_read(void *owner, size_t len)
{
    struct connection *connection = owner;

    if (connection->state != CONNECTION_OPEN)
        return;
    connection->last_active_us = loop_now_us(connection->loop);
    connection_ref(connection);
    if (connection->tls != NULL) {
        enum err rc = ERR_OK;

        tls_stream_feed(connection->tls, connection->scratch->data, len);
        read_tls(connection);
        rc = tls_stream_keep(connection->tls);
        if (rc != ERR_OK)
            fail(connection, rc);
    } else if (connection->reads_in_place) {
        frame_reader_filled(&connection->frames, len);
        deliver(connection, slice_of(connection->scratch->data, 0));
    } else {
        deliver(connection, slice_of(connection->scratch->data, len));
    }
    connection_unref(connection);
}

static void on_end(void *owner, enum err why)
{
    connection_close(owner, why);
}

void connection_pause(struct connection *connection)
{
    if (connection->pauses++ == 0 && connection->state == CONNECTION_OPEN)
        connection->stream->ops->read_stop(connection->stream);
}

void connection_resume(struct connection *connection)
{
    invariant(connection->pauses > 0);
    if (--connection->pauses > 0 || connection->state != CONNECTION_OPEN)
        return;
    /* Inside deliver() its loop goes on by itself. */
    if (!connection->is_delivering) {
        connection_ref(connection);
        deliver_leftover(connection);
        if (connection->tls != NULL && may_deliver(connection))
            read_tls(connection);
        connection_unref(connection);
    }
    if (may_deliver(connection))
        connection->stream->ops->read_start(connection->stream);
}

/* --- writing --- */

static void call_done(struct connection *connection)
{
    struct list *link = NULL;

    while ((link = list_pop_front(&connection->sent)) != NULL) {
        struct outgoing *outgoing = container_of(link, struct outgoing, link);

        outgoing->done(outgoing);
    }
}

/* Moves past len bytes of the waiting answers. */
static void advance(struct connection *connection, size_t len)
{
    connection->unsent_bytes -= len;
    while (!list_is_empty(&connection->outgoing)) {
        struct outgoing *outgoing = container_of(connection->outgoing.next, struct outgoing, link);

        while (outgoing->iov_count > 0 && len >= outgoing->iov->iov_len) {
            len -= outgoing->iov->iov_len;
            outgoing->iov++;
            outgoing->iov_count--;
        }
        if (outgoing->iov_count > 0) {
            outgoing->iov->iov_base = (uint8_t *)outgoing->iov->iov_base + len;
            outgoing->iov->iov_len -= len;
            return;
        }
        list_remove(&outgoing->link);
        list_push_back(&connection->sent, &outgoing->link);
    }
}

/* Not more at once than a slow reader takes before it counts as stalled. */
static int gather(struct connection *connection)
{
    size_t room = GATHER_BYTES;
    int count = 0;

    list_for_each(&connection->outgoing, link)
    {
        const struct outgoing *outgoing = container_of(link, struct outgoing, link);

        for (int i = 0; i < outgoing->iov_count && count < GATHER && room > 0; i++) {
            struct iovec part = outgoing->iov[i];

            if (part.iov_len > room)
                part.iov_len = room;
            connection->gathered[count++] = part;
            room -= part.iov_len;
        }
        if (count == GATHER || room == 0)
            break;
    }
    connection->gathered_bytes = GATHER_BYTES - room;
    return count;
}

/* Encrypts waiting answers until there is a buffer full of ciphertext. */
static enum err encrypt(struct connection *connection)
{
    size_t most = CIPHER_BYTES - CIPHER_SLACK;
    size_t wanted = connection->unsent_bytes < most ? connection->unsent_bytes : most;
    enum err rc = ERR_OK;

    if (wanted > 0)
        rc = tls_stream_reserve(connection->tls, wanted + CIPHER_SLACK);
    while (rc == ERR_OK && !list_is_empty(&connection->outgoing) &&
           tls_stream_pending(connection->tls) < most) {
        struct outgoing *outgoing = container_of(connection->outgoing.next, struct outgoing, link);
        size_t part = outgoing->iov_count > 0 ? outgoing->iov->iov_len : 0;

        if (part > most - tls_stream_pending(connection->tls))
            part = most - tls_stream_pending(connection->tls);
        if (part > 0)
            rc = tls_stream_write(connection->tls, outgoing->iov->iov_base, part);
        if (rc == ERR_OK)
            advance(connection, part);
    }
    return rc;
}

static void on_written(struct stream_write *write, enum err err)
{
    struct connection *connection = container_of(write, struct connection, write);

    connection->is_writing = false;
    connection->last_active_us = loop_now_us(connection->loop);
    connection_ref(connection);
    if (err != ERR_OK)
        fail(connection, err);
    else if (connection->tls == NULL)
        advance(connection, connection->gathered_bytes);
    buffer_done(&connection->cipher);
    call_done(connection);
    pump(connection);
    connection_unref(connection);
}

static void write_gathered(struct connection *connection, int count)
{
    connection->is_writing = true;
    connection->write.iov = connection->gathered;
    connection->write.iov_count = count;
    connection->write.done = on_written;
    connection->stream->ops->write(connection->stream, &connection->write);
}

static void write_cipher(struct connection *connection)
{
    connection->cipher = tls_stream_take(connection->tls);
    connection->gathered[0] = (struct iovec){connection->cipher.data, connection->cipher.len};
    write_gathered(connection, 1);
}

/* Starts the next write, if there is something and none is under way. */
static void pump(struct connection *connection)
{
    if (connection->is_writing || connection->state >= CONNECTION_CLOSING)
        return;
    if (connection->tls != NULL) {
        enum err rc = encrypt(connection);

        if (rc != ERR_OK)
            fail(connection, rc);
        else if (tls_stream_pending(connection->tls) > 0)
            write_cipher(connection);
    } else if (!list_is_empty(&connection->outgoing)) {
        write_gathered(connection, gather(connection));
    }
    if (connection->state == CONNECTION_DRAINING && !connection->is_writing)
        connection_close(connection, ERR_CLOSED);
}

void connection_send(struct connection *connection, struct outgoing *outgoing)
{
    for (int i = 0; i < outgoing->iov_count; i++)
        connection->unsent_bytes += outgoing->iov[i].iov_len;
    list_push_back(&connection->outgoing, &outgoing->link);
    pump(connection);
}

/* --- life --- */

static void on_linger(struct timer *timer)
{
    connection_close(container_of(timer, struct connection, linger), ERR_TIMEOUT);
}

void connection_close_after_sending(struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN)
        return;
    connection->state = CONNECTION_DRAINING;
    connection->stream->ops->read_stop(connection->stream);
    timer_start_in(connection->loop, &connection->linger, LINGER_US);
    pump(connection);
}

void connection_close(struct connection *connection, enum err why)
{
    if (connection->state >= CONNECTION_CLOSING)
        return;
    connection->state = CONNECTION_CLOSING;
    handshake_step_give_up(&connection->handshake);
    timer_stop(connection->loop, &connection->linger);
    connection->stream->ops->close(connection->stream);
    connection->calls->on_closing(connection->owner, why);
}

static void on_closed(void *owner)
{
    struct connection *connection = owner;

    connection->state = CONNECTION_CLOSED;
    list_splice_back(&connection->sent, &connection->outgoing);
    call_done(connection);
    connection_unref(connection);
}

static const struct stream_events connection_events = {
    .on_buffer = on_buffer,
    .on_read = on_read,
    .on_end = on_end,
    .on_closed = on_closed,
};

enum err connection_new(const struct connection_options *options,
                        struct connection **ret_connection)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return ERR_NO_MEMORY;
    if (options->tls != NULL &&
        tls_stream_new(options->tls, &options->stream->loop->spares, &connection->tls) != ERR_OK) {
        free(connection);
        return ERR_NO_MEMORY;
    }
    connection->stream = options->stream;
    connection->scratch = options->scratch;
    connection->handshakes = options->handshakes;
    handshake_step_init(&connection->handshake, on_handshake_step);
    connection->calls = options->calls;
    connection->owner = options->owner;
    connection->loop = options->stream->loop;
    connection->references = 1; /* the stream's, until on_closed */
    connection->last_active_us = loop_now_us(connection->loop);
    connection->linger.fire = on_linger;
    memcpy(connection->peer, options->stream->peer, sizeof(connection->peer));
    memcpy(connection->peer_host, options->stream->peer_host, sizeof(connection->peer_host));
    frame_reader_init(&connection->frames, options->budget, &options->budget->strangers,
                      &connection->loop->spares, options->max_frame_bytes);
    buffer_init_spare(&connection->leftover, options->scratch->len * 2, &connection->loop->spares);
    list_init(&connection->outgoing);
    list_init(&connection->sent);
    connection->stream->events = &connection_events;
    connection->stream->owner = connection;
    connection->stream->ops->read_start(connection->stream);
    *ret_connection = connection;
    return ERR_OK;
}

void connection_ref(struct connection *connection)
{
    connection->references++;
}

void connection_unref(struct connection *connection)
{
    invariant(connection->references > 0);
    if (--connection->references > 0)
        return;
    connection->calls->on_gone(connection->owner);
    frame_reader_done(&connection->frames);
    buffer_done(&connection->leftover);
    tls_stream_free(connection->tls);
    buffer_done(&connection->cipher);
    free(connection);
}

bool connection_is_open(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN;
}

void connection_set_frames(struct connection *connection, size_t max_frame_bytes,
                           struct memory_account *account)
{
    connection->frames.max_size = max_frame_bytes;
    frame_reader_set_account(&connection->frames, account);
}

const char *connection_peer(const struct connection *connection)
{
    return connection->peer;
}

const char *connection_peer_host(const struct connection *connection)
{
    return connection->peer_host;
}

const char *connection_server_name(const struct connection *connection)
{
    return connection->tls ? tls_stream_server_name(connection->tls) : "";
}

struct loop *connection_loop(const struct connection *connection)
{
    return connection->loop;
}

int64_t connection_round_trip_us(const struct connection *connection)
{
    return connection->stream->ops->round_trip_us(connection->stream);
}

size_t connection_unsent_bytes(const struct connection *connection)
{
    return connection->unsent_bytes;
}

void connection_touch(struct connection *connection)
{
    connection->last_active_us = loop_now_us(connection->loop);
}

int64_t connection_last_active_us(const struct connection *connection)
{
    return connection->last_active_us;
}

bool connection_has_partial_frame(const struct connection *connection)
{
    return frame_reader_is_partial(&connection->frames);
}
