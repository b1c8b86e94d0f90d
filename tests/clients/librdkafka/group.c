/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/clients/librdkafka/group.h"

#include "tests/clients/librdkafka/check.h"
#include "tests/clients/librdkafka/client.h"
#include "tests/clients/librdkafka/records.h"

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct member *member = opaque;

    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        member->rebalances++;
        expect_no_error(rd_kafka_assign(client, partitions), "assign");
    } else {
        expect_no_error(rd_kafka_assign(client, NULL), "unassign");
    }
}

void group_join(struct group *group, int member, const char *instance_id)
{
    rd_kafka_conf_t *conf = login_options();
    rd_kafka_topic_partition_list_t *wanted = rd_kafka_topic_partition_list_new(1);
    struct member *joined = &group->members[member];

    set_option(conf, "group.id", "group");
    if (instance_id != NULL)
        set_option(conf, "group.instance.id", instance_id);
    set_option(conf, "auto.offset.reset", "earliest");
    set_option(conf, "enable.auto.commit", "false");
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, joined);
    *joined = (struct member){.client = client_new(RD_KAFKA_CONSUMER, conf)};
    rd_kafka_poll_set_consumer(joined->client);
    rd_kafka_topic_partition_list_add(wanted, "group", RD_KAFKA_PARTITION_UA);
    expect_no_error(rd_kafka_subscribe(joined->client, wanted), "subscribe");
    rd_kafka_topic_partition_list_destroy(wanted);
}

void group_leave(struct group *group, int member)
{
    reader_free(group->members[member].client);
    group->members[member].client = NULL;
}

unsigned member_partitions(const struct member *member)
{
    rd_kafka_topic_partition_list_t *assigned = NULL;
    unsigned bits = 0;

    if (member->client == NULL)
        return 0;
    expect_no_error(rd_kafka_assignment(member->client, &assigned), "assignment");
    for (int i = 0; i < assigned->cnt; i++)
        bits |= 1U << assigned->elems[i].partition;
    rd_kafka_topic_partition_list_destroy(assigned);
    return bits;
}

static void poll_all(struct group *group)
{
    for (int i = 0; i < MAX_MEMBERS; i++) {
        rd_kafka_message_t *record = NULL;

        if (group->members[i].client == NULL)
            continue;
        record = next_record(group->members[i].client);
        if (record == NULL)
            continue;
        int number = number_in(record);
        if (number < 0 || number >= MAX_NUMBERS)
            fail("number %d was never sent", number);
        if (++group->times_read[number] > 1)
            fail("number %d was read twice", number);
        group->read++;
        rd_kafka_message_destroy(record);
    }
}

static bool are_shared(const struct group *group)
{
    unsigned all = 0;

    for (int i = 0; i < MAX_MEMBERS; i++) {
        unsigned own = member_partitions(&group->members[i]);

        if (group->members[i].client == NULL)
            continue;
        if (own == 0 || (own & all) != 0)
            return false;
        all |= own;
    }
    return all == (1U << PARTITIONS) - 1;
}

void group_await_shares(struct group *group)
{
    int64_t start_ms = now_ms();

    while (!are_shared(group)) {
        expect_in_time(start_ms, "each partition with one member");
        poll_all(group);
    }
}

void group_await_partitions(struct group *group, int member, unsigned wanted)
{
    int64_t start_ms = now_ms();

    while (member_partitions(&group->members[member]) != wanted) {
        expect_in_time(start_ms, "the partitions of before");
        poll_all(group);
    }
}

void group_read_and_commit(struct group *group, int count)
{
    int64_t start_ms = now_ms();

    while (group->read < count) {
        expect_in_time(start_ms, "all records in the group");
        poll_all(group);
    }
    for (int number = 0; number < count; number++)
        expect_number(group->times_read[number], 1, "times that a number was read");
    for (int i = 0; i < MAX_MEMBERS; i++)
        if (group->members[i].client != NULL)
            expect_no_error(rd_kafka_commit(group->members[i].client, NULL, 0), "commit");
}

void expect_committed(int64_t wanted)
{
    rd_kafka_conf_t *conf = login_options();
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS);
    int64_t sum = 0;

    set_option(conf, "group.id", "group");
    rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, conf);
    for (int partition = 0; partition < PARTITIONS; partition++)
        rd_kafka_topic_partition_list_add(offsets, "group", partition);
    expect_no_error(rd_kafka_committed(client, offsets, PATIENCE_MS), "committed");
    for (int i = 0; i < offsets->cnt; i++)
        sum += offsets->elems[i].offset;
    expect_number(sum, wanted, "sum of committed offsets");
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_destroy(client);
}
