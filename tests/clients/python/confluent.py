# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka, librdkafka in Python, for the scenario of tests/clients/README.md."""

import os

from confluent_kafka import Consumer, KafkaException, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from scenario import Record, Seen, expect, main

COMMON = {
    "bootstrap.servers": os.environ["MILLRACE_BOOTSTRAP"],
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "token",
    "sasl.password": os.environ["MILLRACE_API_KEY"],
    "ssl.ca.location": os.environ["MILLRACE_CA_FILE"],
    "ssl.endpoint.identification.algorithm": "https",
}


class ConfluentProducer:
    def __init__(self, options):
        self.producer = Producer({**COMMON, **options})
        self.errors = []

    def on_delivery(self, error, _message):
        if error:
            self.errors.append(error)

    def send(self, topic, record):
        options = {} if record.timestamp is None else {"timestamp": record.timestamp}
        self.producer.produce(topic, partition=record.partition, key=record.key, value=record.value,
                              headers=record.headers, on_delivery=self.on_delivery, **options)
        self.producer.poll(0)

    def flush(self):
        expect(self.producer.flush(60), 0, "records left in the queue")
        expect(self.errors, [], "delivery errors")

    def close(self):
        """librdkafka ends with its last reference."""
        self.producer = None


class ConfluentConsumer:
    def __init__(self, options):
        self.consumer = Consumer({**COMMON, "auto.offset.reset": "earliest", "enable.auto.commit": False, **options})
        self.rebalances = 0

    def poll(self):
        seen = []
        for message in self.consumer.consume(100, timeout=0.1):
            if message.error():
                raise KafkaException(message.error())
            _, timestamp = message.timestamp()
            record = Record(message.partition(), message.key(), message.value(), message.headers() or [], timestamp)
            seen.append(Seen(message.offset(), record))
        return seen

    def subscribe(self, topic):
        self.consumer.subscribe([topic], on_assign=self.on_assign)

    def on_assign(self, _consumer, _partitions):
        self.rebalances += 1

    def assign(self, topic, partitions):
        self.topic = topic
        self.consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])

    def assigned(self):
        return {one.partition for one in self.consumer.assignment()}

    def commit(self):
        for partition in self.consumer.commit(asynchronous=False):
            expect(partition.error, None, "error of a commit")

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(self.topic, partition, offset))

    def pause(self, partition):
        self.consumer.pause([TopicPartition(self.topic, partition)])

    def resume(self, partition):
        self.consumer.resume([TopicPartition(self.topic, partition)])

    def close(self):
        self.consumer.close()


class Confluent:
    skips = {}

    def __init__(self):
        self.admin = AdminClient(COMMON)

    def create_topic(self, topic, partitions):
        self.admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=-1)])[topic].result(30)

    def leaders(self, topic):
        """From the metadata of all topics: librdkafka leaves bytes after that request, which must not cost the connection."""
        found = self.admin.list_topics(timeout=10).topics.get(topic)
        return found and [found.partitions[partition].leader for partition in range(len(found.partitions))]

    def alter(self, topic, setting, value):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={setting: value})
        self.admin.alter_configs([resource])[resource].result(30)

    def setting(self, topic, setting):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        return self.admin.describe_configs([resource])[resource].result(30)[setting].value

    def grow(self, topic, partitions):
        self.admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(30)

    def end_offsets(self, topic, partitions):
        consumer = Consumer({**COMMON, "group.id": "watermarks"})
        ends = {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
                for partition in partitions}
        consumer.close()
        return ends

    def committed(self, group, topic, partitions):
        consumer = Consumer({**COMMON, "group.id": group})
        offsets = consumer.committed([TopicPartition(topic, partition) for partition in partitions], timeout=10)
        consumer.close()
        return [one.offset for one in offsets]

    def producer(self, codec, idempotent):
        return ConfluentProducer({"compression.type": codec, "enable.idempotence": idempotent, "linger.ms": 20})

    def reader(self, topic, partitions):
        consumer = ConfluentConsumer({"group.id": "reader"})
        consumer.assign(topic, partitions)
        return consumer

    def member(self, group, topic, instance_id):
        consumer = ConfluentConsumer({"group.id": group, **({"group.instance.id": instance_id} if instance_id else {})})
        consumer.subscribe(topic)
        return consumer


main(Confluent())
