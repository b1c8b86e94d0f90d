# SPDX-License-Identifier: Apache-2.0
"""rates.py ROOT STATE: Standard instances of 10 and of 30 partitions are held to 10 and 20 MB/s, produce and fetch apart, within
5 % over 10 s after 2 s; and what an instance beside them notices of it, which is printed and not asserted.

Bytes are counted by stock clients (tests/bench/kafka_load): values of records that were acknowledged, or read.
"""

import json
import os
import subprocess
import sys

from crash import Millrace
from rest import Rest

WARM_UP_MS, MEASURED_MS = 2000, 10000
TOLERANCE = 0.05
RATES = {10: 10_000_000, 30: 20_000_000}
CLIENTS = {10: 1, 30: 4}
TOPIC = "orders"


class Instance:
    def __init__(self, root, rest, partitions):
        self.load = os.path.join(root, "build", "tests", "bench", "kafka_load")
        guid = rest.create_instance("standard", f"rates-{partitions}")["guid"]
        credentials = rest.create_key(guid, f"rates-{partitions}")
        self.partitions = partitions
        self.options = ["-b", credentials["bootstrap_endpoints"]]
        for name, value in {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "token",
                            "sasl.password": credentials["api_key"], "ssl.ca.location": rest.endpoints["ca_file"]}.items():
            self.options += ["-X", f"{name}={value}"]
        tool = os.path.join(root, "build", "tests", "support", "tools", "topic")
        subprocess.run([tool, "create", TOPIC, str(partitions), *self.options], check=True, timeout=60)

    def start(self, what):
        clients = 1 if what == "single" else CLIENTS[self.partitions]
        return subprocess.Popen([self.load, what, TOPIC, str(clients), str(WARM_UP_MS), str(MEASURED_MS), *self.options],
                                stdout=subprocess.PIPE, text=True)


def finish(process):
    text, _ = process.communicate(timeout=120)
    if process.returncode != 0:
        raise AssertionError(f"kafka_load ended with {process.returncode}")
    found = json.loads(text)
    if found["errors"] != 0:
        raise AssertionError(f"kafka_load met errors: {found}")
    return found


def run(what, instances, neighbour):
    """All at once; the rates by partitions, and the neighbour's times."""
    beside = neighbour.start("single")
    loads = {instance.partitions: instance.start(what) for instance in instances}
    found = {partitions: finish(process)["bytes_per_second"] for partitions, process in loads.items()}
    times = finish(beside)
    for partitions, rate in found.items():
        wanted = RATES[partitions]
        print(f"        {what}, {partitions} partitions: {rate / 1e6:.2f} MB/s of {wanted / 1e6:.0f} ({100 * rate / wanted - 100:+.1f} %)")
        if abs(rate - wanted) > wanted * TOLERANCE:
            raise AssertionError(f"{what} with {partitions} partitions: {rate} bytes a second, not {wanted} within {TOLERANCE:.0%}")
    return times


def main():
    root, state = sys.argv[1], sys.argv[2]
    millrace = Millrace(root, state)
    millrace.run("up", "--detach")
    rest = Rest(os.path.join(state, "endpoints.json"))
    instances = [Instance(root, rest, partitions) for partitions in RATES]
    neighbour = Instance(root, rest, 1)
    alone = finish(neighbour.start("single"))
    print(f"        the neighbour alone: p50 {alone['p50_ms']} ms, p99 {alone['p99_ms']} ms", flush=True)
    for what in ("produce", "consume"):
        times = run(what, instances, neighbour)
        print(f"        the neighbour beside {what}: p50 {times['p50_ms']} ms, p99 {times['p99_ms']} ms "
              f"({times['p99_ms'] / alone['p99_ms']:.1f} times)", flush=True)
        print(f"ok      {what} is held to 1 MB/s a partition and 20 MB/s in all", flush=True)


if __name__ == "__main__":
    main()
