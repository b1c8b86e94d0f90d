/* SPDX-License-Identifier: Apache-2.0 */
/* Alone in its file: the C library has neither the calls nor the structure, and the kernel's header of it does not go
 * together with the library's <sched.h>. */
#include "dataplane/uv/short_turns.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest time slice that the kernel grants (sched_setattr(2), SCHED_OTHER). */
#define TURN_NS 100000

void take_short_turns(void)
{
    struct sched_attr attributes = {.size = sizeof(attributes)};

    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0 ||
        attributes.sched_policy != SCHED_NORMAL)
        return;
    attributes.sched_runtime = TURN_NS;
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
