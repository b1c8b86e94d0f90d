/* SPDX-License-Identifier: Apache-2.0 */
/* One data directory on a simulated disk and executor, with calls that wait for their answer. */
#ifndef TESTS_UNIT_DATAPLANE_STORAGE_STORAGE_RIG_H
#define TESTS_UNIT_DATAPLANE_STORAGE_STORAGE_RIG_H

#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/replica.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_executor.h"
#include "tests/simulation/sim_records.h"

struct storage_rig {
    struct disk *disk;
    struct sim_executor *executor;
    struct log_directory *directory;
    struct log_directory_report report;
    struct uuid topic;
    struct log_config config; /* of replicas that are opened from now on */
    int loop_count;
    int64_t cleaner_map_bytes;
    int64_t cleaner_bytes_per_second;
    unsigned sabotage;
    int64_t wall_ms; /* at the next start */
    int64_t
        small_bytes_max; /* likewise; 0 = the usual, 1 = no batch goes through the write-ahead log */
    int64_t wal_file_bytes;  /* likewise; 0 = the usual */
    int64_t spare_bytes_min; /* likewise */
    int spare_percent;
    int64_t next_number;
};

enum rig_end { RIG_POWER_CUT, RIG_KILL, RIG_CLEAN };

void rig_init(struct storage_rig *rig, int loop_count);
void rig_done(struct storage_rig *rig);

/* Opens the directory; ERR_OK or why not. */
enum err rig_start(struct storage_rig *rig, struct error *error);
void rig_stop(struct storage_rig *rig, enum rig_end end);
/* Opens and leads with this epoch; NULL when it is isolated. */
struct replica *rig_open(struct storage_rig *rig, int32_t partition, leader_epoch epoch);

/* Runs until nothing is left to do but timers. */
void rig_settle(struct storage_rig *rig);
/* Calls fn on loop 0, then settles. */
void rig_call(struct storage_rig *rig, void (*fn)(void *context), void *context);

struct sim_batch rig_batch(struct storage_rig *rig, int32_t count);
/* acks -1 from loop 0; the result is in the returned copy. */
struct replica_append rig_append(struct storage_rig *rig, struct replica *replica,
                                 const struct sim_batch *batch);
struct replica_append rig_append_bytes(struct storage_rig *rig, struct replica *replica,
                                       struct buffer *bytes);
/* A plain batch of count records, which must succeed. Returns its base offset. */
log_offset rig_put(struct storage_rig *rig, struct replica *replica, int32_t count);

/* A read that was begun. The caller calls replica_read_done. */
struct rig_reading {
    struct replica_read read;
    bool is_done;
};
/* Does not wait for what is stalled. */
void rig_begin_read(struct storage_rig *rig, struct replica *replica, log_offset offset,
                    size_t max_bytes, struct rig_reading *reading);
/* It is done at once. The caller calls replica_read_done. */
struct replica_read rig_read(struct storage_rig *rig, struct replica *replica, log_offset offset,
                             size_t max_bytes);
/* Reads from offset to the end; returns how many records; numbers must be first_number on. */
int64_t rig_read_all(struct storage_rig *rig, struct replica *replica, log_offset offset,
                     int64_t first_number);
/* The records of a read are these, in order. */
void rig_check_records(const struct replica_read *read, log_offset first_offset,
                       int64_t first_number);
/* Begins it, and does not wait. */
void rig_begin_remove(struct storage_rig *rig, struct replica *replica);
/* Files and all; must succeed. */
void rig_remove(struct storage_rig *rig, struct replica *replica);
struct replica_lookup rig_lookup(struct storage_rig *rig, struct replica *replica,
                                 int64_t timestamp);
struct replica_trim rig_trim(struct storage_rig *rig, struct replica *replica, log_offset offset);
/* The path of a file of the rig's topic. */
void rig_path(const struct storage_rig *rig, int32_t partition, log_offset base, const char *suffix,
              char path[128]);

#endif
