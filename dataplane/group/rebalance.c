/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a classic group.
 *
 *              join of a new member
 *     ┌─────┐ ─────────────────────▶ ┌───────────┐  all joined, or time is up   ┌────────────┐
 *     │Empty│                        │ Preparing │ ───────────────────────────▶ │ Completing │
 *     └─────┘ ◀───────────────────── └───────────┘ ◀─────────────────────────── └────────────┘
 *              time is up, and no       ▲     a member joins, leaves, dies, or       │
 *              member is left           │     does not sync in time                  │ the leader's sync
 *                                       │                                            ▼ is in the log
 *                                       │ a member joins anew, leaves, dies     ┌────────┐
 *                                       └────────────────────────────────────── │ Stable │
 *                                                                               └────────┘
 *   state        who waits                         what group->phase (the timer) means
 *   Empty        nobody                            the log did not take the record of it: again
 *   Preparing    joins, until all known members    end of the initial delay (from Empty), else of the
 *                are there                         rebalance timeout: absent dynamic members go
 *   Completing   syncs, until the leader's sync    end of the rebalance timeout: who did not sync goes
 *                is in the log
 *   Stable       nobody                            the same, for those who have not synced yet
 *
 * "Dead" is what a group that is not there is called. The generation goes up when Preparing ends. While
 * an exclusive append is under way nothing moves: timers that fire look again a little later. */
#include "dataplane/group/group_internal.h"

enum { BUSY_RETRY_MS = 100, STORE_RETRY_MS = 1000 };

static bool is_legal_move(enum group_state from, enum group_state to)
{
    switch (to) {
    case GROUP_EMPTY:
        return from == GROUP_PREPARING;
    case GROUP_PREPARING:
        return from == GROUP_EMPTY || from == GROUP_COMPLETING || from == GROUP_STABLE;
    case GROUP_COMPLETING:
        return from == GROUP_PREPARING;
    case GROUP_STABLE:
        return from == GROUP_COMPLETING;
    }
    return false;
}

static void move(struct group *group, enum group_state to)
{
    invariant(is_legal_move(group->state, to));
    group->state = to;
    group->state_timestamp_ms = group->shard->time.wall_ms;
}

static int32_t rebalance_timeout_ms(const struct group *group)
{
    int32_t longest = 0;

    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);

        if (member->rebalance_timeout_ms > longest)
            longest = member->rebalance_timeout_ms;
    }
    return longest;
}

static void start_phase_timer(struct group *group, int64_t delay_ms)
{
    shard_timer_start(group->shard, &group->phase, delay_ms);
}

static void stop_phase_timer(struct group *group)
{
    timer_queue_stop(&group->shard->timers, &group->phase);
}

/* --- end of the join phase --- */

static void remove_absent_dynamic_members(struct group *group)
{
    list_for_each(&group->members, node)
    {
        struct group_member *member = container_of(node, struct group_member, link);

        if (member->join_call == NULL && slice_is_null(member->instance_id))
            member_remove(member);
    }
}

/* The leader stays if it is there, else the first who is; false = nobody is. */
static bool elect_joined_leader(struct group *group)
{
    if (group->leader == NULL)
        return false;
    if (group->leader->join_call != NULL)
        return true;
    list_for_each(&group->members, node)
    {
        struct group_member *member = container_of(node, struct group_member, link);

        if (member->join_call != NULL) {
            group->leader = member;
            return true;
        }
    }
    return false;
}

/* Nobody waits for this record, but without it a later coordinator would take the old members for alive
 * until their sessions time out. */
void rebalance_empty_not_stored(struct group *group)
{
    if (group->state == GROUP_EMPTY)
        start_phase_timer(group, STORE_RETRY_MS);
}

static void store_empty(struct group *group)
{
    struct group_append *append = append_new(group, GROUP_APPEND_EMPTY);

    if (append != NULL && metadata_record_write(append, false) == ERR_OK) {
        append_submit(append);
        return;
    }
    append_free(append);
    rebalance_empty_not_stored(group);
}

static void become_empty(struct group *group)
{
    group->generation++;
    slice_free(&group->protocol_name);
    move(group, GROUP_EMPTY);
    store_empty(group);
}

static void start_generation(struct group *group)
{
    struct slice chosen = group_select_protocol(group, NULL, NULL);
    struct slice copy = SLICE_NULL;

    /* Without memory for the name of the protocol nobody can be answered: try again soon. */
    if (!slice_own(chosen, &copy)) {
        start_phase_timer(group, BUSY_RETRY_MS);
        return;
    }
    group->generation++;
    slice_free(&group->protocol_name);
    group->protocol_name = copy;
    move(group, GROUP_COMPLETING);
    list_for_each(&group->members, node)
    {
        struct group_member *member = container_of(node, struct group_member, link);

        member->is_new = false;
        member->is_sync_awaited = true;
        if (member->join_call != NULL)
            join_answer(member, member->join_call);
        else
            member_touch(member);
    }
    start_phase_timer(group, rebalance_timeout_ms(group));
}

static void complete_join(struct group *group)
{
    stop_phase_timer(group);
    remove_absent_dynamic_members(group);
    if (group->member_count > 0 && !elect_joined_leader(group)) {
        /* Only absent static members: wait on, until their sessions end. */
        start_phase_timer(group, rebalance_timeout_ms(group));
        return;
    }
    group->is_initial_rebalance = false;
    group->was_member_added = false;
    if (group->member_count == 0)
        become_empty(group);
    else
        start_generation(group);
}

static bool has_everybody_joined(const struct group *group)
{
    return group->joining_count == group->member_count && group->pending_count == 0;
}

void rebalance_complete_join_if_ready(struct group *group)
{
    if (group->state == GROUP_PREPARING && !group->is_initial_rebalance &&
        has_everybody_joined(group))
        complete_join(group);
}

/* --- start of a rebalance --- */

static void answer_syncs(struct group *group, enum kafka_error error)
{
    list_for_each(&group->members, node)
    {
        struct group_member *member = container_of(node, struct group_member, link);

        if (member->sync_call != NULL)
            sync_answer(member, member->sync_call, error);
    }
}

void rebalance_prepare(struct group *group)
{
    int32_t delay_ms = group->shard->options.initial_rebalance_delay_ms;
    int32_t longest_ms = rebalance_timeout_ms(group);

    if (group->state == GROUP_COMPLETING)
        answer_syncs(group, KAFKA_REBALANCE_IN_PROGRESS);
    stop_phase_timer(group);
    if (group->state == GROUP_EMPTY) {
        group->is_initial_rebalance = true;
        group->was_member_added = false;
        group->initial_remaining_ms = longest_ms > delay_ms ? longest_ms - delay_ms : 0;
        move(group, GROUP_PREPARING);
        start_phase_timer(group, delay_ms);
        return;
    }
    move(group, GROUP_PREPARING);
    start_phase_timer(group, longest_ms);
    rebalance_complete_join_if_ready(group);
}

void rebalance_prepare_or_complete_join(struct group *group)
{
    if (is_legal_move(group->state, GROUP_PREPARING))
        rebalance_prepare(group);
    else
        rebalance_complete_join_if_ready(group);
}

/* --- timers --- */

/* Each round in which somebody new came extends the wait, up to the rebalance timeout in all. */
static bool extend_initial_delay(struct group *group)
{
    int32_t delay_ms = group->shard->options.initial_rebalance_delay_ms;

    if (!group->was_member_added || group->initial_remaining_ms == 0)
        return false;
    if (delay_ms > group->initial_remaining_ms)
        delay_ms = group->initial_remaining_ms;
    group->was_member_added = false;
    group->initial_remaining_ms -= delay_ms;
    start_phase_timer(group, delay_ms);
    return true;
}

static void remove_unsynced_members(struct group *group)
{
    bool is_anybody_missing = false;

    list_for_each(&group->members, node)
    {
        struct group_member *member = container_of(node, struct group_member, link);

        if (!member->is_sync_awaited)
            continue;
        is_anybody_missing = true;
        member_remove(member);
    }
    if (is_anybody_missing)
        rebalance_prepare(group);
}

void rebalance_on_phase_timer(struct timer *timer)
{
    struct group *group = container_of(timer, struct group, phase);

    if (group->exclusive != NULL) {
        start_phase_timer(group, BUSY_RETRY_MS);
        return;
    }
    switch (group->state) {
    case GROUP_EMPTY:
        store_empty(group);
        break;
    case GROUP_PREPARING:
        if (!group->is_initial_rebalance || !extend_initial_delay(group))
            complete_join(group);
        break;
    case GROUP_COMPLETING:
    case GROUP_STABLE:
        remove_unsynced_members(group);
        break;
    }
    group_settle(group);
}

void rebalance_on_session_timer(struct timer *timer)
{
    struct group_member *member = container_of(timer, struct group_member, session);
    struct group *group = member->group;
    bool was_pending = member->is_pending;

    if (group->exclusive != NULL) {
        shard_timer_start(group->shard, timer, BUSY_RETRY_MS);
        return;
    }
    member_remove(member);
    if (was_pending)
        rebalance_complete_join_if_ready(group);
    else
        rebalance_prepare_or_complete_join(group);
    group_settle(group);
}

/* --- the leader's sync --- */

void rebalance_stop_awaiting_sync(struct group_member *member)
{
    struct group *group = member->group;

    member->is_sync_awaited = false;
    list_for_each(&group->members, node)
    {
        if (container_of(node, struct group_member, link)->is_sync_awaited)
            return;
    }
    stop_phase_timer(group);
}

void rebalance_assignment_resolved(struct group *group, enum kafka_error error)
{
    if (error == KAFKA_NONE) {
        move(group, GROUP_STABLE);
        answer_syncs(group, KAFKA_NONE);
        return;
    }
    answer_syncs(group, error);
    rebalance_prepare_or_complete_join(group);
}
