/* SPDX-License-Identifier: Apache-2.0 */
/* One setting at a time: finding it, its default for a tenant, whether a text is a value of its
 * type. */
#include "dataplane/cluster/topic_settings_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

size_t topic_setting_count(void)
{
    return TOPIC_SETTING_COUNT;
}

const struct topic_setting *topic_setting_at(size_t index)
{
    return &topic_setting_table[index];
}

size_t topic_setting_index(const struct topic_setting *setting)
{
    return (size_t)(setting - topic_setting_table);
}

const struct topic_setting *topic_setting_find(struct slice name)
{
    size_t low = 0, high = TOPIC_SETTING_COUNT;

    if (slice_is_null(name))
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *other = topic_setting_table[middle].name;
        size_t other_len = strlen(other);
        int order = memcmp(name.data, other, name.len < other_len ? name.len : other_len);

        if (order == 0 && name.len == other_len)
            return &topic_setting_table[middle];
        if (order < 0 || (order == 0 && name.len < other_len))
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct topic_setting_range *topic_policy_range(const struct topic_policy *policy,
                                                     const struct topic_setting *setting)
{
    for (size_t i = 0; i < policy->range_count; i++) {
        if (policy->ranges[i].setting == setting)
            return &policy->ranges[i];
    }
    return NULL;
}

int64_t topic_policy_limit(const struct topic_policy *policy, enum topic_setting_id id)
{
    if (id == TOPIC_RETENTION_BYTES)
        return policy->max_retention_bytes;
    if (id == TOPIC_MAX_MESSAGE_BYTES)
        return policy->max_message_bytes;
    return -1;
}

/* What the plan makes of a default: never outside its range, never over its limit. */
static int64_t bounded_default(const struct topic_setting *setting,
                               const struct topic_policy *policy, int64_t number)
{
    const struct topic_setting_range *range = topic_policy_range(policy, setting);
    int64_t limit = topic_policy_limit(policy, (enum topic_setting_id)topic_setting_index(setting));

    if (range != NULL && number < range->minimum)
        number = range->minimum;
    if (range != NULL && number > range->maximum)
        number = range->maximum;
    return limit >= 0 && number > limit ? limit : number;
}

void topic_setting_default(const struct topic_setting *setting, const struct topic_policy *policy,
                           int32_t broker_count, char ret_text[SETTING_VALUE_MAX])
{
    bool is_number = setting->type == SETTING_INT || setting->type == SETTING_LONG;
    int64_t number = 0;

    if (!is_number || !setting_parse_integer(slice_from_cstring(setting->default_value), &number)) {
        snprintf(ret_text, SETTING_VALUE_MAX, "%s", setting->default_value);
        return;
    }
    if (topic_setting_index(setting) == TOPIC_MIN_INSYNC_REPLICAS && broker_count >= 2)
        number = 2;
    snprintf(ret_text, SETTING_VALUE_MAX, "%lld",
             (long long)bounded_default(setting, policy, number));
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = slice_of(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

bool setting_parse_integer(struct slice text, int64_t *ret_value)
{
    char digits[32];
    char *end = NULL;
    long long value = 0;

    text = trim(text);
    if (text.len == 0 || text.len >= sizeof(digits) ||
        !(text.data[0] == '-' || text.data[0] == '+' ||
          (text.data[0] >= '0' && text.data[0] <= '9')))
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    errno = 0;
    value = strtoll(digits, &end, 10);
    if (errno != 0 || end != digits + text.len)
        return false;
    *ret_value = value;
    return true;
}

bool setting_parse_double(struct slice text, double *ret_value)
{
    char digits[64];
    char *end = NULL;

    text = trim(text);
    if (text.len == 0 || text.len >= sizeof(digits))
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    *ret_value = strtod(digits, &end);
    return end == digits + text.len && isfinite(*ret_value);
}

bool setting_next_item(struct slice *list, struct slice *ret_item)
{
    const uint8_t *comma = NULL;
    size_t len = list->len;

    if (slice_is_null(*list))
        return false;
    comma = len > 0 ? memchr(list->data, ',', len) : NULL;
    if (comma != NULL)
        len = (size_t)(comma - list->data);
    *ret_item = trim(slice_of(list->data, len));
    *list = comma ? slice_of(comma + 1, list->len - len - 1) : SLICE_NULL;
    return true;
}

static bool is_among(struct slice item, const char *const *values)
{
    for (; *values != NULL; values++) {
        if (slice_equal_cstring(item, *values))
            return true;
    }
    return false;
}

static void name_values(const char *const *values, char *text, size_t room)
{
    size_t len = 0;

    text[0] = '\0';
    for (; *values != NULL && len < room; values++)
        len += (size_t)snprintf(text + len, room - len, "%s%s", len > 0 ? ", " : "", *values);
}

/* NULL = fine, else what is wrong, after "Invalid value … for configuration …: ". */
static const char *check_number(const struct topic_setting *setting, struct slice value, char *text,
                                size_t room)
{
    int64_t number = 0;
    double real = 0;
    int64_t minimum = setting->minimum, maximum = setting->maximum;

    if (setting->type == SETTING_DOUBLE) {
        if (!setting_parse_double(value, &real))
            return "Not a number of type DOUBLE";
        if (real * 1000 >= (double)minimum && real * 1000 <= (double)maximum)
            return NULL;
        snprintf(text, room, "Value must be from %g to %g", (double)minimum / 1000,
                 (double)maximum / 1000);
        return text;
    }
    if (!setting_parse_integer(value, &number) ||
        (setting->type == SETTING_INT && (number < INT32_MIN || number > INT32_MAX)))
        return setting->type == SETTING_INT ? "Not a number of type INT"
                                            : "Not a number of type LONG";
    if (number >= minimum && number <= maximum)
        return NULL;
    snprintf(text, room,
             number < minimum ? "Value must be at least %lld" : "Value must be no more than %lld",
             (long long)(number < minimum ? minimum : maximum));
    return text;
}

static const char *check_list(const struct topic_setting *setting, struct slice value, char *text,
                              size_t room)
{
    struct slice rest = value, item = SLICE_NULL;
    char values[SETTING_MESSAGE_MAX / 2];

    if (setting->values == NULL || trim(value).len == 0)
        return NULL;
    name_values(setting->values, values, sizeof(values));
    while (setting_next_item(&rest, &item)) {
        struct slice later = rest, other = SLICE_NULL;

        if (!is_among(item, setting->values)) {
            snprintf(text, room, "Each item must be one of: %s", values);
            return text;
        }
        while (setting_next_item(&later, &other)) {
            if (slice_equal(item, other))
                return "An item is there twice";
        }
    }
    return NULL;
}

static const char *check_text(const struct topic_setting *setting, struct slice value, char *text,
                              size_t room)
{
    char values[SETTING_MESSAGE_MAX / 2];

    if (setting->values == NULL || is_among(value, setting->values))
        return NULL;
    name_values(setting->values, values, sizeof(values));
    snprintf(text, room, "String must be one of: %s", values);
    return text;
}

static const char *check_boolean(struct slice value)
{
    value = trim(value);
    if ((value.len == 4 && strncasecmp((const char *)value.data, "true", 4) == 0) ||
        (value.len == 5 && strncasecmp((const char *)value.data, "false", 5) == 0))
        return NULL;
    return "Expected value to be either true or false";
}

static bool is_printable(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7e)
            return false;
    }
    return true;
}

enum kafka_error topic_setting_check_value(const struct topic_setting *setting, struct slice value,
                                           char message[SETTING_MESSAGE_MAX])
{
    char text[SETTING_MESSAGE_MAX / 2 + 64];
    const char *wrong = NULL;

    if (slice_is_null(value) || value.len >= SETTING_VALUE_MAX || !is_printable(value)) {
        snprintf(
            message, SETTING_MESSAGE_MAX,
            "Invalid value for configuration %s: it must be printable text of at most %d bytes",
            setting->name, SETTING_VALUE_MAX - 1);
        return KAFKA_INVALID_CONFIG;
    }
    if (setting->type == SETTING_BOOLEAN)
        wrong = check_boolean(value);
    else if (setting->type == SETTING_LIST)
        wrong = check_list(setting, value, text, sizeof(text));
    else if (setting->type == SETTING_STRING)
        wrong = check_text(setting, value, text, sizeof(text));
    else
        wrong = check_number(setting, value, text, sizeof(text));
    if (wrong == NULL)
        return KAFKA_NONE;
    snprintf(message, SETTING_MESSAGE_MAX, "Invalid value %.*s for configuration %s: %s",
             (int)(value.len < 40 ? value.len : 40), (const char *)value.data, setting->name,
             wrong);
    return KAFKA_INVALID_CONFIG;
}

static bool has_item(struct slice list, struct slice item)
{
    struct slice other = SLICE_NULL;

    while (setting_next_item(&list, &other)) {
        if (slice_equal(item, other))
            return true;
    }
    return false;
}

static bool add_item(struct slice item, char *text, size_t *len)
{
    size_t comma = *len > 0 ? 1 : 0;

    if (*len + comma + item.len >= SETTING_VALUE_MAX)
        return false;
    if (comma > 0)
        text[(*len)++] = ',';
    memcpy(text + *len, item.data, item.len);
    *len += item.len;
    text[*len] = '\0';
    return true;
}

bool topic_setting_edit_list(struct slice current, struct slice items, bool is_append,
                             char ret_text[SETTING_VALUE_MAX])
{
    struct slice rest = current, item = SLICE_NULL;
    size_t len = 0;

    ret_text[0] = '\0';
    while (setting_next_item(&rest, &item)) {
        if (item.len > 0 && (is_append || !has_item(items, item)) &&
            !add_item(item, ret_text, &len))
            return false;
    }
    rest = items;
    while (is_append && setting_next_item(&rest, &item)) {
        if (item.len > 0 && !has_item(slice_of(ret_text, len), item) &&
            !add_item(item, ret_text, &len))
            return false;
    }
    return true;
}

const char *topic_name_check(struct slice name, size_t max_len)
{
    if (slice_is_null(name) || name.len == 0)
        return "the empty string is not allowed";
    if (slice_equal_cstring(name, ".") || slice_equal_cstring(name, ".."))
        return "'.' or '..' is not allowed";
    if (name.len > max_len)
        return max_len == TOPIC_NAME_CLIENT_MAX ? "the name can't be longer than 200 characters"
                                                : "the name can't be longer than 249 characters";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return "it may hold ASCII letters, digits, '.', '_' and '-' only";
    }
    return NULL;
}
