/* SPDX-License-Identifier: Apache-2.0 */
/* What fetch.c (when to answer) and fetch_answer.c (what) share. Private to the two. */
#ifndef DATAPLANE_HANDLERS_FETCH_INTERNAL_H
#define DATAPLANE_HANDLERS_FETCH_INTERNAL_H

#include "common/kafka/fetch_request.h"
#include "dataplane/handlers/fetch_session.h"
#include "dataplane/handlers/handlers.h"
#include "dataplane/storage/replica.h"

enum fetch_state { FETCH_LOOKING, FETCH_WAITING, FETCH_GATHERING, FETCH_READING, FETCH_ANSWERED };

struct fetch;

struct fetch_item {
    struct fetch *fetch;
    const struct fetch_target *target;
    struct fetch_session_partition *followed; /* NULL without a session */
    struct replica *replica;                  /* held while looked at; NULL on error */
    enum kafka_error error;
    int64_t high_watermark, last_stable, log_start;
    int32_t epoch; /* the leader epoch that we know; for current_leader */
    int32_t leader;
    bool has_data;
    size_t wanted_bytes; /* of what it has */
    bool is_reading;
    bool has_read; /* read holds records */
    struct replica_read read;
    bool is_waiting;
    struct replica_waiter waiter;
};

struct fetch {
    struct request *request;
    struct kafka_fetch_request body;
    enum fetch_state state;
    struct fetch_session *session; /* NULL = none */
    bool is_full;                  /* every partition is listed in the answer */
    bool is_cancelled;
    struct fetch_target *targets; /* without a session */
    struct fetch_item *items;
    int32_t item_count;
    int32_t open_count; /* reads, or waiters, under way */
    size_t read_bytes;
    size_t held_bytes;     /* memory for records, read or being read */
    size_t reserved_bytes; /* of the quota, while reads are under way */
    bool is_short;         /* less may be read than was asked for: it is answered as it is */
    bool has_error;
    int64_t deadline_us;
    struct timer timer;
};

/* fetch.c: gives up replicas, session and timer; the records stay until the answer is sent. */
void fetch_leave(struct fetch *fetch);

/* fetch_answer.c */
void fetch_answer(struct fetch *fetch);
/* Nothing of any partition: an error of the session, or over quota. */
void fetch_answer_empty(struct request *request, enum kafka_error error, int32_t session_id);

#endif
