/* SPDX-License-Identifier: Apache-2.0 */
#include "common/observe/histogram.h"

const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS + 1] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    20000,     50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, INT64_MAX,
};

static size_t bucket_of(int64_t duration_us)
{
    size_t bucket = 0;

    while (duration_us > histogram_bounds_us[bucket])
        bucket++;
    return bucket;
}

void histogram_note(struct histogram *histogram, int64_t duration_us)
{
    counter_add(&histogram->buckets[bucket_of(duration_us)], 1);
    counter_add(&histogram->sum_us, duration_us > 0 ? duration_us : 0);
}

void histogram_note_shared(struct histogram *histogram, int64_t duration_us)
{
    counter_add_shared(&histogram->buckets[bucket_of(duration_us)], 1);
    counter_add_shared(&histogram->sum_us, duration_us > 0 ? duration_us : 0);
}

void histogram_sum_add(struct histogram_sum *sum, const struct histogram *histogram)
{
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += counter_read(&histogram->buckets[i]);
    sum->sum_us += counter_read(&histogram->sum_us);
}

int64_t histogram_sum_count(const struct histogram_sum *sum)
{
    int64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        count += sum->buckets[i];
    return count;
}
