/* SPDX-License-Identifier: Apache-2.0 */
/* Order of the checks, as in Kafka: the same key twice, missing values, unknown keys, operations that the
 * type does not have, and at last the whole set as it would be. An unknown key is refused even when it is
 * to be deleted: it is a typing error. */
#include "dataplane/handlers/setting_edits.h"

static bool refuse(struct setting_change *change, enum kafka_error error, const char *message)
{
    change->error = error;
    change->message = message;
    return false;
}

static bool refuse_memory(struct setting_change *change)
{
    return refuse(change, KAFKA_REQUEST_TIMED_OUT, "Not enough memory for the request");
}

/* List items are added to, or taken from, what is in force: the default where nothing was set. */
static bool edit_list(struct setting_values *values, const struct topic_setting *setting,
                      const struct setting_edit *edit, const struct topic_policy *policy,
                      int32_t broker_count, struct arena *arena, struct setting_change *change)
{
    bool is_append = edit->operation == SETTING_APPEND;
    struct slice current = setting_values_get(values, setting);
    char text[SETTING_VALUE_MAX];
    char result[SETTING_VALUE_MAX];
    struct slice copy;

    if (setting->type != SETTING_LIST)
        return refuse(change, KAFKA_INVALID_CONFIG,
                      arena_printf(arena, "Can't %s '%s': it is not a list",
                                   is_append ? "append to" : "subtract from", setting->name));
    if (slice_is_null(current)) {
        topic_setting_default(setting, policy, broker_count, text);
        current = slice_from_cstring(text);
    }
    if (!topic_setting_edit_list(current, edit->value, is_append, result))
        return refuse(change, KAFKA_INVALID_CONFIG,
                      arena_printf(arena, "The list '%s' becomes too long", setting->name));
    if (!arena_copy(arena, slice_from_cstring(result), &copy))
        return refuse_memory(change);
    setting_values_set(values, setting, copy);
    return true;
}

static bool apply(struct setting_values *values, const struct setting_edit *edit,
                  const struct topic_policy *policy, int32_t broker_count, struct arena *arena,
                  struct setting_change *change)
{
    const struct topic_setting *setting = topic_setting_find(edit->name);

    if (edit->operation != SETTING_DELETE && slice_is_null(edit->value))
        return refuse(
            change, KAFKA_INVALID_REQUEST,
            arena_printf(arena, "Setting '" SLICE_FORMAT "' has no value", SLICE_ARG(edit->name)));
    if (setting == NULL)
        return refuse(
            change, KAFKA_INVALID_CONFIG,
            arena_printf(arena, "Unknown topic setting '" SLICE_FORMAT "'", SLICE_ARG(edit->name)));
    switch (edit->operation) {
    case SETTING_SET:
        setting_values_set(values, setting, edit->value);
        return true;
    case SETTING_DELETE:
        setting_values_remove(values, setting);
        return true;
    case SETTING_APPEND:
    case SETTING_SUBTRACT:
        return edit_list(values, setting, edit, policy, broker_count, arena, change);
    default:
        return refuse(change, KAFKA_INVALID_REQUEST, "Unknown operation: use 0 to 3");
    }
}

/* In the incremental call a key may be edited once; unknown ones are found later. */
static bool check_twice(const struct setting_edits *edits, struct arena *arena,
                        struct setting_change *change)
{
    bool *is_seen = arena_new_array(arena, topic_setting_count(), bool);

    if (is_seen == NULL)
        return refuse_memory(change);
    for (int32_t i = 0; i < edits->count; i++) {
        const struct topic_setting *setting = topic_setting_find(edits->items[i].name);

        if (setting == NULL)
            continue;
        if (is_seen[topic_setting_index(setting)])
            return refuse(change, KAFKA_INVALID_REQUEST,
                          arena_printf(arena, "Setting '%s' is there twice", setting->name));
        is_seen[topic_setting_index(setting)] = true;
    }
    return true;
}

static void remove_all(struct setting_values *values, const struct image_topic *topic)
{
    for (size_t i = 0; i < topic->override_count; i++)
        setting_values_remove(values, topic->overrides[i].setting);
}

/* What comes out as it was is no change: the store need not hear of it, and the plan is not asked again
 * whether it allows what is there. */
static void forget_unchanged(struct setting_values *values, const struct image_topic *topic)
{
    size_t next = 0;

    for (size_t i = 0; i < topic_setting_count(); i++) {
        struct slice stored = SLICE_NULL;

        if (next < topic->override_count &&
            topic_setting_index(topic->overrides[next].setting) == i)
            stored = topic->overrides[next++].value;
        if (slice_equal(values->values[i], stored))
            values->changed[i] = false;
    }
}

static bool check_result(const struct setting_values *values, const struct image_topic *topic,
                         const struct topic_policy *policy, int32_t broker_count,
                         struct arena *arena, struct setting_change *change)
{
    struct setting_overrides overrides;
    struct topic_settings_check check = {
        .policy = policy, .broker_count = broker_count, .is_internal = topic->is_internal};
    enum kafka_error error = KAFKA_NONE;

    if (!setting_values_list(values, arena, &overrides))
        return refuse_memory(change);
    check.overrides = overrides.items;
    check.count = overrides.count;
    check.changed = overrides.changed;
    error = topic_settings_check(&check);
    if (error != KAFKA_NONE)
        return refuse(change, error, arena_printf(arena, "%s", check.message));
    change->config = check.config;
    return true;
}

void setting_edits_decide(const struct setting_edits *edits, const struct image_topic *topic,
                          const struct topic_policy *policy, int32_t broker_count,
                          struct arena *arena, struct setting_change *ret_change)
{
    struct setting_values values;
    struct setting_overrides set;
    const struct topic_setting **removed = NULL;

    memset(ret_change, 0, sizeof(*ret_change));
    if (!edits->replaces && !check_twice(edits, arena, ret_change))
        return;
    if (!setting_values_init(&values, arena)) {
        refuse_memory(ret_change);
        return;
    }
    setting_values_load(&values, topic->overrides, topic->override_count);
    if (edits->replaces)
        remove_all(&values, topic);
    for (int32_t i = 0; i < edits->count; i++) {
        if (!apply(&values, &edits->items[i], policy, broker_count, arena, ret_change))
            return;
    }
    forget_unchanged(&values, topic);
    if (!check_result(&values, topic, policy, broker_count, arena, ret_change))
        return;
    if (!setting_values_changes(&values, arena, &set, &removed, &ret_change->remove_count)) {
        refuse_memory(ret_change);
        return;
    }
    ret_change->set = set.items;
    ret_change->set_count = set.count;
    ret_change->remove = removed;
}
