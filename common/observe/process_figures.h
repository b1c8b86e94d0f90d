/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of this process, for the process_* metrics that every Prometheus client has.
 * Reads /proc/self; a few microseconds, and one entry a descriptor. */
#ifndef COMMON_OBSERVE_PROCESS_FIGURES_H
#define COMMON_OBSERVE_PROCESS_FIGURES_H

#include "common/base/error.h"

#include <stdint.h>

struct process_figures {
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t cpu_us;
    int64_t open_fds;
    int64_t max_fds;
    int64_t started_unix_us;
};

/* Any thread. ERR_IO when /proc is not there. */
enum err process_figures_read(struct process_figures *ret_figures) WARN_UNUSED;

#endif
