/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/transaction.h"

#include <string.h>
#include <time.h>

#include "common/port/random.h"
#include "controlplane/store/db_internal.h"

#define MAX_TRIES 5

/* Keeps the SQLSTATE of what made us give up. A rollback that fails has closed the connection, which undoes
 * as well. */
static void rollback(struct db *db)
{
    char sqlstate[sizeof(db->sqlstate)];

    memcpy(sqlstate, db->sqlstate, sizeof(sqlstate));
    if (db_command(db, "ROLLBACK", NULL) != ERR_OK)
        db_disconnect(db);
    memcpy(db->sqlstate, sqlstate, sizeof(sqlstate));
}

static enum err attempt(struct db *db, db_transaction_fn body, void *context, struct error *error)
{
    enum err rc = db_command(db, "BEGIN", error);

    if (rc != ERR_OK)
        return rc;
    db->is_in_transaction = true;
    rc = body(db, context, error);
    if (rc == ERR_OK)
        rc = db_command(db, "COMMIT", error);
    else if (db->conn)
        rollback(db);
    db->is_in_transaction = false;
    return rc;
}

/* Two that collided must not collide again: up to 10, 20, 40 … ms. */
static void pause_before_retry(int tries)
{
    uint32_t noise = 0;

    if (random_fill(&system_random, &noise, sizeof(noise)) != ERR_OK)
        noise = 0;
    int64_t pause_ns = (int64_t)(noise % 1000) * 10000 << tries;
    struct timespec pause = {.tv_sec = pause_ns / 1000000000, .tv_nsec = pause_ns % 1000000000};
    (void)nanosleep(&pause, NULL);
}

enum err db_transaction(struct db *db, db_transaction_fn body, void *context, struct error *error)
{
    enum err rc = ERR_OK;

    invariant(!db->is_in_transaction);
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        rc = attempt(db, body, context, error);
        /* Our own ERR_CONFLICT (a decision of the body) is final; only the store's is retried. */
        if (rc != ERR_CONFLICT || db->sqlstate[0] == '\0')
            return rc;
        pause_before_retry(tries);
    }
    return rc;
}
