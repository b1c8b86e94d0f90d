/* SPDX-License-Identifier: Apache-2.0 */
/* What kcat cannot do: create a topic, and say what a group has committed. With kcat's own options:
 *
 *   topic create    NAME PARTITIONS -b HOST:PORT[,…] [-X NAME=VALUE]… [-c SETTING=VALUE]…
 *   topic committed NAME GROUP      -b HOST:PORT[,…] [-X NAME=VALUE]…    one line a partition:
 * NUMBER OFFSET
 *
 * For a person at a terminal and for scripts: exit status 0 only when the broker said yes; the
 * reason for a no goes to standard error. Everything waits at most TIMEOUT_MS. */
#include <librdkafka/rdkafka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 15000, MAX_PARTITIONS = 100000, MAX_SETTINGS = 16 };

/* Of the topic to be created, NAME=VALUE cut in two. */
static const char *settings[MAX_SETTINGS][2];
static int setting_count;

/* The last thing librdkafka complained of: without it a refused login looks like a time-out. */
static char last_complaint[400];

static void on_error(rd_kafka_t *client, int err, const char *reason, void *opaque)
{
    (void)client;
    (void)err;
    (void)opaque;
    snprintf(last_complaint, sizeof(last_complaint), "%s", reason);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "topic: %s: %s%s%s\n", what, why, last_complaint[0] != '\0' ? "; " : "",
            last_complaint);
    return 1;
}

/* The code by its name first: scripts look at it. */
static int refuse(const char *name, const rd_kafka_topic_result_t *result)
{
    char why[512];

    snprintf(why, sizeof(why), "%s: %s", rd_kafka_err2name(rd_kafka_topic_result_error(result)),
             rd_kafka_topic_result_error_string(result));
    return fail(name, why);
}

static int usage(void)
{
    fprintf(stderr, "usage: topic create NAME PARTITIONS -b BROKERS [-X NAME=VALUE]... "
                    "[-c SETTING=VALUE]...\n"
                    "       topic committed NAME GROUP -b BROKERS [-X NAME=VALUE]...\n");
    return 2;
}

/* Reads -b, -X and -c from the options; the conf belongs to the caller. NULL: already complained. */
static rd_kafka_conf_t *read_options(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    int option;

    rd_kafka_conf_set_error_cb(conf, on_error);
    while ((option = getopt(argc, argv, "b:X:c:")) != -1) {
        const char *name = "bootstrap.servers", *value = optarg;

        if (option == 'X' || option == 'c') {
            char *equals = strchr(optarg, '=');

            if (equals == NULL)
                goto refuse;
            *equals = '\0';
            name = optarg;
            value = equals + 1;
        } else if (option != 'b') {
            goto refuse;
        }
        if (option == 'c') {
            if (setting_count == MAX_SETTINGS)
                goto refuse;
            settings[setting_count][0] = name;
            settings[setting_count++][1] = value;
            continue;
        }
        if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            fail(name, why);
            goto refuse;
        }
    }
    return conf;

refuse:
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static int create(rd_kafka_t *client, const char *name, const char *partitions_text)
{
    char why[256], *end = NULL;
    int status = 1;

    errno = 0;
    long partitions = strtol(partitions_text, &end, 10);
    if (errno != 0 || *end != '\0' || partitions < 1 || partitions > MAX_PARTITIONS)
        return usage();

    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(name, (int)partitions, -1, why, sizeof(why));
    if (wanted == NULL)
        return fail(name, why);
    for (int i = 0; i < setting_count; i++)
        rd_kafka_NewTopic_set_config(wanted, settings[i][0], settings[i][1]);

    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (event == NULL) {
        fail(name, "no answer in time");
    } else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(name, rd_kafka_event_error_string(event));
    } else {
        size_t count = 0;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);

        status = 0;
        for (size_t i = 0; i < count; i++)
            if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
                status = refuse(name, results[i]);
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    return status;
}

static int committed(rd_kafka_t *client, const char *name)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(client, 0, topic, &metadata, TIMEOUT_MS);

    rd_kafka_topic_destroy(topic);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(name, rd_kafka_err2str(err));

    rd_kafka_topic_partition_list_t *offsets =
        rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(offsets, name, metadata->topics[0].partitions[i].id);
    rd_kafka_metadata_destroy(metadata);

    err = rd_kafka_committed(client, offsets, TIMEOUT_MS);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < offsets->cnt; i++)
        printf("%d %lld\n", (int)offsets->elems[i].partition, (long long)offsets->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(offsets);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : fail(name, rd_kafka_err2str(err));
}

int main(int argc, char **argv)
{
    char why[256];

    if (argc < 4)
        return usage();
    const char *verb = argv[1], *name = argv[2], *argument = argv[3];
    int is_committed = strcmp(verb, "committed") == 0;
    if (!is_committed && strcmp(verb, "create") != 0)
        return usage();

    rd_kafka_conf_t *conf = read_options(argc - 3, argv + 3);
    if (conf == NULL)
        return usage();
    if (is_committed &&
        rd_kafka_conf_set(conf, "group.id", argument, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        return fail("group", why);

    rd_kafka_t *client =
        rd_kafka_new(is_committed ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (client == NULL)
        return fail("connect", why);
    int status = is_committed ? committed(client, name) : create(client, name, argument);
    rd_kafka_destroy(client);
    return status;
}
