/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/flush_round.h"

#include "common/observe/log.h"
#include "dataplane/storage/sync_batch.h"

#define INDEX_FILE_MAX_BYTES ((size_t)16 << 20)
#define LARGE_ITEMS_AT_ONCE 64
#define LARGE_BYTES ((int64_t)32 << 10) /* worth a thread */

/* --- 3 sync --- */

static bool is_closed_by(const struct flush_item *item, const struct segment *segment)
{
    for (int i = 0; i < item->closed_count; i++) {
        if (item->closed[i].segment == segment)
            return true;
    }
    return false;
}

/* A closed segment is synced whatever the policy: from then on its size is trusted. */
static void sync_segments(struct sync_batch *batch, struct flush_item *item)
{
    const struct segment *done = NULL;

    for (int i = 0; i < item->closed_count; i++)
        sync_batch_segment(batch, &item->err, item->closed[i].segment);
    for (const struct write_run *run = item->runs.first; run != NULL; run = run->next) {
        if (run->segment == done)
            continue;
        done = run->segment;
        if (item->must_sync && !is_closed_by(item, run->segment))
            sync_batch_segment(batch, &item->err, run->segment);
    }
    if (item->must_sync_end && item->end.segment != NULL && item->end.segment != done)
        sync_batch_segment(batch, &item->err, item->end.segment);
}

/* By who wrote it: it waits for nobody's writes, and no other worker is woken for it. */
static void sync_large_item(struct log_store *store, struct flush_item *item)
{
    struct sync_batch batch;

    if (log_store_is_sabotaged(store, SABOTAGE_SKIP_SYNC))
        return;
    sync_batch_init(&batch, &store->files);
    sync_segments(&batch, item);
    sync_batch_run(&batch);
    item->is_synced = item->err == ERR_OK;
    if (item->is_synced)
        return;
    log_store_fail(store, "sync", item->err);
    item->err = ERR_IO; /* nothing to be taken back */
}

static bool has_new_names(const struct flush_item *item)
{
    for (const struct write_run *run = item->runs.first; run != NULL; run = run->next) {
        if (run->position == 0)
            return true;
    }
    return item->has_unsynced_name;
}

static void sync_item(struct sync_batch *batch, struct flush_item *item,
                      const struct flush_item *before)
{
    bool is_new_topic =
        item->has_unsynced_dirs && (before == NULL || !before->has_unsynced_dirs ||
                                    !uuid_equal(before->id.topic_id, item->id.topic_id));
    char path[LOG_PATH_BYTES];

    if (!item->is_synced)
        sync_segments(batch, item);
    log_path(&item->id, path);
    if (has_new_names(item))
        sync_batch_dir(batch, &item->err, path);
    log_path_topic(&item->id, path);
    if (is_new_topic)
        sync_batch_dir(batch, &item->err, path);
}

/* --- 4 snapshot: caches, so a failure costs time at the next start and nothing else --- */

static enum err replace_file(struct log_store *store, const struct log_identity *id,
                             log_offset offset, const char *suffix, const struct buffer *bytes)
{
    char dir[LOG_PATH_BYTES];
    char name[LOG_PATH_BYTES];

    log_path(id, dir);
    log_file_name(offset, suffix, name);
    return disk_replace_file(store->disk, dir, name, bytes->data, bytes->len);
}

static void save_index(struct log_store *store, const struct flush_item *item,
                       const struct segment_view *closed)
{
    struct buffer bytes;
    bool is_whole = false;
    enum err rc = ERR_OK;

    buffer_init(&bytes, INDEX_FILE_MAX_BYTES);
    rc = segment_index_close(&store->files, closed->segment, closed->size_bytes, &bytes, &is_whole);
    if (rc == ERR_OK && is_whole)
        rc = replace_file(store, &item->id, closed->base_offset, SEGMENT_INDEX_SUFFIX, &bytes);
    buffer_done(&bytes);
    if (rc != ERR_OK)
        log_event(LOG_WARN, "index_not_saved", f_i64("base_offset", closed->base_offset),
                  f_err(rc));
}

static enum err save_producers(struct log_store *store, const struct flush_item *item,
                               bool *ret_saved)
{
    enum err rc = ERR_OK;

    if (item->producers != NULL && item->producers->count > 0)
        rc = replace_file(store, &item->id, item->producers->offset, PRODUCERS_SUFFIX,
                          &item->producers->bytes);
    *ret_saved = item->producers != NULL && rc == ERR_OK;
    if (rc == ERR_OK)
        return ERR_OK;
    log_event(LOG_WARN, "producers_not_saved", f_i64("offset", item->producers->offset), f_err(rc));
    /* Where the log start moves it is no cache: the batches that say the same are about to go. */
    return item->log_start >= 0 ? rc : ERR_OK;
}

/* --- 5 record --- */

static enum err record_checkpoint(struct catalogue *catalogue, const struct flush_item *item)
{
    struct segment_fact end;

    if (!item->wants_checkpoint || item->is_logged || item->end.segment == NULL)
        return ERR_OK;
    end = segment_fact_of(&item->end);
    return catalogue_set_flushed(catalogue, &item->id, &end);
}

static bool waits_for_catalogue(const struct flush_item *item)
{
    return item->is_new || item->log_start >= 0;
}

static enum err record_producers(struct catalogue *catalogue, struct flush_item *item)
{
    struct producers_fact fact = {item->producers->offset, item->producers->segment,
                                  item->producers->position, item->producers->count};
    bool is_old_needed = item->producers_before.count > 0 &&
                         item->producers_before.offset != item->producers->offset;

    item->old_producers = is_old_needed ? item->producers_before.offset : -1;
    return catalogue_set_producers(catalogue, &item->id, &fact);
}

/* What an item waits for. It can still be taken back, so nothing of its bytes may be claimed here. */
static enum err record_awaited(struct log_store *store, struct flush_item *item)
{
    struct catalogue *catalogue = store->catalogue;
    enum err rc = ERR_OK;

    if (!waits_for_catalogue(item))
        return ERR_OK;
    if (item->is_new)
        rc = catalogue_add_log(catalogue, &item->id);
    if (rc == ERR_OK)
        rc = save_producers(store, item, &item->has_producers);
    /* In this order: a log start never stands without the producers of what lies below. */
    if (rc == ERR_OK && item->has_producers)
        rc = record_producers(catalogue, item);
    if (rc == ERR_OK && item->log_start >= 0)
        rc = catalogue_set_log_start(catalogue, &item->id, item->log_start);
    return rc;
}

/* From here on nothing is taken back. */
static enum err record_rest(struct log_store *store, struct flush_item *item)
{
    struct catalogue *catalogue = store->catalogue;
    enum err rc = ERR_OK;

    for (int i = 0; i < item->epoch_count && rc == ERR_OK; i++)
        rc = catalogue_add_epoch(catalogue, &item->id, item->epochs[i]);
    for (int i = 0; i < item->closed_count && rc == ERR_OK; i++) {
        struct segment_fact closed = segment_fact_of(&item->closed[i]);

        save_index(store, item, &item->closed[i]);
        rc = catalogue_add_segment(catalogue, &item->id, &closed);
    }
    if (rc == ERR_OK)
        rc = record_checkpoint(catalogue, item);
    if (rc == ERR_OK && !waits_for_catalogue(item))
        rc = save_producers(store, item, &item->has_producers);
    if (rc == ERR_OK && item->has_producers && !waits_for_catalogue(item))
        rc = record_producers(catalogue, item);
    return rc;
}

/* --- how it ends --- */

void log_store_fail(struct log_store *store, const char *step, enum err err)
{
    if (!shared_flag_is_up(&store->failed))
        log_event(LOG_ERROR, "data_directory_failed", f_str("step", step), f_err(err));
    shared_flag_raise(&store->failed);
}

/* After a step failed: nothing was said to be durable yet, so the item can be taken back if its files
 * can; otherwise the directory is done. */
static enum err settle(struct log_store *store, const struct flush_item *item, const char *step,
                       enum err err)
{
    bool may_retry = err == ERR_NO_SPACE || err == ERR_NO_MEMORY || err == ERR_UNAVAILABLE;

    if (err == ERR_OK)
        return ERR_OK;
    if (may_retry && flush_undo_item(store, item) == ERR_OK)
        return ERR_NO_SPACE;
    log_store_fail(store, step, err);
    return err;
}

/* As settle, when something was recorded already. A log that exists and a log start that moved do no harm; what is
 * known of producers must not be more than the log holds. */
static enum err take_back(struct log_store *store, struct flush_item *item, const char *step,
                          enum err err)
{
    enum err rc = settle(store, item, step, err);

    if (rc == ERR_OK || !item->has_producers || item->runs.first == NULL ||
        catalogue_find(store->catalogue, &item->id) == NULL)
        return rc;
    if (catalogue_set_producers(store->catalogue, &item->id, &item->producers_before) != ERR_OK)
        log_store_fail(store, step, rc);
    return rc;
}

static bool must_sync_catalogue(const struct list *items)
{
    list_for_each(items, node)
    {
        const struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK && waits_for_catalogue(item))
            return true;
    }
    return false;
}

/* The new entry is durable: nothing leads to the old file any more. */
static void remove_old_producers(struct log_store *store, const struct list *items)
{
    list_for_each(items, node)
    {
        const struct flush_item *item = flush_item_of(node);
        char path[LOG_PATH_BYTES];

        if (item->err != ERR_OK || item->old_producers < 0)
            continue;
        log_path_file(&item->id, item->old_producers, PRODUCERS_SUFFIX, path);
        /* One that stays is removed at the next start. */
        (void)store->disk->ops->remove(store->disk, path);
    }
}

/* No room for what an item awaits. A new log goes back. A log start does not: with it stands a snapshot that ends
 * with the item's bytes, so they stay (they are synced), and only the log start is refused. */
static void refuse_awaiting(struct log_store *store, struct flush_item *item)
{
    if (item->is_new)
        item->err = take_back(store, item, "catalogue", ERR_NO_SPACE);
    else
        item->is_start_refused = true;
}

static void fail_awaiting(struct log_store *store, struct list *items, enum err err)
{
    if (err != ERR_NO_SPACE)
        log_store_fail(store, "catalogue", err);
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err != ERR_OK)
            continue;
        if (err != ERR_NO_SPACE)
            item->err = take_back(store, item, "catalogue", err);
        else if (waits_for_catalogue(item))
            refuse_awaiting(store, item);
    }
}

static void record_items(struct log_store *store, struct list *items)
{
    enum err rc = ERR_OK;

    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK)
            item->err = take_back(store, item, "record", record_awaited(store, item));
    }
    if (must_sync_catalogue(items)) {
        rc = catalogue_commit(store->catalogue, true);
        if (rc != ERR_OK)
            fail_awaiting(store, items, rc);
    }
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK) {
            flush_index_item(store, item);
            rc = record_rest(store, item);
        }
        if (item->err == ERR_OK && rc != ERR_OK)
            log_store_fail(store, "record", rc);
    }
}

/* What nobody waits for goes with the next sync, but where an older file is to go; without room, with the next
 * commit. */
static void commit_rest(struct log_store *store, struct list *items)
{
    bool must_sync = false;
    enum err rc = ERR_OK;

    list_for_each(items, node) must_sync |=
        flush_item_of(node)->err == ERR_OK && flush_item_of(node)->old_producers >= 0;
    rc = catalogue_commit(store->catalogue, must_sync);
    if (rc == ERR_OK)
        remove_old_producers(store, items);
    else if (rc != ERR_NO_SPACE)
        fail_awaiting(store, items, rc);
}

/* New topics' names lie in one directory: synced once, after all that lies below. Any failure is the
 * directory's. */
static void sync_items(struct log_store *store, struct list *items)
{
    const struct flush_item *before = NULL;
    struct flush_item *newest = NULL;
    struct sync_batch batch;

    if (log_store_is_sabotaged(store, SABOTAGE_SKIP_SYNC))
        return;
    sync_batch_init(&batch, &store->files);
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err != ERR_OK || item->is_logged)
            continue;
        sync_item(&batch, item, before);
        before = item;
        newest = item->has_unsynced_dirs ? item : newest;
    }
    if (newest != NULL)
        sync_batch_dir(&batch, &newest->err, "topics");
    sync_batch_run(&batch);
    list_for_each(items, node)
    {
        const struct flush_item *item = flush_item_of(node);

        if (item->err != ERR_OK && item->err != ERR_NO_SPACE && !item->must_wait)
            log_store_fail(store, "sync", item->err);
    }
}

/* The directory failed on the way: what the others need of the catalogue is not recorded. */
static void fail_rest(struct list *items)
{
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK)
            item->err = ERR_IO;
    }
}

/* --- the round --- */

/* Large items that are written, and synced, at the same time. */
struct large_items {
    struct log_store *store;
    struct flush_item *items[LARGE_ITEMS_AT_ONCE];
    int count;
};

static void write_large_item(void *context, int index)
{
    struct large_items *large = context;
    struct flush_item *item = large->items[index];

    item->err = flush_write_item(large->store, item);
    if (item->err == ERR_OK)
        sync_large_item(large->store, item);
}

static void write_large_items(struct large_items *large)
{
    struct log_store *store = large->store;

    store->disk->ops->at_once(store->disk, write_large_item, large, large->count);
    for (int i = 0; i < large->count; i++)
        large->items[i]->err = settle(store, large->items[i], "write", large->items[i]->err);
    large->count = 0;
}

static void write_item(struct log_store *store, struct flush_item *item, struct large_items *large)
{
    int64_t small = store->small_bytes_max < LARGE_BYTES ? store->small_bytes_max : LARGE_BYTES;
    bool is_large = flush_item_is_direct(item) && item->runs.bytes + item->late.bytes > small;

    if (!is_large) {
        item->err = settle(store, item, "write", flush_write_item(store, item));
        return;
    }
    if (large->count == LARGE_ITEMS_AT_ONCE)
        write_large_items(large);
    large->items[large->count++] = item;
}

static void write_items(struct log_store *store, struct list *items)
{
    struct large_items large = {.store = store};

    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);

        if (item->err == ERR_OK && shared_flag_is_up(&store->failed))
            item->err = ERR_IO;
        if (item->err == ERR_OK)
            write_item(store, item, &large);
    }
    write_large_items(&large);
}

/* Spares go when it is short. */
static int64_t room_for(struct log_store *store, const struct list *items)
{
    int64_t room = flush_room_bytes(store);
    int64_t bytes = 0;

    list_for_each(items, node) bytes += flush_item_of(node)->runs.bytes;
    if (bytes <= room || atomic_load(&store->spares.bytes) == 0)
        return room;
    segment_spares_drop(&store->spares);
    return flush_room_bytes(store);
}

/* Who finds no room is refused before anything is done. */
static void refuse_without_room(struct log_store *store, struct list *items)
{
    int64_t room = room_for(store, items);

    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);
        int64_t bytes = item->runs.bytes;

        if (shared_flag_is_up(&store->failed))
            item->err = ERR_IO;
        else if (bytes > 0 && bytes > room)
            item->err = ERR_NO_SPACE;
        room -= bytes;
    }
}

static void note_producers(const struct log_store *store, struct list *items)
{
    list_for_each(items, node)
    {
        struct flush_item *item = flush_item_of(node);
        const struct log_facts *facts = catalogue_find(store->catalogue, &item->id);

        item->producers_before =
            facts != NULL ? facts->producers : (struct producers_fact){.offset = -1};
    }
}

/* What checkpoints have synced. One that finds no memory is missed: the next start reads more. */
static void record_flushed_points(struct log_store *store, const struct list *points)
{
    list_for_each(points, node)
    {
        const struct flushed_point *point = container_of(node, struct flushed_point, link);
        const struct log_facts *facts = catalogue_find(store->catalogue, &point->id);

        enum err rc = ERR_OK;

        if (facts == NULL || facts->flushed.end_offset >= point->flushed.end_offset)
            continue;
        rc = catalogue_set_flushed(store->catalogue, &point->id, &point->flushed);
        if (rc != ERR_OK)
            log_event(LOG_WARN, "flushed_point_not_recorded", f_err(rc));
    }
}

static void choose(struct log_store *store, struct flush_round *round)
{
    record_flushed_points(store, &round->flushed_points);
    for (int i = 0; i < WAL_STREAMS; i++)
        wal_set_needed(&store->wals[i], round->shard, round->needed_lsns[i]);
    refuse_without_room(store, &round->items);
    note_producers(store, &round->items);
    flush_choose_ways(store, round);
}

static void record(struct log_store *store, struct flush_round *round)
{
    record_items(store, &round->items);
    if (!shared_flag_is_up(&store->failed))
        commit_rest(store, &round->items);
    if (shared_flag_is_up(&store->failed))
        fail_rest(&round->items);
    flush_place_items(store, round);
}

/* Somebody waits for the device. */
static bool is_awaited(const struct flush_round *round)
{
    list_for_each(&round->items, node)
    {
        const struct flush_item *item = flush_item_of(node);

        if (item->must_sync || item->must_sync_end || item->closed_count > 0 ||
            waits_for_catalogue(item))
            return true;
    }
    return false;
}

void flush_round_run(struct log_store *store, struct flush_round *round)
{
    bool is_hurry = is_awaited(round);

    if (is_hurry)
        store->disk->ops->hurry_begin(store->disk);
    log_store_lock(store);
    choose(store, round);
    log_store_unlock(store);
    write_items(store, &round->items);
    sync_items(store, &round->items);
    log_store_lock(store);
    record(store, round);
    log_store_unlock(store);
    flush_log_items(store, round);
    if (is_hurry)
        store->disk->ops->hurry_end(store->disk);
}

static enum err remove_log(struct log_store *store, const struct log_identity *id)
{
    enum err rc = ERR_OK;

    if (shared_flag_is_up(&store->failed))
        return ERR_IO;
    if (catalogue_find(store->catalogue, id) == NULL)
        return ERR_OK;
    rc = catalogue_remove_log(store->catalogue, id);
    if (rc == ERR_OK)
        rc = catalogue_commit(store->catalogue, true);
    if (rc != ERR_OK && rc != ERR_NO_SPACE)
        log_store_fail(store, "catalogue", rc);
    return rc;
}

enum err flush_remove_log(struct log_store *store, const struct log_identity *id)
{
    enum err rc = ERR_OK;

    log_store_lock(store);
    rc = remove_log(store, id);
    log_store_unlock(store);
    return rc;
}
