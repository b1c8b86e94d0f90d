/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as Resource Controller's objects. Its clients dereference many members without looking, so what the
 * contract calls a string is never null and never missing. */
#ifndef CONTROLPLANE_ENDPOINTS_RENDER_H
#define CONTROLPLANE_ENDPOINTS_RENDER_H

#include "controlplane/endpoints/endpoints.h"
#include "controlplane/store/rows.h"

/* NULL when memory is out. */
json_t *render_instance(const struct instance_row *row);

/* credentials is moved; NULL becomes {"REDACTED": reason}. */
json_t *render_key(const struct credential_row *row, json_t *credentials,
                   const char *redacted_reason);
/* The Event Streams credential: api_key, bootstrap_endpoints, kafka_brokers_sasl … and ca_certificate. */
json_t *render_credentials(const struct credential_row *row, const char *api_key,
                           const char *ca_certificate_pem);

#endif
