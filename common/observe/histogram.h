/* SPDX-License-Identifier: Apache-2.0 */
/* How long things took, in fixed buckets from 100 us to 10 s. One writer, any reader (counter.h). */
#ifndef COMMON_OBSERVE_HISTOGRAM_H
#define COMMON_OBSERVE_HISTOGRAM_H

#include "common/observe/counter.h"

#include <stddef.h>

enum { HISTOGRAM_BUCKETS = 16 };

/* Upper bounds in microseconds, inclusive; the last bucket, INT64_MAX, takes the rest. */
extern const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS + 1];

/* All zero = empty. */
struct histogram {
    struct counter buckets[HISTOGRAM_BUCKETS + 1]; /* each its own, not cumulative */
    struct counter sum_us;
};

/* The writer. Negative durations (a clock that was set) count as zero. */
void histogram_note(struct histogram *histogram, int64_t duration_us);
/* Where there are several writers. */
void histogram_note_shared(struct histogram *histogram, int64_t duration_us);

/* What several writers noted, added up. Any thread. */
struct histogram_sum {
    int64_t buckets[HISTOGRAM_BUCKETS + 1];
    int64_t sum_us;
};

int64_t histogram_sum_count(const struct histogram_sum *sum);
void histogram_sum_add(struct histogram_sum *sum, const struct histogram *histogram);

#endif
