/* SPDX-License-Identifier: Apache-2.0 */
/* Publication of immutable objects from one loop to all.
 *
 * The owner stores a new object with release order; any loop loads it with acquire order and may look at
 * it until the callback that loaded it returns to its loop, or while it holds a pin. An object that was
 * replaced is retired: a mail visits every loop in turn, and what was retired before it left is freed,
 * on the owner's loop, when it is home again, because every callback that could have loaded it has
 * returned by then. Pinned ones wait for the next trip.
 *
 * This and common/port/mailbox.c are the only files with lock-free code. No fences, no relaxed reads:
 * every edge is a store-release to a load-acquire, or a mail. */
#ifndef DATAPLANE_STORAGE_PUBLISHED_H
#define DATAPLANE_STORAGE_PUBLISHED_H

#include <stdatomic.h>

#include "common/port/executor.h"

struct published_node {
    struct published_node *next; /* among the retired; the owner's loop */
    atomic_int pins;
};

struct published {
    struct published_node *_Atomic current;
};

/* The owner's loop, or before anyone else knows of it. Returns what was there before. */
struct published_node *published_replace(struct published *published, struct published_node *node);
/* Any loop. */
struct published_node *published_load(const struct published *published);
/* Any thread that may look at the node. Each pin needs one unpin. */
void published_pin(struct published_node *node);
void published_unpin(struct published_node *node);

struct reclaim {
    struct loop *owner;
    void (*free_node)(struct published_node *node);
    struct published_node *retired;   /* since the trip left */
    struct published_node *travelled; /* before the trip left */
    int retired_count;
    bool is_away;
    bool is_closing;
    int stop; /* which loop the mail is at */
    struct mail mail;
    struct timer timer;
    void (*on_home)(struct reclaim *reclaim); /* set by close */
};

/* free_node is called on the owner's loop. */
void reclaim_init(struct reclaim *reclaim, struct loop *owner,
                  void (*free_node)(struct published_node *node));
/* The owner's loop. */
void reclaim_retire(struct reclaim *reclaim, struct published_node *node);
/* The owner's loop: no trip leaves after; on_home is called when none is away, maybe at once. */
void reclaim_close(struct reclaim *reclaim, void (*on_home)(struct reclaim *reclaim));
/* Frees all that is retired, pinned or not: when no loop runs any more. */
void reclaim_done(struct reclaim *reclaim);

/* A count that several loops change. */
struct shared_count {
    atomic_int value;
};

static inline void shared_count_init(struct shared_count *count, int value)
{
    atomic_init(&count->value, value);
}

static inline void shared_count_up(struct shared_count *count)
{
    atomic_fetch_add_explicit(&count->value, 1, memory_order_acq_rel);
}

/* True = it was the last. */
static inline bool shared_count_down(struct shared_count *count)
{
    return atomic_fetch_sub_explicit(&count->value, 1, memory_order_acq_rel) == 1;
}

/* A fact that, once true, stays true. */
struct shared_flag {
    atomic_bool value;
};

static inline void shared_flag_raise(struct shared_flag *flag)
{
    atomic_store_explicit(&flag->value, true, memory_order_release);
}

static inline bool shared_flag_is_up(const struct shared_flag *flag)
{
    return atomic_load_explicit(&flag->value, memory_order_acquire);
}

#endif
