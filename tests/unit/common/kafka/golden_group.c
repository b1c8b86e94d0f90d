/* SPDX-License-Identifier: Apache-2.0 */
/* Values of golden/group.txt. */
#include "tests/unit/common/kafka/golden.h"

static int32_t three[] = {3};
static int32_t three_and_four[] = {3, 4};
static struct slice group_ids[] = {TEXT("grp"), TEXT("two")};
static struct slice states[] = {TEXT("Stable")};
static struct slice types[] = {TEXT("classic")};
static struct slice topic_names[] = {TEXT("orders")};

static const struct kafka_find_coordinator_request find_coordinator_request = {
    .key = TEXT("grp"), .key_type = 1, .coordinator_keys = ITEMS(group_ids)};
static struct kafka_find_coordinator_response_coordinator coordinators[] = {{
    .key = TEXT("grp"),
    .node_id = 1,
    .host = TEXT("b1"),
    .port = 9092,
    .error_code = 15,
    .error_message = TEXT("no"),
}};
static const struct kafka_find_coordinator_response find_coordinator_response = {
    .throttle_time_ms = 9,
    .error_code = 15,
    .error_message = TEXT("no"),
    .node_id = 1,
    .host = TEXT("b1"),
    .port = 9092,
    .coordinators = ITEMS(coordinators),
};

static struct kafka_join_group_request_protocol join_protocols[] = {
    {.name = TEXT("range"), .metadata = TEXT("META")}};
static const struct kafka_join_group_request join_group_request = {
    .group_id = TEXT("grp"),
    .session_timeout_ms = 6000,
    .rebalance_timeout_ms = 300000,
    .member_id = TEXT("m-1"),
    .group_instance_id = TEXT("i"),
    .protocol_type = TEXT("consumer"),
    .protocols = ITEMS(join_protocols),
    .reason = TEXT("why"),
};
static struct kafka_join_group_response_member joined_members[] = {
    {.member_id = TEXT("m-1"), .group_instance_id = TEXT("i"), .metadata = TEXT("META")}};
static const struct kafka_join_group_response join_group_response = {
    .throttle_time_ms = 9,
    .error_code = 79,
    .generation_id = 5,
    .protocol_type = TEXT("consumer"),
    .protocol_name = TEXT("range"),
    .leader = TEXT("m-1"),
    .skip_assignment = true,
    .member_id = TEXT("m-2"),
    .members = ITEMS(joined_members),
};
static const struct kafka_join_group_response join_group_response_failed = {
    .error_code = 25,
    .generation_id = -1,
    .protocol_name = TEXT(""),
    .leader = TEXT(""),
    .member_id = TEXT(""),
};

static struct kafka_sync_group_request_assignment sync_assignments[] = {
    {.member_id = TEXT("m-2"), .assignment = TEXT("GIVE")}};
static const struct kafka_sync_group_request sync_group_request = {
    .group_id = TEXT("grp"),
    .generation_id = 5,
    .member_id = TEXT("m-1"),
    .group_instance_id = TEXT("i"),
    .protocol_type = TEXT("consumer"),
    .protocol_name = TEXT("range"),
    .assignments = ITEMS(sync_assignments),
};
static const struct kafka_sync_group_response sync_group_response = {
    .throttle_time_ms = 9,
    .error_code = 27,
    .protocol_type = TEXT("consumer"),
    .protocol_name = TEXT("range"),
    .assignment = TEXT("GIVE"),
};

static const struct kafka_heartbeat_request heartbeat_request = {TEXT("grp"), 5, TEXT("m-1"),
                                                                 TEXT("i")};
static const struct kafka_heartbeat_response heartbeat_response = {9, 27};

static struct kafka_leave_group_request_member leaving_members[] = {
    {.member_id = TEXT("m-2"), .group_instance_id = TEXT("i"), .reason = TEXT("why")}};
static const struct kafka_leave_group_request leave_group_request = {
    .group_id = TEXT("grp"), .member_id = TEXT("m-1"), .members = ITEMS(leaving_members)};
static struct kafka_leave_group_response_member left_members[] = {
    {.member_id = TEXT("m-2"), .group_instance_id = TEXT("i"), .error_code = 82}};
static const struct kafka_leave_group_response leave_group_response = {
    .throttle_time_ms = 9, .error_code = 25, .members = ITEMS(left_members)};

static struct kafka_offset_commit_request_partition commit_partitions[] = {{
    .partition_index = 3,
    .committed_offset = 100,
    .committed_leader_epoch = 6,
    .committed_metadata = TEXT("note"),
}};
static struct kafka_offset_commit_request_topic commit_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partitions = ITEMS(commit_partitions)}};
static const struct kafka_offset_commit_request offset_commit_request = {
    .group_id = TEXT("grp"),
    .generation_id_or_member_epoch = 5,
    .member_id = TEXT("m-1"),
    .group_instance_id = TEXT("i"),
    .retention_time_ms = 1000,
    .topics = ITEMS(commit_topics),
};
static struct kafka_offset_commit_response_partition committed_partitions[] = {{3, 22}};
static struct kafka_offset_commit_response_topic committed_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partitions = ITEMS(committed_partitions)}};
static const struct kafka_offset_commit_response offset_commit_response = {
    .throttle_time_ms = 9, .topics = ITEMS(committed_topics)};

static struct kafka_offset_fetch_request_topic fetch_topics[] = {
    {.name = TEXT("orders"), .partition_indexes = ITEMS(three_and_four)}};
static struct kafka_offset_fetch_request_group_topic fetch_group_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partition_indexes = ITEMS(three_and_four)}};
static struct kafka_offset_fetch_request_group fetch_groups[] = {{
    .group_id = TEXT("two"),
    .member_id = TEXT("m-1"),
    .member_epoch = 5,
    .topics = ITEMS(fetch_group_topics),
}};
static const struct kafka_offset_fetch_request offset_fetch_request = {
    .group_id = TEXT("grp"),
    .topics = ITEMS(fetch_topics),
    .groups = ITEMS(fetch_groups),
    .require_stable = true,
};
static struct kafka_offset_fetch_request_group fetch_whole_groups[] = {
    {.group_id = TEXT("two"), .member_epoch = -1, .topics = {NULL, -1}}};
static const struct kafka_offset_fetch_request offset_fetch_request_all = {
    .group_id = TEXT("grp"), .topics = {NULL, -1}, .groups = ITEMS(fetch_whole_groups)};

static struct kafka_offset_fetch_response_partition fetched_partitions[] = {{
    .partition_index = 3,
    .committed_offset = 100,
    .committed_leader_epoch = 6,
    .metadata = TEXT("note"),
    .error_code = 3,
}};
static struct kafka_offset_fetch_response_topic fetched_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(fetched_partitions)}};
static struct kafka_offset_fetch_response_group_partition fetched_group_partitions[] = {{
    .partition_index = 4,
    .committed_offset = 200,
    .committed_leader_epoch = 7,
    .metadata = TEXT("n2"),
    .error_code = 3,
}};
static struct kafka_offset_fetch_response_group_topic fetched_group_topics[] = {
    {.name = TEXT("orders"), .topic_id = U1, .partitions = ITEMS(fetched_group_partitions)}};
static struct kafka_offset_fetch_response_group fetched_groups[] = {
    {.group_id = TEXT("two"), .topics = ITEMS(fetched_group_topics), .error_code = 15}};
static const struct kafka_offset_fetch_response offset_fetch_response = {
    .throttle_time_ms = 9,
    .topics = ITEMS(fetched_topics),
    .error_code = 16,
    .groups = ITEMS(fetched_groups),
};

static struct kafka_offset_delete_request_partition delete_partitions[] = {{3}};
static struct kafka_offset_delete_request_topic delete_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(delete_partitions)}};
static const struct kafka_offset_delete_request offset_delete_request = {
    .group_id = TEXT("grp"), .topics = ITEMS(delete_topics)};
static struct kafka_offset_delete_response_partition deleted_partitions[] = {{3, 86}};
static struct kafka_offset_delete_response_topic deleted_topics[] = {
    {.name = TEXT("orders"), .partitions = ITEMS(deleted_partitions)}};
static const struct kafka_offset_delete_response offset_delete_response = {
    .error_code = 69, .throttle_time_ms = 9, .topics = ITEMS(deleted_topics)};

static const struct kafka_list_groups_request list_groups_request = {.states_filter = ITEMS(states),
                                                                     .types_filter = ITEMS(types)};
static struct kafka_list_groups_response_group listed_groups[] = {{
    .group_id = TEXT("grp"),
    .protocol_type = TEXT("consumer"),
    .group_state = TEXT("Stable"),
    .group_type = TEXT("classic"),
}};
static const struct kafka_list_groups_response list_groups_response = {
    .throttle_time_ms = 9, .error_code = 14, .groups = ITEMS(listed_groups)};

static const struct kafka_describe_groups_request describe_groups_request = {
    .groups = ITEMS(group_ids), .include_authorized_operations = true};
static struct kafka_describe_groups_response_member described_members[] = {{
    .member_id = TEXT("m-1"),
    .group_instance_id = TEXT("i"),
    .client_id = TEXT("c"),
    .client_host = TEXT("/h"),
    .member_metadata = TEXT("META"),
    .member_assignment = TEXT("GIVE"),
}};
static struct kafka_describe_groups_response_group described_groups[] = {{
    .error_code = 69,
    .error_message = TEXT("no"),
    .group_id = TEXT("grp"),
    .group_state = TEXT("Stable"),
    .protocol_type = TEXT("consumer"),
    .protocol_data = TEXT("range"),
    .members = ITEMS(described_members),
    .authorized_operations = 16,
}};
static const struct kafka_describe_groups_response describe_groups_response = {
    .throttle_time_ms = 9, .groups = ITEMS(described_groups)};

static const struct kafka_delete_groups_request delete_groups_request = {ITEMS(group_ids)};
static struct kafka_delete_groups_response_group deleted_groups[] = {
    {.group_id = TEXT("grp"), .error_code = 68}};
static const struct kafka_delete_groups_response delete_groups_response = {
    .throttle_time_ms = 9, .results = ITEMS(deleted_groups)};

static const struct kafka_offset_commit_key offset_commit_key = {
    .group = TEXT("grp"), .topic = TEXT("orders"), .partition = 3};
static const struct kafka_offset_commit_value offset_commit_value = {
    .offset = 100,
    .leader_epoch = 6,
    .metadata = TEXT("note"),
    .commit_timestamp = 1000,
    .expire_timestamp = 2000,
    .topic_id = U1,
};
static const struct kafka_group_metadata_key group_metadata_key = {TEXT("grp")};
static struct kafka_group_metadata_value_member stored_members[] = {{
    .member_id = TEXT("m-1"),
    .group_instance_id = TEXT("i"),
    .client_id = TEXT("c"),
    .client_host = TEXT("/h"),
    .rebalance_timeout = 300000,
    .session_timeout = 6000,
    .subscription = TEXT("META"),
    .assignment = TEXT("GIVE"),
}};
static const struct kafka_group_metadata_value group_metadata_value = {
    .protocol_type = TEXT("consumer"),
    .generation = 5,
    .protocol = TEXT("range"),
    .leader = TEXT("m-1"),
    .current_state_timestamp = 1000,
    .members = ITEMS(stored_members),
};

static struct kafka_consumer_protocol_subscription_owned_partition owned_partitions[] = {
    {.topic = TEXT("orders"), .partitions = ITEMS(three)}};
static const struct kafka_consumer_protocol_subscription subscription = {
    .topics = ITEMS(topic_names),
    .user_data = TEXT("UD"),
    .owned_partitions = ITEMS(owned_partitions),
    .generation_id = 5,
    .rack_id = TEXT("r"),
};
static struct kafka_consumer_protocol_assignment_assigned_partition assigned_partitions[] = {
    {.topic = TEXT("orders"), .partitions = ITEMS(three)}};
static const struct kafka_consumer_protocol_assignment assignment = {
    .assigned_partitions = ITEMS(assigned_partitions), .user_data = TEXT("UD")};

const struct golden_value golden_group[] = {
    {"FindCoordinatorRequest", &find_coordinator_request},
    {"FindCoordinatorResponse", &find_coordinator_response},
    {"JoinGroupRequest", &join_group_request},
    {"JoinGroupResponse", &join_group_response},
    {"JoinGroupResponse/failed", &join_group_response_failed},
    {"SyncGroupRequest", &sync_group_request},
    {"SyncGroupResponse", &sync_group_response},
    {"HeartbeatRequest", &heartbeat_request},
    {"HeartbeatResponse", &heartbeat_response},
    {"LeaveGroupRequest", &leave_group_request},
    {"LeaveGroupResponse", &leave_group_response},
    {"OffsetCommitRequest", &offset_commit_request},
    {"OffsetCommitResponse", &offset_commit_response},
    {"OffsetFetchRequest", &offset_fetch_request},
    {"OffsetFetchRequest/all_topics", &offset_fetch_request_all},
    {"OffsetFetchResponse", &offset_fetch_response},
    {"OffsetDeleteRequest", &offset_delete_request},
    {"OffsetDeleteResponse", &offset_delete_response},
    {"ListGroupsRequest", &list_groups_request},
    {"ListGroupsResponse", &list_groups_response},
    {"DescribeGroupsRequest", &describe_groups_request},
    {"DescribeGroupsResponse", &describe_groups_response},
    {"DeleteGroupsRequest", &delete_groups_request},
    {"DeleteGroupsResponse", &delete_groups_response},
    {"OffsetCommitKey", &offset_commit_key},
    {"OffsetCommitValue", &offset_commit_value},
    {"GroupMetadataKey", &group_metadata_key},
    {"GroupMetadataValue", &group_metadata_value},
    {"ConsumerProtocolSubscription", &subscription},
    {"ConsumerProtocolAssignment", &assignment},
    {NULL, NULL},
};
