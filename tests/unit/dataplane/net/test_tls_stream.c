/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/tls_context.h"
#include "dataplane/net/tls_stream.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/net/server_certificate.h"

#include <openssl/ssl.h>
#include <string.h>

static struct server_certificate files;
static struct tls_context *server;
static struct spare_pool spares;
static SSL_CTX *client_context;
static SSL_SESSION *session; /* the last that the server offered for later; owned */
static int session_count;

static int on_session(SSL *client, SSL_SESSION *offered)
{
    (void)client;
    SSL_SESSION_free(session);
    session = offered;
    session_count++;
    return 1; /* ours now */
}

static void setup(void)
{
    struct error error;

    spare_pool_init(&spares, 1 << 20);
    server_certificate_make(&files);
    ck_assert_int_eq(tls_context_new(files.certificate_path, files.key_path, &server, &error),
                     ERR_OK);
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(client_context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(client_context, on_session);
    session_count = 0;
}

static void teardown(void)
{
    tls_context_free(server);
    SSL_CTX_free(client_context);
    SSL_SESSION_free(session);
    session = NULL;
    server_certificate_remove(&files);
    spare_pool_done(&spares);
}

struct pair {
    struct tls_stream *stream;
    SSL *client;
    BIO *to_client, *from_client;
};

static void pair_init(struct pair *pair, int max_version)
{
    char server_name[] = "b0-x.pool.example"; /* OpenSSL's macro casts const away */

    ck_assert_int_eq(tls_stream_new(server, &spares, &pair->stream), ERR_OK);
    pair->client = SSL_new(client_context);
    SSL_set_max_proto_version(pair->client, max_version);
    SSL_set_tlsext_host_name(pair->client, server_name);
    pair->to_client = BIO_new(BIO_s_mem());
    pair->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(pair->client, pair->to_client, pair->from_client);
    SSL_set_connect_state(pair->client);
}

static void pair_done(struct pair *pair)
{
    tls_stream_free(pair->stream);
    SSL_free(pair->client);
}

static void send_pending(struct pair *pair)
{
    struct buffer out = tls_stream_take(pair->stream);

    ck_assert_uint_eq(tls_stream_pending(pair->stream), 0);
    if (out.len > 0)
        ck_assert_int_eq(BIO_write(pair->to_client, out.data, (int)out.len), (int)out.len);
    buffer_done(&out);
}

/* Moves ciphertext both ways once; what the server read as plain text is returned in plain. */
static enum err turn(struct pair *pair, uint8_t *plain, size_t max, size_t *ret_len)
{
    uint8_t bytes[32768];
    int got = BIO_read(pair->from_client, bytes, sizeof(bytes));
    enum err rc = ERR_OK;

    if (got > 0)
        tls_stream_feed(pair->stream, bytes, (size_t)got);
    rc = tls_stream_read(pair->stream, plain, max, ret_len);
    ck_assert_int_eq(tls_stream_keep(pair->stream), ERR_OK);
    send_pending(pair);
    return rc;
}

static void shake_hands(struct pair *pair)
{
    uint8_t plain[64];
    size_t len = 0;

    for (int i = 0; i < 5 && SSL_do_handshake(pair->client) != 1; i++)
        ck_assert_int_eq(turn(pair, plain, sizeof(plain), &len), ERR_OK);
    ck_assert_int_eq(SSL_is_init_finished(pair->client), 1);
}

/* "hello" from the client to the server, "world" back. */
static void talk(struct pair *pair)
{
    uint8_t plain[64];
    size_t len = 0;
    char answer[16];

    ck_assert_int_eq(SSL_write(pair->client, "hello", 5), 5);
    ck_assert_int_eq(turn(pair, plain, sizeof(plain), &len), ERR_OK);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(plain, "hello", 5);
    ck_assert_int_eq(tls_stream_write(pair->stream, (const uint8_t *)"world", 5), ERR_OK);
    ck_assert_uint_gt(tls_stream_pending(pair->stream), 5);
    ck_assert_int_eq(turn(pair, plain, sizeof(plain), &len), ERR_OK);
    ck_assert_int_eq(SSL_read(pair->client, answer, sizeof(answer)), 5);
    ck_assert_mem_eq(answer, "world", 5);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(bytes_pass_both_ways_and_the_server_name_is_seen)
{
    struct pair pair;

    pair_init(&pair, versions[_i]);
    shake_hands(&pair);
    ck_assert_int_eq(SSL_version(pair.client), versions[_i]);
    ck_assert_str_eq(tls_stream_server_name(pair.stream), "b0-x.pool.example");
    talk(&pair);
    pair_done(&pair);
}
END_TEST

/* Several records, cut somewhere. */
START_TEST(what_is_not_read_of_what_came_is_kept_and_read_later)
{
    enum { PLAIN = 50000 };
    static uint8_t sent[PLAIN], got[PLAIN], bytes[2 * PLAIN];
    struct pair pair;
    size_t at = 0;
    int len = 0;

    pair_init(&pair, versions[_i]);
    shake_hands(&pair);
    for (size_t i = 0; i < PLAIN; i++)
        sent[i] = (uint8_t)(i * 31 + i / 251);
    ck_assert_int_eq(SSL_write(pair.client, sent, PLAIN), PLAIN);
    len = BIO_read(pair.from_client, bytes, sizeof(bytes));
    ck_assert_int_gt(len, PLAIN);
    for (int from = 0, part = 0; from < len; from += part) {
        size_t read = 0;

        part = len - from > 30011 ? 30011 : len - from;
        tls_stream_feed(pair.stream, bytes + from, (size_t)part);
        ck_assert_int_eq(tls_stream_read(pair.stream, got + at, 100, &read), ERR_OK);
        at += read;
        ck_assert_int_eq(tls_stream_keep(pair.stream), ERR_OK);
        memset(bytes + from, 0, (size_t)part); /* the memory is used for something else */
    }
    while (at < PLAIN) {
        size_t read = 0;

        ck_assert_int_eq(tls_stream_read(pair.stream, got + at, PLAIN - at, &read), ERR_OK);
        ck_assert_uint_gt(read, 0);
        at += read;
    }
    ck_assert_mem_eq(got, sent, PLAIN);
    talk(&pair);
    pair_done(&pair);
}
END_TEST

START_TEST(what_waits_to_be_sent_leaves_with_its_memory)
{
    enum { PLAIN = 100000, ROOM = 131072, TIMES = 2 };
    static uint8_t sent[PLAIN], got[PLAIN];
    struct buffer out[TIMES];
    struct pair pair;

    pair_init(&pair, versions[_i]);
    shake_hands(&pair);
    talk(&pair);
    for (size_t i = 0; i < PLAIN; i++)
        sent[i] = (uint8_t)(i * 17 + i / 253);
    ck_assert_int_eq(tls_stream_reserve(pair.stream, ROOM), ERR_OK);
    for (int i = 0; i < TIMES; i++) {
        ck_assert_int_eq(tls_stream_write(pair.stream, sent, PLAIN), ERR_OK);
        out[i] = tls_stream_take(pair.stream);
        ck_assert_uint_gt(out[i].len, PLAIN);
        ck_assert_uint_eq(tls_stream_pending(pair.stream), 0);
    }
    ck_assert_uint_eq(out[0].capacity, ROOM);
    ck_assert_ptr_ne(out[0].data, out[1].data);
    for (int i = 0; i < TIMES; i++) {
        ck_assert_int_eq(BIO_write(pair.to_client, out[i].data, (int)out[i].len), (int)out[i].len);
        buffer_done(&out[i]);
        for (size_t at = 0; at < PLAIN;) {
            int len = SSL_read(pair.client, got + at, (int)(PLAIN - at));

            ck_assert_int_gt(len, 0);
            at += (size_t)len;
        }
        ck_assert_mem_eq(got, sent, PLAIN);
        memset(got, 0, sizeof(got));
    }
    pair_done(&pair);
}
END_TEST

START_TEST(a_full_handshake_offers_one_session_for_later)
{
    struct pair pair;

    pair_init(&pair, versions[_i]);
    shake_hands(&pair);
    talk(&pair);
    ck_assert_int_eq(session_count, 1);
    pair_done(&pair);
}
END_TEST

/* A session is offered, and its connection ends. */
static void get_session(int version)
{
    struct pair pair;

    pair_init(&pair, version);
    shake_hands(&pair);
    talk(&pair);
    SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN); /* else OpenSSL forgets its session */
    pair_done(&pair);
}

/* A connection that would resume it. */
static void come_back(struct pair *pair, int version)
{
    SSL_SESSION *first = session;

    session = NULL;
    pair_init(pair, version);
    ck_assert_int_eq(SSL_set_session(pair->client, first), 1);
    SSL_SESSION_free(first);
    shake_hands(pair);
    talk(pair);
}

static void renew_certificate(void)
{
    struct server_certificate next;
    struct error error;

    server_certificate_make(&next);
    server_certificate_replace(&files, &next);
    ck_assert_int_eq(tls_context_renew(server, &error), ERR_OK);
}

START_TEST(a_session_is_resumed_and_the_next_one_offered)
{
    struct pair pair;

    get_session(TLS1_3_VERSION);
    come_back(&pair, TLS1_3_VERSION);
    ck_assert_int_eq(SSL_session_reused(pair.client), 1);
    ck_assert_str_eq(tls_stream_server_name(pair.stream), "b0-x.pool.example");
    ck_assert_int_eq(session_count, 2);
    pair_done(&pair);
}
END_TEST

START_TEST(a_session_of_before_a_renewal_is_not_resumed)
{
    struct pair pair;

    get_session(versions[_i]);
    renew_certificate();
    come_back(&pair, versions[_i]);
    ck_assert_int_eq(SSL_session_reused(pair.client), 0);
    pair_done(&pair);
}
END_TEST

static bool are_shown_the_same_certificate(const struct pair *a, const struct pair *b)
{
    X509 *of_a = SSL_get1_peer_certificate(a->client), *of_b = SSL_get1_peer_certificate(b->client);
    bool are_same = X509_cmp(of_a, of_b) == 0;

    X509_free(of_a);
    X509_free(of_b);
    return are_same;
}

START_TEST(a_renewed_certificate_is_that_of_streams_that_begin_after_it)
{
    struct pair before, begun_before, after;

    pair_init(&before, versions[_i]);
    shake_hands(&before);
    pair_init(&begun_before, versions[_i]);
    renew_certificate();
    pair_init(&after, versions[_i]);
    shake_hands(&begun_before);
    shake_hands(&after);
    ck_assert(are_shown_the_same_certificate(&before, &begun_before));
    ck_assert(!are_shown_the_same_certificate(&before, &after));
    talk(&before);
    talk(&after);
    pair_done(&before);
    pair_done(&begun_before);
    pair_done(&after);
}
END_TEST

START_TEST(the_client_is_shown_every_certificate_of_the_file)
{
    struct pair pair;

    pair_init(&pair, versions[_i]);
    shake_hands(&pair);
    ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(pair.client)), 2);
    pair_done(&pair);
}
END_TEST

START_TEST(tls_1_1_is_refused)
{
    struct pair pair;
    uint8_t plain[64];
    size_t len = 0;
    enum err rc = ERR_OK;

    pair_init(&pair, TLS1_1_VERSION);
    SSL_set_security_level(pair.client, 0);
    for (int i = 0; i < 5 && rc == ERR_OK; i++) {
        ck_assert_int_ne(SSL_do_handshake(pair.client), 1);
        rc = turn(&pair, plain, sizeof(plain), &len);
    }
    ck_assert_int_eq(rc, ERR_INVALID);
    pair_done(&pair);
}
END_TEST

START_TEST(bytes_that_are_not_tls_are_an_error_not_a_crash)
{
    struct pair pair;
    uint8_t plain[64];
    size_t len = 0;

    pair_init(&pair, TLS1_3_VERSION);
    tls_stream_feed(pair.stream, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18);
    ck_assert_int_eq(tls_stream_read(pair.stream, plain, sizeof(plain), &len), ERR_INVALID);
    pair_done(&pair);
}
END_TEST

START_TEST(the_peers_goodbye_is_told_as_closed)
{
    struct pair pair;
    uint8_t plain[64];
    size_t len = 0;

    pair_init(&pair, TLS1_3_VERSION);
    shake_hands(&pair);
    SSL_shutdown(pair.client);
    ck_assert_int_eq(turn(&pair, plain, sizeof(plain), &len), ERR_CLOSED);
    pair_done(&pair);
}
END_TEST

START_TEST(a_missing_certificate_is_an_error_that_names_the_file)
{
    struct tls_context *context = NULL;
    struct error error;

    ck_assert_int_eq(tls_context_new("/nonexistent/cert.pem", files.key_path, &context, &error),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "/nonexistent/cert.pem"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/net/tls_stream");
    TCase *tc = tcase_create("tls_stream");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, bytes_pass_both_ways_and_the_server_name_is_seen, 0, 2);
    tcase_add_loop_test(tc, what_is_not_read_of_what_came_is_kept_and_read_later, 0, 2);
    tcase_add_loop_test(tc, what_waits_to_be_sent_leaves_with_its_memory, 0, 2);
    tcase_add_loop_test(tc, a_full_handshake_offers_one_session_for_later, 0, 2);
    tcase_add_test(tc, a_session_is_resumed_and_the_next_one_offered);
    tcase_add_loop_test(tc, a_session_of_before_a_renewal_is_not_resumed, 0, 2);
    tcase_add_loop_test(tc, a_renewed_certificate_is_that_of_streams_that_begin_after_it, 0, 2);
    tcase_add_loop_test(tc, the_client_is_shown_every_certificate_of_the_file, 0, 2);
    tcase_add_test(tc, tls_1_1_is_refused);
    tcase_add_test(tc, bytes_that_are_not_tls_are_an_error_not_a_crash);
    tcase_add_test(tc, the_peers_goodbye_is_told_as_closed);
    tcase_add_test(tc, a_missing_certificate_is_an_error_that_names_the_file);
    suite_add_tcase(suite, tc);
    return suite;
}
