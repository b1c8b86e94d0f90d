/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that simulated parts take while the product's code runs (the executor steps both). A test that counts
 * the product's allocations leaves out what is taken between the two; nothing between them may call the
 * product back, so that nothing of the product is left out. Functions, not inline: a compiler that knows
 * calloc may move a change of a variable over it. */
#ifndef TESTS_SIMULATION_SIM_MEMORY_H
#define TESTS_SIMULATION_SIM_MEMORY_H

#include <stdbool.h>

void sim_memory_begin(void);
void sim_memory_end(void);
/* A simulated part takes memory now. */
bool sim_memory_is_taken(void);

#endif
