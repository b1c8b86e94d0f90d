/* SPDX-License-Identifier: Apache-2.0 */
/* Where the newest batch of each idempotent producer ends. Compaction keeps that batch, emptied if need be,
 * so that a log can always say what its producers' next sequences are. Immutable; any thread. */
#ifndef DATAPLANE_STORAGE_CLEANER_PRODUCER_ENDS_H
#define DATAPLANE_STORAGE_CLEANER_PRODUCER_ENDS_H

#include "dataplane/storage/producer_state.h"

struct producer_end {
    int64_t producer_id;
    int64_t last_offset;
};

struct producer_ends {
    size_t count;
    struct producer_end *ends; /* by producer id */
};

/* Of what is known on the owner's loop, the batches below log_end. ERR_NO_MEMORY. */
enum err producer_ends_init(struct producer_ends *ends, const struct producer_state *state,
                            int64_t log_end) WARN_UNUSED;
void producer_ends_done(struct producer_ends *ends);
bool producer_ends_has(const struct producer_ends *ends, const struct record_batch *batch);

#endif
