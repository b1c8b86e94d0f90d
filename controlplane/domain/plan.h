/* SPDX-License-Identifier: Apache-2.0 */
/* From a plan and a customer's parameters to numbers that a broker can keep.
 *
 * A plan's `parameters` are {name: {"values": {value: {limit: number, …}}, "default": value, "grows_only": bool}}: the
 * value chosen replaces the named limits. Values come as strings or numbers (Terraform sends strings). Parameters that
 * the plan does not know are kept and shown, and mean nothing. */
#ifndef CONTROLPLANE_DOMAIN_PLAN_H
#define CONTROLPLANE_DOMAIN_PLAN_H

#include "common/base/error.h"

#include <jansson.h>

struct plan {
    const char *plan_id;
    const char *name;
    const char *resource_id;
    bool is_dedicated;
    bool is_offered;
    int64_t internal_partitions;
    bool internal_visible;
    const json_t *limits;     /* object of integers */
    const json_t *parameters; /* object */
    const char *upgrades_to;  /* plan ids between commas */
};

/* The limits of an instance with these parameters; owned by the caller. ERR_INVALID names the parameter. */
enum err plan_resolve_limits(const struct plan *plan, const json_t *parameters, json_t **ret_limits,
                             struct error *error) WARN_UNUSED;
/* Merges a change into the current parameters, key by key at the top; owned by the caller. ERR_INVALID when a
 * parameter that only grows would shrink. */
enum err plan_merge_parameters(const struct plan *plan, const json_t *current, const json_t *change,
                               json_t **ret_merged, struct error *error) WARN_UNUSED;
/* ERR_LIMIT when the plan does not lead there. */
enum err plan_check_upgrade(const struct plan *from, const char *to_plan_id,
                            struct error *error) WARN_UNUSED;

#endif
