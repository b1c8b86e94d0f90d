/* SPDX-License-Identifier: Apache-2.0 */
/* What the write-ahead log knows after a crash: its entries are put where they belong, and for each log it is
 * told how far it was flushed for sure.
 *
 * Nothing is synced here: recovery does that for every log, and only then the stream begins anew. So a crash
 * on the way replays again. Blocking; at start. */
#ifndef DATAPLANE_STORAGE_WAL_WAL_REPLAY_H
#define DATAPLANE_STORAGE_WAL_WAL_REPLAY_H

#include "dataplane/storage/wal/write_ahead_log.h"

/* One log of which there were entries. */
struct replayed_log {
    struct hash_node node;
    struct log_identity id;
    struct segment_fact promised; /* flushed to here, for sure; size 0 = nothing is known */
    bool is_written;              /* bytes were put into a segment */
    bool is_name_new;  /* into a segment from its first byte on: its name may not be durable */
    struct list ready; /* entries to be written, in order */
};

struct wal_replay {
    struct hash_table logs;
    int64_t bytes; /* put in place */
};

void wal_replay_init(struct wal_replay *replay, struct hash_seed seed);
/* Once for each stream, WAL_SYNCED first. floor_lsn: where it begins. ERR_IO, ERR_NO_MEMORY, ERR_NO_SPACE. */
enum err wal_replay_run(struct wal_replay *replay, struct write_ahead_log *wal, int64_t floor_lsn,
                        const struct catalogue *catalogue) WARN_UNUSED;
void wal_replay_done(struct wal_replay *replay);
/* NULL = there was nothing of it. */
const struct replayed_log *wal_replay_find(const struct wal_replay *replay,
                                           const struct log_identity *id);

#endif
