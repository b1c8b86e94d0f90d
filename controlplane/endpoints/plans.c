/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/plans.h"

enum err open_plan_load(struct db *db, const char *plan_id, bool may_be_hidden, struct arena *arena,
                        struct open_plan *ret_plan, struct error *error)
{
    struct plan_row row;

    *ret_plan = (struct open_plan){.limits = NULL};
    enum err rc = store_load_plan(db, plan_id, arena, &row, error);
    if (rc == ERR_NOT_FOUND || (rc == ERR_OK && !row.is_offered && !may_be_hidden))
        return error_set(error, ERR_INVALID, "There is no plan %.100s.", plan_id);
    if (rc != ERR_OK)
        return rc;
    ret_plan->limits = json_loads(row.limits, 0, NULL);
    ret_plan->parameters = json_loads(row.parameters, 0, NULL);
    if (!ret_plan->limits || !ret_plan->parameters)
        return error_set(error, ERR_CORRUPT, "plan %s: limits and parameters must be objects",
                         plan_id);
    ret_plan->topic_settings = row.topic_settings;
    ret_plan->plan = (struct plan){
        .plan_id = row.plan_id,
        .name = row.name,
        .resource_id = row.resource_id,
        .is_dedicated = row.is_dedicated,
        .is_offered = row.is_offered,
        .internal_partitions = row.internal_partitions,
        .internal_visible = row.internal_visible,
        .limits = ret_plan->limits,
        .parameters = ret_plan->parameters,
        .upgrades_to = row.upgrades_to,
    };
    return ERR_OK;
}

void open_plan_done(struct open_plan *plan)
{
    json_decref(plan->limits);
    json_decref(plan->parameters);
}
