/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of compaction over one log: the work that blocks, in slices.
 *
 *   MAPPING ──all dirty segments, or the map is full──▶ COPYING ──a group is written──▶ WRITTEN
 *                                                          ▲                              │
 *                                                          └──────── clean_pass_go_on ────┤
 *                                                                                         └──▶ DONE
 *
 * MAPPING takes the newest offset of each key in the dirty segments. COPYING writes what stays of all closed
 * segments below map_end, the clean ones too, into new segments: of as many old ones together as fits into
 * segment.bytes. In WRITTEN the new file is durable under its own name, and whoever drives the pass exchanges
 * it; nothing is changed before that. Where whole batches went, gap batches say so. What is read is checked as
 * for readers (segment_read.h): nothing is copied that is not what was appended.
 *
 * The pass belongs to the worker during clean_pass_run and to the loop otherwise. */
#ifndef DATAPLANE_STORAGE_CLEANER_CLEAN_PASS_H
#define DATAPLANE_STORAGE_CLEANER_CLEAN_PASS_H

#include "dataplane/storage/cleaner/batch_cleaning.h"
#include "dataplane/storage/flush_round.h"

enum clean_state { CLEAN_MAPPING, CLEAN_COPYING, CLEAN_WRITTEN, CLEAN_DONE };

struct clean_pass {
    struct log_store *store;
    struct segment_view
        *segments; /* owned; a reference each, which who drives the pass gives back */
    int count;
    struct epoch_history *epochs; /* shared; given back by who drives the pass */
    log_offset first_dirty;
    int64_t group_bytes; /* segment.bytes */
    int32_t index_interval_bytes;
    int32_t next_generation;
    struct batch_cleaning cleaning;
    enum clean_state state;
    /* where it is reading */
    int group; /* the first segment of the group */
    int segment;
    int64_t position;
    log_offset expected; /* the next batch begins here */
    /* what it is writing */
    struct segment_view fresh; /* segment NULL = none; owned by who drives the pass when WRITTEN */
    struct buffer batch;       /* scratch: one batch, as it stays */
    struct buffer out;         /* not written yet */
    log_offset gap_start;      /* -1 = no gap is open */
    leader_epoch gap_epoch;
    /* counted */
    int64_t slice_bytes; /* read by the last slice */
    int64_t read_bytes;  /* of segments that were copied */
    int64_t written_bytes;
    enum err err; /* why the last slice failed; the output must be given up then */
};

/* segments: closed ones, oldest first, that may be cleaned; references are taken. map_bytes: of memory. What
 * cleaning needs beside the map is filled in by the caller after. ERR_NO_MEMORY: no reference was taken. Call
 * done after either. */
enum err clean_pass_init(struct clean_pass *pass, struct log_store *store,
                         const struct segment_view *segments, int count, size_t map_bytes,
                         struct hash_seed seed) WARN_UNUSED;
/* Memory only: segments, epochs and fresh are given back by who drives the pass. */
void clean_pass_done(struct clean_pass *pass);

/* Worker: reads about slice_max_bytes and does what they lead to; ends early in WRITTEN and DONE. */
void clean_pass_run(struct clean_pass *pass, int64_t slice_max_bytes);
/* After WRITTEN, when fresh was taken over or given up: the next group, or DONE. */
void clean_pass_go_on(struct clean_pass *pass);

#endif
