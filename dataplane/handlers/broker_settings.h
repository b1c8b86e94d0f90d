/* SPDX-License-Identifier: Apache-2.0 */
/* What this broker says of itself under Kafka's names (DescribeConfigs of a BROKER): numbers that tools
 * look at, seen from the instance that asks. Nothing of it can be changed, nothing of it tells of the
 * machine or of other instances. */
#ifndef DATAPLANE_HANDLERS_BROKER_SETTINGS_H
#define DATAPLANE_HANDLERS_BROKER_SETTINGS_H

#include "dataplane/dispatch/request.h"
#include "dataplane/handlers/config_view.h"

struct broker_setting {
    const char *name;
    enum setting_type type;
    struct slice value;       /* null = not set */
    struct slice kafka_value; /* Kafka's own default; null = it has none */
    enum config_source source;
    const char *documentation;
};

struct broker_setting_list {
    struct broker_setting *items; /* in the request's arena, texts too */
    size_t count;
};

/* False = no memory, or the tenant is gone. */
bool broker_settings_make(struct request *request,
                          struct broker_setting_list *ret_list) WARN_UNUSED;

#endif
