# SPDX-License-Identifier: Apache-2.0
"""The scenario of tests/clients/README.md, once for all Python clients: `Scenario(client).run()`.

A client is an object of confluent.py, kafka_python.py or aio.py, in its library's own idiom:
  skips             {sentence: why}, what the library cannot do
  create_topic(topic, partitions), leaders(topic) -> [broker per partition] or None, alter(topic, setting, value),
  setting(topic, setting), grow(topic, partitions), delete(topic), end_offsets(topic, partitions) -> {partition: offset},
  committed(group, topic, partitions) -> [offset]
  producer(codec, idempotent)           send(topic, record), flush(), which raises unless all is acknowledged, close()
  reader(topic, partitions)             from the beginning: poll() -> [Seen], seek, pause, resume, close
  member(group, topic, instance_id)     poll() -> [Seen], assigned() -> {partition}, rebalances, commit(), close()
"""

import collections
import os
import subprocess
import sys
import time

from group import Group

CODECS = {"none": "records go out uncompressed", "gzip": "records go out with gzip",
          "snappy": "records go out with snappy", "lz4": "records go out with lz4", "zstd": "records go out with zstd"}
RECORDS_PER_CODEC = 60
PARTITIONS = 3
PATIENCE_S = 45

Record = collections.namedtuple("Record", "partition key value headers timestamp")
Seen = collections.namedtuple("Seen", "offset record")


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")


def numbered(number):
    return Record(number % PARTITIONS, None, str(number).encode(), [], None)


def values_of(seen):
    return [int(one.record.value) for one in seen]


class Scenario:
    def __init__(self, client):
        self.client = client
        self.moment = int(time.time() * 1000) - 60000
        self.group = None
        self.sent = 0  # numbered records in topic `group`

    def step(self, sentence, work, *arguments):
        if sentence in self.client.skips:
            print(f"skipped {sentence}: {self.client.skips[sentence]}", flush=True)
            return
        try:
            work(*arguments)
        except Exception as error:  # whatever a client raises is the answer we report
            print(f"FAILED {sentence}: {type(error).__name__}: {error}", flush=True)
            os._exit(1)  # members may wait on threads of their own
        print(f"ok {sentence}", flush=True)

    def run(self):
        if os.environ["MILLRACE_PART"] == "2":
            self.step("an idempotent producer survives a killed broker", self.survive_kill)
            return
        self.step("a topic is created with three partitions", self.client.create_topic, "admin", PARTITIONS)
        self.step("it is described", self.expect_partitions, "admin", PARTITIONS)
        self.step("a setting is altered and read back", self.alter)
        self.step("it grows to five partitions", self.grow)
        self.step("it is deleted", self.delete)
        self.client.create_topic("codecs", PARTITIONS)
        for codec, sentence in CODECS.items():
            self.step(sentence, self.produce, self.client, "codecs", self.codec_records(codec), codec)
        self.step("every byte comes back", self.every_byte)
        self.group_steps()
        self.step("committed offsets are read back", self.committed)
        self.step("seek goes to the offset", self.seek)
        self.step("a paused partition is silent until it is resumed", self.pause)
        self.step("an idempotent producer writes each record once", self.idempotent)

    # Administration

    def expect_partitions(self, topic, count):
        leaders = self.client.leaders(topic)
        expect(len(leaders), count, "partitions")
        expect([leader for leader in leaders if leader < 0], [], "partitions without a leader")

    def alter(self):
        self.client.alter("admin", "retention.ms", "7200000")
        expect(self.client.setting("admin", "retention.ms"), "7200000", "retention.ms")

    def grow(self):
        self.client.grow("admin", 5)
        self.expect_partitions("admin", 5)

    def delete(self):
        self.client.delete("admin")
        expect(self.client.leaders("admin"), None, "the deleted topic")

    # Producing and reading back

    def codec_records(self, codec):
        records = []
        for i in range(RECORDS_PER_CODEC):
            key = None if i % 10 == 0 else f"{codec}-{i}".encode()
            value = None if i % 10 == 1 else b"" if i % 10 == 2 else f"{codec} {i} ".encode() + b"x" * 500
            headers = [("codec", codec.encode()), ("bytes", bytes([0, 255, i]))]
            records.append(Record(i % PARTITIONS, key, value, headers, self.moment + i))
        return records

    @staticmethod
    def produce(client, topic, records, codec="none", idempotent=False):
        producer = client.producer(codec, idempotent)
        for record in records:
            producer.send(topic, record)
        producer.flush()
        producer.close()

    def read_all(self, topic):
        """Every record of a topic up to its end, per partition; offsets must be without a gap."""
        ends = self.client.end_offsets(topic, range(PARTITIONS))
        reader = self.client.reader(topic, range(PARTITIONS))
        found = {partition: [] for partition in range(PARTITIONS)}
        deadline = time.monotonic() + PATIENCE_S
        while any(len(found[partition]) < ends[partition] for partition in found):
            expect(time.monotonic() < deadline, True, f"read in time: {[len(part) for part in found.values()]} of {ends}")
            for seen in reader.poll():
                expect(seen.offset, len(found[seen.record.partition]), "offset without a gap")
                found[seen.record.partition].append(seen.record)
        reader.close()
        return found

    def every_byte(self):
        found = self.read_all("codecs")
        wanted = {partition: [] for partition in range(PARTITIONS)}
        for codec, sentence in CODECS.items():
            if sentence not in self.client.skips:
                for record in self.codec_records(codec):
                    wanted[record.partition].append(record)
        for partition in range(PARTITIONS):
            expect(len(found[partition]), len(wanted[partition]), f"records of partition {partition}")
            for actual, sent in zip(found[partition], wanted[partition]):
                expect(actual, sent, "record")

    def expect_numbers(self, topic, count):
        found = self.read_all(topic)
        for partition in range(PARTITIONS):
            numbers = [int(record.value) for record in found[partition]]
            expect(numbers, list(range(partition, count, PARTITIONS)), f"numbers in partition {partition}")

    def idempotent(self):
        self.client.create_topic("idempotent", PARTITIONS)
        self.produce(self.client, "idempotent", [numbered(i) for i in range(300)], idempotent=True)
        self.expect_numbers("idempotent", 300)

    def survive_kill(self):
        self.client.create_topic("kill", PARTITIONS)
        producer = self.client.producer("none", True)
        sent = 0
        for _ in range(100):
            producer.send("kill", numbered(sent))
            sent += 1
        producer.flush()
        with subprocess.Popen([os.environ["MILLRACE_KILL_BROKER"]]) as killer:
            while killer.poll() is None:
                producer.send("kill", numbered(sent))
                sent += 1
                time.sleep(0.002)  # the pace of the stream, nothing is awaited
        expect(killer.returncode, 0, "status of the killer")
        for _ in range(300):
            producer.send("kill", numbered(sent))
            sent += 1
        producer.flush()
        producer.close()
        self.expect_numbers("kill", sent)

    # The group

    def send_numbers(self, count):
        self.produce(self.client, "group", [numbered(i) for i in range(self.sent, self.sent + count)])
        self.sent += count

    def group_steps(self):
        self.client.create_topic("group", PARTITIONS)
        self.group = Group(self.client, "group", "group", PATIENCE_S)
        self.step("three members share three partitions", self.share)
        self.step("each record reaches one member", self.each_reaches_one, 300)
        self.step("a member leaves and its partition goes to another", self.member_leaves)
        self.step("a static member comes back to its partitions", self.static_comes_back)
        self.group.close()

    def share(self):
        static = None if "a static member comes back to its partitions" in self.client.skips else "static-1"
        # One after another, the static one last: kafka-python 3.0.12 as leader forgets a dynamic member when it is told of a
        # static one between two of them (its assignors group the members without sorting them first).
        for instance_id in (None, None, static):
            member = self.group.join(instance_id)
            self.group.wait_for("a partition for the member that joined", lambda joined=member: joined.assigned)
        self.group.wait_for("one partition for each of three", lambda: self.group.shares() == [1, 1, 1])

    def each_reaches_one(self, count):
        self.send_numbers(count)
        self.group.wait_for(f"{self.sent} records", lambda: len(self.group.seen) >= self.sent)
        self.group.commit()
        expect(sorted(values_of(self.group.seen)), list(range(self.sent)), "numbers read by the group")

    def member_leaves(self):
        self.group.leave(0)
        self.group.wait_for("all partitions with two members", lambda: self.group.shares() == [1, 2])
        self.each_reaches_one(30)

    def static_comes_back(self):
        other, static = self.group.members
        before, rebalances = static.assigned, other.rebalances
        self.group.leave(1)
        back = self.group.join("static-1")
        self.group.wait_for("its partitions", lambda: back.assigned == before)
        self.each_reaches_one(30)
        expect(other.rebalances, rebalances, "rebalances of the other member")

    def committed(self):
        expect(sum(self.client.committed("group", "group", range(PARTITIONS))), self.sent, "sum of committed offsets")

    # Moving about

    def poll_until(self, reader, what, is_done, seen):
        deadline = time.monotonic() + PATIENCE_S
        while not is_done():
            expect(time.monotonic() < deadline, True, f"{what} in time, after {len(seen)} records")
            seen.extend(reader.poll())

    def seek(self):
        reader = self.client.reader("group", [1])
        seen = []
        self.poll_until(reader, "a first record", lambda: seen, seen)
        expect(seen[0].offset, 0, "first offset")
        seen.clear()
        reader.seek(1, 50)
        self.poll_until(reader, "a record after the seek", lambda: seen, seen)
        expect(seen[0].offset, 50, "offset after the seek")
        reader.close()

    def pause(self):
        wanted = self.sent // PARTITIONS
        reader = self.client.reader("group", [0, 1])
        reader.pause(0)
        seen = []
        self.poll_until(reader, "partition 1", lambda: len(seen) >= wanted, seen)
        expect({one.record.partition for one in seen}, {1}, "partitions while 0 is paused")
        reader.resume(0)
        self.poll_until(reader, "partition 0", lambda: len(seen) >= 2 * wanted, seen)
        expect([one.offset for one in seen if one.record.partition == 0], list(range(wanted)), "offsets of partition 0")
        reader.close()


def main(client):
    Scenario(client).run()
    sys.exit(0)
