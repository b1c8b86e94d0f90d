/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

static struct storage_rig rig;

static void setup(void)
{
    rig_init(&rig, 2);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

static void teardown(void)
{
    rig_done(&rig);
}

START_TEST(what_is_appended_is_read_back_with_offsets_and_the_leader_epoch)
{
    struct replica *replica = rig_open(&rig, 0, 5);
    struct replica_read read;

    ck_assert_int_eq(rig_put(&rig, replica, 3), 0);
    ck_assert_int_eq(rig_put(&rig, replica, 2), 3);
    ck_assert_int_eq(replica_snapshot(replica)->high_watermark, 5);
    ck_assert_int_eq(replica_snapshot(replica)->epoch, 5);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 5);
    read = rig_read(&rig, replica, 0, 1 << 20);
    ck_assert_int_eq(read.records[15], 5); /* the lowest byte of partitionLeaderEpoch */
    replica_read_done(&read);
}
END_TEST

START_TEST(a_read_in_the_middle_of_a_batch_gives_the_whole_batch)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct replica_read read;

    rig_put(&rig, replica, 3);
    rig_put(&rig, replica, 3);
    read = rig_read(&rig, replica, 4, 1);
    ck_assert_int_eq(read.error, KAFKA_NONE);
    ck_assert_uint_gt(read.records_len, 61);
    ck_assert_int_eq(read.records[7], 3); /* base offset */
    replica_read_done(&read);
}
END_TEST

START_TEST(reads_outside_the_log_are_out_of_range_and_at_its_end_empty)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct replica_read read = rig_read(&rig, replica, 0, 100);

    ck_assert_int_eq(read.error, KAFKA_NONE);
    ck_assert_uint_eq(read.records_len, 0);
    rig_put(&rig, replica, 2);
    read = rig_read(&rig, replica, 3, 100);
    ck_assert_int_eq(read.error, KAFKA_OFFSET_OUT_OF_RANGE);
    read = rig_read(&rig, replica, 2, 100);
    ck_assert_int_eq(read.error, KAFKA_NONE);
    ck_assert_uint_eq(read.records_len, 0);
    ck_assert_int_eq(read.high_watermark, 2);
}
END_TEST

START_TEST(who_does_not_lead_refuses)
{
    struct replica *replica = rig_open(&rig, 0, -1);
    struct sim_batch batch = rig_batch(&rig, 1);
    struct replica_append append = rig_append(&rig, replica, &batch);
    struct replica_read read = rig_read(&rig, replica, 0, 100);

    ck_assert_int_eq(append.error, KAFKA_NOT_LEADER_OR_FOLLOWER);
    ck_assert_int_eq(append.base_offset, -1);
    ck_assert_int_eq(append.log_start, -1);
    ck_assert_int_eq(read.error, KAFKA_NOT_LEADER_OR_FOLLOWER);
}
END_TEST

START_TEST(nothing_is_on_disk_before_the_first_write_and_nothing_is_open_after_a_read_of_nothing)
{
    struct replica *replica = NULL;
    char path[128];

    rig.small_bytes_max = 1;
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 0);
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), -1);
    rig_put(&rig, replica, 1);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, path), 61);
}
END_TEST

START_TEST(an_idempotent_batch_sent_again_gets_its_first_offset_even_after_a_restart)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_batch first = rig_batch(&rig, 2);
    struct sim_batch second = rig_batch(&rig, 2);
    struct sim_batch gap = rig_batch(&rig, 1);
    struct replica_append append;

    first.producer_id = second.producer_id = gap.producer_id = 77;
    second.base_sequence = 2;
    gap.base_sequence = 9;
    ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
    ck_assert_int_eq(rig_append(&rig, replica, &second).base_offset, 2);
    append = rig_append(&rig, replica, &first);
    ck_assert_int_eq(append.error, KAFKA_NONE);
    ck_assert_int_eq(append.base_offset, 0);
    ck_assert_int_eq(rig_append(&rig, replica, &gap).error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        rig_stop(&rig, (enum rig_end)end);
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, 1 + end);
        ck_assert_int_eq(rig_append(&rig, replica, &second).base_offset, 2);
        ck_assert_int_eq(replica_snapshot(replica)->high_watermark, 4);
    }
}
END_TEST

START_TEST(an_older_producer_epoch_is_fenced_and_a_newer_one_starts_at_zero)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.producer_id = 5;
    batch.producer_epoch = 3;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
    batch.producer_epoch = 2;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_INVALID_PRODUCER_EPOCH);
    batch.producer_epoch = 4;
    batch.base_sequence = 1;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    batch.base_sequence = 0;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
}
END_TEST

static void put_at(struct replica *replica, int64_t timestamp_ms)
{
    struct sim_batch batch = rig_batch(&rig, 2);

    batch.timestamp_ms = timestamp_ms;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
}

START_TEST(a_time_leads_to_the_first_record_that_is_not_older)
{
    struct replica *replica = rig_open(&rig, 0, 4);
    int64_t times[] = {1000, 3000, 2000, 5000};
    struct replica_lookup lookup = rig_lookup(&rig, replica, 0);

    ck_assert_int_eq(lookup.error, KAFKA_NONE);
    ck_assert_int_eq(lookup.offset, -1);
    rig.config.segment_bytes = 150; /* for later opens; here all in one */
    for (int i = 0; i < 4; i++)
        put_at(replica, times[i]);
    lookup = rig_lookup(&rig, replica, 2000);
    ck_assert_int_eq(lookup.offset, 2);
    ck_assert_int_eq(lookup.found_timestamp, 3000);
    ck_assert_int_eq(lookup.epoch, 4);
    lookup = rig_lookup(&rig, replica, 5001);
    ck_assert_int_eq(lookup.offset, -1);
    ck_assert_int_eq(lookup.found_timestamp, -1);
    lookup = rig_lookup(&rig, replica, -3);
    ck_assert_int_eq(lookup.offset, 6);
    ck_assert_int_eq(lookup.found_timestamp, 5000);
    ck_assert_int_eq(rig_trim(&rig, replica, 3).error, KAFKA_NONE);
    lookup = rig_lookup(&rig, replica, 1);
    ck_assert_int_eq(lookup.offset, 3);
}
END_TEST

START_TEST(times_are_found_over_segments_and_after_a_restart)
{
    struct replica *replica = NULL;

    rig.config.segment_bytes = 250;
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 10; i++)
        put_at(replica, 1000 * (i + 1));
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        ck_assert_int_eq(rig_lookup(&rig, replica, 6500).offset, 12);
        ck_assert_int_eq(rig_lookup(&rig, replica, -3).offset, 18);
        rig_stop(&rig, (enum rig_end)end);
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, 1 + end);
    }
}
END_TEST

START_TEST(delete_records_moves_the_log_start_for_good_and_removes_what_lies_below)
{
    struct replica *replica = NULL;
    char path[128];

    rig.config.segment_bytes = 250;
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 6; i++)
        rig_put(&rig, replica, 2);
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, path), 0);
    ck_assert_int_eq(rig_trim(&rig, replica, 13).error, KAFKA_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(rig_trim(&rig, replica, 5).log_start, 5);
    ck_assert_int_eq(rig_trim(&rig, replica, 2).log_start, 5);
    ck_assert_int_eq(rig_read(&rig, replica, 4, 1).error, KAFKA_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(rig_read_all(&rig, replica, 6, 6), 6);
    sim_executor_run_for(rig.executor, 1000000);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), -1);
    ck_assert_int_eq(rig_trim(&rig, replica, -1).log_start, 12);
    rig_stop(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 12);
    ck_assert_int_eq(replica_snapshot(replica)->high_watermark, 12);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 12);
}
END_TEST

START_TEST(retention_by_bytes_and_by_time_drops_whole_segments)
{
    struct replica *replica = NULL;

    rig.config.segment_bytes = 250;
    rig.config.retention_bytes = 600;
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 20; i++)
        rig_put(&rig, replica, 2);
    sim_executor_run_for(rig.executor, 61000000);
    ck_assert_int_gt(replica_snapshot(replica)->log_start, 0);
    ck_assert_int_ge(replica_snapshot(replica)->size_bytes, 600);
    ck_assert_int_lt(replica_snapshot(replica)->size_bytes, 600 + 2 * 250);
}
END_TEST

static void set_retention(void *context)
{
    rig.config.retention_ms = 60000;
    replica_set_config(context, &rig.config);
}

START_TEST(retention_by_time_empties_even_the_newest_segment)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 2);
    rig_call(&rig, set_retention, replica);
    sim_executor_run_for(rig.executor, 200000000);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 2);
    ck_assert_int_eq(replica_snapshot(replica)->size_bytes, 0);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 2);
    ck_assert_int_eq(rig_read_all(&rig, replica, 2, 2), 1);
}
END_TEST

START_TEST(epochs_know_where_they_end)
{
    struct replica *replica = rig_open(&rig, 0, 2);
    leader_epoch epoch = 0;
    log_offset end = 0;

    rig_put(&rig, replica, 3);
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 6);
    rig_put(&rig, replica, 4);
    replica_epoch_end(replica, 2, &epoch, &end);
    ck_assert_int_eq(epoch, 2);
    ck_assert_int_eq(end, 3);
    replica_epoch_end(replica, 4, &epoch, &end);
    ck_assert_int_eq(epoch, 2);
    ck_assert_int_eq(end, 3);
    replica_epoch_end(replica, 6, &epoch, &end);
    ck_assert_int_eq(epoch, 6);
    ck_assert_int_eq(end, 7);
    replica_epoch_end(replica, 7, &epoch, &end);
    ck_assert_int_eq(epoch, -1);
    ck_assert_int_eq(end, -1);
    /* Older than all: it ended where the oldest begins. */
    replica_epoch_end(replica, 1, &epoch, &end);
    ck_assert_int_eq(epoch, 1);
    ck_assert_int_eq(end, 0);
    replica_epoch_end(replica, -1, &epoch, &end);
    ck_assert_int_eq(epoch, -1);
    ck_assert_int_eq(end, -1);
}
END_TEST

struct waiting {
    struct replica_waiter waiter;
    int woken;
    int cancelled;
};

static void on_wake(struct replica_waiter *waiter)
{
    struct waiting *waiting = container_of(waiter, struct waiting, waiter);

    ck_assert_int_eq(waiting->cancelled, 0);
    waiting->woken++;
}

static void on_cancelled(struct replica_waiter *waiter)
{
    container_of(waiter, struct waiting, waiter)->cancelled++;
}

static void begin_wait(void *context)
{
    replica_wait(context);
}

static void cancel_wait(void *context)
{
    replica_wait_cancel(context, on_cancelled);
}

static struct waiting waiting_at(struct replica *replica, log_offset offset)
{
    return (struct waiting){.waiter = {
                                .replica = replica,
                                .home = sim_executor_loop(rig.executor, 0),
                                .offset = offset,
                                .wake = on_wake,
                            }};
}

START_TEST(a_waiter_is_woken_once_when_the_high_watermark_passes)
{
    struct replica *replica = rig_open(&rig, 1, 0);
    struct waiting now, later, never;

    rig_put(&rig, replica, 1);
    now = waiting_at(replica, 0);
    later = waiting_at(replica, 1);
    never = waiting_at(replica, 5);
    rig_call(&rig, begin_wait, &now.waiter);
    rig_call(&rig, begin_wait, &later.waiter);
    rig_call(&rig, begin_wait, &never.waiter);
    ck_assert_int_eq(now.woken, 1);
    ck_assert_int_eq(later.woken, 0);
    rig_put(&rig, replica, 1);
    ck_assert_int_eq(later.woken, 1);
    ck_assert_int_eq(never.woken, 0);
    rig_call(&rig, cancel_wait, &never.waiter);
    ck_assert_int_eq(never.woken, 0);
    ck_assert_int_eq(never.cancelled, 1);
    rig_put(&rig, replica, 9);
    ck_assert_int_eq(never.woken, 0);
}
END_TEST

struct removing {
    struct replica *replica;
    int done;
    enum err err;
};

static void on_removed(void *context, enum err err)
{
    struct removing *removing = context;

    removing->done++;
    removing->err = err;
}

static void remove_replica(void *context)
{
    struct removing *removing = context;

    replica_remove(removing->replica, sim_executor_loop(rig.executor, 0), on_removed, removing);
}

START_TEST(a_removed_partition_leaves_nothing_on_disk_and_answers_who_still_holds_it)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct removing removing = {replica, 0, ERR_INTERNAL};
    struct waiting waiting = waiting_at(replica, 9);
    struct sim_batch batch = rig_batch(&rig, 1);
    char path[128];

    rig_put(&rig, replica, 1);
    replica_ref(replica);
    rig_call(&rig, begin_wait, &waiting.waiter);
    rig_call(&rig, remove_replica, &removing);
    ck_assert_int_eq(removing.done, 1);
    ck_assert_int_eq(removing.err, ERR_OK);
    ck_assert_int_eq(waiting.woken, 1);
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), -1);
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(rig_read(&rig, replica, 0, 9).error, KAFKA_NOT_LEADER_OR_FOLLOWER);
    replica_unref(replica);
    rig_stop(&rig, RIG_POWER_CUT);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert_int_eq(rig.report.partitions, 0);
}
END_TEST

START_TEST(the_append_time_is_written_and_answered)
{
    struct replica *replica = NULL;
    struct sim_batch batch = rig_batch(&rig, 2);
    struct replica_append append;
    struct replica_lookup lookup;

    rig.config.is_log_append_time = true;
    replica = rig_open(&rig, 0, 0);
    batch.timestamp_ms = 5;
    append = rig_append(&rig, replica, &batch);
    ck_assert_int_eq(append.error, KAFKA_NONE);
    ck_assert_int_ge(append.log_append_time_ms, rig.wall_ms);
    lookup = rig_lookup(&rig, replica, rig.wall_ms);
    ck_assert_int_eq(lookup.offset, 0);
    ck_assert_int_eq(lookup.found_timestamp, append.log_append_time_ms);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 2);
}
END_TEST

START_TEST(with_a_codec_of_the_topic_batches_are_stored_in_it)
{
    for (int codec = 1; codec <= 4; codec++) {
        struct replica *replica = NULL;
        struct sim_batch batch = rig_batch(&rig, 50);
        struct replica_append append;
        struct replica_read read;

        rig.config.compression = codec;
        replica = rig_open(&rig, codec, 0);
        batch.padding = 100;
        append = rig_append(&rig, replica, &batch);
        ck_assert_int_eq(append.error, KAFKA_NONE);
        ck_assert_int_eq(append.last_offset, 49);
        read = rig_read(&rig, replica, 0, 1 << 20);
        ck_assert_int_eq(read.records[22] & 7, codec);
        /* What one codec wrote another partition takes and stores plainly. */
        rig.config.compression = 0;
        replica = rig_open(&rig, 10 + codec, 0);
        {
            struct buffer bytes;

            buffer_init(&bytes, 1 << 20);
            ck_assert_int_eq(buffer_append(&bytes, read.records, read.records_len), ERR_OK);
            append = rig_append_bytes(&rig, replica, &bytes);
            buffer_done(&bytes);
        }
        replica_read_done(&read);
        ck_assert_int_eq(append.error, KAFKA_NONE);
        ck_assert_int_eq(rig_read_all(&rig, replica, 0, batch.first_number), 50);
    }
}
END_TEST

#define MANY 200

struct many {
    struct replica *replica;
    struct replica_append appends[MANY];
    struct buffer bytes[MANY];
    int answered;
};

static struct many many;

static void on_one_of_many(struct replica_append *append)
{
    /* Nothing overtakes: answers come in the order of the log, which is the order of arrival. */
    ck_assert_ptr_eq(append, &many.appends[many.answered]);
    ck_assert_int_eq(append->error, KAFKA_NONE);
    ck_assert_int_eq(append->base_offset, many.answered);
    many.answered++;
}

static void submit_many(void *context)
{
    (void)context;
    for (int i = 0; i < MANY; i++) {
        many.appends[i] = (struct replica_append){
            .replica = many.replica,
            .records = many.bytes[i].data,
            .records_len = many.bytes[i].len,
            .acks = -1,
            .produce_version = 9,
            .home = sim_executor_loop(rig.executor, 0),
            .done = on_one_of_many,
        };
        replica_append_submit(&many.appends[i]);
    }
}

START_TEST(what_finds_no_room_in_memory_waits_its_turn)
{
    many = (struct many){.replica = rig_open(&rig, 0, 0)};
    for (int i = 0; i < MANY; i++) {
        struct sim_batch batch = rig_batch(&rig, 1);

        batch.padding = 100000; /* 20 MB in all; 4 MB may be on its way */
        buffer_init(&many.bytes[i], 1 << 20);
        sim_batch_write(&batch, &many.bytes[i]);
    }
    rig_call(&rig, submit_many, NULL);
    ck_assert_int_eq(many.answered, MANY);
    ck_assert_int_eq(rig_read_all(&rig, many.replica, 0, 0), MANY);
    for (int i = 0; i < MANY; i++)
        buffer_done(&many.bytes[i]);
}
END_TEST

START_TEST(internal_topics_take_nothing_from_clients)
{
    struct replica *replica = NULL;
    struct sim_batch batch = rig_batch(&rig, 1);

    rig.config.is_internal = true;
    replica = rig_open(&rig, 0, 0);
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_INVALID_TOPIC_EXCEPTION);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/replica");
    TCase *tc = tcase_create("replica");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_appended_is_read_back_with_offsets_and_the_leader_epoch);
    tcase_add_test(tc, a_read_in_the_middle_of_a_batch_gives_the_whole_batch);
    tcase_add_test(tc, reads_outside_the_log_are_out_of_range_and_at_its_end_empty);
    tcase_add_test(tc, who_does_not_lead_refuses);
    tcase_add_test(
        tc, nothing_is_on_disk_before_the_first_write_and_nothing_is_open_after_a_read_of_nothing);
    tcase_add_test(tc, an_idempotent_batch_sent_again_gets_its_first_offset_even_after_a_restart);
    tcase_add_test(tc, an_older_producer_epoch_is_fenced_and_a_newer_one_starts_at_zero);
    tcase_add_test(tc, a_time_leads_to_the_first_record_that_is_not_older);
    tcase_add_test(tc, times_are_found_over_segments_and_after_a_restart);
    tcase_add_test(tc, delete_records_moves_the_log_start_for_good_and_removes_what_lies_below);
    tcase_add_test(tc, retention_by_bytes_and_by_time_drops_whole_segments);
    tcase_add_test(tc, retention_by_time_empties_even_the_newest_segment);
    tcase_add_test(tc, epochs_know_where_they_end);
    tcase_add_test(tc, a_waiter_is_woken_once_when_the_high_watermark_passes);
    tcase_add_test(tc, a_removed_partition_leaves_nothing_on_disk_and_answers_who_still_holds_it);
    tcase_add_test(tc, the_append_time_is_written_and_answered);
    tcase_add_test(tc, with_a_codec_of_the_topic_batches_are_stored_in_it);
    tcase_add_test(tc, what_finds_no_room_in_memory_waits_its_turn);
    tcase_add_test(tc, internal_topics_take_nothing_from_clients);
    suite_add_tcase(suite, tc);
    return suite;
}
