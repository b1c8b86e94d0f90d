/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/image_records.h"

#include <stdlib.h>

/* The count may change where the record may not. */
static atomic_int *count_of(const struct image_record *record)
{
    return (atomic_int *)(uintptr_t)&record->reference_count;
}

void image_record_ref(const struct image_record *record)
{
    if (record != NULL)
        atomic_fetch_add_explicit(count_of(record), 1, memory_order_relaxed);
}

static void free_tenant(struct image_tenant *tenant)
{
    instance_usage_unref(tenant->usage);
    free(tenant->policy.ranges);
    free(tenant);
}

static void free_topic(struct image_topic *topic)
{
    for (int32_t i = 0; topic->replicas != NULL && i < topic->partition_count; i++) {
        if (topic->replicas[i] != NULL)
            replica_unref(topic->replicas[i]);
    }
    free(topic->replicas);
    free(topic->partitions);
    free(topic->overrides);
    free(topic->texts);
    free(topic);
}

void image_record_unref(const struct image_record *record)
{
    struct image_record *mutable = (struct image_record *)(uintptr_t)record;

    if (record == NULL || atomic_fetch_sub_explicit(count_of(record), 1, memory_order_acq_rel) != 1)
        return;
    free((void *)(uintptr_t)record->source.data);
    if (record->kind == IMAGE_TENANT)
        free_tenant((struct image_tenant *)(void *)mutable);
    else if (record->kind == IMAGE_TOPIC)
        free_topic((struct image_topic *)(void *)mutable);
    else
        free(mutable);
}

void image_listener_host(const struct image_listener *listener, const struct image_tenant *tenant,
                         char ret_host[IMAGE_HOST_MAX + 1])
{
    static const char placeholder[] = "{label}";
    const char *label = tenant != NULL ? tenant->label : "";
    size_t label_len = strlen(label);
    size_t len = 0;

    for (const char *at = listener->host; *at != '\0' && len < IMAGE_HOST_MAX;) {
        if (strncmp(at, placeholder, sizeof(placeholder) - 1) == 0 &&
            label_len <= IMAGE_HOST_MAX - len) {
            memcpy(ret_host + len, label, label_len);
            len += label_len;
            at += sizeof(placeholder) - 1;
            continue;
        }
        ret_host[len++] = *at++;
    }
    ret_host[len] = '\0';
}
