/* SPDX-License-Identifier: Apache-2.0 */
/* Files of one loop that go: a piece at a time, and a rest after each.
 *
 *   add ─▶ waiting ─▶ away: a SLOW worker removes a piece ─▶ gone: done
 *             ▲              └── something is left ── rest ──┐
 *             └──────────────────────────────────────────────┘
 *
 * A file system may tell the device of each block that is free now, at once, and then whoever syncs waits in the
 * device's queue behind gigabytes of that; and whoever wants the same worker (a password to be hashed) waits for the
 * rest. So nobody waits behind more than a piece. Without rests when room is short, or when the loop is closing.
 *
 * The loop only, but for run. */
#ifndef DATAPLANE_STORAGE_REMOVALS_H
#define DATAPLANE_STORAGE_REMOVALS_H

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/port/executor.h"

struct log_store;

/* The files of a segment, or of a log; embedded in it. */
struct removal {
    struct list link;
    /* On a worker: removes as much as `budget` allows (disk_cut_file). *ret_is_gone: there is nothing left. */
    enum err (*run)(struct removal *removal, int64_t *budget, bool *ret_is_gone);
    void (*done)(struct removal *removal); /* once, after that or an error */
    enum err err;
    bool is_gone;
};

struct removals {
    struct loop *loop;
    struct log_store *store;
    int64_t piece_bytes;
    struct list waiting; /* oldest first */
    struct list away;    /* some of them: the worker's */
    struct work work;
    struct timer rest;
    int64_t began_us;
    bool is_running;
    bool is_room_short; /* as the worker found it */
    bool is_hurried;
};

/* piece_bytes: 0 = the usual. */
void removals_init(struct removals *removals, struct loop *loop, struct log_store *store,
                   int64_t piece_bytes);
/* `run` and `done` are set. */
void removals_add(struct removals *removals, struct removal *removal);
/* No rests from now on. */
void removals_hurry(struct removals *removals);

#endif
