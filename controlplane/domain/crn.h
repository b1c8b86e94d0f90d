/* SPDX-License-Identifier: Apache-2.0 */
/* Cloud resource names: ten parts between colons.
 *
 *   crn:v1:bluemix:public:messagehub:<location>:a/<account>:<instance>::
 *   crn:v1:bluemix:public:messagehub:<location>:a/<account>:<instance>:resource-key:<key>
 *
 * Clients name a thing by its GUID or by its CRN, everywhere. A CRN counts only when account and the
 * fixed parts are right too: a foreign CRN with a known GUID is a foreign thing. */
#ifndef CONTROLPLANE_DOMAIN_CRN_H
#define CONTROLPLANE_DOMAIN_CRN_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"

#define CRN_PREFIX "crn:v1:bluemix:public:"
#define CRN_SERVICE "messagehub"
#define CRN_MAX_LEN 256

/* text has room for CRN_MAX_LEN + 1. location: at most 32 bytes. */
void crn_format_instance(const char *location, const char *account_id, struct uuid instance,
                         char *text);
void crn_format_key(const char *location, const char *account_id, struct uuid instance,
                    struct uuid key, char *text);
void crn_format_resource_group(const char *account_id, const char *resource_group_id, char *text);
/* Catalog deployment of a plan at a location. */
void crn_format_deployment(const char *plan_id, const char *location, char *text);

/* A GUID, or the CRN of an instance of this account; ERR_NOT_FOUND for anything else: it names nothing here. */
enum err crn_parse_instance(const char *text, const char *account_id,
                            struct uuid *ret_instance) WARN_UNUSED;
/* A GUID, or the CRN of a key of this account. */
enum err crn_parse_key(const char *text, const char *account_id, struct uuid *ret_key) WARN_UNUSED;
/* Last part of a CRN, or text itself when it is none: "…:resource-group:<id>", "…:serviceRole:Writer". */
const char *crn_last_part(const char *text);

#endif
