/* SPDX-License-Identifier: Apache-2.0 */
/* An append: checked where it was submitted (that needs no more than the topic's settings), sequenced
 * and put into the log on the owner's loop, answered on its home loop.
 *
 *   submit ─append_check─▶ owner ─▶ deferred (no room) ─▶ appended ─▶ under the high watermark ─▶ home
 *      └──────────────┴──────────────┴── refused ─────────────────────────────────────────▶ home */
#include <stdlib.h>

#include "dataplane/storage/append_check.h"
#include "dataplane/storage/replica_internal.h"

/* --- answers --- */

static void append_came_home(struct mail *mail)
{
    struct replica_append *append = container_of(mail, struct replica_append, mail);

    free(append->recompressed);
    append->recompressed = NULL;
    append->done(append);
}

static void send_home(struct replica_append *append)
{
    append->mail.deliver = append_came_home;
    loop_post(append->home, &append->mail);
}

void replica_append_fail(struct replica_append *append, enum kafka_error error, const char *message)
{
    append->error = error;
    append->error_message = message;
    append->base_offset = -1;
    append->last_offset = -1;
    append->log_append_time_ms = -1;
    append->log_start = -1;
    send_home(append);
}

static void succeed(struct replica *replica, struct replica_append *append)
{
    append->log_start = replica->log.log_start;
    send_home(append);
}

static void take_awaiting(struct replica *replica)
{
    struct replica_append *append = replica->awaiting;

    replica->awaiting = append->next;
    append->next = NULL;
    if (replica->awaiting == NULL)
        replica->newest_awaiting = NULL;
}

void replica_complete_appends(struct replica *replica)
{
    struct replica_append *append = NULL;

    while ((append = replica->awaiting) != NULL &&
           append->last_offset < replica->partition.high_watermark) {
        take_awaiting(replica);
        succeed(replica, append);
    }
}

void replica_fail_appends(struct replica *replica, enum kafka_error error, const char *message)
{
    struct replica_append *append = NULL;

    while ((append = replica->awaiting) != NULL) {
        take_awaiting(replica);
        replica_append_fail(append, error, message);
    }
}

/* By last offset; nearly always at the end. */
static void await_high_watermark(struct replica *replica, struct replica_append *append)
{
    struct replica_append **link = &replica->awaiting;

    if (append->last_offset < replica->partition.high_watermark ||
        (replica->shard->store->sabotage & SABOTAGE_ACK_EARLY) != 0) {
        succeed(replica, append);
        return;
    }
    if (replica->newest_awaiting != NULL &&
        replica->newest_awaiting->last_offset <= append->last_offset)
        link = &replica->newest_awaiting->next;
    while (*link != NULL && (*link)->last_offset <= append->last_offset)
        link = &(*link)->next;
    append->next = *link;
    *link = append;
    if (append->next == NULL)
        replica->newest_awaiting = append;
}

/* --- on the owner's loop --- */

static bool refuse_state(struct replica *replica, struct replica_append *append)
{
    struct shard *shard = replica->shard;

    if (replica->state != REPLICA_OPEN)
        replica_append_fail(append, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted");
    else if (shard->is_closing)
        replica_append_fail(append, KAFKA_NOT_LEADER_OR_FOLLOWER, "the broker is stopping");
    else if (!replica->partition.is_leader)
        replica_append_fail(append, KAFKA_NOT_LEADER_OR_FOLLOWER, NULL);
    else if (shared_flag_is_up(&shard->store->failed))
        replica_append_fail(append, KAFKA_KAFKA_STORAGE_ERROR, "the broker's disk has failed");
    else if (loop_now_us(shard->loop) < shard->full_until_us)
        replica_append_fail(append, KAFKA_KAFKA_STORAGE_ERROR, "the broker's disk is full");
    else
        return false;
    return true;
}

/* True = answered: a duplicate, or not what comes next. */
static bool answer_sequence(struct replica *replica, struct replica_append *append,
                            const struct record_batch *batch)
{
    struct producer_batch seen;

    if (batch->producer_id < 0)
        return false;
    switch (producer_state_check(&replica->log.producers, batch, &seen)) {
    case PRODUCER_ACCEPTED:
        return false;
    case PRODUCER_DUPLICATE:
        append->base_offset = seen.base_offset;
        append->last_offset = seen.last_offset;
        append->log_append_time_ms = seen.append_time_ms;
        /* The first one may not be durable yet, and then neither is this. */
        await_high_watermark(replica, append);
        return true;
    case PRODUCER_OUT_OF_ORDER:
        replica_append_fail(append, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER,
                            "the sequence does not follow the last one of this producer");
        return true;
    case PRODUCER_FENCED:
        replica_append_fail(append, KAFKA_INVALID_PRODUCER_EPOCH,
                            "a newer producer with the same id was seen");
        return true;
    }
    return false;
}

static uint8_t *bytes_of(const struct replica_append *append)
{
    return append->recompressed != NULL ? append->recompressed : append->records;
}

static void put_into_log(struct replica *replica, struct replica_append *append)
{
    uint8_t *bytes = bytes_of(append);
    struct record_batch batch;
    enum err rc = record_batch_parse(slice_of(bytes, RECORD_BATCH_HEADER_BYTES), &batch);

    invariant(rc == ERR_OK);
    if (answer_sequence(replica, append, &batch))
        return;
    rc = partition_log_append(&replica->log, &replica->config->config, bytes, &batch,
                              replica->partition.leader_epoch, loop_wall_ms(replica->shard->loop));
    if (rc != ERR_OK) {
        replica_append_fail(append, KAFKA_KAFKA_STORAGE_ERROR, "the broker is short of memory");
        return;
    }
    append->base_offset = batch.base_offset;
    append->last_offset = record_batch_last_offset(&batch);
    if ((batch.attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0)
        append->log_append_time_ms = batch.max_timestamp;
    replica_mark_dirty(replica);
    if (append->acks == 0)
        succeed(replica, append);
    else
        await_high_watermark(replica, append);
}

void replica_append_resume(struct replica_append *append)
{
    struct replica *replica = append->replica;

    if (!refuse_state(replica, append))
        put_into_log(replica, append);
}

/* While one waits for room, all that come later wait behind it: order is what producers rely on. */
static void append_on_owner(struct replica_append *append)
{
    struct shard *shard = append->replica->shard;

    if (shard->deferred == NULL && shard_has_room(shard)) {
        replica_append_resume(append);
        return;
    }
    append->next = NULL;
    *shard->deferred_end = append;
    shard->deferred_end = &append->next;
}

static void append_arrived(struct mail *mail)
{
    append_on_owner(container_of(mail, struct replica_append, mail));
}

/* --- on the loop of the request --- */

static void on_checked(struct replica_append *append)
{
    struct loop *owner = append->replica->shard->loop;

    if (append->order_released != NULL)
        append->order_released(append);
    if (append->error != KAFKA_NONE) {
        replica_append_fail(append, append->error, append->error_message);
        return;
    }
    if (append->home == owner) {
        append_on_owner(append);
        return;
    }
    append->mail.deliver = append_arrived;
    loop_post(owner, &append->mail);
}

void replica_append_submit(struct replica_append *append)
{
    invariant(on_loop(append->home));
    append->error = KAFKA_NONE;
    append->error_message = NULL;
    append->bad_record_index = -1;
    append->base_offset = -1;
    append->last_offset = -1;
    append->log_append_time_ms = -1;
    append->log_start = -1;
    append->recompressed = NULL;
    append->next = NULL;
    append->view = NULL;
    append_check(append, on_checked);
}
