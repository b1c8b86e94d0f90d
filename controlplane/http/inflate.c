/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/inflate.h"

#include <zlib.h>

#define GZIP_ONLY (16 + MAX_WBITS)
#define PIECE_BYTES 16384

/* One piece after the other, so that a small stream of a huge body stops at out's maximum. */
static enum err inflate_pieces(z_stream *zlib, struct buffer *out, struct error *error)
{
    uint8_t piece[PIECE_BYTES];
    int status = Z_OK;

    while (status == Z_OK) {
        zlib->next_out = piece;
        zlib->avail_out = sizeof(piece);
        status = inflate(zlib, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END)
            return error_set(error, ERR_INVALID, "The body is not a whole gzip stream.");
        enum err rc = buffer_append(out, piece, sizeof(piece) - zlib->avail_out);
        if (rc != ERR_OK)
            return error_set(error, rc, "The body is larger than %zu bytes.", out->max_bytes);
    }
    if (zlib->avail_in > 0)
        return error_set(error, ERR_INVALID, "Something follows the gzip stream.");
    return ERR_OK;
}

enum err inflate_gzip(struct slice stream, struct buffer *out, struct error *error)
{
    z_stream zlib = {.next_in = (Bytef *)(uintptr_t)stream.data, .avail_in = (uInt)stream.len};

    if (stream.len > UINT32_MAX)
        return error_set(error, ERR_TOO_LARGE, "The body is too large.");
    if (inflateInit2(&zlib, GZIP_ONLY) != Z_OK)
        return error_set(error, ERR_NO_MEMORY, "inflate: no memory");
    enum err rc = inflate_pieces(&zlib, out, error);
    inflateEnd(&zlib);
    return rc;
}
