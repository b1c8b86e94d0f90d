/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the group coordinator, shared by the files of this folder only.
 *
 *   group_coordinator.c   life, and the image's orders
 *   hosted_shards.c       which shards live on a loop, and how many groups an instance has
 *   coordinator_calls.c   the way of a call to its shard and home
 *   coordinator_shard.c   one shard: its log, its timer */
#ifndef DATAPLANE_COORDINATOR_COORDINATOR_INTERNAL_H
#define DATAPLANE_COORDINATOR_COORDINATOR_INTERNAL_H

#include "dataplane/coordinator/coordinator_shard.h"
#include "dataplane/coordinator/group_coordinator.h"

/* Groups of one instance, counted over all loops. Made and found on loop 0; kept for life, so that any
 * loop may point to it: a few bytes per instance that was ever here. */
struct instance_groups {
    struct hash_node node;
    int32_t instance_no;
    _Atomic int64_t count;
};

struct hosted_shard {
    struct hash_node node;
    struct list link; /* closing */
    struct coordinator_loop *owner;
    int32_t instance_no;
    int32_t partition;
    struct replica *replica; /* the shard's reference */
    struct instance_groups *groups;
    struct coordinator_shard *shard;
};

enum order_kind { ORDER_LEAD, ORDER_RESIGN, ORDER_TOPIC_DELETED, ORDER_CLOSE };

struct order {
    struct mail mail;
    struct list link;
    enum order_kind kind;
    struct coordinator_loop *target;
    int32_t instance_no;
    int32_t partition;
    struct replica *replica; /* referenced */
    leader_epoch epoch;
    struct instance_groups *groups;
    void (*done)(void *context);
    void *context;
    struct slice topic; /* in the same block */
};

struct coordinator_loop {
    struct group_coordinator *coordinator;
    struct loop *loop;
    struct hash_table shards;
    struct list closing;
    struct list orders; /* carried out, waiting for what closes */
    struct order close; /* needs no memory when the time comes */
    bool is_closed;
};

struct group_coordinator {
    struct group_coordinator_options options;
    struct coordinator_loop *loops;
    struct hash_table instances; /* loop 0 */
    void (*closed)(void *context);
    void *closed_context;
    int loops_open;
};

static inline struct loop *coordinator_loop0(const struct group_coordinator *coordinator)
{
    return coordinator->options.executor->loops[0];
}

/* --- hosted_shards.c --- */

/* Loop 0; NULL = no memory. */
struct instance_groups *instance_groups_obtain(struct group_coordinator *coordinator,
                                               int32_t instance_no);
/* NULL = none serves; those that close are not found. */
struct hosted_shard *hosted_shard_find(const struct coordinator_loop *at, int32_t instance_no,
                                       int32_t partition);
void hosted_shard_open(struct coordinator_loop *at, int32_t instance_no, int32_t partition,
                       struct replica *replica, leader_epoch epoch, struct instance_groups *groups);
void hosted_shard_close(struct hosted_shard *hosted);

/* --- group_coordinator.c --- */

/* A shard of this loop has closed: orders that waited for it go home. */
void coordinator_finish_orders(struct coordinator_loop *at);

/* --- coordinator_calls.c --- */

/* The reply is there: to the caller's loop. */
void coordinator_call_answer(struct coordinator_call *call);

#endif
