/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a topic as clients are shown them: value, where it comes from, whether the plan lets
 * them change it.
 *
 * A value that was set on the topic is the topic's, even when it equals the default. The default in force
 * is Kafka's own, or else ours: then it is called a static broker value, so that tools which compare with
 * Kafka's defaults see the difference, and none takes it for an override. */
#ifndef DATAPLANE_HANDLERS_CONFIG_VIEW_H
#define DATAPLANE_HANDLERS_CONFIG_VIEW_H

#include "common/base/arena.h"
#include "dataplane/cluster/topic_settings.h"

/* As on the wire. */
enum config_source {
    CONFIG_SOURCE_TOPIC = 1,
    CONFIG_SOURCE_DYNAMIC_BROKER = 2,
    CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER = 3,
    CONFIG_SOURCE_STATIC_BROKER = 4,
    CONFIG_SOURCE_DEFAULT = 5
};

struct config_default {
    struct slice value;        /* in force where nothing was set */
    enum config_source source; /* STATIC_BROKER or DEFAULT */
    struct slice kafka_value;
};

/* By topic_setting_index; of one tenant, for the request. NULL = no memory. */
struct config_default *config_defaults_make(const struct topic_policy *policy, int32_t broker_count,
                                            struct arena *arena) WARN_UNUSED;

struct config_view {
    const struct topic_setting *setting;
    struct slice value;
    enum config_source source;
    bool is_read_only;
};

/* overrides: in table order. ret_views holds topic_setting_count(). */
void config_views_fill(const struct config_default *defaults, const struct topic_policy *policy,
                       const struct topic_override *overrides, size_t override_count,
                       struct config_view *ret_views);

#endif
