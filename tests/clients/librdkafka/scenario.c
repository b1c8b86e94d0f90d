/* SPDX-License-Identifier: Apache-2.0 */
/* The scenario of tests/clients/README.md with librdkafka in C. Built with the library that Debian ships; the runner
 * puts older and newer ones in its place. */
#include "tests/clients/librdkafka/admin.h"
#include "tests/clients/librdkafka/check.h"
#include "tests/clients/librdkafka/client.h"
#include "tests/clients/librdkafka/group.h"
#include "tests/clients/librdkafka/records.h"

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void administration(rd_kafka_t *client)
{
    begin("a topic is created with three partitions");
    create_topic(client, "admin", PARTITIONS);
    done();
    begin("it is described");
    expect_number(partitions_of(client, "admin"), PARTITIONS, "partitions");
    done();
    begin("a setting is altered and read back");
    alter_setting(client, "admin", "retention.ms", "7200000");
    expect_setting(client, "admin", "retention.ms", "7200000");
    done();
    begin("it grows to five partitions");
    grow_topic(client, "admin", 5);
    expect_number(partitions_of(client, "admin"), 5, "partitions");
    done();
    begin("it is deleted");
    delete_topic(client, "admin");
    expect_number(partitions_of(client, "admin"), 0, "partitions");
    done();
}

static void codecs(rd_kafka_t *client)
{
    static const char *const sentences[CODECS] = {
        "records go out uncompressed", "records go out with gzip", "records go out with snappy",
        "records go out with lz4", "records go out with zstd"};
    int64_t moment_ms = (int64_t)time(NULL) * 1000 - 60000;

    create_topic(client, "codecs", PARTITIONS);
    for (int codec = 0; codec < CODECS; codec++) {
        struct producer producer;

        begin(sentences[codec]);
        producer_init(&producer, codec_names[codec], false);
        for (int i = 0; i < RECORDS_PER_CODEC; i++)
            producer_send_codec_record(&producer, codec_names[codec], i, moment_ms);
        producer_finish(&producer);
        done();
    }
    begin("every byte comes back");
    expect_codec_records(moment_ms);
    done();
}

static void send_numbers(const char *topic, int first, int end, bool is_idempotent)
{
    struct producer producer;

    producer_init(&producer, "none", is_idempotent);
    for (int number = first; number < end; number++)
        producer_send_number(&producer, topic, number);
    producer_finish(&producer);
}

static void share_a_group(rd_kafka_t *client)
{
    struct group group = {0};

    create_topic(client, "group", PARTITIONS);
    begin("three members share three partitions");
    group_join(&group, 0, NULL);
    group_join(&group, 1, NULL);
    group_join(&group, 2, "static-1");
    group_await_shares(&group);
    done();

    begin("each record reaches one member");
    send_numbers("group", 0, 300, false);
    group_read_and_commit(&group, 300);
    done();

    begin("a member leaves and its partition goes to another");
    group_leave(&group, 0);
    group_await_shares(&group);
    send_numbers("group", 300, 330, false);
    group_read_and_commit(&group, 330);
    done();

    begin("a static member comes back to its partitions");
    unsigned before = member_partitions(&group.members[2]);
    int rebalances = group.members[1].rebalances;
    group_leave(&group, 2);
    group_join(&group, 2, "static-1");
    group_await_partitions(&group, 2, before);
    send_numbers("group", 330, 360, false);
    group_read_and_commit(&group, 360);
    expect_number(group.members[1].rebalances, rebalances, "rebalances of the other member");
    done();

    group_leave(&group, 1);
    group_leave(&group, 2);
    begin("committed offsets are read back");
    expect_committed(360);
    done();
}

static rd_kafka_message_t *await_record(rd_kafka_t *client)
{
    int64_t start_ms = now_ms();
    rd_kafka_message_t *record = NULL;

    while ((record = next_record(client)) == NULL)
        expect_in_time(start_ms, "a record");
    return record;
}

static void seek(void)
{
    static const int one[] = {1};
    rd_kafka_t *client = reader_new("group", one, 1);
    rd_kafka_topic_partition_list_t *where = rd_kafka_topic_partition_list_new(1);

    begin("seek goes to the offset");
    rd_kafka_message_t *record = await_record(client);
    expect_number(record->offset, 0, "first offset");
    rd_kafka_message_destroy(record);
    rd_kafka_topic_partition_list_add(where, "group", 1)->offset = 50;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(client, where, PATIENCE_MS);
    if (error != NULL)
        fail("%s", rd_kafka_error_string(error));
    record = await_record(client);
    expect_number(record->offset, 50, "offset after the seek");
    rd_kafka_message_destroy(record);
    rd_kafka_topic_partition_list_destroy(where);
    reader_free(client);
    done();
}

/* The next `count` records must all be of one partition. */
static void expect_only(rd_kafka_t *client, int partition, int count)
{
    for (int i = 0; i < count; i++) {
        rd_kafka_message_t *record = await_record(client);

        expect_number(record->partition, partition, "partition");
        expect_number(record->offset, i, "offset");
        rd_kafka_message_destroy(record);
    }
}

static void pause_and_resume(void)
{
    static const int two[] = {0, 1};
    rd_kafka_t *client = reader_new("group", two, 2);
    rd_kafka_topic_partition_list_t *silent = rd_kafka_topic_partition_list_new(1);

    begin("a paused partition is silent until it is resumed");
    rd_kafka_topic_partition_list_add(silent, "group", 0);
    expect_no_error(rd_kafka_pause_partitions(client, silent), "pause");
    expect_only(client, 1, 120);
    expect_no_error(rd_kafka_resume_partitions(client, silent), "resume");
    expect_only(client, 0, 120);
    rd_kafka_topic_partition_list_destroy(silent);
    reader_free(client);
    done();
}

static void idempotent(rd_kafka_t *client)
{
    begin("an idempotent producer writes each record once");
    create_topic(client, "idempotent", PARTITIONS);
    send_numbers("idempotent", 0, 300, true);
    expect_numbers("idempotent", 300);
    done();
}

static void survive_kill(rd_kafka_t *client)
{
    char path[4096];
    char *program[] = {path, NULL};
    struct producer producer;
    pid_t killer = 0;
    int status = 0;

    begin("an idempotent producer survives a killed broker");
    snprintf(path, sizeof(path), "%s", environment("MILLRACE_KILL_BROKER"));
    create_topic(client, "kill", PARTITIONS);
    producer_init(&producer, "none", true);
    for (int i = 0; i < 100; i++)
        producer_send_number(&producer, "kill", producer.sent);
    producer_flush(&producer);
    if (posix_spawn(&killer, path, NULL, NULL, program, environ) != 0)
        fail("%s does not start", path);
    while (waitpid(killer, &status, WNOHANG) == 0) {
        producer_send_number(&producer, "kill", producer.sent);
        usleep(2000); /* the pace of the stream, nothing is awaited */
    }
    expect_number(status, 0, "status of the killer");
    for (int i = 0; i < 300; i++)
        producer_send_number(&producer, "kill", producer.sent);
    int sent = producer.sent;
    producer_finish(&producer);
    expect_numbers("kill", sent);
    done();
}

int main(void)
{
    rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, login_options());

    if (strcmp(environment("MILLRACE_PART"), "2") == 0) {
        survive_kill(client);
    } else {
        administration(client);
        codecs(client);
        share_a_group(client);
        seek();
        pause_and_resume();
        idempotent(client);
    }
    rd_kafka_destroy(client);
    return 0;
}
