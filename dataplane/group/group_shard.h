/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator of one partition of one instance's __consumer_offsets: a pure core. Events and time
 * go in, decisions come out; it does no I/O and knows no clock.
 *
 *   events                                       decisions
 *   group_shard_submit(call)                     group_shard_next_finished → calls with their replies
 *   group_shard_appended(append, error)          group_shard_next_append   → records for the log
 *   group_shard_tick                             group_shard_next_deadline → when to tick
 *   group_shard_replay … group_shard_loaded
 *   group_shard_topic_deleted, group_shard_cancel, group_shard_resign
 *
 * Durable state (committed offsets, generation, members and assignment of a stable group) changes only
 * by replaying records that the log has committed: a step that needs it hands out an append, the shell
 * writes it and reports the outcome, then the records are replayed and the waiting calls answered; a
 * lost append leaves nothing to take back. Appends are replayed in the order they were handed out, in
 * whatever order they are reported.
 *
 * All calls from one thread at a time. */
#ifndef DATAPLANE_GROUP_GROUP_SHARD_H
#define DATAPLANE_GROUP_GROUP_SHARD_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/hash_table.h"
#include "common/base/list.h"
#include "common/port/random.h"
#include "dataplane/group/group_requests.h"

struct group_shard;

/* Read once per turn by the shell. */
struct group_time {
    int64_t now_us;  /* monotonic: time-outs */
    int64_t wall_ms; /* Unix epoch: timestamps in records, retention */
};

struct group_shard_options {
    int32_t min_session_timeout_ms;     /* 6000 */
    int32_t max_session_timeout_ms;     /* 1800000 */
    int32_t initial_rebalance_delay_ms; /* 3000: how long an empty group waits for more members */
    int32_t
        new_member_timeout_ms;   /* 300000: a first join that is not answered by then is dropped */
    int32_t max_members;         /* of a group, pending ones included */
    int32_t max_metadata_bytes;  /* of one committed offset: 4096 */
    int64_t retention_ms;        /* of offsets: 7 days */
    int64_t retention_check_ms;  /* 10 minutes */
    int32_t write_timeout_ms;    /* how long a reply may wait for the log: 5000 */
    size_t max_append_bytes;     /* of the records of one append; under max.message.bytes */
    size_t max_member_bytes;     /* protocols of one member */
    size_t max_membership_bytes; /* protocols and assignments, all groups of the shard */
};

struct group_shard_options group_shard_options_default(void);

/* What the core asks of its surroundings; must answer at once. */
struct group_shard_host {
    void *context;
    /* Counts one more group of the instance; false = over its limit. Loading passes is_forced. */
    bool (*add_group)(void *context, bool is_forced);
    void (*remove_group)(void *context);
    bool (*topic_exists)(void *context, struct slice topic);
};

/* One record for the log. */
struct group_record {
    struct slice key;
    struct slice value; /* null = tombstone */
};

struct group;
struct group_member;

/* Records that go into the log as one batch, all or none. Owned by the shard; the shell may use it from
 * group_shard_next_append until group_shard_appended. */
struct group_append {
    size_t record_count; /* at least 1 */
    int64_t timestamp_ms;
    /* private */
    struct buffer bytes;  /* per record: key length, key, value length or -1, value */
    struct list link;     /* all appends that are not replayed yet, in order */
    struct list out_link; /* not handed out yet */
    struct list calls;    /* answered when committed or failed */
    struct group *group;
    struct group_member *replaced, *replacement; /* of a static member that came back */
    struct group_member *newcomer;               /* the replacement, once it is a member */
    uint64_t sequence;
    enum group_append_kind {
        GROUP_APPEND_OFFSETS,
        GROUP_APPEND_ASSIGNMENT,
        GROUP_APPEND_EMPTY,
        GROUP_APPEND_REPLACEMENT,
        GROUP_APPEND_REMOVAL
    } kind;
    bool is_resolved;
    enum kafka_error error;
};

/* Walks the records: *position starts at 0; false = no more. */
bool group_append_next_record(const struct group_append *append, size_t *position,
                              struct group_record *ret_record);

struct group_shard_counts {
    int64_t groups;
    int64_t members;
    int64_t offsets;
    int64_t membership_bytes;
    int64_t skipped_records; /* of unknown type or version, or not decodable, while replaying */
};

/* Starts in loading. ERR_NO_MEMORY. */
enum err group_shard_new(const struct group_shard_options *options,
                         const struct group_shard_host *host, struct random *random,
                         struct hash_seed seed, struct group_shard **ret_shard) WARN_UNUSED;
/* After group_shard_resign, all finished calls taken, no append outstanding at the shell. */
void group_shard_free(struct group_shard *shard);

/* Loading: every record of the log from its start, in order. ERR_NO_MEMORY (load again from the start
 * with a new shard); unknown records are skipped and counted. */
enum err group_shard_replay(struct group_shard *shard, struct slice key,
                            struct slice value) WARN_UNUSED;
void group_shard_loaded(struct group_shard *shard, struct group_time time);

void group_shard_submit(struct group_shard *shard, struct group_call *call, struct group_time time);
/* ListGroups over several shards: adds the groups of this one to the call's reply, at once, without
 * finishing the call. NONE, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE
 * (memory). */
enum kafka_error group_shard_list(const struct group_shard *shard,
                                  struct group_call *call) WARN_UNUSED;
/* The client is gone; finishes the call if it is parked, else does nothing. */
void group_shard_cancel(struct group_shard *shard, struct group_call *call, struct group_time time);
/* NONE = the records are in the log, under the high watermark; else they never will be. */
void group_shard_appended(struct group_shard *shard, struct group_append *append,
                          enum kafka_error error, struct group_time time);
void group_shard_tick(struct group_shard *shard, struct group_time time);
void group_shard_topic_deleted(struct group_shard *shard, struct slice topic,
                               struct group_time time);
/* Finishes all parked calls with NOT_COORDINATOR; from now on every call gets that. */
void group_shard_resign(struct group_shard *shard);

/* Each is handed out once. NULL = none. */
struct group_call *group_shard_next_finished(struct group_shard *shard);
struct group_append *group_shard_next_append(struct group_shard *shard);
/* True after memory ran out while a committed record was replayed: resign it, and load a new one. */
bool group_shard_is_broken(const struct group_shard *shard);
/* Monotonic microseconds; INT64_MAX = none. */
int64_t group_shard_next_deadline(const struct group_shard *shard);

void group_shard_count(const struct group_shard *shard, struct group_shard_counts *ret_counts);

/* Shown what is there, for metrics. Slices are borrowed for the call. */
struct group_visitor {
    void *context;
    void (*on_group)(void *context, struct slice group_id, size_t members);
    void (*on_offset)(void *context, struct slice group_id, struct slice topic, int32_t partition,
                      int64_t offset);
};
/* Every group that clients know, each followed by its committed offsets; nothing while loading. */
void group_shard_visit(const struct group_shard *shard, const struct group_visitor *visitor);

#endif
