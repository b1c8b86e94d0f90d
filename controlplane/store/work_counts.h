/* SPDX-License-Identifier: Apache-2.0 */
/* How much there is and how much waits, for metrics. db: a connection to the fleet database as millrace_provision. */
#ifndef CONTROLPLANE_STORE_WORK_COUNTS_H
#define CONTROLPLANE_STORE_WORK_COUNTS_H

#include "controlplane/store/db.h"

struct work_counts_visitor {
    void *context;
    /* Operations of this type that are in progress, and the age of the oldest. */
    void (*on_operations)(void *context, const char *type, int64_t count, int64_t oldest_us);
    /* Instances by phase, as stored; removed ones left out. */
    void (*on_instances)(void *context, const char *phase, int64_t count);
};

enum err work_counts_read(struct db *db, const struct work_counts_visitor *visitor,
                          struct error *error) WARN_UNUSED;

#endif
