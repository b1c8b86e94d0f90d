/* SPDX-License-Identifier: Apache-2.0 */
/* The group coordinators of one broker, as handlers and the cluster image see them.
 *
 *   handler (any loop)                        loop of the partition of __consumer_offsets
 *   group_coordinator_submit ──mail──▶ group_shard (pure): decide ──▶ replica_append_submit
 *                                      replay what is committed ◀──── done, under the high watermark
 *   coordinator_call.complete ◀─mail── reply
 *
 * A shard exists while this broker leads the partition: the image says so with group_coordinator_lead
 * and group_coordinator_resign. It is loaded by reading its log; until then calls get
 * COORDINATOR_LOAD_IN_PROGRESS; without a shard they get NOT_COORDINATOR. Every call is completed
 * exactly once, never before submit returns, at the latest when the shard is resigned. */
#ifndef DATAPLANE_COORDINATOR_GROUP_COORDINATOR_H
#define DATAPLANE_COORDINATOR_GROUP_COORDINATOR_H

#include "common/base/error.h"
#include "common/base/hash_table.h"
#include "common/port/executor.h"
#include "common/port/random.h"
#include "dataplane/group/group_partition.h" /* FindCoordinator wants it */
#include "dataplane/group/group_requests.h"
#include "dataplane/group/group_shard.h"
#include "dataplane/storage/replica.h"

struct group_coordinator;

/* What the coordinator asks of the metadata image. Any loop, must not block. */
struct coordinator_host {
    void *context;
    /* The leading replica of partition `partition` of the instance's __consumer_offsets; NULL = this
     * broker does not lead it. Valid at least until the asking loop's turn ends. */
    struct replica *(*offsets_replica)(void *context, int32_t instance_no, int32_t partition);
    /* 0 = no such instance here. */
    int32_t (*offsets_partitions)(void *context, int32_t instance_no);
    /* Asked after a load, to drop the offsets of topics deleted while nobody led. Must be true while
     * the image is not complete. */
    bool (*topic_exists)(void *context, int32_t instance_no, struct slice topic);
    /* How many groups the instance may have; -1 = no bound. */
    int64_t (*groups_limit)(void *context, int32_t instance_no);
};

struct group_coordinator_options {
    struct executor *executor; /* borrowed */
    struct random *random;     /* borrowed; for member ids */
    struct hash_seed seed;
    struct coordinator_host host;
    struct group_shard_options group; /* group_shard_options_default(), then what differs */
};

/* Before loops run. ERR_NO_MEMORY. */
enum err group_coordinator_new(const struct group_coordinator_options *options,
                               struct group_coordinator **ret_coordinator) WARN_UNUSED;
/* Loop 0: resigns every shard (parked calls get NOT_COORDINATOR), then done on loop 0. After that,
 * group_coordinator_free. */
void group_coordinator_close(struct group_coordinator *coordinator, void (*done)(void *context),
                             void *context);
void group_coordinator_free(struct group_coordinator *coordinator);

/* --- For the cluster image, loop 0 --- */

/* This broker leads partition `partition` of the instance's __consumer_offsets with this epoch: call it
 * after replica_become_leader. Takes a reference on the replica. A higher epoch than before reloads the
 * shard, the same one changes nothing. */
void group_coordinator_lead(struct group_coordinator *coordinator, int32_t instance_no,
                            int32_t partition, struct replica *replica, leader_epoch epoch);
/* It does not any more, or the partition is being removed: before replica_remove. `done` (may be NULL)
 * is called on loop 0 when nothing of the shard uses the replica. */
void group_coordinator_resign(struct group_coordinator *coordinator, int32_t instance_no,
                              int32_t partition, struct loop *loop, void (*done)(void *context),
                              void *context);
/* A topic of the instance was deleted: its committed offsets go. The name is copied. */
void group_coordinator_topic_deleted(struct group_coordinator *coordinator, int32_t instance_no,
                                     struct slice topic);

/* --- For metrics --- */

struct coordinator_visitor {
    /* Whose the groups are that come next; called with groups.context. */
    void (*on_instance)(void *context, int32_t instance_no);
    struct group_visitor groups;
};
/* On `loop`: shows the groups of every shard that lives there. */
void group_coordinator_visit(const struct group_coordinator *coordinator, const struct loop *loop,
                             const struct coordinator_visitor *visitor);

/* --- For handlers, any loop --- */

/* One call, embedded in the request. Set what is under "in" after coordinator_call_init. */
struct coordinator_call {
    /* in */
    struct group_call group; /* operation, version, group_id, request */
    int32_t instance_no;
    struct loop *home; /* the loop that submits */
    /* On home, exactly once. The reply is in `group`; coordinator_call_done frees it. */
    void (*complete)(struct coordinator_call *call);
    /* private */
    struct group_coordinator *coordinator;
    struct loop *target; /* of the shard; NULL = answered without one */
    int32_t partition;   /* GROUP_LIST: how many there are */
    int next_loop;       /* GROUP_LIST visits one loop after the other */
    struct mail mail;
    struct mail cancel_mail;
    bool is_answered;   /* home only */
    bool is_cancelling; /* home only: cancel_mail is out */
};

void coordinator_call_init(struct coordinator_call *call, enum group_operation operation);
void coordinator_call_done(struct coordinator_call *call);

/* group.group_id chooses the partition. GROUP_LIST gathers over all shards of the instance. */
void group_coordinator_submit(struct group_coordinator *coordinator, struct coordinator_call *call);
/* The client is gone: the call completes soon, instead of waiting out a rebalance. On call->home,
 * between submit and complete; what it answers is of no interest then. The member stays until its
 * session times out. */
void group_coordinator_cancel(struct coordinator_call *call);

#endif
