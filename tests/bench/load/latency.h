/* SPDX-License-Identifier: Apache-2.0 */
/* How long things took: buckets that are 1/128 wide, from 1 ns to hours; as HdrHistogram does it. */
#ifndef TESTS_BENCH_LOAD_LATENCY_H
#define TESTS_BENCH_LOAD_LATENCY_H

#include <stdint.h>

enum { LATENCY_SUB_BITS = 7, LATENCY_BUCKETS = (64 - LATENCY_SUB_BITS) << LATENCY_SUB_BITS };

struct latency {
    int64_t buckets[LATENCY_BUCKETS];
    int64_t count;
    int64_t max_ns;
};

/* Less than nothing counts as nothing. */
void latency_note(struct latency *latency, int64_t ns);
double latency_quantile_ms(const struct latency *latency, double part);
/* {"p50": …, "p99": …, "p999": …, "max": …} in milliseconds, to the standard output. */
void latency_print(const struct latency *latency);

#endif
