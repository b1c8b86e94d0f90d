/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that a test switches on and off while the program runs: lines of one file, which the test
 * replaces by rename. Each call looks whether the file is a new one; counts start again with it.
 *
 *   read-error  PATTERN [TIMES]   EIO; without TIMES always
 *   write-error PATTERN [TIMES]
 *   sync-error  PATTERN [TIMES]   nothing is synced
 *   sync-lie    PATTERN [TIMES]   says that it is, and nothing is synced
 *   slow-sync   PATTERN MICROSECONDS  before a sync does anything
 *   short-write PATTERN BYTES     no call writes more than that
 *   no-space    PATTERN BYTES     files may grow by that much together, then ENOSPC
 *   free-space  *       BYTES     what the file system says that is free
 *
 * PATTERN is one of fnmatch, against the path below the data directory; "*" matches slashes too. */
#ifndef TESTS_SUPPORT_FAULTY_DISK_FAULTS_H
#define TESTS_SUPPORT_FAULTY_DISK_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_READ_ERROR,
    FAULT_WRITE_ERROR,
    FAULT_SYNC_ERROR,
    FAULT_SYNC_LIE,
    FAULT_SLOW_SYNC,
    FAULT_SHORT_WRITE,
    FAULT_NO_SPACE,
    FAULT_FREE_SPACE,
};

/* Once, before other threads. NULL = no faults, ever. */
void faults_init(const char *control_file);
/* Is there any rule now? Cheap when there is none: paths need not be made. */
bool faults_are_on(void);
/* Whether this call fails so; counts it. */
bool faults_hit(enum fault_kind kind, const char *path);
/* How long a sync of this path waits first; 0 = not at all. */
int64_t faults_sync_delay_us(const char *path);
/* How many of `wanted` bytes of a write get through that makes the file `growth` longer; -1 = ENOSPC. */
int64_t faults_allow_write(const char *path, int64_t wanted, int64_t growth);
/* Nothing may grow any more. */
bool faults_is_full(const char *path);
/* -1 = what is true. */
int64_t faults_free_bytes(void);

#endif
