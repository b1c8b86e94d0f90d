/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sim_memory.h"

static _Thread_local int depth;

void sim_memory_begin(void)
{
    depth++;
}

void sim_memory_end(void)
{
    depth--;
}

bool sim_memory_is_taken(void)
{
    return depth > 0;
}
