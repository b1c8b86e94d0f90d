/* SPDX-License-Identifier: Apache-2.0 */
/* Are instances held to their rates? Clients that send and read as fast as they are let, on one
 * connection and on twenty, with and without acknowledgements; bytes are counted for ten simulated
 * seconds, after two of warming up. An instance of 10 partitions has 10 times the rate of one
 * partition, one of 30 the cap of 20. */
#include "common/kafka/kafka_error.h"
#include "common/kafka/kafka_messages.h"
#include "common/observe/log.h"
#include "tests/simulation/sim_broker.h"
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

enum {
    PER_PARTITION = 100000, /* bytes a second */
    CAP = 2000000,
    MOST_CLIENTS = 20,
    BATCH_BYTES = 30000,
    QUEUED = 4 /* more than can be let in, a client */
};

#define WARM_UP_US 2000000
#define MEASURED_US 10000000

enum kind { PRODUCE_ACKS_ALL, PRODUCE_ACKS_NONE, FETCH };

struct client {
    struct sim_kafka kafka;
    int32_t partition;
    bool is_waiting;
};

struct load {
    struct sim_broker sim;
    enum kind kind;
    int32_t partitions;
    int client_count;
    struct client clients[MOST_CLIENTS];
    struct buffer records;
    int64_t bytes; /* fetched; acknowledged frames */
    int32_t longest_throttle_ms;
};

static int64_t now_us(struct load *load)
{
    return clock_monotonic_us(sim_executor_clock(load->sim.executor));
}

static void make_records(struct load *load)
{
    struct sim_batch batch = {
        .count = 1, .padding = BATCH_BYTES, .timestamp_ms = 1700000000000, .producer_id = -1};

    buffer_init(&load->records, 1 << 20);
    sim_batch_write(&batch, &load->records);
}

static void send_produce(struct load *load, struct client *client, int16_t acks)
{
    struct kafka_produce_request request;
    struct kafka_produce_request_topic topic;
    struct kafka_produce_request_partition partition;

    kafka_produce_request_init_defaults(&request);
    kafka_produce_request_topic_init_defaults(&topic);
    kafka_produce_request_partition_init_defaults(&partition);
    request.acks = acks;
    request.timeout_ms = 30000;
    topic.name = SLICE_LITERAL("orders");
    partition.index = client->partition;
    partition.records = buffer_slice(&load->records);
    topic.partition_data.items = &partition;
    topic.partition_data.count = 1;
    request.topic_data.items = &topic;
    request.topic_data.count = 1;
    sim_kafka_send(&client->kafka, KAFKA_API_PRODUCE, 9, kafka_produce_request, &request);
    client->is_waiting = acks != 0;
}

static void send_fetch(struct client *client)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partition;

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    kafka_fetch_request_partition_init_defaults(&partition);
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = 50 << 20;
    topic.topic = SLICE_LITERAL("orders");
    partition.partition = client->partition;
    partition.partition_max_bytes = 1 << 20;
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_kafka_send(&client->kafka, KAFKA_API_FETCH, 11, kafka_fetch_request, &request);
    client->is_waiting = true;
}

static void note_throttle(struct load *load, int32_t throttle_time_ms)
{
    if (throttle_time_ms > load->longest_throttle_ms)
        load->longest_throttle_ms = throttle_time_ms;
}

static void take_answer(struct load *load, struct client *client)
{
    struct kafka_produce_response produced;
    struct kafka_fetch_response fetched;

    client->is_waiting = false;
    if (load->kind == PRODUCE_ACKS_ALL) {
        sim_kafka_answer(&client->kafka, kafka_produce_response, &produced);
        ck_assert_int_eq(produced.responses.items[0].partition_responses.items[0].error_code, 0);
        note_throttle(load, produced.throttle_time_ms);
        load->bytes += (int64_t)client->kafka.out.len;
        return;
    }
    sim_kafka_answer(&client->kafka, kafka_fetch_response, &fetched);
    ck_assert_int_eq(fetched.error_code, 0);
    note_throttle(load, fetched.throttle_time_ms);
    if (fetched.responses.count > 0)
        load->bytes += (int64_t)fetched.responses.items[0].partitions.items[0].records.len;
}

/* A client that is told to wait is not read meanwhile: it need not wait by itself. */
static void keep_going(struct load *load)
{
    for (int i = 0; i < load->client_count; i++) {
        struct client *client = &load->clients[i];

        if (client->is_waiting && sim_kafka_has_answer(&client->kafka))
            take_answer(load, client);
        if (client->is_waiting || load->kind == PRODUCE_ACKS_NONE)
            continue;
        if (load->kind == FETCH)
            send_fetch(client);
        else
            send_produce(load, client, -1);
    }
}

static void run_until(struct load *load, int64_t end_us)
{
    while (now_us(load) < end_us) {
        keep_going(load);
        sim_executor_step(load->sim.executor);
    }
}

/* Records in the log: what was let in without anyone being told. */
static int64_t log_ends(struct load *load, struct sim_kafka *kafka)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < load->partitions; i++) {
        struct kafka_list_offsets_request request;
        struct kafka_list_offsets_request_topic topic;
        struct kafka_list_offsets_request_partition partition;
        struct kafka_list_offsets_response response;

        kafka_list_offsets_request_init_defaults(&request);
        kafka_list_offsets_request_topic_init_defaults(&topic);
        kafka_list_offsets_request_partition_init_defaults(&partition);
        topic.name = SLICE_LITERAL("orders");
        partition.partition_index = i;
        partition.timestamp = -1;
        topic.partitions.items = &partition;
        topic.partitions.count = 1;
        request.topics.items = &topic;
        request.topics.count = 1;
        sim_broker_call(&load->sim, kafka, KAFKA_API_LIST_OFFSETS, 7, kafka_list_offsets_request,
                        &request, kafka_list_offsets_response, &response);
        sum += response.topics.items[0].partitions.items[0].offset;
    }
    return sum;
}

static void fill(struct load *load, struct sim_kafka *kafka)
{
    for (int32_t i = 0; i < load->partitions; i++) {
        struct client client = {.kafka = *kafka, .partition = i};
        struct kafka_produce_response response;

        for (int n = 0; n < 40; n++) {
            send_produce(load, &client, -1);
            ck_assert(sim_broker_wait(&load->sim, &client.kafka));
            sim_kafka_answer(&client.kafka, kafka_produce_response, &response);
        }
        *kafka = client.kafka;
    }
}

static void set_up(struct load *load, struct sim_kafka *kafka)
{
    log_setup("test", LOG_ERROR, LOG_FORMAT_TEXT);
    make_records(load);
    sim_broker_init(&load->sim, 5, 2);
    sim_broker_start(&load->sim);
    sim_broker_connect(&load->sim, 0, kafka);
    ck_assert_int_eq(sim_broker_create_topic(&load->sim, kafka, "orders", load->partitions), 0);
    if (load->kind == FETCH)
        fill(load, kafka);
    sim_broker_set_limit(&load->sim, 0, "produce_bytes_per_second", CAP);
    sim_broker_set_limit(&load->sim, 0, "consume_bytes_per_second", CAP);
    sim_broker_set_limit(&load->sim, 0, "produce_bytes_per_second_per_partition", PER_PARTITION);
    sim_broker_set_limit(&load->sim, 0, "consume_bytes_per_second_per_partition", PER_PARTITION);
    for (int i = 0; i < load->client_count; i++) {
        load->clients[i].partition = i % load->partitions;
        sim_broker_connect(&load->sim, 0, &load->clients[i].kafka);
    }
}

static int64_t measure(struct load *load, struct sim_kafka *kafka)
{
    int64_t start_us = now_us(load);
    int64_t before = 0;

    /* All of it at once: it waits in the sockets. */
    for (int i = 0; load->kind == PRODUCE_ACKS_NONE && i < load->client_count; i++) {
        for (int n = 0; n < 15 * CAP / BATCH_BYTES / load->client_count + QUEUED; n++)
            send_produce(load, &load->clients[i], 0);
    }
    run_until(load, start_us + WARM_UP_US);
    load->bytes = 0;
    if (load->kind == PRODUCE_ACKS_NONE)
        before = log_ends(load, kafka);
    start_us = now_us(load);
    run_until(load, start_us + MEASURED_US);
    if (load->kind == PRODUCE_ACKS_NONE)
        return (log_ends(load, kafka) - before) * (int64_t)load->clients[0].kafka.out.len;
    return load->bytes;
}

static void tear_down(struct load *load, struct sim_kafka *kafka)
{
    for (int i = 0; i < load->client_count; i++)
        sim_kafka_done(&load->clients[i].kafka);
    sim_kafka_done(kafka);
    sim_broker_stop(&load->sim);
    sim_broker_done(&load->sim);
    buffer_done(&load->records);
}

static const struct {
    enum kind kind;
    int32_t partitions;
    int clients;
    int64_t expected;
} cases[] = {
    {PRODUCE_ACKS_ALL, 10, 1, 10 * PER_PARTITION},
    {PRODUCE_ACKS_ALL, 10, 20, 10 * PER_PARTITION},
    {PRODUCE_ACKS_ALL, 30, 1, CAP},
    {PRODUCE_ACKS_ALL, 30, 20, CAP},
    {PRODUCE_ACKS_NONE, 10, 1, 10 * PER_PARTITION},
    {PRODUCE_ACKS_NONE, 30, 20, CAP},
    {FETCH, 10, 1, 10 * PER_PARTITION},
    {FETCH, 10, 20, 10 * PER_PARTITION},
    {FETCH, 30, 1, CAP},
    {FETCH, 30, 20, CAP},
};

START_TEST(an_instance_is_held_to_the_rate_of_its_partitions_within_five_percent)
{
    struct load *load = calloc(1, sizeof(*load));
    struct sim_kafka kafka;
    int64_t per_second = 0;

    load->kind = cases[_i].kind;
    load->partitions = cases[_i].partitions;
    load->client_count = cases[_i].clients;
    set_up(load, &kafka);
    per_second = measure(load, &kafka) / (MEASURED_US / 1000000);
    ck_assert_int_ge(per_second, cases[_i].expected * 95 / 100);
    ck_assert_int_le(per_second, cases[_i].expected * 105 / 100);
    if (load->kind != PRODUCE_ACKS_NONE)
        ck_assert_int_gt(load->longest_throttle_ms, 0);
    tear_down(load, &kafka);
    free(load);
}
END_TEST

/* Produce far over its quota leaves the quota of fetch alone. */
START_TEST(producing_and_consuming_are_metered_apart)
{
    struct load *load = calloc(1, sizeof(*load));
    struct sim_kafka kafka;

    load->kind = PRODUCE_ACKS_ALL;
    load->partitions = 10;
    load->client_count = 1;
    set_up(load, &kafka);
    run_until(load, now_us(load) + WARM_UP_US);
    ck_assert_int_gt(load->longest_throttle_ms, 0);
    load->kind = FETCH;
    load->longest_throttle_ms = 0;
    load->clients[0].is_waiting = false;
    sim_kafka_done(&load->clients[0].kafka);
    sim_broker_connect(&load->sim, 0, &load->clients[0].kafka);
    send_fetch(&load->clients[0]);
    ck_assert(sim_broker_wait(&load->sim, &load->clients[0].kafka));
    load->bytes = 0;
    take_answer(load, &load->clients[0]);
    ck_assert_int_gt(load->bytes, 0);
    ck_assert_int_eq(load->longest_throttle_ms, 0);
    tear_down(load, &kafka);
    free(load);
}
END_TEST

START_TEST(more_partitions_mean_a_higher_rate_at_once)
{
    struct load *load = calloc(1, sizeof(*load));
    struct sim_kafka kafka;
    int64_t before = 0;

    load->kind = PRODUCE_ACKS_ALL;
    load->partitions = 2;
    load->client_count = 1;
    set_up(load, &kafka);
    before = measure(load, &kafka);
    ck_assert_int_eq(sim_broker_create_topic(&load->sim, &kafka, "more", 8), 0);
    ck_assert_int_ge(measure(load, &kafka), before * 475 / 100);
    tear_down(load, &kafka);
    free(load);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("simulation/rates");
    TCase *tc = tcase_create("rates");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, an_instance_is_held_to_the_rate_of_its_partitions_within_five_percent,
                        0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(tc, producing_and_consuming_are_metered_apart);
    tcase_add_test(tc, more_partitions_mean_a_higher_rate_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}
