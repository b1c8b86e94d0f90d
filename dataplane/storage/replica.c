/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/replica.h"

#include <stdlib.h>

#include "common/observe/log.h"
#include "dataplane/storage/log_directory_internal.h"
#include "dataplane/storage/replica_internal.h"

/* --- what all may see --- */

static const struct log_view *current_view(const struct replica *replica)
{
    return log_view_of(published_load(&replica->view));
}

const struct log_snapshot *replica_snapshot(const struct replica *replica)
{
    return &current_view(replica)->snapshot;
}

struct loop *replica_loop(const struct replica *replica)
{
    return replica->shard->loop;
}

void replica_epoch_end(const struct replica *replica, leader_epoch epoch, leader_epoch *ret_epoch,
                       log_offset *ret_end)
{
    const struct log_view *view = current_view(replica);

    epoch_history_end(view->epochs, epoch, view->snapshot.log_start, view->snapshot.log_end,
                      ret_epoch, ret_end);
}

bool replica_is_leading(const struct replica *replica)
{
    return replica->state == REPLICA_OPEN && replica->partition.is_leader;
}

static struct log_view *make_view(struct replica *replica, struct spare_pool *spares)
{
    bool is_leading = replica_is_leading(replica);

    return partition_log_view(&replica->log, replica->config, replica->partition.high_watermark,
                              is_leading ? replica->partition.leader_epoch : -1, spares);
}

void replica_publish(struct replica *replica)
{
    struct log_view *view = make_view(replica, &replica->shard->loop->spares);
    struct published_node *old = NULL;

    if (view == NULL) {
        /* Readers see it with the next change. */
        log_event(LOG_WARN, "snapshot_not_published", f_err(ERR_NO_MEMORY));
        return;
    }
    old = published_replace(&replica->view, &view->node);
    if (old != NULL)
        reclaim_retire(&replica->shard->reclaim, old);
}

/* --- flush rounds --- */

void replica_mark_dirty(struct replica *replica)
{
    if (!list_is_linked(&replica->dirty))
        list_push_back(&replica->shard->dirty, &replica->dirty);
    shard_kick(replica->shard);
}

bool replica_take_item(struct replica *replica, bool is_last)
{
    const struct partition_log *log = &replica->log;
    log_offset log_start = replica->owed_log_start > replica->wanted_log_start
                               ? replica->owed_log_start
                               : replica->wanted_log_start;
    bool is_end_unknown = is_last && log->is_on_disk && log->is_changed;
    bool must_wait =
        replica->late.is_item_waiting ||
        (log->late_away != NULL &&
         !partition_log_is_loggable(log, log_start, replica->config->config.flush, is_last));

    if (must_wait)
        return false;
    if (log_start >= 0 && !partition_log_snapshot_producers(&replica->log)) {
        replica_complete_trims(replica, KAFKA_KAFKA_STORAGE_ERROR);
        log_start = -1;
    }
    if (replica->state != REPLICA_OPEN ||
        (!partition_log_is_dirty(log) && log_start < 0 && !is_end_unknown))
        return false;
    replica->taken_log_start = log_start;
    replica->wanted_log_start = -1;
    replica->taken_trims = replica->trims;
    replica->trims = NULL;
    partition_log_take(&replica->log, &replica->item, log_start, replica->config->config.flush,
                       is_last);
    return true;
}

static void go_on_removing(struct replica *replica);

static void round_succeeded(struct replica *replica)
{
    bool is_start_refused = replica->item.is_start_refused;
    enum wal_stream stream = flush_item_stream(&replica->item);
    int64_t lsn = replica->item.lsn;

    partition_log_flushed(&replica->log, &replica->item);
    if (lsn >= 0)
        checkpoint_note(replica, stream, lsn);
    if (replica->taken_log_start >= 0 && !is_start_refused) {
        partition_log_set_start(&replica->log, replica->taken_log_start);
        replica->owed_log_start = -1; /* what was taken is never less */
    }
    (void)partition_state_flushed(&replica->partition, replica->partition.self,
                                  replica->log.durable.end);
    replica_publish(replica);
    replica_complete_appends(replica);
    replica_complete_trims(replica, is_start_refused ? KAFKA_KAFKA_STORAGE_ERROR : KAFKA_NONE);
    replica_wake_waiters(replica);
}

static void round_failed(struct replica *replica)
{
    partition_log_revert(&replica->log, &replica->item);
    replica_publish(replica);
    replica_fail_appends(replica, KAFKA_KAFKA_STORAGE_ERROR,
                         "the batch could not be written to the broker's disk");
    replica_complete_trims(replica, KAFKA_KAFKA_STORAGE_ERROR);
}

/* Nothing was done: what was taken is as if it had not been. */
static void round_waits(struct replica *replica)
{
    partition_log_untake(&replica->log, &replica->item);
    replica->late.is_item_waiting = replica->log.late_away != NULL;
}

void replica_late_write_ended(struct replica *replica)
{
    if (replica->state == REPLICA_REMOVING)
        go_on_removing(replica);
    else
        replica_mark_dirty(replica);
}

void replica_round_done(struct replica *replica)
{
    if (replica->item.err == ERR_OK)
        round_succeeded(replica);
    else if (replica->item.must_wait)
        round_waits(replica);
    else
        round_failed(replica);
    late_write_round_done(replica);
    cleaner_round_done(&replica->shard->cleaner, replica);
    if (replica->state == REPLICA_REMOVING)
        go_on_removing(replica);
    else if (replica->log.pending.first != NULL || replica->wanted_log_start >= 0)
        replica_mark_dirty(replica);
}

/* --- what loop 0 wants --- */

static void config_unref(struct shared_config *config)
{
    if (config != NULL && --config->refs == 0)
        free(config);
}

static void apply_epoch(struct replica *replica, leader_epoch epoch)
{
    int32_t self = replica->partition.self;

    if (epoch <= replica->partition.leader_epoch)
        return;
    if (partition_log_begin_epoch(&replica->log, epoch) != ERR_OK) {
        log_event(LOG_ERROR, "leader_epoch_not_taken", f_i64("epoch", epoch), f_err(ERR_NO_MEMORY));
        return;
    }
    (void)partition_state_lead(&replica->partition, epoch, 0, &self, 1);
}

static void send_control(struct replica *replica);

static void control_came_home(struct mail *mail)
{
    struct replica_control *control = container_of(mail, struct replica_control, mail);
    struct replica *replica = container_of(control, struct replica, control);

    control->is_away = false;
    if (control->wanted_epoch > control->epoch || control->wanted_config != NULL)
        send_control(replica);
    replica_unref(replica);
}

static void control_arrived(struct mail *mail)
{
    struct replica_control *control = container_of(mail, struct replica_control, mail);
    struct replica *replica = container_of(control, struct replica, control);

    if (control->config != NULL) {
        config_unref(replica->config);
        replica->config = control->config;
        control->config = NULL;
    }
    shard_adopt(replica->shard, replica);
    if (replica->state == REPLICA_OPEN) {
        apply_epoch(replica, control->epoch);
        replica_publish(replica);
    }
    mail->deliver = control_came_home;
    loop_post(replica->shard->loop->executor->loops[0], mail);
}

static void send_control(struct replica *replica)
{
    struct replica_control *control = &replica->control;

    if (control->is_away)
        return;
    replica_ref(replica); /* until it is home */
    control->is_away = true;
    control->epoch = control->wanted_epoch;
    control->config = control->wanted_config;
    control->wanted_config = NULL;
    control->mail.deliver = control_arrived;
    loop_post(replica->shard->loop, &control->mail);
}

void replica_become_leader(struct replica *replica, leader_epoch epoch)
{
    if (epoch <= replica->control.wanted_epoch)
        return;
    replica->control.wanted_epoch = epoch;
    send_control(replica);
}

static struct shared_config *config_new(const struct log_config *config)
{
    struct shared_config *shared = malloc(sizeof(*shared));

    if (shared != NULL)
        *shared = (struct shared_config){1, *config};
    return shared;
}

void replica_set_config(struct replica *replica, const struct log_config *config)
{
    struct shared_config *shared = config_new(config);

    if (shared == NULL) {
        log_event(LOG_ERROR, "topic_settings_not_taken", f_err(ERR_NO_MEMORY));
        return;
    }
    config_unref(replica->control.wanted_config);
    replica->control.wanted_config = shared;
    send_control(replica);
}

/* --- life --- */

enum err replica_new(struct log_directory *directory, struct shard *shard, int32_t broker_id,
                     const struct log_config *config, struct recovered_log *found,
                     struct replica **ret_replica)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    struct shared_config *shared = config_new(config);
    struct log_view *view = NULL;

    if (replica == NULL || shared == NULL)
        goto fail;
    replica->directory = directory;
    replica->shard = shard;
    replica->id = found->id;
    replica->config = shared;
    replica->wanted_log_start = -1;
    replica->taken_log_start = -1;
    replica->owed_log_start = -1;
    replica->control.wanted_epoch = -1;
    replica->control.epoch = -1;
    shared_count_init(&replica->refs, 1);
    list_init(&replica->in_shard);
    list_init(&replica->dirty);
    list_init(&replica->waiters);
    checkpoint_entry_init(&replica->checkpoint);
    recovered_log_configure(found, config);
    partition_state_init(&replica->partition, broker_id, found->end);
    partition_log_init(&replica->log, shard, found);
    view = make_view(replica, NULL); /* this is not its loop */
    if (view == NULL) {
        partition_log_give_back(&replica->log, found);
        goto fail;
    }
    (void)published_replace(&replica->view, &view->node);
    *ret_replica = replica;
    return ERR_OK;

fail:
    free(replica);
    free(shared);
    return ERR_NO_MEMORY;
}

void replica_free(struct replica *replica)
{
    list_remove(&replica->in_shard);
    list_remove(&replica->dirty);
    reclaim_retire(&replica->shard->reclaim, published_replace(&replica->view, NULL));
    checkpoint_forget(replica);
    if (replica->log.is_taken)
        partition_log_revert(&replica->log, &replica->item);
    late_write_abandon(replica);
    partition_log_done(&replica->log);
    shard_segment_list_unref(replica->shard, replica->removal.segments);
    config_unref(replica->config);
    config_unref(replica->control.config);
    config_unref(replica->control.wanted_config);
    free(replica);
}

void replica_ref(struct replica *replica)
{
    shared_count_up(&replica->refs);
}

static void last_reference_went(struct mail *mail)
{
    replica_free(container_of(mail, struct replica, last_mail));
}

void replica_unref(struct replica *replica)
{
    if (replica == NULL || !shared_count_down(&replica->refs))
        return;
    replica->last_mail.deliver = last_reference_went;
    loop_post(replica->shard->loop, &replica->last_mail);
}

/* --- removal: mail → the round under way ends → catalogue → segments, each when its last reader is done → directory → mail --- */

static void removal_came_home(struct mail *mail)
{
    struct replica_removal *removal = container_of(mail, struct replica_removal, mail);
    struct replica *replica = container_of(removal, struct replica, removal);

    removal->done(removal->context, removal->err);
    replica_unref(replica); /* the directory's */
}

static void removal_finished(struct replica_removal *removal)
{
    struct replica *replica = container_of(removal, struct replica, removal);

    replica->state = REPLICA_REMOVED;
    shard_work_ended(replica->shard);
    removal->mail.deliver = removal_came_home;
    loop_post(removal->home, &removal->mail);
}

static enum err remove_files(struct removal *files, int64_t *budget, bool *ret_is_gone)
{
    struct replica_removal *removal = container_of(files, struct replica_removal, files);
    struct replica *replica = container_of(removal, struct replica, removal);

    return log_remove_some(replica->shard->store->disk, &replica->id, budget, ret_is_gone);
}

static void files_removed(struct removal *files)
{
    struct replica_removal *removal = container_of(files, struct replica_removal, files);

    removal->err = files->err;
    removal_finished(removal);
}

void replica_segment_left(struct replica *replica)
{
    struct replica_removal *removal = &replica->removal;

    if (--removal->segments_left > 0)
        return;
    removal->files = (struct removal){.run = remove_files, .done = files_removed};
    removals_add(&replica->shard->removals, &removal->files);
}

static void doom_segments(struct replica *replica)
{
    struct replica_removal *removal = &replica->removal;
    const struct segment_list *list = removal->segments;

    removal->segments_left = 1; /* until all of them are told */
    for (int i = 0; list != NULL && i < list->count; i++) {
        list->views[i].segment->is_doomed = true;
        list->views[i].segment->told = replica;
        removal->segments_left++;
    }
}

static void catalogue_forgot(struct work *work)
{
    struct replica_removal *removal = container_of(work, struct replica_removal, catalogue);
    struct replica *replica = container_of(removal, struct replica, removal);
    struct segment_list *segments = removal->segments;

    if (removal->err == ERR_OK)
        doom_segments(replica);
    removal->segments = NULL;
    shard_segment_list_unref(replica->shard, segments);
    if (removal->err == ERR_OK)
        replica_segment_left(replica);
    else
        removal_finished(removal);
}

static void forget_in_catalogue(struct work *work)
{
    struct replica_removal *removal = container_of(work, struct replica_removal, catalogue);
    struct replica *replica = container_of(removal, struct replica, removal);

    removal->err = flush_remove_log(replica->shard->store, &replica->id);
}

/* Lets go of the segments: they are closed, or removed (doom_segments), when the last reader is done. */
static void empty_log(struct replica *replica)
{
    struct recovered_log nothing;

    if (recovered_log_init(&nothing, &replica->id, replica->log.producers.table.seed) == ERR_OK) {
        partition_log_done(&replica->log);
        partition_log_init(&replica->log, replica->shard, &nothing);
    }
    replica_publish(replica);
}

static void begin_removal_work(struct replica *replica)
{
    struct replica_removal *removal = &replica->removal;
    bool may_be_on_disk = replica->log.may_be_on_disk;

    removal->is_begun = true;
    shard_work_began(replica->shard);
    checkpoint_forget(replica);
    replica_fail_appends(replica, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted");
    replica_complete_trims(replica, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    if (may_be_on_disk)
        replica->removal.segments =
            segment_list_with(replica->log.head.closed, 0, &replica->log.head.active);
    empty_log(replica);
    if (!may_be_on_disk) {
        removal_finished(removal);
        return;
    }
    removal->catalogue = (struct work){.run = forget_in_catalogue, .done = catalogue_forgot};
    worker_submit(replica->shard->loop, WORKER_FLUSH, &removal->catalogue);
}

/* When no flush round and no pass of the cleaner has it, once. */
static void go_on_removing(struct replica *replica)
{
    if (!replica->log.is_taken && replica->log.late_away == NULL && !replica->is_being_cleaned &&
        !replica->removal.is_begun)
        begin_removal_work(replica);
}

void replica_cleaning_ended(struct replica *replica)
{
    replica->is_being_cleaned = false;
    if (replica->state == REPLICA_REMOVING)
        go_on_removing(replica);
    replica_unref(replica);
}

static void removal_arrived(struct mail *mail)
{
    struct replica_removal *removal = container_of(mail, struct replica_removal, mail);
    struct replica *replica = container_of(removal, struct replica, removal);

    replica->state = REPLICA_REMOVING;
    replica_publish(replica);
    replica_wake_waiters(replica);
    cleaner_give_up(&replica->shard->cleaner, replica);
    go_on_removing(replica); /* else when the round or the pass is over */
}

void replica_remove(struct replica *replica, struct loop *home,
                    void (*done)(void *context, enum err err), void *context)
{
    log_directory_forget(replica->directory, replica);
    replica->removal.home = home;
    replica->removal.done = done;
    replica->removal.context = context;
    replica->removal.mail.deliver = removal_arrived;
    loop_post(replica->shard->loop, &replica->removal.mail);
}
