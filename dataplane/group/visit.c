/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/group/group_internal.h"

static void visit_offsets(const struct group *group, const struct group_visitor *visitor)
{
    for (struct hash_node *node = hash_table_next(&group->topics, NULL); node != NULL;
         node = hash_table_next(&group->topics, node)) {
        const struct group_topic *topic = container_of(node, struct group_topic, node);

        for (size_t i = 0; i < topic->offset_count; i++)
            visitor->on_offset(visitor->context, group->id, topic->name,
                               topic->offsets[i].partition, topic->offsets[i].offset);
    }
}

void group_shard_visit(const struct group_shard *shard, const struct group_visitor *visitor)
{
    if (shard->phase != SHARD_ACTIVE)
        return;
    for (struct hash_node *node = hash_table_next(&shard->groups, NULL); node != NULL;
         node = hash_table_next(&shard->groups, node)) {
        const struct group *group = container_of(node, struct group, node);

        if (!group_is_there(group))
            continue;
        visitor->on_group(visitor->context, group->id, group->member_count);
        visit_offsets(group, visitor);
    }
}
