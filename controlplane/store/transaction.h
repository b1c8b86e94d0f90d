/* SPDX-License-Identifier: Apache-2.0 */
/* BEGIN, COMMIT, ROLLBACK and retries, in one place.
 *
 * The body may run several times (serialization failures and deadlocks are retried), so it has no side
 * effect outside the transaction, and sets its results anew on each run. */
#ifndef CONTROLPLANE_STORE_TRANSACTION_H
#define CONTROLPLANE_STORE_TRANSACTION_H

#include "controlplane/store/db.h"

typedef enum err (*db_transaction_fn)(struct db *db, void *context, struct error *error);

/* Commits when body returns ERR_OK, else rolls back and returns body's code.
 *
 * Errors     body's; ERR_CONFLICT after 5 tries; ERR_UNAVAILABLE when the connection was lost. When that
 *            happens inside COMMIT the outcome is not known: callers read again by their own id. */
enum err db_transaction(struct db *db, db_transaction_fn body, void *context,
                        struct error *error) WARN_UNUSED;

#endif
