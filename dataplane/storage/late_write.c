/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/late_write.h"

#include "dataplane/storage/replica_internal.h"

static struct replica *replica_of(struct work *work)
{
    return container_of(container_of(work, struct late_writer, work), struct replica, late);
}

static void run_write(struct work *work)
{
    struct late_writer *late = container_of(work, struct late_writer, work);
    struct log_store *store = replica_of(work)->shard->store;
    enum err rc = ERR_IO;

    if (!shared_flag_is_up(&store->failed))
        rc = flush_write_late(store, &late->write.runs);
    late->err = rc;
    if (rc != ERR_OK && rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY && rc != ERR_UNAVAILABLE)
        log_store_fail(store, "write", rc);
}

static void write_done(struct work *work)
{
    struct replica *replica = replica_of(work);
    struct shard *shard = replica->shard;
    bool is_written = replica->late.err == ERR_OK;

    partition_log_late_ended(&replica->log, is_written);
    replica->late.is_item_waiting = false;
    if (is_written)
        replica_publish(replica);
    replica_late_write_ended(replica);
    if (is_written)
        checkpoint_late_written(shard);
    shard->late_writes--;
    shard_work_ended(shard);
    replica_unref(replica);
}

static void begin(struct replica *replica)
{
    struct shard *shard = replica->shard;

    replica->late.is_wanted = false;
    replica_ref(replica);
    shard->late_writes++;
    shard_work_began(shard);
    partition_log_take_late(&replica->log, &replica->late.write);
    replica->late.work = (struct work){.run = run_write, .done = write_done};
    worker_submit(shard->loop, WORKER_WRITE, &replica->late.work);
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
