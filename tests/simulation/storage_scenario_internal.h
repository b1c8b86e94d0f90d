/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario's inside: storage_scenario.c has its lives, storage_clients.c who produces, reads and trims
 * in them, storage_removal.c deletes partitions. */
#ifndef TESTS_SIMULATION_STORAGE_SCENARIO_INTERNAL_H
#define TESTS_SIMULATION_STORAGE_SCENARIO_INTERNAL_H

#include "common/base/buffer.h"
#include "common/base/list.h"
#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/replica.h"
#include "dataplane/storage/segment.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_executor.h"
#include "tests/simulation/storage_model.h"
#include "tests/simulation/storage_scenario.h"

#define PARTITIONS 3
#define PRODUCERS 5 /* the last two are plain */
#define BATCH_MAX_BYTES 8192
#define KEYS 20
#define TOMBSTONE_EVERY 7

struct scenario;

/* A batch on its way; kept until it is acknowledged, over crashes too when it is idempotent. */
struct sent_batch {
    struct list link; /* in its producer, in order */
    struct replica_append append;
    struct scenario *scenario;
    struct producer *producer;
    struct buffer bytes;
    int64_t first_number;
    int32_t count;
    int32_t sequence;
    bool is_in_flight;
    bool is_acknowledged; /* this is a repetition */
    int64_t first_offset; /* as acknowledged */
};

struct producer {
    struct scenario *scenario;
    int partition;
    int home;
    int64_t id; /* -1 = plain */
    int32_t next_sequence;
    struct list unacknowledged; /* in order */
    struct sent_batch *newest_acknowledged;
    int in_flight;
    bool is_draining; /* one failed: wait for the others, then send all again in order */
};

struct read_operation {
    struct list link;
    struct replica_read read;
    struct scenario *scenario;
    int partition;
    /* as known when it was submitted: it may show no less */
    int64_t log_start;
    int64_t high_watermark;
};

struct trim_operation {
    struct list link;
    struct replica_trim trim;
    struct scenario *scenario;
    int partition;
};

struct removed_log {
    struct uuid topic;
    int partition;
    bool is_known;
};

struct scenario {
    const struct storage_scenario_options *options;
    struct storage_scenario_result *result;
    struct sim_trace trace;
    struct seeded_random random;
    struct disk *disk;
    struct sim_executor *executor;
    struct log_directory *directory;
    struct uuid topics[PARTITIONS]; /* the same, until a partition is deleted and made anew */
    struct log_config config;       /* of this life's partitions that are not compacted */
    struct log_config compacted;    /* and of the others */
    enum flush_policy policies[PARTITIONS]; /* as they are now */
    bool was_os[PARTITIONS]; /* some of what this life acknowledged may be lost with the power */
    bool is_removing;
    struct removed_log leaving;
    struct removed_log gone;              /* the last one that was removed for sure */
    struct replica *replicas[PARTITIONS]; /* NULL = isolated */
    struct storage_model models[PARTITIONS];
    struct producer producers[PRODUCERS];
    struct list reads;
    struct list trims;
    int64_t next_number;
    int64_t wall_ms;
    leader_epoch epoch;
    bool is_closed;
    bool may_reads_fail; /* some of this life */
    int reads_in_flight;
    int64_t last_read_end; /* of the read that came back last */
};

/* storage_clients.c; the first three are called on a loop. */
void scenario_produce(void *context);        /* struct producer */
void scenario_read_somewhere(void *context); /* struct scenario */
void scenario_trim_somewhere(void *context); /* struct scenario */
void scenario_read_at(struct scenario *s, int partition, int home, int64_t offset,
                      size_t max_bytes);
void scenario_forget_operations(struct scenario *s);
bool producer_is_idempotent(const struct producer *producer);
void sent_batch_free(struct sent_batch *batch);

/* storage_scenario.c */
uint64_t scenario_draw(struct scenario *s, uint64_t bound);
void scenario_open_replica(struct scenario *s, int partition);

/* storage_removal.c; on loop 0. */
void scenario_remove_somewhere(void *context); /* struct scenario */
/* At the beginning of a life. */
void scenario_check_removed(struct scenario *s);

#endif
