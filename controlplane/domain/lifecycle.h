/* SPDX-License-Identifier: Apache-2.0 */
/* The one state machine of an instance, and what Resource Controller clients see of it.
 *
 *     creating ──▶ ready ◀──▶ updating
 *        │           │            │
 *        ├───────────┴────────────┴─▶ deleting ──▶ removed
 *        └─▶ failed ─▶ deleting          ▲
 *                                        │
 *     ready, updating ──▶ retiring ──▶ retired ──▶ restoring ──▶ ready
 *
 * The lower row is for plans with reclamation: a retired instance is suspended and keeps all it had. While deleting, clients must go on seeing `active`: Terraform takes any other state for an error. */
#ifndef CONTROLPLANE_DOMAIN_LIFECYCLE_H
#define CONTROLPLANE_DOMAIN_LIFECYCLE_H

#include "common/base/error.h"

enum instance_phase {
    PHASE_CREATING,
    PHASE_READY,
    PHASE_UPDATING,
    PHASE_RETIRING,
    PHASE_RETIRED,
    PHASE_RESTORING,
    PHASE_DELETING,
    PHASE_REMOVED,
    PHASE_FAILED,
    PHASE_COUNT
};

enum instance_event {
    EVENT_UPDATE,     /* serve: a change is wanted */
    EVENT_DELETE,     /* serve: for good */
    EVENT_RETIRE,     /* serve: a delete on a plan with reclamation */
    EVENT_RESTORE,    /* serve */
    EVENT_RECLAIM,    /* serve; provision when the time is over */
    EVENT_LOCK,       /* serve: lock and unlock */
    EVENT_ADD_KEY,    /* serve */
    EVENT_PUBLISHED,  /* provision: what was wanted is so */
    EVENT_GIVEN_UP,   /* provision: creating failed for good */
    EVENT_TAKEN_DOWN, /* provision: nothing is left */
    EVENT_COUNT
};

const char *phase_name(enum instance_phase phase); /* as stored */
enum err phase_parse(const char *text, enum instance_phase *ret_phase) WARN_UNUSED;

/* Where the event leads. is_locked matters to update, delete and retire.
 *
 * Errors   ERR_LOCKED; ERR_GONE (removed); ERR_CONFLICT (another operation is running, or the instance
 *          failed); ERR_EXISTS (a delete while deleting: it is under way already) */
enum err lifecycle_next(enum instance_phase phase, enum instance_event event, bool is_locked,
                        enum instance_phase *ret_phase, struct error *error) WARN_UNUSED;

/* `state` of Resource Controller: "active", "provisioning", "pending_reclamation", "removed", "failed". */
const char *lifecycle_rc_state(enum instance_phase phase);
/* Phases behind a `state` filter of a list, as stored, comma-separated; NULL = no such state. state NULL =
 * what a list shows without a filter: active and provisioning. */
const char *lifecycle_phases_of_rc_state(const char *state);

#endif
