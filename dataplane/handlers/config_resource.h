/* SPDX-License-Identifier: Apache-2.0 */
/* What settings belong to, as DescribeConfigs and the two AlterConfigs name it: a type and a name. */
#ifndef DATAPLANE_HANDLERS_CONFIG_RESOURCE_H
#define DATAPLANE_HANDLERS_CONFIG_RESOURCE_H

#include "dataplane/handlers/name_set.h"

/* As on the wire. */
enum {
    CONFIG_RESOURCE_TOPIC = 2,
    CONFIG_RESOURCE_BROKER = 4,
    CONFIG_RESOURCE_BROKER_LOGGER = 8,
    CONFIG_RESOURCE_CLIENT_METRICS = 16,
    CONFIG_RESOURCE_GROUP = 32
};

/* Counts the pair in the set. NULL = no memory. */
struct name_entry *config_resource_add(struct name_set *set, int8_t type,
                                       struct slice name) WARN_UNUSED;
/* Does the name say this broker? */
bool config_resource_is_broker(struct slice name, int32_t broker_id);

#endif
