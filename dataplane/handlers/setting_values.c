/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/setting_values.h"

bool setting_values_init(struct setting_values *values, struct arena *arena)
{
    values->values = arena_new_array(arena, topic_setting_count(), struct slice);
    values->changed = arena_new_array(arena, topic_setting_count(), bool);
    return values->values != NULL && values->changed != NULL;
}

void setting_values_load(struct setting_values *values, const struct topic_override *overrides,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        values->values[topic_setting_index(overrides[i].setting)] = overrides[i].value;
}

void setting_values_set(struct setting_values *values, const struct topic_setting *setting,
                        struct slice value)
{
    values->values[topic_setting_index(setting)] = value;
    values->changed[topic_setting_index(setting)] = true;
}

void setting_values_remove(struct setting_values *values, const struct topic_setting *setting)
{
    setting_values_set(values, setting, SLICE_NULL);
}

struct slice setting_values_get(const struct setting_values *values,
                                const struct topic_setting *setting)
{
    return values->values[topic_setting_index(setting)];
}

static bool new_overrides(struct arena *arena, struct setting_overrides *overrides)
{
    overrides->count = 0;
    overrides->items = arena_new_array(arena, topic_setting_count(), struct topic_override);
    overrides->changed = arena_new_array(arena, topic_setting_count(), bool);
    return overrides->items != NULL && overrides->changed != NULL;
}

static void add_override(const struct setting_values *values, size_t index,
                         struct setting_overrides *overrides)
{
    overrides->items[overrides->count].setting = topic_setting_at(index);
    overrides->items[overrides->count].value = values->values[index];
    overrides->changed[overrides->count] = values->changed[index];
    overrides->count++;
}

bool setting_values_list(const struct setting_values *values, struct arena *arena,
                         struct setting_overrides *ret_overrides)
{
    if (!new_overrides(arena, ret_overrides))
        return false;
    for (size_t i = 0; i < topic_setting_count(); i++) {
        if (!slice_is_null(values->values[i]))
            add_override(values, i, ret_overrides);
    }
    return true;
}

bool setting_values_changes(const struct setting_values *values, struct arena *arena,
                            struct setting_overrides *ret_set,
                            const struct topic_setting ***ret_removed, size_t *ret_removed_count)
{
    const struct topic_setting **removed =
        arena_new_array(arena, topic_setting_count(), const struct topic_setting *);
    size_t removed_count = 0;

    if (removed == NULL || !new_overrides(arena, ret_set))
        return false;
    for (size_t i = 0; i < topic_setting_count(); i++) {
        if (!values->changed[i])
            continue;
        if (slice_is_null(values->values[i]))
            removed[removed_count++] = topic_setting_at(i);
        else
            add_override(values, i, ret_set);
    }
    *ret_removed = removed;
    *ret_removed_count = removed_count;
    return true;
}
