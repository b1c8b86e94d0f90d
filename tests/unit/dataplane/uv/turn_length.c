/* SPDX-License-Identifier: Apache-2.0 */
/* Alone in its file, as short_turns.c is. */
#include "tests/unit/dataplane/uv/turn_length.h"

#include <linux/sched/types.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int64_t turn_length_ns(void)
{
    struct sched_attr attributes = {.size = sizeof(attributes)};

    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0)
        return 0;
    return (int64_t)attributes.sched_runtime;
}

bool turn_length_can_be_chosen(void)
{
    struct utsname name;
    int major = 0, minor = 0;

    if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
        return false;
    return major > 6 || (major == 6 && minor >= 12);
}
