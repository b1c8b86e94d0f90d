/* SPDX-License-Identifier: Apache-2.0 */
/* When a connection reads, and what it hands on and sends over TLS: over streams of the test's own, with OpenSSL's client at the
 * other end. */
#include "dataplane/net/connection.h"
#include "dataplane/net/tls_context.h"
#include "dataplane/quota/memory_budget.h"
#include "tests/simulation/sim_executor.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/net/server_certificate.h"

#include <openssl/ssl.h>
#include <string.h>

enum {
    PEERS = HANDSHAKE_STEPS_A_TURN + 1,
    SCRATCH_BYTES = 65536,
    FRAMES = 3,
    FRAME_BYTES = 600,
    ANSWER_BYTES = 700000,
    CIPHER_BYTES = 262144 /* of one write, at most */
};

struct peer {
    struct stream stream;
    struct connection *connection;
    struct stream_write *write; /* under way */
    bool is_reading;
    bool is_closed;
};

static struct server_certificate files;
static struct tls_context *tls;
static struct sim_executor *executor;
static struct handshake_queue queue;
static struct memory_budget budget;
static uint8_t scratch_bytes[SCRATCH_BYTES];
static struct connection_scratch scratch = {scratch_bytes, SCRATCH_BYTES};
static struct peer peers[PEERS];
static struct peer *const last = &peers[PEERS - 1];
static SSL_CTX *client_context;
static SSL *client;            /* of `last` */
static uint8_t frames[FRAMES]; /* the first byte of each that came */
static int frame_count;
static int answers_done;

static struct peer *peer_of(struct stream *stream)
{
    return container_of(stream, struct peer, stream);
}

static void stream_read_start(struct stream *stream)
{
    peer_of(stream)->is_reading = true;
}

static void stream_read_stop(struct stream *stream)
{
    peer_of(stream)->is_reading = false;
}

static void stream_write_start(struct stream *stream, struct stream_write *write)
{
    peer_of(stream)->write = write;
}

static void stream_close(struct stream *stream)
{
    peer_of(stream)->is_closed = true;
}

static const struct stream_ops stream_ops = {
    .read_start = stream_read_start,
    .read_stop = stream_read_stop,
    .write = stream_write_start,
    .close = stream_close,
};

/* The first frame has to be answered before more are wanted. */
static void note_frame(void *owner, struct frame frame)
{
    (void)owner;
    ck_assert_uint_eq(frame.len, FRAME_BYTES);
    frames[frame_count++] = frame.data[0];
    if (frame_count == 1)
        connection_pause(last->connection);
    frame_free(&budget, &frame);
}

static void ignore_end(void *owner, enum err why)
{
    (void)owner;
    (void)why;
}

static void ignore(void *owner)
{
    (void)owner;
}

static const struct connection_owner calls = {
    .on_frame = note_frame,
    .on_starved = ignore,
    .on_closing = ignore_end,
    .on_gone = ignore,
};

static void setup(void)
{
    struct sim_executor_options options = {.loop_count = 1, .seed = 1};
    struct memory_limits limits = {1 << 20, 1 << 20, 0, 1 << 20, 1 << 20};
    struct error error;

    server_certificate_make(&files);
    ck_assert_int_eq(tls_context_new(files.certificate_path, files.key_path, &tls, &error), ERR_OK);
    executor = sim_executor_new(&options);
    handshake_queue_init(&queue, sim_executor_loop(executor, 0));
    memory_budget_init(&budget, &limits);
    memset(peers, 0, sizeof(peers));
}

static void close_peer(void *context)
{
    struct peer *peer = context;

    connection_close(peer->connection, ERR_CLOSED);
}

static void forget_peer(void *context)
{
    struct peer *peer = context;

    if (peer->connection == NULL)
        return;
    close_peer(peer);
    peer->stream.events->on_closed(peer->stream.owner);
}

static void teardown(void)
{
    for (int i = 0; i < PEERS; i++)
        sim_executor_call(executor, 0, forget_peer, &peers[i]);
    sim_executor_free(executor);
    tls_context_free(tls);
    server_certificate_remove(&files);
}

static void accept_peers(struct tls_context *with)
{
    for (int i = 0; i < PEERS; i++) {
        struct connection_options options = {
            .stream = &peers[i].stream,
            .tls = with,
            .scratch = &scratch,
            .handshakes = &queue,
            .max_frame_bytes = 1024,
            .budget = &budget,
            .calls = &calls,
        };

        peers[i].stream =
            (struct stream){.ops = &stream_ops, .loop = sim_executor_loop(executor, 0)};
        ck_assert_int_eq(connection_new(&options, &peers[i].connection), ERR_OK);
        ck_assert(peers[i].is_reading);
    }
}

/* The socket is readable: what the network does then. */
static void ask_for_memory(void *context)
{
    struct peer *peer = context;
    uint8_t *data = NULL;
    size_t len = 0;

    ck_assert(peer->is_reading);
    peer->stream.events->on_buffer(peer->stream.owner, &data, &len);
    if (len == 0)
        peer->is_reading = false;
}

static bool would_read(struct peer *peer)
{
    sim_executor_call(executor, 0, ask_for_memory, peer);
    return peer->is_reading;
}

START_TEST(a_handshake_reads_nothing_until_it_is_its_turn)
{
    accept_peers(tls);
    for (int i = 0; i < PEERS; i++)
        ck_assert_int_eq(would_read(&peers[i]), &peers[i] != last);
    ck_assert(sim_executor_step(executor));
    ck_assert(last->is_reading);
    ck_assert(would_read(last));
}
END_TEST

START_TEST(a_connection_that_closes_while_it_waits_leaves_its_turn_to_others)
{
    accept_peers(tls);
    for (int i = 0; i < PEERS; i++)
        (void)would_read(&peers[i]);
    sim_executor_call(executor, 0, close_peer, last);
    while (sim_executor_step(executor))
        continue;
    ck_assert(last->is_closed && !last->is_reading);
    ck_assert(would_read(&peers[0]));
}
END_TEST

START_TEST(a_plain_connection_waits_for_no_handshake)
{
    accept_peers(NULL);
    for (int i = 0; i < PEERS; i++)
        ck_assert(would_read(&peers[i]));
    ck_assert(!sim_executor_step(executor));
}
END_TEST

/* --- over TLS --- */

static void setup_client(void)
{
    setup();
    frame_count = answers_done = 0;
    client_context = SSL_CTX_new(TLS_client_method());
    client = SSL_new(client_context);
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    accept_peers(tls);
}

static void teardown_client(void)
{
    SSL_free(client);
    SSL_CTX_free(client_context);
    teardown();
}

/* What the connection has to say is the client's, a write at a time. */
static void receive(void)
{
    while (last->write != NULL) {
        struct stream_write *write = last->write;
        const struct iovec *iov = write->iov;

        ck_assert_int_eq(write->iov_count, 1);
        ck_assert_uint_le(iov->iov_len, CIPHER_BYTES);
        ck_assert_int_eq(BIO_write(SSL_get_rbio(client), iov->iov_base, (int)iov->iov_len),
                         (int)iov->iov_len);
        last->write = NULL;
        write->done(write, ERR_OK);
    }
}

/* What the client sent is read at once, and the memory that it was read into is used for something else. */
static void exchange(void)
{
    int len = BIO_read(SSL_get_wbio(client), scratch_bytes, SCRATCH_BYTES);

    last->stream.events->on_read(last->stream.owner, len > 0 ? (size_t)len : 0);
    memset(scratch_bytes, 0, sizeof(scratch_bytes));
    receive();
}

static void shake_hands(void *context)
{
    (void)context;
    for (int i = 0; i < 5 && SSL_do_handshake(client) != 1; i++)
        exchange();
    exchange();
    ck_assert_int_eq(SSL_is_init_finished(client), 1);
}

START_TEST(who_has_shaken_hands_waits_no_more)
{
    sim_executor_call(executor, 0, shake_hands, NULL);
    for (int i = 0; i < PEERS; i++)
        ck_assert(would_read(&peers[i]));
}
END_TEST

static void send_frames(void *context)
{
    uint8_t bytes[4 + FRAME_BYTES] = {0, 0, FRAME_BYTES >> 8, FRAME_BYTES & 255};

    shake_hands(context);
    for (int i = 0; i < FRAMES; i++) {
        memset(bytes + 4, 'a' + i, FRAME_BYTES);
        ck_assert_int_eq(SSL_write(client, bytes, sizeof(bytes)), sizeof(bytes));
    }
    exchange();
}

static void resume(void *context)
{
    (void)context;
    connection_resume(last->connection);
}

START_TEST(what_came_behind_a_pause_is_handed_on_after_it)
{
    sim_executor_call(executor, 0, send_frames, NULL);
    ck_assert_int_eq(frame_count, 1);
    ck_assert(!last->is_reading);
    sim_executor_call(executor, 0, resume, NULL);
    ck_assert_int_eq(frame_count, FRAMES);
    ck_assert_mem_eq(frames, "abc", FRAMES);
    ck_assert(last->is_reading);
}
END_TEST

static void count_done(struct outgoing *outgoing)
{
    (void)outgoing;
    answers_done++;
}

static uint8_t answer[ANSWER_BYTES], received[ANSWER_BYTES];

/* Two answers, the first of which has more parts than one. */
static void send_answers(void *context)
{
    struct iovec first[] = {{answer, 10}, {answer + 10, ANSWER_BYTES - 20}};
    struct iovec second[] = {{answer + ANSWER_BYTES - 10, 10}};
    struct outgoing answers[] = {{.iov = first, .iov_count = 2, .done = count_done},
                                 {.iov = second, .iov_count = 1, .done = count_done}};

    shake_hands(context);
    for (int i = 0; i < 2; i++)
        connection_send(last->connection, &answers[i]);
    ck_assert_int_eq(answers_done, 0);
    receive();
    ck_assert_int_eq(answers_done, 2);
    ck_assert_uint_eq(connection_unsent_bytes(last->connection), 0);
}

START_TEST(answers_of_any_size_arrive_whole_and_in_their_order)
{
    for (size_t i = 0; i < ANSWER_BYTES; i++)
        answer[i] = (uint8_t)(i * 13 + i / 257);
    sim_executor_call(executor, 0, send_answers, NULL);
    for (size_t at = 0; at < ANSWER_BYTES;) {
        int len = SSL_read(client, received + at, (int)(ANSWER_BYTES - at));

        ck_assert_int_gt(len, 0);
        at += (size_t)len;
    }
    ck_assert_mem_eq(received, answer, ANSWER_BYTES);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net/connection");
    TCase *tc = tcase_create("reading");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_handshake_reads_nothing_until_it_is_its_turn);
    tcase_add_test(tc, a_connection_that_closes_while_it_waits_leaves_its_turn_to_others);
    tcase_add_test(tc, a_plain_connection_waits_for_no_handshake);
    suite_add_tcase(suite, tc);
    tc = tcase_create("over TLS");
    tcase_add_checked_fixture(tc, setup_client, teardown_client);
    tcase_add_test(tc, who_has_shaken_hands_waits_no_more);
    tcase_add_test(tc, what_came_behind_a_pause_is_handed_on_after_it);
    tcase_add_test(tc, answers_of_any_size_arrive_whole_and_in_their_order);
    suite_add_tcase(suite, tc);
    return suite;
}
