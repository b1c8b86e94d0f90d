/* SPDX-License-Identifier: Apache-2.0 */
/* Lock, unlock, and the cancelling of an operation, which is never possible: ours are short, and a delete overtakes
 * them. */
#include "controlplane/endpoints/render.h"
#include "controlplane/endpoints/resource_instances_internal.h"
#include "controlplane/store/transaction.h"

struct guard_change {
    struct instance_edit edit;
    bool is_locked; /* wanted */
};

static enum err lock_in_transaction(struct db *db, void *context, struct error *error)
{
    struct guard_change *change = context;
    struct instance_edit *edit = &change->edit;
    struct call *call = edit->call;
    enum instance_phase next;
    enum err rc = instance_edit_begin(edit, error);

    if (rc == ERR_OK)
        rc = instance_edit_next(edit, EVENT_LOCK, &next, error);
    if (rc != ERR_OK)
        return rc;
    rc = store_lock_flag(db, call->principal.account_id, edit->instance_id, change->is_locked,
                         call->principal.iam_id, error);
    if (rc == ERR_OK)
        rc = instance_edit_open_operation(
            edit, change->is_locked ? "lock" : "unlock", false,
            change->is_locked ? "Lock succeeded." : "Unlock succeeded.", false, error);
    if (rc == ERR_OK)
        rc = call_audit(call, edit->row.crn, error);
    return rc;
}

static enum err set_lock(struct call *call, bool is_locked, struct error *error)
{
    struct guard_change change = {.edit = {.call = call}, .is_locked = is_locked};
    struct instance_row row;
    enum err rc = instance_id_of_path(call, &change.edit.instance_id, error);

    if (rc == ERR_OK)
        rc = db_transaction(call->db, lock_in_transaction, &change, error);
    if (rc == ERR_OK)
        rc = store_load_instance(call->db, call->principal.account_id, change.edit.instance_id,
                                 call->arena, &row, error);
    if (rc == ERR_OK)
        instance_reply(call, 200, &row);
    return rc;
}

static enum err lock(struct call *call, struct error *error)
{
    return set_lock(call, true, error);
}

static enum err unlock(struct call *call, struct error *error)
{
    return set_lock(call, false, error);
}

void resource_instances_lock(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.lock", lock);
}

void resource_instances_unlock(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.unlock", unlock);
}

static enum err cancel(struct call *call, struct error *error)
{
    struct uuid instance_id;
    struct instance_row row;
    enum err rc = instance_id_of_path(call, &instance_id, error);

    if (rc == ERR_OK)
        rc = store_load_instance(call->db, call->principal.account_id, instance_id, call->arena,
                                 &row, error);
    if (rc == ERR_OK)
        http_reply_problem(call->request, 422, "not_cancelable", "The instance is not cancelable.");
    return rc;
}

void resource_instances_cancel(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.cancel", cancel);
}
