/* SPDX-License-Identifier: Apache-2.0 */
/* Values of golden/connection.txt. */
#include "tests/unit/common/kafka/golden.h"

static int32_t one[] = {1};
static int32_t four[] = {4};
static int32_t five[] = {5};

static const struct kafka_request_header request_header = {3, 12, 7, TEXT("kcat")};
static const struct kafka_request_header request_header_anonymous = {3, 12, 7, {NULL, 0}};
static const struct kafka_response_header response_header = {7};

static const struct kafka_api_versions_request api_versions_request = {
    .client_software_name = TEXT("kcat"), .client_software_version = TEXT("1.7")};

static struct kafka_api_versions_response_api_key api_keys[] = {{18, 0, 4}, {3, 0, 13}};
static struct kafka_api_versions_response_supported_feature supported_features[] = {
    {.name = TEXT("f"), .min_version = 1, .max_version = 2}};
static struct kafka_api_versions_response_finalized_feature finalized_features[] = {
    {.name = TEXT("g"), .max_version_level = 2, .min_version_level = 1}};
static const struct kafka_api_versions_response api_versions_response = {
    .error_code = 35,
    .api_keys = ITEMS(api_keys),
    .throttle_time_ms = 7,
    .supported_features = ITEMS(supported_features),
    .finalized_features_epoch = 9,
    .finalized_features = ITEMS(finalized_features),
    .zk_migration_ready = true,
};
static const struct kafka_api_versions_response api_versions_response_plain = {
    .finalized_features_epoch = -1};

static const struct kafka_sasl_handshake_request sasl_handshake_request = {TEXT("PLAIN")};
static struct slice mechanisms[] = {TEXT("PLAIN"), TEXT("SCRAM-SHA-256")};
static const struct kafka_sasl_handshake_response sasl_handshake_response = {33, ITEMS(mechanisms)};
static const struct kafka_sasl_authenticate_request sasl_authenticate_request = {TEXT("TOKEN")};
static const struct kafka_sasl_authenticate_response sasl_authenticate_response = {
    .error_code = 58,
    .error_message = TEXT("no"),
    .auth_bytes = TEXT("DONE"),
    .session_lifetime_ms = 1000,
};

static struct kafka_metadata_request_topic metadata_request_topics[] = {
    {.topic_id = U1, .name = TEXT("orders")}};
static const struct kafka_metadata_request metadata_request = {
    .topics = ITEMS(metadata_request_topics),
    .allow_auto_topic_creation = false,
    .include_cluster_authorized_operations = true,
    .include_topic_authorized_operations = true,
};
static const struct kafka_metadata_request metadata_request_all = {
    .topics = {NULL, -1}, .allow_auto_topic_creation = true};
static struct kafka_metadata_request_topic metadata_request_ids[] = {{.topic_id = U1}};
static const struct kafka_metadata_request metadata_request_by_id = {
    .topics = ITEMS(metadata_request_ids), .allow_auto_topic_creation = true};

static struct kafka_metadata_response_broker metadata_brokers[] = {
    {.node_id = 1, .host = TEXT("b1"), .port = 9092, .rack = TEXT("r")}};
static struct kafka_metadata_response_partition metadata_partitions[] = {{
    .error_code = 9,
    .partition_index = 2,
    .leader_id = 1,
    .leader_epoch = 6,
    .replica_nodes = ITEMS(one),
    .isr_nodes = ITEMS(one),
    .offline_replicas = ITEMS(four),
}};
static struct kafka_metadata_response_topic metadata_topics[] = {{
    .error_code = 3,
    .name = TEXT("orders"),
    .topic_id = U1,
    .is_internal = true,
    .partitions = ITEMS(metadata_partitions),
    .topic_authorized_operations = 16,
}};
static const struct kafka_metadata_response metadata_response = {
    .throttle_time_ms = 5,
    .brokers = ITEMS(metadata_brokers),
    .cluster_id = TEXT("cid"),
    .controller_id = 1,
    .topics = ITEMS(metadata_topics),
    .cluster_authorized_operations = 32,
    .error_code = 13,
};

static const struct kafka_describe_cluster_request describe_cluster_request = {
    .include_cluster_authorized_operations = true,
    .endpoint_type = 2,
    .include_fenced_brokers = true,
};
static struct kafka_describe_cluster_response_broker cluster_brokers[] = {
    {.broker_id = 1, .host = TEXT("b1"), .port = 9092, .rack = TEXT("r"), .is_fenced = true}};
static const struct kafka_describe_cluster_response describe_cluster_response = {
    .throttle_time_ms = 9,
    .error_code = 115,
    .error_message = TEXT("no"),
    .endpoint_type = 2,
    .cluster_id = TEXT("cid"),
    .controller_id = 1,
    .brokers = ITEMS(cluster_brokers),
    .cluster_authorized_operations = 32,
};

static struct kafka_describe_topic_partitions_request_topic described_topics[] = {{TEXT("orders")}};
static struct kafka_describe_topic_partitions_request_cursor request_cursor = {TEXT("orders"), 3};
static const struct kafka_describe_topic_partitions_request describe_topic_partitions_request = {
    .topics = ITEMS(described_topics),
    .response_partition_limit = 100,
    .cursor = &request_cursor,
};
static const struct kafka_describe_topic_partitions_request describe_first_page = {
    .topics = ITEMS(described_topics), .response_partition_limit = 2000};

static struct kafka_describe_topic_partitions_response_partition described_partitions[] = {{
    .error_code = 9,
    .partition_index = 2,
    .leader_id = 1,
    .leader_epoch = 6,
    .replica_nodes = ITEMS(one),
    .isr_nodes = ITEMS(one),
    .eligible_leader_replicas = ITEMS(five),
    .last_known_elr = {NULL, -1},
    .offline_replicas = ITEMS(four),
}};
static struct kafka_describe_topic_partitions_response_topic described_topic_results[] = {{
    .error_code = 3,
    .name = TEXT("orders"),
    .topic_id = U1,
    .is_internal = true,
    .partitions = ITEMS(described_partitions),
    .topic_authorized_operations = 16,
}};
static struct kafka_describe_topic_partitions_response_cursor response_cursor = {TEXT("orders"), 3};
static const struct kafka_describe_topic_partitions_response describe_topic_partitions_response = {
    .throttle_time_ms = 9,
    .topics = ITEMS(described_topic_results),
    .next_cursor = &response_cursor,
};

const struct golden_value golden_connection[] = {
    {"RequestHeader", &request_header},
    {"RequestHeader/anonymous", &request_header_anonymous},
    {"ResponseHeader", &response_header},
    {"ApiVersionsRequest", &api_versions_request},
    {"ApiVersionsResponse", &api_versions_response},
    {"ApiVersionsResponse/plain", &api_versions_response_plain},
    {"SaslHandshakeRequest", &sasl_handshake_request},
    {"SaslHandshakeResponse", &sasl_handshake_response},
    {"SaslAuthenticateRequest", &sasl_authenticate_request},
    {"SaslAuthenticateResponse", &sasl_authenticate_response},
    {"MetadataRequest", &metadata_request},
    {"MetadataRequest/all", &metadata_request_all},
    {"MetadataRequest/by_id", &metadata_request_by_id},
    {"MetadataResponse", &metadata_response},
    {"DescribeClusterRequest", &describe_cluster_request},
    {"DescribeClusterResponse", &describe_cluster_response},
    {"DescribeTopicPartitionsRequest", &describe_topic_partitions_request},
    {"DescribeTopicPartitionsRequest/first_page", &describe_first_page},
    {"DescribeTopicPartitionsResponse", &describe_topic_partitions_response},
    {NULL, NULL},
};
