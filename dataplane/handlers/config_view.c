/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/config_view.h"

static bool make_default(const struct topic_setting *setting, const struct topic_policy *policy,
                         int32_t broker_count, struct arena *arena, struct config_default *ret)
{
    char text[SETTING_VALUE_MAX];

    topic_setting_default(setting, policy, broker_count, text);
    ret->kafka_value = slice_from_cstring(setting->kafka_default != NULL ? setting->kafka_default
                                                                         : setting->default_value);
    ret->source = slice_equal_cstring(ret->kafka_value, text) ? CONFIG_SOURCE_DEFAULT
                                                              : CONFIG_SOURCE_STATIC_BROKER;
    return arena_copy(arena, slice_from_cstring(text), &ret->value);
}

struct config_default *config_defaults_make(const struct topic_policy *policy, int32_t broker_count,
                                            struct arena *arena)
{
    size_t count = topic_setting_count();
    struct config_default *defaults = arena_new_array(arena, count, struct config_default);

    for (size_t i = 0; defaults != NULL && i < count; i++) {
        if (!make_default(topic_setting_at(i), policy, broker_count, arena, &defaults[i]))
            return NULL;
    }
    return defaults;
}

static bool is_allowed(const struct topic_policy *policy, const struct topic_setting *setting)
{
    if (setting->is_fixed)
        return false;
    if (policy->allows_every_key)
        return true;
    for (size_t i = 0; i < policy->range_count; i++) {
        if (policy->ranges[i].setting == setting)
            return true;
    }
    return false;
}

void config_views_fill(const struct config_default *defaults, const struct topic_policy *policy,
                       const struct topic_override *overrides, size_t override_count,
                       struct config_view *ret_views)
{
    size_t next = 0;

    for (size_t i = 0; i < topic_setting_count(); i++) {
        const struct topic_setting *setting = topic_setting_at(i);
        bool is_set = next < override_count && overrides[next].setting == setting;

        ret_views[i] = (struct config_view){
            .setting = setting,
            .value = is_set ? overrides[next].value : defaults[i].value,
            .source = is_set ? CONFIG_SOURCE_TOPIC : defaults[i].source,
            .is_read_only = !is_allowed(policy, setting),
        };
        if (is_set)
            next++;
    }
}
