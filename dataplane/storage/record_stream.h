/* SPDX-License-Identifier: Apache-2.0 */
/* The records of one batch, one after another, whatever their codec.
 *
 * Uncompressed records are looked at where they are: keys, values and headers are slices of the batch.
 * Compressed ones are decompressed through a small window and bodies are skipped: only lengths and
 * numbers come out (data NULL), which is all that validation and time lookup need. Work is bounded by
 * max_bytes of output, memory by the window and the codec's own. */
#ifndef DATAPLANE_STORAGE_RECORD_STREAM_H
#define DATAPLANE_STORAGE_RECORD_STREAM_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "dataplane/storage/compression.h"

#define RECORD_STREAM_WINDOW_BYTES 16384
#define RECORD_STREAM_MAX_BYTES ((size_t)128 << 20)

struct record_stream {
    const uint8_t *at;
    const uint8_t *end;
    struct decompressor *decompressor; /* NULL = uncompressed */
    uint8_t *window;                   /* owned; NULL = uncompressed */
    bool is_ended;                     /* the decompressor gave all it has */
    enum err err;                      /* sticks */
    int64_t shown_bytes;               /* of the records, up to `end` */
};

struct record_view {
    int64_t timestamp_delta;
    int32_t offset_delta;
    int32_t key_len;   /* -1 = null */
    int32_t value_len; /* -1 = null */
    int32_t header_count;
    struct slice key;     /* SLICE_NULL when null or compressed */
    struct slice value;   /* likewise */
    struct slice headers; /* header_count of them, encoded; SLICE_NULL when compressed */
};

/* records is borrowed until done; max_bytes: of them, decompressed (RECORD_STREAM_MAX_BYTES). ERR_UNSUPPORTED, ERR_NO_MEMORY. Call done after either. */
enum err record_stream_init(struct record_stream *stream, int codec, struct slice records,
                            size_t max_bytes) WARN_UNUSED;
/* ERR_INVALID or ERR_TRUNCATED: not a record; ERR_CORRUPT: not what the codec writes; ERR_TOO_LARGE. */
enum err record_stream_next(struct record_stream *stream,
                            struct record_view *ret_record) WARN_UNUSED;
/* True when nothing follows; false on an error, too. */
bool record_stream_is_at_end(struct record_stream *stream);
void record_stream_done(struct record_stream *stream);

#endif
