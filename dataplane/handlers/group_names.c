/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/group_names.h"

#include "dataplane/handlers/name_set.h"

/* Moves each name's first appearance to the front; how many there are, or -1 without memory. */
static int32_t drop_repeated(struct request *request, const struct kafka_string_array *names)
{
    struct name_set seen;
    int32_t count = 0;

    name_set_init(&seen, request->broker->seed, &request->arena);
    for (int32_t i = 0; count >= 0 && i < names->count; i++) {
        const struct name_entry *entry = name_set_add(&seen, names->items[i]);

        if (entry == NULL)
            count = -1;
        else if (entry->count == 1)
            names->items[count++] = names->items[i];
    }
    name_set_done(&seen);
    return count;
}

struct group_calls *group_calls_for_names(struct request *request, enum group_operation operation,
                                          const struct kafka_string_array *names)
{
    int32_t count = drop_repeated(request, names);
    struct group_calls *calls = count >= 0 ? group_calls_new(request, operation, count) : NULL;

    for (int32_t i = 0; calls != NULL && i < count; i++)
        calls->items[i].call.group.group_id = names->items[i];
    return calls;
}
