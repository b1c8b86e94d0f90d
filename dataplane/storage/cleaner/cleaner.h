/* SPDX-License-Identifier: Apache-2.0 */
/* One loop's cleaner: compaction of the logs that live there, one at a time.
 *
 *   IDLE ──check: the dirtiest log that is due──▶ PACED ──timer──▶ WORKING (a slice, on WORKER_SLOW)
 *    ▲                                              ▲                 │
 *    │                                              └── more to read ─┤
 *    │                     another group ◀── lists exchanged ◀── WORKING (exchange, on WORKER_FLUSH)
 *    │                                           ▲                    │
 *    │                                           └─── AWAITING ROUND ─┘  a flush round has the log
 *    └── WORKING (noting how far the keys are known, on WORKER_FLUSH) ◀── no more groups
 *
 * Slices are a mebibyte and paced, so that cleaning leaves the disk to others. Nobody sees a new segment
 * before its exchange is in the catalogue, and the old ones go when nobody reads them. A failure leaves the
 * log as it is: a full disk and short memory are tried again, anything else marks that partition, and only
 * it, until the next start. Everything here is touched on the loop only. */
#ifndef DATAPLANE_STORAGE_CLEANER_CLEANER_H
#define DATAPLANE_STORAGE_CLEANER_CLEANER_H

#include "dataplane/storage/cleaner/clean_pass.h"

#define CLEANER_CHECK_US ((int64_t)5 * 1000 * 1000)

enum cleaner_state { CLEANER_IDLE, CLEANER_PACED, CLEANER_WORKING, CLEANER_AWAITING_ROUND };

struct cleaner_limits {
    size_t map_bytes; /* keys of a pass; 0 = nothing is cleaned */
    int64_t bytes_per_second;
    int64_t check_us;
    struct hash_seed seed;
};

struct replica;

struct cleaner {
    struct shard *shard;
    struct cleaner_limits limits;
    enum cleaner_state state;
    struct timer timer;
    struct replica *replica; /* referenced while a pass is under way */
    struct clean_pass pass;
    bool is_exchange_asked; /* the catalogue may say it already: the new file may not go */
    struct work work;
    enum err work_err;
    int64_t paused_until_us; /* the disk was full, or memory short */
};

void cleaner_init(struct cleaner *cleaner, struct shard *shard,
                  const struct cleaner_limits *limits);
/* When no loop runs any more. */
void cleaner_done(struct cleaner *cleaner);

/* The shard has a log. */
void cleaner_begin(struct cleaner *cleaner);
/* No new pass; the one under way ends at its next step. */
void cleaner_close(struct cleaner *cleaner);
/* The replica is going: its pass ends, now or at its next step (replica_cleaning_ended). */
void cleaner_give_up(struct cleaner *cleaner, const struct replica *replica);
/* The flush round that had the replica's log is over. */
void cleaner_round_done(struct cleaner *cleaner, struct replica *replica);

#endif
