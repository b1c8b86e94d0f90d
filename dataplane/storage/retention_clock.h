/* SPDX-License-Identifier: Apache-2.0 */
/* The time that retention is judged by. It is the wall clock, but one that jumps forward by hours or days (an operator's
 * mistake, a bad time server) may not empty every log at the next check. So from one look to the next it goes on by as
 * much as the monotonic clock did and a little more, and what the wall clock is further ahead is doubted: it is believed
 * when it has stayed so for half a day, or at the next start. Backward it follows at once: nothing goes for that.
 *
 * Apache Kafka believes the wall clock. Here a right jump (a machine that was asleep) costs half a day of records more. */
#ifndef DATAPLANE_STORAGE_RETENTION_CLOCK_H
#define DATAPLANE_STORAGE_RETENTION_CLOCK_H

#include <stdint.h>

#define RETENTION_CLOCK_ALLOWANCE_MS 1000
#define RETENTION_CLOCK_DOUBT_US ((int64_t)12 * 3600 * 1000000)

struct retention_clock {
    int64_t judged_ms;
    int64_t read_us;
    int64_t doubted_since_us; /* -1 = the wall clock is believed */
    int64_t doubted_ms;       /* it was ahead by */
};

/* The wall clock is believed as it is now. */
void retention_clock_init(struct retention_clock *clock, int64_t wall_ms, int64_t now_us);
int64_t retention_clock_read(struct retention_clock *clock, int64_t wall_ms, int64_t now_us);

#endif
