/* SPDX-License-Identifier: Apache-2.0 */
/* Instances of the service: create, show, list. Changing, deleting and locking have files of their own.
 *
 * Create writes desired state, operation and audit row in one transaction and wakes provision. A shared plan is answered
 * when the instance is there (201 active), or after two seconds at most (202 provisioning); a dedicated plan at
 * once with 202, because a broker has to start first. */
#include "controlplane/endpoints/resource_instances.h"

#include <string.h>

#include "common/crypto/encoding.h"
#include "controlplane/domain/crn.h"
#include "controlplane/domain/lifecycle.h"
#include "controlplane/domain/names.h"
#include "controlplane/endpoints/etag.h"
#include "controlplane/endpoints/idempotency.h"
#include "controlplane/endpoints/paging.h"
#include "controlplane/endpoints/plans.h"
#include "controlplane/endpoints/render.h"
#include "controlplane/store/instances.h"
#include "controlplane/store/transaction.h"
#include "controlplane/failpoint/failpoint.h"

#define PATH "/v2/resource_instances"

/* ---- shared with change ---- */

enum err instance_id_of_path(struct call *call, struct uuid *ret_instance, struct error *error)
{
    if (crn_parse_instance(call->request->params[0], call->principal.account_id, ret_instance) !=
        ERR_OK)
        return error_set(error, ERR_NOT_FOUND, "There is no such instance.");
    return ERR_OK;
}

void instance_reply(struct call *call, int status, const struct instance_row *row)
{
    json_t *instance = render_instance(row);

    etag_reply(call->request, instance);
    http_reply_json(call->request, status, instance);
}

enum err instance_wait(struct call *call, struct uuid instance_id, const char *phase,
                       http_handler_fn next, struct instance_row *ret_row, bool *ret_is_waiting,
                       struct error *error)
{
    enum err rc = store_load_instance(call->db, call->principal.account_id, instance_id,
                                      call->arena, ret_row, error);

    *ret_is_waiting = false;
    if (rc != ERR_OK || strcmp(ret_row->phase, phase) != 0 || call->request->is_wait_over)
        return rc;
    *ret_is_waiting = true;
    http_wait(call->request, instance_id, next);
    return ERR_OK;
}

enum err instance_reply_pending(struct call *call, struct uuid instance_id, struct error *error)
{
    struct instance_row row;
    enum err rc =
        store_mark_operation_async(call->db, call->principal.account_id, instance_id, error);

    if (rc == ERR_OK)
        rc = store_load_instance(call->db, call->principal.account_id, instance_id, call->arena,
                                 &row, error);
    if (rc == ERR_OK)
        instance_reply(call, 202, &row);
    return rc;
}

/* ---- create ---- */

/* What is left of a creation while its request waits, or when its repetition goes on with it. */
struct creation_wait {
    struct uuid instance_id;
    struct idempotency idempotency;
    bool is_dedicated;
};

struct creation {
    struct call *call;
    struct new_instance instance;
    struct open_plan plan;
    struct creation_wait *wait;
    char label[HOST_LABEL_LEN + 1];
    char crn[CRN_MAX_LEN + 1], target_crn[CRN_MAX_LEN + 1];
};

/* The one region by its name, or as a catalog deployment: "…deployment:<plan>%3A<region>", "<plan>:<region>". */
static enum err check_target(const struct call *call, const char *target, struct error *error)
{
    const char *region = call->endpoints->region;
    size_t len = strlen(target), region_len = strlen(region);
    const char *tail = len >= region_len ? target + len - region_len : "";
    bool is_deployment =
        len > region_len && strcmp(tail, region) == 0 &&
        (tail[-1] == ':' || (len >= region_len + 3 && strncasecmp(tail - 3, "%3a", 3) == 0));

    if (strcmp(target, region) == 0 || is_deployment)
        return ERR_OK;
    return error_set(error, ERR_INVALID, "target must be %s.", region);
}

static enum err check_resource_group(struct creation *creation, const char *group,
                                     struct error *error)
{
    struct call *call = creation->call;
    const char *id = crn_last_part(group);
    bool is_there = false;
    enum err rc = ERR_OK;

    if (account_id_is_valid(id))
        rc = store_has_resource_group(call->db, call->principal.account_id, id, &is_there, error);
    if (rc != ERR_OK)
        return rc;
    if (!is_there)
        return error_set(error, ERR_INVALID, "There is no such resource_group.");
    creation->instance.resource_group_id = id;
    return ERR_OK;
}

static enum err read_parameters(struct creation *creation, const json_t *body, struct error *error)
{
    struct new_instance *instance = &creation->instance;
    const json_t *parameters = NULL;
    json_t *none = json_object(), *limits = NULL;
    enum err rc = body_object(body, "parameters", &parameters, error);

    if (!parameters)
        parameters = none;
    if (rc == ERR_OK)
        rc = body_bool(parameters, "onetime_credentials", &instance->is_onetime, error);
    if (rc == ERR_OK)
        rc = plan_resolve_limits(&creation->plan.plan, parameters, &limits, error);
    if (rc == ERR_OK) {
        instance->limits = json_in_arena(limits, creation->call->arena);
        instance->parameters = json_in_arena(parameters, creation->call->arena);
        if (!instance->limits || !instance->parameters)
            rc = error_set(error, ERR_NO_MEMORY, "create: no memory");
    }
    json_decref(limits);
    json_decref(none);
    return rc;
}

static enum err read_body(struct creation *creation, const json_t *body, struct error *error)
{
    static const char *const members[] = {
        "name", "target",        "resource_group", "resource_plan_id",
        "tags", "allow_cleanup", "parameters",     NULL};
    struct new_instance *instance = &creation->instance;
    const char *target = NULL, *group = NULL, *plan_id = NULL;
    struct call *call = creation->call;
    enum err rc = body_check_members(body, members, error);

    if (rc == ERR_OK)
        rc = body_text(body, "name", true, &instance->name, error);
    if (rc == ERR_OK)
        rc = name_check("name", slice_from_cstring(instance->name), error);
    if (rc == ERR_OK)
        rc = body_text(body, "target", true, &target, error);
    if (rc == ERR_OK)
        rc = check_target(call, target, error);
    if (rc == ERR_OK)
        rc = body_text(body, "resource_group", true, &group, error);
    if (rc == ERR_OK)
        rc = check_resource_group(creation, group, error);
    if (rc == ERR_OK)
        rc = body_text(body, "resource_plan_id", true, &plan_id, error);
    if (rc == ERR_OK)
        rc = open_plan_load(call->db, plan_id, false, call->arena, &creation->plan, error);
    if (rc == ERR_OK)
        rc = body_bool(body, "allow_cleanup", &instance->allow_cleanup, error);
    if (rc == ERR_OK)
        rc = read_parameters(creation, body, error);
    return rc;
}

static enum err fill_instance(struct creation *creation, struct error *error)
{
    struct new_instance *instance = &creation->instance;
    struct call *call = creation->call;
    const char *lock = http_header(call->request, "Entity-Lock");
    enum err rc = uuid_generate(&system_random, &instance->instance_id);

    if (rc == ERR_OK)
        rc = host_label_generate(&system_random, creation->label);
    if (rc != ERR_OK)
        return error_set(error, rc, "create: no randomness");
    instance->account_id = call->principal.account_id;
    instance->plan_id = creation->plan.plan.plan_id;
    instance->label = creation->label;
    instance->region_id = call->endpoints->region;
    crn_format_instance(instance->region_id, instance->account_id, instance->instance_id,
                        creation->crn);
    crn_format_deployment(instance->plan_id, instance->region_id, creation->target_crn);
    instance->crn = creation->crn;
    instance->target_crn = creation->target_crn;
    instance->is_dedicated = creation->plan.plan.is_dedicated;
    instance->topic_settings = creation->plan.topic_settings;
    instance->internal_partitions = creation->plan.plan.internal_partitions;
    instance->internal_visible = creation->plan.plan.internal_visible;
    instance->is_locked = lock && strcasecmp(lock, "true") == 0;
    instance->created_by = call->principal.iam_id;
    return ERR_OK;
}

static enum err insert(struct db *db, void *context, struct error *error)
{
    struct creation *creation = context;
    const struct new_instance *instance = &creation->instance;
    struct new_operation operation = {
        .account_id = instance->account_id,
        .instance_id = instance->instance_id,
        .type = "create",
        .state = "in progress",
        .description = "Provisioning.",
        .request_id = creation->call->request->request_id,
        .created_by = instance->created_by,
        .is_async = instance->is_dedicated,
    };
    enum err rc = store_insert_instance(db, instance, error);

    if (rc == ERR_OK)
        rc = store_insert_operation(db, &operation, error);
    if (rc == ERR_OK)
        rc = call_audit(creation->call, instance->crn, error);
    if (rc == ERR_OK)
        rc = idempotency_insert(creation->call, &creation->wait->idempotency, instance->instance_id,
                                SLICE_NULL, error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_serve_create_before_commit, error) : rc;
}

static void create_wait(struct http_request *request);

static enum err create_answer(struct call *call, const struct creation_wait *wait,
                              const struct instance_row *row, struct error *error)
{
    enum err rc = failpoint_pass(FAILPOINT_serve_create_before_answer, error);

    if (rc != ERR_OK)
        return rc;
    if (strcmp(row->phase, phase_name(PHASE_CREATING)) == 0) {
        rc = instance_reply_pending(call, wait->instance_id, error);
    } else if (strcmp(row->phase, phase_name(PHASE_FAILED)) == 0) {
        return error_set(error, ERR_INTERNAL, "provisioning failed: %s",
                         row->operation.description ? row->operation.description : "");
    } else {
        instance_reply(call, 201, row);
    }
    if (rc == ERR_OK)
        idempotency_keep_answer(call, &wait->idempotency);
    return rc;
}

static enum err create_look(struct call *call, struct error *error)
{
    const struct creation_wait *wait = call->state;
    struct instance_row row;
    bool is_waiting = false;

    call->request->is_wait_over |= wait->is_dedicated; /* a broker has to start: no use to wait */
    enum err rc = instance_wait(call, wait->instance_id, phase_name(PHASE_CREATING), create_wait,
                                &row, &is_waiting, error);

    return rc != ERR_OK || is_waiting ? rc : create_answer(call, wait, &row, error);
}

static void create_wait(struct http_request *request)
{
    call_continue(request, create_look);
}

static enum err create_new(struct creation *creation, const json_t *body, struct error *error)
{
    struct call *call = creation->call;
    enum err rc = read_body(creation, body, error);

    if (rc == ERR_OK)
        rc = fill_instance(creation, error);
    if (rc == ERR_OK)
        rc = db_transaction(call->db, insert, creation, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_serve_create_after_commit, error);
    if (rc != ERR_OK)
        return rc;
    creation->wait->instance_id = creation->instance.instance_id;
    creation->wait->is_dedicated = creation->instance.is_dedicated;
    call_notify(call, creation->wait->instance_id);
    return ERR_OK;
}

static enum err create_once(struct call *call, struct creation_wait *wait, struct error *error)
{
    struct creation creation = {.call = call, .wait = wait};
    json_t *body = NULL;
    enum err rc = http_json_body(call->request, &body, error);

    if (rc == ERR_OK)
        rc = create_new(&creation, body, error);
    open_plan_done(&creation.plan);
    json_decref(body);
    return rc;
}

static enum err create(struct call *call, struct error *error)
{
    struct creation_wait *wait = arena_new(call->arena, struct creation_wait);
    bool is_replied = false;

    if (!wait)
        return error_set(error, ERR_NO_MEMORY, "create: no memory");
    call->state = wait;
    enum err rc = idempotency_begin(call, "instances", &wait->idempotency, &is_replied, error);
    if (rc == ERR_OK && !is_replied && !wait->idempotency.is_known)
        rc = create_once(call, wait, error);
    if (rc == ERR_EXISTS) /* the same call came at the same time */
        rc = idempotency_begin_again(call, &wait->idempotency, &is_replied, error);
    if (rc != ERR_OK || is_replied)
        return rc;
    if (wait->idempotency.is_known)
        wait->instance_id = wait->idempotency.subject;
    return create_look(call, error);
}

void resource_instances_create(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.instance.create", create);
}

/* ---- get ---- */

static enum err get(struct call *call, struct error *error)
{
    struct uuid instance_id;
    struct instance_row row;
    enum err rc = instance_id_of_path(call, &instance_id, error);

    if (rc == ERR_OK)
        rc = store_load_instance(call->db, call->principal.account_id, instance_id, call->arena,
                                 &row, error);
    if (rc == ERR_OK)
        instance_reply(call, 200, &row);
    return rc;
}

void resource_instances_get(struct http_request *request)
{
    call_run(request, ROLE_READER, "messagehub.instance.read", get);
}

/* ---- list ---- */

/* False: this filter matches nothing. */
static enum err read_filter(const struct call *call, const struct page *page,
                            struct instance_filter *filter, bool *ret_is_empty, struct error *error)
{
    const char *guid = page_filter(page, "guid"), *type = page_filter(page, "type");

    *filter = (struct instance_filter){
        .account_id = call->principal.account_id,
        .name = page_filter(page, "name"),
        .resource_group_id = page_filter(page, "resource_group_id"),
        .resource_id = page_filter(page, "resource_id"),
        .plan_id = page_filter(page, "resource_plan_id"),
        .updated_from = page_filter(page, "updated_from"),
        .updated_to = page_filter(page, "updated_to"),
        .phases = lifecycle_phases_of_rc_state(page_filter(page, "state")),
        .after = page->after,
        .limit = page->limit + 1,
    };
    if (!filter->phases)
        return error_set(error, ERR_INVALID, "There is no such state.");
    *ret_is_empty =
        (guid && crn_parse_instance(guid, filter->account_id, &filter->instance_id) != ERR_OK) ||
        (type && strcmp(type, "service_instance") != 0) || page_filter(page, "sub_type") != NULL;
    return ERR_OK;
}

static enum err list_page(struct call *call, const struct page *page, struct error *error)
{
    struct instance_filter filter;
    struct instance_row *rows = NULL;
    bool is_empty = false;
    int count = 0;
    enum err rc = read_filter(call, page, &filter, &is_empty, error);

    if (rc == ERR_OK && !is_empty)
        rc = store_list_instances(call->db, &filter, call->arena, &rows, &count, error);
    if (rc == ERR_INVALID && !is_empty && filter.phases)
        return error_set(error, rc, "updated_from and updated_to must be RFC 3339 times.");
    if (rc != ERR_OK)
        return rc;
    bool has_more = count > page->limit;
    int shown = has_more ? count - 1 : count;
    json_t *resources = json_array();
    for (int i = 0; i < shown; i++)
        json_array_append_new(resources, render_instance(&rows[i]));
    page_reply(call, page, PATH, resources, has_more, shown > 0 ? rows[shown - 1].created_seq : 0);
    return ERR_OK;
}

static enum err list(struct call *call, struct error *error)
{
    static const char *const names[] = {"guid",
                                        "name",
                                        "resource_group_id",
                                        "resource_id",
                                        "resource_plan_id",
                                        "type",
                                        "sub_type",
                                        "state",
                                        "updated_from",
                                        "updated_to",
                                        NULL};
    struct page page;
    enum err rc = page_read(call, "instances", names, &page, error);

    if (rc != ERR_OK)
        return rc;
    rc = list_page(call, &page, error);
    page_done(&page);
    return rc;
}

void resource_instances_list(struct http_request *request)
{
    call_run(request, ROLE_READER, "messagehub.instance.list", list);
}
