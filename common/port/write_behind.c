/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/write_behind.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FAR_BEHIND (WRITE_BEHIND_STRETCHES / 2)

void write_behind_init(struct write_behind *behind, struct right_of_way *way)
{
    *behind = (struct write_behind){.way = way};
    pthread_mutex_init(&behind->lock, NULL);
    pthread_cond_init(&behind->has_work, NULL);
    pthread_cond_init(&behind->has_room, NULL);
}

static struct write_behind_stretch take_first(struct write_behind *behind)
{
    struct write_behind_stretch stretch = behind->stretches[behind->first];

    behind->first = (behind->first + 1) % WRITE_BEHIND_STRETCHES;
    behind->count--;
    return stretch;
}

void write_behind_done(struct write_behind *behind)
{
    pthread_mutex_lock(&behind->lock);
    behind->is_ending = true;
    pthread_cond_signal(&behind->has_work);
    pthread_mutex_unlock(&behind->lock);
    if (behind->has_thread)
        pthread_join(behind->thread, NULL);
    while (behind->count > 0)
        (void)close(take_first(behind).fd);
    pthread_cond_destroy(&behind->has_room);
    pthread_cond_destroy(&behind->has_work);
    pthread_mutex_destroy(&behind->lock);
}

/* Not to be had on this system; the bytes are none the worse. */
static bool is_refused(int number)
{
    return number == ENOSYS || number == EPERM;
}

static void give_way(struct write_behind *behind)
{
    bool is_far_behind = false;

    pthread_mutex_lock(&behind->lock);
    is_far_behind = behind->count >= FAR_BEHIND;
    pthread_mutex_unlock(&behind->lock);
    if (!is_far_behind)
        right_of_way_give(behind->way);
}

static void write_stretch(struct write_behind *behind, struct write_behind_stretch stretch)
{
    int64_t end = stretch.offset + stretch.len;

    for (int64_t at = stretch.offset; at < end; at += WRITE_BEHIND_PIECE_BYTES) {
        give_way(behind);
        if (sync_file_range(stretch.fd, at, WRITE_BEHIND_PIECE_BYTES,
                            SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0 &&
            !is_refused(errno))
            atomic_store(&behind->has_failed, true);
    }
    (void)close(stretch.fd);
}

static void *run_thread(void *context)
{
    struct write_behind *behind = context;

    pthread_mutex_lock(&behind->lock);
    while (!behind->is_ending) {
        struct write_behind_stretch stretch;

        if (behind->count == 0) {
            pthread_cond_wait(&behind->has_work, &behind->lock);
            continue;
        }
        stretch = take_first(behind);
        pthread_cond_signal(&behind->has_room);
        pthread_mutex_unlock(&behind->lock);
        write_stretch(behind, stretch);
        pthread_mutex_lock(&behind->lock);
    }
    pthread_mutex_unlock(&behind->lock);
    return NULL;
}

/* Holding the lock. Without a thread nothing would make room. */
static bool wait_for_room(struct write_behind *behind)
{
    if (!behind->has_thread)
        behind->has_thread = pthread_create(&behind->thread, NULL, run_thread, behind) == 0;
    while (behind->has_thread && behind->count == WRITE_BEHIND_STRETCHES)
        pthread_cond_wait(&behind->has_room, &behind->lock);
    return behind->has_thread;
}

static void add(struct write_behind *behind, struct write_behind_stretch stretch)
{
    bool is_added = false;

    pthread_mutex_lock(&behind->lock);
    is_added = wait_for_room(behind);
    if (is_added) {
        behind->stretches[(behind->first + behind->count) % WRITE_BEHIND_STRETCHES] = stretch;
        behind->count++;
        pthread_cond_signal(&behind->has_work);
    }
    pthread_mutex_unlock(&behind->lock);
    if (!is_added)
        (void)close(stretch.fd);
}

void write_behind_written(struct write_behind *behind, int fd, int64_t offset, int64_t end)
{
    struct write_behind_stretch stretch;

    offset -= offset % WRITE_BEHIND_STRETCH_BYTES;
    end -= end % WRITE_BEHIND_STRETCH_BYTES;
    if (end <= offset)
        return;
    stretch = (struct write_behind_stretch){fcntl(fd, F_DUPFD_CLOEXEC, 0), offset, end - offset};
    /* Without descriptors or threads it is left to the system. */
    if (stretch.fd >= 0)
        add(behind, stretch);
}

bool write_behind_has_failed(const struct write_behind *behind)
{
    return atomic_load(&behind->has_failed);
}
