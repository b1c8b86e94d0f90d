# SPDX-License-Identifier: Apache-2.0
"""bad_input.py ROOT STATE: whatever clients and strangers send, the broker says exactly what it should, or closes; its
memory does not grow, and a good client beside goes on.

Latencies of the good client are printed, and nothing rests on them.
"""

import os
import statistics
import sys
import threading
import time

import bad_peers
import bad_records
from bad_requests import ANSWERED, CLOSED, GoodRequest, damages, foreign
from crash import Millrace
from frames import API_VERSIONS, SASL_AUTHENTICATE, SASL_HANDSHAKE, Session, load_schemas
from rest import Rest

REPEATS = 1000
WARM_UP = 200
GROWTH_BYTES = 1 << 20
TOPIC = "orders"


def expect(what, actual, wanted):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")


class Victim:
    """A broker of its own for one Standard instance, and what is needed to talk to it."""

    def __init__(self, root, state):
        self.millrace = Millrace(root, state)
        self.millrace.run("up", "--detach")
        self.schemas = load_schemas(os.path.join(root, "api", "kafka"))
        self.rest = Rest(os.path.join(state, "endpoints.json"))
        self.instance = self.rest.create_instance("standard", "bad-input")
        self.credentials = self.rest.create_key(self.instance["guid"], "bad-input")
        self.bootstrap = self.credentials["bootstrap_endpoints"]
        self.ca_file = self.rest.endpoints["ca_file"]
        brokers = [process["pid"] for process in self.millrace.processes() if process["role"] == "broker"]
        expect("brokers", len(brokers), 1)
        self.pid = brokers[0]
        with self.session() as session:
            answer = session.call(19, 7, Topics=[{"Name": TOPIC, "NumPartitions": 20, "ReplicationFactor": -1}],
                                  TimeoutMs=10000)
            expect("topic made", answer["Topics"][0]["ErrorCode"], 0)
            offered = session.call(API_VERSIONS, 0)["ApiKeys"]
        # Produce is offered from version 0 on, for clients that look for it, and served from its schema's first on.
        self.offered = {item["ApiKey"]: (max(item["MinVersion"], self.first_version(item["ApiKey"])), item["MaxVersion"])
                        for item in offered}

    def first_version(self, api):
        return int(self.schemas[api, "request"]["validVersions"].split("-")[0])

    def session(self, client_id="app"):
        return Session(self.schemas, self.bootstrap, self.ca_file, self.credentials["api_key"], client_id=client_id)

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["VmRSS"].split()[0]) * 1024


class GoodClient(threading.Thread):
    """Asks for metadata and produces, one after another, until it is told to stop."""

    def __init__(self, victim):
        super().__init__(daemon=True)
        self.victim, self.is_over, self.seconds, self.failure = victim, threading.Event(), [], None
        self.batch = bad_records.batch([bad_records.record(b"good")])

    def run(self):
        try:
            with self.victim.session("good") as session:
                while not self.is_over.wait(0.01):
                    start = time.monotonic()
                    answer = bad_records.produce(session, TOPIC, 2, self.batch)
                    expect("the good client's record", answer["ErrorCode"], 0)
                    self.seconds.append(time.monotonic() - start)
        except Exception as error:  # it is told by the main thread
            self.failure = error

    def take(self):
        """p50 and p99 in ms since the last time."""
        if self.failure:
            raise AssertionError("the good client was disturbed") from self.failure
        seen, self.seconds = sorted(self.seconds), []
        if len(seen) < 2:
            return "no request"
        return f"p50 {statistics.median(seen) * 1000:.1f} ms, p99 {seen[int(len(seen) * 0.99)] * 1000:.1f} ms, {len(seen)} requests"


# ---- requests ----

def outcome(session, frame, request):
    """ANSWERED, CLOSED, or what else happened."""
    session.socket.sendall(frame)
    try:
        size = int.from_bytes(session.read(4), "big")
        answer = bytes(session.read(size))
    except (ConnectionError, OSError):
        return CLOSED
    header = 5 if request.flexible and request.api != API_VERSIONS else 4
    try:
        session.decode(request.api, request.version, answer[header:])
    except ValueError as error:
        return f"an answer that cannot be read: {error}"
    return ANSWERED


def check_requests(victim):
    cases = sessions = 0
    session = victim.session()
    for api, (lowest, highest) in victim.offered.items():
        for version in range(lowest, highest + 1):
            request = GoodRequest(victim.schemas, api, version)
            for kind, frame, wanted in damages(request):
                found = outcome(session, frame, request)
                if wanted is None:
                    wanted = found if found in (ANSWERED, CLOSED) else f"{ANSWERED}, or {CLOSED}"
                expect(f"{victim.schemas[api, 'request']['name']} version {version}, {kind}", found, wanted)
                cases += 1
                if found == CLOSED or api in (SASL_HANDSHAKE, SASL_AUTHENTICATE):
                    session.socket.close()
                    session = victim.session()
                    sessions += 1
    for what, _, frame, wanted in foreign(victim.schemas, victim.offered):
        request = GoodRequest(victim.schemas, 3, 1)
        expect(what, outcome(session, frame, request), wanted)
        session.socket.close()
        session = victim.session()
        cases += 1
    check_api_versions(victim, session)
    session.socket.close()
    return f"{cases} cases of {len(victim.offered)} APIs, {sessions} connections closed as they should"


def check_api_versions(victim, session):
    """The one API that answers in versions that it does not have: in the layout of version 0, and names its own."""
    request = GoodRequest(victim.schemas, API_VERSIONS, 4)
    session.socket.sendall(request.frame(version=99))
    answer = bytes(session.read(int.from_bytes(session.read(4), "big")))
    found = session.decode(API_VERSIONS, 0, answer[4:])
    expect("ApiVersions 99", (found["ErrorCode"], [item["ApiKey"] for item in found["ApiKeys"]]), (35, [API_VERSIONS]))


# ---- what is repeated ----

def repeat(victim, action, count):
    failures = []

    def work():
        try:
            for _ in range(count // 4):
                action()
        except Exception as error:  # told below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def bad_request_actions(victim):
    request = GoodRequest(victim.schemas, 3, 12)
    for kind in ("cut after 1 bytes", "huge count", "huge length", "tagged fields without end", "random bytes", "client id longer"):
        frame = next(frame for name, frame, _ in damages(request) if name.startswith(kind))
        yield "request: " + kind, lambda frame=frame: bad_peers.send_and_wait_for_close(victim, frame)
    yield "request: unknown version", lambda: bad_peers.send_and_wait_for_close(victim, request.frame(version=99))
    yield "request: frame of 2 GB", lambda: bad_peers.send_and_wait_for_close(victim, b"\x7f\xff\xff\xff")
    yield "request: half a frame, then gone", lambda: bad_peers.send_and_go(victim, request.frame()[:20])
    yield "request: 100 MB announced, then gone", lambda: bad_peers.send_and_go(victim, b"\x06\0\0\0" + bytes(5000))


def check_memory(victim, good):
    """Resident memory after REPEATS of each kind, when it has seen some before."""
    actions = [*bad_request_actions(victim), *bad_records.actions(victim, TOPIC), *bad_peers.actions(victim)]
    worst = ("nothing", 0)
    for kind, action in actions:
        repeat(victim, action, WARM_UP)
        before = victim.resident_bytes()
        started = time.monotonic()
        repeat(victim, action, REPEATS)
        grown = victim.resident_bytes() - before
        print(f"        {kind}: {grown / 1024:+.0f} KiB, {REPEATS / (time.monotonic() - started):.0f}/s; beside: {good.take()}",
              flush=True)
        if grown > GROWTH_BYTES:
            raise AssertionError(f"{kind}: resident memory grew by {grown} bytes over {REPEATS} repeats")
        worst = max(worst, (kind, grown), key=lambda item: item[1])
    return f"{len(actions)} kinds, {REPEATS} times each; the most is {worst[1] / 1024:.0f} KiB ({worst[0]})"


def main():
    victim = Victim(sys.argv[1], sys.argv[2])
    good = GoodClient(victim)
    good.start()
    time.sleep(2)  # nothing is awaited: it is the measure of the good client alone
    print(f"        the good client alone: {good.take()}", flush=True)
    for what, check in (
            ("bad requests are answered or closed as they should", lambda: check_requests(victim)),
            ("bad records are refused by name", lambda: bad_records.check(victim, TOPIC)),
            ("wrong and expired credentials are refused alike", lambda: bad_peers.check_credentials(victim)),
            ("silent, slow and too many peers are closed", lambda: bad_peers.check_peers(victim)),
            ("memory does not grow", lambda: check_memory(victim, good))):
        started = time.monotonic()
        print(f"ok      {what}: {check()} ({time.monotonic() - started:.1f} s)", flush=True)
        print(f"        the good client beside: {good.take()}", flush=True)
    good.is_over.set()
    good.join()
    good.take()


if __name__ == "__main__":
    main()
