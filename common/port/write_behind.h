/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that lie in the page cache and that nobody waits for go to the device, a stretch of a file after another.
 *
 * Left alone, the system begins when there is much of them, and all at once: gigabytes, which a sync of somebody else
 * or the end of the process waits behind. Begun by who wrote them, that one waits whenever the device has enough to do.
 * So a thread of its own does it. It has one piece of a stretch on its way at a time: with more the device was no
 * faster, a sync waits behind all of them, and who wrote to the same file system was seen to stop for 165 ms. Before
 * each piece it gives way to who is in a hurry, while it is not far behind. Who writes waits only while it is
 * WRITE_BEHIND_STRETCHES behind.
 *
 * Nothing becomes durable by it: only a sync says so. But the system tells of a failure once, and may tell it here, so
 * after a failure no sync may succeed (write_behind_has_failed). Where it is not allowed, or not known, nothing is lost:
 * the system does it when it likes.
 * The thread is made when it is first wanted and sleeps while there is nothing. Any thread may call anything but init
 * and done. */
#ifndef COMMON_PORT_WRITE_BEHIND_H
#define COMMON_PORT_WRITE_BEHIND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/port/right_of_way.h"

enum { WRITE_BEHIND_STRETCHES = 256 }; /* 1 GiB, unless writes are larger than a stretch */

#define WRITE_BEHIND_STRETCH_BYTES ((int64_t)4 << 20)
#define WRITE_BEHIND_PIECE_BYTES ((int64_t)256 << 10)

struct write_behind_stretch {
    int fd;
    int64_t offset;
    int64_t len;
};

struct write_behind {
    struct right_of_way *way;
    atomic_bool has_failed;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    pthread_cond_t has_room;
    pthread_t thread;
    /* under it: */
    struct write_behind_stretch
        stretches[WRITE_BEHIND_STRETCHES]; /* a ring; their descriptors are ours */
    int first;
    int count;
    bool has_thread;
    bool is_ending;
};

/* way: borrowed, ends after it. */
void write_behind_init(struct write_behind *behind, struct right_of_way *way);
/* What did not begin its way is left to the system. */
void write_behind_done(struct write_behind *behind);
/* The bytes from `offset` to `end` of the file were written, in the page cache: the stretches that end with them go,
 * also when the descriptor is closed meanwhile. May wait, as said above. */
void write_behind_written(struct write_behind *behind, int fd, int64_t offset, int64_t end);
/* Some bytes may never get there, and nobody else may be told. */
bool write_behind_has_failed(const struct write_behind *behind);

#endif
