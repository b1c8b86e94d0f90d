/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that were encoded before, sent at an even rate whatever the answers do, and how long each
 * answer took from the moment at which its request was due.
 *
 *   frame_load PORT FRAMES RATE COUNT CONNECTIONS ANSWERS
 *
 * FRAMES holds requests one after another, each with its length in front; they are sent in turn, again
 * from the first after the last, to the connections in turn. ANSWERS gets every answer, likewise with its
 * length. One line of JSON on stdout; sent_late is how late this program itself was with its requests,
 * so that a busy machine is not taken for a slow broker. Exit status 1: an answer stayed away. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define ANSWER_BYTES 65536
#define PATIENCE_NS ((int64_t)20 * 1000000000)

struct connection {
    int fd;
    uint8_t bytes[ANSWER_BYTES]; /* of answers, not taken yet */
    size_t len;
    int64_t *due; /* of each request sent, in order */
    size_t sent;
    size_t answered;
};

struct load {
    uint8_t *frames;
    size_t *starts; /* of each frame, and the end of the last */
    size_t frame_count;
    int64_t interval_ns;
    size_t count;
    struct connection connections[CONNECTIONS_MAX];
    int connection_count;
    int64_t *took;
    int64_t *late;
    size_t sent;
    size_t answered;
    FILE *answers;
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint32_t length_at(const uint8_t *bytes)
{
    uint32_t raw = 0;

    memcpy(&raw, bytes, sizeof(raw));
    return ntohl(raw);
}

static void *make(size_t count, size_t size)
{
    void *made = calloc(count, size);

    if (made == NULL)
        err(1, "memory");
    return made;
}

static void read_frames(struct load *load, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;
    long size = 0;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0)
        err(1, "%s", path);
    rewind(file);
    load->frames = make((size_t)size, 1);
    load->starts = make((size_t)size / 4 + 1, sizeof(load->starts[0]));
    if (fread(load->frames, 1, (size_t)size, file) != (size_t)size)
        err(1, "%s", path);
    (void)fclose(file);
    while (len + 4 <= (size_t)size) {
        load->starts[load->frame_count++] = len;
        len += 4 + length_at(load->frames + len);
    }
    if (len != (size_t)size)
        errx(1, "%s: not whole frames", path);
    load->starts[load->frame_count] = len;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        err(1, "port %d", port);
    return fd;
}

static void send_one(struct load *load, int64_t due)
{
    struct connection *connection = &load->connections[load->sent % (size_t)load->connection_count];
    size_t frame = load->sent % load->frame_count;
    size_t len = load->starts[frame + 1] - load->starts[frame];

    load->late[load->sent++] = now_ns() - due;
    connection->due[connection->sent++] = due;
    if (send(connection->fd, load->frames + load->starts[frame], len, MSG_NOSIGNAL) != (ssize_t)len)
        err(1, "send");
}

/* Whole answers leave the buffer. */
static void take_answers(struct load *load, struct connection *connection, int64_t now)
{
    size_t at = 0;

    while (connection->len - at >= 4) {
        size_t len = 4 + length_at(connection->bytes + at);

        if (len > sizeof(connection->bytes) || connection->answered == connection->sent)
            errx(1, "an answer that nobody asked for");
        if (connection->len - at < len)
            break;
        load->took[load->answered++] = now - connection->due[connection->answered++];
        if (fwrite(connection->bytes + at, 1, len, load->answers) != len)
            err(1, "answers");
        at += len;
    }
    memmove(connection->bytes, connection->bytes + at, connection->len - at);
    connection->len -= at;
}

static void receive(struct load *load, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->bytes + connection->len,
                       sizeof(connection->bytes) - connection->len, MSG_DONTWAIT);

    if (got <= 0)
        err(1, "the broker closed a connection");
    connection->len += (size_t)got;
    take_answers(load, connection, now_ns());
}

static void run(struct load *load)
{
    int64_t began = now_ns() + 10000000;
    int64_t end = began + (int64_t)load->count * load->interval_ns + PATIENCE_NS;
    struct pollfd polled[CONNECTIONS_MAX];

    for (int i = 0; i < load->connection_count; i++)
        polled[i] = (struct pollfd){.fd = load->connections[i].fd, .events = POLLIN};
    while (load->answered < load->count) {
        int64_t due =
            load->sent < load->count ? began + (int64_t)load->sent * load->interval_ns : end;
        int64_t left = due - now_ns();
        struct timespec pause = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};

        if (left <= 0 && due == end)
            errx(1, "%zu answers stayed away", load->count - load->answered);
        if (left <= 0) {
            send_one(load, due);
            continue;
        }
        if (ppoll(polled, (nfds_t)load->connection_count, &pause, NULL) < 0)
            err(1, "poll");
        for (int i = 0; i < load->connection_count; i++) {
            if (polled[i].revents != 0)
                receive(load, &load->connections[i]);
        }
    }
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static double ms_at(const int64_t *sorted, size_t index)
{
    return (double)sorted[index] / 1e6;
}

static void tell(struct load *load)
{
    size_t last = load->count - 1;

    qsort(load->took, load->count, sizeof(load->took[0]), compare);
    qsort(load->late, load->count, sizeof(load->late[0]), compare);
    printf("{\"count\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"sent_late_p99_ms\": %.3f, \"sent_late_max_ms\": %.3f}\n",
           load->count, ms_at(load->took, load->count / 2),
           ms_at(load->took, load->count * 99 / 100), ms_at(load->took, last),
           ms_at(load->late, load->count * 99 / 100), ms_at(load->late, last));
}

int main(int argc, char **argv)
{
    static struct load load;
    int port = 0;

    if (argc != 7)
        errx(2, "usage: frame_load PORT FRAMES RATE COUNT CONNECTIONS ANSWERS");
    port = (int)strtol(argv[1], NULL, 10);
    load.interval_ns = 1000000000 / strtoll(argv[3], NULL, 10);
    load.count = strtoull(argv[4], NULL, 10);
    load.connection_count = (int)strtol(argv[5], NULL, 10);
    if (load.count < 1 || load.connection_count < 1 || load.connection_count > CONNECTIONS_MAX)
        errx(2, "COUNT is at least 1, CONNECTIONS are 1 to %d", CONNECTIONS_MAX);
    read_frames(&load, argv[2]);
    load.took = make(load.count, sizeof(load.took[0]));
    load.late = make(load.count, sizeof(load.late[0]));
    load.answers = fopen(argv[6], "we");
    if (load.answers == NULL)
        err(1, "%s", argv[6]);
    for (int i = 0; i < load.connection_count; i++) {
        load.connections[i].fd = connect_to(port);
        load.connections[i].due = make(load.count, sizeof(load.connections[i].due[0]));
    }
    run(&load);
    tell(&load);
    return fclose(load.answers) == 0 ? 0 : 1;
}
