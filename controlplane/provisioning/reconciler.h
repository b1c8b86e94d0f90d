/* SPDX-License-Identifier: Apache-2.0 */
/* Makes what is observed equal to what is desired: one step at a time, each safe to repeat after a crash at any
 * point, and by another replica: see "Replicas, leases, fences" in controlplane/README.md.
 *
 *   instance    placed in a cell ──▶ published to it ──▶ acknowledged ──▶ ready
 *               unpublished ──▶ acknowledged ──▶ (its own cell removed) ──▶ removed
 *   credential  published ──▶ acknowledged ──▶ active; unpublished ──▶ acknowledged ──▶ removed
 *   cell        ports ──▶ role ──▶ files ──▶ listener ──▶ supervisor; kept running
 *               stopped ──▶ files removed ──▶ role and rows removed
 *
 * Intent is written down before it is acted on; the result after. Acknowledged = by every broker that holds
 * a lease; making something waits until there is at least one, taking something away does not. */
#ifndef CONTROLPLANE_PROVISIONING_RECONCILER_H
#define CONTROLPLANE_PROVISIONING_RECONCILER_H

#include "common/base/arena.h"
#include "controlplane/provisioning/fleet_ca.h"
#include "controlplane/provisioning/ports.h"
#include "controlplane/provisioning/provision_config.h"
#include "controlplane/provisioning/provision_metrics.h"
#include "controlplane/provisioning/work_queue.h"
#include "controlplane/store/cells.h"
#include "controlplane/store/db.h"

#define RECONCILER_MAX_WORKERS 16
#define RECONCILER_OWNER_ROOM 48

struct reconciler_worker {
    struct db *fleet; /* opened at first use */
    struct db *cells;
};

struct reconciler {
    const struct provision_config *config;
    const struct fleet_ca *ca;
    struct port_range ports;
    struct db_config fleet;
    struct db_config cells;
    struct work_queue *queue;
    struct provision_counters *counters; /* borrowed */
    char owner[RECONCILER_OWNER_ROOM];   /* this replica, in leases */
    struct reconciler_worker workers[RECONCILER_MAX_WORKERS];
};

/* Starts the workers. config, ca and counters are borrowed until reconciler_stop. */
enum err reconciler_start(struct reconciler *reconciler, const struct provision_config *config,
                          const struct fleet_ca *ca, struct provision_counters *counters,
                          struct error *error) WARN_UNUSED;
/* Lets running steps end. Leases stay: lease_release_all. Safe on a zeroed reconciler. */
void reconciler_stop(struct reconciler *reconciler);

/* ---- between the files of the reconciler ---- */

/* One step of one item. */
struct step {
    struct reconciler *reconciler;
    const struct provision_config *config;
    struct db *fleet;
    struct db *cells;
    struct arena *arena;
    struct work_item *item;
};

/* Each sets *ret_delay_ms: until the next step, or WORK_DONE_MS. */
enum err reconcile_cell(struct step *step, int64_t *ret_delay_ms, struct error *error) WARN_UNUSED;
enum err reconcile_instance(struct step *step, int64_t *ret_delay_ms,
                            struct error *error) WARN_UNUSED;
enum err reconcile_credential(struct step *step, int64_t *ret_delay_ms,
                              struct error *error) WARN_UNUSED;

/* Claims the item, or renews its lease. *ret_is_held false: another replica works on it, or there is nothing to do. */
enum err step_hold(struct step *step, bool *ret_is_held, struct error *error) WARN_UNUSED;
/* Just before a side effect: looks at the fence and records which step begins. ERR_FENCED: leave it alone. */
enum err step_enter(struct step *step, const char *name, struct error *error) WARN_UNUSED;
/* After the write that settles the item: told to serve and done; or, when it found no row, looked at again, the lease
 * first. */
void step_end_write(struct step *step, bool is_written, int64_t *ret_delay_ms);

/* How long to wait before looking again: milliseconds at first, longer the longer it takes. */
int64_t step_wait_ms(struct step *step);
/* Since the present wait began. */
int64_t step_waited_ms(const struct step *step);
/* Has everybody who matters acknowledged item->published_version? needs_one: by at least one broker. */
enum err step_is_acknowledged(struct step *step, struct uuid cell_id, bool needs_one,
                              bool *ret_is_acknowledged, struct error *error) WARN_UNUSED;

#endif
