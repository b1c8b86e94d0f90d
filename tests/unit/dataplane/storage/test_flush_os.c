/* SPDX-License-Identifier: Apache-2.0 */
/* millrace.flush=os: what is acknowledged survives the process and need not survive the power; and how a log goes from one
 * policy to the other. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define SECOND_US ((int64_t)1000 * 1000)
#define WAL_BLOCK 64 /* of the rig */
#define WAL_FILE "wal-os/0"

static struct storage_rig rig;
static struct replica *replica;
static leader_epoch epoch;

static void setup(void)
{
    rig_init(&rig, 1);
    rig.wal_file_bytes = 8192;
    rig.config.flush = FLUSH_OS;
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    epoch = 0;
    replica = rig_open(&rig, 0, epoch);
}

static void teardown(void)
{
    rig_done(&rig);
}

static void restart(enum rig_end end)
{
    rig_stop(&rig, end);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, ++epoch);
    ck_assert_ptr_nonnull(replica);
}

static int64_t syncs_of(void (*act)(void))
{
    int64_t before = sim_disk_sync_count(rig.disk);

    act();
    return sim_disk_sync_count(rig.disk) - before;
}

static void put_one(void)
{
    rig_put(&rig, replica, 1);
}

static void put_forty(void)
{
    rig_put(&rig, replica, 40);
}

static void change_config(void *context)
{
    (void)context;
    replica_set_config(replica, &rig.config);
}

static void set_policy(enum flush_policy flush)
{
    rig.config.flush = flush;
    rig_call(&rig, change_config, NULL);
}

static int64_t size_of(const char *path)
{
    struct file *file = NULL;
    int64_t size = 0;

    if (rig.disk->ops->open(rig.disk, path, 0, &file) != ERR_OK)
        return -1;
    ck_assert_int_eq(file->ops->size(file, &size), ERR_OK);
    file->ops->close(file);
    return size;
}

static int64_t segment_bytes(void)
{
    char path[128];

    rig_path(&rig, 0, 0, ".log", path);
    return size_of(path);
}

static void lose_header(void)
{
    uint8_t zeros[WAL_BLOCK] = {0};
    struct iovec iov = {zeros, sizeof(zeros)};
    struct file *file = NULL;

    ck_assert_int_eq(rig.disk->ops->open(rig.disk, WAL_FILE, 0, &file), ERR_OK);
    ck_assert_int_eq(file->ops->write_at(file, 0, &iov, 1), ERR_OK);
    file->ops->close(file);
}

/* As in Apache Kafka, whose default it is. */
START_TEST(an_append_waits_for_no_device_and_under_commit_it_does)
{
    put_one(); /* the first one makes the files, durably */
    ck_assert_int_eq(syncs_of(put_one), 0);
    set_policy(FLUSH_COMMIT);
    put_one();
    ck_assert_int_gt(syncs_of(put_one), 0);
}
END_TEST

START_TEST(a_killed_process_loses_nothing_life_after_life)
{
    for (int life = 0; life < 5; life++) {
        for (int i = 0; i < 3; i++)
            put_one();
        restart(RIG_KILL);
        ck_assert_int_gt(rig.report.replayed_bytes, 0);
        ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 3 * (life + 1));
    }
}
END_TEST

START_TEST(it_goes_through_a_write_ahead_log_of_its_own)
{
    put_one();
    put_one();
    ck_assert_int_gt(size_of(WAL_FILE), 0);
    ck_assert_int_eq(size_of("wal/0"), -1);
    ck_assert_int_le(segment_bytes(), 0);
}
END_TEST

/* What goes through the write-ahead log does not leave the tail yet; what is twice as large would cost more in copies than
 * the device does. */
START_TEST(what_is_large_goes_straight_into_its_segment_and_a_killed_process_has_it)
{
    rig.small_bytes_max = 200; /* under commit; forty records are more than twice of it */
    restart(RIG_CLEAN);
    put_one();
    put_one();
    ck_assert_int_le(segment_bytes(), 0);
    put_forty(); /* makes the file, and its name is durable */
    ck_assert_int_gt(segment_bytes(), 2 * rig.small_bytes_max);
    ck_assert_int_eq(syncs_of(put_forty), 0);
    ck_assert_int_gt(segment_bytes(), 4 * rig.small_bytes_max);
    restart(RIG_KILL);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 82);
}
END_TEST

START_TEST(after_a_power_cut_a_log_is_a_prefix_and_goes_on)
{
    int64_t found = 0;

    for (int i = 0; i < 5; i++)
        put_one();
    restart(RIG_POWER_CUT);
    found = replica_snapshot(replica)->log_end;
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), found);
    rig.next_number = found;
    put_one();
    restart(RIG_KILL);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), found + 1);
}
END_TEST

START_TEST(a_checkpoint_makes_it_durable)
{
    put_one();
    put_one();
    sim_executor_run_for(rig.executor, 21 * SECOND_US);
    ck_assert_int_eq(segment_bytes(), replica_snapshot(replica)->size_bytes);
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig.report.replayed_bytes, 0);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 2);
}
END_TEST

/* Several times what all of them hold. Were they full, each append would go straight to its segment. */
START_TEST(its_files_are_used_again)
{
    int logged = 0;

    for (int i = 0; i < 1990; i++)
        put_one();
    for (int i = 0; i < 10; i++) {
        int64_t before = segment_bytes();

        put_one();
        logged += segment_bytes() == before;
    }
    ck_assert_int_gt(logged, 0);
    restart(RIG_KILL);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 2000);
}
END_TEST

/* Its block did not reach the device, the entries after it did. */
START_TEST(what_an_earlier_life_left_behind_a_lost_header_is_no_entry_of_this_one)
{
    for (int i = 0; i < 4; i++)
        put_one();
    rig_stop(&rig, RIG_KILL);
    lose_header();
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, ++epoch);
    ck_assert_int_eq(replica_snapshot(replica)->log_end, 0);
    rig.next_number = 0;
    put_one();
    restart(RIG_KILL);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 1);
}
END_TEST

START_TEST(once_the_policy_is_commit_all_of_the_log_is_durable)
{
    for (int i = 0; i < 3; i++)
        put_one();
    set_policy(FLUSH_COMMIT);
    put_one();
    restart(RIG_POWER_CUT);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), 4);
}
END_TEST

struct change {
    enum flush_policy from, to; /* of the log: three appends, then two */
    enum flush_policy others;   /* whose write-ahead log another one fills several times over */
    enum rig_end end;
    int64_t kept;
};

static const struct change changes[] = {
    {FLUSH_COMMIT, FLUSH_OS, FLUSH_COMMIT, RIG_POWER_CUT, 3},
    {FLUSH_COMMIT, FLUSH_OS, FLUSH_OS, RIG_KILL, 5},
    {FLUSH_OS, FLUSH_COMMIT, FLUSH_OS, RIG_POWER_CUT, 5},
    {FLUSH_OS, FLUSH_COMMIT, FLUSH_COMMIT, RIG_POWER_CUT, 5},
};

START_TEST(what_a_log_needs_stays_when_its_policy_changes_and_others_fill_the_files)
{
    const struct change *change = &changes[_i];
    struct replica *other = NULL;

    set_policy(change->from);
    for (int i = 0; i < 3; i++)
        put_one();
    set_policy(change->to);
    for (int i = 0; i < 2; i++)
        put_one();
    rig.config.flush = change->others;
    other = rig_open(&rig, 1, 0);
    for (int i = 0; i < 1500; i++)
        rig_put(&rig, other, 1);
    restart(change->end);
    ck_assert_int_ge(rig_read_all(&rig, replica, 0, 0), change->kept);
}
END_TEST

/* _i: how a life ends. */
START_TEST(the_policy_may_change_at_any_time)
{
    enum rig_end ends[] = {RIG_KILL, RIG_CLEAN};
    int count = 0;

    for (int change = 0; change < 20; change++) {
        set_policy(change % 2 == 0 ? FLUSH_COMMIT : FLUSH_OS);
        for (int i = 0; i < 1 + change % 3; i++, count++)
            put_one();
        if (change % 7 == 6)
            sim_executor_run_for(rig.executor, 11 * SECOND_US);
        if (change % 5 == 4)
            restart(ends[_i]);
        ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count);
    }
    restart(ends[_i]);
    ck_assert_int_eq(rig_read_all(&rig, replica, 0, 0), count);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/flush_os");
    TCase *tc = tcase_create("flush_os");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_append_waits_for_no_device_and_under_commit_it_does);
    tcase_add_test(tc, a_killed_process_loses_nothing_life_after_life);
    tcase_add_test(tc, it_goes_through_a_write_ahead_log_of_its_own);
    tcase_add_test(tc, what_is_large_goes_straight_into_its_segment_and_a_killed_process_has_it);
    tcase_add_test(tc, after_a_power_cut_a_log_is_a_prefix_and_goes_on);
    tcase_add_test(tc, a_checkpoint_makes_it_durable);
    tcase_add_test(tc, its_files_are_used_again);
    tcase_add_test(tc, what_an_earlier_life_left_behind_a_lost_header_is_no_entry_of_this_one);
    tcase_add_test(tc, once_the_policy_is_commit_all_of_the_log_is_durable);
    tcase_add_loop_test(tc,
                        what_a_log_needs_stays_when_its_policy_changes_and_others_fill_the_files, 0,
                        (int)(sizeof(changes) / sizeof(changes[0])));
    tcase_add_loop_test(tc, the_policy_may_change_at_any_time, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
