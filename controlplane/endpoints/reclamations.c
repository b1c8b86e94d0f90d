/* SPDX-License-Identifier: Apache-2.0 */
/* What was deleted on a plan with reclamation and is not yet gone: list, restore, reclaim. The answer does not wait: its
 * state says what is under way, RESTORING or RECLAIMING; the instance shows when it is done. */
#include "controlplane/endpoints/reclamations.h"

#include <string.h>

#include "controlplane/domain/crn.h"
#include "controlplane/endpoints/resource_instances_internal.h"
#include "controlplane/store/reclamations.h"
#include "controlplane/store/transaction.h"

#define LIST_MAX 200

static json_t *render(const struct reclamation_row *row)
{
    char id[UUID_TEXT_LEN + 1], guid[UUID_TEXT_LEN + 1];

    uuid_format(row->reclamation_id, id);
    uuid_format(row->instance_id, guid);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{}, s:s, s:s, s:s, s:s}",
                     "id", id, "entity_id", guid, "entity_type_id", row->resource_id, "entity_crn",
                     row->instance_crn, "resource_instance_id", guid, "resource_group_id",
                     row->resource_group_id, "account_id", row->account_id, "policy_id", "",
                     "state", row->state, "target_time", row->target_time, "custom_properties",
                     "created_at", row->created_at, "created_by", row->created_by, "updated_at",
                     row->updated_at, "updated_by", row->updated_by);
}

/* ---- list ---- */

static enum err list(struct call *call, struct error *error)
{
    const struct http_request *request = call->request;
    const char *account_id = call->principal.account_id;
    const char *instance = http_query(request, "resource_instance_id");
    const char *asked_account = http_query(request, "account_id");
    struct reclamation_row *rows = NULL;
    struct uuid instance_id = {{0}};
    int count = 0;
    bool is_empty = (asked_account && strcmp(asked_account, account_id) != 0) ||
                    (instance && crn_parse_instance(instance, account_id, &instance_id) != ERR_OK);
    enum err rc = ERR_OK;

    if (!is_empty)
        rc = store_list_reclamations(call->db, account_id, instance_id,
                                     http_query(request, "resource_group_id"), LIST_MAX,
                                     call->arena, &rows, &count, error);
    if (rc != ERR_OK)
        return rc;
    json_t *resources = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(resources, render(&rows[i]));
    http_reply_json(call->request, 200, json_pack("{s:o}", "resources", resources));
    return ERR_OK;
}

void reclamations_list(struct http_request *request)
{
    call_run(request, ROLE_READER, "messagehub.reclamation.list", list);
}

/* ---- actions ---- */

struct action {
    struct instance_edit edit;
    struct uuid reclamation_id;
    struct reclamation_row row;
    bool is_restore;
    const char *comment;
};

static enum err act_on_instance(struct db *db, struct action *action, struct error *error)
{
    struct instance_edit *edit = &action->edit;
    const char *account_id = edit->call->principal.account_id;
    const char *who = edit->call->principal.iam_id;
    enum instance_phase next;
    enum err rc =
        instance_edit_next(edit, action->is_restore ? EVENT_RESTORE : EVENT_RECLAIM, &next, error);

    if (rc != ERR_OK)
        return rc;
    if (action->is_restore)
        rc = store_restore_instance(db, account_id, edit->instance_id, who, error);
    else
        rc = store_delete_instance(db, account_id, edit->instance_id, who, error);
    if (rc == ERR_OK)
        rc = instance_edit_open_operation(
            edit, action->is_restore ? "reclamation" : "delete", true,
            action->is_restore ? "Restore in progress." : "Reclamation in progress.", true, error);
    if (rc == ERR_OK)
        rc = call_audit(edit->call, edit->row.crn, error);
    return rc;
}

static enum err act_in_transaction(struct db *db, void *context, struct error *error)
{
    struct action *action = context;
    struct call *call = action->edit.call;
    const char *account_id = call->principal.account_id;
    enum err rc = store_load_reclamation(db, account_id, action->reclamation_id, call->arena,
                                         &action->row, error);

    if (rc == ERR_OK) {
        action->edit.instance_id = action->row.instance_id;
        rc = instance_edit_begin(&action->edit, error);
    }
    if (rc == ERR_OK)
        rc = act_on_instance(db, action, error);
    if (rc == ERR_OK)
        rc = store_set_reclamation(db, account_id, action->reclamation_id,
                                   action->is_restore ? "RESTORING" : "RECLAIMING",
                                   call->principal.iam_id, action->comment, error);
    if (rc == ERR_OK)
        rc = store_load_reclamation(db, account_id, action->reclamation_id, call->arena,
                                    &action->row, error);
    return rc;
}

/* {"request_by", "comment"}, both optional, as is the body. */
static enum err read_body(struct action *action, json_t *body, struct error *error)
{
    static const char *const members[] = {"request_by", "comment", NULL};
    const char *requested_by = NULL;
    enum err rc = body_check_members(body, members, error);

    if (rc == ERR_OK)
        rc = body_text(body, "request_by", false, &requested_by, error);
    if (rc == ERR_OK)
        rc = body_text(body, "comment", false, &action->comment, error);
    if (rc == ERR_OK && action->comment && strlen(action->comment) > 1000)
        rc = error_set(error, ERR_INVALID, "comment is longer than 1000 bytes.");
    return rc;
}

static enum err act(struct call *call, struct error *error)
{
    struct action action = {.edit = {.call = call}};
    const char *name = call->request->params[1];
    json_t *body = NULL;
    enum err rc = ERR_OK;

    action.is_restore = strcmp(name, "restore") == 0;
    if (action.is_restore)
        call->action = "messagehub.instance.restore";
    if (!action.is_restore && strcmp(name, "reclaim") != 0)
        return error_set(error, ERR_NOT_FOUND, "The actions are restore and reclaim.");
    if (uuid_parse(slice_from_cstring(call->request->params[0]), &action.reclamation_id) != ERR_OK)
        return error_set(error, ERR_NOT_FOUND, "There is no such reclamation.");
    if (call->request->body.len > 0) {
        rc = http_json_body(call->request, &body, error);
        if (rc == ERR_OK)
            rc = read_body(&action, body, error);
    }
    if (rc == ERR_OK)
        rc = db_transaction(call->db, act_in_transaction, &action, error);
    json_decref(body);
    if (rc != ERR_OK)
        return rc;
    call_notify(call, action.edit.instance_id);
    http_reply_json(call->request, 200, render(&action.row));
    return ERR_OK;
}

void reclamations_act(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.reclaim", act);
}
