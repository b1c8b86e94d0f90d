/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/sync_batch.h"

#include <stdio.h>

void sync_batch_init(struct sync_batch *batch, struct log_store *store)
{
    batch->store = store;
    batch->count = 0;
}

void sync_batch_run(struct sync_batch *batch)
{
    struct disk *disk = batch->store->disk;

    disk->ops->sync_all(disk, batch->syncs, batch->count);
    for (int i = 0; i < batch->count; i++) {
        if (batch->segments[i] != NULL)
            segment_files_release(&batch->store->files, batch->segments[i]);
        if (batch->syncs[i].err != ERR_OK)
            batch->items[i]->err = batch->syncs[i].err;
    }
    batch->count = 0;
}

static int take_place(struct sync_batch *batch, struct flush_item *item)
{
    if (batch->count == SYNC_BATCH_MAX)
        sync_batch_run(batch);
    batch->items[batch->count] = item;
    batch->segments[batch->count] = NULL;
    return batch->count++;
}

void sync_batch_segment(struct sync_batch *batch, struct flush_item *item, struct segment *segment)
{
    struct file *file = NULL;
    enum err rc = segment_files_acquire(&batch->store->files, segment, 0, &file);
    int place = 0;

    if (rc != ERR_OK) {
        item->err = rc;
        return;
    }
    place = take_place(batch, item);
    batch->segments[place] = segment;
    batch->syncs[place] = (struct disk_sync){.file = file};
}

void sync_batch_dir(struct sync_batch *batch, struct flush_item *item, const char *path)
{
    int place = take_place(batch, item);

    (void)snprintf(batch->dirs[place], LOG_PATH_BYTES, "%s", path);
    batch->syncs[place] = (struct disk_sync){.dir = batch->dirs[place]};
}
