/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet's rows as provision reads and writes them (migrations/fleet): what is desired in, what was
 * observed out. db: a connection to the fleet database as millrace_provision.
 *
 * Every write repeats the state it started from, and the epoch of the writer's lease, in its WHERE: when serve has
 * changed its mind meanwhile, or another replica holds the lease, nothing is written. Then *ret_is_written is
 * false, and the caller looks again; where there is no such result, the code is ERR_FENCED. */
#ifndef CONTROLPLANE_STORE_PROVISION_ROWS_H
#define CONTROLPLANE_STORE_PROVISION_ROWS_H

#include "controlplane/store/db.h"
#include "controlplane/store/leases.h"

#define PROVISION_MAX_BROKERS 3
#define PROVISION_CHANNEL_DESIRED "fleet_desired"
#define PROVISION_CHANNEL_OBSERVED "fleet_observed"

/* ---- cells ---- */

struct provision_ports {
    int64_t sasl_ssl; /* 0 = not given yet */
    int64_t metrics;
};

struct provision_cell {
    bool is_found;
    bool is_wanted;  /* else it is to go */
    bool is_removed; /* it is gone */
    bool is_shared;
    int64_t broker_count;
    int64_t cell_no; /* 0 = not made yet */
    char role_name[64];
    struct provision_ports ports[PROVISION_MAX_BROKERS];
};

enum err provision_read_cell(struct db *db, struct uuid cell_id, struct provision_cell *ret_cell,
                             struct error *error) WARN_UNUSED;

enum provision_purpose {
    PURPOSE_SASL_SSL,
    PURPOSE_METRICS,
    PURPOSE_PLAINTEXT,
    PURPOSE_SASL_PLAINTEXT
};
enum provision_gift { GIFT_REFUSED, GIFT_NEW, GIFT_KEPT }; /* somebody else has it; now; already */
/* Gives a port to a broker for life, under the lease of the cell, or of the instance for the two purposes without TLS.
 * ERR_FENCED. */
struct provision_port_wish {
    struct uuid cell_id;
    struct uuid instance_id; /* of the two purposes without TLS, else zero */
    int64_t broker_id;
    enum provision_purpose purpose;
    int64_t port;
    int64_t epoch;
};
enum err provision_give_port(struct db *db, const struct provision_port_wish *wish,
                             enum provision_gift *ret_gift, struct error *error) WARN_UNUSED;
enum err provision_release_instance_ports(struct db *db, struct uuid instance, int64_t epoch,
                                          struct error *error) WARN_UNUSED;

enum err provision_set_cell_made(struct db *db, struct uuid cell_id, int64_t epoch, int64_t cell_no,
                                 const char *role_name, struct error *error) WARN_UNUSED;
/* Under the lease of the instance that owned it. */
enum err provision_set_cell_unwanted(struct db *db, struct uuid cell_id, struct uuid instance_id,
                                     int64_t epoch, struct error *error) WARN_UNUSED;
/* Releases its ports, too. */
enum err provision_set_cell_removed(struct db *db, struct uuid cell_id, int64_t epoch,
                                    struct error *error) WARN_UNUSED;

/* ---- instances ---- */

enum provision_phase {
    PROVISION_CREATE,
    PROVISION_UPDATE,
    PROVISION_SUSPEND, /* or the end of it */
    PROVISION_DELETE,
    PROVISION_SETTLED
};

struct provision_instance {
    enum provision_phase phase; /* PROVISION_SETTLED: nothing to do, or no such row */
    bool is_shared;
    int64_t revision;
    int64_t age_ms;         /* of the running operation */
    int64_t plaintext_port; /* 0 = none */
    struct uuid cell_id;    /* zero = not placed yet */
    char label[64];
    const char *tenant; /* JSON for cells_put_tenant; in the arena */
};

enum err provision_read_instance(struct db *db, struct uuid instance_id, struct arena *arena,
                                 struct provision_instance *ret_instance,
                                 struct error *error) WARN_UNUSED;

/* Chooses a cell for a new instance and writes it down: a shared one that has room, else a new one under
 * new_cell_id with broker_count brokers. */
struct provision_placement {
    struct uuid instance_id;
    struct uuid new_cell_id;
    int64_t epoch;
    bool is_shared;
    int64_t broker_count;
    int64_t instances_per_cell;
};
enum err provision_place_instance(struct db *db, const struct provision_placement *placement,
                                  struct error *error) WARN_UNUSED;

/* endpoints: JSON. */
enum err provision_set_instance_ready(struct db *db, struct uuid instance_id, int64_t epoch,
                                      int64_t revision, int64_t instance_no, const char *endpoints,
                                      bool *ret_is_written, struct error *error) WARN_UNUSED;
/* A create becomes `failed`, an update goes back to `ready` with a failed operation. */
enum err provision_set_instance_failed(struct db *db, struct uuid instance_id, int64_t epoch,
                                       int64_t revision, const char *reason_code,
                                       const char *description, bool *ret_is_written,
                                       struct error *error) WARN_UNUSED;
/* With all its credentials, which lose their verifiers. */
enum err provision_set_instance_removed(struct db *db, struct uuid instance_id, int64_t epoch,
                                        bool *ret_is_written, struct error *error) WARN_UNUSED;

/* Opens the deletion of what was retired and is past its time. */
enum err provision_reclaim_due(struct db *db, struct error *error) WARN_UNUSED;

/* ---- credentials ---- */

struct provision_credential {
    enum provision_phase phase; /* PROVISION_CREATE, PROVISION_DELETE or PROVISION_SETTLED */
    int64_t revision;
    bool has_cell;  /* the instance is published to a cell that is there */
    bool is_orphan; /* the instance is being removed, or was */
    struct uuid cell_id;
    char key_id[32];
    const char *credential; /* JSON for cells_put_credential; in the arena */
};

enum err provision_read_credential(struct db *db, struct uuid credential_id, struct arena *arena,
                                   struct provision_credential *ret_credential,
                                   struct error *error) WARN_UNUSED;
enum err provision_set_credential_active(struct db *db, struct uuid credential_id, int64_t epoch,
                                         int64_t revision, bool *ret_is_written,
                                         struct error *error) WARN_UNUSED;
enum err provision_set_credential_removed(struct db *db, struct uuid credential_id, int64_t epoch,
                                          bool *ret_is_written, struct error *error) WARN_UNUSED;

#endif
