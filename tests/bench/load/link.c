/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/link.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/load/requests.h"

#define FIRST_ROOM 16384
#define EVENTS 256
#define NS_PER_S 1000000000

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void *allocate(size_t count, size_t size)
{
    void *made = calloc(count, size);

    if (made == NULL)
        err(1, "memory");
    return made;
}

/* --- bytes --- */

static void die_of_tls(const char *what)
{
    unsigned long code = ERR_get_error();

    errx(1, "%s: %s", what,
         code != 0 ? ERR_reason_error_string(code) : "the server closed the connection");
}

/* 0 = later. */
static size_t tls_result(const struct link *link, int done, const char *what)
{
    int why = done > 0 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, done);

    if (done > 0)
        return (size_t)done;
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        die_of_tls(what);
    return 0;
}

static size_t plain_result(ssize_t done, const char *what)
{
    if (done > 0)
        return (size_t)done;
    if (done == 0)
        errx(1, "%s: the server closed the connection", what);
    if (errno != EAGAIN && errno != EINTR)
        err(1, "%s", what);
    return 0;
}

static size_t write_some(const struct link *link, struct slice bytes)
{
    if (link->ssl != NULL)
        return tls_result(link, SSL_write(link->ssl, bytes.data, (int)bytes.len), "write");
    return plain_result(send(link->fd, bytes.data, bytes.len, MSG_NOSIGNAL), "write");
}

static size_t read_some(struct link *link)
{
    uint8_t *at = link->bytes + link->len;
    size_t room = link->room - link->len;

    if (link->ssl != NULL)
        return tls_result(link, SSL_read(link->ssl, at, (int)room), "read");
    return plain_result(recv(link->fd, at, room, 0), "read");
}

static void flush(struct link *link)
{
    while (link->head != link->tail) {
        struct slice *frame = &link->queue[link->head % LINK_QUEUE];
        size_t done =
            write_some(link, slice_of(frame->data + link->written, frame->len - link->written));

        if (done == 0)
            return;
        link->written += done;
        if (link->written == frame->len) {
            link->written = 0;
            link->head++;
        }
    }
}

void link_send(struct link *link, struct slice frame)
{
    bool is_idle = link->head == link->tail;

    if (link->tail - link->head == LINK_QUEUE)
        errx(1, "more than %d requests wait to be written: the server is slower than the load",
             LINK_QUEUE);
    link->queue[link->tail++ % LINK_QUEUE] = frame;
    if (is_idle)
        flush(link);
}

/* --- login --- */

static void start_tls(struct link_set *set, struct link *link)
{
    link->ssl = SSL_new(set->tls);
    if (link->ssl == NULL || SSL_set_fd(link->ssl, link->fd) != 1 ||
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->ssl), set->options->host) != 1)
        die_of_tls("TLS");
    SSL_set_connect_state(link->ssl);
}

static void send_login(struct link *link, struct slice frame)
{
    free((void *)(uintptr_t)link->login.data);
    link->login = frame;
    link_send(link, frame);
}

static void enter(struct link_set *set, struct link *link, enum link_state state)
{
    if (state == LINK_TLS && set->tls == NULL)
        state = LINK_MECHANISM;
    if (state == LINK_MECHANISM && set->options->user == NULL)
        state = LINK_READY;
    link->state = state;
    if (state == LINK_TLS)
        start_tls(set, link);
    else if (state == LINK_MECHANISM)
        send_login(link, request_mechanism());
    else if (state == LINK_PASSWORD)
        send_login(link, request_plain_login(set->options->user, set->options->password));
    else
        set->ready++;
}

static void take_answer(struct link_set *set, struct link *link, struct slice answer)
{
    if (link->state == LINK_READY) {
        set->on_answer(set->context, link, answer);
        return;
    }
    answer_check_login(answer);
    enter(set, link, link->state + 1);
}

/* --- events --- */

static uint32_t length_at(const uint8_t *bytes)
{
    uint32_t raw = 0;

    memcpy(&raw, bytes, sizeof(raw));
    return ntohl(raw);
}

/* Room for the answer that begins at `at`, which goes to the front. */
static void make_room(struct link *link, size_t at, size_t wanted)
{
    memmove(link->bytes, link->bytes + at, link->len - at);
    link->len -= at;
    if (wanted <= link->room)
        return;
    link->bytes = realloc(link->bytes, wanted);
    if (link->bytes == NULL)
        err(1, "memory");
    link->room = wanted;
}

static void take_answers(struct link_set *set, struct link *link)
{
    size_t at = 0;
    size_t wanted = FIRST_ROOM;

    while (link->len - at >= 4) {
        size_t len = 4 + (size_t)length_at(link->bytes + at);

        if (link->len - at < len) {
            wanted = len > FIRST_ROOM ? len : FIRST_ROOM;
            break;
        }
        take_answer(set, link, slice_of(link->bytes + at + 4, len - 4));
        at += len;
    }
    make_room(link, at, wanted);
}

static void receive(struct link_set *set, struct link *link)
{
    size_t done = 0;

    while ((done = read_some(link)) > 0) {
        link->len += done;
        take_answers(set, link);
    }
}

static void on_event(struct link_set *set, struct link *link)
{
    int failure = 0;
    socklen_t len = sizeof(failure);

    if (link->state == LINK_CONNECTING) {
        if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0 || failure != 0)
            errx(1, "connection: %s", strerror(failure));
        enter(set, link, LINK_TLS);
    }
    if (link->state == LINK_TLS) {
        if (tls_result(link, SSL_do_handshake(link->ssl), "TLS") == 0)
            return;
        enter(set, link, LINK_MECHANISM);
    }
    flush(link);
    receive(set, link);
}

void link_set_wait(struct link_set *set, int64_t timeout_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec timeout = {timeout_ns / NS_PER_S, timeout_ns % NS_PER_S};
    int count = epoll_pwait2(set->epoll, events, EVENTS, timeout_ns < 0 ? NULL : &timeout, NULL);

    if (count < 0 && errno != EINTR)
        err(1, "epoll");
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != NULL)
            on_event(set, events[i].data.ptr);
    }
}

/* --- opening --- */

static SSL_CTX *make_tls(const char *ca_file)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL || SSL_CTX_load_verify_locations(tls, ca_file, NULL) != 1)
        die_of_tls(ca_file);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    return tls;
}

static void open_link(struct link_set *set, struct link *link)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)set->options->port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = link}};
    int on = 1;

    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    link->queue = allocate(LINK_QUEUE, sizeof(link->queue[0]));
    link->bytes = allocate(FIRST_ROOM, 1);
    link->room = FIRST_ROOM;
    if (inet_pton(AF_INET, set->options->host, &address.sin_addr) != 1)
        errx(2, "%s is no IPv4 address", set->options->host);
    if (link->fd < 0 || setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        (connect(link->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(set->epoll, EPOLL_CTL_ADD, link->fd, &event) != 0)
        err(1, "%s:%d", set->options->host, set->options->port);
}

static void allow_files(int count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        err(1, "files");
    if (limit.rlim_cur < (rlim_t)count + 64) {
        limit.rlim_cur = limit.rlim_max;
        if (limit.rlim_max < (rlim_t)count + 64 || setrlimit(RLIMIT_NOFILE, &limit) != 0)
            errx(1, "%d connections need as many open files: raise `ulimit -n`", count);
    }
}

void link_set_open(struct link_set *set, const struct load_options *options, int count, int at_once)
{
    set->options = options;
    set->tls = options->ca_file != NULL ? make_tls(options->ca_file) : NULL;
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    set->links = allocate((size_t)count, sizeof(set->links[0]));
    if (set->epoll < 0)
        err(1, "epoll");
    allow_files(count);
    while (set->ready < count) {
        while (set->count < count && set->count - set->ready < at_once) {
            set->links[set->count].index = set->count;
            open_link(set, &set->links[set->count++]);
        }
        link_set_wait(set, -1);
    }
}

void link_set_close(struct link_set *set)
{
    for (int i = 0; i < set->count; i++) {
        struct link *link = &set->links[i];

        SSL_free(link->ssl);
        (void)close(link->fd);
        free((void *)(uintptr_t)link->login.data);
        free(link->queue);
        free(link->bytes);
    }
    free(set->links);
    SSL_CTX_free(set->tls);
    (void)close(set->epoll);
}
