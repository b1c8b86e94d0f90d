/* SPDX-License-Identifier: Apache-2.0 */
/* Events of one shard, and the two queues they feed: finished calls and appends.
 *
 * Every entry sets the time, lets the group at hand decide, and settles that group: calls that waited
 * at its gate go on as far as it is open, and a group that nobody knows is freed. An append passes
 *
 *   append_submit ─▶ outbox ─▶ (shell, log) ─▶ group_shard_appended ─▶ resolved ─▶ replayed, freed
 *
 * and is replayed only when all earlier ones are, so that memory changes in the order of the log.
 */
#include "dataplane/group/group_internal.h"

#include <stdlib.h>

/* The views of one metadata record's members; the texts stay in the record. */
enum { SCRATCH_MAX_BYTES = 64 * 1024 * 1024 };

struct group_shard_options group_shard_options_default(void)
{
    return (struct group_shard_options){
        .min_session_timeout_ms = 6000,
        .max_session_timeout_ms = 30 * 60 * 1000,
        .initial_rebalance_delay_ms = 3000,
        .new_member_timeout_ms = 5 * 60 * 1000,
        .max_members = 2000,
        .max_metadata_bytes = 4096,
        .retention_ms = (int64_t)7 * 24 * 60 * 60 * 1000,
        .retention_check_ms = 10 * 60 * 1000,
        .write_timeout_ms = 5000,
        .max_append_bytes = 1000 * 1000,
        .max_member_bytes = 256 * 1024,
        .max_membership_bytes = (size_t)64 * 1024 * 1024,
    };
}

/* --- the gate --- */

static bool is_read(enum group_operation operation)
{
    return operation == GROUP_OFFSET_FETCH || operation == GROUP_DESCRIBE ||
           operation == GROUP_LIST;
}

static bool is_removal(enum group_operation operation)
{
    return operation == GROUP_DELETE || operation == GROUP_OFFSET_DELETE;
}

static bool gate_is_closed_for(const struct group *group, const struct group_call *call)
{
    if (is_read(call->operation))
        return false;
    if (group->exclusive != NULL || group->sweeps != 0)
        return true;
    return is_removal(call->operation) && group->append_count > 0;
}

static void execute(struct group_shard *shard, struct group_call *call)
{
    switch (call->operation) {
    case GROUP_JOIN:
        group_join(shard, call);
        break;
    case GROUP_SYNC:
        group_sync(shard, call);
        break;
    case GROUP_HEARTBEAT:
        group_heartbeat(shard, call);
        break;
    case GROUP_LEAVE:
        group_leave(shard, call);
        break;
    case GROUP_OFFSET_COMMIT:
        group_offset_commit(shard, call);
        break;
    case GROUP_OFFSET_FETCH:
        group_offset_fetch(shard, call);
        break;
    case GROUP_OFFSET_DELETE:
        group_offset_delete(shard, call);
        break;
    case GROUP_DESCRIBE:
        group_describe(shard, call);
        break;
    case GROUP_DELETE:
        group_delete(shard, call);
        break;
    case GROUP_LIST:
        call_finish(shard, call, group_shard_list(shard, call));
        break;
    }
}

void group_settle(struct group *group)
{
    struct group_shard *shard = group->shard;

    for (;;) {
        struct group_call *call = NULL;

        if (group->sweeps != 0 && group->exclusive == NULL && group->append_count == 0)
            group_sweep(group);
        if (list_is_empty(&group->waiting))
            break;
        call = container_of(group->waiting.next, struct group_call, link);
        if (gate_is_closed_for(group, call))
            break;
        call_unpark(call);
        execute(shard, call);
    }
    if (group_is_idle_husk(group))
        group_free(group);
}

void group_shard_submit(struct group_shard *shard, struct group_call *call, struct group_time time)
{
    struct group *group = NULL;

    shard->time = time;
    if (shard->phase != SHARD_ACTIVE || shard->is_broken) {
        call_fail(shard, call,
                  shard->phase == SHARD_LOADING ? KAFKA_COORDINATOR_LOAD_IN_PROGRESS
                                                : KAFKA_NOT_COORDINATOR);
        return;
    }
    if (slice_is_null(call->group_id))
        call->group_id = SLICE_LITERAL("");
    if (call->group_id.len > INT16_MAX) {
        call_fail(shard, call, KAFKA_INVALID_GROUP_ID);
        return;
    }
    group = group_find(shard, call->group_id);
    if (group != NULL && !is_read(call->operation) &&
        (!list_is_empty(&group->waiting) || gate_is_closed_for(group, call))) {
        list_push_back(&group->waiting, &call->link);
        call_await_log(shard, call);
        return;
    }
    execute(shard, call);
    group = group_find(shard, call->group_id);
    if (group != NULL)
        group_settle(group);
}

/* --- outcomes of appends --- */

static enum err replay_append(struct group_shard *shard, const struct group_append *append)
{
    struct group_record record;
    size_t position = 0;
    enum err rc = ERR_OK;

    while (rc == ERR_OK && group_append_next_record(append, &position, &record))
        rc = replay_record(shard, record, append->sequence);
    return rc;
}

static void finish_append_calls(struct group_append *append, enum kafka_error error)
{
    list_for_each(&append->calls, node)
    {
        struct group_call *call = container_of(node, struct group_call, link);

        if (error == KAFKA_NONE)
            call_finish(append->group->shard, call, KAFKA_NONE);
        else
            call_fail(append->group->shard, call, error);
    }
}

/* A removal may have been cut to the size of one batch: the call goes on until nothing is left. */
static void resume_removal(struct group_append *append)
{
    struct group *group = append->group;

    list_for_each(&append->calls, node)
    {
        struct group_call *call = container_of(node, struct group_call, link);

        call_unpark(call);
        if (group_is_there(group))
            execute(group->shard, call);
        else
            call_finish(group->shard, call, KAFKA_NONE);
    }
}

static void apply(struct group_shard *shard, struct group_append *append)
{
    struct group *group = append->group;
    enum kafka_error error = append->error;

    group->append_count--;
    if (group->exclusive == append)
        group->exclusive = NULL;
    if (error == KAFKA_NONE && append->kind == GROUP_APPEND_REPLACEMENT &&
        !join_replace_member(append))
        shard->is_broken = true;
    if (error == KAFKA_NONE && replay_append(shard, append) != ERR_OK)
        shard->is_broken = true;
    if (shard->is_broken)
        error = KAFKA_NOT_LEADER_OR_FOLLOWER;

    switch (append->kind) {
    case GROUP_APPEND_OFFSETS:
        finish_append_calls(append, append_error_for_offsets(error));
        break;
    case GROUP_APPEND_ASSIGNMENT:
        rebalance_assignment_resolved(group, append_error_for_group(error));
        break;
    case GROUP_APPEND_EMPTY:
        if (error != KAFKA_NONE)
            rebalance_empty_not_stored(group);
        break;
    case GROUP_APPEND_REPLACEMENT:
        join_replacement_resolved(append, append_error_for_group(error));
        break;
    case GROUP_APPEND_REMOVAL:
        if (error != KAFKA_NONE) {
            finish_append_calls(append, append_error_for_group(error));
            sweep_failed(group);
            break;
        }
        resume_removal(append);
        break;
    }
}

void group_shard_appended(struct group_shard *shard, struct group_append *append,
                          enum kafka_error error, struct group_time time)
{
    shard->time = time;
    append->is_resolved = true;
    append->error = error;
    while (!list_is_empty(&shard->appends)) {
        struct group_append *first = container_of(shard->appends.next, struct group_append, link);
        struct group *group = first->group;

        if (!first->is_resolved)
            break;
        list_remove(&first->link);
        if (shard->phase == SHARD_ACTIVE)
            apply(shard, first);
        append_free(first);
        if (shard->phase == SHARD_ACTIVE)
            group_settle(group);
    }
}

/* --- life --- */

enum err group_shard_new(const struct group_shard_options *options,
                         const struct group_shard_host *host, struct random *random,
                         struct hash_seed seed, struct group_shard **ret_shard)
{
    struct group_shard *shard = calloc(1, sizeof(*shard));

    if (shard == NULL)
        return ERR_NO_MEMORY;
    shard->options = *options;
    shard->host = *host;
    shard->random = random;
    shard->seed = seed;
    shard->phase = SHARD_LOADING;
    hash_table_init(&shard->groups, seed);
    arena_init(&shard->scratch, SCRATCH_MAX_BYTES);
    timer_queue_init(&shard->timers);
    list_init(&shard->appends);
    list_init(&shard->outbox);
    list_init(&shard->finished);
    list_init(&shard->log_waiters);
    list_init(&shard->doomed_topics);
    shard->write_timer.fire = calls_on_write_timer;
    shard->sweep_timer.fire = sweep_on_topic_timer;
    shard->retention_timer.fire = sweep_on_retention_timer;
    *ret_shard = shard;
    return ERR_OK;
}

void group_shard_free(struct group_shard *shard)
{
    struct hash_node *node = NULL;

    if (shard == NULL)
        return;
    invariant(list_is_empty(&shard->appends) && list_is_empty(&shard->finished));
    while ((node = hash_table_next(&shard->groups, NULL)) != NULL)
        group_free(container_of(node, struct group, node));
    sweep_forget_doomed(shard);
    hash_table_done(&shard->groups);
    timer_queue_done(&shard->timers);
    arena_done(&shard->scratch);
    free(shard);
}

enum err group_shard_replay(struct group_shard *shard, struct slice key, struct slice value)
{
    return replay_record(shard, (struct group_record){key, value}, 0);
}

void group_shard_loaded(struct group_shard *shard, struct group_time time)
{
    struct hash_node *node = NULL;
    struct hash_node *next = NULL;

    invariant(shard->phase == SHARD_LOADING);
    shard->time = time;
    shard->phase = SHARD_ACTIVE;
    for (node = hash_table_next(&shard->groups, NULL); node != NULL; node = next) {
        struct group *group = container_of(node, struct group, node);

        next = hash_table_next(&shard->groups, node);
        list_for_each(&group->members, link)
            member_touch(container_of(link, struct group_member, link));
        if (group_is_idle_husk(group))
            group_free(group);
    }
    shard_timer_start(shard, &shard->retention_timer, shard->options.retention_check_ms);
    sweep_doom_unknown_topics(shard);
}

static void fail_calls_of_members(struct group_shard *shard, const struct list *members)
{
    list_for_each(members, node)
    {
        struct group_member *member = container_of(node, struct group_member, link);

        if (member->join_call != NULL)
            call_fail(shard, member->join_call, KAFKA_NOT_COORDINATOR);
        if (member->sync_call != NULL)
            call_fail(shard, member->sync_call, KAFKA_NOT_COORDINATOR);
    }
}

void group_shard_resign(struct group_shard *shard)
{
    shard->phase = SHARD_RESIGNED;
    for (struct hash_node *node = hash_table_next(&shard->groups, NULL); node != NULL;
         node = hash_table_next(&shard->groups, node))
        fail_calls_of_members(shard, &container_of(node, struct group, node)->members);
    /* Whoever is not parked at a member waits for the log, at a gate or at an append. */
    list_for_each(&shard->log_waiters, waiter) call_fail(
        shard, container_of(waiter, struct group_call, deadline_link), KAFKA_NOT_COORDINATOR);
    list_for_each(&shard->outbox, out)
    {
        struct group_append *append = container_of(out, struct group_append, out_link);

        list_remove(&append->out_link);
        list_remove(&append->link);
        append_free(append);
    }
}

void group_shard_tick(struct group_shard *shard, struct group_time time)
{
    struct timer *timer = NULL;

    shard->time = time;
    if (shard->phase != SHARD_ACTIVE)
        return;
    while ((timer = timer_queue_pop_due(&shard->timers, time.now_us)) != NULL)
        timer->fire(timer);
}

void group_shard_topic_deleted(struct group_shard *shard, struct slice topic,
                               struct group_time time)
{
    shard->time = time;
    if (shard->phase == SHARD_ACTIVE)
        sweep_doom_topic(shard, topic);
}

struct group_call *group_shard_next_finished(struct group_shard *shard)
{
    struct list *node = list_pop_front(&shard->finished);

    return node == NULL ? NULL : container_of(node, struct group_call, link);
}

struct group_append *group_shard_next_append(struct group_shard *shard)
{
    struct list *node = list_pop_front(&shard->outbox);

    return node == NULL ? NULL : container_of(node, struct group_append, out_link);
}

bool group_shard_is_broken(const struct group_shard *shard)
{
    return shard->is_broken;
}

int64_t group_shard_next_deadline(const struct group_shard *shard)
{
    int64_t deadline_us = 0;

    if (shard->phase != SHARD_ACTIVE || !timer_queue_next_deadline(&shard->timers, &deadline_us))
        return INT64_MAX;
    return deadline_us;
}

void group_shard_count(const struct group_shard *shard, struct group_shard_counts *ret_counts)
{
    *ret_counts = shard->counts;
    ret_counts->groups = (int64_t)shard->groups.count;
}
