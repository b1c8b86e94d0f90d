/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories that shall be durable before a flush round goes on, gathered so that the disk can
 * do many at once. Full batches are run on the way. Workers, and at start. */
#ifndef DATAPLANE_STORAGE_SYNC_BATCH_H
#define DATAPLANE_STORAGE_SYNC_BATCH_H

#include "dataplane/storage/segment.h"

#define SYNC_BATCH_MAX 64

struct sync_batch {
    struct segment_files *files;
    int count;
    struct disk_sync syncs[SYNC_BATCH_MAX];
    struct segment *segments[SYNC_BATCH_MAX]; /* in use until it ran; NULL = a directory */
    enum err *errs[SYNC_BATCH_MAX];           /* who gets the error */
    char dirs[SYNC_BATCH_MAX][LOG_PATH_BYTES];
};

void sync_batch_init(struct sync_batch *batch, struct segment_files *files);
/* A failure goes into *err, maybe later: both must stay where they are until the batch ran. */
void sync_batch_segment(struct sync_batch *batch, enum err *err, struct segment *segment);
/* path is copied. */
void sync_batch_dir(struct sync_batch *batch, enum err *err, const char *path);
/* All that was gathered is durable, or its err says what failed. */
void sync_batch_run(struct sync_batch *batch);

#endif
