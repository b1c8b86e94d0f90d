/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that workers check keep their place: those of an idempotent producer that were sent after them
 * are appended after them, whatever a worker takes. */
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum {
    HEAVY_PADDING = 1048503,
    /* over what a loop checks, under max.message.bytes */ ROUNDS = 6,
    MAX_STEPS = 1000000
};

static int64_t producer_id;

static void get_producer_id(void)
{
    struct kafka_init_producer_id_request request;
    struct kafka_init_producer_id_response response;

    kafka_init_producer_id_request_init_defaults(&request);
    request.transactional_id = SLICE_NULL;
    rig_call(&rig_client, INIT_PRODUCER_ID, init_producer_id, 4, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    producer_id = response.producer_id;
}

static int16_t set_topic(const char *name, const char *value)
{
    return rig_alter(&rig_client, "orders", name, value).error_code;
}

static void send_batch(int32_t sequence, int32_t padding)
{
    const struct sim_batch batch = {.first_number = sequence,
                                    .count = 1,
                                    .padding = padding,
                                    .timestamp_ms = 1700000000000,
                                    .producer_id = producer_id,
                                    .base_sequence = sequence};

    rig_send_batch(&rig_client, "orders", &batch);
}

static void expect_in_order(int32_t first_correlation_id, int count)
{
    for (int i = 0; i < count; i++) {
        struct kafka_produce_response response;

        rig_client.correlation_id = first_correlation_id + i;
        ck_assert(sim_broker_wait(&rig, &rig_client));
        sim_kafka_answer(&rig_client, kafka_produce_response, &response);
        ck_assert_int_eq(response.responses.items[0].partition_responses.items[0].error_code,
                         KAFKA_NONE);
        ck_assert_int_eq(response.responses.items[0].partition_responses.items[0].base_offset, i);
    }
}

static void send_all_and_expect_order(void)
{
    int32_t first = rig_client.correlation_id + 1;

    for (int32_t i = 0; i < 2 * ROUNDS; i++)
        send_batch(i, i % 2 == 0 ? HEAVY_PADDING : 10);
    expect_in_order(first, 2 * ROUNDS);
}

START_TEST(small_batches_wait_for_the_large_one_before_them)
{
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    get_producer_id();
    send_all_and_expect_order();
}
END_TEST

START_TEST(batches_that_are_packed_anew_keep_their_order)
{
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(set_topic("compression.type", "zstd"), KAFKA_NONE);
    get_producer_id();
    send_all_and_expect_order();
}
END_TEST

/* More connections than an instance may have checks under way: each gets its turn. */
START_TEST(many_connections_with_large_batches_all_get_through)
{
    enum { CONNECTIONS = 12 };
    struct sim_kafka clients[CONNECTIONS];
    struct sim_kafka keep = rig_client;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    keep = rig_client;
    producer_id = -1;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            if (round == 0)
                sim_broker_connect(&rig, 0, &clients[i]);
            rig_client = clients[i];
            send_batch(-1, i % 3 == 2 ? 10 : HEAVY_PADDING);
            clients[i] = rig_client;
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            struct kafka_produce_response response;

            ck_assert_msg(sim_broker_wait(&rig, &clients[i]), "connection %d waits for ever", i);
            sim_kafka_answer(&clients[i], kafka_produce_response, &response);
            ck_assert_int_eq(response.responses.items[0].partition_responses.items[0].error_code,
                             KAFKA_NONE);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        sim_kafka_done(&clients[i]);
    rig_client = keep;
}
END_TEST

/* The worker's work goes on, and finds everything still there. */
START_TEST(a_connection_that_goes_while_its_batch_is_checked_takes_nothing_along)
{
    struct sim_kafka gone;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    get_producer_id();
    gone = rig_client;
    sim_broker_connect(&rig, 0, &rig_client);
    for (int32_t i = 0; i < 4; i++) {
        struct sim_kafka keep = rig_client;

        rig_client = gone;
        send_batch(i, HEAVY_PADDING);
        gone = rig_client;
        rig_client = keep;
    }
    for (int i = 0; i < 400; i++)
        sim_executor_step(rig.executor);
    sim_kafka_done(&gone);
    rig_run_ms(1000);
    producer_id = -1;
    send_batch(0, HEAVY_PADDING);
    ck_assert(sim_broker_wait(&rig, &rig_client));
    ck_assert_int_eq(atomic_load(&broker_memory(rig.broker)->strangers.used_bytes), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("heavy batches");
    TCase *tc = tcase_create("heavy batches");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
    tcase_add_test(tc, small_batches_wait_for_the_large_one_before_them);
    tcase_add_test(tc, batches_that_are_packed_anew_keep_their_order);
    tcase_add_test(tc, many_connections_with_large_batches_all_get_through);
    tcase_add_test(tc, a_connection_that_goes_while_its_batch_is_checked_takes_nothing_along);
    suite_add_tcase(suite, tc);
    return suite;
}
