/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk's inside: sim_disk.c has names, sim_disk_file.c bytes, sim_disk_faults.c what goes
 * wrong. */
#ifndef TESTS_SIMULATION_SIM_DISK_INTERNAL_H
#define TESTS_SIMULATION_SIM_DISK_INTERNAL_H

#include "common/base/list.h"
#include "tests/simulation/sim_disk.h"

#define SIM_SECTOR_BYTES 512
#define SIM_PATH_MAX_BYTES 256

/* Bytes on the disk. Lives as long as a name or an open file leads to it. */
struct inode {
    bool is_directory;
    uint8_t *now;
    int64_t now_size;
    uint8_t *synced;
    int64_t synced_size;
    int64_t room; /* of both arrays */
    int64_t rewritten_bytes;
    int refs;
};

struct entry {
    struct list link; /* sorted by path, so that listing does not depend on history */
    char path[SIM_PATH_MAX_BYTES];
    struct inode *now;     /* NULL = no such name now */
    struct inode *durable; /* NULL = no such name after a crash */
};

struct sim_file {
    struct file base;
    struct list link;
    struct sim_disk *disk;
    struct inode *inode;
    bool is_read_only;
};

struct sim_disk {
    struct disk base;
    struct list entries;
    struct list files;
    struct seeded_random random;
    struct sim_trace *trace;
    struct sim_disk_faults faults;
    int64_t changes_left; /* -1 = lives for ever */
    int64_t sync_count;
    int64_t unhurried_syncs; /* of files, outside every hurry */
    int64_t open_files;
    bool is_locked;
    int hurries;
};

static inline struct sim_disk *sim_disk_of(const struct disk *disk)
{
    return container_of(disk, struct sim_disk, base);
}

/* sim_disk_file.c */
extern const struct file_ops sim_file_ops;
struct inode *sim_inode_new(bool is_directory);
void sim_inode_unref(struct inode *inode);
void sim_inode_point(struct inode **place, struct inode *inode);
void sim_inode_reserve(struct inode *inode, int64_t size);
void sim_inode_sync(struct inode *inode);
void sim_file_free(struct sim_file *file);

/* sim_disk.c; NULL = no such name now or durably */
extern const struct disk_ops sim_disk_ops;
struct entry *sim_disk_find(const struct sim_disk *disk, const char *path);
bool sim_disk_has_parent(const struct sim_disk *disk, const char *path);

/* sim_disk_faults.c */
void sim_disk_note(struct sim_disk *disk, const char *what, int64_t number);
bool sim_disk_draws(struct sim_disk *disk, int per_million);
/* True = the process is still alive for this change. */
bool sim_disk_may_change(struct sim_disk *disk);

#endif
