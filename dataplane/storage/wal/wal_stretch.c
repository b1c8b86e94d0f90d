/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal/wal_stretch.h"

#include <stdlib.h>

#define KEPT_BYTES ((size_t)1 << 20) /* of memory, for the next one */

/* --- spare ones --- */

static struct wal_stretch *take_spare(struct write_ahead_log *wal)
{
    struct wal_stretch *stretch = NULL;

    pthread_mutex_lock(&wal->lock);
    invariant(!list_is_empty(&wal->spares));
    stretch = container_of(wal->spares.next, struct wal_stretch, link);
    list_remove(&stretch->link);
    pthread_mutex_unlock(&wal->lock);
    return stretch;
}

static bool has_memory(struct wal_stretch *stretch, size_t bytes)
{
    struct buffer *staged = &stretch->staged;

    buffer_clear(staged);
    if (staged->capacity >= bytes)
        return true;
    buffer_done(staged);
    staged->data = aligned_alloc((size_t)WAL_BLOCK_BYTES, (bytes + (size_t)WAL_BLOCK_BYTES - 1) /
                                                              (size_t)WAL_BLOCK_BYTES *
                                                              (size_t)WAL_BLOCK_BYTES);
    staged->capacity = staged->data != NULL ? bytes : 0;
    staged->max_bytes = staged->capacity;
    return staged->data != NULL;
}

struct wal_stretch *wal_stretch_new(struct write_ahead_log *wal, int64_t bytes)
{
    struct wal_stretch *stretch = take_spare(wal);

    if (has_memory(stretch, (size_t)bytes))
        return stretch;
    pthread_mutex_lock(&wal->lock);
    wal_stretch_recycle(wal, stretch);
    pthread_mutex_unlock(&wal->lock);
    return NULL;
}

void wal_stretch_recycle(struct write_ahead_log *wal, struct wal_stretch *stretch)
{
    if (stretch->staged.capacity > KEPT_BYTES)
        buffer_done(&stretch->staged);
    list_push_front(&wal->spares, &stretch->link); /* its memory is warm, and others need none */
}

/* --- entries --- */

/* An entry's CRC is seeded by where it begins. */
static int64_t next_seed(const struct write_ahead_log *wal, const struct wal_stretch *stretch)
{
    return wal->is_unseeded ? 0 : stretch->begin_lsn + (int64_t)stretch->staged.len;
}

void wal_add_data(const struct write_ahead_log *wal, struct wal_stretch *stretch,
                  const struct wal_data *data)
{
    enum err rc =
        wal_data_write(next_seed(wal, stretch), stretch->synced_below, data, &stretch->staged);

    invariant(rc == ERR_OK);
}

void wal_add_note(const struct write_ahead_log *wal, struct wal_stretch *stretch,
                  const struct wal_note *note)
{
    enum err rc =
        wal_note_write(next_seed(wal, stretch), stretch->synced_below, note, &stretch->staged);

    invariant(rc == ERR_OK);
}

void wal_add_end(const struct write_ahead_log *wal, struct wal_stretch *stretch, int64_t next_lsn)
{
    enum err rc =
        wal_end_write(next_seed(wal, stretch), stretch->synced_below, next_lsn, &stretch->staged);

    invariant(rc == ERR_OK);
}

static void fill(const struct write_ahead_log *wal, struct wal_stretch *stretch)
{
    size_t left = (size_t)(stretch->end_lsn - stretch->begin_lsn) - stretch->staged.len;
    enum err rc = ERR_OK;

    if (left > 0)
        rc = wal_fill_write(next_seed(wal, stretch), stretch->synced_below, left, &stretch->staged);
    invariant(rc == ERR_OK);
}

/* --- to the disk --- */

static enum err write_stretch(const struct wal_stretch *stretch)
{
    struct file *file = stretch->file->file;
    struct iovec iov = {stretch->staged.data, stretch->staged.len};

    return file->ops->write_at(file, stretch->begin_lsn - stretch->file->first_lsn, &iov, 1);
}

/* Holding the lock, as all below. */
static int64_t written_lsn(const struct write_ahead_log *wal)
{
    return list_is_empty(&wal->unwritten)
               ? wal->head_lsn
               : container_of(wal->unwritten.next, struct wal_stretch, link)->begin_lsn;
}

/* Which files have something that was written; from now on that is this sync's. */
static int take_unsynced(struct write_ahead_log *wal, struct disk_sync syncs[WAL_FILES_MAX])
{
    int count = 0;

    for (int i = 0; i < wal->file_count; i++) {
        if (wal->files[i].is_unsynced)
            syncs[count++] = (struct disk_sync){.file = wal->files[i].file};
        wal->files[i].is_unsynced = false;
    }
    return count;
}

/* Lets the lock go meanwhile. */
static void sync_written(struct write_ahead_log *wal)
{
    int64_t lsn = written_lsn(wal);
    struct disk_sync syncs[WAL_FILES_MAX];
    int count = take_unsynced(wal, syncs);

    wal->is_syncing = true;
    pthread_mutex_unlock(&wal->lock);
    wal->disk->ops->sync_all(wal->disk, syncs, count);
    pthread_mutex_lock(&wal->lock);
    wal->is_syncing = false;
    for (int i = 0; i < count; i++)
        wal->is_failed |= syncs[i].err != ERR_OK;
    if (!wal->is_failed)
        wal->synced_lsn = lsn;
    pthread_cond_broadcast(&wal->moved);
}

static void await_synced(struct write_ahead_log *wal, int64_t lsn)
{
    while (!wal->is_failed && wal->synced_lsn < lsn) {
        if (wal->is_syncing || written_lsn(wal) < lsn)
            pthread_cond_wait(&wal->moved, &wal->lock);
        else
            sync_written(wal);
    }
}

static void await_written(struct write_ahead_log *wal, int64_t lsn)
{
    while (!wal->is_failed && written_lsn(wal) < lsn)
        pthread_cond_wait(&wal->moved, &wal->lock);
}

/* Written, or never to be. */
static void leave(struct write_ahead_log *wal, struct wal_stretch *stretch, bool is_written)
{
    wal->is_failed |= !is_written;
    stretch->file->is_unsynced = true;
    list_remove(&stretch->link);
    wal_stretch_recycle(wal, stretch);
    pthread_cond_broadcast(&wal->moved);
}

void wal_abandon_stretch(struct write_ahead_log *wal, struct wal_stretch *stretch)
{
    pthread_mutex_lock(&wal->lock);
    leave(wal, stretch, false);
    pthread_mutex_unlock(&wal->lock);
}

enum err wal_end_stretch(struct write_ahead_log *wal, struct wal_stretch *stretch, bool is_awaited)
{
    int64_t end_lsn = stretch->end_lsn;
    enum err rc = ERR_OK;

    fill(wal, stretch);
    rc = write_stretch(stretch);
    pthread_mutex_lock(&wal->lock);
    leave(wal, stretch, rc == ERR_OK);
    if (is_awaited && wal->stream == WAL_SYNCED)
        await_synced(wal, end_lsn);
    else if (is_awaited)
        await_written(wal, end_lsn);
    if (rc == ERR_OK && wal->is_failed)
        rc = ERR_IO;
    pthread_mutex_unlock(&wal->lock);
    return rc;
}
