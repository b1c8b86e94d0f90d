# SPDX-License-Identifier: Apache-2.0
"""Smoke of kafka-python (protocol in Python): admin, produce, idempotent produce, group, commit.

Over SASL_SSL with an API key; the runner gives the instance in the environment (tests/clients/README.md).
"""

import os
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from smoke import RECORDS_PER_PRODUCER, Smoke, expect

smoke = Smoke("kafka-python")
topic = os.environ["MILLRACE_PREFIX"] + "kafka-python"
group = topic + "-group"
common = {
    "bootstrap_servers": os.environ["MILLRACE_BOOTSTRAP"].split(","),
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "token",
    "sasl_plain_password": os.environ["MILLRACE_API_KEY"],
    "ssl_cafile": os.environ["MILLRACE_CA_FILE"],
    "ssl_check_hostname": True,
}
admin = KafkaAdminClient(**common)


def create_topic():
    admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=-1)])


def describe_topic():
    described = admin.describe_topics([topic])
    expect(len(described[0]["partitions"]), 3, "partitions")


def produce(origin, **options):
    producer = KafkaProducer(**common, acks="all", **options)
    futures = [
        producer.send(topic, key=f"{origin}-{i % 7}".encode(), value=f"{origin} {i}".encode())
        for i in range(RECORDS_PER_PRODUCER)
    ]
    producer.flush(30)
    for future in futures:
        future.get(10)
    producer.close()


def consume_and_commit():
    consumer = KafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, **common)
    seen = set()
    deadline = time.monotonic() + 40
    while len(seen) < 2 * RECORDS_PER_PRODUCER:
        expect(time.monotonic() < deadline, True, f"{len(seen)} records consumed in time")
        for records in consumer.poll(1000).values():
            seen.update(record.value for record in records)
    consumer.commit()
    consumer.close()


def read_committed():
    consumer = KafkaConsumer(group_id=group, **common)
    offsets = [consumer.committed(TopicPartition(topic, partition)) or 0 for partition in range(3)]
    expect(sum(offsets), 2 * RECORDS_PER_PRODUCER, "sum of committed offsets")
    consumer.close()


def delete_topic():
    admin.delete_topics([topic])


smoke.check("create topic", create_topic)
smoke.check("describe topic", describe_topic)
smoke.check("produce", lambda: produce("plain", enable_idempotence=False))
smoke.check("idempotent produce", lambda: produce("idempotent", enable_idempotence=True))
smoke.check("consume in group and commit", consume_and_commit)
smoke.check("read committed offsets", read_committed)
smoke.check("delete topic", delete_topic)
admin.close()
