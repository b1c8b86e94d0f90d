/* SPDX-License-Identifier: Apache-2.0 */
/* What one service instance uses of this process, shared by all loops: one bucket a direction, one for
 * changes of topics, and the number of its connections. Limits are not here: they are in the tenant's
 * record and are passed in. `counts` only grow: they are read by metrics. */
#ifndef DATAPLANE_QUOTA_INSTANCE_USAGE_H
#define DATAPLANE_QUOTA_INSTANCE_USAGE_H

#include "common/base/error.h"
#include "dataplane/quota/client_count.h"
#include "dataplane/quota/memory_budget.h"
#include "dataplane/quota/token_bucket.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Topics are made in bursts: ten seconds' worth at once. */
#define INSTANCE_MUTATIONS_DEPTH_US 10000000

struct instance_counts {
    _Atomic int64_t requests;
    _Atomic int64_t produce_bytes; /* frames of Produce */
    _Atomic int64_t consume_bytes; /* records of Fetch */
    _Atomic int64_t produce_throttle_ms;
    _Atomic int64_t consume_throttle_ms;
    _Atomic int64_t refused_connections;
};

struct instance_usage {
    atomic_int reference_count;
    struct token_bucket produce;
    struct token_bucket consume;
    struct token_bucket mutations;
    _Atomic int64_t connections;
    struct client_count clients;
    struct memory_account memory; /* of requests and answers */
    struct instance_counts counts;
};

static inline void instance_usage_count(_Atomic int64_t *count, int64_t more)
{
    atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}

enum err instance_usage_new(int64_t now_us, struct instance_usage **ret_usage) WARN_UNUSED;
void instance_usage_ref(struct instance_usage *usage);
void instance_usage_unref(struct instance_usage *usage); /* NULL is allowed */

/* Counts one more connection unless `limit` (-1 = no bound) is reached. False = refused, not
 * counted. */
bool instance_usage_connect(struct instance_usage *usage, int64_t limit) WARN_UNUSED;
void instance_usage_disconnect(struct instance_usage *usage);
int64_t instance_usage_connections(const struct instance_usage *usage); /* any thread */

#endif
