/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/plan_limits.h"

#include "dataplane/cluster/reserved_storage.h"

bool plan_limits_make(struct request *request, struct topic_plan_limits *ret_limits)
{
    const struct image *image = request->broker->image;
    const struct image_tenant *tenant = request_tenant(request);
    size_t count = image_broker_count(image);
    int32_t *ids = arena_new_array(&request->arena, count, int32_t);

    if (tenant == NULL || ids == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        ids[i] = image_broker_at(image, i)->id;
    *ret_limits = (struct topic_plan_limits){
        .policy = &tenant->policy,
        .broker_ids = ids,
        .broker_count = (int32_t)count,
        .max_partitions = tenant->limits.partitions,
        .partitions = image_partition_count(image, request_instance(request)),
        .max_reserved = reserved_storage_limit(tenant->limits.storage_bytes),
        .reserved = reserved_storage_of(image, tenant),
    };
    return true;
}
