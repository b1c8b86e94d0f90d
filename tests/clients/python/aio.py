# SPDX-License-Identifier: Apache-2.0
"""aiokafka for the scenario of tests/clients/README.md: its coroutines run on one event loop, on a thread of its own."""

import asyncio
import os
import ssl
import threading

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from scenario import Record, Seen, expect, main

COMMON = {
    "bootstrap_servers": os.environ["MILLRACE_BOOTSTRAP"],
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "token",
    "sasl_plain_password": os.environ["MILLRACE_API_KEY"],
    # Verifies the chain and the host name against this CA alone.
    "ssl_context": ssl.create_default_context(cafile=os.environ["MILLRACE_CA_FILE"]),
}
LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def wait(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(60)


def on_loop(call, *arguments, **options):
    """For calls that are no coroutines and look for the running loop."""
    async def called():
        return call(*arguments, **options)
    return wait(called())


class Producer:
    def __init__(self, codec, idempotent):
        self.producer = on_loop(AIOKafkaProducer, **COMMON, acks="all", linger_ms=20, enable_idempotence=idempotent,
                                compression_type=None if codec == "none" else codec)
        wait(self.producer.start())
        self.sent = []

    def send(self, topic, record):
        self.sent.append(wait(self.producer.send(topic, record.value, record.key, record.partition, record.timestamp,
                                                 record.headers)))

    async def acknowledged(self):
        await asyncio.gather(*self.sent)

    def flush(self):
        wait(self.producer.flush())
        wait(self.acknowledged())

    def close(self):
        wait(self.producer.stop())


class Consumer(ConsumerRebalanceListener):
    def __init__(self, topic, **options):
        self.consumer = on_loop(AIOKafkaConsumer, **COMMON, auto_offset_reset="earliest", enable_auto_commit=False, **options)
        self.topic = topic
        self.rebalances = 0

    async def on_partitions_revoked(self, revoked):
        pass

    async def on_partitions_assigned(self, assigned):
        self.rebalances += 1

    def poll(self):
        return [Seen(one.offset, Record(one.partition, one.key, one.value, list(one.headers), one.timestamp))
                for records in wait(self.consumer.getmany(timeout_ms=100)).values() for one in records]

    def assigned(self):
        return {one.partition for one in self.consumer.assignment()}

    def commit(self):
        wait(self.consumer.commit())

    def seek(self, partition, offset):
        on_loop(self.consumer.seek, TopicPartition(self.topic, partition), offset)

    def pause(self, partition):
        on_loop(self.consumer.pause, TopicPartition(self.topic, partition))

    def resume(self, partition):
        on_loop(self.consumer.resume, TopicPartition(self.topic, partition))

    def close(self):
        wait(self.consumer.stop())


class AioKafka:
    skips = {}

    def __init__(self):
        self.admin = on_loop(AIOKafkaAdminClient, **COMMON)
        wait(self.admin.start())

    @staticmethod
    def check_topics(answer):
        for _topic, code, *_message in getattr(answer, "topic_errors", None) or answer.topic_error_codes:
            expect(code, 0, "error of the topic")

    def create_topic(self, topic, partitions):
        self.check_topics(wait(self.admin.create_topics([NewTopic(topic, partitions, 1)])))

    def leaders(self, topic):
        found = wait(self.admin.describe_topics([topic]))[0]
        if found["error_code"] == 3:
            return None
        expect(found["error_code"], 0, "error of the topic")
        return [one["leader"] for one in sorted(found["partitions"], key=lambda one: one["partition"])]

    def alter(self, topic, setting, value):
        answer, = wait(self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {setting: value})]))
        expect([code for code, *_ in answer.resources], [0], "errors")

    def setting(self, topic, setting):
        answer, = wait(self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {setting: None})]))
        (_, _, _, _, entries), = answer.resources
        return {entry[0]: entry[1] for entry in entries}[setting]

    def grow(self, topic, partitions):
        self.check_topics(wait(self.admin.create_partitions({topic: NewPartitions(partitions)})))

    def delete(self, topic):
        self.check_topics(wait(self.admin.delete_topics([topic])))

    def end_offsets(self, topic, partitions):
        consumer = on_loop(AIOKafkaConsumer, **COMMON)
        wait(consumer.start())
        ends = wait(consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions]))
        wait(consumer.stop())
        return {where.partition: offset for where, offset in ends.items()}

    def committed(self, group, topic, partitions):
        offsets = wait(self.admin.list_consumer_group_offsets(group))
        return [offsets[TopicPartition(topic, partition)].offset for partition in partitions]

    def producer(self, codec, idempotent):
        return Producer(codec, idempotent)

    def reader(self, topic, partitions):
        consumer = Consumer(topic)
        wait(consumer.consumer.start())
        on_loop(consumer.consumer.assign, [TopicPartition(topic, partition) for partition in partitions])
        return consumer

    def member(self, group, topic, instance_id):
        consumer = Consumer(topic, group_id=group, group_instance_id=instance_id)
        on_loop(consumer.consumer.subscribe, [topic], listener=consumer)
        wait(consumer.consumer.start())
        return consumer


main(AioKafka())
