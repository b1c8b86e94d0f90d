/* SPDX-License-Identifier: Apache-2.0 */
/* Changing instances: name, parameters, plan. What brokers have to hear of runs as an operation, one at a time; the rest is
 * done when it is written. */
#include <string.h>

#include "controlplane/domain/names.h"
#include "controlplane/endpoints/plans.h"
#include "controlplane/endpoints/resource_instances_internal.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/store/transaction.h"

struct change {
    struct instance_edit edit;
    const char *name, *plan_id;
    const json_t *parameters;
    bool allow_cleanup, has_allow_cleanup;
    bool is_empty;
    bool is_published; /* brokers have to hear of it: wait for that */
};

static enum err read_update(struct change *change, const json_t *body, struct error *error)
{
    static const char *const members[] = {"name", "parameters", "resource_plan_id", "allow_cleanup",
                                          NULL};
    enum err rc = body_check_members(body, members, error);

    if (rc == ERR_OK)
        rc = body_text(body, "name", false, &change->name, error);
    if (rc == ERR_OK && change->name)
        rc = name_check("name", slice_from_cstring(change->name), error);
    if (rc == ERR_OK)
        rc = body_text(body, "resource_plan_id", false, &change->plan_id, error);
    if (rc == ERR_OK)
        rc = body_object(body, "parameters", &change->parameters, error);
    if (rc == ERR_OK)
        rc = body_bool(body, "allow_cleanup", &change->allow_cleanup, error);
    change->has_allow_cleanup = json_object_get(body, "allow_cleanup") != NULL;
    change->is_empty = json_object_size(body) == 0;
    return rc;
}

/* The instance's new limits, under the plan that it will have. */
static enum err resolve(struct change *change, const struct open_plan *plan,
                        struct instance_change *write, struct error *error)
{
    json_t *current = json_loads(change->edit.row.parameters, 0, NULL);
    json_t *none = json_object(), *merged = NULL, *limits = NULL;
    json_t *old_limits = json_loads(change->edit.row.limits, 0, NULL);
    enum err rc = plan_merge_parameters(
        &plan->plan, current, change->parameters ? change->parameters : none, &merged, error);

    if (rc == ERR_OK)
        rc = body_bool(merged, "onetime_credentials", &write->is_onetime, error);
    if (rc == ERR_OK)
        rc = plan_resolve_limits(&plan->plan, merged, &limits, error);
    if (rc == ERR_OK) {
        write->parameters = json_in_arena(merged, change->edit.call->arena);
        write->limits = json_in_arena(limits, change->edit.call->arena);
        write->is_published |= !json_equal(limits, old_limits);
        if (!write->parameters || !write->limits)
            rc = error_set(error, ERR_NO_MEMORY, "update: no memory");
    }
    json_decref(old_limits);
    json_decref(limits);
    json_decref(merged);
    json_decref(none);
    json_decref(current);
    return rc;
}

/* The plan that the instance will have: its own, or one that its own leads to. */
static enum err choose_plan(struct change *change, struct open_plan *plan,
                            struct instance_change *write, struct error *error)
{
    struct call *call = change->edit.call;
    enum err rc =
        open_plan_load(call->db, change->edit.row.plan_id, true, call->arena, plan, error);

    if (rc != ERR_OK || !change->plan_id || strcmp(change->plan_id, change->edit.row.plan_id) == 0)
        return rc;
    rc = plan_check_upgrade(&plan->plan, change->plan_id, error);
    if (rc != ERR_OK)
        return rc;
    open_plan_done(plan);
    rc = open_plan_load(call->db, change->plan_id, false, call->arena, plan, error);
    if (rc != ERR_OK)
        return rc;
    write->is_published = true;
    return ERR_OK;
}

static enum err write_update(struct change *change, enum instance_phase next, struct error *error)
{
    struct call *call = change->edit.call;
    struct open_plan plan = {.limits = NULL};
    struct instance_change write = {
        .account_id = call->principal.account_id,
        .instance_id = change->edit.instance_id,
        .name = change->name ? change->name : change->edit.row.name,
        .is_onetime = change->edit.row.is_onetime,
        .allow_cleanup =
            change->has_allow_cleanup ? change->allow_cleanup : change->edit.row.allow_cleanup,
        .updated_by = call->principal.iam_id,
    };
    enum err rc = choose_plan(change, &plan, &write, error);

    if (rc == ERR_OK)
        rc = resolve(change, &plan, &write, error);
    if (rc == ERR_OK) {
        write.plan_id = plan.plan.plan_id;
        write.topic_settings = plan.topic_settings;
        write.internal_partitions = plan.plan.internal_partitions;
        write.internal_visible = plan.plan.internal_visible;
        write.phase = write.is_published ? phase_name(next) : change->edit.row.phase;
        rc = store_update_instance(call->db, &write, error);
    }
    if (rc == ERR_OK)
        rc = instance_edit_open_operation(&change->edit, "update", write.is_published,
                                          write.is_published ? "Update in progress."
                                                             : "Update succeeded.",
                                          write.is_published && plan.plan.is_dedicated, error);
    open_plan_done(&plan);
    change->is_published = write.is_published;
    return rc;
}

static enum err update_in_transaction(struct db *db, void *context, struct error *error)
{
    struct change *change = context;
    enum instance_phase next;
    enum err rc = instance_edit_begin(&change->edit, error);

    (void)db; /* the call's own */
    if (rc == ERR_OK)
        rc = instance_edit_next(&change->edit, EVENT_UPDATE, &next, error);
    if (rc != ERR_OK || change->is_empty)
        return rc;
    rc = write_update(change, next, error);
    if (rc == ERR_OK)
        rc = call_audit(change->edit.call, change->edit.row.crn, error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_serve_update_before_commit, error) : rc;
}

static void update_wait(struct http_request *request);

static enum err update_look(struct call *call, struct error *error)
{
    const struct change *change = call->state;
    struct instance_row row;
    bool is_waiting = false;
    enum err rc = instance_wait(call, change->edit.instance_id, phase_name(PHASE_UPDATING),
                                update_wait, &row, &is_waiting, error);

    if (rc == ERR_OK && !is_waiting)
        rc = failpoint_pass(FAILPOINT_serve_update_before_answer, error);
    if (rc != ERR_OK || is_waiting)
        return rc;
    if (strcmp(row.phase, phase_name(PHASE_UPDATING)) == 0)
        return instance_reply_pending(call, change->edit.instance_id, error);
    instance_reply(call, 200, &row);
    return ERR_OK;
}

static void update_wait(struct http_request *request)
{
    call_continue(request, update_look);
}

static enum err update(struct call *call, struct error *error)
{
    struct change *change = arena_new(call->arena, struct change);
    json_t *body = NULL;

    if (!change)
        return error_set(error, ERR_NO_MEMORY, "update: no memory");
    change->edit.call = call;
    call->state = change;
    enum err rc = instance_id_of_path(call, &change->edit.instance_id, error);
    if (rc == ERR_OK)
        rc = http_json_body(call->request, &body, error);
    if (rc == ERR_OK)
        rc = read_update(change, body, error);
    if (rc == ERR_OK)
        rc = db_transaction(call->db, update_in_transaction, change, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_serve_update_after_commit, error);
    json_decref(body);
    if (rc != ERR_OK)
        return rc;
    if (change->is_published)
        call_notify(call, change->edit.instance_id);
    return update_look(call, error);
}

void resource_instances_update(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.update", update);
}
