/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/log_directory.h"

#include <stdlib.h>

#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "dataplane/storage/log_directory_internal.h"
#include "dataplane/storage/replica_internal.h"

#define OPEN_FILES_MAX 1024
#define SMALL_BYTES_MAX 65535
#define SPARE_BYTES_MIN ((int64_t)16 << 20) /* a smaller file goes in a few pieces */
#define INDEX_BYTES_MAX ((int64_t)32 << 20)

/* --- the table --- */

static uint64_t hash_of(const struct log_directory *directory, const struct log_identity *id)
{
    return hash_bytes(directory->seed, id, sizeof(*id));
}

static bool has_identity(const struct hash_node *node, const void *key)
{
    const struct stored_log *log = container_of(node, const struct stored_log, node);
    const struct log_identity *id = key;

    return log->id.partition == id->partition && uuid_equal(log->id.topic_id, id->topic_id);
}

static struct stored_log *find(const struct log_directory *directory, const struct log_identity *id)
{
    struct hash_node *node =
        hash_table_find(&directory->logs, hash_of(directory, id), has_identity, id);

    return node == NULL ? NULL : container_of(node, struct stored_log, node);
}

static struct stored_log *add(struct log_directory *directory, const struct log_identity *id)
{
    struct stored_log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->id = *id;
    log->directory = directory;
    log->err = ERR_NOT_FOUND;
    if (hash_table_insert(&directory->logs, hash_of(directory, id), &log->node) != ERR_OK) {
        free(log);
        return NULL;
    }
    return log;
}

static void remove_stored(struct log_directory *directory, struct stored_log *log)
{
    hash_table_remove(&directory->logs, &log->node);
    free(log);
}

/* The same loop for ever: partitions of a topic go round, topics begin anywhere. */
static struct shard *shard_of(const struct log_directory *directory, const struct log_identity *id)
{
    static const struct hash_seed fixed = {0x6d696c6c72616365, 0x70617274};
    uint64_t topic = hash_bytes(fixed, id->topic_id.bytes, sizeof(id->topic_id.bytes));

    return &directory->shards[(topic + (uint64_t)id->partition) %
                              (uint64_t)directory->executor->loop_count];
}

/* --- opening --- */

static enum err check_identity(const struct log_directory_options *options,
                               const struct directory_meta *meta, struct error *error)
{
    if (meta->broker_id != options->broker_id)
        return error_set(error, ERR_FENCED,
                         "the data directory belongs to broker %d, not to %d; check --data and the "
                         "broker id",
                         meta->broker_id, options->broker_id);
    if (!uuid_is_zero(options->cell_id) && !uuid_is_zero(meta->cell_id) &&
        !uuid_equal(options->cell_id, meta->cell_id))
        return error_set(
            error, ERR_FENCED,
            "the data directory belongs to another cell; check --data and the cell id");
    return ERR_OK;
}

static enum err create_meta(struct log_directory *directory,
                            const struct log_directory_options *options,
                            struct directory_meta *meta, struct error *error)
{
    struct disk *disk = options->disk;
    enum err rc = uuid_generate(options->random, &meta->directory_id);

    meta->cell_id = options->cell_id;
    meta->broker_id = options->broker_id;
    if (rc == ERR_OK)
        rc = disk->ops->make_dir(disk, "topics");
    if (rc == ERR_OK)
        rc = disk->ops->sync_dir(disk, "");
    if (rc != ERR_OK)
        return error_set(error, rc, "cannot prepare the data directory: %s", err_text(rc));
    rc = catalogue_open(disk, meta->directory_id, directory->seed, true,
                        &directory->store.catalogue, error);
    if (rc != ERR_OK)
        return rc;
    rc = directory_meta_save(disk, meta); /* last: from now on the directory is one */
    return rc == ERR_OK ? ERR_OK : error_set(error, rc, "cannot write meta.json: %s", err_text(rc));
}

static enum err open_meta(struct log_directory *directory,
                          const struct log_directory_options *options, struct error *error)
{
    struct directory_meta meta;
    enum err rc = directory_meta_load(options->disk, &meta, error);

    if (rc == ERR_NOT_FOUND) {
        rc = create_meta(directory, options, &meta, error);
    } else if (rc == ERR_OK) {
        rc = check_identity(options, &meta, error);
        if (rc == ERR_OK)
            rc = catalogue_open(options->disk, meta.directory_id, directory->seed, false,
                                &directory->store.catalogue, error);
        if (rc == ERR_OK && uuid_is_zero(meta.cell_id) && !uuid_is_zero(options->cell_id)) {
            meta.cell_id = options->cell_id;
            rc = directory_meta_save(options->disk, &meta);
        }
    }
    if (rc != ERR_OK)
        return rc;
    directory->id = meta.directory_id;
    directory->cell_id = meta.cell_id;
    directory->broker_id = meta.broker_id;
    return ERR_OK;
}

/* A log that is corrupt stays out until it is removed. One that could not be read now is tried again
 * at the next start, which must then not believe that the end was clean. */
static enum err note_failure(struct log_directory *directory, struct stored_log *log, enum err rc,
                             struct log_directory_report *report)
{
    char path[LOG_PATH_BYTES];

    log_path(&log->id, path);
    log_event(LOG_ERROR, "partition_isolated", f_str("path", path), f_err(rc));
    log->err = rc;
    report->corrupt_partitions++;
    if (rc == ERR_CORRUPT)
        return catalogue_isolate_log(directory->store.catalogue, &log->id);
    directory->is_something_unread = true;
    return ERR_OK;
}

static enum err recover_all(struct log_directory *directory, struct recovery *recovery,
                            struct log_directory_report *report)
{
    for (const struct log_facts *facts = catalogue_next(directory->store.catalogue, NULL);
         facts != NULL; facts = catalogue_next(directory->store.catalogue, facts)) {
        struct stored_log *log = add(directory, &facts->id);
        enum err rc = ERR_OK;

        if (log == NULL)
            return ERR_NO_MEMORY;
        report->partitions++;
        rc = recover_log(recovery, &facts->id, &log->found);
        log->err = rc;
        if (rc != ERR_OK && rc != ERR_NO_MEMORY)
            rc = note_failure(directory, log, rc, report);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err recover(struct log_directory *directory, int64_t now_ms,
                        struct log_directory_report *report, struct error *error)
{
    struct recovery recovery = {
        .store = &directory->store,
        .seed = directory->seed,
        .now_ms = now_ms,
        .was_clean = catalogue_was_clean(directory->store.catalogue),
    };
    enum err rc = ERR_OK;

    sync_batch_init(&recovery.syncs, &directory->store.files);
    rc = directory_wals_replay(&recovery);
    if (rc == ERR_OK)
        rc = recover_all(directory, &recovery, report);
    report->was_clean = recovery.was_clean;
    report->replayed_bytes = recovery.replay.bytes;
    report->recovered_bytes = recovery.scanned_bytes;
    report->truncated_bytes = recovery.truncated_bytes;
    if (rc == ERR_OK)
        rc = recovery_sync(&recovery);
    wal_replay_done(&recovery.replay);
    if (rc == ERR_OK)
        rc = recovery_remove_strays(&directory->store);
    if (rc == ERR_OK)
        rc = directory_wals_begin(&directory->store);
    return rc == ERR_OK
               ? ERR_OK
               : error_set(error, rc, "cannot recover the data directory: %s", err_text(rc));
}

static enum err make_shards(struct log_directory *directory,
                            const struct log_directory_options *options)
{
    int count = directory->executor->loop_count;
    struct cleaner_limits cleaner = {
        .map_bytes = (size_t)options->cleaner_map_bytes / (size_t)count,
        .bytes_per_second = options->cleaner_bytes_per_second / count,
        .check_us = options->cleaner_check_us > 0 ? options->cleaner_check_us : CLEANER_CHECK_US,
        .seed = directory->seed,
    };

    directory->shards = calloc((size_t)count, sizeof(directory->shards[0]));
    directory->closings = calloc((size_t)count, sizeof(directory->closings[0]));
    if (directory->shards == NULL || directory->closings == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < count; i++)
        shard_init(&directory->shards[i], directory, &directory->store,
                   directory->executor->loops[i], options->tail_cache_bytes / count, &cleaner,
                   options->removal_piece_bytes);
    return ERR_OK;
}

enum err log_directory_open(const struct log_directory_options *options,
                            struct log_directory **ret_directory,
                            struct log_directory_report *ret_report, struct error *error)
{
    struct log_directory *directory = calloc(1, sizeof(*directory));
    struct log_directory_report report = {0};
    enum err rc = ERR_OK;

    if (directory == NULL)
        return error_set(error, ERR_NO_MEMORY, "data directory");
    directory->executor = options->executor;
    directory->store.disk = options->disk;
    pthread_mutex_init(&directory->store.lock, NULL);
    directory->store.sabotage = options->sabotage;
    directory->store.small_bytes_max =
        options->small_bytes_max > 0 ? options->small_bytes_max : SMALL_BYTES_MAX;
    segment_files_init(&directory->store.files, options->disk, OPEN_FILES_MAX, INDEX_BYTES_MAX);
    segment_spares_init(&directory->store.spares, options->disk, options->spare_percent,
                        options->spare_bytes_min > 0 ? options->spare_bytes_min : SPARE_BYTES_MIN);
    directory->store.spares.is_unsynced = (options->sabotage & SABOTAGE_SPARE_UNSYNCED) != 0;
    directory->store.files.is_index_trusted = (options->sabotage & SABOTAGE_TRUST_INDEX) != 0;
    rc = random_fill(options->random, &directory->seed, sizeof(directory->seed));
    hash_table_init(&directory->logs, directory->seed);
    if (rc == ERR_OK)
        rc = make_shards(directory, options);
    if (rc != ERR_OK) {
        error_set(error, rc, "cannot open the data directory: %s", err_text(rc));
        goto fail;
    }
    rc = options->disk->ops->lock(options->disk, "lock");
    if (rc != ERR_OK) {
        error_set(error, rc,
                  rc == ERR_LOCKED ? "the data directory is locked: another broker runs on it"
                                   : "cannot lock the data directory");
        goto fail;
    }
    rc = open_meta(directory, options, error);
    if (rc == ERR_OK)
        rc = directory_wals_open(directory, options, error);
    if (rc == ERR_OK)
        rc = segment_spares_open(&directory->store.spares);
    if (rc == ERR_OK)
        rc = recover(directory, loop_wall_ms(options->executor->loops[0]), &report, error);
    if (rc != ERR_OK)
        goto fail;
    producer_ids_init(&directory->producer_ids, &directory->store, options->executor->loops[0]);
    *ret_directory = directory;
    *ret_report = report;
    return ERR_OK;

fail:
    log_directory_free(directory);
    return rc;
}

struct uuid log_directory_uuid(const struct log_directory *directory)
{
    return directory->id;
}

bool log_directory_is_failed(const struct log_directory *directory)
{
    return shared_flag_is_up(&directory->store.failed);
}

/* --- the cell's id, known later --- */

static void run_meta(struct work *work)
{
    struct log_directory *directory = container_of(work, struct log_directory, meta_work);
    struct directory_meta meta = {directory->id, directory->meta_cell_id, directory->broker_id};
    enum err rc = directory_meta_save(directory->store.disk, &meta);

    if (rc != ERR_OK)
        log_event(LOG_WARN, "meta_not_saved", f_err(rc));
}

static void meta_done(struct work *work)
{
    (void)work; /* a failure was logged; meta.json gets the id at the next start */
}

enum err log_directory_set_cell(struct log_directory *directory, struct uuid cell_id)
{
    if (uuid_equal(directory->cell_id, cell_id))
        return ERR_OK;
    if (!uuid_is_zero(directory->cell_id))
        return ERR_FENCED;
    directory->cell_id = cell_id;
    directory->meta_cell_id = cell_id;
    directory->meta_work = (struct work){.run = run_meta, .done = meta_done};
    worker_submit(directory->executor->loops[0], WORKER_FLUSH, &directory->meta_work);
    return ERR_OK;
}

/* --- replicas --- */

enum err replica_open(struct log_directory *directory, struct uuid topic_id, int32_t partition,
                      const struct log_config *config, struct replica **ret_replica)
{
    struct log_identity id = {topic_id, partition};
    struct stored_log *log = find(directory, &id);
    enum err rc = ERR_OK;

    if (log == NULL)
        log = add(directory, &id);
    if (log == NULL)
        return ERR_NO_MEMORY;
    if (log->replica != NULL)
        return ERR_EXISTS;
    if (log->err == ERR_NOT_FOUND) {
        rc = recovered_log_init(&log->found, &id, directory->seed);
        if (rc != ERR_OK) {
            remove_stored(directory, log);
            return rc;
        }
        log->err = ERR_OK;
    }
    if (log->err != ERR_OK)
        return ERR_CORRUPT;
    rc = replica_new(directory, shard_of(directory, &id), directory->broker_id, config, &log->found,
                     &log->replica);
    if (rc == ERR_OK)
        *ret_replica = log->replica;
    return rc;
}

void log_directory_forget(struct log_directory *directory, struct replica *replica)
{
    struct stored_log *log = find(directory, &replica->id);

    if (log != NULL && log->replica == replica)
        remove_stored(directory, log);
}

/* --- topics that nobody knows --- */

static void write_clean_mark(struct log_directory *directory);

static void stray_finished(struct work *work)
{
    struct stored_log *log = container_of(work, struct stored_log, work);
    struct log_directory *directory = log->directory;
    char path[LOG_PATH_BYTES];

    log_path(&log->id, path);
    log_event(LOG_INFO, "unknown_partition_removed", f_str("path", path), f_err(log->removal_err));
    directory->strays_leaving--;
    remove_stored(directory, log);
    write_clean_mark(directory);
}

static void remove_stray_files(struct work *work)
{
    struct stored_log *log = container_of(work, struct stored_log, work);

    log->removal_err = log_remove_files(log->directory->store.disk, &log->id);
}

static void stray_forgotten(struct work *work)
{
    struct stored_log *log = container_of(work, struct stored_log, work);

    if (log->removal_err != ERR_OK) {
        stray_finished(work); /* still in the catalogue: tried again at the next start */
        return;
    }
    *work = (struct work){.run = remove_stray_files, .done = stray_finished};
    worker_submit(log->directory->executor->loops[0], WORKER_SLOW, work);
}

static void forget_stray(struct work *work)
{
    struct stored_log *log = container_of(work, struct stored_log, work);
    struct log_store *store = &log->directory->store;

    log->removal_err = flush_remove_log(store, &log->id);
    if (log->err == ERR_OK)
        recovered_log_done(&log->found, &store->files);
    log->err = ERR_GONE;
}

void log_directory_remove_unknown(struct log_directory *directory,
                                  log_directory_is_known_fn is_known, void *context)
{
    for (struct hash_node *node = hash_table_next(&directory->logs, NULL); node != NULL;
         node = hash_table_next(&directory->logs, node)) {
        struct stored_log *log = container_of(node, struct stored_log, node);

        if (log->replica != NULL || log->work.run != NULL || is_known(context, log->id.topic_id))
            continue;
        directory->strays_leaving++;
        log->work = (struct work){.run = forget_stray, .done = stray_forgotten};
        worker_submit(directory->executor->loops[0], WORKER_FLUSH, &log->work);
    }
}

/* --- producer ids --- */

void log_directory_set_producer_registration(struct log_directory *directory, int64_t registration)
{
    producer_ids_set_registration(&directory->producer_ids, registration);
}

void log_directory_next_producer_id(struct log_directory *directory,
                                    struct producer_id_request *request)
{
    producer_ids_next(&directory->producer_ids, request);
}

/* --- the end --- */

static void run_clean_mark(struct work *work)
{
    struct log_directory *directory = container_of(work, struct log_directory, close_work);
    struct log_store *store = &directory->store;
    enum err rc = ERR_OK;

    if (shared_flag_is_up(&store->failed) || directory->is_something_unread ||
        directory->is_end_unknown)
        return;
    log_store_lock(store);
    rc = catalogue_mark(store->catalogue, true);
    if (rc == ERR_OK)
        rc = catalogue_commit(store->catalogue, true);
    log_store_unlock(store);
    if (rc != ERR_OK)
        log_event(LOG_WARN, "clean_mark_not_written", f_err(rc));
}

static void clean_mark_done(struct work *work)
{
    struct log_directory *directory = container_of(work, struct log_directory, close_work);

    directory->on_closed(directory->on_closed_context);
}

static void write_clean_mark(struct log_directory *directory)
{
    if (directory->on_closed == NULL || directory->closing_count > 0 ||
        directory->strays_leaving > 0)
        return;
    for (int i = 0; i < directory->executor->loop_count; i++)
        directory->is_end_unknown |= directory->shards[i].is_end_unknown;
    directory->close_work = (struct work){.run = run_clean_mark, .done = clean_mark_done};
    worker_submit(directory->executor->loops[0], WORKER_FLUSH, &directory->close_work);
}

static void shard_closed_at_home(struct mail *mail)
{
    struct shard_closing *closing = container_of(mail, struct shard_closing, mail);
    struct log_directory *directory = closing->directory;

    directory->closing_count--;
    write_clean_mark(directory);
}

static void shard_closed(struct shard *shard)
{
    struct log_directory *directory = shard->directory;
    struct shard_closing *closing = &directory->closings[shard->loop->index];

    closing->directory = directory;
    closing->mail.deliver = shard_closed_at_home;
    loop_post(directory->executor->loops[0], &closing->mail);
}

void log_directory_close(struct log_directory *directory, void (*done)(void *context),
                         void *context)
{
    directory->on_closed = done;
    directory->on_closed_context = context;
    directory->closing_count = directory->executor->loop_count;
    for (int i = 0; i < directory->executor->loop_count; i++)
        shard_close(&directory->shards[i], shard_closed);
}

static void free_stored(struct log_directory *directory, struct stored_log *log)
{
    /* Its shard knows it only after its first mail. */
    if (log->replica != NULL && !list_is_linked(&log->replica->in_shard))
        list_push_back(&log->replica->shard->replicas, &log->replica->in_shard);
    else if (log->replica == NULL && log->err == ERR_OK)
        recovered_log_done(&log->found, &directory->store.files);
    remove_stored(directory, log);
}

void log_directory_free(struct log_directory *directory)
{
    struct hash_node *next = NULL;

    if (directory == NULL)
        return;
    for (struct hash_node *node = hash_table_next(&directory->logs, NULL); node != NULL;
         node = next) {
        next = hash_table_next(&directory->logs, node);
        free_stored(directory, container_of(node, struct stored_log, node));
    }
    for (int i = 0; directory->shards != NULL && i < directory->executor->loop_count; i++) {
        if (directory->shards[i].store != NULL)
            shard_done(&directory->shards[i]);
    }
    hash_table_done(&directory->logs);
    catalogue_free(directory->store.catalogue);
    directory_wals_close(&directory->store);
    pthread_mutex_destroy(&directory->store.lock);
    segment_spares_done(&directory->store.spares);
    segment_files_done(&directory->store.files);
    free(directory->shards);
    free(directory->closings);
    free(directory);
}
