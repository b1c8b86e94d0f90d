/* SPDX-License-Identifier: Apache-2.0 */
/* How often the broker allocates when it only produces and fetches, all caches warm.
 *
 * The numbers below are what was measured, per ROUNDS rounds, and the bound that the next change must not
 * pass; the aim is 0. Only what runs inside the executor's steps counts (the test's client runs between
 * them), less what the simulated parts take (sim_memory.h). MILLRACE_ALLOCATIONS=1 prints, for each round
 * that allocates, the frames of every call: pass them to addr2line -e PROGRAM. */
#include "tests/simulation/sim_memory.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <execinfo.h>
#include <stdlib.h>
#include <unistd.h>

enum { WARM_UP = 300, ROUNDS = 100, FRAMES = 12, SMALL = 200, LARGE = 65536, LONG_MS = 20000 };

/* Linked with --wrap of these four. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool is_counting;
static bool is_printing;
static int allocations;

static void count(void)
{
    void *frames[FRAMES];

    if (!is_counting || sim_memory_is_taken())
        return;
    allocations++;
    if (!is_printing)
        return;
    is_counting = false; /* backtrace itself may allocate */
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
    dprintf(STDERR_FILENO, "\n");
    is_counting = true;
}

void *__wrap_malloc(size_t size)
{
    count();
    return __real_malloc(size);
}

void *__wrap_calloc(size_t items, size_t size)
{
    count();
    return __real_calloc(items, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    count();
    return __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __real_aligned_alloc(alignment, size);
}

static struct sim_kafka consumer; /* of tenant 0, beside rig_client */
static int64_t next_offset;
static int32_t next_sequence;
static int64_t producer_id;

static void setup(void)
{
    rig_setup();
    sim_broker_connect(&rig, 0, &consumer);
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    is_printing = getenv("MILLRACE_ALLOCATIONS") != NULL;
    allocations = 0;
    next_offset = 0;
    next_sequence = 0;
    producer_id = -1;
}

static void teardown(void)
{
    sim_kafka_done(&consumer);
    rig_teardown();
}

static void wait_for(struct sim_kafka *kafka, bool counts)
{
    bool is_answered = false;

    is_counting = counts;
    is_answered = sim_broker_wait(&rig, kafka);
    is_counting = false;
    ck_assert(is_answered);
}

static void send_batch(int32_t padding)
{
    const struct sim_batch batch = {.count = 1,
                                    .padding = padding,
                                    .timestamp_ms = 1700000000000,
                                    .producer_id = producer_id,
                                    .base_sequence = producer_id < 0 ? -1 : next_sequence};

    rig_send_batch(&rig_client, "orders", &batch);
    next_sequence++;
}

static void take_produce(void)
{
    struct kafka_produce_response_partition answer = rig_take_produce(&rig_client);

    ck_assert_int_eq(answer.error_code, KAFKA_NONE);
    next_offset = answer.base_offset + 1;
}

static void produce(int32_t padding, bool counts)
{
    send_batch(padding);
    wait_for(&rig_client, counts);
    take_produce();
}

static void send_fetch(int64_t offset, int32_t max_wait_ms)
{
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partition;

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    kafka_fetch_request_partition_init_defaults(&partition);
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 1 << 20;
    topic.topic = text("orders");
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_kafka_send(&consumer, KAFKA_API_FETCH, 11, kafka_fetch_request, &request);
}

static void take_fetch(void)
{
    struct kafka_fetch_response response;
    const struct kafka_fetch_response_partition *answer = NULL;

    sim_kafka_answer(&consumer, kafka_fetch_response, &response);
    answer = &response.responses.items[0].partitions.items[0];
    ck_assert_int_eq(answer->error_code, KAFKA_NONE);
    ck_assert_int_eq(sim_records_end(answer->records), next_offset);
}

static void produce_round(int32_t padding, bool counts)
{
    produce(padding, counts);
}

static void fetch_round(int32_t padding, bool counts)
{
    produce(padding, false);
    send_fetch(next_offset - 1, 0);
    wait_for(&consumer, counts);
    take_fetch();
}

/* The fetch waits before the batch comes: no answer after a simulated second. */
static void long_poll_round(int32_t padding, bool counts)
{
    send_fetch(next_offset, LONG_MS);
    is_counting = counts;
    rig_run_ms(1000);
    is_counting = false;
    ck_assert(!sim_kafka_has_answer(&consumer));
    produce(padding, counts);
    wait_for(&consumer, counts);
    take_fetch();
}

static void run(const char *name, void (*round)(int32_t padding, bool counts), int32_t padding,
                int bound)
{
    for (int i = 0; i < WARM_UP; i++)
        round(padding, false);
    for (int i = 0; i < ROUNDS; i++)
        round(padding, true);
    printf("allocations in %d rounds of %s: %d\n", ROUNDS, name, allocations);
    ck_assert_msg(allocations <= bound, "%s: %d allocations in %d rounds, at most %d before", name,
                  allocations, ROUNDS, bound);
}

START_TEST(producing_small_batches_allocates_no_more_than_measured)
{
    run("produce, small", produce_round, SMALL, 3);
}
END_TEST

START_TEST(producing_idempotently_allocates_no_more_than_measured)
{
    struct kafka_init_producer_id_request request;
    struct kafka_init_producer_id_response response;

    kafka_init_producer_id_request_init_defaults(&request);
    request.transactional_id = SLICE_NULL;
    rig_call(&rig_client, INIT_PRODUCER_ID, init_producer_id, 4, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    producer_id = response.producer_id;
    run("produce, idempotent", produce_round, SMALL, 3);
}
END_TEST

START_TEST(producing_large_batches_allocates_no_more_than_measured)
{
    run("produce, 64 KiB", produce_round, LARGE, 1);
}
END_TEST

START_TEST(fetching_the_tail_allocates_no_more_than_measured)
{
    run("fetch, small", fetch_round, SMALL, 100);
}
END_TEST

START_TEST(fetching_large_batches_from_the_tail_allocates_no_more_than_measured)
{
    run("fetch, 64 KiB", fetch_round, LARGE, 100);
}
END_TEST

START_TEST(a_long_poll_that_a_produce_wakes_allocates_no_more_than_measured)
{
    run("long poll and produce", long_poll_round, SMALL, 100);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("handlers/allocations");
    TCase *tc = tcase_create("allocations");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, producing_small_batches_allocates_no_more_than_measured);
    tcase_add_test(tc, producing_idempotently_allocates_no_more_than_measured);
    tcase_add_test(tc, producing_large_batches_allocates_no_more_than_measured);
    tcase_add_test(tc, fetching_the_tail_allocates_no_more_than_measured);
    tcase_add_test(tc, fetching_large_batches_from_the_tail_allocates_no_more_than_measured);
    tcase_add_test(tc, a_long_poll_that_a_produce_wakes_allocates_no_more_than_measured);
    suite_add_tcase(suite, tc);
    return suite;
}
