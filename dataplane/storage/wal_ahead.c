/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal_ahead.h"

#include "dataplane/storage/shard.h"

/* Appends come first where room is short: the round that needs more grows it. */
static enum err grow(struct log_store *store, enum wal_stream stream,
                     const struct wal_growth *growth)
{
    enum err rc = ERR_OK;

    if (growth->file == NULL || shared_flag_is_up(&store->failed) ||
        flush_room_bytes(store) < growth->more)
        return ERR_OK;
    rc = wal_grow(&store->wals[stream], growth->file, growth->bytes);
    return rc == ERR_NO_SPACE ? ERR_OK : rc;
}

static void run_growth(struct work *work)
{
    struct wal_ahead *ahead = container_of(work, struct wal_ahead, work);
    struct log_store *store = ahead->shard->store;

    for (int i = 0; i < WAL_STREAMS; i++) {
        enum err rc = grow(store, (enum wal_stream)i, &ahead->growths[i]);

        if (rc != ERR_OK)
            log_store_fail(store, "write-ahead log", rc);
    }
}

static void growth_done(struct work *work)
{
    struct wal_ahead *ahead = container_of(work, struct wal_ahead, work);

    ahead->is_running = false;
    shard_work_ended(ahead->shard);
}

void wal_ahead_init(struct wal_ahead *ahead, struct shard *shard)
{
    *ahead = (struct wal_ahead){.shard = shard, .work = {.run = run_growth, .done = growth_done}};
}

void wal_ahead_round_done(struct wal_ahead *ahead, const struct flush_round *round)
{
    bool is_due = false;

    for (int i = 0; i < WAL_STREAMS; i++)
        is_due |= round->growths[i].file != NULL;
    if (!is_due || ahead->is_running || ahead->shard->is_closing)
        return;
    for (int i = 0; i < WAL_STREAMS; i++)
        ahead->growths[i] = round->growths[i];
    ahead->is_running = true;
    shard_work_began(ahead->shard);
    worker_submit(ahead->shard->loop, WORKER_WRITE, &ahead->work);
}
