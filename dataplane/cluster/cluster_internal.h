/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the cluster, all on loop 0:
 *
 *   cluster.c            start and stop, the store's events, when to acknowledge
 *   image_update.c       from changes to records, and round all loops
 *   topic_replicas.c     the replicas of this broker's partitions
 *   image_cache.c        the cached image on disk
 *   cluster_request.c    requests to the store (begins and ends on the caller's loop) */
#ifndef DATAPLANE_CLUSTER_CLUSTER_INTERNAL_H
#define DATAPLANE_CLUSTER_CLUSTER_INTERNAL_H

#include "common/base/buffer.h"
#include "common/base/hash_table.h"
#include "dataplane/cluster/cluster.h"
#include "dataplane/cluster/image_internal.h"
#include "dataplane/cluster/image_parse.h"

/* The changes of one or more whole versions on their way round the loops. */
struct image_update;

/* Changes of a version, or of a snapshot, whose last part has not come yet. */
struct pending_changes {
    struct buffer bytes; /* kind, key, payload of each, length-prefixed */
    size_t count;
    bool is_snapshot;
};

struct image_cache {
    bool is_dirty; /* the image has moved on since the last write began */
    bool is_writing;
    int64_t written_version; /* on disk, durably */
    struct timer delay;
    struct work work;
    /* of the write under way */
    const struct image_record **records;
    size_t record_count;
    int64_t version;
    enum err result;
};

struct cluster {
    struct cluster_options options;
    struct loop *loop; /* loop 0 */
    struct image **images;
    int loop_count;
    struct hash_seed seed;

    struct meta_registration registration;
    bool is_registered;
    bool is_synced;    /* the store has confirmed or replaced the cached image since the start */
    bool is_backwards; /* said once */
    atomic_bool is_reachable;
    bool is_store_started;

    struct mail
        start_mail; /* once round all loops, before the listeners of the cached image open */
    int start_at;

    struct pending_changes pending;
    int updates_under_way;
    int removals_under_way;

    int64_t applied_version;   /* all loops show it */
    int64_t listeners_version; /* listeners being opened are of this version; 0 = none are */
    int64_t revoked_version;   /* the last one that took a key or a tenant away */
    int64_t acknowledged_version;

    struct image_cache cache;
    struct list waiting; /* cluster_request.link: answered, not yet shown by all loops */
    int requests_under_way;

    bool is_stopping;
    void (*stopped)(void *context);
    void *stopped_context;
};

/* --- image_update.c --- */

/* Parses changes against the image of loop 0, applies them there and sends them round. is_snapshot:
 * what is not among them is removed. When the last loop has them: cluster_update_applied. */
void cluster_apply_changes(struct cluster *cluster, const struct meta_change *changes, size_t count,
                           bool is_snapshot, int64_t version);
/* The same into all images at once; before the loops run. */
void cluster_apply_at_start(struct cluster *cluster, const struct meta_change *changes,
                            size_t count, int64_t version);

/* --- cluster.c --- */

struct update_summary {
    int64_t version;
    bool has_listener_change; /* of this broker */
    bool has_revocation;      /* a credential or tenant is gone, or suspended */
};

/* This broker's loops have got a version that takes access away, or changes the listeners. */
void cluster_update_begun(struct cluster *cluster, const struct update_summary *summary);
void cluster_update_applied(struct cluster *cluster, const struct update_summary *summary);
/* Acknowledges what may be, and ends the stop when nothing is under way any more. */
void cluster_advance(struct cluster *cluster);

/* --- topic_replicas.c --- */

/* Opens or takes over the replicas of a new record; before may be NULL. */
void topic_replicas_open(struct cluster *cluster, struct image_topic *topic,
                         const struct image_topic *before);
/* Removes those that `after` (NULL = none) has no more, files included; all loops have forgotten
 * them. */
void topic_replicas_remove(struct cluster *cluster, const struct image_topic *before,
                           const struct image_topic *after);

/* --- image_cache.c --- */

/* Blocking, at start. ERR_NOT_FOUND: there is none. ERR_CORRUPT, ERR_UNSUPPORTED. */
enum err image_cache_load(struct cluster *cluster, struct error *error) WARN_UNUSED;
/* The image of loop 0 has moved on. is_urgent: write now, not in a while. */
void image_cache_touch(struct cluster *cluster, bool is_urgent);
bool image_cache_is_idle(const struct cluster *cluster);

/* --- cluster_request.c --- */

/* All loops show applied_version: ends the requests that waited for it; on stop all of them. */
void cluster_requests_advance(struct cluster *cluster);

#endif
