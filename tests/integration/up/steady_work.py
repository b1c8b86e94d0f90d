# SPDX-License-Identifier: Apache-2.0
"""Clients of one instance that work all the time, in threads: a plain producer, an idempotent one, and a consumer in a
group that commits. They remember what was acknowledged and what went wrong; `verify` asks for all of it again.
"""

import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

PARTITIONS = 3
TOPIC = "ledger"
GROUP = "steady"
PAUSE_SECONDS = 0.02
RECORDS_A_TURN = 5
PATIENCE_SECONDS = 60


class SteadyWork:
    def __init__(self, name, common):
        self.name = name
        self.common = {**common, "error_cb": self.on_error, "reconnect.backoff.max.ms": 500}
        self.records = {}  # (partition, offset): value
        self.by_kind = {"plain": 0, "idempotent": 0}
        self.commits = {}  # partition: offset
        self.read = set()  # values
        self.errors = []  # what any client was told, in order
        self.lost = []  # deliveries that failed
        self.may_err = threading.Event()  # while a broker is away on purpose
        self.stopping = threading.Event()
        self.longest_wait_s = {}  # thread: between two successes
        self.threads = []

    def start(self):
        works = [lambda: self.produce("plain"), lambda: self.produce("idempotent"), self.consume]
        self.threads = [threading.Thread(target=self.guarded, args=(work,)) for work in works]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE_SECONDS)
            if thread.is_alive():
                self.lost.append("a client hangs")

    def guarded(self, work):
        try:
            work()
        except Exception as error:  # kept for the main thread, which ends the test with it
            self.lost.append(f"{type(error).__name__}: {error}")

    def on_error(self, error):
        if not self.may_err.is_set():
            self.errors.append(str(error))

    def waited(self, who, since):
        now = time.monotonic()
        self.longest_wait_s[who] = max(self.longest_wait_s.get(who, 0), now - since)
        return now

    def produce(self, kind):
        last = time.monotonic()

        def on_delivery(error, message):
            nonlocal last
            if error is not None:
                self.lost.append(f"{kind} {message.value()}: {error}")
                return
            self.records[(message.partition(), message.offset())] = message.value()
            self.by_kind[kind] += 1
            last = self.waited(kind, last)

        producer = Producer({**self.common, "enable.idempotence": kind == "idempotent", "linger.ms": 5,
                             "delivery.timeout.ms": PATIENCE_SECONDS * 1000})
        number = 0
        while not self.stopping.is_set():
            for _ in range(RECORDS_A_TURN):
                number += 1
                producer.produce(TOPIC, key=str(number % 97), value=f"{kind} {number}", on_delivery=on_delivery)
            producer.poll(0)
            self.stopping.wait(PAUSE_SECONDS)
        if producer.flush(PATIENCE_SECONDS) != 0:
            self.lost.append(f"{kind}: records were neither acknowledged nor refused")

    def consume(self):
        consumer = Consumer({**self.common, "group.id": GROUP, "auto.offset.reset": "earliest",
                             "enable.auto.commit": False})
        consumer.subscribe([TOPIC])
        last = None
        while not self.stopping.is_set():
            messages = consumer.consume(500, timeout=0.3)
            for message in messages:
                if message.error() is not None:
                    self.on_error(message.error())
                else:
                    self.read.add(message.value())
            if not messages:
                continue
            try:
                for done in consumer.commit(asynchronous=False):
                    if done.error is None and done.offset >= 0:
                        self.commits[done.partition] = max(done.offset, self.commits.get(done.partition, 0))
                last = self.waited("consumer", last or time.monotonic())
            except KafkaException as error:
                self.on_error(error)  # not acknowledged, so nothing was promised
        consumer.close()

    def counts(self):
        return (f"{self.by_kind['plain']} plain and {self.by_kind['idempotent']} idempotent records, {len(self.read)} read, "
                f"committed to {sum(self.commits.values())}")

    def faults(self):
        return [f"{self.name}: {what}" for what in self.lost + self.errors]

    # ---- afterwards ----

    def verify(self):
        """Every acknowledged record is where it was acknowledged, every commit is there, idempotent records are there once."""
        consumer = Consumer({**self.common, "group.id": GROUP, "enable.auto.commit": False})
        found = consumer.committed([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)], timeout=20)
        behind = [offset.partition for offset in found if offset.offset < self.commits.get(offset.partition, 0)]
        if behind:
            raise AssertionError(f"{self.name}: acknowledged commits of partitions {behind} are gone")
        start, total = [], 0
        for partition in range(PARTITIONS):
            total += consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=20)[1]
            start.append(TopicPartition(TOPIC, partition, 0))
        consumer.assign(start)
        missing, once = dict(self.records), set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while total > 0 and time.monotonic() < deadline:
            for message in consumer.consume(5000, timeout=1):
                if message.error() is not None:
                    raise AssertionError(f"{self.name}: {message.error()}")
                total -= 1
                place, value = (message.partition(), message.offset()), message.value()
                if missing.pop(place, value) != value:
                    raise AssertionError(f"{self.name}: another record at partition {place[0]} offset {place[1]}")
                if value.startswith(b"idempotent ") and value in once:
                    raise AssertionError(f"{self.name}: {value} is there twice")
                once.add(value)
        consumer.close()
        if missing:
            raise AssertionError(f"{self.name}: {len(missing)} of {len(self.records)} acknowledged records are gone, the "
                                 f"first at {min(missing)}")
        return len(self.records)
