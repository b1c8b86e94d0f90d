# SPDX-License-Identifier: Apache-2.0
"""Requests that ask for one thing by name or id: (api key, version, function from the name to the request).

Each is harmless when the thing is not there, and says so in its answer; a broker that mixes tenants up does harm.
"""

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR = 0, 1, 2, 3, 8, 9, 10
JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP, DESCRIBE_GROUPS = 11, 12, 13, 14, 15
DELETE_TOPICS, DELETE_RECORDS, OFFSET_FOR_LEADER_EPOCH = 20, 21, 23
DESCRIBE_CONFIGS, ALTER_CONFIGS, CREATE_PARTITIONS, DELETE_GROUPS, INCREMENTAL_ALTER_CONFIGS, OFFSET_DELETE = 32, 33, 37, 42, 44, 47
DESCRIBE_TOPIC_PARTITIONS = 75
# The others say "unknown" without a code: every group has a coordinator, no offset is committed, a group is dead.
REFUSING = {PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP, DELETE_TOPICS,
            DELETE_RECORDS, OFFSET_FOR_LEADER_EPOCH, DESCRIBE_CONFIGS, ALTER_CONFIGS, CREATE_PARTITIONS, DELETE_GROUPS,
            INCREMENTAL_ALTER_CONFIGS, DESCRIBE_TOPIC_PARTITIONS}
TOPIC = 2  # the kind of resource in requests about settings
TIMEOUT_MS = 5000


def fetch_request(topic, session_id=0, session_epoch=-1):
    return {"MaxWaitMs": 100, "MinBytes": 1, "SessionId": session_id, "SessionEpoch": session_epoch,
            "Topics": [{**topic, "Partitions": [{"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]}]}


def fetch(session, topic_id, opens_session=False):
    return session.call(FETCH, 17, **fetch_request({"TopicId": topic_id}, 0, 0 if opens_session else -1))


def produce_request(topic, batch):
    return {"Acks": -1, "TimeoutMs": TIMEOUT_MS, "TopicData": [{**topic, "PartitionData": [{"Index": 0, "Records": batch}]}]}


def commit_request(topic, group="readers", generation=-1, member=""):
    return {"GroupId": group, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
            "Topics": [{**topic, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5}]}]}


def settings_request(name, **config):
    return {"Resources": [{"ResourceType": TOPIC, "ResourceName": name,
                           "Configs": [{"Name": "retention.ms", "Value": "7200000", **config}]}]}


def name_probes(batch):
    one = [{"PartitionIndex": 0}]
    return [
        (METADATA, 1, lambda name: {"Topics": [{"Name": name}]}),
        (METADATA, 9, lambda name: {"Topics": [{"Name": name}], "AllowAutoTopicCreation": False}),
        (METADATA, 13, lambda name: {"Topics": [{"Name": name}], "IncludeTopicAuthorizedOperations": True}),
        (DESCRIBE_TOPIC_PARTITIONS, 0, lambda name: {"Topics": [{"Name": name}]}),
        (LIST_OFFSETS, 7, lambda name: {"ReplicaId": -1, "Topics": [{"Name": name, "Partitions": [
            {"PartitionIndex": 0, "Timestamp": -1}]}]}),
        (OFFSET_FOR_LEADER_EPOCH, 4, lambda name: {"Topics": [{"Topic": name, "Partitions": [{"Partition": 0}]}]}),
        (FETCH, 12, lambda name: fetch_request({"Topic": name})),
        (PRODUCE, 9, lambda name: produce_request({"Name": name}, batch)),
        (DELETE_RECORDS, 2, lambda name: {"TimeoutMs": TIMEOUT_MS, "Topics": [{"Name": name, "Partitions": [
            {"PartitionIndex": 0, "Offset": -1}]}]}),
        (DELETE_TOPICS, 5, lambda name: {"TimeoutMs": TIMEOUT_MS, "TopicNames": [name]}),
        (DELETE_TOPICS, 6, lambda name: {"TimeoutMs": TIMEOUT_MS, "Topics": [{"Name": name}]}),
        (CREATE_PARTITIONS, 3, lambda name: {"TimeoutMs": TIMEOUT_MS, "Topics": [
            {"Name": name, "Count": 5, "Assignments": None}]}),
        (DESCRIBE_CONFIGS, 4, lambda name: {"Resources": [
            {"ResourceType": TOPIC, "ResourceName": name, "ConfigurationKeys": None}]}),
        (INCREMENTAL_ALTER_CONFIGS, 1, lambda name: settings_request(name, ConfigOperation=0)),
        (ALTER_CONFIGS, 2, settings_request),
        (OFFSET_COMMIT, 8, lambda name: commit_request({"Name": name}, "probe")),
        (OFFSET_FETCH, 8, lambda name: {"Groups": [{"GroupId": "readers", "Topics": [
            {"Name": name, "PartitionIndexes": [0]}]}]}),
        (OFFSET_DELETE, 0, lambda name: {"GroupId": "readers", "Topics": [{"Name": name, "Partitions": one}]}),
    ]


def id_probes(batch):
    return [
        (METADATA, 12, lambda identity: {"Topics": [{"TopicId": identity, "Name": None}]}),
        (METADATA, 13, lambda identity: {"Topics": [{"TopicId": identity, "Name": None}]}),
        (FETCH, 13, lambda identity: fetch_request({"TopicId": identity})),
        (FETCH, 18, lambda identity: fetch_request({"TopicId": identity})),
        (PRODUCE, 13, lambda identity: produce_request({"TopicId": identity}, batch)),
        (DELETE_TOPICS, 6, lambda identity: {"TimeoutMs": TIMEOUT_MS, "Topics": [{"Name": None, "TopicId": identity}]}),
        (OFFSET_COMMIT, 10, lambda identity: commit_request({"TopicId": identity}, "probe")),
        (OFFSET_FETCH, 10, lambda identity: {"Groups": [{"GroupId": "readers", "Topics": [
            {"TopicId": identity, "PartitionIndexes": [0]}]}]}),
    ]


def join_request(group, member, instance=None):
    return {"GroupId": group, "SessionTimeoutMs": 10000, "RebalanceTimeoutMs": 10000, "MemberId": member,
            "GroupInstanceId": instance, "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": b"\0" * 12}]}


def group_probes():
    return [
        (FIND_COORDINATOR, 3, lambda group: {"Key": group}),
        (FIND_COORDINATOR, 6, lambda group: {"CoordinatorKeys": [group]}),
        (DESCRIBE_GROUPS, 5, lambda group: {"Groups": [group]}),
        (DESCRIBE_GROUPS, 6, lambda group: {"Groups": [group]}),
        (OFFSET_FETCH, 7, lambda group: {"GroupId": group, "Topics": None}),
        (OFFSET_FETCH, 10, lambda group: {"Groups": [{"GroupId": group, "Topics": None}]}),
        (OFFSET_COMMIT, 8, lambda group: commit_request({"Name": "orders"}, group, 1, "member")),
        (JOIN_GROUP, 9, lambda group: join_request(group, "member")),
        (SYNC_GROUP, 5, lambda group: {"GroupId": group, "GenerationId": 1, "MemberId": "member"}),
        (HEARTBEAT, 4, lambda group: {"GroupId": group, "GenerationId": 1, "MemberId": "member"}),
        (LEAVE_GROUP, 5, lambda group: {"GroupId": group, "Members": [{"MemberId": "member"}]}),
        (OFFSET_DELETE, 0, lambda group: {"GroupId": group, "Topics": [
            {"Name": "orders", "Partitions": [{"PartitionIndex": 0}]}]}),
        (DELETE_GROUPS, 2, lambda group: {"GroupsNames": [group]}),
    ]


def member_probes():
    """In the group of the same name that both have."""
    return [
        (JOIN_GROUP, 9, lambda member: join_request("readers", member)),
        (SYNC_GROUP, 5, lambda member: {"GroupId": "readers", "GenerationId": 1, "MemberId": member}),
        (HEARTBEAT, 4, lambda member: {"GroupId": "readers", "GenerationId": 1, "MemberId": member}),
        (HEARTBEAT, 4, lambda member: {"GroupId": "readers", "GenerationId": 1, "MemberId": member,
                                       "GroupInstanceId": "worker-1"}),
        (OFFSET_COMMIT, 8, lambda member: commit_request({"Name": "orders"}, "readers", 1, member)),
        (LEAVE_GROUP, 5, lambda member: {"GroupId": "readers", "Members": [{"MemberId": member}]}),
    ]


def session_probes(own_topic_id):
    return [(FETCH, 17, lambda number: fetch_request({"TopicId": own_topic_id}, number, 1))]
