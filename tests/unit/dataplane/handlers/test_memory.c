/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of requests and answers stays within its bounds, and what waits for it goes on. */
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <stdlib.h>

enum {
    CONNECTION_BYTES = 300000,
    INSTANCE_BYTES = 1500000,
    BATCH_BYTES = 100000,
    BATCHES = 20,
    PIPELINED = 64,
    FRAME_BYTES = 900000,
    CONTROL_FRAME_BYTES = 70000,
    MAX_STEPS = 3000000
};

static int64_t most_used;

static void setup(void)
{
    rig_setup_with(&(struct broker_limits){
        .connection_memory_bytes = CONNECTION_BYTES,
        .max_control_frame_bytes = CONTROL_FRAME_BYTES,
        .memory = {.limit_bytes = 4000000,
                   .shared_bytes = 3000000,
                   .guarantee_bytes = 200000,
                   .instance_bytes = INSTANCE_BYTES,
                   .stranger_bytes = 100000},
    });
    most_used = 0;
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
}

static void note_use(void)
{
    int64_t used = atomic_load(&broker_memory(rig.broker)->used_bytes);

    if (used > most_used)
        most_used = used;
}

/* Until all answers are here; looks at every step. */
static bool step_until_answered(struct sim_kafka *kafka)
{
    for (int i = 0; i < MAX_STEPS && !sim_kafka_is_settled(kafka); i++) {
        sim_executor_step(rig.executor);
        note_use();
    }
    return sim_kafka_has_answer(kafka);
}

static void send_produce(struct sim_kafka *kafka, int32_t padding)
{
    const struct sim_batch batch = {
        .count = 1, .padding = padding, .timestamp_ms = 1700000000000, .producer_id = -1};

    rig_send_batch(kafka, "orders", &batch);
}

static int16_t take_produce(struct sim_kafka *kafka)
{
    return rig_take_produce(kafka).error_code;
}

static void fill(void)
{
    for (int i = 0; i < BATCHES; i++) {
        send_produce(&rig_client, BATCH_BYTES);
        ck_assert(step_until_answered(&rig_client));
        ck_assert_int_eq(take_produce(&rig_client), KAFKA_NONE);
    }
}

static void send_fetch(struct sim_kafka *kafka)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partition;

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    kafka_fetch_request_partition_init_defaults(&partition);
    request.max_wait_ms = 10000;
    request.min_bytes = 1;
    request.max_bytes = 50 << 20;
    topic.topic = text("orders");
    partition.partition_max_bytes = 16 << 20;
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_kafka_send(kafka, KAFKA_API_FETCH, 11, kafka_fetch_request, &request);
}

static size_t take_fetch(struct sim_kafka *kafka)
{
    struct kafka_fetch_response response;

    sim_kafka_answer(kafka, kafka_fetch_response, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    return response.responses.items[0].partitions.items[0].records.len;
}

START_TEST(sixty_four_fetches_on_one_connection_hold_the_records_of_one)
{
    int32_t last = 0;

    fill();
    most_used = 0;
    for (int i = 0; i < PIPELINED; i++)
        send_fetch(&rig_client);
    last = rig_client.correlation_id;
    for (int i = 0; i < PIPELINED; i++) {
        ck_assert(step_until_answered(&rig_client));
        rig_client.correlation_id = last - PIPELINED + 1 + i;
        ck_assert_uint_gt(take_fetch(&rig_client), BATCH_BYTES);
    }
    ck_assert_int_le(most_used, CONNECTION_BYTES + 2 * BATCH_BYTES);
    ck_assert_int_gt(most_used, BATCH_BYTES);
}
END_TEST

START_TEST(frames_of_many_connections_wait_for_each_other_and_all_get_through)
{
    enum { CLIENTS = 10 };
    struct sim_kafka clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        sim_broker_connect(&rig, 0, &clients[i]);
    for (int i = 0; i < CLIENTS; i++)
        send_produce(&clients[i], FRAME_BYTES);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert(step_until_answered(&clients[i]));
        ck_assert_int_eq(take_produce(&clients[i]), KAFKA_NONE);
    }
    /* The finisher's frame may lie above. */
    ck_assert_int_le(most_used, INSTANCE_BYTES + FRAME_BYTES + 100000);
    for (int i = 0; i < CLIENTS; i++)
        sim_kafka_done(&clients[i]);
    rig_run_ms(100);
    note_use();
    ck_assert_int_eq(atomic_load(&broker_memory(rig.broker)->used_bytes), 0);
}
END_TEST

START_TEST(a_neighbour_gets_its_guarantee_while_another_waits)
{
    struct sim_kafka hogs[4];

    ck_assert_int_eq(rig_create_topic(&rig_other, "orders", 1), KAFKA_NONE);
    for (int i = 0; i < 4; i++) {
        sim_broker_connect(&rig, 0, &hogs[i]);
        send_produce(&hogs[i], FRAME_BYTES);
        /* Half a frame is there and never ends. */
        sim_client_send(hogs[i].client, "\0\0\xff\xff half a frame", 17);
    }
    send_produce(&rig_other, 100000);
    ck_assert(step_until_answered(&rig_other));
    ck_assert_int_eq(take_produce(&rig_other), KAFKA_NONE);
    for (int i = 0; i < 4; i++)
        sim_kafka_done(&hogs[i]);
}
END_TEST

START_TEST(who_does_not_read_its_answers_is_closed_and_gives_its_memory_back)
{
    struct sim_kafka reader;

    fill();
    sim_broker_connect(&rig, 0, &reader);
    sim_client_stall(reader.client);
    for (int i = 0; i < PIPELINED; i++)
        send_fetch(&reader);
    rig_run_ms(25000);
    note_use();
    ck_assert(!sim_client_is_closed(reader.client));
    ck_assert_int_gt(most_used, 0);
    rig_run_ms(10000);
    ck_assert(sim_client_is_closed(reader.client));
    ck_assert_int_le(most_used, CONNECTION_BYTES + 2 * FRAME_BYTES);
    ck_assert_int_eq(atomic_load(&broker_memory(rig.broker)->used_bytes), 0);
    sim_kafka_done(&reader);
}
END_TEST

/* A fetch that waits for five minutes does not keep half a frame alive. */
START_TEST(half_a_frame_is_given_up_whatever_else_is_under_way)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partition;

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    kafka_fetch_request_partition_init_defaults(&partition);
    request.max_wait_ms = 300000;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    topic.topic = text("orders");
    partition.partition_max_bytes = 1 << 20;
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_kafka_send(&rig_client, KAFKA_API_FETCH, 11, kafka_fetch_request, &request);
    rig_run_ms(40000);
    ck_assert(!sim_client_is_closed(rig_client.client));
    sim_client_send(rig_client.client, "\0\0\x10\0 half", 9);
    rig_run_ms(29000);
    ck_assert(!sim_client_is_closed(rig_client.client));
    rig_run_ms(3000);
    ck_assert(sim_client_is_closed(rig_client.client));
    ck_assert_int_eq(atomic_load(&broker_memory(rig.broker)->used_bytes), 0);
}
END_TEST

/* A Metadata request of zeros, in a frame of this size; true = answered. */
static bool try_control_frame(uint32_t size)
{
    static uint8_t frame[4 + CONTROL_FRAME_BYTES + 1];
    static const uint8_t header[] = {0, 3, 0, 9, 0, 0, 0, 101, 0, 0, 0};

    memset(frame, 0, sizeof(frame));
    for (int i = 0; i < 4; i++)
        frame[i] = (uint8_t)(size >> (8 * (3 - i)));
    memcpy(frame + 4, header, sizeof(header));
    sim_client_send(rig_client.client, frame, 4 + size);
    return step_until_answered(&rig_client);
}

START_TEST(a_request_that_is_no_produce_has_a_limit_of_its_own)
{
    ck_assert(try_control_frame(CONTROL_FRAME_BYTES));
    buffer_clear(sim_client_received(rig_client.client));
    ck_assert(!try_control_frame(CONTROL_FRAME_BYTES + 1));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("memory");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, sixty_four_fetches_on_one_connection_hold_the_records_of_one);
    tcase_add_test(tc, frames_of_many_connections_wait_for_each_other_and_all_get_through);
    tcase_add_test(tc, a_neighbour_gets_its_guarantee_while_another_waits);
    tcase_add_test(tc, who_does_not_read_its_answers_is_closed_and_gives_its_memory_back);
    tcase_add_test(tc, half_a_frame_is_given_up_whatever_else_is_under_way);
    tcase_add_test(tc, a_request_that_is_no_produce_has_a_limit_of_its_own);
    suite_add_tcase(suite, tc);
    return suite;
}
