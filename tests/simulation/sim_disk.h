/* SPDX-License-Identifier: Apache-2.0 */
/* A disk in memory that is as bad as real ones may be.
 *
 * Each file has the bytes that are there and the bytes that were synced; each name the file it leads to
 * and the file it durably leads to. sim_disk_crash draws, for each 512-byte sector that differs, whether
 * the new or the synced one is found again; for each file whose size differs, a size between; for each
 * name that differs, the new or the durable one. What was not synced may be there, partly.
 *
 * Faults on request: calls that fail, writes that end early, a full disk, flipped bits, and a crash in
 * the middle of a run: after N more changes nothing has an effect any more and every call fails. */
#ifndef TESTS_SIMULATION_SIM_DISK_H
#define TESTS_SIMULATION_SIM_DISK_H

#include "common/port/disk.h"
#include "common/port/random.h"
#include "tests/simulation/sim_trace.h"

struct sim_disk_faults {
    int write_error_per_million; /* ERR_IO after a prefix */
    int sync_error_per_million;
    int read_error_per_million;
    int64_t capacity_bytes; /* 0 = no bound; over it ERR_NO_SPACE after a prefix */
    bool is_sync_lying;     /* says ERR_OK and syncs nothing */
    bool leaves_zeros;      /* behind what is appended, mostly */
    bool has_no_zeros;      /* make_zeros is not supported */
};

/* random and trace are borrowed. */
struct disk *sim_disk_new(uint64_t seed, struct sim_trace *trace);
void sim_disk_free(struct disk *disk);
void sim_disk_set_faults(struct disk *disk, const struct sim_disk_faults *faults);

/* After `changes` more writes, truncations, renames, … the process is dead: nothing has an effect. */
void sim_disk_die_after(struct disk *disk, int64_t changes);
bool sim_disk_is_dead(const struct disk *disk);
/* Power is gone and comes back. Every struct file is freed: none may be used or closed after. */
void sim_disk_crash(struct disk *disk);
/* The process is killed and starts again: what was written is there, synced or not. */
void sim_disk_kill(struct disk *disk);

/* Flips one bit of what is there and of what is durable. False = no such file, or shorter. */
bool sim_disk_flip_bit(struct disk *disk, const char *path, int64_t offset, int bit);
/* Another name for a file, now and durably. */
void sim_disk_link(struct disk *disk, const char *path, const char *other);
int64_t sim_disk_used_bytes(const struct disk *disk);
int64_t sim_disk_open_files(const struct disk *disk);
int64_t sim_disk_sync_count(const struct disk *disk);
/* Of files, while nobody said that somebody waits. */
int64_t sim_disk_unhurried_syncs(const struct disk *disk);
/* -1 = no such file. */
int64_t sim_disk_file_size(const struct disk *disk, const char *path);
/* How much was written over bytes that it had already. */
int64_t sim_disk_rewritten_bytes(const struct disk *disk, const char *path);

#endif
