/* SPDX-License-Identifier: Apache-2.0 */
/* How connections begin: a certificate with its key, from two PEM files, and our rules for TLS. Streams that begin take what is
 * current; a context that is renewed leaves the others as they are.
 *
 * Keys of session tickets live as long as what was taken from the files, and no longer: so renewing it ends them. */
#ifndef DATAPLANE_NET_TLS_CONTEXT_H
#define DATAPLANE_NET_TLS_CONTEXT_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct tls_context;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* The certificate file holds the chain. ERR_INVALID with what OpenSSL said. Blocking, as the next two; one thread at a time. */
enum err tls_context_new(const char *certificate_file, const char *key_file,
                         struct tls_context **ret_context, struct error *error) WARN_UNUSED;
/* Is one of the files another one than when it was taken, or cannot be looked at: by its inode, size and times? */
bool tls_context_is_outdated(const struct tls_context *context);
/* Takes the files as they are now. ERR_INVALID, ERR_NO_MEMORY: all stays as it was. */
enum err tls_context_renew(struct tls_context *context, struct error *error) WARN_UNUSED;
/* No stream may begin any more. */
void tls_context_free(struct tls_context *context);

/* Any thread. When the certificate ends: seconds since 1970. */
int64_t tls_context_ends_s(const struct tls_context *context);
/* Any thread. What a stream begins with; a reference of the caller's (SSL_CTX_free). */
struct ssl_ctx_st *tls_context_current(struct tls_context *context);

#endif
