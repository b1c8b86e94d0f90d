/* SPDX-License-Identifier: Apache-2.0 */
/* All that happens to a stream happens in one mail to its loop, "poked" when there is something to
 * do: one delivery does one thing, so that the executor's order decides how streams mix. */
#include "tests/simulation/sim_network.h"

#include "common/base/list.h"
#include "tests/simulation/sim_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RECEIVED = 256 * 1048576 };

struct sim_network {
    struct network base;
    struct sim_executor *executor;
    struct list listeners;
    struct list streams;
    int next_port;
    int next_loop;
};

struct network_listener {
    struct sim_network *network;
    const char *host; /* the caller's */
    int port;
    accept_fn on_accept;
    void *context;
    struct list link;
};

struct sim_stream {
    struct stream base;
    struct sim_network *network;
    struct sim_client *client;         /* NULL = freed by the test */
    struct network_listener *listener; /* until accepted */
    struct buffer incoming;            /* client to broker */
    struct stream_write *write;
    int64_t round_trip_us;
    bool is_reading;
    bool client_is_gone;
    bool client_is_stalled;
    bool end_is_told;
    bool is_closing;
    bool is_poked;
    struct mail poke;
    struct list link;
};

struct sim_client {
    struct sim_stream *stream; /* NULL = closed */
    struct buffer received;
};

static void poke(struct sim_stream *stream)
{
    if (stream->is_poked)
        return;
    stream->is_poked = true;
    loop_post(stream->base.loop, &stream->poke);
}

/* --- the broker's side --- */

static struct sim_stream *stream_of(struct stream *base)
{
    return container_of(base, struct sim_stream, base);
}

static void read_start(struct stream *base)
{
    stream_of(base)->is_reading = true;
    poke(stream_of(base));
}

static void read_stop(struct stream *base)
{
    stream_of(base)->is_reading = false;
}

static void start_write(struct stream *base, struct stream_write *write)
{
    struct sim_stream *stream = stream_of(base);

    invariant(stream->write == NULL && !stream->is_closing);
    stream->write = write;
    poke(stream);
}

static void start_close(struct stream *base)
{
    stream_of(base)->is_closing = true;
    poke(stream_of(base));
}

static int64_t round_trip_us(const struct stream *base)
{
    return container_of(base, const struct sim_stream, base)->round_trip_us;
}

static const struct stream_ops sim_stream_ops = {read_start, read_stop, start_write, start_close,
                                                 round_trip_us};

static void free_stream(struct sim_stream *stream)
{
    if (stream->client != NULL)
        stream->client->stream = NULL;
    list_remove(&stream->link);
    buffer_done(&stream->incoming);
    free(stream);
}

static void finish_write(struct sim_stream *stream, enum err err)
{
    struct stream_write *write = stream->write;

    stream->write = NULL;
    sim_memory_begin();
    for (int i = 0; err == ERR_OK && stream->client != NULL && i < write->iov_count; i++)
        err =
            buffer_append(&stream->client->received, write->iov[i].iov_base, write->iov[i].iov_len);
    sim_memory_end();
    write->done(write, err);
}

static void deliver_piece(struct sim_stream *stream)
{
    uint8_t *data = NULL;
    size_t len = 0;
    size_t part = 0;

    stream->base.events->on_buffer(stream->base.owner, &data, &len);
    if (len == 0)
        return;
    part = stream->incoming.len < len ? stream->incoming.len : len;
    part = 1 + (size_t)seeded_random_below(sim_executor_random(stream->network->executor), part);
    memcpy(data, stream->incoming.data, part);
    buffer_consume(&stream->incoming, part);
    stream->base.events->on_read(stream->base.owner, part);
}

/* True = the stream is still there. */
static bool do_one_thing(struct sim_stream *stream)
{
    if (stream->is_closing) {
        if (stream->write != NULL)
            finish_write(stream, ERR_CANCELLED);
        if (stream->base.events != NULL)
            stream->base.events->on_closed(stream->base.owner);
        free_stream(stream);
        return false;
    }
    if (stream->write != NULL && (!stream->client_is_stalled || stream->client_is_gone)) {
        finish_write(stream, stream->client_is_gone ? ERR_CLOSED : ERR_OK);
    } else if (stream->is_reading && stream->incoming.len > 0) {
        deliver_piece(stream);
    } else if (stream->is_reading && stream->client_is_gone && !stream->end_is_told) {
        stream->end_is_told = true;
        stream->base.events->on_end(stream->base.owner, ERR_CLOSED);
    }
    return true;
}

static bool has_more(const struct sim_stream *stream)
{
    return stream->is_closing ||
           (stream->write != NULL && (!stream->client_is_stalled || stream->client_is_gone)) ||
           (stream->is_reading &&
            (stream->incoming.len > 0 || (stream->client_is_gone && !stream->end_is_told)));
}

static void on_poke(struct mail *mail)
{
    struct sim_stream *stream = container_of(mail, struct sim_stream, poke);

    stream->is_poked = false;
    if (stream->listener != NULL) {
        struct network_listener *listener = stream->listener;

        stream->listener = NULL;
        if (!listener->on_accept(listener->context, &stream->base)) {
            stream->base.events = NULL;
            stream->is_closing = true;
        }
    }
    /* Closed, or read from, while it was accepted: a mail is on its way already. */
    if (stream->is_poked)
        return;
    if (do_one_thing(stream) && has_more(stream))
        poke(stream);
}

static bool is_taken(const struct sim_network *network, const char *host, int port)
{
    list_for_each(&network->listeners, link)
    {
        const struct network_listener *other = container_of(link, struct network_listener, link);

        if (other->port == port && strcmp(other->host, host) == 0)
            return true;
    }
    return false;
}

static enum err sim_listen(struct network *base, const char *host, int port, accept_fn on_accept,
                           void *context, struct network_listener **ret_listener,
                           struct error *error)
{
    struct sim_network *network = container_of(base, struct sim_network, base);
    struct network_listener *listener = NULL;

    if (is_taken(network, host, port))
        return error_set(error, ERR_IO, "%s:%d is taken", host, port);
    listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return error_set(error, ERR_NO_MEMORY, "listener");
    listener->network = network;
    listener->host = host;
    listener->port = port ? port : network->next_port++;
    listener->on_accept = on_accept;
    listener->context = context;
    list_push_back(&network->listeners, &listener->link);
    *ret_listener = listener;
    return ERR_OK;
}

static int listener_port(struct network_listener *listener)
{
    return listener->port;
}

static void listener_close(struct network_listener *listener)
{
    list_for_each(&listener->network->streams, link)
    {
        struct sim_stream *stream = container_of(link, struct sim_stream, link);

        if (stream->listener == listener) { /* not accepted yet, and never will be */
            stream->listener = NULL;
            stream->base.events = NULL;
            stream->is_closing = true;
        }
    }
    list_remove(&listener->link);
    free(listener);
}

static const struct network_ops sim_network_ops = {sim_listen, listener_port, listener_close};

struct network *sim_network_new(struct sim_executor *executor)
{
    struct sim_network *network = calloc(1, sizeof(*network));

    invariant(network != NULL);
    network->base.ops = &sim_network_ops;
    network->executor = executor;
    network->next_port = 10000;
    list_init(&network->listeners);
    list_init(&network->streams);
    return &network->base;
}

void sim_network_free(struct network *base)
{
    struct sim_network *network = container_of(base, struct sim_network, base);
    struct list *link = NULL;

    while (!list_is_empty(&network->streams))
        free_stream(container_of(network->streams.next, struct sim_stream, link));
    while ((link = list_pop_front(&network->listeners)) != NULL)
        free(container_of(link, struct network_listener, link));
    free(network);
}

/* --- the client's side --- */

struct sim_client *sim_client_connect(struct network *base, int port)
{
    struct sim_network *network = container_of(base, struct sim_network, base);
    struct executor *executor = sim_executor_base(network->executor);
    struct network_listener *listener = NULL;
    struct sim_client *client = NULL;
    struct sim_stream *stream = NULL;

    list_for_each(&network->listeners, link)
    {
        struct network_listener *each = container_of(link, struct network_listener, link);

        if (each->port == port)
            listener = each;
    }
    if (listener == NULL)
        return NULL;
    client = calloc(1, sizeof(*client));
    stream = calloc(1, sizeof(*stream));
    invariant(client != NULL && stream != NULL);
    buffer_init(&client->received, MAX_RECEIVED);
    client->stream = stream;
    stream->base.ops = &sim_stream_ops;
    stream->base.loop = executor->loops[network->next_loop++ % executor->loop_count];
    snprintf(stream->base.peer, sizeof(stream->base.peer), "127.0.0.1:%d",
             40000 + network->next_loop);
    snprintf(stream->base.peer_host, sizeof(stream->base.peer_host), "127.0.0.1");
    stream->network = network;
    stream->client = client;
    stream->listener = listener;
    stream->poke.deliver = on_poke;
    buffer_init(&stream->incoming, MAX_RECEIVED);
    list_push_back(&network->streams, &stream->link);
    poke(stream);
    return client;
}

void sim_client_free(struct sim_client *client)
{
    if (client == NULL)
        return;
    if (client->stream != NULL) {
        sim_client_close(client);
        client->stream->client = NULL;
    }
    buffer_done(&client->received);
    free(client);
}

void sim_client_send(struct sim_client *client, const void *data, size_t len)
{
    if (client->stream == NULL)
        return;
    invariant(buffer_append(&client->stream->incoming, data, len) == ERR_OK);
    poke(client->stream);
}

void sim_client_set_round_trip(struct sim_client *client, int64_t round_trip_us)
{
    client->stream->round_trip_us = round_trip_us;
}

void sim_client_stall(struct sim_client *client)
{
    if (client->stream != NULL)
        client->stream->client_is_stalled = true;
}

void sim_client_close(struct sim_client *client)
{
    if (client->stream == NULL)
        return;
    client->stream->client_is_gone = true;
    poke(client->stream);
}

struct buffer *sim_client_received(struct sim_client *client)
{
    return &client->received;
}

bool sim_client_is_closed(const struct sim_client *client)
{
    return client->stream == NULL;
}
