/* SPDX-License-Identifier: Apache-2.0 */
/* What ./check counts: a simulated broker, on one thread and the same each time, that takes or gives one batch
 * of 16 KiB after the other.
 *
 * Only what runs in measured_wait counts, and each turn of the broker for the measured batches runs there. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum { WARM_UP = 50, MEASURED_BATCHES = 100, PADDING = 16384 - 80 };

/* ./check looks for it by its name: it is a function of its own. */
void measured_wait(struct sim_kafka *kafka);

static struct sim_kafka consumer;

__attribute__((noinline)) void measured_wait(struct sim_kafka *kafka)
{
    ck_assert(sim_broker_wait(&rig, kafka));
}

static void wait_for(struct sim_kafka *kafka, bool is_measured)
{
    if (is_measured)
        measured_wait(kafka);
    else
        ck_assert(sim_broker_wait(&rig, kafka));
}

/* Returns the offset of the batch. */
static int64_t produce(bool is_measured)
{
    static const struct sim_batch batch = {.count = 1,
                                           .padding = PADDING,
                                           .timestamp_ms = 1700000000000,
                                           .producer_id = -1,
                                           .base_sequence = -1};
    struct kafka_produce_response_partition answer;

    rig_send_batch(&rig_client, "orders", &batch);
    wait_for(&rig_client, is_measured);
    answer = rig_take_produce(&rig_client);
    ck_assert_int_eq(answer.error_code, KAFKA_NONE);
    return answer.base_offset;
}

static void fetch(int64_t offset, bool is_measured)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partition;
    struct kafka_fetch_response response;

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    kafka_fetch_request_partition_init_defaults(&partition);
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 1 << 20;
    topic.topic = text("orders");
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.min_bytes = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_kafka_send(&consumer, KAFKA_API_FETCH, 11, kafka_fetch_request, &request);
    wait_for(&consumer, is_measured);
    sim_kafka_answer(&consumer, kafka_fetch_response, &response);
    ck_assert_int_eq(sim_records_end(response.responses.items[0].partitions.items[0].records),
                     offset + 1);
}

static void setup(void)
{
    rig_setup();
    sim_broker_connect(&rig, 0, &consumer);
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    rig_run_ms(10000); /* what is known of the topic is written down */
}

static void teardown(void)
{
    sim_kafka_done(&consumer);
    rig_teardown();
}

START_TEST(produce_batches)
{
    for (int i = 0; i < WARM_UP + MEASURED_BATCHES; i++)
        (void)produce(i >= WARM_UP);
}
END_TEST

START_TEST(fetch_batches)
{
    for (int i = 0; i < WARM_UP + MEASURED_BATCHES; i++)
        fetch(produce(false), i >= WARM_UP);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *tc = tcase_create(name);

    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("instructions");

    add_case(suite, "produce", produce_batches);
    add_case(suite, "fetch", fetch_batches);
    return suite;
}
