/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/group/group_rig.h"

#include <stdio.h>
#include <stdlib.h>

/* --- surroundings --- */

static bool add_group(void *context, bool is_forced)
{
    struct rig *rig = context;

    if (!is_forced && rig->group_limit >= 0 && rig->group_count >= rig->group_limit)
        return false;
    rig->group_count++;
    return true;
}

static void remove_group(void *context)
{
    struct rig *rig = context;

    rig->group_count--;
}

static bool topic_exists(void *context, struct slice topic)
{
    const struct rig *rig = context;

    return rig->missing_topic == NULL || !slice_equal_cstring(topic, rig->missing_topic);
}

static struct group_shard *new_shard(struct rig *rig)
{
    const struct group_shard_host host = {rig, add_group, remove_group, topic_exists};
    struct group_shard *shard = NULL;

    ck_assert_int_eq(
        group_shard_new(&rig->options, &host, &rig->random.base, (struct hash_seed){1, 2}, &shard),
        ERR_OK);
    return shard;
}

static void load(struct rig *rig, struct group_shard *shard)
{
    for (size_t i = 0; i < rig->log_count; i++)
        ck_assert_int_eq(group_shard_replay(shard, rig->log[i].key, rig->log[i].value), ERR_OK);
    group_shard_loaded(shard, rig->time);
}

void rig_init(struct rig *rig)
{
    *rig = (struct rig){.group_limit = -1};
    rig->options = group_shard_options_default();
    rig->options.initial_rebalance_delay_ms = 0;
    rig->time = (struct group_time){1000000, RIG_START_WALL_MS};
    seeded_random_init(&rig->random, 1);
    list_init(&rig->calls);
}

void rig_begin(struct rig *rig)
{
    rig->shard = new_shard(rig);
}

void rig_start(struct rig *rig)
{
    rig_begin(rig);
    group_shard_loaded(rig->shard, rig->time);
}

static void collect_finished(struct rig *rig)
{
    struct group_call *call = NULL;

    while ((call = group_shard_next_finished(rig->shard)) != NULL) {
        struct rig_call *finished = container_of(call, struct rig_call, call);

        ck_assert(!finished->is_finished);
        finished->is_finished = true;
    }
}

static void drop_shard(struct rig *rig)
{
    struct group_append *append = NULL;

    group_shard_resign(rig->shard);
    while ((append = group_shard_next_append(rig->shard)) != NULL)
        group_shard_appended(rig->shard, append, KAFKA_NOT_LEADER_OR_FOLLOWER, rig->time);
    for (size_t i = 0; i < rig->pending_count; i++)
        group_shard_appended(rig->shard, rig->pending[i], KAFKA_NOT_LEADER_OR_FOLLOWER, rig->time);
    rig->pending_count = 0;
    collect_finished(rig);
    group_shard_free(rig->shard);
    ck_assert_int_eq(rig->group_count, 0);
}

void rig_restart(struct rig *rig)
{
    drop_shard(rig);
    rig->shard = new_shard(rig);
    load(rig, rig->shard);
    rig_pump(rig);
}

void rig_call_free(struct rig_call *call)
{
    ck_assert(call->is_finished);
    list_remove(&call->link);
    group_call_done(&call->call);
    arena_done(&call->arena);
    free(call);
}

void rig_done(struct rig *rig)
{
    drop_shard(rig);
    list_for_each(&rig->calls, node) rig_call_free(container_of(node, struct rig_call, link));
    for (size_t i = 0; i < rig->log_count; i++) {
        slice_free(&rig->log[i].key);
        slice_free(&rig->log[i].value);
    }
    free(rig->log);
}

/* --- the log --- */

static void write_to_log(struct rig *rig, const struct group_append *append)
{
    struct group_record record;
    size_t position = 0;
    size_t count = 0;

    while (group_append_next_record(append, &position, &record)) {
        rig->log = reallocarray(rig->log, rig->log_count + 1, sizeof(*rig->log));
        ck_assert_ptr_nonnull(rig->log);
        ck_assert(slice_own(record.key, &rig->log[rig->log_count].key));
        ck_assert(slice_own(record.value, &rig->log[rig->log_count].value));
        rig->log_count++;
        count++;
    }
    ck_assert_uint_eq(count, append->record_count);
}

void rig_pump(struct rig *rig)
{
    struct group_append *append = NULL;

    while ((append = group_shard_next_append(rig->shard)) != NULL) {
        if (rig->holds_log) {
            ck_assert_uint_lt(rig->pending_count, sizeof(rig->pending) / sizeof(*rig->pending));
            rig->pending[rig->pending_count++] = append;
            continue;
        }
        write_to_log(rig, append);
        group_shard_appended(rig->shard, append, KAFKA_NONE, rig->time);
    }
    collect_finished(rig);
}

void rig_resolve(struct rig *rig, enum kafka_error error)
{
    struct group_append *append = rig->pending[0];

    ck_assert_uint_gt(rig->pending_count, 0);
    memmove(rig->pending, rig->pending + 1, --rig->pending_count * sizeof(*rig->pending));
    if (error == KAFKA_NONE)
        write_to_log(rig, append);
    group_shard_appended(rig->shard, append, error, rig->time);
    rig_pump(rig);
}

void rig_advance(struct rig *rig, int64_t ms)
{
    int64_t end_us = rig->time.now_us + ms * 1000;

    for (;;) {
        int64_t next_us = group_shard_next_deadline(rig->shard);

        if (next_us > end_us)
            break;
        if (next_us > rig->time.now_us) {
            rig->time.wall_ms += (next_us - rig->time.now_us) / 1000;
            rig->time.now_us = next_us;
        }
        group_shard_tick(rig->shard, rig->time);
        rig_pump(rig);
    }
    rig->time.wall_ms += (end_us - rig->time.now_us) / 1000;
    rig->time.now_us = end_us;
}

/* --- dump --- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dump_member(struct buffer *out, const struct group *group,
                        const struct group_member *member)
{
    struct slice metadata = member_metadata(member, group->protocol_name);

    ck_assert_int_eq(buffer_printf(out,
                                   " {" SLICE_FORMAT "/" SLICE_FORMAT " %d %d %zu:" SLICE_FORMAT
                                   "=" SLICE_FORMAT "%s}",
                                   SLICE_ARG(member->member_id), SLICE_ARG(member->instance_id),
                                   member->session_timeout_ms, member->rebalance_timeout_ms,
                                   metadata.len, SLICE_ARG(metadata), SLICE_ARG(member->assignment),
                                   group->leader == member ? "*" : ""),
                     ERR_OK);
}

static void dump_offsets(char **lines, size_t *count, const struct group *group)
{
    for (struct hash_node *node = hash_table_next(&group->topics, NULL); node != NULL;
         node = hash_table_next(&group->topics, node)) {
        const struct group_topic *topic = container_of(node, struct group_topic, node);

        for (size_t i = 0; i < topic->offset_count; i++) {
            const struct committed_offset *offset = &topic->offsets[i];

            ck_assert_int_ge(asprintf(&lines[(*count)++],
                                      "offset " SLICE_FORMAT " " SLICE_FORMAT
                                      "-%d %lld %d " SLICE_FORMAT " %lld %lld\n",
                                      SLICE_ARG(group->id), SLICE_ARG(topic->name),
                                      offset->partition, (long long)offset->offset,
                                      offset->leader_epoch, SLICE_ARG(offset->metadata),
                                      (long long)offset->commit_timestamp_ms,
                                      (long long)offset->expire_timestamp_ms),
                             0);
        }
    }
}

static char *dump_group(const struct group *group)
{
    struct buffer line;
    size_t len = 0;

    buffer_init(&line, 1 << 20);
    ck_assert_int_eq(buffer_printf(&line, "group " SLICE_FORMAT " ", SLICE_ARG(group->id)), ERR_OK);
    if (group->state == GROUP_PREPARING || group->state == GROUP_COMPLETING) {
        ck_assert_int_eq(buffer_printf(&line, "rebalancing"), ERR_OK);
    } else if (group->is_stored) {
        ck_assert_int_eq(buffer_printf(&line, SLICE_FORMAT " %d " SLICE_FORMAT "/" SLICE_FORMAT,
                                       SLICE_ARG(group_state_name(group->state)), group->generation,
                                       SLICE_ARG(group->protocol_type),
                                       SLICE_ARG(group->protocol_name)),
                         ERR_OK);
        list_for_each(&group->members, node)
            dump_member(&line, group, container_of(node, struct group_member, link));
    }
    ck_assert_int_eq(buffer_append(&line, "\n", 2), ERR_OK);
    return (char *)buffer_take(&line, &len);
}

char *rig_dump(const struct group_shard *shard)
{
    size_t capacity = shard->groups.count + (size_t)shard->counts.offsets + 1;
    char **lines = calloc(capacity, sizeof(*lines));
    struct buffer all;
    size_t count = 0;
    size_t len = 0;

    ck_assert_ptr_nonnull(lines);
    for (struct hash_node *node = hash_table_next(&shard->groups, NULL); node != NULL;
         node = hash_table_next(&shard->groups, node)) {
        const struct group *group = container_of(node, struct group, node);

        if (group->is_stored || group->topics.count > 0)
            lines[count++] = dump_group(group);
        dump_offsets(lines, &count, group);
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    buffer_init(&all, 16 << 20);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(buffer_append_cstring(&all, lines[i]), ERR_OK);
        free(lines[i]);
    }
    ck_assert_int_eq(buffer_append(&all, "", 1), ERR_OK);
    free(lines);
    return (char *)buffer_take(&all, &len);
}

/* Lines of groups that rebalance in the live shard say nothing about the log. */
static bool is_same_line(const char *live, const char *loaded, size_t len)
{
    const char *mark = memmem(live, len, " rebalancing", 12);

    if (mark != NULL)
        return strncmp(live, loaded, (size_t)(mark - live)) == 0;
    return strncmp(live, loaded, len + 1) == 0;
}

void rig_check_replay(struct rig *rig)
{
    struct group_shard *loaded = new_shard(rig);
    char *live_text = NULL;
    char *loaded_text = NULL;
    const char *a = NULL;
    const char *b = NULL;

    load(rig, loaded);
    live_text = rig_dump(rig->shard);
    loaded_text = rig_dump(loaded);
    for (a = live_text, b = loaded_text; *a != '\0' && *b != '\0';) {
        size_t len = strcspn(a, "\n");

        ck_assert_msg(is_same_line(a, b, len), "live:\n%s\nloaded:\n%s", live_text, loaded_text);
        a += len + 1;
        b += strcspn(b, "\n") + 1;
    }
    ck_assert_msg(*a == *b, "live:\n%s\nloaded:\n%s", live_text, loaded_text);
    free(live_text);
    free(loaded_text);
    group_shard_resign(loaded);
    group_shard_free(loaded);
}

/* --- calls --- */

static struct slice text_of(struct rig_call *call, const char *text)
{
    struct slice copy = SLICE_NULL;

    ck_assert(arena_copy(&call->arena, slice_from_cstring(text), &copy));
    return copy;
}

struct rig_call *rig_call_new(struct rig *rig, enum group_operation operation, const char *group)
{
    struct rig_call *call = calloc(1, sizeof(*call));

    ck_assert_ptr_nonnull(call);
    group_call_init(&call->call, operation);
    arena_init(&call->arena, 64 << 20);
    list_push_back(&rig->calls, &call->link);
    call->call.group_id = text_of(call, group);
    return call;
}

void rig_submit(struct rig *rig, struct rig_call *call)
{
    group_shard_submit(rig->shard, &call->call, rig->time);
    rig_pump(rig);
    /* An initial delay of 0 ends at the next look at the clock. */
    if (rig->options.initial_rebalance_delay_ms == 0)
        rig_advance(rig, 0);
}

struct rig_call *rig_join_spec(struct rig *rig, struct join_spec spec)
{
    struct rig_call *call = rig_call_new(rig, GROUP_JOIN, spec.group ? spec.group : "g");
    struct group_join_request *request = &call->call.join.request;
    struct group_protocol *protocols = arena_new_array(&call->arena, 2, struct group_protocol);
    struct slice metadata = slice_is_null(spec.subscription)
                                ? text_of(call, spec.metadata ? spec.metadata : "m")
                                : spec.subscription;

    protocols[0].name = text_of(call, spec.protocol ? spec.protocol : "range");
    protocols[0].metadata = metadata;
    if (spec.protocol2 != NULL) {
        protocols[1].name = text_of(call, spec.protocol2);
        protocols[1].metadata = metadata;
    }
    call->call.version = spec.version ? spec.version : 3;
    *request = (struct group_join_request){
        .member_id = text_of(call, spec.member ? spec.member : ""),
        .instance_id = spec.instance ? text_of(call, spec.instance) : SLICE_NULL,
        .client_id = text_of(call, spec.client ? spec.client : "client"),
        .client_host = text_of(call, "/127.0.0.1"),
        .protocol_type = text_of(call, spec.type ? spec.type : "consumer"),
        .protocols = protocols,
        .protocol_count = spec.no_protocols ? 0
                          : spec.protocol2  ? 2
                                            : 1,
        .session_timeout_ms = spec.session_ms ? spec.session_ms : 10000,
        .rebalance_timeout_ms = spec.rebalance_ms ? spec.rebalance_ms : 60000,
    };
    rig_submit(rig, call);
    return call;
}

static void parse_assignments(struct rig_call *call, const char *text)
{
    struct group_assignment *all = arena_new_array(&call->arena, 64, struct group_assignment);
    size_t count = 0;

    while (text != NULL && *text != '\0') {
        size_t name_len = strcspn(text, "=");
        const char *value = text + name_len + 1;
        size_t value_len = strcspn(value, ",");

        ck_assert(arena_copy(&call->arena, slice_of(text, name_len), &all[count].member_id));
        ck_assert(arena_copy(&call->arena, slice_of(value, value_len), &all[count].assignment));
        count++;
        text = value + value_len + (value[value_len] == ',');
    }
    call->call.sync.request.assignments = all;
    call->call.sync.request.assignment_count = count;
}

struct rig_call *rig_sync(struct rig *rig, const char *group, const char *member,
                          int32_t generation, const char *assignments)
{
    struct rig_call *call = rig_call_new(rig, GROUP_SYNC, group);

    call->call.version = 5;
    call->call.sync.request.generation = generation;
    call->call.sync.request.member_id = text_of(call, member);
    parse_assignments(call, assignments);
    rig_submit(rig, call);
    return call;
}

struct rig_call *rig_heartbeat(struct rig *rig, const char *group, const char *member,
                               int32_t generation)
{
    struct rig_call *call = rig_call_new(rig, GROUP_HEARTBEAT, group);

    call->call.heartbeat.request.generation = generation;
    call->call.heartbeat.request.member_id = text_of(call, member);
    rig_submit(rig, call);
    return call;
}

struct rig_call *rig_leave(struct rig *rig, const char *group, const char *member,
                           const char *instance)
{
    struct rig_call *call = rig_call_new(rig, GROUP_LEAVE, group);
    struct group_leaving_member *leaving = arena_new(&call->arena, struct group_leaving_member);

    leaving->member_id = text_of(call, member);
    leaving->instance_id = instance ? text_of(call, instance) : SLICE_NULL;
    call->call.leave.request.members = leaving;
    call->call.leave.request.member_count = 1;
    rig_submit(rig, call);
    return call;
}

static struct group_offset_topic *one_offset(struct rig_call *call, const char *topic,
                                             int32_t partition)
{
    struct group_offset_topic *named = arena_new(&call->arena, struct group_offset_topic);

    named->name = text_of(call, topic);
    named->partitions = arena_new(&call->arena, struct group_offset);
    named->partition_count = 1;
    named->partitions->partition = partition;
    named->partitions->leader_epoch = -1;
    return named;
}

struct rig_call *rig_commit(struct rig *rig, const char *group, const char *member,
                            int32_t generation, const char *topic, int32_t partition,
                            int64_t offset)
{
    struct rig_call *call = rig_call_new(rig, GROUP_OFFSET_COMMIT, group);
    struct group_offset_commit_request *request = &call->call.offset_commit.request;

    call->call.version = 8;
    request->generation = generation;
    request->member_id = text_of(call, member);
    request->retention_time_ms = -1;
    request->topics = one_offset(call, topic, partition);
    request->topic_count = 1;
    request->topics->partitions->offset = offset;
    request->topics->partitions->leader_epoch = 7;
    request->topics->partitions->metadata = text_of(call, "note");
    rig_submit(rig, call);
    return call;
}

int64_t rig_fetch(struct rig *rig, const char *group, const char *topic, int32_t partition)
{
    struct rig_call *call = rig_call_new(rig, GROUP_OFFSET_FETCH, group);
    struct group_offset_fetch_request *request = &call->call.offset_fetch.request;
    int64_t offset = -1;

    request->topics = one_offset(call, topic, partition);
    request->topic_count = 1;
    rig_submit(rig, call);
    ck_assert_error(rig_error(call), KAFKA_NONE);
    offset = request->topics->partitions->offset;
    rig_call_free(call);
    return offset;
}

enum kafka_error rig_delete_group(struct rig *rig, const char *group)
{
    struct rig_call *call = rig_call_new(rig, GROUP_DELETE, group);

    rig_submit(rig, call);
    return rig_error(call);
}

struct rig_call *rig_delete_offset(struct rig *rig, const char *group, const char *topic,
                                   int32_t partition)
{
    struct rig_call *call = rig_call_new(rig, GROUP_OFFSET_DELETE, group);

    call->call.offset_delete.request.topics = one_offset(call, topic, partition);
    call->call.offset_delete.request.topic_count = 1;
    rig_submit(rig, call);
    return call;
}

struct rig_call *rig_describe(struct rig *rig, const char *group)
{
    struct rig_call *call = rig_call_new(rig, GROUP_DESCRIBE, group);

    call->call.version = 5;
    rig_submit(rig, call);
    return call;
}

const char *rig_state(struct rig *rig, const char *group)
{
    return rig_text(rig_describe(rig, group)->call.describe.reply.state);
}

enum kafka_error rig_error(const struct rig_call *call)
{
    ck_assert(call->is_finished);
    return call->call.error;
}

const char *rig_text(struct slice slice)
{
    static char texts[8][512];
    static int next;
    char *text = texts[next++ % 8];

    ck_assert_uint_lt(slice.len, sizeof(texts[0]));
    memcpy(text, slice.data, slice.len);
    text[slice.len] = '\0';
    return text;
}

const char *rig_member(const struct rig_call *call)
{
    struct slice id = call->call.join.reply.member_id;
    char *text = NULL;

    ck_assert(call->is_finished);
    text = arena_printf((struct arena *)(uintptr_t)&call->arena, SLICE_FORMAT, SLICE_ARG(id));
    ck_assert_ptr_nonnull(text);
    return text;
}

const char *rig_stable_member(struct rig *rig, const char *group, int32_t *ret_generation)
{
    struct rig_call *join = rig_join(rig, .group = group);
    char assignment[256];

    ck_assert_error(rig_error(join), KAFKA_NONE);
    *ret_generation = join->call.join.reply.generation;
    snprintf(assignment, sizeof(assignment), "%s=all", rig_member(join));
    ck_assert_error(rig_error(rig_sync(rig, group, rig_member(join), *ret_generation, assignment)),
                    KAFKA_NONE);
    return rig_member(join);
}

struct slice rig_subscription(struct rig *rig, const char *topic)
{
    struct rig_call *owner = rig_call_new(rig, GROUP_HEARTBEAT, "");
    size_t len = strlen(topic);
    uint8_t *bytes = arena_alloc(&owner->arena, 2 + 4 + 2 + len + 4);

    owner->is_finished = true;
    bytes[1] = 1; /* version */
    bytes[5] = 1; /* one topic */
    bytes[7] = (uint8_t)len;
    memcpy(bytes + 8, topic, len);
    memset(bytes + 8 + len, 0xff, 4); /* no user data */
    return slice_of(bytes, 2 + 4 + 2 + len + 4);
}
