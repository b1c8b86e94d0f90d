/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster on the simulated executor, disk and store: N loops, seeded order, outages. */
#include "dataplane/cluster/cluster.h"
#include "dataplane/cluster/partition_placement.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_executor.h"
#include "tests/simulation/sim_meta_store.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/cluster/fake_replica.h"

#include <stdio.h>
#include <stdlib.h>

#define TENANT_1 "11111111-2222-4333-8444-555555555555"
#define TENANT_2 "21111111-2222-4333-8444-555555555555"
#define KEY_ID "0123456789abcdef"
#define SECOND_US 1000000
#define LOOPS 3

static struct sim_cell *cell;
static struct disk *disk;
static struct sim_trace trace;

/* One start of the broker. */
static struct sim_executor *sim;
static struct sim_meta_store *store;
static struct cluster *cluster;
static int64_t incarnation;
static int64_t listeners_asked;
static bool are_listeners_slow;

static void open_listeners(void *context, int64_t version)
{
    (void)context;
    listeners_asked = version;
    if (!are_listeners_slow)
        cluster_listeners_opened(cluster, version);
}

static void start_cluster(void *context)
{
    (void)context;
    cluster_start(cluster);
}

static void start_broker_with_part(size_t part)
{
    struct sim_executor_options options = {.loop_count = LOOPS,
                                           .seed = 7 + (uint64_t)incarnation,
                                           .start_wall_ms = 1000000,
                                           .trace = &trace};
    struct cluster_options cluster_options;

    sim = sim_executor_new(&options);
    store = sim_meta_store_new(cell, sim_executor_loop(sim, 0), 0, ++incarnation, 99);
    sim_meta_store_set_part(store, part);
    cluster_options = (struct cluster_options){.executor = sim_executor_base(sim),
                                               .store = sim_meta_store_port(store),
                                               .disk = disk,
                                               .random = &sim_executor_random(sim)->base,
                                               .broker_id = 0,
                                               .open_listeners = open_listeners};
    ck_assert_int_eq(cluster_new(&cluster_options, &cluster, NULL), ERR_OK);
}

static void start_broker(void)
{
    start_broker_with_part(0);
    sim_executor_call(sim, 0, start_cluster, NULL);
    sim_executor_run_for(sim, SECOND_US);
}

static void set_reachable_on_loop(void *context)
{
    sim_meta_store_set_reachable(store, *(bool *)context);
}

static void set_reachable(bool is_reachable)
{
    sim_executor_call(sim, 0, set_reachable_on_loop, &is_reachable);
}

static bool is_stopped;

static void on_stopped(void *context)
{
    (void)context;
    is_stopped = true;
}

static void stop_cluster(void *context)
{
    (void)context;
    cluster_stop(cluster, on_stopped, NULL);
}

static bool stop_is_done(void *context)
{
    (void)context;
    return is_stopped;
}

static void stop_broker(void)
{
    is_stopped = false;
    sim_executor_call(sim, 0, stop_cluster, NULL);
    ck_assert(sim_executor_run_until(sim, stop_is_done, NULL, 100000));
    sim_executor_run_for(sim, 1000);
    cluster_free(cluster);
    sim_meta_store_free(store);
    sim_executor_free(sim);
}

static void put_tenant(const char *instance, int instance_no, const char *state,
                       int retention_limit)
{
    char payload[1024];

    snprintf(
        payload, sizeof(payload),
        "{\"instance\": \"%s\", \"instance_no\": %d, \"label\": \"tenant%d\", \"state\": \"%s\", "
        "\"internal_partitions\": 1, \"internal_visible\": false, \"limits\": {\"partitions\": 5, "
        "\"produce_bytes_per_second\": -1, \"consume_bytes_per_second\": -1, \"connections\": -1, "
        "\"groups\": -1, \"max_message_bytes\": -1, \"retention_bytes_per_partition\": %d, "
        "\"storage_bytes\": -1}, \"topic_settings\": null}",
        instance, instance_no, instance_no, state, retention_limit);
    sim_cell_put(cell, "tenant", instance, payload);
}

static void put_credential(void)
{
    sim_cell_put(cell, "credential", KEY_ID,
                 "{\"key_id\": \"" KEY_ID "\", \"instance_no\": 1, \"role\": \"Manager\", "
                 "\"verifier\": "
                 "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\", "
                 "\"scram_sha_256\": null, \"scram_sha_512\": null}");
}

static void put_listener(int port)
{
    char payload[256];

    snprintf(payload, sizeof(payload),
             "{\"broker\": 0, \"name\": \"sasl_ssl\", \"host\": \"localhost\", \"port\": %d, "
             "\"security\": \"SASL_SSL\", \"instance_no\": null, \"auto_create_partitions\": 0}",
             port);
    sim_cell_put(cell, "listener", "0/sasl_ssl", payload);
}

static void setup(void)
{
    struct uuid cell_id = {{1, 2, 3}};

    fake_replicas_reset();
    trace = (struct sim_trace){0};
    incarnation = 0;
    are_listeners_slow = false;
    listeners_asked = 0;
    cell = sim_cell_new(cell_id, 3);
    disk = sim_disk_new(3, &trace);
    put_tenant(TENANT_1, 1, "active", -1);
    put_tenant(TENANT_2, 2, "active", -1);
    put_credential();
    put_listener(9093);
}

static void teardown(void)
{
    sim_disk_free(disk);
    sim_cell_free(cell);
    ck_assert_int_eq(fake_replicas_referenced(), 0);
}

static struct image *image_of(int loop)
{
    return cluster_image(cluster, sim_executor_loop(sim, loop));
}

/* --- requests, sent from loop `home` --- */

struct sent {
    struct cluster_request request;
    struct topic_request topic;
    struct topic_override override;
    const struct topic_setting *removed;
    bool is_done;
    bool was_shown; /* when done was called: did all loops show the version */
};

static void on_done(struct cluster_request *request)
{
    struct sent *sent = container_of(request, struct sent, request);

    ck_assert(!sent->is_done);
    ck_assert(on_loop(request->home));
    sent->is_done = true;
    sent->was_shown = true;
    for (int i = 0; i < LOOPS; i++)
        sent->was_shown = sent->was_shown && image_version(image_of(i)) >= request->version;
}

static void submit(void *context)
{
    struct sent *sent = context;

    sent->request.deadline_us = loop_now_us(sent->request.home) + 5 * SECOND_US;
    cluster_submit(cluster, &sent->request);
    ck_assert(!sent->is_done);
}

static void send(struct sent *sent, int home)
{
    sent->request.home = sim_executor_loop(sim, home);
    sent->request.topics = &sent->topic;
    sent->request.topic_count = 1;
    sent->request.done = on_done;
    sim_executor_call(sim, home, submit, sent);
}

static bool is_done(void *context)
{
    return ((struct sent *)context)->is_done;
}

static void finish(struct sent *sent)
{
    ck_assert(sim_executor_run_until(sim, is_done, sent, 100000));
}

static void create_topic(struct sent *sent, const char *name, int partitions, int home)
{
    *sent = (struct sent){.request = {.kind = META_CREATE_TOPICS, .instance_no = 1},
                          .topic = {.name = slice_from_cstring(name),
                                    .add_partitions = partitions,
                                    .replication_factor = -1}};
    send(sent, home);
    finish(sent);
}

START_TEST(every_loop_shows_what_the_store_has)
{
    start_broker();
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(image_version(image_of(i)), sim_cell_version(cell));
        ck_assert_ptr_nonnull(image_tenant_by_label(image_of(i), SLICE_LITERAL("tenant2")));
        ck_assert_ptr_nonnull(image_credential_by_key_id(image_of(i), SLICE_LITERAL(KEY_ID)));
        ck_assert_uint_eq(image_tenant_count(image_of(i)), 2);
        ck_assert_ptr_nonnull(image_broker_by_id(image_of(i), 0));
        ck_assert_ptr_nonnull(image_listener_find(image_of(i), 0, SLICE_LITERAL("sasl_ssl")));
    }
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    ck_assert_int_eq(fake_producer_registration, 1);
    ck_assert_int_eq(fake_remove_unknown_calls, 1);
    ck_assert(cluster_is_store_reachable(cluster));
    stop_broker();
}
END_TEST

START_TEST(a_snapshot_and_changes_may_come_in_parts)
{
    start_broker_with_part(1);
    sim_executor_call(sim, 0, start_cluster, NULL);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert_uint_eq(image_tenant_count(image_of(1)), 2);
    put_tenant(TENANT_1, 1, "suspended", -1);
    put_listener(9094);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert(!image_tenant_by_no(image_of(2), 1)->is_active);
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    stop_broker();
}
END_TEST

START_TEST(a_created_topic_is_shown_by_all_loops_before_the_answer)
{
    struct sent sent;

    start_broker();
    for (int home = 0; home < LOOPS; home++) {
        char name[16];

        snprintf(name, sizeof(name), "topic%d", home);
        create_topic(&sent, name, 1, home);
        ck_assert_int_eq(sent.request.err, ERR_OK);
        ck_assert_int_eq(sent.topic.result, TOPIC_OK);
        ck_assert(sent.was_shown);
        ck_assert(!uuid_is_zero(sent.topic.topic_id));
        ck_assert_ptr_nonnull(image_topic_by_id(image_of(home), 1, sent.topic.topic_id));
        ck_assert_ptr_nonnull(fake_replica_find(sent.topic.topic_id, 0));
        ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->epoch, 0);
    }
    stop_broker();
}
END_TEST

START_TEST(the_store_says_exists_limit_not_found_conflict_and_denied)
{
    struct sent sent, other;

    start_broker();
    create_topic(&sent, "orders", 3, 1);
    ck_assert_int_eq(sent.topic.result, TOPIC_OK);
    create_topic(&other, "orders", 1, 1);
    ck_assert_int_eq(other.topic.result, TOPIC_EXISTS);
    create_topic(&other, "more", 3, 1);
    ck_assert_int_eq(other.topic.result, TOPIC_OVER_LIMIT);
    ck_assert_int_eq(other.topic.current, 3);
    ck_assert_int_eq(other.topic.maximum, 5);

    other = (struct sent){.request = {.kind = META_DELETE_TOPICS, .instance_no = 2},
                          .topic = {.topic_id = sent.topic.topic_id}};
    send(&other, 2);
    finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_NOT_FOUND);
    other = (struct sent){.request = {.kind = META_CREATE_PARTITIONS, .instance_no = 1},
                          .topic = {.topic_id = sent.topic.topic_id,
                                    .current_partitions = 2,
                                    .add_partitions = 1,
                                    .replication_factor = -1}};
    send(&other, 2);
    finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_CONFLICT);
    other = (struct sent){.request = {.kind = META_DELETE_TOPICS, .instance_no = 9},
                          .topic = {.topic_id = sent.topic.topic_id}};
    send(&other, 0);
    finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_DENIED);
    stop_broker();
}
END_TEST

START_TEST(partitions_are_added_and_settings_reach_the_replicas)
{
    struct sent sent, other;

    start_broker();
    create_topic(&sent, "orders", 2, 1);
    other = (struct sent){.request = {.kind = META_CREATE_PARTITIONS, .instance_no = 1},
                          .topic = {.topic_id = sent.topic.topic_id,
                                    .current_partitions = 2,
                                    .add_partitions = 2,
                                    .replication_factor = -1}};
    send(&other, 2);
    finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    ck_assert_int_eq(image_topic_by_id(image_of(2), 1, sent.topic.topic_id)->partition_count, 4);
    ck_assert_ptr_nonnull(fake_replica_find(sent.topic.topic_id, 3));
    ck_assert_int_eq(fake_replica_count, 4);

    other = (struct sent){
        .request = {.kind = META_ALTER_CONFIGS, .instance_no = 1},
        .override = {topic_setting_find(SLICE_LITERAL("retention.ms")), SLICE_LITERAL("7200000")}};
    other.topic = (struct topic_request){
        .topic_id = sent.topic.topic_id, .set = &other.override, .set_count = 1};
    send(&other, 0);
    finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->config.retention_ms, 7200000);
    ck_assert_int_eq(fake_replica_count, 4);

    other = (struct sent){.request = {.kind = META_ALTER_CONFIGS, .instance_no = 1},
                          .removed = topic_setting_find(SLICE_LITERAL("retention.ms"))};
    other.topic = (struct topic_request){
        .topic_id = sent.topic.topic_id, .remove = &other.removed, .remove_count = 1};
    send(&other, 0);
    finish(&other);
    ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->config.retention_ms, 86400000);
    ck_assert_uint_eq(image_topic_by_id(image_of(1), 1, sent.topic.topic_id)->override_count, 0);
    stop_broker();
}
END_TEST

START_TEST(a_deleted_topic_loses_its_replicas_once_all_loops_forgot_it)
{
    struct sent sent, other;

    start_broker();
    create_topic(&sent, "orders", 2, 1);
    other = (struct sent){.request = {.kind = META_DELETE_TOPICS, .instance_no = 1},
                          .topic = {.topic_id = sent.topic.topic_id}};
    send(&other, 1);
    finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    ck_assert(other.was_shown);
    for (int i = 0; i < LOOPS; i++)
        ck_assert_ptr_null(image_topic_by_name(image_of(i), 1, SLICE_LITERAL("orders")));
    ck_assert(fake_replicas[0].is_removed);
    ck_assert(fake_replicas[1].is_removed);
    create_topic(&other, "orders", 2, 1);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    stop_broker();
}
END_TEST

START_TEST(a_narrower_plan_reaches_topics_that_exist)
{
    struct sent sent;

    start_broker();
    create_topic(&sent, "orders", 1, 1);
    put_tenant(TENANT_1, 1, "active", 1000000);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->config.retention_bytes, 1000000);
    ck_assert_int_eq(image_topic_by_id(image_of(2), 1, sent.topic.topic_id)->config.retention_bytes,
                     1000000);
    stop_broker();
}
END_TEST

START_TEST(with_the_store_away_requests_fail_at_once_and_the_image_stands)
{
    struct sent sent;
    int64_t before_us = 0;

    start_broker();
    set_reachable(false);
    ck_assert(!cluster_is_store_reachable(cluster));
    before_us = loop_now_us(sim_executor_loop(sim, 0));
    create_topic(&sent, "orders", 1, 2);
    ck_assert_int_eq(sent.request.err, ERR_UNAVAILABLE);
    ck_assert_int_eq(sent.topic.result, TOPIC_NOT_ANSWERED);
    ck_assert_int_lt(loop_now_us(sim_executor_loop(sim, 0)) - before_us, 10000);
    ck_assert_ptr_nonnull(image_credential_by_key_id(image_of(1), SLICE_LITERAL(KEY_ID)));
    sim_cell_remove(cell, "credential", KEY_ID);
    set_reachable(true);
    sim_executor_run_for(sim, 2 * SECOND_US);
    ck_assert_ptr_null(image_credential_by_key_id(image_of(1), SLICE_LITERAL(KEY_ID)));
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    stop_broker();
}
END_TEST

static bool has_executed(void *context)
{
    return sim_cell_version(cell) > *(int64_t *)context;
}

START_TEST(an_answer_lost_on_the_way_is_asked_for_again_and_not_done_twice)
{
    struct sent sent = {
        .request = {.kind = META_CREATE_TOPICS, .instance_no = 1},
        .topic = {.name = SLICE_LITERAL("orders"), .add_partitions = 1, .replication_factor = -1}};
    int64_t version = 0;

    start_broker();
    version = sim_cell_version(cell);
    sim_meta_store_set_delay(store, 100000);
    send(&sent, 1);
    ck_assert(sim_executor_run_until(sim, has_executed, &version, 100000));
    ck_assert(!sent.is_done);
    set_reachable(false);
    sim_executor_run_for(sim, SECOND_US / 2);
    ck_assert(!sent.is_done);
    set_reachable(true);
    finish(&sent);
    ck_assert_int_eq(sent.request.err, ERR_OK);
    ck_assert_int_eq(sent.topic.result, TOPIC_OK);
    ck_assert(sent.was_shown);
    stop_broker();
}
END_TEST

START_TEST(a_broker_starts_from_the_cached_image_with_the_store_down)
{
    struct sent sent;
    struct uuid topic_id;
    int64_t version = 0;

    start_broker();
    create_topic(&sent, "orders", 2, 1);
    topic_id = sent.topic.topic_id;
    version = sim_cell_version(cell);
    stop_broker();
    ck_assert_int_eq(fake_replicas_referenced(), 0);
    fake_replicas_reset();

    start_broker_with_part(0);
    set_reachable(false);
    listeners_asked = 0;
    sim_executor_call(sim, 0, start_cluster, NULL);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert_int_eq(listeners_asked, version);
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(image_version(image_of(i)), version);
        ck_assert_ptr_nonnull(image_topic_by_id(image_of(i), 1, topic_id));
        ck_assert_ptr_nonnull(image_credential_by_key_id(image_of(i), SLICE_LITERAL(KEY_ID)));
    }
    ck_assert_ptr_nonnull(fake_replica_find(topic_id, 1));
    /* The cached image may be old: nothing is deleted on its word. */
    ck_assert_int_eq(fake_remove_unknown_calls, 0);
    set_reachable(true);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert_int_eq(fake_remove_unknown_calls, 1);
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    stop_broker();
}
END_TEST

START_TEST(what_changed_while_the_broker_was_down_is_caught_up_with)
{
    start_broker();
    stop_broker();
    sim_cell_remove_tenant(cell, TENANT_1);
    fake_replicas_reset();
    start_broker();
    ck_assert_ptr_null(image_tenant_by_no(image_of(1), 1));
    ck_assert_ptr_null(image_credential_by_key_id(image_of(2), SLICE_LITERAL(KEY_ID)));
    ck_assert_ptr_nonnull(image_tenant_by_no(image_of(1), 2));
    stop_broker();
}
END_TEST

START_TEST(metadata_that_goes_backwards_is_refused_until_it_has_caught_up)
{
    int64_t version = 0;

    start_broker();
    sim_cell_remove(cell, "credential", KEY_ID);
    sim_executor_run_for(sim, SECOND_US);
    version = image_version(image_of(1));
    ck_assert_ptr_null(image_credential_by_key_id(image_of(1), SLICE_LITERAL(KEY_ID)));
    sim_cell_restore(cell, version - 1);
    sim_executor_run_for(sim, 2 * SECOND_US);
    ck_assert_int_eq(image_version(image_of(1)), version);
    ck_assert_ptr_null(image_credential_by_key_id(image_of(1), SLICE_LITERAL(KEY_ID)));
    stop_broker();
}
END_TEST

static bool flip_cache_bit(int64_t offset)
{
    return sim_disk_flip_bit(disk, IMAGE_CACHE_NAME, offset, 3);
}

START_TEST(a_cached_image_with_any_flipped_bit_is_not_used)
{
    int64_t size = 0;

    start_broker();
    stop_broker();
    size = sim_disk_file_size(disk, IMAGE_CACHE_NAME);
    ck_assert_int_gt(size, 100);
    for (int64_t offset = 0; offset < size; offset += 97) {
        ck_assert(flip_cache_bit(offset));
        start_broker_with_part(0);
        ck_assert_int_eq(image_version(image_of(0)), 0);
        cluster_free(cluster);
        sim_meta_store_free(store);
        sim_executor_free(sim);
        ck_assert(flip_cache_bit(offset));
    }
    start_broker();
    ck_assert_int_gt(image_version(image_of(0)), 0);
    stop_broker();
}
END_TEST

static void listeners_are_open(void *context)
{
    (void)context;
    cluster_listeners_opened(cluster, listeners_asked);
}

START_TEST(a_version_is_not_acknowledged_before_its_listeners_are_open)
{
    int64_t before = 0;

    start_broker();
    before = sim_cell_acknowledged(cell, 0);
    are_listeners_slow = true;
    put_listener(9094);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert_int_eq(listeners_asked, sim_cell_version(cell));
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), before);
    sim_executor_call(sim, 0, listeners_are_open, NULL);
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    stop_broker();
}
END_TEST

static bool is_key_gone_here(void *context)
{
    (void)context;
    for (int i = 0; i < LOOPS; i++) {
        if (image_credential_by_key_id(image_of(i), SLICE_LITERAL(KEY_ID)) != NULL)
            return false;
    }
    return true;
}

START_TEST(a_deleted_key_is_off_the_disk_before_the_deletion_is_acknowledged)
{
    start_broker();
    sim_cell_remove(cell, "credential", KEY_ID);
    sim_executor_stall(sim, WORKER_SLOW, 5 * SECOND_US);
    ck_assert(sim_executor_run_until(sim, is_key_gone_here, NULL, 100000));
    sim_executor_run_for(sim, SECOND_US);
    ck_assert_int_lt(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    sim_executor_run_for(sim, 10 * SECOND_US);
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    sim_disk_kill(disk);
    cluster_free(cluster);
    sim_meta_store_free(store);
    sim_executor_free(sim);
    start_broker_with_part(0);
    ck_assert_int_eq(image_version(image_of(0)), sim_cell_version(cell));
    ck_assert_ptr_null(image_credential_by_key_id(image_of(0), SLICE_LITERAL(KEY_ID)));
    cluster_free(cluster);
    sim_meta_store_free(store);
    sim_executor_free(sim);
}
END_TEST

struct recorder {
    struct image_observer observer;
    int added, changed, removed;
    const struct image *image;
};

static void record(struct image_observer *observer, const struct image_change *change)
{
    struct recorder *recorder = container_of(observer, struct recorder, observer);

    recorder->added += change->before == NULL;
    recorder->removed += change->after == NULL;
    recorder->changed += change->before != NULL && change->after != NULL;
    /* The image is as it is after the whole version. */
    if (change->kind == IMAGE_TENANT && change->after == NULL)
        ck_assert_ptr_null(image_credential_by_key_id(recorder->image, SLICE_LITERAL(KEY_ID)));
}

START_TEST(observers_of_each_loop_are_told_of_every_change)
{
    struct recorder recorders[LOOPS] = {0};

    start_broker();
    for (int i = 0; i < LOOPS; i++) {
        recorders[i].observer.changed = record;
        recorders[i].image = image_of(i);
        image_observe(cluster_image(cluster, sim_executor_loop(sim, i)), &recorders[i].observer);
    }
    put_tenant(TENANT_2, 2, "suspended", -1);
    sim_cell_remove_tenant(cell, TENANT_1);
    sim_executor_run_for(sim, SECOND_US);
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(recorders[i].added, 0);
        ck_assert_int_eq(recorders[i].changed, 1);
        ck_assert_int_eq(recorders[i].removed, 2);
    }
    stop_broker();
}
END_TEST

START_TEST(an_object_that_breaks_a_rule_is_left_as_it_was_and_stops_nothing)
{
    start_broker();
    sim_cell_put(cell, "tenant", TENANT_1, "{\"instance\": 5}");
    sim_cell_put(cell, "weather", "x", "{}");
    sim_cell_put(cell, "topic", "not a uuid", "{}");
    put_tenant(TENANT_2, 2, "suspended", -1);
    sim_executor_run_for(sim, SECOND_US);
    ck_assert(image_tenant_by_no(image_of(1), 1)->is_active);
    ck_assert(!image_tenant_by_no(image_of(1), 2)->is_active);
    ck_assert_int_eq(sim_cell_acknowledged(cell, 0), sim_cell_version(cell));
    stop_broker();
}
END_TEST

START_TEST(a_replica_that_cannot_be_opened_leaves_its_partition_empty)
{
    struct sent sent;

    start_broker();
    fake_open_fails = true;
    create_topic(&sent, "orders", 1, 1);
    ck_assert_int_eq(sent.topic.result, TOPIC_OK);
    ck_assert_ptr_null(image_topic_by_id(image_of(1), 1, sent.topic.topic_id)->replicas[0]);
    stop_broker();
}
END_TEST

START_TEST(a_stop_ends_requests_that_are_under_way)
{
    struct sent sent = {
        .request = {.kind = META_CREATE_TOPICS, .instance_no = 1},
        .topic = {.name = SLICE_LITERAL("orders"), .add_partitions = 1, .replication_factor = -1}};

    start_broker();
    sim_meta_store_set_delay(store, SECOND_US);
    send(&sent, 1);
    for (int i = 0; i < 3; i++)
        sim_executor_step(sim);
    stop_broker();
    ck_assert(sent.is_done);
    ck_assert(sent.request.err == ERR_CANCELLED || sent.request.err == ERR_OK);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_refused_and_not_sent)
{
    struct sent sent;

    start_broker();
    create_topic(&sent, "\xff\xfe", 1, 1);
    ck_assert_int_eq(sent.request.err, ERR_INVALID);
    stop_broker();
}
END_TEST

START_TEST(replicas_are_distinct_and_leaders_go_round)
{
    static const int32_t brokers[] = {0, 1, 2};
    struct uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 1, 7}};
    int leaders[3] = {0}, followers[3] = {0};

    for (int32_t p = 0; p < 90; p++) {
        struct partition_assignment assignment;

        partition_placement(topic_id, p, brokers, 3, -1, &assignment);
        ck_assert_int_eq(assignment.replica_count, 3);
        ck_assert_int_ne(assignment.replicas[0], assignment.replicas[1]);
        ck_assert_int_ne(assignment.replicas[0], assignment.replicas[2]);
        ck_assert_int_ne(assignment.replicas[1], assignment.replicas[2]);
        leaders[assignment.replicas[0]]++;
        followers[assignment.replicas[1]]++;
        partition_placement(topic_id, p, brokers, 1, 3, &assignment);
        ck_assert_int_eq(assignment.replica_count, 1);
        ck_assert_int_eq(assignment.replicas[0], 0);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(leaders[i], 30);
        ck_assert_int_eq(followers[i], 30);
    }
}
END_TEST

START_TEST(the_same_seed_gives_the_same_trace)
{
    uint64_t hashes[2];

    for (int round = 0; round < 2; round++) {
        struct sent sent;

        if (round > 0) {
            teardown();
            setup();
        }
        start_broker();
        create_topic(&sent, "orders", 2, 1);
        set_reachable(false);
        sim_executor_run_for(sim, SECOND_US);
        stop_broker();
        hashes[round] = trace.hash;
    }
    ck_assert_uint_eq(hashes[0], hashes[1]);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/cluster");
    TCase *tc = tcase_create("cluster");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_loop_shows_what_the_store_has);
    tcase_add_test(tc, a_snapshot_and_changes_may_come_in_parts);
    tcase_add_test(tc, a_created_topic_is_shown_by_all_loops_before_the_answer);
    tcase_add_test(tc, the_store_says_exists_limit_not_found_conflict_and_denied);
    tcase_add_test(tc, partitions_are_added_and_settings_reach_the_replicas);
    tcase_add_test(tc, a_deleted_topic_loses_its_replicas_once_all_loops_forgot_it);
    tcase_add_test(tc, a_narrower_plan_reaches_topics_that_exist);
    tcase_add_test(tc, with_the_store_away_requests_fail_at_once_and_the_image_stands);
    tcase_add_test(tc, an_answer_lost_on_the_way_is_asked_for_again_and_not_done_twice);
    tcase_add_test(tc, a_broker_starts_from_the_cached_image_with_the_store_down);
    tcase_add_test(tc, what_changed_while_the_broker_was_down_is_caught_up_with);
    tcase_add_test(tc, metadata_that_goes_backwards_is_refused_until_it_has_caught_up);
    tcase_add_test(tc, a_cached_image_with_any_flipped_bit_is_not_used);
    tcase_add_test(tc, a_version_is_not_acknowledged_before_its_listeners_are_open);
    tcase_add_test(tc, a_deleted_key_is_off_the_disk_before_the_deletion_is_acknowledged);
    tcase_add_test(tc, observers_of_each_loop_are_told_of_every_change);
    tcase_add_test(tc, an_object_that_breaks_a_rule_is_left_as_it_was_and_stops_nothing);
    tcase_add_test(tc, a_replica_that_cannot_be_opened_leaves_its_partition_empty);
    tcase_add_test(tc, a_stop_ends_requests_that_are_under_way);
    tcase_add_test(tc, text_that_is_no_utf8_is_refused_and_not_sent);
    tcase_add_test(tc, replicas_are_distinct_and_leaders_go_round);
    tcase_add_test(tc, the_same_seed_gives_the_same_trace);
    suite_add_tcase(suite, tc);
    return suite;
}
