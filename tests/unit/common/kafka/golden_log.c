/* SPDX-License-Identifier: Apache-2.0 */
/* Values of golden/log.txt. */
#include "tests/unit/common/kafka/golden.h"

#include <limits.h>

static int32_t four[] = {4};

static struct kafka_produce_request_partition produce_partitions[] = {
    {.index = 3, .records = TEXT("RECORDS")}};
static struct kafka_produce_request_topic produce_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partition_data = ITEMS(produce_partitions)}};
static const struct kafka_produce_request produce_request = {
    .transactional_id = TEXT("tx"),
    .acks = -1,
    .timeout_ms = 1500,
    .topic_data = ITEMS(produce_topics),
};
static const struct kafka_produce_request produce_request_plain = {.acks = 1, .timeout_ms = 1500};
static struct kafka_produce_request_partition null_partitions[] = {{.index = 3}};
static struct kafka_produce_request_topic null_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partition_data = ITEMS(null_partitions)}};
static const struct kafka_produce_request produce_request_null_records = {
    .acks = 1, .timeout_ms = 1500, .topic_data = ITEMS(null_topics)};

static struct kafka_produce_response_record_error record_errors[] = {
    {.batch_index = 2, .batch_index_error_message = TEXT("bad")}};
static struct kafka_produce_response_partition produced_partitions[] = {{
    .index = 3,
    .error_code = 87,
    .base_offset = 100,
    .log_append_time_ms = 12,
    .log_start_offset = 7,
    .record_errors = ITEMS(record_errors),
    .error_message = TEXT("no"),
    .current_leader = {.leader_id = 4, .leader_epoch = 5},
}};
static struct kafka_produce_response_topic produced_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partition_responses = ITEMS(produced_partitions)}};
static struct kafka_produce_response_node_endpoint produce_endpoints[] = {
    {.node_id = 4, .host = TEXT("b4"), .port = 9092}};
static const struct kafka_produce_response produce_response = {
    .responses = ITEMS(produced_topics),
    .throttle_time_ms = 9,
    .node_endpoints = ITEMS(produce_endpoints),
};

static struct kafka_fetch_request_partition fetch_partitions[] = {{
    .partition = 3,
    .current_leader_epoch = 6,
    .fetch_offset = 100,
    .last_fetched_epoch = 5,
    .log_start_offset = 7,
    .partition_max_bytes = 4096,
    .replica_directory_id = U2,
    .high_watermark = 99,
}};
static struct kafka_fetch_request_topic fetch_topics[] = {
    {.topic = TEXT("orders"), .topic_id = U1, .partitions = ITEMS(fetch_partitions)}};
static struct kafka_fetch_request_forgotten_topic forgotten_topics[] = {
    {.topic = TEXT("old"), .topic_id = U2, .partitions = ITEMS(four)}};
static const struct kafka_fetch_request fetch_request = {
    .cluster_id = TEXT("cid"),
    .replica_id = 2,
    .replica_state = {.replica_id = 2, .replica_epoch = 8},
    .max_wait_ms = 500,
    .min_bytes = 1,
    .max_bytes = 1048576,
    .isolation_level = 1,
    .session_id = 11,
    .session_epoch = 12,
    .topics = ITEMS(fetch_topics),
    .forgotten_topics_data = ITEMS(forgotten_topics),
    .rack_id = TEXT("r"),
};
static const struct kafka_fetch_request fetch_request_plain = {
    .replica_id = -1,
    .replica_state = {.replica_id = -1, .replica_epoch = -1},
    .max_wait_ms = 500,
    .min_bytes = 1,
    .max_bytes = INT_MAX,
    .session_epoch = -1,
    .rack_id = TEXT(""),
};

static struct kafka_fetch_response_aborted_transaction aborted_transactions[] = {{1000, 150}};
static struct kafka_fetch_response_partition fetched_partitions[] = {{
    .partition_index = 3,
    .high_watermark = 200,
    .last_stable_offset = 190,
    .log_start_offset = 7,
    .diverging_epoch = {.epoch = 5, .end_offset = 90},
    .current_leader = {.leader_id = 4, .leader_epoch = 6},
    .snapshot_id = {.end_offset = 80, .epoch = 3},
    .aborted_transactions = ITEMS(aborted_transactions),
    .preferred_read_replica = 2,
    .records = TEXT("RECORDS"),
}};
static struct kafka_fetch_response_topic fetched_topics[] = {
    {.topic = TEXT("orders"), .topic_id = U1, .partitions = ITEMS(fetched_partitions)}};
static struct kafka_fetch_response_node_endpoint fetch_endpoints[] = {
    {.node_id = 4, .host = TEXT("b4"), .port = 9092, .rack = TEXT("r")}};
static const struct kafka_fetch_response fetch_response = {
    .throttle_time_ms = 9,
    .error_code = 71,
    .session_id = 11,
    .responses = ITEMS(fetched_topics),
    .node_endpoints = ITEMS(fetch_endpoints),
};

static struct kafka_list_offsets_request_partition list_partitions[] = {
    {.partition_index = 3, .current_leader_epoch = 6, .timestamp = -2}};
static struct kafka_list_offsets_request_topic list_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(list_partitions)}};
static const struct kafka_list_offsets_request list_offsets_request = {
    .replica_id = -1, .isolation_level = 1, .topics = ITEMS(list_topics), .timeout_ms = 1500};
static struct kafka_list_offsets_response_partition listed_partitions[] = {{
    .partition_index = 3,
    .error_code = 75,
    .timestamp = 1000,
    .offset = 100,
    .leader_epoch = 6,
}};
static struct kafka_list_offsets_response_topic listed_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(listed_partitions)}};
static const struct kafka_list_offsets_response list_offsets_response = {
    .throttle_time_ms = 9, .topics = ITEMS(listed_topics)};

static struct kafka_offset_for_leader_epoch_request_partition epoch_partitions[] = {
    {.partition = 3, .current_leader_epoch = 6, .leader_epoch = 5}};
static struct kafka_offset_for_leader_epoch_request_topic epoch_topics[] = {
    {.topic = TEXT("orders"), .partitions = ITEMS(epoch_partitions)}};
static const struct kafka_offset_for_leader_epoch_request offset_for_leader_epoch_request = {
    .replica_id = -1, .topics = ITEMS(epoch_topics)};
static struct kafka_offset_for_leader_epoch_response_partition epoch_results[] = {
    {.error_code = 74, .partition = 3, .leader_epoch = 5, .end_offset = 100}};
static struct kafka_offset_for_leader_epoch_response_topic epoch_topic_results[] = {
    {.topic = TEXT("orders"), .partitions = ITEMS(epoch_results)}};
static const struct kafka_offset_for_leader_epoch_response offset_for_leader_epoch_response = {
    .throttle_time_ms = 9, .topics = ITEMS(epoch_topic_results)};

static struct kafka_delete_records_request_partition delete_partitions[] = {
    {.partition_index = 3, .offset = 100}};
static struct kafka_delete_records_request_topic delete_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(delete_partitions)}};
static const struct kafka_delete_records_request delete_records_request = {
    .topics = ITEMS(delete_topics), .timeout_ms = 1500};
static struct kafka_delete_records_response_partition deleted_partitions[] = {
    {.partition_index = 3, .low_watermark = 100, .error_code = 1}};
static struct kafka_delete_records_response_topic deleted_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(deleted_partitions)}};
static const struct kafka_delete_records_response delete_records_response = {
    .throttle_time_ms = 9, .topics = ITEMS(deleted_topics)};

static const struct kafka_init_producer_id_request init_producer_id_request = {
    .transactional_id = TEXT("tx"),
    .transaction_timeout_ms = 1500,
    .producer_id = 1000,
    .producer_epoch = 4,
};
static const struct kafka_init_producer_id_response init_producer_id_response = {
    .throttle_time_ms = 9, .error_code = 51, .producer_id = 1000, .producer_epoch = 4};

const struct golden_value golden_log[] = {
    {"ProduceRequest", &produce_request},
    {"ProduceRequest/plain", &produce_request_plain},
    {"ProduceRequest/null_records", &produce_request_null_records},
    {"ProduceResponse", &produce_response},
    {"FetchRequest", &fetch_request},
    {"FetchRequest/plain", &fetch_request_plain},
    {"FetchResponse", &fetch_response},
    {"ListOffsetsRequest", &list_offsets_request},
    {"ListOffsetsResponse", &list_offsets_response},
    {"OffsetForLeaderEpochRequest", &offset_for_leader_epoch_request},
    {"OffsetForLeaderEpochResponse", &offset_for_leader_epoch_response},
    {"DeleteRecordsRequest", &delete_records_request},
    {"DeleteRecordsResponse", &delete_records_response},
    {"InitProducerIdRequest", &init_producer_id_request},
    {"InitProducerIdResponse", &init_producer_id_response},
    {NULL, NULL},
};
