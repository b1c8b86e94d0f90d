/* SPDX-License-Identifier: Apache-2.0 */
/* A round's part in the write-ahead log: who goes through it, and what it is told. */
#include "dataplane/storage/flush_round.h"

/* --- 1 choose --- */

static bool is_worth_a_note(const struct flush_item *item)
{
    return item->must_sync && item->runs.first != NULL;
}

static int64_t logged_bytes(const struct flush_item *item)
{
    int64_t bytes = 0;

    for (const struct write_run *run = item->runs.first; run != NULL; run = run->next)
        bytes += WAL_DATA_OVERHEAD + (int64_t)(run->to - run->from);
    return bytes;
}

static bool is_accepted(const struct log_store *store, const struct flush_item *item)
{
    return item->err == ERR_OK ||
           (item->err == ERR_NO_SPACE && log_store_is_sabotaged(store, SABOTAGE_LOG_REFUSED));
}

/* Room for the round. A file that is used again is empty durably first. */
static enum err reserve(struct log_store *store, int64_t bytes)
{
    int64_t floor_lsn = wal_wanted_floor(&store->wal, bytes);
    enum err rc = ERR_OK;

    if (floor_lsn >= 0) {
        rc = catalogue_set_wal_floor(store->catalogue, floor_lsn);
        if (rc == ERR_OK)
            rc = catalogue_commit(store->catalogue, true);
        if (rc != ERR_OK)
            return rc;
        wal_forget_below(&store->wal, floor_lsn);
    }
    return wal_reserve(&store->wal, bytes);
}

/* After this nothing that a round needs of the write-ahead log is short of room. */
void flush_choose_ways(struct log_store *store, struct list *items)
{
    int64_t bytes = 0;
    enum err rc = ERR_OK;

    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);
        bool counts = is_accepted(store, item);

        item->lsn = -1;
        item->is_logged = counts && item->may_be_logged;
        if (item->is_logged)
            bytes += logged_bytes(item);
        if (counts && is_worth_a_note(item))
            bytes += WAL_NOTE_ENTRY_BYTES;
    }
    if (bytes == 0)
        return;
    rc = reserve(store, bytes);
    if (rc == ERR_OK)
        return;
    if (rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY)
        log_store_fail(store, "write-ahead log", rc);
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        item->is_logged = false;
        item->wants_checkpoint |= is_worth_a_note(item); /* the catalogue says it instead */
        item->is_unnoted = true;
        item->must_wait = item->err == ERR_OK && item->is_late_away;
        if (item->must_wait)
            item->err = ERR_UNAVAILABLE;
    }
}

/* --- 6 log --- */

static enum err log_item(struct write_ahead_log *wal, int shard, struct flush_item *item)
{
    struct wal_note note = {item->id, segment_fact_of(&item->end), !item->is_logged};
    enum err rc = ERR_OK;

    item->lsn = wal->head_lsn;
    if (wal->needed[shard] > item->lsn)
        wal_set_needed(wal, shard, item->lsn); /* until its loop knows of it */
    for (const struct write_run *run = item->runs.first;
         run != NULL && item->is_logged && rc == ERR_OK; run = run->next) {
        struct wal_data data = {
            .id = item->id,
            .base_offset = run->segment->base_offset,
            .position = run->position,
            .end_offset = item->end.end_offset,
            .bytes = slice_of(run->chunk->data + run->from, run->to - run->from),
        };

        rc = wal_add_data(wal, &data);
    }
    return rc == ERR_OK ? wal_add_note(wal, &note) : rc;
}

/* Notes alone are not waited for: the next sync carries them. */
void flush_log_items(struct log_store *store, struct flush_round *round)
{
    struct list *items = &round->items;
    int64_t begin_lsn = store->wal.head_lsn;
    bool must_sync = false;
    bool is_any = false;
    enum err rc = ERR_OK;

    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (!is_accepted(store, item) || !is_worth_a_note(item) || item->is_unnoted || rc != ERR_OK)
            continue;
        rc = log_item(&store->wal, round->shard, item);
        is_any = true;
        must_sync |= item->is_logged;
    }
    if (rc == ERR_OK && is_any)
        rc = wal_write(&store->wal);
    round->wal_bytes = store->wal.head_lsn - begin_lsn;
    if (rc == ERR_OK && must_sync && !log_store_is_sabotaged(store, SABOTAGE_SKIP_SYNC))
        rc = wal_sync(&store->wal);
    if (rc != ERR_OK)
        log_store_fail(store, "write-ahead log", rc);
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (rc != ERR_OK && item->err == ERR_OK && item->is_logged)
            item->err = ERR_IO;
    }
}
