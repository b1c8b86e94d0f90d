/* SPDX-License-Identifier: Apache-2.0 */
/* Service credentials, as serve writes them: verifiers, and the sealed key when it may be shown again. */
#ifndef CONTROLPLANE_STORE_CREDENTIALS_H
#define CONTROLPLANE_STORE_CREDENTIALS_H

#include "controlplane/store/db.h"
#include "controlplane/store/rows.h"

struct new_credential {
    struct uuid credential_id, instance_id;
    const char *account_id, *crn, *name, *role, *key_id;
    struct slice verifier;
    const char *scram_sha_256, *scram_sha_512; /* JSON, as in migrations/README.md */
    struct slice sealed_key;                   /* null slice: shown once */
    bool is_onetime;
    const char *parameters; /* JSON */
    const char *created_by;
};

enum err store_insert_credential(struct db *db, const struct new_credential *credential,
                                 struct error *error) WARN_UNUSED;
/* ERR_NOT_FOUND. The second holds the row until the transaction ends. */
enum err store_load_credential(struct db *db, const char *account_id, struct uuid credential_id,
                               struct arena *arena, struct credential_row *ret_row,
                               struct error *error) WARN_UNUSED;
enum err store_lock_credential(struct db *db, const char *account_id, struct uuid credential_id,
                               struct arena *arena, struct credential_row *ret_row,
                               struct error *error) WARN_UNUSED;

/* Removed and failed ones are not listed. Every field but account_id and limit may be absent. */
struct credential_filter {
    const char *account_id;
    struct uuid credential_id, instance_id;
    const char *name, *resource_group_id, *resource_id, *updated_from, *updated_to;
    int64_t after; /* created_seq */
    int64_t limit;
};

enum err store_list_credentials(struct db *db, const struct credential_filter *filter,
                                struct arena *arena, struct credential_row **ret_rows,
                                int *ret_count, struct error *error) WARN_UNUSED;
enum err store_rename_credential(struct db *db, const char *account_id, struct uuid credential_id,
                                 const char *name, const char *updated_by,
                                 struct error *error) WARN_UNUSED;
/* creating, active → deleting. */
enum err store_delete_credential(struct db *db, const char *account_id, struct uuid credential_id,
                                 const char *deleted_by, struct error *error) WARN_UNUSED;
/* All of an instance; ret_count: how many were not yet going. */
enum err store_delete_credentials_of(struct db *db, const char *account_id, struct uuid instance_id,
                                     const char *deleted_by, int64_t *ret_count,
                                     struct error *error) WARN_UNUSED;
/* Those that are neither removed nor going. */
enum err store_count_credentials_of(struct db *db, const char *account_id, struct uuid instance_id,
                                    int64_t *ret_count, struct error *error) WARN_UNUSED;

#endif
