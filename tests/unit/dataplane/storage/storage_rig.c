/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/storage/storage_rig.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#define STEPS_MAX 1000000
#define BATCH_MAX_BYTES ((size_t)4 << 20)
#define SETTLE_US 200000

void rig_init(struct storage_rig *rig, int loop_count)
{
    *rig = (struct storage_rig){
        .disk = sim_disk_new(1, NULL),
        .topic = {{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x47, 0x88, 0x99, 1, 2, 3, 4, 5, 6, 7}},
        .config =
            {
                .segment_bytes = 1 << 30,
                .segment_ms = 604800000,
                .segment_index_bytes = 10485760,
                .retention_ms = -1,
                .retention_bytes = -1,
                .max_message_bytes = 1048588,
                .index_interval_bytes = 4096,
                .timestamp_before_max_ms = INT64_MAX,
                .timestamp_after_max_ms = 3600000,
                .cleanup_policy = CLEANUP_DELETE,
                .max_compaction_lag_ms = INT64_MAX,
                .delete_retention_ms = 86400000,
                .compression = -1,
                .flush = FLUSH_COMMIT,
            },
        .loop_count = loop_count,
        .spare_percent = 25,
        .cleaner_map_bytes = 1 << 16,
        .cleaner_bytes_per_second = 1 << 30,
        .wall_ms = 1700000000000,
    };
}

enum err rig_start(struct storage_rig *rig, struct error *error)
{
    struct sim_executor_options executor_options = {
        .loop_count = rig->loop_count,
        .seed = 7,
        .start_wall_ms = rig->wall_ms,
    };
    struct log_directory_options options = {
        .disk = rig->disk,
        .broker_id = 3,
        .tail_cache_bytes = 1 << 20,
        .small_bytes_max = rig->small_bytes_max,
        .wal_file_bytes = rig->wal_file_bytes,
        .wal_block_bytes = 64,
        .cleaner_map_bytes = rig->cleaner_map_bytes,
        .cleaner_bytes_per_second = rig->cleaner_bytes_per_second,
        .spare_percent = rig->spare_percent,
        .spare_bytes_min = rig->spare_bytes_min,
        .sabotage = rig->sabotage,
    };
    enum err rc = ERR_OK;

    rig->executor = sim_executor_new(&executor_options);
    options.executor = sim_executor_base(rig->executor);
    options.random = &sim_executor_random(rig->executor)->base;
    rc = log_directory_open(&options, &rig->directory, &rig->report, error);
    if (rc != ERR_OK) {
        sim_executor_free(rig->executor);
        rig->executor = NULL;
    }
    return rc;
}

static void set_true(void *context)
{
    *(bool *)context = true;
}

struct closing {
    struct storage_rig *rig;
    bool is_closed;
};

static void close_directory(void *context)
{
    struct closing *closing = context;

    log_directory_close(closing->rig->directory, set_true, &closing->is_closed);
}

void rig_stop(struct storage_rig *rig, enum rig_end end)
{
    struct closing closing = {rig, false};

    if (rig->executor == NULL)
        return;
    if (end == RIG_CLEAN) {
        rig_call(rig, close_directory, &closing);
        ck_assert(closing.is_closed);
    }
    rig->wall_ms = clock_wall_ms(sim_executor_clock(rig->executor));
    log_directory_free(rig->directory);
    sim_executor_free(rig->executor);
    rig->directory = NULL;
    rig->executor = NULL;
    if (end == RIG_KILL)
        sim_disk_kill(rig->disk);
    else
        sim_disk_crash(rig->disk);
}

void rig_done(struct storage_rig *rig)
{
    rig_stop(rig, RIG_KILL);
    sim_disk_free(rig->disk);
}

void rig_settle(struct storage_rig *rig)
{
    sim_executor_run_for(rig->executor, SETTLE_US);
}

void rig_call(struct storage_rig *rig, void (*fn)(void *context), void *context)
{
    sim_executor_call(rig->executor, 0, fn, context);
    rig_settle(rig);
}

struct opening {
    struct storage_rig *rig;
    int32_t partition;
    leader_epoch epoch;
    struct replica *replica;
};

static void open_replica(void *context)
{
    struct opening *opening = context;
    struct storage_rig *rig = opening->rig;

    if (replica_open(rig->directory, rig->topic, opening->partition, &rig->config,
                     &opening->replica) != ERR_OK) {
        opening->replica = NULL;
        return;
    }
    replica_become_leader(opening->replica, opening->epoch);
}

struct replica *rig_open(struct storage_rig *rig, int32_t partition, leader_epoch epoch)
{
    struct opening opening = {rig, partition, epoch, NULL};

    rig_call(rig, open_replica, &opening);
    return opening.replica;
}

struct sim_batch rig_batch(struct storage_rig *rig, int32_t count)
{
    struct sim_batch batch = {
        .first_number = rig->next_number,
        .count = count,
        .padding = 10,
        .timestamp_ms = rig->wall_ms,
        .producer_id = -1,
    };

    rig->next_number += count;
    return batch;
}

struct waiting_append {
    struct replica_append append;
    bool is_done;
};

static void on_append(struct replica_append *append)
{
    container_of(append, struct waiting_append, append)->is_done = true;
}

static void submit_append(void *context)
{
    replica_append_submit(context);
}

struct replica_append rig_append_bytes(struct storage_rig *rig, struct replica *replica,
                                       struct buffer *bytes)
{
    struct waiting_append waiting = {.append = {
                                         .replica = replica,
                                         .records = bytes->data,
                                         .records_len = bytes->len,
                                         .acks = -1,
                                         .produce_version = 9,
                                         .home = sim_executor_loop(rig->executor, 0),
                                         .done = on_append,
                                     }};

    rig_call(rig, submit_append, &waiting.append);
    ck_assert(waiting.is_done);
    return waiting.append;
}

struct replica_append rig_append(struct storage_rig *rig, struct replica *replica,
                                 const struct sim_batch *batch)
{
    struct replica_append result;
    struct buffer bytes;

    buffer_init(&bytes, BATCH_MAX_BYTES);
    sim_batch_write(batch, &bytes);
    result = rig_append_bytes(rig, replica, &bytes);
    buffer_done(&bytes);
    return result;
}

log_offset rig_put(struct storage_rig *rig, struct replica *replica, int32_t count)
{
    struct sim_batch batch = rig_batch(rig, count);
    struct replica_append result = rig_append(rig, replica, &batch);

    ck_assert_int_eq(result.error, KAFKA_NONE);
    return result.base_offset;
}

static void on_read(struct replica_read *read)
{
    container_of(read, struct rig_reading, read)->is_done = true;
}

static void submit_read(void *context)
{
    replica_read_submit(context);
}

void rig_begin_read(struct storage_rig *rig, struct replica *replica, log_offset offset,
                    size_t max_bytes, struct rig_reading *reading)
{
    *reading = (struct rig_reading){.read = {
                                        .replica = replica,
                                        .home = sim_executor_loop(rig->executor, 0),
                                        .offset = offset,
                                        .max_bytes = max_bytes,
                                        .must_progress = true,
                                        .done = on_read,
                                    }};
    rig_call(rig, submit_read, &reading->read);
}

struct replica_read rig_read(struct storage_rig *rig, struct replica *replica, log_offset offset,
                             size_t max_bytes)
{
    struct rig_reading reading;

    rig_begin_read(rig, replica, offset, max_bytes, &reading);
    ck_assert(reading.is_done);
    return reading.read;
}

struct number_check {
    int64_t next_offset;
    int64_t next_number;
};

static void on_record(void *context, int64_t offset, int64_t number)
{
    struct number_check *check = context;

    ck_assert_int_eq(offset, check->next_offset);
    ck_assert_int_eq(number, check->next_number);
    check->next_offset++;
    check->next_number++;
}

void rig_check_records(const struct replica_read *read, log_offset first_offset,
                       int64_t first_number)
{
    struct number_check check = {first_offset, first_number};

    sim_records_read(slice_of(read->records, read->records_len), on_record, &check);
}

struct waiting_removal {
    struct storage_rig *rig;
    struct replica *replica;
    bool is_done;
};

static void on_removed(void *context, enum err err)
{
    ck_assert_int_eq(err, ERR_OK);
    ((struct waiting_removal *)context)->is_done = true;
}

static void submit_removal(void *context)
{
    struct waiting_removal *waiting = context;

    replica_remove(waiting->replica, sim_executor_loop(waiting->rig->executor, 0), on_removed,
                   waiting);
}

void rig_begin_remove(struct storage_rig *rig, struct replica *replica)
{
    static struct waiting_removal waiting; /* for as long as it takes */

    waiting = (struct waiting_removal){rig, replica, false};
    rig_call(rig, submit_removal, &waiting);
}

void rig_remove(struct storage_rig *rig, struct replica *replica)
{
    struct waiting_removal waiting = {rig, replica, false};

    rig_call(rig, submit_removal, &waiting);
    ck_assert(waiting.is_done);
}

int64_t rig_read_all(struct storage_rig *rig, struct replica *replica, log_offset offset,
                     int64_t first_number)
{
    struct number_check check = {offset, first_number};

    while (check.next_offset < replica_snapshot(replica)->high_watermark) {
        int64_t before = check.next_offset;
        struct replica_read read = rig_read(rig, replica, check.next_offset, 1 << 20);

        ck_assert_int_eq(read.error, KAFKA_NONE);
        sim_records_read(slice_of(read.records, read.records_len), on_record, &check);
        replica_read_done(&read);
        ck_assert_int_gt(check.next_offset, before);
    }
    return check.next_offset - offset;
}

struct waiting_lookup {
    struct replica_lookup lookup;
    bool is_done;
};

static void on_lookup(struct replica_lookup *lookup)
{
    container_of(lookup, struct waiting_lookup, lookup)->is_done = true;
}

static void submit_lookup(void *context)
{
    replica_lookup_submit(context);
}

struct replica_lookup rig_lookup(struct storage_rig *rig, struct replica *replica,
                                 int64_t timestamp)
{
    struct waiting_lookup waiting = {.lookup = {
                                         .replica = replica,
                                         .home = sim_executor_loop(rig->executor, 0),
                                         .timestamp = timestamp,
                                         .done = on_lookup,
                                     }};

    rig_call(rig, submit_lookup, &waiting.lookup);
    ck_assert(waiting.is_done);
    return waiting.lookup;
}

struct waiting_trim {
    struct replica_trim trim;
    bool is_done;
};

static void on_trim(struct replica_trim *trim)
{
    container_of(trim, struct waiting_trim, trim)->is_done = true;
}

static void submit_trim(void *context)
{
    replica_trim_submit(context);
}

struct replica_trim rig_trim(struct storage_rig *rig, struct replica *replica, log_offset offset)
{
    struct waiting_trim waiting = {.trim = {
                                       .replica = replica,
                                       .home = sim_executor_loop(rig->executor, 0),
                                       .offset = offset,
                                       .done = on_trim,
                                   }};

    rig_call(rig, submit_trim, &waiting.trim);
    ck_assert(waiting.is_done);
    return waiting.trim;
}

void rig_path(const struct storage_rig *rig, int32_t partition, log_offset base, const char *suffix,
              char path[128])
{
    char uuid[UUID_TEXT_LEN + 1];

    uuid_format(rig->topic, uuid);
    snprintf(path, 128, "topics/%s/%" PRId32 "/%020" PRId64 "%s", uuid, partition, base, suffix);
}
