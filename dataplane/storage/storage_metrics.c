/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/storage_metrics.h"

#include "dataplane/storage/log_directory_internal.h"

void log_directory_add_flush_times(const struct log_directory *directory, struct histogram_sum *sum)
{
    for (int i = 0; i < directory->executor->loop_count; i++)
        histogram_sum_add(sum, &directory->shards[i].rounds);
}

void log_directory_add_metrics(const struct log_directory *directory, struct storage_metrics *sum)
{
    struct counter *sums = (struct counter *)sum;

    for (int i = 0; i < directory->executor->loop_count; i++) {
        const struct counter *counters = (const struct counter *)&directory->shards[i].metrics;

        for (size_t k = 0; k < sizeof(*sum) / sizeof(sums[0]); k++)
            counter_add(&sums[k], counter_read(&counters[k]));
    }
    counter_add(&sum->spare_bytes, atomic_load(&directory->store.spares.bytes));
    counter_add(&sum->spares_kept, atomic_load(&directory->store.spares.kept_count));
    counter_add(&sum->spares_taken, atomic_load(&directory->store.spares.taken_count));
}
