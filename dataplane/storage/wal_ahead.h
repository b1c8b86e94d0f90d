/* SPDX-License-Identifier: Apache-2.0 */
/* Grows the files of the write-ahead logs ahead of one loop's rounds, so that an acknowledgement does not wait for it: a file
 * that is new to its disk takes a millisecond for each MiB.
 *
 *   round done, growth is due ──▶ a WRITE worker (wal_growth.h) ──▶ the next round that says so
 *
 * The loop only. */
#ifndef DATAPLANE_STORAGE_WAL_AHEAD_H
#define DATAPLANE_STORAGE_WAL_AHEAD_H

#include "dataplane/storage/wal/wal_growth.h"

struct shard;
struct flush_round;

struct wal_ahead {
    struct shard *shard;
    struct work work;
    struct wal_growth growths[WAL_STREAMS]; /* the worker's, while it runs */
    bool is_running;
};

void wal_ahead_init(struct wal_ahead *ahead, struct shard *shard);
void wal_ahead_round_done(struct wal_ahead *ahead, const struct flush_round *round);

#endif
