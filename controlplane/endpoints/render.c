/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/domain/crn.h"
#include "controlplane/domain/lifecycle.h"
#include "controlplane/endpoints/call.h"

#define ENCODED_CRN_MAX (3 * CRN_MAX_LEN)
#define ROLE_CRN_PREFIX "crn:v1:bluemix:public:iam::::serviceRole:"

/* Percent-encodes all that is not unreserved: one path segment. */
static void encode_segment(const char *text, char encoded[ENCODED_CRN_MAX + 1])
{
    size_t at = 0;

    for (; *text != '\0' && at + 3 <= ENCODED_CRN_MAX; text++) {
        uint8_t byte = (uint8_t)*text;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL;

        if (is_plain)
            encoded[at++] = (char)byte;
        else
            at += (size_t)snprintf(encoded + at, 4, "%%%02X", byte);
    }
    encoded[at] = '\0';
}

static json_t *url_of(const char *collection, const char *crn, const char *below)
{
    char encoded[ENCODED_CRN_MAX + 1];

    encode_segment(crn, encoded);
    return json_sprintf("/v2/%s/%s%s", collection, encoded, below);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* ---- instances ---- */

static json_t *render_operation(const struct operation_row *operation)
{
    bool is_running = operation->state && strcmp(operation->state, "in progress") == 0;
    json_t *object =
        json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:s?}", "type", text_or_empty(operation->type),
                  "state", text_or_empty(operation->state), "async", (int)operation->is_async,
                  "description", text_or_empty(operation->description), "cancelable", 0, "poll",
                  (int)is_running, "updated_at", operation->updated_at);

    if (object && operation->reason_code && *operation->reason_code != '\0')
        json_object_set_new(object, "reason_code", json_string(operation->reason_code));
    if (object && is_running)
        json_object_set_new(object, "poll_after", json_integer(5));
    return object;
}

/* Brokers read this from `extensions`; empty until provisioned, never absent. */
static json_t *render_extensions(const char *endpoints_text)
{
    json_t *endpoints = json_of_column(endpoints_text);
    json_t *brokers = json_object_get(endpoints, "brokers");
    const char *http_url = json_string_value(json_object_get(endpoints, "http_url"));
    json_t *object =
        json_pack("{s:s, s:o}", "kafka_http_url", text_or_empty(http_url), "kafka_brokers_sasl",
                  json_is_array(brokers) ? json_incref(brokers) : json_array());

    json_decref(endpoints);
    return object;
}

static const char *state_of(const struct instance_row *row)
{
    enum instance_phase phase;

    if (phase_parse(row->phase, &phase) != ERR_OK)
        return "failed";
    /* On its way from a reclamation: clients that wait for it must not see it come back. */
    if (phase == PHASE_DELETING && row->reclaim_at)
        return lifecycle_rc_state(PHASE_RETIRED);
    return lifecycle_rc_state(phase);
}

static json_t *instance_identity(const struct instance_row *row)
{
    char guid[UUID_TEXT_LEN + 1], group_crn[CRN_MAX_LEN + 1];

    uuid_format(row->instance_id, guid);
    crn_format_resource_group(row->account_id, row->resource_group_id, group_crn);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id",
                     row->crn, "guid", guid, "url", url_of("resource_instances", row->crn, ""),
                     "crn", row->crn, "name", row->name, "region_id", row->region_id, "account_id",
                     row->account_id, "reseller_channel_id", "", "resource_plan_id", row->plan_id,
                     "resource_id", row->resource_id, "resource_group_id", row->resource_group_id,
                     "resource_group_crn", group_crn, "target_crn", row->target_crn);
}

static json_t *instance_times(const struct instance_row *row)
{
    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:s, s:s, s:s, s:s, s:s}", "created_at",
                     row->created_at, "updated_at", row->updated_at, "deleted_at", row->deleted_at,
                     "scheduled_reclaim_at", row->reclaim_at, "restored_at", row->restored_at,
                     "created_by", text_or_empty(row->created_by), "updated_by",
                     text_or_empty(row->updated_by), "deleted_by", text_or_empty(row->deleted_by),
                     "restored_by", text_or_empty(row->restored_by), "scheduled_reclaim_by",
                     text_or_empty(row->reclaim_by));
}

static json_t *instance_state(const struct instance_row *row)
{
    return json_pack(
        "{s:b, s:o, s:b, s:s, s:s, s:s, s:n, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:s}",
        "onetime_credentials", (int)row->is_onetime, "parameters", json_of_column(row->parameters),
        "allow_cleanup", (int)row->allow_cleanup, "state", state_of(row), "type",
        "service_instance", "sub_type", "", "dashboard_url", "last_operation",
        render_operation(&row->operation), "resource_aliases_url",
        url_of("resource_instances", row->crn, "/resource_aliases"), "resource_bindings_url",
        url_of("resource_instances", row->crn, "/resource_bindings"), "resource_keys_url",
        url_of("resource_instances", row->crn, "/resource_keys"), "plan_history",
        json_of_column(row->plan_history), "migrated", 0, "locked", (int)row->is_locked,
        "extensions", render_extensions(row->endpoints), "controlled_by", "");
}

/* Moves more into object; an object that lacks a part is no object. */
static json_t *join(json_t *object, json_t *more)
{
    bool is_whole = object && more && json_object_update(object, more) == 0;

    json_decref(more);
    if (is_whole)
        return object;
    json_decref(object);
    return NULL;
}

json_t *render_instance(const struct instance_row *row)
{
    return join(join(instance_identity(row), instance_times(row)), instance_state(row));
}

/* ---- keys ---- */

static const char *key_state(const struct credential_row *row)
{
    if (strcmp(row->state, "removed") == 0 || strcmp(row->state, "failed") == 0)
        return row->state;
    return strcmp(row->state, "creating") == 0 ? "provisioning" : "active";
}

static json_t *key_identity(const struct credential_row *row)
{
    char guid[UUID_TEXT_LEN + 1];

    uuid_format(row->credential_id, guid);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "id", row->crn,
                     "guid", guid, "url", url_of("resource_keys", row->crn, ""), "crn", row->crn,
                     "name", row->name, "source_crn", row->instance_crn, "account_id",
                     row->account_id, "resource_group_id", row->resource_group_id, "resource_id",
                     row->resource_id, "role", row->role, "resource_instance_url",
                     url_of("resource_instances", row->instance_crn, ""), "resource_alias_url", "");
}

static json_t *key_state_part(const struct credential_row *row)
{
    return json_pack("{s:s, s:b, s:b, s:b, s:s?, s:s?, s:s?, s:s, s:s, s:s}", "state",
                     key_state(row), "onetime_credentials", (int)row->is_onetime, "iam_compatible",
                     1, "migrated", 0, "created_at", row->created_at, "updated_at", row->updated_at,
                     "deleted_at", row->deleted_at, "created_by", text_or_empty(row->created_by),
                     "updated_by", text_or_empty(row->updated_by), "deleted_by",
                     text_or_empty(row->deleted_by));
}

json_t *render_key(const struct credential_row *row, json_t *credentials,
                   const char *redacted_reason)
{
    if (!credentials)
        credentials = json_pack("{s:s}", "REDACTED", redacted_reason);
    return join(join(key_identity(row), key_state_part(row)),
                json_pack("{s:o}", "credentials", credentials));
}

/* "b0:9093,b1:9093" */
static json_t *join_brokers(const json_t *brokers)
{
    json_t *joined = json_string("");
    const json_t *broker = NULL;
    size_t i = 0;

    json_array_foreach(brokers, i, broker)
    {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(joined), i > 0 ? "," : "",
                                      text_or_empty(json_string_value(broker)));

        json_decref(joined);
        joined = longer;
    }
    return joined;
}

static json_t *iam_part(const struct credential_row *row)
{
    char guid[UUID_TEXT_LEN + 1], instance_guid[UUID_TEXT_LEN + 1];
    bool has_role = strcmp(row->role, "NONE") != 0;

    uuid_format(row->credential_id, guid);
    uuid_format(row->instance_id, instance_guid);
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:s, s:s}", "iam_apikey_description",
        json_sprintf("Auto-generated for key %s", guid), "iam_apikey_id",
        json_sprintf("ApiKey-%s", guid), "iam_apikey_name", row->name, "iam_role_crn",
        json_sprintf("%s%s", has_role ? ROLE_CRN_PREFIX : "", has_role ? row->role : ""),
        "iam_serviceid_crn",
        json_sprintf("crn:v1:bluemix:public:iam-identity::a/%s::serviceid:ServiceId-%s",
                     row->account_id, guid),
        "instance_id", instance_guid, "user", "token");
}

json_t *render_credentials(const struct credential_row *row, const char *api_key,
                           const char *ca_certificate_pem)
{
    json_t *endpoints = json_of_column(row->endpoints);
    json_t *brokers = json_object_get(endpoints, "brokers");
    const char *http_url = text_or_empty(json_string_value(json_object_get(endpoints, "http_url")));
    json_t *kafka = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s}", "api_key", api_key, "apikey", api_key,
        "password", api_key, "bootstrap_endpoints", join_brokers(brokers), "kafka_brokers_sasl",
        json_is_array(brokers) ? json_incref(brokers) : json_array(), "kafka_admin_url", http_url,
        "kafka_http_url", http_url, "ca_certificate", ca_certificate_pem);

    json_decref(endpoints);
    return join(iam_part(row), kafka);
}
