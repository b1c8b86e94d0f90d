/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/catalog.h"

#include "controlplane/store/columns.h"

#define ACCOUNT_KEY_COLUMNS                                                                        \
    "SELECT key_id, account_id, name, iam_id, role, verifier, disabled_at IS NOT NULL "            \
    "FROM fleet.account_key "

#define PLAN_COLUMNS                                                                               \
    "SELECT plan_id, name, resource_id, sharing = 'dedicated', is_offered, internal_partitions, "  \
    "internal_visible, limits, topic_settings, parameters, array_to_string(upgrades_to, ',') "     \
    "FROM fleet.plan "

static const struct db_statement insert_account = {
    "INSERT INTO fleet.account (account_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING"};

static const struct db_statement insert_resource_group = {
    "INSERT INTO fleet.resource_group (resource_group_id, account_id, name, is_default) "
    "VALUES ($1, $2, $3, true) ON CONFLICT DO NOTHING"};

static const struct db_statement insert_account_key = {
    "INSERT INTO fleet.account_key (key_id, account_id, name, iam_id, role, verifier, created_by) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key_id) DO UPDATE SET key_id = "
    "excluded.key_id "
    "WHERE account_key.verifier = excluded.verifier RETURNING key_id"};

static const struct db_statement select_first_account = {
    "SELECT account_id, resource_group_id FROM fleet.account a JOIN fleet.resource_group g "
    "USING (account_id) ORDER BY a.created_at, g.is_default DESC, g.created_at LIMIT 1"};

static const struct db_statement has_resource_group = {
    "SELECT EXISTS (SELECT FROM fleet.resource_group WHERE account_id = $1 "
    "AND resource_group_id = $2)"};

static const struct db_statement select_account_key = {ACCOUNT_KEY_COLUMNS "WHERE key_id = $1"};
static const struct db_statement select_account_key_of = {ACCOUNT_KEY_COLUMNS "WHERE iam_id = $1"};

static const struct db_statement insert_signing_key = {
    "INSERT INTO fleet.signing_key (kid, modulus, exponent, sealed_private) "
    "VALUES ($1, $2, $3, $4)"};

static const struct db_statement list_signing_keys = {
    "SELECT kid, modulus, exponent, sealed_private, retired_at IS NOT NULL FROM fleet.signing_key "
    "WHERE retired_at IS NULL OR retired_at > now() - interval '2 hours' "
    "ORDER BY retired_at NULLS FIRST, created_at DESC LIMIT $1"};

static const struct db_statement select_plan = {PLAN_COLUMNS "WHERE plan_id = $1"};
static const struct db_statement list_plans = {PLAN_COLUMNS
                                               "WHERE is_offered ORDER BY name LIMIT $1"};

static const struct db_statement insert_audit = {
    "INSERT INTO fleet.audit_event (account_id, actor, source_address, action, target, outcome, "
    "reason, request_id) VALUES ($1, $2, $3, $4, $5, "
    "CASE WHEN $6::boolean THEN 'success' ELSE 'failure' END, $7, $8)"};

static const struct db_statement ping = {"SELECT count(*) FROM fleet.plan"};

/* ---- accounts ---- */

enum err store_ensure_account(struct db *db, const char *account_id, const char *name,
                              struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, account_id);
    db_param_text(&params, name);
    return db_execute(db, &insert_account, &params, NULL, error);
}

enum err store_ensure_resource_group(struct db *db, const char *resource_group_id,
                                     const char *account_id, const char *name, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, resource_group_id);
    db_param_text(&params, account_id);
    db_param_text(&params, name);
    return db_execute(db, &insert_resource_group, &params, NULL, error);
}

enum err store_ensure_account_key(struct db *db, const struct account_key_row *key,
                                  const char *created_by, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, key->key_id);
    db_param_text(&params, key->account_id);
    db_param_text(&params, key->name);
    db_param_text(&params, key->iam_id);
    db_param_text(&params, key->role);
    db_param_bytes(&params, key->verifier);
    db_param_text(&params, created_by);
    enum err rc = db_query(db, &insert_account_key, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int count = db_result_row_count(result);
    db_result_free(result);
    return count == 1
               ? ERR_OK
               : error_set(error, ERR_EXISTS, "key %s exists with another secret", key->key_id);
}

enum err store_load_first_account(struct db *db, struct arena *arena, const char **ret_account_id,
                                  const char **ret_resource_group_id, struct error *error)
{
    struct db_result *result = NULL;
    enum err rc = db_query(db, &select_first_account, DB_PARAMS_NONE, &result, error);

    if (rc != ERR_OK)
        return rc;
    if (db_result_row_count(result) == 0) {
        rc = error_set(error, ERR_NOT_FOUND, "there is no account; run bootstrap");
    } else {
        struct columns c = columns_of(result, 0, arena);

        *ret_account_id = column_text(&c);
        *ret_resource_group_id = column_text(&c);
        rc = columns_end(&c, error);
    }
    db_result_free(result);
    return rc;
}

enum err store_has_resource_group(struct db *db, const char *account_id,
                                  const char *resource_group_id, bool *ret_has, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, account_id);
    db_param_text(&params, resource_group_id);
    enum err rc = db_query(db, &has_resource_group, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    *ret_has = db_result_bool(result, 0, 0);
    db_result_free(result);
    return ERR_OK;
}

static enum err load_account_key(struct db *db, const struct db_statement *statement,
                                 const char *id, struct arena *arena,
                                 struct account_key_row *ret_row, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, id);
    enum err rc = db_query(db, statement, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    if (db_result_row_count(result) == 0) {
        rc = error_set(error, ERR_NOT_FOUND, "There is no such API key.");
    } else {
        struct columns c = columns_of(result, 0, arena);

        ret_row->key_id = column_text(&c);
        ret_row->account_id = column_text(&c);
        ret_row->name = column_text(&c);
        ret_row->iam_id = column_text(&c);
        ret_row->role = column_text(&c);
        ret_row->verifier = column_bytes(&c);
        ret_row->is_disabled = column_bool(&c);
        rc = columns_end(&c, error);
    }
    db_result_free(result);
    return rc;
}

enum err store_load_account_key(struct db *db, const char *key_id, struct arena *arena,
                                struct account_key_row *ret_row, struct error *error)
{
    return load_account_key(db, &select_account_key, key_id, arena, ret_row, error);
}

enum err store_load_account_key_of(struct db *db, const char *iam_id, struct arena *arena,
                                   struct account_key_row *ret_row, struct error *error)
{
    return load_account_key(db, &select_account_key_of, iam_id, arena, ret_row, error);
}

/* ---- signing keys ---- */

enum err store_insert_signing_key(struct db *db, const struct signing_key_row *key,
                                  struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, key->kid);
    db_param_text(&params, key->modulus);
    db_param_text(&params, key->exponent);
    db_param_bytes(&params, key->sealed_private);
    return db_execute(db, &insert_signing_key, &params, NULL, error);
}

enum err store_list_signing_keys(struct db *db, struct arena *arena, struct signing_key_row *rows,
                                 int max, int *ret_count, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_i64(&params, max);
    enum err rc = db_query(db, &list_signing_keys, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int count = db_result_row_count(result);
    for (int row = 0; rc == ERR_OK && row < count; row++) {
        struct columns c = columns_of(result, row, arena);

        rows[row].kid = column_text(&c);
        rows[row].modulus = column_text(&c);
        rows[row].exponent = column_text(&c);
        rows[row].sealed_private = column_bytes(&c);
        rows[row].is_retired = column_bool(&c);
        rc = columns_end(&c, error);
    }
    db_result_free(result);
    if (rc == ERR_OK)
        *ret_count = count;
    return rc;
}

/* ---- plans ---- */

static enum err read_plan(const struct db_result *result, int row, struct arena *arena,
                          struct plan_row *plan, struct error *error)
{
    struct columns c = columns_of(result, row, arena);

    plan->plan_id = column_text(&c);
    plan->name = column_text(&c);
    plan->resource_id = column_text(&c);
    plan->is_dedicated = column_bool(&c);
    plan->is_offered = column_bool(&c);
    plan->internal_partitions = column_i64(&c);
    plan->internal_visible = column_bool(&c);
    plan->limits = column_text(&c);
    plan->topic_settings = column_text(&c);
    plan->parameters = column_text(&c);
    plan->upgrades_to = column_text(&c);
    return columns_end(&c, error);
}

enum err store_load_plan(struct db *db, const char *plan_id, struct arena *arena,
                         struct plan_row *ret_row, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, plan_id);
    enum err rc = db_query(db, &select_plan, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    rc = db_result_row_count(result) == 0
             ? error_set(error, ERR_NOT_FOUND, "There is no plan %.100s.", plan_id)
             : read_plan(result, 0, arena, ret_row, error);
    db_result_free(result);
    return rc;
}

enum err store_list_plans(struct db *db, struct arena *arena, struct plan_row *rows, int max,
                          int *ret_count, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_i64(&params, max);
    enum err rc = db_query(db, &list_plans, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int count = db_result_row_count(result);
    for (int row = 0; rc == ERR_OK && row < count; row++)
        rc = read_plan(result, row, arena, &rows[row], error);
    db_result_free(result);
    if (rc == ERR_OK)
        *ret_count = count;
    return rc;
}

/* ---- audit ---- */

enum err store_insert_audit(struct db *db, const struct audit_event *event, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, event->account_id);
    db_param_text(&params, event->actor);
    db_param_text(&params, event->source_address);
    db_param_text(&params, event->action);
    db_param_text(&params, event->target);
    db_param_bool(&params, event->is_success);
    db_param_text(&params, event->reason);
    db_param_text(&params, event->request_id);
    return db_execute(db, &insert_audit, &params, NULL, error);
}

enum err store_ping(struct db *db, struct error *error)
{
    return db_execute(db, &ping, DB_PARAMS_NONE, NULL, error);
}
