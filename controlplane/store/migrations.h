/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the two databases to the schema that this binary carries.
 *
 * Files are applied in order, each in a transaction of its own together with the row that says so, under an
 * advisory lock. An applied file whose text has changed since is refused, and so is a database that
 * knows files this binary does not: both are mistakes that get worse when one goes on. */
#ifndef CONTROLPLANE_STORE_MIGRATIONS_H
#define CONTROLPLANE_STORE_MIGRATIONS_H

#include "controlplane/store/db.h"

struct migration {
    const char *
        name; /* "0001_service_instances.sql"; the number before '_' orders them. NULL ends the list */
    const char *sql;
};

/* Generated at build time from migrations/. */
extern const struct migration migrations_of_fleet[];
extern const struct migration migrations_of_cells[];

/* One line of progress; borrowed for the call. */
typedef void (*migration_progress_fn)(void *context, const char *line);

struct migration_plan {
    const struct migration *migrations;
    const char *database;   /* name, for messages */
    const char *owner_role; /* what the files run as; NULL = the administrator, files choose */
    migration_progress_fn progress;
    void *context;
};

/* db: a connection of an administrator to that database.
 * Errors  ERR_CONFLICT (an applied file was edited; message names it), ERR_UNSUPPORTED (the database is newer),
 *         those of the failed file */
enum err migrations_apply(struct db *db, const struct migration_plan *plan, int *ret_applied,
                          struct error *error) WARN_UNUSED;

/* db: an administrator's connection to any database. Both make what is missing and repeat what is there. */
enum err migrations_make_roles(struct db *db, struct error *error) WARN_UNUSED;
/* name and owner_role: lower case letters, digits, underscores; owner_role NULL = the administrator. */
enum err migrations_make_database(struct db *db, const char *name, const char *owner_role,
                                  struct error *error) WARN_UNUSED;
/* The password becomes a SCRAM verifier here, so the statement holds no secret. */
enum err migrations_set_password(struct db *db, const char *role, struct slice password,
                                 struct error *error) WARN_UNUSED;

#endif
