/* SPDX-License-Identifier: Apache-2.0 */
/* A data directory whose logs have something late: small batches that are written together when a log has 64 KiB of them. */
#ifndef TESTS_UNIT_DATAPLANE_STORAGE_LATE_RIG_H
#define TESTS_UNIT_DATAPLANE_STORAGE_LATE_RIG_H

#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US ((int64_t)1000000)
#define LONG_US (1000 * SECOND_US)
#define SHORT_US 300000 /* one call of the rig does not see its end, two do */
#define BATCH_BYTES 10000
#define ENOUGH_BYTES (64 << 10) /* a sixteenth of the rig's tail */

struct appending {
    struct replica_append append;
    bool is_done;
};

void late_rig_start(struct storage_rig *rig);
void late_rig_restart(struct storage_rig *rig, enum rig_end end);

/* Of a partition's first segment; 0 = there is no file. */
int64_t late_rig_file_size(const struct storage_rig *rig, int32_t partition);

/* Waits for the answer, which must be good. */
void late_rig_put(struct storage_rig *rig, struct replica *replica);
void late_rig_put_padded(struct storage_rig *rig, struct replica *replica, int64_t timestamp_ms,
                         int padding);
/* To be submitted; the caller frees the bytes when it is done. */
void late_rig_prepare(struct storage_rig *rig, struct appending *appending, struct replica *replica,
                      size_t padding, struct buffer *bytes);
/* Seven batches of partition 0; a late write of them begins, and ends after so long. */
void late_rig_stall_write(struct storage_rig *rig, struct replica *replica, int64_t duration_us);

#endif
