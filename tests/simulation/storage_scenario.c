/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/storage_scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/list.h"
#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/replica.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_executor.h"
#include "tests/simulation/sim_records.h"
#include "tests/simulation/storage_model.h"

#define PARTITIONS 3
#define PRODUCERS 5 /* the last two are plain */
#define IN_FLIGHT_MAX 5
#define BATCH_MAX_BYTES 8192
#define STEPS_PER_LIFE_MAX 2000000
#define START_WALL_MS 1700000000000

struct scenario;

/* A batch on its way; kept until it is acknowledged, over crashes too when it is idempotent. */
struct sent_batch {
    struct list link; /* in its producer, in order */
    struct replica_append append;
    struct scenario *scenario;
    struct producer *producer;
    struct buffer bytes;
    int64_t first_number;
    int32_t count;
    int32_t sequence;
    bool is_in_flight;
    bool is_acknowledged; /* this is a repetition */
    int64_t first_offset; /* as acknowledged */
};

struct producer {
    struct scenario *scenario;
    int partition;
    int home;
    int64_t id; /* -1 = plain */
    int32_t next_sequence;
    struct list unacknowledged; /* in order */
    struct sent_batch *newest_acknowledged;
    int in_flight;
    bool is_draining; /* one failed: wait for the others, then send all again in order */
};

struct read_operation {
    struct list link;
    struct replica_read read;
    struct scenario *scenario;
    int partition;
    /* as known when it was submitted: it may show no less */
    int64_t log_start;
    int64_t high_watermark;
};

struct trim_operation {
    struct list link;
    struct replica_trim trim;
    struct scenario *scenario;
    int partition;
};

struct scenario {
    const struct storage_scenario_options *options;
    struct storage_scenario_result *result;
    struct sim_trace trace;
    struct seeded_random random;
    struct disk *disk;
    struct sim_executor *executor;
    struct log_directory *directory;
    struct uuid topic;
    struct replica *replicas[PARTITIONS]; /* NULL = isolated */
    bool is_isolated[PARTITIONS];
    struct storage_model models[PARTITIONS];
    struct producer producers[PRODUCERS];
    struct list reads;
    struct list trims;
    int64_t next_number;
    int64_t wall_ms;
    leader_epoch epoch;
    bool is_closed;
    int reads_in_flight;
};

static uint64_t draw(struct scenario *s, uint64_t bound)
{
    return seeded_random_below(&s->random, bound);
}

static bool is_broken(const struct scenario *s)
{
    for (int i = 0; i < PARTITIONS; i++) {
        if (s->models[i].why[0] != '\0')
            return true;
    }
    return false;
}

/* --- producing --- */

static bool is_idempotent(const struct producer *producer)
{
    return producer->id >= 0;
}

static void batch_free(struct sent_batch *batch)
{
    list_remove(&batch->link);
    free(batch->append.recompressed);
    buffer_done(&batch->bytes);
    free(batch);
}

static void note_acknowledged(struct sent_batch *batch)
{
    struct scenario *s = batch->scenario;
    struct producer *producer = batch->producer;
    struct storage_model *model = &s->models[producer->partition];

    if (batch->append.last_offset - batch->append.base_offset + 1 != batch->count)
        storage_model_fail(model, "%d records were acknowledged at %" PRId64 " to %" PRId64,
                           batch->count, batch->append.base_offset, batch->append.last_offset);
    for (int32_t i = 0; i < batch->count; i++)
        storage_model_see(model, batch->append.base_offset + i, batch->first_number + i,
                          is_idempotent(producer), true);
    if (!model->is_damaged && batch->is_acknowledged &&
        batch->first_offset != batch->append.base_offset)
        storage_model_fail(model, "a repeated batch got offset %" PRId64 " instead of %" PRId64,
                           batch->append.base_offset, batch->first_offset);
    s->result->acknowledged_records += batch->is_acknowledged ? 0 : batch->count;
    s->result->duplicates_answered += batch->is_acknowledged;
}

static void on_appended(struct replica_append *append)
{
    struct sent_batch *batch = container_of(append, struct sent_batch, append);
    struct producer *producer = batch->producer;
    struct scenario *s = batch->scenario;

    batch->is_in_flight = false;
    producer->in_flight--;
    sim_trace_event(&s->trace, "appended", append->error * 1000000 + append->base_offset);
    if (append->error == KAFKA_NONE && append->acks != 0) {
        note_acknowledged(batch);
        batch->is_acknowledged = true;
        batch->first_offset = append->base_offset;
        list_remove(&batch->link);
        if (producer->newest_acknowledged != NULL && producer->newest_acknowledged != batch)
            batch_free(producer->newest_acknowledged);
        producer->newest_acknowledged = batch;
        return;
    }
    if (append->error != KAFKA_NONE)
        s->result->refused_appends++;
    if (batch->is_acknowledged) {
        /* A repetition may be refused (the disk is full, …), but not taken for something new. */
        if (append->error == KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER &&
            !s->models[producer->partition].is_damaged)
            storage_model_fail(&s->models[producer->partition],
                               "the newest batch of a producer is not known any more");
        return;
    }
    if (!is_idempotent(producer)) {
        batch_free(batch);
        return;
    }
    if (append->error == KAFKA_INVALID_RECORD || append->error == KAFKA_CORRUPT_MESSAGE)
        storage_model_fail(&s->models[producer->partition], "a good batch was refused with %d: %s",
                           append->error, append->error_message);
    producer->is_draining = true;
}

static void submit(struct sent_batch *batch)
{
    struct scenario *s = batch->scenario;
    struct producer *producer = batch->producer;

    batch->append = (struct replica_append){
        .replica = s->replicas[producer->partition],
        .records = batch->bytes.data,
        .records_len = batch->bytes.len,
        .acks = is_idempotent(producer) || draw(s, 4) > 0 ? -1 : 0,
        .produce_version = 9,
        .home = sim_executor_loop(s->executor, producer->home),
        .done = on_appended,
    };
    batch->is_in_flight = true;
    producer->in_flight++;
    replica_append_submit(&batch->append);
}

static struct sent_batch *make_batch(struct producer *producer)
{
    struct scenario *s = producer->scenario;
    struct sent_batch *batch = calloc(1, sizeof(*batch));
    struct sim_batch content = {
        .first_number = s->next_number,
        .count = (int32_t)draw(s, 4) + 1,
        .padding = (int32_t)draw(s, draw(s, 4) == 0 ? 1000 : 40),
        .timestamp_ms = s->wall_ms,
        .producer_id = producer->id,
        .producer_epoch = 0,
        .base_sequence = producer->next_sequence,
    };

    invariant(batch != NULL);
    batch->scenario = s;
    batch->producer = producer;
    batch->first_number = content.first_number;
    batch->count = content.count;
    batch->sequence = producer->next_sequence;
    buffer_init(&batch->bytes, BATCH_MAX_BYTES);
    sim_batch_write(&content, &batch->bytes);
    s->next_number += content.count;
    producer->next_sequence += content.count;
    list_push_back(&producer->unacknowledged, &batch->link);
    return batch;
}

static void resend_all(struct producer *producer)
{
    producer->is_draining = false;
    list_for_each(&producer->unacknowledged, node)
        submit(container_of(node, struct sent_batch, link));
}

static void produce(void *context)
{
    struct producer *producer = context;
    struct scenario *s = producer->scenario;
    struct sent_batch *newest = producer->newest_acknowledged;

    if (s->replicas[producer->partition] == NULL)
        return;
    if (producer->is_draining) {
        if (producer->in_flight == 0)
            resend_all(producer);
        return;
    }
    if (is_idempotent(producer) && newest != NULL && !newest->is_in_flight &&
        producer->in_flight == 0 && draw(s, 8) == 0) {
        submit(newest);
        return;
    }
    if (producer->in_flight < IN_FLIGHT_MAX)
        submit(make_batch(producer));
}

/* --- reading --- */

struct read_check {
    struct storage_model *model;
    int64_t expected; /* -1 = any */
    int64_t count;
    struct scenario *scenario;
};

static void on_record(void *context, int64_t offset, int64_t number)
{
    struct read_check *check = context;

    if (check->expected >= 0 && offset != check->expected)
        storage_model_fail(check->model, "offset %" PRId64 " follows where %" PRId64 " should",
                           offset, check->expected);
    if (number < 0 || number >= check->scenario->next_number) {
        storage_model_fail(check->model, "record %" PRId64 " was never sent", number);
        return;
    }
    check->expected = offset + 1;
    check->count++;
    storage_model_see(check->model, offset, number, false, false);
}

static void check_read(struct scenario *s, const struct read_operation *operation)
{
    const struct replica_read *read = &operation->read;
    struct read_check check = {&s->models[operation->partition], -1, 0, s};

    storage_model_see_bounds(check.model, read->log_start, read->high_watermark,
                             operation->log_start, operation->high_watermark);
    sim_records_read(slice_of(read->records, read->records_len), on_record, &check);
    s->result->read_records += check.count;
    if (read->records_len == 0 && read->must_progress && read->offset < read->high_watermark)
        storage_model_fail(check.model, "nothing was read at %" PRId64 " below %" PRId64,
                           read->offset, read->high_watermark);
    if (read->records_len > 0 && check.expected <= read->offset)
        storage_model_fail(check.model, "what was read ends below offset %" PRId64, read->offset);
    if (check.expected > read->high_watermark)
        storage_model_fail(check.model,
                           "offset %" PRId64 " was shown above the high watermark %" PRId64,
                           check.expected - 1, read->high_watermark);
}

static void on_read(struct replica_read *read)
{
    struct read_operation *operation = container_of(read, struct read_operation, read);
    struct scenario *s = operation->scenario;
    struct storage_model *model = &s->models[operation->partition];

    sim_trace_event(&s->trace, "read", (int64_t)read->records_len + read->error);
    if (read->error == KAFKA_NONE)
        check_read(s, operation);
    else if (read->error == KAFKA_KAFKA_STORAGE_ERROR && !model->is_damaged &&
             !sim_disk_is_dead(s->disk))
        storage_model_fail(model, "offset %" PRId64 " cannot be read", read->offset);
    replica_read_done(read);
    s->reads_in_flight--;
    list_remove(&operation->link);
    free(operation);
}

static void read_at(struct scenario *s, int partition, int home, int64_t offset, size_t max_bytes)
{
    struct read_operation *operation = calloc(1, sizeof(*operation));

    invariant(operation != NULL);
    operation->scenario = s;
    operation->partition = partition;
    operation->log_start = s->models[partition].log_start;
    operation->high_watermark = s->models[partition].high_watermark;
    operation->read = (struct replica_read){
        .replica = s->replicas[partition],
        .home = sim_executor_loop(s->executor, home),
        .offset = offset,
        .max_bytes = max_bytes,
        .must_progress = true,
        .done = on_read,
    };
    list_push_back(&s->reads, &operation->link);
    s->reads_in_flight++;
    replica_read_submit(&operation->read);
}

static void read_somewhere(void *context)
{
    struct scenario *s = context;
    int partition = (int)draw(s, PARTITIONS);
    const struct log_snapshot *snapshot = NULL;
    int64_t range = 0;
    int home = 0;

    if (s->replicas[partition] == NULL)
        return;
    snapshot = replica_snapshot(s->replicas[partition]);
    range = snapshot->high_watermark - snapshot->log_start;
    while (!on_loop(sim_executor_loop(s->executor, home)))
        home++;
    if (snapshot->epoch >= 0 && range > 0)
        read_at(s, partition, home, snapshot->log_start + (int64_t)draw(s, (uint64_t)range),
                (size_t)draw(s, 6000));
}

/* --- trimming --- */

static void on_trimmed(struct replica_trim *trim)
{
    struct trim_operation *operation = container_of(trim, struct trim_operation, trim);
    struct scenario *s = operation->scenario;
    struct storage_model *model = &s->models[operation->partition];

    sim_trace_event(&s->trace, "trimmed", trim->log_start);
    if (trim->error == KAFKA_NONE) {
        s->result->trims++;
        if (trim->log_start < trim->offset)
            storage_model_fail(model, "trimmed to %" PRId64 " instead of %" PRId64, trim->log_start,
                               trim->offset);
        if (trim->log_start > model->log_start)
            model->log_start = trim->log_start;
    }
    list_remove(&operation->link);
    free(operation);
}

static void trim_somewhere(void *context)
{
    struct scenario *s = context;
    int partition = (int)draw(s, PARTITIONS);
    struct trim_operation *operation = NULL;
    const struct log_snapshot *snapshot = NULL;
    int home = 0;

    if (s->replicas[partition] == NULL)
        return;
    snapshot = replica_snapshot(s->replicas[partition]);
    while (!on_loop(sim_executor_loop(s->executor, home)))
        home++;
    operation = calloc(1, sizeof(*operation));
    invariant(operation != NULL);
    operation->scenario = s;
    operation->partition = partition;
    operation->trim = (struct replica_trim){
        .replica = s->replicas[partition],
        .home = sim_executor_loop(s->executor, home),
        .offset = draw(s, 8) == 0
                      ? -1
                      : snapshot->log_start + (int64_t)draw(s, (uint64_t)(snapshot->high_watermark -
                                                                          snapshot->log_start + 1)),
        .done = on_trimmed,
    };
    list_push_back(&s->trims, &operation->link);
    replica_trim_submit(&operation->trim);
}

/* --- a life --- */

static void set_faults(struct scenario *s)
{
    struct sim_disk_faults faults = {0};

    if (s->options->has_full_disk && draw(s, 2) == 0)
        faults.capacity_bytes = sim_disk_used_bytes(s->disk) + (int64_t)draw(s, 40000);
    if (s->options->has_failing_disk && draw(s, 3) == 0)
        faults.write_error_per_million = 3000;
    if (s->options->has_failing_disk && draw(s, 3) == 0)
        faults.sync_error_per_million = 3000;
    sim_disk_set_faults(s->disk, &faults);
}

static void clear_faults(struct scenario *s)
{
    struct sim_disk_faults faults = {0};

    sim_disk_set_faults(s->disk, &faults);
}

static bool begin_life(struct scenario *s)
{
    struct sim_executor_options executor_options = {
        .loop_count = s->options->loop_count,
        .seed = seeded_random_u64(&s->random),
        .start_wall_ms = s->wall_ms,
        .trace = &s->trace,
        .work_delay_max_us = {400, 300, 5000},
    };
    struct log_directory_options options = {
        .disk = s->disk,
        .broker_id = 0,
        .tail_cache_bytes = draw(s, 2) == 0 ? 8192 : 65536,
        .sabotage = s->options->sabotage,
    };
    struct log_directory_report report;
    struct error error = {ERR_OK, ""};

    s->executor = sim_executor_new(&executor_options);
    options.executor = sim_executor_base(s->executor);
    options.random = &sim_executor_random(s->executor)->base;
    if (draw(s, 4) == 0)
        sim_disk_die_after(s->disk, 1 + (int64_t)draw(s, 20));
    if (log_directory_open(&options, &s->directory, &report, &error) != ERR_OK) {
        if (!sim_disk_is_dead(s->disk))
            storage_model_fail(&s->models[0], "the directory does not open: %s", error.message);
        s->result->deaths_at_start += sim_disk_is_dead(s->disk);
        return false;
    }
    sim_disk_die_after(s->disk, -1);
    s->result->recoveries += !report.was_clean;
    s->result->clean_starts += report.was_clean;
    s->result->torn_bytes += report.truncated_bytes;
    s->result->isolated += report.corrupt_partitions;
    return true;
}

static void open_replicas(void *context)
{
    struct scenario *s = context;
    struct log_config config = {
        .segment_bytes = 3000 + (int64_t)draw(s, 6000),
        .segment_ms = 3600000,
        .retention_ms = -1,
        .retention_bytes = draw(s, 3) == 0 ? 30000 : -1,
        .max_message_bytes = BATCH_MAX_BYTES,
        .index_interval_bytes = 4096,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600000,
        .cleanup_policy = CLEANUP_DELETE,
        .compression = -1,
        .flush = s->options->has_os_flush ? FLUSH_OS : FLUSH_COMMIT,
    };

    s->epoch++;
    for (int i = 0; i < PARTITIONS; i++) {
        enum err rc = replica_open(s->directory, s->topic, i, &config, &s->replicas[i]);

        if (rc != ERR_OK) {
            s->replicas[i] = NULL;
            s->is_isolated[i] = true;
            if (!s->models[i].is_damaged)
                storage_model_fail(&s->models[i], "partition %d does not open: %s", i,
                                   err_text(rc));
            continue;
        }
        replica_become_leader(s->replicas[i], s->epoch);
    }
}

static bool are_leading(void *context)
{
    struct scenario *s = context;

    for (int i = 0; i < PARTITIONS; i++) {
        if (s->replicas[i] != NULL && replica_snapshot(s->replicas[i])->epoch < 0)
            return false;
    }
    return true;
}

static bool are_reads_done(void *context)
{
    return ((struct scenario *)context)->reads_in_flight == 0;
}

struct full_read {
    struct scenario *scenario;
    int partition;
    int64_t offset;
};

static void read_full(void *context)
{
    struct full_read *full = context;

    read_at(full->scenario, full->partition, 0, full->offset, 20000);
}

/* Everything that was promised is there after a start. */
static void check_recovered(struct scenario *s)
{
    for (int i = 0; i < PARTITIONS && !is_broken(s); i++) {
        struct storage_model *model = &s->models[i];
        const struct log_snapshot *snapshot = NULL;
        struct full_read full = {s, i, 0};

        if (s->replicas[i] == NULL)
            continue;
        snapshot = replica_snapshot(s->replicas[i]);
        storage_model_see_bounds(model, snapshot->log_start, snapshot->high_watermark,
                                 model->log_start, model->high_watermark);
        if (!model->is_damaged && snapshot->high_watermark < model->required_end)
            storage_model_fail(model, "the log ends at %" PRId64 ", promised was %" PRId64,
                               snapshot->high_watermark, model->required_end);
        full.offset = snapshot->log_start;
        while (full.offset < snapshot->high_watermark && !is_broken(s)) {
            int64_t before = s->result->read_records;

            sim_executor_call(s->executor, 0, read_full, &full);
            sim_executor_run_until(s->executor, are_reads_done, s, STEPS_PER_LIFE_MAX);
            if (s->result->read_records == before)
                break; /* damaged: said so above, or allowed to */
            full.offset += s->result->read_records - before;
            snapshot = replica_snapshot(s->replicas[i]);
        }
    }
}

static void act(struct scenario *s)
{
    int loop = (int)draw(s, (uint64_t)s->options->loop_count);
    uint64_t choice = draw(s, 100);

    if (choice < 45) {
        struct producer *producer = &s->producers[draw(s, PRODUCERS)];

        sim_executor_call(s->executor, producer->home, produce, producer);
    } else if (choice < 60) {
        sim_executor_call(s->executor, loop, read_somewhere, s);
    } else if (choice == 60) {
        sim_executor_call(s->executor, loop, trim_somewhere, s);
    } else if (choice == 61) {
        sim_executor_run_for(s->executor, (int64_t)draw(s, 2000000));
    } else if (choice == 62) {
        sim_executor_stall(s->executor, WORKER_FLUSH, 20000);
    } else if (choice == 63) {
        set_faults(s);
    }
    for (uint64_t i = draw(s, 8); i > 0; i--)
        (void)sim_executor_step(s->executor);
}

static void on_closed(void *context)
{
    ((struct scenario *)context)->is_closed = true;
}

static void close_directory(void *context)
{
    struct scenario *s = context;

    log_directory_close(s->directory, on_closed, s);
}

static bool has_closed(void *context)
{
    return ((struct scenario *)context)->is_closed;
}

/* What was under way never comes home. Idempotent producers will send again. */
static void forget_operations(struct scenario *s)
{
    list_for_each(&s->reads, node)
    {
        struct read_operation *operation = container_of(node, struct read_operation, link);

        replica_read_done(&operation->read);
        list_remove(&operation->link);
        free(operation);
    }
    list_for_each(&s->trims, node)
    {
        list_remove(node);
        free(container_of(node, struct trim_operation, link));
    }
    for (int i = 0; i < PRODUCERS; i++) {
        struct producer *producer = &s->producers[i];

        producer->in_flight = 0;
        producer->is_draining = is_idempotent(producer);
        producer->home = (int)draw(s, (uint64_t)s->options->loop_count);
        if (producer->newest_acknowledged != NULL)
            producer->newest_acknowledged->is_in_flight = false;
        list_for_each(&producer->unacknowledged, node)
        {
            struct sent_batch *batch = container_of(node, struct sent_batch, link);

            batch->is_in_flight = false;
            free(batch->append.recompressed);
            batch->append.recompressed = NULL;
            if (!is_idempotent(producer))
                batch_free(batch);
        }
    }
    s->reads_in_flight = 0;
}

static void flip_bits(struct scenario *s)
{
    for (int i = 0; i < PARTITIONS; i++) {
        char uuid[UUID_TEXT_LEN + 1];
        char path[128];
        int64_t size = 0;

        if (draw(s, 2) == 0)
            continue;
        uuid_format(s->topic, uuid);
        for (int64_t base = s->models[i].log_start; base >= 0; base--) {
            snprintf(path, sizeof(path), "topics/%s/%d/%020" PRId64 ".log", uuid, i, base);
            size = sim_disk_file_size(s->disk, path);
            if (size > 0)
                break;
        }
        if (size > 0 &&
            sim_disk_flip_bit(s->disk, path, (int64_t)draw(s, (uint64_t)size), (int)draw(s, 8)))
            s->models[i].is_damaged = true;
    }
}

/* A killed process loses nothing that was written; a power cut loses what was not flushed, and with
 * FLUSH_OS that may be what was acknowledged. */
static void cut_power(struct scenario *s, bool is_only_killed)
{
    if (is_only_killed) {
        sim_disk_kill(s->disk);
        return;
    }
    sim_disk_crash(s->disk);
    for (int i = 0; i < PARTITIONS && s->options->has_os_flush; i++)
        s->models[i].is_damaged |= !s->is_closed;
}

static void end_life(struct scenario *s)
{
    uint64_t how = draw(s, 3);

    clear_faults(s);
    s->is_closed = false;
    if (how == 0 && !is_broken(s) && !sim_disk_is_dead(s->disk)) {
        sim_executor_call(s->executor, 0, close_directory, s);
        if (!sim_executor_run_until(s->executor, has_closed, s, STEPS_PER_LIFE_MAX))
            storage_model_fail(&s->models[0], "the directory does not close");
    }
    s->is_closed &= !sim_disk_is_dead(s->disk); /* it died while it closed */
    s->wall_ms = clock_wall_ms(sim_executor_clock(s->executor));
    log_directory_free(s->directory);
    s->directory = NULL;
    cut_power(s, how == 1 && !s->options->sabotage);
    sim_executor_free(s->executor);
    s->executor = NULL;
    forget_operations(s);
    if (s->options->has_bit_flips)
        flip_bits(s);
}

static void tell(const struct scenario *s, const char *what)
{
    if (!s->options->is_verbose)
        return;
    fprintf(stderr, "%s", what);
    for (int i = 0; i < PARTITIONS; i++) {
        const struct log_snapshot *snapshot = s->directory != NULL && s->replicas[i] != NULL
                                                  ? replica_snapshot(s->replicas[i])
                                                  : NULL;

        if (snapshot != NULL)
            fprintf(stderr, "  [%" PRId64 ", %" PRId64 ", %" PRId64 ")", snapshot->log_start,
                    snapshot->high_watermark, snapshot->log_end);
        fprintf(stderr, "%s", s->models[i].why);
    }
    fprintf(stderr, "\n");
}

static void live(struct scenario *s)
{
    if (!begin_life(s)) {
        sim_executor_free(s->executor);
        s->executor = NULL;
        cut_power(s, false);
        return;
    }
    sim_executor_call(s->executor, 0, open_replicas, s);
    if (!sim_executor_run_until(s->executor, are_leading, s, STEPS_PER_LIFE_MAX))
        storage_model_fail(&s->models[0], "partitions are not led");
    check_recovered(s);
    tell(s, "begins");
    if (draw(s, 2) == 0)
        sim_disk_die_after(s->disk, 1 + (int64_t)draw(s, (uint64_t)s->options->steps));
    for (int i = 0; i < s->options->steps && !is_broken(s) && !sim_disk_is_dead(s->disk); i++)
        act(s);
    tell(s, "ends  ");
    end_life(s);
}

/* --- all of it --- */

static void scenario_init(struct scenario *s, const struct storage_scenario_options *options,
                          struct storage_scenario_result *result)
{
    *s = (struct scenario){.options = options, .result = result, .wall_ms = START_WALL_MS};
    seeded_random_init(&s->random, options->seed);
    s->disk = sim_disk_new(seeded_random_u64(&s->random), &s->trace);
    s->epoch = -1;
    list_init(&s->reads);
    list_init(&s->trims);
    invariant(random_fill(&s->random.base, s->topic.bytes, sizeof(s->topic.bytes)) == ERR_OK);
    for (int i = 0; i < PARTITIONS; i++)
        storage_model_init(&s->models[i]);
    for (int i = 0; i < PRODUCERS; i++) {
        s->producers[i] = (struct producer){
            .scenario = s,
            .partition = i % PARTITIONS,
            .home = (int)draw(s, (uint64_t)options->loop_count),
            .id = i < PRODUCERS - 2 ? 1000 + i : -1,
        };
        list_init(&s->producers[i].unacknowledged);
    }
}

static void scenario_done(struct scenario *s)
{
    for (int i = 0; i < PRODUCERS; i++) {
        list_for_each(&s->producers[i].unacknowledged, node)
            batch_free(container_of(node, struct sent_batch, link));
        if (s->producers[i].newest_acknowledged != NULL)
            batch_free(s->producers[i].newest_acknowledged);
    }
    for (int i = 0; i < PARTITIONS; i++) {
        if (s->models[i].why[0] != '\0' && !s->result->is_broken) {
            s->result->is_broken = true;
            snprintf(s->result->why, sizeof(s->result->why), "partition %d: %s", i,
                     s->models[i].why);
        }
        storage_model_done(&s->models[i]);
    }
    sim_disk_free(s->disk);
}

void storage_scenario_run(const struct storage_scenario_options *options,
                          struct storage_scenario_result *ret_result)
{
    struct scenario scenario;

    *ret_result = (struct storage_scenario_result){.is_broken = false};
    scenario_init(&scenario, options, ret_result);
    for (int life = 0; life < options->lives && !is_broken(&scenario); life++)
        live(&scenario);
    ret_result->trace_hash = scenario.trace.hash;
    scenario_done(&scenario);
}
