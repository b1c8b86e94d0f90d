/* SPDX-License-Identifier: Apache-2.0 */
/* How often somebody may do something: so many per minute, and so many at once after a rest.
 *
 * Who that is (an address, a key id, a caller) is a text that the other side may choose, so the table has a fixed size
 * and a seeded hash; when a place is wanted that is taken, whoever has rested longest is forgotten. Per process:
 * replicas count apart. Any thread. */
#ifndef CONTROLPLANE_IDENTITY_RATE_LIMITER_H
#define CONTROLPLANE_IDENTITY_RATE_LIMITER_H

#include "common/base/error.h"

#include <stdint.h>

struct rate_limiter;

enum err rate_limiter_new(int64_t per_minute, int64_t burst, struct rate_limiter **ret_limiter,
                          struct error *error) WARN_UNUSED;
void rate_limiter_free(struct rate_limiter *limiter); /* takes NULL */

/* 0: it is allowed, and counts. Else nothing counts, and this is after how many microseconds it would be. */
int64_t rate_limiter_take(struct rate_limiter *limiter, const char *who, int64_t now_us);
/* The same without counting. */
int64_t rate_limiter_look(struct rate_limiter *limiter, const char *who, int64_t now_us);

#endif
