/* SPDX-License-Identifier: Apache-2.0 */
/* Storage scenarios. STORAGE_SEEDS=n runs n seeds of each, from STORAGE_FIRST_SEED (1) on; STORAGE_SEED=s only that
 * one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/storage/flush_round.h"
#include "tests/simulation/storage_scenario.h"
#include "tests/support/check_main.h"

#define SEEDS 60

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* What the usual seeds together must have seen; a few, or others, need not. */
static bool is_few(void)
{
    return getenv("STORAGE_SEED") != NULL || getenv("STORAGE_FIRST_SEED") != NULL ||
           number_from("STORAGE_SEEDS", SEEDS) < SEEDS;
}

static void add(struct storage_scenario_result *sum, const struct storage_scenario_result *one)
{
    sum->acknowledged_records += one->acknowledged_records;
    sum->read_records += one->read_records;
    sum->duplicates_answered += one->duplicates_answered;
    sum->trims += one->trims;
    sum->recoveries += one->recoveries;
    sum->clean_starts += one->clean_starts;
    sum->torn_bytes += one->torn_bytes;
    sum->isolated += one->isolated;
    sum->damaged_reads += one->damaged_reads;
    sum->refused_appends += one->refused_appends;
    sum->deaths_at_start += one->deaths_at_start;
    sum->compacted_away += one->compacted_away;
    sum->spoiled_indexes += one->spoiled_indexes;
    sum->failed_reads += one->failed_reads;
    sum->stalls += one->stalls;
    sum->removals += one->removals;
    sum->spares_taken += one->spares_taken;
    sum->spares_found += one->spares_found;
}

static void run_seeds(struct storage_scenario_options options, struct storage_scenario_result *sum)
{
    uint64_t only = number_from("STORAGE_SEED", 0);
    uint64_t first = only != 0 ? only : number_from("STORAGE_FIRST_SEED", 1);
    uint64_t seeds = only != 0 ? 1 : number_from("STORAGE_SEEDS", SEEDS);

    *sum = (struct storage_scenario_result){.is_broken = false};
    for (uint64_t i = 0; i < seeds; i++) {
        struct storage_scenario_result result;

        options.seed = first + i;
        options.is_verbose = getenv("STORAGE_VERBOSE") != NULL;
        storage_scenario_run(&options, &result);
        ck_assert_msg(!result.is_broken, "seed %" PRIu64 ", %d loops: %s", options.seed,
                      options.loop_count, result.why);
        add(sum, &result);
    }
}

static const int loop_counts[] = {1, 2, 4};

START_TEST(nothing_acknowledged_is_lost_whatever_ends_a_life)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i],
        .lives = 12,
        .steps = 200,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.acknowledged_records, 1000);
    ck_assert_int_gt(sum.read_records, 1000);
    ck_assert_int_gt(sum.duplicates_answered, 10);
    ck_assert_int_gt(sum.trims, 10);
    ck_assert_int_gt(sum.recoveries, 10);
    ck_assert_int_gt(sum.clean_starts, 10);
    ck_assert_int_gt(sum.torn_bytes, 100);
    ck_assert_int_gt(sum.deaths_at_start, 10);
}
END_TEST

START_TEST(a_full_disk_refuses_appends_and_loses_nothing)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i],
        .lives = 5,
        .steps = 400,
        .has_full_disk = true,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (!is_few())
        ck_assert_int_gt(sum.refused_appends, 100);
}
END_TEST

START_TEST(a_failing_disk_fails_the_directory_and_loses_nothing)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i],
        .lives = 5,
        .steps = 400,
        .has_failing_disk = true,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (!is_few())
        ck_assert_int_gt(sum.refused_appends, 100);
}
END_TEST

/* _i / 3 == 1: the policy changes, and what was durable when it became `os` survives a power cut, too. */
START_TEST(with_flush_os_a_kill_or_a_clean_stop_loses_nothing)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 6,
        .steps = 300,
        .has_os_flush = true,
        .has_policy_changes = _i / 3 == 1,
        .has_stalls = true,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
}
END_TEST

START_TEST(flipped_bits_are_never_served)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 4,
        .steps = 300,
        .has_bit_flips = true,
        .has_compaction = _i / 3 == 1,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    /* Most are below a checkpoint, and seen when they are read, or mended from the write-ahead log. */
    ck_assert_int_gt(sum.isolated, options.has_compaction ? 0 : 5);
    ck_assert_int_gt(sum.damaged_reads, 20);
}
END_TEST

START_TEST(an_index_that_is_damaged_or_wrong_misleads_no_reader)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i],
        .lives = 4,
        .steps = 300,
        .has_bad_indexes = true,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (!is_few())
        ck_assert_int_gt(sum.spoiled_indexes, 300);
}
END_TEST

/* Half of them with compaction, which reads, too. */
START_TEST(a_read_that_fails_says_so_and_harms_nothing)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 4,
        .steps = 300,
        .has_read_errors = true,
        .has_bad_indexes = true,
        .has_compaction = _i / 3 == 1,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (!is_few())
        ck_assert_int_gt(sum.failed_reads, 20);
}
END_TEST

START_TEST(a_partition_that_is_deleted_is_gone_and_its_successor_begins_at_nothing)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 6,
        .steps = 300,
        .has_removals = true,
        .has_stalls = true,
        .has_compaction = _i / 3 == 1,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.removals, 200);
    ck_assert_int_gt(sum.acknowledged_records, 1000);
}
END_TEST

START_TEST(a_disk_that_stalls_delays_and_loses_nothing)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 4,
        .steps = 300,
        .has_stalls = true,
        .has_compaction = _i / 3 == 1,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.stalls, 100);
    ck_assert_int_gt(sum.acknowledged_records, 1000);
}
END_TEST

/* A third with everything that writes, a third with flipped bits. */
START_TEST(zeros_behind_what_was_appended_are_no_records_and_hide_no_loss)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 8,
        .steps = 300,
        .has_zeros = true,
        .has_full_disk = _i / 3 == 1,
        .has_failing_disk = _i / 3 == 1,
        .has_compaction = _i / 3 == 1,
        .has_removals = _i / 3 == 1,
        .has_bit_flips = _i / 3 == 2,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.acknowledged_records, 1000);
    ck_assert_int_gt(sum.recoveries, 10);
    ck_assert_int_gt(sum.clean_starts, 10);
}
END_TEST

/* A third with everything that writes, a third under `os`. */
START_TEST(files_that_are_used_again_hold_nothing_of_what_they_held)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 8,
        .steps = 300,
        .has_spares = true,
        .has_removals = true,
        .has_zeros = _i / 3 == 1,
        .has_full_disk = _i / 3 == 1,
        .has_failing_disk = _i / 3 == 1,
        .has_compaction = _i / 3 == 1,
        .has_read_errors = _i / 3 == 1,
        .has_os_flush = _i / 3 == 2,
        .has_policy_changes = _i / 3 == 2,
        .has_stalls = _i / 3 == 2,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.acknowledged_records, 1000);
    ck_assert_int_gt(sum.removals, 100);
    ck_assert_int_gt(sum.spares_taken, 300);
    ck_assert_int_gt(sum.spares_found, 50);
}
END_TEST

/* What happens to the disk meanwhile. */
enum weather { FAIR, FULL, FAILING, WEATHERS };

START_TEST(a_compacted_log_has_the_newest_record_of_each_key_for_ever)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 6,
        .steps = 400,
        .has_compaction = true,
        .has_full_disk = _i / 3 == FULL,
        .has_failing_disk = _i / 3 == FAILING,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.compacted_away, 1000);
    ck_assert_int_gt(sum.duplicates_answered, 10);
    ck_assert_int_gt(sum.recoveries, 10);
}
END_TEST

/* Half of them with flipped bits, too. */
START_TEST(all_faults_at_once_lose_nothing_and_serve_nothing_wrong)
{
    struct storage_scenario_options options = {
        .loop_count = loop_counts[_i % 3],
        .lives = 6,
        .steps = _i / 3 == 1 ? 1000 : 400, /* damage ends compaction early */
        .has_full_disk = true,
        .has_failing_disk = true,
        .has_bit_flips = _i / 3 == 1,
        .has_read_errors = true,
        .has_removals = true,
        .has_stalls = true,
        .has_bad_indexes = true,
        .has_compaction = true,
    };
    struct storage_scenario_result sum;

    run_seeds(options, &sum);
    if (is_few())
        return;
    ck_assert_int_gt(sum.acknowledged_records, 1000);
    ck_assert_int_gt(sum.refused_appends, 100);
    ck_assert_int_gt(sum.failed_reads, 5);
    ck_assert_int_gt(sum.removals, 100);
    ck_assert_int_gt(sum.stalls, 100);
    ck_assert_int_gt(sum.spoiled_indexes, 50);
    ck_assert_int_gt(sum.compacted_away, options.has_bit_flips ? 50 : 300);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_trace_twice)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct storage_scenario_options options = {
            .seed = seed,
            .loop_count = loop_counts[_i],
            .lives = 4,
            .steps = 300,
            .has_full_disk = true,
        };
        struct storage_scenario_result first, second;

        storage_scenario_run(&options, &first);
        storage_scenario_run(&options, &second);
        ck_assert_uint_eq(first.trace_hash, second.trace_hash);
        ck_assert_int_eq(first.acknowledged_records, second.acknowledged_records);
    }
}
END_TEST

/* Wrong on purpose: the checker must see it. */
static const struct {
    unsigned sabotage;
    bool has_full_disk;
    bool has_failing_disk;
    bool has_compaction;
    bool has_bad_indexes;
    bool has_spares;
    uint64_t first_seed; /* a rare one is looked for near where it was found once */
} sabotages[] = {
    {SABOTAGE_SKIP_SYNC, false, false, false, false, false, 1},
    {SABOTAGE_ACK_EARLY, false, false, false, false, false, 1},
    {SABOTAGE_TRUST_TAIL, false, false, false, false, false, 1},
    {SABOTAGE_LOG_REFUSED, true, false, false, false, false, 1},
    {SABOTAGE_REUSE_STALE, true, false, false, false, false, 1440},
    {SABOTAGE_SHORT_WRITE, false, true, false, false, false, 1},
    {SABOTAGE_CLEAN_NEWEST, false, false, true, false, false, 1},
    {SABOTAGE_CLEAN_UNSYNCED, false, false, true, false, false, 1},
    {SABOTAGE_TRUST_INDEX, false, false, false, true, false, 1},
    {SABOTAGE_SPARE_UNSYNCED, false, false, false, false, true, 1},
};

START_TEST(a_broken_log_is_found_out)
{
    int found = 0;

    uint64_t first_seed = sabotages[_i].first_seed;

    for (uint64_t seed = first_seed; seed < first_seed + 4000 && found == 0; seed++) {
        struct storage_scenario_options options = {
            .seed = seed,
            .loop_count = 2,
            .lives = 6,
            .steps = 300,
            .sabotage = sabotages[_i].sabotage,
            .has_full_disk = sabotages[_i].has_full_disk,
            .has_failing_disk = sabotages[_i].has_failing_disk,
            .has_compaction = sabotages[_i].has_compaction,
            .has_bad_indexes = sabotages[_i].has_bad_indexes,
            .has_spares = sabotages[_i].has_spares,
            .has_removals = sabotages[_i].has_spares,
        };
        struct storage_scenario_result result;

        storage_scenario_run(&options, &result);
        found += result.is_broken;
    }
    ck_assert_int_gt(found, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("simulation/storage");
    TCase *tc = tcase_create("storage");

    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, nothing_acknowledged_is_lost_whatever_ends_a_life, 0, 3);
    tcase_add_loop_test(tc, a_full_disk_refuses_appends_and_loses_nothing, 0, 3);
    tcase_add_loop_test(tc, a_failing_disk_fails_the_directory_and_loses_nothing, 0, 3);
    tcase_add_loop_test(tc, with_flush_os_a_kill_or_a_clean_stop_loses_nothing, 0, 6);
    tcase_add_loop_test(tc, flipped_bits_are_never_served, 0, 6);
    tcase_add_loop_test(tc, an_index_that_is_damaged_or_wrong_misleads_no_reader, 0, 3);
    tcase_add_loop_test(tc, a_read_that_fails_says_so_and_harms_nothing, 0, 6);
    tcase_add_loop_test(tc, a_partition_that_is_deleted_is_gone_and_its_successor_begins_at_nothing,
                        0, 6);
    tcase_add_loop_test(tc, a_disk_that_stalls_delays_and_loses_nothing, 0, 6);
    tcase_add_loop_test(tc, zeros_behind_what_was_appended_are_no_records_and_hide_no_loss, 0, 9);
    tcase_add_loop_test(tc, files_that_are_used_again_hold_nothing_of_what_they_held, 0, 9);
    tcase_add_loop_test(tc, a_compacted_log_has_the_newest_record_of_each_key_for_ever, 0,
                        3 * WEATHERS);
    tcase_add_loop_test(tc, all_faults_at_once_lose_nothing_and_serve_nothing_wrong, 0, 6);
    tcase_add_loop_test(tc, the_same_seed_gives_the_same_trace_twice, 0, 3);
    tcase_add_loop_test(tc, a_broken_log_is_found_out, 0,
                        (int)(sizeof(sabotages) / sizeof(sabotages[0])));
    suite_add_tcase(suite, tc);
    return suite;
}
