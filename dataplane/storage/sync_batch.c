/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/sync_batch.h"

#include <stdio.h>

void sync_batch_init(struct sync_batch *batch, struct segment_files *files)
{
    batch->files = files;
    batch->count = 0;
}

void sync_batch_run(struct sync_batch *batch)
{
    struct disk *disk = batch->files->disk;

    disk->ops->sync_all(disk, batch->syncs, batch->count);
    for (int i = 0; i < batch->count; i++) {
        if (batch->segments[i] != NULL)
            segment_files_release(batch->files, batch->segments[i]);
        if (batch->syncs[i].err != ERR_OK)
            *batch->errs[i] = batch->syncs[i].err;
    }
    batch->count = 0;
}

static int take_place(struct sync_batch *batch, enum err *err)
{
    if (batch->count == SYNC_BATCH_MAX)
        sync_batch_run(batch);
    batch->errs[batch->count] = err;
    batch->segments[batch->count] = NULL;
    return batch->count++;
}

void sync_batch_segment(struct sync_batch *batch, enum err *err, struct segment *segment)
{
    struct file *file = NULL;
    enum err rc = segment_files_acquire(batch->files, segment, 0, &file);
    int place = 0;

    if (rc != ERR_OK) {
        *err = rc;
        return;
    }
    place = take_place(batch, err);
    batch->segments[place] = segment;
    batch->syncs[place] = (struct disk_sync){.file = file};
}

void sync_batch_dir(struct sync_batch *batch, enum err *err, const char *path)
{
    int place = take_place(batch, err);

    (void)snprintf(batch->dirs[place], LOG_PATH_BYTES, "%s", path);
    batch->syncs[place] = (struct disk_sync){.dir = batch->dirs[place]};
}
