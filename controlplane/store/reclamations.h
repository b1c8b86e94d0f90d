/* SPDX-License-Identifier: Apache-2.0 */
/* Instances that were deleted and can still be restored (migrations/fleet/0007_reclamation.sql). Closed ones are history and
 * not seen here. */
#ifndef CONTROLPLANE_STORE_RECLAMATIONS_H
#define CONTROLPLANE_STORE_RECLAMATIONS_H

#include "controlplane/store/db.h"

struct reclamation_row {
    struct uuid reclamation_id, instance_id;
    const char *account_id, *resource_group_id, *resource_id, *instance_crn, *state;
    const char *target_time, *comment, *created_at, *created_by, *updated_at, *updated_by;
};

/* Of an instance that was just retired: for as long as its row says. */
enum err store_insert_reclamation(struct db *db, struct uuid reclamation_id, const char *account_id,
                                  struct uuid instance_id, const char *created_by,
                                  struct error *error) WARN_UNUSED;
/* ERR_NOT_FOUND. */
enum err store_load_reclamation(struct db *db, const char *account_id, struct uuid reclamation_id,
                                struct arena *arena, struct reclamation_row *ret_row,
                                struct error *error) WARN_UNUSED;
/* instance_id zero, resource_group_id NULL: any. At most max, the oldest first. */
enum err store_list_reclamations(struct db *db, const char *account_id, struct uuid instance_id,
                                 const char *resource_group_id, int64_t max, struct arena *arena,
                                 struct reclamation_row **ret_rows, int *ret_count,
                                 struct error *error) WARN_UNUSED;
enum err store_set_reclamation(struct db *db, const char *account_id, struct uuid reclamation_id,
                               const char *state, const char *updated_by, const char *comment,
                               struct error *error) WARN_UNUSED;

#endif
