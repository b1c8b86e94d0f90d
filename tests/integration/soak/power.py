# SPDX-License-Identifier: Apache-2.0
"""The rounds of `./dev soak power`: power.py ROOT STATE ROUNDS SEED RESULTS [--lie]. See `power` beside it.

A round: eight idempotent and eight plain producers write, a moment passes, the broker is killed with SIGKILL; in half of the
rounds the power goes as well (tests/support/faulty_disk). The broker starts again, every producer gets something through,
all records are settled, and everything is read. The producers live through all of it: idempotent ones send again what was not
answered, plain ones never do. Small records and large ones take the two ways to the disk.

Topics live for some rounds, so that what earlier rounds left is read again and again; then new ones come and the old ones are
deleted. The last round of each is a long one: time for checkpoints, and for the cleaner of the compacted topic, where of each
key the newest record that was acknowledged, or a newer one, must be there.
"""

import collections
import functools
import json
import os
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from crash import rounds_done
from lone_broker import LoneBroker

PRODUCERS_OF_A_KIND = 8
PARTITIONS = {"small": 8, "large": 2, "keys": 2}
KEYS = 50
SMALL_BYTES, LARGE_BYTES = (40, 900), (100 << 10, 300 << 10)
RECORDS_A_TURN = 6
LARGE_EVERY_TURNS = 12
QUEUED_MAX = 1000
PAUSE_SECONDS = 0.01
ROUNDS_OF_A_TOPIC = 10
LIFE_SECONDS, LONG_LIFE_SECONDS = (0.2, 1.2), (12, 16)
PATIENCE_SECONDS = 20
SETTINGS = {"small": {"segment.bytes": 512 << 10}, "large": {"segment.bytes": 512 << 10},
            "keys": {"segment.bytes": 400 << 10, "cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.1}}
LIES = ["sync-lie *.log", "sync-lie wal/*"]  # facts about the bytes are synced, the bytes are not
SLOW_SYNC_US = (0, 1000, 5000, 10000, 20000)  # the slower, the more is unsynced at the moment of the kill


class Writer:
    """One producer and what it was promised."""

    def __init__(self, bootstrap, name, is_idempotent, ledger):
        self.name, self.is_idempotent, self.ledger = name, is_idempotent, ledger
        self.writes_large, self.writes_keys = name.endswith("-0"), name == "idempotent-1"
        self.number, self.acknowledged, self.refused, self.fatal = 0, 0, 0, None
        retries = {"enable.idempotence": True} if is_idempotent else {"message.send.max.retries": 0}
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "batch.size": 350000, **retries,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20, "retry.backoff.max.ms": 200,
            "message.timeout.ms": PATIENCE_SECONDS * 1000, "log_level": 0, "error_cb": self.on_error,
        })

    def on_error(self, error):
        if error.fatal():
            self.fatal = f"{self.name} cannot go on: {error}"

    def on_delivery(self, identity, error, message):
        if error is None:
            self.acknowledged += 1
            self.ledger.note(message, identity)
        elif self.is_idempotent:
            self.fatal = f"{self.name} was refused {identity}: {error}"
        else:
            self.refused += 1  # neither promised to be there nor to be gone

    def write(self, kind, size, key=None):
        self.number += 1
        identity = f"{self.name}/{self.number}"
        self.producer.produce(self.ledger.topics[kind], f"{identity} ".encode().ljust(size, b"."), key,
                              partition=(self.number if key is None else int(key)) % PARTITIONS[kind],
                              on_delivery=functools.partial(self.on_delivery, identity))

    def write_some(self, turn, chance):
        for _ in range(RECORDS_A_TURN):
            self.write("small", chance.randint(*SMALL_BYTES))
            if self.writes_keys:
                self.write("keys", chance.randint(*SMALL_BYTES), str(chance.randrange(KEYS)))
        if self.writes_large and turn % LARGE_EVERY_TURNS == 0:
            self.write("large", chance.randint(*LARGE_BYTES))

    def turn(self, turn, chance):
        if self.fatal:
            return
        try:
            if len(self.producer) < QUEUED_MAX:
                self.write_some(turn, chance)
            self.producer.poll(0)
        except KafkaException as error:
            self.fatal = f"{self.name} cannot go on: {error}"


def identity_of(value):
    return value[:value.index(b" ")].decode()


def until_taken(change):
    """A broker that has just started may not have its store yet: then topics cannot be changed."""
    def is_taken():
        try:
            change()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_CONTROLLER:
                raise
            return False
        return True

    LoneBroker.wait_for("a change of topics", is_taken)


class Ledger:
    """All writers, in one thread, and the reader that checks what they were promised."""

    def __init__(self, bootstrap, chance):
        self.bootstrap, self.chance = bootstrap, chance
        self.acknowledged = {}  # (topic, partition, offset): identity; not of the compacted topic
        self.newest = {}  # of the compacted topic, (partition, key): offset
        self.topics = {}  # kind: name
        self.writers = [Writer(bootstrap, f"{kind}-{number}", kind == "idempotent", self)
                        for kind in ("idempotent", "plain") for number in range(PRODUCERS_OF_A_KIND)]
        self.stopping, self.thread = threading.Event(), None

    def new_topics(self, generation):
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for topic in self.topics.values():
            until_taken(lambda topic=topic: admin.delete_topics([topic])[topic].result(PATIENCE_SECONDS))
        self.topics = {kind: f"{kind}-{generation}" for kind in PARTITIONS}
        for kind, partitions in PARTITIONS.items():
            topic = NewTopic(self.topics[kind], partitions, config={name: str(value) for name, value in SETTINGS[kind].items()})
            until_taken(lambda topic=topic: admin.create_topics([topic])[topic.topic].result(PATIENCE_SECONDS))
        self.acknowledged.clear()
        self.newest.clear()

    def note(self, message, identity):
        if message.topic() == self.topics["keys"]:
            place = message.partition(), message.key()
            self.newest[place] = max(message.offset(), self.newest.get(place, -1))
        else:
            self.acknowledged[message.topic(), message.partition(), message.offset()] = identity

    def start(self):
        self.stopping.clear()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        turn = 0
        while not self.stopping.wait(PAUSE_SECONDS):
            turn += 1
            for writer in self.writers:
                writer.turn(turn, self.chance)

    def counts(self):
        return [writer.acknowledged for writer in self.writers]

    def fatal(self):
        return next((writer.fatal for writer in self.writers if writer.fatal), None)

    def wait_for_all(self, before):
        """Every writer gets something through, or one says why not."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.fatal() is None:
            waiting = [writer.name for writer, old in zip(self.writers, before) if writer.acknowledged == old]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing was acknowledged to {', '.join(waiting)} within {PATIENCE_SECONDS} s")
            time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def settle(self):
        """Every record is acknowledged or refused."""
        for writer in self.writers:
            if self.fatal() is None and writer.producer.flush(PATIENCE_SECONDS) != 0:
                writer.fatal = f"{writer.name}: records were neither acknowledged nor refused"

    def read_all(self):
        """{(topic, partition, offset): identity}, and of the compacted topic {(partition, key): newest offset}."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "reader", "enable.auto.commit": False,
                             "enable.partition.eof": True, "check.crcs": True, "fetch.wait.max.ms": 50, "log_level": 0})
        partitions = [TopicPartition(self.topics[kind], partition, 0) for kind, count in PARTITIONS.items()
                      for partition in range(count)]
        consumer.assign(partitions)
        found, newest, open_ends = {}, {}, len(partitions)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while open_ends > 0:
            if time.monotonic() > deadline:
                raise AssertionError("not everything could be read in time")
            for message in consumer.consume(10000, timeout=0.5):
                if message.error() is not None:
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(message.error())
                    open_ends -= 1
                    continue
                found[message.topic(), message.partition(), message.offset()] = identity_of(message.value())
                if message.topic() == self.topics["keys"]:
                    newest[message.partition(), message.key()] = message.offset()
        consumer.close()
        return found, newest

    def check(self):
        found, newest = self.read_all()
        kept = sum(found.get(place) == identity for place, identity in self.acknowledged.items())
        keys_kept = sum(newest.get(place, -1) >= offset for place, offset in self.newest.items())
        twice = [identity for identity, count in collections.Counter(found.values()).items() if count > 1]
        compacted = [place for place in found if place[0] == self.topics["keys"]]
        ends = {partition: offset + 1 for _, partition, offset in sorted(compacted)}
        return {"acknowledged": len(self.acknowledged), "found": kept, "read": len(found),
                "lost": len(self.acknowledged) - kept + len(self.newest) - keys_kept, "duplicated": len(twice),
                "duplicated_idempotent": sum(identity.startswith("idempotent") for identity in twice),
                "keys": keys_kept, "compacted_away": sum(ends.values()) - len(compacted)}


def fault_of(ledger, counts):
    if ledger.fatal():
        return ledger.fatal()
    if counts["lost"] > 0:
        return f"{counts['lost']} acknowledged records are gone or elsewhere"
    if counts["duplicated"] > 0:
        return f"{counts['duplicated']} records are there twice"
    return None


def run_round(number, broker, ledger, chance, is_lying):
    started = time.monotonic()
    has_power_cut = is_lying or number % 2 == 1
    outcome = {"round": number, "kind": "power" if has_power_cut else "kill"}
    before = ledger.counts()
    ledger.start()
    try:
        broker.set_faults(*(LIES if is_lying else [f"slow-sync * {chance.choice(SLOW_SYNC_US)}"]))
        ledger.wait_for_all(before)
        is_long = number % ROUNDS_OF_A_TOPIC == ROUNDS_OF_A_TOPIC - 1
        time.sleep(chance.uniform(*(LONG_LIFE_SECONDS if is_long else LIFE_SECONDS)))  # the moment of the kill is the seed's
        broker.kill()
        if has_power_cut:
            outcome["unsynced"] = broker.cut_power(chance.randrange(1 << 32))
        broker.set_faults()
        at_restart, restarted = ledger.counts(), time.monotonic()
        broker.start()
        outcome["ready_s"] = round(time.monotonic() - restarted, 3)
        if broker.events("partition_isolated"):
            raise AssertionError(f"after {outcome}: {broker.events('partition_isolated')[-1].strip()}")
        ledger.wait_for_all(at_restart)
    finally:
        ledger.stop()
    ledger.settle()
    counts = ledger.check()
    outcome.update(counts)
    outcome["in_this_round"] = sum(ledger.counts()) - sum(before)
    outcome["seconds"] = round(time.monotonic() - started, 2)
    outcome["fault"] = fault_of(ledger, counts)
    return outcome


def tell(outcome, results):
    with open(results, "a", encoding="utf-8") as file:
        file.write(json.dumps(outcome) + "\n")
    print(json.dumps(outcome), flush=True)


def run(broker, rounds, seed, results, is_lying):
    """A fault, or None."""
    done = 0 if results == "/dev/null" else rounds_done(results)
    ledger = None
    for number in range(done, rounds):
        chance = random.Random(f"{seed}/{number}")
        try:
            if ledger is None:
                broker.start()
                ledger = Ledger(broker.bootstrap, random.Random(seed))
                ledger.new_topics(number)
            elif number % ROUNDS_OF_A_TOPIC == 0:
                ledger.new_topics(number)
            outcome = run_round(number, broker, ledger, chance, is_lying)
        except (AssertionError, KafkaException, RuntimeError, SystemError, TimeoutError) as error:
            # SystemError: what the binding makes of a producer that cannot go on.
            fault = ledger.fatal() if ledger is not None else None
            outcome = {"round": number, "fault": fault or f"{type(error).__name__}: {error}"}
        tell(outcome, results)
        if outcome["fault"]:
            return outcome["fault"]
    return None


def main():
    root, state, rounds, seed, results = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    is_lying = "--lie" in sys.argv[6:]
    broker = LoneBroker(root, state)
    try:
        fault = run(broker, rounds, seed, results, is_lying)
    finally:
        broker.close()
    if is_lying and not fault:
        sys.exit(f"{rounds} power cuts on a disk that does not sync, and nobody noticed")
    if fault and not is_lying:
        sys.exit(1)
    print("the lie was noticed" if is_lying else f"{rounds} rounds, every promise kept")


if __name__ == "__main__":
    main()
