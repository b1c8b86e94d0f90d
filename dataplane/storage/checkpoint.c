/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/checkpoint.h"

#include "dataplane/storage/replica_internal.h"
#include "dataplane/storage/sync_batch.h"

#define TICK_US ((int64_t)250 * 1000)
#define REST_US                                                                                    \
    ((int64_t)10 * 1000 * 1000) /* how long one may stay unsynced before its turn comes */
#define TICKS_PER_REST ((int)(REST_US / TICK_US))
/* In a hurry: few at a time, for whoever waits for the write-ahead log waits behind them; more when there are many. */
#define HURRY_LEAST 4
#define HURRY_MOST 64
#define HURRY_SHARE 64

static void on_tick(struct timer *timer);

void checkpoint_queue_init(struct checkpoint_queue *queue)
{
    *queue = (struct checkpoint_queue){.tick = {.fire = on_tick}};
    list_init(&queue->unsynced);
    list_init(&queue->away);
    list_init(&queue->points);
}

void checkpoint_entry_init(struct checkpoint_entry *entry)
{
    *entry = (struct checkpoint_entry){.later_lsn = -1};
    list_init(&entry->unsynced);
    list_init(&entry->away);
    list_init(&entry->point.link);
}

static struct replica *replica_of(struct checkpoint_entry *entry)
{
    return container_of(entry, struct replica, checkpoint);
}

static struct checkpoint_entry *entry_of(struct list *node)
{
    return container_of(node, struct checkpoint_entry, unsynced);
}

static struct checkpoint_entry *entry_away(struct list *node)
{
    return container_of(node, struct checkpoint_entry, away);
}

/* --- the queue --- */

static void enqueue(struct shard *shard, struct checkpoint_entry *entry, int64_t lsn)
{
    struct checkpoint_queue *queue = &shard->checkpoints;
    struct list *after = queue->unsynced.prev;

    entry->first_lsn = lsn;
    entry->since_us = loop_now_us(shard->loop);
    /* Nearly always the newest. */
    while (after != &queue->unsynced && entry_of(after)->first_lsn > lsn)
        after = after->prev;
    list_push_front(after, &entry->unsynced);
    counter_set(&shard->metrics.unsynced_logs, ++queue->count);
    if (!timer_is_armed(&queue->tick) && !shard->is_closing)
        timer_start_in(shard->loop, &queue->tick, TICK_US);
}

static void dequeue(struct shard *shard, struct checkpoint_entry *entry)
{
    if (!list_is_linked(&entry->unsynced))
        return;
    list_remove(&entry->unsynced);
    counter_set(&shard->metrics.unsynced_logs, --shard->checkpoints.count);
}

int64_t checkpoint_needed_lsn(const struct checkpoint_queue *queue)
{
    return list_is_empty(&queue->unsynced) ? INT64_MAX : entry_of(queue->unsynced.next)->first_lsn;
}

static int hurry_count(const struct shard *shard)
{
    int count = shard->checkpoints.count / HURRY_SHARE;

    if (count < HURRY_LEAST)
        return HURRY_LEAST;
    return count < HURRY_MOST ? count : HURRY_MOST;
}

static bool is_in_hurry(const struct shard *shard)
{
    const struct checkpoint_queue *queue = &shard->checkpoints;

    return !list_is_empty(&queue->unsynced) &&
           queue->newest_lsn - checkpoint_needed_lsn(queue) > shard->store->wal.file_bytes / 2;
}

/* --- one checkpoint --- */

static void sync_entry(struct sync_batch *batch, struct checkpoint_entry *entry)
{
    char path[LOG_PATH_BYTES];

    if (entry->end.segment != NULL)
        sync_batch_segment(batch, &entry->err, entry->end.segment);
    log_path(&entry->id, path);
    if (entry->has_unsynced_name || entry->has_unsynced_dirs)
        sync_batch_dir(batch, &entry->err, path);
    log_path_topic(&entry->id, path);
    if (entry->has_unsynced_dirs) {
        sync_batch_dir(batch, &entry->err, path);
        sync_batch_dir(batch, &entry->err, "topics");
    }
}

static void run_checkpoint(struct work *work)
{
    struct checkpoint_queue *queue = container_of(work, struct checkpoint_queue, work);
    struct shard *shard = container_of(queue, struct shard, checkpoints);
    struct sync_batch batch;

    if ((shard->store->sabotage & SABOTAGE_SKIP_SYNC) != 0)
        return;
    sync_batch_init(&batch, &shard->store->files);
    list_for_each(&queue->away, node) sync_entry(&batch, entry_away(node));
    sync_batch_run(&batch);
    list_for_each(&queue->away, node)
    {
        if (entry_away(node)->err != ERR_OK)
            log_store_fail(shard->store, "checkpoint", entry_away(node)->err);
    }
}

/* What the write-ahead log has of it is needed no more, but for what came meanwhile. */
static void requeue(struct shard *shard, struct checkpoint_entry *entry)
{
    dequeue(shard, entry);
    if (replica_of(entry)->state == REPLICA_OPEN && entry->later_lsn >= 0)
        enqueue(shard, entry, entry->later_lsn);
    entry->later_lsn = -1;
}

/* Its newest segment was synced. */
static void settle(struct shard *shard, struct checkpoint_entry *entry)
{
    partition_log_checkpointed(&replica_of(entry)->log, &entry->end);
    counter_add(&shard->metrics.checkpoints, 1);
    requeue(shard, entry);
    entry->point.id = entry->id;
    entry->point.flushed = segment_fact_of(&entry->end);
    list_push_back(&shard->checkpoints.points, &entry->point.link);
}

static void begin_checkpoint(struct shard *shard, int most);

static void checkpoint_done(struct work *work)
{
    struct checkpoint_queue *queue = container_of(work, struct checkpoint_queue, work);
    struct shard *shard = container_of(queue, struct shard, checkpoints);

    queue->is_running = false;
    list_for_each(&queue->away, node)
    {
        struct checkpoint_entry *entry = entry_away(node);
        struct segment *segment = entry->end.segment;

        list_remove(&entry->away);
        if (entry->err == ERR_OK && segment != NULL)
            settle(shard, entry);
        else if (entry->err == ERR_OK)
            requeue(shard, entry); /* all of it was closed, or below the log start */
        entry->end.segment = NULL;
        if (segment != NULL)
            shard_segment_unref(shard, segment);
        if (!list_is_linked(&entry->point.link))
            replica_unref(replica_of(entry));
    }
    shard_kick(shard);
    if (is_in_hurry(shard))
        begin_checkpoint(shard, hurry_count(shard));
    shard_work_ended(shard);
}

/* Nothing can be synced of it that the write-ahead log would not be needed for all the same. */
static bool is_late(const struct checkpoint_entry *entry, const struct partition_log *log)
{
    return log->late_lsn >= 0 && log->late_lsn <= entry->first_lsn;
}

void checkpoint_want_late(struct shard *shard, int64_t bytes)
{
    list_for_each(&shard->checkpoints.unsynced, node)
    {
        struct replica *replica = replica_of(entry_of(node));

        if (bytes <= 0)
            return;
        bytes -= replica->log.late.bytes;
        if (replica->log.late_lsn >= 0)
            late_write_want(replica);
    }
}

/* Takes what is in the file now along. */
static void send_away(struct shard *shard, struct checkpoint_entry *entry)
{
    struct replica *replica = replica_of(entry);
    const struct partition_log *log = &replica->log;

    replica_ref(replica); /* until its point is recorded */
    entry->id = replica->id;
    entry->end = partition_log_written_view(log);
    if (entry->end.segment != NULL)
        entry->end.segment->refs++;
    entry->has_unsynced_dirs = log->has_unsynced_dirs;
    entry->has_unsynced_name = log->has_unsynced_name;
    entry->later_lsn = log->late_lsn;
    entry->err = ERR_OK;
    list_push_back(&shard->checkpoints.away, &entry->away);
}

static void begin_checkpoint(struct shard *shard, int most)
{
    struct checkpoint_queue *queue = &shard->checkpoints;

    if (queue->is_running || shard->is_closing || shared_flag_is_up(&shard->store->failed))
        return;
    list_for_each(&queue->unsynced, node)
    {
        struct checkpoint_entry *entry = entry_of(node);

        if (most == 0 || list_is_linked(&entry->point.link))
            break;
        if (is_late(entry, &replica_of(entry)->log))
            late_write_want(replica_of(entry)); /* its turn comes after that */
        else
            send_away(shard, entry);
        most--;
    }
    if (list_is_empty(&queue->away))
        return;
    queue->is_running = true;
    queue->work = (struct work){.run = run_checkpoint, .done = checkpoint_done};
    shard_work_began(shard);
    worker_submit(shard->loop, WORKER_SLOW, &queue->work);
}

/* As many as make the whole queue go round in the time that each may rest, if their time has come. */
static int due_count(const struct shard *shard)
{
    const struct checkpoint_queue *queue = &shard->checkpoints;
    int64_t now_us = loop_now_us(shard->loop);
    int most = queue->count / TICKS_PER_REST + 1;
    int due = 0;

    list_for_each(&queue->unsynced, node)
    {
        if (due == most || now_us - entry_of(node)->since_us < REST_US)
            break;
        due++;
    }
    return due;
}

static void on_tick(struct timer *timer)
{
    struct checkpoint_queue *queue = container_of(timer, struct checkpoint_queue, tick);
    struct shard *shard = container_of(queue, struct shard, checkpoints);

    begin_checkpoint(shard, is_in_hurry(shard) ? hurry_count(shard) : due_count(shard));
    shard_bound_late(shard);
    if (!list_is_empty(&queue->unsynced) && !shard->is_closing)
        timer_start_in(shard->loop, &queue->tick, TICK_US);
}

/* --- what rounds say --- */

void checkpoint_late_written(struct shard *shard)
{
    if (is_in_hurry(shard))
        begin_checkpoint(shard, hurry_count(shard));
}

void checkpoint_note(struct replica *replica, int64_t lsn)
{
    struct shard *shard = replica->shard;
    struct checkpoint_entry *entry = &replica->checkpoint;

    if (lsn > shard->checkpoints.newest_lsn)
        shard->checkpoints.newest_lsn = lsn;
    if (list_is_linked(&entry->away) && entry->later_lsn < 0)
        entry->later_lsn = lsn;
    if (!list_is_linked(&entry->unsynced))
        enqueue(shard, entry, lsn);
    if (is_in_hurry(shard))
        begin_checkpoint(shard, hurry_count(shard));
}

void checkpoint_forget(struct replica *replica)
{
    struct checkpoint_entry *entry = &replica->checkpoint;
    struct segment *segment = entry->end.segment;

    dequeue(replica->shard, entry);
    entry->later_lsn = -1;
    if (!replica->shard->is_dead)
        return;
    /* Nobody brings it home any more. */
    list_remove(&entry->away);
    list_remove(&entry->point.link);
    entry->end.segment = NULL;
    if (segment != NULL)
        shard_segment_unref(replica->shard, segment);
}

void checkpoint_release_points(struct list *points)
{
    list_for_each(points, node)
    {
        struct flushed_point *point = container_of(node, struct flushed_point, link);

        list_remove(&point->link);
        replica_unref(replica_of(container_of(point, struct checkpoint_entry, point)));
    }
}

void checkpoint_stop(struct shard *shard)
{
    timer_stop(shard->loop, &shard->checkpoints.tick);
}
