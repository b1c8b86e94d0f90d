/* SPDX-License-Identifier: Apache-2.0 */
/* The executor of simulations: N loops, workers, timers and time on one thread, in an order that the
 * seed decides.
 *
 * One step does one thing: delivers one mail to one loop, fires one timer, or runs one piece of work
 * whole. Which one is drawn among all that could happen now; when nothing can, time jumps to the next
 * deadline. Mail keeps its order per target; nothing else has one.
 * Everything is folded into a trace hash: the same seed gives the same hash, or something in the code
 * depends on more than its inputs.
 *
 * A crash of the simulated process is sim_executor_free: what was queued never happens. */
#ifndef TESTS_SIMULATION_SIM_EXECUTOR_H
#define TESTS_SIMULATION_SIM_EXECUTOR_H

#include "common/port/clock.h"
#include "common/port/executor.h"
#include "common/port/random.h"
#include "tests/simulation/sim_trace.h"

struct sim_executor;

struct sim_executor_options {
    int loop_count;
    uint64_t seed;
    int64_t start_wall_ms;
    struct sim_trace *trace; /* borrowed; NULL = own */
    /* A piece of work becomes runnable after a delay drawn from [0, max); one in 64 takes 50 times as
     * long. 0 = at once. */
    int64_t work_delay_max_us[WORKER_POOL_COUNT];
};

struct sim_executor *sim_executor_new(const struct sim_executor_options *options);
void sim_executor_free(struct sim_executor *sim);

struct executor *sim_executor_base(struct sim_executor *sim);
struct loop *sim_executor_loop(struct sim_executor *sim, int index);
const struct clock *sim_executor_clock(const struct sim_executor *sim);
struct seeded_random *sim_executor_random(struct sim_executor *sim);
struct sim_trace *sim_executor_trace(struct sim_executor *sim);

/* Does one thing; false = nothing is queued, armed or running. */
bool sim_executor_step(struct sim_executor *sim);
/* Steps until nothing is left but timers later than now + duration; then it is that later. */
void sim_executor_run_for(struct sim_executor *sim, int64_t duration_us);
/* Steps until is_met says so; false = nothing left to do, or more than max_steps. */
bool sim_executor_run_until(struct sim_executor *sim, bool (*is_met)(void *context), void *context,
                            int64_t max_steps);
/* Calls fn as if loop `index` did: on_loop() holds inside. */
void sim_executor_call(struct sim_executor *sim, int index, void (*fn)(void *context),
                       void *context);
/* Somebody sets the wall clock; the monotonic one does not know. */
void sim_executor_shift_wall(struct sim_executor *sim, int64_t by_ms);
/* Makes submitted FLUSH work wait this much longer: a disk that stalls. */
void sim_executor_stall(struct sim_executor *sim, enum worker_pool pool, int64_t duration_us);

#endif
