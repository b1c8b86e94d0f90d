/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/domain/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A parameter's value as text; NULL when it is neither text nor a whole number. */
static const char *value_text(const json_t *value, char room[24])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (!json_is_integer(value))
        return NULL;
    snprintf(room, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return room;
}

static enum err check_choice(const char *name, const json_t *rule, const json_t *value,
                             struct error *error)
{
    char room[24], list[128] = "";
    const char *text = value_text(value, room), *choice = NULL;
    json_t *values = json_object_get(rule, "values"), *limits = NULL;
    size_t len = 0;

    if (text && json_object_get(values, text))
        return ERR_OK;
    json_object_foreach(values, choice, limits)
    {
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", choice);
        if (len >= sizeof(list))
            break;
    }
    return error_set(error, ERR_INVALID, "Parameter %s must be one of %s.", name, list);
}

enum err plan_resolve_limits(const struct plan *plan, const json_t *parameters, json_t **ret_limits,
                             struct error *error)
{
    json_t *limits = json_deep_copy(plan->limits), *rule = NULL;
    const char *name = NULL;

    if (!limits)
        return error_set(error, ERR_NO_MEMORY, "plan: no memory");
    json_object_foreach((json_t *)(uintptr_t)plan->parameters, name, rule)
    {
        const json_t *value = json_object_get(parameters, name);
        char room[24];

        if (!value)
            value = json_object_get(rule, "default");
        enum err rc = check_choice(name, rule, value, error);
        if (rc == ERR_OK &&
            json_object_update(limits, json_object_get(json_object_get(rule, "values"),
                                                       value_text(value, room))) != 0)
            rc = error_set(error, ERR_NO_MEMORY, "plan: no memory");
        if (rc != ERR_OK) {
            json_decref(limits);
            return rc;
        }
    }
    *ret_limits = limits;
    return ERR_OK;
}

static int64_t value_number(const json_t *value)
{
    char room[24];
    const char *text = value_text(value, room);

    return text ? strtoll(text, NULL, 10) : 0;
}

static enum err check_growth(const struct plan *plan, const json_t *current, const json_t *change,
                             struct error *error)
{
    const char *name = NULL;
    json_t *rule = NULL;

    json_object_foreach((json_t *)(uintptr_t)plan->parameters, name, rule)
    {
        const json_t *wanted = json_object_get(change, name);
        const json_t *held = json_object_get(current, name);

        if (!wanted || !json_is_true(json_object_get(rule, "grows_only")))
            continue;
        if (value_number(wanted) < value_number(held ? held : json_object_get(rule, "default")))
            return error_set(error, ERR_INVALID,
                             "Parameter %s can grow only; a smaller one needs a new instance.",
                             name);
    }
    return ERR_OK;
}

enum err plan_merge_parameters(const struct plan *plan, const json_t *current, const json_t *change,
                               json_t **ret_merged, struct error *error)
{
    enum err rc = check_growth(plan, current, change, error);

    if (rc != ERR_OK)
        return rc;
    json_t *merged = json_deep_copy(current);
    if (!merged || json_object_update(merged, (json_t *)(uintptr_t)change) != 0) {
        json_decref(merged);
        return error_set(error, ERR_NO_MEMORY, "plan: no memory");
    }
    *ret_merged = merged;
    return ERR_OK;
}

enum err plan_check_upgrade(const struct plan *from, const char *to_plan_id, struct error *error)
{
    size_t wanted = strlen(to_plan_id);

    for (const char *at = from->upgrades_to; *at != '\0';) {
        size_t len = strcspn(at, ",");

        if (len == wanted && memcmp(at, to_plan_id, len) == 0)
            return ERR_OK;
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return error_set(error, ERR_LIMIT, "Plan %s cannot be changed to %.100s.", from->plan_id,
                     to_plan_id);
}
