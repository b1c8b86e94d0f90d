/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/domain/crn.h"

#include <stdio.h>

#define PART_COUNT 10

enum { PART_SERVICE = 4, PART_SCOPE = 6, PART_INSTANCE = 7, PART_TYPE = 8, PART_RESOURCE = 9 };

void crn_format_instance(const char *location, const char *account_id, struct uuid instance,
                         char *text)
{
    char guid[UUID_TEXT_LEN + 1];

    uuid_format(instance, guid);
    snprintf(text, CRN_MAX_LEN + 1, CRN_PREFIX CRN_SERVICE ":%.32s:a/%.32s:%s::", location,
             account_id, guid);
}

void crn_format_key(const char *location, const char *account_id, struct uuid instance,
                    struct uuid key, char *text)
{
    char guid[UUID_TEXT_LEN + 1], key_guid[UUID_TEXT_LEN + 1];

    uuid_format(instance, guid);
    uuid_format(key, key_guid);
    snprintf(text, CRN_MAX_LEN + 1, CRN_PREFIX CRN_SERVICE ":%.32s:a/%.32s:%s:resource-key:%s",
             location, account_id, guid, key_guid);
}

void crn_format_resource_group(const char *account_id, const char *resource_group_id, char *text)
{
    snprintf(text, CRN_MAX_LEN + 1, CRN_PREFIX "resource-controller::a/%.32s::resource-group:%.32s",
             account_id, resource_group_id);
}

void crn_format_deployment(const char *plan_id, const char *location, char *text)
{
    snprintf(text, CRN_MAX_LEN + 1, CRN_PREFIX "globalcatalog::::deployment:%.100s%%3A%.32s",
             plan_id, location);
}

static bool split(const char *text, struct slice parts[PART_COUNT])
{
    int count = 0;

    for (const char *part = text; count < PART_COUNT; part += parts[count - 1].len + 1) {
        size_t len = strcspn(part, ":");

        parts[count++] = slice_of(part, len);
        if (part[len] == '\0')
            return count == PART_COUNT;
    }
    return false;
}

/* The parts that all CRNs of ours share, then the account. */
static bool is_ours(const char *text, const char *account_id, struct slice parts[PART_COUNT])
{
    if (strncmp(text, CRN_PREFIX, sizeof(CRN_PREFIX) - 1) != 0 || !split(text, parts))
        return false;
    struct slice scope = parts[PART_SCOPE];
    return slice_equal_cstring(parts[PART_SERVICE], CRN_SERVICE) && scope.len > 2 &&
           memcmp(scope.data, "a/", 2) == 0 &&
           slice_equal_cstring(slice_of(scope.data + 2, scope.len - 2), account_id);
}

static enum err parse_guid(struct slice text, struct uuid *ret)
{
    struct uuid uuid;

    if (uuid_parse(text, &uuid) != ERR_OK || uuid_is_zero(uuid))
        return ERR_NOT_FOUND;
    *ret = uuid;
    return ERR_OK;
}

enum err crn_parse_instance(const char *text, const char *account_id, struct uuid *ret_instance)
{
    struct slice parts[PART_COUNT];

    if (strncmp(text, "crn:", 4) != 0)
        return parse_guid(slice_from_cstring(text), ret_instance);
    if (!is_ours(text, account_id, parts) || parts[PART_TYPE].len > 0 ||
        parts[PART_RESOURCE].len > 0)
        return ERR_NOT_FOUND;
    return parse_guid(parts[PART_INSTANCE], ret_instance);
}

enum err crn_parse_key(const char *text, const char *account_id, struct uuid *ret_key)
{
    struct slice parts[PART_COUNT];

    if (strncmp(text, "crn:", 4) != 0)
        return parse_guid(slice_from_cstring(text), ret_key);
    if (!is_ours(text, account_id, parts) || !slice_equal_cstring(parts[PART_TYPE], "resource-key"))
        return ERR_NOT_FOUND;
    return parse_guid(parts[PART_RESOURCE], ret_key);
}

const char *crn_last_part(const char *text)
{
    const char *colon = strncmp(text, "crn:", 4) == 0 ? strrchr(text, ':') : NULL;

    return colon ? colon + 1 : text;
}
