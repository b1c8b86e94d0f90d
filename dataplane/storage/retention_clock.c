/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/retention_clock.h"

#include <stdbool.h>

#include "common/observe/log.h"

void retention_clock_init(struct retention_clock *clock, int64_t wall_ms, int64_t now_us)
{
    *clock = (struct retention_clock){
        .judged_ms = wall_ms,
        .read_us = now_us,
        .doubted_since_us = -1,
    };
}

static void doubt(struct retention_clock *clock, int64_t ahead_ms, int64_t now_us)
{
    bool has_jumped_again = ahead_ms > clock->doubted_ms + RETENTION_CLOCK_ALLOWANCE_MS;

    if (clock->doubted_since_us >= 0 && !has_jumped_again)
        return;
    clock->doubted_since_us = now_us;
    clock->doubted_ms = ahead_ms;
    log_event(LOG_WARN, "wall_clock_jumped_forward", f_i64("ahead_ms", ahead_ms),
              f_str("effect", "retention goes on by the old time for 12 hours"));
}

int64_t retention_clock_read(struct retention_clock *clock, int64_t wall_ms, int64_t now_us)
{
    int64_t most_ms =
        clock->judged_ms + (now_us - clock->read_us) / 1000 + RETENTION_CLOCK_ALLOWANCE_MS;

    clock->read_us = now_us;
    clock->judged_ms = wall_ms;
    if (wall_ms <= most_ms) {
        clock->doubted_since_us = -1;
        return wall_ms;
    }
    doubt(clock, wall_ms - most_ms, now_us);
    if (now_us - clock->doubted_since_us < RETENTION_CLOCK_DOUBT_US)
        clock->judged_ms = most_ms;
    return clock->judged_ms;
}
