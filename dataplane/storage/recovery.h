/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a log again at start.
 *
 * A closed segment that the catalogue knows was flushed whole, and is believed; so is the newest one up to its last
 * checkpoint. What follows is read batch by batch, CRCs checked, after the write-ahead log was put in place:
 *   bad bytes above what was flushed for sure     a torn tail: cut, durably
 *   bad bytes below it, or a file that is missing  corruption: the log is isolated, nothing is touched
 * What was found but perhaps never synced is synced before anyone may see it (all logs together, by
 * recovery_sync). Then the catalogue is told what is there, so that the next clean mark means what it says. */
#ifndef DATAPLANE_STORAGE_RECOVERY_H
#define DATAPLANE_STORAGE_RECOVERY_H

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/sync_batch.h"
#include "dataplane/storage/wal/wal_replay.h"

struct recovery {
    struct log_store *store;
    struct hash_seed seed;
    int64_t now_ms;
    bool was_clean;
    struct wal_replay replay; /* empty after a clean end */
    struct sync_batch syncs;
    enum err sync_err;
    /* counted */
    int64_t scanned_bytes;
    int64_t truncated_bytes;
};

/* ERR_CORRUPT: isolate it. ERR_IO and others: it cannot be read now. ret_found is the caller's memory and
 * holds something on ERR_OK only. */
enum err recover_log(struct recovery *recovery, const struct log_identity *id,
                     struct recovered_log *ret_found) WARN_UNUSED;

/* After all logs, before the catalogue is committed: what they found is durable. ERR_IO, …: it may not be. */
enum err recovery_sync(struct recovery *recovery) WARN_UNUSED;

/* Files of a log that is no more, as many as the budget allows (disk_cut_file); with the last of them its directory,
 * and its topic's when that was the last. */
enum err log_remove_some(struct disk *disk, const struct log_identity *id, int64_t *budget,
                         bool *ret_is_gone) WARN_UNUSED;
/* All of it at once. */
enum err log_remove_files(struct disk *disk, const struct log_identity *id) WARN_UNUSED;
/* Removes what lies below topics/ and is in no catalogue: never acknowledged, or deleted. */
enum err recovery_remove_strays(struct log_store *store) WARN_UNUSED;

#endif
