/* SPDX-License-Identifier: Apache-2.0 */
/* One uv_poll a listening socket, accept4 until it says "no more" or the turn's share is used; then a
 * mail to the chosen loop, which opens a uv_tcp on the descriptor and asks the owner to take it.
 *
 * What the socket takes at once is written at once, and its done comes by mail: libuv's own way costs two
 * system calls more (it sets the socket's poll mask anew, and polls without waiting). Once a turn for each
 * stream: who has much to send lets the others have theirs between two writes. */
#include "dataplane/uv/uv_network.h"

#include "dataplane/uv/tcp_round_trip.h"
#include "dataplane/uv/uv_executor_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPTS_A_TURN = 16, MAX_LOOPS = 64 };

struct uv_network {
    struct network base;
    struct executor *executor;
    atomic_int stream_counts[MAX_LOOPS];
};

struct network_listener {
    struct uv_network *network;
    uv_poll_t poll;
    int fd;
    int port;
    accept_fn on_accept;
    void *context;
    atomic_int references; /* the poll handle, and each handover under way */
};

struct uv_stream {
    struct stream base;
    struct uv_network *network;
    uv_tcp_t tcp;
    uv_write_t request;
    struct stream_write *write; /* under way, or NULL */
    struct mail written;        /* it is sent: done is next */
    uint64_t written_turn;      /* of the loop, when this was last used */
    bool is_closing;
    bool is_closed; /* by libuv; `written` is under way still */
};

struct handover {
    struct mail mail;
    struct network_listener *listener;
    struct loop *loop;
    int fd;
};

static struct uv_stream *stream_of(struct stream *stream)
{
    return container_of(stream, struct uv_stream, base);
}

static void listener_unref(struct network_listener *listener)
{
    if (atomic_fetch_sub(&listener->references, 1) == 1)
        free(listener);
}

/* --- streams --- */

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct uv_stream *stream = handle->data;
    uint8_t *data = NULL;
    size_t len = 0;

    (void)suggested;
    if (!stream->is_closing)
        stream->base.events->on_buffer(stream->base.owner, &data, &len);
    *buf = uv_buf_init((char *)data, (unsigned)len);
}

static void on_read(uv_stream_t *handle, ssize_t got, const uv_buf_t *buf)
{
    struct uv_stream *stream = handle->data;

    (void)buf;
    if (stream->is_closing || got == 0)
        return;
    if (got == UV_ENOBUFS) {
        uv_read_stop(handle);
        return;
    }
    if (got < 0) {
        uv_read_stop(handle);
        stream->base.events->on_end(stream->base.owner,
                                    got == UV_EOF ? ERR_CLOSED : err_from_errno((int)-got));
        return;
    }
    stream->base.events->on_read(stream->base.owner, (size_t)got);
}

static void stream_read_start(struct stream *base)
{
    struct uv_stream *stream = stream_of(base);

    /* UV_EALREADY: it is on. */
    if (!stream->is_closing)
        uv_read_start((uv_stream_t *)&stream->tcp, on_buffer, on_read);
}

static void stream_read_stop(struct stream *base)
{
    struct uv_stream *stream = stream_of(base);

    if (!stream->is_closing)
        uv_read_stop((uv_stream_t *)&stream->tcp);
}

static void end_write(struct uv_stream *stream, enum err err)
{
    struct stream_write *write = stream->write;

    stream->write = NULL;
    write->done(write, err);
}

static void on_written(uv_write_t *request, int status)
{
    end_write(request->data, status == 0 ? ERR_OK : err_from_errno(-status));
}

static void gone(struct uv_stream *stream)
{
    atomic_fetch_sub_explicit(&stream->network->stream_counts[stream->base.loop->index], 1,
                              memory_order_relaxed);
    if (stream->base.events != NULL)
        stream->base.events->on_closed(stream->base.owner);
    free(stream);
}

static void on_written_at_once(struct mail *mail)
{
    struct uv_stream *stream = container_of(mail, struct uv_stream, written);

    end_write(stream, ERR_OK);
    if (stream->is_closed)
        gone(stream);
}

static void move_forward(struct stream_write *write, size_t len)
{
    while (write->iov_count > 0 && len >= write->iov->iov_len) {
        len -= write->iov->iov_len;
        write->iov++;
        write->iov_count--;
    }
    if (write->iov_count > 0) {
        write->iov->iov_base = (uint8_t *)write->iov->iov_base + len;
        write->iov->iov_len -= len;
    }
}

/* True = all of it is with the socket. */
static bool write_at_once(struct uv_stream *stream, struct stream_write *write)
{
    const struct uv_executor_loop *loop = uv_loop_of(stream->base.loop);
    int sent = 0;

    if (stream->written_turn == loop->turn)
        return false;
    stream->written_turn = loop->turn;
    sent = uv_try_write((uv_stream_t *)&stream->tcp, (const uv_buf_t *)(const void *)write->iov,
                        (unsigned)write->iov_count);
    if (sent > 0) /* else uv_write says what is wrong */
        move_forward(write, (size_t)sent);
    return write->iov_count == 0;
}

static void stream_write_start(struct stream *base, struct stream_write *write)
{
    struct uv_stream *stream = stream_of(base);

    _Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec) &&
                       offsetof(uv_buf_t, base) == offsetof(struct iovec, iov_base) &&
                       offsetof(uv_buf_t, len) == offsetof(struct iovec, iov_len),
                   "libuv promises this layout on Unix");
    invariant(stream->write == NULL && !stream->is_closing);
    stream->write = write;
    if (write_at_once(stream, write)) {
        stream->written.deliver = on_written_at_once;
        loop_post(base->loop, &stream->written);
        return;
    }
    stream->request.data = stream;
    invariant(uv_write(&stream->request, (uv_stream_t *)&stream->tcp,
                       (const uv_buf_t *)(const void *)write->iov, (unsigned)write->iov_count,
                       on_written) == 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct uv_stream *stream = handle->data;

    /* libuv has told of its own writes by now. */
    if (stream->write == NULL)
        gone(stream);
    else
        stream->is_closed = true;
}

static void stream_close(struct stream *base)
{
    struct uv_stream *stream = stream_of(base);

    if (stream->is_closing)
        return;
    stream->is_closing = true;
    uv_close((uv_handle_t *)&stream->tcp, on_closed);
}

static int64_t stream_round_trip_us(const struct stream *base)
{
    const struct uv_stream *stream = container_of(base, const struct uv_stream, base);
    uv_os_fd_t fd = -1;

    return uv_fileno((const uv_handle_t *)&stream->tcp, &fd) == 0 ? tcp_round_trip_us(fd) : 0;
}

static const struct stream_ops uv_stream_ops = {
    .read_start = stream_read_start,
    .read_stop = stream_read_stop,
    .write = stream_write_start,
    .close = stream_close,
    .round_trip_us = stream_round_trip_us,
};

static void name_peer(struct stream *stream, int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "?";
    int port = 0;

    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0) {
        if (address.ss_family == AF_INET6) {
            const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)&address;

            inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
            port = ntohs(in6->sin6_port);
        } else {
            const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&address;

            inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
            port = ntohs(in->sin_port);
        }
    }
    snprintf(stream->peer_host, sizeof(stream->peer_host), "%s", host);
    snprintf(stream->peer, sizeof(stream->peer), "%s:%d", host, port);
}

static void take_over(struct mail *mail)
{
    struct handover *handover = container_of(mail, struct handover, mail);
    struct network_listener *listener = handover->listener;
    struct uv_executor_loop *loop = uv_loop_of(handover->loop);
    struct uv_stream *stream = calloc(1, sizeof(*stream));
    int fd = handover->fd;
    int on = 1;

    free(handover);
    if (stream == NULL) {
        close(fd);
        atomic_fetch_sub(&listener->network->stream_counts[loop->base.index], 1);
        listener_unref(listener);
        return;
    }
    stream->network = listener->network;
    stream->base.ops = &uv_stream_ops;
    stream->base.loop = &loop->base;
    name_peer(&stream->base, fd);
    uv_tcp_init(&loop->uv, &stream->tcp);
    stream->tcp.data = stream;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (uv_tcp_open(&stream->tcp, fd) != 0)
        close(fd);
    else if (listener->on_accept(listener->context, &stream->base)) {
        listener_unref(listener);
        return;
    }
    stream->base.events = NULL;
    stream_close(&stream->base);
    listener_unref(listener);
}

/* --- listeners --- */

static struct loop *idlest_loop(struct uv_network *network)
{
    int best = 0;
    int fewest = atomic_load_explicit(&network->stream_counts[0], memory_order_relaxed);

    for (int i = 1; i < network->executor->loop_count; i++) {
        int count = atomic_load_explicit(&network->stream_counts[i], memory_order_relaxed);

        if (count < fewest) {
            fewest = count;
            best = i;
        }
    }
    return network->executor->loops[best];
}

static void hand_over(struct network_listener *listener, int fd)
{
    struct handover *handover = malloc(sizeof(*handover));
    struct loop *loop = idlest_loop(listener->network);

    if (handover == NULL) {
        close(fd);
        return;
    }
    handover->mail.deliver = take_over;
    handover->listener = listener;
    handover->loop = loop;
    handover->fd = fd;
    atomic_fetch_add(&listener->references, 1);
    atomic_fetch_add(&listener->network->stream_counts[loop->index], 1);
    loop_post(loop, &handover->mail);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct network_listener *listener = poll->data;

    (void)events;
    if (status != 0)
        return;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        /* Out of descriptors: the connection waits in the backlog; the poll brings us back. */
        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            return;
        if (fd >= 0)
            hand_over(listener, fd);
    }
}

static enum err parse_address(const char *host, int port, struct sockaddr_storage *ret,
                              socklen_t *ret_len)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        *ret_len = sizeof(*in);
        return ERR_OK;
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        *ret_len = sizeof(*in6);
        return ERR_OK;
    }
    return ERR_INVALID;
}

static enum err open_socket(const char *host, int port, int *ret_fd, int *ret_port,
                            struct error *error)
{
    struct sockaddr_storage address;
    socklen_t len = 0;
    int on = 1;
    int fd = -1;
    enum err rc = parse_address(host, port, &address, &len);

    if (rc != ERR_OK)
        return error_set(error, rc, "\"%s\" is not a literal address", host);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, err_from_errno(errno), "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        rc = error_set(error, err_from_errno(errno), "listen on %s port %d: %s", host, port,
                       strerror(errno));
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    *ret_port = address.ss_family == AF_INET6
                    ? ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port)
                    : ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
    return ERR_OK;
}

static enum err network_listen(struct network *base, const char *host, int port,
                               accept_fn on_accept, void *context,
                               struct network_listener **ret_listener, struct error *error)
{
    struct uv_network *network = container_of(base, struct uv_network, base);
    struct network_listener *listener = calloc(1, sizeof(*listener));
    enum err rc = ERR_OK;

    if (listener == NULL)
        return error_set(error, ERR_NO_MEMORY, "listener");
    rc = open_socket(host, port, &listener->fd, &listener->port, error);
    if (rc != ERR_OK) {
        free(listener);
        return rc;
    }
    listener->network = network;
    listener->on_accept = on_accept;
    listener->context = context;
    atomic_init(&listener->references, 1);
    listener->poll.data = listener;
    invariant(uv_poll_init(&uv_loop_of(network->executor->loops[0])->uv, &listener->poll,
                           listener->fd) == 0);
    uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    *ret_listener = listener;
    return ERR_OK;
}

static int network_listener_port(struct network_listener *listener)
{
    return listener->port;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct network_listener *listener = handle->data;

    close(listener->fd);
    listener_unref(listener);
}

static void network_listener_close(struct network_listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
}

static const struct network_ops uv_network_ops = {
    .listen = network_listen,
    .listener_port = network_listener_port,
    .listener_close = network_listener_close,
};

enum err uv_network_new(struct uv_executor *executor, struct network **ret_network)
{
    struct uv_network *network = calloc(1, sizeof(*network));

    if (network == NULL)
        return ERR_NO_MEMORY;
    network->base.ops = &uv_network_ops;
    network->executor = uv_executor_base(executor);
    *ret_network = &network->base;
    return ERR_OK;
}

void uv_network_free(struct network *network)
{
    free(container_of(network, struct uv_network, base));
}
