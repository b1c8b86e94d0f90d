/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/provision_rows.h"

#include "controlplane/store/transaction.h"

#include <stdio.h>

/* The two numbers are ours alone in this database: "mlrc", and which lock (1 was the lead). */
#define LOCK_PLACEMENT "1835823715, 2"

static const struct db_statement read_cell = {
    "SELECT c.desired = 'present', c.removed_at IS NOT NULL, c.kind = 'shared', c.broker_count, "
    "c.cell_no, "
    "c.role_name, p.broker_id, p.purpose = 'sasl_ssl', p.port "
    "FROM fleet.cell c LEFT JOIN fleet.port p ON p.cell_id = c.cell_id AND p.instance_id IS NULL "
    "WHERE c.cell_id = $1"};

/* The row of the leaseholder is locked, so that its lease cannot change hands between look and insert. */
#define GIVE_PORT(holder)                                                                          \
    "WITH holder AS (" holder " FOR UPDATE), "                                                     \
    "home AS (INSERT INTO fleet.broker (cell_id, broker_id) SELECT $1, $2 FROM holder "            \
    "ON CONFLICT DO NOTHING), "                                                                    \
    "given AS (INSERT INTO fleet.port (cell_id, broker_id, purpose, port, instance_id) "           \
    "SELECT $1, $2, $3, $4, $5 FROM holder ON CONFLICT DO NOTHING RETURNING 1) "                   \
    "SELECT (SELECT count(*) FROM holder), (SELECT count(*) FROM given)"

static const struct db_statement give_port = {
    GIVE_PORT("SELECT 1 FROM fleet.cell WHERE cell_id = $1 AND lease_epoch = $6 AND removed_at IS "
              "NULL AND desired = 'present'")};

static const struct db_statement give_instance_port = {
    GIVE_PORT("SELECT 1 FROM fleet.instance WHERE instance_id = $5 AND lease_epoch = $6 AND phase "
              "IN ('creating', 'updating')")};

static const struct db_statement has_port = {
    "SELECT 1 FROM fleet.port WHERE cell_id = $1 AND broker_id = $2 AND purpose = $3 AND port = $4 "
    "AND instance_id IS NOT DISTINCT FROM $5"};

static const struct db_statement release_instance_ports = {
    "DELETE FROM fleet.port p USING fleet.instance i WHERE i.instance_id = $1 AND i.lease_epoch = "
    "$2 AND p.instance_id = i.instance_id"};

static const struct db_statement set_cell_made = {
    "UPDATE fleet.cell SET cell_no = $3, role_name = $4 WHERE cell_id = $1 AND lease_epoch = $2 "
    "AND removed_at IS NULL"};

static const struct db_statement set_cell_unwanted = {
    "WITH holder AS (SELECT cell_id FROM fleet.instance WHERE cell_id = $1 AND instance_id = $2 "
    "AND lease_epoch = $3 AND phase = 'deleting'), "
    "unwanted AS (UPDATE fleet.cell c SET desired = 'absent' FROM holder WHERE c.cell_id = "
    "holder.cell_id AND c.desired <> 'absent') SELECT 1 FROM holder"};

static const struct db_statement set_cell_removed = {
    "WITH gone AS (UPDATE fleet.cell SET removed_at = now() WHERE cell_id = $1 AND lease_epoch = "
    "$2 AND removed_at IS NULL RETURNING cell_id), "
    "ports AS (DELETE FROM fleet.port USING gone WHERE port.cell_id = gone.cell_id), "
    "brokers AS (DELETE FROM fleet.broker USING gone WHERE broker.cell_id = gone.cell_id) "
    "SELECT 1 FROM gone"};

/* ---- cells ---- */

enum err provision_read_cell(struct db *db, struct uuid cell_id, struct provision_cell *ret_cell,
                             struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;
    struct provision_cell cell = {.is_found = false};

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    enum err rc = db_query(db, &read_cell, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    for (int row = 0; row < db_result_row_count(result); row++) {
        int64_t broker_id = db_result_i64(result, row, 6);

        cell.is_found = true;
        cell.is_wanted = db_result_bool(result, row, 0);
        cell.is_removed = db_result_bool(result, row, 1);
        cell.is_shared = db_result_bool(result, row, 2);
        cell.broker_count = db_result_i64(result, row, 3);
        cell.cell_no = db_result_i64(result, row, 4);
        snprintf(cell.role_name, sizeof(cell.role_name), "%s", db_result_text(result, row, 5));
        if (db_result_is_null(result, row, 6) || broker_id < 0 ||
            broker_id >= PROVISION_MAX_BROKERS)
            continue;
        if (db_result_bool(result, row, 7))
            cell.ports[broker_id].sasl_ssl = db_result_i64(result, row, 8);
        else
            cell.ports[broker_id].metrics = db_result_i64(result, row, 8);
    }
    db_result_free(result);
    *ret_cell = cell;
    return ERR_OK;
}

static const char *purpose_name(enum provision_purpose purpose)
{
    switch (purpose) {
    case PURPOSE_SASL_SSL:
        return "sasl_ssl";
    case PURPOSE_METRICS:
        return "metrics";
    case PURPOSE_PLAINTEXT:
        return "plaintext";
    case PURPOSE_SASL_PLAINTEXT:
        return "sasl_plaintext";
    }
    return "";
}

static enum err has_port_already(struct db *db, const struct db_params *params, bool *ret_has,
                                 struct error *error)
{
    struct db_params five = *params;
    struct db_result *result = NULL;

    five.count--; /* without the epoch */
    enum err rc = db_query(db, &has_port, &five, &result, error);
    if (rc != ERR_OK)
        return rc;
    *ret_has = db_result_row_count(result) > 0;
    db_result_free(result);
    return ERR_OK;
}

static enum err fenced(struct error *error)
{
    return error_set(error, ERR_FENCED, "another replica has claimed it, or it is no longer so");
}

enum err provision_give_port(struct db *db, const struct provision_port_wish *wish,
                             enum provision_gift *ret_gift, struct error *error)
{
    bool is_of_instance = !uuid_is_zero(wish->instance_id);
    struct db_params params;
    struct db_result *result = NULL;
    bool has_it = false;

    db_params_init(&params);
    db_param_uuid(&params, wish->cell_id);
    db_param_i64(&params, wish->broker_id);
    db_param_text(&params, purpose_name(wish->purpose));
    db_param_i64(&params, wish->port);
    db_param_uuid(&params, wish->instance_id);
    db_param_i64(&params, wish->epoch);
    enum err rc =
        db_query(db, is_of_instance ? &give_instance_port : &give_port, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    bool is_holder = db_result_i64(result, 0, 0) > 0, is_new = db_result_i64(result, 0, 1) > 0;
    db_result_free(result);
    if (!is_holder)
        return fenced(error);
    if (!is_new)
        rc = has_port_already(db, &params, &has_it, error);
    if (rc == ERR_OK)
        *ret_gift = is_new ? GIFT_NEW : has_it ? GIFT_KEPT : GIFT_REFUSED;
    return rc;
}

/* For statements whose rows are what the writer still holds. */
static enum err write_fenced(struct db *db, const struct db_statement *statement,
                             const struct db_params *params, struct error *error)
{
    int64_t rows = 0;
    enum err rc = db_execute(db, statement, params, &rows, error);

    return rc == ERR_OK && rows == 0 ? fenced(error) : rc;
}

static void set_held(struct db_params *params, struct uuid id, int64_t epoch)
{
    db_params_init(params);
    db_param_uuid(params, id);
    db_param_i64(params, epoch);
}

enum err provision_release_instance_ports(struct db *db, struct uuid instance, int64_t epoch,
                                          struct error *error)
{
    struct db_params params;

    set_held(&params, instance, epoch);
    return db_execute(db, &release_instance_ports, &params, NULL, error);
}

enum err provision_set_cell_made(struct db *db, struct uuid cell_id, int64_t epoch, int64_t cell_no,
                                 const char *role_name, struct error *error)
{
    struct db_params params;

    set_held(&params, cell_id, epoch);
    db_param_i64(&params, cell_no);
    db_param_text(&params, role_name);
    return write_fenced(db, &set_cell_made, &params, error);
}

enum err provision_set_cell_unwanted(struct db *db, struct uuid cell_id, struct uuid instance_id,
                                     int64_t epoch, struct error *error)
{
    struct db_params params;

    db_params_init(&params);
    db_param_uuid(&params, cell_id);
    db_param_uuid(&params, instance_id);
    db_param_i64(&params, epoch);
    return write_fenced(db, &set_cell_unwanted, &params, error);
}

enum err provision_set_cell_removed(struct db *db, struct uuid cell_id, int64_t epoch,
                                    struct error *error)
{
    struct db_params params;

    set_held(&params, cell_id, epoch);
    return write_fenced(db, &set_cell_removed, &params, error);
}

/* ---- instances ---- */

static const struct db_statement read_instance = {
    "SELECT i.phase, i.sharing = 'shared', i.revision, "
    "coalesce(extract(epoch FROM now() - o.created_at) * 1000, 0)::bigint, i.plaintext_port, "
    "i.cell_id, i.label, "
    "jsonb_build_object('instance', i.instance_id, 'label', i.label, 'state', "
    "CASE WHEN i.phase IN ('retiring', 'retired') THEN 'suspended' ELSE 'active' END, "
    "'internal_partitions', i.internal_partitions, 'internal_visible', i.internal_visible, "
    "'limits', i.limits, 'topic_settings', i.topic_settings)::text "
    "FROM fleet.instance i LEFT JOIN fleet.operation o ON o.instance_id = i.instance_id "
    "AND o.state = 'in progress' WHERE i.instance_id = $1"};

static const struct db_statement lock_placement = {"SELECT pg_advisory_xact_lock(" LOCK_PLACEMENT
                                                   ")::text"};

static const struct db_statement lock_unplaced = {
    "SELECT 1 FROM fleet.instance WHERE instance_id = $1 AND lease_epoch = $2 AND cell_id IS NULL "
    "AND phase = 'creating' FOR UPDATE"};

static const struct db_statement find_shared_cell = {
    "SELECT c.cell_id FROM fleet.cell c WHERE c.kind = 'shared' AND c.desired = 'present' "
    "AND c.removed_at IS NULL AND (SELECT count(*) FROM fleet.instance i WHERE i.cell_id = "
    "c.cell_id "
    "AND i.phase <> 'removed') < $1 ORDER BY c.created_at, c.cell_id LIMIT 1"};

static const struct db_statement insert_cell = {
    "INSERT INTO fleet.cell (cell_id, kind, broker_count) VALUES ($1, $2, $3)"};

static const struct db_statement place_instance = {
    "UPDATE fleet.instance SET cell_id = $2 WHERE instance_id = $1"};

/* Of an operation, with its last step. */
#define FINISHED "step = 'done', error = '', updated_at = now(), finished_at = now()"

static const struct db_statement set_instance_ready = {
    "WITH done AS (UPDATE fleet.instance SET "
    "phase = CASE phase WHEN 'retiring' THEN 'retired' ELSE 'ready' END, "
    "restored_at = CASE phase WHEN 'restoring' THEN now() ELSE restored_at END, "
    "reclaim_at = CASE phase WHEN 'restoring' THEN NULL ELSE reclaim_at END, "
    "instance_no = $4, published_revision = $3, endpoints = $5, updated_at = now(), "
    "lease_until = '-infinity' WHERE instance_id = $1 AND lease_epoch = $2 AND revision = $3 "
    "AND phase IN ('creating', 'updating', 'retiring', 'restoring') RETURNING instance_id, phase), "
    "told AS (UPDATE fleet.operation o SET state = 'succeeded', description = 'Completed ' || "
    "o.type || ' instance operation', " FINISHED " FROM done WHERE o.instance_id = "
    "done.instance_id AND o.state = 'in progress'), "
    "closed AS (UPDATE fleet.reclamation r SET closed_at = now(), updated_at = now() FROM done "
    "WHERE done.phase = 'ready' AND r.instance_id = done.instance_id AND r.closed_at IS NULL) "
    "SELECT count(*) FROM done"};

static const struct db_statement set_instance_failed = {
    "WITH done AS (UPDATE fleet.instance SET phase = CASE phase WHEN 'creating' THEN 'failed' ELSE "
    "'ready' END, updated_at = now(), lease_until = '-infinity' WHERE instance_id = $1 AND "
    "lease_epoch = $2 AND revision = $3 AND phase IN ('creating', 'updating') "
    "RETURNING instance_id), "
    "told AS (UPDATE fleet.operation o SET state = 'failed', reason_code = $4, description = $5, "
    "updated_at = now(), finished_at = now() FROM done WHERE o.instance_id = done.instance_id AND "
    "o.state = 'in "
    "progress') "
    "SELECT count(*) FROM done"};

static const struct db_statement set_instance_removed = {
    "WITH done AS (UPDATE fleet.instance SET phase = 'removed', updated_at = now(), "
    "deleted_at = coalesce(deleted_at, now()), lease_until = '-infinity' WHERE instance_id = $1 "
    "AND lease_epoch = $2 AND phase = 'deleting' RETURNING instance_id), "
    "keys AS (UPDATE fleet.credential c SET state = 'removed', verifier = NULL, scram_sha_256 = "
    "NULL, "
    "scram_sha_512 = NULL, sealed_key = NULL, updated_at = now(), deleted_at = "
    "coalesce(c.deleted_at, now()) "
    "FROM done WHERE c.instance_id = done.instance_id AND c.state <> 'removed'), "
    "closed AS (UPDATE fleet.reclamation r SET closed_at = now(), updated_at = now() FROM done "
    "WHERE r.instance_id = done.instance_id AND r.closed_at IS NULL), "
    "told AS (UPDATE fleet.operation o SET state = 'succeeded', description = 'Completed delete "
    "instance operation', " FINISHED
    " FROM done WHERE o.instance_id = done.instance_id AND o.state = 'in "
    "progress') "
    "SELECT count(*) FROM done"};

static enum provision_phase phase_of(const char *text)
{
    if (strcmp(text, "creating") == 0)
        return PROVISION_CREATE;
    if (strcmp(text, "updating") == 0)
        return PROVISION_UPDATE;
    if (strcmp(text, "retiring") == 0 || strcmp(text, "restoring") == 0)
        return PROVISION_SUSPEND;
    if (strcmp(text, "deleting") == 0)
        return PROVISION_DELETE;
    return PROVISION_SETTLED;
}

enum err provision_read_instance(struct db *db, struct uuid instance_id, struct arena *arena,
                                 struct provision_instance *ret_instance, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;
    struct provision_instance instance = {.phase = PROVISION_SETTLED};

    db_params_init(&params);
    db_param_uuid(&params, instance_id);
    enum err rc = db_query(db, &read_instance, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    if (db_result_row_count(result) == 1) {
        instance.phase = phase_of(db_result_text(result, 0, 0));
        instance.is_shared = db_result_bool(result, 0, 1);
        instance.revision = db_result_i64(result, 0, 2);
        instance.age_ms = db_result_i64(result, 0, 3);
        instance.plaintext_port = db_result_i64(result, 0, 4);
        instance.cell_id = db_result_uuid(result, 0, 5);
        snprintf(instance.label, sizeof(instance.label), "%s", db_result_text(result, 0, 6));
        instance.tenant = db_result_copy(result, 0, 7, arena);
        if (instance.tenant == NULL)
            rc = error_set(error, ERR_NO_MEMORY, "read an instance");
    }
    db_result_free(result);
    if (rc == ERR_OK)
        *ret_instance = instance;
    return rc;
}

/* *ret_cell_id stays as it is when no shared cell has room. */
static enum err find_room(struct db *db, int64_t instances_per_cell, struct uuid *ret_cell_id,
                          bool *ret_is_found, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;

    db_params_init(&params);
    db_param_i64(&params, instances_per_cell);
    enum err rc = db_query(db, &find_shared_cell, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    *ret_is_found = db_result_row_count(result) > 0;
    if (*ret_is_found)
        *ret_cell_id = db_result_uuid(result, 0, 0);
    db_result_free(result);
    return ERR_OK;
}

static enum err place_body(struct db *db, void *context, struct error *error)
{
    const struct provision_placement *placement = context;
    struct uuid cell_id = placement->new_cell_id;
    struct db_params params;
    struct db_result *result = NULL;
    bool is_found = false;

    set_held(&params, placement->instance_id, placement->epoch);
    enum err rc = db_query(db, &lock_unplaced, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    int rows = db_result_row_count(result);
    db_result_free(result);
    if (rows == 0)
        return ERR_OK; /* placed already, no longer wanted, or no longer ours: the next step finds out */

    rc = db_execute(db, &lock_placement, DB_PARAMS_NONE, NULL, error);
    if (rc == ERR_OK && placement->is_shared)
        rc = find_room(db, placement->instances_per_cell, &cell_id, &is_found, error);
    if (rc == ERR_OK && !is_found) {
        db_params_init(&params);
        db_param_uuid(&params, cell_id);
        db_param_text(&params, placement->is_shared ? "shared" : "dedicated");
        db_param_i64(&params, placement->broker_count);
        rc = db_execute(db, &insert_cell, &params, NULL, error);
    }
    if (rc != ERR_OK)
        return rc;
    db_params_init(&params);
    db_param_uuid(&params, placement->instance_id);
    db_param_uuid(&params, cell_id);
    return db_execute(db, &place_instance, &params, NULL, error);
}

enum err provision_place_instance(struct db *db, const struct provision_placement *placement,
                                  struct error *error)
{
    struct provision_placement copy = *placement;

    return db_transaction(db, place_body, &copy, error);
}

/* For statements that end in SELECT count(*): did they find their row as it was read? */
static enum err write_observed(struct db *db, const struct db_statement *statement,
                               const struct db_params *params, bool *ret_is_written,
                               struct error *error)
{
    struct db_result *result = NULL;
    enum err rc = db_query(db, statement, params, &result, error);

    if (rc != ERR_OK)
        return rc;
    *ret_is_written = db_result_i64(result, 0, 0) > 0;
    db_result_free(result);
    return ERR_OK;
}

enum err provision_set_instance_ready(struct db *db, struct uuid instance_id, int64_t epoch,
                                      int64_t revision, int64_t instance_no, const char *endpoints,
                                      bool *ret_is_written, struct error *error)
{
    struct db_params params;

    set_held(&params, instance_id, epoch);
    db_param_i64(&params, revision);
    db_param_i64(&params, instance_no);
    db_param_text(&params, endpoints);
    return write_observed(db, &set_instance_ready, &params, ret_is_written, error);
}

enum err provision_set_instance_failed(struct db *db, struct uuid instance_id, int64_t epoch,
                                       int64_t revision, const char *reason_code,
                                       const char *description, bool *ret_is_written,
                                       struct error *error)
{
    struct db_params params;

    set_held(&params, instance_id, epoch);
    db_param_i64(&params, revision);
    db_param_text(&params, reason_code);
    db_param_text(&params, description);
    return write_observed(db, &set_instance_failed, &params, ret_is_written, error);
}

enum err provision_set_instance_removed(struct db *db, struct uuid instance_id, int64_t epoch,
                                        bool *ret_is_written, struct error *error)
{
    struct db_params params;

    set_held(&params, instance_id, epoch);
    return write_observed(db, &set_instance_removed, &params, ret_is_written, error);
}

/* The delete that somebody asked for long ago. */
static const struct db_statement reclaim_due = {
    "WITH due AS (SELECT instance_id FROM fleet.instance WHERE phase = 'retired' AND reclaim_at <= "
    "now() ORDER BY reclaim_at LIMIT 100 FOR UPDATE SKIP LOCKED), "
    "moved AS (UPDATE fleet.instance i SET phase = 'deleting', revision = revision + 1, "
    "updated_at = now() FROM due WHERE i.instance_id = due.instance_id RETURNING i.instance_id, "
    "i.account_id, i.crn, i.revision, i.reclaim_by), "
    "told AS (UPDATE fleet.reclamation r SET state = 'RECLAIMING', updated_at = now() FROM moved "
    "WHERE r.instance_id = moved.instance_id AND r.closed_at IS NULL), "
    "opened AS (INSERT INTO fleet.operation (instance_id, type, is_async, revision, description, "
    "request_id, created_by) SELECT instance_id, 'delete', true, revision, 'The time for a restore "
    "is over.', 'reclamation', reclaim_by FROM moved) "
    "INSERT INTO fleet.audit_event (account_id, actor, source_address, action, target, outcome, "
    "request_id) SELECT account_id, reclaim_by, '', 'messagehub.instance.reclaim', crn, 'success', "
    "'reclamation' FROM moved"};

enum err provision_reclaim_due(struct db *db, struct error *error)
{
    return db_execute(db, &reclaim_due, DB_PARAMS_NONE, NULL, error);
}

/* ---- credentials ---- */

static const struct db_statement read_credential = {
    "SELECT c.state, c.revision, c.key_id, i.instance_no IS NOT NULL AND l.removed_at IS NULL, "
    "i.phase IN ('deleting', 'removed', 'failed'), i.cell_id, "
    "jsonb_build_object('key_id', c.key_id, 'instance_no', i.instance_no, 'role', c.role, "
    "'verifier', encode(c.verifier, 'hex'), 'scram_sha_256', c.scram_sha_256, "
    "'scram_sha_512', c.scram_sha_512)::text "
    "FROM fleet.credential c JOIN fleet.instance i USING (instance_id) "
    "LEFT JOIN fleet.cell l ON l.cell_id = i.cell_id WHERE c.credential_id = $1"};

static const struct db_statement set_credential_active = {
    "WITH done AS (UPDATE fleet.credential SET state = 'active', updated_at = now(), lease_until = "
    "'-infinity' WHERE credential_id = $1 AND lease_epoch = $2 "
    "AND revision = $3 AND state = 'creating' RETURNING 1) SELECT count(*) FROM done"};

static const struct db_statement set_credential_removed = {
    "WITH done AS (UPDATE fleet.credential SET state = 'removed', verifier = NULL, scram_sha_256 = "
    "NULL, "
    "scram_sha_512 = NULL, sealed_key = NULL, updated_at = now(), deleted_at = "
    "coalesce(deleted_at, now()), lease_until = '-infinity' "
    "WHERE credential_id = $1 AND lease_epoch = $2 AND state IN ('creating', 'deleting') RETURNING "
    "1) SELECT count(*) "
    "FROM done"};

enum err provision_read_credential(struct db *db, struct uuid credential_id, struct arena *arena,
                                   struct provision_credential *ret_credential, struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;
    struct provision_credential credential = {.phase = PROVISION_SETTLED};

    db_params_init(&params);
    db_param_uuid(&params, credential_id);
    enum err rc = db_query(db, &read_credential, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    if (db_result_row_count(result) == 1) {
        credential.phase = phase_of(db_result_text(result, 0, 0));
        credential.revision = db_result_i64(result, 0, 1);
        snprintf(credential.key_id, sizeof(credential.key_id), "%s", db_result_text(result, 0, 2));
        credential.has_cell = db_result_bool(result, 0, 3);
        credential.is_orphan = db_result_bool(result, 0, 4);
        credential.cell_id = db_result_uuid(result, 0, 5);
        credential.credential = db_result_copy(result, 0, 6, arena);
        if (credential.credential == NULL)
            rc = error_set(error, ERR_NO_MEMORY, "read a credential");
    }
    db_result_free(result);
    if (rc == ERR_OK)
        *ret_credential = credential;
    return rc;
}

enum err provision_set_credential_active(struct db *db, struct uuid credential_id, int64_t epoch,
                                         int64_t revision, bool *ret_is_written,
                                         struct error *error)
{
    struct db_params params;

    set_held(&params, credential_id, epoch);
    db_param_i64(&params, revision);
    return write_observed(db, &set_credential_active, &params, ret_is_written, error);
}

enum err provision_set_credential_removed(struct db *db, struct uuid credential_id, int64_t epoch,
                                          bool *ret_is_written, struct error *error)
{
    struct db_params params;

    set_held(&params, credential_id, epoch);
    return write_observed(db, &set_credential_removed, &params, ret_is_written, error);
}
