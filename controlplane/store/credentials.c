/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/credentials.h"

#include "controlplane/store/columns.h"

#define CREDENTIAL_COLUMNS                                                                         \
    "SELECT c.credential_id, c.created_seq, c.instance_id, c.account_id, i.resource_group_id, "    \
    "p.resource_id, i.region_id, c.crn, i.crn, c.name, c.role, c.key_id, c.state, c.sealed_key, "  \
    "c.onetime, i.endpoints, " TIME_TEXT("c.created_at") ", c.created_by, " TIME_TEXT(             \
        "c.updated_at") ", c.updated_by, " TIME_TEXT("c.deleted_at") ", c.deleted_by "             \
                                                                     "FROM fleet.credential c "    \
                                                                     "JOIN fleet.instance i ON "   \
                                                                     "i.instance_id = "            \
                                                                     "c.instance_id "              \
                                                                     "JOIN fleet.plan p ON "       \
                                                                     "p.plan_id = i.plan_id "

static const struct db_statement insert_credential = {
    "INSERT INTO fleet.credential (credential_id, instance_id, account_id, crn, name, role, "
    "key_id, "
    "verifier, scram_sha_256, scram_sha_512, sealed_key, onetime, parameters, created_by) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"};

static const struct db_statement select_credential = {
    CREDENTIAL_COLUMNS "WHERE c.account_id = $1 AND c.credential_id = $2"};

static const struct db_statement select_credential_for_update = {
    CREDENTIAL_COLUMNS "WHERE c.account_id = $1 AND c.credential_id = $2 FOR UPDATE OF c"};

static const struct db_statement list_credentials = {
    CREDENTIAL_COLUMNS
    "WHERE c.account_id = $1 AND c.created_seq > $2 AND c.state IN ('creating', 'active', "
    "'deleting') "
    "AND ($3::uuid IS NULL OR c.credential_id = $3) AND ($4::uuid IS NULL OR c.instance_id = $4) "
    "AND ($5::text IS NULL OR c.name = $5) AND ($6::text IS NULL OR i.resource_group_id = $6) "
    "AND ($7::text IS NULL OR p.resource_id = $7) "
    "AND ($8::timestamptz IS NULL OR coalesce(c.updated_at, c.created_at) >= $8) "
    "AND ($9::timestamptz IS NULL OR coalesce(c.updated_at, c.created_at) <= $9) "
    "ORDER BY c.created_seq LIMIT $10"};

static const struct db_statement rename_credential = {
    "UPDATE fleet.credential SET name = $3, updated_at = now(), updated_by = $4 "
    "WHERE account_id = $1 AND credential_id = $2"};

static const struct db_statement delete_credential = {
    "UPDATE fleet.credential SET state = 'deleting', revision = revision + 1, deleted_by = $3, "
    "updated_at = now(), updated_by = $3 "
    "WHERE account_id = $1 AND credential_id = $2 AND state IN ('creating', 'active')"};

static const struct db_statement delete_credentials_of = {
    "UPDATE fleet.credential SET state = 'deleting', revision = revision + 1, deleted_by = $3, "
    "updated_at = now(), updated_by = $3 "
    "WHERE account_id = $1 AND instance_id = $2 AND state IN ('creating', 'active')"};

static const struct db_statement count_credentials_of = {
    "SELECT count(*) FROM fleet.credential WHERE account_id = $1 AND instance_id = $2 "
    "AND state IN ('creating', 'active')"};

enum err store_insert_credential(struct db *db, const struct new_credential *credential,
                                 struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, credential->credential_id);
    db_param_uuid(&params, credential->instance_id);
    db_param_text(&params, credential->account_id);
    db_param_text(&params, credential->crn);
    db_param_text(&params, credential->name);
    db_param_text(&params, credential->role);
    db_param_text(&params, credential->key_id);
    db_param_bytes(&params, credential->verifier);
    db_param_text(&params, credential->scram_sha_256);
    db_param_text(&params, credential->scram_sha_512);
    db_param_bytes(&params, credential->sealed_key);
    db_param_bool(&params, credential->is_onetime);
    db_param_text(&params, credential->parameters);
    db_param_text(&params, credential->created_by);
    return db_execute(db, &insert_credential, &params, NULL, error);
}

static enum err read_row(const struct db_result *result, int row, struct arena *arena,
                         struct credential_row *credential, struct error *error)
{
    struct columns c = columns_of(result, row, arena);

    credential->credential_id = column_uuid(&c);
    credential->created_seq = column_i64(&c);
    credential->instance_id = column_uuid(&c);
    credential->account_id = column_text(&c);
    credential->resource_group_id = column_text(&c);
    credential->resource_id = column_text(&c);
    credential->region_id = column_text(&c);
    credential->crn = column_text(&c);
    credential->instance_crn = column_text(&c);
    credential->name = column_text(&c);
    credential->role = column_text(&c);
    credential->key_id = column_text(&c);
    credential->state = column_text(&c);
    credential->sealed_key = column_bytes(&c);
    credential->is_onetime = column_bool(&c);
    credential->endpoints = column_text(&c);
    credential->created_at = column_text(&c);
    credential->created_by = column_text(&c);
    credential->updated_at = column_text(&c);
    credential->updated_by = column_text(&c);
    credential->deleted_at = column_text(&c);
    credential->deleted_by = column_text(&c);
    return columns_end(&c, error);
}

static void set_key(struct db_params *params, const char *account_id, struct uuid id)
{
    db_params_init(params);
    db_param_text(params, account_id);
    db_param_uuid(params, id);
}

static enum err load(struct db *db, const struct db_statement *statement, const char *account_id,
                     struct uuid credential_id, struct arena *arena, struct credential_row *ret_row,
                     struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    set_key(&params, account_id, credential_id);
    enum err rc = db_query(db, statement, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    rc = db_result_row_count(result) == 0 ? error_set(error, ERR_NOT_FOUND, "There is no such key.")
                                          : read_row(result, 0, arena, ret_row, error);
    db_result_free(result);
    return rc;
}

enum err store_load_credential(struct db *db, const char *account_id, struct uuid credential_id,
                               struct arena *arena, struct credential_row *ret_row,
                               struct error *error)
{
    return load(db, &select_credential, account_id, credential_id, arena, ret_row, error);
}

enum err store_lock_credential(struct db *db, const char *account_id, struct uuid credential_id,
                               struct arena *arena, struct credential_row *ret_row,
                               struct error *error)
{
    return load(db, &select_credential_for_update, account_id, credential_id, arena, ret_row,
                error);
}

enum err store_list_credentials(struct db *db, const struct credential_filter *filter,
                                struct arena *arena, struct credential_row **ret_rows,
                                int *ret_count, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, filter->account_id);
    db_param_i64(&params, filter->after);
    db_param_uuid(&params, filter->credential_id);
    db_param_uuid(&params, filter->instance_id);
    db_param_text(&params, filter->name);
    db_param_text(&params, filter->resource_group_id);
    db_param_text(&params, filter->resource_id);
    db_param_text(&params, filter->updated_from);
    db_param_text(&params, filter->updated_to);
    db_param_i64(&params, filter->limit);
    enum err rc = db_query(db, &list_credentials, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int count = db_result_row_count(result);
    struct credential_row *rows = arena_new_array(arena, (size_t)count, struct credential_row);
    if (!rows)
        rc = error_set(error, ERR_NO_MEMORY, "list: no memory");
    for (int row = 0; rc == ERR_OK && row < count; row++)
        rc = read_row(result, row, arena, &rows[row], error);
    db_result_free(result);
    if (rc != ERR_OK)
        return rc;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}

enum err store_rename_credential(struct db *db, const char *account_id, struct uuid credential_id,
                                 const char *name, const char *updated_by, struct error *error)
{
    struct db_params params;

    set_key(&params, account_id, credential_id);
    db_param_text(&params, name);
    db_param_text(&params, updated_by);
    return db_execute(db, &rename_credential, &params, NULL, error);
}

enum err store_delete_credential(struct db *db, const char *account_id, struct uuid credential_id,
                                 const char *deleted_by, struct error *error)
{
    struct db_params params;

    set_key(&params, account_id, credential_id);
    db_param_text(&params, deleted_by);
    return db_execute(db, &delete_credential, &params, NULL, error);
}

enum err store_delete_credentials_of(struct db *db, const char *account_id, struct uuid instance_id,
                                     const char *deleted_by, int64_t *ret_count,
                                     struct error *error)
{
    struct db_params params;

    set_key(&params, account_id, instance_id);
    db_param_text(&params, deleted_by);
    return db_execute(db, &delete_credentials_of, &params, ret_count, error);
}

enum err store_count_credentials_of(struct db *db, const char *account_id, struct uuid instance_id,
                                    int64_t *ret_count, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    set_key(&params, account_id, instance_id);
    enum err rc = db_query(db, &count_credentials_of, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    *ret_count = db_result_i64(result, 0, 0);
    db_result_free(result);
    return ERR_OK;
}
