/* SPDX-License-Identifier: Apache-2.0 */
/* The write-ahead logs of a data directory: opened, replayed after a crash, begun anew. At start, one thread. */
#include "dataplane/storage/log_directory_internal.h"

#define WAL_SHARE 64 /* of the disk: a file of the write-ahead log */
#define WAL_FILE_MIN_BYTES ((int64_t)4 << 20)

/* The usual size; less where the disk is small: a few files shall not fill it. */
static int64_t wal_file_bytes(const struct log_directory_options *options)
{
    int64_t available = 0;
    int64_t total = 0;
    int64_t bytes = WAL_FILE_BYTES;

    if (options->wal_file_bytes > 0)
        return options->wal_file_bytes;
    if (options->disk->ops->free_bytes(options->disk, &available, &total) == ERR_OK &&
        total / WAL_SHARE < bytes)
        bytes = total / WAL_SHARE;
    return bytes > WAL_FILE_MIN_BYTES ? bytes : WAL_FILE_MIN_BYTES;
}

static enum err open_one(struct log_directory *directory, enum wal_stream stream,
                         const struct log_directory_options *options, struct error *error)
{
    struct wal_options wal = {
        .disk = options->disk,
        .directory_id = directory->id,
        .stream = stream,
        .file_bytes = wal_file_bytes(options),
        .block_bytes = options->wal_block_bytes > 0 ? options->wal_block_bytes : WAL_BLOCK_BYTES,
        .shard_count = directory->executor->loop_count,
        .is_unseeded = (options->sabotage & SABOTAGE_REUSE_STALE) != 0,
    };
    enum err rc = wal_open(&directory->store.wals[stream], &wal);

    return rc == ERR_OK ? ERR_OK
                        : error_set(error, rc, "cannot open the write-ahead log: %s", err_text(rc));
}

enum err directory_wals_open(struct log_directory *directory,
                             const struct log_directory_options *options, struct error *error)
{
    enum err rc = ERR_OK;

    for (int i = 0; i < WAL_STREAMS && rc == ERR_OK; i++)
        rc = open_one(directory, (enum wal_stream)i, options, error);
    return rc;
}

void directory_wals_close(struct log_store *store)
{
    for (int i = 0; i < WAL_STREAMS; i++)
        wal_done(&store->wals[i]);
}

enum err directory_wals_replay(struct recovery *recovery)
{
    struct log_store *store = recovery->store;
    enum err rc = ERR_OK;

    wal_replay_init(&recovery->replay, recovery->seed);
    if (recovery->was_clean)
        return ERR_OK;
    for (int i = 0; i < WAL_STREAMS && rc == ERR_OK; i++)
        rc = wal_replay_run(&recovery->replay, &store->wals[i],
                            catalogue_wal_floor(store->catalogue, (enum wal_stream)i),
                            store->catalogue);
    return rc;
}

static enum err begin_wal(struct log_store *store, enum wal_stream stream)
{
    int64_t floor_lsn = catalogue_wal_floor(store->catalogue, stream);
    int64_t lsn = 0;
    enum err rc = wal_begin(&store->wals[stream], floor_lsn, &lsn);

    return rc == ERR_OK && lsn != floor_lsn ? catalogue_set_wal_floor(store->catalogue, stream, lsn)
                                            : rc;
}

/* The write-ahead logs' entries are in the segments, durably: they begin anew. */
enum err directory_wals_begin(struct log_store *store)
{
    enum err rc = ERR_OK;

    for (int i = 0; i < WAL_STREAMS && rc == ERR_OK; i++)
        rc = begin_wal(store, (enum wal_stream)i);
    if (rc == ERR_OK)
        rc = catalogue_mark(store->catalogue, false);
    if (rc == ERR_OK)
        rc = catalogue_commit(store->catalogue, true);
    for (int i = 0; i < WAL_STREAMS && rc == ERR_OK; i++)
        wal_trim(&store->wals[i]);
    return rc;
}
