/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tenant/tenant_rates.h"

static int64_t rate(const struct image *image, const struct image_tenant *tenant,
                    int64_t per_instance, int64_t per_partition)
{
    int64_t partitions = 0;
    int64_t sum = 0;

    if (per_partition < 0)
        return per_instance;
    partitions = image_partition_count(image, tenant->instance_no);
    if (partitions < 1)
        partitions = 1;
    if (__builtin_mul_overflow(per_partition, partitions, &sum))
        sum = INT64_MAX;
    return per_instance < 0 || sum < per_instance ? sum : per_instance;
}

int64_t tenant_produce_rate(const struct image *image, const struct image_tenant *tenant)
{
    return rate(image, tenant, tenant->limits.produce_bytes_per_second,
                tenant->limits.produce_bytes_per_second_per_partition);
}

int64_t tenant_consume_rate(const struct image *image, const struct image_tenant *tenant)
{
    return rate(image, tenant, tenant->limits.consume_bytes_per_second,
                tenant->limits.consume_bytes_per_second_per_partition);
}
