/* SPDX-License-Identifier: Apache-2.0 */
/* Time that moves only when told. */
#ifndef TESTS_SIMULATION_SIM_CLOCK_H
#define TESTS_SIMULATION_SIM_CLOCK_H

#include "common/base/list.h"
#include "common/port/clock.h"

struct sim_clock {
    struct clock base;
    int64_t monotonic_us;
    int64_t start_wall_ms;
};

void sim_clock_init(struct sim_clock *clock, int64_t start_wall_ms);
/* Somebody sets the wall clock: it goes on from there. */
void sim_clock_shift_wall(struct sim_clock *clock, int64_t by_ms);
/* Never back. */
void sim_clock_set(struct sim_clock *clock, int64_t monotonic_us);

#endif
