/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the fleet database as serve reads them. Texts live in the arena given to the load function; JSON columns
 * stay text (the endpoint parses what it needs); times are RFC 3339 in UTC, NULL when unset. */
#ifndef CONTROLPLANE_STORE_ROWS_H
#define CONTROLPLANE_STORE_ROWS_H

#include "common/base/slice.h"
#include "common/base/uuid.h"

#include <stdint.h>

struct account_key_row {
    const char *key_id;
    const char *account_id;
    const char *name;
    const char *iam_id;
    const char *role; /* "Manager", "Writer", "Reader" */
    struct slice verifier;
    bool is_disabled;
};

struct signing_key_row {
    const char *kid;
    const char *modulus; /* base64url, as in a JWK */
    const char *exponent;
    struct slice sealed_private;
    bool is_retired;
};

struct plan_row {
    const char *plan_id;
    const char *name;
    const char *resource_id;
    bool is_dedicated;
    bool is_offered;
    int64_t internal_partitions;
    bool internal_visible;
    const char *limits;         /* JSON */
    const char *topic_settings; /* JSON or NULL */
    const char *parameters;     /* JSON */
    const char *upgrades_to;    /* ids between commas */
};

struct operation_row {
    const char *type;
    const char *state;
    bool is_async;
    const char *description;
    const char *reason_code;
    const char *updated_at;
};

struct instance_row {
    struct uuid instance_id;
    int64_t created_seq;
    const char *account_id, *resource_group_id, *plan_id, *resource_id;
    const char *name, *label, *crn, *region_id, *target_crn;
    int64_t revision;
    const char *limits;     /* JSON */
    const char *parameters; /* JSON */
    bool is_onetime, allow_cleanup, is_locked;
    const char *plan_history; /* JSON */
    const char *phase;
    const char *endpoints; /* JSON or NULL: not yet known */
    const char *created_at, *created_by, *updated_at, *updated_by, *deleted_at, *deleted_by;
    const char *reclaim_at, *reclaim_by, *restored_at, *restored_by;
    int64_t reclamation_hours;      /* of the plan */
    struct operation_row operation; /* the last one */
};

struct credential_row {
    struct uuid credential_id;
    int64_t created_seq;
    struct uuid instance_id;
    const char *account_id, *resource_group_id, *resource_id, *region_id;
    const char *crn, *instance_crn, *name, *role, *key_id, *state;
    struct slice sealed_key; /* null slice: shown once, or removed */
    bool is_onetime;
    const char *endpoints; /* of the instance */
    const char *created_at, *created_by, *updated_at, *updated_by, *deleted_at, *deleted_by;
};

#endif
