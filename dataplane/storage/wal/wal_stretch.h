/* SPDX-License-Identifier: Apache-2.0 */
/* A stretch of the write-ahead log that has its place: filled, written, synced.
 *
 *   place ─▶ add … ─▶ end: ─ write ─▶ wait until all before it is written ─▶ sync, or another's sync covers it
 *
 * Several at a time, each by one thread. Who finds no sync under way begins one, for all that is written; the others
 * wait for it. A stretch is durable when all before it is, too: replay stops at the first hole. Of WAL_WRITTEN nothing is
 * synced: it is enough that all before it is written. */
#ifndef DATAPLANE_STORAGE_WAL_WAL_STRETCH_H
#define DATAPLANE_STORAGE_WAL_WAL_STRETCH_H

#include "dataplane/storage/wal/write_ahead_log.h"

/* One without a place, with room for so many bytes in whole blocks. NULL = short of memory. */
struct wal_stretch *wal_stretch_new(struct write_ahead_log *wal, int64_t bytes) WARN_UNUSED;
/* It is spare again. Holding the lock. */
void wal_stretch_recycle(struct write_ahead_log *wal, struct wal_stretch *stretch);

/* One entry, in the room that it has. */
void wal_add_data(const struct write_ahead_log *wal, struct wal_stretch *stretch,
                  const struct wal_data *data);
void wal_add_note(const struct write_ahead_log *wal, struct wal_stretch *stretch,
                  const struct wal_note *note);
/* The stream goes on in the next file. */
void wal_add_end(const struct write_ahead_log *wal, struct wal_stretch *stretch, int64_t next_lsn);

/* Blocking. Writes it; when `is_awaited`, until it is as safe as its stream makes it. The stretch is spare after that. Any
 * error: the directory has failed, and so has every stretch that is not durable yet. */
enum err wal_end_stretch(struct write_ahead_log *wal, struct wal_stretch *stretch,
                         bool is_awaited) WARN_UNUSED;
/* It will not be written, because the directory has failed; nor does anything become durable any more. */
void wal_abandon_stretch(struct write_ahead_log *wal, struct wal_stretch *stretch);

#endif
