/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/reclamations.h"

#include "controlplane/store/columns.h"

#define RECLAMATION_COLUMNS                                                                        \
    "SELECT r.reclamation_id, r.instance_id, r.account_id, i.resource_group_id, p.resource_id, "   \
    "i.crn, r.state, " TIME_TEXT("r.target_time") ", r.comment, " TIME_TEXT(                       \
        "r.created_at") ", r.created_by, " TIME_TEXT("r.updated_at") ", r.updated_by FROM "        \
                                                                     "fleet.reclamation r JOIN "   \
                                                                     "fleet.instance i USING "     \
                                                                     "(instance_id) JOIN "         \
                                                                     "fleet.plan p USING "         \
                                                                     "(plan_id) WHERE "            \
                                                                     "r.account_id = $1 AND "      \
                                                                     "r.closed_at IS "             \
                                                                     "NULL "

static const struct db_statement insert_reclamation = {
    "INSERT INTO fleet.reclamation (reclamation_id, instance_id, account_id, target_time, "
    "created_by) SELECT $1, i.instance_id, i.account_id, i.reclaim_at, $4 FROM fleet.instance i "
    "WHERE i.account_id = $2 AND i.instance_id = $3"};

static const struct db_statement select_reclamation = {RECLAMATION_COLUMNS
                                                       "AND r.reclamation_id = $2"};

static const struct db_statement list_reclamations = {
    RECLAMATION_COLUMNS "AND ($2::uuid IS NULL OR r.instance_id = $2) AND ($3::text IS NULL OR "
                        "i.resource_group_id = $3) ORDER BY r.created_seq LIMIT $4"};

static const struct db_statement set_reclamation = {
    "UPDATE fleet.reclamation SET state = $3, updated_at = now(), updated_by = $4, "
    "comment = coalesce($5, comment) WHERE account_id = $1 AND reclamation_id = $2"};

enum err store_insert_reclamation(struct db *db, struct uuid reclamation_id, const char *account_id,
                                  struct uuid instance_id, const char *created_by,
                                  struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, reclamation_id);
    db_param_text(&params, account_id);
    db_param_uuid(&params, instance_id);
    db_param_text(&params, created_by);
    return db_execute(db, &insert_reclamation, &params, NULL, error);
}

static enum err read_row(const struct db_result *result, int row, struct arena *arena,
                         struct reclamation_row *reclamation, struct error *error)
{
    struct columns c = columns_of(result, row, arena);

    reclamation->reclamation_id = column_uuid(&c);
    reclamation->instance_id = column_uuid(&c);
    reclamation->account_id = column_text(&c);
    reclamation->resource_group_id = column_text(&c);
    reclamation->resource_id = column_text(&c);
    reclamation->instance_crn = column_text(&c);
    reclamation->state = column_text(&c);
    reclamation->target_time = column_text(&c);
    reclamation->comment = column_text(&c);
    reclamation->created_at = column_text(&c);
    reclamation->created_by = column_text(&c);
    reclamation->updated_at = column_text(&c);
    reclamation->updated_by = column_text(&c);
    return columns_end(&c, error);
}

enum err store_load_reclamation(struct db *db, const char *account_id, struct uuid reclamation_id,
                                struct arena *arena, struct reclamation_row *ret_row,
                                struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, account_id);
    db_param_uuid(&params, reclamation_id);
    enum err rc = db_query(db, &select_reclamation, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    rc = db_result_row_count(result) == 0
             ? error_set(error, ERR_NOT_FOUND, "There is no such reclamation.")
             : read_row(result, 0, arena, ret_row, error);
    db_result_free(result);
    return rc;
}

enum err store_list_reclamations(struct db *db, const char *account_id, struct uuid instance_id,
                                 const char *resource_group_id, int64_t max, struct arena *arena,
                                 struct reclamation_row **ret_rows, int *ret_count,
                                 struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_text(&params, account_id);
    db_param_uuid(&params, instance_id);
    db_param_text(&params, resource_group_id);
    db_param_i64(&params, max);
    enum err rc = db_query(db, &list_reclamations, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int count = db_result_row_count(result);
    struct reclamation_row *rows = arena_new_array(arena, (size_t)count, struct reclamation_row);
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

enum err store_set_reclamation(struct db *db, const char *account_id, struct uuid reclamation_id,
                               const char *state, const char *updated_by, const char *comment,
                               struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_text(&params, account_id);
    db_param_uuid(&params, reclamation_id);
    db_param_text(&params, state);
    db_param_text(&params, updated_by);
    db_param_text(&params, comment);
    return db_execute(db, &set_reclamation, &params, NULL, error);
}
