/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas and in-sync replicas are lent from the image instead of copied: the answer is written within
 * the turn, and a large instance has thousands of them. */
#include "dataplane/handlers/partition_view.h"

/* The message types have no const; writing them does not change them. */
static struct kafka_i32_array borrow(const int32_t *ids, uint8_t count)
{
    return (struct kafka_i32_array){(int32_t *)(uintptr_t)ids, count};
}

static bool list_offline(const struct image_partition *partition, const struct broker_list *brokers,
                         struct arena *arena, struct kafka_i32_array *ret_offline)
{
    struct kafka_i32_array offline = {NULL, 0};

    for (int i = 0; i < partition->replica_count; i++) {
        if (broker_list_find(brokers, partition->replicas[i]) != NULL)
            continue;
        if (offline.items == NULL)
            offline.items = arena_new_array(arena, partition->replica_count, int32_t);
        if (offline.items == NULL)
            return false;
        offline.items[offline.count++] = partition->replicas[i];
    }
    *ret_offline = offline;
    return true;
}

bool partition_view_make(const struct image_partition *partition, const struct broker_list *brokers,
                         enum kafka_error no_listener, struct arena *arena,
                         struct partition_view *ret_view)
{
    *ret_view = (struct partition_view){
        .error = KAFKA_NONE,
        .leader_id = partition->leader,
        .leader_epoch = partition->leader_epoch,
        .replicas = borrow(partition->replicas, partition->replica_count),
        .isr = borrow(partition->isr, partition->isr_count),
    };
    if (partition->leader < 0)
        ret_view->error = KAFKA_LEADER_NOT_AVAILABLE;
    else if (broker_list_find(brokers, partition->leader) == NULL)
        ret_view->error = no_listener;
    if (ret_view->error != KAFKA_NONE)
        ret_view->leader_id = -1;
    return list_offline(partition, brokers, arena, &ret_view->offline);
}
