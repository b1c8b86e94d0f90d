# SPDX-License-Identifier: Apache-2.0
"""mixed.py ROOT STATE [options]. See `mixed` beside it.

Rounds of three phases, each PHASE_SECONDS long: quiet, cold, all. In each, lean_load's e2e runs at 20 MB/s; its p99 is the phase's
figure. Before each, what the last one left is written, and it is quiet for a moment. What the broker's loops say of themselves is
taken at the end: millrace_loop_busy_seconds.
"""

import argparse
import functools
import glob
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

from comparison.millrace_server import MillraceServer
from comparison.process_figures import Steal
from table import rows_of, say

PARTITIONS, RATE = 16, 20_000_000
PHASE_SECONDS, SETTLE_SECONDS, COLD_BYTES = 20, 3, 4_000_000_000
SHORT = ("--warm-up", 0, "--seconds", 2)
LOGINS_EACH, LOGINS_SECONDS, TOPIC_SECONDS, DROP_SECONDS = 50, 0.5, 0.5, 0.2
HELD_SECONDS = 0.02
KEPT = {"retention.bytes": "67108864", "segment.bytes": "33554432"}  # of a topic that is written to for half an hour


class Mixed:
    def __init__(self, server, program):
        self.server, self.program = server, program
        self.is_over = threading.Event()
        self.numbers = itertools.count()
        self.long_turns = 0  # that were told of

    def start(self, verb, topic, *options, tls=False):
        return subprocess.Popen([self.program, verb, *self.server.load_options(tls), "--topic", topic, "--partitions", str(PARTITIONS),
                                 *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def result(self, load):
        told, _ = load.communicate()
        if load.returncode != 0:
            raise RuntimeError(f"{' '.join(load.args)} ended with {load.returncode}")
        return json.loads(told)

    def run(self, verb, topic, *options, tls=False):
        return self.result(self.start(verb, topic, *options, tls=tls))

    # ---- what runs beside ----

    def until_over(self, work, pause):
        """work, again and again, until the phase is over; what it raises is raised at the end."""
        failures = []

        def loop():
            while not self.is_over.is_set():
                try:
                    work()
                except Exception as error:  # pylint: disable=broad-except
                    failures.append(error)
                    return
                self.is_over.wait(pause)

        thread = threading.Thread(target=loop)
        thread.start()
        return thread, failures

    def drop_from_memory(self, topic_files):
        """So that a reader finds them on the disk only. It is no part of the load: whoever wants to run goes first."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        for path in topic_files:
            fd = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)

    def come_and_go(self):
        self.server.create_topic("passing")
        self.server.delete_topic("passing")

    def log_in(self):
        """Each time some connections more, which then end."""
        load = subprocess.Popen([self.program, "connections", *self.server.load_options(tls=True), "--connections", str(LOGINS_EACH)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        load.communicate()
        if load.returncode != 0:
            raise RuntimeError(f"logins ended with {load.returncode}")

    def phase(self, beside):
        """The p99 of e2e, with these beside it: (work, pause), and loads that end with the phase."""
        os.sync()
        time.sleep(SETTLE_SECONDS)
        self.is_over.clear()
        threads = [self.until_over(work, pause) for work, pause in beside]
        topic = f"tail-{next(self.numbers)}"
        self.server.create_topic(topic, PARTITIONS)
        found = self.run("e2e", topic, "--rate", RATE, "--warm-up", 2, "--seconds", PHASE_SECONDS)
        self.server.delete_topic(topic)
        self.is_over.set()
        for thread, failures in threads:
            thread.join()
            if failures:
                raise failures[0]
        return found["latency_ms"]["p99"]

    def rounds(self, minutes):
        p99 = {"quiet": [], "cold": [], "all": []}
        self.server.create_topic("cold", PARTITIONS)
        self.server.create_topic("small", PARTITIONS, KEPT)
        self.run("produce", "cold", "--bytes", COLD_BYTES)
        drop = functools.partial(self.drop_from_memory, self.log_files())
        read = functools.partial(self.run, "fetch", "cold", "--connections", 1, *SHORT)
        write = functools.partial(self.run, "produce", "small", "--record-bytes", 100, "--batch-bytes", 16384, *SHORT)
        beside = {"quiet": [], "cold": [(read, 0), (drop, DROP_SECONDS)],
                  "all": [(write, 0), (self.log_in, LOGINS_SECONDS), (self.come_and_go, TOPIC_SECONDS)]}
        deadline = time.monotonic() + 60 * minutes
        while not p99["quiet"] or time.monotonic() < deadline:
            for name, values in p99.items():
                steal = Steal()
                values.append(self.phase(beside[name]))
                print(f"{name:6} p99 {values[-1]:7.2f} ms", file=sys.stderr, flush=True)
                self.tell_long_turns(steal)
        return {name: statistics.median(values) for name, values in p99.items()}

    def tell_long_turns(self, steal):
        """Those of the phase that has ended, as the broker logged them."""
        told = self.server.broker.events("long_turn")[self.long_turns:]
        self.long_turns += len(told)
        for line in told:
            print(f"       {line.strip()} ({100 * steal.share():.2f} % of the phase was stolen)", file=sys.stderr, flush=True)

    def log_files(self):
        return glob.glob(os.path.join(self.server.data, "topics", "*", "*", "*.log"))

    # ---- what the loops say ----

    def held(self):
        """How often a loop was held for longer than that, and how many turns there were."""
        with urllib.request.urlopen(f"{self.server.broker.metrics}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        within = sum(float(count) for bound, count in
                     re.findall(r'^millrace_loop_busy_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} (\S+)', text, re.M)
                     if float(bound) == HELD_SECONDS)
        turns = sum(float(count) for count in re.findall(r"^millrace_loop_busy_seconds_count\{[^}]*\} (\S+)", text, re.M))
        return turns - within, turns


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("state")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    server = MillraceServer(options.root, options.state)
    try:
        server.make()
        server.start()
        mixed = Mixed(server, os.path.join(options.root, "build", "tests", "bench", "lean_load"))
        p99 = mixed.rounds(options.minutes)
        held, turns = mixed.held()
    finally:
        server.close()
    say("mixed", rows_of(
        ("e2e_p99_quiet", p99["quiet"], "ms", None),
        ("e2e_p99_cold_reader", p99["cold"], "ms", None),
        ("e2e_p99_all", p99["all"], "ms", None),
        ("cold_reader_ratio", p99["cold"] / p99["quiet"], "", 1.5),
        ("turns", turns, "", None),
        ("turns_over_20_ms", held, "", 0)), options.json)


if __name__ == "__main__":
    main()
