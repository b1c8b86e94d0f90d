/* SPDX-License-Identifier: Apache-2.0 */
/* The write-ahead log as a data directory uses it. */
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/storage/storage_metrics.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define FILE_BYTES 8192
#define PARTITIONS 20
#define SECOND_US ((int64_t)1000 * 1000)

static struct storage_rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig.wal_file_bytes = FILE_BYTES;
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

static void teardown(void)
{
    rig_done(&rig);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

/* --- who is synced when --- */

struct many_appends {
    struct replica_append appends[PARTITIONS];
    struct buffer bytes[PARTITIONS];
    int done;
};

static struct many_appends many;

static void on_one_of_many(struct replica_append *append)
{
    ck_assert_int_eq(append->error, KAFKA_NONE);
    many.done++;
}

static void submit_many(void *context)
{
    (void)context;
    for (int i = 0; i < PARTITIONS; i++)
        replica_append_submit(&many.appends[i]);
}

static void append_to_all(struct replica *replicas[PARTITIONS])
{
    many.done = 0;
    for (int i = 0; i < PARTITIONS; i++) {
        struct sim_batch batch = rig_batch(&rig, 1);

        buffer_init(&many.bytes[i], 1 << 16);
        sim_batch_write(&batch, &many.bytes[i]);
        many.appends[i] = (struct replica_append){
            .replica = replicas[i],
            .records = many.bytes[i].data,
            .records_len = many.bytes[i].len,
            .acks = -1,
            .produce_version = 9,
            .home = sim_executor_loop(rig.executor, 0),
            .done = on_one_of_many,
        };
    }
    rig_call(&rig, submit_many, NULL);
    ck_assert_int_eq(many.done, PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        buffer_done(&many.bytes[i]);
}

START_TEST(small_appends_of_many_partitions_cost_one_sync)
{
    struct replica *replicas[PARTITIONS];
    int64_t syncs = 0;

    rig.wal_file_bytes = 1 << 20;
    restart(RIG_CLEAN);
    for (int i = 0; i < PARTITIONS; i++) {
        replicas[i] = rig_open(&rig, i, 0);
        rig_put(&rig, replicas[i], 1);
    }
    syncs = sim_disk_sync_count(rig.disk);
    append_to_all(replicas);
    ck_assert_int_eq(sim_disk_sync_count(rig.disk) - syncs, 1);
    restart(RIG_POWER_CUT);
    for (int i = 0; i < PARTITIONS; i++)
        ck_assert_int_eq(replica_snapshot(rig_open(&rig, i, 1))->high_watermark, 2);
}
END_TEST

START_TEST(a_large_append_goes_straight_to_its_segment)
{
    struct replica *replica = NULL;

    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 10; i++)
        rig_put(&rig, replica, 3);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 30);
}
END_TEST

/* So reads of old records give way to it, whichever way it takes. */
START_TEST(what_an_append_waits_for_is_done_in_a_hurry)
{
    for (int small = 0; small <= 1; small++) {
        struct replica *replica = NULL;
        int64_t unhurried = 0;
        int64_t syncs = 0;

        rig.small_bytes_max = small ? 1 << 16 : 1;
        restart(RIG_CLEAN);
        replica = rig_open(&rig, 0, small);
        rig_put(&rig, replica, 1);
        unhurried = sim_disk_unhurried_syncs(rig.disk);
        syncs = sim_disk_sync_count(rig.disk);
        rig_put(&rig, replica, 1);
        ck_assert_int_gt(sim_disk_sync_count(rig.disk), syncs);
        ck_assert_int_eq(sim_disk_unhurried_syncs(rig.disk), unhurried);
    }
}
END_TEST

START_TEST(what_only_the_write_ahead_log_had_survives_power_cut_after_power_cut)
{
    int64_t put = 0;

    for (int life = 0; life < 20; life++) {
        struct replica *replica = rig_open(&rig, 0, life);

        ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), put);
        for (int i = 0; i < 5; i++)
            put += rig_put(&rig, replica, 2) >= 0 ? 2 : 0;
        restart(RIG_POWER_CUT);
        ck_assert_int_gt(rig.report.replayed_bytes, 0);
    }
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 20), 0, 0), 200);
}
END_TEST

START_TEST(durable_is_a_prefix_whichever_way_its_parts_went)
{
    struct replica *replica = NULL;
    int64_t put = 0;

    rig.small_bytes_max = 150; /* one record is small, ten are not */
    restart(RIG_CLEAN);
    for (int life = 0; life < 10; life++) {
        replica = rig_open(&rig, 0, life);
        ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), put);
        for (int i = 0; i < 9; i++) {
            int32_t count = (i + life) % 3 == 0 ? 10 : 1;

            (void)rig_put(&rig, replica, count);
            put += count;
        }
        restart(RIG_POWER_CUT);
    }
}
END_TEST

/* --- files --- */

static int64_t wal_bytes(void)
{
    int64_t bytes = 0;

    for (int i = 0; i < 100; i++) {
        char path[32];
        int64_t size = 0;

        snprintf(path, sizeof(path), "wal/%d", i);
        size = sim_disk_file_size(rig.disk, path);
        bytes += size > 0 ? size : 0;
    }
    return bytes;
}

START_TEST(files_are_used_again_when_checkpoints_have_synced_what_they_hold)
{
    struct replica *replicas[3];
    int64_t put = 0;

    for (int i = 0; i < 3; i++)
        replicas[i] = rig_open(&rig, i, 0);
    for (int i = 0; i < 1000; i++) {
        (void)rig_put(&rig, replicas[i % 3], 1);
        put++;
    }
    /* Far more went through them. */
    ck_assert_int_gt(put * 150, FILE_BYTES * 10);
    ck_assert_int_le(wal_bytes(), FILE_BYTES * 4);
    restart(RIG_POWER_CUT);
    ck_assert_int_lt(rig.report.replayed_bytes, FILE_BYTES * 2);
    for (int i = 0; i < 3; i++)
        put -= replica_snapshot(rig_open(&rig, i, 1))->high_watermark;
    ck_assert_int_eq(put, 0);
}
END_TEST

START_TEST(what_larger_files_held_is_replayed_when_files_are_smaller_now)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 100; i++)
        rig_put(&rig, replica, 1);
    rig.wal_file_bytes = FILE_BYTES / 4;
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 100);
}
END_TEST

/* A checkpoint takes along a log of which nothing is left; what is appended before it comes back is noted. */
START_TEST(what_was_logged_during_the_checkpoint_of_an_empty_log_is_kept)
{
    for (int32_t life = 0; life < 8; life++) {
        struct replica *trimmed = rig_open(&rig, 0, life);
        struct replica *busy = rig_open(&rig, 1, life);
        log_offset end = replica_snapshot(trimmed)->high_watermark;

        ck_assert_int_eq(end, 2 * life);
        ck_assert_int_eq(rig_put(&rig, trimmed, 1), end++);
        ck_assert_int_eq(rig_trim(&rig, trimmed, end).error, KAFKA_NONE);
        sim_executor_stall(rig.executor, WORKER_SLOW, 20 * SECOND_US);
        sim_executor_run_for(rig.executor, 12 * SECOND_US); /* its turn came */
        ck_assert_int_eq(rig_put(&rig, trimmed, 1), end);
        sim_executor_run_for(rig.executor, 10 * SECOND_US);
        for (int i = 0; i < 300; i++) /* every file is used again */
            (void)rig_put(&rig, busy, 1);
        restart(RIG_POWER_CUT);
    }
}
END_TEST

START_TEST(a_segment_is_synced_within_twenty_seconds)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 5; i++)
        rig_put(&rig, replica, 1);
    sim_executor_run_for(rig.executor, 20 * 1000000);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig.report.recovered_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

START_TEST(nothing_is_replayed_after_a_clean_end)
{
    rig_put(&rig, rig_open(&rig, 0, 0), 5);
    restart(RIG_CLEAN);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

START_TEST(a_deleted_partition_is_not_replayed_into_being)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    char path[128];

    rig_put(&rig, replica, 5);
    rig_put(&rig, rig_open(&rig, 1, 0), 5);
    rig_remove(&rig, replica);
    restart(RIG_POWER_CUT);
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_lt(sim_disk_file_size(rig.disk, path), 0);
    ck_assert_int_eq(rig.report.partitions, 1);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 1, 1), 0, 5), 5);
}
END_TEST

START_TEST(what_was_trimmed_away_does_not_come_back)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 5);
    ck_assert_int_eq(rig_trim(&rig, replica, 5).error, KAFKA_NONE);
    rig_put(&rig, replica, 3);
    restart(RIG_POWER_CUT);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 5);
    ck_assert_int_eq(rig_read_all(&rig, replica, 5, 5), 3);
}
END_TEST

START_TEST(without_room_for_it_appends_go_straight_to_their_segments)
{
    struct replica *replica = NULL;

    rig.wal_file_bytes = 100; /* less than one entry */
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 5; i++)
        rig_put(&rig, replica, 1);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

/* --- growing ahead --- */

#define GROWING_FILE_BYTES (1 << 20)
#define GROWTH_STEP_BYTES (GROWING_FILE_BYTES / 256)

static void put_kilobyte(struct replica *replica)
{
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.padding = 1000;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
}

/* Of the first file, beyond what rounds have written. */
static int64_t bytes_ahead(void)
{
    struct storage_metrics sum = {.wal_bytes = {0}};

    log_directory_add_metrics(rig.directory, &sum);
    return sim_disk_file_size(rig.disk, "wal/0") - counter_read(&sum.wal_bytes);
}

START_TEST(a_file_grows_ahead_of_what_rounds_write_to_it)
{
    struct replica *replica = NULL;

    rig.wal_file_bytes = GROWING_FILE_BYTES;
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 300; i++) {
        put_kilobyte(replica);
        ck_assert_int_gt(bytes_ahead(), 12 * GROWTH_STEP_BYTES);
        ck_assert_int_le(bytes_ahead(), 18 * GROWTH_STEP_BYTES);
    }
}
END_TEST

START_TEST(what_finds_no_room_to_grow_ahead_fails_nothing)
{
    struct sim_disk_faults full = {0};
    struct sim_disk_faults roomy = {0};
    struct replica *replica = NULL;
    int64_t count = 2;

    rig.wal_file_bytes = GROWING_FILE_BYTES;
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    rig_put(&rig, replica, 1);
    full.capacity_bytes = sim_disk_used_bytes(rig.disk) + 3 * GROWTH_STEP_BYTES;
    sim_disk_set_faults(rig.disk, &full);
    for (; bytes_ahead() > 12 * GROWTH_STEP_BYTES; count++)
        rig_put(&rig, replica, 1);
    ck_assert(!log_directory_is_failed(rig.directory));
    sim_disk_set_faults(rig.disk, &roomy);
    rig_put(&rig, replica, 1);
    ck_assert_int_gt(bytes_ahead(), 12 * GROWTH_STEP_BYTES);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), count);
}
END_TEST

/* --- bits that flip --- */

enum { RECORDS = 12, VOUCHED = 10 };

static void write_log(void)
{
    struct replica *replica = NULL;

    rig_init(&rig, 1);
    rig.wal_file_bytes = FILE_BYTES / 2;
    rig.config.segment_bytes = 400;
    rig.small_bytes_max = 200;
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < RECORDS; i += 2)
        rig_put(&rig, replica, 2);
}

/* Everything there, or said to be damaged; nothing wrong. Of the newest append nobody can say more than it says
 * itself: it may be gone. */
static void check_log(const char *path, int64_t at)
{
    struct error error = {ERR_OK, ""};
    struct replica *replica = NULL;
    log_offset offset = 0;

    if (rig_start(&rig, &error) != ERR_OK) {
        ck_assert_msg(error.message[0] != '\0', "%s, byte %" PRId64, path, at);
        sim_disk_kill(rig.disk);
        return;
    }
    replica = rig_open(&rig, 0, 1);
    if (replica == NULL) {
        ck_assert_int_eq(rig.report.corrupt_partitions, 1);
        rig_stop(&rig, RIG_KILL);
        return;
    }
    ck_assert_msg(replica_snapshot(replica)->high_watermark >= VOUCHED,
                  "%s, byte %" PRId64 ": only %" PRId64, path, at,
                  replica_snapshot(replica)->high_watermark);
    while (offset < replica_snapshot(replica)->high_watermark) {
        struct replica_read read = rig_read(&rig, replica, offset, 1);

        if (read.error == KAFKA_NONE) {
            rig_check_records(&read, offset, offset);
            ck_assert_uint_gt(read.records_len, 0);
        }
        offset += 2;
        replica_read_done(&read);
    }
    rig_stop(&rig, RIG_KILL);
}

static void flip_all(const char *path, enum rig_end end)
{
    int64_t size = 0;

    write_log();
    size = sim_disk_file_size(rig.disk, path);
    rig_done(&rig);
    ck_assert_int_gt(size, 0);
    for (int64_t at = 0; at < size; at++) {
        write_log();
        rig_stop(&rig, end);
        /* What a power cut took cannot flip. */
        if (sim_disk_flip_bit(rig.disk, path, at, (int)(at % 8)))
            check_log(path, at);
        sim_disk_free(rig.disk);
    }
}

static const enum rig_end ends[] = {RIG_KILL, RIG_POWER_CUT, RIG_CLEAN};

/* The newest file of that kind. */
static void newest_path(const char *suffix, char path[128])
{
    log_offset base = RECORDS;

    write_log();
    do
        rig_path(&rig, 0, base--, suffix, path);
    while (base >= -1 && sim_disk_file_size(rig.disk, path) <= 0);
    rig_done(&rig);
}

START_TEST(a_bit_flipped_in_any_file_is_found_and_never_served)
{
    char paths[6][128] = {"catalogue", "meta.json", "wal/0"};

    rig_path(&rig, 0, 0, ".log", paths[3]);
    rig_done(&rig);
    newest_path(".log", paths[4]);
    newest_path(".index", paths[5]);
    ck_assert_str_ne(paths[3], paths[4]);
    for (int i = 0; i < 6; i++)
        flip_all(paths[i], ends[_i]);
    rig_init(&rig, 1); /* for teardown */
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("storage/write_ahead_log");
    TCase *tc = tcase_create("write_ahead_log");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, small_appends_of_many_partitions_cost_one_sync);
    tcase_add_test(tc, a_large_append_goes_straight_to_its_segment);
    tcase_add_test(tc, what_an_append_waits_for_is_done_in_a_hurry);
    tcase_add_test(tc, what_only_the_write_ahead_log_had_survives_power_cut_after_power_cut);
    tcase_add_test(tc, durable_is_a_prefix_whichever_way_its_parts_went);
    tcase_add_test(tc, files_are_used_again_when_checkpoints_have_synced_what_they_hold);
    tcase_add_test(tc, what_was_logged_during_the_checkpoint_of_an_empty_log_is_kept);
    tcase_add_test(tc, what_larger_files_held_is_replayed_when_files_are_smaller_now);
    tcase_add_test(tc, a_segment_is_synced_within_twenty_seconds);
    tcase_add_test(tc, nothing_is_replayed_after_a_clean_end);
    tcase_add_test(tc, a_deleted_partition_is_not_replayed_into_being);
    tcase_add_test(tc, what_was_trimmed_away_does_not_come_back);
    tcase_add_test(tc, without_room_for_it_appends_go_straight_to_their_segments);
    tcase_add_test(tc, a_file_grows_ahead_of_what_rounds_write_to_it);
    tcase_add_test(tc, what_finds_no_room_to_grow_ahead_fails_nothing);
    tcase_add_loop_test(tc, a_bit_flipped_in_any_file_is_found_and_never_served, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}
