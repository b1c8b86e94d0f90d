/* SPDX-License-Identifier: Apache-2.0 */
/* What a test does to the simulated disk: faults, death, power cuts. */
#include <stdlib.h>

#include "tests/simulation/sim_disk_internal.h"

void sim_disk_note(struct sim_disk *disk, const char *what, int64_t number)
{
    if (disk->trace != NULL)
        sim_trace_event(disk->trace, what, number);
}

bool sim_disk_draws(struct sim_disk *disk, int per_million)
{
    return per_million > 0 && seeded_random_below(&disk->random, 1000000) < (uint64_t)per_million;
}

bool sim_disk_may_change(struct sim_disk *disk)
{
    if (disk->changes_left < 0)
        return true;
    if (disk->changes_left == 0)
        return false;
    disk->changes_left--;
    return true;
}

struct disk *sim_disk_new(uint64_t seed, struct sim_trace *sim_trace)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));

    invariant(disk != NULL);
    disk->base.ops = &sim_disk_ops;
    list_init(&disk->entries);
    list_init(&disk->files);
    seeded_random_init(&disk->random, seed);
    disk->trace = sim_trace;
    disk->changes_left = -1;
    return &disk->base;
}

static void entry_free(struct entry *entry)
{
    list_remove(&entry->link);
    sim_inode_unref(entry->now);
    sim_inode_unref(entry->durable);
    free(entry);
}

static void close_all(struct sim_disk *disk)
{
    list_for_each(&disk->files, node) sim_file_free(container_of(node, struct sim_file, link));
    disk->is_locked = false;
    disk->changes_left = -1;
}

void sim_disk_free(struct disk *base)
{
    struct sim_disk *disk = sim_disk_of(base);

    close_all(disk);
    list_for_each(&disk->entries, node) entry_free(container_of(node, struct entry, link));
    free(disk);
}

void sim_disk_set_faults(struct disk *base, const struct sim_disk_faults *faults)
{
    sim_disk_of(base)->faults = *faults;
}

void sim_disk_die_after(struct disk *base, int64_t changes)
{
    sim_disk_of(base)->changes_left = changes;
}

bool sim_disk_is_dead(const struct disk *base)
{
    return sim_disk_of(base)->changes_left == 0;
}

/* A size between the synced and the new one, then per sector the synced or the new bytes. */
static void tear(struct sim_disk *disk, struct inode *inode)
{
    int64_t low = inode->now_size < inode->synced_size ? inode->now_size : inode->synced_size;
    int64_t high = inode->now_size < inode->synced_size ? inode->synced_size : inode->now_size;
    int64_t size = high;

    sim_inode_reserve(inode, high);
    if (high > low) {
        uint64_t draw = seeded_random_below(&disk->random, 4);

        if (draw == 0)
            size = low;
        else if (draw == 1)
            size = low + (int64_t)seeded_random_below(&disk->random, (uint64_t)(high - low) + 1);
    }
    if (high > inode->synced_size)
        memset(inode->synced + inode->synced_size, 0, (size_t)(high - inode->synced_size));
    for (int64_t at = 0; at < size; at += SIM_SECTOR_BYTES) {
        int64_t len = size - at < SIM_SECTOR_BYTES ? size - at : SIM_SECTOR_BYTES;
        bool is_new_there = at < inode->now_size;

        if (is_new_there && memcmp(inode->now + at, inode->synced + at, (size_t)len) == 0)
            continue;
        if (!is_new_there || seeded_random_below(&disk->random, 2) == 0)
            memcpy(inode->now + at, inode->synced + at, (size_t)len);
    }
    inode->now_size = size;
    sim_inode_sync(inode);
}

static void choose_names(struct sim_disk *disk)
{
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now != entry->durable && seeded_random_below(&disk->random, 2) == 0)
            sim_inode_point(&entry->now, entry->durable);
    }
    /* Sorted by path: a directory comes before what is in it. */
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now != NULL && !sim_disk_has_parent(disk, entry->path))
            sim_inode_point(&entry->now, NULL);
        sim_inode_point(&entry->durable, entry->now);
        if (entry->now == NULL)
            entry_free(entry);
    }
}

void sim_disk_crash(struct disk *base)
{
    struct sim_disk *disk = sim_disk_of(base);

    close_all(disk);
    sim_disk_note(disk, "crash", 0);
    choose_names(disk);
    list_for_each(&disk->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (!entry->now->is_directory)
            tear(disk, entry->now);
    }
}

void sim_disk_kill(struct disk *base)
{
    close_all(sim_disk_of(base));
}

bool sim_disk_flip_bit(struct disk *base, const char *path, int64_t offset, int bit)
{
    struct entry *entry = sim_disk_find(sim_disk_of(base), path);
    uint8_t mask = (uint8_t)(1u << (bit & 7));

    if (entry == NULL || entry->now == NULL || offset >= entry->now->now_size)
        return false;
    entry->now->now[offset] ^= mask;
    if (offset < entry->now->synced_size)
        entry->now->synced[offset] ^= mask;
    return true;
}

int64_t sim_disk_used_bytes(const struct disk *base)
{
    int64_t used = 0;

    list_for_each(&sim_disk_of(base)->entries, node)
    {
        struct entry *entry = container_of(node, struct entry, link);

        if (entry->now != NULL && !entry->now->is_directory)
            used += entry->now->now_size;
    }
    return used;
}

int64_t sim_disk_open_files(const struct disk *base)
{
    return sim_disk_of(base)->open_files;
}

int64_t sim_disk_sync_count(const struct disk *base)
{
    return sim_disk_of(base)->sync_count;
}

int64_t sim_disk_unhurried_syncs(const struct disk *base)
{
    return sim_disk_of(base)->unhurried_syncs;
}

int64_t sim_disk_file_size(const struct disk *base, const char *path)
{
    struct entry *entry = sim_disk_find(sim_disk_of(base), path);

    return entry != NULL && entry->now != NULL ? entry->now->now_size : -1;
}

int64_t sim_disk_rewritten_bytes(const struct disk *base, const char *path)
{
    struct entry *entry = sim_disk_find(sim_disk_of(base), path);

    return entry != NULL && entry->now != NULL ? entry->now->rewritten_bytes : 0;
}
