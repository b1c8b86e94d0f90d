/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories that shall be durable before a flush round goes on, gathered so that the disk can
 * do many at once. Full batches are run on the way. The FLUSH worker only. */
#ifndef DATAPLANE_STORAGE_SYNC_BATCH_H
#define DATAPLANE_STORAGE_SYNC_BATCH_H

#include "dataplane/storage/flush_round.h"

#define SYNC_BATCH_MAX 64

struct sync_batch {
    struct log_store *store;
    int count;
    struct disk_sync syncs[SYNC_BATCH_MAX];
    struct segment *segments[SYNC_BATCH_MAX]; /* in use until it ran; NULL = a directory */
    struct flush_item *items[SYNC_BATCH_MAX]; /* who gets the error */
    char dirs[SYNC_BATCH_MAX][LOG_PATH_BYTES];
};

void sync_batch_init(struct sync_batch *batch, struct log_store *store);
/* A failure goes into item->err. path is copied. */
void sync_batch_segment(struct sync_batch *batch, struct flush_item *item, struct segment *segment);
void sync_batch_dir(struct sync_batch *batch, struct flush_item *item, const char *path);
/* All that was gathered is durable, or its item has an error. */
void sync_batch_run(struct sync_batch *batch);

#endif
