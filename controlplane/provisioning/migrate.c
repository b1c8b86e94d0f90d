/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace-controlplane migrate`: roles, databases, schema, passwords, in this order; each step repeats
 * nothing that is there. Run by an administrator of the database server (a superuser), before `serve` and
 * `provision` start and again with every new version. */
#include "common/crypto/secret.h"
#include "controlplane/provisioning/verb_options.h"
#include "controlplane/provisioning/verbs.h"
#include "controlplane/store/migrations.h"

#include <stddef.h>
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 10000, STATEMENT_TIMEOUT_MS = 300000 };

struct migrate_config {
    const char *admin;
    const char *admin_password_file;
    const char *fleet_database;
    const char *cells_database;
    const char *serve_password_file;
    const char *provision_password_file;
};

#define FIELD(name) offsetof(struct migrate_config, name)
static const struct option options[] = {
    {"admin", OPTION_STRING, FIELD(admin), NULL, 0, 0, "", NULL, false,
     "libpq keywords of a superuser's connection, without dbname: host=/run/postgresql "
     "user=postgres"},
    {"admin_password_file", OPTION_STRING, FIELD(admin_password_file), "", 0, 0, "", NULL, true,
     "its password; empty when the server asks for none"},
    {"fleet_database", OPTION_STRING, FIELD(fleet_database), "fleet", 0, 0, "", NULL, false,
     "the control plane's database"},
    {"cells_database", OPTION_STRING, FIELD(cells_database), "cells", 0, 0, "", NULL, false,
     "the database that brokers follow"},
    {"serve_password_file", OPTION_STRING, FIELD(serve_password_file), NULL, 0, 0, "", NULL, true,
     "password that millrace_serve gets"},
    {"provision_password_file", OPTION_STRING, FIELD(provision_password_file), NULL, 0, 0, "", NULL,
     true, "password that millrace_provision gets"},
    {.name = NULL},
};
#undef FIELD

static void print_line(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
    fflush(stdout);
}

/* Opens database `name` as the administrator; conninfo is the caller's and outlives the connection. */
static enum err open_database(const struct migrate_config *config, const char *name,
                              struct db_config *db_config, char *conninfo, size_t room,
                              struct db **ret_db, struct error *error)
{
    int len = snprintf(conninfo, room, "%s dbname=%s", config->admin, name);

    if (len < 0 || (size_t)len >= room)
        return error_set(error, ERR_TOO_LARGE, "admin: more than %zu bytes", room);
    *db_config = (struct db_config){.conninfo = conninfo,
                                    .password_file = config->admin_password_file,
                                    .application_name = "millrace migrate",
                                    .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                    .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    return db_open(db_config, ret_db, error);
}

static enum err set_password_from(struct db *db, const char *role, const char *file,
                                  struct error *error)
{
    struct secret secret;
    enum err rc = secret_read_file(file, &secret, error);

    if (rc != ERR_OK)
        return rc;
    rc = migrations_set_password(db, role, slice_of(secret.bytes, secret.len), error);
    secret_done(&secret);
    return rc;
}

/* Roles, passwords and databases: what belongs to the server, not to one database. */
static enum err prepare_server(const struct migrate_config *config, struct error *error)
{
    struct db_config db_config;
    char conninfo[1024];
    struct db *db = NULL;
    enum err rc =
        open_database(config, "postgres", &db_config, conninfo, sizeof(conninfo), &db, error);

    if (rc != ERR_OK)
        return rc;
    rc = migrations_make_roles(db, error);
    if (rc == ERR_OK)
        rc = set_password_from(db, "millrace_serve", config->serve_password_file, error);
    if (rc == ERR_OK)
        rc = set_password_from(db, "millrace_provision", config->provision_password_file, error);
    if (rc == ERR_OK)
        rc = migrations_make_database(db, config->fleet_database, "millrace_fleet_owner", error);
    if (rc == ERR_OK)
        rc = migrations_make_database(db, config->cells_database, NULL, error);
    db_close(db);
    return rc;
}

static enum err apply(const struct migrate_config *config, struct migration_plan plan,
                      struct error *error)
{
    struct db_config db_config;
    char conninfo[1024];
    struct db *db = NULL;
    int applied = 0;
    enum err rc =
        open_database(config, plan.database, &db_config, conninfo, sizeof(conninfo), &db, error);

    if (rc != ERR_OK)
        return rc;
    plan.progress = print_line;
    rc = migrations_apply(db, &plan, &applied, error);
    db_close(db);
    if (rc == ERR_OK)
        printf("%s: up to date, %d applied\n", plan.database, applied);
    return rc;
}

int migrate_main(char *const *args)
{
    struct migrate_config config;
    struct error error;

    switch (verb_options_load("migrate", options, &config, args)) {
    case VERB_GO_ON:
        break;
    case VERB_HELPED:
        return EXIT_SUCCESS;
    case VERB_REFUSED:
        return EXIT_FAILURE;
    }
    enum err rc = prepare_server(&config, &error);
    if (rc == ERR_OK)
        rc = apply(&config,
                   (struct migration_plan){.migrations = migrations_of_fleet,
                                           .database = config.fleet_database,
                                           .owner_role = "millrace_fleet_owner"},
                   &error);
    if (rc == ERR_OK)
        rc = apply(&config,
                   (struct migration_plan){.migrations = migrations_of_cells,
                                           .database = config.cells_database},
                   &error);
    if (rc != ERR_OK)
        fprintf(stderr, "millrace-controlplane migrate: %s\n", error.message);
    option_table_done(options, &config);
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
