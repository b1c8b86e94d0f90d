/* SPDX-License-Identifier: Apache-2.0 */
/* What a load counts between its warm-up and its end, and how it tells it. */
#ifndef TESTS_BENCH_LOAD_MEASURE_H
#define TESTS_BENCH_LOAD_MEASURE_H

#include <stdbool.h>

#include "tests/bench/load/latency.h"
#include "tests/bench/load/load_options.h"

struct measure {
    int64_t from_ns, to_ns; /* what lies between is counted; with --bytes, to_ns moves */
    int64_t bytes_wanted;   /* 0 = by time */
    int64_t records, bytes;
    double cpu_at_begin; /* of this process, seconds; below 0 = not begun */
    struct latency latency;
    struct latency late;
};

void measure_begin(struct measure *measure, const struct load_options *options);
bool measure_is_over(const struct measure *measure, int64_t now);
/* Something is done at `now`; it was due at due_ns. */
void measure_note(struct measure *measure, int64_t now, int64_t due_ns, int64_t records,
                  int64_t bytes);
/* Sent at `now` what was due at due_ns. */
void measure_note_late(struct measure *measure, int64_t now, int64_t due_ns);
/* The object without its closing brace. */
void measure_print(struct measure *measure);

#endif
