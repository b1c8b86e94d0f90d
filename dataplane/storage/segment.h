/* SPDX-License-Identifier: Apache-2.0 */
/* A segment: a stretch of one partition's log in one file, and the bounded set of those that are open.
 *
 * Loops know a segment by its base offset and by numbers that travel in snapshots (segment_view); the
 * file and the index are opened by workers when they are needed, kept while they are used, and closed,
 * least recently used first, when too many are open. So an idle partition costs no descriptor.
 *
 * A segment is counted on its owner's loop: by the log, by snapshots, by a flush round. When it is
 * doomed (below the log start, or its partition is gone) the last reference lets its files go. */
#ifndef DATAPLANE_STORAGE_SEGMENT_H
#define DATAPLANE_STORAGE_SEGMENT_H

#include <pthread.h>

#include "common/base/list.h"
#include "common/base/uuid.h"
#include "common/port/disk.h"
#include "common/port/executor.h"
#include "dataplane/storage/offset_index.h"
#include "dataplane/storage/removals.h"
#include "dataplane/storage/replica.h"
#include "dataplane/storage/spares/spare_rest.h"

#define LOG_PATH_BYTES 128

struct log_store;
struct replica;
struct shard;

struct log_identity {
    struct uuid topic_id;
    int32_t partition;
};

/* "topics/<uuid>" and "topics/<uuid>/<partition>" and "…/<base offset><suffix>". */
void log_path_topic(const struct log_identity *id, char path[LOG_PATH_BYTES]);
void log_path(const struct log_identity *id, char path[LOG_PATH_BYTES]);
void log_path_file(const struct log_identity *id, log_offset base_offset, const char *suffix,
                   char path[LOG_PATH_BYTES]);
void log_file_name(log_offset base_offset, const char *suffix, char name[LOG_PATH_BYTES]);
/* False = not a name of ours with that suffix. */
bool log_parse_file_name(const char *name, const char *suffix, log_offset *ret_base_offset);
/* "<base offset><suffix>", or "<base offset>.<generation><suffix>" of a segment that the cleaner wrote. */
bool segment_parse_name(const char *name, const char *suffix, log_offset *ret_base_offset,
                        int32_t *ret_generation);

#define SEGMENT_SUFFIX ".log"
#define SEGMENT_INDEX_SUFFIX ".index"
#define PRODUCERS_SUFFIX ".producers"

struct segment {
    struct log_identity id;
    log_offset base_offset;
    int32_t generation;           /* 0 = as it was appended; only others may have gap batches */
    int32_t index_interval_bytes; /* index.interval.bytes when it was begun, or found */
    int64_t bytes_max;            /* segment.bytes when it was begun; 0 = it was found */
    /* the owner's loop */
    int refs;
    bool is_doomed;       /* its files go with the last reference */
    struct replica *told; /* when they are gone; NULL = nobody is */
    struct list leaving;  /* in its shard, while a worker closes or removes the files */
    union {
        struct work closing;
        struct removal removal; /* when it is doomed */
    };
    struct shard *shard;     /* of that worker */
    struct log_store *store; /* likewise */
    /* under segment_files.lock */
    struct list by_use;
    struct file *file;
    struct offset_index index;
    int users;
    bool is_index_kept; /* the active segment's: it grows as batches are written */
    bool is_dropped;    /* close when the last user is gone */
    /* one worker at a time */
    bool is_begun; /* its file was made, or was to be */
    struct spare_rest rest;
};

/* Numbers of a segment as of one moment. */
struct segment_view {
    struct segment *segment; /* NULL = none */
    log_offset base_offset;
    log_offset end_offset;
    int64_t size_bytes;
    int64_t max_timestamp;   /* of its records; -1 = none */
    int64_t first_append_ms; /* wall clock when it was begun; for rolling */
    int64_t first_timestamp; /* the largest of its first batch; -1 = it has none; for rolling */
    int64_t indexed_bytes;   /* where its last index entry is */
    int64_t index_entries;   /* how many it has; for rolling */
};

/* The closed segments of a log, oldest first: immutable, counted on the owner's loop. */
struct segment_list {
    int refs;
    int count;
    int64_t size_bytes;
    struct segment_view views[];
};

struct segment_files {
    struct disk *disk;
    pthread_mutex_t lock;
    struct list by_use; /* open ones, least recently used first */
    int open_count;
    int open_max;
    int64_t index_bytes;
    int64_t index_bytes_max;
    bool is_index_trusted; /* SABOTAGE_TRUST_INDEX; else false */
};

void segment_files_init(struct segment_files *files, struct disk *disk, int open_max,
                        int64_t index_bytes_max);
void segment_files_done(struct segment_files *files);

/* refs = 1. index_interval_bytes: of its index. NULL = no memory. */
struct segment *segment_new(const struct log_identity *id, log_offset base_offset,
                            int32_t generation, int32_t index_interval_bytes) WARN_UNUSED;
/* Of its file in the directory of its log, and from the root. */
void segment_name(const struct segment *segment, const char *suffix, char name[LOG_PATH_BYTES]);
void segment_path(const struct segment *segment, const char *suffix, char path[LOG_PATH_BYTES]);
/* The memory only; the file must be closed (segment_files_drop). */
void segment_free(struct segment *segment);

/* Workers. Opens the file (creates it with DISK_CREATE in flags); release it soon. */
enum err segment_files_acquire(struct segment_files *files, struct segment *segment, int flags,
                               struct file **ret_file) WARN_UNUSED;
void segment_files_release(struct segment_files *files, struct segment *segment);
/* Workers: closes it, now or when its last user is gone. False = there is one. */
bool segment_files_drop(struct segment_files *files, struct segment *segment);

/* Workers; each locks for a moment. */
void segment_index_add(struct segment_files *files, struct segment *segment,
                       const struct record_batch *batch, int64_t position);
void segment_index_truncate(struct segment_files *files, struct segment *segment, int64_t size);
/* The segment takes no more: its index may be forgotten from now on. *ret_is_whole: it covers size. */
enum err segment_index_close(struct segment_files *files, struct segment *segment, int64_t size,
                             struct buffer *out, bool *ret_is_whole) WARN_UNUSED;

struct segment_list *segment_list_new(const struct segment_view *views, int count) WARN_UNUSED;
/* A copy without the first `skip`, with `view` (if it has a segment) at the end. Takes references. */
struct segment_list *segment_list_with(const struct segment_list *list, int skip,
                                       const struct segment_view *view) WARN_UNUSED;

#endif
