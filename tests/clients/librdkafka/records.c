/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/clients/librdkafka/records.h"

#include "tests/clients/librdkafka/check.h"
#include "tests/clients/librdkafka/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const codec_names[CODECS] = {"none", "gzip", "snappy", "lz4", "zstd"};

/* What record `number` of a codec consists of. NULL pointers are null in Kafka. */
struct codec_record {
    char key_bytes[32];
    char value_bytes[600];
    char *key, *value;
    size_t key_len, value_len;
    unsigned char header[3];
};

static void make_codec_record(struct codec_record *record, const char *codec, int number)
{
    *record = (struct codec_record){.header = {0, 255, (unsigned char)number}};
    if (number % 10 != 0) {
        record->key = record->key_bytes;
        record->key_len =
            (size_t)snprintf(record->key_bytes, sizeof(record->key_bytes), "%s-%d", codec, number);
    }
    if (number % 10 != 1)
        record->value = record->value_bytes;
    if (number % 10 > 2 || number % 10 == 0) {
        char many[501];

        memset(many, 'x', 500);
        many[500] = '\0';
        record->value_len = (size_t)snprintf(record->value_bytes, sizeof(record->value_bytes),
                                             "%s %d %s", codec, number, many);
    }
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct producer *producer = opaque;

    (void)client;
    expect_no_error(message->err, "delivery");
    producer->acknowledged++;
}

void producer_init(struct producer *producer, const char *codec, bool is_idempotent)
{
    rd_kafka_conf_t *conf = login_options();

    *producer = (struct producer){0};
    set_option(conf, "compression.type", codec);
    set_option(conf, "enable.idempotence", is_idempotent ? "true" : "false");
    set_option(conf, "linger.ms", "20");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, producer);
    producer->client = client_new(RD_KAFKA_PRODUCER, conf);
}

void producer_send_codec_record(struct producer *producer, const char *codec, int number,
                                int64_t moment_ms)
{
    struct codec_record record;

    make_codec_record(&record, codec, number);
    expect_no_error(
        rd_kafka_producev(producer->client, RD_KAFKA_V_TOPIC("codecs"),
                          RD_KAFKA_V_PARTITION(number % PARTITIONS),
                          RD_KAFKA_V_KEY(record.key, record.key_len),
                          RD_KAFKA_V_VALUE(record.value, record.value_len),
                          RD_KAFKA_V_HEADER("codec", codec, (ssize_t)strlen(codec)),
                          RD_KAFKA_V_HEADER("bytes", record.header, sizeof(record.header)),
                          RD_KAFKA_V_TIMESTAMP(moment_ms + number),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
        "produce");
    producer->sent++;
}

void producer_send_number(struct producer *producer, const char *topic, int number)
{
    char value[16];
    int len = snprintf(value, sizeof(value), "%d", number);

    expect_no_error(rd_kafka_producev(producer->client, RD_KAFKA_V_TOPIC(topic),
                                      RD_KAFKA_V_PARTITION(number % PARTITIONS),
                                      RD_KAFKA_V_VALUE(value, (size_t)len),
                                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                    "produce");
    producer->sent++;
    rd_kafka_poll(producer->client, 0);
}

void producer_flush(struct producer *producer)
{
    expect_no_error(rd_kafka_flush(producer->client, PATIENCE_MS), "flush");
    expect_number(producer->acknowledged, producer->sent, "acknowledged records");
}

void producer_finish(struct producer *producer)
{
    producer_flush(producer);
    rd_kafka_destroy(producer->client);
}

rd_kafka_t *reader_new(const char *topic, const int *partitions, int count)
{
    rd_kafka_conf_t *conf = login_options();
    rd_kafka_topic_partition_list_t *wanted = rd_kafka_topic_partition_list_new(count);

    set_option(conf, "group.id", "reader");
    set_option(conf, "enable.auto.commit", "false");
    rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(client);
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(wanted, topic, partitions[i])->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    expect_no_error(rd_kafka_assign(client, wanted), "assign");
    rd_kafka_topic_partition_list_destroy(wanted);
    return client;
}

rd_kafka_message_t *next_record(rd_kafka_t *client)
{
    rd_kafka_message_t *record = rd_kafka_consumer_poll(client, 100);

    if (record != NULL && record->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("%s", rd_kafka_message_errstr(record));
    return record;
}

void reader_free(rd_kafka_t *client)
{
    expect_no_error(rd_kafka_consumer_close(client), "close");
    rd_kafka_destroy(client);
}

int number_in(const rd_kafka_message_t *record)
{
    char text[16];

    snprintf(text, sizeof(text), "%.*s", (int)record->len, (const char *)record->payload);
    return (int)strtol(text, NULL, 10);
}

static int64_t end_of(rd_kafka_t *client, const char *topic)
{
    int64_t all = 0;

    for (int partition = 0; partition < PARTITIONS; partition++) {
        int64_t low = 0, high = 0;

        expect_no_error(
            rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, PATIENCE_MS),
            "watermarks");
        all += high - low;
    }
    return all;
}

/* Calls check for every record of a topic up to its end; offsets are without a gap. */
static void each_record(const char *topic, void (*check)(const rd_kafka_message_t *, void *),
                        void *context)
{
    static const int all[PARTITIONS] = {0, 1, 2};
    int64_t next[PARTITIONS] = {0}, start_ms = now_ms();
    rd_kafka_t *client = reader_new(topic, all, PARTITIONS);

    for (int64_t left = end_of(client, topic); left > 0;) {
        rd_kafka_message_t *record = next_record(client);

        expect_in_time(start_ms, "reading to the end");
        if (record == NULL)
            continue;
        expect_number(record->offset, next[record->partition]++, "offset without a gap");
        check(record, context);
        left--;
        rd_kafka_message_destroy(record);
    }
    reader_free(client);
}

static void expect_bytes(const void *actual, size_t actual_len, const void *wanted,
                         size_t wanted_len, const char *what)
{
    if ((actual == NULL) != (wanted == NULL))
        fail("%s: %s null", what, actual == NULL ? "is" : "is not");
    expect_number((int64_t)actual_len, (int64_t)wanted_len, what);
    if (actual_len > 0 && memcmp(actual, wanted, actual_len) != 0)
        fail("%s has other bytes", what);
}

static void expect_header(const rd_kafka_headers_t *headers, size_t index, const char *wanted_name,
                          const void *wanted, size_t wanted_len)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t len = 0;

    expect_no_error(rd_kafka_header_get_all(headers, index, &name, &value, &len), wanted_name);
    if (strcmp(name, wanted_name) != 0)
        fail("header %s, not %s", name, wanted_name);
    expect_bytes(value, len, wanted, wanted_len, name);
}

struct codec_check {
    int64_t moment_ms;
    int seen[PARTITIONS];
};

/* Records of a partition come codec after codec, and by number within a codec. */
static void check_codec_record(const rd_kafka_message_t *actual, void *context)
{
    struct codec_check *check = context;
    struct codec_record wanted;
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_timestamp_type_t type;
    int per_partition = RECORDS_PER_CODEC / PARTITIONS;
    int nth = check->seen[actual->partition]++;

    if (nth >= per_partition * CODECS)
        fail("too many records in partition %d", (int)actual->partition);
    const char *codec = codec_names[nth / per_partition];
    int number = nth % per_partition * PARTITIONS + actual->partition;
    make_codec_record(&wanted, codec, number);
    expect_bytes(actual->key, actual->key_len, wanted.key, wanted.key_len, "key");
    expect_bytes(actual->payload, actual->len, wanted.value, wanted.value_len, "value");
    expect_number(rd_kafka_message_timestamp(actual, &type), check->moment_ms + number,
                  "timestamp");
    expect_no_error(rd_kafka_message_headers(actual, &headers), "headers");
    expect_number((int64_t)rd_kafka_header_cnt(headers), 2, "headers");
    expect_header(headers, 0, "codec", codec, strlen(codec));
    expect_header(headers, 1, "bytes", wanted.header, sizeof(wanted.header));
}

void expect_codec_records(int64_t moment_ms)
{
    struct codec_check check = {.moment_ms = moment_ms};

    each_record("codecs", check_codec_record, &check);
    for (int partition = 0; partition < PARTITIONS; partition++)
        expect_number(check.seen[partition], RECORDS_PER_CODEC * CODECS / PARTITIONS, "records");
}

static void check_number(const rd_kafka_message_t *record, void *context)
{
    int *count = context;

    (*count)++;
    expect_number(number_in(record), record->offset * PARTITIONS + record->partition, "number");
}

void expect_numbers(const char *topic, int count)
{
    int seen = 0;

    each_record(topic, check_number, &seen);
    expect_number(seen, count, "records in the topic");
}
