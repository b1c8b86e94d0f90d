/* SPDX-License-Identifier: Apache-2.0 */
/* Late writes of one loop's logs: what only the write-ahead log and the tail have goes into its segment, with large
 * calls, while rounds go on.
 *
 *   round done ──enough of it, or wanted──▶ away: a WRITE worker ──▶ written: chunks may go, a checkpoint may sync it
 *                                               └── no room on the disk: late as before, and tried again
 *
 * At most one of a log is away. While it is, items of that log are logged, or wait. The loop only. */
#ifndef DATAPLANE_STORAGE_LATE_WRITE_H
#define DATAPLANE_STORAGE_LATE_WRITE_H

#include "dataplane/storage/partition_log.h"

struct replica;

/* One that is away: a block of the loop's spares. */
struct late_writer {
    struct replica *replica;
    struct late_write write;
    struct work work;
    enum err err;
};

/* One log's part; embedded in its replica. */
struct late_state {
    bool is_wanted;       /* as soon as it may begin */
    bool is_item_waiting; /* an item of the log must wait for its end */
};

/* Whatever there is of it. Now, or when the item under way is back. */
void late_write_want(struct replica *replica);
/* A round is done with the log. */
void late_write_round_done(struct replica *replica);
/* No loop runs any more: takes back the one that nobody brings home, if there is one. */
void late_write_abandon(struct replica *replica);

#endif
