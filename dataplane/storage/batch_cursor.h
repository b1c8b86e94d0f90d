/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the record batches of a file, header by header, through a window; bodies are read on request.
 * Workers only. Nothing read is trusted: a batch that does not parse or fit ends the walk. */
#ifndef DATAPLANE_STORAGE_BATCH_CURSOR_H
#define DATAPLANE_STORAGE_BATCH_CURSOR_H

#include "common/port/disk.h"
#include "dataplane/storage/record_batch.h"

struct batch_cursor {
    struct file *file; /* borrowed */
    int64_t position;  /* of the next batch */
    int64_t end;
    int64_t batch_at; /* of the batch that next gave */
    uint8_t *window;
    size_t window_room;
    int64_t window_at;
    size_t window_len;
};

void batch_cursor_init(struct batch_cursor *cursor, struct file *file, int64_t position,
                       int64_t end);
void batch_cursor_done(struct batch_cursor *cursor);
/* ERR_NOT_FOUND: at the end. ERR_TRUNCATED: the file ends inside the batch. ERR_CORRUPT: no batch here.
 * ERR_IO, ERR_NO_MEMORY. */
enum err batch_cursor_next(struct batch_cursor *cursor, struct record_batch *ret_batch) WARN_UNUSED;
/* The bytes of the batch that next gave, CRC checked; valid until the next call. ERR_CORRUPT, … */
enum err batch_cursor_body(struct batch_cursor *cursor, const struct record_batch *batch,
                           struct slice *ret_bytes) WARN_UNUSED;

#endif
