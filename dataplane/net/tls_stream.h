/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.2 and 1.3 without sockets: ciphertext in and out as bytes. The layers above see a
 * stream of plain bytes. One tls_context a broker, one tls_stream a connection; loop of the
 * connection only. */
#ifndef DATAPLANE_NET_TLS_STREAM_H
#define DATAPLANE_NET_TLS_STREAM_H

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <stdbool.h>

struct tls_context;
struct tls_stream;

/* Memory for ciphertext comes from `spares`, and none is held while there is none. */
enum err tls_stream_new(struct tls_context *context, struct spare_pool *spares,
                        struct tls_stream **ret_stream) WARN_UNUSED;
void tls_stream_free(struct tls_stream *stream);

/* Ciphertext from the peer; borrowed until tls_stream_keep, which comes before the next feed. */
void tls_stream_feed(struct tls_stream *stream, const uint8_t *data, size_t len);
/* Copies what was not read of it. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err tls_stream_keep(struct tls_stream *stream) WARN_UNUSED;
/* Plain bytes, handshake done on the way. *ret_len 0 = feed more first. ERR_CLOSED: close_notify.
 * ERR_INVALID: not TLS, or broken. */
enum err tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t max,
                         size_t *ret_len) WARN_UNUSED;
/* Encrypts len bytes into the pending ciphertext. The handshake must be done. */
enum err tls_stream_write(struct tls_stream *stream, const uint8_t *data, size_t len) WARN_UNUSED;
/* The handshake is done. */
bool tls_stream_is_established(const struct tls_stream *stream);
/* Room for `len` bytes of ciphertext more, so that many writes need no larger memory in between. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err tls_stream_reserve(struct tls_stream *stream, size_t len) WARN_UNUSED;
/* Ciphertext that waits to be sent (handshake messages too). */
size_t tls_stream_pending(const struct tls_stream *stream);
/* Moves it out, with its memory, for the caller to send and to give back (buffer_done). */
struct buffer tls_stream_take(struct tls_stream *stream);
/* What the client asked for by SNI, "" = nothing. */
const char *tls_stream_server_name(const struct tls_stream *stream);

#endif
