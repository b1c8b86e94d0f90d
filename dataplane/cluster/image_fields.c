/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/image_fields.h"

void fields_fail(struct image_fields *fields, const char *name, const char *what)
{
    if (fields->is_bad)
        return;
    fields->is_bad = true;
    error_set(fields->error, ERR_INVALID, "field %s %s", name, what);
}

static const json_t *get(const struct image_fields *fields, const char *name)
{
    const json_t *value = json_object_get(fields->object, name);

    return json_is_null(value) ? NULL : value;
}

int64_t fields_integer_or(struct image_fields *fields, const char *name, int64_t minimum,
                          int64_t maximum, int64_t otherwise)
{
    return get(fields, name) ? fields_integer(fields, name, minimum, maximum) : otherwise;
}

int64_t fields_integer(struct image_fields *fields, const char *name, int64_t minimum,
                       int64_t maximum)
{
    const json_t *value = get(fields, name);
    int64_t number = json_integer_value(value);

    if (!json_is_integer(value)) {
        fields_fail(fields, name, "is not an integer");
        return minimum;
    }
    if (number < minimum || number > maximum) {
        fields_fail(fields, name, "is out of range");
        return minimum;
    }
    return number;
}

bool fields_bool(struct image_fields *fields, const char *name)
{
    const json_t *value = get(fields, name);

    if (!json_is_boolean(value))
        fields_fail(fields, name, "is not true or false");
    return json_is_true(value);
}

struct slice fields_text(struct image_fields *fields, const char *name, size_t min_len,
                         size_t max_len)
{
    const json_t *value = get(fields, name);
    struct slice text = slice_of(json_string_value(value), json_string_length(value));

    if (!json_is_string(value)) {
        fields_fail(fields, name, "is not a string");
        return SLICE_LITERAL("");
    }
    if (text.len < min_len || text.len > max_len ||
        memchr(text.data, '\0', text.len + 1) != (const void *)(text.data + text.len)) {
        fields_fail(fields, name, "has a bad length");
        return SLICE_LITERAL("");
    }
    return text;
}

void fields_copy(struct image_fields *fields, const char *name, size_t min_len, char *ret_text,
                 size_t room)
{
    struct slice text = fields_text(fields, name, min_len, room - 1);

    memcpy(ret_text, text.data, text.len);
    ret_text[text.len] = '\0';
}

struct uuid fields_uuid(struct image_fields *fields, const char *name)
{
    struct slice text = fields_text(fields, name, UUID_TEXT_LEN, UUID_TEXT_LEN);
    struct uuid uuid = {{0}};

    if (!fields->is_bad && (uuid_parse(text, &uuid) != ERR_OK || uuid_is_zero(uuid)))
        fields_fail(fields, name, "is not a uuid");
    return uuid;
}

const json_t *fields_object(struct image_fields *fields, const char *name)
{
    const json_t *value = get(fields, name);

    if (value != NULL && !json_is_object(value)) {
        fields_fail(fields, name, "is not an object");
        return NULL;
    }
    return value;
}

const json_t *fields_array(struct image_fields *fields, const char *name)
{
    const json_t *value = get(fields, name);

    if (value != NULL && !json_is_array(value)) {
        fields_fail(fields, name, "is not an array");
        return NULL;
    }
    return value;
}
