/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of producers after a death in the middle of a round that moves the log start. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#define DEATHS 40 /* a round changes the disk less often */
#define TWO_BATCHES_A_SEGMENT 200

static struct storage_rig rig;
static struct replica *replica;

static void setup(void)
{
    rig_init(&rig, 1);
    rig.config.segment_bytes = TWO_BATCHES_A_SEGMENT;
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

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/producer_recovery");
    TCase *tc = tcase_create("producer_recovery");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_trim_that_dies_at_any_step_forgets_no_producer, 0, DEATHS);
    suite_add_tcase(suite, tc);
    return suite;
}
