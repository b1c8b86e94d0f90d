/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128-GCM first: a quarter faster than 256 where AES-NI is. Buffers are released while idle. Renegotiation
 * and compression are off.
 *
 * A full handshake leaves one ticket, not OpenSSL's two: each costs a sixteenth of it, and few clients come
 * back with any. A resumed handshake leaves the next. The certificate file is the whole chain: OpenSSL does
 * not look for more of it in each handshake. */
#include "dataplane/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/certificate.h"
#include "common/port/file_stamp.h"

struct tls_context {
    char *certificate_file, *key_file;
    struct file_stamp certificate, key; /* of what was taken */
    pthread_mutex_t lock;
    SSL_CTX *current;
    _Atomic int64_t ends_s;
};

static enum err openssl_error(struct error *error, const char *what, const char *file)
{
    char text[160] = "unknown";
    unsigned long code = ERR_get_error();

    if (code != 0)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return error_set(error, ERR_INVALID, "%s %s: %s", what, file, text);
}

static bool set_policy(SSL_CTX *ctx)
{
    char groups[] = "X25519:P-256"; /* OpenSSL's macro casts const away */

    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    return SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

/* The caller's. */
static enum err load(const struct tls_context *context, SSL_CTX **ret_ctx, struct error *error)
{
    const char *certificate_file = context->certificate_file, *key_file = context->key_file;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    enum err rc = ERR_OK;

    if (ctx == NULL || !set_policy(ctx))
        rc = openssl_error(error, "TLS", "context");
    else if (SSL_CTX_use_certificate_chain_file(ctx, certificate_file) != 1)
        rc = openssl_error(error, "certificate", certificate_file);
    else if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        rc = openssl_error(error, "private key", key_file);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        rc = openssl_error(error, "private key does not fit the certificate:", key_file);
    if (rc == ERR_OK)
        *ret_ctx = ctx;
    else
        SSL_CTX_free(ctx);
    return rc;
}

enum err tls_context_new(const char *certificate_file, const char *key_file,
                         struct tls_context **ret_context, struct error *error)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    enum err rc = ERR_OK;

    if (context == NULL)
        return error_set(error, ERR_NO_MEMORY, "TLS context");
    pthread_mutex_init(&context->lock, NULL);
    context->certificate_file = strdup(certificate_file);
    context->key_file = strdup(key_file);
    rc = context->certificate_file != NULL && context->key_file != NULL
             ? tls_context_renew(context, error)
             : error_set(error, ERR_NO_MEMORY, "TLS context");
    if (rc != ERR_OK) {
        tls_context_free(context);
        return rc;
    }
    *ret_context = context;
    return ERR_OK;
}

bool tls_context_is_outdated(const struct tls_context *context)
{
    struct file_stamp certificate = file_stamp_of(context->certificate_file);
    struct file_stamp key = file_stamp_of(context->key_file);

    return !file_stamp_is_same(&certificate, &context->certificate) ||
           !file_stamp_is_same(&key, &context->key);
}

enum err tls_context_renew(struct tls_context *context, struct error *error)
{
    struct file_stamp certificate = file_stamp_of(context->certificate_file);
    struct file_stamp key = file_stamp_of(context->key_file);
    SSL_CTX *taken = NULL, *old = NULL;
    enum err rc = load(context, &taken, error);

    if (rc != ERR_OK)
        return rc;
    context->certificate = certificate;
    context->key = key;
    atomic_store(&context->ends_s, certificate_ends_s(SSL_CTX_get0_certificate(taken)));
    pthread_mutex_lock(&context->lock);
    old = context->current;
    context->current = taken;
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(old);
    return ERR_OK;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->current);
    pthread_mutex_destroy(&context->lock);
    free(context->certificate_file);
    free(context->key_file);
    free(context);
}

int64_t tls_context_ends_s(const struct tls_context *context)
{
    return atomic_load(&context->ends_s);
}

struct ssl_ctx_st *tls_context_current(struct tls_context *context)
{
    SSL_CTX *current = NULL;
    int rc = 0;

    pthread_mutex_lock(&context->lock);
    current = context->current;
    rc = SSL_CTX_up_ref(current);
    pthread_mutex_unlock(&context->lock);
    invariant(rc == 1);
    return current;
}
