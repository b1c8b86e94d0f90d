# SPDX-License-Identifier: Apache-2.0
"""Load on one instance that remembers what it was promised, and the check that all of it was kept.

What a broker acknowledged is written down here in memory: records by (partition, offset), commits by partition, topics with
their settings, and topics deleted. `verify` asks a fresh client for all of it.
"""

import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

PARTITIONS = 3
RECORDS_PER_SECOND = 2000
CLIENT_SECONDS = 60
MAX_TOPICS = 10
TOPIC = "ledger"
GROUP = "readers"


class Load:
    def __init__(self, name, credentials, ca_file):
        self.name = name
        self.common = {
            "bootstrap.servers": credentials["bootstrap_endpoints"],
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "token",
            "sasl.password": credentials["api_key"],
            "ssl.ca.location": ca_file,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
        self.records = {}  # (partition, offset): value
        self.commits = {}  # partition: offset
        self.topics = {}  # name: retention.ms
        self.deleted = set()  # names
        self.sent = 0
        self.stopping = threading.Event()
        self.threads = []
        self.fault = None

    # ---- before the rounds ----

    def create_topic(self, name, retention_ms, flush="commit"):
        """True when the broker said yes; a no is allowed while the store is away."""
        topic = NewTopic(name, num_partitions=PARTITIONS, config={"retention.ms": str(retention_ms), "millrace.flush": flush})
        admin = AdminClient(self.common)  # must outlive its answer
        try:
            admin.create_topics([topic], operation_timeout=10, request_timeout=10)[name].result(15)
        except KafkaException:
            return False
        self.topics[name] = str(retention_ms)
        return True

    def delete_oldest_topic(self):
        """Keeps the instance below its limit of partitions; what is deleted must stay so."""
        names = [name for name in self.topics if name != TOPIC]
        if len(names) <= MAX_TOPICS:
            return
        del self.topics[names[0]]
        admin = AdminClient(self.common)
        try:
            admin.delete_topics([names[0]], operation_timeout=10, request_timeout=10)[names[0]].result(15)
        except KafkaException:
            return  # neither promised to be there nor to be gone
        self.deleted.add(names[0])

    # ---- during a round ----

    def start(self):
        self.stopping.clear()
        self.threads = [threading.Thread(target=self.guarded, args=(work,)) for work in (self.produce, self.consume)]
        for thread in self.threads:
            thread.start()

    def guarded(self, work):
        try:
            work()
        except Exception as error:  # kept for the main thread, which ends the soak with it
            self.fault = f"{self.name}: {type(error).__name__}: {error}"

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * CLIENT_SECONDS)
            if thread.is_alive():
                self.fault = f"{self.name}: a client hangs"

    def on_delivery(self, error, message):
        if error is None:
            self.records[(message.partition(), message.offset())] = message.value()

    def produce(self):
        producer = Producer({**self.common, "enable.idempotence": True, "linger.ms": 5,
                             "delivery.timeout.ms": CLIENT_SECONDS * 1000})
        while not self.stopping.is_set():
            for _ in range(RECORDS_PER_SECOND // 50):
                self.sent += 1
                producer.produce(TOPIC, key=str(self.sent % 997), value=str(self.sent), on_delivery=self.on_delivery)
            producer.poll(0)
            self.stopping.wait(0.02)
        if producer.flush(CLIENT_SECONDS) != 0:
            raise TimeoutError("records were neither acknowledged nor refused")

    def consume(self):
        consumer = Consumer({**self.common, "group.id": GROUP, "auto.offset.reset": "earliest",
                             "enable.auto.commit": False, "session.timeout.ms": 10000})
        consumer.subscribe([TOPIC])
        while not self.stopping.is_set():
            if not consumer.consume(500, timeout=0.3):
                continue
            try:
                for done in consumer.commit(asynchronous=False):
                    if done.error is None and done.offset >= 0:
                        self.commits[done.partition] = max(done.offset, self.commits.get(done.partition, 0))
            except KafkaException:
                continue  # not acknowledged, so nothing was promised
        consumer.close()

    # ---- after a round ----

    def verify(self):
        """A sentence about the first broken promise, or None."""
        return self.verify_topics() or self.verify_commits() or self.verify_records()

    def verify_topics(self):
        admin = AdminClient(self.common)
        there = admin.list_topics(timeout=20).topics
        for name in self.deleted & set(there):
            return f"{self.name}: topic {name} is back"
        for name, retention_ms in self.topics.items():
            if name not in there:
                return f"{self.name}: topic {name} is gone"
            resource = ConfigResource(ResourceType.TOPIC, name)
            found = admin.describe_configs([resource], request_timeout=20)[resource].result(25)["retention.ms"].value
            if found != retention_ms:
                return f"{self.name}: {name} has retention.ms {found}, not {retention_ms}"
        return None

    def verify_commits(self):
        consumer = Consumer({**self.common, "group.id": GROUP})
        found = consumer.committed([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)], timeout=20)
        consumer.close()
        for offset in found:
            if offset.offset < self.commits.get(offset.partition, 0):
                return (f"{self.name}: partition {offset.partition} is committed to {offset.offset}, "
                        f"{self.commits[offset.partition]} was acknowledged")
        return None

    def verify_records(self):
        consumer = Consumer({**self.common, "group.id": "verifier", "enable.auto.commit": False})
        ends, start = {}, []
        for partition in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=20)
            ends[partition] = high
            start.append(TopicPartition(TOPIC, partition, low))
        consumer.assign(start)
        missing = dict(self.records)
        values = set()
        total = sum(ends.values())
        deadline = time.monotonic() + CLIENT_SECONDS
        while total > 0 and time.monotonic() < deadline:
            for message in consumer.consume(5000, timeout=1):
                if message.error() is not None:
                    return f"{self.name}: {message.error()}"
                if message.value() in values:
                    return f"{self.name}: {message.value()} is there twice"
                values.add(message.value())
                total -= 1
                place = (message.partition(), message.offset())
                if missing.pop(place, message.value()) != message.value():
                    return f"{self.name}: another record at partition {place[0]} offset {place[1]}"
        consumer.close()
        if missing:
            place = min(missing)
            return (f"{self.name}: {len(missing)} of {len(self.records)} acknowledged records are gone, the first at "
                    f"partition {place[0]} offset {place[1]}")
        return None
