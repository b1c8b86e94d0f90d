/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/cells.h"

#include "controlplane/store/scram_text.h"

#include <stdio.h>

static const struct db_statement create_cell = {
    "SELECT cell_no, role_name FROM cell_admin.v2_create_cell($1, $2, $3::int, $4)"};
static const struct db_statement drop_cell = {"SELECT cell_admin.v2_drop_cell($1)"};
static const struct db_statement put_listener = {
    "SELECT cell_admin.v1_put_listener($1, jsonb_build_object('broker', $2::int, 'name', $3::text, "
    "'host', "
    "$4::text, 'port', $5::int, 'security', $6::text, 'instance_no', nullif($7::int, 0), "
    "'auto_create_partitions', $8::int))"};
static const struct db_statement put_tenant = {
    "SELECT instance_no, version FROM cell_admin.v2_put_tenant($1, $2, $3)"};
static const struct db_statement remove_tenant = {"SELECT cell_admin.v1_remove_tenant($1, $2)"};
static const struct db_statement put_credential = {
    "SELECT cell_admin.v1_put_credential($1, $2, $3)"};
static const struct db_statement remove_credential = {
    "SELECT cell_admin.v1_remove_credential($1, $2)"};
static const struct db_statement read_acknowledgement = {
    "SELECT count(*) FILTER (WHERE has_lease), "
    "count(*) FILTER (WHERE has_lease AND acknowledged_version >= $2) "
    "FROM cell_admin.v1_status($1)"};
static const struct db_statement notify = {"SELECT cell_admin.v1_notify($1)"};

enum err cells_create(struct db *db, struct uuid cell_id, const char *kind, int64_t broker_count,
                      struct slice role_password, struct cell_identity *ret_identity,
                      struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;
    char verifier[SCRAM_TEXT_ROOM];
    enum err rc = scram_text(role_password, verifier, error);

    if (rc != ERR_OK)
        return rc;
    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_text(&params, kind);
    db_param_i64(&params, broker_count);
    db_param_text(&params, verifier);
    rc = db_query(db, &create_cell, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    ret_identity->cell_no = (int32_t)db_result_i64(result, 0, 0);
    snprintf(ret_identity->role_name, CELL_ROLE_ROOM, "%s", db_result_text(result, 0, 1));
    db_result_free(result);
    return ERR_OK;
}

/* For the functions that answer with a version, or with nothing. */
static enum err call(struct db *db, const struct db_statement *statement,
                     const struct db_params *params, int64_t *ret_version, struct error *error)
{
    struct db_result *result = NULL;
    enum err rc = db_query(db, statement, params, &result, error);

    if (rc != ERR_OK)
        return rc;
    if (ret_version != NULL)
        *ret_version = db_result_i64(result, 0, 0);
    db_result_free(result);
    return ERR_OK;
}

enum err cells_drop(struct db *db, struct uuid cell_id, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    return call(db, &drop_cell, &params, NULL, error);
}

enum err cells_put_listener(struct db *db, struct uuid cell_id,
                            const struct cell_listener *listener, int64_t *ret_version,
                            struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_i64(&params, listener->broker_id);
    db_param_text(&params, listener->name);
    db_param_text(&params, listener->host);
    db_param_i64(&params, listener->port);
    db_param_text(&params, listener->security);
    db_param_i64(&params, listener->instance_no);
    db_param_i64(&params, listener->auto_create_partitions);
    return call(db, &put_listener, &params, ret_version, error);
}

enum err cells_put_tenant(struct db *db, struct uuid cell_id, int64_t revision, const char *tenant,
                          int64_t *ret_instance_no, int64_t *ret_version, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_i64(&params, revision);
    db_param_text(&params, tenant);
    enum err rc = db_query(db, &put_tenant, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    *ret_instance_no = db_result_i64(result, 0, 0);
    *ret_version = db_result_i64(result, 0, 1);
    db_result_free(result);
    return ERR_OK;
}

enum err cells_remove_tenant(struct db *db, struct uuid cell_id, struct uuid instance,
                             int64_t *ret_version, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_uuid(&params, instance);
    return call(db, &remove_tenant, &params, ret_version, error);
}

enum err cells_put_credential(struct db *db, struct uuid cell_id, int64_t revision,
                              const char *credential, int64_t *ret_version, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_i64(&params, revision);
    db_param_text(&params, credential);
    return call(db, &put_credential, &params, ret_version, error);
}

enum err cells_remove_credential(struct db *db, struct uuid cell_id, const char *key_id,
                                 int64_t *ret_version, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_text(&params, key_id);
    return call(db, &remove_credential, &params, ret_version, error);
}

enum err cells_read_acknowledgement(struct db *db, struct uuid cell_id, int64_t version,
                                    struct cell_acknowledgement *ret, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_i64(&params, version);
    enum err rc = db_query(db, &read_acknowledgement, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    ret->brokers_with_lease = (int32_t)db_result_i64(result, 0, 0);
    ret->brokers_acknowledged = (int32_t)db_result_i64(result, 0, 1);
    db_result_free(result);
    return ERR_OK;
}

enum err cells_notify(struct db *db, struct uuid cell_id, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    return call(db, &notify, &params, NULL, error);
}
