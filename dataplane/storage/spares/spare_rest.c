/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/spares/spare_rest.h"

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/shard.h"

void spare_rest_init(struct spare_rest *rest)
{
    *rest = (struct spare_rest){.size_seen = -1};
    pthread_mutex_init(&rest->lock, NULL);
}

void spare_rest_done(struct spare_rest *rest)
{
    pthread_mutex_destroy(&rest->lock);
}

static bool is_there(const struct segment *segment)
{
    return atomic_load_explicit(&segment->rest.is_there, memory_order_relaxed);
}

void spare_rest_begin(struct segment *segment, int64_t end)
{
    segment->rest.reached = disk_whole_blocks(end);
    atomic_store(&segment->rest.is_there, true);
}

void spare_rest_reach(struct segment *segment, int64_t end)
{
    struct spare_rest *rest = &segment->rest;

    if (!is_there(segment))
        return;
    pthread_mutex_lock(&rest->lock);
    if (rest->reached < disk_whole_blocks(end))
        rest->reached = disk_whole_blocks(end);
    pthread_mutex_unlock(&rest->lock);
}

/* Less of the file, by `most` bytes; *ret_cut: by how many. */
static enum err cut(struct spare_rest *rest, struct file *file, int64_t most, int64_t *ret_cut,
                    bool *ret_is_gone)
{
    int64_t size = 0;
    int64_t kept = 0;
    enum err rc = ERR_OK;

    pthread_mutex_lock(&rest->lock);
    rc = file->ops->size(file, &size);
    kept = size - most > rest->reached ? size - most : rest->reached;
    if (rc == ERR_OK && kept < size)
        rc = file->ops->truncate(file, kept);
    *ret_cut = kept < size ? size - kept : 0;
    *ret_is_gone = kept <= rest->reached;
    pthread_mutex_unlock(&rest->lock);
    return rc;
}

enum err spare_rest_close(struct segment *segment, struct file *file, int64_t size,
                          int64_t at_once_bytes)
{
    struct spare_rest *rest = &segment->rest;
    int64_t whole = 0;
    enum err rc = ERR_OK;

    pthread_mutex_lock(&rest->lock);
    rest->reached = size;
    rc = file->ops->size(file, &whole);
    if (rc == ERR_OK && (!is_there(segment) || whole - size <= at_once_bytes)) {
        rc = file->ops->truncate(file, size);
        atomic_store(&rest->is_there, false);
    }
    pthread_mutex_unlock(&rest->lock);
    return rc;
}

/* --- giving it back --- */

static struct segment *segment_of(struct removal *removal)
{
    return container_of(removal, struct segment, rest.giving);
}

/* By a file of its own: that of the segment may be in use by who appends. */
static enum err give_piece(struct removal *removal, int64_t *budget, bool *ret_is_gone)
{
    struct segment *segment = segment_of(removal);
    struct disk *disk = segment->store->disk;
    char path[LOG_PATH_BYTES];
    struct file *file = NULL;
    int64_t bytes = 0;
    enum err rc = ERR_OK;

    segment_path(segment, SEGMENT_SUFFIX, path);
    rc = disk->ops->open(disk, path, 0, &file);
    if (rc != ERR_OK)
        return rc;
    rc = cut(&segment->rest, file, *budget, &bytes, ret_is_gone);
    file->ops->close(file);
    *budget -= bytes;
    return rc;
}

/* After an error the file stays longer than it needs to be. */
static void given(struct removal *removal)
{
    struct segment *segment = segment_of(removal);
    struct shard *shard = segment->shard;

    segment->rest.is_giving = false;
    atomic_store(&segment->rest.is_there, false);
    list_remove(&segment->leaving);
    shard_segment_unref(shard, segment);
    shard_work_ended(shard);
}

static void give_back(struct shard *shard, struct segment *segment)
{
    if (!is_there(segment) || segment->rest.is_giving)
        return;
    segment->rest.is_giving = true;
    segment->rest.giving = (struct removal){.run = give_piece, .done = given};
    segment->store = shard->store;
    segment->shard = shard;
    segment->refs++;
    list_push_back(&shard->leaving, &segment->leaving);
    shard_work_began(shard);
    removals_add(&shard->removals, &segment->rest.giving);
}

void spare_rests_closed(struct shard *shard, const struct flush_item *item)
{
    for (int i = 0; i < item->closed_count; i++)
        give_back(shard, item->closed[i].segment);
}

void spare_rest_look(struct shard *shard, const struct segment_view *active)
{
    struct segment *segment = active->segment;

    if (segment == NULL)
        return;
    if (segment->rest.size_seen == active->size_bytes)
        give_back(shard, segment);
    segment->rest.size_seen = active->size_bytes;
}
