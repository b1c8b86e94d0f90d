/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting instances: for good, or on a plan with reclamation softly. A delete overtakes what runs, and is answered when it is
 * done (204), or after two seconds at most (202). */
#include <string.h>
#include <strings.h>

#include "common/crypto/encoding.h"
#include "common/port/random.h"
#include "controlplane/endpoints/resource_instances_internal.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/store/credentials.h"
#include "controlplane/store/reclamations.h"
#include "controlplane/store/transaction.h"

struct deletion {
    struct instance_edit edit;
    bool is_recursive;
    bool was_deleting;
    enum instance_phase next;
};

/* What is retired keeps its keys: they come back with it. */
static enum err check_children(struct deletion *deletion, struct error *error)
{
    struct call *call = deletion->edit.call;
    const char *account_id = call->principal.account_id;
    struct uuid instance_id = deletion->edit.instance_id;
    int64_t count = 0;

    if (deletion->is_recursive && deletion->next == PHASE_RETIRING)
        return ERR_OK;
    if (deletion->is_recursive)
        return store_delete_credentials_of(call->db, account_id, instance_id,
                                           call->principal.iam_id, NULL, error);
    enum err rc = store_count_credentials_of(call->db, account_id, instance_id, &count, error);
    if (rc == ERR_OK && count > 0)
        return error_set(error, ERR_INVALID,
                         "The instance has %lld keys; delete them first, or pass recursive=true.",
                         (long long)count);
    return rc;
}

static enum err retire(struct deletion *deletion, struct error *error)
{
    struct call *call = deletion->edit.call;
    const char *account_id = call->principal.account_id, *who = call->principal.iam_id;
    struct uuid reclamation_id;

    if (uuid_generate(&system_random, &reclamation_id) != ERR_OK)
        return error_set(error, ERR_INTERNAL, "reclamation: no randomness");
    enum err rc =
        store_retire_instance(call->db, account_id, deletion->edit.instance_id, who, error);
    if (rc == ERR_OK)
        rc = store_insert_reclamation(call->db, reclamation_id, account_id,
                                      deletion->edit.instance_id, who, error);
    if (rc == ERR_OK)
        rc = instance_edit_open_operation(&deletion->edit, "reclamation", true,
                                          "Reclamation is being scheduled.", true, error);
    return rc;
}

static enum err delete_for_good(struct deletion *deletion, struct error *error)
{
    struct call *call = deletion->edit.call;
    enum err rc = store_delete_instance(call->db, call->principal.account_id,
                                        deletion->edit.instance_id, call->principal.iam_id, error);

    if (rc == ERR_OK)
        rc = instance_edit_open_operation(&deletion->edit, "delete", true, "Deletion in progress.",
                                          false, error);
    return rc;
}

static enum err delete_in_transaction(struct db *db, void *context, struct error *error)
{
    struct deletion *deletion = context;
    struct instance_edit *edit = &deletion->edit;
    enum err rc = instance_edit_begin(edit, error);

    (void)db; /* the call's own */
    if (rc == ERR_OK)
        rc = instance_edit_next(edit, edit->row.reclamation_hours > 0 ? EVENT_RETIRE : EVENT_DELETE,
                                &deletion->next, error);
    deletion->was_deleting = rc == ERR_EXISTS;
    if (deletion->was_deleting)
        return ERR_OK;
    if (rc == ERR_OK)
        rc = check_children(deletion, error);
    if (rc == ERR_OK)
        rc = deletion->next == PHASE_RETIRING ? retire(deletion, error)
                                              : delete_for_good(deletion, error);
    if (rc == ERR_OK)
        rc = call_audit(edit->call, edit->row.crn, error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_serve_delete_before_commit, error) : rc;
}

static void delete_wait(struct http_request *request);

static enum err delete_look(struct call *call, struct error *error)
{
    const struct deletion *deletion = call->state;
    struct instance_row row;
    bool is_waiting = false;
    const char *phase = phase_name(deletion->next);
    enum err rc = instance_wait(call, deletion->edit.instance_id, phase, delete_wait, &row,
                                &is_waiting, error);

    if (rc == ERR_OK && !is_waiting)
        rc = failpoint_pass(FAILPOINT_serve_delete_before_answer, error);
    if (rc != ERR_OK || is_waiting)
        return rc;
    if (strcmp(row.phase, phase) == 0)
        return instance_reply_pending(call, deletion->edit.instance_id, error);
    http_reply_empty(call->request, 204);
    return ERR_OK;
}

static void delete_wait(struct http_request *request)
{
    call_continue(request, delete_look);
}

static enum err read_recursive(struct deletion *deletion, struct error *error)
{
    const char *text = http_query(deletion->edit.call->request, "recursive");

    if (text && strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)
        return error_set(error, ERR_INVALID, "recursive must be true or false.");
    deletion->is_recursive = text && strcasecmp(text, "true") == 0;
    return ERR_OK;
}

static enum err delete_instance(struct call *call, struct error *error)
{
    struct deletion *deletion = arena_new(call->arena, struct deletion);

    if (!deletion)
        return error_set(error, ERR_NO_MEMORY, "delete: no memory");
    deletion->edit.call = call;
    call->state = deletion;
    enum err rc = instance_id_of_path(call, &deletion->edit.instance_id, error);
    if (rc == ERR_OK)
        rc = read_recursive(deletion, error);
    if (rc == ERR_OK)
        rc = db_transaction(call->db, delete_in_transaction, deletion, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_serve_delete_after_commit, error);
    if (rc != ERR_OK)
        return rc;
    if (deletion->was_deleting)
        return instance_reply_pending(call, deletion->edit.instance_id, error);
    call_notify(call, deletion->edit.instance_id);
    return delete_look(call, error);
}

void resource_instances_delete(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.delete", delete_instance);
}
