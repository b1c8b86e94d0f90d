/* SPDX-License-Identifier: Apache-2.0 */
/* Values of golden/admin.txt. */
#include "tests/unit/common/kafka/golden.h"

static int32_t two[] = {2};
static int32_t two_and_three[] = {2, 3};
static struct slice key_names[] = {TEXT("k")};
static struct slice topic_names[] = {TEXT("orders"), TEXT("two")};

static struct kafka_create_topics_request_assignment create_assignments[] = {
    {.partition_index = 1, .broker_ids = ITEMS(two)}};
static struct kafka_create_topics_request_config create_configs[] = {
    {.name = TEXT("k"), .value = TEXT("v")}};
static struct kafka_create_topics_request_topic create_topics[] = {{
    .name = TEXT("orders"),
    .num_partitions = 3,
    .replication_factor = 1,
    .assignments = ITEMS(create_assignments),
    .configs = ITEMS(create_configs),
}};
static const struct kafka_create_topics_request create_topics_request = {
    .topics = ITEMS(create_topics), .timeout_ms = 1500, .validate_only = true};

static struct kafka_create_topics_response_config created_configs[] = {{
    .name = TEXT("k"),
    .value = TEXT("v"),
    .read_only = true,
    .config_source = 5,
    .is_sensitive = true,
}};
static struct kafka_create_topics_response_topic created_topics[] = {{
    .name = TEXT("orders"),
    .topic_id = U1,
    .error_code = 36,
    .error_message = TEXT("no"),
    .topic_config_error_code = 29,
    .num_partitions = 3,
    .replication_factor = 1,
    .configs = ITEMS(created_configs),
}};
static const struct kafka_create_topics_response create_topics_response = {
    .throttle_time_ms = 9, .topics = ITEMS(created_topics)};
static struct kafka_create_topics_response_topic hidden_topics[] = {{
    .name = TEXT("orders"),
    .topic_id = U1,
    .num_partitions = -1,
    .replication_factor = -1,
    .configs = {NULL, -1},
}};
static const struct kafka_create_topics_response create_topics_response_hidden = {
    .topics = ITEMS(hidden_topics)};

static struct kafka_delete_topics_request_topic delete_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1}};
static const struct kafka_delete_topics_request delete_topics_request = {
    .topics = ITEMS(delete_topics), .topic_names = ITEMS(topic_names), .timeout_ms = 1500};
static struct kafka_delete_topics_response_topic deleted_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .error_code = 3, .error_message = TEXT("no")}};
static const struct kafka_delete_topics_response delete_topics_response = {
    .throttle_time_ms = 9, .responses = ITEMS(deleted_topics)};

static struct kafka_create_partitions_request_assignment partition_assignments[] = {
    {ITEMS(two_and_three)}};
static struct kafka_create_partitions_request_topic grown_topics[] = {
    {.name = TEXT("orders"), .count = 4, .assignments = ITEMS(partition_assignments)}};
static const struct kafka_create_partitions_request create_partitions_request = {
    .topics = ITEMS(grown_topics), .timeout_ms = 1500, .validate_only = true};
static struct kafka_create_partitions_request_topic freely_grown_topics[] = {
    {.name = TEXT("orders"), .count = 4, .assignments = {NULL, -1}}};
static const struct kafka_create_partitions_request create_partitions_request_free = {
    .topics = ITEMS(freely_grown_topics)};
static struct kafka_create_partitions_response_topic grown_results[] = {
    {.name = TEXT("orders"), .error_code = 37, .error_message = TEXT("no")}};
static const struct kafka_create_partitions_response create_partitions_response = {
    .throttle_time_ms = 9, .results = ITEMS(grown_results)};

static struct kafka_describe_configs_request_resource described_resources[] = {
    {.resource_type = 2, .resource_name = TEXT("orders"), .configuration_keys = ITEMS(key_names)}};
static const struct kafka_describe_configs_request describe_configs_request = {
    .resources = ITEMS(described_resources),
    .include_synonyms = true,
    .include_documentation = true,
};
static struct kafka_describe_configs_request_resource whole_resources[] = {
    {.resource_type = 2, .resource_name = TEXT("orders"), .configuration_keys = {NULL, -1}}};
static const struct kafka_describe_configs_request describe_configs_request_all = {
    .resources = ITEMS(whole_resources)};
static struct kafka_describe_configs_response_synonym synonyms[] = {
    {.name = TEXT("s"), .value = TEXT("v2"), .source = 4}};
static struct kafka_describe_configs_response_config described_configs[] = {{
    .name = TEXT("k"),
    .value = TEXT("v"),
    .read_only = true,
    .config_source = 5,
    .is_sensitive = true,
    .synonyms = ITEMS(synonyms),
    .config_type = 2,
    .documentation = TEXT("d"),
}};
static struct kafka_describe_configs_response_resource described_results[] = {{
    .error_code = 3,
    .error_message = TEXT("no"),
    .resource_type = 2,
    .resource_name = TEXT("orders"),
    .configs = ITEMS(described_configs),
}};
static const struct kafka_describe_configs_response describe_configs_response = {
    .throttle_time_ms = 9, .results = ITEMS(described_results)};

static struct kafka_alter_configs_request_config altered_configs[] = {{.name = TEXT("k")}};
static struct kafka_alter_configs_request_resource altered_resources[] = {
    {.resource_type = 2, .resource_name = TEXT("orders"), .configs = ITEMS(altered_configs)}};
static const struct kafka_alter_configs_request alter_configs_request = {
    .resources = ITEMS(altered_resources), .validate_only = true};
static struct kafka_alter_configs_response_resource altered_results[] = {{
    .error_code = 40,
    .error_message = TEXT("no"),
    .resource_type = 2,
    .resource_name = TEXT("orders"),
}};
static const struct kafka_alter_configs_response alter_configs_response = {
    .throttle_time_ms = 9, .responses = ITEMS(altered_results)};

static struct kafka_incremental_alter_configs_request_config incremental_configs[] = {
    {.name = TEXT("k"), .config_operation = 2, .value = TEXT("v")}};
static struct kafka_incremental_alter_configs_request_resource incremental_resources[] = {
    {.resource_type = 2, .resource_name = TEXT("orders"), .configs = ITEMS(incremental_configs)}};
static const struct kafka_incremental_alter_configs_request incremental_alter_configs_request = {
    .resources = ITEMS(incremental_resources), .validate_only = true};
static struct kafka_incremental_alter_configs_response_resource incremental_results[] = {{
    .error_code = 40,
    .error_message = TEXT("no"),
    .resource_type = 2,
    .resource_name = TEXT("orders"),
}};
static const struct kafka_incremental_alter_configs_response incremental_alter_configs_response = {
    .throttle_time_ms = 9, .responses = ITEMS(incremental_results)};

const struct golden_value golden_admin[] = {
    {"CreateTopicsRequest", &create_topics_request},
    {"CreateTopicsResponse", &create_topics_response},
    {"CreateTopicsResponse/hidden_settings", &create_topics_response_hidden},
    {"DeleteTopicsRequest", &delete_topics_request},
    {"DeleteTopicsResponse", &delete_topics_response},
    {"CreatePartitionsRequest", &create_partitions_request},
    {"CreatePartitionsRequest/broker_chooses", &create_partitions_request_free},
    {"CreatePartitionsResponse", &create_partitions_response},
    {"DescribeConfigsRequest", &describe_configs_request},
    {"DescribeConfigsRequest/all_keys", &describe_configs_request_all},
    {"DescribeConfigsResponse", &describe_configs_response},
    {"AlterConfigsRequest", &alter_configs_request},
    {"AlterConfigsResponse", &alter_configs_response},
    {"IncrementalAlterConfigsRequest", &incremental_alter_configs_request},
    {"IncrementalAlterConfigsResponse", &incremental_alter_configs_response},
    {NULL, NULL},
};
