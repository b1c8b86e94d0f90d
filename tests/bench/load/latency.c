/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/latency.h"

#include <stdio.h>

#define SUB ((uint64_t)1 << LATENCY_SUB_BITS)

/* Values below SUB have a bucket each; above, each power of two has SUB. */
static int bucket_of(uint64_t ns)
{
    int shift = 0;

    if (ns < SUB)
        return (int)ns;
    shift = 63 - __builtin_clzll(ns) - LATENCY_SUB_BITS;
    return (int)(((uint64_t)(shift + 1) << LATENCY_SUB_BITS) + (ns >> shift) - SUB);
}

/* The largest value of a bucket. */
static int64_t bound_of(int bucket)
{
    uint64_t shift = (uint64_t)bucket >> LATENCY_SUB_BITS;

    if (shift == 0)
        return bucket;
    return (int64_t)(((((uint64_t)bucket & (SUB - 1)) + SUB + 1) << (shift - 1)) - 1);
}

void latency_note(struct latency *latency, int64_t ns)
{
    int64_t counted = ns > 0 ? ns : 0;

    latency->buckets[bucket_of((uint64_t)counted)]++;
    latency->count++;
    if (counted > latency->max_ns)
        latency->max_ns = counted;
}

double latency_quantile_ms(const struct latency *latency, double part)
{
    int64_t wanted = (int64_t)(part * (double)latency->count);
    int64_t seen = 0;

    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > wanted)
            return (double)(bound_of(i) < latency->max_ns ? bound_of(i) : latency->max_ns) / 1e6;
    }
    return (double)latency->max_ns / 1e6;
}

void latency_print(const struct latency *latency)
{
    printf("{\"p50\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"max\": %.4f}",
           latency_quantile_ms(latency, 0.5), latency_quantile_ms(latency, 0.99),
           latency_quantile_ms(latency, 0.999), (double)latency->max_ns / 1e6);
}
