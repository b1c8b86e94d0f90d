/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental fetch sessions (KIP-227): the partitions a client follows, kept here so that requests name
 * only what changes and answers hold only what is new.
 *
 * One cache a loop; ids are random, and a session belongs to one instance: an id of another looks
 * unknown. Slots are counted per instance; when they are used up, the instance's session that was idle
 * longest goes if it was idle for two minutes, else the client simply gets no session (id 0), which is
 * legal. A session is in use by one request at a time (its epoch says so). */
#ifndef DATAPLANE_HANDLERS_FETCH_SESSION_H
#define DATAPLANE_HANDLERS_FETCH_SESSION_H

#include "common/base/hash_table.h"
#include "common/base/list.h"
#include "common/base/uuid.h"
#include "common/kafka/kafka_error.h"
#include "common/port/random.h"

/* One partition of a fetch, as the client asked for it. */
struct fetch_target {
    struct slice topic; /* empty when the client uses ids */
    struct uuid topic_id;
    int32_t partition;
    int32_t current_leader_epoch;
    int32_t last_fetched_epoch;
    int32_t max_bytes;
    int64_t offset;
};

struct fetch_session_partition {
    struct fetch_target target; /* topic is owned by this struct */
    struct hash_node node;
    struct list link; /* in order; served ones move to the end */
    /* what the client knows */
    int64_t high_watermark, last_stable, log_start;
    bool is_told;
};

struct fetch_session {
    int32_t id;
    int32_t epoch; /* expected next */
    int32_t instance_no;
    bool uses_topic_ids;
    bool is_in_use;
    bool is_dead; /* removed from the cache while in use */
    struct hash_table by_partition;
    struct list partitions;
    int32_t partition_count;
    int64_t last_used_us;
    struct hash_node node;
    struct list link; /* all of the loop, least recently used first */
};

struct fetch_sessions;

struct fetch_sessions *fetch_sessions_new(struct hash_seed seed, struct random *random,
                                          int slots_per_instance); /* NULL = no memory */
void fetch_sessions_free(struct fetch_sessions *sessions);

/* NULL = no slot, or no memory: go on without a session. The new session is in use. */
struct fetch_session *fetch_session_open(struct fetch_sessions *sessions, int32_t instance_no,
                                         bool uses_topic_ids, int64_t now_us);
/* NONE: in use from now on, epoch advanced. FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
 * FETCH_SESSION_TOPIC_ID_ERROR. */
enum kafka_error fetch_session_continue(struct fetch_sessions *sessions, int32_t instance_no,
                                        int32_t id, int32_t epoch, bool uses_topic_ids,
                                        int64_t now_us, struct fetch_session **ret_session);
/* No request uses it any more. */
void fetch_session_release(struct fetch_sessions *sessions, struct fetch_session *session);
/* Unknown ids are ignored. */
void fetch_session_close(struct fetch_sessions *sessions, int32_t instance_no, int32_t id);

/* Adds the partition or replaces what the client asked of it. False = no memory or too many. */
bool fetch_session_put(struct fetch_sessions *sessions, struct fetch_session *session,
                       const struct fetch_target *target) WARN_UNUSED;
void fetch_session_forget(struct fetch_sessions *sessions, struct fetch_session *session,
                          struct slice topic, struct uuid topic_id, int32_t partition);
/* Served: others come first next time. */
void fetch_session_rotate(struct fetch_session *session, struct fetch_session_partition *partition);

#endif
