/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/storage_scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/storage/offset_index.h"
#include "dataplane/storage/storage_metrics.h"
#include "tests/simulation/storage_scenario_internal.h"

#define STEPS_PER_LIFE_MAX 2000000
#define START_WALL_MS 1700000000000
#define CLEANER_TURN_US 6000000
#define QUIET_US 61000000 /* two looks at what nobody appends to */
#define STALL_MAX_US 3000000
#define INDEX_MAX_BYTES ((size_t)1 << 20)

uint64_t scenario_draw(struct scenario *s, uint64_t bound)
{
    return seeded_random_below(&s->random, bound);
}

static bool scenario_is_broken(const struct scenario *s)
{
    for (int i = 0; i < PARTITIONS; i++) {
        if (s->models[i].why[0] != '\0')
            return true;
    }
    return false;
}

/* --- a life --- */

static void stall(struct scenario *s)
{
    static const enum worker_pool pools[] = {WORKER_FLUSH, WORKER_READ, WORKER_WRITE, WORKER_SLOW};

    s->result->stalls++;
    sim_executor_stall(s->executor, pools[scenario_draw(s, 4)],
                       (int64_t)scenario_draw(s, STALL_MAX_US));
}

static void set_faults(struct scenario *s)
{
    struct sim_disk_faults faults = {.leaves_zeros = s->options->has_zeros};

    if (s->options->has_full_disk && scenario_draw(s, 2) == 0)
        faults.capacity_bytes = sim_disk_used_bytes(s->disk) + (int64_t)scenario_draw(s, 40000);
    if (s->options->has_failing_disk && scenario_draw(s, 3) == 0)
        faults.write_error_per_million = 3000;
    if (s->options->has_failing_disk && scenario_draw(s, 3) == 0)
        faults.sync_error_per_million = 3000;
    if (s->options->has_read_errors && scenario_draw(s, 2) == 0)
        faults.read_error_per_million = 20000;
    s->may_reads_fail |= faults.read_error_per_million > 0;
    sim_disk_set_faults(s->disk, &faults);
}

static void clear_faults(struct scenario *s)
{
    struct sim_disk_faults faults = {.leaves_zeros = s->options->has_zeros};

    sim_disk_set_faults(s->disk, &faults);
}

static void note_spares(struct scenario *s, bool is_begin)
{
    struct storage_metrics metrics = {.wal_bytes = {0}};

    log_directory_add_metrics(s->directory, &metrics);
    if (is_begin)
        s->result->spares_found += counter_read(&metrics.spare_bytes) > 0;
    else
        s->result->spares_taken += counter_read(&metrics.spares_taken);
}

static bool begin_life(struct scenario *s)
{
    struct sim_executor_options executor_options = {
        .loop_count = s->options->loop_count,
        .seed = seeded_random_u64(&s->random),
        .start_wall_ms = s->wall_ms,
        .trace = &s->trace,
        .work_delay_max_us = {400, 300, 5000},
    };
    struct log_directory_options options = {
        .disk = s->disk,
        .broker_id = 0,
        .tail_cache_bytes = scenario_draw(s, 2) == 0 ? 8192 : 65536,
        /* Little of each, so that files of the write-ahead log fill up and both ways to the disk are taken. */
        .small_bytes_max = (int64_t)scenario_draw(s, 6000),
        .wal_file_bytes = s->options->has_os_flush ? 2048 : 16384,
        .wal_block_bytes = 64,
        .cleaner_map_bytes = s->options->has_compaction ? 1 + (int64_t)scenario_draw(s, 2000) : 0,
        .cleaner_bytes_per_second = 100000,
        .removal_piece_bytes = 1000,
        .spare_percent = s->options->has_spares ? 25 : 0,
        .spare_bytes_min = 1,
        .sabotage = s->options->sabotage,
    };
    struct log_directory_report report;
    struct error error = {ERR_OK, ""};

    s->may_reads_fail = false;
    s->executor = sim_executor_new(&executor_options);
    options.executor = sim_executor_base(s->executor);
    options.random = &sim_executor_random(s->executor)->base;
    if (scenario_draw(s, 4) == 0)
        sim_disk_die_after(s->disk, 1 + (int64_t)scenario_draw(s, 20));
    if (log_directory_open(&options, &s->directory, &report, &error) != ERR_OK) {
        if (!sim_disk_is_dead(s->disk))
            storage_model_fail(&s->models[0], "the directory does not open: %s", error.message);
        s->result->deaths_at_start += sim_disk_is_dead(s->disk);
        return false;
    }
    sim_disk_die_after(s->disk, -1);
    s->result->recoveries += !report.was_clean;
    s->result->clean_starts += report.was_clean;
    s->result->torn_bytes += report.truncated_bytes;
    s->result->isolated += report.corrupt_partitions;
    note_spares(s, true);
    return true;
}

static void set_compaction(struct scenario *s, struct log_config *config)
{
    static const int32_t ratios[] = {0, 300, 500, 1000};

    config->segment_bytes = 500 + (int64_t)scenario_draw(s, 2000);
    config->cleanup_policy =
        CLEANUP_COMPACT | (scenario_draw(s, 3) == 0 ? (unsigned)CLEANUP_DELETE : 0);
    config->min_cleanable_dirty_thousandths = ratios[scenario_draw(s, 4)];
    config->min_compaction_lag_ms = scenario_draw(s, 4) == 0 ? 20000 : 0;
    config->max_compaction_lag_ms = scenario_draw(s, 2) == 0 ? 30000 : INT64_MAX;
    config->delete_retention_ms = scenario_draw(s, 2) == 0 ? 0 : 20000;
}

void scenario_open_replica(struct scenario *s, int partition)
{
    struct storage_model *model = &s->models[partition];
    enum err rc =
        replica_open(s->directory, s->topics[partition], partition,
                     model->key_count > 0 ? &s->compacted : &s->config, &s->replicas[partition]);

    if (rc == ERR_OK) {
        replica_become_leader(s->replicas[partition], s->epoch);
        return;
    }
    s->replicas[partition] = NULL;
    if (!model->is_damaged)
        storage_model_fail(model, "partition %d does not open: %s", partition, err_text(rc));
}

static void open_replicas(void *context)
{
    struct scenario *s = context;

    s->config = (struct log_config){
        .segment_bytes = 3000 + (int64_t)scenario_draw(s, 6000),
        .segment_ms = 3600000,
        .segment_index_bytes = 10485760,
        .retention_ms = -1,
        .retention_bytes = scenario_draw(s, 3) == 0 ? 30000 : -1,
        .max_message_bytes = BATCH_MAX_BYTES,
        .index_interval_bytes = s->options->has_bad_indexes ? (int32_t)scenario_draw(s, 600) : 4096,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600000,
        .cleanup_policy = CLEANUP_DELETE,
        .compression = -1,
        .flush = s->options->has_os_flush ? FLUSH_OS : FLUSH_COMMIT,
    };

    if (s->options->has_policy_changes)
        s->config.flush = scenario_draw(s, 2) == 0 ? FLUSH_OS : FLUSH_COMMIT;
    for (int i = 0; i < PARTITIONS; i++) {
        s->policies[i] = s->config.flush;
        s->was_os[i] = s->config.flush == FLUSH_OS;
    }
    s->compacted = s->config;
    s->epoch++;
    for (int i = 0; i < PARTITIONS; i++) {
        if (s->models[i].key_count > 0)
            set_compaction(s, &s->compacted);
        scenario_open_replica(s, i);
    }
    scenario_check_removed(s);
}

static bool are_leading(void *context)
{
    struct scenario *s = context;

    for (int i = 0; i < PARTITIONS; i++) {
        if (s->replicas[i] != NULL && replica_snapshot(s->replicas[i])->epoch < 0)
            return false;
    }
    return true;
}

static bool are_reads_done(void *context)
{
    return ((struct scenario *)context)->reads_in_flight == 0;
}

struct full_read {
    struct scenario *scenario;
    int partition;
    int64_t offset;
};

static void read_full(void *context)
{
    struct full_read *full = context;

    scenario_read_at(full->scenario, full->partition, 0, full->offset, 20000);
}

static void change_policy(void *context)
{
    struct scenario *s = context;
    int i = (int)scenario_draw(s, PARTITIONS);
    struct log_config config = s->config;

    if (s->replicas[i] == NULL)
        return;
    if (!s->was_os[i])
        s->models[i].committed_end = replica_snapshot(s->replicas[i])->high_watermark;
    s->policies[i] = s->policies[i] == FLUSH_COMMIT ? FLUSH_OS : FLUSH_COMMIT;
    s->was_os[i] |= s->policies[i] == FLUSH_OS;
    config.flush = s->policies[i];
    replica_set_config(s->replicas[i], &config);
}

/* Everything that was promised is there after a start. */
static void check_recovered(struct scenario *s)
{
    for (int i = 0; i < PARTITIONS && !scenario_is_broken(s); i++) {
        struct storage_model *model = &s->models[i];
        const struct log_snapshot *snapshot = NULL;
        struct full_read full = {s, i, 0};
        int64_t log_start = 0;

        if (s->replicas[i] == NULL)
            continue;
        snapshot = replica_snapshot(s->replicas[i]);
        storage_model_see_bounds(model, snapshot->log_start, snapshot->high_watermark,
                                 model->log_start, model->high_watermark);
        if (!model->is_damaged && snapshot->high_watermark < model->required_end)
            storage_model_fail(model, "the log ends at %" PRId64 ", promised was %" PRId64,
                               snapshot->high_watermark, model->required_end);
        if (snapshot->high_watermark < model->committed_end)
            storage_model_fail(model, "the log ends at %" PRId64 ", %" PRId64 " was durable",
                               snapshot->high_watermark, model->committed_end);
        full.offset = snapshot->log_start;
        log_start = snapshot->log_start;
        storage_model_begin_whole(model);
        while (full.offset < snapshot->high_watermark && !scenario_is_broken(s)) {
            s->last_read_end = -1;
            sim_executor_call(s->executor, 0, read_full, &full);
            sim_executor_run_until(s->executor, are_reads_done, s, STEPS_PER_LIFE_MAX);
            if (s->last_read_end <= full.offset)
                break; /* damaged: said so above, or allowed to */
            full.offset = s->last_read_end;
            snapshot = replica_snapshot(s->replicas[i]);
        }
        if (model->key_count > 0 && !scenario_is_broken(s))
            s->result->compacted_away +=
                storage_model_check_whole(model, log_start, snapshot->high_watermark);
    }
}

static void act(struct scenario *s)
{
    int loop = (int)scenario_draw(s, (uint64_t)s->options->loop_count);
    uint64_t choice = scenario_draw(s, 100);

    if (choice < 45) {
        struct producer *producer = &s->producers[scenario_draw(s, PRODUCERS)];

        sim_executor_call(s->executor, producer->home, scenario_produce, producer);
    } else if (choice < 60) {
        sim_executor_call(s->executor, loop, scenario_read_somewhere, s);
    } else if (choice == 60) {
        sim_executor_call(s->executor, loop, scenario_trim_somewhere, s);
    } else if (choice == 61) {
        sim_executor_run_for(s->executor, (int64_t)scenario_draw(s, 2000000));
    } else if (choice == 62) {
        sim_executor_stall(s->executor, WORKER_FLUSH, 20000);
    } else if (choice == 63) {
        set_faults(s);
    } else if (choice <= 66 && s->options->has_compaction) {
        sim_executor_run_for(s->executor, CLEANER_TURN_US);
    } else if (choice >= 67 && choice <= 69 && s->options->has_stalls) {
        stall(s);
    } else if (choice >= 70 && choice <= 73 && s->options->has_removals) {
        sim_executor_run_for(s->executor, (int64_t)scenario_draw(s, 200000));
        sim_executor_call(s->executor, 0, scenario_remove_somewhere, s);
    } else if (choice >= 74 && choice <= 75 && s->options->has_policy_changes) {
        sim_executor_call(s->executor, 0, change_policy, s);
    } else if (choice == 76 && s->options->has_spares) {
        sim_executor_run_for(s->executor, QUIET_US);
    }
    for (uint64_t i = scenario_draw(s, 8); i > 0; i--)
        (void)sim_executor_step(s->executor);
}

static void on_closed(void *context)
{
    ((struct scenario *)context)->is_closed = true;
}

static void close_directory(void *context)
{
    struct scenario *s = context;

    log_directory_close(s->directory, on_closed, s);
}

static bool has_closed(void *context)
{
    return ((struct scenario *)context)->is_closed;
}

/* Which segments there are, whatever their generation. */
struct segment_names {
    int count;
    int wanted;
    char name[LOG_PATH_BYTES]; /* of the wanted one */
};

static bool note_segment(void *context, const char *name, bool is_directory)
{
    struct segment_names *names = context;
    log_offset base = 0;
    int32_t generation = 0;

    if (is_directory || !segment_parse_name(name, SEGMENT_SUFFIX, &base, &generation))
        return true;
    if (names->count++ == names->wanted)
        snprintf(names->name, sizeof(names->name), "%s", name);
    return true;
}

static void flip_bits(struct scenario *s)
{
    for (int i = 0; i < PARTITIONS; i++) {
        struct log_identity id = {s->topics[i], i};
        struct segment_names names = {0, -1, ""};
        char dir[LOG_PATH_BYTES];
        char path[2 * LOG_PATH_BYTES];
        int64_t size = 0;

        if (scenario_draw(s, 4) == 0)
            continue;
        log_path(&id, dir);
        (void)s->disk->ops->list(s->disk, dir, note_segment, &names);
        if (names.count == 0)
            continue;
        names = (struct segment_names){0, (int)scenario_draw(s, (uint64_t)names.count), ""};
        (void)s->disk->ops->list(s->disk, dir, note_segment, &names);
        snprintf(path, sizeof(path), "%s/%s", dir, names.name);
        size = sim_disk_file_size(s->disk, path);
        if (size > 0 && sim_disk_flip_bit(s->disk, path, (int64_t)scenario_draw(s, (uint64_t)size),
                                          (int)scenario_draw(s, 8)))
            s->models[i].is_damaged = true;
    }
}

/* The index says of each of its places what is true of another. */
static void make_index_lie(struct disk *disk, const char *dir, const char *name, int64_t base,
                           int64_t covered_bytes)
{
    struct offset_index index;
    struct buffer bytes;
    char path[256];
    uint8_t *data = NULL;
    size_t len = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (disk_read_file(disk, path, INDEX_MAX_BYTES, &data, &len) != ERR_OK)
        return;
    offset_index_init(&index, 0);
    buffer_init(&bytes, INDEX_MAX_BYTES);
    if (offset_index_load(&index, slice_of(data, len), base, covered_bytes) == ERR_OK) {
        for (size_t i = 0; i + 1 < index.count; i++)
            index.entries[i].position = index.entries[i + 1].position;
        invariant(offset_index_save(&index, base, &bytes) == ERR_OK &&
                  disk_replace_file(disk, dir, name, bytes.data, bytes.len) == ERR_OK);
    }
    buffer_done(&bytes);
    offset_index_done(&index);
    free(data);
}

static void spoil_index(struct scenario *s, int partition, int64_t base)
{
    char uuid[UUID_TEXT_LEN + 1];
    char dir[100];
    char name[100];
    char path[256];
    int64_t size = 0;

    uuid_format(s->topics[partition], uuid);
    snprintf(dir, sizeof(dir), "topics/%s/%d", uuid, partition);
    snprintf(name, sizeof(name), "%020" PRId64 ".index", base);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    size = sim_disk_file_size(s->disk, path);
    if (size <= 0)
        return;
    s->result->spoiled_indexes++;
    if (scenario_draw(s, 3) == 0) {
        (void)sim_disk_flip_bit(s->disk, path, (int64_t)scenario_draw(s, (uint64_t)size),
                                (int)scenario_draw(s, 8));
        return;
    }
    snprintf(path, sizeof(path), "%s/%020" PRId64 ".log", dir, base);
    make_index_lie(s->disk, dir, name, base, sim_disk_file_size(s->disk, path));
}

static void spoil_indexes(struct scenario *s)
{
    for (int i = 0; i < PARTITIONS; i++) {
        for (int64_t base = s->models[i].log_start; base < s->models[i].required_end; base++) {
            if (scenario_draw(s, 2) == 0)
                spoil_index(s, i, base);
        }
    }
}

/* A killed process loses nothing that was written; a power cut loses what was not flushed, and with
 * FLUSH_OS that may be what was acknowledged. */
static void cut_power(struct scenario *s, bool is_only_killed)
{
    if (is_only_killed) {
        sim_disk_kill(s->disk);
        return;
    }
    sim_disk_crash(s->disk);
    for (int i = 0; i < PARTITIONS && s->options->has_os_flush; i++)
        s->models[i].is_damaged |= !s->is_closed && s->was_os[i];
}

static void end_life(struct scenario *s)
{
    uint64_t how = scenario_draw(s, 3);

    clear_faults(s);
    s->is_closed = false;
    if (how == 0 && !scenario_is_broken(s) && !sim_disk_is_dead(s->disk)) {
        sim_executor_call(s->executor, 0, close_directory, s);
        if (!sim_executor_run_until(s->executor, has_closed, s, STEPS_PER_LIFE_MAX))
            storage_model_fail(&s->models[0], "the directory does not close");
    }
    s->is_closed &= !sim_disk_is_dead(s->disk); /* it died while it closed */
    s->wall_ms = clock_wall_ms(sim_executor_clock(s->executor));
    note_spares(s, false);
    log_directory_free(s->directory);
    s->directory = NULL;
    cut_power(s, how == 1 && !s->options->sabotage);
    scenario_forget_operations(s);
    sim_executor_free(s->executor);
    s->executor = NULL;
    if (s->options->has_bit_flips)
        flip_bits(s);
    if (s->options->has_bad_indexes)
        spoil_indexes(s);
}

static void tell(const struct scenario *s, const char *what)
{
    if (!s->options->is_verbose)
        return;
    fprintf(stderr, "%s", what);
    for (int i = 0; i < PARTITIONS; i++) {
        const struct log_snapshot *snapshot = s->directory != NULL && s->replicas[i] != NULL
                                                  ? replica_snapshot(s->replicas[i])
                                                  : NULL;

        if (snapshot != NULL)
            fprintf(stderr, "  [%" PRId64 ", %" PRId64 ", %" PRId64 ")", snapshot->log_start,
                    snapshot->high_watermark, snapshot->log_end);
        fprintf(stderr, "%s", s->models[i].why);
    }
    fprintf(stderr, "\n");
}

static void live(struct scenario *s)
{
    if (!begin_life(s)) {
        sim_executor_free(s->executor);
        s->executor = NULL;
        cut_power(s, false);
        return;
    }
    sim_executor_call(s->executor, 0, open_replicas, s);
    if (!sim_executor_run_until(s->executor, are_leading, s, STEPS_PER_LIFE_MAX))
        storage_model_fail(&s->models[0], "partitions are not led");
    check_recovered(s);
    tell(s, "begins");
    if (scenario_draw(s, 2) == 0)
        sim_disk_die_after(s->disk, 1 + (int64_t)scenario_draw(s, (uint64_t)s->options->steps));
    for (int i = 0; i < s->options->steps && !scenario_is_broken(s) && !sim_disk_is_dead(s->disk);
         i++)
        act(s);
    tell(s, "ends  ");
    end_life(s);
}

/* --- all of it --- */

static void scenario_init(struct scenario *s, const struct storage_scenario_options *options,
                          struct storage_scenario_result *result)
{
    *s = (struct scenario){.options = options, .result = result, .wall_ms = START_WALL_MS};
    seeded_random_init(&s->random, options->seed);
    s->disk = sim_disk_new(seeded_random_u64(&s->random), &s->trace);
    s->epoch = -1;
    list_init(&s->reads);
    list_init(&s->trims);
    invariant(random_fill(&s->random.base, s->topics[0].bytes, sizeof(s->topics[0].bytes)) ==
              ERR_OK);
    for (int i = 1; i < PARTITIONS; i++)
        s->topics[i] = s->topics[0];
    for (int i = 0; i < PARTITIONS; i++) {
        storage_model_init(&s->models[i]);
        if (options->has_compaction && i > 0) {
            s->models[i].key_count = KEYS;
            s->models[i].tombstone_every = TOMBSTONE_EVERY;
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        s->producers[i] = (struct producer){
            .scenario = s,
            .partition = i % PARTITIONS,
            .home = (int)scenario_draw(s, (uint64_t)options->loop_count),
            .id = i < PRODUCERS - 2 ? 1000 + i : -1,
        };
        list_init(&s->producers[i].unacknowledged);
    }
}

static void scenario_done(struct scenario *s)
{
    for (int i = 0; i < PRODUCERS; i++) {
        list_for_each(&s->producers[i].unacknowledged, node)
            sent_batch_free(container_of(node, struct sent_batch, link));
        if (s->producers[i].newest_acknowledged != NULL)
            sent_batch_free(s->producers[i].newest_acknowledged);
    }
    for (int i = 0; i < PARTITIONS; i++) {
        if (s->models[i].why[0] != '\0' && !s->result->is_broken) {
            s->result->is_broken = true;
            snprintf(s->result->why, sizeof(s->result->why), "partition %d: %s", i,
                     s->models[i].why);
        }
        storage_model_done(&s->models[i]);
    }
    sim_disk_free(s->disk);
}

void storage_scenario_run(const struct storage_scenario_options *options,
                          struct storage_scenario_result *ret_result)
{
    struct scenario scenario;

    *ret_result = (struct storage_scenario_result){.is_broken = false};
    scenario_init(&scenario, options, ret_result);
    for (int life = 0; life < options->lives && !scenario_is_broken(&scenario); life++)
        live(&scenario);
    ret_result->trace_hash = scenario.trace.hash;
    scenario_done(&scenario);
}
