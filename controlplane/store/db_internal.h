/* SPDX-License-Identifier: Apache-2.0 */
/* What db.c, db_result.c, db_pool.c and transaction.c share. Nobody else includes this or <libpq-fe.h>. */
#ifndef CONTROLPLANE_STORE_DB_INTERNAL_H
#define CONTROLPLANE_STORE_DB_INTERNAL_H

#include "controlplane/store/db.h"

#include <libpq-fe.h>

#define DB_MAX_PREPARED 160
#define DB_MAX_CHANNELS 4

struct db {
    const struct db_config *config;
    PGconn *conn; /* NULL while not connected */
    const struct db_statement *prepared[DB_MAX_PREPARED];
    int prepared_count;
    const char *channels[DB_MAX_CHANNELS];
    int channel_count;
    bool is_in_transaction; /* then a lost connection is not opened again under the body's feet */
    char sqlstate[6];
};

/* A PGresult under our name, so that callers need no libpq header. */
static inline PGresult *db_result_unwrap(const struct db_result *result)
{
    return (PGresult *)(uintptr_t)result;
}

/* Closes; what was prepared is forgotten, what was listened to is remembered. */
void db_disconnect(struct db *db);
/* Runs constant SQL without parameters: BEGIN, COMMIT, LISTEN. */
enum err db_command(struct db *db, const char *sql, struct error *error) WARN_UNUSED;

#endif
