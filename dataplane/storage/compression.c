/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/compression.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "common/wire/reader.h"

/* A snappy copy element of 3 bytes gives at most 64; nothing in the format does better. */
#define SNAPPY_EXPANSION_MAX 22
#define XERIAL_HEADER_BYTES 16
#define XERIAL_BLOCK_BYTES 32768
#define GZIP_WINDOW_BITS (15 + 16) /* 16 = gzip wrapper only */

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

struct decompressor {
    int codec;
    struct slice input;
    size_t consumed;
    size_t output_left;
    bool is_at_end;
    z_stream gzip;
    LZ4F_dctx *lz4;
    ZSTD_DStream *zstd;
    /* snappy decodes whole blocks */
    bool is_xerial;
    uint8_t *block;
    size_t block_len;
    size_t block_at;
};

static enum err snappy_open(struct decompressor *d)
{
    d->is_xerial = d->input.len >= XERIAL_HEADER_BYTES &&
                   memcmp(d->input.data, xerial_magic, sizeof(xerial_magic)) == 0;
    if (d->is_xerial)
        d->consumed = XERIAL_HEADER_BYTES;
    return ERR_OK;
}

static enum err gzip_open(struct decompressor *d)
{
    if (inflateInit2(&d->gzip, GZIP_WINDOW_BITS) != Z_OK)
        return ERR_NO_MEMORY;
    return ERR_OK;
}

static enum err lz4_open(struct decompressor *d)
{
    return LZ4F_isError(LZ4F_createDecompressionContext(&d->lz4, LZ4F_VERSION)) ? ERR_NO_MEMORY
                                                                                : ERR_OK;
}

static enum err zstd_open(struct decompressor *d)
{
    /* The default window limit of the library (2^27) is what every Kafka writer stays below; memory is
     * touched only as far as bytes come out, and those are capped. */
    d->zstd = ZSTD_createDStream();
    return d->zstd == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err decompressor_open(int codec, struct slice input, size_t max_output,
                           struct decompressor **ret_decompressor)
{
    static enum err (*const opens[])(struct decompressor * d) = {
        [COMPRESSION_GZIP] = gzip_open,
        [COMPRESSION_SNAPPY] = snappy_open,
        [COMPRESSION_LZ4] = lz4_open,
        [COMPRESSION_ZSTD] = zstd_open,
    };
    struct decompressor *d = NULL;
    enum err rc = ERR_OK;

    if (codec < COMPRESSION_GZIP || codec > COMPRESSION_ZSTD)
        return ERR_UNSUPPORTED;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return ERR_NO_MEMORY;
    d->codec = codec;
    d->input = input;
    d->output_left = max_output;
    rc = opens[codec](d);
    if (rc != ERR_OK) {
        free(d);
        return rc;
    }
    *ret_decompressor = d;
    return ERR_OK;
}

static enum err gzip_read(struct decompressor *d, uint8_t *out, size_t room, size_t *ret_len)
{
    int status = Z_OK;

    d->gzip.next_in = (z_const Bytef *)(uintptr_t)(d->input.data + d->consumed);
    d->gzip.avail_in = (uInt)(d->input.len - d->consumed);
    d->gzip.next_out = out;
    d->gzip.avail_out = (uInt)room;
    status = inflate(&d->gzip, Z_NO_FLUSH);
    d->consumed = d->input.len - d->gzip.avail_in;
    *ret_len = room - d->gzip.avail_out;
    if (status == Z_STREAM_END) {
        /* gzip members may follow each other. */
        d->is_at_end = d->consumed == d->input.len;
        if (!d->is_at_end && inflateReset(&d->gzip) != Z_OK)
            return ERR_CORRUPT;
        return ERR_OK;
    }
    if (status == Z_BUF_ERROR || (status == Z_OK && *ret_len == 0 && d->gzip.avail_in == 0))
        return ERR_TRUNCATED;
    if (status == Z_MEM_ERROR)
        return ERR_NO_MEMORY;
    return status == Z_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err lz4_read(struct decompressor *d, uint8_t *out, size_t room, size_t *ret_len)
{
    size_t in_len = d->input.len - d->consumed;
    size_t out_len = room;
    size_t hint =
        LZ4F_decompress(d->lz4, out, &out_len, d->input.data + d->consumed, &in_len, NULL);

    if (LZ4F_isError(hint))
        return ERR_CORRUPT;
    d->consumed += in_len;
    *ret_len = out_len;
    if (hint == 0)
        d->is_at_end = d->consumed == d->input.len;
    else if (out_len == 0 && in_len == 0)
        return ERR_TRUNCATED;
    return ERR_OK;
}

static enum err zstd_read(struct decompressor *d, uint8_t *out, size_t room, size_t *ret_len)
{
    ZSTD_inBuffer in = {d->input.data, d->input.len, d->consumed};
    ZSTD_outBuffer to = {out, room, 0};
    size_t before = in.pos;
    size_t hint = ZSTD_decompressStream(d->zstd, &to, &in);

    if (ZSTD_isError(hint))
        return ERR_CORRUPT;
    d->consumed = in.pos;
    *ret_len = to.pos;
    if (hint == 0)
        d->is_at_end = d->consumed == d->input.len;
    else if (to.pos == 0 && in.pos == before)
        return ERR_TRUNCATED;
    return ERR_OK;
}

/* The next compressed block: the rest when bare, a length and that many bytes in xerial's framing. */
static enum err snappy_next_block(struct decompressor *d, struct slice *ret_block)
{
    struct reader reader;
    int32_t len = 0;

    reader_init(&reader, slice_of(d->input.data + d->consumed, d->input.len - d->consumed));
    if (!d->is_xerial) {
        *ret_block = reader_bytes(&reader, reader_left(&reader));
        d->consumed = d->input.len;
        return ERR_OK;
    }
    len = reader_i32(&reader);
    if (reader.err == ERR_OK && len <= 0)
        return ERR_CORRUPT;
    *ret_block = reader_bytes(&reader, (size_t)len);
    d->consumed = d->input.len - reader_left(&reader);
    return reader.err;
}

static enum err snappy_decode_block(struct decompressor *d)
{
    struct slice block;
    size_t len = 0;
    enum err rc = snappy_next_block(d, &block);

    if (rc != ERR_OK)
        return rc;
    if (snappy_uncompressed_length((const char *)block.data, block.len, &len) != SNAPPY_OK)
        return ERR_CORRUPT;
    if (len > d->output_left)
        return ERR_TOO_LARGE;
    if (len / SNAPPY_EXPANSION_MAX > block.len)
        return ERR_CORRUPT;
    free(d->block);
    d->block_at = 0;
    d->block_len = 0;
    d->block = malloc(len + 1);
    if (d->block == NULL)
        return ERR_NO_MEMORY;
    if (snappy_uncompress((const char *)block.data, block.len, (char *)d->block, &len) != SNAPPY_OK)
        return ERR_CORRUPT;
    d->block_len = len;
    return ERR_OK;
}

static enum err snappy_read(struct decompressor *d, uint8_t *out, size_t room, size_t *ret_len)
{
    size_t part = 0;

    if (d->block_at == d->block_len) {
        enum err rc = snappy_decode_block(d);

        if (rc != ERR_OK)
            return rc;
    }
    part = d->block_len - d->block_at < room ? d->block_len - d->block_at : room;
    memcpy(out, d->block + d->block_at, part);
    d->block_at += part;
    d->is_at_end = d->consumed == d->input.len && d->block_at == d->block_len;
    *ret_len = part;
    return ERR_OK;
}

enum err decompressor_read(struct decompressor *d, uint8_t *out, size_t room, size_t *ret_len)
{
    static enum err (*const reads[])(struct decompressor * d, uint8_t * out, size_t room,
                                     size_t * ret_len) = {
        [COMPRESSION_GZIP] = gzip_read,
        [COMPRESSION_SNAPPY] = snappy_read,
        [COMPRESSION_LZ4] = lz4_read,
        [COMPRESSION_ZSTD] = zstd_read,
    };
    size_t len = 0;

    if (d->consumed == d->input.len && d->input.len == 0)
        return ERR_TRUNCATED;
    while (len == 0 && !d->is_at_end) {
        enum err rc = reads[d->codec](d, out, room, &len);

        if (rc != ERR_OK)
            return rc;
    }
    if (len > d->output_left)
        return ERR_TOO_LARGE;
    d->output_left -= len;
    *ret_len = len;
    return ERR_OK;
}

void decompressor_close(struct decompressor *d)
{
    if (d == NULL)
        return;
    if (d->codec == COMPRESSION_GZIP)
        (void)inflateEnd(&d->gzip);
    (void)LZ4F_freeDecompressionContext(d->lz4);
    (void)ZSTD_freeDStream(d->zstd);
    free(d->block);
    free(d);
}

/* --- the other direction --- */

static enum err gzip_compress(struct slice input, struct buffer *out)
{
    z_stream stream = {0};
    size_t bound = 0;
    int status = Z_OK;
    enum err rc = ERR_OK;

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_NO_MEMORY;
    bound = deflateBound(&stream, input.len);
    rc = buffer_reserve(out, bound);
    if (rc == ERR_OK) {
        stream.next_in = (z_const Bytef *)(uintptr_t)input.data;
        stream.avail_in = (uInt)input.len;
        stream.next_out = out->data + out->len;
        stream.avail_out = (uInt)bound;
        status = deflate(&stream, Z_FINISH);
        rc = status == Z_STREAM_END ? ERR_OK : ERR_INTERNAL;
    }
    if (rc == ERR_OK)
        out->len += bound - stream.avail_out;
    (void)deflateEnd(&stream);
    return rc;
}

static enum err snappy_compress_block(struct slice block, struct buffer *out)
{
    size_t len = snappy_max_compressed_length(block.len);
    size_t len_at = out->len;
    enum err rc = buffer_reserve(out, len + 4);

    if (rc != ERR_OK)
        return rc;
    if (snappy_compress((const char *)block.data, block.len, (char *)out->data + len_at + 4,
                        &len) != SNAPPY_OK)
        return ERR_INTERNAL;
    for (int i = 0; i < 4; i++)
        out->data[len_at + (size_t)i] = (uint8_t)(len >> (24 - 8 * i));
    out->len = len_at + 4 + len;
    return ERR_OK;
}

static enum err xerial_compress(struct slice input, struct buffer *out)
{
    static const uint8_t versions[8] = {0, 0, 0, 1, 0, 0, 0, 1};
    enum err rc = buffer_append(out, xerial_magic, sizeof(xerial_magic));

    if (rc == ERR_OK)
        rc = buffer_append(out, versions, sizeof(versions));
    for (size_t at = 0; rc == ERR_OK && at < input.len; at += XERIAL_BLOCK_BYTES) {
        size_t left = input.len - at;

        rc = snappy_compress_block(
            slice_of(input.data + at, left < XERIAL_BLOCK_BYTES ? left : XERIAL_BLOCK_BYTES), out);
    }
    return rc;
}

static enum err lz4_compress(struct slice input, struct buffer *out)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
    };
    size_t bound = LZ4F_compressFrameBound(input.len, &preferences);
    enum err rc = buffer_reserve(out, bound);
    size_t len = 0;

    if (rc != ERR_OK)
        return rc;
    len = LZ4F_compressFrame(out->data + out->len, bound, input.data, input.len, &preferences);
    if (LZ4F_isError(len))
        return ERR_INTERNAL;
    out->len += len;
    return ERR_OK;
}

static enum err zstd_compress(struct slice input, struct buffer *out)
{
    size_t bound = ZSTD_compressBound(input.len);
    enum err rc = buffer_reserve(out, bound);
    size_t len = 0;

    if (rc != ERR_OK)
        return rc;
    len = ZSTD_compress(out->data + out->len, bound, input.data, input.len, ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_isError(len))
        return ERR_INTERNAL;
    out->len += len;
    return ERR_OK;
}

enum err compress_records(int codec, struct slice input, struct buffer *out)
{
    static enum err (*const compressors[])(struct slice input, struct buffer * out) = {
        [COMPRESSION_GZIP] = gzip_compress,
        [COMPRESSION_SNAPPY] = xerial_compress,
        [COMPRESSION_LZ4] = lz4_compress,
        [COMPRESSION_ZSTD] = zstd_compress,
    };

    if (codec < COMPRESSION_GZIP || codec > COMPRESSION_ZSTD)
        return ERR_UNSUPPORTED;
    return compressors[codec](input, out);
}
