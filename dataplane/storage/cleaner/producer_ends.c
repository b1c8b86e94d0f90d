/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/cleaner/producer_ends.h"

#include <stdlib.h>

static int compare_ids(const void *a, const void *b)
{
    const struct producer_end *left = a;
    const struct producer_end *right = b;

    return (left->producer_id > right->producer_id) - (left->producer_id < right->producer_id);
}

/* What is not durable yet may be taken back: then the batch before it is the newest. */
static int64_t last_offset_below(const struct producer_entry *entry, int64_t log_end)
{
    for (int i = entry->batch_count - 1; i >= 0; i--) {
        if (entry->batches[i].last_offset < log_end)
            return entry->batches[i].last_offset;
    }
    return -1;
}

enum err producer_ends_init(struct producer_ends *ends, const struct producer_state *state,
                            int64_t log_end)
{
    *ends = (struct producer_ends){.count = 0};
    if (state->table.count == 0)
        return ERR_OK;
    ends->ends = malloc(state->table.count * sizeof(ends->ends[0]));
    if (ends->ends == NULL)
        return ERR_NO_MEMORY;
    list_for_each(&state->by_age, node)
    {
        const struct producer_entry *entry =
            container_of(node, const struct producer_entry, by_age);

        ends->ends[ends->count++] =
            (struct producer_end){entry->producer_id, last_offset_below(entry, log_end)};
    }
    qsort(ends->ends, ends->count, sizeof(ends->ends[0]), compare_ids);
    return ERR_OK;
}

void producer_ends_done(struct producer_ends *ends)
{
    free(ends->ends);
    *ends = (struct producer_ends){.count = 0};
}

bool producer_ends_has(const struct producer_ends *ends, const struct record_batch *batch)
{
    struct producer_end key = {batch->producer_id, 0};
    const struct producer_end *found = NULL;

    if (batch->producer_id < 0 || ends->count == 0)
        return false;
    found = bsearch(&key, ends->ends, ends->count, sizeof(ends->ends[0]), compare_ids);
    return found != NULL && found->last_offset == record_batch_last_offset(batch);
}
