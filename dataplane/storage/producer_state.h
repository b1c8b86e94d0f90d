/* SPDX-License-Identifier: Apache-2.0 */
/* What one partition remembers of each idempotent producer: its epoch and its last five batches.
 *
 * A batch that was seen is answered with the offsets it got then; the next must follow without a gap; an
 * unknown producer may start anywhere. State outlives the data it came from; it goes after a day without
 * writes, or, oldest first, when there are more than PRODUCER_STATE_MAX producers.
 *
 * An append that never becomes durable is taken back exactly: producer_state_append gives what was
 * there before, producer_state_revert puts it back (newest first).
 *
 * The snapshot is written at each roll and at a clean end, so that a start reads little of the log. */
#ifndef DATAPLANE_STORAGE_PRODUCER_STATE_H
#define DATAPLANE_STORAGE_PRODUCER_STATE_H

#include "common/base/buffer.h"
#include "common/base/hash_table.h"
#include "common/base/list.h"
#include "dataplane/storage/record_batch.h"

#define PRODUCER_BATCHES 5
#define PRODUCER_STATE_MAX 16384
#define PRODUCER_EXPIRATION_MS 86400000

struct producer_batch {
    int32_t first_sequence;
    int32_t last_sequence;
    int64_t base_offset;
    int64_t last_offset;
    int64_t append_time_ms; /* what the answer said: -1 with CreateTime */
};

struct producer_entry {
    struct hash_node node;
    struct list by_age; /* least recently written first */
    int64_t producer_id;
    int64_t last_write_ms; /* the broker's wall clock */
    int16_t epoch;
    int16_t batch_count;
    struct producer_batch batches[PRODUCER_BATCHES]; /* oldest first */
};

struct producer_state {
    struct hash_table table;
    struct list by_age;
};

enum producer_verdict {
    PRODUCER_ACCEPTED,
    PRODUCER_DUPLICATE,    /* ret_batch is what it got then */
    PRODUCER_OUT_OF_ORDER, /* OUT_OF_ORDER_SEQUENCE_NUMBER */
    PRODUCER_FENCED        /* INVALID_PRODUCER_EPOCH */
};

/* What a producer's entry was before one append. */
struct producer_undo {
    int64_t producer_id;
    bool was_there;
    struct producer_entry before; /* numbers only; links mean nothing */
};

void producer_state_init(struct producer_state *state, struct hash_seed seed);
void producer_state_done(struct producer_state *state);
/* to takes all; from is empty after. to must not hold anything. */
void producer_state_move(struct producer_state *to, struct producer_state *from);

enum producer_verdict producer_state_check(const struct producer_state *state,
                                           const struct record_batch *batch,
                                           struct producer_batch *ret_batch);
/* Remembers a batch (offsets set). ret_undo may be NULL. ERR_NO_MEMORY: nothing changed. */
enum err producer_state_append(struct producer_state *state, const struct record_batch *batch,
                               int64_t now_ms, struct producer_undo *ret_undo) WARN_UNUSED;
void producer_state_revert(struct producer_state *state, const struct producer_undo *undo);
void producer_state_expire(struct producer_state *state, int64_t now_ms);

/* The offset it belongs to is part of it. */
enum err producer_state_save(const struct producer_state *state, int64_t offset,
                             struct buffer *out) WARN_UNUSED;
/* Into an empty state. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NO_MEMORY: the state is empty still. */
enum err producer_state_load(struct producer_state *state, struct slice bytes,
                             int64_t *ret_offset) WARN_UNUSED;

#endif
