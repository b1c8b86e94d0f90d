/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/cleaner/cleaner.h"

#include "common/observe/log.h"
#include "dataplane/storage/cleaner/segment_exchange.h"
#include "dataplane/storage/replica_internal.h"

#define PAUSE_US ((int64_t)30 * 1000 * 1000)
#define SLICE_BYTES ((int64_t)1 << 20)

static void on_timer(struct timer *timer);
static void go_on(struct cleaner *cleaner);

void cleaner_init(struct cleaner *cleaner, struct shard *shard, const struct cleaner_limits *limits)
{
    *cleaner = (struct cleaner){.shard = shard, .limits = *limits, .timer = {.fire = on_timer}};
}

static void wait_for(struct cleaner *cleaner, int64_t delay_us)
{
    if (!cleaner->shard->is_closing)
        timer_start_in(cleaner->shard->loop, &cleaner->timer, delay_us);
}

void cleaner_begin(struct cleaner *cleaner)
{
    if (cleaner->limits.map_bytes > 0 && cleaner->state == CLEANER_IDLE &&
        !timer_is_armed(&cleaner->timer))
        wait_for(cleaner, cleaner->limits.check_us);
}

/* --- a pass ends --- */

/* The pass needs the segments from `from` up to `to` no more. */
static void give_segments_back(struct cleaner *cleaner, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct segment *segment = cleaner->pass.segments[i].segment;

        cleaner->pass.segments[i].segment = NULL;
        if (segment != NULL)
            shard_segment_unref(cleaner->shard, segment);
    }
}

static void give_back(struct cleaner *cleaner)
{
    struct clean_pass *pass = &cleaner->pass;

    if (pass->fresh.segment != NULL) {
        pass->fresh.segment->is_doomed = !cleaner->is_exchange_asked;
        shard_segment_unref(cleaner->shard, pass->fresh.segment);
    }
    give_segments_back(cleaner, 0, pass->count);
    epoch_history_unref(pass->epochs);
    clean_pass_done(pass);
    cleaner->is_exchange_asked = false;
}

static void end_pass(struct cleaner *cleaner)
{
    struct replica *replica = cleaner->replica;

    replica->log.last_generation = cleaner->pass.next_generation - 1;
    give_back(cleaner);
    cleaner->replica = NULL;
    cleaner->state = CLEANER_IDLE;
    wait_for(cleaner, 0);
    replica_cleaning_ended(replica);
}

void cleaner_done(struct cleaner *cleaner)
{
    if (cleaner->state != CLEANER_IDLE)
        give_back(cleaner);
    cleaner->state = CLEANER_IDLE;
}

/* Until the next start. */
static void stop_compacting(struct replica *replica, enum err err)
{
    char path[LOG_PATH_BYTES];

    replica->is_uncleanable = true;
    counter_add(&replica->shard->metrics.compactions_failed, 1);
    log_path(&replica->id, path);
    log_event(LOG_ERROR, "partition_not_compacted_any_more", f_str("path", path), f_err(err));
}

static void fail_pass(struct cleaner *cleaner, enum err err)
{
    if ((err == ERR_NO_SPACE || err == ERR_NO_MEMORY) && !cleaner->is_exchange_asked) {
        cleaner->paused_until_us = loop_now_us(cleaner->shard->loop) + PAUSE_US;
        counter_add(&cleaner->shard->metrics.compactions_paused, 1);
        log_event(LOG_WARN, "compaction_paused", f_err(err));
    } else {
        stop_compacting(cleaner->replica, err);
    }
    end_pass(cleaner);
}

static bool must_stop(const struct cleaner *cleaner)
{
    const struct replica *replica = cleaner->replica;

    return cleaner->shard->is_closing || !replica_is_leading(replica) ||
           (replica->config->config.cleanup_policy & CLEANUP_COMPACT) == 0;
}

/* --- steps --- */

static void submit(struct cleaner *cleaner, enum worker_pool pool, void (*run)(struct work *work),
                   void (*done)(struct work *work))
{
    cleaner->state = CLEANER_WORKING;
    cleaner->work = (struct work){.run = run, .done = done};
    shard_work_began(cleaner->shard);
    worker_submit(cleaner->shard->loop, pool, &cleaner->work);
}

static struct cleaner *cleaner_of(struct work *work)
{
    return container_of(work, struct cleaner, work);
}

static void run_slice(struct work *work)
{
    clean_pass_run(&cleaner_of(work)->pass, SLICE_BYTES);
}

static void slice_done(struct work *work)
{
    struct cleaner *cleaner = cleaner_of(work);
    struct shard *shard = cleaner->shard;

    cleaner->state = CLEANER_PACED;
    if (cleaner->pass.err != ERR_OK && !must_stop(cleaner))
        fail_pass(cleaner, cleaner->pass.err);
    else
        go_on(cleaner);
    shard_work_ended(shard);
}

static void run_note(struct work *work)
{
    struct cleaner *cleaner = cleaner_of(work);

    cleaner->work_err = segment_exchange_note_cleaned(cleaner->shard->store, &cleaner->replica->id,
                                                      cleaner->pass.cleaning.map_end);
}

static void note_done(struct work *work)
{
    struct cleaner *cleaner = cleaner_of(work);
    struct shard *shard = cleaner->shard;
    struct replica *replica = cleaner->replica;
    const struct clean_pass *pass = &cleaner->pass;
    char path[LOG_PATH_BYTES];

    counter_add(&shard->metrics.compactions, 1);
    counter_add(&shard->metrics.compaction_bytes_read, pass->read_bytes);
    counter_add(&shard->metrics.compaction_bytes_wrote, pass->written_bytes);
    log_path(&replica->id, path);
    if (pass->cleaning.map_end > replica->log.cleaned_end)
        replica->log.cleaned_end = pass->cleaning.map_end;
    log_event(LOG_DEBUG, "log_compacted", f_str("path", path),
              f_i64("end_offset", pass->cleaning.map_end), f_i64("bytes_before", pass->read_bytes),
              f_i64("bytes_after", pass->written_bytes), f_err(cleaner->work_err));
    end_pass(cleaner);
    shard_work_ended(shard);
}

static void run_exchange(struct work *work)
{
    struct cleaner *cleaner = cleaner_of(work);
    struct segment_fact fact = segment_fact_of(&cleaner->pass.fresh);

    cleaner->work_err = segment_exchange_run(cleaner->shard->store, &cleaner->replica->id, &fact);
}

/* The catalogue says it: the loop's lists follow, when no flush round looks at them. */
static void take_over(struct cleaner *cleaner)
{
    struct replica *replica = cleaner->replica;
    struct clean_pass *pass = &cleaner->pass;

    if (replica->log.is_taken) {
        cleaner->state = CLEANER_AWAITING_ROUND;
        return;
    }
    cleaner->state = CLEANER_PACED;
    if (replica->state == REPLICA_OPEN &&
        partition_log_exchange(&replica->log, &pass->fresh) != ERR_OK) {
        /* The old files serve until the next start. */
        stop_compacting(replica, ERR_NO_MEMORY);
        end_pass(cleaner);
        return;
    }
    shard_segment_unref(cleaner->shard, pass->fresh.segment);
    give_segments_back(cleaner, pass->group, pass->segment + 1);
    cleaner->is_exchange_asked = false;
    clean_pass_go_on(pass);
    replica_publish(replica);
    go_on(cleaner);
}

static void exchange_done(struct work *work)
{
    struct cleaner *cleaner = cleaner_of(work);
    struct shard *shard = cleaner->shard;
    enum err rc = cleaner->work_err;

    cleaner->state = CLEANER_PACED;
    if (rc == ERR_OK) {
        take_over(cleaner);
    } else if (rc == ERR_NO_SPACE && !must_stop(cleaner)) {
        wait_for(cleaner, PAUSE_US);
    } else if (rc == ERR_GONE) {
        /* The log start moved into it, or is about to. */
        cleaner->is_exchange_asked = false;
        cleaner->paused_until_us = loop_now_us(shard->loop) + cleaner->limits.check_us;
        end_pass(cleaner);
    } else {
        fail_pass(cleaner, rc);
    }
    shard_work_ended(shard);
}

static void ask_exchange(struct cleaner *cleaner)
{
    cleaner->is_exchange_asked = true;
    submit(cleaner, WORKER_FLUSH, run_exchange, exchange_done);
}

static void go_on(struct cleaner *cleaner)
{
    const struct clean_pass *pass = &cleaner->pass;

    if (must_stop(cleaner)) {
        end_pass(cleaner);
        return;
    }
    switch (pass->state) {
    case CLEAN_MAPPING:
    case CLEAN_COPYING:
        wait_for(cleaner, pass->slice_bytes * 1000000 / cleaner->limits.bytes_per_second);
        break;
    case CLEAN_WRITTEN:
        ask_exchange(cleaner);
        break;
    case CLEAN_DONE:
        submit(cleaner, WORKER_FLUSH, run_note, note_done);
        break;
    }
}

/* --- which log --- */

static bool may_be_cleaned(const struct replica *replica)
{
    return replica_is_leading(replica) && !replica->is_uncleanable && replica->log.is_on_disk &&
           (replica->config->config.cleanup_policy & CLEANUP_COMPACT) != 0;
}

/* More of a is dirty than of b? */
static bool is_dirtier(const struct log_dirt *a, const struct log_dirt *b)
{
    double left = (double)a->dirty_bytes / (double)(a->clean_bytes + a->dirty_bytes);
    double right = (double)b->dirty_bytes / (double)(b->clean_bytes + b->dirty_bytes);

    return left > right;
}

/* NULL = none is due. */
static struct replica *choose(struct shard *shard, struct log_dirt *ret_dirt)
{
    int64_t now_ms = shard_judged_ms(shard);
    struct replica *dirtiest = NULL;

    list_for_each(&shard->replicas, node)
    {
        struct replica *replica = container_of(node, struct replica, in_shard);
        const struct log_config *config = &replica->config->config;
        struct log_dirt dirt;

        if (!may_be_cleaned(replica))
            continue;
        if (partition_log_roll_if_old(&replica->log, config, now_ms))
            replica_mark_dirty(replica);
        partition_log_survey(&replica->log, config, replica->partition.high_watermark, now_ms,
                             &dirt);
        if (!dirt.is_due || (dirtiest != NULL && !is_dirtier(&dirt, ret_dirt)))
            continue;
        dirtiest = replica;
        *ret_dirt = dirt;
    }
    return dirtiest;
}

static enum err begin_pass(struct cleaner *cleaner, struct replica *replica,
                           const struct log_dirt *dirt)
{
    const struct log_config *config = &replica->config->config;
    const struct partition_log *log = &replica->log;
    struct clean_pass *pass = &cleaner->pass;
    enum err rc = clean_pass_init(pass, cleaner->shard->store, log->durable.closed->views,
                                  dirt->count, cleaner->limits.map_bytes, cleaner->limits.seed);

    if (rc == ERR_OK)
        rc = producer_ends_init(&pass->cleaning.producers, &log->producers, log->durable.end);
    if (rc != ERR_OK) {
        give_back(cleaner);
        return rc;
    }
    pass->epochs = epoch_history_ref(log->epochs);
    pass->first_dirty = dirt->first_dirty;
    pass->group_bytes = config->segment_bytes;
    pass->index_interval_bytes = config->index_interval_bytes;
    pass->next_generation = log->last_generation + 1;
    pass->cleaning.map_end = dirt->first_dirty;
    pass->cleaning.codec = config->compression;
    pass->cleaning.now_ms = shard_judged_ms(cleaner->shard);
    pass->cleaning.delete_retention_ms = config->delete_retention_ms;
    cleaner->replica = replica;
    cleaner->state = CLEANER_PACED;
    replica_ref(replica);
    replica->is_being_cleaned = true;
    return ERR_OK;
}

static void check(struct cleaner *cleaner)
{
    struct shard *shard = cleaner->shard;
    struct log_dirt dirt;
    struct replica *replica = NULL;

    if (loop_now_us(shard->loop) >= cleaner->paused_until_us &&
        !shared_flag_is_up(&shard->store->failed))
        replica = choose(shard, &dirt);
    if (replica == NULL || begin_pass(cleaner, replica, &dirt) != ERR_OK) {
        wait_for(cleaner, cleaner->limits.check_us);
        return;
    }
    submit(cleaner, WORKER_SLOW, run_slice, slice_done);
}

static void on_timer(struct timer *timer)
{
    struct cleaner *cleaner = container_of(timer, struct cleaner, timer);

    if (cleaner->state == CLEANER_IDLE)
        check(cleaner);
    else if (cleaner->pass.state == CLEAN_WRITTEN)
        ask_exchange(cleaner); /* the disk was full */
    else
        submit(cleaner, WORKER_SLOW, run_slice, slice_done);
}

/* --- from outside --- */

void cleaner_close(struct cleaner *cleaner)
{
    timer_stop(cleaner->shard->loop, &cleaner->timer);
    if (cleaner->state == CLEANER_PACED)
        end_pass(cleaner);
}

void cleaner_give_up(struct cleaner *cleaner, const struct replica *replica)
{
    if (cleaner->replica != replica || cleaner->state != CLEANER_PACED)
        return;
    timer_stop(cleaner->shard->loop, &cleaner->timer);
    end_pass(cleaner);
}

void cleaner_round_done(struct cleaner *cleaner, struct replica *replica)
{
    if (cleaner->replica == replica && cleaner->state == CLEANER_AWAITING_ROUND)
        take_over(cleaner);
}
