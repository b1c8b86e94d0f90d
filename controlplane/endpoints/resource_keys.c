/* SPDX-License-Identifier: Apache-2.0 */
/* Service credentials: show, list, rename, delete. Making one: resource_keys_create.c.
 *
 * The key itself is shown again only when it was sealed at creation (not with onetime_credentials), only to a
 * Manager, and each such read leaves an audit row. Deleting is answered when the brokers have dropped the key and
 * its connections (204), or after two seconds at most (202). */
#include "controlplane/endpoints/resource_keys.h"

#include <string.h>

#include "controlplane/domain/crn.h"
#include "controlplane/domain/names.h"
#include "controlplane/endpoints/etag.h"
#include "controlplane/endpoints/paging.h"
#include "controlplane/endpoints/render.h"
#include "controlplane/endpoints/resource_instances.h"
#include "controlplane/endpoints/resource_keys_internal.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/store/credentials.h"
#include "controlplane/store/instances.h"
#include "controlplane/store/transaction.h"

#define PATH "/v2/resource_keys"

const char *key_seal_purpose(struct call *call, struct uuid credential_id)
{
    char guid[UUID_TEXT_LEN + 1];

    uuid_format(credential_id, guid);
    return arena_printf(call->arena, "credential:%s", guid);
}

enum err key_render(struct call *call, const struct credential_row *row, json_t **ret_key,
                    struct error *error)
{
    struct slice text = SLICE_NULL;
    json_t *credentials = NULL;
    const char *reason = "REDACTED";
    enum err rc = ERR_OK;

    if (call->principal.role < ROLE_MANAGER) {
        reason = "REDACTED_EXPLICIT";
    } else if (!slice_is_null(row->sealed_key) && strcmp(row->state, "removed") != 0) {
        const char *purpose = key_seal_purpose(call, row->credential_id);

        rc = purpose ? unseal(call->endpoints->seal_key, purpose, row->sealed_key, call->arena,
                              &text, error)
                     : error_set(error, ERR_NO_MEMORY, "key: no memory");
        if (rc != ERR_OK)
            return rc;
        credentials =
            render_credentials(row, (const char *)text.data, call->endpoints->ca_certificate_pem);
    }
    *ret_key = render_key(row, credentials, reason);
    return *ret_key ? ERR_OK : error_set(error, ERR_NO_MEMORY, "key: no memory");
}

enum err key_reply(struct call *call, int status, const struct credential_row *row,
                   struct error *error)
{
    json_t *key = NULL, *seen_by_all = render_key(row, NULL, "");
    enum err rc = key_render(call, row, &key, error);

    etag_reply(call->request, seen_by_all);
    json_decref(seen_by_all);
    if (rc == ERR_OK)
        http_reply_json(call->request, status, key);
    return rc;
}

static enum err key_id_of_path(struct call *call, struct uuid *ret_key, struct error *error)
{
    if (crn_parse_key(call->request->params[0], call->principal.account_id, ret_key) != ERR_OK)
        return error_set(error, ERR_NOT_FOUND, "There is no such key.");
    return ERR_OK;
}

/* ---- get ---- */

static enum err get(struct call *call, struct error *error)
{
    struct uuid credential_id;
    struct credential_row row;
    enum err rc = key_id_of_path(call, &credential_id, error);

    if (rc == ERR_OK)
        rc = store_load_credential(call->db, call->principal.account_id, credential_id, call->arena,
                                   &row, error);
    if (rc == ERR_OK && !slice_is_null(row.sealed_key))
        rc = call_audit(call, row.crn, error);
    if (rc == ERR_OK)
        rc = key_reply(call, 200, &row, error);
    return rc;
}

void resource_keys_get(struct http_request *request)
{
    call_run(request, ROLE_READER, "messagehub.credential.read", get);
}

/* ---- lists ---- */

static enum err list_page(struct call *call, const struct page *page, struct uuid instance_id,
                          const char *path, struct error *error)
{
    struct credential_filter filter = {
        .account_id = call->principal.account_id,
        .instance_id = instance_id,
        .name = page_filter(page, "name"),
        .resource_group_id = page_filter(page, "resource_group_id"),
        .resource_id = page_filter(page, "resource_id"),
        .updated_from = page_filter(page, "updated_from"),
        .updated_to = page_filter(page, "updated_to"),
        .after = page->after,
        .limit = page->limit + 1,
    };
    struct credential_row *rows = NULL;
    const char *guid = page_filter(page, "guid");
    bool is_empty = guid && crn_parse_key(guid, filter.account_id, &filter.credential_id) != ERR_OK;
    int count = 0;
    enum err rc = ERR_OK;

    if (!is_empty)
        rc = store_list_credentials(call->db, &filter, call->arena, &rows, &count, error);
    if (rc == ERR_INVALID)
        return error_set(error, rc, "updated_from and updated_to must be RFC 3339 times.");
    if (rc == ERR_OK && count > 0)
        rc = call_audit(call, path, error);
    bool has_more = count > page->limit;
    int shown = has_more ? count - 1 : count;
    json_t *resources = json_array();
    for (int i = 0; rc == ERR_OK && i < shown; i++) {
        json_t *key = NULL;

        rc = key_render(call, &rows[i], &key, error);
        json_array_append_new(resources, key);
    }
    if (rc != ERR_OK) {
        json_decref(resources);
        return rc;
    }
    page_reply(call, page, path, resources, has_more, shown > 0 ? rows[shown - 1].created_seq : 0);
    return ERR_OK;
}

static enum err list(struct call *call, struct error *error)
{
    static const char *const names[] = {
        "guid", "name", "resource_group_id", "resource_id", "updated_from", "updated_to", NULL};
    struct page page;
    enum err rc = page_read(call, "keys", names, &page, error);

    if (rc != ERR_OK)
        return rc;
    rc = list_page(call, &page, (struct uuid){{0}}, PATH, error);
    page_done(&page);
    return rc;
}

void resource_keys_list(struct http_request *request)
{
    call_run(request, ROLE_READER, "messagehub.credential.list", list);
}

static enum err list_of_instance(struct call *call, struct error *error)
{
    static const char *const names[] = {NULL};
    char guid[UUID_TEXT_LEN + 1];
    struct uuid instance_id;
    struct instance_row row;
    struct page page;
    enum err rc = instance_id_of_path(call, &instance_id, error);

    if (rc == ERR_OK)
        rc = store_load_instance(call->db, call->principal.account_id, instance_id, call->arena,
                                 &row, error);
    if (rc != ERR_OK)
        return rc;
    uuid_format(instance_id, guid);
    const char *kind = arena_printf(call->arena, "keys:%s", guid);
    const char *path = arena_printf(call->arena, "/v2/resource_instances/%s/resource_keys", guid);
    if (!kind || !path)
        return error_set(error, ERR_NO_MEMORY, "list: no memory");
    rc = page_read(call, kind, names, &page, error);
    if (rc != ERR_OK)
        return rc;
    rc = list_page(call, &page, instance_id, path, error);
    page_done(&page);
    return rc;
}

void resource_keys_list_of_instance(struct http_request *request)
{
    call_run(request, ROLE_READER, "messagehub.credential.list", list_of_instance);
}

/* ---- rename ---- */

struct key_change {
    struct call *call;
    struct uuid credential_id;
    const char *name;
    struct credential_row row;
    bool was_deleting;
};

static enum err lock_key(struct key_change *change, struct error *error)
{
    struct call *call = change->call;
    enum err rc = store_lock_credential(call->db, call->principal.account_id, change->credential_id,
                                        call->arena, &change->row, error);

    if (rc == ERR_OK && strcmp(change->row.state, "removed") == 0)
        return error_set(error, ERR_GONE, "The key was removed.");
    if (rc == ERR_OK && http_header(call->request, "If-Match"))
        rc = etag_check(call->request, render_key(&change->row, NULL, ""), error);
    change->was_deleting = rc == ERR_OK && strcmp(change->row.state, "deleting") == 0;
    return rc;
}

static enum err rename_in_transaction(struct db *db, void *context, struct error *error)
{
    struct key_change *change = context;
    struct call *call = change->call;
    enum err rc = lock_key(change, error);

    if (rc == ERR_OK && change->was_deleting)
        return error_set(error, ERR_CONFLICT, "The key is being deleted.");
    if (rc == ERR_OK)
        rc = store_rename_credential(db, call->principal.account_id, change->credential_id,
                                     change->name, call->principal.iam_id, error);
    if (rc == ERR_OK)
        rc = call_audit(call, change->row.crn, error);
    if (rc == ERR_OK)
        rc = store_load_credential(db, call->principal.account_id, change->credential_id,
                                   call->arena, &change->row, error);
    return rc;
}

static enum err update(struct call *call, struct error *error)
{
    static const char *const members[] = {"name", NULL};
    struct key_change change = {.call = call};
    json_t *body = NULL;
    enum err rc = key_id_of_path(call, &change.credential_id, error);

    if (rc == ERR_OK)
        rc = http_json_body(call->request, &body, error);
    if (rc == ERR_OK)
        rc = body_check_members(body, members, error);
    if (rc == ERR_OK)
        rc = body_text(body, "name", true, &change.name, error);
    if (rc == ERR_OK)
        rc = name_check("name", slice_from_cstring(change.name), error);
    if (rc == ERR_OK)
        rc = db_transaction(call->db, rename_in_transaction, &change, error);
    if (rc == ERR_OK)
        rc = key_reply(call, 200, &change.row, error);
    json_decref(body);
    return rc;
}

void resource_keys_update(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.credential.update", update);
}

/* ---- delete ---- */

static enum err delete_in_transaction(struct db *db, void *context, struct error *error)
{
    struct key_change *change = context;
    struct call *call = change->call;
    enum err rc = lock_key(change, error);

    if (rc != ERR_OK || change->was_deleting)
        return rc;
    rc = store_delete_credential(db, call->principal.account_id, change->credential_id,
                                 call->principal.iam_id, error);
    if (rc == ERR_OK)
        rc = call_audit(call, change->row.crn, error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_serve_key_delete_before_commit, error) : rc;
}

static void delete_wait(struct http_request *request);

static enum err delete_look(struct call *call, struct error *error)
{
    const struct uuid *credential_id = call->state;
    struct credential_row row;
    enum err rc = store_load_credential(call->db, call->principal.account_id, *credential_id,
                                        call->arena, &row, error);

    if (rc != ERR_OK)
        return rc;
    bool is_deleting = strcmp(row.state, "deleting") == 0;
    if (is_deleting && !call->request->is_wait_over) {
        http_wait(call->request, *credential_id, delete_wait);
        return ERR_OK;
    }
    rc = failpoint_pass(FAILPOINT_serve_key_delete_before_answer, error);
    if (rc == ERR_OK && is_deleting)
        return key_reply(call, 202, &row, error);
    if (rc == ERR_OK)
        http_reply_empty(call->request, 204);
    return rc;
}

static void delete_wait(struct http_request *request)
{
    call_continue(request, delete_look);
}

static enum err delete_key(struct call *call, struct error *error)
{
    struct key_change change = {.call = call};
    struct uuid *credential_id = arena_new(call->arena, struct uuid);

    if (!credential_id)
        return error_set(error, ERR_NO_MEMORY, "delete: no memory");
    enum err rc = key_id_of_path(call, &change.credential_id, error);
    if (rc == ERR_OK)
        rc = db_transaction(call->db, delete_in_transaction, &change, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_serve_key_delete_after_commit, error);
    if (rc != ERR_OK)
        return rc;
    *credential_id = change.credential_id;
    call->state = credential_id;
    call_notify(call, *credential_id);
    return delete_look(call, error);
}

void resource_keys_delete(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.credential.delete", delete_key);
}
