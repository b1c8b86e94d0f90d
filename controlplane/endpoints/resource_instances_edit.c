/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/etag.h"
#include "controlplane/endpoints/render.h"
#include "controlplane/endpoints/resource_instances_internal.h"

enum err instance_edit_open_operation(const struct instance_edit *edit, const char *type,
                                      bool is_running, const char *description, bool is_async,
                                      struct error *error)
{
    struct call *call = edit->call;
    struct new_operation operation = {
        .account_id = call->principal.account_id,
        .instance_id = edit->instance_id,
        .type = type,
        .state = is_running ? "in progress" : "succeeded",
        .description = description,
        .request_id = call->request->request_id,
        .created_by = call->principal.iam_id,
        .is_async = is_async,
    };

    return store_insert_operation(call->db, &operation, error);
}

enum err instance_edit_begin(struct instance_edit *edit, struct error *error)
{
    struct call *call = edit->call;
    enum err rc = store_lock_instance(call->db, call->principal.account_id, edit->instance_id,
                                      call->arena, &edit->row, error);

    if (rc == ERR_OK && http_header(call->request, "If-Match"))
        rc = etag_check(call->request, render_instance(&edit->row), error);
    return rc;
}

enum err instance_edit_next(const struct instance_edit *edit, enum instance_event event,
                            enum instance_phase *ret_next, struct error *error)
{
    enum instance_phase phase;

    if (phase_parse(edit->row.phase, &phase) != ERR_OK)
        return error_set(error, ERR_CORRUPT, "phase %s is not known", edit->row.phase);
    return lifecycle_next(phase, event, edit->row.is_locked, ret_next, error);
}
