/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster on the simulated executor, disk and store: N loops, seeded order, outages. What a broker has when it starts again:
 * test_cluster_restart. */
#include "dataplane/cluster/partition_placement.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/cluster/cluster_rig.h"
#include "tests/unit/dataplane/cluster/fake_replica.h"

START_TEST(every_loop_shows_what_the_store_has)
{
    cluster_rig_start();
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(image_version(cluster_rig_image_of(i)), sim_cell_version(rig.cell));
        ck_assert_ptr_nonnull(
            image_tenant_by_label(cluster_rig_image_of(i), SLICE_LITERAL("tenant2")));
        ck_assert_ptr_nonnull(
            image_credential_by_key_id(cluster_rig_image_of(i), SLICE_LITERAL(KEY_ID)));
        ck_assert_uint_eq(image_tenant_count(cluster_rig_image_of(i)), 2);
        ck_assert_ptr_nonnull(image_broker_by_id(cluster_rig_image_of(i), 0));
        ck_assert_ptr_nonnull(
            image_listener_find(cluster_rig_image_of(i), 0, SLICE_LITERAL("sasl_ssl")));
    }
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    ck_assert_int_eq(fake_producer_registration, 1);
    ck_assert_int_eq(fake_remove_unknown_calls, 1);
    ck_assert(cluster_is_store_reachable(rig.cluster));
    cluster_rig_stop();
}
END_TEST

START_TEST(a_snapshot_and_changes_may_come_in_parts)
{
    cluster_rig_make_with_part(1);
    cluster_rig_launch();
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert_uint_eq(image_tenant_count(cluster_rig_image_of(1)), 2);
    cluster_rig_put_tenant(TENANT_1, 1, "suspended", -1);
    cluster_rig_put_listener(9094);
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert(!image_tenant_by_no(cluster_rig_image_of(2), 1)->is_active);
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    cluster_rig_stop();
}
END_TEST

START_TEST(a_created_topic_is_shown_by_all_loops_before_the_answer)
{
    struct sent sent;

    cluster_rig_start();
    for (int home = 0; home < LOOPS; home++) {
        char name[16];

        snprintf(name, sizeof(name), "topic%d", home);
        cluster_rig_create_topic(&sent, name, 1, home);
        ck_assert_int_eq(sent.request.err, ERR_OK);
        ck_assert_int_eq(sent.topic.result, TOPIC_OK);
        ck_assert(sent.was_shown);
        ck_assert(!uuid_is_zero(sent.topic.topic_id));
        ck_assert_ptr_nonnull(
            image_topic_by_id(cluster_rig_image_of(home), 1, sent.topic.topic_id));
        ck_assert_ptr_nonnull(fake_replica_find(sent.topic.topic_id, 0));
        ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->epoch, 0);
    }
    cluster_rig_stop();
}
END_TEST

START_TEST(the_store_says_exists_limit_not_found_conflict_and_denied)
{
    struct sent sent, other;

    cluster_rig_start();
    cluster_rig_create_topic(&sent, "orders", 3, 1);
    ck_assert_int_eq(sent.topic.result, TOPIC_OK);
    cluster_rig_create_topic(&other, "orders", 1, 1);
    ck_assert_int_eq(other.topic.result, TOPIC_EXISTS);
    cluster_rig_create_topic(&other, "more", 3, 1);
    ck_assert_int_eq(other.topic.result, TOPIC_OVER_LIMIT);
    ck_assert_int_eq(other.topic.current, 3);
    ck_assert_int_eq(other.topic.maximum, 5);

    other = (struct sent){.request = {.kind = META_DELETE_TOPICS, .instance_no = 2},
                          .topic = {.topic_id = sent.topic.topic_id}};
    cluster_rig_send(&other, 2);
    cluster_rig_finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_NOT_FOUND);
    other = (struct sent){.request = {.kind = META_CREATE_PARTITIONS, .instance_no = 1},
                          .topic = {.topic_id = sent.topic.topic_id,
                                    .current_partitions = 2,
                                    .add_partitions = 1,
                                    .replication_factor = -1}};
    cluster_rig_send(&other, 2);
    cluster_rig_finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_CONFLICT);
    other = (struct sent){.request = {.kind = META_DELETE_TOPICS, .instance_no = 9},
                          .topic = {.topic_id = sent.topic.topic_id}};
    cluster_rig_send(&other, 0);
    cluster_rig_finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_DENIED);
    cluster_rig_stop();
}
END_TEST

START_TEST(partitions_are_added_and_settings_reach_the_replicas)
{
    struct sent sent, other;

    cluster_rig_start();
    cluster_rig_create_topic(&sent, "orders", 2, 1);
    other = (struct sent){.request = {.kind = META_CREATE_PARTITIONS, .instance_no = 1},
                          .topic = {.topic_id = sent.topic.topic_id,
                                    .current_partitions = 2,
                                    .add_partitions = 2,
                                    .replication_factor = -1}};
    cluster_rig_send(&other, 2);
    cluster_rig_finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    ck_assert_int_eq(
        image_topic_by_id(cluster_rig_image_of(2), 1, sent.topic.topic_id)->partition_count, 4);
    ck_assert_ptr_nonnull(fake_replica_find(sent.topic.topic_id, 3));
    ck_assert_int_eq(fake_replica_count, 4);

    other = (struct sent){
        .request = {.kind = META_ALTER_CONFIGS, .instance_no = 1},
        .override = {topic_setting_find(SLICE_LITERAL("retention.ms")), SLICE_LITERAL("7200000")}};
    other.topic = (struct topic_request){
        .topic_id = sent.topic.topic_id, .set = &other.override, .set_count = 1};
    cluster_rig_send(&other, 0);
    cluster_rig_finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->config.retention_ms, 7200000);
    ck_assert_int_eq(fake_replica_count, 4);

    other = (struct sent){.request = {.kind = META_ALTER_CONFIGS, .instance_no = 1},
                          .removed = topic_setting_find(SLICE_LITERAL("retention.ms"))};
    other.topic = (struct topic_request){
        .topic_id = sent.topic.topic_id, .remove = &other.removed, .remove_count = 1};
    cluster_rig_send(&other, 0);
    cluster_rig_finish(&other);
    ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->config.retention_ms, 86400000);
    ck_assert_uint_eq(
        image_topic_by_id(cluster_rig_image_of(1), 1, sent.topic.topic_id)->override_count, 0);
    cluster_rig_stop();
}
END_TEST

START_TEST(a_deleted_topic_loses_its_replicas_once_all_loops_forgot_it)
{
    struct sent sent, other;

    cluster_rig_start();
    cluster_rig_create_topic(&sent, "orders", 2, 1);
    other = (struct sent){.request = {.kind = META_DELETE_TOPICS, .instance_no = 1},
                          .topic = {.topic_id = sent.topic.topic_id}};
    cluster_rig_send(&other, 1);
    cluster_rig_finish(&other);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    ck_assert(other.was_shown);
    for (int i = 0; i < LOOPS; i++)
        ck_assert_ptr_null(
            image_topic_by_name(cluster_rig_image_of(i), 1, SLICE_LITERAL("orders")));
    ck_assert(fake_replicas[0].is_removed);
    ck_assert(fake_replicas[1].is_removed);
    cluster_rig_create_topic(&other, "orders", 2, 1);
    ck_assert_int_eq(other.topic.result, TOPIC_OK);
    cluster_rig_stop();
}
END_TEST

START_TEST(a_narrower_plan_reaches_topics_that_exist)
{
    struct sent sent;

    cluster_rig_start();
    cluster_rig_create_topic(&sent, "orders", 1, 1);
    cluster_rig_put_tenant(TENANT_1, 1, "active", 1000000);
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert_int_eq(fake_replica_find(sent.topic.topic_id, 0)->config.retention_bytes, 1000000);
    ck_assert_int_eq(
        image_topic_by_id(cluster_rig_image_of(2), 1, sent.topic.topic_id)->config.retention_bytes,
        1000000);
    cluster_rig_stop();
}
END_TEST

START_TEST(with_the_store_away_requests_fail_at_once_and_the_image_stands)
{
    struct sent sent;
    int64_t before_us = 0;

    cluster_rig_start();
    cluster_rig_set_reachable(false);
    ck_assert(!cluster_is_store_reachable(rig.cluster));
    before_us = loop_now_us(sim_executor_loop(rig.sim, 0));
    cluster_rig_create_topic(&sent, "orders", 1, 2);
    ck_assert_int_eq(sent.request.err, ERR_UNAVAILABLE);
    ck_assert_int_eq(sent.topic.result, TOPIC_NOT_ANSWERED);
    ck_assert_int_lt(loop_now_us(sim_executor_loop(rig.sim, 0)) - before_us, 10000);
    ck_assert_ptr_nonnull(
        image_credential_by_key_id(cluster_rig_image_of(1), SLICE_LITERAL(KEY_ID)));
    sim_cell_remove(rig.cell, "credential", KEY_ID);
    cluster_rig_set_reachable(true);
    sim_executor_run_for(rig.sim, 2 * SECOND_US);
    ck_assert_ptr_null(image_credential_by_key_id(cluster_rig_image_of(1), SLICE_LITERAL(KEY_ID)));
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    cluster_rig_stop();
}
END_TEST

static bool has_executed(void *context)
{
    return sim_cell_version(rig.cell) > *(int64_t *)context;
}

START_TEST(an_answer_lost_on_the_way_is_asked_for_again_and_not_done_twice)
{
    struct sent sent = {
        .request = {.kind = META_CREATE_TOPICS, .instance_no = 1},
        .topic = {.name = SLICE_LITERAL("orders"), .add_partitions = 1, .replication_factor = -1}};
    int64_t version = 0;

    cluster_rig_start();
    version = sim_cell_version(rig.cell);
    sim_meta_store_set_delay(rig.store, 100000);
    cluster_rig_send(&sent, 1);
    ck_assert(sim_executor_run_until(rig.sim, has_executed, &version, 100000));
    ck_assert(!sent.is_done);
    cluster_rig_set_reachable(false);
    sim_executor_run_for(rig.sim, SECOND_US / 2);
    ck_assert(!sent.is_done);
    cluster_rig_set_reachable(true);
    cluster_rig_finish(&sent);
    ck_assert_int_eq(sent.request.err, ERR_OK);
    ck_assert_int_eq(sent.topic.result, TOPIC_OK);
    ck_assert(sent.was_shown);
    cluster_rig_stop();
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

    cluster_rig_start();
    for (int i = 0; i < LOOPS; i++) {
        recorders[i].observer.changed = record;
        recorders[i].image = cluster_rig_image_of(i);
        image_observe(cluster_image(rig.cluster, sim_executor_loop(rig.sim, i)),
                      &recorders[i].observer);
    }
    cluster_rig_put_tenant(TENANT_2, 2, "suspended", -1);
    sim_cell_remove_tenant(rig.cell, TENANT_1);
    sim_executor_run_for(rig.sim, SECOND_US);
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(recorders[i].added, 0);
        ck_assert_int_eq(recorders[i].changed, 1);
        ck_assert_int_eq(recorders[i].removed, 2);
    }
    cluster_rig_stop();
}
END_TEST

START_TEST(an_object_that_breaks_a_rule_is_left_as_it_was_and_stops_nothing)
{
    cluster_rig_start();
    sim_cell_put(rig.cell, "tenant", TENANT_1, "{\"instance\": 5}");
    sim_cell_put(rig.cell, "weather", "x", "{}");
    sim_cell_put(rig.cell, "topic", "not a uuid", "{}");
    cluster_rig_put_tenant(TENANT_2, 2, "suspended", -1);
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert(image_tenant_by_no(cluster_rig_image_of(1), 1)->is_active);
    ck_assert(!image_tenant_by_no(cluster_rig_image_of(1), 2)->is_active);
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    cluster_rig_stop();
}
END_TEST

START_TEST(a_replica_that_cannot_be_opened_leaves_its_partition_empty)
{
    struct sent sent;

    cluster_rig_start();
    fake_open_fails = true;
    cluster_rig_create_topic(&sent, "orders", 1, 1);
    ck_assert_int_eq(sent.topic.result, TOPIC_OK);
    ck_assert_ptr_null(
        image_topic_by_id(cluster_rig_image_of(1), 1, sent.topic.topic_id)->replicas[0]);
    cluster_rig_stop();
}
END_TEST

START_TEST(a_stop_ends_requests_that_are_under_way)
{
    struct sent sent = {
        .request = {.kind = META_CREATE_TOPICS, .instance_no = 1},
        .topic = {.name = SLICE_LITERAL("orders"), .add_partitions = 1, .replication_factor = -1}};

    cluster_rig_start();
    sim_meta_store_set_delay(rig.store, SECOND_US);
    cluster_rig_send(&sent, 1);
    for (int i = 0; i < 3; i++)
        sim_executor_step(rig.sim);
    cluster_rig_stop();
    ck_assert(sent.is_done);
    ck_assert(sent.request.err == ERR_CANCELLED || sent.request.err == ERR_OK);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_refused_and_not_sent)
{
    struct sent sent;

    cluster_rig_start();
    cluster_rig_create_topic(&sent, "\xff\xfe", 1, 1);
    ck_assert_int_eq(sent.request.err, ERR_INVALID);
    cluster_rig_stop();
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
            cluster_rig_end();
            cluster_rig_begin();
        }
        cluster_rig_start();
        cluster_rig_create_topic(&sent, "orders", 2, 1);
        cluster_rig_set_reachable(false);
        sim_executor_run_for(rig.sim, SECOND_US);
        cluster_rig_stop();
        hashes[round] = rig.trace.hash;
    }
    ck_assert_uint_eq(hashes[0], hashes[1]);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/cluster/cluster");
    TCase *tc = tcase_create("cluster");

    tcase_add_checked_fixture(tc, cluster_rig_begin, cluster_rig_end);
    tcase_add_test(tc, every_loop_shows_what_the_store_has);
    tcase_add_test(tc, a_snapshot_and_changes_may_come_in_parts);
    tcase_add_test(tc, a_created_topic_is_shown_by_all_loops_before_the_answer);
    tcase_add_test(tc, the_store_says_exists_limit_not_found_conflict_and_denied);
    tcase_add_test(tc, partitions_are_added_and_settings_reach_the_replicas);
    tcase_add_test(tc, a_deleted_topic_loses_its_replicas_once_all_loops_forgot_it);
    tcase_add_test(tc, a_narrower_plan_reaches_topics_that_exist);
    tcase_add_test(tc, with_the_store_away_requests_fail_at_once_and_the_image_stands);
    tcase_add_test(tc, an_answer_lost_on_the_way_is_asked_for_again_and_not_done_twice);
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
