/* SPDX-License-Identifier: Apache-2.0 */
/* A request's calls of group coordinators: one, or one for each group that the request names.
 *
 *   group_calls_new ─▶ fill in items[i].call.group ─▶ group_calls_start ─▶ all complete ─▶ reply
 *
 * A few are under way at a time, whatever the request names. Replies live in the calls until the request
 * is gone, so the answer may point into them. When the client goes, what waits in a coordinator is
 * called back, the rest is not asked, and the request ends without reply. */
#ifndef DATAPLANE_HANDLERS_GROUP_CALLS_H
#define DATAPLANE_HANDLERS_GROUP_CALLS_H

#include "dataplane/coordinator/group_coordinator.h"
#include "dataplane/dispatch/request.h"

struct group_calls;

struct group_calls_item {
    struct coordinator_call call;
    /* private */
    struct group_calls *owner;
    bool is_running;
};

struct group_calls {
    struct request *request;
    struct group_calls_item *items;
    int32_t count;
    void *context; /* the handler's */
    /* private */
    void (*reply)(struct group_calls *calls);
    int32_t next; /* first that was not submitted */
    int32_t running;
    bool is_cancelled;
};

/* In the request's arena, with operation and version set. NULL = no memory: fail the request. */
struct group_calls *group_calls_new(struct request *request, enum group_operation operation,
                                    int32_t count) WARN_UNUSED;
/* reply answers the request; it is called once at most, within this call only when there are none. */
void group_calls_start(struct group_calls *calls, void (*reply)(struct group_calls *calls));
/* Instead of start: no coordinator is asked, all calls have this error. */
void group_calls_refuse(struct group_calls *calls, enum kafka_error error,
                        void (*reply)(struct group_calls *calls));

/* Of a request that makes one. */
static inline struct group_call *group_calls_only(struct group_calls *calls)
{
    return &calls->items[0].call.group;
}

/* Where a version knows no null. */
static inline struct slice slice_or_empty(struct slice text)
{
    return slice_is_null(text) ? SLICE_LITERAL("") : text;
}

#endif
