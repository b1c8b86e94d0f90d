/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/reserved_storage.h"

#define COMPACTED_BYTES 1073741824

int64_t reserved_storage_product(int64_t bytes, int64_t partitions)
{
    int64_t product = 0;

    return __builtin_mul_overflow(bytes, partitions, &product) ? INT64_MAX : product;
}

int64_t reserved_storage_sum(int64_t a, int64_t b)
{
    int64_t sum = 0;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t reserved_storage_bytes(const struct log_config *config)
{
    int64_t segments = 0;

    if (config->cleanup_policy == CLEANUP_COMPACT)
        return COMPACTED_BYTES;
    if (config->retention_bytes < 0 || config->segment_bytes <= 0)
        return INT64_MAX;
    segments = config->retention_bytes / config->segment_bytes + 1;
    return reserved_storage_sum(
        reserved_storage_sum(config->retention_bytes, config->segment_bytes),
        reserved_storage_product(2 * config->segment_index_bytes, segments));
}

int64_t reserved_storage_limit(int64_t storage_bytes)
{
    return storage_bytes < 0 ? -1 : storage_bytes / 10 * 9;
}

int64_t reserved_storage_of(const struct image *image, const struct image_tenant *tenant)
{
    size_t count = image_topic_count(image, tenant->instance_no);
    int64_t sum = 0;

    if (tenant->limits.storage_bytes < 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct image_topic *topic = image_topic_at(image, tenant->instance_no, i);

        if (!topic->is_internal)
            sum = reserved_storage_sum(
                sum, reserved_storage_product(reserved_storage_bytes(&topic->config),
                                              topic->partition_count));
    }
    return sum;
}
