/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/quota/instance_usage.h"

#include <stdlib.h>

enum err instance_usage_new(int64_t now_us, struct instance_usage **ret_usage)
{
    struct instance_usage *usage = calloc(1, sizeof(*usage));

    if (usage == NULL)
        return ERR_NO_MEMORY;
    atomic_init(&usage->reference_count, 1);
    token_bucket_init(&usage->produce, TOKEN_BUCKET_DEPTH_US, now_us);
    token_bucket_init(&usage->consume, TOKEN_BUCKET_DEPTH_US, now_us);
    token_bucket_init(&usage->mutations, INSTANCE_MUTATIONS_DEPTH_US, now_us);
    atomic_init(&usage->connections, 0);
    client_count_init(&usage->clients);
    *ret_usage = usage;
    return ERR_OK;
}

void instance_usage_ref(struct instance_usage *usage)
{
    atomic_fetch_add_explicit(&usage->reference_count, 1, memory_order_relaxed);
}

void instance_usage_unref(struct instance_usage *usage)
{
    if (usage == NULL)
        return;
    if (atomic_fetch_sub_explicit(&usage->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    client_count_done(&usage->clients);
    free(usage);
}

bool instance_usage_connect(struct instance_usage *usage, int64_t limit)
{
    int64_t count = atomic_load_explicit(&usage->connections, memory_order_relaxed);

    do {
        if (limit >= 0 && count >= limit)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&usage->connections, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void instance_usage_disconnect(struct instance_usage *usage)
{
    int64_t before = atomic_fetch_sub_explicit(&usage->connections, 1, memory_order_relaxed);

    invariant(before > 0);
}

int64_t instance_usage_connections(const struct instance_usage *usage)
{
    return atomic_load_explicit(&usage->connections, memory_order_relaxed);
}
