/* SPDX-License-Identifier: Apache-2.0 */
/* The whole broker under load, through power cuts, kills and clean stops, on 1, 2 and 4 loops.
 *
 * Each producer has one batch under way. What was answered with an offset is noted; what was not (the
 * process died first) is sent again in the next life: by idempotent producers with the same sequence, by
 * plain ones as it is. In the end, and after each life:
 *
 *   durable     every acknowledged number is at exactly its offset
 *   unique      a number of an idempotent producer is there once
 *   real        nothing is there that nobody sent; offsets are dense
 *   isolated    each instance sees its own numbers only */
#include "common/kafka/kafka_error.h"
#include "common/kafka/kafka_messages.h"
#include "tests/simulation/sim_broker.h"
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>

enum { PRODUCERS = 6, PARTITIONS = 3, LIVES = 4, MAX_NUMBERS = 6000, ROUNDS = 60 };

struct load;

struct producer {
    struct load *load;
    int tenant;
    int32_t partition;
    bool is_idempotent;
    int64_t producer_id; /* -1 = not given yet */
    int32_t next_sequence;
    struct sim_batch batch; /* the one under way, or to be sent again */
    bool has_batch;
    bool is_waiting;
    struct sim_kafka kafka;
};

/* What is known of one number. */
struct number {
    int8_t tenant;
    int8_t partition;
    bool is_idempotent;
    bool is_acknowledged;
    int64_t offset;
    int seen;
};

struct load {
    struct sim_broker sim;
    struct seeded_random random;
    struct producer producers[PRODUCERS];
    struct number numbers[MAX_NUMBERS];
    int64_t next_number;
    int acknowledged;
    /* while checking */
    int tenant;
    int32_t partition;
    int64_t next_offset;
};

static bool is_acceptable(enum kafka_error error)
{
    return error == KAFKA_NONE || error == KAFKA_KAFKA_STORAGE_ERROR;
}

static void create_topic(struct sim_broker *sim, int tenant)
{
    struct sim_kafka kafka;

    sim_broker_connect(sim, tenant, &kafka);
    ck_assert_int_eq(sim_broker_create_topic(sim, &kafka, "orders", PARTITIONS), KAFKA_NONE);
    sim_kafka_done(&kafka);
}

static void get_producer_id(struct load *load, struct producer *producer)
{
    struct kafka_init_producer_id_request request;
    struct kafka_init_producer_id_response response;

    kafka_init_producer_id_request_init_defaults(&request);
    request.transactional_id = SLICE_NULL;
    sim_broker_call(&load->sim, &producer->kafka, KAFKA_API_INIT_PRODUCER_ID, 4,
                    kafka_init_producer_id_request, &request, kafka_init_producer_id_response,
                    &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    for (int i = 0; i < PRODUCERS; i++)
        ck_assert_int_ne(load->producers[i].producer_id, response.producer_id);
    producer->producer_id = response.producer_id;
}

static void new_batch(struct load *load, struct producer *producer)
{
    int32_t count = 1 + (int32_t)seeded_random_below(&load->random, 5);

    producer->batch = (struct sim_batch){
        .first_number = load->next_number,
        .count = count,
        .padding = (int32_t)seeded_random_below(&load->random, 300),
        .timestamp_ms = 1700000000000,
        .producer_id = producer->is_idempotent ? producer->producer_id : -1,
        .base_sequence = producer->next_sequence,
    };
    producer->has_batch = true;
    for (int32_t i = 0; i < count; i++)
        load->numbers[load->next_number + i] = (struct number){
            .tenant = (int8_t)producer->tenant,
            .partition = (int8_t)producer->partition,
            .is_idempotent = producer->is_idempotent,
        };
    load->next_number += count;
}

static void send_batch(struct producer *producer)
{
    struct kafka_produce_request request;
    struct arena arena;
    struct buffer records;

    arena_init(&arena, 1 << 16);
    buffer_init(&records, 1 << 20);
    sim_batch_write(&producer->batch, &records);
    kafka_produce_request_init_defaults(&request);
    request.acks = -1;
    request.timeout_ms = 60000;
    ck_assert_int_eq(kafka_produce_request_topic_array_init(&request.topic_data, &arena, 1),
                     ERR_OK);
    request.topic_data.items[0].name = SLICE_LITERAL("orders");
    ck_assert_int_eq(kafka_produce_request_partition_array_init(
                         &request.topic_data.items[0].partition_data, &arena, 1),
                     ERR_OK);
    request.topic_data.items[0].partition_data.items[0].index = producer->partition;
    request.topic_data.items[0].partition_data.items[0].records = buffer_slice(&records);
    sim_kafka_send(&producer->kafka, KAFKA_API_PRODUCE, 9, kafka_produce_request, &request);
    producer->is_waiting = true;
    buffer_done(&records);
    arena_done(&arena);
}

static void take_answer(struct load *load, struct producer *producer)
{
    struct kafka_produce_response response;
    const struct kafka_produce_response_partition *answer = NULL;

    sim_kafka_answer(&producer->kafka, kafka_produce_response, &response);
    answer = &response.responses.items[0].partition_responses.items[0];
    producer->is_waiting = false;
    ck_assert_msg(is_acceptable((enum kafka_error)answer->error_code), "seed %llu: error %d",
                  (unsigned long long)load->sim.seed, answer->error_code);
    if (answer->error_code != KAFKA_NONE)
        return; /* sent again */
    for (int32_t i = 0; i < producer->batch.count; i++) {
        struct number *number = &load->numbers[producer->batch.first_number + i];

        number->is_acknowledged = true;
        number->offset = answer->base_offset + i;
        load->acknowledged++;
    }
    producer->next_sequence += producer->batch.count;
    producer->has_batch = false;
}

static void run_some(struct load *load)
{
    int64_t steps = (int64_t)seeded_random_below(&load->random, 200);

    for (int64_t i = 0; i < steps; i++)
        sim_executor_step(load->sim.executor);
    for (int i = 0; i < PRODUCERS; i++) {
        struct producer *producer = &load->producers[i];

        if (producer->is_waiting && sim_kafka_has_answer(&producer->kafka))
            take_answer(load, producer);
    }
}

static void live(struct load *load)
{
    for (int i = 0; i < PRODUCERS; i++) {
        struct producer *producer = &load->producers[i];

        sim_broker_connect(&load->sim, producer->tenant, &producer->kafka);
        producer->is_waiting = false;
        if (producer->is_idempotent && producer->producer_id < 0)
            get_producer_id(load, producer);
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct producer *producer = &load->producers[seeded_random_below(&load->random, PRODUCERS)];

        if (!producer->is_waiting) {
            if (!producer->has_batch)
                new_batch(load, producer);
            send_batch(producer);
        }
        run_some(load);
    }
    for (int i = 0; i < PRODUCERS; i++)
        sim_kafka_done(&load->producers[i].kafka);
}

/* --- checking --- */

static void see(void *context, int64_t offset, int64_t n)
{
    struct load *load = context;
    struct number *number = NULL;

    ck_assert_int_eq(offset, load->next_offset);
    load->next_offset++;
    ck_assert_msg(n >= 0 && n < load->next_number, "seed %llu: a number that nobody sent",
                  (unsigned long long)load->sim.seed);
    number = &load->numbers[n];
    ck_assert_int_eq(number->tenant, load->tenant);
    ck_assert_int_eq(number->partition, load->partition);
    number->seen++;
    ck_assert_msg(!number->is_idempotent || number->seen == 1, "seed %llu: %lld is there twice",
                  (unsigned long long)load->sim.seed, (long long)n);
    if (number->is_acknowledged && number->offset == offset)
        number->seen += 1000; /* where it was promised */
}

/* False = the end of the log. */
static bool fetch_on(struct load *load, struct sim_kafka *kafka)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_response response;
    const struct kafka_fetch_response_partition *partition = NULL;
    int64_t before = load->next_offset;
    struct arena arena;

    arena_init(&arena, 1 << 16);
    kafka_fetch_request_init_defaults(&request);
    request.max_bytes = 1 << 20;
    ck_assert_int_eq(kafka_fetch_request_topic_array_init(&request.topics, &arena, 1), ERR_OK);
    request.topics.items[0].topic = SLICE_LITERAL("orders");
    ck_assert_int_eq(
        kafka_fetch_request_partition_array_init(&request.topics.items[0].partitions, &arena, 1),
        ERR_OK);
    request.topics.items[0].partitions.items[0].partition = load->partition;
    request.topics.items[0].partitions.items[0].fetch_offset = before;
    request.topics.items[0].partitions.items[0].partition_max_bytes = 4096;
    sim_broker_call(&load->sim, kafka, KAFKA_API_FETCH, 11, kafka_fetch_request, &request,
                    kafka_fetch_response, &response);
    arena_done(&arena);
    partition = &response.responses.items[0].partitions.items[0];
    ck_assert_int_eq(partition->error_code, KAFKA_NONE);
    sim_records_read(partition->records, see, load);
    return load->next_offset > before;
}

static void check_all(struct load *load)
{
    for (int64_t n = 0; n < load->next_number; n++)
        load->numbers[n].seen = 0;
    for (load->tenant = 0; load->tenant < SIM_TENANTS; load->tenant++) {
        struct sim_kafka kafka;

        sim_broker_connect(&load->sim, load->tenant, &kafka);
        for (load->partition = 0; load->partition < PARTITIONS; load->partition++) {
            load->next_offset = 0;
            while (fetch_on(load, &kafka))
                continue;
        }
        sim_kafka_done(&kafka);
    }
    for (int64_t n = 0; n < load->next_number; n++)
        ck_assert_msg(!load->numbers[n].is_acknowledged || load->numbers[n].seen > 1000,
                      "seed %llu: acknowledged %lld is lost", (unsigned long long)load->sim.seed,
                      (long long)n);
}

static void end_life(struct load *load)
{
    uint64_t how = seeded_random_below(&load->random, 3);

    if (how == 0)
        sim_broker_crash(&load->sim);
    else if (how == 1)
        sim_broker_kill(&load->sim);
    else
        sim_broker_stop(&load->sim);
}

static const int loop_counts[] = {1, 2, 4};

START_TEST(what_was_acknowledged_is_there_once_and_in_its_place_through_every_end)
{
    struct load *load = calloc(1, sizeof(*load));

    seeded_random_init(&load->random, (uint64_t)_i + 1000);
    sim_broker_init(&load->sim, (uint64_t)_i, loop_counts[_i % 3]);
    for (int i = 0; i < PRODUCERS; i++)
        load->producers[i] = (struct producer){.load = load,
                                               .tenant = i % SIM_TENANTS,
                                               .partition = (i / 2) % PARTITIONS,
                                               .is_idempotent = i < 4,
                                               .producer_id = -1};
    sim_broker_start(&load->sim);
    for (int tenant = 0; tenant < SIM_TENANTS; tenant++)
        create_topic(&load->sim, tenant);
    for (int life = 0; life < LIVES; life++) {
        live(load);
        end_life(load);
        sim_broker_start(&load->sim);
        check_all(load);
    }
    sim_broker_stop(&load->sim);
    sim_broker_done(&load->sim);
    ck_assert_int_gt(load->acknowledged, 20);
    free(load);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("simulation/broker_load");
    TCase *tc = tcase_create("broker_load");
    const char *more = getenv("MILLRACE_SEEDS");
    int seeds = more ? (int)strtol(more, NULL, 10) : 60;

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, what_was_acknowledged_is_there_once_and_in_its_place_through_every_end,
                        0, seeds);
    suite_add_tcase(suite, tc);
    return suite;
}
