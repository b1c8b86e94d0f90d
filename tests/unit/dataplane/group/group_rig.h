/* SPDX-License-Identifier: Apache-2.0 */
/* A group shard on a table: a clock that moves when told, a log that is an array, and clients that are
 * one-line calls. By default the log takes every append at once; `holds_log` keeps appends pending until
 * the test resolves them. */
#ifndef TESTS_UNIT_DATAPLANE_GROUP_GROUP_RIG_H
#define TESTS_UNIT_DATAPLANE_GROUP_GROUP_RIG_H

#include "common/base/buffer.h"
#include "common/port/random.h"
#include "dataplane/group/group_internal.h"
#include "tests/support/check_main.h"

#define RIG_START_WALL_MS 1700000000000

struct rig_record {
    struct slice key;
    struct slice value;
};

struct rig_call {
    struct group_call call;
    struct list link;
    struct arena arena; /* the request */
    bool is_finished;
};

struct rig {
    struct group_shard_options options; /* set before rig_start */
    struct group_shard *shard;
    struct group_time time;
    struct seeded_random random;
    struct list calls;
    struct rig_record *log;
    size_t log_count;
    struct group_append *pending[4096];
    size_t pending_count;
    bool holds_log;
    int64_t group_limit; /* -1 = none */
    int64_t group_count;
    const char *missing_topic; /* topic_exists says no */
};

/* Options: the defaults, but no initial rebalance delay. */
void rig_init(struct rig *rig);
void rig_start(struct rig *rig); /* empty log, loaded */
void rig_begin(struct rig *rig); /* loading: replay, then group_shard_loaded, are the caller's */
void rig_done(struct rig *rig);
/* The process dies and comes back: a new shard from the log. Pending appends are lost. */
void rig_restart(struct rig *rig);
/* Carries out decisions. */
void rig_pump(struct rig *rig);
void rig_advance(struct rig *rig, int64_t ms);
/* Resolves the first pending append. */
void rig_resolve(struct rig *rig, enum kafka_error error);
/* Text of what is durable: to compare a live shard with one loaded from its log. Groups in the middle of
 * a rebalance say so in place of their members. */
char *rig_dump(const struct group_shard *shard);
/* Loads a second shard from the log and compares. */
void rig_check_replay(struct rig *rig);

/* A call is owned by the rig and stays until rig_done, or rig_call_free once it is finished. */
void rig_call_free(struct rig_call *call);
struct rig_call *rig_call_new(struct rig *rig, enum group_operation operation, const char *group);
void rig_submit(struct rig *rig, struct rig_call *call);

struct join_spec {
    const char *group;     /* "g" */
    const char *member;    /* "" */
    const char *instance;  /* NULL */
    const char *type;      /* "consumer" */
    const char *protocol;  /* "range" */
    const char *metadata;  /* "m" */
    const char *protocol2; /* none */
    const char *client;    /* "client" */
    int16_t version;       /* 3: no MEMBER_ID_REQUIRED */
    int32_t session_ms;    /* 10000 */
    int32_t rebalance_ms;  /* 60000 */
    bool no_protocols;
    struct slice subscription; /* instead of metadata */
};

struct rig_call *rig_join_spec(struct rig *rig, struct join_spec spec);
#define rig_join(rig, ...) rig_join_spec((rig), (struct join_spec){__VA_ARGS__})

/* assignments: "member=text,member=text" or NULL. */
struct rig_call *rig_sync(struct rig *rig, const char *group, const char *member,
                          int32_t generation, const char *assignments);
struct rig_call *rig_heartbeat(struct rig *rig, const char *group, const char *member,
                               int32_t generation);
struct rig_call *rig_leave(struct rig *rig, const char *group, const char *member,
                           const char *instance);
struct rig_call *rig_commit(struct rig *rig, const char *group, const char *member,
                            int32_t generation, const char *topic, int32_t partition,
                            int64_t offset);
/* Committed offset, -1 = none. */
int64_t rig_fetch(struct rig *rig, const char *group, const char *topic, int32_t partition);
enum kafka_error rig_delete_group(struct rig *rig, const char *group);
struct rig_call *rig_delete_offset(struct rig *rig, const char *group, const char *topic,
                                   int32_t partition);
struct rig_call *rig_describe(struct rig *rig, const char *group);
const char *rig_state(struct rig *rig, const char *group);

/* The error of a call that must be finished. */
enum kafka_error rig_error(const struct rig_call *call);
/* The member id a join was answered with. */
const char *rig_member(const struct rig_call *call);
const char *rig_text(struct slice slice);

/* A group with one member, Stable: joins and syncs; the member id. */
const char *rig_stable_member(struct rig *rig, const char *group, int32_t *ret_generation);
/* ConsumerProtocolSubscription of one topic. */
struct slice rig_subscription(struct rig *rig, const char *topic);

#define ck_assert_error(actual, expected)                                                          \
    ck_assert_msg((actual) == (expected), "%s:%d: got %s, expected %s", __FILE__, __LINE__,        \
                  kafka_error_name(actual), kafka_error_name(expected))

#endif
