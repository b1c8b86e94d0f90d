/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the two files of the keys resource. */
#ifndef CONTROLPLANE_ENDPOINTS_RESOURCE_KEYS_INTERNAL_H
#define CONTROLPLANE_ENDPOINTS_RESOURCE_KEYS_INTERNAL_H

#include "controlplane/endpoints/call.h"

/* What is authenticated with a sealed key; NULL when memory is out. */
const char *key_seal_purpose(struct call *call, struct uuid credential_id);
/* With credentials if they may be shown; owned. */
enum err key_render(struct call *call, const struct credential_row *row, json_t **ret_key,
                    struct error *error) WARN_UNUSED;
enum err key_reply(struct call *call, int status, const struct credential_row *row,
                   struct error *error) WARN_UNUSED;

#endif
