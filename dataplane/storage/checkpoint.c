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

void checkpoint_queue_init(struct checkpoint_queue *queue, struct shard *shard,
                           enum wal_stream stream)
{
    *queue = (struct checkpoint_queue){.shard = shard, .stream = stream, .tick = {.fire = on_tick}};
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

static void add_to_count(struct checkpoint_queue *queue, int by)
{
    struct shard *shard = queue->shard;
    int unsynced = 0;

    queue->count += by;
    for (int i = 0; i < WAL_STREAMS; i++)
        unsynced += shard->checkpoints[i].count;
    counter_set(&shard->metrics.unsynced_logs, unsynced);
}

static void enqueue(struct checkpoint_queue *queue, struct checkpoint_entry *entry, int64_t lsn)
{
    struct shard *shard = queue->shard;
    struct list *after = queue->unsynced.prev;

    entry->stream = queue->stream;
    entry->first_lsn = lsn;
    entry->since_us = loop_now_us(shard->loop);
    /* Nearly always the newest. */
    while (after != &queue->unsynced && entry_of(after)->first_lsn > lsn)
        after = after->prev;
    list_push_front(after, &entry->unsynced);
    add_to_count(queue, 1);
    if (!timer_is_armed(&queue->tick) && !shard->is_closing)
        timer_start_in(shard->loop, &queue->tick, TICK_US);
}

static void dequeue(struct shard *shard, struct checkpoint_entry *entry)
{
    if (!list_is_linked(&entry->unsynced))
        return;
    list_remove(&entry->unsynced);
    add_to_count(&shard->checkpoints[entry->stream], -1);
}

int64_t checkpoint_needed_lsn(const struct checkpoint_queue *queue)
{
    return list_is_empty(&queue->unsynced) ? INT64_MAX : entry_of(queue->unsynced.next)->first_lsn;
}

static int hurry_count(const struct checkpoint_queue *queue)
{
    int share = queue->count / HURRY_SHARE;

    if (share < HURRY_LEAST)
        return HURRY_LEAST;
    return share < HURRY_MOST ? share : HURRY_MOST;
}

static bool is_in_hurry(const struct checkpoint_queue *queue)
{
    const struct write_ahead_log *wal = &queue->shard->store->wals[queue->stream];

    return !list_is_empty(&queue->unsynced) &&
           queue->newest_lsn - checkpoint_needed_lsn(queue) > wal->file_bytes / 2;
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
    struct shard *shard = queue->shard;
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
        enqueue(&shard->checkpoints[entry->stream], entry, entry->later_lsn);
    entry->later_lsn = -1;
}

/* Its newest segment was synced. */
static void settle(struct checkpoint_queue *queue, struct checkpoint_entry *entry)
{
    struct shard *shard = queue->shard;

    partition_log_checkpointed(&replica_of(entry)->log, &entry->end);
    counter_add(&shard->metrics.checkpoints, 1);
    requeue(shard, entry);
    entry->point.id = entry->id;
    entry->point.flushed = segment_fact_of(&entry->end);
    list_push_back(&queue->points, &entry->point.link);
}

static void begin_checkpoint(struct checkpoint_queue *queue, int most);

static void hurry(struct checkpoint_queue *queue)
{
    if (is_in_hurry(queue))
        begin_checkpoint(queue, hurry_count(queue));
}

static void checkpoint_done(struct work *work)
{
    struct checkpoint_queue *queue = container_of(work, struct checkpoint_queue, work);
    struct shard *shard = queue->shard;

    queue->is_running = false;
    list_for_each(&queue->away, node)
    {
        struct checkpoint_entry *entry = entry_away(node);
        struct segment *segment = entry->end.segment;

        list_remove(&entry->away);
        if (entry->err == ERR_OK && segment != NULL)
            settle(queue, entry);
        else if (entry->err == ERR_OK)
            requeue(shard, entry); /* all of it was closed, or below the log start */
        entry->end.segment = NULL;
        if (segment != NULL)
            shard_segment_unref(shard, segment);
        if (!list_is_linked(&entry->point.link))
            replica_unref(replica_of(entry));
    }
    shard_kick(shard);
    hurry(queue);
    shard_work_ended(shard);
}

/* Nothing can be synced of it that the write-ahead log would not be needed for all the same. */
static bool is_late(const struct checkpoint_entry *entry, const struct partition_log *log)
{
    return log->late_lsn >= 0 && log->late_lsn <= entry->first_lsn;
}

/* Returns how many bytes are wanted still. */
static int64_t want_late(const struct checkpoint_queue *queue, int64_t bytes)
{
    list_for_each(&queue->unsynced, node)
    {
        struct replica *replica = replica_of(entry_of(node));

        if (bytes <= 0)
            return 0;
        bytes -= replica->log.late.bytes;
        if (replica->log.late_lsn >= 0)
            late_write_want(replica);
    }
    return bytes;
}

void checkpoint_want_late(struct shard *shard, int64_t bytes)
{
    for (int i = 0; i < WAL_STREAMS; i++)
        bytes = want_late(&shard->checkpoints[i], bytes);
}

/* Takes what is in the file now along. */
static void send_away(struct checkpoint_queue *queue, struct checkpoint_entry *entry)
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
    list_push_back(&queue->away, &entry->away);
}

static void begin_checkpoint(struct checkpoint_queue *queue, int most)
{
    struct shard *shard = queue->shard;

    if (queue->is_running || shard->is_closing || shared_flag_is_up(&shard->store->failed))
        return;
    list_for_each(&queue->unsynced, node)
    {
        struct checkpoint_entry *entry = entry_of(node);

        /* It may be away with what the other write-ahead log had of it. */
        if (most == 0 || list_is_linked(&entry->point.link) || list_is_linked(&entry->away))
            break;
        if (is_late(entry, &replica_of(entry)->log))
            late_write_want(replica_of(entry)); /* its turn comes after that */
        else
            send_away(queue, entry);
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
static int due_count(const struct checkpoint_queue *queue)
{
    int64_t now_us = loop_now_us(queue->shard->loop);
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
    struct shard *shard = queue->shard;

    begin_checkpoint(queue, is_in_hurry(queue) ? hurry_count(queue) : due_count(queue));
    shard_bound_late(shard);
    if (!list_is_empty(&queue->unsynced) && !shard->is_closing)
        timer_start_in(shard->loop, &queue->tick, TICK_US);
}

/* --- what rounds say --- */

void checkpoint_late_written(struct shard *shard)
{
    for (int i = 0; i < WAL_STREAMS; i++)
        hurry(&shard->checkpoints[i]);
}

void checkpoint_note(struct replica *replica, enum wal_stream stream, int64_t lsn)
{
    struct checkpoint_queue *queue = &replica->shard->checkpoints[stream];
    struct checkpoint_entry *entry = &replica->checkpoint;

    if (lsn > queue->newest_lsn)
        queue->newest_lsn = lsn;
    if (entry->stream != stream) {
        dequeue(replica->shard, entry);
        entry->later_lsn = -1;
    }
    if (list_is_linked(&entry->away) && entry->later_lsn < 0)
        entry->later_lsn = lsn;
    if (!list_is_linked(&entry->unsynced))
        enqueue(queue, entry, lsn);
    hurry(queue);
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
    for (int i = 0; i < WAL_STREAMS; i++)
        timer_stop(shard->loop, &shard->checkpoints[i].tick);
}
