/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/instances.h"

#include "controlplane/store/columns.h"

/* clang-format off */
#define INSTANCE_COLUMNS                                                                           \
    "SELECT i.instance_id, i.created_seq, i.account_id, i.resource_group_id, i.plan_id, "          \
    "p.resource_id, i.name, i.label, i.crn, i.region_id, i.target_crn, i.revision, i.limits, "     \
    "i.parameters, i.onetime_credentials, i.allow_cleanup, i.locked, i.plan_history, i.phase, "    \
    "i.endpoints, " TIME_TEXT("i.created_at") ", i.created_by, " TIME_TEXT("i.updated_at") ", "    \
    "i.updated_by, " TIME_TEXT("i.deleted_at") ", i.deleted_by, " TIME_TEXT("i.reclaim_at") ", "   \
    "i.reclaim_by, " TIME_TEXT("i.restored_at") ", i.restored_by, p.reclamation_hours, "           \
    "o.type, o.state, o.is_async, o.description, o.reason_code, " TIME_TEXT("o.updated_at") " "    \
    "FROM fleet.instance i JOIN fleet.plan p ON p.plan_id = i.plan_id "                            \
    "LEFT JOIN LATERAL (SELECT * FROM fleet.operation WHERE instance_id = i.instance_id "          \
    "ORDER BY operation_id DESC LIMIT 1) o ON true "
/* clang-format on */

#define PLAN_HISTORY_ENTRY(plan_id, requestor)                                                     \
    "jsonb_build_object('resource_plan_id', " plan_id                                              \
    ", 'start_date', " TIME_TEXT("now()") ", 'requestor_id', " requestor ")"

static const struct db_statement insert_instance = {
    "INSERT INTO fleet.instance (instance_id, account_id, resource_group_id, plan_id, name, label, "
    "crn, region_id, target_crn, sharing, limits, topic_settings, internal_partitions, "
    "internal_visible, plaintext_port, parameters, onetime_credentials, allow_cleanup, locked, "
    "created_by, plan_history) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
    "CASE WHEN $10::boolean THEN 'dedicated' ELSE 'shared' END, $11, $12, $13, $14, "
    "nullif($15::integer, 0), $16, $17, $18, $19, $20, jsonb_build_array(" PLAN_HISTORY_ENTRY(
        "$4::text", "$20::text") "))"};

static const struct db_statement select_instance = {
    INSTANCE_COLUMNS "WHERE i.account_id = $1 AND i.instance_id = $2"};

static const struct db_statement select_instance_for_update = {
    INSTANCE_COLUMNS "WHERE i.account_id = $1 AND i.instance_id = $2 FOR UPDATE OF i"};

static const struct db_statement list_instances = {
    INSTANCE_COLUMNS
    "WHERE i.account_id = $1 AND i.created_seq > $2 AND i.phase = ANY (string_to_array($3, ',')) "
    "AND ($4::uuid IS NULL OR i.instance_id = $4) AND ($5::text IS NULL OR i.name = $5) "
    "AND ($6::text IS NULL OR i.resource_group_id = $6) "
    "AND ($7::text IS NULL OR p.resource_id = $7) AND ($8::text IS NULL OR i.plan_id = $8) "
    "AND ($9::timestamptz IS NULL OR i.updated_at >= $9) "
    "AND ($10::timestamptz IS NULL OR i.updated_at <= $10) "
    "ORDER BY i.created_seq LIMIT $11"};

static const struct db_statement update_instance = {
    "UPDATE fleet.instance SET name = $3, plan_id = $4, limits = $5, topic_settings = $6, "
    "internal_partitions = $7, internal_visible = $8, parameters = $9, onetime_credentials = $10, "
    "allow_cleanup = $11, phase = $12, "
    "plan_history = CASE WHEN plan_id = $4 THEN plan_history ELSE plan_history "
    "|| " PLAN_HISTORY_ENTRY(
        "$4::text", "$14::text") " END, "
                                 "revision = revision + CASE WHEN $13::boolean THEN 1 ELSE 0 END, "
                                 "updated_at = now(), "
                                 "updated_by = $14 WHERE account_id = $1 AND instance_id = $2"};

static const struct db_statement delete_instance = {
    "UPDATE fleet.instance SET phase = 'deleting', revision = revision + 1, updated_at = now(), "
    "updated_by = $3, deleted_by = $3 WHERE account_id = $1 AND instance_id = $2"};

static const struct db_statement retire_instance = {
    "UPDATE fleet.instance i SET phase = 'retiring', revision = revision + 1, updated_at = now(), "
    "updated_by = $3, reclaim_by = $3, "
    "reclaim_at = now() + p.reclamation_hours * interval '1 hour' FROM fleet.plan p "
    "WHERE p.plan_id = i.plan_id AND i.account_id = $1 AND i.instance_id = $2"};

static const struct db_statement restore_instance = {
    "UPDATE fleet.instance SET phase = 'restoring', revision = revision + 1, updated_at = now(), "
    "updated_by = $3, restored_by = $3 WHERE account_id = $1 AND instance_id = $2"};

static const struct db_statement lock_flag = {
    "UPDATE fleet.instance SET locked = $3, updated_at = now(), updated_by = $4 "
    "WHERE account_id = $1 AND instance_id = $2"};

static const struct db_statement supersede_operation = {
    "UPDATE fleet.operation o SET state = 'failed', description = 'Superseded by a later "
    "operation.', reason_code = 'superseded', updated_at = now(), finished_at = now() FROM "
    "fleet.instance i "
    "WHERE i.account_id = $1 AND o.instance_id = $2 AND i.instance_id = o.instance_id "
    "AND o.state = 'in progress'"};

static const struct db_statement insert_operation = {
    "INSERT INTO fleet.operation (instance_id, type, state, is_async, revision, description, "
    "request_id, created_by) SELECT i.instance_id, $3, $4, $5, i.revision, $6, $7, $8 "
    "FROM fleet.instance i WHERE i.account_id = $1 AND i.instance_id = $2"};

static const struct db_statement mark_operation_async = {
    "UPDATE fleet.operation o SET is_async = true FROM fleet.instance i WHERE i.account_id = $1 "
    "AND o.instance_id = $2 AND i.instance_id = o.instance_id AND o.state = 'in progress'"};

enum err store_insert_instance(struct db *db, const struct new_instance *instance,
                               struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, instance->instance_id);
    db_param_text(&params, instance->account_id);
    db_param_text(&params, instance->resource_group_id);
    db_param_text(&params, instance->plan_id);
    db_param_text(&params, instance->name);
    db_param_text(&params, instance->label);
    db_param_text(&params, instance->crn);
    db_param_text(&params, instance->region_id);
    db_param_text(&params, instance->target_crn);
    db_param_bool(&params, instance->is_dedicated);
    db_param_text(&params, instance->limits);
    db_param_text(&params, instance->topic_settings);
    db_param_i64(&params, instance->internal_partitions);
    db_param_bool(&params, instance->internal_visible);
    db_param_i64(&params, instance->plaintext_port);
    db_param_text(&params, instance->parameters);
    db_param_bool(&params, instance->is_onetime);
    db_param_bool(&params, instance->allow_cleanup);
    db_param_bool(&params, instance->is_locked);
    db_param_text(&params, instance->created_by);
    return db_execute(db, &insert_instance, &params, NULL, error);
}

static enum err read_row(const struct db_result *result, int row, struct arena *arena,
                         struct instance_row *instance, struct error *error)
{
    struct columns c = columns_of(result, row, arena);

    instance->instance_id = column_uuid(&c);
    instance->created_seq = column_i64(&c);
    instance->account_id = column_text(&c);
    instance->resource_group_id = column_text(&c);
    instance->plan_id = column_text(&c);
    instance->resource_id = column_text(&c);
    instance->name = column_text(&c);
    instance->label = column_text(&c);
    instance->crn = column_text(&c);
    instance->region_id = column_text(&c);
    instance->target_crn = column_text(&c);
    instance->revision = column_i64(&c);
    instance->limits = column_text(&c);
    instance->parameters = column_text(&c);
    instance->is_onetime = column_bool(&c);
    instance->allow_cleanup = column_bool(&c);
    instance->is_locked = column_bool(&c);
    instance->plan_history = column_text(&c);
    instance->phase = column_text(&c);
    instance->endpoints = column_text(&c);
    instance->created_at = column_text(&c);
    instance->created_by = column_text(&c);
    instance->updated_at = column_text(&c);
    instance->updated_by = column_text(&c);
    instance->deleted_at = column_text(&c);
    instance->deleted_by = column_text(&c);
    instance->reclaim_at = column_text(&c);
    instance->reclaim_by = column_text(&c);
    instance->restored_at = column_text(&c);
    instance->restored_by = column_text(&c);
    instance->reclamation_hours = column_i64(&c);
    instance->operation.type = column_text(&c);
    instance->operation.state = column_text(&c);
    instance->operation.is_async = column_bool(&c);
    instance->operation.description = column_text(&c);
    instance->operation.reason_code = column_text(&c);
    instance->operation.updated_at = column_text(&c);
    return columns_end(&c, error);
}

static enum err load(struct db *db, const struct db_statement *statement, const char *account_id,
                     struct uuid instance_id, struct arena *arena, struct instance_row *ret_row,
                     struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, account_id);
    db_param_uuid(&params, instance_id);
    enum err rc = db_query(db, statement, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    rc = db_result_row_count(result) == 0
             ? error_set(error, ERR_NOT_FOUND, "There is no such instance.")
             : read_row(result, 0, arena, ret_row, error);
    db_result_free(result);
    return rc;
}

enum err store_load_instance(struct db *db, const char *account_id, struct uuid instance_id,
                             struct arena *arena, struct instance_row *ret_row, struct error *error)
{
    return load(db, &select_instance, account_id, instance_id, arena, ret_row, error);
}

enum err store_lock_instance(struct db *db, const char *account_id, struct uuid instance_id,
                             struct arena *arena, struct instance_row *ret_row, struct error *error)
{
    return load(db, &select_instance_for_update, account_id, instance_id, arena, ret_row, error);
}

enum err store_list_instances(struct db *db, const struct instance_filter *filter,
                              struct arena *arena, struct instance_row **ret_rows, int *ret_count,
                              struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, filter->account_id);
    db_param_i64(&params, filter->after);
    db_param_text(&params, filter->phases);
    db_param_uuid(&params, filter->instance_id);
    db_param_text(&params, filter->name);
    db_param_text(&params, filter->resource_group_id);
    db_param_text(&params, filter->resource_id);
    db_param_text(&params, filter->plan_id);
    db_param_text(&params, filter->updated_from);
    db_param_text(&params, filter->updated_to);
    db_param_i64(&params, filter->limit);
    enum err rc = db_query(db, &list_instances, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int count = db_result_row_count(result);
    struct instance_row *rows = arena_new_array(arena, (size_t)count, struct instance_row);
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

enum err store_update_instance(struct db *db, const struct instance_change *change,
                               struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, change->account_id);
    db_param_uuid(&params, change->instance_id);
    db_param_text(&params, change->name);
    db_param_text(&params, change->plan_id);
    db_param_text(&params, change->limits);
    db_param_text(&params, change->topic_settings);
    db_param_i64(&params, change->internal_partitions);
    db_param_bool(&params, change->internal_visible);
    db_param_text(&params, change->parameters);
    db_param_bool(&params, change->is_onetime);
    db_param_bool(&params, change->allow_cleanup);
    db_param_text(&params, change->phase);
    db_param_bool(&params, change->is_published);
    db_param_text(&params, change->updated_by);
    return db_execute(db, &update_instance, &params, NULL, error);
}

static void set_instance(struct db_params *params, const char *account_id, struct uuid instance_id)
{
    db_params_init(params);
    db_param_text(params, account_id);
    db_param_uuid(params, instance_id);
}

enum err store_delete_instance(struct db *db, const char *account_id, struct uuid instance_id,
                               const char *deleted_by, struct error *error)
{
    struct db_params params;

    set_instance(&params, account_id, instance_id);
    db_param_text(&params, deleted_by);
    return db_execute(db, &delete_instance, &params, NULL, error);
}

enum err store_retire_instance(struct db *db, const char *account_id, struct uuid instance_id,
                               const char *retired_by, struct error *error)
{
    struct db_params params;

    set_instance(&params, account_id, instance_id);
    db_param_text(&params, retired_by);
    return db_execute(db, &retire_instance, &params, NULL, error);
}

enum err store_restore_instance(struct db *db, const char *account_id, struct uuid instance_id,
                                const char *restored_by, struct error *error)
{
    struct db_params params;

    set_instance(&params, account_id, instance_id);
    db_param_text(&params, restored_by);
    return db_execute(db, &restore_instance, &params, NULL, error);
}

enum err store_lock_flag(struct db *db, const char *account_id, struct uuid instance_id,
                         bool is_locked, const char *updated_by, struct error *error)
{
    struct db_params params;

    set_instance(&params, account_id, instance_id);
    db_param_bool(&params, is_locked);
    db_param_text(&params, updated_by);
    return db_execute(db, &lock_flag, &params, NULL, error);
}

enum err store_insert_operation(struct db *db, const struct new_operation *operation,
                                struct error *error)
{
    struct db_params params;

    set_instance(&params, operation->account_id, operation->instance_id);
    enum err rc = db_execute(db, &supersede_operation, &params, NULL, error);
    if (rc != ERR_OK)
        return rc;
    db_param_text(&params, operation->type);
    db_param_text(&params, operation->state);
    db_param_bool(&params, operation->is_async);
    db_param_text(&params, operation->description);
    db_param_text(&params, operation->request_id);
    db_param_text(&params, operation->created_by);
    return db_execute(db, &insert_operation, &params, NULL, error);
}

enum err store_mark_operation_async(struct db *db, const char *account_id, struct uuid instance_id,
                                    struct error *error)
{
    struct db_params params;

    set_instance(&params, account_id, instance_id);
    return db_execute(db, &mark_operation_async, &params, NULL, error);
}
