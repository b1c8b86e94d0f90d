/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal/wal_growth.h"
#include "dataplane/storage/wal/wal_stretch.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_BYTES 32
#define FILES_KEPT 2 /* over a start */

static const char *const directories[WAL_STREAMS] = {
    [WAL_SYNCED] = "wal", [WAL_WRITTEN] = "wal-os"};

static const char *directory_of(const struct write_ahead_log *wal)
{
    return directories[wal->stream];
}

static void file_path(const struct write_ahead_log *wal, int number, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/%d", directory_of(wal), number);
}

/* --- what files there are --- */

struct file_numbers {
    int numbers[WAL_FILES_MAX];
    int count;
    bool are_too_many;
};

static bool note_number(void *context, const char *name, bool is_directory)
{
    struct file_numbers *found = context;
    char *rest = NULL;
    long number = strtol(name, &rest, 10);

    if (is_directory || rest == name || *rest != '\0' || number < 0 || number > INT32_MAX)
        return true;
    found->are_too_many = found->count == WAL_FILES_MAX;
    if (!found->are_too_many)
        found->numbers[found->count++] = (int)number;
    return !found->are_too_many;
}

static enum err read_header(struct write_ahead_log *wal, struct wal_file *file)
{
    uint8_t bytes[WAL_HEADER_BYTES];
    size_t len = 0;
    enum err rc = file->file->ops->read_at(file->file, 0, bytes, sizeof(bytes), &len);

    if (rc != ERR_OK)
        return rc;
    rc = wal_header_read(slice_of(bytes, len), wal->directory_id, &file->first_lsn);
    if (rc == ERR_CORRUPT)
        file->first_lsn = -1; /* never used, or damaged: replay looks whether it belongs anywhere */
    return rc == ERR_CORRUPT ? ERR_OK : rc;
}

/* One more; who syncs looks at all. */
static enum err add_file(struct write_ahead_log *wal, int number, int flags,
                         struct wal_file **ret_file)
{
    struct wal_file added = {.number = number, .first_lsn = -1};
    char path[PATH_BYTES];
    enum err rc = ERR_OK;

    if (wal->stream == WAL_SYNCED)
        flags |= DISK_BULK;
    file_path(wal, number, path);
    rc = wal->disk->ops->open(wal->disk, path, flags, &added.file);
    if (rc != ERR_OK)
        return rc;
    pthread_mutex_lock(&wal->lock);
    *ret_file = &wal->files[wal->file_count++];
    **ret_file = added;
    pthread_mutex_unlock(&wal->lock);
    return ERR_OK;
}

static enum err open_file(struct write_ahead_log *wal, int number)
{
    struct wal_file *file = NULL;
    enum err rc = add_file(wal, number, 0, &file);

    if (rc == ERR_OK)
        rc = file->file->ops->size(file->file, &file->allocated_bytes);
    return rc == ERR_OK ? read_header(wal, file) : rc;
}

enum err wal_open(struct write_ahead_log *wal, const struct wal_options *options)
{
    struct file_numbers found = {.count = 0};
    enum err rc = ERR_OK;

    *wal = (struct write_ahead_log){
        .disk = options->disk,
        .directory_id = options->directory_id,
        .stream = options->stream,
        .file_bytes = options->file_bytes,
        .block_bytes = options->block_bytes,
        .is_unseeded = options->is_unseeded,
        .shard_count = options->shard_count,
    };
    pthread_mutex_init(&wal->lock, NULL);
    pthread_cond_init(&wal->moved, NULL);
    list_init(&wal->spares);
    list_init(&wal->unwritten);
    for (int i = 0; i < WAL_STRETCHES_MAX; i++)
        list_push_back(&wal->spares, &wal->stretches[i].link);
    wal->needed = malloc((size_t)options->shard_count * sizeof(wal->needed[0]));
    if (wal->needed == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < options->shard_count; i++)
        wal->needed[i] = INT64_MAX;
    rc = options->disk->ops->list(options->disk, directory_of(wal), note_number, &found);
    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (rc == ERR_OK && found.are_too_many)
        rc = ERR_CORRUPT;
    for (int i = 0; i < found.count && rc == ERR_OK; i++)
        rc = open_file(wal, found.numbers[i]);
    return rc;
}

void wal_done(struct write_ahead_log *wal)
{
    for (int i = 0; i < wal->file_count; i++)
        wal->files[i].file->ops->close(wal->files[i].file);
    for (int i = 0; i < WAL_STRETCHES_MAX; i++)
        buffer_done(&wal->stretches[i].staged);
    free(wal->needed);
    pthread_cond_destroy(&wal->moved);
    pthread_mutex_destroy(&wal->lock);
    *wal = (struct write_ahead_log){.file_count = 0};
}

/* --- who needs what --- */

static enum err sync_names(struct write_ahead_log *wal)
{
    enum err rc = wal->disk->ops->sync_dir(wal->disk, directory_of(wal));

    return rc == ERR_OK ? wal->disk->ops->sync_dir(wal->disk, "") : rc;
}

/* Above what an earlier life can have used. Headers that were never synced may be gone, but all files together held
 * no more than this from the floor on, for that is durable. */
static int64_t least_begin(const struct write_ahead_log *wal, int64_t floor_lsn)
{
    int64_t file_bytes = wal->file_bytes > WAL_FILE_BYTES ? wal->file_bytes : WAL_FILE_BYTES;

    return wal->stream == WAL_SYNCED || wal->file_count == 0
               ? floor_lsn
               : floor_lsn + WAL_FILES_MAX * file_bytes;
}

enum err wal_begin(struct write_ahead_log *wal, int64_t floor_lsn, int64_t *ret_lsn)
{
    int64_t lsn = least_begin(wal, floor_lsn);

    for (int i = 0; i < wal->file_count; i++) {
        const struct wal_file *file = &wal->files[i];
        int64_t size =
            file->allocated_bytes > wal->file_bytes ? file->allocated_bytes : wal->file_bytes;

        if (file->first_lsn >= 0 && file->first_lsn + size > lsn)
            lsn = file->first_lsn + size;
    }
    for (int i = 0; i < wal->file_count; i++)
        wal->files[i].first_lsn = -1;
    wal->begin_lsn = lsn;
    wal->head_lsn = lsn;
    wal->synced_lsn = lsn;
    *ret_lsn = lsn;
    /* A life that ended early may have left files whose names are not durable. */
    return wal->file_count > 0 ? sync_names(wal) : ERR_OK;
}

void wal_trim(struct write_ahead_log *wal)
{
    while (wal->file_count > FILES_KEPT) {
        struct wal_file *file = &wal->files[--wal->file_count];
        char path[PATH_BYTES];

        file_path(wal, file->number, path);
        file->file->ops->close(file->file);
        /* One that stays is found, empty, at the next start. */
        (void)wal->disk->ops->remove(wal->disk, path);
    }
}

void wal_set_needed(struct write_ahead_log *wal, int shard, int64_t lsn)
{
    wal->needed[shard] = lsn;
}

static int64_t oldest_needed(const struct write_ahead_log *wal)
{
    int64_t oldest = wal->head_lsn;

    for (int i = 0; i < wal->shard_count; i++) {
        if (wal->needed[i] < oldest)
            oldest = wal->needed[i];
    }
    return oldest;
}

/* --- the next file --- */

/* In whole blocks; whatever is left of the last one has room for an entry that fills it. */
static int64_t room_for(const struct write_ahead_log *wal, int64_t bytes)
{
    return (bytes + WAL_FILL_MIN_BYTES + wal->block_bytes - 1) / wal->block_bytes *
           wal->block_bytes;
}

/* How far a file will be used that is used up to `from` now, when all that is reserved has its place there, and so
 * many bytes more; a block is kept to say where the stream goes on. */
static int64_t used_bytes(const struct write_ahead_log *wal, int64_t from, int64_t bytes)
{
    return from + wal->reserved_bytes + room_for(wal, bytes) + wal->block_bytes;
}

static int64_t current_used_bytes(const struct write_ahead_log *wal, int64_t bytes)
{
    return used_bytes(wal, wal->head_lsn - wal->current->first_lsn, bytes);
}

/* The header has a block. */
static int64_t fresh_used_bytes(const struct write_ahead_log *wal, int64_t bytes)
{
    return used_bytes(wal, wal->block_bytes, bytes);
}

static bool fits(const struct write_ahead_log *wal, int64_t bytes)
{
    return wal->current != NULL && current_used_bytes(wal, bytes) <= wal->file_bytes;
}

static struct wal_file *find_free(struct write_ahead_log *wal)
{
    for (int i = 0; i < wal->file_count; i++) {
        if (wal->files[i].first_lsn < 0)
            return &wal->files[i];
    }
    return NULL;
}

int64_t wal_wanted_floor(struct write_ahead_log *wal, int64_t bytes)
{
    int64_t needed = oldest_needed(wal);
    int64_t floor_lsn = INT64_MAX;
    bool is_any_free = false;

    if (wal->current == NULL || fits(wal, bytes) || find_free(wal) != NULL)
        return -1;
    for (int i = 0; i < wal->file_count; i++) {
        const struct wal_file *file = &wal->files[i];
        bool is_needed = file == wal->current || file->first_lsn + wal->file_bytes > needed;

        if (is_needed && file->first_lsn < floor_lsn)
            floor_lsn = file->first_lsn;
        is_any_free |= !is_needed;
    }
    return is_any_free ? floor_lsn : -1;
}

void wal_forget_below(struct write_ahead_log *wal, int64_t floor_lsn)
{
    for (int i = 0; i < wal->file_count; i++) {
        if (wal->files[i].first_lsn < floor_lsn)
            wal->files[i].first_lsn = -1;
    }
}

static enum err make_file(struct write_ahead_log *wal, struct wal_file **ret_file)
{
    int number = 0;
    enum err rc = ERR_OK;

    if (wal->file_count == WAL_FILES_MAX)
        return ERR_NO_SPACE;
    for (int i = 0; i < wal->file_count; i++) {
        if (wal->files[i].number >= number)
            number = wal->files[i].number + 1;
    }
    rc = wal->disk->ops->make_dir(wal->disk, directory_of(wal));
    if (rc == ERR_OK)
        rc = add_file(wal, number, DISK_CREATE, ret_file);
    /* The names are durable before anything in the file matters. */
    return rc == ERR_OK ? sync_names(wal) : rc;
}

/* A block of its own. */
static enum err write_header(struct write_ahead_log *wal, struct wal_file *file, int64_t first_lsn)
{
    int64_t entry_lsn = first_lsn + WAL_HEADER_BYTES;
    struct buffer block;
    enum err rc = ERR_OK;

    buffer_init(&block, (size_t)wal->block_bytes);
    rc = wal_header_write(wal->directory_id, first_lsn, &block);
    if (rc == ERR_OK)
        rc = wal_fill_write(wal->is_unseeded ? 0 : entry_lsn, 0,
                            (size_t)wal->block_bytes - WAL_HEADER_BYTES, &block);
    if (rc == ERR_OK) {
        struct iovec iov = {block.data, block.len};

        rc = file->file->ops->write_at(file->file, 0, &iov, 1);
    }
    buffer_done(&block);
    return rc;
}

/* Says in the current file that the stream goes on elsewhere; room for it was kept. */
static enum err leave_current(struct write_ahead_log *wal)
{
    int64_t next_lsn = wal->current->first_lsn + wal->file_bytes;
    struct wal_stretch *stretch = wal_stretch_new(wal, wal->block_bytes);
    enum err rc = ERR_OK;

    if (stretch == NULL)
        return ERR_NO_MEMORY;
    wal_place(wal, stretch, WAL_END_BYTES);
    wal_add_end(wal, stretch, next_lsn);
    rc = wal_end_stretch(wal, stretch, false);
    return rc == ERR_OK ? ERR_OK : ERR_IO;
}

static enum err enter(struct write_ahead_log *wal, struct wal_file *file, int64_t bytes)
{
    int64_t first_lsn =
        wal->current != NULL ? wal->current->first_lsn + wal->file_bytes : wal->begin_lsn;
    enum err rc = wal_grow(wal, file, fresh_used_bytes(wal, bytes));

    if (rc == ERR_OK)
        rc = write_header(wal, file, first_lsn);
    if (rc == ERR_OK && wal->current != NULL)
        rc = leave_current(wal);
    if (rc != ERR_OK)
        return rc;
    file->first_lsn = first_lsn;
    wal->current = file;
    pthread_mutex_lock(&wal->lock);
    file->is_unsynced = true;
    wal->head_lsn = first_lsn + wal->block_bytes;
    pthread_mutex_unlock(&wal->lock);
    return ERR_OK;
}

/* What is reserved already gets its place in the file that is current then. */
static enum err make_room(struct write_ahead_log *wal, int64_t bytes)
{
    struct wal_file *file = find_free(wal);
    enum err rc = ERR_OK;

    if (fresh_used_bytes(wal, bytes) > wal->file_bytes)
        return ERR_NO_SPACE;
    if (fits(wal, bytes))
        return wal_grow(wal, wal->current, current_used_bytes(wal, bytes));
    if (file == NULL)
        rc = make_file(wal, &file);
    return rc == ERR_OK ? enter(wal, file, bytes) : rc;
}

enum err wal_reserve(struct write_ahead_log *wal, int64_t bytes, struct wal_stretch **ret_stretch)
{
    int64_t room = room_for(wal, bytes);
    enum err rc = make_room(wal, bytes);

    if (rc != ERR_OK)
        return rc;
    *ret_stretch = wal_stretch_new(wal, room);
    if (*ret_stretch == NULL)
        return ERR_NO_MEMORY;
    (*ret_stretch)->reserved_bytes = room;
    wal->reserved_bytes += room;
    return ERR_OK;
}

static void release_reserved(struct write_ahead_log *wal, struct wal_stretch *stretch)
{
    wal->reserved_bytes -= stretch->reserved_bytes;
    stretch->reserved_bytes = 0;
}

void wal_give_up(struct write_ahead_log *wal, struct wal_stretch *stretch)
{
    release_reserved(wal, stretch);
    pthread_mutex_lock(&wal->lock);
    wal_stretch_recycle(wal, stretch);
    pthread_mutex_unlock(&wal->lock);
}

/* The rest of the last block is filled by an entry, which has a least size. */
static int64_t whole_blocks(const struct write_ahead_log *wal, int64_t bytes)
{
    bool is_whole = bytes % wal->block_bytes == 0;

    return is_whole ? bytes : room_for(wal, bytes);
}

void wal_place(struct write_ahead_log *wal, struct wal_stretch *stretch, int64_t bytes)
{
    release_reserved(wal, stretch);
    stretch->file = wal->current;
    pthread_mutex_lock(&wal->lock);
    stretch->begin_lsn = wal->head_lsn;
    stretch->end_lsn = wal->head_lsn + whole_blocks(wal, bytes);
    stretch->synced_below = wal->synced_lsn;
    wal->head_lsn = stretch->end_lsn;
    list_push_back(&wal->unwritten, &stretch->link);
    pthread_mutex_unlock(&wal->lock);
}
