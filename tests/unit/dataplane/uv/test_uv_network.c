/* SPDX-License-Identifier: Apache-2.0 */
/* Streams on a real loop and real sockets. The server side is on the test's thread, which runs the loop; the peer is on
 * a thread of its own and keeps what it got. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/observe/histogram.h"
#include "dataplane/uv/uv_executor.h"
#include "dataplane/uv/uv_network.h"
#include "tests/support/check_main.h"

#define MANY 200
#define LARGE (8 * 1024 * 1024)

static struct uv_executor *executor;
static struct network *network;
static struct network_listener *listener;
static pthread_t peer_thread;

/* The peer. */
static bool peer_resets;
static uint8_t *received;
static size_t received_len;

/* The server's side of the one connection. */
static struct stream *stream;
static struct stream_write write_under_way;
static struct iovec parts[3];
static uint8_t *bytes;
static bool is_in_write;
static int writes_left, writes_done;
static enum err write_err;
static struct mail later;
static uint8_t scratch[64];

static int64_t turns(void)
{
    struct histogram_sum sum = {0};

    histogram_sum_add(&sum, loop_busy_times(stream->loop));
    return histogram_sum_count(&sum);
}

static void on_buffer(void *owner, uint8_t **ret_data, size_t *ret_len)
{
    (void)owner;
    *ret_data = scratch;
    *ret_len = sizeof(scratch);
}

static void close_at_end(void *owner, enum err why)
{
    (void)owner;
    (void)why;
    stream->ops->close(stream);
}

static void on_closed(void *owner)
{
    (void)owner;
    ck_assert_int_eq(writes_left, 0);
    network->ops->listener_close(listener);
    uv_executor_stop(executor);
}

static void start_write(void (*done)(struct stream_write *write, enum err err), int part_count)
{
    write_under_way = (struct stream_write){.iov = parts, .iov_count = part_count, .done = done};
    is_in_write = true;
    stream->ops->write(stream, &write_under_way);
    is_in_write = false;
}

static void note_done(struct stream_write *write, enum err err)
{
    ck_assert_ptr_eq(write, &write_under_way);
    ck_assert(!is_in_write);
    writes_done++;
    writes_left--;
    write_err = err;
}

/* --- the rig --- */

static void *run_peer(void *context)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)network->ops->listener_port(listener))};
    const struct linger reset = {1, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t got = 0;

    (void)context;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    if (peer_resets)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    while (!peer_resets && (got = recv(fd, received + received_len, LARGE - received_len, 0)) > 0)
        received_len += (size_t)got;
    close(fd);
    return NULL;
}

static void setup(void)
{
    struct uv_executor_options options = {
        .loop_count = 1, .read_workers = 1, .check_workers = 1, .slow_workers = 1};
    struct error error;

    signal(SIGPIPE, SIG_IGN); /* as the broker does */
    ck_assert_int_eq(uv_executor_new(&options, &executor, &error), ERR_OK);
    ck_assert_int_eq(uv_network_new(executor, &network), ERR_OK);
    received = malloc(LARGE);
    bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 2654435761U >> 13);
    received_len = 0;
    peer_resets = false;
    writes_done = 0;
    write_err = ERR_OK;
}

static void teardown(void)
{
    uv_network_free(network);
    uv_executor_free(executor);
    free(received);
    free(bytes);
}

static bool on_accept(void *context, struct stream *accepted)
{
    stream = accepted;
    stream->events = context;
    stream->ops->read_start(stream);
    return true;
}

/* Until the stream is gone and the loop has ended. */
static void run(const struct stream_events *events)
{
    struct error error;

    ck_assert_int_eq(network->ops->listen(network, "127.0.0.1", 0, on_accept,
                                          (void *)(uintptr_t)events, &listener, &error),
                     ERR_OK);
    ck_assert_int_eq(pthread_create(&peer_thread, NULL, run_peer, NULL), 0);
    uv_executor_run(executor);
    ck_assert_int_eq(pthread_join(peer_thread, NULL), 0);
}

/* --- the cases --- */

static void close_when_done(struct stream_write *write, enum err err)
{
    note_done(write, err);
    stream->ops->close(stream);
}

static void send_all_in_parts(void *owner, size_t len)
{
    (void)owner;
    (void)len;
    parts[0] = (struct iovec){bytes, 7};
    parts[1] = (struct iovec){bytes + 7, LARGE - 7};
    parts[2] = (struct iovec){bytes, 0};
    start_write(close_when_done, 3);
}

START_TEST(more_than_the_socket_takes_arrives_whole_and_in_order)
{
    static const struct stream_events events = {on_buffer, send_all_in_parts, close_at_end,
                                                on_closed};

    writes_left = 1;
    run(&events);
    ck_assert_int_eq(write_err, ERR_OK);
    ck_assert_uint_eq(received_len, LARGE);
    ck_assert_mem_eq(received, bytes, LARGE);
}
END_TEST

static int64_t turns_at_first;
static int64_t turns_at_last;

static void send_next(struct stream_write *write, enum err err)
{
    note_done(write, err);
    turns_at_last = turns();
    if (writes_left == 0) {
        stream->ops->close(stream);
        return;
    }
    parts[0] = (struct iovec){bytes + writes_done, 1};
    start_write(send_next, 1);
}

static void send_many(void *owner, size_t len)
{
    (void)owner;
    (void)len;
    turns_at_first = turns();
    parts[0] = (struct iovec){bytes, 1};
    start_write(send_next, 1);
}

START_TEST(who_sends_piece_after_piece_lets_the_loop_turn_between_them)
{
    static const struct stream_events events = {on_buffer, send_many, close_at_end, on_closed};

    writes_left = MANY;
    run(&events);
    ck_assert_int_eq(writes_done, MANY);
    ck_assert_uint_eq(received_len, MANY);
    ck_assert_mem_eq(received, bytes, MANY);
    ck_assert_int_ge(turns_at_last - turns_at_first, MANY / 4);
}
END_TEST

static void send_and_close(void)
{
    parts[0] = (struct iovec){bytes, 5};
    start_write(note_done, 1);
    stream->ops->close(stream);
}

static void send_and_close_at_once(void *owner, size_t len)
{
    (void)owner;
    (void)len;
    send_and_close();
}

static void deliver_later(struct mail *mail)
{
    (void)mail;
    send_and_close();
}

/* After the poll, when what is sent by mail comes later than what libuv closes. */
static void send_and_close_by_mail(void *owner, size_t len)
{
    (void)owner;
    (void)len;
    later.deliver = deliver_later;
    loop_post(stream->loop, &later);
}

START_TEST(a_stream_that_is_closed_right_after_a_write_tells_its_end_before_it_goes)
{
    static const struct stream_events events[] = {
        {on_buffer, send_and_close_at_once, close_at_end, on_closed},
        {on_buffer, send_and_close_by_mail, close_at_end, on_closed}};

    writes_left = 1;
    run(&events[_i]);
    ck_assert_int_eq(writes_done, 1);
    ck_assert_uint_eq(received_len, 5);
}
END_TEST

static void send_until_it_fails(struct stream_write *write, enum err err)
{
    note_done(write, err);
    if (err != ERR_OK) {
        stream->ops->close(stream);
        return;
    }
    writes_left++;
    parts[0] = (struct iovec){bytes, 1};
    start_write(send_until_it_fails, 1);
}

/* Nothing is read: only a write can tell that the peer is gone. */
static void send_without_reading(void *owner, size_t len)
{
    (void)owner;
    (void)len;
    stream->ops->read_stop(stream);
    parts[0] = (struct iovec){bytes, 1};
    start_write(send_until_it_fails, 1);
}

START_TEST(a_write_to_a_peer_that_is_gone_fails_by_its_done)
{
    static const struct stream_events events = {on_buffer, send_without_reading, close_at_end,
                                                on_closed};

    peer_resets = true;
    writes_left = 1;
    run(&events);
    ck_assert_int_ne(write_err, ERR_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/uv/uv_network");
    TCase *tc = tcase_create("uv_network");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, more_than_the_socket_takes_arrives_whole_and_in_order);
    tcase_add_test(tc, who_sends_piece_after_piece_lets_the_loop_turn_between_them);
    tcase_add_loop_test(
        tc, a_stream_that_is_closed_right_after_a_write_tells_its_end_before_it_goes, 0, 2);
    tcase_add_test(tc, a_write_to_a_peer_that_is_gone_fails_by_its_done);
    suite_add_tcase(suite, tc);
    return suite;
}
