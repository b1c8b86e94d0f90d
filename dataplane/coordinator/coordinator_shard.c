/* SPDX-License-Identifier: Apache-2.0 */
/* After every event the core's decisions are carried out (`carry_out`): appends go to the log, finished
 * calls to the owner, the timer to the next deadline. An append under way is one allocation that holds
 * its batch; the log calls back on our own loop. */
#include "dataplane/coordinator/coordinator_shard.h"

#include "common/observe/log.h"
#include "dataplane/coordinator/batch_builder.h"
#include "dataplane/storage/record_batch.h"
#include "dataplane/storage/record_stream.h"

#include <stdlib.h>

enum { READ_BYTES = 256 * 1024, PAUSE_US = 1000 * 1000 };

/* Per record the batch has a few bytes more than the append. */
#define BATCH_BYTES_MAX ((size_t)64 * 1024 * 1024)

enum shell_state { SHELL_LOADING, SHELL_PAUSING, SHELL_SERVING, SHELL_CLOSING };

struct coordinator_shard {
    struct coordinator_shard_options options;
    struct group_shard_options group_options;
    struct group_shard *core;
    struct loop *loop;
    enum shell_state state;
    struct timer timer; /* Serving: the core's deadline; Pausing: try again */
    struct replica_read read;
    struct replica_waiter waiter;
    log_offset next_offset; /* loading */
    log_offset load_end;
    int64_t started_us;
    size_t pending; /* reads, waits and appends under way */
    bool is_waiting;
    bool is_broken;
};

struct batch_append {
    struct replica_append append;
    struct coordinator_shard *shard;
    struct group_append *decision;
    struct buffer bytes;
};

static void load_more(struct coordinator_shard *shard);
static void carry_out(struct coordinator_shard *shard);

static struct group_time time_of(const struct coordinator_shard *shard)
{
    return (struct group_time){loop_now_us(shard->loop), loop_wall_ms(shard->loop)};
}

/* --- closing --- */

/* Nothing may touch the shard after this. */
static void end_pending(struct coordinator_shard *shard)
{
    if (--shard->pending == 0 && shard->state == SHELL_CLOSING)
        shard->options.events.on_closed(shard->options.events.context);
}

/* The wake may have come before. */
static void on_wait_cancelled(struct replica_waiter *waiter)
{
    struct coordinator_shard *shard = container_of(waiter, struct coordinator_shard, waiter);

    if (shard->is_waiting)
        shard->pending--;
    shard->is_waiting = false;
    end_pending(shard);
}

static void hand_back_calls(struct coordinator_shard *shard)
{
    struct group_call *call = NULL;

    while ((call = group_shard_next_finished(shard->core)) != NULL)
        shard->options.events.on_finished(shard->options.events.context, call);
}

void coordinator_shard_close(struct coordinator_shard *shard)
{
    invariant(shard->state != SHELL_CLOSING);
    shard->state = SHELL_CLOSING;
    shard->pending++; /* whatever ends below, on_closed is the last of it */
    timer_stop(shard->loop, &shard->timer);
    group_shard_resign(shard->core);
    hand_back_calls(shard);
    if (shard->is_waiting) {
        shard->pending++;
        replica_wait_cancel(&shard->waiter, on_wait_cancelled);
    }
    end_pending(shard);
}

/* --- appends --- */

static void on_appended(struct replica_append *append)
{
    struct batch_append *batch = container_of(append, struct batch_append, append);
    struct coordinator_shard *shard = batch->shard;

    group_shard_appended(shard->core, batch->decision, append->error, time_of(shard));
    buffer_done(&batch->bytes);
    free(batch);
    if (shard->state != SHELL_CLOSING)
        carry_out(shard);
    end_pending(shard);
}

static struct batch_append *build_batch(struct coordinator_shard *shard,
                                        struct group_append *decision)
{
    struct batch_append *batch = calloc(1, sizeof(*batch));
    struct batch_builder builder;
    struct group_record record;
    size_t position = 0;

    if (batch == NULL)
        return NULL;
    buffer_init(&batch->bytes, BATCH_BYTES_MAX);
    batch_builder_begin(&builder, &batch->bytes, decision->timestamp_ms);
    while (group_append_next_record(decision, &position, &record))
        batch_builder_add(&builder, record.key, record.value);
    if (batch_builder_end(&builder) != ERR_OK) {
        buffer_done(&batch->bytes);
        free(batch);
        return NULL;
    }
    batch->shard = shard;
    batch->decision = decision;
    return batch;
}

static void append_to_log(struct coordinator_shard *shard, struct group_append *decision)
{
    struct batch_append *batch = build_batch(shard, decision);

    if (batch == NULL) {
        group_shard_appended(shard->core, decision, KAFKA_COORDINATOR_NOT_AVAILABLE,
                             time_of(shard));
        return;
    }
    batch->append = (struct replica_append){
        .replica = shard->options.replica,
        .records = batch->bytes.data,
        .records_len = batch->bytes.len,
        .origin = APPEND_COORDINATOR,
        .acks = -1,
        .produce_version = INT16_MAX,
        .home = shard->loop,
        .done = on_appended,
    };
    shard->pending++;
    replica_append_submit(&batch->append);
}

/* --- decisions --- */

/* Told by the timer, where nobody up the stack still uses the shard. */
static void become_broken(struct coordinator_shard *shard)
{
    if (shard->is_broken)
        return;
    shard->is_broken = true;
    log_event(LOG_ERROR, "group_shard_broken", f_i64("instance_no", shard->options.instance_no),
              f_i64("partition", shard->options.partition),
              f_str("reason", "no memory to replay a committed record; loading it again"));
    timer_start_in(shard->loop, &shard->timer, PAUSE_US);
}

static void on_timer(struct timer *timer)
{
    struct coordinator_shard *shard = container_of(timer, struct coordinator_shard, timer);

    if (shard->is_broken) {
        shard->options.events.on_broken(shard->options.events.context);
        return;
    }
    if (shard->state == SHELL_PAUSING) {
        load_more(shard);
        return;
    }
    group_shard_tick(shard->core, time_of(shard));
    carry_out(shard);
}

static void carry_out(struct coordinator_shard *shard)
{
    struct group_append *decision = NULL;
    int64_t deadline_us = 0;

    while ((decision = group_shard_next_append(shard->core)) != NULL)
        append_to_log(shard, decision);
    hand_back_calls(shard);
    if (group_shard_is_broken(shard->core)) {
        become_broken(shard);
        return;
    }
    if (shard->state != SHELL_SERVING)
        return;
    deadline_us = group_shard_next_deadline(shard->core);
    if (deadline_us == INT64_MAX)
        timer_stop(shard->loop, &shard->timer);
    else if (!timer_is_armed(&shard->timer) || shard->timer.deadline_us != deadline_us)
        timer_start(shard->loop, &shard->timer, deadline_us);
}

/* --- loading --- */

static void pause_load(struct coordinator_shard *shard, const char *reason)
{
    log_event(LOG_WARN, "group_shard_load_paused", f_i64("instance_no", shard->options.instance_no),
              f_i64("partition", shard->options.partition), f_i64("offset", shard->next_offset),
              f_str("reason", reason));
    shard->state = SHELL_PAUSING;
    timer_start_in(shard->loop, &shard->timer, PAUSE_US);
}

static void finish_load(struct coordinator_shard *shard)
{
    struct group_shard_counts counts;

    shard->state = SHELL_SERVING;
    group_shard_loaded(shard->core, time_of(shard));
    group_shard_count(shard->core, &counts);
    /* Most instances have no groups, and an Enterprise one has fifty shards. */
    log_event(counts.groups > 0 ? LOG_INFO : LOG_DEBUG, "group_shard_loaded",
              f_i64("instance_no", shard->options.instance_no),
              f_i64("partition", shard->options.partition), f_i64("epoch", shard->options.epoch),
              f_i64("groups", counts.groups), f_i64("offsets", counts.offsets),
              f_i64("skipped_records", counts.skipped_records),
              f_i64("took_us", loop_now_us(shard->loop) - shard->started_us));
    carry_out(shard);
}

/* ERR_NO_MEMORY; ERR_UNSUPPORTED for a compressed batch, which no coordinator of ours writes; ERR_CORRUPT. */
static enum err replay_records(struct coordinator_shard *shard, const struct record_batch *batch,
                               struct slice bytes)
{
    struct record_stream stream;
    struct record_view record;
    enum err rc = ERR_OK;

    if (batch->attributes & (RECORD_BATCH_CONTROL | RECORD_BATCH_TRANSACTIONAL))
        return ERR_OK;
    if (record_batch_codec(batch) != 0)
        return ERR_UNSUPPORTED;
    rc =
        record_stream_init(&stream, 0, record_batch_records(batch, bytes), RECORD_STREAM_MAX_BYTES);
    for (int32_t i = 0; i < batch->record_count && rc == ERR_OK; i++) {
        rc = record_stream_next(&stream, &record);
        if (rc == ERR_OK && batch->base_offset + record.offset_delta >= shard->next_offset)
            rc = group_shard_replay(shard->core, record.key, record.value);
    }
    record_stream_done(&stream);
    return rc == ERR_INVALID || rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

static enum err replay_batches(struct coordinator_shard *shard, struct slice bytes)
{
    enum err rc = ERR_OK;

    while (bytes.len > 0 && rc == ERR_OK) {
        struct record_batch batch;

        rc = record_batch_parse(bytes, &batch);
        if (rc == ERR_OK && (size_t)batch.size_bytes > bytes.len)
            rc = ERR_TRUNCATED;
        if (rc != ERR_OK)
            break;
        rc = replay_records(shard, &batch, slice_of(bytes.data, (size_t)batch.size_bytes));
        if (rc != ERR_OK)
            break;
        shard->next_offset = record_batch_next_offset(&batch);
        bytes = slice_of(bytes.data + batch.size_bytes, bytes.len - (size_t)batch.size_bytes);
    }
    return rc;
}

static void on_watermark(struct replica_waiter *waiter)
{
    struct coordinator_shard *shard = container_of(waiter, struct coordinator_shard, waiter);

    bool has_moved = replica_snapshot(shard->options.replica)->high_watermark > waiter->offset;

    shard->is_waiting = false;
    if (shard->state != SHELL_CLOSING && has_moved)
        load_more(shard);
    else if (shard->state != SHELL_CLOSING)
        pause_load(shard, "the replica does not lead");
    end_pending(shard);
}

static void await_watermark(struct coordinator_shard *shard)
{
    shard->state = SHELL_PAUSING;
    shard->waiter = (struct replica_waiter){
        .replica = shard->options.replica,
        .home = shard->loop,
        .offset = shard->next_offset,
        .isolation = READ_UNCOMMITTED,
        .wake = on_watermark,
    };
    shard->is_waiting = true;
    shard->pending++;
    replica_wait(&shard->waiter);
}

/* What the bytes of one read lead to. */
enum load_step { LOAD_MORE, LOAD_AWAIT_WATERMARK, LOAD_FINISH, LOAD_PAUSE, LOAD_RESTART };

static enum load_step take_read(struct coordinator_shard *shard, const struct replica_read *read,
                                const char **ret_reason)
{
    enum err rc = ERR_OK;

    if (read->error == KAFKA_OFFSET_OUT_OF_RANGE && read->log_start > shard->next_offset) {
        shard->next_offset = read->log_start;
        return LOAD_MORE;
    }
    *ret_reason = kafka_error_name(read->error);
    if (read->error != KAFKA_NONE)
        return LOAD_PAUSE;
    rc = replay_batches(shard, slice_of(read->records, read->records_len));
    *ret_reason = err_text(rc);
    /* Half a batch is in the core now: only a new core is clean. */
    if (rc == ERR_NO_MEMORY)
        return LOAD_RESTART;
    if (rc != ERR_OK)
        return LOAD_PAUSE;
    if (shard->next_offset >= shard->load_end ||
        (read->records_len == 0 && read->high_watermark >= shard->load_end))
        return LOAD_FINISH;
    return read->records_len == 0 ? LOAD_AWAIT_WATERMARK : LOAD_MORE;
}

static void go_on_loading(struct coordinator_shard *shard, enum load_step step, const char *reason)
{
    switch (step) {
    case LOAD_MORE:
        load_more(shard);
        break;
    case LOAD_AWAIT_WATERMARK:
        await_watermark(shard);
        break;
    case LOAD_FINISH:
        finish_load(shard);
        break;
    case LOAD_PAUSE:
        pause_load(shard, reason);
        break;
    case LOAD_RESTART:
        become_broken(shard);
        break;
    }
}

static void on_read(struct replica_read *read)
{
    struct coordinator_shard *shard = container_of(read, struct coordinator_shard, read);
    bool is_wanted = shard->state != SHELL_CLOSING;
    const char *reason = "";
    enum load_step step = is_wanted ? take_read(shard, read, &reason) : LOAD_MORE;

    replica_read_done(read);
    if (is_wanted)
        go_on_loading(shard, step, reason);
    end_pending(shard);
}

static void load_more(struct coordinator_shard *shard)
{
    shard->state = SHELL_LOADING;
    if (shard->next_offset >= shard->load_end) {
        finish_load(shard);
        return;
    }
    shard->read = (struct replica_read){
        .replica = shard->options.replica,
        .home = shard->loop,
        .offset = shard->next_offset,
        .max_bytes = READ_BYTES,
        .must_progress = true,
        .isolation = READ_UNCOMMITTED,
        .done = on_read,
    };
    shard->pending++;
    replica_read_submit(&shard->read);
}

/* --- life --- */

enum err coordinator_shard_new(const struct coordinator_shard_options *options,
                               struct coordinator_shard **ret_shard)
{
    struct coordinator_shard *shard = calloc(1, sizeof(*shard));
    const struct log_snapshot *snapshot = replica_snapshot(options->replica);

    if (shard == NULL)
        return ERR_NO_MEMORY;
    shard->options = *options;
    shard->loop = replica_loop(options->replica);
    shard->timer.fire = on_timer;
    shard->started_us = loop_now_us(shard->loop);
    shard->next_offset = snapshot->log_start;
    shard->load_end = snapshot->log_end;
    if (group_shard_new(options->group, &options->host, options->random, options->seed,
                        &shard->core) != ERR_OK) {
        free(shard);
        return ERR_NO_MEMORY;
    }
    replica_ref(options->replica);
    *ret_shard = shard;
    load_more(shard);
    return ERR_OK;
}

void coordinator_shard_free(struct coordinator_shard *shard)
{
    if (shard == NULL)
        return;
    invariant(shard->state == SHELL_CLOSING && shard->pending == 0);
    group_shard_free(shard->core);
    replica_unref(shard->options.replica);
    free(shard);
}

leader_epoch coordinator_shard_epoch(const struct coordinator_shard *shard)
{
    return shard->options.epoch;
}

void coordinator_shard_submit(struct coordinator_shard *shard, struct group_call *call)
{
    group_shard_submit(shard->core, call, time_of(shard));
    carry_out(shard);
}

void coordinator_shard_cancel(struct coordinator_shard *shard, struct group_call *call)
{
    group_shard_cancel(shard->core, call, time_of(shard));
    carry_out(shard);
}

enum kafka_error coordinator_shard_list(const struct coordinator_shard *shard,
                                        struct group_call *call)
{
    return group_shard_list(shard->core, call);
}

void coordinator_shard_visit(const struct coordinator_shard *shard,
                             const struct group_visitor *visitor)
{
    group_shard_visit(shard->core, visitor);
}

void coordinator_shard_topic_deleted(struct coordinator_shard *shard, struct slice topic)
{
    group_shard_topic_deleted(shard->core, topic, time_of(shard));
    carry_out(shard);
}
