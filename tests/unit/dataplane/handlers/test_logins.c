/* SPDX-License-Identifier: Apache-2.0 */
/* Before and at login: what a stranger may do, for how long, and what guessing costs. Simulated time. */
#include "common/wire/crc32c.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include <stdio.h>

enum { STRANGERS_PER_ADDRESS = 20, MAX_STEPS = 1000000 };

static struct service_key key;   /* of tenant 0 */
static struct service_key wrong; /* well-formed, and nobody's */

static void setup(void)
{
    struct seeded_random random;

    /* Of each of the two loops. */
    rig_setup_with(&(struct broker_limits){
        .logins = {.strangers = 1000, .strangers_per_address = STRANGERS_PER_ADDRESS}});
    sim_broker_add_key(&rig, 0, "Manager", 7, &key);
    seeded_random_init(&random, 8);
    ck_assert_int_eq(service_key_generate(&random.base, KEY_SERVICE, &wrong), ERR_OK);
}

static int64_t now_ms(void)
{
    return clock_monotonic_us(sim_executor_clock(rig.executor)) / 1000;
}

static void handshake(struct sim_kafka *kafka)
{
    struct kafka_sasl_handshake_request request;
    struct kafka_sasl_handshake_response response;

    kafka_sasl_handshake_request_init_defaults(&request);
    request.mechanism = text("PLAIN");
    rig_call(kafka, SASL_HANDSHAKE, sasl_handshake, 1, &request, &response);
    ck_assert_int_eq(response.error_code, KAFKA_NONE);
}

static void send_token(struct sim_kafka *kafka, const char *password)
{
    struct kafka_sasl_authenticate_request request;
    char token[256];
    int len = snprintf(token, sizeof(token), "%ctoken%c%s", 0, 0, password);

    kafka_sasl_authenticate_request_init_defaults(&request);
    request.auth_bytes = slice_of(token, (size_t)len);
    sim_kafka_send(kafka, KAFKA_API_SASL_AUTHENTICATE, 2, kafka_sasl_authenticate_request,
                   &request);
}

/* The error code of the answer; -2 = closed without one. */
static int take_login(struct sim_kafka *kafka)
{
    struct kafka_sasl_authenticate_response response;

    if (!sim_broker_wait(&rig, kafka))
        return -2;
    sim_kafka_answer(kafka, kafka_sasl_authenticate_response, &response);
    return response.error_code;
}

static int log_in(struct sim_kafka *kafka, const char *password)
{
    sim_broker_connect_sasl(&rig, kafka);
    handshake(kafka);
    send_token(kafka, password);
    return take_login(kafka);
}

/* A failed login, from connecting to being told. */
static int64_t fail_ms(const char *password)
{
    struct sim_kafka kafka;
    int64_t start_ms = now_ms();
    int64_t end_ms = 0;

    ck_assert_int_eq(log_in(&kafka, password), KAFKA_SASL_AUTHENTICATION_FAILED);
    end_ms = now_ms();
    rig_run_ms(10);
    ck_assert(sim_client_is_closed(kafka.client));
    sim_kafka_done(&kafka);
    return end_ms - start_ms;
}

/* The right key id with a wrong secret, and the checksum of that. */
static void make_wrong_secret(char text_of[KEY_TEXT_LEN + 1])
{
    char *checksum = text_of + KEY_TEXT_LEN - 8;

    memcpy(text_of, key.text, KEY_TEXT_LEN + 1);
    text_of[30] = text_of[30] == '0' ? '1' : '0';
    snprintf(checksum, 9, "%08x", crc32c(text_of, KEY_TEXT_LEN - 8));
}

START_TEST(a_right_key_opens_its_instance)
{
    struct sim_kafka kafka;

    ck_assert_int_eq(log_in(&kafka, key.text), KAFKA_NONE);
    ck_assert_int_eq(rig_create_topic(&kafka, "orders", 1), KAFKA_NONE);
    ck_assert_int_eq(rig_partition_count(&rig_client, "orders"), 1);
    sim_kafka_done(&kafka);
}
END_TEST

START_TEST(an_unknown_key_and_a_wrong_secret_are_told_the_same_after_the_same_time)
{
    char wrong_secret[KEY_TEXT_LEN + 1];

    make_wrong_secret(wrong_secret);
    ck_assert_int_eq(fail_ms(wrong.text), 100);
    ck_assert_int_eq(fail_ms(wrong_secret), 100);
    ck_assert_int_eq(fail_ms("not a key at all"), 100);
}
END_TEST

/* Connections in turn go to the loops in turn; each remembers for itself. */
START_TEST(guessing_becomes_slower_and_a_right_login_does_not)
{
    struct sim_kafka kafka;
    int64_t first_ms = 0, last_ms = 0;

    for (int i = 0; i < 14; i++) {
        last_ms = fail_ms(wrong.text);
        if (i == 0)
            first_ms = last_ms;
    }
    ck_assert_int_eq(first_ms, 100);
    ck_assert_int_ge(last_ms, 3000);
    ck_assert_int_le(last_ms, 5000);
    last_ms = now_ms();
    ck_assert_int_eq(log_in(&kafka, key.text), KAFKA_NONE);
    ck_assert_int_lt(now_ms() - last_ms, 5);
    sim_kafka_done(&kafka);
}
END_TEST

START_TEST(guesses_at_a_key_do_not_touch_those_who_have_it)
{
    struct sim_kafka held, kafka;
    char wrong_secret[KEY_TEXT_LEN + 1];
    int64_t start_ms = 0;

    ck_assert_int_eq(log_in(&held, key.text), KAFKA_NONE);
    make_wrong_secret(wrong_secret);
    for (int i = 0; i < 10; i++)
        fail_ms(wrong_secret);
    start_ms = now_ms();
    ck_assert_int_eq(log_in(&kafka, key.text), KAFKA_NONE);
    ck_assert_int_lt(now_ms() - start_ms, 5);
    ck_assert_int_eq(rig_create_topic(&held, "orders", 1), KAFKA_NONE);
    sim_kafka_done(&kafka);
    sim_kafka_done(&held);
}
END_TEST

START_TEST(a_full_instance_closes_without_a_word_so_that_clients_come_again)
{
    struct sim_kafka kafka;

    sim_broker_set_limit(&rig, 0, "connections", 1);
    ck_assert_int_eq(log_in(&kafka, key.text), -2);
    sim_kafka_done(&kafka);
    sim_broker_set_limit(&rig, 0, "connections", 2);
    ck_assert_int_eq(log_in(&kafka, key.text), KAFKA_NONE);
    sim_kafka_done(&kafka);
}
END_TEST

START_TEST(one_stranger_too_many_from_an_address_is_closed_at_once)
{
    struct sim_kafka strangers[2 * STRANGERS_PER_ADDRESS + 2];
    int count = (int)(sizeof(strangers) / sizeof(strangers[0]));
    int closed = 0;

    for (int i = 0; i < count; i++)
        sim_broker_connect_sasl(&rig, &strangers[i]);
    rig_run_ms(100);
    for (int i = 0; i < count; i++)
        closed += sim_client_is_closed(strangers[i].client);
    ck_assert_int_eq(closed, 2);
    /* Those who are logged in are no strangers: there is room again. */
    handshake(&strangers[0]);
    send_token(&strangers[0], key.text);
    ck_assert_int_eq(take_login(&strangers[0]), KAFKA_NONE);
    for (int i = 0; i < count; i++)
        sim_kafka_done(&strangers[i]);
}
END_TEST

START_TEST(who_has_not_logged_in_after_ten_seconds_is_closed)
{
    struct sim_kafka silent, halfway;

    sim_broker_connect_sasl(&rig, &silent);
    sim_broker_connect_sasl(&rig, &halfway);
    handshake(&halfway);
    rig_run_ms(9500);
    ck_assert(!sim_client_is_closed(silent.client));
    sim_client_send(halfway.client, "\0\0", 2); /* dripping does not help */
    rig_run_ms(2000);
    ck_assert(sim_client_is_closed(silent.client));
    ck_assert(sim_client_is_closed(halfway.client));
    sim_kafka_done(&silent);
    sim_kafka_done(&halfway);
}
END_TEST

/* 64 KiB are let in (and are no request); one byte more is not even read. */
START_TEST(before_login_a_frame_has_64_kib_at_most)
{
    static const uint8_t at[4] = {0, 1, 0, 0}, over[4] = {0, 1, 0, 1};
    struct sim_kafka kafka;

    sim_broker_connect_sasl(&rig, &kafka);
    sim_client_send(kafka.client, at, 4);
    rig_run_ms(100);
    ck_assert(!sim_client_is_closed(kafka.client));
    sim_kafka_done(&kafka);
    sim_broker_connect_sasl(&rig, &kafka);
    sim_client_send(kafka.client, over, 4);
    rig_run_ms(100);
    ck_assert(sim_client_is_closed(kafka.client));
    sim_kafka_done(&kafka);
}
END_TEST

START_TEST(before_login_only_api_versions_and_sasl_are_served)
{
    for (int16_t api = 0; api < 100; api++) {
        const struct kafka_api *known = kafka_api_find(api);
        struct sim_kafka kafka;
        struct writer writer;

        if (known == NULL || api == KAFKA_API_API_VERSIONS || api == KAFKA_API_SASL_HANDSHAKE)
            continue;
        sim_broker_connect_sasl(&rig, &kafka);
        writer = sim_kafka_begin(&kafka, (enum kafka_api_key)api, known->max_version);
        sim_kafka_end(&kafka, &writer);
        sim_executor_run_until(rig.executor, sim_kafka_is_settled, &kafka, MAX_STEPS);
        ck_assert_msg(sim_client_is_closed(kafka.client) && !sim_kafka_has_answer(&kafka),
                      "%s was answered", known->name);
        sim_kafka_done(&kafka);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("logins");
    TCase *tc = tcase_create("logins");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, a_right_key_opens_its_instance);
    tcase_add_test(tc, an_unknown_key_and_a_wrong_secret_are_told_the_same_after_the_same_time);
    tcase_add_test(tc, guessing_becomes_slower_and_a_right_login_does_not);
    tcase_add_test(tc, guesses_at_a_key_do_not_touch_those_who_have_it);
    tcase_add_test(tc, a_full_instance_closes_without_a_word_so_that_clients_come_again);
    tcase_add_test(tc, one_stranger_too_many_from_an_address_is_closed_at_once);
    tcase_add_test(tc, who_has_not_logged_in_after_ten_seconds_is_closed);
    tcase_add_test(tc, before_login_a_frame_has_64_kib_at_most);
    tcase_add_test(tc, before_login_only_api_versions_and_sasl_are_served);
    suite_add_tcase(suite, tc);
    return suite;
}
