/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLPLANE_ENDPOINTS_TOKENS_H
#define CONTROLPLANE_ENDPOINTS_TOKENS_H

#include "controlplane/http/request.h"

void tokens_create(struct http_request *request);  /* POST /identity/token */
void tokens_key_set(struct http_request *request); /* GET /identity/keys */
void tokens_configuration(
    struct http_request *request); /* GET /identity/.well-known/openid-configuration */

#endif
