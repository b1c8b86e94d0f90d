/* SPDX-License-Identifier: Apache-2.0 */
/* Smoke of librdkafka as Debian ships it: admin, produce, idempotent produce, group, commit, over
 * SASL_SSL with an API key. The runner gives the instance in the environment; see
 * tests/clients/README.md. One line per check; the first failure ends the program with status 1.
 *
 * No clean-up on failure: the process ends, and the runner deletes the instance. */
#include <librdkafka/rdkafka.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORDS_PER_PRODUCER = 50, PARTITIONS = 3, TIMEOUT_MS = 30000 };

static char topic[200], group[200];
static int failed_deliveries;

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const char *what,
                                                                 const char *format, ...)
{
    va_list values;

    printf("FAILED librdkafka: %s: ", what);
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    printf("\n");
    exit(1);
}

static void pass(const char *what)
{
    printf("ok librdkafka: %s\n", what);
    fflush(stdout);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        fail("environment", "%s is not set; start me with tests/clients/run", name);
    return value;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        failed_deliveries++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        fail("configure", "%s: %s", name, why);
}

/* extra: pairs of name and value, ended by NULL. */
static rd_kafka_t *connect_as(rd_kafka_type_t type, const char *const *extra)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    set(conf, "bootstrap.servers", environment("MILLRACE_BOOTSTRAP"));
    set(conf, "security.protocol", "SASL_SSL");
    set(conf, "sasl.mechanism", "PLAIN");
    set(conf, "sasl.username", "token");
    set(conf, "sasl.password", environment("MILLRACE_API_KEY"));
    set(conf, "ssl.ca.location", environment("MILLRACE_CA_FILE"));
    set(conf, "ssl.endpoint.identification.algorithm", "https");
    for (; *extra != NULL; extra += 2)
        set(conf, extra[0], extra[1]);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);

    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof(why));
    if (client == NULL)
        fail("connect", "%s", why);
    return client;
}

static void check_topic_result(const char *what, const rd_kafka_topic_result_t **results,
                               size_t count)
{
    if (count != 1)
        fail(what, "%zu results, not 1", count);
    if (rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(what, "%s", rd_kafka_topic_result_error_string(results[0]));
    pass(what);
}

static rd_kafka_event_t *await(rd_kafka_queue_t *queue, const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);

    if (event == NULL)
        fail(what, "no answer in %d ms", TIMEOUT_MS);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(what, "%s", rd_kafka_event_error_string(event));
    return event;
}

static void create_topic(rd_kafka_t *client)
{
    char why[256];
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, PARTITIONS, -1, why, sizeof(why));

    if (wanted == NULL)
        fail("create topic", "%s", why);
    rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue, "create topic");
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    check_topic_result("create topic", results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(wanted);
    rd_kafka_queue_destroy(queue);
}

static void delete_topic(rd_kafka_t *client)
{
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopic_t *unwanted = rd_kafka_DeleteTopic_new(topic);

    rd_kafka_DeleteTopics(client, &unwanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue, "delete topic");
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    check_topic_result("delete topic", results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(unwanted);
    rd_kafka_queue_destroy(queue);
}

static void describe_topic(rd_kafka_t *client)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(client, 0, handle, &metadata, TIMEOUT_MS);

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("describe topic", "%s", rd_kafka_err2str(err));
    if (metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt != PARTITIONS)
        fail("describe topic", "not one topic of %d partitions", PARTITIONS);
    pass("describe topic");
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

static void produce(const char *what, const char *const *extra)
{
    rd_kafka_t *client = connect_as(RD_KAFKA_PRODUCER, extra);

    for (int i = 0; i < RECORDS_PER_PRODUCER; i++) {
        char key[64], value[64];
        int key_len = snprintf(key, sizeof(key), "%s-%d", what, i % 7);
        int value_len = snprintf(value, sizeof(value), "%s %d", what, i);
        rd_kafka_resp_err_t err =
            rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, (size_t)key_len),
                              RD_KAFKA_V_VALUE(value, (size_t)value_len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail(what, "%s", rd_kafka_err2str(err));
    }
    if (rd_kafka_flush(client, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(what, "records left in the queue after %d ms", TIMEOUT_MS);
    if (failed_deliveries > 0)
        fail(what, "%d records were not delivered", failed_deliveries);
    pass(what);
    rd_kafka_destroy(client);
}

/* At most three times TIMEOUT_MS without a record, then it is a failure. */
static void consume_and_commit(void)
{
    const char *const extra[] = {
        "group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false", NULL};
    rd_kafka_t *client = connect_as(RD_KAFKA_CONSUMER, extra);
    rd_kafka_topic_partition_list_t *wanted = rd_kafka_topic_partition_list_new(1);
    int seen = 0;

    rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_add(wanted, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(client, wanted);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("subscribe", "%s", rd_kafka_err2str(err));
    while (seen < 2 * RECORDS_PER_PRODUCER) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, TIMEOUT_MS);

        if (message == NULL)
            fail("consume in group", "only %d records", seen);
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("consume in group", "%s", rd_kafka_message_errstr(message));
        seen++;
        rd_kafka_message_destroy(message);
    }
    pass("consume in group");
    err = rd_kafka_commit(client, NULL, 0);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("commit", "%s", rd_kafka_err2str(err));
    pass("commit");
    rd_kafka_consumer_close(client);
    rd_kafka_topic_partition_list_destroy(wanted);
    rd_kafka_destroy(client);
}

static void read_committed(void)
{
    const char *const extra[] = {"group.id", group, NULL};
    rd_kafka_t *client = connect_as(RD_KAFKA_CONSUMER, extra);
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS);
    int64_t sum = 0;

    for (int partition = 0; partition < PARTITIONS; partition++)
        rd_kafka_topic_partition_list_add(offsets, topic, partition);
    rd_kafka_resp_err_t err = rd_kafka_committed(client, offsets, TIMEOUT_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("read committed offsets", "%s", rd_kafka_err2str(err));
    for (int i = 0; i < offsets->cnt; i++)
        sum += offsets->elems[i].offset > 0 ? offsets->elems[i].offset : 0;
    if (sum != 2 * RECORDS_PER_PRODUCER)
        fail("read committed offsets", "they sum to %lld, not %d", (long long)sum,
             2 * RECORDS_PER_PRODUCER);
    pass("read committed offsets");
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_destroy(client);
}

int main(void)
{
    const char *const nothing[] = {NULL};
    const char *const idempotent[] = {"enable.idempotence", "true", NULL};

    snprintf(topic, sizeof(topic), "%slibrdkafka", environment("MILLRACE_PREFIX"));
    snprintf(group, sizeof(group), "%slibrdkafka-group", environment("MILLRACE_PREFIX"));

    rd_kafka_t *admin = connect_as(RD_KAFKA_PRODUCER, nothing);
    create_topic(admin);
    describe_topic(admin);
    produce("produce", nothing);
    produce("idempotent produce", idempotent);
    consume_and_commit();
    read_committed();
    delete_topic(admin);
    rd_kafka_destroy(admin);
    return 0;
}
