# SPDX-License-Identifier: Apache-2.0
"""kafka-python, the protocol in Python, from 2.0.2 to 3.x, for the scenario of tests/clients/README.md."""

import os

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

from scenario import Record, Seen, expect, main

IS_OLD = kafka.__version__.startswith("2.0.")
COMMON = {
    "bootstrap_servers": os.environ["MILLRACE_BOOTSTRAP"].split(","),
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "token",
    "sasl_plain_password": os.environ["MILLRACE_API_KEY"],
    "ssl_cafile": os.environ["MILLRACE_CA_FILE"],
    "ssl_check_hostname": True,
}
NO_IDEMPOTENCE = "kafka-python 2.0 has no idempotent producer"


class Producer:
    def __init__(self, codec, idempotent):
        options = {} if IS_OLD else {"enable_idempotence": idempotent}
        self.producer = KafkaProducer(**COMMON, acks="all", linger_ms=20, compression_type=None if codec == "none" else codec,
                                      **options)
        self.sent = []

    def send(self, topic, record):
        self.sent.append(self.producer.send(topic, record.value, record.key, record.headers, record.partition,
                                            record.timestamp))

    def flush(self):
        self.producer.flush(60)
        for future in self.sent:
            future.get(30)

    def close(self):
        self.producer.close()


class Consumer(ConsumerRebalanceListener):
    def __init__(self, topic, **options):
        self.consumer = KafkaConsumer(**COMMON, auto_offset_reset="earliest", enable_auto_commit=False, **options)
        self.topic = topic
        self.rebalances = 0

    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        self.rebalances += 1

    def poll(self):
        # kafka-python 3.0.12 joins twice where its first join came before the topic's metadata, and when a poll ends between the
        # second SyncGroup and its answer it takes the rebalance as done and stays without partitions for good (need_rejoin()
        # compares metadata only). A member without partitions therefore polls for longer than any answer takes.
        timeout_ms = 100 if self.consumer.assignment() else 2000
        return [Seen(one.offset, Record(one.partition, one.key, one.value, list(one.headers), one.timestamp))
                for records in self.consumer.poll(timeout_ms).values() for one in records]

    def assigned(self):
        return {one.partition for one in self.consumer.assignment()}

    def commit(self):
        self.consumer.commit()

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(self.topic, partition), offset)

    def pause(self, partition):
        self.consumer.pause(TopicPartition(self.topic, partition))

    def resume(self, partition):
        self.consumer.resume(TopicPartition(self.topic, partition))

    def close(self):
        self.consumer.close()


class KafkaPython:
    skips = {
        "a static member comes back to its partitions": "kafka-python 2.0 has no static members",
        "an idempotent producer writes each record once": NO_IDEMPOTENCE,
        "an idempotent producer survives a killed broker": NO_IDEMPOTENCE,
    } if IS_OLD else {}

    def __init__(self):
        self.admin = KafkaAdminClient(**COMMON)

    def create_topic(self, topic, partitions):
        self.admin.create_topics([NewTopic(topic, partitions, 1 if IS_OLD else -1)])

    def leaders(self, topic):
        found = self.admin.describe_topics([topic])[0]
        if found["error_code"] == 3:
            return None
        expect(found["error_code"], 0, "error of the topic")
        number, leader = ("partition", "leader") if IS_OLD else ("partition_index", "leader_id")
        return [one[leader] for one in sorted(found["partitions"], key=lambda one: one[number])]

    def alter(self, topic, setting, value):
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {setting: value})])

    def setting(self, topic, setting):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {setting: None} if IS_OLD else [setting])
        answer = self.admin.describe_configs([resource])
        if not IS_OLD:
            return answer["topic"][topic][setting]["value"]
        (_, _, _, _, entries), = answer[0].resources
        return {entry[0]: entry[1] for entry in entries}[setting]

    def grow(self, topic, partitions):
        self.admin.create_partitions({topic: NewPartitions(partitions)})

    def delete(self, topic):
        self.admin.delete_topics([topic])

    def end_offsets(self, topic, partitions):
        consumer = KafkaConsumer(**COMMON)
        ends = consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        consumer.close()
        return {where.partition: offset for where, offset in ends.items()}

    def committed(self, group, topic, partitions):
        consumer = KafkaConsumer(group_id=group, **COMMON)
        offsets = [consumer.committed(TopicPartition(topic, partition)) for partition in partitions]
        consumer.close()
        return offsets

    def producer(self, codec, idempotent):
        return Producer(codec, idempotent)

    def reader(self, topic, partitions):
        consumer = Consumer(topic)
        consumer.consumer.assign([TopicPartition(topic, partition) for partition in partitions])
        return consumer

    def member(self, group, topic, instance_id):
        consumer = Consumer(topic, group_id=group, **({"group_instance_id": instance_id} if instance_id else {}))
        consumer.consumer.subscribe([topic], listener=consumer)
        return consumer


main(KafkaPython())
