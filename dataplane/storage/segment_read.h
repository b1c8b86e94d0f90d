/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a segment's file on a worker: ranges of whole batches, and records by time.
 *
 * Nothing is served that is not exactly what was appended: each batch's CRC is checked, and what the CRC
 * does not cover too: offsets must follow each other without a gap, and the leader epoch must be the one
 * that the epoch history has for that offset. Gap batches are walked over and left out of what is given. */
#ifndef DATAPLANE_STORAGE_SEGMENT_READ_H
#define DATAPLANE_STORAGE_SEGMENT_READ_H

#include "dataplane/storage/epoch_history.h"
#include "dataplane/storage/read_room.h"
#include "dataplane/storage/view_file.h"

/* What may be read: the view's size_bytes bound the file, limit bounds the offsets. */
struct segment_range {
    struct segment_files *files;
    struct segment_view view;
    const struct log_view
        *log; /* the newest segment may end in its memory; NULL = the file has it all; borrowed */
    const struct epoch_history *epochs; /* borrowed */
    log_offset start;                   /* nothing below it: the log start, or what was asked for */
    log_offset limit;                   /* no batch that begins here or later */
};

/* Whole batches from the one that contains start on, as many as the block has room for; with must_progress one batch
 * even if it is larger. room->len is 0 when nothing fits; `larger` must be NULL before. *ret_gap_end is -1, or there
 * was only a gap, which ends there: the bytes are its last gap batch. ERR_CORRUPT: the first batch is not
 * what was written. ERR_NOT_FOUND, ERR_IO, ERR_NO_MEMORY. */
enum err segment_read(const struct segment_range *range, struct read_room *room, bool must_progress,
                      log_offset *ret_gap_end) WARN_UNUSED;

struct record_position {
    log_offset offset;
    int64_t timestamp;
    leader_epoch epoch;
};

/* The first record in [start, limit) whose timestamp is >= timestamp. ERR_NOT_FOUND: none. */
enum err segment_find_timestamp(const struct segment_range *range, int64_t timestamp,
                                struct record_position *ret_record) WARN_UNUSED;
/* The largest timestamp of records in [start, limit); -1 = none. */
enum err segment_max_timestamp(const struct segment_range *range,
                               int64_t *ret_timestamp) WARN_UNUSED;

/* The same check for bytes that are in memory already, from `expected` on: how many of them are whole
 * good batches below limit, at most max_bytes. */
size_t batches_good_bytes(struct slice bytes, const struct epoch_history *epochs,
                          log_offset expected, log_offset limit, size_t max_bytes);

#endif
