/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/idempotency.h"

#include "controlplane/store/columns.h"

#define KEYS_MAX 10000 /* of one caller, in a day */

static const struct db_statement select_row = {
    "SELECT route, body_hash, subject, secret, status, answer FROM fleet.idempotency "
    "WHERE account_id = $1 AND caller = $2 AND key = $3 AND expires_at > now()"};

static const struct db_statement forget_old = {
    "DELETE FROM fleet.idempotency WHERE account_id = $1 AND caller = $2 AND expires_at <= now()"};

static const struct db_statement count_rows = {
    "SELECT count(*) FROM fleet.idempotency WHERE account_id = $1 AND caller = $2"};

static const struct db_statement insert_row = {
    "INSERT INTO fleet.idempotency (account_id, caller, key, route, body_hash, subject, secret) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7)"};

static const struct db_statement keep_answer = {
    "UPDATE fleet.idempotency SET secret = NULL, status = $4, answer = $5 "
    "WHERE account_id = $1 AND caller = $2 AND key = $3 AND status IS NULL"};

static void set_caller(struct db_params *params, const struct idempotency_owner *owner)
{
    db_params_init(params);
    db_param_text(params, owner->account_id);
    db_param_text(params, owner->caller);
}

static void set_owner(struct db_params *params, const struct idempotency_owner *owner)
{
    set_caller(params, owner);
    db_param_text(params, owner->key);
}

enum err store_load_idempotency(struct db *db, const struct idempotency_owner *owner,
                                struct arena *arena, struct idempotency_row *ret_row,
                                struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    set_owner(&params, owner);
    enum err rc = db_query(db, &select_row, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    if (db_result_row_count(result) == 0) {
        rc = error_set(error, ERR_NOT_FOUND, "This Idempotency-Key was not seen.");
    } else {
        struct columns c = columns_of(result, 0, arena);

        ret_row->route = column_text(&c);
        ret_row->body_hash = column_bytes(&c);
        ret_row->subject = column_uuid(&c);
        ret_row->secret = column_bytes(&c);
        ret_row->status = column_i64(&c);
        ret_row->answer = column_bytes(&c);
        rc = columns_end(&c, error);
    }
    db_result_free(result);
    return rc;
}

static enum err check_count(struct db *db, const struct db_params *caller, struct error *error)
{
    struct db_result *result = NULL;
    enum err rc = db_execute(db, &forget_old, caller, NULL, error);

    if (rc == ERR_OK)
        rc = db_query(db, &count_rows, caller, &result, error);
    if (rc != ERR_OK)
        return rc;
    if (db_result_i64(result, 0, 0) >= KEYS_MAX)
        rc = error_set(error, ERR_THROTTLED, "More than %d Idempotency-Keys in a day.", KEYS_MAX);
    db_result_free(result);
    return rc;
}

enum err store_insert_idempotency(struct db *db, const struct idempotency_owner *owner,
                                  const struct idempotency_row *row, struct error *error)
{
    struct db_params params;

    set_caller(&params, owner);
    enum err rc = check_count(db, &params, error);
    if (rc != ERR_OK)
        return rc;
    set_owner(&params, owner);
    db_param_text(&params, row->route);
    db_param_bytes(&params, row->body_hash);
    db_param_uuid(&params, row->subject);
    db_param_bytes(&params, row->secret);
    return db_execute(db, &insert_row, &params, NULL, error);
}

enum err store_keep_answer(struct db *db, const struct idempotency_owner *owner, int64_t status,
                           struct slice answer, struct error *error)
{
    struct db_params params;

    set_owner(&params, owner);
    db_param_i64(&params, status);
    db_param_bytes(&params, answer);
    return db_execute(db, &keep_answer, &params, NULL, error);
}
