/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator sees at the broker's metrics port, of a simulated broker with two instances. */
#include "dataplane/broker_listeners.h"
#include "dataplane/dispatch/broker_loop.h"
#include "dataplane/metrics/http_head.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

#define INSTANCE_A "aaaaaaaa-0000-4000-8000-000000000001"
#define INSTANCE_B "bbbbbbbb-0000-4000-8000-000000000002"

static struct sim_client *client;

static void setup(void)
{
    rig_setup();
    client = NULL;
}

static void teardown(void)
{
    if (client != NULL)
        sim_client_free(client);
    rig_teardown();
}

static bool is_over(void *context)
{
    return sim_client_is_closed(context);
}

/* The whole answer to `bytes` as text; the server closes after it. */
static const char *exchange(const char *bytes)
{
    struct buffer *received = NULL;

    if (client != NULL)
        sim_client_free(client);
    client = sim_client_connect(rig.network, SIM_METRICS_PORT);
    ck_assert_ptr_nonnull(client);
    sim_client_send(client, bytes, strlen(bytes));
    ck_assert(sim_executor_run_until(rig.executor, is_over, client, 1000000));
    received = sim_client_received(client);
    ck_assert_int_eq(buffer_append(received, "", 1), ERR_OK);
    return (const char *)received->data;
}

static const char *get(const char *path)
{
    static char request[256];

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    return exchange(request);
}

static void has(const char *text, const char *expected)
{
    ck_assert_msg(strstr(text, expected) != NULL, "no '%s' in:\n%s", expected, text);
}

static void has_not(const char *text, const char *unexpected)
{
    ck_assert_msg(strstr(text, unexpected) == NULL, "'%s' in:\n%s", unexpected, text);
}

static void commit(const char *group, size_t group_len, int64_t offset)
{
    struct kafka_offset_commit_request request;
    struct kafka_offset_commit_request_topic topic;
    struct kafka_offset_commit_request_partition partition;
    struct kafka_offset_commit_response response;

    kafka_offset_commit_request_init_defaults(&request);
    kafka_offset_commit_request_topic_init_defaults(&topic);
    kafka_offset_commit_request_partition_init_defaults(&partition);
    request.group_id = slice_of(group, group_len);
    request.member_id = text("");
    partition.committed_offset = offset;
    partition.committed_metadata = text("");
    topic.name = text("orders");
    topic.partitions.items = &partition;
    topic.partitions.count = 1;
    request.topics.items = &topic;
    request.topics.count = 1;
    rig_call(&rig_client, OFFSET_COMMIT, offset_commit, 8, &request, &response);
    ck_assert_int_eq(response.topics.items[0].partitions.items[0].error_code, KAFKA_NONE);
}

START_TEST(totals_count_what_was_produced_and_hide_who_did)
{
    const char *answer = NULL;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 3), KAFKA_NONE);
    (void)rig_produce(&rig_client, "orders", 7);
    (void)rig_produce(&rig_client, "nowhere", 1);
    answer = get("/metrics");
    has(answer, "HTTP/1.1 200 OK\r\n");
    has(answer, "\nkafka_server_brokertopicmetrics_messagesin_total 7\n");
    has(answer, "\nkafka_server_brokertopicmetrics_totalproducerequests_total 2\n");
    has(answer, "\nkafka_server_brokertopicmetrics_failedproducerequests_total 1\n");
    has(answer, "\nkafka_network_requestmetrics_requests_total{request=\"CreateTopics\"} 1\n");
    has(answer, "\nmillrace_request_seconds_count{request=\"Produce\"} 2\n");
    has(answer, "\nmillrace_connections{listener=\"PLAINTEXT\"} 2\n");
    has(answer,
        "\nkafka_server_replicamanager_leadercount 7\n"); /* 3, and 2 internal an instance */
    has(answer, "\nkafka_controller_kafkacontroller_offlinepartitionscount 0\n");
    has(answer, "\nmillrace_instances 2\n");
    has(answer, "\nmillrace_log_directory_failed 0\n");
    has_not(answer, "\nmillrace_wal_bytes_total 0\n");
    has(answer, "\nmillrace_unsynced_logs 1\n");
    has_not(answer, "\nmillrace_late_bytes 0\n");
    has(answer, "\nmillrace_late_writes_total 0\n");
    has(answer, "\nmillrace_compactions_total{result=\"done\"} 0\n");
    has_not(answer, "orders");
    has_not(answer, INSTANCE_A);
}
END_TEST

START_TEST(per_object_shows_topics_groups_and_lag_of_each_instance)
{
    const char *answer = NULL;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 2), KAFKA_NONE);
    ck_assert_int_eq(rig_create_topic(&rig_other, "orders", 1), KAFKA_NONE);
    (void)rig_produce(&rig_client, "orders", 10);
    commit("billing", 7, 4);
    answer = get("/metrics/per-object");
    has(answer, "\nkafka_topic_partitions{instance_id=\"" INSTANCE_A "\",topic=\"orders\"} 2\n");
    has(answer, "\nkafka_topic_partitions{instance_id=\"" INSTANCE_B "\",topic=\"orders\"} 1\n");
    has(answer, "\nkafka_topic_partition_current_offset{instance_id=\"" INSTANCE_A
                "\",topic=\"orders\",partition=\"0\"} 10\n");
    has(answer, "\nkafka_topic_partition_oldest_offset{instance_id=\"" INSTANCE_B
                "\",topic=\"orders\",partition=\"0\"} 0\n");
    has(answer, "\nkafka_consumergroup_current_offset{instance_id=\"" INSTANCE_A
                "\",consumergroup=\"billing\",topic=\"orders\",partition=\"0\"} 4\n");
    has(answer, "\nkafka_consumergroup_lag{instance_id=\"" INSTANCE_A
                "\",consumergroup=\"billing\",topic=\"orders\",partition=\"0\"} 6\n");
    has(answer, "\nkafka_consumergroup_members{instance_id=\"" INSTANCE_A
                "\",consumergroup=\"billing\"} 0\n");
    has(answer, "\nmillrace_instance_partitions{instance_id=\"" INSTANCE_A "\"} 2\n");
    has(answer, "\nmillrace_instance_connections{instance_id=\"" INSTANCE_B "\"} 1\n");
    has(answer, "\nmillrace_instance_clients{instance_id=\"" INSTANCE_A "\"} 1\n");
    has(answer, "\nmillrace_tenant_throttle_seconds_total{instance_id=\"" INSTANCE_A
                "\",direction=\"in\"} 0.000000\n");
    has_not(answer,
            "\nmillrace_instance_bytes_total{instance_id=\"" INSTANCE_A "\",direction=\"in\"} 0\n");
    has(answer, "\nkafka_brokers 1\n");
}
END_TEST

START_TEST(a_group_whose_id_is_no_text_is_counted_and_not_shown)
{
    const char *answer = NULL;

    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
    commit("a\xff", 2, 4);
    commit("say \"hi\"", 8, 4);
    answer = get("/metrics/per-object");
    has(answer, "\nmillrace_groups_not_shown 1\n");
    has(answer, "consumergroup=\"say \\\"hi\\\"\"");
    has_not(answer, "a\xff");
}
END_TEST

START_TEST(many_topics_are_shown_over_many_turns_while_clients_are_served)
{
    char name[16];
    const char *answer = NULL;

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "t%02d", i);
        ck_assert_int_eq(rig_create_topic(&rig_client, name, 40), KAFKA_NONE);
    }
    answer = get("/metrics/per-object");
    has(answer, "topic=\"t00\",partition=\"39\"} 0\n");
    has(answer, "topic=\"t19\",partition=\"39\"} 0\n");
    has(answer, "\nkafka_server_replicamanager_partitioncount 804\n");
}
END_TEST

START_TEST(health_and_readiness_have_their_own_paths)
{
    has(get("/healthz"), "HTTP/1.1 200 OK\r\n");
    has(get("/readyz?verbose"), "\r\n\r\nready\n");
    has(get("/"), "HTTP/1.1 404 Not Found\r\n");
}
END_TEST

/* Who sees that it is ready may connect at once. */
START_TEST(a_broker_is_not_ready_before_its_listeners_are_open)
{
    struct broker_loop *broker = broker_loop_of(rig.broker, sim_executor_loop(rig.executor, 0));

    ck_assert(atomic_load(broker->is_listening));
    atomic_store(broker->is_listening, false);
    has(get("/readyz"), "HTTP/1.1 503 Service Unavailable\r\n");
    atomic_store(broker->is_listening, true);
    has(get("/readyz"), "HTTP/1.1 200 OK\r\n");
}
END_TEST

static bool refuse(void *context, struct stream *stream)
{
    (void)context;
    (void)stream;
    return false;
}

START_TEST(a_broker_whose_port_is_taken_is_not_ready_and_opens_it_when_it_is_free)
{
    struct network_listener *other = NULL;
    struct error error;

    ck_assert_int_eq(
        rig.network->ops->listen(rig.network, "127.0.0.1", 11500, refuse, NULL, &other, &error),
        ERR_OK);
    rig_add_listener("late", 11500);
    has(get("/readyz"), "not all listeners are open yet");
    ck_assert_int_eq(broker_listener_port(rig.broker, "late"), 0);
    rig_run_ms(20000);
    has(get("/readyz"), "not all listeners are open yet");
    rig.network->ops->listener_close(other);
    rig_run_ms(5000);
    has(get("/readyz"), "HTTP/1.1 200 OK\r\n");
    ck_assert_int_eq(broker_listener_port(rig.broker, "late"), 11500);
}
END_TEST

START_TEST(a_port_that_is_taken_holds_up_no_acknowledgement)
{
    rig_add_listener("late", SIM_METRICS_PORT);
    has(get("/readyz"), "not all listeners are open yet");
    ck_assert_int_eq(sim_cell_acknowledged(rig.cell, 0), sim_cell_version(rig.cell));
}
END_TEST

START_TEST(what_is_not_a_small_get_is_refused)
{
    char *large = malloc(10001);

    memset(large, 'x', 10000);
    memcpy(large, "GET /metrics HTTP/1.1\r\nX: ", 26);
    large[10000] = '\0';
    has(exchange("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed\r\n");
    has(exchange("POST /metrics HTTP/1.1\r\n\r\n"), "\r\nAllow: GET\r\n");
    has(exchange("GET /metrics HTTP/2.0\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n");
    has(exchange("\x16\x03\x01\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n");
    has(exchange(large), "HTTP/1.1 431 Request Header Fields Too Large\r\n");
    free(large);
}
END_TEST

START_TEST(one_who_sends_nothing_is_closed_and_a_ninth_is_not_let_in)
{
    struct sim_client *silent[8];

    for (int i = 0; i < 8; i++)
        silent[i] = sim_client_connect(rig.network, SIM_METRICS_PORT);
    rig_run_ms(1000);
    ck_assert(!sim_client_is_closed(silent[0]));
    ck_assert_str_eq(get("/healthz"), ""); /* closed without a word */
    rig_run_ms(10000);
    for (int i = 0; i < 8; i++) {
        ck_assert(sim_client_is_closed(silent[i]));
        sim_client_free(silent[i]);
    }
    has(get("/healthz"), "HTTP/1.1 200 OK\r\n");
}
END_TEST

START_TEST(a_broker_that_stops_does_not_wait_for_those_who_scrape)
{
    struct sim_client *silent = sim_client_connect(rig.network, SIM_METRICS_PORT);

    rig_run_ms(100);
    sim_broker_stop(&rig);
    ck_assert(sim_client_is_closed(silent));
    sim_client_free(silent);
    sim_kafka_done(&rig_client);
    sim_kafka_done(&rig_other);
    sim_broker_done(&rig);
}
END_TEST

START_TEST(heads_are_read_to_the_letter)
{
    static const struct {
        const char *bytes;
        enum err rc;
        const char *path;
    } cases[] = {
        {"GET /a HTTP/1.1\r\n\r\n", ERR_OK, "/a"},
        {"GET /a?b=c HTTP/1.0\r\nX: y\r\n\r\n", ERR_OK, "/a"},
        {"", ERR_TRUNCATED, NULL},
        {"GET /a HTTP/1.1\r\n", ERR_TRUNCATED, NULL},
        {"\r\n\r\n", ERR_INVALID, NULL},
        {"GET  /a HTTP/1.1\r\n\r\n", ERR_INVALID, NULL},
        {"GET /a HTTP/1.1 \r\n\r\n", ERR_INVALID, NULL},
        {"GET a HTTP/1.1\r\n\r\n", ERR_INVALID, NULL},
        {"GET /\x01 HTTP/1.1\r\n\r\n", ERR_INVALID, NULL},
        {"GET /a\r\n\r\n", ERR_INVALID, NULL},
        {"HEAD /a HTTP/1.1\r\n\r\n", ERR_UNSUPPORTED, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice path = SLICE_NULL;

        ck_assert_msg(http_head_parse(slice_from_cstring(cases[i].bytes), &path) == cases[i].rc,
                      "case %zu", i);
        if (cases[i].path != NULL)
            assert_text(path, cases[i].path);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/metrics");
    TCase *served = tcase_create("served");
    TCase *alone = tcase_create("alone");
    TCase *heads = tcase_create("heads");

    tcase_add_checked_fixture(served, setup, teardown);
    tcase_add_test(served, totals_count_what_was_produced_and_hide_who_did);
    tcase_add_test(served, per_object_shows_topics_groups_and_lag_of_each_instance);
    tcase_add_test(served, a_group_whose_id_is_no_text_is_counted_and_not_shown);
    tcase_add_test(served, many_topics_are_shown_over_many_turns_while_clients_are_served);
    tcase_add_test(served, health_and_readiness_have_their_own_paths);
    tcase_add_test(served, a_broker_is_not_ready_before_its_listeners_are_open);
    tcase_add_test(served, a_broker_whose_port_is_taken_is_not_ready_and_opens_it_when_it_is_free);
    tcase_add_test(served, a_port_that_is_taken_holds_up_no_acknowledgement);
    tcase_add_test(served, what_is_not_a_small_get_is_refused);
    tcase_add_test(served, one_who_sends_nothing_is_closed_and_a_ninth_is_not_let_in);
    suite_add_tcase(suite, served);
    tcase_add_checked_fixture(alone, rig_setup, NULL);
    tcase_add_test(alone, a_broker_that_stops_does_not_wait_for_those_who_scrape);
    suite_add_tcase(suite, alone);
    tcase_add_test(heads, heads_are_read_to_the_letter);
    suite_add_tcase(suite, heads);
    return suite;
}
