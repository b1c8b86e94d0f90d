/* SPDX-License-Identifier: Apache-2.0 */
/* What exists. api/rest/openapi.yaml describes exactly these; a test holds the two together. */
#include "controlplane/endpoints/endpoints.h"
#include "controlplane/endpoints/health.h"
#include "controlplane/endpoints/reclamations.h"
#include "controlplane/endpoints/resource_instances.h"
#include "controlplane/endpoints/resource_keys.h"
#include "controlplane/endpoints/serve_metrics.h"
#include "controlplane/endpoints/tokens.h"

#define INSTANCE "/v2/resource_instances/{id}"
#define KEY "/v2/resource_keys/{id}"

const struct http_route public_routes[] = {
    {HTTP_POST, "/identity/token", tokens_create},
    {HTTP_GET, "/identity/keys", tokens_key_set},
    {HTTP_GET, "/identity/.well-known/openid-configuration", tokens_configuration},

    {HTTP_GET, "/v2/resource_instances", resource_instances_list},
    {HTTP_POST, "/v2/resource_instances", resource_instances_create},
    {HTTP_GET, INSTANCE, resource_instances_get},
    {HTTP_PATCH, INSTANCE, resource_instances_update},
    {HTTP_DELETE, INSTANCE, resource_instances_delete},
    {HTTP_GET, INSTANCE "/resource_keys", resource_keys_list_of_instance},
    {HTTP_POST, INSTANCE "/lock", resource_instances_lock},
    {HTTP_DELETE, INSTANCE "/lock", resource_instances_unlock},
    {HTTP_DELETE, INSTANCE "/last_operation", resource_instances_cancel},
    {HTTP_GET, "/v1/reclamations", reclamations_list},
    {HTTP_POST, "/v1/reclamations/{id}/actions/{action}", reclamations_act},

    {HTTP_GET, "/v2/resource_keys", resource_keys_list},
    {HTTP_POST, "/v2/resource_keys", resource_keys_create},
    {HTTP_GET, KEY, resource_keys_get},
    {HTTP_PATCH, KEY, resource_keys_update},
    {HTTP_DELETE, KEY, resource_keys_delete},

    {HTTP_GET, INSTANCE "/resource_aliases", not_offered_yet},
    {HTTP_GET, "/v2/resource_aliases", not_offered_yet},
    {HTTP_POST, "/v2/resource_aliases", not_offered_yet},
    {HTTP_GET, "/v2/resource_aliases/{id}", not_offered_yet},
    {HTTP_PATCH, "/v2/resource_aliases/{id}", not_offered_yet},
    {HTTP_DELETE, "/v2/resource_aliases/{id}", not_offered_yet},
    {HTTP_GET, "/v2/resource_aliases/{id}/resource_bindings", not_offered_yet},
    {HTTP_GET, "/v2/resource_bindings", not_offered_yet},
    {HTTP_POST, "/v2/resource_bindings", not_offered_yet},
    {HTTP_GET, "/v2/resource_bindings/{id}", not_offered_yet},
    {HTTP_PATCH, "/v2/resource_bindings/{id}", not_offered_yet},
    {HTTP_DELETE, "/v2/resource_bindings/{id}", not_offered_yet},

    /* Admin REST of an instance: kafka_admin_url is <public url>/instances/<guid>. */
    {HTTP_GET, "/instances/{id}/admin/*", not_offered_yet},
    {HTTP_POST, "/instances/{id}/admin/*", not_offered_yet},
    {HTTP_PATCH, "/instances/{id}/admin/*", not_offered_yet},
    {HTTP_DELETE, "/instances/{id}/admin/*", not_offered_yet},
    {HTTP_GET, "/admin/*", not_offered_yet},
    {HTTP_POST, "/admin/*", not_offered_yet},
    {HTTP_PATCH, "/admin/*", not_offered_yet},
    {HTTP_DELETE, "/admin/*", not_offered_yet},

    {HTTP_GET, "/livez", health_alive},
    {HTTP_GET, "/healthz", health_alive},
    {HTTP_GET, "/readyz", health_ready},
};
const int public_route_count = (int)(sizeof(public_routes) / sizeof(public_routes[0]));

const struct http_route metrics_routes[] = {
    {HTTP_GET, "/metrics", serve_metrics_show},
    {HTTP_GET, "/livez", health_alive},
    {HTTP_GET, "/healthz", health_alive},
    {HTTP_GET, "/readyz", health_ready},
};
const int metrics_route_count = (int)(sizeof(metrics_routes) / sizeof(metrics_routes[0]));
