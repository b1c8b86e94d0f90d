/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps every loop's metadata image at what the cell has agreed on, and asks the store for changes.
 *
 *   meta_store ──changes──▶ loop 0: parse, open replicas ──mail──▶ image of each loop, observers
 *                              │ ◀──────────────applied───────────────┘
 *                              ├─ all loops have version v, listeners are open: acknowledge(v)
 *                              └─ cached image on disk (worker, coalesced), read again at start
 *
 *   handler (any loop) ──cluster_submit──▶ loop 0 ──▶ meta_store ──▶ answer with version v
 *                      ◀─done on home─── all images of this broker show v (read your writes)
 *
 * With the store away the image stands and requests fail at once. Metadata that goes backwards is
 * refused: the image stays as it was until the store has caught up. */
#ifndef DATAPLANE_CLUSTER_CLUSTER_H
#define DATAPLANE_CLUSTER_CLUSTER_H

#include "common/port/disk.h"
#include "common/port/executor.h"
#include "common/port/random.h"
#include "dataplane/cluster/image.h"
#include "dataplane/port/meta_store.h"
#include "dataplane/storage/log_directory.h"

struct cluster;

struct cluster_options {
    struct executor *executor; /* borrowed, like all here */
    struct meta_store *store;
    struct disk *disk; /* root = data directory; holds the cached image, IMAGE_CACHE_NAME */
    struct log_directory *directory; /* where replicas live */
    struct random *random;
    int32_t broker_id;
    /* Loop 0, when the listeners of this broker changed and all loops know them: open and close
     * sockets, then call cluster_listeners_opened(version), even if one could not be opened. NULL = nobody listens. */
    void (*open_listeners)(void *context, int64_t version);
    void *context;
};

#define IMAGE_CACHE_NAME "image"

/* Before the loops run: makes the images and fills them from the cached image, when there is one.
 * Blocking. ERR_NO_MEMORY, ERR_IO. A cached image that cannot be read is set aside with a warning:
 * the store has everything. */
enum err cluster_new(const struct cluster_options *options, struct cluster **ret_cluster,
                     struct error *error) WARN_UNUSED;
/* Loop 0: opens the listeners of the cached image and starts the store. */
void cluster_start(struct cluster *cluster);
/* Loop 0: stops the store (open requests end with ERR_CANCELLED) and waits for the cached image to
 * be on disk; then done, on loop 0. */
void cluster_stop(struct cluster *cluster, void (*done)(void *context), void *context);
/* After the loops have ended, or never ran. */
void cluster_free(struct cluster *cluster);

void cluster_listeners_opened(struct cluster *cluster, int64_t version); /* loop 0 */

/* The image of a loop, to be used on that loop only. */
struct image *cluster_image(const struct cluster *cluster, const struct loop *loop);
int32_t cluster_broker_id(const struct cluster *cluster);
bool cluster_is_store_reachable(const struct cluster *cluster); /* any thread */

/* --- changes asked for by handlers --- */

enum topic_result {
    TOPIC_NOT_ANSWERED, /* the request as a whole failed: see err */
    TOPIC_OK,
    TOPIC_EXISTS,
    TOPIC_NOT_FOUND,
    TOPIC_OVER_LIMIT,   /* of partitions; current and maximum say how far */
    TOPIC_OVER_STORAGE, /* what it would reserve; the same, in bytes */
    TOPIC_CONFLICT,     /* changed meanwhile; partitions: expected count differs */
    TOPIC_DENIED        /* instance unknown to the cell, or suspended */
};

struct partition_assignment {
    int32_t replica_count;
    int32_t replicas[IMAGE_MAX_REPLICAS]; /* the first one leads */
};

/* One topic of a request. Which fields count depends on the kind of the request. */
struct topic_request {
    struct uuid topic_id;       /* create: zero = a new random one, written back */
    struct slice name;          /* create; checked by the caller (topic_name_check) */
    bool is_internal;           /* create */
    int32_t current_partitions; /* create_partitions: what the caller saw; create: 0 */
    int32_t add_partitions;     /* create, create_partitions: how many */
    int32_t replication_factor; /* create, create_partitions: -1 = as large as can be, up to 3 */
    /* create, create_partitions: add_partitions of them; NULL = chosen (partition_placement) */
    const struct partition_assignment *assignments;
    const struct topic_override
        *set; /* create, alter: settings and values, checked by the caller */
    size_t set_count;
    const struct topic_setting *const *remove; /* alter: back to the default */
    size_t remove_count;
    /* out */
    enum topic_result result;
    int64_t current, maximum; /* with TOPIC_OVER_… */
};

/* Embedded in the handler's request; topics and all they point to are borrowed until done. */
struct cluster_request {
    enum meta_request_kind kind;
    int32_t instance_no;
    struct topic_request *topics;
    size_t topic_count;
    int64_t deadline_us; /* home's monotonic clock */
    struct loop *home;
    /* On home, once, never before cluster_submit returns, and soon after the deadline at the latest
     * (the store itself answers or fails within two seconds). err:
     *   ERR_OK           every topic has a result, and all loops of this broker show it
     *   ERR_UNAVAILABLE  the store cannot be reached, or its answer was lost: nothing is known
     *   ERR_TIMEOUT      done, results are set, but not shown by all loops at the deadline
     *   ERR_CANCELLED    the broker stops
     *   ERR_INVALID      text that is no UTF-8; ERR_INTERNAL, ERR_NO_MEMORY */
    void (*done)(struct cluster_request *request);
    enum err err;
    int64_t version; /* that shows the change; 0 = none */
    /* private */
    struct cluster *cluster;
    struct mail mail;
    struct meta_request store_request;
    char *body;
    struct timer deadline;
    struct list link;
};

/* Any loop (home). */
void cluster_submit(struct cluster *cluster, struct cluster_request *request);

#endif
