/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas on real threads and a real disk: what ThreadSanitizer should see. Every loop produces to, reads
 * from, waits for and trims partitions of all loops, the odd ones of which are compacted meanwhile, files of segments that went are
 * used again, then the directory is closed and opened again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/port/disk.h"
#include "dataplane/storage/log_directory.h"
#include "dataplane/storage/replica.h"
#include "dataplane/storage/segment.h"
#include "dataplane/storage/storage_metrics.h"
#include "dataplane/uv/uv_executor.h"
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"

#define LOOPS 3
#define PARTITIONS 5
#define WORKERS_PER_LOOP 3
#define ROUNDS 120
#define KEYS 30

struct worker {
    struct mail start;
    struct loop *loop;
    int number;
    int rounds_left;
    struct seeded_random random;
    struct replica *replica;
    struct replica_append append;
    struct replica_read read;
    struct replica_waiter waiter;
    struct replica_trim trim;
    struct replica_lookup lookup;
    struct buffer bytes;
    int64_t first_number;
    int64_t seen_number;
    bool may_be_compacted;
    bool was_cancelled;
    struct mail finished;
};

static const struct uuid topic_id = {{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static char root[64];
static struct disk *disk;
static struct uv_executor *executor;
static struct log_directory *directory;
static struct replica *replicas[PARTITIONS];
static struct worker workers[LOOPS * WORKERS_PER_LOOP];
static int running;
static int64_t spares_kept, spares_taken;
static int64_t acknowledged[PARTITIONS]; /* loop 0, when a worker has finished */

static void next_round(struct worker *worker);

static void stop_executor(void *context)
{
    (void)context;
    uv_executor_stop(executor);
}

/* Loop 0. */
static void worker_finished(struct mail *mail)
{
    (void)mail;
    if (--running == 0)
        log_directory_close(directory, stop_executor, NULL);
}

static void on_trim(struct replica_trim *trim)
{
    struct worker *worker = container_of(trim, struct worker, trim);

    ck_assert(trim->error == KAFKA_NONE || trim->error == KAFKA_OFFSET_OUT_OF_RANGE);
    next_round(worker);
}

static void on_lookup(struct replica_lookup *lookup)
{
    struct worker *worker = container_of(lookup, struct worker, lookup);

    ck_assert_int_eq(lookup->error, KAFKA_NONE);
    worker->trim = (struct replica_trim){
        .replica = worker->replica,
        .home = worker->loop,
        .offset = replica_snapshot(worker->replica)->log_start + 1,
        .done = on_trim,
    };
    if (seeded_random_below(&worker->random, 8) == 0)
        replica_trim_submit(&worker->trim);
    else
        next_round(worker);
}

static void look_up(struct worker *worker)
{
    worker->lookup = (struct replica_lookup){
        .replica = worker->replica,
        .home = worker->loop,
        .timestamp = seeded_random_below(&worker->random, 2) == 0 ? -3 : 0,
        .done = on_lookup,
    };
    replica_lookup_submit(&worker->lookup);
}

static void on_wake(struct replica_waiter *waiter)
{
    struct worker *worker = container_of(waiter, struct worker, waiter);

    if (!worker->was_cancelled)
        look_up(worker);
}

static void on_cancelled(struct replica_waiter *waiter)
{
    look_up(container_of(waiter, struct worker, waiter));
}

static void wait_for_more(struct worker *worker)
{
    bool is_there = seeded_random_below(&worker->random, 2) == 0;

    worker->waiter = (struct replica_waiter){
        .replica = worker->replica,
        .home = worker->loop,
        .offset = is_there ? worker->append.base_offset
                           : replica_snapshot(worker->replica)->high_watermark + 2,
        .wake = on_wake,
    };
    worker->was_cancelled = !is_there;
    replica_wait(&worker->waiter);
    if (!is_there)
        replica_wait_cancel(&worker->waiter, on_cancelled);
}

static void on_record(void *context, int64_t offset, int64_t number)
{
    struct worker *worker = context;

    if (offset == worker->append.base_offset)
        worker->seen_number = number;
}

static void on_read(struct replica_read *read)
{
    struct worker *worker = container_of(read, struct worker, read);

    /* Somebody may have trimmed it meanwhile. */
    if (read->error != KAFKA_OFFSET_OUT_OF_RANGE) {
        ck_assert_int_eq(read->error, KAFKA_NONE);
        worker->seen_number = -1;
        sim_records_read(slice_of(read->records, read->records_len), on_record, worker);
        ck_assert(worker->seen_number == worker->first_number ||
                  (worker->seen_number == -1 && worker->may_be_compacted));
    }
    replica_read_done(read);
    wait_for_more(worker);
}

static void on_append(struct replica_append *append)
{
    struct worker *worker = container_of(append, struct worker, append);

    ck_assert_int_eq(append->error, KAFKA_NONE);
    worker->read = (struct replica_read){
        .replica = worker->replica,
        .home = worker->loop,
        .offset = append->base_offset,
        .max_bytes = 100 + seeded_random_below(&worker->random, 20000),
        .must_progress = true,
        .done = on_read,
    };
    ck_assert_int_gt(replica_snapshot(worker->replica)->high_watermark, append->last_offset);
    replica_read_submit(&worker->read);
}

static void next_round(struct worker *worker)
{
    int partition = (int)seeded_random_below(&worker->random, PARTITIONS);
    struct sim_batch batch = {
        .key_count = partition % 2 == 1 ? KEYS : 0,
        .count = 1 + (int32_t)seeded_random_below(&worker->random, 4),
        .padding = (int32_t)seeded_random_below(&worker->random, 3000),
        .timestamp_ms = loop_wall_ms(worker->loop),
        .producer_id = worker->number % 2 == 0 ? worker->number : -1,
    };

    if (worker->rounds_left-- == 0) {
        worker->finished.deliver = worker_finished;
        loop_post(uv_executor_base(executor)->loops[0], &worker->finished);
        return;
    }
    /* A new id each time: sequences are not what this is about. */
    if (batch.producer_id >= 0)
        batch.producer_id = worker->number * 100000 + worker->rounds_left;
    worker->first_number = batch.first_number = worker->number * 1000000 + worker->rounds_left * 10;
    worker->replica = replicas[partition];
    worker->may_be_compacted = batch.key_count > 0;
    buffer_clear(&worker->bytes);
    sim_batch_write(&batch, &worker->bytes);
    worker->append = (struct replica_append){
        .replica = worker->replica,
        .records = worker->bytes.data,
        .records_len = worker->bytes.len,
        .acks = -1,
        .produce_version = 9,
        .home = worker->loop,
        .done = on_append,
    };
    replica_append_submit(&worker->append);
}

static void wait_for_leader(struct mail *mail)
{
    struct worker *worker = container_of(mail, struct worker, start);

    for (int i = 0; i < PARTITIONS; i++) {
        if (replica_snapshot(replicas[i])->epoch < 0) {
            loop_post(worker->loop, mail);
            usleep(100);
            return;
        }
    }
    next_round(worker);
}

static void open_replicas(leader_epoch epoch)
{
    struct log_config config = {
        .segment_bytes = 60000,
        .segment_ms = 3600000,
        .retention_ms = -1,
        .retention_bytes = 400000,
        .max_message_bytes = 1 << 20,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600000,
        .cleanup_policy = CLEANUP_DELETE,
        .max_compaction_lag_ms = INT64_MAX,
        .compression = -1,
    };
    for (int i = 0; i < PARTITIONS; i++) {
        config.flush = i == 0 ? FLUSH_OS : FLUSH_COMMIT;
        config.cleanup_policy = i % 2 == 1 ? CLEANUP_COMPACT : CLEANUP_DELETE;
        ck_assert_int_eq(replica_open(directory, topic_id, i, &config, &replicas[i]), ERR_OK);
        replica_become_leader(replicas[i], epoch);
        replica_set_config(replicas[i], &config);
    }
}

static void open_directory(struct log_directory_report *report)
{
    struct uv_executor_options options = {LOOPS, 2, 1, 2, 2};
    struct log_directory_options directory_options = {
        .broker_id = 1,
        .tail_cache_bytes = 60000,
        .random = &system_random,
        .cleaner_map_bytes = 60000,
        .cleaner_bytes_per_second = INT64_MAX / 1000000,
        .cleaner_check_us = 1000,
        .small_bytes_max = 2000, /* and files of segments are used again */
        .spare_percent = 25,
        .spare_bytes_min = 1,
    };
    struct error error = {ERR_OK, ""};

    ck_assert_int_eq(posix_disk_open(root, &disk, NULL), ERR_OK);
    ck_assert_int_eq(uv_executor_new(&options, &executor, &error), ERR_OK);
    directory_options.disk = disk;
    directory_options.executor = uv_executor_base(executor);
    ck_assert_msg(log_directory_open(&directory_options, &directory, report, &error) == ERR_OK,
                  "%s", error.message);
}

static void close_directory(struct mail *mail)
{
    (void)mail;
    log_directory_close(directory, stop_executor, NULL);
}

static void close_all(void)
{
    struct storage_metrics metrics = {.wal_bytes = {0}};

    log_directory_add_metrics(directory, &metrics);
    spares_kept += counter_read(&metrics.spares_kept);
    spares_taken += counter_read(&metrics.spares_taken);
    log_directory_free(directory);
    uv_executor_free(executor);
    posix_disk_close(disk);
}

static void run_workers(leader_epoch epoch)
{
    running = LOOPS * WORKERS_PER_LOOP;
    open_replicas(epoch);
    for (int i = 0; i < running; i++) {
        struct worker *worker = &workers[i];

        *worker = (struct worker){
            .loop = uv_executor_base(executor)->loops[i % LOOPS],
            .number = i + 1,
            .rounds_left = ROUNDS,
            .start = {.deliver = wait_for_leader},
        };
        seeded_random_init(&worker->random, (uint64_t)i);
        buffer_init(&worker->bytes, 1 << 20);
        loop_post(worker->loop, &worker->start);
    }
    uv_executor_run(executor);
    for (int i = 0; i < LOOPS * WORKERS_PER_LOOP; i++)
        buffer_done(&workers[i].bytes);
    for (int i = 0; i < PARTITIONS; i++)
        acknowledged[i] = replica_snapshot(replicas[i])->high_watermark;
}

static bool note_generation(void *context, const char *name, bool is_directory)
{
    log_offset base = 0;
    int32_t generation = 0;

    if (!is_directory && segment_parse_name(name, SEGMENT_SUFFIX, &base, &generation))
        *(bool *)context |= generation > 0;
    return true;
}

static bool is_compacted(int partition)
{
    bool is_compacted = false;
    struct log_identity id = {topic_id, partition};
    char path[LOG_PATH_BYTES];

    log_path(&id, path);
    ck_assert_int_eq(disk->ops->list(disk, path, note_generation, &is_compacted), ERR_OK);
    return is_compacted;
}

static bool remove_each(void *context, const char *name, bool is_directory)
{
    (void)context;
    if (is_directory)
        ck_assert_int_eq(disk->ops->remove_dir(disk, name), ERR_OK);
    else
        ck_assert_int_eq(disk->ops->remove(disk, name), ERR_OK);
    return true;
}

START_TEST(loops_share_a_directory_without_a_race_and_find_everything_again)
{
    struct mail close_mail = {.deliver = close_directory};
    struct log_directory_report report;

    snprintf(root, sizeof(root), "/tmp/millrace-log-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (leader_epoch epoch = 0; epoch < 2; epoch++) {
        open_directory(&report);
        ck_assert(epoch == 0 || report.was_clean);
        run_workers(epoch);
        close_all();
    }
    open_directory(&report);
    ck_assert(report.was_clean);
    ck_assert_int_eq(report.partitions, PARTITIONS);
    open_replicas(3);
    for (int i = 0; i < PARTITIONS; i++)
        ck_assert_int_eq(replica_snapshot(replicas[i])->high_watermark, acknowledged[i]);
    ck_assert(is_compacted(1) && is_compacted(3));
    ck_assert(spares_taken > 0 || spares_kept == 0); /* none, where the file system cannot */
    loop_post(uv_executor_base(executor)->loops[0], &close_mail);
    uv_executor_run(executor);
    ck_assert_int_eq(disk->ops->list(disk, "", remove_each, NULL), ERR_OK);
    close_all();
    ck_assert_int_eq(rmdir(root), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/replica_threads");
    TCase *tc = tcase_create("replica_threads");

    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, loops_share_a_directory_without_a_race_and_find_everything_again);
    suite_add_tcase(suite, tc);
    return suite;
}
