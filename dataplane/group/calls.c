/* SPDX-License-Identifier: Apache-2.0 */
/* Where a call can be until it is finished:
 *
 *   at a member    join_call or sync_call       until the rebalance goes on
 *   at an append   append->calls                until the log has it
 *   at the gate    group->waiting               until the group is free
 *
 * In the last two it is also among the log_waiters: a reply that waits longer than write_timeout_ms is
 * given up with COORDINATOR_NOT_AVAILABLE. The append itself stays under way, and is replayed if the log
 * takes it after all. */
#include "dataplane/group/group_internal.h"

/* A whole reply: a leader's join carries the metadata of all members. */
enum { REPLY_MAX_BYTES = 80 * 1024 * 1024 };

void group_call_init(struct group_call *call, enum group_operation operation)
{
    *call = (struct group_call){.operation = operation};
    arena_init(&call->arena, REPLY_MAX_BYTES);
    list_init(&call->link);
    list_init(&call->deadline_link);
}

void group_call_done(struct group_call *call)
{
    invariant(!call->is_parked);
    arena_done(&call->arena);
}

void call_finish(struct group_shard *shard, struct group_call *call, enum kafka_error error)
{
    if (call->member != NULL)
        member_unpark(call->member, call);
    call->append = NULL;
    call->error = error;
    call->is_parked = false;
    list_remove(&call->link);
    list_remove(&call->deadline_link);
    list_push_back(&shard->finished, &call->link);
}

void group_call_refuse(struct group_call *call, enum kafka_error error)
{
    struct slice empty = SLICE_LITERAL("");

    switch (call->operation) {
    case GROUP_JOIN:
        call->join.reply = (struct group_join_reply){
            .generation = -1, .leader = empty, .member_id = call->join.request.member_id};
        break;
    case GROUP_SYNC:
        call->sync.reply = (struct group_sync_reply){.assignment = empty};
        break;
    case GROUP_OFFSET_COMMIT:
        offsets_fail(call->offset_commit.request.topics, call->offset_commit.request.topic_count,
                     error);
        break;
    case GROUP_OFFSET_DELETE:
        offsets_fail(call->offset_delete.request.topics, call->offset_delete.request.topic_count,
                     error);
        break;
    case GROUP_OFFSET_FETCH:
        offsets_clear(call);
        break;
    case GROUP_DESCRIBE:
        call->describe.reply = (struct group_describe_reply){
            .state = empty, .protocol_type = empty, .protocol_name = empty};
        break;
    case GROUP_HEARTBEAT:
    case GROUP_LEAVE:
    case GROUP_DELETE:
    case GROUP_LIST:
        break;
    }
    call->error = error;
}

void call_fail(struct group_shard *shard, struct group_call *call, enum kafka_error error)
{
    group_call_refuse(call, error);
    call_finish(shard, call, error);
}

void call_await_log(struct group_shard *shard, struct group_call *call)
{
    call->is_parked = true;
    call->deadline_us = shard->time.now_us + MS_AS_US(shard->options.write_timeout_ms);
    if (list_is_empty(&shard->log_waiters))
        timer_queue_start(&shard->timers, &shard->write_timer, call->deadline_us);
    list_push_back(&shard->log_waiters, &call->deadline_link);
}

void call_await_append(struct group_call *call, struct group_append *append)
{
    call->append = append;
    list_push_back(&append->calls, &call->link);
    call_await_log(append->group->shard, call);
}

/* All time-outs are equal, so the list is in order of deadline. Calls that were answered left it, and
 * the timer may find nothing due: then it is set anew. */
void calls_on_write_timer(struct timer *timer)
{
    struct group_shard *shard = container_of(timer, struct group_shard, write_timer);

    list_for_each(&shard->log_waiters, node)
    {
        struct group_call *call = container_of(node, struct group_call, deadline_link);

        if (call->deadline_us > shard->time.now_us) {
            timer_queue_start(&shard->timers, timer, call->deadline_us);
            return;
        }
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
    }
}

void call_unpark(struct group_call *call)
{
    call->is_parked = false;
    call->append = NULL;
    list_remove(&call->link);
    list_remove(&call->deadline_link);
}

/* A member whose client is gone is not waiting any more; if it does not come back it is dropped by the
 * end of the rebalance or of its session. */
void group_shard_cancel(struct group_shard *shard, struct group_call *call, struct group_time time)
{
    struct group_member *member = call->member;

    shard->time = time;
    if (!call->is_parked)
        return;
    call_fail(shard, call, KAFKA_NOT_COORDINATOR);
    if (member != NULL)
        member_touch(member);
}
