/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLPLANE_ENDPOINTS_RECLAMATIONS_H
#define CONTROLPLANE_ENDPOINTS_RECLAMATIONS_H

#include "controlplane/http/request.h"

void reclamations_list(struct http_request *request); /* GET  /v1/reclamations */
void reclamations_act(struct http_request *request);  /* POST …/{id}/actions/{action} */

#endif
