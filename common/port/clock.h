/* SPDX-License-Identifier: Apache-2.0 */
/* Time as a port: read once per loop turn and passed down. */
#ifndef COMMON_PORT_CLOCK_H
#define COMMON_PORT_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*monotonic_us)(const struct clock *clock); /* never goes back; for time-outs */
    int64_t (*wall_ms)(const struct clock *clock);      /* Unix epoch; for timestamps */
};

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock);
}

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}

extern const struct clock system_clock; /* any thread */

#endif
