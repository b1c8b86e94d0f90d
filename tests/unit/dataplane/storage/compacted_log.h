/* SPDX-License-Identifier: Apache-2.0 */
/* One log with cleanup.policy=compact and small segments, and what it shows. */
#ifndef TESTS_UNIT_DATAPLANE_STORAGE_COMPACTED_LOG_H
#define TESTS_UNIT_DATAPLANE_STORAGE_COMPACTED_LOG_H

#include "tests/unit/dataplane/storage/one_log.h"

#define COMPACTED_OFFSETS_MAX 2000
#define KEYS 7

/* What the log showed when it was looked at: numbers by offset, -1 where nothing is. */
extern int64_t compacted_shown[COMPACTED_OFFSETS_MAX];

/* The fixture's beginning; one_log_end ends it. */
void compacted_begin(void);

log_offset compacted_put_batch(struct sim_batch batch);
/* Batches of five records; numbers are offsets as long as nothing else is put. */
void compacted_put(int batches, int32_t keys);
/* The replica goes by the rig's config of now. */
void compacted_take_config(void);
void compacted_set_policy(unsigned policy);
log_offset compacted_end(void);

/* Of a read: its records into compacted_shown, the offset of the last; where its batches end. */
log_offset compacted_show(const struct replica_read *read);
log_offset compacted_end_of(const struct replica_read *read);
/* From the log start to its end, into compacted_shown; every answer leads further. */
void compacted_look(size_t max_bytes);
int64_t compacted_count(log_offset from, log_offset to);
/* Each key's newest record is there, and where the log is cleaned nothing else. */
void compacted_check_newest(int32_t keys, log_offset cleaned_end);

/* Of a file of the log, until the next call. */
const char *compacted_path(log_offset base, const char *suffix);

#endif
