# SPDX-License-Identifier: Apache-2.0
"""scale.py ROOT STATE [options]. See `scale` beside it.

The broker runs alone, without the process driver, on a listener without TLS. Requests are sent as they are (frames.py): one
Produce request holds many partitions, and a load of single records is made of frames that were encoded before (frame_load.c).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from bad_records import batch, record
from frames import PlainSession, load_schemas
from lone_broker import LoneBroker
from table import say

PRODUCE, FETCH, METADATA = 0, 1, 3
PRODUCE_VERSION, FETCH_VERSION, METADATA_VERSION = 9, 12, 12
TOPIC_PARTITIONS = 1000
VALUE = b"x" * 100
CONNECTIONS = 4
BUSY_PARTITIONS = 1000
SETTLE_SECONDS = 2  # what a load leaves behind is given back by then
PATIENCE_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, broker, schemas):
        self.broker, self.schemas, self.rows = broker, schemas, []
        self.topics, self.batch = 0, batch([record(VALUE)], timestamp=int(1000 * time.time()))  # retention leaves it alone
        self.frame_load = os.path.join(broker.root, "build", "tests", "bench", "frame_load")

    def row(self, name, value, unit, aim=None):
        self.rows.append({"name": name, "value": round(value, 2), "unit": unit, "aim": aim})
        print(f"{name} {value:.2f} {unit}", file=sys.stderr, flush=True)

    def session(self):
        return PlainSession(self.schemas, self.broker.bootstrap)

    def resident_kib(self):
        with open(f"/proc/{self.broker.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def settled_kib(self):
        time.sleep(SETTLE_SECONDS)
        return self.resident_kib()

    def cpu_seconds(self):
        with open(f"/proc/{self.broker.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    # ---- partitions ----

    def create(self, partitions):
        """Topics of a thousand each, until there are that many partitions; seconds."""
        admin, began = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0}), time.monotonic()
        while self.topics * TOPIC_PARTITIONS < partitions:
            topic = NewTopic(f"many-{self.topics}", TOPIC_PARTITIONS)
            try:
                admin.create_topics([topic], request_timeout=PATIENCE_SECONDS)[topic.topic].result(PATIENCE_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.NOT_CONTROLLER:  # the store is not there yet
                    raise
                continue
            self.topics += 1
        return time.monotonic() - began

    def write_one_to_each(self):
        with self.session() as session:
            for topic in range(self.topics):
                answer = session.call(PRODUCE, PRODUCE_VERSION, Acks=-1, TimeoutMs=1000 * PATIENCE_SECONDS, TopicData=[
                    {"Name": f"many-{topic}", "PartitionData": [{"Index": index, "Records": self.batch}
                                                                for index in range(TOPIC_PARTITIONS)]}])
                errors = {each["ErrorCode"] for each in answer["Responses"][0]["PartitionResponses"]}
                if errors != {0}:
                    raise RuntimeError(f"many-{topic} was answered with {errors}")

    # ---- restarts ----

    def answers(self, wants_record):
        """The last topic's metadata, a thousand partitions (not taken apart: that would take longer than all else), and the
        first record of its last partition."""
        topic = f"many-{self.topics - 1}"
        try:
            with self.session() as session:
                if len(session.call_raw(METADATA, METADATA_VERSION, {"Topics": [{"Name": topic}]})) < 20 * TOPIC_PARTITIONS:
                    return False
                answer = session.call(FETCH, FETCH_VERSION, MaxWaitMs=0, MinBytes=0, Topics=[{"Topic": topic, "Partitions": [
                    {"Partition": TOPIC_PARTITIONS - 1, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]}])
        except ConnectionError:
            return False
        partition = answer["Responses"][0]["Partitions"][0]
        return partition["ErrorCode"] == 0 and (VALUE in (partition["Records"] or b"")) == wants_record

    def restart(self, end, wants_record):
        """Milliseconds from exec to the answers, and of the broker's own work in them."""
        end()
        began = time.monotonic()
        self.broker.start(on_faulty_disk=False, waits=False)
        while not self.answers(wants_record):
            if self.broker.process.poll() is not None:
                raise RuntimeError(f"the broker ended:\n{self.broker.end_of_log()}")
            time.sleep(0.001)
        took = 1000 * (time.monotonic() - began), 1000 * self.cpu_seconds()
        self.broker.wait_for("a broker that is ready", self.broker.is_ready)
        return took

    def restarts(self, name, rounds, wants_record, aims):
        for kind, end, aim in zip(("clean", "killed"), (self.broker.stop, self.broker.kill), aims):
            took = [self.restart(end, wants_record) for _ in range(rounds)]
            self.row(f"{name}_{kind}_restart", statistics.median(each[0] for each in took), "ms", aim)
            self.row(f"{name}_{kind}_restart_cpu", statistics.median(each[1] for each in took), "ms")

    # ---- many that write a little ----

    def write_once_a_second(self, seconds):
        """Each of a thousand partitions once a second, spread evenly; what frame_load tells."""
        frames, answers = (os.path.join(self.broker.state, name) for name in ("frames", "answers"))
        with self.session() as session, open(frames, "wb") as file:
            for index in range(BUSY_PARTITIONS):
                file.write(session.encode(PRODUCE, PRODUCE_VERSION, {
                    "Acks": -1, "TimeoutMs": 1000 * PATIENCE_SECONDS,
                    "TopicData": [{"Name": "many-0", "PartitionData": [{"Index": index, "Records": self.batch}]}]}))
        port, count = self.broker.bootstrap.split(":")[1], seconds * BUSY_PARTITIONS
        done = subprocess.run([self.frame_load, port, frames, str(BUSY_PARTITIONS), str(count), str(CONNECTIONS), answers],
                              check=True, capture_output=True, text=True)
        with self.session() as session, open(answers, "rb") as file:
            for _ in range(count):
                body = file.read(int.from_bytes(file.read(4), "big"))
                answer = session.decode(PRODUCE, PRODUCE_VERSION, body[5:])
                code = answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
                if code != 0:
                    raise RuntimeError(f"a record was answered with {code}")
        return json.loads(done.stdout)

    def disk_alone(self, seconds=3):
        """What a flush of 4 KiB that were there before takes now, without a broker: ms, sorted."""
        path, times = os.path.join(self.broker.state, "flushes"), []
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.pwrite(file, bytes(1 << 20), 0)
        os.fsync(file)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            began = time.monotonic()
            os.pwrite(file, bytes(4096), len(times) % 256 * 4096)
            os.fdatasync(file)
            times.append(1000 * (time.monotonic() - began))
            time.sleep(0.001)
        os.close(file)
        os.unlink(path)
        return sorted(times)

    def busy(self, seconds):
        os.sync()  # what a build left behind would be written in the middle of it
        flushes = self.disk_alone()
        self.row("disk_alone_p50", flushes[len(flushes) // 2], "ms")
        self.row("disk_alone_p99", flushes[len(flushes) * 99 // 100], "ms")
        self.row("disk_alone_max", flushes[-1], "ms")
        self.write_once_a_second(2)  # what happens once only
        cpu = self.cpu_seconds()
        found = self.write_once_a_second(seconds)
        self.row("busy_records", found["count"], "")
        self.row("busy_p50", found["p50_ms"], "ms")
        self.row("busy_p99", found["p99_ms"], "ms", 10)
        self.row("busy_max", found["max_ms"], "ms")
        self.row("busy_sent_late_p99", found["sent_late_p99_ms"], "ms")
        self.row("busy_sent_late_max", found["sent_late_max_ms"], "ms")
        self.row("busy_broker_cpu", 100 * (self.cpu_seconds() - cpu) / seconds, "% of a core")


def run(bench, options):
    broker = bench.broker
    broker.start(on_faulty_disk=False)
    empty_kib = bench.settled_kib()
    bench.row("empty_broker", empty_kib / 1024, "MiB")
    took = bench.create(options.partitions)
    bench.row("partitions", options.partitions, "")
    bench.row("partitions_made", options.partitions / took, "a second")
    bench.row("each_without_a_record", (bench.settled_kib() - empty_kib) / options.partitions, "KiB")
    began = time.monotonic()
    bench.write_one_to_each()
    bench.row("first_record_to_each", 1000 * (time.monotonic() - began), "ms")
    bench.row("each_with_a_record", (bench.settled_kib() - empty_kib) / options.partitions, "KiB", 4)
    bench.restarts("with_a_record", options.rounds, True, (300, 1500))
    bench.row("each_after_a_restart", (bench.settled_kib() - empty_kib) / options.partitions, "KiB", 4)
    bench.busy(options.seconds)
    if options.idle <= options.partitions:
        return
    took = bench.create(options.idle)
    bench.row("idle_partitions", options.idle, "")
    bench.row("idle_partitions_made", (options.idle - options.partitions) / took, "a second")
    bench.row("idle_broker", bench.settled_kib() / 1024, "MiB")
    bench.restarts("idle", options.rounds, False, (None, None))
    bench.row("idle_broker_after_a_restart", bench.settled_kib() / 1024, "MiB")
    bench.row("idle_each_after_a_restart", (bench.resident_kib() - empty_kib) / options.idle, "KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("state")
    parser.add_argument("--partitions", type=int, default=10000)
    parser.add_argument("--idle", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    broker = LoneBroker(options.root, options.state, limits={"partitions": -1, "storage_bytes": -1},
                        topic_mutations_per_second=-1)
    bench = Bench(broker, load_schemas(os.path.join(options.root, "api", "kafka")))
    try:
        run(bench, options)
    finally:
        broker.close()
    say("scale", bench.rows, options.json)


if __name__ == "__main__":
    main()
