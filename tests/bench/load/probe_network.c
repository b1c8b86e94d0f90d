/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/probe_network.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/load/link.h"

#define LARGE ((size_t)1 << 20)
#define NS_PER_S ((int64_t)1000000000)
#define SECONDS_NS (2 * NS_PER_S)
#define TLS_STREAMS 2
#define BLOCK ((size_t)4096)
#define REQUEST ((size_t)65536)
#define REQUEST_NS ((int64_t)REQUEST * NS_PER_S / 20000000)
#define REQUESTS 1000
#define ANSWER ((size_t)64)

struct pair {
    int client, server;
};

static struct pair connect_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair pair = {.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .server = -1};
    int on = 1;

    if (listener < 0 || pair.client < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &len) != 0 ||
        connect(pair.client, (struct sockaddr *)&address, len) != 0 ||
        (pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 ||
        setsockopt(pair.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        setsockopt(pair.server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        err(1, "loopback");
    (void)close(listener);
    return pair;
}

static pthread_t start(void *(*run)(void *context), void *context)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, context) != 0)
        errx(1, "no thread to be had");
    return thread;
}

/* False at the end of the stream. */
static bool receive(int fd, void *bytes, size_t len)
{
    ssize_t done = recv(fd, bytes, len, MSG_WAITALL);

    if (done < 0)
        err(1, "loopback");
    return done == (ssize_t)len;
}

static void send_all(int fd, const void *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        err(1, "loopback");
}

/* --- how much --- */

static void *read_plain(void *context)
{
    const struct pair *pair = context;
    void *bytes = allocate(LARGE, 1);

    while (recv(pair->client, bytes, LARGE, 0) > 0)
        continue;
    free(bytes);
    return NULL;
}

double probe_loopback(void)
{
    struct pair pair = connect_pair();
    pthread_t reader = start(read_plain, &pair);
    void *bytes = allocate(LARGE, 1);
    int64_t began = now_ns(), now = began, sent = 0;

    for (; now - began < SECONDS_NS; now = now_ns()) {
        send_all(pair.server, bytes, LARGE);
        sent += (int64_t)LARGE;
    }
    (void)close(pair.server);
    (void)pthread_join(reader, NULL);
    (void)close(pair.client);
    free(bytes);
    return (double)sent / ((double)(now - began) / (double)NS_PER_S);
}

struct tls_stream {
    struct pair pair;
    SSL_CTX *of_client, *of_server;
    int64_t written;
};

/* The certificate is signed by itself, and nobody looks at it. */
static SSL_CTX *server_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    if (context == NULL || key == NULL || certificate == NULL ||
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0) == NULL ||
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) == NULL ||
        X509_set_pubkey(certificate, key) != 1 || X509_sign(certificate, key, EVP_sha256()) == 0 ||
        SSL_CTX_use_certificate(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1)
        errx(1, "TLS: no certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static SSL_CTX *client_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1)
        errx(1, "TLS");
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 2 * REQUEST);
    return context;
}

static SSL *tls_over(SSL_CTX *context, int fd)
{
    SSL *ssl = SSL_new(context);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
        errx(1, "TLS");
    return ssl;
}

static void *read_tls(void *context)
{
    struct tls_stream *stream = context;
    SSL *ssl = tls_over(stream->of_client, stream->pair.client);
    void *bytes = allocate(LARGE, 1);

    if (SSL_connect(ssl) != 1)
        errx(1, "TLS: no handshake");
    while (SSL_read(ssl, bytes, (int)LARGE) > 0)
        continue;
    free(bytes);
    SSL_free(ssl);
    return NULL;
}

static void *write_tls(void *context)
{
    struct tls_stream *stream = context;
    SSL *ssl = tls_over(stream->of_server, stream->pair.server);
    void *bytes = allocate(LARGE, 1);
    int64_t began = 0;

    if (SSL_accept(ssl) != 1)
        errx(1, "TLS: no handshake");
    for (began = now_ns(); now_ns() - began < SECONDS_NS; stream->written += (int64_t)LARGE) {
        if (SSL_write(ssl, bytes, (int)LARGE) <= 0)
            errx(1, "TLS: not written");
    }
    (void)SSL_shutdown(ssl);
    free(bytes);
    SSL_free(ssl);
    return NULL;
}

double probe_tls(void)
{
    struct tls_stream streams[TLS_STREAMS];
    pthread_t threads[2 * TLS_STREAMS];
    SSL_CTX *of_client = client_context(), *of_server = server_context();
    double written = 0;

    for (int i = 0; i < TLS_STREAMS; i++) {
        streams[i] = (struct tls_stream){connect_pair(), of_client, of_server, 0};
        threads[2 * i] = start(read_tls, &streams[i]);
        threads[2 * i + 1] = start(write_tls, &streams[i]);
    }
    for (int i = 0; i < 2 * TLS_STREAMS; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < TLS_STREAMS; i++) {
        written += (double)streams[i].written;
        (void)close(streams[i].pair.client);
        (void)close(streams[i].pair.server);
    }
    SSL_CTX_free(of_client);
    SSL_CTX_free(of_server);
    return written / ((double)SECONDS_NS / (double)NS_PER_S);
}

/* --- how soon --- */

struct answerer {
    struct pair pair;
    int file;
    int64_t file_bytes;
};

static void *answer(void *context)
{
    struct answerer *answerer = context;
    void *request = aligned_alloc(BLOCK, REQUEST);
    uint8_t bytes[ANSWER] = {0};
    int64_t at = 0;

    if (request == NULL)
        err(1, "memory");
    for (; receive(answerer->pair.server, request, REQUEST); at += (int64_t)REQUEST) {
        if (pwrite(answerer->file, request, REQUEST, at % answerer->file_bytes) !=
                (ssize_t)REQUEST ||
            fdatasync(answerer->file) != 0)
            err(1, "disk");
        send_all(answerer->pair.server, bytes, ANSWER);
    }
    free(request);
    return NULL;
}

/* Until `until`; notes what is answered, which was due REQUEST_NS apart from `began` on. */
static void await_answers(int fd, int64_t until, int64_t began, struct latency *answers)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    uint8_t bytes[ANSWER];

    for (int64_t left = 0; (left = until - now_ns()) > 0 && answers->count < REQUESTS;) {
        struct timespec wait = {left / NS_PER_S, left % NS_PER_S};

        if (ppoll(&polled, 1, &wait, NULL) == 1 && receive(fd, bytes, ANSWER))
            latency_note(answers, now_ns() - (began + answers->count * REQUEST_NS));
    }
}

void probe_answers(int fd, int64_t file_bytes, struct latency *ret_answers)
{
    struct answerer answerer = {connect_pair(), fd, file_bytes};
    pthread_t thread = start(answer, &answerer);
    void *request = allocate(REQUEST, 1);
    int64_t began = now_ns() + NS_PER_S / 10;

    for (int i = 0; i < REQUESTS; i++) {
        await_answers(answerer.pair.client, began + i * REQUEST_NS, began, ret_answers);
        send_all(answerer.pair.client, request, REQUEST);
    }
    await_answers(answerer.pair.client, INT64_MAX, began, ret_answers);
    (void)close(answerer.pair.client);
    (void)pthread_join(thread, NULL);
    (void)close(answerer.pair.server);
    free(request);
}
