/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/leases.h"

#define KIND_COUNT 3

/* A claim looks at one row, and passes over one that somebody writes at this moment: whoever that is tells us again. */
#define CLAIM(table, key, condition)                                                               \
    "UPDATE " table " SET lease_owner = $2, lease_epoch = lease_epoch + 1, "                       \
    "lease_until = now() + $3 * interval '1 millisecond' WHERE " key " = (SELECT " key             \
    " FROM " table " WHERE " key " = $1 AND lease_until < now()" condition                         \
    " FOR UPDATE SKIP LOCKED) RETURNING lease_epoch"

#define RENEW(table, key)                                                                          \
    "UPDATE " table " SET lease_until = now() + $3 * interval '1 millisecond' WHERE " key          \
    " = $1 AND lease_epoch = $2 AND $4::text IS NOT NULL"

#define RELEASE(table, key)                                                                        \
    "UPDATE " table " SET lease_until = '-infinity' WHERE " key " = $1 AND lease_epoch = $2"

#define INSTANCE_TO_DO " AND phase IN ('creating', 'updating', 'retiring', 'restoring', 'deleting')"
#define CREDENTIAL_TO_DO " AND state IN ('creating', 'deleting')"

static const struct db_statement claims[KIND_COUNT] = {
    [PROVISION_CELL] = {CLAIM("fleet.cell", "cell_id", "")},
    [PROVISION_INSTANCE] = {"WITH claimed AS (" CLAIM(
        "fleet.instance", "instance_id",
        INSTANCE_TO_DO) ", instance_id), "
                        "told AS (UPDATE fleet.operation o SET attempts = o.attempts + 1, "
                        "lease_owner = $2, lease_epoch = claimed.lease_epoch FROM claimed "
                        "WHERE o.instance_id = claimed.instance_id AND o.state = 'in progress')"
                        " SELECT lease_epoch FROM claimed"},
    [PROVISION_CREDENTIAL] = {CLAIM("fleet.credential", "credential_id", CREDENTIAL_TO_DO)},
};

static const struct db_statement renewals[KIND_COUNT] = {
    [PROVISION_CELL] = {RENEW("fleet.cell", "cell_id")},
    [PROVISION_INSTANCE] = {"WITH held AS (" RENEW(
        "fleet.instance",
        "instance_id") " RETURNING instance_id, lease_epoch, lease_owner), "
                       "told AS (UPDATE fleet.operation o SET step = $4, lease_owner = "
                       "held.lease_owner, lease_epoch = held.lease_epoch FROM held WHERE "
                       "$4 <> '' AND o.instance_id = held.instance_id AND o.state = "
                       "'in progress' AND (o.step, o.lease_epoch) IS DISTINCT FROM "
                       "($4, held.lease_epoch)) SELECT 1 FROM held"},
    [PROVISION_CREDENTIAL] = {RENEW("fleet.credential", "credential_id")},
};

static const struct db_statement releases[KIND_COUNT] = {
    [PROVISION_CELL] = {RELEASE("fleet.cell", "cell_id")},
    [PROVISION_INSTANCE] = {RELEASE("fleet.instance", "instance_id")},
    [PROVISION_CREDENTIAL] = {RELEASE("fleet.credential", "credential_id")},
};

#define RELEASE_ALL(table)                                                                         \
    "UPDATE " table " SET lease_until = '-infinity' WHERE lease_owner = $1 AND lease_until > "     \
    "now()"

static const struct db_statement release_all = {
    "WITH cells AS (" RELEASE_ALL("fleet.cell") "), instances AS (" RELEASE_ALL(
        "fleet.instance") ") " RELEASE_ALL("fleet.credential")};

static const struct db_statement list_work = {
    "SELECT 0, cell_id FROM fleet.cell WHERE removed_at IS NULL "
    "UNION ALL SELECT 1, instance_id FROM fleet.instance WHERE (lease_until < now() OR lease_owner "
    "= $1)" INSTANCE_TO_DO " UNION ALL SELECT 2, credential_id FROM fleet.credential WHERE "
    "(lease_until < now() OR lease_owner = $1)" CREDENTIAL_TO_DO};

static const struct db_statement record_error = {
    "UPDATE fleet.operation o SET error = left($3, 500) FROM fleet.instance i WHERE i.instance_id "
    "= $1 AND i.lease_epoch = $2 AND o.instance_id = i.instance_id AND o.state = 'in progress'"};

enum err lease_list_work(struct db *db, const char *owner, provision_work_fn each, void *context,
                         struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, owner);
    enum err rc = db_query(db, &list_work, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    for (int row = 0; row < db_result_row_count(result); row++)
        each(context, (enum provision_kind)db_result_i64(result, row, 0),
             db_result_uuid(result, row, 1));
    db_result_free(result);
    return ERR_OK;
}

enum err lease_claim(struct db *db, enum provision_kind kind, struct uuid id, const char *owner,
                     int64_t lease_ms, int64_t *ret_epoch, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_uuid(&params, id);
    db_param_text(&params, owner);
    db_param_i64(&params, lease_ms);
    enum err rc = db_query(db, &claims[kind], &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    *ret_epoch = db_result_row_count(result) > 0 ? db_result_i64(result, 0, 0) : 0;
    db_result_free(result);
    return ERR_OK;
}

/* For statements that find the row of a lease that is still ours. */
static enum err execute_held(struct db *db, const struct db_statement *statement,
                             const struct db_params *params, struct error *error)
{
    int64_t rows = 0;
    enum err rc = db_execute(db, statement, params, &rows, error);

    if (rc != ERR_OK)
        return rc;
    return rows > 0 ? ERR_OK : error_set(error, ERR_FENCED, "another replica has claimed it");
}

enum err lease_enter(struct db *db, enum provision_kind kind, struct uuid id, int64_t epoch,
                     int64_t lease_ms, const char *step, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, id);
    db_param_i64(&params, epoch);
    db_param_i64(&params, lease_ms);
    db_param_text(&params, step);
    return execute_held(db, &renewals[kind], &params, error);
}

enum err lease_release(struct db *db, enum provision_kind kind, struct uuid id, int64_t epoch,
                       struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, id);
    db_param_i64(&params, epoch);
    return execute_held(db, &releases[kind], &params, error);
}

enum err lease_release_all(struct db *db, const char *owner, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, owner);
    return db_execute(db, &release_all, &params, NULL, error);
}

enum err lease_record_error(struct db *db, struct uuid instance_id, int64_t epoch, const char *text,
                            struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, instance_id);
    db_param_i64(&params, epoch);
    db_param_text(&params, text);
    return db_execute(db, &record_error, &params, NULL, error);
}
