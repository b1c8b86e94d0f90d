/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of this process, for the process_* metrics that every Prometheus client has.
 * Reads /proc/self; a few microseconds, and one entry a descriptor.
 *
 *   const struct metric_family families[] = {PROCESS_METRIC_FAMILIES, [MINE] = …};
 *   enum { MINE = PROCESS_FAMILY_COUNT, … }; */
#ifndef COMMON_OBSERVE_PROCESS_FIGURES_H
#define COMMON_OBSERVE_PROCESS_FIGURES_H

#include "common/observe/exposition.h"

#include <stdint.h>

struct process_figures {
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t cpu_us;
    int64_t open_fds;
    int64_t max_fds;
    int64_t started_unix_us;
};

/* A program's table of families begins with these. */
enum process_family {
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_CPU,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_START,
    PROCESS_FAMILY_COUNT
};

/* clang-format off */
#define PROCESS_METRIC_FAMILIES                                                                    \
    [PROCESS_RESIDENT] = {"process_resident_memory_bytes", METRIC_GAUGE,                           \
                          "Memory of the process that is in RAM."},                                \
    [PROCESS_VIRTUAL] = {"process_virtual_memory_bytes", METRIC_GAUGE,                             \
                         "Address space of the process."},                                         \
    [PROCESS_CPU] = {"process_cpu_seconds_total", METRIC_COUNTER,                                  \
                     "User and system time of the process."},                                      \
    [PROCESS_OPEN_FDS] = {"process_open_fds", METRIC_GAUGE, "Open file descriptors."},             \
    [PROCESS_MAX_FDS] = {"process_max_fds", METRIC_GAUGE, "Most open file descriptors."},          \
    [PROCESS_START] = {"process_start_time_seconds", METRIC_GAUGE,                                 \
                       "When the process started, as Unix time."}
/* clang-format on */

/* Adds all six; none when /proc is not there. Any thread. */
void exposition_add_process(struct exposition *exposition);

/* Any thread. ERR_IO when /proc is not there. */
enum err process_figures_read(struct process_figures *ret_figures) WARN_UNUSED;

#endif
