/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/storage/catalogue.h"
#include "tests/simulation/sim_disk.h"
#include "tests/support/check_main.h"

static struct disk *disk;
static struct catalogue *catalogue;
static const struct uuid directory_id = {{1, 2, 3}};
static const struct hash_seed seed = {5, 6};
static const struct log_identity first = {{{7}}, 0};
static const struct log_identity second = {{{7}}, 1};

static void setup(void)
{
    disk = sim_disk_new(1, NULL);
    ck_assert_int_eq(catalogue_open(disk, directory_id, seed, true, &catalogue, NULL), ERR_OK);
}

static void teardown(void)
{
    catalogue_free(catalogue);
    sim_disk_free(disk);
}

static enum err reopen(struct error *error)
{
    catalogue_free(catalogue);
    catalogue = NULL;
    return catalogue_open(disk, directory_id, seed, false, &catalogue, error);
}

static void fill(void)
{
    const struct producers_fact producers = {20, 10, 700, 4};
    struct segment_fact segment = {0, 10, 1000, 77, 0};

    ck_assert_int_eq(catalogue_add_log(catalogue, &first), ERR_OK);
    ck_assert_int_eq(catalogue_add_log(catalogue, &second), ERR_OK);
    ck_assert_int_eq(catalogue_add_epoch(catalogue, &first, (struct epoch_entry){3, 0}), ERR_OK);
    ck_assert_int_eq(catalogue_add_segment(catalogue, &first, &segment), ERR_OK);
    segment = (struct segment_fact){10, 20, 900, 78, 0};
    ck_assert_int_eq(catalogue_add_segment(catalogue, &first, &segment), ERR_OK);
    segment = (struct segment_fact){20, 25, 300, 79, 0};
    ck_assert_int_eq(catalogue_set_flushed(catalogue, &first, &segment), ERR_OK);
    ck_assert_int_eq(catalogue_set_producers(catalogue, &first, &producers), ERR_OK);
    ck_assert_int_eq(catalogue_set_log_start(catalogue, &first, 12), ERR_OK);
    ck_assert_int_eq(catalogue_isolate_log(catalogue, &second), ERR_OK);
    ck_assert_int_eq(catalogue_set_producer_ids(catalogue, 9, 3000), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
}

static void check_filled(void)
{
    const struct log_facts *facts = catalogue_find(catalogue, &first);

    ck_assert_ptr_nonnull(facts);
    ck_assert_int_eq(facts->cleaned_end, 0);
    ck_assert_int_eq(facts->log_start, 12);
    ck_assert_int_eq(facts->segment_count, 1); /* the first lies below the log start */
    ck_assert_int_eq(facts->segments[0].base_offset, 10);
    ck_assert_int_eq(facts->segments[0].max_timestamp, 78);
    ck_assert_int_eq(facts->flushed.end_offset, 25);
    ck_assert_int_eq(facts->epoch_count, 1);
    ck_assert_int_eq(facts->epochs[0].epoch, 3);
    ck_assert_int_eq(facts->producers.offset, 20);
    ck_assert_int_eq(facts->producers.segment, 10);
    ck_assert_int_eq(facts->producers.position, 700);
    ck_assert_int_eq(facts->producers.count, 4);
    ck_assert(!facts->is_isolated);
    ck_assert(catalogue_find(catalogue, &second)->is_isolated);
    ck_assert_int_eq(catalogue_producer_registration(catalogue), 9);
    ck_assert_int_eq(catalogue_producer_counter(catalogue), 3000);
}

START_TEST(facts_are_there_again_after_a_power_cut)
{
    fill();
    check_filled();
    catalogue_free(catalogue);
    catalogue = NULL;
    sim_disk_crash(disk);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    check_filled();
    ck_assert_int_eq(catalogue_remove_log(catalogue, &first), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    ck_assert_ptr_null(catalogue_find(catalogue, &first));
}
END_TEST

static void check_exchanged(log_offset cleaned_end)
{
    const struct log_facts *facts = catalogue_find(catalogue, &first);

    ck_assert_int_eq(facts->segment_count, 2);
    ck_assert_int_eq(facts->segments[0].base_offset, 10);
    ck_assert_int_eq(facts->segments[0].end_offset, 25);
    ck_assert_int_eq(facts->segments[0].generation, 3);
    ck_assert_int_eq(facts->segments[1].base_offset, 25);
    ck_assert_int_eq(facts->segments[1].generation, 0);
    /* It was said of one of those that are gone. */
    ck_assert_int_eq(facts->flushed.size_bytes, 400);
    ck_assert_int_eq(facts->cleaned_end, cleaned_end);
}

START_TEST(one_segment_takes_the_place_of_several)
{
    struct segment_fact middle = {20, 25, 300, 79, 0};
    struct segment_fact newest = {25, 30, 300, 79, 0};
    struct segment_fact cleaned = {10, 25, 400, 79, 3};

    fill();
    ck_assert_int_eq(catalogue_add_segment(catalogue, &first, &middle), ERR_OK);
    ck_assert_int_eq(catalogue_add_segment(catalogue, &first, &newest), ERR_OK);
    ck_assert_int_eq(catalogue_replace_segments(catalogue, &first, &cleaned), ERR_OK);
    ck_assert_int_eq(catalogue_set_cleaned(catalogue, &first, 25), ERR_OK);
    check_exchanged(25);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    catalogue_free(catalogue);
    catalogue = NULL;
    sim_disk_crash(disk);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    check_exchanged(25);
}
END_TEST

START_TEST(only_a_whole_stretch_of_closed_segments_can_be_replaced)
{
    static const struct segment_fact stretches[] = {
        {0, 20, 1, 1, 1},  {10, 15, 1, 1, 1}, {10, 30, 1, 1, 1},
        {12, 20, 1, 1, 1}, {20, 25, 1, 1, 1}, {10, 10, 1, 1, 1},
    };

    fill();
    for (size_t i = 0; i < sizeof(stretches) / sizeof(stretches[0]); i++) {
        ck_assert(!catalogue_has_stretch(catalogue_find(catalogue, &first),
                                         stretches[i].base_offset, stretches[i].end_offset));
        ck_assert_int_eq(catalogue_replace_segments(catalogue, &first, &stretches[i]), ERR_CORRUPT);
    }
    check_filled();
    ck_assert(catalogue_has_stretch(catalogue_find(catalogue, &first), 10, 20));
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    check_filled();
}
END_TEST

START_TEST(only_a_clean_mark_at_the_very_end_means_clean)
{
    fill();
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    ck_assert(!catalogue_was_clean(catalogue));
    ck_assert_int_eq(catalogue_mark(catalogue, true), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    ck_assert(catalogue_was_clean(catalogue));
    ck_assert_int_eq(catalogue_mark(catalogue, false), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    ck_assert(!catalogue_was_clean(catalogue));
}
END_TEST

START_TEST(history_is_dropped_when_there_is_too_much_and_facts_stay)
{
    struct segment_fact flushed = {20, 25, 300, 79, 0};
    int64_t largest = 0;

    fill();
    for (int i = 0; i < 40000; i++) {
        int64_t size = 0;

        ck_assert_int_eq(catalogue_set_flushed(catalogue, &first, &flushed), ERR_OK);
        ck_assert_int_eq(catalogue_commit(catalogue, false), ERR_OK);
        size = sim_disk_file_size(disk, "catalogue");
        largest = size > largest ? size : largest;
    }
    ck_assert_int_lt(largest, (1 << 20) + 200);
    ck_assert_int_lt(sim_disk_file_size(disk, "catalogue"), largest);
    check_filled();
    catalogue_free(catalogue);
    catalogue = NULL;
    sim_disk_crash(disk);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    check_filled();
}
END_TEST

START_TEST(a_torn_tail_is_cut_and_damage_in_what_was_durable_is_refused)
{
    struct error error;
    int64_t durable = 0;
    int64_t size = 0;

    fill();
    durable = sim_disk_file_size(disk, "catalogue");
    ck_assert_int_eq(catalogue_set_log_start(catalogue, &first, 13), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    size = sim_disk_file_size(disk, "catalogue");
    /* The last entry: nothing says that it was durable. */
    ck_assert(sim_disk_flip_bit(disk, "catalogue", size - 3, 2));
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    check_filled();
    ck_assert_int_eq(sim_disk_file_size(disk, "catalogue"), durable);
    /* An older one: the next says so. */
    ck_assert_int_eq(catalogue_set_log_start(catalogue, &first, 13), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    for (int64_t at = 28; at < durable; at++) {
        ck_assert(sim_disk_flip_bit(disk, "catalogue", at, 4));
        ck_assert_int_eq(reopen(&error), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(error.message, "restore"));
        ck_assert(sim_disk_flip_bit(disk, "catalogue", at, 4));
    }
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    ck_assert_int_eq(catalogue_find(catalogue, &first)->log_start, 13);
}
END_TEST

START_TEST(another_version_or_directory_is_refused)
{
    struct uuid other = {{9}};
    struct error error;

    catalogue_free(catalogue);
    catalogue = NULL;
    ck_assert_int_eq(catalogue_open(disk, other, seed, false, &catalogue, &error), ERR_FENCED);
    ck_assert(sim_disk_flip_bit(disk, "catalogue", 2, 0));
    ck_assert_int_eq(catalogue_open(disk, directory_id, seed, false, &catalogue, &error),
                     ERR_CORRUPT);
}
END_TEST

START_TEST(a_full_disk_keeps_what_was_to_be_written_for_later)
{
    struct sim_disk_faults full = {0};
    struct sim_disk_faults roomy = {0};
    int64_t size = 0;

    fill();
    size = sim_disk_file_size(disk, "catalogue");
    full.capacity_bytes = sim_disk_used_bytes(disk) + 10;
    sim_disk_set_faults(disk, &full);
    ck_assert_int_eq(catalogue_set_log_start(catalogue, &first, 14), ERR_OK);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_NO_SPACE);
    ck_assert_int_eq(sim_disk_file_size(disk, "catalogue"), size);
    sim_disk_set_faults(disk, &roomy);
    ck_assert_int_eq(catalogue_commit(catalogue, true), ERR_OK);
    ck_assert_int_eq(reopen(NULL), ERR_OK);
    ck_assert_int_eq(catalogue_find(catalogue, &first)->log_start, 14);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/catalogue");
    TCase *tc = tcase_create("catalogue");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, facts_are_there_again_after_a_power_cut);
    tcase_add_test(tc, one_segment_takes_the_place_of_several);
    tcase_add_test(tc, only_a_whole_stretch_of_closed_segments_can_be_replaced);
    tcase_add_test(tc, only_a_clean_mark_at_the_very_end_means_clean);
    tcase_add_test(tc, history_is_dropped_when_there_is_too_much_and_facts_stay);
    tcase_add_test(tc, a_torn_tail_is_cut_and_damage_in_what_was_durable_is_refused);
    tcase_add_test(tc, another_version_or_directory_is_refused);
    tcase_add_test(tc, a_full_disk_keeps_what_was_to_be_written_for_later);
    suite_add_tcase(suite, tc);
    return suite;
}
