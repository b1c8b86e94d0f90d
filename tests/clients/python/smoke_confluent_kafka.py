# SPDX-License-Identifier: Apache-2.0
"""Smoke of confluent-kafka (librdkafka of today): admin, produce, idempotent produce, group, commit.

Over SASL_SSL with an API key; the runner gives the instance in the environment (tests/clients/README.md).
"""

import os
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from smoke import RECORDS_PER_PRODUCER, Smoke, expect

smoke = Smoke("confluent-kafka")
topic = os.environ["MILLRACE_PREFIX"] + "confluent-kafka"
group = topic + "-group"
common = {
    "bootstrap.servers": os.environ["MILLRACE_BOOTSTRAP"],
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "token",
    "sasl.password": os.environ["MILLRACE_API_KEY"],
    "ssl.ca.location": os.environ["MILLRACE_CA_FILE"],
    "ssl.endpoint.identification.algorithm": "https",
}
admin = AdminClient(common)


def create_topic():
    admin.create_topics([NewTopic(topic, num_partitions=3)])[topic].result(30)


def describe_topic():
    metadata = admin.list_topics(topic, timeout=10).topics[topic]
    expect(metadata.error, None, "error of the topic")
    expect(len(metadata.partitions), 3, "partitions")


def list_topics():
    """All topics: librdkafka leaves bytes after this request, which must not cost the connection."""
    expect(topic in admin.list_topics(timeout=10).topics, True, "the topic among all")


def produce(origin, **options):
    producer = Producer({**common, **options})
    errors = []
    for i in range(RECORDS_PER_PRODUCER):
        producer.produce(topic, key=f"{origin}-{i % 7}", value=f"{origin} {i}",
                         on_delivery=lambda error, _: errors.append(error) if error else None)
    expect(producer.flush(30), 0, "records left in the queue")
    expect(errors, [], "delivery errors")


def consume_and_commit():
    consumer = Consumer({**common, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    seen = set()
    deadline = time.monotonic() + 40
    while len(seen) < 2 * RECORDS_PER_PRODUCER:
        expect(time.monotonic() < deadline, True, f"{len(seen)} records consumed in time")
        message = consumer.poll(1)
        if message is None:
            continue
        expect(message.error(), None, "consumer error")
        seen.add(message.value())
    consumer.commit(asynchronous=False)
    consumer.close()


def read_committed():
    consumer = Consumer({**common, "group.id": group})
    offsets = consumer.committed([TopicPartition(topic, partition) for partition in range(3)], timeout=10)
    expect(sum(max(offset.offset, 0) for offset in offsets), 2 * RECORDS_PER_PRODUCER, "sum of committed offsets")
    consumer.close()


def delete_topic():
    admin.delete_topics([topic])[topic].result(30)


smoke.check("create topic", create_topic)
smoke.check("describe topic", describe_topic)
smoke.check("list topics", list_topics)
smoke.check("produce", lambda: produce("plain"))
smoke.check("idempotent produce", lambda: produce("idempotent", **{"enable.idempotence": True}))
smoke.check("consume in group and commit", consume_and_commit)
smoke.check("read committed offsets", read_committed)
smoke.check("delete topic", delete_topic)
