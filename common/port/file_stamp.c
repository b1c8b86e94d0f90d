/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/file_stamp.h"

#include <sys/stat.h>

struct file_stamp file_stamp_of(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return (struct file_stamp){.inode = 0};
    return (struct file_stamp){status.st_dev, status.st_ino, status.st_size, status.st_mtim,
                               status.st_ctim};
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_stamp_is_same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->inode != 0 && a->inode == b->inode && a->device == b->device && a->size == b->size &&
           is_same_time(a->written, b->written) && is_same_time(a->changed, b->changed);
}
