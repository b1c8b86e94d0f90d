/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition's log has promised so far. A record is known by its number; numbers are never used
 * twice. Offsets map to numbers once they were acknowledged or shown; that must hold for ever. */
#ifndef TESTS_SIMULATION_STORAGE_MODEL_H
#define TESTS_SIMULATION_STORAGE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model_slot {
    int64_t number; /* -1 = not known yet */
    bool is_acknowledged;
    bool is_shown; /* in the whole log as it was read last */
};

struct storage_model {
    struct model_slot *slots; /* by offset */
    int64_t slot_count;
    int64_t *offset_of; /* by number; -1 = not seen; only idempotent records */
    int64_t number_count;
    int64_t high_watermark; /* highest shown */
    int64_t log_start;      /* highest acknowledged or shown */
    int32_t
        key_count; /* the log is compacted: a record's key is number % key_count; 0 = it is not */
    int32_t tombstone_every; /* and these have no value */
    int64_t required_end;    /* one past the highest offset that was promised */
    int64_t committed_end;   /* one past what was durable when the policy became FLUSH_OS */
    bool is_damaged;         /* bits were flipped: things may be missing, but not wrong */
    char why[200];           /* the first contradiction; "" = none */
};

void storage_model_init(struct storage_model *model);
void storage_model_done(struct storage_model *model);
/* The offset holds the number, as an answer (acknowledged) or a read says. is_unique: the number may not
 * be at two offsets. */
void storage_model_see(struct storage_model *model, int64_t offset, int64_t number, bool is_unique,
                       bool is_acknowledged);
/* Log start and high watermark are shown; they may not be below what was known when they were asked
 * for. */
void storage_model_see_bounds(struct storage_model *model, int64_t log_start,
                              int64_t high_watermark, int64_t least_log_start,
                              int64_t least_high_watermark);
/* A compacted log is read as a whole, from the log start to the high watermark: begin, see, check. The newest
 * record of each key must be there, but for a tombstone, which may be gone; then its key is gone, too. Returns
 * how many offsets hold nothing any more. */
void storage_model_begin_whole(struct storage_model *model);
int64_t storage_model_check_whole(struct storage_model *model, int64_t log_start, int64_t end);
void storage_model_fail(struct storage_model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
