/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches for simulations: each record carries a number, so that a checker knows what it sees. */
#ifndef TESTS_SIMULATION_SIM_RECORDS_H
#define TESTS_SIMULATION_SIM_RECORDS_H

#include "common/base/buffer.h"

struct sim_batch {
    int64_t first_number; /* records carry first_number, first_number + 1, … */
    int32_t count;
    int32_t padding;         /* bytes beside the number */
    int32_t key_count;       /* keys are number % key_count; 0 = null keys */
    int32_t tombstone_every; /* numbers that it divides have no value, but a header; 0 = none */
    int64_t timestamp_ms;
    int64_t producer_id; /* -1 = plain */
    int16_t producer_epoch;
    int32_t base_sequence;
};

/* Appends one batch to buffer. */
void sim_batch_write(const struct sim_batch *batch, struct buffer *buffer);

/* Calls each(offset, number) for every record; checks lengths and CRC on the way (invariant). */
void sim_records_read(struct slice records,
                      void (*each)(void *context, int64_t offset, int64_t number), void *context);

/* The offset after the last batch; -1 = there is none. */
int64_t sim_records_end(struct slice records);

#endif
