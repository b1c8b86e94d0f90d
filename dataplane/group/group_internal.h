/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the group coordinator, shared by the files of this folder only.
 *
 *   shard.c       events, the gate in front of each group, outcomes of appends
 *   calls.c       where a call can be until it is finished
 *   append.c      records of one decision on their way to the log
 *   group.c       one group: found, made, forgotten
 *   member.c      members; protocols.c what they vote for
 *   rebalance.c   the state machine
 *   join.c sync.c leave.c   the calls of members
 *   offsets.c     commit, fetch, delete
 *   sweep.c       offsets that expire or whose topic is gone; deletion of groups
 *   describe.c    describe and list; visit.c everything, for metrics
 *   replay.c      committed records become state
 *
 * The gate. Records of one group must not overtake each other's decisions, so each group lets through
 * either any number of offset commits (shared), or one append that decides about the group itself
 * (exclusive: assignment, static replacement, removals). Calls that come meanwhile wait in order, at
 * most write_timeout_ms. Reads never wait: they see committed state.
 *
 * Only group_settle frees a group, and only the entries of shard.c call it last; in between a group
 * that has nothing left is a husk (group_is_there is false) and is treated as unknown. */
#ifndef DATAPLANE_GROUP_GROUP_INTERNAL_H
#define DATAPLANE_GROUP_GROUP_INTERNAL_H

#include "common/port/timer_queue.h"
#include "common/wire/writer.h"
#include "dataplane/group/group_shard.h"

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE };

enum group_sweep { SWEEP_TOPICS = 1, SWEEP_EXPIRED = 2 };

struct group_member {
    struct group *group;
    struct list link; /* group->members or group->pending, in order of joining */
    struct hash_node by_id;
    struct hash_node by_instance; /* static members only */
    struct timer session;         /* stopped while parked, except for new members */
    struct slice member_id;       /* owned, as all slices here */
    struct slice instance_id;     /* null = dynamic */
    struct slice client_id;
    struct slice client_host;
    struct slice assignment; /* "" until assigned */
    struct slice proposed;   /* borrowed while the leader's sync is encoded */
    struct group_protocol *protocols;
    size_t protocol_count;
    size_t counted_bytes; /* all of it, as counted in counts.membership_bytes */
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    bool is_pending;              /* was given an id, has not joined with it yet */
    bool is_new;                  /* its first join is not answered yet */
    bool is_sync_awaited;         /* has not synced in this generation */
    struct group_call *join_call; /* parked */
    struct group_call *sync_call; /* parked */
};

struct committed_offset {
    int32_t partition;
    int32_t leader_epoch;
    int64_t offset;
    struct slice metadata; /* owned */
    int64_t commit_timestamp_ms;
    int64_t expire_timestamp_ms; /* -1 = by retention */
    uint64_t sequence;           /* of the append it came with */
};

struct group_topic {
    struct hash_node node;
    struct slice name;                /* owned */
    struct committed_offset *offsets; /* by partition */
    size_t offset_count;
    size_t offset_capacity;
};

struct group {
    struct group_shard *shard;
    struct hash_node node;
    struct slice id; /* owned */
    enum group_state state;
    int32_t generation;
    struct slice protocol_type;  /* owned; null = never had members */
    struct slice protocol_name;  /* owned; null = none chosen */
    struct group_member *leader; /* NULL only without members */
    int64_t state_timestamp_ms;  /* of the last move; -1 = unknown */
    struct list members;
    struct list pending;
    size_t member_count;
    size_t pending_count;
    size_t joining_count; /* members parked in join */
    struct hash_table by_id;
    struct hash_table by_instance;
    struct timer phase; /* its meaning depends on the state: rebalance.c */
    bool is_initial_rebalance;
    bool was_member_added; /* since the initial delay was last extended */
    int32_t initial_remaining_ms;
    bool is_stored; /* has a metadata record in the log */
    struct hash_table topics;
    /* the gate */
    size_t append_count; /* all kinds, not replayed yet */
    struct group_append *exclusive;
    struct list waiting;
    unsigned sweeps; /* enum group_sweep bits wanted */
};

struct doomed_topic {
    struct list link;
    struct slice name;
    uint64_t sequence; /* offsets up to this one go */
};

struct group_shard {
    struct group_shard_options options;
    struct group_shard_host host;
    struct random *random;
    struct hash_seed seed;
    struct group_time time; /* of the event at hand */
    enum { SHARD_LOADING, SHARD_ACTIVE, SHARD_RESIGNED } phase;
    struct hash_table groups;
    struct timer_queue timers;
    struct list appends;     /* not replayed yet, in order */
    struct list outbox;      /* of those, not handed out yet */
    struct list finished;    /* calls */
    struct list log_waiters; /* calls with a deadline, in order of deadline */
    struct list doomed_topics;
    struct timer write_timer; /* first of log_waiters */
    struct timer sweep_timer; /* doomed topics */
    struct timer retention_timer;
    uint64_t sequence;
    struct arena scratch; /* reset after each use */
    struct group_shard_counts counts;
    bool is_broken;
};

/* Of one member; with max_members it bounds what a vote costs. Clients bring one to five. */
enum { MAX_PROTOCOLS = 32 };

#define MS_AS_US(ms) ((int64_t)(ms)*1000)

/* --- calls.c --- */

/* Takes the call from wherever it is parked and hands it back. */
void call_finish(struct group_shard *shard, struct group_call *call, enum kafka_error error);
/* The same, with the reply an error needs: entries and texts that clients expect. */
void call_fail(struct group_shard *shard, struct group_call *call, enum kafka_error error);
/* Parks the call until the append is resolved, or for write_timeout_ms. */
void call_await_append(struct group_call *call, struct group_append *append);
/* The time limit alone, of a call that is parked elsewhere. */
void call_await_log(struct group_shard *shard, struct group_call *call);

/* Takes the call from a gate or an append, to go on with it. */
void call_unpark(struct group_call *call);
void calls_on_write_timer(struct timer *timer);

/* --- append.c --- */

/* NULL = no memory. Filled by append_begin_key … append_end_record, then append_submit or append_free. */
struct group_append *append_new(struct group *group, enum group_append_kind kind);
void append_free(struct group_append *append);

struct append_writer {
    struct group_append *append;
    struct writer writer; /* write the key, then the value, with this */
    size_t start_at;
    size_t length_at;
    bool has_value;
};

void append_begin_key(struct append_writer *out, struct group_append *append);
void append_begin_value(struct append_writer *out);
/* Without append_begin_value the record is a tombstone. On an error the record is not in the append:
 * ERR_TOO_LARGE, ERR_NO_MEMORY, ERR_INVALID. */
enum err append_end_record(struct append_writer *out) WARN_UNUSED;
/* Hands it to the log. Moved. */
void append_submit(struct group_append *append);
bool append_is_exclusive(const struct group_append *append);

/* --- shard.c --- */

/* Lets waiting calls and sweeps go on; may free the group. */
void group_settle(struct group *group);

/* --- group.c --- */

bool slice_own(struct slice source, struct slice *ret_copy) WARN_UNUSED;
void slice_free(struct slice *slice);

/* There for clients: stored, or with members or offsets. */
bool group_is_there(const struct group *group);
/* Finds even a husk; NULL = none. */
struct group *group_find(const struct group_shard *shard, struct slice id);
/* The group that clients know, or NULL. */
struct group *group_lookup(const struct group_shard *shard, struct slice id);
/* Finds or makes. NONE, GROUP_MAX_SIZE_REACHED, COORDINATOR_NOT_AVAILABLE (memory). */
enum kafka_error group_obtain(struct group_shard *shard, struct slice id, bool is_forced,
                              struct group **ret_group) WARN_UNUSED;
void group_free(struct group *group);
void group_drop_members(struct group *group);
/* Nothing uses it and nobody knows it. */
bool group_is_idle_husk(const struct group *group);
struct slice group_state_name(enum group_state state);
bool group_uses_consumer_protocol(const struct group *group);
/* As Apache: unknown subscriptions of a consumer group count as subscribed. */
bool group_is_subscribed(const struct group *group, struct slice topic);

/* --- member.c --- */

struct group_member *member_find(const struct group *group, struct slice member_id);
struct group_member *member_find_pending(const struct group *group, struct slice member_id);
struct group_member *member_find_static(const struct group *group, struct slice instance_id);
/* Member id (and instance id) against what the group knows: NONE, UNKNOWN_MEMBER_ID,
 * FENCED_INSTANCE_ID. */
enum kafka_error member_validate(const struct group *group, struct slice member_id,
                                 struct slice instance_id, struct group_member **ret_member);
/* "<prefix>-<uuid>", owned by the caller; false = no memory or randomness. */
bool member_id_make(struct group_shard *shard, struct slice prefix,
                    struct slice *ret_id) WARN_UNUSED;
/* Not linked to the group yet. NULL = no memory. */
struct group_member *member_new(struct group *group, struct slice member_id,
                                const struct group_join_request *request);
void member_free(struct group_member *member);
/* Joins the list, the tables and the counts. false = no memory, member is untouched. */
bool member_add(struct group_member *member) WARN_UNUSED;
bool member_add_pending(struct group_member *member) WARN_UNUSED;
/* Unlinks and frees; chooses another leader; parked calls get UNKNOWN_MEMBER_ID. */
void member_remove(struct group_member *member);
/* New protocols and timeouts of a rejoin; false = no memory, nothing changed. */
bool member_update(struct group_member *member,
                   const struct group_join_request *request) WARN_UNUSED;
/* The newcomer takes the place of the static member `old`, which is fenced and freed. false = no
 * memory, nothing changed. */
bool member_replace(struct group_member *old, struct group_member *newcomer) WARN_UNUSED;
/* Bytes that the protocols of a join need; SIZE_MAX on overflow. */
size_t protocols_size(const struct group_protocol *protocols, size_t count);
/* Restarts the session timer; nothing while the member is parked. */
void member_touch(struct group_member *member);
bool member_set_assignment(struct group_member *member, struct slice assignment) WARN_UNUSED;
/* The call is not parked at the member any more. */
void member_unpark(struct group_member *member, struct group_call *call);

/* --- protocols.c --- */

bool member_matches_protocols(const struct group_member *member,
                              const struct group_join_request *request);
/* "" when the member has no such protocol. */
struct slice member_metadata(const struct group_member *member, struct slice protocol_name);
/* Type fits and at least one of the protocols is known to every member. */
bool group_supports_protocols(const struct group *group, const struct group_join_request *request);
/* The protocol that most members put first among those all know, with `newcomer` standing in for
 * `old` (both NULL: the members as they are). Null = no members. */
struct slice group_select_protocol(const struct group *group, const struct group_member *old,
                                   const struct group_member *newcomer);

/* --- rebalance.c --- */

void rebalance_prepare(struct group *group);
/* Prepares where that is a legal move, else completes the join phase if everybody is there. */
void rebalance_prepare_or_complete_join(struct group *group);
void rebalance_complete_join_if_ready(struct group *group);
void rebalance_on_phase_timer(struct timer *timer);
void rebalance_on_session_timer(struct timer *timer);
/* Somebody synced: the timer ends when nobody is awaited any more. */
void rebalance_stop_awaiting_sync(struct group_member *member);
/* The record of an empty group was lost: it is written again after a while. */
void rebalance_empty_not_stored(struct group *group);
/* Outcome of the append of the leader's sync. */
void rebalance_assignment_resolved(struct group *group, enum kafka_error error);

/* --- join.c --- */

void group_join(struct group_shard *shard, struct group_call *call);
/* Parks the call at the member; a call parked there before is answered REBALANCE_IN_PROGRESS. */
void member_park_join(struct group_member *member, struct group_call *call);
/* Answers with the generation as it is, and lets the session run. */
void join_answer(struct group_member *member, struct group_call *call);
/* The replacement of a static member is in the log: the newcomer takes the place. false = no memory. */
bool join_replace_member(struct group_append *append) WARN_UNUSED;
void join_replacement_resolved(struct group_append *append, enum kafka_error error);

/* --- sync.c, leave.c --- */

void group_sync(struct group_shard *shard, struct group_call *call);
void group_heartbeat(struct group_shard *shard, struct group_call *call);
void sync_answer(struct group_member *member, struct group_call *call, enum kafka_error error);
void group_leave(struct group_shard *shard, struct group_call *call);

/* --- offsets.c --- */

void group_offset_commit(struct group_shard *shard, struct group_call *call);
void group_offset_fetch(struct group_shard *shard, struct group_call *call);
/* Sets the error of each entry that has none. */
void offsets_fail(struct group_offset_topic *topics, size_t count, enum kafka_error error);
/* Sets all entries of a fetch to "none". */
void offsets_clear(struct group_call *call);

struct group_topic *offset_topic_find(const struct group *group, struct slice topic);
struct committed_offset *offset_find(const struct group *group, struct slice topic,
                                     int32_t partition);
/* Sets, copying the metadata; false = no memory, nothing changed. */
bool offset_put(struct group *group, struct slice topic,
                const struct committed_offset *offset) WARN_UNUSED;
void offset_remove(struct group *group, struct slice topic, int32_t partition);
void offsets_free(struct group *group);

/* --- sweep.c --- */

void group_offset_delete(struct group_shard *shard, struct group_call *call);
void group_delete(struct group_shard *shard, struct group_call *call);
/* Writes tombstones for what the wanted sweeps find; the group must not be busy. */
void group_sweep(struct group *group);
void sweep_failed(struct group *group);
void sweep_on_topic_timer(struct timer *timer);
void sweep_on_retention_timer(struct timer *timer);
void sweep_doom_topic(struct group_shard *shard, struct slice topic);
void sweep_doom_unknown_topics(struct group_shard *shard);
void sweep_forget_doomed(struct group_shard *shard);

/* --- describe.c (and group_shard_list) --- */

void group_describe(struct group_shard *shard, struct group_call *call);

/* --- replay.c --- */

/* ERR_NO_MEMORY; what cannot be understood is skipped and counted. */
enum err replay_record(struct group_shard *shard, struct group_record record,
                       uint64_t sequence) WARN_UNUSED;
/* Adds the metadata record of the group as it is, with the members' proposed assignments when
 * is_proposal, and with append->replacement standing in for append->replaced. */
enum err metadata_record_write(struct group_append *append, bool is_proposal) WARN_UNUSED;
/* What Kafka's clients get for a failed append. */
enum kafka_error append_error_for_group(enum kafka_error error);
enum kafka_error append_error_for_offsets(enum kafka_error error);

static inline void shard_timer_start(struct group_shard *shard, struct timer *timer,
                                     int64_t delay_ms)
{
    timer_queue_start(&shard->timers, timer, shard->time.now_us + MS_AS_US(delay_ms));
}

#endif
