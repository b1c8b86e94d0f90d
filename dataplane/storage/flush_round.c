/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/flush_round.h"

#include "common/observe/log.h"
#include "dataplane/storage/sync_batch.h"

#define IOV_PER_CALL 64
#define INDEX_FILE_MAX_BYTES ((size_t)16 << 20)

/* Room that appends may not use, so that there is always some for what frees room: log starts, producer
 * snapshots, the catalogue. */
#define RESERVE_MAX_BYTES ((int64_t)64 << 20)
#define RESERVE_SHARE 20

/* --- 1 write --- */

static int64_t run_bytes(const struct flush_item *item)
{
    int64_t bytes = 0;

    for (const struct write_run *run = item->runs; run != NULL; run = run->next)
        bytes += (int64_t)(run->to - run->from);
    return bytes;
}

/* What appends may use now. A disk that cannot say it is not held to it. */
static int64_t room_bytes(struct log_store *store)
{
    int64_t available = 0;
    int64_t total = 0;
    int64_t reserve = 0;

    if (store->disk->ops->free_bytes(store->disk, &available, &total) != ERR_OK)
        return INT64_MAX;
    reserve = total / RESERVE_SHARE < RESERVE_MAX_BYTES ? total / RESERVE_SHARE : RESERVE_MAX_BYTES;
    return available - reserve;
}

/* The runs of one segment that follow each other, as one call (or few). */
static enum err write_stretch(struct file *file, const struct write_run **run)
{
    const struct segment *segment = (*run)->segment;
    enum err rc = ERR_OK;

    while (*run != NULL && (*run)->segment == segment && rc == ERR_OK) {
        struct iovec iov[IOV_PER_CALL];
        int64_t position = (*run)->position;
        int count = 0;

        while (*run != NULL && (*run)->segment == segment && count < IOV_PER_CALL) {
            iov[count++] =
                (struct iovec){(*run)->chunk->data + (*run)->from, (*run)->to - (*run)->from};
            *run = (*run)->next;
        }
        rc = file->ops->write_at(file, position, iov, count);
    }
    return rc;
}

static enum err write_segment(struct log_store *store, const struct write_run **run)
{
    struct segment *segment = (*run)->segment;
    bool is_new = (*run)->position == 0;
    struct file *file = NULL;
    enum err rc = segment_files_acquire(&store->files, segment, is_new ? DISK_CREATE : 0, &file);

    if (rc != ERR_OK)
        return rc;
    /* A new segment may find the rest of one that was never recorded. */
    if (is_new)
        rc = file->ops->truncate(file, 0);
    if (rc == ERR_OK)
        rc = write_stretch(file, run);
    segment_files_release(&store->files, segment);
    return rc;
}

static enum err write_item(struct log_store *store, const struct flush_item *item)
{
    const struct write_run *run = item->runs;
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (item->is_new) {
        log_path(&item->id, path);
        rc = store->disk->ops->make_dir(store->disk, path);
    }
    while (run != NULL && rc == ERR_OK)
        rc = write_segment(store, &run);
    return rc;
}

static enum err undo_segment(struct log_store *store, const struct write_run *run)
{
    struct file *file = NULL;
    char path[LOG_PATH_BYTES];
    enum err rc = ERR_OK;

    if (run->position == 0) {
        segment_files_drop(&store->files, run->segment);
        segment_path(run->segment, SEGMENT_SUFFIX, path);
        rc = store->disk->ops->remove(store->disk, path);
        return rc == ERR_NOT_FOUND ? ERR_OK : rc; /* perhaps it was not made yet */
    }
    rc = segment_files_acquire(&store->files, run->segment, 0, &file);
    if (rc != ERR_OK)
        return rc;
    rc = file->ops->truncate(file, run->position);
    segment_files_release(&store->files, run->segment);
    segment_index_truncate(&store->files, run->segment, run->position);
    return rc;
}

/* Takes a half-written item back: the files are as they were at its first byte. */
static enum err undo_item(struct log_store *store, const struct flush_item *item)
{
    const struct segment *done = NULL;
    enum err rc = ERR_OK;

    for (const struct write_run *run = item->runs; run != NULL && rc == ERR_OK; run = run->next) {
        if (run->segment != done)
            rc = undo_segment(store, run);
        done = run->segment;
    }
    return rc;
}

static void index_item(struct log_store *store, const struct flush_item *item)
{
    for (const struct write_run *run = item->runs; run != NULL; run = run->next) {
        size_t at = run->from;

        while (at < run->to) {
            struct record_batch batch;
            enum err rc = record_batch_parse(slice_of(run->chunk->data + at, run->to - at), &batch);

            invariant(rc == ERR_OK);
            segment_index_add(&store->files, run->segment, &batch,
                              run->position + (int64_t)(at - run->from));
            at += (size_t)batch.size_bytes;
        }
    }
}

/* --- 2 sync --- */

static bool is_closed_by(const struct flush_item *item, const struct segment *segment)
{
    for (int i = 0; i < item->closed_count; i++) {
        if (item->closed[i].segment == segment)
            return true;
    }
    return false;
}

/* A closed segment is synced whatever the policy: from then on its size is trusted. */
static void sync_segments(struct sync_batch *batch, struct flush_item *item, bool *ret_new_names)
{
    const struct segment *done = NULL;

    for (int i = 0; i < item->closed_count; i++)
        sync_batch_segment(batch, item, item->closed[i].segment);
    for (const struct write_run *run = item->runs; run != NULL; run = run->next) {
        if (run->segment == done)
            continue;
        done = run->segment;
        *ret_new_names |= run->position == 0;
        if (item->must_sync && !is_closed_by(item, run->segment))
            sync_batch_segment(batch, item, run->segment);
    }
    if (item->must_sync_end && item->end.segment != NULL && item->end.segment != done)
        sync_batch_segment(batch, item, item->end.segment);
}

static void sync_item(struct sync_batch *batch, struct flush_item *item,
                      const struct flush_item *before)
{
    bool is_new_topic = item->is_new && (before == NULL || !before->is_new ||
                                         !uuid_equal(before->id.topic_id, item->id.topic_id));
    bool has_new_names = false;
    char path[LOG_PATH_BYTES];

    sync_segments(batch, item, &has_new_names);
    log_path(&item->id, path);
    if (has_new_names)
        sync_batch_dir(batch, item, path);
    log_path_topic(&item->id, path);
    if (is_new_topic)
        sync_batch_dir(batch, item, path);
}

/* --- 3 snapshot: caches, so a failure costs time at the next start and nothing else --- */

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

/* --- 4 record --- */

static enum err record_checkpoint(struct catalogue *catalogue, const struct flush_item *item)
{
    struct segment_fact end;

    if (!item->wants_checkpoint || item->end.segment == NULL)
        return ERR_OK;
    end = segment_fact_of(&item->end);
    return catalogue_set_flushed(catalogue, &item->id, &end);
}

static enum err record_item(struct log_store *store, struct flush_item *item)
{
    struct catalogue *catalogue = store->catalogue;
    const struct log_facts *facts = catalogue_find(catalogue, &item->id);
    log_offset old_producers =
        facts != NULL && facts->producers_count > 0 ? facts->producers_offset : -1;
    bool has_producers = false;
    enum err rc = save_producers(store, item, &has_producers);

    if (rc == ERR_OK && item->is_new)
        rc = catalogue_add_log(catalogue, &item->id);
    for (int i = 0; i < item->epoch_count && rc == ERR_OK; i++)
        rc = catalogue_add_epoch(catalogue, &item->id, item->epochs[i]);
    for (int i = 0; i < item->closed_count && rc == ERR_OK; i++) {
        struct segment_fact closed = segment_fact_of(&item->closed[i]);

        save_index(store, item, &item->closed[i]);
        rc = catalogue_add_segment(catalogue, &item->id, &closed);
    }
    if (rc == ERR_OK)
        rc = record_checkpoint(catalogue, item);
    if (rc == ERR_OK && item->log_start >= 0)
        rc = catalogue_set_log_start(catalogue, &item->id, item->log_start);
    if (rc == ERR_OK && has_producers) {
        rc = catalogue_set_producers(catalogue, &item->id, item->producers->offset,
                                     item->producers->count);
        item->old_producers = old_producers != item->producers->offset ? old_producers : -1;
    }
    return rc;
}

/* --- the round --- */

static struct flush_item *item_of(struct list *node)
{
    return container_of(node, struct flush_item, link);
}

static void fail_directory(struct log_store *store, const char *step, enum err err)
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
    if (may_retry && undo_item(store, item) == ERR_OK)
        return ERR_NO_SPACE;
    fail_directory(store, step, err);
    return err;
}

/* Somebody waits for what only the catalogue says, or a file goes that an older entry needs. */
static bool must_sync_catalogue(const struct list *items)
{
    list_for_each(items, node)
    {
        const struct flush_item *item = item_of(node);

        if (item->err == ERR_OK &&
            (item->is_new || item->log_start >= 0 || item->old_producers >= 0))
            return true;
    }
    return false;
}

static void remove_old_producers(struct log_store *store, const struct list *items)
{
    list_for_each(items, node)
    {
        const struct flush_item *item = item_of(node);
        char path[LOG_PATH_BYTES];

        if (item->err != ERR_OK || item->old_producers < 0)
            continue;
        log_path_file(&item->id, item->old_producers, PRODUCERS_SUFFIX, path);
        /* One that stays is removed at the next start. */
        (void)store->disk->ops->remove(store->disk, path);
    }
}

static void commit_catalogue(struct log_store *store, struct list *items)
{
    bool must_sync = must_sync_catalogue(items);
    enum err rc = catalogue_commit(store->catalogue, must_sync);

    if (rc == ERR_OK) {
        remove_old_producers(store, items);
        return;
    }
    if (rc != ERR_NO_SPACE)
        fail_directory(store, "catalogue", rc);
    list_for_each(items, node)
    {
        struct flush_item *item = item_of(node);

        if (item->err == ERR_OK && (rc != ERR_NO_SPACE || item->is_new || item->log_start >= 0))
            item->err = settle(store, item, "catalogue", rc);
    }
}

/* New topics' names lie in one directory: synced once, after all that lies below. Any failure is the
 * directory's. */
static void sync_items(struct log_store *store, struct list *items)
{
    const struct flush_item *before = NULL;
    struct flush_item *newest = NULL;
    struct sync_batch batch;

    if ((store->sabotage & SABOTAGE_SKIP_SYNC) != 0)
        return;
    sync_batch_init(&batch, store);
    list_for_each(items, node)
    {
        struct flush_item *item = item_of(node);

        if (item->err != ERR_OK)
            continue;
        sync_item(&batch, item, before);
        before = item;
        newest = item->is_new ? item : newest;
    }
    if (newest != NULL)
        sync_batch_dir(&batch, newest, "topics");
    sync_batch_run(&batch);
    list_for_each(items, node)
    {
        const struct flush_item *item = item_of(node);

        if (item->err != ERR_OK && item->err != ERR_NO_SPACE)
            fail_directory(store, "sync", item->err);
    }
}

/* The directory failed on the way: what the others need of the catalogue is not recorded. */
static void fail_rest(struct list *items)
{
    list_for_each(items, node)
    {
        struct flush_item *item = item_of(node);

        if (item->err == ERR_OK)
            item->err = ERR_IO;
    }
}

void flush_round_run(struct log_store *store, struct list *items)
{
    int64_t room = room_bytes(store);

    list_for_each(items, node)
    {
        struct flush_item *item = item_of(node);
        int64_t bytes = run_bytes(item);

        if (shared_flag_is_up(&store->failed))
            item->err = ERR_IO;
        else if (bytes > 0 && bytes > room)
            item->err = ERR_NO_SPACE;
        else
            item->err = settle(store, item, "write", write_item(store, item));
        room -= bytes;
    }
    sync_items(store, items);
    list_for_each(items, node)
    {
        struct flush_item *item = item_of(node);

        if (item->err != ERR_OK)
            continue;
        index_item(store, item);
        item->err = settle(store, item, "record", record_item(store, item));
    }
    if (!shared_flag_is_up(&store->failed))
        commit_catalogue(store, items);
    else
        fail_rest(items);
}

enum err flush_remove_log(struct log_store *store, const struct log_identity *id)
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
        fail_directory(store, "catalogue", rc);
    return rc;
}

static bool is_exchanged(const struct log_facts *facts, const struct segment_fact *segment)
{
    for (int i = 0; i < facts->segment_count; i++) {
        if (facts->segments[i].base_offset == segment->base_offset)
            return facts->segments[i].generation == segment->generation;
    }
    return false;
}

enum err flush_exchange_segments(struct log_store *store, const struct log_identity *id,
                                 const struct segment_fact *segment)
{
    const struct log_facts *facts = catalogue_find(store->catalogue, id);
    enum err rc = ERR_OK;

    if (shared_flag_is_up(&store->failed))
        return ERR_IO;
    if (facts == NULL)
        return ERR_GONE;
    if (!is_exchanged(facts, segment)) {
        if (!catalogue_has_stretch(facts, segment->base_offset, segment->end_offset))
            return ERR_GONE;
        rc = catalogue_replace_segments(store->catalogue, id, segment);
        if (rc != ERR_OK)
            return ERR_GONE; /* no memory, or no room in the buffer: as if nothing had been asked */
    }
    rc = catalogue_commit(store->catalogue, true);
    if (rc != ERR_OK && rc != ERR_NO_SPACE)
        fail_directory(store, "catalogue", rc);
    return rc;
}

enum err flush_note_cleaned(struct log_store *store, const struct log_identity *id,
                            log_offset cleaned_end)
{
    enum err rc = ERR_OK;

    if (shared_flag_is_up(&store->failed))
        return ERR_IO;
    if (catalogue_find(store->catalogue, id) == NULL)
        return ERR_GONE;
    rc = catalogue_set_cleaned(store->catalogue, id, cleaned_end);
    if (rc == ERR_OK)
        rc = catalogue_commit(store->catalogue, false);
    if (rc != ERR_OK && rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY && rc != ERR_TOO_LARGE)
        fail_directory(store, "catalogue", rc);
    return rc;
}
