/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/catalogue.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

static struct storage_rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

static void teardown(void)
{
    rig_done(&rig);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

static void replace_meta(const char *text)
{
    ck_assert_int_eq(disk_replace_file(rig.disk, "", "meta.json", text, strlen(text)), ERR_OK);
}

START_TEST(a_directory_keeps_its_identity_and_refuses_another_broker)
{
    struct uuid id = log_directory_uuid(rig.directory);
    char uuid[UUID_TEXT_LEN + 1];
    char text[256];
    struct error error;

    restart(RIG_CLEAN);
    ck_assert(uuid_equal(log_directory_uuid(rig.directory), id));
    rig_stop(&rig, RIG_CLEAN);
    uuid_format(id, uuid);
    snprintf(text, sizeof(text),
             "{\"format\": 1, \"cell\": \"00000000-0000-0000-0000-000000000000\", \"broker\": 4, "
             "\"directory\": \"%s\"}",
             uuid);
    replace_meta(text);
    ck_assert_int_eq(rig_start(&rig, &error), ERR_FENCED);
    ck_assert_ptr_nonnull(strstr(error.message, "broker 4"));
}
END_TEST

START_TEST(an_unknown_format_is_refused_and_says_what_to_do)
{
    struct error error;

    rig_stop(&rig, RIG_CLEAN);
    replace_meta("{\"format\": 2, \"new\": true}");
    ck_assert_int_eq(rig_start(&rig, &error), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "start the broker version"));
    sim_disk_kill(rig.disk);
    replace_meta("nonsense");
    ck_assert_int_eq(rig_start(&rig, &error), ERR_CORRUPT);
}
END_TEST

START_TEST(a_second_process_finds_it_locked)
{
    struct storage_rig second = rig;
    struct error error;

    ck_assert_int_eq(rig_start(&second, &error), ERR_LOCKED);
}
END_TEST

static void set_cell(void *context)
{
    enum err *rc = context;
    struct uuid cell = {{9, 9, 9, 9, 9, 9, 0x49, 9, 0x89}};

    cell.bytes[15] = (uint8_t)(*rc == ERR_INTERNAL ? 1 : 2);
    *rc = log_directory_set_cell(rig.directory, cell);
}

START_TEST(the_cell_is_learned_once_and_kept)
{
    enum err rc = ERR_INTERNAL;

    rig_call(&rig, set_cell, &rc);
    ck_assert_int_eq(rc, ERR_OK);
    restart(RIG_POWER_CUT);
    rc = ERR_INTERNAL;
    rig_call(&rig, set_cell, &rc);
    ck_assert_int_eq(rc, ERR_OK);
    rc = ERR_OK;
    rig_call(&rig, set_cell, &rc);
    ck_assert_int_eq(rc, ERR_FENCED);
}
END_TEST

START_TEST(what_was_flushed_is_not_read_again_after_a_clean_end_nor_after_a_kill)
{
    struct replica *replica = rig_open(&rig, 0, 0);

    rig_put(&rig, replica, 5);
    restart(RIG_CLEAN);
    ck_assert(rig.report.was_clean);
    ck_assert_int_eq(rig.report.partitions, 1);
    ck_assert_int_eq(rig.report.recovered_bytes, 0);
    /* Started and killed: not clean, though nothing was written. */
    restart(RIG_KILL);
    ck_assert(!rig.report.was_clean);
    ck_assert_int_eq(rig.report.recovered_bytes, 0);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 5);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 5);
    /* Only what came since. */
    restart(RIG_KILL);
    ck_assert_int_gt(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig.report.recovered_bytes, rig.report.replayed_bytes);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 2), 0, 0), 6);
}
END_TEST

START_TEST(a_torn_tail_is_cut)
{
    struct replica *replica = NULL;
    struct file *file = NULL;
    struct iovec iov = {(void *)(uintptr_t) "\0\0\0\0\0\0\0\5garbage", 15};
    int64_t size = 0;
    char path[128];

    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    rig_put(&rig, replica, 5);
    rig_path(&rig, 0, 0, ".log", path);
    size = sim_disk_file_size(rig.disk, path);
    rig_stop(&rig, RIG_KILL);
    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, size, &iov, 1), ERR_OK);
    file->ops->close(file);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert_int_eq(rig.report.truncated_bytes, 15);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), size);
    replica = rig_open(&rig, 0, 1);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 5);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 5);
}
END_TEST

START_TEST(damage_below_what_was_flushed_isolates_the_partition_for_good_and_no_other)
{
    struct replica *replicas[2];
    char path[128];
    int64_t first_size = 0;
    int64_t size = 0;

    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    for (int i = 0; i < 2; i++) {
        replicas[i] = rig_open(&rig, i, 0);
        rig_put(&rig, replicas[i], 5);
    }
    rig_path(&rig, 0, 0, ".log", path);
    first_size = sim_disk_file_size(rig.disk, path);
    rig_put(&rig, replicas[0], 5);
    rig_stop(&rig, RIG_KILL); /* the write-ahead log says that it was flushed */
    size = sim_disk_file_size(rig.disk, path);
    ck_assert(sim_disk_flip_bit(rig.disk, path, first_size + 100, 3));
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert_int_eq(rig.report.corrupt_partitions, 1);
    ck_assert_ptr_null(rig_open(&rig, 0, 1));
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 1, 1), 0, 5), 5);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), size);
    restart(RIG_CLEAN);
    ck_assert_int_eq(rig.report.corrupt_partitions, 1);
    ck_assert_ptr_null(rig_open(&rig, 0, 2));
}
END_TEST

START_TEST(a_flipped_bit_is_not_served)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct replica_read read;
    char path[128];
    int64_t size = 0;

    rig_put(&rig, replica, 5);
    restart(RIG_CLEAN);
    rig_path(&rig, 0, 0, ".log", path);
    size = sim_disk_file_size(rig.disk, path);
    replica = rig_open(&rig, 0, 1);
    for (int64_t at = 0; at < size; at++) {
        ck_assert(sim_disk_flip_bit(rig.disk, path, at, (int)(at % 8)));
        read = rig_read(&rig, replica, 0, 1 << 20);
        ck_assert_msg(read.error == KAFKA_KAFKA_STORAGE_ERROR, "byte %" PRId64, at);
        replica_read_done(&read);
        ck_assert(sim_disk_flip_bit(rig.disk, path, at, (int)(at % 8)));
    }
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 5);
}
END_TEST

static enum kafka_error read_error(struct replica *replica, log_offset offset)
{
    struct replica_read read = rig_read(&rig, replica, offset, 1 << 20);
    enum kafka_error error = read.error;

    replica_read_done(&read);
    return error;
}

/* The base offset is outside the CRC. */
START_TEST(a_base_offset_that_flipped_under_an_entry_of_the_index_is_not_served)
{
    bool is_index_made_before = _i == 1;
    struct replica *replica = NULL;
    int64_t positions[6];
    char path[128];

    rig.config.index_interval_bytes = 0;
    rig.small_bytes_max = 1;
    restart(RIG_CLEAN);
    replica = rig_open(&rig, 0, 0);
    rig_path(&rig, 0, 0, ".log", path);
    for (int i = 0; i < 6; i++) {
        int64_t size = sim_disk_file_size(rig.disk, path);

        positions[i] = size > 0 ? size : 0;
        rig_put(&rig, replica, 2);
    }
    for (int i = 0; i < 6; i++) {
        for (int bit = 0; bit < 64; bit++) {
            restart(RIG_CLEAN);
            replica = rig_open(&rig, 0, 1);
            if (is_index_made_before)
                ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 12);
            ck_assert(sim_disk_flip_bit(rig.disk, path, positions[i] + bit / 8, bit % 8));
            ck_assert_int_eq(read_error(replica, 2 * i), KAFKA_KAFKA_STORAGE_ERROR);
            ck_assert_int_eq(read_error(replica, 2 * i + 1), KAFKA_KAFKA_STORAGE_ERROR);
            ck_assert(sim_disk_flip_bit(rig.disk, path, positions[i] + bit / 8, bit % 8));
            ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 12);
        }
    }
}
END_TEST

START_TEST(a_missing_segment_isolates_and_a_missing_index_does_not)
{
    struct replica *replica = NULL;
    char path[128];

    rig.config.segment_bytes = 200;
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 6; i++)
        rig_put(&rig, replica, 2);
    rig_path(&rig, 0, 2, ".index", path);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, path), 0);
    ck_assert_int_eq(rig.disk->ops->remove(rig.disk, path), ERR_OK);
    restart(RIG_CLEAN);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 1), 0, 0), 12);
    rig_stop(&rig, RIG_CLEAN);
    rig_path(&rig, 0, 2, ".log", path);
    ck_assert_int_eq(rig.disk->ops->remove(rig.disk, path), ERR_OK);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert_int_eq(rig.report.corrupt_partitions, 1);
}
END_TEST

/* As a round leaves it that recorded a snapshot and then could not make its batches durable. */
static void record_snapshot_of_producers(struct uuid directory_id, struct producers_fact producers)
{
    struct log_identity id = {rig.topic, 0};
    struct catalogue *catalogue = NULL;

    ck_assert_int_eq(
        catalogue_open(rig.disk, directory_id, (struct hash_seed){1, 2}, false, &catalogue, NULL),
        ERR_OK);
    ck_assert_int_eq(catalogue_set_producers(catalogue, &id, &producers), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    catalogue_free(catalogue);
}

START_TEST(a_snapshot_of_producers_beyond_the_end_is_forgotten_before_the_log_goes_on)
{
    struct uuid directory_id = log_directory_uuid(rig.directory);
    struct replica *replica = rig_open(&rig, 0, 1);

    ck_assert_int_eq(rig_put(&rig, replica, 10), 0);
    rig_stop(&rig, RIG_KILL);
    record_snapshot_of_producers(directory_id, (struct producers_fact){12, 0, 321, 0});
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 2);
    ck_assert_int_eq(rig_put(&rig, replica, 7), 10); /* its batch is no border at 12 */
    restart(RIG_KILL);
    replica = rig_open(&rig, 0, 3);
    ck_assert_ptr_nonnull(replica);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 17);
}
END_TEST

/* As a round leaves it that was refused and cleanly ended: its file was removed, and a power cut brings it back. */
static void forget_all_but_the_file(struct uuid directory_id)
{
    struct log_identity id = {rig.topic, 0};
    struct catalogue *catalogue = NULL;

    ck_assert_int_eq(
        catalogue_open(rig.disk, directory_id, (struct hash_seed){1, 2}, false, &catalogue, NULL),
        ERR_OK);
    ck_assert_int_eq(catalogue_remove_log(catalogue, &id), ERR_OK);
    ck_assert_int_eq(catalogue_add_log(catalogue, &id), ERR_OK);
    ck_assert_int_eq(catalogue_mark(catalogue, true), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    catalogue_free(catalogue);
}

START_TEST(a_file_that_comes_back_after_a_clean_end_is_known_with_its_epochs)
{
    struct uuid directory_id = log_directory_uuid(rig.directory);

    ck_assert_int_eq(rig_put(&rig, rig_open(&rig, 0, 1), 4), 0);
    rig_stop(&rig, RIG_CLEAN);
    forget_all_but_the_file(directory_id);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert(rig.report.was_clean);
    ck_assert_int_eq(rig_put(&rig, rig_open(&rig, 0, 2), 3), 4);
    restart(RIG_KILL);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 3), 0, 0), 7);
}
END_TEST

static void make_file(const char *path)
{
    struct file *file = NULL;

    ck_assert_int_eq(rig.disk->ops->open(rig.disk, path, DISK_CREATE, &file), ERR_OK);
    file->ops->close(file);
}

/* As a roll leaves it that died at once: an empty file, where the log happens to end. */
static void make_empty_segment(log_offset base)
{
    char path[128];

    rig_path(&rig, 0, base, ".log", path);
    make_file(path);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(rig.disk->ops->sync_dir(rig.disk, path), ERR_OK);
}

/* The disk tosses a coin for each name that is not synced: these make it another toss each time. */
static void make_unsynced_files(int count)
{
    for (int i = 0; i < count; i++) {
        char path[32];

        snprintf(path, sizeof(path), "another-%d", i);
        make_file(path);
    }
}

START_TEST(a_segment_that_a_start_removed_does_not_come_back_in_the_place_of_an_older_one)
{
    struct replica *replica = rig_open(&rig, 0, 1);

    ck_assert_int_eq(rig_put(&rig, replica, 2), 0);
    rig_stop(&rig, RIG_KILL);
    make_empty_segment(2);
    rig.small_bytes_max = 1;
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 2);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 2);
    ck_assert_int_eq(rig_trim(&rig, replica, 2).error, KAFKA_NONE);
    make_unsynced_files(_i);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 0, 3), 2, 2), 1);
}
END_TEST

START_TEST(a_failed_sync_fails_the_directory_and_reads_go_on)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_disk_faults broken = {.sync_error_per_million = 1000000};
    struct sim_disk_faults fine = {0};
    struct sim_batch batch = rig_batch(&rig, 1);
    struct replica_append append;

    rig_put(&rig, replica, 2);
    sim_disk_set_faults(rig.disk, &broken);
    append = rig_append(&rig, replica, &batch);
    ck_assert_int_eq(append.error, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert(log_directory_is_failed(rig.directory));
    /* Never in the hope that it helps. */
    sim_disk_set_faults(rig.disk, &fine);
    append = rig_append(&rig, replica, &batch);
    ck_assert_int_eq(append.error, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert_int_eq(replica_snapshot(replica)->high_watermark, 2);
}
END_TEST

START_TEST(a_full_disk_refuses_and_recovers_when_there_is_room_again)
{
    struct replica *replica = rig_open(&rig, 0, 0);
    struct sim_disk_faults full = {0};
    struct sim_disk_faults roomy = {0};
    struct sim_batch batch = rig_batch(&rig, 1);
    struct sim_batch again = batch;

    again.producer_id = batch.producer_id = 6;
    rig_put(&rig, replica, 2);
    full.capacity_bytes = sim_disk_used_bytes(rig.disk) + 20;
    sim_disk_set_faults(rig.disk, &full);
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert(!log_directory_is_failed(rig.directory));
    sim_disk_set_faults(rig.disk, &roomy);
    sim_executor_run_for(rig.executor, 1000000);
    ck_assert_int_eq(rig_append(&rig, replica, &again).base_offset, 2);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(replica_snapshot(rig_open(&rig, 0, 1))->high_watermark, 3);
}
END_TEST

START_TEST(a_trim_works_on_a_full_disk_and_frees_it)
{
    struct replica *replica = NULL;
    struct sim_disk_faults full = {0};
    struct sim_batch batch = rig_batch(&rig, 1);

    rig.wal_file_bytes = 1 << 20; /* or what it grows ahead would be most of the disk */
    restart(RIG_CLEAN);
    rig.config.segment_bytes = 5000;
    replica = rig_open(&rig, 0, 0);
    for (int i = 0; i < 40; i++) {
        struct sim_batch large = rig_batch(&rig, 1);

        large.padding = 4500;
        ck_assert_int_eq(rig_append(&rig, replica, &large).error, KAFKA_NONE);
    }
    full.capacity_bytes = sim_disk_used_bytes(rig.disk) + 3000;
    sim_disk_set_faults(rig.disk, &full);
    batch.padding = 3500;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_KAFKA_STORAGE_ERROR);
    ck_assert_int_eq(rig_trim(&rig, replica, 30).error, KAFKA_NONE);
    sim_executor_run_for(rig.executor, 1000000);
    ck_assert_int_eq(rig_append(&rig, replica, &batch).error, KAFKA_NONE);
}
END_TEST

struct unknown {
    struct uuid known;
    int asked;
};

static bool is_known(void *context, struct uuid topic_id)
{
    struct unknown *unknown = context;

    unknown->asked++;
    return uuid_equal(topic_id, unknown->known);
}

static void remove_unknown(void *context)
{
    log_directory_remove_unknown(rig.directory, is_known, context);
}

START_TEST(topics_that_nobody_knows_are_removed_and_known_ones_stay)
{
    struct unknown unknown = {.known = rig.topic};
    struct uuid mine = rig.topic;
    char gone[128];
    char kept[128];

    rig_put(&rig, rig_open(&rig, 0, 0), 1);
    rig_path(&rig, 0, 0, ".log", kept);
    rig.topic.bytes[0] = 0x99;
    rig_put(&rig, rig_open(&rig, 0, 0), 1);
    rig_path(&rig, 0, 0, ".log", gone);
    restart(RIG_CLEAN);
    rig_call(&rig, remove_unknown, &unknown);
    ck_assert_int_eq(unknown.asked, 2);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, gone), -1);
    ck_assert_int_gt(sim_disk_file_size(rig.disk, kept), 0);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.partitions, 1);
    rig.topic = mine;
    ck_assert_int_eq(replica_snapshot(rig_open(&rig, 0, 1))->high_watermark, 1);
}
END_TEST

struct ids {
    struct producer_id_request requests[3];
    int64_t given[3];
    enum err errs[3];
    int count;
};

static struct ids ids;

static void on_id(struct producer_id_request *request, enum err err, int64_t producer_id)
{
    (void)request;
    ids.errs[ids.count] = err;
    ids.given[ids.count++] = producer_id;
}

static void ask_ids(void *context)
{
    int64_t registration = *(int64_t *)context;

    ids = (struct ids){.count = 0};
    if (registration >= 0)
        log_directory_set_producer_registration(rig.directory, registration);
    for (int i = 0; i < 3; i++) {
        ids.requests[i].done = on_id;
        log_directory_next_producer_id(rig.directory, &ids.requests[i]);
    }
}

START_TEST(producer_ids_are_never_given_twice)
{
    int64_t none = -1;
    int64_t registration = 7;

    rig_call(&rig, ask_ids, &none);
    ck_assert_int_eq(ids.errs[0], ERR_UNAVAILABLE);
    rig_call(&rig, ask_ids, &registration);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ids.errs[i], ERR_OK);
        ck_assert_int_eq(ids.given[i], ((int64_t)7 << 32) + i);
    }
    rig_call(&rig, ask_ids, &none);
    ck_assert_int_eq(ids.given[2], ((int64_t)7 << 32) + 5);
    restart(RIG_POWER_CUT);
    rig_call(&rig, ask_ids, &none); /* the registration is kept in the directory */
    ck_assert_int_eq(ids.given[0], ((int64_t)7 << 32) + 1000);
}
END_TEST

START_TEST(many_partitions_cost_a_bounded_number_of_open_files)
{
    for (int i = 0; i < 1100; i++)
        rig_put(&rig, rig_open(&rig, i, 0), 1);
    ck_assert_int_le(sim_disk_open_files(rig.disk), 1024 + 2);
    restart(RIG_CLEAN);
    ck_assert_int_le(sim_disk_open_files(rig.disk), 1024 + 2);
    ck_assert_int_eq(rig.report.partitions, 1100);
    ck_assert_int_eq(rig_read_all(&rig, rig_open(&rig, 77, 1), 0, 77), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/log_directory");
    TCase *tc = tcase_create("log_directory");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_directory_keeps_its_identity_and_refuses_another_broker);
    tcase_add_test(tc, an_unknown_format_is_refused_and_says_what_to_do);
    tcase_add_test(tc, a_second_process_finds_it_locked);
    tcase_add_test(tc, the_cell_is_learned_once_and_kept);
    tcase_add_test(tc, what_was_flushed_is_not_read_again_after_a_clean_end_nor_after_a_kill);
    tcase_add_test(tc, a_torn_tail_is_cut);
    tcase_add_test(tc, damage_below_what_was_flushed_isolates_the_partition_for_good_and_no_other);
    tcase_add_test(tc, a_flipped_bit_is_not_served);
    tcase_add_loop_test(tc, a_base_offset_that_flipped_under_an_entry_of_the_index_is_not_served, 0,
                        2);
    tcase_add_test(tc, a_missing_segment_isolates_and_a_missing_index_does_not);
    tcase_add_test(tc, a_snapshot_of_producers_beyond_the_end_is_forgotten_before_the_log_goes_on);
    tcase_add_test(tc, a_file_that_comes_back_after_a_clean_end_is_known_with_its_epochs);
    tcase_add_loop_test(
        tc, a_segment_that_a_start_removed_does_not_come_back_in_the_place_of_an_older_one, 0, 10);
    tcase_add_test(tc, a_failed_sync_fails_the_directory_and_reads_go_on);
    tcase_add_test(tc, a_full_disk_refuses_and_recovers_when_there_is_room_again);
    tcase_add_test(tc, a_trim_works_on_a_full_disk_and_frees_it);
    tcase_add_test(tc, topics_that_nobody_knows_are_removed_and_known_ones_stay);
    tcase_add_test(tc, producer_ids_are_never_given_twice);
    tcase_add_test(tc, many_partitions_cost_a_bounded_number_of_open_files);
    suite_add_tcase(suite, tc);
    return suite;
}
