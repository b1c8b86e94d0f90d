/* SPDX-License-Identifier: Apache-2.0 */
/* Instances and what was asked of them, as serve writes them. Every query is bound to one account. */
#ifndef CONTROLPLANE_STORE_INSTANCES_H
#define CONTROLPLANE_STORE_INSTANCES_H

#include "controlplane/store/db.h"
#include "controlplane/store/rows.h"

struct new_instance {
    struct uuid instance_id;
    const char *account_id, *resource_group_id, *plan_id, *name, *label, *crn, *region_id,
        *target_crn;
    bool is_dedicated;
    const char *limits;         /* JSON */
    const char *topic_settings; /* JSON or NULL */
    int64_t internal_partitions;
    bool internal_visible;
    int64_t plaintext_port; /* 0 = none */
    const char *parameters; /* JSON */
    bool is_onetime, allow_cleanup, is_locked;
    const char *created_by;
};

enum err store_insert_instance(struct db *db, const struct new_instance *instance,
                               struct error *error) WARN_UNUSED;

/* ERR_NOT_FOUND when the account has none of that id. The second holds the row until the transaction ends. */
enum err store_load_instance(struct db *db, const char *account_id, struct uuid instance_id,
                             struct arena *arena, struct instance_row *ret_row,
                             struct error *error) WARN_UNUSED;
enum err store_lock_instance(struct db *db, const char *account_id, struct uuid instance_id,
                             struct arena *arena, struct instance_row *ret_row,
                             struct error *error) WARN_UNUSED;

/* Every field but account_id may be absent: NULL, zero. */
struct instance_filter {
    const char *account_id;
    struct uuid instance_id;
    const char *name, *resource_group_id, *resource_id, *plan_id, *updated_from, *updated_to;
    const char *phases; /* between commas */
    int64_t after;      /* created_seq */
    int64_t limit;
};

/* Rows in the order of creation. */
enum err store_list_instances(struct db *db, const struct instance_filter *filter,
                              struct arena *arena, struct instance_row **ret_rows, int *ret_count,
                              struct error *error) WARN_UNUSED;

/* The whole desired half of a row: callers load, change, write back under the row's lock. Another plan gets its entry
 * in the plan history. */
struct instance_change {
    const char *account_id;
    struct uuid instance_id;
    const char *name, *plan_id;
    const char *limits;         /* JSON */
    const char *topic_settings; /* JSON or NULL */
    int64_t internal_partitions;
    bool internal_visible;
    const char *parameters; /* JSON */
    bool is_onetime, allow_cleanup;
    const char *phase;
    bool is_published; /* brokers must hear of it: the revision grows */
    const char *updated_by;
};

enum err store_update_instance(struct db *db, const struct instance_change *change,
                               struct error *error) WARN_UNUSED;
/* phase becomes deleting, the revision grows. */
enum err store_delete_instance(struct db *db, const char *account_id, struct uuid instance_id,
                               const char *deleted_by, struct error *error) WARN_UNUSED;

/* phase becomes retiring, the revision grows; it may be reclaimed when its plan's hours are over. */
enum err store_retire_instance(struct db *db, const char *account_id, struct uuid instance_id,
                               const char *retired_by, struct error *error) WARN_UNUSED;
/* phase becomes restoring, the revision grows. */
enum err store_restore_instance(struct db *db, const char *account_id, struct uuid instance_id,
                                const char *restored_by, struct error *error) WARN_UNUSED;
enum err store_lock_flag(struct db *db, const char *account_id, struct uuid instance_id,
                         bool is_locked, const char *updated_by, struct error *error) WARN_UNUSED;

struct new_operation {
    const char *account_id;
    struct uuid instance_id;
    const char *type, *state, *description, *request_id, *created_by;
    bool is_async;
};

/* Closes a running one first, as failed and superseded. */
enum err store_insert_operation(struct db *db, const struct new_operation *operation,
                                struct error *error) WARN_UNUSED;
/* The caller of a synchronous plan is told to poll after all. */
enum err store_mark_operation_async(struct db *db, const char *account_id, struct uuid instance_id,
                                    struct error *error) WARN_UNUSED;

#endif
