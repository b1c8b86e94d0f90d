/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction of a log as its users see it (kafka-protocol reference, 6.3). What may come in the middle of it:
 * test_compaction_between. */
#include <string.h>

#include "dataplane/storage/record_batch.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/compacted_log.h"

static bool count_log(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(int *)context += strstr(name, SEGMENT_SUFFIX) != NULL;
    return true;
}

static int count_segments(void)
{
    struct log_identity id = {rig.topic, 0};
    char path[LOG_PATH_BYTES];
    int count = 0;

    log_path(&id, path);
    ck_assert_int_eq(rig.disk->ops->list(rig.disk, path, count_log, &count), ERR_OK);
    return count;
}

/* --- what stays --- */

START_TEST(compaction_leaves_the_newest_record_of_each_key_at_its_offset)
{
    int64_t size = 0;

    compacted_put(40, KEYS);
    size = replica_snapshot(replica)->size_bytes;
    one_log_pass_seconds(20);
    ck_assert_int_lt(replica_snapshot(replica)->size_bytes, size / 2);
    ck_assert_int_eq(compacted_end(), 200);
    rig_stop(&rig, RIG_CLEAN); /* the tail in memory has it all, still */
    one_log_start();
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
    ck_assert_int_lt(compacted_count(0, 200), 40);
    compacted_look(1);
    compacted_check_newest(KEYS, 180);
}
END_TEST

static const enum rig_end ends[] = {RIG_POWER_CUT, RIG_KILL, RIG_CLEAN};

START_TEST(what_was_compacted_is_there_again_after_a_start)
{
    compacted_put(40, KEYS);
    one_log_pass_seconds(20);
    for (int i = 0; i < 3; i++) {
        one_log_restart(ends[_i]);
        ck_assert_int_eq(compacted_end(), 200 + 5 * i);
        compacted_look(100);
        compacted_check_newest(KEYS, 180);
        compacted_put(1, KEYS);
    }
}
END_TEST

START_TEST(compaction_goes_on_with_what_is_new_and_puts_small_segments_together)
{
    for (int i = 0; i < 10; i++) {
        compacted_put(20, KEYS);
        one_log_pass_seconds(10);
    }
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 980);
    /* Two hundred batches in segments of about three each. */
    ck_assert_int_le(count_segments(), 4);
    ck_assert_int_lt(replica_snapshot(replica)->size_bytes, 2500);
}
END_TEST

START_TEST(every_offset_of_a_compacted_log_leads_to_the_next_batch)
{
    compacted_put(40, KEYS);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    for (log_offset at = 0; at < compacted_end(); at++) {
        struct replica_read read = rig_read(&rig, replica, at, 1);

        ck_assert_int_eq(read.error, KAFKA_NONE);
        ck_assert_int_ge(compacted_show(&read), at);
        replica_read_done(&read);
    }
}
END_TEST

START_TEST(the_newest_segment_is_never_compacted)
{
    rig.config.segment_bytes = 1 << 20;
    compacted_take_config();
    compacted_put(40, KEYS);
    one_log_pass_seconds(60);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 200), 200);
}
END_TEST

START_TEST(only_what_was_asked_for_is_compacted)
{
    compacted_set_policy(CLEANUP_DELETE);
    compacted_put(40, KEYS);
    one_log_pass_seconds(60);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 200), 200);
    /* Another policy later: from the beginning. */
    compacted_set_policy(CLEANUP_COMPACT);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
}
END_TEST

/* --- when --- */

START_TEST(a_log_is_compacted_when_enough_of_it_is_dirty)
{
    rig.config.min_cleanable_dirty_thousandths = 500;
    compacted_take_config();
    compacted_put(40, 50);
    one_log_pass_seconds(20);
    compacted_look(1 << 20);
    compacted_put(5, 50);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    /* Fifty records are clean; there is not as much again. */
    ck_assert_int_gt(compacted_count(0, 225), 60);
    compacted_put(20, 50);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    compacted_check_newest(50, 290);
}
END_TEST

START_TEST(young_records_stay_for_min_compaction_lag)
{
    rig.config.min_compaction_lag_ms = 3600000;
    compacted_take_config();
    compacted_put(40, KEYS);
    one_log_pass_seconds(3500);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 200), 200);
    one_log_pass_seconds(200);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 180);
}
END_TEST

START_TEST(old_records_are_compacted_after_max_compaction_lag_even_when_nothing_is_appended)
{
    rig.config.segment_bytes = 1 << 20;
    rig.config.min_cleanable_dirty_thousandths = 1000;
    rig.config.max_compaction_lag_ms = 3600000;
    compacted_take_config();
    compacted_put(1, 1);
    one_log_pass_seconds(3000);
    compacted_put(10, KEYS);
    one_log_restart(RIG_CLEAN);
    one_log_pass_seconds(500);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 55), 55);
    one_log_pass_seconds(3700);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_end(), 55);
    for (log_offset i = 0; i < 48; i++)
        ck_assert_int_eq(compacted_shown[i], i == 0 ? -1 : compacted_shown[i]);
    ck_assert_int_le(compacted_count(5, 55), KEYS);
    compacted_put(1, KEYS);
    ck_assert_int_eq(compacted_end(), 60);
}
END_TEST

START_TEST(more_keys_than_the_map_holds_take_more_passes)
{
    one_log_restart(RIG_CLEAN);
    rig.cleaner_map_bytes = 1; /* the least: some ten keys */
    one_log_restart(RIG_CLEAN);
    compacted_put(60, 40);
    one_log_pass_seconds(600);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    compacted_check_newest(40, 280);
}
END_TEST

/* --- tombstones, time, retention --- */

START_TEST(tombstones_are_seen_for_delete_retention_and_then_go)
{
    struct sim_batch batch = rig_batch(&rig, 5);

    batch.key_count = 5;
    batch.tombstone_every = 1;
    rig.config.delete_retention_ms = 3600000;
    compacted_take_config();
    (void)compacted_put_batch(batch); /* offsets 0 to 4, keys 0 to 4 */
    rig.next_number = 1000005;
    batch = rig_batch(&rig, 5);
    batch.key_count = 2000000; /* other keys */
    for (int i = 0; i < 20; i++)
        (void)compacted_put_batch(batch);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 5), 5);
    one_log_pass_seconds(3500);
    for (int i = 0; i < 20; i++)
        (void)compacted_put_batch(batch);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 5), 5);
    one_log_pass_seconds(100);
    for (int i = 0; i < 20; i++)
        (void)compacted_put_batch(batch);
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    ck_assert_int_eq(compacted_count(0, 5), 0);
}
END_TEST

START_TEST(lookups_by_time_find_what_is_left)
{
    int64_t put_ms[40];
    struct replica_lookup lookup;

    for (int i = 0; i < 40; i++) {
        one_log_pass_seconds(1);
        put_ms[i] = clock_wall_ms(sim_executor_clock(rig.executor));
        compacted_put(1, KEYS);
    }
    one_log_pass_seconds(20);
    one_log_restart(RIG_KILL);
    compacted_look(1 << 20);
    for (int i = 0; i < 40; i++) {
        log_offset expected = 5 * i;

        while (compacted_shown[expected] < 0)
            expected++;
        lookup = rig_lookup(&rig, replica, put_ms[i]);
        ck_assert_int_eq(lookup.error, KAFKA_NONE);
        ck_assert_int_eq(lookup.offset, expected);
        ck_assert_int_eq(lookup.found_timestamp, put_ms[expected / 5]);
    }
    lookup = rig_lookup(&rig, replica, -3);
    ck_assert_int_eq(lookup.error, KAFKA_NONE);
    ck_assert_int_eq(lookup.offset, 195);
    /* Nothing of the batch that the log start cuts is left: the others still count. */
    ck_assert_int_eq(rig_trim(&rig, replica, 3).error, KAFKA_NONE);
    lookup = rig_lookup(&rig, replica, -3);
    ck_assert_int_eq(lookup.offset, 195);
}
END_TEST

START_TEST(retention_takes_compacted_segments_too)
{
    rig.config.cleanup_policy = CLEANUP_COMPACT | CLEANUP_DELETE;
    rig.config.retention_ms = 3600000;
    compacted_take_config();
    compacted_put(40, KEYS);
    one_log_pass_seconds(20);
    compacted_look(1 << 20);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 0);
    one_log_pass_seconds(3700);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 200);
    one_log_restart(RIG_POWER_CUT);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 200);
    compacted_put(40, KEYS);
    one_log_pass_seconds(20);
    one_log_restart(RIG_POWER_CUT);
    compacted_look(1 << 20);
    compacted_check_newest(KEYS, 380);
}
END_TEST

/* --- the end of a log, producers --- */

START_TEST(a_log_that_ends_in_a_gap_is_read_to_its_end_and_goes_on_there)
{
    struct replica_read read;

    compacted_put(10, KEYS);
    compacted_set_policy(CLEANUP_DELETE);
    compacted_put(30, 0); /* without keys: compaction keeps none of them */
    rig.config.cleanup_policy = CLEANUP_COMPACT;
    rig.config.max_compaction_lag_ms = 1000;
    compacted_take_config();
    one_log_pass_seconds(20);
    for (int i = 0; i < 3; i++) {
        one_log_restart(ends[i]);
        ck_assert_int_eq(compacted_end(), 200);
        compacted_look(1);
        ck_assert_int_eq(compacted_count(50, 200), 0);
        read = rig_read(&rig, replica, 77, 1);
        ck_assert_uint_eq(read.records_len, RECORD_BATCH_HEADER_BYTES);
        ck_assert_int_eq(compacted_end_of(&read), 200);
        replica_read_done(&read);
    }
    compacted_put(1, KEYS);
    ck_assert_int_eq(compacted_end(), 205);
    compacted_look(1);
    ck_assert_int_eq(compacted_count(50, 205), 5);
}
END_TEST

static int16_t put_sequence(int32_t sequence)
{
    struct sim_batch batch = rig_batch(&rig, 5);

    batch.key_count = KEYS;
    batch.producer_id = 77;
    batch.base_sequence = sequence;
    return (int16_t)rig_append(&rig, replica, &batch).error;
}

START_TEST(sequences_go_on_after_compaction_even_without_a_snapshot_of_producers)
{
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(put_sequence(5 * i), KAFKA_NONE);
    compacted_put(40, KEYS);
    one_log_pass_seconds(20);
    rig_stop(&rig, RIG_KILL);
    for (log_offset at = 0; at <= 250; at++)
        (void)rig.disk->ops->remove(rig.disk, compacted_path(at, ".producers"));
    one_log_start();
    compacted_look(1);
    ck_assert_int_eq(compacted_count(0, 200), 0);
    ck_assert_int_eq(put_sequence(40), KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    ck_assert_int_eq(put_sequence(45), KAFKA_NONE); /* a repetition */
    ck_assert_int_eq(compacted_end(), 250);
    ck_assert_int_eq(put_sequence(50), KAFKA_NONE);
    ck_assert_int_eq(compacted_end(), 255);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/compaction");
    TCase *tc = tcase_create("compaction");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, compacted_begin, one_log_end);
    tcase_add_test(tc, compaction_leaves_the_newest_record_of_each_key_at_its_offset);
    tcase_add_loop_test(tc, what_was_compacted_is_there_again_after_a_start, 0, 3);
    tcase_add_test(tc, compaction_goes_on_with_what_is_new_and_puts_small_segments_together);
    tcase_add_test(tc, every_offset_of_a_compacted_log_leads_to_the_next_batch);
    tcase_add_test(tc, the_newest_segment_is_never_compacted);
    tcase_add_test(tc, only_what_was_asked_for_is_compacted);
    tcase_add_test(tc, a_log_is_compacted_when_enough_of_it_is_dirty);
    tcase_add_test(tc, young_records_stay_for_min_compaction_lag);
    tcase_add_test(
        tc, old_records_are_compacted_after_max_compaction_lag_even_when_nothing_is_appended);
    tcase_add_test(tc, more_keys_than_the_map_holds_take_more_passes);
    tcase_add_test(tc, tombstones_are_seen_for_delete_retention_and_then_go);
    tcase_add_test(tc, lookups_by_time_find_what_is_left);
    tcase_add_test(tc, retention_takes_compacted_segments_too);
    tcase_add_test(tc, a_log_that_ends_in_a_gap_is_read_to_its_end_and_goes_on_there);
    tcase_add_test(tc, sequences_go_on_after_compaction_even_without_a_snapshot_of_producers);
    suite_add_tcase(suite, tc);
    return suite;
}
