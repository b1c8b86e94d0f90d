/* SPDX-License-Identifier: Apache-2.0 */
/* A data directory's inside, for the files of this folder. */
#ifndef DATAPLANE_STORAGE_LOG_DIRECTORY_INTERNAL_H
#define DATAPLANE_STORAGE_LOG_DIRECTORY_INTERNAL_H

#include "common/base/hash_table.h"
#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/producer_ids.h"
#include "dataplane/storage/recovery.h"
#include "dataplane/storage/shard.h"

/* One log that is on disk or open: in the directory's table. Loop 0. */
struct stored_log {
    struct hash_node node;
    struct log_identity id;
    struct log_directory *directory;
    struct replica *replica;    /* NULL = not open */
    struct recovered_log found; /* until it is opened */
    enum err err;               /* of its recovery; `found` is nothing then */
    struct work work;           /* its removal, when nobody knows its topic */
    enum err removal_err;
};

struct shard_closing {
    struct mail mail;
    struct log_directory *directory;
};

struct log_directory {
    struct log_store store;
    struct executor *executor;
    struct hash_seed seed;
    struct uuid id;
    struct uuid cell_id;
    int32_t broker_id;
    struct shard *shards; /* one a loop */
    struct shard_closing *closings;
    struct hash_table logs;
    bool is_something_unread; /* a log could not be read at start: no clean mark at the end */
    struct producer_ids producer_ids;
    struct work meta_work;    /* meta.json is being rewritten with the cell's id */
    struct uuid meta_cell_id; /* what the worker writes */
    int closing_count;        /* shards that are not closed yet */
    int strays_leaving;       /* logs of unknown topics that are being removed */
    bool is_end_unknown;      /* a shard could not say where its logs end: no clean mark */
    struct work close_work;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

/* replica.c */
enum err replica_new(struct log_directory *directory, struct shard *shard, int32_t broker_id,
                     const struct log_config *config, struct recovered_log *found,
                     struct replica **ret_replica) WARN_UNUSED;

/* Loop 0: the replica is not in the table any more. */
void log_directory_forget(struct log_directory *directory, struct replica *replica);

/* directory_meta.c */
struct directory_meta {
    struct uuid directory_id;
    struct uuid cell_id;
    int32_t broker_id;
};

/* ERR_NOT_FOUND: there is none. ERR_UNSUPPORTED, ERR_CORRUPT, ERR_IO. */
enum err directory_meta_load(struct disk *disk, struct directory_meta *ret_meta,
                             struct error *error) WARN_UNUSED;
enum err directory_meta_save(struct disk *disk, const struct directory_meta *meta) WARN_UNUSED;

/* directory_wals.c */
enum err directory_wals_open(struct log_directory *directory,
                             const struct log_directory_options *options,
                             struct error *error) WARN_UNUSED;
void directory_wals_close(struct log_store *store);
/* Puts what they have into the segments; nothing after a clean end. */
enum err directory_wals_replay(struct recovery *recovery) WARN_UNUSED;
/* All of it is in the segments, durably: a new life begins, with empty ones. */
enum err directory_wals_begin(struct log_store *store) WARN_UNUSED;

#endif
