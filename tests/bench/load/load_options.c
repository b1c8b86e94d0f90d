/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/load_options.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9

static const char help[] =
    "usage: lean_load VERB --broker HOST:PORT --topic NAME [options]\n"
    "\n"
    "  produce      record batches that were built before, to the partitions in turn\n"
    "  fetch        everything from the beginning, and again\n"
    "  e2e          produce at a rate, and how long each batch takes to a consumer\n"
    "  first        how long until a Metadata and a Produce are answered well, from now on\n"
    "  connections  opens them, logs in, holds them until the standard input ends\n"
    "  probe        what the machine can do: --directory DIR only\n"
    "\n"
    "  --broker HOST:PORT   an IPv4 address\n"
    "  --tls-ca FILE        TLS, and who must have signed the server's certificate\n"
    "  --user NAME --password-file FILE   SASL PLAIN\n"
    "  --topic NAME --partitions N   it must be there, led by this broker (1)\n"
    "  --record-bytes N     of a value (1024)\n"
    "  --batch-bytes N      of a batch, at most (65536)\n"
    "  --batches N          batches of a request, each of another partition (1)\n"
    "  --connections N      (4)\n"
    "  --in-flight N        requests of a connection that are not answered yet (5)\n"
    "  --acks all|1         (all)\n"
    "  --rate N             bytes a second, evenly, whatever the answers do (as fast as it goes)\n"
    "  --max-bytes N        of an answer to fetch (8388608)\n"
    "  --partition-bytes N  of a partition in it (1048576)\n"
    "  --warm-up SECONDS    not counted (1)\n"
    "  --seconds SECONDS    counted (5)\n"
    "  --bytes N            ends after so many bytes instead, nothing is warmed up\n"
    "  --directory DIR      of probe: on the disk that is meant\n"
    "\n"
    "One JSON object on the standard output; bytes are those of record batches, latencies in ms. "
    "Latencies of a\n"
    "rate count from the moment at which a batch was due; late is how late this program was "
    "itself. Any error that\n"
    "a server answers, and any record that is missing, ends it with status 1.\n";

enum {
    OPTION_BROKER = 256,
    OPTION_TLS_CA,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_TOPIC,
    OPTION_PARTITIONS,
    OPTION_RECORD_BYTES,
    OPTION_BATCH_BYTES,
    OPTION_BATCHES,
    OPTION_CONNECTIONS,
    OPTION_IN_FLIGHT,
    OPTION_ACKS,
    OPTION_RATE,
    OPTION_MAX_BYTES,
    OPTION_PARTITION_BYTES,
    OPTION_WARM_UP,
    OPTION_SECONDS,
    OPTION_BYTES,
    OPTION_DIRECTORY,
    OPTION_HELP
};

static const struct option names[] = {
    {"broker", required_argument, NULL, OPTION_BROKER},
    {"tls-ca", required_argument, NULL, OPTION_TLS_CA},
    {"user", required_argument, NULL, OPTION_USER},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"topic", required_argument, NULL, OPTION_TOPIC},
    {"partitions", required_argument, NULL, OPTION_PARTITIONS},
    {"record-bytes", required_argument, NULL, OPTION_RECORD_BYTES},
    {"batch-bytes", required_argument, NULL, OPTION_BATCH_BYTES},
    {"batches", required_argument, NULL, OPTION_BATCHES},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"in-flight", required_argument, NULL, OPTION_IN_FLIGHT},
    {"acks", required_argument, NULL, OPTION_ACKS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"max-bytes", required_argument, NULL, OPTION_MAX_BYTES},
    {"partition-bytes", required_argument, NULL, OPTION_PARTITION_BYTES},
    {"warm-up", required_argument, NULL, OPTION_WARM_UP},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int64_t number(const char *text, int64_t least, int64_t most)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end != '\0' || value < least || value > most)
        errx(2, "%s is no number from %lld to %lld", text, (long long)least, (long long)most);
    return value;
}

static int64_t nanoseconds(const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0 && seconds < 1e6))
        errx(2, "%s is no number of seconds", text);
    return (int64_t)(seconds * NS_PER_S);
}

static void read_broker(struct load_options *options, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (len == 0 || len >= sizeof(options->host))
        errx(2, "%s is not HOST:PORT", text);
    memcpy(options->host, text, len);
    options->host[len] = '\0';
    options->port = (int)number(colon + 1, 1, 65535);
}

static void read_password(struct load_options *options, const char *path)
{
    FILE *file = fopen(path, "re");

    if (file == NULL || fgets(options->password, sizeof(options->password), file) == NULL)
        err(2, "%s", path);
    options->password[strcspn(options->password, "\n")] = '\0';
    (void)fclose(file);
}

static void read_acks(struct load_options *options, const char *text)
{
    if (strcmp(text, "all") != 0 && strcmp(text, "1") != 0)
        errx(2, "acks are all or 1");
    options->acks = strcmp(text, "all") == 0 ? -1 : 1;
}

static void read_size(struct load_options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_PARTITIONS:
        options->partitions = (int32_t)number(text, 1, 100000);
        break;
    case OPTION_RECORD_BYTES:
        options->record_bytes = (int)number(text, 16, 1 << 20);
        break;
    case OPTION_BATCH_BYTES:
        options->batch_bytes = (int)number(text, 128, 1 << 23);
        break;
    case OPTION_BATCHES:
        options->batches = (int)number(text, 1, 10000);
        break;
    case OPTION_CONNECTIONS:
        options->connections = (int)number(text, 1, 60000);
        break;
    case OPTION_IN_FLIGHT:
        options->in_flight = (int)number(text, 1, 1024);
        break;
    case OPTION_RATE:
        options->rate = number(text, 1, INT64_C(1) << 40);
        break;
    case OPTION_MAX_BYTES:
        options->answer_bytes = (int32_t)number(text, 1, 1 << 28);
        break;
    case OPTION_PARTITION_BYTES:
        options->partition_bytes = (int32_t)number(text, 1, 1 << 28);
        break;
    case OPTION_BYTES:
        options->bytes = number(text, 1, INT64_C(1) << 50);
        break;
    default:
        exit(2); /* getopt has said why */
    }
}

static void read_option(struct load_options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_BROKER:
        read_broker(options, text);
        break;
    case OPTION_TLS_CA:
        options->ca_file = text;
        break;
    case OPTION_USER:
        options->user = text;
        break;
    case OPTION_PASSWORD_FILE:
        read_password(options, text);
        break;
    case OPTION_TOPIC:
        options->topic = text;
        break;
    case OPTION_ACKS:
        read_acks(options, text);
        break;
    case OPTION_WARM_UP:
        options->warm_up_ns = nanoseconds(text);
        break;
    case OPTION_SECONDS:
        options->measured_ns = nanoseconds(text);
        break;
    case OPTION_DIRECTORY:
        options->directory = text;
        break;
    case OPTION_HELP:
        fputs(help, stdout);
        exit(0);
    default:
        read_size(options, option, text);
    }
}

void load_options_read(struct load_options *options, int argc, char **argv)
{
    int option = 0;

    *options = (struct load_options){
        .partitions = 1,
        .record_bytes = 1024,
        .batch_bytes = 65536,
        .batches = 1,
        .connections = 4,
        .in_flight = 5,
        .acks = -1,
        .warm_up_ns = (int64_t)NS_PER_S,
        .measured_ns = 5 * (int64_t)NS_PER_S,
        .answer_bytes = 8 << 20,
        .partition_bytes = 1 << 20,
    };
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        read_option(options, option, optarg);
    if (optind + 1 != argc)
        errx(2, "what shall be done? --help says what there is");
    options->verb = argv[optind];
    if (strcmp(options->verb, "probe") == 0 ? options->directory == NULL : options->port == 0)
        errx(2, "%s wants %s", options->verb,
             strcmp(options->verb, "probe") == 0 ? "--directory" : "--broker");
    if (options->batches > options->partitions)
        errx(2, "there are fewer partitions than --batches");
}
