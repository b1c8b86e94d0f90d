/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of producers after a death in the middle of a round that moves the log start. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define DEATHS 40 /* a round changes the disk less often */
#define TWO_BATCHES_A_SEGMENT 200
#define PRODUCER_ID_AT 50 /* the last byte of it, in a batch */
#define PRODUCERS 20      /* so that a snapshot of them is larger than a batch */
#define ROOM_ENOUGH_BYTES 4096
#define STEP_BYTES 128
#define FULL_PAUSE_IS_OVER_US 1100000

static struct storage_rig rig;
static struct replica *replica;

static void setup(void)
{
    rig_init(&rig, 1);
    rig.config.segment_bytes = TWO_BATCHES_A_SEGMENT;
    rig.wal_file_bytes = 4096;
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 1);
}

static void teardown(void)
{
    rig_done(&rig);
}

/* Both in one turn of the loop, so in one round. */
struct both {
    struct replica_trim trim;
    struct replica_append append;
};

static void on_append(struct replica_append *append)
{
    (void)append;
}

static void on_trim(struct replica_trim *trim)
{
    (void)trim;
}

static void submit_both(void *context)
{
    struct both *both = context;

    replica_trim_submit(&both->trim);
    replica_append_submit(&both->append);
}

static void append_and_trim(const struct sim_batch *batch, log_offset trim_to)
{
    struct loop *home = sim_executor_loop(rig.executor, 0);
    struct buffer bytes;
    struct both both;

    buffer_init(&bytes, 4096);
    sim_batch_write(batch, &bytes);
    both = (struct both){
        .append = {.replica = replica,
                   .records = bytes.data,
                   .records_len = bytes.len,
                   .acks = -1,
                   .produce_version = 9,
                   .home = home,
                   .done = on_append},
        .trim = {.replica = replica, .home = home, .offset = trim_to, .done = on_trim},
    };
    rig_call(&rig, submit_both, &both);
    buffer_done(&bytes);
}

START_TEST(a_trim_that_dies_at_any_step_forgets_no_producer)
{
    struct sim_batch first = rig_batch(&rig, 1);
    struct sim_batch last = rig_batch(&rig, 1);

    first.producer_id = 77;
    ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 1);
    ck_assert_int_eq(rig_put(&rig, replica, 1), 2); /* the second segment */
    sim_disk_die_after(rig.disk, 1 + _i);
    append_and_trim(&last, 2);
    ck_assert(_i < DEATHS / 2 || !sim_disk_is_dead(rig.disk));
    rig_stop(&rig, RIG_POWER_CUT);
    sim_disk_die_after(rig.disk, -1);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 2);
    ck_assert_int_eq(rig_append(&rig, replica, &first).error, KAFKA_NONE);
    ck_assert_int_eq(rig_append(&rig, replica, &first).base_offset, 0);
}
END_TEST

/* Each producer appends one batch; the last append rolls. */
static void append_of_each(int producers)
{
    for (int i = 0; i < producers; i++) {
        struct sim_batch batch = rig_batch(&rig, 1);

        batch.producer_id = i;
        (void)rig_append(&rig, replica, &batch);
    }
}

static void leave_room(int64_t bytes)
{
    struct sim_disk_faults faults = {.capacity_bytes =
                                         bytes == 0 ? 0 : sim_disk_used_bytes(rig.disk) + bytes};

    sim_disk_set_faults(rig.disk, &faults);
}

/* The roll finds room for its batch but perhaps none for its snapshot, the trim and its append perhaps none for the
 * catalogue. Another log's append, when there is room again, writes what the catalogue is owed. */
static void trim_on_a_full_disk(int64_t room_to_roll, int64_t room_to_trim)
{
    struct sim_batch last;
    struct sim_batch rolls;
    struct sim_batch next;

    append_of_each(PRODUCERS - 1);
    last = rig_batch(&rig, 1);
    last.producer_id = 77;
    ck_assert_int_eq(rig_append(&rig, replica, &last).base_offset, PRODUCERS - 1);
    rolls = rig_batch(&rig, 1);
    leave_room(room_to_roll);
    if (rig_append(&rig, replica, &rolls).error != KAFKA_NONE)
        return;
    next = rig_batch(&rig, 1);
    leave_room(room_to_trim);
    append_and_trim(&next, PRODUCERS);
    leave_room(0);
    sim_executor_run_for(rig.executor, FULL_PAUSE_IS_OVER_US);
    (void)rig_put(&rig, rig_open(&rig, 1, 1), 1);
    rig_stop(&rig, RIG_KILL);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 2);
    ck_assert_int_eq(rig_append(&rig, replica, &last).error, KAFKA_NONE);
    ck_assert_int_eq(rig_append(&rig, replica, &last).base_offset, PRODUCERS - 1);
}

START_TEST(a_trim_that_finds_the_disk_full_forgets_no_producer)
{
    for (int64_t room = STEP_BYTES; room < ROOM_ENOUGH_BYTES; room += STEP_BYTES) {
        trim_on_a_full_disk(STEP_BYTES * (1 + _i), room);
        teardown();
        setup();
    }
}
END_TEST

/* Without a snapshot the log says what is known of producers; headers that a CRC did not vouch for say nothing. */
START_TEST(producers_are_read_from_whole_batches_only)
{
    struct sim_batch batch = rig_batch(&rig, 1);
    char path[128];

    batch.producer_id = 77;
    ck_assert_int_eq(rig_append(&rig, replica, &batch).base_offset, 0);
    rig_stop(&rig, RIG_CLEAN);
    rig_path(&rig, 0, 1, ".producers", path);
    ck_assert_int_eq(rig.disk->ops->remove(rig.disk, path), ERR_OK);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    replica = rig_open(&rig, 0, 2);
    ck_assert_int_eq(rig_append(&rig, replica, &batch).base_offset, 0);
    rig_stop(&rig, RIG_CLEAN);
    ck_assert_int_eq(sim_disk_file_size(rig.disk, path), -1);
    rig_path(&rig, 0, 0, ".log", path);
    ck_assert(sim_disk_flip_bit(rig.disk, path, PRODUCER_ID_AT, 0));
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
    ck_assert_int_eq(rig.report.corrupt_partitions, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/producer_recovery");
    TCase *tc = tcase_create("producer_recovery");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_trim_that_dies_at_any_step_forgets_no_producer, 0, DEATHS);
    tcase_add_loop_test(tc, a_trim_that_finds_the_disk_full_forgets_no_producer, 0,
                        ROOM_ENOUGH_BYTES / STEP_BYTES);
    tcase_add_test(tc, producers_are_read_from_whole_batches_only);
    suite_add_tcase(suite, tc);
    return suite;
}
