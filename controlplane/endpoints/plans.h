/* SPDX-License-Identifier: Apache-2.0 */
/* A plan row with its JSON opened, for the rules in domain/plan.h. */
#ifndef CONTROLPLANE_ENDPOINTS_PLANS_H
#define CONTROLPLANE_ENDPOINTS_PLANS_H

#include "controlplane/domain/plan.h"
#include "controlplane/store/catalog.h"

struct open_plan {
    struct plan plan;
    const char *topic_settings;  /* as stored; NULL = every key */
    json_t *limits, *parameters; /* owned; plan borrows them */
};

/* ERR_INVALID when there is no such plan, or it is not on offer and may_be_hidden is false. Call open_plan_done in any case. */
enum err open_plan_load(struct db *db, const char *plan_id, bool may_be_hidden, struct arena *arena,
                        struct open_plan *ret_plan, struct error *error) WARN_UNUSED;
void open_plan_done(struct open_plan *plan);

#endif
