/* SPDX-License-Identifier: Apache-2.0 */
/* How a file of a write-ahead log grows: by zeros, so that what is logged overwrites blocks that exist.
 *
 *   0 ─── written ─── reserved ─────── allocated ─ ─ ─ ─ file_bytes
 *                             └ ahead ┘
 *
 * A round whose entries need more than there is grows the file first, and waits for it. So that this is seldom, each round says
 * what is due, and a worker grows it meanwhile (wal_ahead.h). Both write a piece at a time: neither waits for more than one
 * piece of the other's. */
#ifndef DATAPLANE_STORAGE_WAL_WAL_GROWTH_H
#define DATAPLANE_STORAGE_WAL_WAL_GROWTH_H

#include "dataplane/storage/wal/write_ahead_log.h"

struct wal_growth {
    struct wal_file *file; /* NULL = none is due */
    int64_t bytes;         /* so many it is to have, */
    int64_t more;          /* that is, so many more than now */
};

/* Blocking; any worker. `bytes` of the file exist afterwards, and perhaps some more. ERR_NO_SPACE: what came before that stays.
 * After other errors the directory has failed. */
enum err wal_grow(struct write_ahead_log *wal, struct wal_file *file, int64_t bytes) WARN_UNUSED;

/* Of the current file, before a round has to. Holding the store's lock. */
struct wal_growth wal_growth_due(struct write_ahead_log *wal);

#endif
