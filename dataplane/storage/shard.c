/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/shard.h"

#include "dataplane/storage/replica_internal.h"

#include <stdlib.h>

#define RETENTION_CHECK_US ((int64_t)30 * 1000 * 1000)
#define PENDING_MIN_BYTES ((int64_t)4 << 20)
#define FULL_PAUSE_US 500000
#define KEEP_COST_BYTES ((int64_t)1 << 20) /* two syncs, or so much less of a file that goes */
/* So much of one log is written with one call past the page cache at little cost. */
#define LATE_ENOUGH_BYTES ((int64_t)256 << 10)
/* Shares of the tail's memory. */
#define LATE_SHARE 2
#define LATE_ENOUGH_SHARE 16

static void on_kick(struct mail *mail);
static void on_round_done(struct work *work);
static void on_retention(struct timer *timer);

static void free_view(struct published_node *node)
{
    log_view_free(container_of(node, struct log_view, node));
}

static void run_round(struct work *work)
{
    struct shard *shard = container_of(work, struct shard, round_work);

    flush_round_run(shard->store, &shard->round);
}

void shard_init(struct shard *shard, struct log_directory *directory, struct log_store *store,
                struct loop *loop, int64_t tail_bytes, const struct cleaner_limits *cleaner_limits,
                int64_t removal_piece_bytes)
{
    *shard = (struct shard){
        .store = store,
        .directory = directory,
        .loop = loop,
        .pending_bytes_max = tail_bytes > PENDING_MIN_BYTES ? tail_bytes : PENDING_MIN_BYTES,
        .late_bytes_max = tail_bytes / LATE_SHARE,
        .late_bytes_enough = tail_bytes / LATE_ENOUGH_SHARE < LATE_ENOUGH_BYTES
                                 ? tail_bytes / LATE_ENOUGH_SHARE
                                 : LATE_ENOUGH_BYTES,
        .round = {.shard = loop->index},
        .round_work = {.run = run_round, .done = on_round_done},
        .kick = {.deliver = on_kick},
        .retention = {.fire = on_retention},
    };
    list_init(&shard->replicas);
    list_init(&shard->dirty);
    list_init(&shard->round.items);
    list_init(&shard->round.flushed_points);
    for (int i = 0; i < WAL_STREAMS; i++)
        checkpoint_queue_init(&shard->checkpoints[i], shard, (enum wal_stream)i);
    list_init(&shard->leaving);
    wal_ahead_init(&shard->wal_ahead, shard);
    shard->deferred_end = &shard->deferred;
    tail_budget_init(&shard->tail, tail_bytes, &loop->spares);
    reclaim_init(&shard->reclaim, loop, free_view);
    cleaner_init(&shard->cleaner, shard, cleaner_limits);
    removals_init(&shard->removals, loop, store, removal_piece_bytes);
}

void shard_done(struct shard *shard)
{
    shard->is_dead = true;
    shard->reclaim.is_closing = true;
    cleaner_done(&shard->cleaner);
    list_for_each(&shard->replicas, node)
        replica_free(container_of(node, struct replica, in_shard));
    reclaim_done(&shard->reclaim);
    list_for_each(&shard->leaving, node)
    {
        struct segment *segment = container_of(node, struct segment, leaving);

        segment_files_drop(&shard->store->files, segment);
        segment_free(segment);
    }
}

/* --- rounds --- */

static struct replica *replica_of_item(struct list *node)
{
    return container_of(container_of(node, struct flush_item, link), struct replica, item);
}

static void take_dirty(struct shard *shard)
{
    list_for_each(&shard->dirty, node)
    {
        struct replica *replica = container_of(node, struct replica, dirty);

        list_remove(&replica->dirty);
        if (replica_take_item(replica, shard->is_last_round))
            list_push_back(&shard->round.items, &replica->item.link);
    }
}

static void begin_round(struct shard *shard)
{
    struct flush_round *round = &shard->round;

    if (shard->is_round_running)
        return;
    take_dirty(shard);
    for (int i = 0; i < WAL_STREAMS; i++)
        list_splice_back(&round->flushed_points, &shard->checkpoints[i].points);
    if (list_is_empty(&round->items) && list_is_empty(&round->flushed_points))
        return;
    for (int i = 0; i < WAL_STREAMS; i++)
        round->needed_lsns[i] = checkpoint_needed_lsn(&shard->checkpoints[i]);
    shard->is_round_running = true;
    shard->round_began_us = loop_now_us(shard->loop);
    worker_submit(shard->loop, WORKER_FLUSH, &shard->round_work);
}

static void on_kick(struct mail *mail)
{
    struct shard *shard = container_of(mail, struct shard, kick);

    shard->is_kicked = false;
    begin_round(shard);
}

void shard_adopt(struct shard *shard, struct replica *replica)
{
    if (list_is_linked(&replica->in_shard))
        return;
    list_push_back(&shard->replicas, &replica->in_shard);
    if (!timer_is_armed(&shard->retention) && !shard->is_closing) {
        retention_clock_init(&shard->retention_clock, loop_wall_ms(shard->loop),
                             loop_now_us(shard->loop));
        timer_start_in(shard->loop, &shard->retention, RETENTION_CHECK_US);
    }
    cleaner_begin(&shard->cleaner);
}

void shard_kick(struct shard *shard)
{
    if (shard->is_kicked || shard->is_round_running)
        return;
    shard->is_kicked = true;
    loop_post(shard->loop, &shard->kick);
}

bool shard_has_room(const struct shard *shard)
{
    return shard->pending_bytes < shard->pending_bytes_max &&
           shard->late_bytes < shard->pending_bytes_max;
}

void shard_bound_late(struct shard *shard)
{
    if (shard->late_bytes > shard->late_bytes_max)
        checkpoint_want_late(shard, shard->late_bytes - shard->late_bytes_max / 2);
}

/* Appends that found no room, in their order, as far as there is room now, or they are refused. */
static void resume_deferred(struct shard *shard)
{
    struct replica_append *append = NULL;

    while ((append = shard->deferred) != NULL &&
           (shard_has_room(shard) || loop_now_us(shard->loop) < shard->full_until_us)) {
        shard->deferred = append->next;
        if (shard->deferred == NULL)
            shard->deferred_end = &shard->deferred;
        append->next = NULL;
        replica_append_resume(append);
    }
}

static void finish_closing(struct shard *shard);

static void on_round_done(struct work *work)
{
    struct shard *shard = container_of(work, struct shard, round_work);
    struct list items;

    list_init(&items);
    list_splice_back(&items, &shard->round.items);
    checkpoint_release_points(&shard->round.flushed_points);
    shard->is_round_running = false;
    histogram_note(&shard->rounds, loop_now_us(shard->loop) - shard->round_began_us);
    counter_add(&shard->metrics.wal_bytes, shard->round.wal_bytes);
    wal_ahead_round_done(&shard->wal_ahead, &shard->round);
    list_for_each(&items, node)
    {
        struct replica *replica = replica_of_item(node);

        list_remove(node);
        if (shard->is_last_round && replica->item.err != ERR_OK)
            shard->is_end_unknown = true;
        if (replica->item.err == ERR_NO_SPACE)
            shard->full_until_us = loop_now_us(shard->loop) + FULL_PAUSE_US;
        replica_round_done(replica);
    }
    shard_bound_late(shard);
    resume_deferred(shard);
    begin_round(shard);
    if (shard->is_closing && !shard->is_round_running)
        finish_closing(shard);
}

void shard_late_write_ended(struct shard *shard, enum err err)
{
    if (err == ERR_OK)
        shard_bound_late(shard);
    else if (err == ERR_NO_SPACE)
        shard->full_until_us = loop_now_us(shard->loop) + FULL_PAUSE_US;
    resume_deferred(shard);
}

/* --- retention --- */

int64_t shard_judged_ms(struct shard *shard)
{
    return retention_clock_read(&shard->retention_clock, loop_wall_ms(shard->loop),
                                loop_now_us(shard->loop));
}

static enum err shrink_piece(struct removal *removal, int64_t *budget, bool *ret_is_gone)
{
    struct log_store *store = container_of(removal, struct shard, shrinking)->store;

    return segment_spares_shrink(&store->spares, flush_room_bytes(store), budget, ret_is_gone);
}

static void shrunk(struct removal *removal)
{
    struct shard *shard = container_of(removal, struct shard, shrinking);

    shard->is_shrinking = false;
    shard_work_ended(shard);
}

/* There are more spares than there may be, now that less of the disk is free. One loop sees to it. */
static void shrink_spares(struct shard *shard)
{
    if (shard->is_shrinking || shard->loop->index != 0 ||
        atomic_load(&shard->store->spares.bytes) == 0)
        return;
    shard->is_shrinking = true;
    shard->shrinking = (struct removal){.run = shrink_piece, .done = shrunk};
    shard_work_began(shard);
    removals_add(&shard->removals, &shard->shrinking);
}

static void on_retention(struct timer *timer)
{
    struct shard *shard = container_of(timer, struct shard, retention);
    int64_t now_ms = shard_judged_ms(shard);

    list_for_each(&shard->replicas, node)
        replica_retention(container_of(node, struct replica, in_shard), now_ms);
    shrink_spares(shard);
    timer_start_in(shard->loop, &shard->retention, RETENTION_CHECK_US);
}

/* --- segments that go --- */

void shard_work_began(struct shard *shard)
{
    shard->works++;
}

void shard_work_ended(struct shard *shard)
{
    shard->works--;
    if (shard->is_closing && !shard->is_round_running)
        finish_closing(shard);
}

static void segment_left(struct segment *segment)
{
    struct shard *shard = segment->shard;
    struct replica *told = segment->told;

    segment_free(segment);
    if (told != NULL)
        replica_segment_left(told);
    shard_work_ended(shard);
}

static void close_file(struct work *work)
{
    struct segment *segment = container_of(work, struct segment, closing);

    segment_files_drop(&segment->store->files, segment);
}

static void file_closed(struct work *work)
{
    segment_left(container_of(work, struct segment, closing));
}

/* For a segment to come. */
static bool keep_file(const struct segment *segment)
{
    struct log_store *store = segment->store;
    char dir[LOG_PATH_BYTES];
    char name[LOG_PATH_BYTES];

    log_path(&segment->id, dir);
    segment_name(segment, SEGMENT_SUFFIX, name);
    return segment_spares_keep(&store->spares, dir, name, flush_room_bytes(store));
}

/* What cannot be removed now is removed at the next start: it lies below the log start. */
static enum err remove_files(struct removal *removal, int64_t *budget, bool *ret_is_gone)
{
    struct segment *segment = container_of(removal, struct segment, removal);
    struct disk *disk = segment->store->disk;
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    *ret_is_gone = segment_files_drop(&segment->store->files, segment) && keep_file(segment);
    *budget -= *ret_is_gone ? KEEP_COST_BYTES : 0;
    segment_path(segment, SEGMENT_SUFFIX, path);
    if (!*ret_is_gone)
        rc = disk_cut_file(disk, path, budget, ret_is_gone);
    if (rc == ERR_OK && !*ret_is_gone)
        return ERR_OK;
    segment_path(segment, SEGMENT_INDEX_SUFFIX, path);
    (void)disk->ops->remove(disk, path);
    return rc;
}

static void files_removed(struct removal *removal)
{
    segment_left(container_of(removal, struct segment, removal));
}

void shard_segment_unref(struct shard *shard, struct segment *segment)
{
    if (--segment->refs > 0)
        return;
    if (shard->is_dead) {
        segment_files_drop(&shard->store->files, segment);
        segment_free(segment);
        return;
    }
    segment->store = shard->store;
    segment->shard = shard;
    list_push_back(&shard->leaving, &segment->leaving);
    shard_work_began(shard);
    if (segment->is_doomed) {
        segment->removal = (struct removal){.run = remove_files, .done = files_removed};
        removals_add(&shard->removals, &segment->removal);
    } else {
        segment->closing = (struct work){.run = close_file, .done = file_closed};
        worker_submit(shard->loop, WORKER_SLOW, &segment->closing);
    }
}

void shard_segment_list_unref(struct shard *shard, struct segment_list *list)
{
    if (list == NULL || --list->refs > 0)
        return;
    for (int i = 0; i < list->count; i++)
        shard_segment_unref(shard, list->views[i].segment);
    free(list);
}

/* --- the end --- */

static void on_reclaim_home(struct reclaim *reclaim)
{
    struct shard *shard = container_of(reclaim, struct shard, reclaim);
    void (*on_closed)(struct shard *) = shard->on_closed;

    /* What came home may have been the last to hold a segment. */
    if (on_closed == NULL || shard->works > 0)
        return;
    shard->on_closed = NULL;
    on_closed(shard);
}

/* Rounds and late writes first, one round more in which every log says where it ends, then what travels or leaves. */
static void finish_closing(struct shard *shard)
{
    if (shard->late_writes > 0)
        return;
    if (!shard->is_last_round) {
        shard->is_last_round = true;
        list_for_each(&shard->replicas, node)
            replica_mark_dirty(container_of(node, struct replica, in_shard));
        begin_round(shard);
    }
    if (!shard->is_round_running && shard->works == 0)
        reclaim_close(&shard->reclaim, on_reclaim_home);
}

static void begin_closing(struct mail *mail)
{
    struct shard *shard = container_of(mail, struct shard, close_mail);
    struct replica_append *append = NULL;

    shard->is_closing = true;
    timer_stop(shard->loop, &shard->retention);
    cleaner_close(&shard->cleaner);
    checkpoint_stop(shard);
    removals_hurry(&shard->removals);
    while ((append = shard->deferred) != NULL) {
        shard->deferred = append->next;
        append->next = NULL;
        replica_append_fail(append, KAFKA_NOT_LEADER_OR_FOLLOWER, "the broker is stopping");
    }
    shard->deferred_end = &shard->deferred;
    begin_round(shard);
    if (!shard->is_round_running)
        finish_closing(shard);
}

void shard_close(struct shard *shard, void (*on_closed)(struct shard *shard))
{
    shard->on_closed = on_closed;
    shard->close_mail.deliver = begin_closing;
    loop_post(shard->loop, &shard->close_mail);
}
