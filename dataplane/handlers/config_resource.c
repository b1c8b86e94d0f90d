/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/config_resource.h"

#include <stdio.h>

struct name_entry *config_resource_add(struct name_set *set, int8_t type, struct slice name)
{
    uint8_t *pair = arena_alloc(set->arena, name.len + 1);

    if (pair == NULL)
        return NULL;
    pair[0] = (uint8_t)type;
    if (name.len > 0)
        memcpy(pair + 1, name.data, name.len);
    return name_set_add(set, slice_of(pair, name.len + 1));
}

bool config_resource_is_broker(struct slice name, int32_t broker_id)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", (int)broker_id);
    return slice_equal_cstring(name, text);
}
