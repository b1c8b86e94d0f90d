/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLPLANE_ENDPOINTS_RESOURCE_KEYS_H
#define CONTROLPLANE_ENDPOINTS_RESOURCE_KEYS_H

#include "controlplane/http/request.h"

void resource_keys_create(struct http_request *request); /* POST /v2/resource_keys */
void resource_keys_list(struct http_request *request);   /* GET  /v2/resource_keys */
void resource_keys_list_of_instance(
    struct http_request *request); /* GET  /v2/resource_instances/{id}/resource_keys */
void resource_keys_get(struct http_request *request);    /* GET  /v2/resource_keys/{id} */
void resource_keys_update(struct http_request *request); /* PATCH …/{id} */
void resource_keys_delete(struct http_request *request); /* DELETE …/{id} */

#endif
