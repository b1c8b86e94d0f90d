/* SPDX-License-Identifier: Apache-2.0 */
/* One group_shard on the loop of its partition's replica: loads it from the log, carries its appends to
 * the log and its replies to nobody in particular (the owner's on_finished), and keeps its timer.
 *
 *              log read to its end                      resign, or the core broke
 *   Loading ───────────────────────▶ Serving ─────────────────────────────▶ Closing ──▶ on_closed
 *      │  ▲
 *      ▼  │ a second later, or when more is committed
 *    Pausing      (a read failed, or the high watermark is behind the log's end)
 *
 * Closing waits for reads, waits and appends under way: they hold the replica. All on one loop. */
#ifndef DATAPLANE_COORDINATOR_COORDINATOR_SHARD_H
#define DATAPLANE_COORDINATOR_COORDINATOR_SHARD_H

#include "dataplane/group/group_shard.h"
#include "dataplane/storage/replica.h"

struct coordinator_shard_events {
    /* A call of this shard has its reply. */
    void (*on_finished)(void *context, struct group_call *call);
    /* The core lost a record of the log for want of memory: close this one and start another. Never
     * from within another call. */
    void (*on_broken)(void *context);
    /* Nothing uses the replica any more; coordinator_shard_free may be called from here. */
    void (*on_closed)(void *context);
    void *context;
};

struct coordinator_shard_options {
    int32_t instance_no;
    int32_t partition;
    struct replica *replica; /* referenced while the shard lives */
    leader_epoch epoch;
    const struct group_shard_options *group;
    struct group_shard_host host;
    struct random *random;
    struct hash_seed seed;
    struct coordinator_shard_events events;
};

struct coordinator_shard;

/* On the replica's loop; starts loading. ERR_NO_MEMORY. */
enum err coordinator_shard_new(const struct coordinator_shard_options *options,
                               struct coordinator_shard **ret_shard) WARN_UNUSED;
void coordinator_shard_free(struct coordinator_shard *shard);
/* Parked calls are finished with NOT_COORDINATOR from within; on_closed follows, now or later. */
void coordinator_shard_close(struct coordinator_shard *shard);

leader_epoch coordinator_shard_epoch(const struct coordinator_shard *shard);
void coordinator_shard_submit(struct coordinator_shard *shard, struct group_call *call);
void coordinator_shard_cancel(struct coordinator_shard *shard, struct group_call *call);
enum kafka_error coordinator_shard_list(const struct coordinator_shard *shard,
                                        struct group_call *call) WARN_UNUSED;
void coordinator_shard_visit(const struct coordinator_shard *shard,
                             const struct group_visitor *visitor);
void coordinator_shard_topic_deleted(struct coordinator_shard *shard, struct slice topic);

#endif
