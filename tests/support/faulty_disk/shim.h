/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's inside: what it knows, and how it notes changes in its journal before they are made. */
#ifndef TESTS_SUPPORT_FAULTY_DISK_SHIM_H
#define TESTS_SUPPORT_FAULTY_DISK_SHIM_H

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "tests/support/faulty_disk/journal.h"

#define DESCRIPTORS 65536

/* The shim's own calls must not come back to it. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&(name)) _Atomic real;                                                   \
        if (real == NULL)                                                                          \
            real = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);                                   \
        (__typeof__(&(name)))real;                                                                 \
    })

struct shim {
    char data[PATH_MAX]; /* "" = nothing is watched */
    size_t data_len;
    const char *journal_dir;
    int journal; /* -1 = not made yet */
    uint64_t number;
    pthread_mutex_t lock; /* of the journal, and held over each change */
    _Atomic bool is_watched[DESCRIPTORS];
};

/* None of this is for the program that the library is loaded into. */
#pragma GCC visibility push(hidden)

extern struct shim shim;

/* Says what, and ends the program. */
__attribute__((noreturn)) void give_up(const char *what);

/* journal.c; all with the lock. */
bool journal_is_kept(void);
void journal_put(struct journal_record *record, const char *path, const void *data);
/* [offset, offset + len) is about to change, or to go. */
void journal_note_bytes(int fd, const struct stat *before, int64_t offset, int64_t len);
/* `path` is about to lead elsewhere. A file that it leads to now is kept. */
void journal_note_name(const char *path);

#pragma GCC visibility pop

#endif
