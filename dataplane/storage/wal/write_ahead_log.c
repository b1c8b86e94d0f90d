/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal/write_ahead_log.h"

#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY "wal"
#define PATH_BYTES 32
#define STEP_BYTES ((int64_t)1 << 20) /* a file grows by this */
#define ZEROS_BYTES 65536
#define ZEROS_IOV ((int)(STEP_BYTES / ZEROS_BYTES))
#define BLOCK_BYTES ((int64_t)4096)
#define FILES_KEPT 2 /* over a start */

static void file_path(int number, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, DIRECTORY "/%d", number);
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

static enum err open_file(struct write_ahead_log *wal, int number)
{
    struct wal_file *file = &wal->files[wal->file_count];
    char path[PATH_BYTES];
    enum err rc = ERR_OK;

    file_path(number, path);
    *file = (struct wal_file){.number = number, .first_lsn = -1};
    rc = wal->disk->ops->open(wal->disk, path, DISK_BULK, &file->file);
    if (rc != ERR_OK)
        return rc;
    wal->file_count++;
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
        .file_bytes = options->file_bytes,
        .is_unseeded = options->is_unseeded,
        .shard_count = options->shard_count,
    };
    buffer_init(&wal->staged, (size_t)(options->file_bytes + BLOCK_BYTES));
    wal->needed = malloc((size_t)options->shard_count * sizeof(wal->needed[0]));
    if (wal->needed == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < options->shard_count; i++)
        wal->needed[i] = INT64_MAX;
    rc = options->disk->ops->list(options->disk, DIRECTORY, note_number, &found);
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
    buffer_done(&wal->staged);
    free(wal->needed);
    *wal = (struct write_ahead_log){.file_count = 0};
}

/* --- who needs what --- */

static enum err sync_names(struct write_ahead_log *wal)
{
    enum err rc = wal->disk->ops->sync_dir(wal->disk, DIRECTORY);

    return rc == ERR_OK ? wal->disk->ops->sync_dir(wal->disk, "") : rc;
}

enum err wal_begin(struct write_ahead_log *wal, int64_t floor_lsn, int64_t *ret_lsn)
{
    int64_t lsn = floor_lsn;

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
    wal->written_lsn = lsn;
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

        file_path(file->number, path);
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

static bool fits(const struct write_ahead_log *wal, int64_t bytes)
{
    return wal->current != NULL &&
           wal->head_lsn + bytes + WAL_END_BYTES <= wal->current->first_lsn + wal->file_bytes;
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
    struct wal_file *file = &wal->files[wal->file_count];
    char path[PATH_BYTES];
    int number = 0;
    enum err rc = ERR_OK;

    if (wal->file_count == WAL_FILES_MAX)
        return ERR_NO_SPACE;
    for (int i = 0; i < wal->file_count; i++) {
        if (wal->files[i].number >= number)
            number = wal->files[i].number + 1;
    }
    file_path(number, path);
    *file = (struct wal_file){.number = number, .first_lsn = -1};
    rc = wal->disk->ops->make_dir(wal->disk, DIRECTORY);
    if (rc == ERR_OK)
        rc = wal->disk->ops->open(wal->disk, path, DISK_CREATE | DISK_BULK, &file->file);
    if (rc != ERR_OK)
        return rc;
    wal->file_count++;
    *ret_file = file;
    /* The names are durable before anything in the file matters. */
    return sync_names(wal);
}

/* Zeros from where the file ends to `bytes`, and some more. */
static enum err grow(struct wal_file *file, int64_t bytes, int64_t file_bytes)
{
    static const uint8_t zeros[ZEROS_BYTES];
    int64_t wanted = (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    enum err rc = ERR_OK;

    if (wanted > file_bytes)
        wanted = file_bytes;
    while (file->allocated_bytes < wanted && rc == ERR_OK) {
        struct iovec iov[ZEROS_IOV];
        int64_t end = file->allocated_bytes;
        int count = 0;

        while (count < ZEROS_IOV && end < wanted) {
            int64_t part = wanted - end < ZEROS_BYTES ? wanted - end : ZEROS_BYTES;

            iov[count++] = (struct iovec){(void *)(uintptr_t)zeros, (size_t)part};
            end += part;
        }
        rc = file->file->ops->write_at(file->file, file->allocated_bytes, iov, count);
        if (rc == ERR_OK)
            file->allocated_bytes = end;
    }
    return rc;
}

static enum err write_header(struct wal_file *file, const struct buffer *header)
{
    struct iovec iov = {header->data, header->len};

    return file->file->ops->write_at(file->file, 0, &iov, 1);
}

static int64_t seed_of(const struct write_ahead_log *wal)
{
    return wal->is_unseeded ? 0 : wal->head_lsn;
}

/* Says in the current file that the stream goes on elsewhere; room for it was kept. */
static enum err leave_current(struct write_ahead_log *wal)
{
    enum err rc = wal_end_write(seed_of(wal), wal->synced_lsn,
                                wal->current->first_lsn + wal->file_bytes, &wal->staged);

    wal->head_lsn += WAL_END_BYTES;
    if (rc == ERR_OK)
        rc = wal_write(wal);
    wal->left = wal->current->file;
    return rc == ERR_OK ? ERR_OK : ERR_IO;
}

static enum err begin_file(struct write_ahead_log *wal, struct wal_file *file,
                           const struct buffer *header, int64_t bytes)
{
    enum err rc = grow(file, WAL_HEADER_BYTES + bytes + WAL_END_BYTES, wal->file_bytes);

    if (rc == ERR_OK)
        rc = write_header(file, header);
    if (rc == ERR_OK && wal->current != NULL)
        rc = leave_current(wal);
    if (rc != ERR_OK)
        return rc;
    buffer_clear(&wal->staged);
    return buffer_append_slice(&wal->staged, buffer_slice(header));
}

static enum err enter(struct write_ahead_log *wal, struct wal_file *file, int64_t bytes)
{
    int64_t first_lsn =
        wal->current != NULL ? wal->current->first_lsn + wal->file_bytes : wal->begin_lsn;
    struct buffer header;
    enum err rc = ERR_OK;

    buffer_init(&header, WAL_HEADER_BYTES);
    rc = wal_header_write(wal->directory_id, first_lsn, &header);
    if (rc == ERR_OK)
        rc = begin_file(wal, file, &header, bytes);
    buffer_done(&header);
    if (rc != ERR_OK)
        return rc;
    wal->staged_lsn = first_lsn;
    file->first_lsn = first_lsn;
    wal->current = file;
    wal->head_lsn = first_lsn + WAL_HEADER_BYTES;
    wal->written_lsn = wal->head_lsn;
    return ERR_OK;
}

enum err wal_reserve(struct write_ahead_log *wal, int64_t bytes)
{
    struct wal_file *file = find_free(wal);
    enum err rc = ERR_OK;

    if (WAL_HEADER_BYTES + bytes + WAL_END_BYTES > wal->file_bytes)
        return ERR_NO_SPACE;
    if (fits(wal, bytes))
        return grow(wal->current, wal->head_lsn - wal->current->first_lsn + bytes + WAL_END_BYTES,
                    wal->file_bytes);
    if (file == NULL)
        rc = make_file(wal, &file);
    return rc == ERR_OK ? enter(wal, file, bytes) : rc;
}

/* --- entries --- */

enum err wal_add_data(struct write_ahead_log *wal, const struct wal_data *data)
{
    size_t before = wal->staged.len;
    enum err rc = wal_data_write(seed_of(wal), wal->synced_lsn, data, &wal->staged);

    wal->head_lsn += (int64_t)(wal->staged.len - before);
    return rc;
}

enum err wal_add_note(struct write_ahead_log *wal, const struct wal_note *note)
{
    size_t before = wal->staged.len;
    enum err rc = wal_note_write(seed_of(wal), wal->synced_lsn, note, &wal->staged);

    wal->head_lsn += (int64_t)(wal->staged.len - before);
    return rc;
}

/* Zeros up to the end of the block, or of the file. */
static enum err fill_block(struct write_ahead_log *wal)
{
    static const uint8_t zeros[BLOCK_BYTES];
    int64_t offset = wal->staged_lsn - wal->current->first_lsn;
    int64_t len = (int64_t)wal->staged.len;
    int64_t filled = (len + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;

    if (offset + filled > wal->file_bytes)
        filled = wal->file_bytes - offset;
    return buffer_append(&wal->staged, zeros, (size_t)(filled - len));
}

enum err wal_write(struct write_ahead_log *wal)
{
    struct file *file = wal->current->file;
    size_t len = wal->staged.len;
    size_t begun = 0; /* of the last block */
    struct iovec iov;
    enum err rc = ERR_OK;

    if (wal->written_lsn == wal->head_lsn)
        return ERR_OK;
    rc = fill_block(wal);
    iov = (struct iovec){wal->staged.data, wal->staged.len};
    if (rc == ERR_OK)
        rc = file->ops->write_at(file, wal->staged_lsn - wal->current->first_lsn, &iov, 1);
    if (rc != ERR_OK)
        return rc;
    begun = len % (size_t)BLOCK_BYTES;
    wal->staged.len = len;
    buffer_consume(&wal->staged, len - begun);
    wal->staged_lsn += (int64_t)(len - begun);
    wal->written_lsn = wal->head_lsn;
    return ERR_OK;
}

enum err wal_sync(struct write_ahead_log *wal)
{
    struct disk_sync syncs[2] = {{.file = wal->current->file}, {.file = wal->left}};

    wal->disk->ops->sync_all(wal->disk, syncs, wal->left != NULL ? 2 : 1);
    if (syncs[0].err != ERR_OK)
        return syncs[0].err;
    if (wal->left != NULL && syncs[1].err != ERR_OK)
        return syncs[1].err;
    wal->left = NULL;
    wal->synced_lsn = wal->written_lsn;
    return ERR_OK;
}
