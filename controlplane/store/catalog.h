/* SPDX-License-Identifier: Apache-2.0 */
/* Who there is and what is sold: accounts, resource groups, account keys, token-signing keys, plans, the audit trail. */
#ifndef CONTROLPLANE_STORE_CATALOG_H
#define CONTROLPLANE_STORE_CATALOG_H

#include "controlplane/store/db.h"
#include "controlplane/store/rows.h"

/* ---- accounts ---- */

/* What a bootstrap makes; all idempotent: an existing row stays as it is. */
enum err store_ensure_account(struct db *db, const char *account_id, const char *name,
                              struct error *error) WARN_UNUSED;
enum err store_ensure_resource_group(struct db *db, const char *resource_group_id,
                                     const char *account_id, const char *name,
                                     struct error *error) WARN_UNUSED;
/* Same key id: same verifier, or ERR_EXISTS. */
enum err store_ensure_account_key(struct db *db, const struct account_key_row *key,
                                  const char *created_by, struct error *error) WARN_UNUSED;
/* The oldest account and its default group; ERR_NOT_FOUND before the first bootstrap. */
enum err store_load_first_account(struct db *db, struct arena *arena, const char **ret_account_id,
                                  const char **ret_resource_group_id,
                                  struct error *error) WARN_UNUSED;
enum err store_has_resource_group(struct db *db, const char *account_id,
                                  const char *resource_group_id, bool *ret_has,
                                  struct error *error) WARN_UNUSED;

/* ERR_NOT_FOUND. */
enum err store_load_account_key(struct db *db, const char *key_id, struct arena *arena,
                                struct account_key_row *ret_row, struct error *error) WARN_UNUSED;
enum err store_load_account_key_of(struct db *db, const char *iam_id, struct arena *arena,
                                   struct account_key_row *ret_row,
                                   struct error *error) WARN_UNUSED;

/* ---- signing keys ---- */

/* ERR_EXISTS: another replica was first; load again. */
enum err store_insert_signing_key(struct db *db, const struct signing_key_row *key,
                                  struct error *error) WARN_UNUSED;
/* Newest first; at most max. */
enum err store_list_signing_keys(struct db *db, struct arena *arena, struct signing_key_row *rows,
                                 int max, int *ret_count, struct error *error) WARN_UNUSED;

/* ---- plans ---- */

enum err store_load_plan(struct db *db, const char *plan_id, struct arena *arena,
                         struct plan_row *ret_row, struct error *error) WARN_UNUSED;
/* Offered ones, by name; at most max. */
enum err store_list_plans(struct db *db, struct arena *arena, struct plan_row *rows, int max,
                          int *ret_count, struct error *error) WARN_UNUSED;

/* ---- audit ---- */

struct audit_event {
    const char *account_id, *actor, *source_address;
    const char *action; /* "messagehub.instance.create" */
    const char *target; /* CRN */
    bool is_success;
    const char *reason; /* "" when it succeeded */
    const char *request_id;
};

/* In the transaction of what it tells about. */
enum err store_insert_audit(struct db *db, const struct audit_event *event,
                            struct error *error) WARN_UNUSED;
/* A round trip: can the store be reached, and is it migrated? */
enum err store_ping(struct db *db, struct error *error) WARN_UNUSED;

#endif
