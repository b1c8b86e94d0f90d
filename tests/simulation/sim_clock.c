/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sim_clock.h"

static int64_t sim_monotonic_us(const struct clock *clock)
{
    return container_of(clock, const struct sim_clock, base)->monotonic_us;
}

static int64_t sim_wall_ms(const struct clock *clock)
{
    const struct sim_clock *sim = container_of(clock, const struct sim_clock, base);

    return sim->start_wall_ms + sim->monotonic_us / 1000;
}

void sim_clock_init(struct sim_clock *clock, int64_t start_wall_ms)
{
    *clock = (struct sim_clock){
        .base = {sim_monotonic_us, sim_wall_ms},
        .start_wall_ms = start_wall_ms,
    };
}

void sim_clock_set(struct sim_clock *clock, int64_t monotonic_us)
{
    if (monotonic_us > clock->monotonic_us)
        clock->monotonic_us = monotonic_us;
}

void sim_clock_shift_wall(struct sim_clock *clock, int64_t by_ms)
{
    clock->start_wall_ms += by_ms;
}
