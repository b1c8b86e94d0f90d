/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/domain/lifecycle.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    const char *rc_state;
} phases[PHASE_COUNT] = {
    [PHASE_CREATING] = {"creating", "provisioning"},
    [PHASE_READY] = {"ready", "active"},
    [PHASE_UPDATING] = {"updating", "active"},
    [PHASE_RETIRING] = {"retiring", "active"},
    [PHASE_RETIRED] = {"retired", "pending_reclamation"},
    [PHASE_RESTORING] = {"restoring", "pending_reclamation"},
    [PHASE_DELETING] = {"deleting", "active"},
    [PHASE_REMOVED] = {"removed", "removed"},
    [PHASE_FAILED] = {"failed", "failed"},
};

#define NEVER PHASE_COUNT

/* clang-format off */
/* Every cell of (phase, event); NEVER = refused, see refuse(). */
static const enum instance_phase moves[PHASE_COUNT][EVENT_COUNT] = {
    /*                   UPDATE           DELETE           RETIRE           RESTORE          RECLAIM          LOCK             ADD_KEY          PUBLISHED        GIVEN_UP         TAKEN_DOWN */
    [PHASE_CREATING] = {NEVER,           PHASE_DELETING,  PHASE_DELETING,  NEVER,           NEVER,           NEVER,           NEVER,           PHASE_READY,     PHASE_FAILED,    NEVER},
    [PHASE_READY]    = {PHASE_UPDATING,  PHASE_DELETING,  PHASE_RETIRING,  NEVER,           NEVER,           PHASE_READY,     PHASE_READY,     NEVER,           NEVER,           NEVER},
    [PHASE_UPDATING] = {NEVER,           PHASE_DELETING,  PHASE_RETIRING,  NEVER,           NEVER,           NEVER,           PHASE_UPDATING,  PHASE_READY,     PHASE_READY,     NEVER},
    [PHASE_RETIRING] = {NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           PHASE_RETIRED,   NEVER,           NEVER},
    [PHASE_RETIRED]  = {NEVER,           NEVER,           NEVER,           PHASE_RESTORING, PHASE_DELETING,  NEVER,           NEVER,           NEVER,           NEVER,           NEVER},
    [PHASE_RESTORING]= {NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           PHASE_READY,     NEVER,           NEVER},
    [PHASE_DELETING] = {NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           PHASE_REMOVED},
    [PHASE_REMOVED]  = {NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER},
    [PHASE_FAILED]   = {NEVER,           PHASE_DELETING,  PHASE_DELETING,  NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER,           NEVER},
};
/* clang-format on */

const char *phase_name(enum instance_phase phase)
{
    return phases[phase].name;
}

enum err phase_parse(const char *text, enum instance_phase *ret_phase)
{
    for (int i = 0; i < PHASE_COUNT; i++) {
        if (strcmp(text, phases[i].name) == 0) {
            *ret_phase = (enum instance_phase)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

static enum err refuse(enum instance_phase phase, enum instance_event event, struct error *error)
{
    if (phase == PHASE_REMOVED)
        return error_set(error, ERR_GONE, "The instance was removed.");
    if ((phase == PHASE_DELETING || phase == PHASE_RETIRING) &&
        (event == EVENT_DELETE || event == EVENT_RETIRE))
        return error_set(error, ERR_EXISTS, "The instance is being deleted already.");
    if (phase == PHASE_RETIRED && event != EVENT_LOCK)
        return error_set(error, ERR_GONE, "The instance was deleted; it can be restored.");
    if (event == EVENT_RESTORE || event == EVENT_RECLAIM)
        return error_set(error, ERR_CONFLICT, "The instance is not at rest; try again.");
    if (phase == PHASE_FAILED)
        return error_set(error, ERR_CONFLICT, "The instance could not be provisioned; delete it.");
    return error_set(error, ERR_CONFLICT,
                     "Another operation is running on the instance; try again when it is done.");
}

enum err lifecycle_next(enum instance_phase phase, enum instance_event event, bool is_locked,
                        enum instance_phase *ret_phase, struct error *error)
{
    enum instance_phase next = moves[phase][event];

    if (next == NEVER)
        return refuse(phase, event, error);
    if (is_locked && (event == EVENT_UPDATE || event == EVENT_DELETE || event == EVENT_RETIRE))
        return error_set(error, ERR_LOCKED, "The instance is locked; unlock it first.");
    *ret_phase = next;
    return ERR_OK;
}

const char *lifecycle_rc_state(enum instance_phase phase)
{
    return phases[phase].rc_state;
}

const char *lifecycle_phases_of_rc_state(const char *state)
{
    static const struct {
        const char *state, *list;
    } lists[] = {
        {"active", "ready,updating,retiring,deleting"},
        {"provisioning", "creating"},
        {"removed", "removed"},
        {"failed", "failed"},
        {"inactive", ""},
        {"pending_removal", ""},
        {"pending_reclamation", "retired,restoring"},
        {"pre_provisioning", ""},
    };

    if (!state)
        return "creating,ready,updating,retiring,deleting";
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (strcmp(state, lists[i].state) == 0)
            return lists[i].list;
    return NULL;
}
