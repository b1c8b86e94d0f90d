/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's cluster on the simulated executor, disk and store, which outlive it. */
#ifndef TESTS_UNIT_DATAPLANE_CLUSTER_CLUSTER_RIG_H
#define TESTS_UNIT_DATAPLANE_CLUSTER_CLUSTER_RIG_H

#include "dataplane/cluster/cluster.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_executor.h"
#include "tests/simulation/sim_meta_store.h"

#define TENANT_1 "11111111-2222-4333-8444-555555555555"
#define TENANT_2 "21111111-2222-4333-8444-555555555555"
#define KEY_ID "0123456789abcdef"
#define SECOND_US 1000000
#define LOOPS 3

struct cluster_rig {
    struct sim_cell *cell;
    struct disk *disk;
    struct sim_trace trace;
    /* one start of the broker */
    struct sim_executor *sim;
    struct sim_meta_store *store;
    struct cluster *cluster;
    int64_t incarnation;
    int64_t listeners_asked; /* the version */
    bool are_listeners_slow; /* they are not opened by themselves */
};

extern struct cluster_rig rig;

/* The fixture: a store with two tenants, a credential and a listener; no broker. */
void cluster_rig_begin(void);
void cluster_rig_end(void);

/* The broker has what lies on the disk and is not launched; answers of the store come in parts, 0 = whole. */
void cluster_rig_make_with_part(size_t part);
void cluster_rig_launch(void);
/* Made whole, launched, a second ago. */
void cluster_rig_start(void);
void cluster_rig_stop(void);
/* It ends without a word. */
void cluster_rig_drop(void);
struct image *cluster_rig_image_of(int loop);

/* The store. */
void cluster_rig_set_reachable(bool is_reachable);
void cluster_rig_put_tenant(const char *instance, int instance_no, const char *state,
                            int retention_limit);
void cluster_rig_put_listener(int port);

/* A request, sent from loop `home`. */
struct sent {
    struct cluster_request request;
    struct topic_request topic;
    struct topic_override override;
    const struct topic_setting *removed;
    bool is_done;
    bool was_shown; /* when done was called: did all loops show the version */
};

void cluster_rig_send(struct sent *sent, int home);
/* Waits for its answer. */
void cluster_rig_finish(struct sent *sent);
void cluster_rig_create_topic(struct sent *sent, const char *name, int partitions, int home);

#endif
