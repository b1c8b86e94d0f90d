/* SPDX-License-Identifier: Apache-2.0 */
/* What one loop's share of a data directory counts. Written on its loop, read by any thread. (Spares are those of all loops: they
 * are only in the sum.) */
#ifndef DATAPLANE_STORAGE_STORAGE_METRICS_H
#define DATAPLANE_STORAGE_STORAGE_METRICS_H

#include "common/observe/counter.h"

struct storage_metrics {
    struct counter wal_bytes;          /* written to the write-ahead log by rounds */
    struct counter checkpoints;        /* logs synced by checkpoints */
    struct counter unsynced_logs;      /* gauge: only the write-ahead log vouches for their ends */
    struct counter late_bytes;         /* gauge: durable there, not in the segments' files yet */
    struct counter late_writes;        /* that brought some of them there */
    struct counter spare_bytes;        /* gauge: of files that wait for a new segment */
    struct counter spares_kept;        /* of segments that went */
    struct counter spares_taken;       /* for new ones */
    struct counter compactions;        /* passes that came to their end */
    struct counter compactions_paused; /* short of room or memory: tried again */
    struct counter compactions_failed; /* the partition is not compacted any more */
    struct counter compaction_bytes_read; /* of passes that came to their end */
    struct counter compaction_bytes_wrote;
};

#endif
