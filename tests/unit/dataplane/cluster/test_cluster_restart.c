/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker has when it starts again: the cached image, and what was acknowledged of the store's. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/cluster/cluster_rig.h"
#include "tests/unit/dataplane/cluster/fake_replica.h"

START_TEST(a_broker_starts_from_the_cached_image_with_the_store_down)
{
    struct sent sent;
    struct uuid topic_id;
    int64_t version = 0;

    cluster_rig_start();
    cluster_rig_create_topic(&sent, "orders", 2, 1);
    topic_id = sent.topic.topic_id;
    version = sim_cell_version(rig.cell);
    cluster_rig_stop();
    ck_assert_int_eq(fake_replicas_referenced(), 0);
    fake_replicas_reset();

    cluster_rig_make_with_part(0);
    cluster_rig_set_reachable(false);
    rig.listeners_asked = 0;
    cluster_rig_launch();
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert_int_eq(rig.listeners_asked, version);
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(image_version(cluster_rig_image_of(i)), version);
        ck_assert_ptr_nonnull(image_topic_by_id(cluster_rig_image_of(i), 1, topic_id));
        ck_assert_ptr_nonnull(
            image_credential_by_key_id(cluster_rig_image_of(i), SLICE_LITERAL(KEY_ID)));
    }
    ck_assert_ptr_nonnull(fake_replica_find(topic_id, 1));
    /* The cached image may be old: nothing is deleted on its word. */
    ck_assert_int_eq(fake_remove_unknown_calls, 0);
    cluster_rig_set_reachable(true);
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert_int_eq(fake_remove_unknown_calls, 1);
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    cluster_rig_stop();
}
END_TEST

START_TEST(what_changed_while_the_broker_was_down_is_caught_up_with)
{
    cluster_rig_start();
    cluster_rig_stop();
    sim_cell_remove_tenant(rig.cell, TENANT_1);
    fake_replicas_reset();
    cluster_rig_start();
    ck_assert_ptr_null(image_tenant_by_no(cluster_rig_image_of(1), 1));
    ck_assert_ptr_null(image_credential_by_key_id(cluster_rig_image_of(2), SLICE_LITERAL(KEY_ID)));
    ck_assert_ptr_nonnull(image_tenant_by_no(cluster_rig_image_of(1), 2));
    cluster_rig_stop();
}
END_TEST

START_TEST(metadata_that_goes_backwards_is_refused_until_it_has_caught_up)
{
    int64_t version = 0;

    cluster_rig_start();
    sim_cell_remove(rig.cell, "credential", KEY_ID);
    sim_executor_run_for(rig.sim, SECOND_US);
    version = image_version(cluster_rig_image_of(1));
    ck_assert_ptr_null(image_credential_by_key_id(cluster_rig_image_of(1), SLICE_LITERAL(KEY_ID)));
    sim_cell_restore(rig.cell, version - 1);
    sim_executor_run_for(rig.sim, 2 * SECOND_US);
    ck_assert_int_eq(image_version(cluster_rig_image_of(1)), version);
    ck_assert_ptr_null(image_credential_by_key_id(cluster_rig_image_of(1), SLICE_LITERAL(KEY_ID)));
    cluster_rig_stop();
}
END_TEST

static bool flip_cache_bit(int64_t offset)
{
    return sim_disk_flip_bit(rig.disk, IMAGE_CACHE_NAME, offset, 3);
}

START_TEST(a_cached_image_with_any_flipped_bit_is_not_used)
{
    int64_t size = 0;

    cluster_rig_start();
    cluster_rig_stop();
    size = sim_disk_file_size(rig.disk, IMAGE_CACHE_NAME);
    ck_assert_int_gt(size, 100);
    for (int64_t offset = 0; offset < size; offset += 97) {
        ck_assert(flip_cache_bit(offset));
        cluster_rig_make_with_part(0);
        ck_assert_int_eq(image_version(cluster_rig_image_of(0)), 0);
        cluster_rig_drop();
        ck_assert(flip_cache_bit(offset));
    }
    cluster_rig_start();
    ck_assert_int_gt(image_version(cluster_rig_image_of(0)), 0);
    cluster_rig_stop();
}
END_TEST

static void listeners_are_open(void *context)
{
    (void)context;
    cluster_listeners_opened(rig.cluster, rig.listeners_asked);
}

START_TEST(a_version_is_not_acknowledged_before_its_listeners_are_open)
{
    int64_t before = 0;

    cluster_rig_start();
    before = sim_cell_acknowledged(rig.cell, 0);
    rig.are_listeners_slow = true;
    cluster_rig_put_listener(9094);
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert_int_eq(rig.listeners_asked, sim_cell_version(rig.cell));
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), before);
    sim_executor_call(rig.sim, 0, listeners_are_open, NULL);
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    cluster_rig_stop();
}
END_TEST

static bool is_key_gone_here(void *context)
{
    (void)context;
    for (int i = 0; i < LOOPS; i++) {
        if (image_credential_by_key_id(cluster_rig_image_of(i), SLICE_LITERAL(KEY_ID)) != NULL)
            return false;
    }
    return true;
}

START_TEST(a_deleted_key_is_off_the_disk_before_the_deletion_is_acknowledged)
{
    cluster_rig_start();
    sim_cell_remove(rig.cell, "credential", KEY_ID);
    sim_executor_stall(rig.sim, WORKER_SLOW, 5 * SECOND_US);
    ck_assert(sim_executor_run_until(rig.sim, is_key_gone_here, NULL, 100000));
    sim_executor_run_for(rig.sim, SECOND_US);
    ck_assert_int_lt(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    sim_executor_run_for(rig.sim, 10 * SECOND_US);
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
    sim_disk_kill(rig.disk);
    cluster_rig_drop();
    cluster_rig_make_with_part(0);
    ck_assert_int_eq(image_version(cluster_rig_image_of(0)), sim_cell_version(rig.cell));
    ck_assert_ptr_null(image_credential_by_key_id(cluster_rig_image_of(0), SLICE_LITERAL(KEY_ID)));
    cluster_rig_drop();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/cluster/cluster_restart");
    TCase *tc = tcase_create("cluster_restart");

    tcase_add_checked_fixture(tc, cluster_rig_begin, cluster_rig_end);
    tcase_add_test(tc, a_broker_starts_from_the_cached_image_with_the_store_down);
    tcase_add_test(tc, what_changed_while_the_broker_was_down_is_caught_up_with);
    tcase_add_test(tc, metadata_that_goes_backwards_is_refused_until_it_has_caught_up);
    tcase_add_test(tc, a_cached_image_with_any_flipped_bit_is_not_used);
    tcase_add_test(tc, a_version_is_not_acknowledged_before_its_listeners_are_open);
    tcase_add_test(tc, a_deleted_key_is_off_the_disk_before_the_deletion_is_acknowledged);
    suite_add_tcase(suite, tc);
    return suite;
}
