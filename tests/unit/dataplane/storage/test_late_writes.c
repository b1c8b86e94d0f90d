/* SPDX-License-Identifier: Apache-2.0 */
/* What is durable in the write-ahead log and not yet in its segment: read, written, lost by nothing. */
#include "dataplane/storage/record_batch.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US ((int64_t)1000000)
#define LONG_US (1000 * SECOND_US)
#define SHORT_US 300000 /* one call of the rig does not see its end, two do */
#define BATCH_BYTES 10000
#define BLOCK_BYTES 4096           /* of a file */
#define WAL_STEP_BYTES (256 << 10) /* a 256th of a file: it grows by so much */
#define ENOUGH_BYTES (64 << 10)    /* a sixteenth of the rig's tail */
#define LATE_MAX_BYTES (512 << 10) /* half of it */

enum {
    LOGS = 20,
    BEFORE_CHECKPOINT = 40 /* appends one by one */
};

static struct storage_rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig.wal_file_bytes = 16 << 20;
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

static int64_t file_size(int32_t partition)
{
    char path[128];
    int64_t size = 0;

    rig_path(&rig, partition, 0, ".log", path);
    size = sim_disk_file_size(rig.disk, path);
    return size > 0 ? size : 0;
}

static int64_t rewritten_bytes(void)
{
    char path[128];

    rig_path(&rig, 0, 0, ".log", path);
    return sim_disk_rewritten_bytes(rig.disk, path);
}

static void put_large(struct replica *replica)
{
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.padding = BATCH_BYTES;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
}

struct appending {
    struct replica_append append;
    bool is_done;
};

static void append_ended(struct replica_append *append)
{
    container_of(append, struct appending, append)->is_done = true;
}

static void submit(void *context)
{
    replica_append_submit(context);
}

static void prepare_append(struct appending *appending, struct replica *replica, size_t padding,
                           struct buffer *bytes)
{
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.padding = (int)padding;
    buffer_init(bytes, 1 << 20);
    sim_batch_write(&batch, bytes);
    *appending = (struct appending){.append = {.replica = replica,
                                               .records = bytes->data,
                                               .records_len = bytes->len,
                                               .acks = -1,
                                               .produce_version = 9,
                                               .home = sim_executor_loop(rig.executor, 0),
                                               .done = append_ended}};
}

static void begin_append(struct appending *appending, struct replica *replica, size_t padding,
                         struct buffer *bytes)
{
    prepare_append(appending, replica, padding, bytes);
    rig_call(&rig, submit, &appending->append);
}

/* How many it takes, with the one that waits, whose bytes stay. */
static int64_t append_until_one_waits(struct replica *replica, size_t padding,
                                      struct appending *waiting, struct buffer *bytes)
{
    for (int64_t count = 1;; count++) {
        ck_assert_int_lt(count, 200);
        begin_append(waiting, replica, padding, bytes);
        if (!waiting->is_done)
            return count;
        ck_assert_int_eq(waiting->append.error, KAFKA_NONE);
        buffer_done(bytes);
    }
}

/* --- reading --- */

START_TEST(what_is_late_is_read_from_memory)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 10; i++)
        rig_put(&rig, replica, 3);
    ck_assert_int_eq(file_size(0), 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 30);
    ck_assert_int_eq(rig_read_all(&rig, replica, 15, 15), 15);
}
END_TEST

START_TEST(times_are_found_in_what_is_late)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 10; i++) {
        struct sim_batch batch = rig_batch(&rig, 1);

        batch.timestamp_ms = 1000 * i;
        /* Half of it is in the file. */
        batch.padding = i == 4 ? 2 * ENOUGH_BYTES / 3 : 20000 / (i + 1);
        ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
    }
    ck_assert_int_gt(file_size(0), 0);
    ck_assert_int_lt(file_size(0), (int64_t)replica_snapshot(replica)->size_bytes);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(rig_lookup(&rig, replica, 1000 * i).offset, i);
        if (i > 0)
            ck_assert_int_eq(rig_lookup(&rig, replica, 1000 * i - 1).offset, i);
    }
    ck_assert_int_eq(rig_lookup(&rig, replica, -3).found_timestamp, 9000); /* the newest of all */
}
END_TEST

/* Seven batches; a late write of them begins, and ends after so long. */
static void stall_late_write(struct replica *replica, int64_t duration_us)
{
    for (int i = 0; i < 6; i++)
        put_large(replica);
    sim_executor_stall(rig.executor, WORKER_WRITE, duration_us);
    put_large(replica);
    ck_assert_int_eq(file_size(0), 0);
}

/* --- writing --- */

START_TEST(what_is_late_is_written_when_it_has_become_much)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    for (int i = 0; i < 100; i++) {
        put_large(replica);
        ck_assert_int_ge(file_size(0),
                         replica_snapshot(replica)->size_bytes - ENOUGH_BYTES - BATCH_BYTES);
    }
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 100);
}
END_TEST

START_TEST(a_late_write_ends_with_a_whole_block_and_what_comes_after_stays_late)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    int64_t size = 0;
    int writes = 0;

    for (int i = 0; i < BEFORE_CHECKPOINT; i++) {
        put_large(replica);
        writes += file_size(0) != size;
        size = file_size(0);
        ck_assert_int_eq(size % BLOCK_BYTES, 0);
    }
    ck_assert_int_gt(writes, 4);
    ck_assert_int_eq(rewritten_bytes(), 0);
    ck_assert_int_lt(size, replica_snapshot(replica)->size_bytes);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), BEFORE_CHECKPOINT);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), BEFORE_CHECKPOINT);
}
END_TEST

static void put_padded(struct replica *replica, int64_t timestamp_ms, int padding)
{
    struct sim_batch batch = rig_batch(&rig, 1);

    batch.timestamp_ms = timestamp_ms;
    batch.padding = padding;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
}

START_TEST(a_large_item_goes_on_where_a_late_write_ended)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    int64_t count = 1;

    for (; file_size(0) == 0; count++)
        put_large(replica);
    put_padded(replica, 0, 100000);
    ck_assert_int_eq(file_size(0), replica_snapshot(replica)->size_bytes);
    ck_assert_int_eq(rewritten_bytes(), 0);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), count);
}
END_TEST

START_TEST(a_late_write_that_would_leave_much_in_memory_is_a_whole_one)
{
    struct replica *replica = NULL;

    rig.config.flush = FLUSH_OS; /* which logs larger batches */
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 10; i++) {
        put_padded(replica, 0, 30000);
        put_padded(replica, 0, 100000);
        ck_assert_int_eq(file_size(0), replica_snapshot(replica)->size_bytes);
    }
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 20);
}
END_TEST

/* A checkpoint takes what is in the file then, though more is late. */
START_TEST(times_of_what_a_late_write_brought_into_the_file_are_known_after_a_power_cut)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    put_padded(replica, 9000, BATCH_BYTES);
    for (int i = 0; i < 3 * BEFORE_CHECKPOINT; i++)
        put_padded(replica, 1000, BATCH_BYTES);
    restart(RIG_POWER_CUT);
    ck_assert_int_lt(rig.report.replayed_bytes, BEFORE_CHECKPOINT * BATCH_BYTES);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(rig_lookup(&rig, replica, 9000).offset, 0);
    ck_assert_int_eq(rig_lookup(&rig, replica, -3).found_timestamp, 9000);
}
END_TEST

/* All can be read, whatever their numbers are. */
static int64_t count_records(struct replica *replica)
{
    log_offset offset = 0;

    while (offset < replica_snapshot(replica)->high_watermark) {
        struct replica_read read = rig_read(&rig, replica, offset, 1 << 20);
        struct record_batch batch;
        size_t at = 0;

        ck_assert_int_eq(read.error, KAFKA_NONE);
        for (; at < read.records_len; at += (size_t)batch.size_bytes) {
            ck_assert_int_eq(
                record_batch_parse(slice_of(read.records + at, read.records_len - at), &batch),
                ERR_OK);
            offset = record_batch_next_offset(&batch);
        }
        ck_assert_uint_gt(at, 0);
        replica_read_done(&read);
    }
    return offset;
}

static void submit_both(void *context)
{
    struct appending *appendings = context;

    for (int i = 0; i < 2; i++)
        replica_append_submit(&appendings[i].append);
}

/* The write-ahead log of millrace.flush=os begins with the other batch, and takes the room that this one was promised: it is
 * half written, and cut. So is what a late write had written of the batch before it. */
START_TEST(an_item_that_is_taken_back_after_a_late_write_leaves_no_hole)
{
    struct replica *replicas[2] = {NULL};
    struct sim_disk_faults faults = {.capacity_bytes = 0};
    struct appending appendings[2];
    struct buffer bytes[2];

    rig.wal_file_bytes = 256 * WAL_STEP_BYTES;
    restart(RIG_CLEAN);
    replicas[0] = rig_open(&rig, 0, 0);
    rig.config.flush = FLUSH_OS;
    replicas[1] = rig_open(&rig, 1, 0);
    for (int i = 0; i < 7; i++)
        put_large(replicas[0]);
    sim_executor_run_for(rig.executor, SECOND_US);
    ck_assert_int_gt(file_size(0), 6 * BATCH_BYTES + BLOCK_BYTES);
    prepare_append(&appendings[0], replicas[0], 100000, &bytes[0]);
    prepare_append(&appendings[1], replicas[1], 1000, &bytes[1]);
    faults.capacity_bytes = sim_disk_used_bytes(rig.disk) + WAL_STEP_BYTES + 97000;
    sim_disk_set_faults(rig.disk, &faults);
    rig_call(&rig, submit_both, appendings);
    ck_assert_int_eq(appendings[0].append.error, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert_int_eq(appendings[1].append.error, KAFKA_NONE);
    ck_assert_int_lt(file_size(0), 6 * BATCH_BYTES + BLOCK_BYTES);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    for (int i = 0; i < 2; i++)
        buffer_done(&bytes[i]);
    sim_executor_run_for(rig.executor, SECOND_US);

    for (int i = 0; i < 7; i++)
        put_large(replicas[0]);
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    rig.config.flush = FLUSH_COMMIT;
    rig_put(&rig, rig_open(&rig, 2, 0), 1); /* so that the checkpoint is durable */
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(count_records(rig_open(&rig, 0, 1)), 14);
}
END_TEST

/* The last of what it was to write is of an entry that is newer than that. */
START_TEST(what_a_late_write_left_that_had_failed_once_is_kept_by_the_write_ahead_log)
{
    struct replica *quiet = rig_open(&rig, 0, 0);
    struct replica *busy = rig_open(&rig, 1, 0);
    struct sim_disk_faults faults = {.capacity_bytes = 1};

    stall_late_write(quiet, SHORT_US);
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, SECOND_US);
    ck_assert_int_eq(file_size(0), 0);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    rig_put(&rig, quiet, 1);
    ck_assert_int_gt(file_size(0), 0);
    ck_assert_int_lt(file_size(0), 7 * BATCH_BYTES); /* not even all of the seventh */
    for (int64_t written = 0; written < 2 * rig.wal_file_bytes; written += BATCH_BYTES)
        put_large(busy);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 8);
}
END_TEST

/* The write-ahead log goes round twice meanwhile. */
START_TEST(what_a_late_write_left_is_lost_by_no_use_of_the_write_ahead_log_again)
{
    struct replica *quiet = rig_open(&rig, 0, 0);
    struct replica *busy = rig_open(&rig, 1, 0);
    int64_t count = 0;

    for (; file_size(0) == 0; count++)
        put_large(quiet);
    ck_assert_int_lt(file_size(0), replica_snapshot(quiet)->size_bytes);
    for (int64_t written = 0; written < 2 * rig.wal_file_bytes; written += BATCH_BYTES)
        put_large(busy);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), count);
}
END_TEST

START_TEST(what_is_late_of_many_logs_is_bounded)
{
    int64_t late = 0;

    for (int i = 0; i < LOGS; i++) {
        struct replica *replica = rig_open(&rig, i, 0);

        for (int n = 0; n < 6; n++)
            put_large(replica); /* not enough in any */
    }
    for (int i = 0; i < LOGS; i++)
        late += 6 * BATCH_BYTES - (file_size(i) > 0 ? 6 * BATCH_BYTES : 0);
    ck_assert_int_le(late, LATE_MAX_BYTES);
    ck_assert_int_gt(late, 0);
}
END_TEST

START_TEST(a_checkpoint_writes_what_is_late_and_then_needs_no_write_ahead_log)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 5);
    ck_assert_int_eq(file_size(0), 0);
    sim_executor_run_for(rig.executor, 21 * SECOND_US);
    ck_assert_int_eq(file_size(0), replica_snapshot(replica)->size_bytes);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

START_TEST(a_clean_end_writes_what_is_late)
{
    rig_put(&rig, rig_open(&rig, 0, 0), 5);
    restart(RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 5);
}
END_TEST

START_TEST(a_late_write_that_finds_no_room_is_tried_again)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_disk_faults faults = {.capacity_bytes = 1};

    for (int i = 0; i < 5; i++)
        put_large(replica);
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, 25 * SECOND_US);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 5);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, 25 * SECOND_US);
    ck_assert_int_eq(file_size(0), replica_snapshot(replica)->size_bytes);
    put_large(replica);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 6);
}
END_TEST

/* Four mebibytes are what the rig's loop may keep; a log keeps at most its share of them. */
START_TEST(appends_wait_when_there_is_too_much_that_is_late_and_go_on_after_it)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct appending waiting;
    struct buffer bytes;
    int64_t put = 0;

    sim_executor_stall(rig.executor, WORKER_WRITE, LONG_US);
    put = append_until_one_waits(replica, 60000, &waiting, &bytes);
    ck_assert_int_gt(put, (4 << 20) / 60000 - 1);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(waiting.is_done);
    buffer_done(&bytes);
    ck_assert_int_eq(waiting.append.error, KAFKA_NONE);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), put);
}
END_TEST

START_TEST(appends_are_refused_when_what_is_late_finds_no_room_on_the_disk)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_disk_faults faults = {.capacity_bytes = 1};
    struct appending waiting;
    struct buffer bytes;

    sim_executor_stall(rig.executor, WORKER_WRITE, LONG_US);
    (void)append_until_one_waits(replica, 60000, &waiting, &bytes);
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(waiting.is_done);
    buffer_done(&bytes);
    ck_assert_int_eq(waiting.append.error, KAFKA_KAFKA_STORAGE_ERROR);
    faults.capacity_bytes = 0;
    sim_disk_set_faults(rig.disk, &faults);
    sim_executor_run_for(rig.executor, 2 * SECOND_US);
    put_large(replica);
}
END_TEST

/* --- while one is under way --- */

START_TEST(small_appends_go_on_while_a_late_write_is_under_way_and_large_ones_wait)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct appending large;
    struct buffer bytes;

    stall_late_write(replica, LONG_US);
    for (int i = 0; i < 7; i++)
        put_large(replica);
    begin_append(&large, replica, 100000, &bytes);
    ck_assert(!large.is_done);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 14);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(large.is_done);
    ck_assert_int_eq(large.append.error, KAFKA_NONE);
    ck_assert_int_eq(large.append.base_offset, 14);
    buffer_done(&bytes);
    ck_assert_int_eq(file_size(0), replica_snapshot(replica)->size_bytes);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 15);
}
END_TEST

START_TEST(an_append_that_finds_the_write_ahead_log_full_waits_for_the_late_write)
{
    struct replica *replica = NULL;
    struct appending waiting;
    struct buffer bytes;
    int64_t put = 0;

    rig.wal_file_bytes = 100000;
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    sim_executor_stall(rig.executor, WORKER_WRITE, LONG_US);
    put = append_until_one_waits(replica, BATCH_BYTES, &waiting, &bytes);
    ck_assert_int_eq(replica_snapshot(replica)->high_watermark, put - 1);
    sim_executor_run_for(rig.executor, LONG_US + SECOND_US);
    ck_assert(waiting.is_done);
    buffer_done(&bytes);
    ck_assert_int_eq(waiting.append.error, KAFKA_NONE);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), put);
}
END_TEST

START_TEST(a_power_cut_during_a_late_write_loses_nothing)
{
    stall_late_write(rig_open(&rig, 0, 0), LONG_US);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 7);
}
END_TEST

static void submit_all(void *context)
{
    struct appending *appendings = context;

    for (int i = 0; i < LOGS; i++)
        replica_append_submit(&appendings[i].append);
}

/* Logs that begin in one round, which does not end. */
static void begin_logs(int64_t changes)
{
    struct appending appendings[LOGS];
    struct buffer bytes[LOGS];

    for (int i = 0; i < LOGS; i++)
        prepare_append(&appendings[i], rig_open(&rig, i, 0), 0, &bytes[i]);
    sim_disk_die_after(rig.disk, changes);
    rig_call(&rig, submit_all, appendings);
    for (int i = 0; i < LOGS; i++)
        buffer_done(&bytes[i]);
}

/* It dies when the catalogue knows the logs and the write-ahead log does not have their first bytes, or later. */
START_TEST(a_log_whose_first_bytes_were_lost_begins_again_and_is_kept)
{
    log_offset ends[LOGS];

    begin_logs(_i / 2);
    restart(_i % 2 == 0 ? RIG_KILL : RIG_POWER_CUT);
    for (int i = 0; i < LOGS; i++) {
        struct replica *replica = rig_open(&rig, i, 1);

        put_large(replica);
        ends[i] = replica_snapshot(replica)->high_watermark;
    }
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    rig_put(&rig, rig_open(&rig, LOGS, 1), 1); /* so that the checkpoints are durable */
    restart(RIG_POWER_CUT);
    for (int i = 0; i < LOGS; i++) {
        struct replica *replica = rig_open(&rig, i, 2);

        ck_assert_ptr_nonnull(replica);
        ck_assert_int_eq(replica_snapshot(replica)->high_watermark, ends[i]);
    }
}
END_TEST

START_TEST(a_clean_end_waits_for_the_late_write_under_way)
{
    stall_late_write(rig_open(&rig, 0, 0), SHORT_US);
    restart(RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 7);
}
END_TEST

START_TEST(a_log_that_is_removed_during_its_late_write_leaves_nothing)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    stall_late_write(replica, SHORT_US);
    rig_remove(&rig, replica);
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    ck_assert_int_eq(file_size(0), 0);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.partitions, 0);
}
END_TEST

START_TEST(what_is_late_of_a_log_that_is_trimmed_whole_is_forgotten)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 5);
    ck_assert_int_eq(rig_trim(&rig, replica, -1).error, KAFKA_NONE);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 5);
    sim_executor_run_for(rig.executor, 30 * SECOND_US);
    ck_assert_int_eq(file_size(0), 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 5, 5), 1);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 5, 5), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/late_writes");
    TCase *tc = tcase_create("late_writes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_late_is_read_from_memory);
    tcase_add_test(tc, times_are_found_in_what_is_late);
    tcase_add_test(tc, what_is_late_is_written_when_it_has_become_much);
    tcase_add_test(tc, a_late_write_ends_with_a_whole_block_and_what_comes_after_stays_late);
    tcase_add_test(tc, a_large_item_goes_on_where_a_late_write_ended);
    tcase_add_test(tc, a_late_write_that_would_leave_much_in_memory_is_a_whole_one);
    tcase_add_test(tc,
                   times_of_what_a_late_write_brought_into_the_file_are_known_after_a_power_cut);
    tcase_add_test(tc, an_item_that_is_taken_back_after_a_late_write_leaves_no_hole);
    tcase_add_test(tc, what_a_late_write_left_that_had_failed_once_is_kept_by_the_write_ahead_log);
    tcase_add_test(tc, what_a_late_write_left_is_lost_by_no_use_of_the_write_ahead_log_again);
    tcase_add_test(tc, what_is_late_of_many_logs_is_bounded);
    tcase_add_test(tc, a_checkpoint_writes_what_is_late_and_then_needs_no_write_ahead_log);
    tcase_add_test(tc, a_clean_end_writes_what_is_late);
    tcase_add_test(tc, a_late_write_that_finds_no_room_is_tried_again);
    tcase_add_test(tc, appends_wait_when_there_is_too_much_that_is_late_and_go_on_after_it);
    tcase_add_test(tc, appends_are_refused_when_what_is_late_finds_no_room_on_the_disk);
    tcase_add_test(tc, small_appends_go_on_while_a_late_write_is_under_way_and_large_ones_wait);
    tcase_add_test(tc, an_append_that_finds_the_write_ahead_log_full_waits_for_the_late_write);
    tcase_add_test(tc, a_power_cut_during_a_late_write_loses_nothing);
    tcase_add_loop_test(tc, a_log_whose_first_bytes_were_lost_begins_again_and_is_kept, 52, 70);
    tcase_add_test(tc, a_clean_end_waits_for_the_late_write_under_way);
    tcase_add_test(tc, a_log_that_is_removed_during_its_late_write_leaves_nothing);
    tcase_add_test(tc, what_is_late_of_a_log_that_is_trimmed_whole_is_forgotten);
    suite_add_tcase(suite, tc);
    return suite;
}
