/* SPDX-License-Identifier: Apache-2.0 */
/* By which a file is known to be another one, however it came: written in place, renamed over, behind a symbolic link that
 * moved. Taken before the file is read: what changes meanwhile is noticed the next time. Blocking. */
#ifndef COMMON_PORT_FILE_STAMP_H
#define COMMON_PORT_FILE_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct file_stamp {
    dev_t device;
    ino_t inode; /* 0 = it could not be looked at */
    off_t size;
    struct timespec written, changed;
};

struct file_stamp file_stamp_of(const char *path);
/* False too where the file could not be looked at. */
bool file_stamp_is_same(const struct file_stamp *a, const struct file_stamp *b);

#endif
