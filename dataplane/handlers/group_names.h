/* SPDX-License-Identifier: Apache-2.0 */
/* The groups that a request names, each once, and one call for each. */
#ifndef DATAPLANE_HANDLERS_GROUP_NAMES_H
#define DATAPLANE_HANDLERS_GROUP_NAMES_H

#include "dataplane/handlers/group_calls.h"

/* As group_calls_new, with the group ids set. NULL = no memory. */
struct group_calls *group_calls_for_names(struct request *request, enum group_operation operation,
                                          const struct kafka_string_array *names) WARN_UNUSED;

#endif
