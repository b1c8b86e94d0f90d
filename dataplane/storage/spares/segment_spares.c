/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/spares/segment_spares.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/observe/log.h"

#define SPARE_DIR "spare"
#define SPARE_PATH_BYTES 32
#define PATH_BYTES 192
#define ROOM_MAX (INT64_MAX / 2) /* a disk that cannot say how much it has */

static void spare_path(int64_t number, char path[SPARE_PATH_BYTES])
{
    (void)snprintf(path, SPARE_PATH_BYTES, SPARE_DIR "/%" PRId64, number);
}

void segment_spares_init(struct segment_spares *spares, struct disk *disk, int percent,
                         int64_t min_bytes)
{
    *spares = (struct segment_spares){
        .disk = disk, .percent = percent, .min_bytes = min_bytes, .next_number = 1};
    pthread_mutex_init(&spares->lock, NULL);
}

void segment_spares_done(struct segment_spares *spares)
{
    pthread_mutex_destroy(&spares->lock);
}

/* --- the list --- */

static int smallest_locked(const struct segment_spares *spares)
{
    int smallest = 0;

    for (int i = 1; i < spares->count; i++) {
        if (spares->spares[i].bytes < spares->spares[smallest].bytes)
            smallest = i;
    }
    return smallest;
}

/* When there are as many as there may be, the smallest makes way for a larger one. *ret_out: the one that is none now, with
 * number 0 if there is no such. */
static void add(struct segment_spares *spares, struct segment_spare spare,
                struct segment_spare *ret_out)
{
    *ret_out = (struct segment_spare){0};
    pthread_mutex_lock(&spares->lock);
    if (spares->count < SEGMENT_SPARES_MAX) {
        spares->spares[spares->count++] = spare;
    } else {
        int smallest = smallest_locked(spares);

        *ret_out = spare;
        if (spares->spares[smallest].bytes < spare.bytes) {
            *ret_out = spares->spares[smallest];
            spares->spares[smallest] = spare;
        }
    }
    atomic_fetch_add(&spares->bytes, spare.bytes - ret_out->bytes);
    pthread_mutex_unlock(&spares->lock);
}

static void take_out_locked(struct segment_spares *spares, int index,
                            struct segment_spare *ret_spare)
{
    *ret_spare = spares->spares[index];
    spares->spares[index] = spares->spares[--spares->count];
    atomic_fetch_sub(&spares->bytes, ret_spare->bytes);
}

/* The largest of bytes_max at most. False = there is none. */
static bool take_out(struct segment_spares *spares, int64_t bytes_max,
                     struct segment_spare *ret_spare)
{
    int best = -1;

    pthread_mutex_lock(&spares->lock);
    for (int i = 0; i < spares->count; i++) {
        if (spares->spares[i].bytes <= bytes_max &&
            (best < 0 || spares->spares[i].bytes > spares->spares[best].bytes))
            best = i;
    }
    if (best >= 0)
        take_out_locked(spares, best, ret_spare);
    pthread_mutex_unlock(&spares->lock);
    return best >= 0;
}

static int64_t new_number(struct segment_spares *spares)
{
    int64_t number = 0;

    pthread_mutex_lock(&spares->lock);
    number = spares->next_number++;
    pthread_mutex_unlock(&spares->lock);
    return number;
}

static void remove_spare(struct segment_spares *spares, int64_t number)
{
    char path[SPARE_PATH_BYTES];

    spare_path(number, path);
    (void)spares->disk->ops->remove(spares->disk, path);
}

static void add_and_remove(struct segment_spares *spares, struct segment_spare spare)
{
    struct segment_spare out = {0};

    add(spares, spare, &out);
    if (out.number > 0)
        remove_spare(spares, out.number);
}

/* --- keeping --- */

/* How many bytes they have beyond their share, if they were to have `more`; 0 or less = none. */
static int64_t bytes_too_many(const struct segment_spares *spares, int64_t more, int64_t room)
{
    int64_t bytes = atomic_load(&spares->bytes);
    int64_t known_room = room < ROOM_MAX ? room : ROOM_MAX;

    return bytes + more - (bytes + known_room) / 100 * spares->percent;
}

/* Nothing of what it had can be found in it from now on, not even after a crash. */
static enum err empty(struct segment_spares *spares, const char *path, int64_t room,
                      int64_t *ret_bytes)
{
    struct file *file = NULL;
    int64_t size = 0;
    enum err rc = spares->disk->ops->open(spares->disk, path, 0, &file);

    if (rc != ERR_OK)
        return rc;
    rc = file->ops->size(file, &size);
    if (rc == ERR_OK && (size < spares->min_bytes || bytes_too_many(spares, size, room) > 0))
        rc = ERR_LIMIT;
    *ret_bytes = disk_whole_blocks(size);
    if (rc == ERR_OK)
        rc = file->ops->make_zeros(file, *ret_bytes);
    if (rc == ERR_OK && !spares->is_unsynced)
        rc = file->ops->sync(file);
    file->ops->close(file);
    return rc;
}

/* It is a spare when nothing else leads to it any more. */
static enum err move(struct segment_spares *spares, const char *dir, const char *from,
                     const char *to)
{
    const struct disk_ops *ops = spares->disk->ops;
    enum err rc = ops->make_dir(spares->disk, SPARE_DIR);

    if (rc == ERR_OK)
        rc = ops->rename(spares->disk, from, to);
    return rc == ERR_OK && !spares->is_unsynced ? ops->sync_dir(spares->disk, dir) : rc;
}

bool segment_spares_keep(struct segment_spares *spares, const char *dir, const char *name,
                         int64_t room)
{
    struct segment_spare spare = {.number = -1};
    char from[PATH_BYTES];
    char to[SPARE_PATH_BYTES];
    enum err rc = ERR_OK;

    if (spares->percent == 0 || atomic_load(&spares->is_refused))
        return false;
    (void)snprintf(from, sizeof(from), "%s/%s", dir, name);
    rc = empty(spares, from, room, &spare.bytes);
    if (rc == ERR_UNSUPPORTED && !atomic_exchange(&spares->is_refused, true))
        log_event(LOG_INFO, "files_of_segments_not_used_again",
                  f_str("why", "the file system cannot empty a file that keeps its room"));
    if (rc != ERR_OK)
        return false;
    spare.number = new_number(spares);
    spare_path(spare.number, to);
    rc = move(spares, dir, from, to);
    /* After an error nobody knows for sure where it lies; it is empty. */
    if (rc != ERR_OK)
        return spares->disk->ops->remove(spares->disk, to) == ERR_OK;
    add_and_remove(spares, spare);
    atomic_fetch_add(&spares->kept_count, 1);
    return true;
}

/* --- taking --- */

enum err segment_spares_take(struct segment_spares *spares, const char *path, int64_t bytes_max)
{
    const struct disk_ops *ops = spares->disk->ops;
    struct segment_spare spare = {0};
    char from[SPARE_PATH_BYTES];
    enum err rc = ERR_OK;

    if (atomic_load(&spares->bytes) == 0 || !take_out(spares, bytes_max, &spare))
        return ERR_NOT_FOUND;
    spare_path(spare.number, from);
    if (ops->rename(spares->disk, from, path) != ERR_OK)
        return ERR_NOT_FOUND; /* nothing was changed; it is found again at the next start */
    if (!spares->is_unsynced)
        rc = ops->sync_dir(spares->disk, SPARE_DIR);
    if (rc != ERR_OK)
        return ERR_IO;
    atomic_fetch_add(&spares->taken_count, 1);
    return ERR_OK;
}

/* --- a start --- */

struct listing {
    int64_t numbers[SEGMENT_SPARES_MAX];
    int count;
};

static bool note_number(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    char *end = NULL;
    int64_t number = strtoll(name, &end, 10);

    if (!is_directory && number > 0 && *end == '\0')
        listing->numbers[listing->count++] = number;
    return listing->count < SEGMENT_SPARES_MAX;
}

/* Whatever it has, and whoever else leads to it: then it is only a name too many. */
static void find_again(struct segment_spares *spares, int64_t number)
{
    struct segment_spare spare = {.number = number};
    char path[SPARE_PATH_BYTES];

    spare_path(number, path);
    if (number >= spares->next_number)
        spares->next_number = number + 1;
    if (empty(spares, path, ROOM_MAX, &spare.bytes) == ERR_OK)
        add_and_remove(spares, spare);
    else
        remove_spare(spares, number);
}

enum err segment_spares_open(struct segment_spares *spares)
{
    struct listing listing = {.count = 0};
    enum err rc = spares->disk->ops->list(spares->disk, SPARE_DIR, note_number, &listing);

    for (int i = 0; i < listing.count; i++)
        find_again(spares, listing.numbers[i]);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* --- less of them --- */

enum err segment_spares_shrink(struct segment_spares *spares, int64_t room, int64_t *budget,
                               bool *ret_is_done)
{
    struct segment_spare spare = {0};
    int64_t before = *budget;
    char path[SPARE_PATH_BYTES];
    bool is_gone = false;
    enum err rc = ERR_OK;

    *ret_is_done = bytes_too_many(spares, 0, room) <= 0 || !take_out(spares, INT64_MAX, &spare);
    if (*ret_is_done)
        return ERR_OK;
    spare_path(spare.number, path);
    rc = disk_cut_file(spares->disk, path, budget, &is_gone);
    if (rc != ERR_OK || is_gone)
        return rc;
    spare.bytes -= before - *budget < spare.bytes ? before - *budget : spare.bytes;
    add_and_remove(spares, spare);
    return ERR_OK;
}

void segment_spares_drop(struct segment_spares *spares)
{
    struct segment_spare spare = {0};

    while (take_out(spares, INT64_MAX, &spare))
        remove_spare(spares, spare.number);
}
