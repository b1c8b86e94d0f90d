/* SPDX-License-Identifier: Apache-2.0 */
/* The whole broker, seen by Kafka clients, on 1, 2 and 4 loops. */
#include "common/kafka/kafka_error.h"
#include "common/kafka/kafka_messages.h"
#include "tests/simulation/sim_broker.h"
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"

static const int loop_counts[] = {1, 2, 4};

static struct kafka_produce_response_partition produce(struct sim_broker *sim,
                                                       struct sim_kafka *kafka, const char *topic,
                                                       int32_t partition,
                                                       const struct sim_batch *batch)
{
    struct kafka_produce_request request;
    struct kafka_produce_response response;
    struct arena arena;
    struct buffer records;

    arena_init(&arena, 1 << 16);
    buffer_init(&records, 1 << 20);
    sim_batch_write(batch, &records);
    kafka_produce_request_init_defaults(&request);
    request.acks = -1;
    request.timeout_ms = 30000;
    ck_assert_int_eq(kafka_produce_request_topic_array_init(&request.topic_data, &arena, 1),
                     ERR_OK);
    request.topic_data.items[0].name = slice_from_cstring(topic);
    ck_assert_int_eq(kafka_produce_request_partition_array_init(
                         &request.topic_data.items[0].partition_data, &arena, 1),
                     ERR_OK);
    request.topic_data.items[0].partition_data.items[0].index = partition;
    request.topic_data.items[0].partition_data.items[0].records = buffer_slice(&records);
    sim_broker_call(sim, kafka, KAFKA_API_PRODUCE, 9, kafka_produce_request, &request,
                    kafka_produce_response, &response);
    buffer_done(&records);
    arena_done(&arena);
    ck_assert_int_eq(response.responses.count, 1);
    return response.responses.items[0].partition_responses.items[0];
}

struct seen {
    int64_t next_offset;
    int64_t numbers[1000];
    int count;
};

static void see(void *context, int64_t offset, int64_t number)
{
    struct seen *seen = context;

    ck_assert_int_eq(offset, seen->next_offset);
    seen->next_offset++;
    ck_assert_int_lt(seen->count, 1000);
    seen->numbers[seen->count++] = number;
}

static int16_t fetch_all(struct sim_broker *sim, struct sim_kafka *kafka, const char *topic,
                         int32_t partition, int64_t from, struct seen *seen)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_response response;
    struct arena arena;

    arena_init(&arena, 1 << 16);
    kafka_fetch_request_init_defaults(&request);
    request.max_wait_ms = 100;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    ck_assert_int_eq(kafka_fetch_request_topic_array_init(&request.topics, &arena, 1), ERR_OK);
    request.topics.items[0].topic = slice_from_cstring(topic);
    ck_assert_int_eq(
        kafka_fetch_request_partition_array_init(&request.topics.items[0].partitions, &arena, 1),
        ERR_OK);
    request.topics.items[0].partitions.items[0].partition = partition;
    request.topics.items[0].partitions.items[0].fetch_offset = from;
    request.topics.items[0].partitions.items[0].partition_max_bytes = 1 << 20;
    sim_broker_call(sim, kafka, KAFKA_API_FETCH, 11, kafka_fetch_request, &request,
                    kafka_fetch_response, &response);
    arena_done(&arena);
    ck_assert_int_eq(response.responses.count, 1);
    sim_records_read(response.responses.items[0].partitions.items[0].records, see, seen);
    return response.responses.items[0].partitions.items[0].error_code;
}

static struct sim_batch plain_batch(int64_t first_number, int32_t count)
{
    return (struct sim_batch){.first_number = first_number,
                              .count = count,
                              .padding = 20,
                              .timestamp_ms = 1700000000000,
                              .producer_id = -1};
}

START_TEST(what_is_produced_is_fetched_in_order)
{
    struct sim_broker sim;
    struct sim_kafka kafka;
    struct seen seen = {0};

    sim_broker_init(&sim, 1, loop_counts[_i]);
    sim_broker_start(&sim);
    sim_broker_connect(&sim, 0, &kafka);
    ck_assert_int_eq(sim_broker_create_topic(&sim, &kafka, "orders", 3), KAFKA_NONE);
    for (int i = 0; i < 5; i++) {
        struct sim_batch batch = plain_batch(i * 10, 10);
        struct kafka_produce_response_partition answer = produce(&sim, &kafka, "orders", 1, &batch);

        ck_assert_int_eq(answer.error_code, KAFKA_NONE);
        ck_assert_int_eq(answer.base_offset, i * 10);
    }
    ck_assert_int_eq(fetch_all(&sim, &kafka, "orders", 1, 0, &seen), KAFKA_NONE);
    ck_assert_int_eq(seen.count, 50);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(seen.numbers[i], i);
    sim_kafka_done(&kafka);
    sim_broker_stop(&sim);
    sim_broker_done(&sim);
}
END_TEST

START_TEST(what_was_acknowledged_survives_a_power_cut)
{
    struct sim_broker sim;
    struct sim_kafka kafka;
    struct seen seen = {0};
    struct sim_batch batch = plain_batch(0, 7);

    sim_broker_init(&sim, (uint64_t)_i + 10, 2);
    sim_broker_start(&sim);
    sim_broker_connect(&sim, 0, &kafka);
    ck_assert_int_eq(sim_broker_create_topic(&sim, &kafka, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(produce(&sim, &kafka, "orders", 0, &batch).error_code, KAFKA_NONE);
    sim_kafka_done(&kafka);
    sim_broker_crash(&sim);
    sim_broker_start(&sim);
    sim_broker_connect(&sim, 0, &kafka);
    ck_assert_int_eq(fetch_all(&sim, &kafka, "orders", 0, 0, &seen), KAFKA_NONE);
    ck_assert_int_eq(seen.count, 7);
    sim_kafka_done(&kafka);
    sim_broker_stop(&sim);
    sim_broker_done(&sim);
}
END_TEST

START_TEST(two_instances_with_the_same_topic_name_never_see_each_other)
{
    struct sim_broker sim;
    struct sim_kafka a, b;
    struct seen seen_a = {0}, seen_b = {0};
    struct sim_batch of_a = plain_batch(100, 3), of_b = plain_batch(200, 4);

    sim_broker_init(&sim, 3, loop_counts[_i]);
    sim_broker_start(&sim);
    sim_broker_connect(&sim, 0, &a);
    sim_broker_connect(&sim, 1, &b);
    ck_assert_int_eq(sim_broker_create_topic(&sim, &a, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(produce(&sim, &b, "orders", 0, &of_b).error_code,
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(sim_broker_create_topic(&sim, &b, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(produce(&sim, &a, "orders", 0, &of_a).error_code, KAFKA_NONE);
    ck_assert_int_eq(produce(&sim, &b, "orders", 0, &of_b).error_code, KAFKA_NONE);
    ck_assert_int_eq(fetch_all(&sim, &a, "orders", 0, 0, &seen_a), KAFKA_NONE);
    ck_assert_int_eq(fetch_all(&sim, &b, "orders", 0, 0, &seen_b), KAFKA_NONE);
    ck_assert_int_eq(seen_a.count, 3);
    ck_assert_int_eq(seen_a.numbers[0], 100);
    ck_assert_int_eq(seen_b.count, 4);
    ck_assert_int_eq(seen_b.numbers[0], 200);
    sim_kafka_done(&a);
    sim_kafka_done(&b);
    sim_broker_stop(&sim);
    sim_broker_done(&sim);
}
END_TEST

START_TEST(an_unknown_version_of_api_versions_is_answered_in_version_0)
{
    struct kafka_api_versions_request request;
    struct kafka_api_versions_response response;
    struct sim_broker sim;
    struct sim_kafka kafka;
    struct writer writer;

    sim_broker_init(&sim, 4, 1);
    sim_broker_start(&sim);
    sim_broker_connect(&sim, 0, &kafka);
    kafka_api_versions_request_init_defaults(&request);
    writer = sim_kafka_begin(&kafka, KAFKA_API_API_VERSIONS, 77);
    ck_assert_int_eq(kafka_api_versions_request_write(&writer, 3, &request), ERR_OK);
    sim_kafka_end(&kafka, &writer);
    ck_assert(sim_broker_wait(&sim, &kafka));
    kafka.version = 0;
    sim_kafka_answer(&kafka, kafka_api_versions_response, &response);
    ck_assert_int_eq(response.error_code, KAFKA_UNSUPPORTED_VERSION);
    ck_assert_int_eq(response.api_keys.count, 1);
    ck_assert_int_eq(response.api_keys.items[0].api_key, KAFKA_API_API_VERSIONS);
    sim_kafka_done(&kafka);
    sim_broker_stop(&sim);
    sim_broker_done(&sim);
}
END_TEST

static uint64_t run_and_hash(uint64_t seed, int loops)
{
    struct sim_broker sim;
    struct sim_kafka kafka;
    struct seen seen = {0};

    sim_broker_init(&sim, seed, loops);
    sim_broker_start(&sim);
    sim_broker_connect(&sim, 0, &kafka);
    sim_broker_create_topic(&sim, &kafka, "t", 4);
    for (int i = 0; i < 10; i++) {
        struct sim_batch batch = plain_batch(i, 1);

        produce(&sim, &kafka, "t", i % 4, &batch);
    }
    fetch_all(&sim, &kafka, "t", 0, 0, &seen);
    sim_kafka_done(&kafka);
    sim_broker_crash(&sim);
    sim_broker_start(&sim);
    sim_broker_stop(&sim);
    sim_broker_done(&sim);
    return sim.trace.hash;
}

START_TEST(a_seed_gives_the_same_trace_twice)
{
    uint64_t first = run_and_hash(42, loop_counts[_i]);

    ck_assert_uint_eq(first, run_and_hash(42, loop_counts[_i]));
    ck_assert_uint_ne(first, run_and_hash(43, loop_counts[_i]));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("simulation/broker");
    TCase *tc = tcase_create("broker");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, what_is_produced_is_fetched_in_order, 0, 3);
    tcase_add_loop_test(tc, what_was_acknowledged_survives_a_power_cut, 0, 20);
    tcase_add_loop_test(tc, two_instances_with_the_same_topic_name_never_see_each_other, 0, 3);
    tcase_add_test(tc, an_unknown_version_of_api_versions_is_answered_in_version_0);
    tcase_add_loop_test(tc, a_seed_gives_the_same_trace_twice, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}
