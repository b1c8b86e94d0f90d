/* SPDX-License-Identifier: Apache-2.0 */
/* The only place where SQL is put together from parts: DDL takes no parameters. What is put in are names of
 * ours, checked letter by letter, and password verifiers of base64. */
#include "controlplane/store/migrations.h"

#include "common/crypto/encoding.h"
#include "controlplane/store/scram_text.h"
#include "controlplane/store/transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Taken for the whole run; the number is "millrace" read as bytes, halved to fit. */
static const struct db_statement take_lock = {"SELECT pg_advisory_lock(3923940170466473778)::text"};

static const char make_table[] = "CREATE SCHEMA IF NOT EXISTS migration;"
                                 "CREATE TABLE IF NOT EXISTS migration.applied ("
                                 "    version integer PRIMARY KEY,"
                                 "    name text NOT NULL,"
                                 "    checksum text NOT NULL,"
                                 "    applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

static const struct db_statement read_applied = {
    "SELECT version, name, checksum FROM migration.applied ORDER BY version"};

static const struct db_statement insert_applied = {
    "INSERT INTO migration.applied (version, name, checksum) VALUES ($1, $2, $3)"};

static const struct db_statement has_database = {
    "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1"};

/* Who owns and who logs in. Nobody but provision's fixed functions makes roles after this. */
static const char make_roles[] =
    "DO $$ BEGIN"
    "  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_fleet_owner') THEN"
    "    CREATE ROLE millrace_fleet_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;"
    "  END IF;"
    "  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_serve') THEN"
    "    CREATE ROLE millrace_serve LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT"
    "      CONNECTION LIMIT 100;"
    "  END IF;"
    "  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_provision') THEN"
    "    CREATE ROLE millrace_provision LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT"
    "      CONNECTION LIMIT 40;"
    "  END IF;"
    "END $$;"
    "ALTER ROLE millrace_serve SET idle_in_transaction_session_timeout = '30s';"
    "ALTER ROLE millrace_serve SET lock_timeout = '5s';"
    "ALTER ROLE millrace_provision SET idle_in_transaction_session_timeout = '30s';"
    "ALTER ROLE millrace_provision SET lock_timeout = '5s'";

struct apply_step {
    const struct migration_plan *plan;
    const struct migration *migration;
    int64_t version;
    const char *checksum;
};

static bool is_plain_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static enum err apply_body(struct db *db, void *context, struct error *error)
{
    const struct apply_step *step = context;
    struct db_params params;
    char set_role[96];
    enum err rc = ERR_OK;

    if (step->plan->owner_role != NULL) {
        snprintf(set_role, sizeof(set_role), "SET LOCAL ROLE %s", step->plan->owner_role);
        rc = db_run_script(db, set_role, error);
    }
    if (rc == ERR_OK)
        rc = db_run_script(db, step->migration->sql, error);
    if (rc == ERR_OK)
        rc = db_run_script(db, "RESET ROLE", error);
    if (rc != ERR_OK)
        return rc;
    db_params_init(&params);
    db_param_i64(&params, step->version);
    db_param_text(&params, step->migration->name);
    db_param_text(&params, step->checksum);
    return db_execute(db, &insert_applied, &params, NULL, error);
}

static void tell(const struct migration_plan *plan, const char *verb, const char *name)
{
    char line[200];

    snprintf(line, sizeof(line), "%s: %s %s", plan->database, verb, name);
    if (plan->progress != NULL)
        plan->progress(plan->context, line);
}

/* Every applied row must be a file of ours with the same text. */
static enum err check_applied(const struct migration_plan *plan, const struct db_result *applied,
                              int count, struct error *error)
{
    for (int row = 0; row < db_result_row_count(applied); row++) {
        const char *name = db_result_text(applied, row, 1);

        if (row >= count || strcmp(plan->migrations[row].name, name) != 0)
            return error_set(error, ERR_UNSUPPORTED,
                             "database %s has applied %s, which this program does not have in that "
                             "place: run the program that applied it, or a newer one",
                             plan->database, name);
        char checksum[65];
        uint8_t digest[32];
        sha256(plan->migrations[row].sql, strlen(plan->migrations[row].sql), digest);
        hex_encode(digest, sizeof(digest), checksum);
        if (strcmp(checksum, db_result_text(applied, row, 2)) != 0)
            return error_set(
                error, ERR_CONFLICT,
                "%s was edited after database %s applied it: restore the file and put the "
                "change into a new one",
                name, plan->database);
    }
    return ERR_OK;
}

static enum err apply_one(struct db *db, const struct migration_plan *plan,
                          const struct migration *migration, struct error *error)
{
    uint8_t digest[32];
    char checksum[65];

    sha256(migration->sql, strlen(migration->sql), digest);
    hex_encode(digest, sizeof(digest), checksum);
    struct apply_step step = {.plan = plan,
                              .migration = migration,
                              .version = strtol(migration->name, NULL, 10),
                              .checksum = checksum};
    tell(plan, "applying", migration->name);
    enum err rc = db_transaction(db, apply_body, &step, error);
    if (rc != ERR_OK)
        return error_wrap(error, rc, "%s/%s", plan->database, migration->name);
    return ERR_OK;
}

enum err migrations_apply(struct db *db, const struct migration_plan *plan, int *ret_applied,
                          struct error *error)
{
    struct db_result *result = NULL;
    int count = 0;

    invariant(plan->owner_role == NULL || is_plain_name(plan->owner_role));
    while (plan->migrations[count].name != NULL)
        count++;
    /* The lock is the session's: it goes with the connection. */
    enum err rc = db_query(db, &take_lock, DB_PARAMS_NONE, &result, error);
    db_result_free(result);
    result = NULL;
    if (rc == ERR_OK)
        rc = db_run_script(db, make_table, error);
    if (rc == ERR_OK)
        rc = db_query(db, &read_applied, DB_PARAMS_NONE, &result, error);
    if (rc != ERR_OK)
        return error_wrap(error, rc, "database %s", plan->database);
    int already = db_result_row_count(result);
    rc = check_applied(plan, result, count, error);
    db_result_free(result);

    for (int i = already; rc == ERR_OK && i < count; i++)
        rc = apply_one(db, plan, &plan->migrations[i], error);
    if (rc == ERR_OK)
        *ret_applied = count - already;
    return rc;
}

enum err migrations_make_roles(struct db *db, struct error *error)
{
    return db_run_script(db, make_roles, error);
}

enum err migrations_make_database(struct db *db, const char *name, const char *owner_role,
                                  struct error *error)
{
    struct db_params params;
    struct db_result *result = NULL;
    char sql[320];

    if (!is_plain_name(name) || (owner_role != NULL && !is_plain_name(owner_role)))
        return error_set(error, ERR_INVALID, "a database is named with a-z, 0-9 and _, not \"%s\"",
                         name);
    db_params_init(&params);
    db_param_text(&params, name);
    enum err rc = db_query(db, &has_database, &params, &result, error);
    if (rc != ERR_OK)
        return rc;
    bool exists = db_result_row_count(result) > 0;
    db_result_free(result);
    if (!exists) {
        snprintf(sql, sizeof(sql), "CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", name);
        rc = db_run_script(db, sql, error);
    }
    if (rc != ERR_OK || owner_role == NULL)
        return rc;
    snprintf(sql, sizeof(sql),
             "ALTER DATABASE %s OWNER TO %s; REVOKE ALL ON DATABASE %s FROM PUBLIC;"
             "GRANT CONNECT ON DATABASE %s TO millrace_serve, millrace_provision",
             name, owner_role, name, name);
    return db_run_script(db, sql, error);
}

enum err migrations_set_password(struct db *db, const char *role, struct slice password,
                                 struct error *error)
{
    char verifier[SCRAM_TEXT_ROOM];
    char sql[SCRAM_TEXT_ROOM + 128];

    invariant(is_plain_name(role));
    enum err rc = scram_text(password, verifier, error);
    if (rc != ERR_OK)
        return rc;
    snprintf(sql, sizeof(sql), "ALTER ROLE %s LOGIN PASSWORD '%s'", role, verifier);
    return db_run_script(db, sql, error);
}
