/* SPDX-License-Identifier: Apache-2.0 */
/* Consumers that join, sync, commit, fall silent, come back and leave, over a log that is slow, loses
 * appends and whose broker dies; a seed decides everything. After each step:
 *
 *   - within one generation every member holds what the log says it holds, and no partition is held
 *     twice (one generation has one assignment, however often the broker died)
 *   - a committed offset is never behind an acknowledged commit, never ahead of what was asked, and
 *     never goes back; one that was refused as lost is never seen
 *   - a shard loaded from the log has exactly the offsets of the live one; and once the log works again,
 *     the groups too
 *   - no call waits longer than the longest time-out */
#include "tests/unit/dataplane/group/group_rig.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CLIENTS = 7,
    GROUPS = 2,
    PARTITIONS = 6,
    STEPS = 2500,
    SEEDS = 30,
    GENERATIONS = 4000,
    LONGEST_WAIT_MS = 5 * 60 * 1000 + 5000
};

enum client_state { CLIENT_OUT, CLIENT_JOINING, CLIENT_SYNCING, CLIENT_MEMBER };

struct client {
    int number;
    int group;
    bool is_static;
    enum client_state state;
    char member_id[128]; /* "" = none */
    int32_t generation;
    unsigned owned; /* partitions, a bit each */
    bool is_leader;
    char members[CLIENTS * 2][128]; /* the leader's view */
    size_t member_count;
    struct rig_call *call; /* join or sync under way */
    struct rig_call *commit;
    int commit_partition;
    int64_t commit_offset;
    int64_t silent_until_us;
    int64_t called_us;
};

/* What the log has acknowledged of one generation: who owns what. */
struct generation_view {
    unsigned owned_by_all;
    char owner[PARTITIONS][128];
};

struct world {
    struct rig rig;
    struct seeded_random random;
    struct client clients[CLIENTS];
    struct generation_view *views[GROUPS]; /* by generation */
    int64_t acknowledged[GROUPS][PARTITIONS];
    int64_t asked[GROUPS][PARTITIONS];
    int64_t seen[GROUPS][PARTITIONS];
    bool is_calm; /* the log works */
};

static struct world world;
static const char *const group_names[GROUPS] = {"first", "second"};

static uint64_t below(uint64_t bound)
{
    return seeded_random_below(&world.random, bound);
}

static bool one_in(uint64_t n)
{
    return below(n) == 0;
}

/* --- what clients check --- */

/* Two acknowledged assignments of one generation must agree. */
static void check_assignment(const struct client *client)
{
    struct generation_view *view = &world.views[client->group][client->generation];

    ck_assert_int_lt(client->generation, GENERATIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        bool is_mine = (client->owned & (1u << p)) != 0;

        if (is_mine && view->owner[p][0] == '\0')
            memcpy(view->owner[p], client->member_id, sizeof(view->owner[p]));
        /* A static member that came back under a new id holds what the old one held. */
        if (is_mine && !client->is_static)
            ck_assert_msg(strcmp(view->owner[p], client->member_id) == 0 ||
                              strncmp(view->owner[p], "box-", 4) == 0,
                          "generation %d: partition %d is held by %s and %s", client->generation, p,
                          view->owner[p], client->member_id);
    }
}

/* Live clients of one generation never hold a partition twice. */
static void check_owners(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = i + 1; k < CLIENTS; k++) {
            const struct client *a = &world.clients[i];
            const struct client *b = &world.clients[k];

            if (a->state == CLIENT_MEMBER && b->state == CLIENT_MEMBER && a->group == b->group &&
                a->generation == b->generation)
                ck_assert_msg((a->owned & b->owned) == 0, "%s and %s share %x", a->member_id,
                              b->member_id, a->owned & b->owned);
        }
    }
}

static void check_offsets(void)
{
    for (int g = 0; g < GROUPS; g++) {
        for (int p = 0; p < PARTITIONS; p++) {
            int64_t offset = rig_fetch(&world.rig, group_names[g], "topic", p);

            ck_assert_int_ge(offset, world.acknowledged[g][p]);
            ck_assert_int_le(offset, world.asked[g][p]);
            ck_assert_int_ge(offset, world.seen[g][p]);
            world.seen[g][p] = offset;
        }
    }
}

static void check_waits(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *client = &world.clients[i];

        if (client->call != NULL)
            ck_assert_int_lt(world.rig.time.now_us - client->called_us,
                             (int64_t)LONGEST_WAIT_MS * 1000);
    }
}

/* --- clients --- */

static void lose_membership(struct client *client, bool forgets_id)
{
    client->state = CLIENT_OUT;
    client->owned = 0;
    if (forgets_id)
        client->member_id[0] = '\0';
}

static void start_join(struct client *client)
{
    char instance[16];

    snprintf(instance, sizeof(instance), "box-%d", client->number);
    client->state = CLIENT_JOINING;
    client->owned = 0;
    client->called_us = world.rig.time.now_us;
    client->call = rig_join(
        &world.rig, .group = group_names[client->group], .member = client->member_id,
        .instance = client->is_static ? instance : NULL, .metadata = one_in(4) ? "changed" : "m",
        .version = one_in(2) ? 9 : 3, .session_ms = 10000, .rebalance_ms = 20000);
}

static void assign(const struct client *client, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < client->member_count; i++) {
        char owned[PARTITIONS + 1];
        size_t count = 0;

        for (int p = 0; p < PARTITIONS; p++)
            if ((size_t)p % client->member_count == i)
                owned[count++] = (char)('0' + p);
        owned[count] = '\0';
        at += (size_t)snprintf(text + at, size - at, "%s%s=%s", i ? "," : "", client->members[i],
                               owned);
        ck_assert_uint_lt(at, size);
    }
}

static void start_sync(struct client *client)
{
    char assignment[CLIENTS * 2 * 150];

    assignment[0] = '\0';
    if (client->is_leader)
        assign(client, assignment, sizeof(assignment));
    client->state = CLIENT_SYNCING;
    client->called_us = world.rig.time.now_us;
    client->call = rig_sync(&world.rig, group_names[client->group], client->member_id,
                            client->generation, assignment);
}

static void set_member_id(struct client *client, struct slice id)
{
    ck_assert_uint_lt(id.len, sizeof(client->member_id));
    memcpy(client->member_id, id.data, id.len);
    client->member_id[id.len] = '\0';
}

static void take_generation(struct client *client, const struct group_join_reply *reply)
{
    set_member_id(client, reply->member_id);
    client->generation = reply->generation;
    client->is_leader = slice_equal(reply->leader, reply->member_id) && !reply->skip_assignment;
    client->member_count = reply->member_count;
    ck_assert_uint_le(reply->member_count, CLIENTS * 2);
    for (size_t i = 0; i < reply->member_count; i++) {
        struct slice id = reply->members[i].member_id;

        memcpy(client->members[i], id.data, id.len);
        client->members[i][id.len] = '\0';
    }
}

static void joined(struct client *client, const struct rig_call *call)
{
    enum kafka_error error = call->call.error;

    if (error == KAFKA_NONE) {
        take_generation(client, &call->call.join.reply);
        start_sync(client);
        return;
    }
    lose_membership(client, error == KAFKA_UNKNOWN_MEMBER_ID || error == KAFKA_FENCED_INSTANCE_ID);
    if (error == KAFKA_MEMBER_ID_REQUIRED)
        set_member_id(client, call->call.join.reply.member_id);
}

static void synced(struct client *client, const struct rig_call *call)
{
    struct slice assignment = call->call.sync.reply.assignment;

    if (call->call.error != KAFKA_NONE) {
        lose_membership(client, call->call.error == KAFKA_UNKNOWN_MEMBER_ID ||
                                    call->call.error == KAFKA_FENCED_INSTANCE_ID);
        return;
    }
    client->state = CLIENT_MEMBER;
    client->owned = 0;
    for (size_t i = 0; i < assignment.len; i++)
        client->owned |= 1u << (assignment.data[i] - '0');
    check_assignment(client);
}

static void finish_commit(struct client *client)
{
    enum kafka_error error = client->commit->call.error;
    int64_t *acknowledged = &world.acknowledged[client->group][client->commit_partition];

    if (error == KAFKA_NONE && client->commit_offset > *acknowledged)
        *acknowledged = client->commit_offset;
    if (error == KAFKA_UNKNOWN_MEMBER_ID || error == KAFKA_ILLEGAL_GENERATION)
        lose_membership(client, error == KAFKA_UNKNOWN_MEMBER_ID);
    rig_call_free(client->commit);
    client->commit = NULL;
}

static void take_answers(struct client *client)
{
    if (client->commit != NULL && client->commit->is_finished)
        finish_commit(client);
    while (client->call != NULL && client->call->is_finished) {
        struct rig_call *call = client->call;

        client->call = NULL;
        if (client->state == CLIENT_JOINING)
            joined(client, call);
        else if (client->state == CLIENT_SYNCING)
            synced(client, call);
        rig_call_free(call);
    }
}

static void heartbeat(struct client *client)
{
    struct rig_call *call = rig_heartbeat(&world.rig, group_names[client->group], client->member_id,
                                          client->generation);

    /* One at the gate is answered later, and nobody listens. */
    if (!call->is_finished)
        return;
    if (call->call.error == KAFKA_REBALANCE_IN_PROGRESS)
        start_join(client);
    else if (call->call.error != KAFKA_NONE)
        lose_membership(client, call->call.error == KAFKA_UNKNOWN_MEMBER_ID);
    rig_call_free(call);
}

/* Offsets asked for only grow, so that going back shows. */
static void commit(struct client *client)
{
    int partition = (int)below(PARTITIONS);

    if (client->commit != NULL || !(client->owned & (1u << partition)))
        return;
    client->commit_partition = partition;
    client->commit_offset = ++world.asked[client->group][partition];
    client->commit = rig_commit(&world.rig, group_names[client->group], client->member_id,
                                client->generation, "topic", partition, client->commit_offset);
}

static void act(struct client *client)
{
    take_answers(client);
    if (client->silent_until_us > world.rig.time.now_us || client->call != NULL)
        return;
    if (one_in(60))
        client->silent_until_us = world.rig.time.now_us + (int64_t)below(30000) * 1000;
    if (client->state == CLIENT_OUT) {
        if (one_in(3)) /* a new process remembers nothing */
            client->member_id[0] = '\0';
        start_join(client);
    } else if (client->state == CLIENT_MEMBER) {
        if (one_in(80) && !client->is_static) {
            rig_leave(&world.rig, group_names[client->group], client->member_id, NULL);
            lose_membership(client, true);
        } else if (one_in(2)) {
            heartbeat(client);
        } else {
            commit(client);
        }
    }
    take_answers(client);
}

/* --- the world --- */

static void fail_or_take_append(void)
{
    static const enum kafka_error failures[] = {KAFKA_NOT_ENOUGH_REPLICAS,
                                                KAFKA_KAFKA_STORAGE_ERROR, KAFKA_REQUEST_TIMED_OUT};

    if (world.rig.pending_count == 0)
        return;
    rig_resolve(&world.rig, !world.is_calm && one_in(12) ? failures[below(3)] : KAFKA_NONE);
}

static void take_all_answers(void)
{
    for (int i = 0; i < CLIENTS; i++)
        take_answers(&world.clients[i]);
}

static void step(void)
{
    switch (below(12)) {
    case 0:
        rig_advance(&world.rig, (int64_t)below(1500));
        break;
    case 1:
        rig_advance(&world.rig, (int64_t)below(20));
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        fail_or_take_append();
        break;
    case 6:
        if (one_in(60) && !world.is_calm)
            rig_restart(&world.rig);
        break;
    default:
        act(&world.clients[below(CLIENTS)]);
        break;
    }
    take_all_answers();
    check_owners();
    check_offsets();
    check_waits();
}

static void start(int seed)
{
    world = (struct world){.is_calm = false};
    seeded_random_init(&world.random, (uint64_t)seed);
    rig_init(&world.rig);
    world.rig.holds_log = true;
    rig_start(&world.rig);
    for (int g = 0; g < GROUPS; g++) {
        world.views[g] = calloc(GENERATIONS, sizeof(*world.views[g]));
        ck_assert_ptr_nonnull(world.views[g]);
        for (int p = 0; p < PARTITIONS; p++) {
            world.acknowledged[g][p] = -1;
            world.asked[g][p] = -1;
            world.seen[g][p] = -1;
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        world.clients[i] =
            (struct client){.number = i, .group = i % GROUPS, .is_static = i >= CLIENTS - 2};
}

static void stop(void)
{
    rig_done(&world.rig);
    for (int g = 0; g < GROUPS; g++)
        free(world.views[g]);
}

/* Calm: the log takes everything; the groups must settle, and the log say what the shard says. */
static void calm_down(void)
{
    world.is_calm = true;
    for (int i = 0; i < CLIENTS; i++)
        world.clients[i].silent_until_us = 0;
    for (int i = 0; i < 3000; i++) {
        while (world.rig.pending_count > 0)
            fail_or_take_append();
        act(&world.clients[below(CLIENTS)]);
        rig_advance(&world.rig, 30);
        take_all_answers();
        check_owners();
        check_waits();
    }
    while (world.rig.pending_count > 0)
        fail_or_take_append();
    rig_check_replay(&world.rig);
}

START_TEST(members_and_offsets_survive_whatever_happens_to_the_log)
{
    start(_i);
    for (int i = 0; i < STEPS; i++)
        step();
    calm_down();
    stop();
}
END_TEST

START_TEST(groups_settle_once_the_log_works)
{
    int members = 0;

    start(1000 + _i);
    for (int i = 0; i < STEPS / 4; i++)
        step();
    calm_down();
    for (int i = 0; i < 20 && members < CLIENTS; i++) {
        calm_down();
        members = 0;
        for (int k = 0; k < CLIENTS; k++)
            members += world.clients[k].state == CLIENT_MEMBER;
    }
    ck_assert_int_ge(members, 1);
    stop();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group simulation");
    TCase *tcase = tcase_create("seeds");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, members_and_offsets_survive_whatever_happens_to_the_log, 0, SEEDS);
    tcase_add_loop_test(tcase, groups_settle_once_the_log_works, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}
