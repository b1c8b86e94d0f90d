/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of one topic that were set, while they are put together or changed: one place for each
 * key of the table, so that a key is there once whatever the client sent. */
#ifndef DATAPLANE_HANDLERS_SETTING_VALUES_H
#define DATAPLANE_HANDLERS_SETTING_VALUES_H

#include "common/base/arena.h"
#include "dataplane/cluster/topic_settings.h"

struct setting_values {
    struct slice *values; /* by topic_setting_index; null = not set */
    bool *changed;        /* touched since load */
};

/* In table order, ready for topic_settings_check and for cluster_submit. */
struct setting_overrides {
    struct topic_override *items;
    bool *changed;
    size_t count;
};

/* False = no memory. */
bool setting_values_init(struct setting_values *values, struct arena *arena) WARN_UNUSED;
/* What is stored; texts are borrowed. */
void setting_values_load(struct setting_values *values, const struct topic_override *overrides,
                         size_t count);
void setting_values_set(struct setting_values *values, const struct topic_setting *setting,
                        struct slice value);
void setting_values_remove(struct setting_values *values, const struct topic_setting *setting);
struct slice setting_values_get(const struct setting_values *values,
                                const struct topic_setting *setting); /* null = not set */

/* All that are set. False = no memory. */
bool setting_values_list(const struct setting_values *values, struct arena *arena,
                         struct setting_overrides *ret_overrides) WARN_UNUSED;
/* What was touched: set now, or removed now. False = no memory. */
bool setting_values_changes(const struct setting_values *values, struct arena *arena,
                            struct setting_overrides *ret_set,
                            const struct topic_setting ***ret_removed,
                            size_t *ret_removed_count) WARN_UNUSED;

#endif
