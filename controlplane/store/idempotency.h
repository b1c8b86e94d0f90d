/* SPDX-License-Identifier: Apache-2.0 */
/* What calls with an Idempotency-Key have made (migrations/fleet/0006_idempotency.sql). */
#ifndef CONTROLPLANE_STORE_IDEMPOTENCY_H
#define CONTROLPLANE_STORE_IDEMPOTENCY_H

#include "controlplane/store/db.h"

struct idempotency_owner {
    const char *account_id, *caller, *key;
};

struct idempotency_row {
    const char *route;
    struct slice body_hash;
    struct uuid subject;
    struct slice secret; /* sealed; null slice: none, or no longer needed */
    int64_t status;      /* 0 = not answered yet */
    struct slice answer; /* sealed */
};

/* ERR_NOT_FOUND: never seen, or forgotten. */
enum err store_load_idempotency(struct db *db, const struct idempotency_owner *owner,
                                struct arena *arena, struct idempotency_row *ret_row,
                                struct error *error) WARN_UNUSED;
/* In the transaction of what it tells about. Forgets what is past its day first.
 *
 * Errors   ERR_EXISTS: the same call runs, or ran, at the same time; ERR_THROTTLED: this caller has too many */
enum err store_insert_idempotency(struct db *db, const struct idempotency_owner *owner,
                                  const struct idempotency_row *row,
                                  struct error *error) WARN_UNUSED;
/* The first answer stays. */
enum err store_keep_answer(struct db *db, const struct idempotency_owner *owner, int64_t status,
                           struct slice answer, struct error *error) WARN_UNUSED;

#endif
