/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue's inside: catalogue.c makes changes, catalogue_facts.c applies them, catalogue_file.c
 * reads and writes the file. */
#ifndef DATAPLANE_STORAGE_CATALOGUE_INTERNAL_H
#define DATAPLANE_STORAGE_CATALOGUE_INTERNAL_H

#include "dataplane/storage/catalogue.h"

#define ENTRY_MAX_BYTES 256

enum entry_type {
    ENTRY_LOG_ADDED = 1,
    ENTRY_LOG_REMOVED = 2,
    ENTRY_LOG_START = 3,
    ENTRY_EPOCH = 4,
    ENTRY_SEGMENT = 5,
    ENTRY_FLUSHED = 6,
    ENTRY_PRODUCERS = 7,
    ENTRY_LOG_ISOLATED = 8,
    ENTRY_PRODUCER_IDS = 9,
    ENTRY_CLEAN = 10,
    ENTRY_OPENED = 11,
    ENTRY_SEGMENTS_REPLACED = 12,
    ENTRY_CLEANED = 13,
    ENTRY_WAL_FLOOR = 14,   /* of WAL_SYNCED */
    ENTRY_WAL_OS_FLOOR = 15 /* of WAL_WRITTEN */
};

struct catalogue {
    struct disk *disk;
    struct file *file;
    struct uuid directory_id;
    struct hash_table logs;
    struct buffer pending;
    struct buffer payload; /* of the entry that is being made */
    int64_t file_bytes;
    int64_t durable_bytes;
    int64_t compact_at_bytes;
    int64_t registration;
    int64_t counter;
    int64_t wal_floors[WAL_STREAMS];
    bool is_clean;
};

struct entry_view {
    int64_t durable_below;
    int type;
    struct slice payload;
    size_t size_bytes;
};

/* catalogue_facts.c */
struct log_facts *catalogue_find_facts(const struct catalogue *catalogue,
                                       const struct log_identity *id);
/* What an entry says, taken into memory. ERR_UNSUPPORTED: an unknown type. */
enum err catalogue_apply(struct catalogue *catalogue, int type, struct slice payload) WARN_UNUSED;
/* Frees all facts and the table. */
void catalogue_forget_facts(struct catalogue *catalogue);

/* catalogue.c */
enum err catalogue_append_entry(struct buffer *out, int64_t durable_below, int type,
                                struct slice payload) WARN_UNUSED;
/* False = no whole, good entry begins here. */
bool catalogue_read_entry(struct slice bytes, struct entry_view *ret_entry);

#endif
