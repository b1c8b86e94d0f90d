/* SPDX-License-Identifier: Apache-2.0 */
/* The broker allocates nothing when it only produces and fetches, all caches warm.
 *
 * Only what runs inside the executor's steps counts (the test's clients run between them), less what the
 * simulated parts take (sim_memory.h). First a burst fills the tails in memory and the spare blocks: what
 * comes after it needs no more. Rare events are no steady state: a segment's end, a snapshot of producers
 * every 64 MiB, a table that grows; the rounds here are fewer than those. MILLRACE_ALLOCATIONS=1 prints the
 * frames of every call: pass them to addr2line -e PROGRAM. */
#include "tests/simulation/sim_memory.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <execinfo.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LARGE_BURST = 56,
    SMALL_BURST = 200,
    MORE_SPARES = 10, /* less than what a leak every 16th round needs */
    PRODUCERS = 8,
    WARM_UP = 250,
    LONE_WARM_UP = 1000, /* without a burst: until a log's chunks double no more, and some */
    ROUNDS = 200,
    LOOPS = 2,      /* of the rig */
    PARTITIONS = 8, /* on both */
    FRAMES = 12,
    SMALL = 200,
    LARGE = 65536,
    LONG_MS = 20000,
    TAIL_BYTES = 8 << 20,
    TAIL_CHUNK_BYTES = 256 << 10
};

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

static struct sim_kafka consumer;             /* of tenant 0, beside rig_client */
static struct sim_kafka producers[PRODUCERS]; /* more of them */
static int32_t partition_count;               /* those that a round is about */
static int64_t next_offset;                   /* of each of them */
static int32_t next_sequence;
static int64_t producer_id;
static int32_t session_id; /* of consumer; -1 = it has none */
static int32_t session_epoch;

static void setup(void)
{
    rig_setup_with_tail(TAIL_BYTES);
    sim_broker_connect(&rig, 0, &consumer);
    for (int i = 0; i < PRODUCERS; i++)
        sim_broker_connect(&rig, 0, &producers[i]);
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", PARTITIONS), KAFKA_NONE);
    rig_run_ms(10000); /* what is known of the topic is written down */
    is_printing = getenv("MILLRACE_ALLOCATIONS") != NULL;
    allocations = 0;
    partition_count = 1;
    next_offset = 0;
    next_sequence = 0;
    producer_id = -1;
    session_id = -1;
    session_epoch = -1;
}

static void teardown(void)
{
    sim_kafka_done(&consumer);
    for (int i = 0; i < PRODUCERS; i++)
        sim_kafka_done(&producers[i]);
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

/* --- produce --- */

static void send_batch(struct sim_kafka *kafka, int32_t padding)
{
    static const int32_t indexes[PARTITIONS] = {0, 1, 2, 3, 4, 5, 6, 7};
    const struct sim_batch batch = {.count = 1,
                                    .padding = padding,
                                    .timestamp_ms = 1700000000000,
                                    .producer_id = producer_id,
                                    .base_sequence = producer_id < 0 ? -1 : next_sequence};

    rig_send_batches(kafka, "orders", &batch, indexes, partition_count);
    next_sequence++;
}

static void take_produce(struct sim_kafka *kafka)
{
    struct kafka_produce_response response;
    const struct kafka_produce_response_partition_array *answers = NULL;

    sim_kafka_answer(kafka, kafka_produce_response, &response);
    answers = &response.responses.items[0].partition_responses;
    ck_assert_int_eq(answers->count, partition_count);
    for (int32_t i = 0; i < answers->count; i++)
        ck_assert_int_eq(answers->items[i].error_code, KAFKA_NONE);
    next_offset++;
}

static void produce(int32_t padding, bool counts)
{
    send_batch(&rig_client, padding);
    wait_for(&rig_client, counts);
    take_produce(&rig_client);
}

static void produce_round(int32_t padding, bool counts)
{
    produce(padding, counts);
}

/* A batch of each producer is always under way. */
static void burst(int count, int32_t padding)
{
    for (int i = 0; i < count + PRODUCERS; i++) {
        struct sim_kafka *producer = &producers[i % PRODUCERS];

        if (i >= PRODUCERS) {
            wait_for(producer, false);
            take_produce(producer);
        }
        if (i < count)
            send_batch(producer, padding);
    }
}

/* Takes so many new blocks, and so many in all at least, and gives them back. */
static void add_spares(struct spare_pool *spares, size_t size, int more, int at_least)
{
    struct list blocks;
    struct list *block = NULL;

    list_init(&blocks);
    while (more > 0 || at_least > 0) {
        size_t before = spares->bytes;

        block = spare_pool_take(spares, size);
        ck_assert_ptr_nonnull(block);
        more -= spares->bytes == before;
        at_least--;
        list_push_back(&blocks, block);
    }
    while ((block = list_pop_front(&blocks)) != NULL)
        spare_pool_give(spares, block, size);
}

/* How many views wait to be freed at a time, and hold chunks, is chance, and so is how many logs of a loop
 * begin a chunk at the same time: a few more blocks than were needed so far. */
static void add_some_spares(void *context)
{
    for (size_t size = 64; size <= 1024; size *= 2) {
        for (size_t quarters = 4; quarters < 8; quarters++)
            add_spares(context, size / 4 * quarters, MORE_SPARES * partition_count, 0);
    }
    add_spares(context, TAIL_CHUNK_BYTES, 0, MORE_SPARES);
}

/* First a burst, for more than any round needs. */
static void get_warm(void (*round)(int32_t padding, bool counts), int32_t padding)
{
    int rounds = LONE_WARM_UP;

    if (producer_id < 0) { /* its sequence is one connection's */
        burst(LARGE_BURST, LARGE);
        burst(SMALL_BURST, SMALL);
        rounds = WARM_UP;
    }
    for (int i = 0; i < rounds; i++)
        round(padding, false);
    rig_run_ms(1000);
    for (int i = 0; i < LOOPS; i++)
        sim_executor_call(rig.executor, i, add_some_spares,
                          &sim_executor_loop(rig.executor, i)->spares);
}

/* --- fetch --- */

/* A session that goes on is told of partitions only when their offset is another one. */
static void send_fetch(int64_t offset, int32_t max_wait_ms)
{
    static int64_t known_offset;
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic topic;
    struct kafka_fetch_request_partition partitions[PARTITIONS];

    kafka_fetch_request_init_defaults(&request);
    kafka_fetch_request_topic_init_defaults(&topic);
    for (int32_t i = 0; i < partition_count; i++) {
        kafka_fetch_request_partition_init_defaults(&partitions[i]);
        partitions[i].partition = i;
        partitions[i].fetch_offset = offset;
        partitions[i].partition_max_bytes = 1 << 20;
    }
    topic.topic = text("orders");
    topic.partitions.items = partitions;
    topic.partitions.count = partition_count;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.max_bytes = 1 << 26;
    request.topics.items = &topic;
    request.topics.count = session_epoch > 0 && offset == known_offset ? 0 : 1;
    known_offset = offset;
    if (session_id >= 0) {
        request.session_id = session_id;
        request.session_epoch = session_epoch++;
    }
    sim_kafka_send(&consumer, KAFKA_API_FETCH, 11, kafka_fetch_request, &request);
}

/* How many partitions came with records up to their end. */
static int take_fetch(void)
{
    struct kafka_fetch_response response;
    int count = 0;

    sim_kafka_answer(&consumer, kafka_fetch_response, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    if (session_id == 0)
        session_id = response.session_id;
    ck_assert(session_id < 0 || response.session_id == session_id);
    for (int32_t t = 0; t < response.responses.count; t++) {
        const struct kafka_fetch_response_partition_array *answers =
            &response.responses.items[t].partitions;

        for (int32_t p = 0; p < answers->count; p++) {
            ck_assert_int_eq(answers->items[p].error_code, KAFKA_NONE);
            count += sim_records_end(answers->items[p].records) == next_offset;
        }
    }
    return count;
}

static void fetch_round(int32_t padding, bool counts)
{
    produce(padding, false);
    send_fetch(next_offset - 1, 0);
    wait_for(&consumer, counts);
    ck_assert_int_eq(take_fetch(), partition_count);
}

static void empty_fetch_round(int32_t padding, bool counts)
{
    (void)padding;
    send_fetch(next_offset, 1);
    wait_for(&consumer, counts);
    ck_assert_int_eq(take_fetch(), 0);
}

static void wait_long(bool counts)
{
    is_counting = counts;
    rig_run_ms(1000);
    is_counting = false;
    ck_assert(!sim_kafka_has_answer(&consumer));
}

/* The fetch waits before the batch comes: no answer after a simulated second. */
static void long_poll_round(int32_t padding, bool counts)
{
    send_fetch(next_offset, LONG_MS);
    wait_long(counts);
    produce(padding, counts);
    wait_for(&consumer, counts);
    ck_assert_int_ge(take_fetch(), 1);
}

/* Three connections at once. */
static void busy_round(int32_t padding, bool counts)
{
    send_fetch(next_offset, LONG_MS);
    wait_long(counts);
    for (int i = 0; i < 2; i++)
        send_batch(&producers[i], padding);
    for (int i = 0; i < 2; i++) {
        wait_for(&producers[i], counts);
        take_produce(&producers[i]);
    }
    wait_for(&consumer, counts);
    (void)take_fetch(); /* what came first, or all of it */
}

static void run(const char *name, void (*round)(int32_t padding, bool counts), int32_t padding)
{
    get_warm(round, padding);
    for (int i = 0; i < ROUNDS; i++)
        round(padding, true);
    printf("allocations in %d rounds of %s: %d\n", ROUNDS, name, allocations);
    ck_assert_msg(allocations == 0, "%s: %d allocations in %d rounds", name, allocations, ROUNDS);
}

START_TEST(producing_small_batches_allocates_nothing)
{
    run("produce, small", produce_round, SMALL);
}
END_TEST

START_TEST(producing_idempotently_allocates_nothing)
{
    struct kafka_init_producer_id_request request;
    struct kafka_init_producer_id_response response;

    kafka_init_producer_id_request_init_defaults(&request);
    request.transactional_id = SLICE_NULL;
    rig_call(&rig_client, INIT_PRODUCER_ID, init_producer_id, 4, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
    producer_id = response.producer_id;
    run("produce, idempotent", produce_round, SMALL);
}
END_TEST

START_TEST(producing_large_batches_allocates_nothing)
{
    run("produce, 64 KiB", produce_round, LARGE);
}
END_TEST

START_TEST(producing_to_several_partitions_allocates_nothing)
{
    partition_count = PARTITIONS;
    run("produce, several partitions", produce_round, SMALL);
}
END_TEST

START_TEST(fetching_the_tail_allocates_nothing)
{
    run("fetch, small", fetch_round, SMALL);
}
END_TEST

START_TEST(fetching_large_batches_from_the_tail_allocates_nothing)
{
    run("fetch, 64 KiB", fetch_round, LARGE);
}
END_TEST

START_TEST(fetching_several_partitions_allocates_nothing)
{
    partition_count = PARTITIONS;
    run("fetch, several partitions", fetch_round, SMALL);
}
END_TEST

START_TEST(fetching_with_a_session_allocates_nothing)
{
    partition_count = PARTITIONS;
    session_id = 0;
    session_epoch = 0;
    run("fetch, session", fetch_round, SMALL);
    ck_assert_int_gt(session_id, 0);
}
END_TEST

START_TEST(a_session_that_finds_nothing_new_allocates_nothing)
{
    partition_count = PARTITIONS;
    session_id = 0;
    session_epoch = 0;
    run("fetch, session, nothing new", empty_fetch_round, SMALL);
    ck_assert_int_gt(session_id, 0);
}
END_TEST

START_TEST(a_long_poll_that_a_produce_wakes_allocates_nothing)
{
    session_id = 0;
    session_epoch = 0;
    run("long poll and produce", long_poll_round, SMALL);
    ck_assert_int_gt(session_id, 0);
}
END_TEST

START_TEST(three_connections_that_share_partitions_allocate_nothing)
{
    partition_count = PARTITIONS;
    run("two producers and a long poll", busy_round, SMALL);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("handlers/allocations");
    TCase *tc = tcase_create("allocations");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, producing_small_batches_allocates_nothing);
    tcase_add_test(tc, producing_idempotently_allocates_nothing);
    tcase_add_test(tc, producing_large_batches_allocates_nothing);
    tcase_add_test(tc, producing_to_several_partitions_allocates_nothing);
    tcase_add_test(tc, fetching_the_tail_allocates_nothing);
    tcase_add_test(tc, fetching_large_batches_from_the_tail_allocates_nothing);
    tcase_add_test(tc, fetching_several_partitions_allocates_nothing);
    tcase_add_test(tc, fetching_with_a_session_allocates_nothing);
    tcase_add_test(tc, a_session_that_finds_nothing_new_allocates_nothing);
    tcase_add_test(tc, a_long_poll_that_a_produce_wakes_allocates_nothing);
    tcase_add_test(tc, three_connections_that_share_partitions_allocate_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
