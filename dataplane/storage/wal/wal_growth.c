/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal/wal_growth.h"

#define STEPS_OF_FILE 256 /* it grows by this share, 256 KiB of the usual one */
#define STEPS_AHEAD 16
#define STEPS_TOO_FEW 12 /* ahead: then it is worth a worker's while */
#define PIECE_BYTES ((int64_t)256 << 10)
#define ZEROS_BYTES 65536
#define ZEROS_IOV ((int)(PIECE_BYTES / ZEROS_BYTES))

static int64_t step_bytes(const struct write_ahead_log *wal)
{
    int64_t blocks = wal->file_bytes / STEPS_OF_FILE / wal->block_bytes;

    return (blocks > 0 ? blocks : 1) * wal->block_bytes;
}

/* At most a piece. */
static enum err write_zeros(struct file *file, int64_t position, int64_t bytes)
{
    static const uint8_t zeros[ZEROS_BYTES];
    struct iovec iov[ZEROS_IOV];
    int count = 0;

    while (bytes > 0) {
        int64_t part = bytes < ZEROS_BYTES ? bytes : ZEROS_BYTES;

        iov[count++] = (struct iovec){(void *)(uintptr_t)zeros, (size_t)part};
        bytes -= part;
    }
    return file->ops->write_at(file, position, iov, count);
}

/* Holding the lock, which is let go meanwhile. Nobody else is at it. */
static enum err grow_a_piece(struct write_ahead_log *wal, struct wal_file *file, int64_t wanted)
{
    int64_t from = file->allocated_bytes;
    int64_t bytes = wanted - from < PIECE_BYTES ? wanted - from : PIECE_BYTES;
    enum err rc = ERR_OK;

    file->is_growing = true;
    pthread_mutex_unlock(&wal->lock);
    rc = write_zeros(file->file, from, bytes);
    pthread_mutex_lock(&wal->lock);
    file->is_growing = false;
    if (rc == ERR_OK)
        file->allocated_bytes = from + bytes;
    pthread_cond_broadcast(&wal->moved);
    return rc;
}

enum err wal_grow(struct write_ahead_log *wal, struct wal_file *file, int64_t bytes)
{
    int64_t step = step_bytes(wal);
    int64_t wanted = (bytes + step - 1) / step * step;
    enum err rc = ERR_OK;

    if (wanted > wal->file_bytes)
        wanted = wal->file_bytes;
    pthread_mutex_lock(&wal->lock);
    while (file->allocated_bytes < wanted && rc == ERR_OK) {
        if (file->is_growing)
            pthread_cond_wait(&wal->moved, &wal->lock);
        else
            rc = grow_a_piece(wal, file, wanted);
    }
    pthread_mutex_unlock(&wal->lock);
    return rc;
}

struct wal_growth wal_growth_due(struct write_ahead_log *wal)
{
    int64_t step = step_bytes(wal);
    int64_t used = 0;
    int64_t allocated = 0;
    int64_t wanted = 0;

    if (wal->current == NULL)
        return (struct wal_growth){.file = NULL};
    pthread_mutex_lock(&wal->lock);
    used = wal->head_lsn - wal->current->first_lsn + wal->reserved_bytes;
    allocated = wal->current->allocated_bytes;
    pthread_mutex_unlock(&wal->lock);
    if (allocated >= wal->file_bytes || allocated - used > STEPS_TOO_FEW * step)
        return (struct wal_growth){.file = NULL};
    wanted = used + STEPS_AHEAD * step;
    return (struct wal_growth){wal->current, wanted, wanted - allocated};
}
