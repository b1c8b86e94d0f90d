/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/measure.h"

#include <stdio.h>
#include <sys/resource.h>

#include "tests/bench/load/link.h"

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double own_cpu(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

void measure_begin(struct measure *measure, const struct load_options *options)
{
    measure->bytes_wanted = options->bytes;
    measure->from_ns = now_ns() + (options->bytes > 0 ? 0 : options->warm_up_ns);
    measure->to_ns = options->bytes > 0 ? INT64_MAX : measure->from_ns + options->measured_ns;
    measure->cpu_at_begin = -1;
}

bool measure_is_over(const struct measure *measure, int64_t now)
{
    return now >= measure->to_ns;
}

static bool is_counted(struct measure *measure, int64_t now)
{
    if (now < measure->from_ns || now >= measure->to_ns)
        return false;
    if (measure->cpu_at_begin < 0)
        measure->cpu_at_begin = own_cpu();
    return true;
}

void measure_note(struct measure *measure, int64_t now, int64_t due_ns, int64_t records,
                  int64_t bytes)
{
    if (!is_counted(measure, now))
        return;
    measure->records += records;
    measure->bytes += bytes;
    latency_note(&measure->latency, now - due_ns);
    if (measure->bytes_wanted > 0 && measure->bytes >= measure->bytes_wanted)
        measure->to_ns = now;
}

void measure_note_late(struct measure *measure, int64_t now, int64_t due_ns)
{
    if (is_counted(measure, now))
        latency_note(&measure->late, now - due_ns);
}

void measure_print(struct measure *measure)
{
    double seconds = (double)(measure->to_ns - measure->from_ns) / 1e9;

    printf("{\"records\": %lld, \"bytes\": %lld, \"seconds\": %.3f, \"bytes_per_second\": %.0f, "
           "\"errors\": 0, \"cpu_seconds\": %.3f, \"latency_ms\": ",
           (long long)measure->records, (long long)measure->bytes, seconds,
           (double)measure->bytes / seconds,
           measure->cpu_at_begin < 0 ? 0 : own_cpu() - measure->cpu_at_begin);
    latency_print(&measure->latency);
    printf(", \"late_ms\": ");
    latency_print(&measure->late);
}
