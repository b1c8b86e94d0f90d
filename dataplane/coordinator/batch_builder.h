/* SPDX-License-Identifier: Apache-2.0 */
/* Builds one uncompressed record batch (magic 2) without a producer: what a coordinator appends.
 *
 *   batch_builder_begin ▶ batch_builder_add … ▶ batch_builder_end
 *
 * Base offset and leader epoch are left for the log to write. */
#ifndef DATAPLANE_COORDINATOR_BATCH_BUILDER_H
#define DATAPLANE_COORDINATOR_BATCH_BUILDER_H

#include "common/wire/writer.h"

struct batch_builder {
    struct writer writer; /* errors stick here */
    size_t start_at;
    int64_t timestamp_ms;
    int32_t record_count;
};

/* buffer is borrowed until end; the batch is put behind what it holds. */
void batch_builder_begin(struct batch_builder *builder, struct buffer *buffer,
                         int64_t timestamp_ms);
/* A null value is a tombstone. All records have the batch's timestamp. */
void batch_builder_add(struct batch_builder *builder, struct slice key, struct slice value);
/* Fills in lengths, counts and CRC. ERR_INVALID without a record, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err batch_builder_end(struct batch_builder *builder) WARN_UNUSED;

#endif
