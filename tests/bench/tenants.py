# SPDX-License-Identifier: Apache-2.0
"""The measuring part of `./dev bench tenants`: REST and Kafka over TLS, as a tenant's program would, one thing at a time."""

import argparse
import concurrent.futures
import glob
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration", "up"))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration", "soak"))

from frames import Session, load_schemas  # noqa: E402
from rest import Rest  # noqa: E402
from table import say  # noqa: E402

PRODUCE, CREATE_TOPICS = 0, 19
# One record, "hello", of 2023.
BATCH = bytes.fromhex("0000000000000000" "0000003d" "ffffffff" "02" "e641a44b" "0000" "00000000" "0000018bcfe56800"
                      "0000018bcfe56800" "ffffffffffffffff" "ffff" "ffffffff" "00000001"
                      "16000000010a68656c6c6f00")


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Bench:
    def __init__(self, state):
        self.state = state
        self.rest = Rest(os.path.join(state, "endpoints.json"))
        self.ca = self.rest.endpoints["ca_file"]
        self.schemas = load_schemas(os.path.join(ROOT, "api", "kafka"))
        self.rows = []

    def row(self, name, value, unit, aim=None):
        self.rows.append({"name": name, "value": round(value, 1), "unit": unit, "aim": aim})

    def waits(self, name, samples_s, aim_p50=None, aim_p99=None):
        self.row(name + "_p50", 1000 * percentile(samples_s, 0.5), "ms", aim_p50)
        self.row(name + "_p99", 1000 * percentile(samples_s, 0.99), "ms", aim_p99)

    def log_in(self, key):
        return Session(self.schemas, key["bootstrap_endpoints"], self.ca, key["api_key"])

    def first_record(self, session):
        made = session.call(CREATE_TOPICS, 7, Topics=[{"Name": "first", "NumPartitions": 1, "ReplicationFactor": -1}])
        if made["Topics"][0]["ErrorCode"] != 0:
            raise RuntimeError(f"topic not made: {made}")
        answer = session.call(PRODUCE, 9, Acks=-1, TimeoutMs=5000, TopicData=[
            {"Name": "first", "PartitionData": [{"Index": 0, "Records": BATCH}]}])
        code = answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
        if code != 0:
            raise RuntimeError(f"record refused with {code}")

    def post_to_record(self, plan, number):
        began = time.monotonic()
        guid = self.rest.create_instance(plan, f"bench-{plan}-{number}")["guid"]
        with self.log_in(self.rest.create_key(guid, "bench")) as session:
            self.first_record(session)
            waited = time.monotonic() - began
        self.rest.send("DELETE", "/v2/resource_instances/" + guid + "?recursive=true")
        return waited

    def keys(self, rounds):
        """(POST to logged in, DELETE to end of a live connection), in seconds."""
        guid = self.rest.create_instance("standard", "bench-keys")["guid"]
        usable, gone = [], []
        for number in range(rounds):
            body = json.dumps({"name": f"key-{number}", "source": guid, "role": "Manager"}).encode()
            began = time.monotonic()
            key = self.rest.send("POST", "/v2/resource_keys", body)
            with self.log_in(key["credentials"]) as session:
                usable.append(time.monotonic() - began)
                began = time.monotonic()
                self.rest.send("DELETE", "/v2/resource_keys/" + key["guid"])
                try:
                    while session.socket.recv(4096):
                        pass
                except OSError:
                    pass  # a reset ends it, too
                gone.append(time.monotonic() - began)
        self.rest.send("DELETE", "/v2/resource_instances/" + guid + "?recursive=true")
        return usable, gone

    # --- many ---

    def resident_mib(self, words):
        found = subprocess.run(["pgrep", "-f", words], capture_output=True, text=True, check=False).stdout.split()
        kib = 0
        for pid in found:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                kib += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        return kib / 1024

    def broker_mib(self):
        return max(self.resident_mib(f"millrace-broker serve --config {directory}/")
                   for directory in glob.glob(os.path.join(self.state, "cells", "*", "0")))

    def create_some(self, numbers):
        """One connection, one instance after the other."""
        url = urllib.parse.urlsplit(self.rest.endpoints["controlplane_url"])
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": "Bearer " + self.rest.token}
        for number in numbers:
            body = {"name": f"idle-{number}", "target": self.rest.endpoints["target"],
                    "resource_plan_id": self.rest.endpoints["plans"]["standard"],
                    "resource_group": self.rest.endpoints["resource_group_id"]}
            connection.request("POST", "/v2/resource_instances", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (201, 202):
                raise RuntimeError(f"instance {number}: {answer.status}")
        connection.close()

    def active_count(self):
        with open(os.path.join(self.state, "ports"), encoding="ascii") as ports:
            port = dict(line.strip().split("=") for line in ports if "=" in line)["provision_metrics"]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("GET", "/metrics")
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith('millrace_fleet_instances{phase="ready"}'):
                return int(line.split()[1])
        return 0

    def idle(self, count):
        before_mib, active = self.broker_mib(), self.active_count()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(self.create_some, range(first, count, 4)) for first in range(4)]:
                done.result()
        while self.active_count() < active + count:
            if time.monotonic() - began > 1800:
                raise TimeoutError(f"{self.active_count()} of {active + count} instances are ready after 1800 s")
            time.sleep(0.5)
        seconds = time.monotonic() - began
        self.row("idle_instances", count, "")
        self.row("idle_instances_made", count / seconds, "a second")
        self.row("idle_broker_before", before_mib, "MiB")
        self.row("idle_broker_after", self.broker_mib(), "MiB", 1024)
        self.row("idle_broker_each", 1024 * (self.broker_mib() - before_mib) / count, "KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--instances", type=int, default=10000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.state)
    bench.post_to_record("standard", "warm-up")
    bench.waits("standard_post_to_record",
                [bench.post_to_record("standard", i) for i in range(options.rounds)], 100, 300)
    bench.waits("enterprise_post_to_record",
                [bench.post_to_record("enterprise", i) for i in range(max(1, options.rounds // 10))], 3000, 3000)
    usable, gone = bench.keys(options.rounds)
    bench.waits("key_post_to_usable", usable, None, 1000)
    bench.waits("key_delete_to_last_byte", gone, None, 1000)
    if options.instances > 0:
        bench.idle(options.instances)
        bench.waits("standard_post_to_record_among_idle",
                    [bench.post_to_record("standard", f"late-{i}") for i in range(max(1, options.rounds // 10))], 100, 300)
    say("tenants", bench.rows, options.json)


if __name__ == "__main__":
    main()
