/* SPDX-License-Identifier: Apache-2.0 */
/* How much a fetch is answered with. */
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum {
    BATCH_BYTES = 700000,
    BATCHES = 5,
    NEAR_BYTES = 1 << 20, /* what a near client gets at once */
    MAX_WAIT_MS = 10000,
    FAR_US = 20000,
    MANY = 64
};

static void setup(void)
{
    rig_setup();
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    for (int i = 0; i < BATCHES; i++) {
        const struct sim_batch batch = {
            .count = 1, .padding = BATCH_BYTES, .timestamp_ms = 1700000000000, .producer_id = -1};

        rig_send_batch(&rig_client, "orders", &batch);
        ck_assert(sim_broker_wait(&rig, &rig_client));
        ck_assert_int_eq(rig_take_produce(&rig_client).error_code, KAFKA_NONE);
    }
}

static struct kafka_fetch_response_topic fetch_partitions(const char *name, int32_t count,
                                                          int32_t min_bytes)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partitions[MANY];
    struct kafka_fetch_response response;

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    for (int32_t i = 0; i < count; i++) {
        kafka_fetch_request_partition_init_defaults(&partitions[i]);
        partitions[i].partition = i;
        partitions[i].partition_max_bytes = 16 << 20;
    }
    request.max_wait_ms = MAX_WAIT_MS;
    request.min_bytes = min_bytes;
    request.max_bytes = 50 << 20;
    topic.topic = text(name);
    topic.partitions.items = partitions;
    topic.partitions.count = count;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(&rig_client, FETCH, fetch, 11, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    return response.responses.items[0];
}

static size_t fetch(int32_t min_bytes)
{
    return fetch_partitions("orders", 1, min_bytes).partitions.items[0].records.len;
}

static int64_t now_us(void)
{
    return clock_monotonic_us(sim_executor_clock(rig.executor));
}

START_TEST(a_near_client_gets_one_mebibyte_at_once)
{
    size_t len = fetch(1);

    ck_assert_uint_le(len, NEAR_BYTES);
    ck_assert_uint_gt(len, NEAR_BYTES - BATCH_BYTES - 1000);
}
END_TEST

START_TEST(a_near_client_that_waits_for_more_than_it_gets_at_once_does_not_wait)
{
    int64_t began_us = now_us();

    ck_assert_uint_gt(fetch(3 << 20), BATCH_BYTES - 1);
    ck_assert_int_lt(now_us() - began_us, MAX_WAIT_MS * 1000 / 2);
}
END_TEST

START_TEST(a_far_client_gets_what_a_fast_line_carries_in_a_round_trip)
{
    sim_client_set_round_trip(rig_client.client, FAR_US);
    ck_assert_uint_gt(fetch(1), BATCHES * BATCH_BYTES);
}
END_TEST

/* Each may take 16 MiB, none has so much. */
START_TEST(many_partitions_that_have_little_are_all_in_one_answer)
{
    const struct sim_batch batch = {
        .count = 1, .padding = 100, .timestamp_ms = 1700000000000, .producer_id = -1};
    struct kafka_fetch_response_topic topic;
    int32_t partitions[MANY];

    ck_assert_int_eq(rig_create_topic(&rig_client, "many", MANY), KAFKA_NONE);
    for (int32_t i = 0; i < MANY; i++)
        partitions[i] = i;
    rig_send_batches(&rig_client, "many", &batch, partitions, MANY);
    ck_assert(sim_broker_wait(&rig, &rig_client));
    (void)rig_take_produce(&rig_client);
    topic = fetch_partitions("many", MANY, 1);
    ck_assert_int_eq(topic.partitions.count, MANY);
    for (int32_t i = 0; i < MANY; i++)
        ck_assert_uint_gt(topic.partitions.items[i].records.len, 100);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/handlers/fetch");
    TCase *tc = tcase_create("fetch");

    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, a_near_client_gets_one_mebibyte_at_once);
    tcase_add_test(tc, a_near_client_that_waits_for_more_than_it_gets_at_once_does_not_wait);
    tcase_add_test(tc, a_far_client_gets_what_a_fast_line_carries_in_a_round_trip);
    tcase_add_test(tc, many_partitions_that_have_little_are_all_in_one_answer);
    suite_add_tcase(suite, tc);
    return suite;
}
