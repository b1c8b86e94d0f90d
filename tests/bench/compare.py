# SPDX-License-Identifier: Apache-2.0
"""compare.py ROOT STATE [options]. See `compare` beside it.

Both servers run all the time. A round is every load, on one server right after the other; the next round begins with the other
one. Between the figures nothing is left unwritten, and topics are new for each.
"""

import argparse
import collections
import contextlib
import datetime
import json
import os
import subprocess
import sys
import time

from comparison import plots
from comparison.apache_kafka import ApacheKafka
from comparison.loads import Loads
from comparison.millrace_server import MillraceServer
from comparison.process_figures import Steal
from comparison.rows import HEADER, ROWS, STARTS, Samples, best_of, summary, text_of, time_table

Times = collections.namedtuple("Times", "rounds warm_up seconds first_warm_up stored_bytes touched_bytes heaps")
QUICK = Times(1, 1, 3, 3, 256 << 20, 0, ("1G",))
WHOLE = Times(5, 2, 8, 20, 1 << 30, 0, ("1G",))
FULL = Times(5, 30, 60, 120, 1 << 30, 8 << 30, ("1G", "4G"))
MOST_STEAL, MOST_DRIFT = 0.02, 0.10


def tell(text):
    print(text, file=sys.stderr, flush=True)


def touch_memory(directory, size):
    """Written and deleted, so that the host has backed the memory of the page cache with its own."""
    path, piece = os.path.join(directory, "touched"), bytes(1 << 20)
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(piece)
    os.unlink(path)


@contextlib.contextmanager
def running(server):
    tell(f"starting {server.name}")
    try:
        server.make()
        server.start()
        server.create_topic("first")
        yield server
    finally:
        server.close()


class Pass:
    """Every round, on two servers that run."""

    def __init__(self, options, millrace, kafka):
        self.times, self.directory, self.millrace, self.kafka = options.times, options.state, millrace, kafka
        self.samples, self.probes, self.warnings = Samples(), [], []
        self.loads = Loads(os.path.join(options.root, "build", "tests", "bench", "lean_load"), options.times)
        self.rows = [row for row in ROWS if not options.rows or row.name in options.rows]

    def probe(self):
        found = self.loads.probe(self.directory)
        tell("machine: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
        self.probes.append(found)

    def warm_up(self):
        """Of what compiles itself while it runs, and of the page cache."""
        seconds = self.times.first_warm_up
        for server in (self.millrace, self.kafka):
            tell(f"warming {server.name} up for {2 * seconds} s")
            for verb in ("produce", "e2e"):
                with server.topic(16) as topic:
                    self.loads.lean(verb, *server.load_options(), "--topic", topic, "--partitions", 16, "--rate", 50_000_000,
                                    "--seconds", seconds)

    def round(self, number, names):
        servers = (self.millrace, self.kafka) if number % 2 == 0 else (self.kafka, self.millrace)
        for name in names:
            for server in servers:
                steal = Steal()
                self.loads.time_spent = None
                figures = getattr(self.loads, name)(server)
                self.samples.note(server.name, figures)
                self.samples.note_time(server.name, name, self.loads.time_spent)
                tell(f"round {number + 1}/{self.times.rounds} {server.name:8} "
                     + " ".join(f"{row} {value:.4g}" for row, value in figures.items()))
                if steal.share() > MOST_STEAL:
                    self.warn(f"{100 * steal.share():.1f} % of the machine's time was stolen in {name} of {server.name}")

    def warn(self, text):
        self.warnings.append(text)
        tell("careful: " + text)

    def compare_probes(self):
        for name, before in self.probes[0].items():
            after = self.probes[-1][name]
            if abs(after - before) > MOST_DRIFT * before:
                self.warn(f"{name} was {before:.4g} before and {after:.4g} after: the machine was not the same all the time")

    def run(self):
        names = list(dict.fromkeys(row.load for row in self.rows))
        touch_memory(self.directory, self.times.touched_bytes)
        self.probe()
        for number in range(self.times.rounds):
            self.round(number, [name for name in names if name in STARTS])
        if any(name not in STARTS for name in names):
            self.warm_up()
        for number in range(self.times.rounds):
            self.round(number, [name for name in names if name not in STARTS])
        self.probe()
        self.compare_probes()
        self.samples.note_bounds(self.probes)

    def summaries(self):
        return [summary(row, self.samples) for row in self.rows]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("state")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", dest="times", action="store_const", const=QUICK, default=WHOLE)
    length.add_argument("--full", dest="times", action="store_const", const=FULL)
    parser.add_argument("--rows", type=lambda text: text.split(","), default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = set(options.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in ROWS)}")
    return options


def footer(root, kafka):
    commit = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
    return f"{datetime.date.today()}, Millrace {commit.stdout.strip()}, Apache Kafka {kafka.version}, loopback"


def main():
    options, began, passes = read_options(), time.monotonic(), []
    with running(MillraceServer(options.root, options.state)) as millrace:
        for heap in options.times.heaps:
            with running(ApacheKafka(options.root, os.path.join(options.state, "kafka"), heap)) as kafka:
                passes.append(Pass(options, millrace, kafka))
                passes[-1].run()
    rows = best_of([each.summaries() for each in passes])
    warnings = [text for each in passes for text in each.warnings]
    tell(f"{time.monotonic() - began:.0f} s, Millrace {millrace.version}, Apache Kafka {kafka.version}")
    plots.write(os.path.join(options.root, "var", "bench"), rows, footer(options.root, kafka))
    if options.json:
        print(json.dumps({"bench": "compare", "kafka_version": kafka.version, "rows": rows,
                          "machine": [probe for each in passes for probe in each.probes], "warnings": warnings}))
        return
    print("\n".join([HEADER, *map(text_of, rows), "", *time_table(rows), *("careful: " + each for each in warnings)]))


if __name__ == "__main__":
    main()
