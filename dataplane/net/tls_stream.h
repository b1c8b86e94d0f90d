/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.2 and 1.3 over memory BIOs: ciphertext in and out as bytes, no sockets. The layers above see a
 * stream of plain bytes. One tls_context a listener, one tls_stream a connection; loop of the
 * connection only. */
#ifndef DATAPLANE_NET_TLS_STREAM_H
#define DATAPLANE_NET_TLS_STREAM_H

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <stdbool.h>

struct tls_context;
struct tls_stream;

/* PEM files; the certificate file holds the chain. ERR_INVALID with what OpenSSL said. */
enum err tls_context_new(const char *certificate_file, const char *key_file,
                         struct tls_context **ret_context, struct error *error) WARN_UNUSED;
void tls_context_free(struct tls_context *context);

enum err tls_stream_new(struct tls_context *context, struct tls_stream **ret_stream) WARN_UNUSED;
void tls_stream_free(struct tls_stream *stream);

/* Ciphertext from the peer. ERR_NO_MEMORY. */
enum err tls_stream_feed(struct tls_stream *stream, const uint8_t *data, size_t len) WARN_UNUSED;
/* Plain bytes, handshake done on the way. *ret_len 0 = feed more first. ERR_CLOSED: close_notify.
 * ERR_INVALID: not TLS, or broken. */
enum err tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t max,
                         size_t *ret_len) WARN_UNUSED;
/* Encrypts len bytes into the pending ciphertext. The handshake must be done. */
enum err tls_stream_write(struct tls_stream *stream, const uint8_t *data, size_t len) WARN_UNUSED;
/* The handshake is done. */
bool tls_stream_is_established(const struct tls_stream *stream);
/* Ciphertext that waits to be sent (handshake messages too). */
size_t tls_stream_pending(const struct tls_stream *stream);
/* Moves up to max bytes of it out. */
size_t tls_stream_take(struct tls_stream *stream, uint8_t *data, size_t max);
/* What the client asked for by SNI, "" = nothing. */
const char *tls_stream_server_name(const struct tls_stream *stream);

#endif
