/* SPDX-License-Identifier: Apache-2.0 */
/* Tombstones: OffsetDelete, DeleteGroups, offsets that expire, offsets of topics that are gone.
 *
 * All are exclusive (group_internal.h): no commit of the group is under way when they decide, so none
 * can be buried by a tombstone that was written after it. A removal larger than one batch is cut: a
 * call is executed again when its batch is in the log and finds the rest; a sweep likewise, because its
 * bit stays set until a look finds nothing.
 *
 * What expires, as in Apache: of a group that has had members, everything retention_ms after it became
 * empty, or, while it is Stable and a consumer group, what it does not subscribe to any more; of a group
 * of commits only, each offset by its own age. An expiry given with the commit goes first. */
#include "dataplane/group/group_internal.h"

#include "dataplane/group/group_records.h"

#include <stdlib.h>

enum { RETRY_MS = 1000 };

/* --- writing tombstones --- */

static enum err bury_offset(struct group_append *append, struct slice topic, int32_t partition)
{
    struct append_writer out;

    append_begin_key(&out, append);
    group_record_write_offset_key(&out.writer, append->group->id, topic, partition);
    return append_end_record(&out);
}

static enum err bury_group(struct group_append *append)
{
    struct append_writer out;

    append_begin_key(&out, append);
    group_record_write_metadata_key(&out.writer, append->group->id);
    return append_end_record(&out);
}

typedef bool (*offset_predicate)(const struct group *group, const struct group_topic *topic,
                                 const struct committed_offset *offset);

/* Tombstones for all offsets that the predicate names, as far as they fit: ERR_TOO_LARGE = some are
 * left. *ret_spared: some were not named. */
static enum err bury_offsets(struct group_append *append, offset_predicate is_named,
                             bool *ret_spared)
{
    const struct group *group = append->group;

    for (struct hash_node *node = hash_table_next(&group->topics, NULL); node != NULL;
         node = hash_table_next(&group->topics, node)) {
        const struct group_topic *topic = container_of(node, struct group_topic, node);

        for (size_t i = 0; i < topic->offset_count; i++) {
            enum err rc = ERR_OK;

            if (is_named(group, topic, &topic->offsets[i]))
                rc = bury_offset(append, topic->name, topic->offsets[i].partition);
            else
                *ret_spared = true;
            if (rc != ERR_OK)
                return rc;
        }
    }
    return ERR_OK;
}

static bool is_any(const struct group *group, const struct group_topic *topic,
                   const struct committed_offset *offset)
{
    (void)group;
    (void)topic;
    (void)offset;
    return true;
}

/* Parks the call on the append, or answers it when there is nothing to write. */
static void submit_removal(struct group_shard *shard, struct group_call *call,
                           struct group_append *append, enum err rc)
{
    bool is_written = rc == ERR_OK || (rc == ERR_TOO_LARGE && append->record_count > 0);

    if (append == NULL || !is_written) {
        append_free(append);
        call_fail(shard, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    if (append->record_count == 0) {
        append_free(append);
        call_finish(shard, call, KAFKA_NONE);
        return;
    }
    append_submit(append);
    call_await_append(call, append);
}

/* --- OffsetDelete, DeleteGroups --- */

static enum err bury_asked(struct group_append *append,
                           const struct group_offset_delete_request *request)
{
    const struct group *group = append->group;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < request->topic_count; i++) {
        struct group_offset_topic *topic = &request->topics[i];

        if (group_is_subscribed(group, topic->name)) {
            offsets_fail(topic, 1, KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
            continue;
        }
        for (size_t k = 0; k < topic->partition_count && rc == ERR_OK; k++)
            if (topic->partitions[k].error == KAFKA_NONE &&
                offset_find(group, topic->name, topic->partitions[k].partition) != NULL)
                rc = bury_offset(append, topic->name, topic->partitions[k].partition);
    }
    return rc;
}

void group_offset_delete(struct group_shard *shard, struct group_call *call)
{
    struct group *group = group_lookup(shard, call->group_id);
    struct group_append *append = NULL;
    enum kafka_error error = KAFKA_NONE;
    enum err rc = ERR_OK;

    if (call->group_id.len == 0)
        error = KAFKA_INVALID_GROUP_ID;
    else if (group == NULL)
        error = KAFKA_GROUP_ID_NOT_FOUND;
    else if (group->state != GROUP_EMPTY && !group_uses_consumer_protocol(group))
        error = KAFKA_NON_EMPTY_GROUP;
    if (error != KAFKA_NONE) {
        call_fail(shard, call, error);
        return;
    }
    append = append_new(group, GROUP_APPEND_REMOVAL);
    if (append != NULL)
        rc = bury_asked(append, &call->offset_delete.request);
    submit_removal(shard, call, append, rc);
}

void group_delete(struct group_shard *shard, struct group_call *call)
{
    struct group *group = group_lookup(shard, call->group_id);
    struct group_append *append = NULL;
    bool has_spared = false;
    enum err rc = ERR_OK;

    if (group == NULL || group->state != GROUP_EMPTY) {
        call_fail(shard, call, group == NULL ? KAFKA_GROUP_ID_NOT_FOUND : KAFKA_NON_EMPTY_GROUP);
        return;
    }
    append = append_new(group, GROUP_APPEND_REMOVAL);
    if (append != NULL) {
        rc = bury_offsets(append, is_any, &has_spared);
        if (rc == ERR_OK)
            rc = bury_group(append);
    }
    submit_removal(shard, call, append, rc);
}

/* --- sweeps --- */

static const struct doomed_topic *find_doomed(const struct group_shard *shard, struct slice name)
{
    list_for_each(&shard->doomed_topics, node)
    {
        const struct doomed_topic *doomed = container_of(node, struct doomed_topic, link);

        if (slice_equal(doomed->name, name))
            return doomed;
    }
    return NULL;
}

static bool is_doomed(const struct group *group, const struct group_topic *topic,
                      const struct committed_offset *offset)
{
    const struct doomed_topic *doomed = find_doomed(group->shard, topic->name);

    /* Later commits are of a new topic with the old name. */
    return doomed != NULL && offset->sequence <= doomed->sequence;
}

static bool is_old(const struct group *group, const struct committed_offset *offset)
{
    int64_t now_ms = group->shard->time.wall_ms;
    int64_t since_ms = offset->commit_timestamp_ms;

    if (offset->expire_timestamp_ms >= 0)
        return now_ms >= offset->expire_timestamp_ms;
    if (group->state == GROUP_EMPTY && !slice_is_null(group->protocol_type) &&
        group->state_timestamp_ms >= 0)
        since_ms = group->state_timestamp_ms;
    /* Stored times may be anything. */
    return since_ms <= now_ms - group->shard->options.retention_ms;
}

static bool is_expired(const struct group *group, const struct group_topic *topic,
                       const struct committed_offset *offset)
{
    if (!is_old(group, offset))
        return false;
    if (group->state == GROUP_EMPTY)
        return true;
    return group->state == GROUP_STABLE && group_uses_consumer_protocol(group) &&
           !group_is_subscribed(group, topic->name);
}

static bool is_swept(const struct group *group, const struct group_topic *topic,
                     const struct committed_offset *offset)
{
    return ((group->sweeps & SWEEP_TOPICS) && is_doomed(group, topic, offset)) ||
           ((group->sweeps & SWEEP_EXPIRED) && is_expired(group, topic, offset));
}

void group_sweep(struct group *group)
{
    struct group_append *append = append_new(group, GROUP_APPEND_REMOVAL);
    bool has_spared = false;
    enum err rc = ERR_NO_MEMORY;

    if (append != NULL)
        rc = bury_offsets(append, is_swept, &has_spared);
    /* An empty group that holds nothing is of no use to anybody. */
    if (rc == ERR_OK && !has_spared && (group->sweeps & SWEEP_EXPIRED) && group->is_stored &&
        group->state == GROUP_EMPTY && group->pending_count == 0)
        rc = bury_group(append);
    if (append == NULL || append->record_count == 0) {
        append_free(append);
        group->sweeps = 0;
        return;
    }
    append_submit(append);
}

/* The log did not take it. Expiry looks again at its next round, the topics soon. */
void sweep_failed(struct group *group)
{
    struct group_shard *shard = group->shard;

    if (group->sweeps & SWEEP_TOPICS)
        shard_timer_start(shard, &shard->sweep_timer, RETRY_MS);
    group->sweeps = 0;
}

static bool finds_something(struct group *group, enum group_sweep sweep)
{
    unsigned before = group->sweeps;
    bool has_spared = false;
    bool is_found = false;

    group->sweeps = sweep;
    for (struct hash_node *node = hash_table_next(&group->topics, NULL); node != NULL && !is_found;
         node = hash_table_next(&group->topics, node)) {
        const struct group_topic *topic = container_of(node, struct group_topic, node);

        for (size_t i = 0; i < topic->offset_count && !is_found; i++) {
            is_found = is_swept(group, topic, &topic->offsets[i]);
            has_spared |= !is_found;
        }
    }
    group->sweeps = before;
    if (sweep == SWEEP_EXPIRED && group->is_stored && group->state == GROUP_EMPTY &&
        group->pending_count == 0 && !has_spared)
        return true;
    return is_found;
}

/* Returns whether any group had something to remove. */
static bool sweep_all(struct group_shard *shard, enum group_sweep sweep)
{
    struct hash_node *next = NULL;
    bool is_found = false;

    for (struct hash_node *node = hash_table_next(&shard->groups, NULL); node != NULL;
         node = next) {
        struct group *group = container_of(node, struct group, node);

        next = hash_table_next(&shard->groups, node);
        if (!finds_something(group, sweep))
            continue;
        is_found = true;
        group->sweeps |= sweep;
        group_settle(group);
    }
    return is_found;
}

void sweep_on_retention_timer(struct timer *timer)
{
    struct group_shard *shard = container_of(timer, struct group_shard, retention_timer);

    sweep_all(shard, SWEEP_EXPIRED);
    shard_timer_start(shard, timer, shard->options.retention_check_ms);
}

/* A commit from before the deletion may still be on its way into the table. */
static bool may_find_more(const struct group_shard *shard)
{
    const struct doomed_topic *newest = NULL;

    if (list_is_empty(&shard->appends) || list_is_empty(&shard->doomed_topics))
        return false;
    newest = container_of(shard->doomed_topics.next, struct doomed_topic, link);
    return container_of(shard->appends.next, struct group_append, link)->sequence <=
           newest->sequence;
}

void sweep_on_topic_timer(struct timer *timer)
{
    struct group_shard *shard = container_of(timer, struct group_shard, sweep_timer);

    if (sweep_all(shard, SWEEP_TOPICS) || may_find_more(shard))
        shard_timer_start(shard, timer, RETRY_MS);
    else
        sweep_forget_doomed(shard);
}

void sweep_doom_topic(struct group_shard *shard, struct slice name)
{
    struct doomed_topic *doomed = calloc(1, sizeof(*doomed));

    /* Without memory the offsets stay until they expire or the shard is loaded again. */
    if (doomed == NULL || !slice_own(name, &doomed->name)) {
        free(doomed);
        return;
    }
    doomed->sequence = shard->sequence;
    list_push_front(&shard->doomed_topics, &doomed->link);
    shard_timer_start(shard, &shard->sweep_timer, 0);
}

void sweep_doom_unknown_topics(struct group_shard *shard)
{
    for (struct hash_node *node = hash_table_next(&shard->groups, NULL); node != NULL;
         node = hash_table_next(&shard->groups, node)) {
        const struct group *group = container_of(node, struct group, node);

        for (struct hash_node *at = hash_table_next(&group->topics, NULL); at != NULL;
             at = hash_table_next(&group->topics, at)) {
            const struct group_topic *topic = container_of(at, struct group_topic, node);

            if (find_doomed(shard, topic->name) == NULL &&
                !shard->host.topic_exists(shard->host.context, topic->name))
                sweep_doom_topic(shard, topic->name);
        }
    }
}

void sweep_forget_doomed(struct group_shard *shard)
{
    struct list *node = NULL;

    while ((node = list_pop_front(&shard->doomed_topics)) != NULL) {
        struct doomed_topic *doomed = container_of(node, struct doomed_topic, link);

        slice_free(&doomed->name);
        free(doomed);
    }
}
