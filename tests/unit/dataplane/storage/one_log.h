/* SPDX-License-Identifier: Apache-2.0 */
/* One log in a data directory of its own, for tests that need no other. */
#ifndef TESTS_UNIT_DATAPLANE_STORAGE_ONE_LOG_H
#define TESTS_UNIT_DATAPLANE_STORAGE_ONE_LOG_H

#include "dataplane/storage/segment.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US ((int64_t)1000000)
#define HOUR_MS ((int64_t)3600 * 1000)
#define BATCH_A_SEGMENT 100

extern struct storage_rig rig;
extern struct replica *replica; /* since one_log_open */
/* Segments of 1 MiB, a second and 100 index entries, kept for ever. */
extern const struct log_config one_log_rolling;

/* The fixture: the directory, and nothing in it. */
void one_log_begin(void);
void one_log_end(void);
/* With the rig's config of now, in a new epoch. */
void one_log_open(void);
/* After rig_stop. */
void one_log_start(void);
void one_log_restart(enum rig_end end);

/* One record, which must be taken. */
log_offset one_log_put_at(int64_t timestamp_ms);
/* So many batches of one record. */
void one_log_put(int count);
/* -1 = it is not there. */
int64_t one_log_file_size(log_offset base, const char *suffix);
bool one_log_begins_segment(log_offset base);
void one_log_pass_seconds(int64_t seconds);

/* Of no log in the directory; partition and topic have this number. */
struct log_identity one_log_identity(uint8_t number);

#endif
