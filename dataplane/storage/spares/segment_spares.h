/* SPDX-License-Identifier: Apache-2.0 */
/* Files of segments that went, kept for segments that come: full of zeros, but with their room on the disk.
 *
 *   retention, a deleted topic ──keep──▶ spare/<number> ──take──▶ the file of a new segment
 *                                            └──shrink, drop──▶ removed, where room is needed
 *
 * A disk that is given its blocks when they are first written (most virtual ones) takes those at half the rate, and is
 * told of each block that is free again, which others wait behind. Both are spared. What was in the file is gone
 * before it is a spare: its zeros are durable, and so is that its old name is gone. When it is taken, it is first made
 * durable that it is no spare any more: a start empties all that lies in spare/.
 *
 * Locks for a moment; the disk is used without. Workers only, but for what says otherwise. */
#ifndef DATAPLANE_STORAGE_SPARES_SEGMENT_SPARES_H
#define DATAPLANE_STORAGE_SPARES_SEGMENT_SPARES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/port/disk.h"

#define SEGMENT_SPARES_MAX 256

struct segment_spare {
    int64_t number;
    int64_t bytes;
};

struct segment_spares {
    struct disk *disk;
    int percent;       /* of the room that is free with them: they have no more; 0 = none is kept */
    int64_t min_bytes; /* of a file that is worth it */
    bool is_unsynced;  /* SABOTAGE_SPARE_UNSYNCED; else false */
    atomic_bool is_refused; /* the file system cannot empty a file that keeps its room */
    atomic_llong bytes;
    atomic_llong kept_count;  /* ever, in this life */
    atomic_llong taken_count; /* likewise */
    pthread_mutex_t lock;
    struct segment_spare spares[SEGMENT_SPARES_MAX]; /* under it */
    int count;
    int64_t next_number;
};

void segment_spares_init(struct segment_spares *spares, struct disk *disk, int percent,
                         int64_t min_bytes);
/* At start, when nobody else has the directory: those that are there are emptied again. */
enum err segment_spares_open(struct segment_spares *spares) WARN_UNUSED;
void segment_spares_done(struct segment_spares *spares);

/* The file dir/name, which nobody has open, and whose name means nothing after a crash: it becomes a spare, if there
 * may be one more while `room` bytes of the disk are free. False = it does not, and is to be removed. */
bool segment_spares_keep(struct segment_spares *spares, const char *dir, const char *name,
                         int64_t room) WARN_UNUSED;
/* The largest spare of bytes_max at most gets the name `path`, whose own directory is yet to be synced. ERR_NOT_FOUND:
 * there is none; after another error it is unknown what lies there. */
enum err segment_spares_take(struct segment_spares *spares, const char *path,
                             int64_t bytes_max) WARN_UNUSED;

/* Removes a piece of one if they have more than their share of what is free (disk_cut_file). *ret_is_done: no more
 * needs to go. */
enum err segment_spares_shrink(struct segment_spares *spares, int64_t room, int64_t *budget,
                               bool *ret_is_done) WARN_UNUSED;
/* Removes all: the room is wanted now. */
void segment_spares_drop(struct segment_spares *spares);

#endif
