/* SPDX-License-Identifier: Apache-2.0 */
/* Whose request is served next on a loop: deficit round robin between instances.
 *
 *   frame ──▶ session's queue ──▶ instance's queue ──▶ active list ──(check phase of the turn)──▶ start
 *
 * Frames of one turn are queued as sockets are read, and served after all sockets of the turn were read.
 * Only instances with something to start are in the active list; each visit gives one a quantum, and it is
 * served while its deficit is above zero. A request costs SCHEDULER_BASE_COST and the bytes of its frame;
 * the bytes of its answer are charged when it leaves, and may drive the deficit below zero, to a bound.
 * An instance that is alone is served at once, whatever it owes.
 *
 * Within an instance, sessions whose next request is control (groups, Metadata, SASL, all but moving
 * records) come before those with data: a heartbeat does not wait behind produces. Within a session the
 * order is that of arrival. A Fetch starts when no other of the session is under way: answers leave in
 * order anyway, and so only what can be sent next holds records in memory.
 *
 * Batches that workers check (append_check.h) hold the order of their session: its next Produce does not
 * start before they are checked. Workers have SCHEDULER_MOST_CHECKS of an instance from this loop, the next
 * waits here for its slot: so a neighbour's batch waits behind a few and not behind a flood, and batches
 * that need no worker wait for nobody.
 *
 * A turn serves SCHEDULER_TURN_COST at most; the rest waits for the next, after timers and sockets. */
#ifndef DATAPLANE_DISPATCH_SCHEDULER_H
#define DATAPLANE_DISPATCH_SCHEDULER_H

#include "common/base/hash_table.h"
#include "common/base/list.h"
#include "common/port/executor.h"

#include <stdbool.h>
#include <stddef.h>

struct session;

enum {
    SCHEDULER_QUANTUM = 64 * 1024,
    SCHEDULER_BASE_COST = 4 * 1024,
    SCHEDULER_TURN_COST = 2 * 1048576,
    SCHEDULER_MOST_OWED = 16 * SCHEDULER_QUANTUM,
    SCHEDULER_MOST_CHECKS = 2
};

/* An instance as one loop sees it; lives while it has sessions on the loop. */
struct instance_queue {
    struct hash_node node;
    int32_t instance_no;
    int session_count;
    int64_t deficit;
    struct list control; /* struct session, by ready_link */
    struct list data;
    struct list waiting; /* struct check_slot: batches that no worker has yet */
    int checks;          /* batches that workers have */
    struct list active_link;
    bool is_active;
};

struct scheduler {
    struct loop *loop;
    struct hash_table instances;
    struct list active;
    struct mail wake;
    bool is_woken; /* the mail is on its way, or the timer runs */
    struct timer again;
    bool is_stopped;
};

void scheduler_init(struct scheduler *scheduler, struct loop *loop, struct hash_seed seed);
/* Nothing starts any more. */
void scheduler_stop(struct scheduler *scheduler);
void scheduler_done(struct scheduler *scheduler);

/* A session belongs to an instance now, and does not any more. False = no memory. */
bool scheduler_join(struct scheduler *scheduler, struct session *session, int32_t instance_no);
void scheduler_leave(struct scheduler *scheduler, struct session *session);

/* The session has a request that may start, or may have one: asked again whenever that could change. */
void scheduler_ready(struct scheduler *scheduler, struct session *session);
/* A batch of the session wants a worker: go() is called when it may have one, now or later, once, even
 * when the session closes meanwhile. Embedded in whoever waits. */
struct check_slot {
    struct session *session;
    void (*go)(struct check_slot *slot);
    struct list link;       /* private from here */
    bool is_held, is_taken; /* counted by the session; by the instance */
};

void scheduler_want_check(struct check_slot *slot, struct session *session,
                          void (*go)(struct check_slot *slot));
/* The batch is checked. Does nothing for a slot that was never wanted (all zero). */
void scheduler_check_done(struct scheduler *scheduler, struct check_slot *slot);
/* Bytes of an answer. */
void scheduler_charge(struct session *session, size_t bytes);

#endif
