/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL over a BIO of ours: it reads ciphertext from where the socket's bytes lie, and writes it where it is sent
 * from, so each is copied once. (OpenSSL's memory BIO copies it twice, and keeps the largest memory it ever had.) */
#include "dataplane/net/tls_stream.h"

#include "dataplane/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

#define KEPT_MAX_BYTES ((size_t)1 << 20)
#define PENDING_MAX_BYTES ((size_t)1 << 20)

struct tls_stream {
    SSL *ssl;
    /* Unread ciphertext: of earlier feeds, from kept_from on; then what is left of the last one, borrowed. */
    struct buffer kept;
    size_t kept_from;
    struct slice fed;
    struct buffer pending; /* ciphertext to send */
};

static BIO_METHOD *stream_bio; /* made once, for ever */
static pthread_once_t stream_bio_once = PTHREAD_ONCE_INIT;

/* --- the BIO --- */

static size_t read_kept(struct tls_stream *stream, char *data, size_t max)
{
    size_t left = stream->kept.len - stream->kept_from;
    size_t len = left < max ? left : max;

    if (len == 0)
        return 0;
    memcpy(data, stream->kept.data + stream->kept_from, len);
    stream->kept_from += len;
    if (len == left) { /* an idle stream keeps no memory */
        buffer_done(&stream->kept);
        stream->kept_from = 0;
    }
    return len;
}

static size_t read_fed(struct tls_stream *stream, char *data, size_t max)
{
    size_t len = stream->fed.len < max ? stream->fed.len : max;

    if (len == 0)
        return 0;
    memcpy(data, stream->fed.data, len);
    stream->fed = slice_of(stream->fed.data + len, stream->fed.len - len);
    return len;
}

static int stream_bio_read(BIO *bio, char *data, size_t max, size_t *ret_len)
{
    struct tls_stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *ret_len = read_kept(stream, data, max);
    *ret_len += read_fed(stream, data + *ret_len, max - *ret_len);
    if (*ret_len == 0)
        BIO_set_retry_read(bio);
    return *ret_len > 0;
}

static int stream_bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct tls_stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *ret_len = buffer_append(&stream->pending, data, len) == ERR_OK ? len : 0;
    return *ret_len == len;
}

static long stream_bio_control(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH; /* there is nothing else to do or to say */
}

static void make_stream_bio(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tls_stream");

    if (method == NULL)
        return;
    if (BIO_meth_set_read_ex(method, stream_bio_read) == 1 &&
        BIO_meth_set_write_ex(method, stream_bio_write) == 1 &&
        BIO_meth_set_ctrl(method, stream_bio_control) == 1)
        stream_bio = method;
    else
        BIO_meth_free(method);
}

static BIO *new_stream_bio(struct tls_stream *stream)
{
    BIO *bio = NULL;

    pthread_once(&stream_bio_once, make_stream_bio);
    bio = stream_bio != NULL ? BIO_new(stream_bio) : NULL;
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- streams --- */

enum err tls_stream_new(struct tls_context *context, struct spare_pool *spares,
                        struct tls_stream **ret_stream)
{
    struct tls_stream *stream = calloc(1, sizeof(*stream));
    SSL_CTX *begin_with = NULL;
    BIO *bio = NULL;

    if (stream == NULL)
        return ERR_NO_MEMORY;
    buffer_init_spare(&stream->kept, KEPT_MAX_BYTES, spares);
    buffer_init_spare(&stream->pending, PENDING_MAX_BYTES, spares);
    begin_with = tls_context_current(context);
    stream->ssl = SSL_new(begin_with);
    SSL_CTX_free(begin_with); /* the stream has it now */
    bio = new_stream_bio(stream);
    if (stream->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        SSL_free(stream->ssl);
        free(stream);
        ERR_clear_error();
        return ERR_NO_MEMORY;
    }
    SSL_set_bio(stream->ssl, bio, bio); /* both ways; takes it over */
    SSL_set_accept_state(stream->ssl);
    *ret_stream = stream;
    return ERR_OK;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (stream == NULL)
        return;
    SSL_free(stream->ssl);
    buffer_done(&stream->kept);
    buffer_done(&stream->pending);
    free(stream);
}

void tls_stream_feed(struct tls_stream *stream, const uint8_t *data, size_t len)
{
    invariant(stream->fed.len == 0);
    stream->fed = slice_of(data, len);
}

enum err tls_stream_keep(struct tls_stream *stream)
{
    struct slice fed = stream->fed;

    stream->fed = slice_of(NULL, 0);
    return fed.len > 0 ? buffer_append_slice(&stream->kept, fed) : ERR_OK;
}

enum err tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t max, size_t *ret_len)
{
    int why = 0;

    *ret_len = 0;
    ERR_clear_error();
    if (SSL_read_ex(stream->ssl, data, max, ret_len) == 1)
        return ERR_OK;
    why = SSL_get_error(stream->ssl, 0);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return ERR_OK;
    ERR_clear_error();
    return why == SSL_ERROR_ZERO_RETURN ? ERR_CLOSED : ERR_INVALID;
}

enum err tls_stream_write(struct tls_stream *stream, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t written = 0;

        ERR_clear_error();
        if (SSL_write_ex(stream->ssl, data, len, &written) != 1) {
            ERR_clear_error();
            return ERR_INVALID;
        }
        data += written;
        len -= written;
    }
    return ERR_OK;
}

bool tls_stream_is_established(const struct tls_stream *stream)
{
    return SSL_is_init_finished(stream->ssl) == 1;
}

enum err tls_stream_reserve(struct tls_stream *stream, size_t len)
{
    return buffer_reserve(&stream->pending, len);
}

size_t tls_stream_pending(const struct tls_stream *stream)
{
    return stream->pending.len;
}

struct buffer tls_stream_take(struct tls_stream *stream)
{
    struct buffer taken = stream->pending;

    buffer_init_spare(&stream->pending, taken.max_bytes, taken.spares);
    return taken;
}

const char *tls_stream_server_name(const struct tls_stream *stream)
{
    const char *name = SSL_get_servername(stream->ssl, TLSEXT_NAMETYPE_host_name);

    return name ? name : "";
}
