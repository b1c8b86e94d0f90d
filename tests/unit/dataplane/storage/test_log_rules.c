/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a log's life, one test each: when a segment ends, what retention takes, what a start finds. README.md
 * says which test holds which rule. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/partition_log.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US ((int64_t)1000000)
#define BATCH_A_SEGMENT 100
#define HOUR_MS ((int64_t)3600 * 1000)

static struct storage_rig rig;
static struct replica *replica;

static void setup(void)
{
    rig_init(&rig, 1);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

static void teardown(void)
{
    rig_done(&rig);
}

static void open_log(void)
{
    static leader_epoch epoch;

    replica = rig_open(&rig, 0, epoch++);
    ck_assert_ptr_nonnull(replica);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    open_log();
}

static log_offset put_at(int64_t timestamp_ms)
{
    struct sim_batch batch = rig_batch(&rig, 1);
    struct replica_append append;

    batch.timestamp_ms = timestamp_ms;
    append = rig_append(&rig, replica, &batch);
    ck_assert_int_eq(append.error, KAFKA_NONE);
    return append.base_offset;
}

static void put(int count)
{
    for (int i = 0; i < count; i++)
        rig_put(&rig, replica, 1);
}

static int64_t file_size(log_offset base, const char *suffix)
{
    char path[128];

    rig_path(&rig, 0, base, suffix, path);
    return sim_disk_file_size(rig.disk, path);
}

static bool begins_segment(log_offset base)
{
    return file_size(base, ".log") >= 0;
}

static void pass_seconds(int64_t seconds)
{
    sim_executor_run_for(rig.executor, seconds * SECOND_US);
}

/* --- when a segment ends --- */

START_TEST(a_segment_ends_before_the_batch_that_would_make_it_larger_than_segment_bytes)
{
    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    put(1);
    rig.config.segment_bytes = 3 * file_size(0, ".log");
    restart(RIG_CLEAN);
    put(2);
    ck_assert_int_eq(file_size(0, ".log"), rig.config.segment_bytes);
    put(1);
    ck_assert_int_eq(file_size(0, ".log"), rig.config.segment_bytes);
    ck_assert(begins_segment(3));
}
END_TEST

/* _i: how the broker ends in between; one more: it does not. */
START_TEST(a_segment_ends_when_a_batch_is_more_than_segment_ms_younger_than_its_first)
{
    int64_t first_ms = rig.wall_ms - 48 * HOUR_MS;

    rig.config.segment_ms = HOUR_MS;
    open_log();
    put_at(first_ms);
    put_at(first_ms - HOUR_MS);
    put_at(first_ms + HOUR_MS);
    if (_i <= RIG_CLEAN)
        restart((enum rig_end)_i);
    put_at(first_ms + HOUR_MS);
    for (log_offset base = 1; base <= 3; base++)
        ck_assert(!begins_segment(base));
    put_at(first_ms + HOUR_MS + 1);
    ck_assert(begins_segment(4));
    put_at(first_ms + 2 * HOUR_MS + 1);
    ck_assert(!begins_segment(5));
}
END_TEST

static struct log_identity identity(uint8_t topic)
{
    return (struct log_identity){.topic_id = {{topic}}, .partition = topic};
}

static const struct log_config rolling = {
    .segment_bytes = 1 << 20,
    .segment_ms = 1000,
    .segment_index_bytes = 1200,
    .cleanup_policy = CLEANUP_DELETE,
    .retention_ms = -1,
    .retention_bytes = -1,
    .max_compaction_lag_ms = INT64_MAX,
};

START_TEST(without_timestamps_a_segment_ends_by_the_wall_clock)
{
    struct log_identity id = identity(1);
    struct segment *segment = segment_new(&id, 0, 0, 4096);
    struct segment_view active = {.segment = segment, .first_append_ms = 70000};
    struct record_batch batch = {.size_bytes = 100, .max_timestamp = -1};

    segment_view_add(&active, &batch);
    ck_assert(!segment_must_roll(&active, &rolling, &batch, 71000));
    ck_assert(segment_must_roll(&active, &rolling, &batch, 71001));
    segment_free(segment);
}
END_TEST

START_TEST(segment_jitter_ms_is_taken_off_segment_ms_differently_for_each_segment)
{
    struct log_config config = rolling;
    int64_t least = INT64_MAX;
    int64_t most = 0;

    for (uint8_t i = 0; i < 100; i++) {
        struct log_identity id = identity(i);
        struct segment *segment = segment_new(&id, 1000 * i, 0, 4096);
        int64_t age_ms = 0;

        config.segment_jitter_ms = 0;
        ck_assert_int_eq(segment_age_max_ms(segment, &config), 1000);
        config.segment_jitter_ms = 400;
        age_ms = segment_age_max_ms(segment, &config);
        ck_assert_int_eq(segment_age_max_ms(segment, &config), age_ms);
        ck_assert_int_gt(age_ms, 600);
        ck_assert_int_le(age_ms, 1000);
        least = age_ms < least ? age_ms : least;
        most = age_ms > most ? age_ms : most;
        config.segment_jitter_ms = INT64_MAX;
        ck_assert_int_gt(segment_age_max_ms(segment, &config), 0);
        segment_free(segment);
    }
    ck_assert_int_lt(least, 650);
    ck_assert_int_gt(most, 950);
}
END_TEST

START_TEST(a_segment_ends_when_its_index_has_a_twelfth_of_segment_index_bytes_entries)
{
    rig.config.index_interval_bytes = 0;
    rig.config.segment_index_bytes = 36;
    open_log();
    put(5); /* the first batch needs no entry */
    ck_assert(!begins_segment(3));
    ck_assert(begins_segment(4));
    ck_assert_int_eq(file_size(0, ".index"), 44 + 3 * OFFSET_INDEX_ENTRY_BYTES);
    /* What was found at a start counts, too. */
    restart(RIG_CLEAN);
    put(3);
    ck_assert(!begins_segment(6));
    ck_assert(begins_segment(7));
}
END_TEST

static void append_gap_batch(log_offset base, log_offset end)
{
    struct buffer bytes;
    struct iovec iov;
    struct file *file = NULL;
    char path[128];

    buffer_init(&bytes, 1000);
    ck_assert_int_eq(record_batch_write_gap(base, end, 0, &bytes), ERR_OK);
    iov = (struct iovec){bytes.data, bytes.len};
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, sim_disk_file_size(rig.disk, path), &iov, 1),
                     ERR_OK);
    file->ops->close(file);
    buffer_done(&bytes);
}

START_TEST(a_segment_ends_before_an_offset_2_to_the_31_above_its_first)
{
    log_offset last = INT32_MAX;

    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    put(1);
    rig_stop(&rig, RIG_KILL);
    append_gap_batch(1, last);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    open_log();
    ck_assert_int_eq(rig_put(&rig, replica, 1), last);
    ck_assert(!begins_segment(last));
    ck_assert_int_eq(rig_put(&rig, replica, 1), last + 1);
    ck_assert(begins_segment(last + 1));
    ck_assert_int_eq(rig_read_all(&rig, replica, last, 1), 2);
}
END_TEST

/* --- what retention takes --- */

#define VIEWS 4

/* Four segments of ten offsets and 100 bytes, of times 1000, 2000, …; the last is the newest. */
static struct partition_log *log_of_four(void)
{
    struct partition_log *log = calloc(1, sizeof(*log));
    struct segment_view views[VIEWS];

    ck_assert_ptr_nonnull(log);
    log->id = identity(1);
    for (int i = 0; i < VIEWS; i++)
        views[i] = (struct segment_view){
            .segment = segment_new(&log->id, 10 * i, 0, 4096),
            .base_offset = 10 * i,
            .end_offset = 10 * i + 10,
            .size_bytes = 100,
            .max_timestamp = 1000 * (i + 1),
        };
    log->durable.closed = segment_list_new(views, VIEWS - 1);
    log->durable.active = views[VIEWS - 1];
    log->durable.end = log->head.end = 10 * VIEWS;
    return log;
}

static void free_log(struct partition_log *log)
{
    for (int i = 0; i < log->durable.closed->count; i++)
        segment_free(log->durable.closed->views[i].segment);
    segment_free(log->durable.active.segment);
    free(log->durable.closed);
    free(log);
}

/* Where the log of four would begin. */
static log_offset retained(const struct log_config *config, log_offset high_watermark,
                           int64_t now_ms)
{
    struct partition_log *log = log_of_four();
    log_offset log_start = partition_log_retention(log, config, high_watermark, now_ms);

    free_log(log);
    return log_start;
}

START_TEST(retention_by_time_takes_segments_whose_newest_record_is_older_than_retention_ms)
{
    struct log_config config = rolling;

    config.retention_ms = 500;
    ck_assert_int_eq(retained(&config, 40, 1500), -1);
    ck_assert_int_eq(retained(&config, 40, 1501), 10);
    ck_assert_int_eq(retained(&config, 40, 3501), 30);
    ck_assert_int_eq(retained(&config, 40, 4501), 40); /* the newest, too */
}
END_TEST

START_TEST(retention_ms_of_minus_one_keeps_for_ever)
{
    ck_assert_int_eq(retained(&rolling, 40, INT64_MAX / 2), -1);
}
END_TEST

START_TEST(retention_by_bytes_takes_a_segment_when_retention_bytes_are_left_without_it)
{
    static const struct {
        int64_t retention_bytes;
        log_offset log_start;
    } cases[] = {{400, -1}, {301, -1}, {300, 10}, {201, 10}, {200, 20}, {1, 30}, {0, 40}};
    struct log_config config = rolling;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config.retention_bytes = cases[i].retention_bytes;
        ck_assert_int_eq(retained(&config, 40, 0), cases[i].log_start);
    }
}
END_TEST

START_TEST(retention_takes_nothing_above_the_high_watermark)
{
    struct log_config config = rolling;

    config.retention_ms = 0;
    ck_assert_int_eq(retained(&config, 39, 100000), 30);
    ck_assert_int_eq(retained(&config, 29, 100000), 20);
    ck_assert_int_eq(retained(&config, 0, 100000), -1);
}
END_TEST

START_TEST(only_a_cleanup_policy_with_delete_lets_retention_take_anything)
{
    struct log_config config = rolling;

    config.retention_ms = 0;
    config.retention_bytes = 0;
    config.cleanup_policy = 0; /* the empty list */
    ck_assert_int_eq(retained(&config, 40, 100000), -1);
    config.cleanup_policy = CLEANUP_COMPACT;
    ck_assert_int_eq(retained(&config, 40, 100000), -1);
    config.cleanup_policy = CLEANUP_COMPACT | CLEANUP_DELETE;
    ck_assert_int_eq(retained(&config, 40, 100000), 40);
}
END_TEST

START_TEST(timestamps_in_the_future_keep_a_segment_and_old_ones_do_not)
{
    rig.config.retention_ms = HOUR_MS;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    open_log();
    put_at(rig.wall_ms - 2 * HOUR_MS);
    put_at(rig.wall_ms + HOUR_MS / 2);
    put_at(rig.wall_ms - 2 * HOUR_MS);
    pass_seconds(31);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 1);
    pass_seconds(3600);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 1);
    pass_seconds(1860);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 3);
}
END_TEST

START_TEST(retention_is_checked_every_thirty_seconds)
{
    rig.config.retention_ms = 1000;
    open_log();
    put_at(rig.wall_ms - HOUR_MS);
    pass_seconds(28);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 0);
    pass_seconds(3);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 1);
}
END_TEST

START_TEST(a_wall_clock_that_jumps_forward_by_days_does_not_empty_the_log)
{
    rig.config.retention_ms = HOUR_MS;
    open_log();
    put(3);
    pass_seconds(60);
    sim_executor_shift_wall(rig.executor, 240 * HOUR_MS);
    pass_seconds(600);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 0);
    /* They do become old. */
    pass_seconds(3600);
    ck_assert_int_eq(replica_snapshot(replica)->log_start, 3);
}
END_TEST

START_TEST(producers_are_known_when_their_records_are_gone)
{
    struct sim_batch first = rig_batch(&rig, 2);
    struct sim_batch next = rig_batch(&rig, 1);

    first.producer_id = next.producer_id = 77;
    next.base_sequence = 2;
    rig.config.retention_ms = 1000;
    open_log();
    ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
    pass_seconds(61);
    ck_assert_int_eq(replica_snapshot(replica)->size_bytes, 0);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        restart((enum rig_end)end);
        ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
    }
    ck_assert_int_eq(rig_append(&rig, replica, &next).base_offset, 2);
}
END_TEST

START_TEST(segments_below_the_log_start_go_whatever_the_policy)
{
    rig.config.cleanup_policy = 0;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    open_log();
    put(4);
    ck_assert_int_eq(rig_trim(&rig, replica, 2).error, KAFKA_NONE);
    pass_seconds(1);
    ck_assert_int_eq(file_size(0, ".log"), -1);
    ck_assert_int_eq(file_size(0, ".index"), -1);
    ck_assert_int_eq(file_size(1, ".log"), -1);
    ck_assert_int_gt(file_size(2, ".log"), 0);
}
END_TEST

static bool is_read;

static void on_read(struct replica_read *read)
{
    (void)read;
    is_read = true;
}

static void submit_read(void *context)
{
    replica_read_submit(context);
}

START_TEST(who_reads_a_segment_that_goes_reads_on_and_then_its_files_go)
{
    struct replica_read read = {.max_bytes = 1 << 20, .must_progress = true, .done = on_read};

    rig.config.segment_bytes = BATCH_A_SEGMENT;
    open_log();
    put(4);
    restart(RIG_CLEAN); /* nothing of it is in memory */
    is_read = false;
    read.replica = replica;
    read.home = sim_executor_loop(rig.executor, 0);
    sim_executor_stall(rig.executor, WORKER_READ, 10 * SECOND_US);
    rig_call(&rig, submit_read, &read);
    ck_assert(!is_read);
    ck_assert_int_eq(rig_trim(&rig, replica, 3).error, KAFKA_NONE);
    pass_seconds(5);
    ck_assert(!is_read);
    ck_assert_int_gt(file_size(0, ".log"), 0);
    pass_seconds(10);
    ck_assert(is_read);
    ck_assert_int_eq(read.error, KAFKA_NONE);
    rig_check_records(&read, 0, 0);
    ck_assert_uint_gt(read.records_len, 0);
    replica_read_done(&read);
    pass_seconds(1);
    ck_assert_int_eq(file_size(0, ".log"), -1);
}
END_TEST

/* --- what a start finds --- */

static void replace(log_offset base, const char *suffix, const struct buffer *bytes)
{
    char path[128];
    char *name = NULL;

    rig_path(&rig, 0, base, suffix, path);
    name = strrchr(path, '/');
    *name++ = '\0';
    ck_assert_int_eq(disk_replace_file(rig.disk, path, name, bytes->data, bytes->len), ERR_OK);
}

/* An index that is whole and wrong: offset i is said to be where another batch is. */
static void write_lying_index(log_offset base, int batches)
{
    struct offset_index index;
    struct buffer bytes;
    int64_t size = file_size(base, ".log");

    offset_index_init(&index, 0);
    for (int i = 0; i < batches; i++) {
        struct record_batch batch = {
            .base_offset = base + (i == 0 ? 0 : batches - i),
            .size_bytes = i + 1 < batches ? size / batches : size - index.covered_bytes,
            .max_timestamp = rig.wall_ms,
        };

        offset_index_add(&index, &batch, index.covered_bytes);
    }
    buffer_init(&bytes, 1 << 16);
    ck_assert_int_eq(offset_index_save(&index, base, &bytes), ERR_OK);
    replace(base, ".index", &bytes);
    buffer_done(&bytes);
    offset_index_done(&index);
}

START_TEST(an_index_that_is_wrong_misleads_nobody)
{
    rig.config.index_interval_bytes = 0;
    rig.config.segment_bytes = 2000;
    open_log();
    put(60);
    ck_assert_int_gt(file_size(0, ".index"), 200);
    rig_stop(&rig, RIG_CLEAN);
    write_lying_index(0, 20);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    open_log();
    for (int i = 0; i < 60; i++) {
        struct replica_read read = rig_read(&rig, replica, i, 1);

        ck_assert_int_eq(read.error, KAFKA_NONE);
        rig_check_records(&read, i, i);
        ck_assert_uint_gt(read.records_len, 0);
        replica_read_done(&read);
    }
    ck_assert_int_eq(rig_lookup(&rig, replica, rig.wall_ms - 10 * HOUR_MS).offset, 0);
}
END_TEST

static void check_epoch_end(leader_epoch epoch, leader_epoch known, log_offset end)
{
    leader_epoch found = -2;
    log_offset at = -2;

    replica_epoch_end(replica, epoch, &found, &at);
    ck_assert_int_eq(found, known);
    ck_assert_int_eq(at, end);
}

START_TEST(epochs_go_with_the_beginning_of_the_log)
{
    replica = rig_open(&rig, 0, 3);
    put(2);
    for (leader_epoch epoch = 5; epoch <= 7; epoch += 2) {
        rig_stop(&rig, RIG_CLEAN);
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, epoch);
        put(2);
    }
    check_epoch_end(4, 3, 2);
    ck_assert_int_eq(rig_trim(&rig, replica, 3).error, KAFKA_NONE);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        /* Of 3 nothing is left. Of 5 there is still something, and where it began does not matter. */
        check_epoch_end(3, 3, 3);
        check_epoch_end(4, 4, 3);
        check_epoch_end(5, 5, 4);
        check_epoch_end(6, 5, 4);
        check_epoch_end(7, 7, 6);
        ck_assert_int_eq(rig_read_all(&rig, replica, 3, 3), 3);
        rig_stop(&rig, (enum rig_end)end);
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, 7);
    }
}
END_TEST

static void lead_anew(void *context)
{
    replica_become_leader(replica, *(leader_epoch *)context);
}

static void cut_file(int64_t size)
{
    struct file *file = NULL;
    char path[128];

    rig_path(&rig, 0, 0, ".log", path);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->truncate(file, size), ERR_OK);
    file->ops->close(file);
}

START_TEST(epochs_are_cut_with_the_end_of_the_log)
{
    leader_epoch newer = 6;
    int64_t size = 0;

    rig.config.flush = FLUSH_OS; /* what is cut is no damage */
    rig_stop(&rig, RIG_CLEAN);
    rig.small_bytes_max = 1; /* and no write-ahead log brings it back */
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 3);
    put(2);
    rig_stop(&rig, RIG_KILL);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 5);
    put(1);
    size = file_size(0, ".log");
    put(1);
    rig_call(&rig, lead_anew, &newer);
    put(1);
    rig_stop(&rig, RIG_KILL);
    cut_file(size + 20);
    for (int end = RIG_POWER_CUT; end <= RIG_CLEAN; end++) {
        ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
        replica = rig_open(&rig, 0, -1);
        ck_assert_ptr_nonnull(replica);
        ck_assert_int_eq(replica_snapshot(replica)->log_end, 3);
        check_epoch_end(3, 3, 2);
        check_epoch_end(5, 5, 3);
        check_epoch_end(6, -1, -1);
        rig_stop(&rig, (enum rig_end)end);
    }
}
END_TEST

START_TEST(producers_are_saved_at_each_roll_and_at_a_clean_end)
{
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.producer_id = 5;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    open_log();
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
    put(1);
    ck_assert_int_gt(file_size(1, ".producers"), 0);
    put(1);
    ck_assert_int_gt(file_size(2, ".producers"), 0);
    ck_assert_int_eq(file_size(1, ".producers"), -1); /* only the newest is kept */
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_gt(file_size(3, ".producers"), 0);
}
END_TEST

/* _i 0: the snapshot is gone, 1: it is damaged. */
START_TEST(without_a_good_snapshot_producers_are_read_out_of_the_log)
{
    struct sim_batch batch = rig_batch(&rig, 1);
    char path[128];

    batch.producer_id = 5;
    rig.config.segment_bytes = BATCH_A_SEGMENT;
    open_log();
    ck_assert_int_eq(rig_append(&rig, replica, &batch).base_offset, 0);
    put(2);
    rig_stop(&rig, RIG_CLEAN);
    rig_path(&rig, 0, 3, ".producers", path);
    if (_i == 0)
        ck_assert_int_eq(rig.disk->ops->remove(rig.disk, path), ERR_OK);
    else
        ck_assert(sim_disk_flip_bit(rig.disk, path, 20, 3));
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    open_log();
    ck_assert_int_eq(rig_append(&rig, replica, &batch).base_offset, 0);
    ck_assert_int_eq(replica_snapshot(replica)->log_end, 3);
}
END_TEST

START_TEST(half_written_files_are_removed_at_a_start)
{
    static const char *const halves[] = {".index.new", ".7.index.new", ".producers.new"};
    struct buffer bytes;

    open_log();
    put(1);
    rig_stop(&rig, RIG_KILL);
    buffer_init(&bytes, 10);
    ck_assert_int_eq(buffer_append(&bytes, "half", 4), ERR_OK);
    for (int i = 0; i < 3; i++) {
        replace(0, halves[i], &bytes);
        ck_assert_int_eq(file_size(0, halves[i]), 4);
    }
    buffer_done(&bytes);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(file_size(0, halves[i]), -1);
    open_log();
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/log_rules");
    TCase *tc = tcase_create("log_rules");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc,
                   a_segment_ends_before_the_batch_that_would_make_it_larger_than_segment_bytes);
    tcase_add_loop_test(tc,
                        a_segment_ends_when_a_batch_is_more_than_segment_ms_younger_than_its_first,
                        RIG_POWER_CUT, RIG_CLEAN + 2);
    tcase_add_test(tc, without_timestamps_a_segment_ends_by_the_wall_clock);
    tcase_add_test(tc, segment_jitter_ms_is_taken_off_segment_ms_differently_for_each_segment);
    tcase_add_test(tc, a_segment_ends_when_its_index_has_a_twelfth_of_segment_index_bytes_entries);
    tcase_add_test(tc, a_segment_ends_before_an_offset_2_to_the_31_above_its_first);
    tcase_add_test(tc,
                   retention_by_time_takes_segments_whose_newest_record_is_older_than_retention_ms);
    tcase_add_test(tc, retention_ms_of_minus_one_keeps_for_ever);
    tcase_add_test(tc, retention_by_bytes_takes_a_segment_when_retention_bytes_are_left_without_it);
    tcase_add_test(tc, retention_takes_nothing_above_the_high_watermark);
    tcase_add_test(tc, only_a_cleanup_policy_with_delete_lets_retention_take_anything);
    tcase_add_test(tc, timestamps_in_the_future_keep_a_segment_and_old_ones_do_not);
    tcase_add_test(tc, retention_is_checked_every_thirty_seconds);
    tcase_add_test(tc, a_wall_clock_that_jumps_forward_by_days_does_not_empty_the_log);
    tcase_add_test(tc, producers_are_known_when_their_records_are_gone);
    tcase_add_test(tc, segments_below_the_log_start_go_whatever_the_policy);
    tcase_add_test(tc, who_reads_a_segment_that_goes_reads_on_and_then_its_files_go);
    tcase_add_test(tc, an_index_that_is_wrong_misleads_nobody);
    tcase_add_test(tc, epochs_go_with_the_beginning_of_the_log);
    tcase_add_test(tc, epochs_are_cut_with_the_end_of_the_log);
    tcase_add_test(tc, half_written_files_are_removed_at_a_start);
    tcase_add_test(tc, producers_are_saved_at_each_roll_and_at_a_clean_end);
    tcase_add_loop_test(tc, without_a_good_snapshot_producers_are_read_out_of_the_log, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
