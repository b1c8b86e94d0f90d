/* SPDX-License-Identifier: Apache-2.0 */
/* What of a journal can still be taken back: every record that no later sync made durable, in order. */
#ifndef TESTS_SUPPORT_FAULTY_DISK_UNDO_H
#define TESTS_SUPPORT_FAULTY_DISK_UNDO_H

#include <stddef.h>
#include <stdint.h>

#include "tests/support/faulty_disk/journal.h"

struct undo {
    uint64_t order; /* over all lives */
    uint64_t inode; /* of BYTES: the file; of NAME: what the name led to */
    int64_t offset;
    int64_t old_size;
    const uint8_t *data; /* borrowed from the undo_log, as is path */
    size_t data_len;
    const char *path; /* of NAME */
};

struct undo_log {
    struct undo *bytes; /* by file, then order */
    size_t byte_count;
    struct undo *names; /* by path, then order */
    size_t name_count;
    uint8_t **files; /* owned: the journal's files, which the data points into */
    size_t file_count;
};

/* Ends the program when the journal cannot be read. */
void undo_log_load(struct undo_log *log, const char *journal_dir);
void undo_log_done(struct undo_log *log);

#endif
