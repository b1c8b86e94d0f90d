/* SPDX-License-Identifier: Apache-2.0 */
/* A round's part in the write-ahead logs: who goes through which, and what they are told. */
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
static enum err reserve(struct log_store *store, enum wal_stream stream, int64_t bytes,
                        struct wal_stretch **ret_stretch)
{
    struct write_ahead_log *wal = &store->wals[stream];
    int64_t floor_lsn = wal_wanted_floor(wal, bytes);
    enum err rc = ERR_OK;

    if (floor_lsn >= 0) {
        rc = catalogue_set_wal_floor(store->catalogue, stream, floor_lsn);
        if (rc == ERR_OK)
            rc = catalogue_commit(store->catalogue, true);
        if (rc != ERR_OK)
            return rc;
        wal_forget_below(wal, floor_lsn);
    }
    return wal_reserve(wal, bytes, ret_stretch);
}

/* There is no room: nothing is logged. */
static void choose_segments(struct list *items, enum wal_stream stream)
{
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (flush_item_stream(item) != stream)
            continue;
        item->is_logged = false;
        item->wants_checkpoint |= is_worth_a_note(item); /* the catalogue says it instead */
        item->must_wait = item->err == ERR_OK && item->is_late_away;
        if (item->must_wait)
            item->err = ERR_UNAVAILABLE;
    }
}

static void choose_ways(struct log_store *store, struct flush_round *round, enum wal_stream stream)
{
    int64_t bytes = 0;
    enum err rc = ERR_OK;

    round->stretches[stream] = NULL;
    list_for_each(&round->items, node)
    {
        struct flush_item *item = flush_item_of(node);
        bool counts = is_accepted(store, item);

        if (flush_item_stream(item) != stream)
            continue;
        item->lsn = -1;
        item->is_logged = counts && item->may_be_logged;
        if (counts)
            bytes += logged_bytes(item);
    }
    if (bytes == 0)
        return;
    rc = reserve(store, stream, bytes, &round->stretches[stream]);
    if (rc == ERR_OK)
        return;
    if (rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY)
        log_store_fail(store, "write-ahead log", rc);
    choose_segments(&round->items, stream);
}

void flush_choose_ways(struct log_store *store, struct flush_round *round)
{
    for (int i = 0; i < WAL_STREAMS; i++)
        choose_ways(store, round, (enum wal_stream)i);
}

/* --- 6 log --- */

/* Of what is said of it in this write-ahead log; 0 = nothing is. */
static int64_t told_bytes(const struct log_store *store, const struct flush_item *item,
                          enum wal_stream stream)
{
    return flush_item_stream(item) == stream && is_accepted(store, item) ? logged_bytes(item) : 0;
}

static void place_items(struct log_store *store, struct flush_round *round, enum wal_stream stream)
{
    struct write_ahead_log *wal = &store->wals[stream];
    struct wal_stretch *stretch = round->stretches[stream];
    int64_t bytes = 0;

    if (stretch == NULL)
        return;
    list_for_each(&round->items, node) bytes += told_bytes(store, flush_item_of(node), stream);
    if (bytes == 0) {
        wal_give_up(wal, stretch);
        round->stretches[stream] = NULL;
        return;
    }
    wal_place(wal, stretch, bytes);
    round->wal_bytes += stretch->end_lsn - stretch->begin_lsn;
    if (wal->needed[round->shard] > stretch->begin_lsn)
        wal_set_needed(wal, round->shard, stretch->begin_lsn); /* until its loop knows of it */
}

void flush_place_items(struct log_store *store, struct flush_round *round)
{
    round->wal_bytes = 0;
    for (int i = 0; i < WAL_STREAMS; i++) {
        place_items(store, round, (enum wal_stream)i);
        round->growths[i] = wal_growth_due(&store->wals[i]);
    }
}

static void log_item(const struct write_ahead_log *wal, struct wal_stretch *stretch,
                     struct flush_item *item)
{
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
    if (is_worth_a_note(item)) {
        struct wal_note note = {item->id, segment_fact_of(&item->end), !item->is_logged};

        wal_add_note(wal, stretch, &note);
    }
}

static void fail_logged(struct list *items, enum wal_stream stream)
{
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK && item->is_logged && flush_item_stream(item) == stream)
            item->err = ERR_IO;
    }
}

/* Notes alone are not waited for: the next sync carries them. */
static void log_items(struct log_store *store, struct flush_round *round, enum wal_stream stream)
{
    struct write_ahead_log *wal = &store->wals[stream];
    struct wal_stretch *stretch = round->stretches[stream];
    struct list *items = &round->items;
    bool is_awaited = false;
    enum err rc = ERR_OK;

    if (stretch == NULL)
        return;
    if (shared_flag_is_up(&store->failed)) {
        wal_abandon_stretch(wal, stretch);
        fail_logged(items, stream);
        return;
    }
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (told_bytes(store, item, stream) == 0)
            continue;
        log_item(wal, stretch, item);
        is_awaited |= item->is_logged;
    }
    is_awaited &= !log_store_is_sabotaged(store, SABOTAGE_SKIP_SYNC);
    rc = wal_end_stretch(wal, stretch, is_awaited);
    if (rc == ERR_OK)
        return;
    log_store_fail(store, "write-ahead log", rc);
    fail_logged(items, stream);
}

/* What is only written first: nobody waits behind a sync for that. */
void flush_log_items(struct log_store *store, struct flush_round *round)
{
    log_items(store, round, WAL_WRITTEN);
    log_items(store, round, WAL_SYNCED);
}
