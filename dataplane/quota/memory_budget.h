/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for requests and answers, of one broker: who may take how much, so that no number of clients
 * makes it run out, and no instance takes it from another.
 *
 *                     0 ────────────── shared_bytes ──── limit_bytes
 *   over its guarantee: granted while all together are below ┘        │
 *   within its guarantee: granted while all are below ────────────────┘
 *
 * An account (an instance, or all strangers before login) has guarantee_bytes that a hog cannot take from
 * it, borrows above them from what is shared, and never holds more than its own limit. Refused means "not
 * now": the caller stops reading and asks again soon. What exists already is counted by memory_force,
 * which is never refused: the next one to ask is.
 *
 * Frames take chunk by chunk, so many that have begun could wait for each other for ever. One at a time,
 * the finisher, is granted all it needs to end (memory_take_to_finish), until it is freed: beyond the limits
 * there is at most that one frame. Whoever does not come to an end is closed after a deadline, by its owner.
 *
 * Any loop, no locks: numbers are added first, compared, and taken back when they are too large. So a
 * refusal may come a little early under contention, a grant never too late. */
#ifndef DATAPLANE_QUOTA_MEMORY_BUDGET_H
#define DATAPLANE_QUOTA_MEMORY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_limits {
    int64_t limit_bytes;     /* of the broker */
    int64_t shared_bytes;    /* borrowing stops here */
    int64_t guarantee_bytes; /* of each instance */
    int64_t instance_bytes;  /* no instance holds more */
    int64_t stranger_bytes;  /* nor all connections before login together */
};

struct memory_account {
    _Atomic int64_t used_bytes;
};

struct memory_budget {
    struct memory_limits limits;
    _Atomic int64_t used_bytes;
    _Atomic int64_t refusals; /* for metrics */
    struct memory_account strangers;
    atomic_bool has_finisher; /* some frame may pass the limits */
};

void memory_budget_init(struct memory_budget *budget, const struct memory_limits *limits);

/* False = not now; nothing was taken. */
bool memory_take(struct memory_budget *budget, struct memory_account *account, size_t bytes);
/* The same for a frame that has begun. is_finisher is the frame's: false at first, set when memory is short
 * and no other frame's is. */
bool memory_take_to_finish(struct memory_budget *budget, struct memory_account *account,
                           bool *is_finisher, size_t bytes);
/* The frame is freed. Does nothing when it was not the finisher. */
void memory_finished(struct memory_budget *budget, bool *is_finisher);
void memory_force(struct memory_budget *budget, struct memory_account *account, size_t bytes);
void memory_give(struct memory_budget *budget, struct memory_account *account, size_t bytes);

#endif
