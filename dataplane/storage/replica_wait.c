/* SPDX-License-Identifier: Apache-2.0 */
/* Those who wait for the log to grow, and those who cut its beginning off.
 *
 * A waiter has two mails: one takes it to the owner and brings the wake-up home, the other takes the
 * cancellation there and back. Mail between two loops keeps its order, so a wake-up that was sent before
 * the cancellation arrived is delivered before `cancelled` is called. */
#include "dataplane/storage/replica_internal.h"

static log_offset readable_end(const struct replica *replica, const struct replica_waiter *waiter)
{
    /* The same until transactions exist. */
    (void)waiter;
    return replica->partition.high_watermark;
}

static bool is_over(const struct replica *replica, const struct replica_waiter *waiter)
{
    return !replica_is_leading(replica) || readable_end(replica, waiter) > waiter->offset;
}

static void wake_at_home(struct mail *mail)
{
    struct replica_waiter *waiter = container_of(mail, struct replica_waiter, mail);

    waiter->wake(waiter);
}

static void send_home(struct replica_waiter *waiter)
{
    waiter->mail.deliver = wake_at_home;
    loop_post(waiter->home, &waiter->mail);
}

void replica_wake_waiters(struct replica *replica)
{
    list_for_each(&replica->waiters, node)
    {
        struct replica_waiter *waiter = container_of(node, struct replica_waiter, waiting);

        if (!is_over(replica, waiter))
            continue;
        list_remove(&waiter->waiting);
        send_home(waiter);
    }
}

static void waiter_arrived(struct mail *mail)
{
    struct replica_waiter *waiter = container_of(mail, struct replica_waiter, mail);

    if (is_over(waiter->replica, waiter))
        send_home(waiter);
    else
        list_push_back(&waiter->replica->waiters, &waiter->waiting);
}

void replica_wait(struct replica_waiter *waiter)
{
    invariant(on_loop(waiter->home));
    list_init(&waiter->waiting);
    waiter->mail.deliver = waiter_arrived;
    loop_post(waiter->replica->shard->loop, &waiter->mail);
}

static void cancel_came_home(struct mail *mail)
{
    struct replica_waiter *waiter = container_of(mail, struct replica_waiter, cancel_mail);

    waiter->cancelled(waiter);
}

static void cancel_arrived(struct mail *mail)
{
    struct replica_waiter *waiter = container_of(mail, struct replica_waiter, cancel_mail);

    list_remove(&waiter->waiting);
    mail->deliver = cancel_came_home;
    loop_post(waiter->home, mail);
}

void replica_wait_cancel(struct replica_waiter *waiter,
                         void (*cancelled)(struct replica_waiter *waiter))
{
    invariant(on_loop(waiter->home));
    waiter->cancelled = cancelled;
    waiter->cancel_mail.deliver = cancel_arrived;
    loop_post(waiter->replica->shard->loop, &waiter->cancel_mail);
}

/* --- the beginning of the log --- */

void replica_want_log_start(struct replica *replica, log_offset log_start)
{
    /* The round under way may carry a later one already. */
    if (log_start < replica->taken_log_start)
        log_start = replica->taken_log_start;
    if (log_start > replica->wanted_log_start)
        replica->wanted_log_start = log_start;
    replica_mark_dirty(replica);
}

void replica_retention(struct replica *replica, int64_t now_ms)
{
    log_offset log_start = -1;

    producer_state_expire(&replica->log.producers, now_ms);
    spare_rest_look(replica->shard, &replica->log.durable.active);
    if (!replica_is_leading(replica) || replica->log.is_taken)
        return;
    log_start = partition_log_retention(&replica->log, &replica->config->config,
                                        replica->partition.high_watermark, now_ms);
    if (log_start >= 0)
        replica_want_log_start(replica, log_start);
    else if (replica->owed_log_start >= 0)
        replica_mark_dirty(replica);
}

static void trim_came_home(struct mail *mail)
{
    struct replica_trim *trim = container_of(mail, struct replica_trim, mail);

    trim->done(trim);
}

static void answer_trim(struct replica_trim *trim, enum kafka_error error)
{
    trim->error = error;
    trim->log_start = error == KAFKA_NONE ? trim->replica->log.log_start : -1;
    trim->mail.deliver = trim_came_home;
    loop_post(trim->home, &trim->mail);
}

void replica_complete_trims(struct replica *replica, enum kafka_error error)
{
    struct replica_trim *trim = NULL;

    while ((trim = replica->taken_trims) != NULL) {
        replica->taken_trims = trim->next;
        answer_trim(trim, error);
    }
    while (error != KAFKA_NONE && (trim = replica->trims) != NULL) {
        replica->trims = trim->next;
        answer_trim(trim, error);
    }
    if (error != KAFKA_NONE && replica->taken_log_start >= 0)
        replica->owed_log_start = replica->taken_log_start;
    replica->taken_log_start = -1;
    if (error != KAFKA_NONE)
        replica->wanted_log_start = -1;
}

static void trim_arrived(struct mail *mail)
{
    struct replica_trim *trim = container_of(mail, struct replica_trim, mail);
    struct replica *replica = trim->replica;
    log_offset high_watermark = replica->partition.high_watermark;
    log_offset log_start = trim->offset == -1 ? high_watermark : trim->offset;

    if (!replica_is_leading(replica) || replica->shard->is_closing) {
        answer_trim(trim, KAFKA_NOT_LEADER_OR_FOLLOWER);
    } else if (log_start < 0 || log_start > high_watermark) {
        answer_trim(trim, KAFKA_OFFSET_OUT_OF_RANGE);
    } else if (log_start <= replica->log.log_start) {
        answer_trim(trim, KAFKA_NONE);
    } else if (shared_flag_is_up(&replica->shard->store->failed)) {
        answer_trim(trim, KAFKA_KAFKA_STORAGE_ERROR);
    } else {
        trim->next = replica->trims;
        replica->trims = trim;
        replica_want_log_start(replica, log_start);
    }
}

void replica_trim_submit(struct replica_trim *trim)
{
    invariant(on_loop(trim->home));
    trim->error = KAFKA_NONE;
    trim->log_start = -1;
    trim->next = NULL;
    trim->mail.deliver = trim_arrived;
    loop_post(trim->replica->shard->loop, &trim->mail);
}
