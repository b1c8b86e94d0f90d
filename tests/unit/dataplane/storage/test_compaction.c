/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction of a log as its users see it (kafka-protocol reference, 6.3). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/record_batch.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US ((int64_t)1000000)
#define OFFSETS_MAX 2000
#define KEYS 7

static struct storage_rig rig;
static struct replica *replica;

/* What the log shows: numbers by offset, -1 where nothing is. */
static int64_t shown[OFFSETS_MAX];

static void start(void)
{
    struct error error;

    ck_assert_msg(rig_start(&rig, &error) == ERR_OK, "%s", error.message);
    replica = rig_open(&rig, 0, 1);
    ck_assert_ptr_nonnull(replica);
}

static void setup(void)
{
    rig_init(&rig, 1);
    rig.config.segment_bytes = 1000;
    rig.config.cleanup_policy = CLEANUP_COMPACT;
    start();
}

static void teardown(void)
{
    rig_done(&rig);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    start();
}

static void pass_seconds(int64_t seconds)
{
    sim_executor_run_for(rig.executor, seconds * SECOND_US);
}

static log_offset put_batch(struct sim_batch batch)
{
    struct replica_append result = rig_append(&rig, replica, &batch);

    ck_assert_int_eq(result.error, KAFKA_NONE);
    return result.base_offset;
}

/* Batches of five records; numbers are offsets as long as nothing else is put. */
static void put(int batches, int32_t keys)
{
    for (int i = 0; i < batches; i++) {
        struct sim_batch batch = rig_batch(&rig, 5);

        batch.key_count = keys;
        batch.timestamp_ms = clock_wall_ms(sim_executor_clock(rig.executor));
        (void)put_batch(batch);
    }
}

static void set_config(void *context)
{
    (void)context;
    replica_set_config(replica, &rig.config);
}

static log_offset end_of_log(void)
{
    return replica_snapshot(replica)->high_watermark;
}

static void set_policy(unsigned policy)
{
    rig.config.cleanup_policy = policy;
    rig_call(&rig, set_config, NULL);
}

struct walk {
    log_offset from;
    log_offset last;
};

static void on_record(void *context, int64_t offset, int64_t number)
{
    struct walk *walk = context;

    ck_assert_int_gt(offset, walk->last);
    ck_assert_int_lt(offset, OFFSETS_MAX);
    walk->last = offset;
    shown[offset] = number;
}

/* Where the batches end; there are no gap batches among several. */
static log_offset end_of(const struct replica_read *read)
{
    struct slice rest = slice_of(read->records, read->records_len);
    log_offset end = -1;

    while (rest.len > 0) {
        struct record_batch batch;

        ck_assert_int_eq(record_batch_parse(rest, &batch), ERR_OK);
        ck_assert(!record_batch_is_gap(&batch) || (size_t)batch.size_bytes == read->records_len);
        ck_assert_int_gt(record_batch_next_offset(&batch), end);
        end = record_batch_next_offset(&batch);
        rest = slice_of(rest.data + batch.size_bytes, rest.len - (size_t)batch.size_bytes);
    }
    return end;
}

/* From the log start to its end, into `shown`; every answer leads further. */
static void look(size_t max_bytes)
{
    log_offset at = replica_snapshot(replica)->log_start;

    memset(shown, -1, sizeof(shown));
    while (at < end_of_log()) {
        struct replica_read read = rig_read(&rig, replica, at, max_bytes);
        struct walk walk = {at, -1};

        ck_assert_int_eq(read.error, KAFKA_NONE);
        sim_records_read(slice_of(read.records, read.records_len), on_record, &walk);
        ck_assert_int_gt(end_of(&read), at);
        at = end_of(&read);
        replica_read_done(&read);
    }
    ck_assert_int_eq(at, end_of_log());
}

static int64_t count_shown(log_offset from, log_offset to)
{
    int64_t count = 0;

    for (log_offset i = from; i < to; i++)
        count += shown[i] >= 0;
    return count;
}

/* Each key's newest record is there, and where the log is cleaned nothing else. */
static void check_newest(int32_t keys, log_offset cleaned_end)
{
    log_offset end = end_of_log();

    for (log_offset i = 0; i < end; i++) {
        bool is_newest = i + keys >= end;

        if (shown[i] >= 0)
            ck_assert_int_eq(shown[i], i);
        if (is_newest)
            ck_assert_int_eq(shown[i], i);
        else if (i + keys < cleaned_end)
            ck_assert_int_eq(shown[i], -1);
    }
}

static const char *path_of(log_offset base, const char *suffix)
{
    static char path[128];

    rig_path(&rig, 0, base, suffix, path);
    return path;
}

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

    put(40, KEYS);
    size = replica_snapshot(replica)->size_bytes;
    pass_seconds(20);
    ck_assert_int_lt(replica_snapshot(replica)->size_bytes, size / 2);
    ck_assert_int_eq(end_of_log(), 200);
    rig_stop(&rig, RIG_CLEAN); /* the tail in memory has it all, still */
    start();
    look(1 << 20);
    check_newest(KEYS, 180);
    ck_assert_int_lt(count_shown(0, 200), 40);
    look(1);
    check_newest(KEYS, 180);
}
END_TEST

static const enum rig_end ends[] = {RIG_POWER_CUT, RIG_KILL, RIG_CLEAN};

START_TEST(what_was_compacted_is_there_again_after_a_start)
{
    put(40, KEYS);
    pass_seconds(20);
    for (int i = 0; i < 3; i++) {
        restart(ends[_i]);
        ck_assert_int_eq(end_of_log(), 200 + 5 * i);
        look(100);
        check_newest(KEYS, 180);
        put(1, KEYS);
    }
}
END_TEST

START_TEST(compaction_goes_on_with_what_is_new_and_puts_small_segments_together)
{
    for (int i = 0; i < 10; i++) {
        put(20, KEYS);
        pass_seconds(10);
    }
    restart(RIG_KILL);
    look(1 << 20);
    check_newest(KEYS, 980);
    /* Two hundred batches in segments of about three each. */
    ck_assert_int_le(count_segments(), 4);
    ck_assert_int_lt(replica_snapshot(replica)->size_bytes, 2500);
}
END_TEST

START_TEST(every_offset_of_a_compacted_log_leads_to_the_next_batch)
{
    put(40, KEYS);
    pass_seconds(20);
    restart(RIG_KILL);
    for (log_offset at = 0; at < end_of_log(); at++) {
        struct replica_read read = rig_read(&rig, replica, at, 1);
        struct walk walk = {at, -1};

        ck_assert_int_eq(read.error, KAFKA_NONE);
        sim_records_read(slice_of(read.records, read.records_len), on_record, &walk);
        ck_assert_int_ge(walk.last, at);
        replica_read_done(&read);
    }
}
END_TEST

START_TEST(the_newest_segment_is_never_compacted)
{
    rig.config.segment_bytes = 1 << 20;
    rig_call(&rig, set_config, NULL);
    put(40, KEYS);
    pass_seconds(60);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 200), 200);
}
END_TEST

START_TEST(only_what_was_asked_for_is_compacted)
{
    set_policy(CLEANUP_DELETE);
    put(40, KEYS);
    pass_seconds(60);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 200), 200);
    /* Another policy later: from the beginning. */
    set_policy(CLEANUP_COMPACT);
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    check_newest(KEYS, 180);
}
END_TEST

/* --- when --- */

START_TEST(a_log_is_compacted_when_enough_of_it_is_dirty)
{
    rig.config.min_cleanable_dirty_thousandths = 500;
    rig_call(&rig, set_config, NULL);
    put(40, 50);
    pass_seconds(20);
    look(1 << 20);
    put(5, 50);
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    /* Fifty records are clean; there is not as much again. */
    ck_assert_int_gt(count_shown(0, 225), 60);
    put(20, 50);
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    check_newest(50, 290);
}
END_TEST

START_TEST(young_records_stay_for_min_compaction_lag)
{
    rig.config.min_compaction_lag_ms = 3600000;
    rig_call(&rig, set_config, NULL);
    put(40, KEYS);
    pass_seconds(3500);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 200), 200);
    pass_seconds(200);
    restart(RIG_KILL);
    look(1 << 20);
    check_newest(KEYS, 180);
}
END_TEST

START_TEST(old_records_are_compacted_after_max_compaction_lag_even_when_nothing_is_appended)
{
    rig.config.segment_bytes = 1 << 20;
    rig.config.min_cleanable_dirty_thousandths = 1000;
    rig.config.max_compaction_lag_ms = 3600000;
    rig_call(&rig, set_config, NULL);
    put(1, 1);
    pass_seconds(3000);
    put(10, KEYS);
    restart(RIG_CLEAN);
    pass_seconds(500);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 55), 55);
    pass_seconds(3700);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(end_of_log(), 55);
    for (log_offset i = 0; i < 48; i++)
        ck_assert_int_eq(shown[i], i == 0 ? -1 : shown[i]);
    ck_assert_int_le(count_shown(5, 55), KEYS);
    put(1, KEYS);
    ck_assert_int_eq(end_of_log(), 60);
}
END_TEST

START_TEST(more_keys_than_the_map_holds_take_more_passes)
{
    restart(RIG_CLEAN);
    rig.cleaner_map_bytes = 1; /* the least: some ten keys */
    restart(RIG_CLEAN);
    put(60, 40);
    pass_seconds(600);
    restart(RIG_KILL);
    look(1 << 20);
    check_newest(40, 280);
}
END_TEST

/* --- tombstones, time, retention --- */

START_TEST(tombstones_are_seen_for_delete_retention_and_then_go)
{
    struct sim_batch batch = rig_batch(&rig, 5);

    batch.key_count = 5;
    batch.tombstone_every = 1;
    rig.config.delete_retention_ms = 3600000;
    rig_call(&rig, set_config, NULL);
    (void)put_batch(batch); /* offsets 0 to 4, keys 0 to 4 */
    rig.next_number = 1000005;
    batch = rig_batch(&rig, 5);
    batch.key_count = 2000000; /* other keys */
    for (int i = 0; i < 20; i++)
        (void)put_batch(batch);
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 5), 5);
    pass_seconds(3500);
    for (int i = 0; i < 20; i++)
        (void)put_batch(batch);
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 5), 5);
    pass_seconds(100);
    for (int i = 0; i < 20; i++)
        (void)put_batch(batch);
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 5), 0);
}
END_TEST

START_TEST(lookups_by_time_find_what_is_left)
{
    int64_t put_ms[40];
    struct replica_lookup lookup;

    for (int i = 0; i < 40; i++) {
        pass_seconds(1);
        put_ms[i] = clock_wall_ms(sim_executor_clock(rig.executor));
        put(1, KEYS);
    }
    pass_seconds(20);
    restart(RIG_KILL);
    look(1 << 20);
    for (int i = 0; i < 40; i++) {
        log_offset expected = 5 * i;

        while (shown[expected] < 0)
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
    rig_call(&rig, set_config, NULL);
    put(40, KEYS);
    pass_seconds(20);
    look(1 << 20);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 0);
    pass_seconds(3700);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 200);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 200);
    put(40, KEYS);
    pass_seconds(20);
    restart(RIG_POWER_CUT);
    look(1 << 20);
    check_newest(KEYS, 380);
}
END_TEST

/* --- the end of a log, producers --- */

START_TEST(a_log_that_ends_in_a_gap_is_read_to_its_end_and_goes_on_there)
{
    struct replica_read read;

    put(10, KEYS);
    set_policy(CLEANUP_DELETE);
    put(30, 0); /* without keys: compaction keeps none of them */
    rig.config.cleanup_policy = CLEANUP_COMPACT;
    rig.config.max_compaction_lag_ms = 1000;
    rig_call(&rig, set_config, NULL);
    pass_seconds(20);
    for (int i = 0; i < 3; i++) {
        restart(ends[i]);
        ck_assert_int_eq(end_of_log(), 200);
        look(1);
        ck_assert_int_eq(count_shown(50, 200), 0);
        read = rig_read(&rig, replica, 77, 1);
        ck_assert_uint_eq(read.records_len, RECORD_BATCH_HEADER_BYTES);
        ck_assert_int_eq(end_of(&read), 200);
        replica_read_done(&read);
    }
    put(1, KEYS);
    ck_assert_int_eq(end_of_log(), 205);
    look(1);
    ck_assert_int_eq(count_shown(50, 205), 5);
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
    put(40, KEYS);
    pass_seconds(20);
    rig_stop(&rig, RIG_KILL);
    for (log_offset at = 0; at <= 250; at++)
        (void)rig.disk->ops->remove(rig.disk, path_of(at, ".producers"));
    start();
    look(1);
    ck_assert_int_eq(count_shown(0, 200), 0);
    ck_assert_int_eq(put_sequence(40), KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    ck_assert_int_eq(put_sequence(45), KAFKA_NONE); /* a repetition */
    ck_assert_int_eq(end_of_log(), 250);
    ck_assert_int_eq(put_sequence(50), KAFKA_NONE);
    ck_assert_int_eq(end_of_log(), 255);
}
END_TEST

/* --- what comes between --- */

static void write_bytes(const char *path, void *bytes, size_t len)
{
    struct file *file = NULL;
    struct iovec iov = {bytes, len};

    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, DISK_CREATE, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    ck_assert_int_eq(file->ops->sync(file), ERR_OK);
    file->ops->close(file);
}

static void write_file(const char *path)
{
    char bytes[] = "left over";

    write_bytes(path, bytes, sizeof(bytes));
}

START_TEST(files_that_no_fact_names_are_removed_at_a_start)
{
    put(40, KEYS);
    pass_seconds(20);
    rig_stop(&rig, RIG_KILL);
    write_file(path_of(0, ".log"));    /* replaced */
    write_file(path_of(0, ".index"));  /* its index */
    write_file(path_of(10, ".log"));   /* inside what replaced it */
    write_file(path_of(0, ".99.log")); /* written, and not exchanged */
    write_file(path_of(0, ".99.index"));
    write_file(path_of(150, ".2.index"));
    start();
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".index")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(10, ".log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".99.log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".99.index")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(150, ".2.index")), -1);
    look(1 << 20);
    check_newest(KEYS, 180);
}
END_TEST

START_TEST(old_files_may_come_back_when_all_of_the_log_was_trimmed)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    rig.config.segment_bytes = 1 << 20;
    rig.config.max_compaction_lag_ms = 12000;
    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    set_policy(CLEANUP_COMPACT);
    put(40, KEYS);
    ck_assert_int_eq(disk_read_file(rig.disk, path_of(0, ".log"), 1 << 20, &bytes, &len), ERR_OK);
    pass_seconds(20);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, path_of(0, ".1.log")), 0);
    ck_assert_int_eq(rig_trim(&rig, replica, -1).error, KAFKA_NONE);
    rig_stop(&rig, RIG_POWER_CUT);
    write_bytes(path_of(0, ".log"), bytes, len); /* its removal was not durable */
    free(bytes);
    start();
    ck_assert_int_eq(end_of_log(), 200);
    put(1, KEYS);
    restart(RIG_KILL);
    look(1);
    ck_assert_int_eq(count_shown(200, 205), 5);
}
END_TEST

static bool has_new_file(void *context)
{
    (void)context;
    return sim_disk_file_size(rig.disk, path_of(0, ".1.log")) > 0;
}

/* A pass is in the middle: the file is there, the exchange is not made. */
static void put_and_begin(void)
{
    set_policy(CLEANUP_DELETE);
    put(40, KEYS);
    set_policy(CLEANUP_COMPACT);
    ck_assert(sim_executor_run_until(rig.executor, has_new_file, NULL, 100000));
}

static bool is_first_gone(void *context)
{
    (void)context;
    return sim_disk_file_size(rig.disk, path_of(0, ".log")) < 0;
}

START_TEST(cleaning_is_paced_and_gives_room_back_as_it_goes)
{
    int64_t began_us = 0;

    rig.config.segment_bytes = 1 << 20;
    rig.cleaner_bytes_per_second = 1 << 20;
    restart(RIG_CLEAN);
    set_policy(CLEANUP_DELETE);
    for (int i = 0; i < 20; i++) {
        struct sim_batch batch = rig_batch(&rig, 5); /* half a segment */

        batch.key_count = OFFSETS_MAX; /* all of it stays */
        batch.padding = 100000;
        (void)put_batch(batch);
    }
    set_policy(CLEANUP_COMPACT);
    began_us = clock_monotonic_us(sim_executor_clock(rig.executor));
    ck_assert(sim_executor_run_until(rig.executor, is_first_gone, NULL, 100000));
    ck_assert_int_gt(sim_disk_file_size(rig.disk, path_of(80, ".log")), 0);
    /* Some nine mebibytes of keys. */
    ck_assert_int_gt(clock_monotonic_us(sim_executor_clock(rig.executor)) - began_us,
                     8 * SECOND_US);
    pass_seconds(20);
    ck_assert_int_lt(sim_disk_file_size(rig.disk, path_of(80, ".log")), 0);
    restart(RIG_KILL);
    look(1 << 20);
    ck_assert_int_eq(count_shown(0, 100), 100);
}
END_TEST

START_TEST(a_trim_that_comes_between_makes_the_cleaner_give_up_and_begin_again)
{
    struct replica_trim trim;

    put_and_begin();
    trim = rig_trim(&rig, replica, 30);
    ck_assert_int_eq(trim.error, KAFKA_NONE);
    pass_seconds(20);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 30);
    look(1 << 20);
    check_newest(KEYS, 180);
}
END_TEST

static void note_removed(void *context, enum err err)
{
    ck_assert_int_eq(err, ERR_OK);
    *(bool *)context = true;
}

static void remove_replica(void *context)
{
    replica_remove(replica, sim_executor_loop(rig.executor, 0), note_removed, context);
}

START_TEST(a_topic_that_is_deleted_in_the_middle_of_a_pass_is_gone)
{
    bool is_removed = false;

    put_and_begin();
    rig_call(&rig, remove_replica, &is_removed);
    pass_seconds(20);
    ck_assert(is_removed);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".log")), -1);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".1.log")), -1);
    rig_stop(&rig, RIG_CLEAN);
    start();
    ck_assert_int_eq(end_of_log(), 0);
}
END_TEST

START_TEST(a_broker_that_stops_in_the_middle_of_a_pass_loses_nothing)
{
    put_and_begin();
    restart(RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    look(1 << 20);
    check_newest(KEYS, 0);
    pass_seconds(20);
    restart(RIG_POWER_CUT);
    look(1 << 20);
    check_newest(KEYS, 180);
}
END_TEST

START_TEST(a_full_disk_puts_compaction_off)
{
    struct sim_disk_faults faults = {0};

    set_policy(CLEANUP_DELETE);
    put(40, KEYS);
    faults.capacity_bytes = sim_disk_used_bytes(rig.disk) + 10;
    sim_disk_set_faults(rig.disk, &faults);
    set_policy(CLEANUP_COMPACT);
    pass_seconds(20);
    ck_assert(!has_new_file(NULL));
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    pass_seconds(60);
    restart(RIG_POWER_CUT);
    look(1 << 20);
    check_newest(KEYS, 180);
}
END_TEST

START_TEST(damage_stops_the_compaction_of_that_partition_only)
{
    struct replica *other = NULL;
    struct replica *damaged = replica;
    int64_t damaged_bytes = 0;

    set_policy(CLEANUP_DELETE);
    put(40, KEYS);
    other = rig_open(&rig, 1, 1);
    replica = other;
    put(40, KEYS);
    ck_assert(sim_disk_flip_bit(rig.disk, path_of(0, ".log"), 300, 3));
    damaged_bytes = replica_snapshot(damaged)->size_bytes;
    set_policy(CLEANUP_COMPACT);
    replica = damaged;
    set_policy(CLEANUP_COMPACT);
    pass_seconds(30);
    ck_assert_int_eq(replica_snapshot(damaged)->size_bytes, damaged_bytes);
    ck_assert_int_lt(replica_snapshot(other)->size_bytes, damaged_bytes / 2);
    /* Nothing of it went. */
    ck_assert_int_gt(sim_disk_file_size(rig.disk, path_of(0, ".log")), 0);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path_of(0, ".1.log")), -1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/compaction");
    TCase *tc = tcase_create("compaction");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
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
    tcase_add_test(tc, files_that_no_fact_names_are_removed_at_a_start);
    tcase_add_test(tc, old_files_may_come_back_when_all_of_the_log_was_trimmed);
    tcase_add_test(tc, cleaning_is_paced_and_gives_room_back_as_it_goes);
    tcase_add_test(tc, a_trim_that_comes_between_makes_the_cleaner_give_up_and_begin_again);
    tcase_add_test(tc, a_topic_that_is_deleted_in_the_middle_of_a_pass_is_gone);
    tcase_add_test(tc, a_broker_that_stops_in_the_middle_of_a_pass_loses_nothing);
    tcase_add_test(tc, a_full_disk_puts_compaction_off);
    tcase_add_test(tc, damage_stops_the_compaction_of_that_partition_only);
    suite_add_tcase(suite, tc);
    return suite;
}
