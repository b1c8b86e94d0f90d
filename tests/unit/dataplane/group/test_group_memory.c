/* SPDX-License-Identifier: Apache-2.0 */
/* Out of memory is a normal error: one scenario through every call, run again and again with the n-th
 * allocation failing, for each n, until it runs through. Whatever fails, every call is answered, the
 * log says what the shard says (or the shard says that it is broken), and nothing leaks. */
#include "tests/unit/dataplane/group/group_rig.h"

#include <stdio.h>
#include <stdlib.h>

/* Linked with --wrap of these four. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_reallocarray(void *block, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);

static bool is_counting;
static int until_failure;

static bool fails_now(void)
{
    return is_counting && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_now() ? NULL : __real_realloc(block, size);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    return fails_now() ? NULL : __real_reallocarray(block, count, size);
}

static struct rig rig;

static void run(struct rig_call *call)
{
    is_counting = true;
    group_shard_submit(rig.shard, &call->call, rig.time);
    group_shard_tick(rig.shard, rig.time);
    is_counting = false;
    rig_pump(&rig);
    is_counting = true;
    group_shard_tick(rig.shard, rig.time);
    is_counting = false;
    rig_pump(&rig);
}

/* The log takes what is pending; the replay may run out of memory. */
static void resolve_all(void)
{
    while (rig.pending_count > 0) {
        struct group_append *append = rig.pending[0];
        struct rig_record *log = NULL;
        struct group_record record;
        size_t position = 0;

        memmove(rig.pending, rig.pending + 1, --rig.pending_count * sizeof(*rig.pending));
        while (group_append_next_record(append, &position, &record)) {
            log = reallocarray(rig.log, rig.log_count + 1, sizeof(*rig.log));
            ck_assert_ptr_nonnull(log);
            rig.log = log;
            ck_assert(slice_own(record.key, &log[rig.log_count].key));
            ck_assert(slice_own(record.value, &log[rig.log_count].value));
            rig.log_count++;
        }
        is_counting = true;
        group_shard_appended(rig.shard, append, KAFKA_NONE, rig.time);
        is_counting = false;
        rig_pump(&rig);
    }
}

static const char *join(const char *member, const char *instance)
{
    struct rig_call *call = rig_call_new(&rig, GROUP_JOIN, "g");
    static const struct group_protocol protocol = {SLICE_LITERAL("range"), SLICE_LITERAL("m")};

    call->call.version = member[0] != '\0' || instance != NULL ? 9 : 4;
    call->call.join.request = (struct group_join_request){
        .member_id = slice_from_cstring(member),
        .instance_id = slice_from_cstring(instance),
        .client_id = SLICE_LITERAL("client"),
        .client_host = SLICE_LITERAL("/::1"),
        .protocol_type = SLICE_LITERAL("consumer"),
        .protocols = &protocol,
        .protocol_count = 1,
        .session_timeout_ms = 10000,
        .rebalance_timeout_ms = 10000,
    };
    run(call);
    resolve_all();
    return call->is_finished ? rig_member(call) : "";
}

static void sync_as(const char *member)
{
    struct rig_call *call = rig_call_new(&rig, GROUP_SYNC, "g");
    struct group_assignment assignment = {slice_from_cstring(member), SLICE_LITERAL("all")};

    call->call.sync.request.generation = 1;
    call->call.sync.request.member_id = slice_from_cstring(member);
    call->call.sync.request.assignments = &assignment;
    call->call.sync.request.assignment_count = 1;
    run(call);
    resolve_all();
}

static void call_simply(enum group_operation operation, const char *member)
{
    struct rig_call *call = rig_call_new(&rig, operation, "g");
    struct group_offset *offset = arena_new(&call->arena, struct group_offset);
    struct group_offset_topic *topic = arena_new(&call->arena, struct group_offset_topic);
    struct group_leaving_member *leaving = arena_new(&call->arena, struct group_leaving_member);

    *offset = (struct group_offset){.partition = 1, .offset = 5, .metadata = SLICE_LITERAL("x")};
    *topic = (struct group_offset_topic){SLICE_LITERAL("topic"), offset, 1};
    leaving->member_id = slice_from_cstring(member);
    if (operation == GROUP_OFFSET_COMMIT) {
        call->call.offset_commit.request = (struct group_offset_commit_request){
            .generation = member[0] != '\0' ? 1 : -1,
            .member_id = slice_from_cstring(member),
            .retention_time_ms = -1,
            .topics = topic,
            .topic_count = 1,
        };
    } else if (operation == GROUP_OFFSET_DELETE) {
        call->call.offset_delete.request.topics = topic;
        call->call.offset_delete.request.topic_count = 1;
    } else if (operation == GROUP_OFFSET_FETCH) {
        call->call.offset_fetch.request.wants_all = true;
    } else if (operation == GROUP_LEAVE) {
        call->call.leave.request.members = leaving;
        call->call.leave.request.member_count = 1;
    }
    run(call);
    resolve_all();
}

static void scenario(void)
{
    const char *member = NULL;
    const char *box = NULL;

    call_simply(GROUP_OFFSET_COMMIT, "");
    call_simply(GROUP_OFFSET_FETCH, "");
    call_simply(GROUP_OFFSET_DELETE, "");
    member = join("", NULL);
    member = join(member, NULL);
    sync_as(member);
    call_simply(GROUP_OFFSET_COMMIT, member);
    call_simply(GROUP_DESCRIBE, "");
    call_simply(GROUP_LIST, "");
    call_simply(GROUP_LEAVE, member);
    box = join("", "box");
    sync_as(box);
    box = join("", "box");
    call_simply(GROUP_LEAVE, box);
    is_counting = true;
    group_shard_topic_deleted(rig.shard, SLICE_LITERAL("topic"), rig.time);
    is_counting = false;
    rig_advance(&rig, 10);
    resolve_all();
    call_simply(GROUP_DELETE, "");
}

START_TEST(any_allocation_may_fail_and_every_call_is_answered)
{
    int n = 0;
    int broken = 0;

    for (;; n++) {
        bool has_failed = false;

        rig_init(&rig);
        rig.holds_log = true;
        rig_start(&rig);
        until_failure = n;
        scenario();
        has_failed = until_failure < 0;
        until_failure = 1 << 30;
        broken += group_shard_is_broken(rig.shard);
        if (group_shard_is_broken(rig.shard))
            rig_restart(&rig);
        rig.holds_log = false;
        rig_advance(&rig, 60000); /* whoever is parked gets an answer, lost records are written */
        rig_check_replay(&rig);
        rig_done(&rig);
        if (!has_failed)
            break;
    }
    ck_assert_int_gt(n, 70);
    ck_assert_int_gt(broken, 3);
}
END_TEST

START_TEST(a_broken_shard_refuses_calls_until_it_is_loaded_again)
{
    rig_init(&rig);
    rig.holds_log = true;
    rig_start(&rig);
    until_failure = 1 << 30;
    call_simply(GROUP_HEARTBEAT, "m");
    rig.shard->is_broken = true;
    ck_assert_error(rig_error(rig_commit(&rig, "g", "", -1, "t", 0, 1)), KAFKA_NOT_COORDINATOR);
    rig_done(&rig);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group memory");
    TCase *tcase = tcase_create("failing allocations");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, any_allocation_may_fail_and_every_call_is_answered);
    tcase_add_test(tcase, a_broken_shard_refuses_calls_until_it_is_loaded_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
