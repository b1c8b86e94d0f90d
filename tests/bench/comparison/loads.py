# SPDX-License-Identifier: Apache-2.0
"""The loads of `compare`: each is one run of lean_load on one server, and says the figures of one or more rows."""

import contextlib
import json
import os
import shutil
import subprocess
import time

from comparison import process_figures

PARTITIONS, MANY, FIRST_BATCHES = 16, 1000, 4
ROOM = 1.2  # times what a load writes at the full rate of the disk
SETTLE_SECONDS = 3
RATE = 20_000_000
FULL_REQUEST = ("--batches", 16)  # one of each partition: what Apache Kafka's producer sends when it is not held up
OS_FLUSH = {"millrace": {"millrace.flush": "os"}}
KAFKA_FLUSH = {"kafka": {"flush.messages": "1"}}


class Loads:
    """times: warm_up and seconds of a load, and stored_bytes that are fetched."""

    def __init__(self, program, times):
        self.program, self.times, self.disk_rate = program, times, 0
        self.time_spent = None  # of the last load that was measured: shares of the machine's time

    # ---- lean_load ----

    def lean(self, verb, *options):
        done = subprocess.run([self.program, verb, *map(str, options)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"lean_load {verb} {' '.join(map(str, options))} failed: {done.stderr}")
        return json.loads(done.stdout)

    def probe(self, directory):
        """What the machine can do now."""
        os.sync()
        found = self.lean("probe", "--directory", directory)
        self.disk_rate = max(self.disk_rate, found["disk_bytes_per_second"])
        rates = {f"{what}_mb_s": found[f"{what}_bytes_per_second"] / 1e6 for what in ("loopback", "tls", "disk", "append")}
        return {**rates, "flush_p50_ms": found["flush_ms"]["p50"], "answer_p99_ms": found["answer_ms"]["p99"]}

    def measured(self, verb, server, topic, *options, partitions=PARTITIONS, tls=False):
        """The figures, and of the server, from its first request to its last, CPU seconds and bytes written; its memory."""
        os.sync()
        cpu, written = process_figures.cpu_seconds(server.pid), process_figures.written_bytes(server.pid)
        time_spent = process_figures.TimeSpent(server.pid)
        found = self.lean(verb, *server.load_options(tls), "--topic", topic, "--partitions", partitions,
                          "--warm-up", self.times.warm_up, "--seconds", self.times.seconds, *options)
        self.time_spent = time_spent.shares()
        found["server_cpu"] = process_figures.cpu_seconds(server.pid) - cpu
        found["server_written"] = process_figures.written_bytes(server.pid) - written
        found["server_resident"] = process_figures.resident_bytes(server.pid)
        return found

    def check_room(self, server):
        wanted = ROOM * self.disk_rate * (self.times.warm_up + self.times.seconds)
        free = shutil.disk_usage(server.data).free
        if free < wanted:
            raise RuntimeError(f"{wanted / 1e9:.0f} GB of disk are wanted for one load, {free / 1e9:.0f} GB are free")

    # ---- the loads ----

    def produce(self, server, settings, *options, partitions=PARTITIONS):
        self.check_room(server)
        with server.topic(partitions, settings.get(server.name)) as topic:
            return self.measured("produce", server, topic, *options, partitions=partitions)

    def all_bytes(self, found):
        """Of the load: it is the same in the warm-up, in which the server is measured, too."""
        return found["bytes_per_second"] * (self.times.warm_up + self.times.seconds)

    def cpu_per_gb(self, found):
        return found["server_cpu"] / (self.all_bytes(found) / 1e9)

    def produce_default(self, server):
        found = self.produce(server, {}, *FULL_REQUEST)
        return {"produce_default_vs_default": found["bytes_per_second"] / 1e6, "loaded_rss": found["server_resident"] / (1 << 20)}

    def produce_flushed(self, server):
        return {"produce_commit_vs_kafka_flush": self.produce(server, KAFKA_FLUSH, *FULL_REQUEST)["bytes_per_second"] / 1e6}

    def produce_unflushed(self, server):
        found = self.produce(server, OS_FLUSH, *FULL_REQUEST)
        return {"produce_os_vs_kafka_default": found["bytes_per_second"] / 1e6, "cpu_per_gb_produce": self.cpu_per_gb(found)}

    def produce_one_batch(self, server):
        return {"produce_one_batch_a_request": self.produce(server, {})["bytes_per_second"] / 1e6}

    def produce_small(self, server):
        found = self.produce(server, {}, "--record-bytes", 100, "--batch-bytes", 16384, *FULL_REQUEST)
        return {"produce_100b": found["bytes_per_second"] / 1e6,
                "written_per_byte_100b": found["server_written"] / self.all_bytes(found)}

    def produce_many(self, server):
        """Each partition has some batches already: the first ones make files and indices, which is another question."""
        small = ("--batch-bytes", 4096, *FULL_REQUEST)
        with server.topic(MANY) as topic:
            self.lean("produce", *server.load_options(), "--topic", topic, "--partitions", MANY, *small, "--bytes", FIRST_BATCHES * MANY * 4096)
            found = self.measured("produce", server, topic, *small, partitions=MANY)
        return {"many_partitions_1000": found["bytes_per_second"] / 1e6}

    @contextlib.contextmanager
    def stored(self, server, tls):
        """The name of a topic that is full."""
        with server.topic(PARTITIONS, tls=tls) as topic:
            self.lean("produce", *server.load_options(tls), "--topic", topic, "--partitions", PARTITIONS,
                      "--bytes", self.times.stored_bytes)
            yield topic

    def fetch_plain(self, server):
        with self.stored(server, False) as topic:
            found = self.measured("fetch", server, topic)
        return {"fetch_plain": found["bytes_per_second"] / 1e6, "cpu_per_gb_fetch": self.cpu_per_gb(found)}

    def fetch_tls(self, server):
        with self.stored(server, True) as topic:
            return {"fetch_tls": self.measured("fetch", server, topic, tls=True)["bytes_per_second"] / 1e6}

    def acknowledged(self, server):
        return {"ack_p99_20mbs": self.produce(server, {}, "--rate", RATE)["latency_ms"]["p99"]}

    def end_to_end(self, server):
        with server.topic(PARTITIONS) as topic:
            return {"e2e_p99_20mbs": self.measured("e2e", server, topic, "--rate", RATE)["latency_ms"]["p99"]}

    # ---- starts: before all else, so that what a server learns while it runs is not lost between two loads ----

    def cold_start(self, server):
        """A topic of one partition is there. The time is from exec on, not from the start of lean_load."""
        server.stop()
        os.sync()
        began = time.monotonic()
        server.start(waits=False)
        self.lean("first", *server.load_options(), "--topic", "first")
        took = time.monotonic() - began
        server.wait_until_ready()
        time.sleep(SETTLE_SECONDS)
        return {"cold_start": 1000 * took, "idle_rss": process_figures.resident_bytes(server.pid) / (1 << 20)}
