/* SPDX-License-Identifier: Apache-2.0 */
/* What the shim writes down before each change, so that power_cut can take it back.
 *
 *   JOURNAL/<n>.undo      one file for each life of the process, in order; records one after another
 *   JOURNAL/inode/<n>     a hard link to each file that lost a name: its bytes may be wanted again, and
 *                         while it is there no other file gets its number
 *
 * A record says what was there before: of a file its size and the bytes that go, of a name the file that
 * it led to. A sync record says which earlier records of that file, or of the names in that directory,
 * cannot be taken back any more. Nothing is synced here: the machine itself does not lose power, so what
 * the kernel took from a killed process stays. A process killed in the middle of a record leaves a torn
 * one at the end of its file; the change that it was for did not begin. */
#ifndef TESTS_SUPPORT_FAULTY_DISK_JOURNAL_H
#define TESTS_SUPPORT_FAULTY_DISK_JOURNAL_H

#include <stdint.h>

#define JOURNAL_MAGIC 0x6f646e75u
#define JOURNAL_SUFFIX ".undo"
#define JOURNAL_INODES "inode"
#define JOURNAL_PATH_BYTES 512

enum journal_type {
    JOURNAL_BYTES = 1, /* inode, offset, old_size; then the old bytes from offset on */
    JOURNAL_NAME = 2,  /* path led to inode; 0 = to nothing, JOURNAL_DIRECTORY = to a directory */
    JOURNAL_FILE_SYNCED = 3,  /* inode: BYTES with a number below `until` are durable */
    JOURNAL_NAMES_SYNCED = 4, /* path: NAMEs directly in it, likewise */
};

#define JOURNAL_DIRECTORY UINT64_MAX

struct journal_record {
    uint32_t magic;
    uint32_t type;
    uint64_t number; /* 1, 2, … in one life */
    uint64_t inode;
    int64_t offset;
    int64_t old_size;
    uint64_t until;
    uint32_t path_len; /* bytes of path after this, with its terminator; 0 = none */
    uint32_t data_len; /* bytes of data after that */
};

#endif
