/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's side of the cells contract (migrations/README.md): cell_admin.*, one function each.
 * Every call is idempotent and may be repeated after a crash at any point. db: a connection to the cells
 * database as millrace_provision. Errors are those of db.h. */
#ifndef CONTROLPLANE_STORE_CELLS_H
#define CONTROLPLANE_STORE_CELLS_H

#include "controlplane/store/db.h"

#define CELL_ROLE_ROOM 64

struct cell_identity {
    int32_t cell_no;
    char role_name[CELL_ROLE_ROOM];
};

/* What a publisher of version v sees. */
struct cell_acknowledgement {
    int32_t brokers_with_lease;
    int32_t brokers_acknowledged; /* of those */
};

enum err cells_create(struct db *db, struct uuid cell_id, const char *kind, int64_t broker_count,
                      struct slice role_password, struct cell_identity *ret_identity,
                      struct error *error) WARN_UNUSED;
enum err cells_drop(struct db *db, struct uuid cell_id, struct error *error) WARN_UNUSED;

struct cell_listener {
    int64_t broker_id;
    const char *name;
    const char *host;
    int64_t port;
    const char *security;
    int64_t instance_no; /* 0 = any */
    int64_t auto_create_partitions;
};
enum err cells_put_listener(struct db *db, struct uuid cell_id,
                            const struct cell_listener *listener, int64_t *ret_version,
                            struct error *error) WARN_UNUSED;

/* tenant, credential: JSON as in the contract. */
enum err cells_put_tenant(struct db *db, struct uuid cell_id, int64_t revision, const char *tenant,
                          int64_t *ret_instance_no, int64_t *ret_version,
                          struct error *error) WARN_UNUSED;
enum err cells_remove_tenant(struct db *db, struct uuid cell_id, struct uuid instance,
                             int64_t *ret_version, struct error *error) WARN_UNUSED;
enum err cells_put_credential(struct db *db, struct uuid cell_id, int64_t revision,
                              const char *credential, int64_t *ret_version,
                              struct error *error) WARN_UNUSED;
enum err cells_remove_credential(struct db *db, struct uuid cell_id, const char *key_id,
                                 int64_t *ret_version, struct error *error) WARN_UNUSED;

enum err cells_read_acknowledgement(struct db *db, struct uuid cell_id, int64_t version,
                                    struct cell_acknowledgement *ret,
                                    struct error *error) WARN_UNUSED;
/* After the commit of a change, in a transaction of its own. */
enum err cells_notify(struct db *db, struct uuid cell_id, struct error *error) WARN_UNUSED;

#endif
