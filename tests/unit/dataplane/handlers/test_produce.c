/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with batches for several partitions. */
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum { PARTITIONS = 40 };

static const struct sim_batch batch = {
    .count = 2, .timestamp_ms = 1700000000000, .producer_id = -1, .base_sequence = -1};

static struct kafka_produce_response_partition_array produce(const int32_t *partitions,
                                                             int32_t count)
{
    struct kafka_produce_response response;

    rig_send_batches(&rig_client, "orders", &batch, partitions, count);
    ck_assert(sim_broker_wait(&rig, &rig_client));
    sim_kafka_answer(&rig_client, kafka_produce_response, &response);
    ck_assert_int_eq(response.responses.items[0].partition_responses.count, count);
    return response.responses.items[0].partition_responses;
}

START_TEST(each_partition_of_a_request_gets_its_batch)
{
    struct kafka_produce_response_partition_array answers;
    int32_t partitions[PARTITIONS];

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", PARTITIONS), KAFKA_NONE);
    for (int32_t i = 0; i < PARTITIONS; i++)
        partitions[i] = PARTITIONS - 1 - i;
    for (int64_t round = 0; round < 2; round++) {
        answers = produce(partitions, PARTITIONS);
        for (int32_t i = 0; i < PARTITIONS; i++) {
            ck_assert_int_eq(answers.items[i].index, partitions[i]);
            ck_assert_int_eq(answers.items[i].error_code, KAFKA_NONE);
            ck_assert_int_eq(answers.items[i].base_offset, 2 * round);
        }
    }
}
END_TEST

START_TEST(a_partition_named_twice_gets_its_first_batch_only)
{
    static const int32_t partitions[] = {1, 0, 1, 2, 1};
    struct kafka_produce_response_partition_array answers;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 3), KAFKA_NONE);
    for (int64_t round = 0; round < 2; round++) {
        answers = produce(partitions, 5);
        for (int32_t i = 0; i < 5; i++) {
            bool is_again = i == 2 || i == 4;

            ck_assert_int_eq(answers.items[i].error_code,
                             is_again ? KAFKA_INVALID_REQUEST : KAFKA_NONE);
            ck_assert_int_eq(answers.items[i].base_offset, is_again ? -1 : 2 * round);
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("handlers/produce");
    TCase *tc = tcase_create("produce");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
    tcase_add_test(tc, each_partition_of_a_request_gets_its_batch);
    tcase_add_test(tc, a_partition_named_twice_gets_its_first_batch_only);
    suite_add_tcase(suite, tc);
    return suite;
}
