/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/simulation/sim_records.h"
#include "tests/simulation/storage_scenario_internal.h"

#define IN_FLIGHT_MAX 5

/* --- producing --- */

bool producer_is_idempotent(const struct producer *producer)
{
    return producer->id >= 0;
}

void sent_batch_free(struct sent_batch *batch)
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
                          producer_is_idempotent(producer), true);
    if (!model->is_damaged && batch->is_acknowledged &&
        batch->first_offset != batch->append.base_offset)
        storage_model_fail(model, "a repeated batch got offset %" PRId64 " instead of %" PRId64,
                           batch->append.base_offset, batch->first_offset);
    s->result->acknowledged_records += batch->is_acknowledged ? 0 : batch->count;
    s->result->duplicates_answered += batch->is_acknowledged;
}

/* In a damaged log a repetition may be taken for something new, and be overtaken by what was sent after it. */
static void keep_newest(struct producer *producer, struct sent_batch *batch)
{
    struct sent_batch *before = producer->newest_acknowledged;

    if (before != NULL && before != batch && before->is_in_flight) {
        sent_batch_free(batch);
        return;
    }
    if (before != NULL && before != batch)
        sent_batch_free(before);
    producer->newest_acknowledged = batch;
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
        keep_newest(producer, batch);
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
    if (!producer_is_idempotent(producer)) {
        sent_batch_free(batch);
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
        .acks = producer_is_idempotent(producer) || scenario_draw(s, 4) > 0 ? -1 : 0,
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
        .count = (int32_t)scenario_draw(s, 4) + 1,
        .padding = (int32_t)scenario_draw(s, scenario_draw(s, 4) == 0 ? 1000 : 40),
        .timestamp_ms = s->wall_ms,
        .key_count = s->models[producer->partition].key_count,
        .tombstone_every = s->models[producer->partition].tombstone_every,
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

void scenario_produce(void *context)
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
    if (producer_is_idempotent(producer) && newest != NULL && !newest->is_in_flight &&
        producer->in_flight == 0 && scenario_draw(s, 8) == 0) {
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
    int64_t asked;
};

static void on_record(void *context, int64_t offset, int64_t number)
{
    struct read_check *check = context;

    if (check->expected >= 0 &&
        (check->model->key_count > 0 ? offset < check->expected : offset != check->expected))
        storage_model_fail(check->model, "offset %" PRId64 " follows where %" PRId64 " should",
                           offset, check->expected);
    if (check->expected < 0 && check->model->key_count == 0 && offset > check->asked)
        storage_model_fail(check->model,
                           "offset %" PRId64 " was asked for, %" PRId64 " comes first",
                           check->asked, offset);
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
    struct read_check check = {&s->models[operation->partition], -1, 0, s, read->offset};
    int64_t end = sim_records_end(slice_of(read->records, read->records_len));

    storage_model_see_bounds(check.model, read->log_start, read->high_watermark,
                             operation->log_start, operation->high_watermark);
    sim_records_read(slice_of(read->records, read->records_len), on_record, &check);
    s->result->read_records += check.count;
    if (read->records_len == 0 && read->must_progress && read->offset < read->high_watermark)
        storage_model_fail(check.model, "nothing was read at %" PRId64 " below %" PRId64,
                           read->offset, read->high_watermark);
    if (read->records_len > 0 && end <= read->offset)
        storage_model_fail(check.model, "what was read ends below offset %" PRId64, read->offset);
    if (end > read->high_watermark)
        storage_model_fail(check.model,
                           "offset %" PRId64 " was shown above the high watermark %" PRId64,
                           end - 1, read->high_watermark);
    s->last_read_end = end;
}

static void on_read(struct replica_read *read)
{
    struct read_operation *operation = container_of(read, struct read_operation, read);
    struct scenario *s = operation->scenario;
    struct storage_model *model = &s->models[operation->partition];

    sim_trace_event(&s->trace, "read", (int64_t)read->records_len + read->error);
    if (read->error == KAFKA_NONE)
        check_read(s, operation);
    else if (read->error == KAFKA_KAFKA_STORAGE_ERROR && s->may_reads_fail)
        s->result->failed_reads++;
    else if (read->error == KAFKA_KAFKA_STORAGE_ERROR && model->is_damaged)
        s->result->damaged_reads++;
    else if (read->error == KAFKA_KAFKA_STORAGE_ERROR && !sim_disk_is_dead(s->disk))
        storage_model_fail(model, "offset %" PRId64 " cannot be read", read->offset);
    replica_read_done(read);
    s->reads_in_flight--;
    list_remove(&operation->link);
    free(operation);
}

void scenario_read_at(struct scenario *s, int partition, int home, int64_t offset, size_t max_bytes)
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

void scenario_read_somewhere(void *context)
{
    struct scenario *s = context;
    int partition = (int)scenario_draw(s, PARTITIONS);
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
        scenario_read_at(s, partition, home,
                         snapshot->log_start + (int64_t)scenario_draw(s, (uint64_t)range),
                         (size_t)scenario_draw(s, 6000));
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

void scenario_trim_somewhere(void *context)
{
    struct scenario *s = context;
    int partition = (int)scenario_draw(s, PARTITIONS);
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
        .offset = scenario_draw(s, 8) == 0
                      ? -1
                      : snapshot->log_start +
                            (int64_t)scenario_draw(
                                s, (uint64_t)(snapshot->high_watermark - snapshot->log_start + 1)),
        .done = on_trimmed,
    };
    list_push_back(&s->trims, &operation->link);
    replica_trim_submit(&operation->trim);
}

/* What was under way never comes home. Idempotent producers will send again. */
void scenario_forget_operations(struct scenario *s)
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
        producer->is_draining = producer_is_idempotent(producer);
        producer->home = (int)scenario_draw(s, (uint64_t)s->options->loop_count);
        if (producer->newest_acknowledged != NULL)
            producer->newest_acknowledged->is_in_flight = false;
        list_for_each(&producer->unacknowledged, node)
        {
            struct sent_batch *batch = container_of(node, struct sent_batch, link);

            batch->is_in_flight = false;
            free(batch->append.recompressed);
            batch->append.recompressed = NULL;
            if (!producer_is_idempotent(producer))
                sent_batch_free(batch);
        }
    }
    s->reads_in_flight = 0;
}
