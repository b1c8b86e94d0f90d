/* SPDX-License-Identifier: Apache-2.0 */
/* When a connection reads: over streams of the test's own, with OpenSSL's client at the other end. */
#include "dataplane/net/connection.h"
#include "dataplane/net/tls_stream.h"
#include "dataplane/quota/memory_budget.h"
#include "tests/simulation/sim_executor.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/net/server_certificate.h"

#include <openssl/ssl.h>
#include <string.h>

enum { PEERS = HANDSHAKE_STEPS_A_TURN + 1, SCRATCH_BYTES = 65536 };

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

static void ignore_frame(void *owner, struct frame frame)
{
    (void)owner;
    (void)frame;
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
    .on_frame = ignore_frame,
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
    struct peer *last = &peers[PEERS - 1];

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
    struct peer *last = &peers[PEERS - 1];

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

static SSL *client_new(SSL_CTX *context)
{
    SSL *client = SSL_new(context);

    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    return client;
}

/* What the client sent is read, and what the connection answers is the client's. */
static void exchange(struct peer *peer, SSL *client)
{
    int len = BIO_read(SSL_get_wbio(client), scratch_bytes, SCRATCH_BYTES);
    struct stream_write *write = NULL;

    peer->stream.events->on_read(peer->stream.owner, len > 0 ? (size_t)len : 0);
    write = peer->write;
    peer->write = NULL;
    if (write == NULL)
        return;
    for (int i = 0; i < write->iov_count; i++)
        BIO_write(SSL_get_rbio(client), write->iov[i].iov_base, (int)write->iov[i].iov_len);
    write->done(write, ERR_OK);
}

static void shake_hands(void *context)
{
    SSL *client = context;

    for (int i = 0; i < 5 && SSL_do_handshake(client) != 1; i++)
        exchange(&peers[PEERS - 1], client);
    exchange(&peers[PEERS - 1], client);
    ck_assert_int_eq(SSL_is_init_finished(client), 1);
}

START_TEST(who_has_shaken_hands_waits_no_more)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *client = client_new(context);

    accept_peers(tls);
    sim_executor_call(executor, 0, shake_hands, client);
    for (int i = 0; i < PEERS - 1; i++)
        ck_assert(would_read(&peers[i]));
    ck_assert(would_read(&peers[PEERS - 1]));
    SSL_free(client);
    SSL_CTX_free(context);
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
    tcase_add_test(tc, who_has_shaken_hands_waits_no_more);
    suite_add_tcase(suite, tc);
    return suite;
}
