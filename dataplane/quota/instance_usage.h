/* SPDX-License-Identifier: Apache-2.0 */
/* What one service instance uses of this process, shared by all loops: one bucket a direction, and
 * the number of its connections. Limits are not here: they are in the tenant's record and are
 * passed in. */
#ifndef DATAPLANE_QUOTA_INSTANCE_USAGE_H
#define DATAPLANE_QUOTA_INSTANCE_USAGE_H

#include "common/base/error.h"
#include "dataplane/quota/token_bucket.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct instance_usage {
    atomic_int reference_count;
    struct token_bucket produce;
    struct token_bucket consume;
    _Atomic int64_t connections;
};

enum err instance_usage_new(int64_t now_us, struct instance_usage **ret_usage) WARN_UNUSED;
void instance_usage_ref(struct instance_usage *usage);
void instance_usage_unref(struct instance_usage *usage); /* NULL is allowed */

/* Counts one more connection unless `limit` (-1 = no bound) is reached. False = refused, not
 * counted. */
bool instance_usage_connect(struct instance_usage *usage, int64_t limit) WARN_UNUSED;
void instance_usage_disconnect(struct instance_usage *usage);
int64_t instance_usage_connections(const struct instance_usage *usage); /* any thread */

#endif
