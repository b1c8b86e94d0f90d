/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies sent with Content-Encoding: gzip. SDKs compress when told to. */
#ifndef CONTROLPLANE_HTTP_INFLATE_H
#define CONTROLPLANE_HTTP_INFLATE_H

#include "common/base/buffer.h"

/* Appends what the gzip stream holds. out's maximum bounds the result, however small the stream.
 *
 * Errors   ERR_TOO_LARGE (the result), ERR_INVALID (no gzip stream, cut short, or followed by more), ERR_NO_MEMORY */
enum err inflate_gzip(struct slice stream, struct buffer *out, struct error *error) WARN_UNUSED;

#endif
