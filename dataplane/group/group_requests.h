/* SPDX-License-Identifier: Apache-2.0 */
/* What one asks a group coordinator, and what it answers, free of wire versions.
 *
 * One call concerns one group (or lists them), because each group has its own partition of
 * __consumer_offsets; handlers split requests that name several. Request and reply live in the caller's
 * `struct group_call`; request slices are borrowed until the call is finished, reply slices point into
 * the call's own arena or the request and stay valid until group_call_done. Null slices mean Kafka's null: where a
 * version of a response knows no null, the handler writes "".
 *
 * Commit, fetch and delete of offsets answer in the request's own entries, so that each requested
 * partition is answered exactly once. An entry whose error is set by the caller (not allowed, unknown
 * topic) is left alone. */
#ifndef DATAPLANE_GROUP_GROUP_REQUESTS_H
#define DATAPLANE_GROUP_GROUP_REQUESTS_H

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/base/slice.h"
#include "common/kafka/kafka_error.h"

enum group_operation {
    GROUP_JOIN,
    GROUP_SYNC,
    GROUP_HEARTBEAT,
    GROUP_LEAVE,
    GROUP_OFFSET_COMMIT,
    GROUP_OFFSET_FETCH,
    GROUP_OFFSET_DELETE,
    GROUP_DESCRIBE,
    GROUP_DELETE,
    GROUP_LIST
};

/* --- JoinGroup --- */

struct group_protocol {
    struct slice name;
    struct slice metadata;
};

struct group_join_request {
    struct slice member_id;   /* "" on the first join */
    struct slice instance_id; /* null = dynamic member */
    struct slice client_id;   /* of the request header; null is "" */
    struct slice client_host; /* as Kafka prints it: "/10.0.0.1" */
    struct slice protocol_type;
    const struct group_protocol *protocols; /* in order of preference */
    size_t protocol_count;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms; /* < 0 (version 0) = the session timeout */
};

struct group_join_member {
    struct slice member_id;
    struct slice instance_id; /* may be null */
    struct slice metadata;
};

struct group_join_reply {
    int32_t generation;         /* -1 on error */
    struct slice protocol_type; /* null on error */
    struct slice protocol_name; /* null on error */
    struct slice leader;        /* "" on error */
    struct slice member_id;
    bool skip_assignment;
    struct group_join_member *members; /* for the leader only */
    size_t member_count;
};

/* --- SyncGroup, Heartbeat, LeaveGroup --- */

struct group_assignment {
    struct slice member_id;
    struct slice assignment;
};

struct group_sync_request {
    int32_t generation;
    struct slice member_id;
    struct slice instance_id;
    struct slice protocol_type; /* null before version 5 */
    struct slice protocol_name; /* null before version 5 */
    const struct group_assignment *assignments;
    size_t assignment_count;
};

struct group_sync_reply {
    struct slice protocol_type; /* null on error */
    struct slice protocol_name; /* null on error */
    struct slice assignment;    /* "" on error */
};

struct group_heartbeat_request {
    int32_t generation;
    struct slice member_id;
    struct slice instance_id;
};

/* Versions 0 to 2 name one member: an array of one, whose error is the response's. */
struct group_leaving_member {
    struct slice member_id;   /* "" = by instance id alone (tools) */
    struct slice instance_id; /* may be null */
    enum kafka_error error;   /* out */
};

struct group_leave_request {
    struct group_leaving_member *members;
    size_t member_count;
};

/* --- OffsetCommit, OffsetFetch, OffsetDelete --- */

struct group_offset {
    int32_t partition;
    enum kafka_error error; /* in: not NONE = leave alone; out */
    int64_t offset;         /* in of commit, out of fetch (-1 = none) */
    int32_t leader_epoch;   /* in of commit, out of fetch; -1 = unknown */
    struct slice metadata;  /* in of commit (null is ""), out of fetch ("" = none) */
};

struct group_offset_topic {
    struct slice name;
    struct group_offset *partitions;
    size_t partition_count;
};

struct group_offset_commit_request {
    int32_t generation; /* -1 = not a member */
    struct slice member_id;
    struct slice instance_id;
    int64_t retention_time_ms; /* -1 = the service's retention (always from version 5 on) */
    struct group_offset_topic *topics;
    size_t topic_count;
};

struct group_offset_fetch_request {
    bool wants_all; /* topics was null: the reply's topics are made in the arena */
    struct group_offset_topic *topics;
    size_t topic_count;
};

struct group_offset_delete_request {
    struct group_offset_topic *topics;
    size_t topic_count;
};

/* --- DescribeGroups, ListGroups (DeleteGroups has a group id and an error only) --- */

struct group_described_member {
    struct slice member_id;
    struct slice instance_id; /* may be null */
    struct slice client_id;
    struct slice client_host;
    struct slice metadata;
    struct slice assignment;
};

struct group_describe_reply {
    struct slice state; /* "Dead" of a group that is not there */
    struct slice protocol_type;
    struct slice protocol_name; /* "protocol data" on the wire; "" unless Stable */
    struct group_described_member *members;
    size_t member_count;
};

struct group_list_request {
    const struct slice *states; /* any of these, case does not matter; none = all */
    size_t state_count;
    const struct slice *types;
    size_t type_count;
};

struct group_listing {
    struct slice group_id;
    struct slice protocol_type;
    struct slice state;
    struct slice type; /* "classic" */
};

struct group_list_reply {
    struct group_listing *groups;
    size_t group_count;
};

/* --- The call --- */

struct group_member;
struct group_append;

struct group_call {
    /* in */
    enum group_operation operation;
    int16_t version; /* of the request's API */
    struct slice group_id;
    union {
        struct {
            struct group_join_request request;
            struct group_join_reply reply;
        } join;
        struct {
            struct group_sync_request request;
            struct group_sync_reply reply;
        } sync;
        struct {
            struct group_heartbeat_request request;
        } heartbeat;
        struct {
            struct group_leave_request request;
        } leave;
        struct {
            struct group_offset_commit_request request;
        } offset_commit;
        struct {
            struct group_offset_fetch_request request;
        } offset_fetch;
        struct {
            struct group_offset_delete_request request;
        } offset_delete;
        struct {
            struct group_describe_reply reply;
        } describe;
        struct {
            struct group_list_request request;
            struct group_list_reply reply;
        } list;
    };
    /* out: of the group as a whole. With an error here, entries of OffsetCommit and OffsetDelete hold
     * it too; OffsetFetch leaves its entries at "none". */
    enum kafka_error error;

    /* private to the coordinator until finished */
    struct arena arena;
    struct list link;            /* where it is parked, or among the finished */
    struct list deadline_link;   /* among those that wait for the log */
    struct group_member *member; /* parked in join or sync */
    struct group_append *append; /* parked until this is committed */
    int64_t deadline_us;
    bool is_parked;
};

/* Zeroes the call; call it before the fields are set. */
void group_call_init(struct group_call *call, enum group_operation operation);
/* Fills in the reply that an error needs, of a call that no shard has seen. */
void group_call_refuse(struct group_call *call, enum kafka_error error);
/* Frees the reply. */
void group_call_done(struct group_call *call);

#endif
