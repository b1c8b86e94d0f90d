/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the write-ahead log, as bytes. Pure.
 *
 *   header  magic, version, directory uuid, LSN of the file's first byte, CRC
 *   entry   length, CRC, synced_below, type, payload
 *
 * Version 1 had no WAL_FILL; its files are read.
 *
 * An LSN (log sequence number) is a byte position in an endless stream; a file holds a stretch of it. An entry's CRC
 * is seeded by its LSN, so that what lay in a file before it was used again is no entry of the new
 * stretch. synced_below is up to where the stream was on the disk for sure when the entry was made. */
#ifndef DATAPLANE_STORAGE_WAL_WAL_ENTRY_H
#define DATAPLANE_STORAGE_WAL_WAL_ENTRY_H

#include "common/base/buffer.h"
#include "dataplane/storage/catalogue.h"

#define WAL_HEADER_BYTES 36
#define WAL_ENTRY_OVERHEAD 17 /* length, CRC, synced_below, type */
#define WAL_DATA_OVERHEAD (WAL_ENTRY_OVERHEAD + 44)
#define WAL_END_BYTES (WAL_ENTRY_OVERHEAD + 8)
#define WAL_FILL_MIN_BYTES (WAL_ENTRY_OVERHEAD + 4)
#define WAL_NOTE_ENTRY_BYTES (WAL_ENTRY_OVERHEAD + 53)
#define WAL_ENTRY_MAX_BYTES ((size_t)1 << 20)

enum wal_entry_type {
    WAL_DATA = 1, /* bytes that belong at a place of a segment */
    WAL_NOTE = 2, /* so far a log is flushed */
    WAL_END = 3,  /* the stream goes on in the next file */
    WAL_FILL = 4  /* so many bytes are nothing */
};

struct wal_data {
    struct log_identity id;
    log_offset base_offset; /* of the segment */
    int64_t position;
    log_offset end_offset; /* of the log after these bytes */
    struct slice bytes;    /* whole record batches */
};

struct wal_note {
    struct log_identity id;
    struct segment_fact flushed;
    bool is_certain; /* the segment was synced; else true once this entry is durable itself */
};

struct wal_entry {
    int64_t synced_below;
    enum wal_entry_type type;
    size_t size_bytes;
    struct wal_data data; /* of WAL_DATA */
    struct wal_note note; /* of WAL_NOTE */
    int64_t next_lsn;     /* of WAL_END: where the next file begins */
};

/* ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err wal_header_write(struct uuid directory_id, int64_t first_lsn,
                          struct buffer *out) WARN_UNUSED;
/* ERR_CORRUPT: not a header of this directory; ERR_UNSUPPORTED: a version that we do not know. */
enum err wal_header_read(struct slice bytes, struct uuid directory_id,
                         int64_t *ret_first_lsn) WARN_UNUSED;

/* Each appends one entry whose LSN is `lsn`. ERR_NO_MEMORY, ERR_TOO_LARGE: nothing is appended. */
enum err wal_data_write(int64_t lsn, int64_t synced_below, const struct wal_data *data,
                        struct buffer *out) WARN_UNUSED;
enum err wal_note_write(int64_t lsn, int64_t synced_below, const struct wal_note *note,
                        struct buffer *out) WARN_UNUSED;
enum err wal_end_write(int64_t lsn, int64_t synced_below, int64_t next_lsn,
                       struct buffer *out) WARN_UNUSED;
/* size_bytes: of the whole entry, WAL_FILL_MIN_BYTES or more; zeros, which its CRC does not cover. */
enum err wal_fill_write(int64_t lsn, int64_t synced_below, size_t size_bytes,
                        struct buffer *out) WARN_UNUSED;

/* Could an entry of LSN `lsn` begin here? Cheap: most bytes do not look like one. */
bool wal_entry_is_likely(struct slice bytes, int64_t lsn);
/* False = no whole, good entry of LSN `lsn` begins here. Views into bytes. */
bool wal_entry_read(struct slice bytes, int64_t lsn, struct wal_entry *ret_entry);

#endif
