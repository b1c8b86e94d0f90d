/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's own bounds, whatever the plans say: numbers from its configuration, the same for all
 * instances. Read-only once the loops run. */
#ifndef DATAPLANE_DISPATCH_BROKER_LIMITS_H
#define DATAPLANE_DISPATCH_BROKER_LIMITS_H

#include "dataplane/auth/login_guard.h"
#include "dataplane/quota/memory_budget.h"

#include <stddef.h>
#include <stdint.h>

struct broker_limits {
    int64_t login_deadline_us;  /* from accept to the end of SASL */
    int64_t idle_timeout_us;    /* nothing in, nothing out */
    int64_t stalled_timeout_us; /* in the middle of a frame, or of an answer */
    size_t max_frame_bytes;
    size_t max_login_frame_bytes;   /* before login */
    size_t max_control_frame_bytes; /* of all requests but Produce */
    struct memory_limits memory;    /* memory_budget.h */
    size_t connection_memory_bytes; /* answers that wait on one connection; one larger still fits */
    struct login_guard_limits logins; /* login_guard.h; of each loop */
    int64_t
        topic_mutations_per_second; /* of an instance: partitions made or deleted; -1 = no bound */
};

extern const struct broker_limits broker_limits_default;

/* How `total` bytes are shared out: 70 % may be borrowed, an instance gets half at most and a 64th at least. */
struct memory_limits memory_limits_of(int64_t total_bytes);

#endif
