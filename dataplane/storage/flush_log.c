/* SPDX-License-Identifier: Apache-2.0 */
/* A round's part in the write-ahead log: who goes through it, and what it is told. */
#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/wal/wal_stretch.h"

/* --- 1 choose --- */

static bool is_worth_a_note(const struct flush_item *item)
{
    return item->must_sync && item->runs.first != NULL;
}

/* Of its entries there. */
static int64_t logged_bytes(const struct flush_item *item)
{
    int64_t bytes = is_worth_a_note(item) ? WAL_NOTE_ENTRY_BYTES : 0;

    for (const struct write_run *run = item->runs.first; run != NULL && item->is_logged;
         run = run->next)
        bytes += WAL_DATA_OVERHEAD + (int64_t)(run->to - run->from);
    return bytes;
}

static bool is_accepted(const struct log_store *store, const struct flush_item *item)
{
    return item->err == ERR_OK ||
           (item->err == ERR_NO_SPACE && log_store_is_sabotaged(store, SABOTAGE_LOG_REFUSED));
}

/* Room for the round. A file that is used again is empty durably first. */
static enum err reserve(struct log_store *store, int64_t bytes, struct wal_stretch **ret_stretch)
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
    return wal_reserve(&store->wal, bytes, ret_stretch);
}

/* There is no room: nothing is logged. */
static void choose_segments(struct list *items)
{
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        item->is_logged = false;
        item->wants_checkpoint |= is_worth_a_note(item); /* the catalogue says it instead */
        item->must_wait = item->err == ERR_OK && item->is_late_away;
        if (item->must_wait)
            item->err = ERR_UNAVAILABLE;
    }
}

void flush_choose_ways(struct log_store *store, struct flush_round *round)
{
    int64_t bytes = 0;
    enum err rc = ERR_OK;

    round->stretch = NULL;
    list_for_each(&round->items, node)
    {
        struct flush_item *item = flush_item_of(node);
        bool counts = is_accepted(store, item);

        item->lsn = -1;
        item->is_logged = counts && item->may_be_logged;
        if (counts)
            bytes += logged_bytes(item);
    }
    if (bytes == 0)
        return;
    rc = reserve(store, bytes, &round->stretch);
    if (rc == ERR_OK)
        return;
    if (rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY)
        log_store_fail(store, "write-ahead log", rc);
    choose_segments(&round->items);
}

/* --- 6 log --- */

static bool is_told(const struct log_store *store, const struct flush_item *item)
{
    return is_accepted(store, item) && is_worth_a_note(item);
}

void flush_place_items(struct log_store *store, struct flush_round *round)
{
    struct write_ahead_log *wal = &store->wal;
    int64_t bytes = 0;

    round->wal_bytes = 0;
    if (round->stretch == NULL)
        return;
    list_for_each(&round->items, node)
    {
        const struct flush_item *item = flush_item_of(node);

        bytes += is_told(store, item) ? logged_bytes(item) : 0;
    }
    if (bytes == 0) {
        wal_give_up(wal, round->stretch);
        round->stretch = NULL;
        return;
    }
    wal_place(wal, round->stretch, bytes);
    round->wal_bytes = round->stretch->end_lsn - round->stretch->begin_lsn;
    if (wal->needed[round->shard] > round->stretch->begin_lsn)
        wal_set_needed(wal, round->shard,
                       round->stretch->begin_lsn); /* until its loop knows of it */
}

static void log_item(const struct write_ahead_log *wal, struct wal_stretch *stretch,
                     struct flush_item *item)
{
    struct wal_note note = {item->id, segment_fact_of(&item->end), !item->is_logged};

    item->lsn = stretch->begin_lsn;
    for (const struct write_run *run = item->runs.first; run != NULL && item->is_logged;
         run = run->next) {
        struct wal_data data = {
            .id = item->id,
            .base_offset = run->segment->base_offset,
            .position = run->position,
            .end_offset = item->end.end_offset,
            .bytes = slice_of(run->chunk->data + run->from, run->to - run->from),
        };

        wal_add_data(wal, stretch, &data);
    }
    wal_add_note(wal, stretch, &note);
}

static void fail_logged(struct list *items)
{
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK && item->is_logged)
            item->err = ERR_IO;
    }
}

/* Notes alone are not waited for: the next sync carries them. */
void flush_log_items(struct log_store *store, struct flush_round *round)
{
    struct list *items = &round->items;
    bool is_awaited = false;
    enum err rc = ERR_OK;

    if (round->stretch == NULL)
        return;
    if (shared_flag_is_up(&store->failed)) {
        wal_abandon_stretch(&store->wal, round->stretch);
        fail_logged(items);
        return;
    }
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (!is_told(store, item))
            continue;
        log_item(&store->wal, round->stretch, item);
        is_awaited |= item->is_logged;
    }
    is_awaited &= !log_store_is_sabotaged(store, SABOTAGE_SKIP_SYNC);
    rc = wal_end_stretch(&store->wal, round->stretch, is_awaited);
    if (rc == ERR_OK)
        return;
    log_store_fail(store, "write-ahead log", rc);
    fail_logged(items);
}
