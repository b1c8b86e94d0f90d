/* SPDX-License-Identifier: Apache-2.0 */
/* What happened in a simulation, folded into one number. */
#ifndef TESTS_SIMULATION_SIM_TRACE_H
#define TESTS_SIMULATION_SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sim_trace {
    uint64_t hash;
    int64_t events;
};

static inline void sim_trace_bytes(struct sim_trace *trace, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        trace->hash = (trace->hash ^ bytes[i]) * 0x100000001b3u;
    trace->events++;
}

static inline void sim_trace_event(struct sim_trace *trace, const char *what, int64_t number)
{
    sim_trace_bytes(trace, what, strlen(what));
    sim_trace_bytes(trace, &number, sizeof(number));
}

#endif
