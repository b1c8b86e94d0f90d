/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/late_write.h"

#include "dataplane/storage/replica_internal.h"

static void run_write(struct work *work)
{
    struct late_writer *writer = container_of(work, struct late_writer, work);
    struct log_store *store = writer->replica->shard->store;
    enum err rc = ERR_IO;

    if (!shared_flag_is_up(&store->failed))
        rc = flush_write_late(store, &writer->write);
    writer->err = rc;
    if (rc != ERR_OK && rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY && rc != ERR_UNAVAILABLE)
        log_store_fail(store, "write", rc);
}

static void write_done(struct work *work)
{
    struct late_writer *writer = container_of(work, struct late_writer, work);
    struct replica *replica = writer->replica;
    struct shard *shard = replica->shard;
    enum err err = writer->err;
    bool is_written = err == ERR_OK;

    partition_log_late_ended(&replica->log, is_written);
    replica->late.is_item_waiting = false;
    spare_pool_give(&shard->loop->spares, writer, sizeof(*writer));
    if (is_written) {
        counter_add(&shard->metrics.late_writes, 1);
        replica_publish(replica);
    }
    replica_late_write_ended(replica);
    if (is_written)
        checkpoint_late_written(shard);
    shard_late_write_ended(shard, err);
    shard->late_writes--;
    shard_work_ended(shard);
    replica_unref(replica);
}

void late_write_abandon(struct replica *replica)
{
    struct late_write *write = replica->log.late_away;

    if (write == NULL)
        return;
    partition_log_late_ended(&replica->log, false);
    spare_pool_give(&replica->shard->loop->spares, container_of(write, struct late_writer, write),
                    sizeof(struct late_writer));
}

/* Without memory it is tried again with the next round, or the next checkpoint. */
static void begin(struct replica *replica)
{
    struct shard *shard = replica->shard;
    struct late_writer *writer = spare_pool_take(&shard->loop->spares, sizeof(*writer));

    replica->late.is_wanted = false;
    if (writer == NULL)
        return;
    *writer =
        (struct late_writer){.replica = replica, .work = {.run = run_write, .done = write_done}};
    replica_ref(replica);
    shard->late_writes++;
    shard_work_began(shard);
    partition_log_take_late(&replica->log, &writer->write);
    worker_submit(shard->loop, WORKER_WRITE, &writer->work);
}

static bool may_begin(const struct replica *replica)
{
    const struct partition_log *log = &replica->log;

    return replica->state == REPLICA_OPEN && !log->is_taken && log->late_away == NULL &&
           log->late.first != NULL && !replica->shard->is_closing;
}

void late_write_want(struct replica *replica)
{
    if (may_begin(replica))
        begin(replica);
    else
        replica->late.is_wanted = replica->log.is_taken;
}

void late_write_round_done(struct replica *replica)
{
    bool is_enough = replica->log.late.bytes >= replica->shard->late_bytes_enough;

    if ((is_enough || replica->late.is_wanted) && may_begin(replica))
        begin(replica);
}
