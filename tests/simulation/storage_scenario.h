/* SPDX-License-Identifier: Apache-2.0 */
/* Random lives of one data directory, against a model of what was promised.
 *
 * A life: the directory is opened, partitions are led, producers append (plain and idempotent, several
 * batches in flight), readers read, logs are trimmed, segments roll, the disk fills up or fails; it ends
 * with a power cut, a kill or a clean stop. The next life begins on what the disk kept. Checked on the
 * way:
 *   - what was acknowledged, or shown to a reader, is there for ever at the same offset
 *   - nothing is served that was not appended; offsets are dense
 *   - an idempotent batch is in the log once; a repeated one gets its first offset
 *   - high watermark and log start never go back
 *   - of a compacted log the newest record of each key is there for ever; what is there is at its offset, in
 *     its order */
#ifndef TESTS_SIMULATION_STORAGE_SCENARIO_H
#define TESTS_SIMULATION_STORAGE_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

struct storage_scenario_options {
    uint64_t seed;
    int loop_count;
    int lives;
    int steps; /* of a life, about */
    unsigned sabotage;
    bool has_full_disk;
    bool has_failing_disk;   /* write and sync errors */
    bool has_os_flush;       /* FLUSH_OS: a power cut may take what was acknowledged, a kill not */
    bool has_policy_changes; /* between that and FLUSH_COMMIT, at any time */
    bool has_bit_flips;   /* at power cuts; what is damaged may go, but nothing wrong is served */
    bool has_read_errors; /* a read may fail, and must say so */
    bool has_removals;    /* partitions are deleted and made anew */
    bool has_stalls;      /* of each kind of disk work, for seconds */
    bool has_bad_indexes; /* between lives: damaged, or whole and wrong */
    bool has_zeros;       /* behind what was appended, as a disk may leave them */
    bool has_spares;      /* files of segments that went are used again */
    bool has_compaction;  /* all but the first partition are compacted */
    bool is_verbose;
};

struct storage_scenario_result {
    bool is_broken;
    char why[256]; /* what was seen */
    uint64_t trace_hash;
    int64_t acknowledged_records;
    int64_t read_records;
    int64_t duplicates_answered;
    int64_t trims;
    int64_t recoveries;
    int64_t clean_starts;
    int64_t torn_bytes;
    int64_t isolated;
    int64_t damaged_reads; /* that said that they cannot be answered, where bits were flipped */
    int64_t refused_appends;
    int64_t deaths_at_start; /* the process died while it recovered */
    int64_t spoiled_indexes;
    int64_t failed_reads;
    int64_t stalls;
    int64_t removals;
    int64_t spares_taken;
    int64_t spares_found;   /* at starts */
    int64_t compacted_away; /* offsets that held nothing any more, in all whole reads */
};

void storage_scenario_run(const struct storage_scenario_options *options,
                          struct storage_scenario_result *ret_result);

#endif
