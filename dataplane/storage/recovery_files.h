/* SPDX-License-Identifier: Apache-2.0 */
/* Which files of a log there are at start. What makes up the log is what the catalogue says: a segment
 * that the cleaner wrote counts when a fact names it, and what lies inside a fact counts when it is that
 * fact's; the rest are leftovers of an exchange, before or after it, and are removed. Segments that no fact
 * knows yet, the newest ones, have generation 0. */
#ifndef DATAPLANE_STORAGE_RECOVERY_FILES_H
#define DATAPLANE_STORAGE_RECOVERY_FILES_H

#include "dataplane/storage/catalogue.h"

struct log_files {
    log_offset *bases; /* of segments, ascending, each once */
    int base_count;
    int base_capacity;
    log_offset *snapshots; /* of producers, in any order */
    int snapshot_count;
    int snapshot_capacity;
};

/* Removes leftovers on the way. No directory: no files. Call log_files_done after either. */
enum err log_files_list(struct disk *disk, const struct log_facts *facts,
                        struct log_files *ret_files) WARN_UNUSED;
void log_files_done(struct log_files *files);

/* The closed segment that begins here; NULL = none. */
const struct segment_fact *log_facts_find_segment(const struct log_facts *facts, log_offset base);

/* The segment that begins here, its index too; it need not be there. */
enum err log_files_remove_segment(struct disk *disk, const struct log_facts *facts,
                                  log_offset base) WARN_UNUSED;

/* Snapshots of producers but the one at that offset. What cannot be removed is tried again at the next start. */
void log_files_remove_snapshots(struct disk *disk, const struct log_identity *id,
                                const struct log_files *files, log_offset but);

#endif
