/* SPDX-License-Identifier: Apache-2.0 */
/* Load on one instance, as fast as it is let, by stock clients; what got through is counted between two
 * moments. One line of JSON on stdout:
 *
 *   kafka_load produce TOPIC CLIENTS WARM_UP_MS MEASURED_MS -b BROKERS [-X NAME=VALUE]...
 *   kafka_load consume TOPIC CLIENTS WARM_UP_MS MEASURED_MS ...   from the beginning, all partitions shared out
 *   kafka_load single  TOPIC 1       WARM_UP_MS MEASURED_MS ...   one small record every 10 ms, each awaited
 *
 * {"bytes_per_second": …, "errors": 0}, of values in acknowledged or read records; single: {"p50_ms": …,
 * "p99_ms": …, "count": …, "errors": 0}. */
#include <librdkafka/rdkafka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AFTER_US 3000000 /* producers go on, so that those who read later do not come to an end */

enum {
    VALUE_BYTES = 10000,
    SINGLE_BYTES = 100,
    MAX_CLIENTS = 64,
    MAX_SINGLES = 100000,
    SINGLE_US = 10000
};

struct load {
    const char *topic;
    rd_kafka_conf_t *conf;
    int clients;
    int64_t start_us, end_us; /* of what is counted */
    int32_t partitions;
    _Atomic int64_t bytes;
    _Atomic int64_t errors;
};

struct client {
    struct load *load;
    rd_kafka_t *kafka;
    int index;
    pthread_t thread;
};

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_load: %s: %s\n", what, why);
    exit(1);
}

static bool is_counted(const struct load *load)
{
    int64_t now = now_us();

    return now >= load->start_us && now < load->end_us;
}

static void count(struct load *load, int64_t bytes)
{
    if (is_counted(load))
        atomic_fetch_add(&load->bytes, bytes);
}

static void on_delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct load *load = opaque;

    (void)kafka;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        count(load, (int64_t)message->len);
    else if (message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
             message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        atomic_fetch_add(&load->errors, 1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        die(name, why);
}

static rd_kafka_t *make(const struct load *load, rd_kafka_type_t type, int index)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(load->conf);
    char id[32];
    char why[256];
    rd_kafka_t *kafka = NULL;

    snprintf(id, sizeof(id), "load-%d", index);
    set(conf, "client.id", id);
    if (type == RD_KAFKA_PRODUCER) {
        set(conf, "queue.buffering.max.kbytes", "16384");
        set(conf, "linger.ms", "5");
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    } else {
        set(conf, "group.id", "load");
        set(conf, "enable.auto.commit", "false");
        set(conf, "auto.offset.reset", "earliest");
        set(conf, "queued.max.messages.kbytes", "4096");
    }
    rd_kafka_conf_set_opaque(conf, (void *)(uintptr_t)load);
    kafka = rd_kafka_new(type, conf, why, sizeof(why));
    if (kafka == NULL)
        die("client", why);
    return kafka;
}

/* --- produce --- */

static void *produce(void *context)
{
    struct client *client = context;
    struct load *load = client->load;
    static char value[VALUE_BYTES];

    while (now_us() < load->end_us + AFTER_US) {
        rd_kafka_resp_err_t err =
            rd_kafka_producev(client->kafka, RD_KAFKA_V_TOPIC(load->topic),
                              RD_KAFKA_V_VALUE(value, sizeof(value)), RD_KAFKA_V_END);

        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(client->kafka, 20);
        else if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
            atomic_fetch_add(&load->errors, 1);
        rd_kafka_poll(client->kafka, 0);
    }
    rd_kafka_purge(client->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client->kafka, 5000);
    return NULL;
}

/* --- consume --- */

static void assign(const struct client *client)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

    for (int32_t i = client->index; i < client->load->partitions; i += client->load->clients)
        rd_kafka_topic_partition_list_add(list, client->load->topic, i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void *consume(void *context)
{
    struct client *client = context;
    struct load *load = client->load;

    rd_kafka_poll_set_consumer(client->kafka);
    assign(client);
    while (now_us() < load->end_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client->kafka, 100);

        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            count(load, (int64_t)message->len);
        else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            atomic_fetch_add(&load->errors, 1);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(client->kafka);
    return NULL;
}

static int32_t count_partitions(const struct load *load)
{
    rd_kafka_t *kafka = make(load, RD_KAFKA_PRODUCER, 0);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, load->topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(kafka, 0, topic, &metadata, 15000);
    int32_t partitions = 0;

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1)
        die(load->topic, rd_kafka_err2str(err));
    partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
    return partitions;
}

static void run_all(struct load *load, bool is_producing)
{
    static struct client clients[MAX_CLIENTS];

    load->partitions = count_partitions(load);
    for (int i = 0; i < load->clients; i++) {
        clients[i] = (struct client){.load = load, .index = i};
        clients[i].kafka = make(load, is_producing ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, i);
        if (pthread_create(&clients[i].thread, NULL, is_producing ? produce : consume,
                           &clients[i]) != 0)
            die("thread", "cannot be started");
    }
    for (int i = 0; i < load->clients; i++) {
        pthread_join(clients[i].thread, NULL);
        rd_kafka_destroy(clients[i].kafka);
    }
    printf("{\"bytes_per_second\": %lld, \"errors\": %lld}\n",
           (long long)(load->bytes * 1000000 / (load->end_us - load->start_us)),
           (long long)load->errors);
}

/* --- single --- */

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static void run_singles(struct load *load)
{
    static int64_t took_us[MAX_SINGLES];
    rd_kafka_conf_t *conf = load->conf;
    rd_kafka_t *kafka = NULL;
    char value[SINGLE_BYTES] = {0};
    size_t counted = 0;

    set(conf, "linger.ms", "0");
    kafka = make(load, RD_KAFKA_PRODUCER, 0);
    while (now_us() < load->end_us && counted < MAX_SINGLES) {
        int64_t start = now_us();

        if (rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(load->topic),
                              RD_KAFKA_V_VALUE(value, sizeof(value)),
                              RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR ||
            rd_kafka_flush(kafka, 15000) != RD_KAFKA_RESP_ERR_NO_ERROR)
            atomic_fetch_add(&load->errors, 1);
        if (start >= load->start_us)
            took_us[counted++] = now_us() - start;
        if (now_us() - start < SINGLE_US)
            usleep((useconds_t)(SINGLE_US - (now_us() - start)) % SINGLE_US);
    }
    rd_kafka_destroy(kafka);
    if (counted == 0)
        die("single", "nothing was measured");
    qsort(took_us, counted, sizeof(took_us[0]), compare);
    printf("{\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"count\": %zu, \"errors\": %lld}\n",
           (double)took_us[counted / 2] / 1000, (double)took_us[counted * 99 / 100] / 1000, counted,
           (long long)load->errors);
}

/* --- arguments --- */

static rd_kafka_conf_t *read_options(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int option = 0;

    while ((option = getopt(argc, argv, "b:X:")) != -1) {
        char *value = option == 'X' ? strchr(optarg, '=') : NULL;

        if (option == 'b') {
            set(conf, "bootstrap.servers", optarg);
        } else if (value != NULL) {
            *value = '\0';
            set(conf, optarg, value + 1);
        } else {
            die("options", "-b BROKERS and -X NAME=VALUE are known");
        }
    }
    return conf;
}

int main(int argc, char **argv)
{
    struct load load = {.clients = 1};
    int64_t start = now_us();

    if (argc < 6)
        die("usage", "kafka_load (produce|consume|single) TOPIC CLIENTS WARM_UP_MS MEASURED_MS "
                     "-b BROKERS [-X NAME=VALUE]...");
    load.topic = argv[2];
    load.clients = (int)strtol(argv[3], NULL, 10);
    load.start_us = start + strtoll(argv[4], NULL, 10) * 1000;
    load.end_us = load.start_us + strtoll(argv[5], NULL, 10) * 1000;
    if (load.clients < 1 || load.clients > MAX_CLIENTS || load.end_us <= load.start_us)
        die("usage", "clients are 1 to 64, times are positive");
    load.conf = read_options(argc - 5, argv + 5);
    if (strcmp(argv[1], "single") == 0)
        run_singles(&load);
    else
        run_all(&load, strcmp(argv[1], "produce") == 0);
    rd_kafka_conf_destroy(load.conf);
    return 0;
}
