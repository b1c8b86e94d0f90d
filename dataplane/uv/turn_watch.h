/* SPDX-License-Identifier: Apache-2.0 */
/* Why a turn of a loop took long: it worked, or waited for a core, or was blocked (by a page that had to be read, a lock).
 *
 * Asking the system in every turn would cost more than many of them do, so it is asked now and then, and after a long one: what
 * is said of that one has a few short ones in it. One loop's; its thread only. */
#ifndef DATAPLANE_UV_TURN_WATCH_H
#define DATAPLANE_UV_TURN_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Nobody else on the loop should wait for longer. */
#define TURN_WATCH_LONG_US 20000

struct turn_watch {
    int fd; /* what the system says of the thread; -1 = not open */
    uint64_t turns;
    int64_t ran_us;   /* when it was asked last: how long the thread had run, */
    int64_t ready_us; /* and how long it had waited for a core; 0 where it does not say */
};

struct long_turn {
    int64_t
        ran_us; /* at most: on a core (what the host of a virtual machine takes away counts, too) */
    int64_t ready_us; /* at most: waiting for one */
};

void turn_watch_init(struct turn_watch *watch);
void turn_watch_done(struct turn_watch *watch);
/* A turn ended that was busy for so long. True = that is long. */
bool turn_watch_note(struct turn_watch *watch, int64_t busy_us, struct long_turn *ret_turn);

#endif
