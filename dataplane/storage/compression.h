/* SPDX-License-Identifier: Apache-2.0 */
/* The five codecs of record batches, as streams.
 *
 * Decompression gives bytes piece by piece and never more than max_output in all; nothing is allocated
 * on the word of a header before that header was checked against what its codec can really expand to.
 * gzip is RFC 1952; snappy is a bare block or xerial's framing; lz4 is the frame format; zstd may lack a
 * content size. */
#ifndef DATAPLANE_STORAGE_COMPRESSION_H
#define DATAPLANE_STORAGE_COMPRESSION_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/slice.h"

enum compression_codec {
    COMPRESSION_NONE = 0,
    COMPRESSION_GZIP = 1,
    COMPRESSION_SNAPPY = 2,
    COMPRESSION_LZ4 = 3,
    COMPRESSION_ZSTD = 4
};

struct decompressor;

/* input is borrowed until close. ERR_UNSUPPORTED: no such codec. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err decompressor_open(int codec, struct slice input, size_t max_output,
                           struct decompressor **ret_decompressor) WARN_UNUSED;
/* *ret_len == 0 only at the end. ERR_CORRUPT, ERR_TRUNCATED (input ends inside), ERR_TOO_LARGE (over
 * max_output). */
enum err decompressor_read(struct decompressor *decompressor, uint8_t *out, size_t room,
                           size_t *ret_len) WARN_UNUSED;
/* NULL is fine. */
void decompressor_close(struct decompressor *decompressor);

/* Appends the compressed form to out (codec 1 to 4, default levels; snappy in xerial's framing). */
enum err compress_records(int codec, struct slice input, struct buffer *out) WARN_UNUSED;

#endif
