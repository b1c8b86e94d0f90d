#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every REST route with every kind of bad input: the exact answer, no growth, and no harm to a good client beside it.

usage: test_bad_input.py BINARY EXPIRED_TOKEN_TOOL REPEATS

The routes come from api/rest/openapi.yaml, which a unit test holds equal to the table in the program. First each kind is
sent once to each route that it can be sent to; then each kind REPEATS times (a thousand by `./dev soak bad_input`), over its
routes in turn. Latencies of the good client are printed, not judged; resident memory is judged.
"""

import base64
import gzip
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fixture import ROOT, Service  # noqa: E402

WARM_UP_SHARE, GROWTH_KIB_MAX = 0.3, 1024
REQUEST_TIMEOUT_MS = 1000
ANSWER_S = 10
CLOSED = "closed"  # without an answer
TOKEN_GRANT = b"grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey="


class Route:
    def __init__(self, method, template):
        self.method, self.template = method.upper(), template
        self.is_later = self.is_public = False

    def __str__(self):
        return f"{self.method} {self.template}"

    @property
    def takes_json(self):
        return self.method in ("POST", "PATCH") and not self.is_public and not self.is_later and \
            not self.template.endswith("/lock")

    @property
    def takes_form(self):
        return self.template == "/identity/token"


def read_routes():
    routes, path = [], None
    with open(os.path.join(ROOT, "api/rest/openapi.yaml"), encoding="utf-8") as document:
        for line in document:
            if line.startswith("components:"):
                break
            if found := re.match(r"^  (/[^:]*):", line):
                path = found.group(1)
            elif path and (found := re.match(r"^    (get|put|post|patch|delete):", line)):
                routes.append(Route(found.group(1), path))
            if routes and path:
                routes[-1].is_later |= "tags: [later]" in line
                routes[-1].is_public |= "security: [{}]" in line
    return routes


class Peer:
    """One connection, used again until the other side closes it."""

    def __init__(self, service):
        self.service, self.context, self.stream = service, service.tls(), None

    def open(self):
        plain = socket.create_connection(("127.0.0.1", self.service.port), timeout=ANSWER_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.context.wrap_socket(plain, server_hostname="localhost")
        self.held = b""

    def close(self):
        if self.stream:
            self.stream.close()
        self.stream = None

    def send(self, data):
        if not self.stream:
            self.open()
        try:
            self.stream.sendall(data)
        except OSError:
            pass  # it was answered, or cut, before we had said all

    def more(self):
        try:
            piece = self.stream.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            return b""
        return piece

    def answer(self):
        """(status, code, is closed afterwards); CLOSED when nothing was said."""
        held = self.held
        while b"\r\n\r\n" not in held:
            piece = self.more()
            if not piece:
                self.close()
                return (CLOSED, None, True) if not held else (int(held[9:12]), None, True)
            held += piece
        head, body = held.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        size = int(fields.get(b"content-length", b"0"))
        while len(body) < size and (piece := self.more()):
            body += piece
        self.held = body[size:]
        is_closing = fields.get(b"connection") == b"close" or not fields
        if is_closing:
            while self.more():
                pass
            self.close()
        try:
            problem = json.loads(body[:size])
            code = problem["errors"][0]["code"] if "errors" in problem else problem.get("errorCode")
        except (ValueError, KeyError):
            code = None
        return int(head[9:12]), code, is_closing


def request(route_method, path, *headers, body=None, host=(b"Host: localhost",)):
    lines = [route_method.encode() + b" " + path + b" HTTP/1.1", *host, *headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


class Kinds:
    """Each kind: name, the routes it is for, route → (bytes, what must come back)."""

    def __init__(self, service, tool):
        self.service = service
        self.instance = service.create_instance(name="bad input")["guid"]
        self.key = service.create_key(self.instance)["guid"]
        self.good = b"Authorization: Bearer " + service.operator_token().encode()
        self.expired = self.make_expired(tool)
        self.all = []
        self.add_credentials()
        self.add_json()
        self.add_forms()
        self.add_sizes()
        self.add_framing()
        self.add_targets()

    def make_expired(self, tool):
        subject = json.loads(base64.urlsafe_b64decode(self.good.split(b".")[1] + b"=="))
        done = subprocess.run([tool, self.service.path("sealing"), subject["iss"], subject["iam_id"],
                               subject["account"]["bss"]], check=True, capture_output=True, text=True)
        made = json.loads(done.stdout)
        self.service.postgres.query(
            "INSERT INTO fleet.signing_key (kid, modulus, exponent, sealed_private, retired_at) VALUES "
            f"('{made['kid']}', '{made['modulus']}', '{made['exponent']}', '\\x{made['sealed']}', now())")
        deadline = time.monotonic() + 10  # the key is looked for once a second
        while self.service.call("GET", "/v2/resource_instances", auth="Bearer " + made["live"]).status != 200:
            assert time.monotonic() < deadline, "the signing key is not believed"
        return made

    def path(self, route):
        identity = {"/v2/resource_instances": self.instance, "/v2/resource_keys": self.key}
        prefix = "/".join(route.template.split("/")[:3])
        path = route.template.replace("{id}", identity.get(prefix, "00000000-0000-4000-8000-000000000000"))
        return path.replace("{action}", "restore").replace("*", "x").encode()

    def add(self, name, applies, make, status, code=None, closes=False):
        self.all.append((name, applies, make, (status, code, closes)))

    # ---- who asks ----

    def add_credentials(self):
        def guarded(route):
            return not route.is_public and not route.is_later
        for name, header in (("no credentials", b"X-A: b"), ("a wrong token", b"Authorization: Bearer x.y.z"),
                             ("a token cut short", self.good[:-40]), ("another scheme", b"Authorization: Basic dTpw"),
                             ("an expired token", b"Authorization: Bearer " + self.expired["access"].encode()),
                             ("a refresh token for access", b"Authorization: Bearer " + self.expired["refresh"].encode())):
            self.add(name, guarded, lambda route, header=header: request(route.method, self.path(route), header, body=b""),
                     401, "unauthorized")

    # ---- bodies ----

    def add_json(self):
        json_type = b"Content-Type: application/json"
        deep = b'{"parameters":' * 33 + b"{}" + b"}" * 33

        def add(name, body, status=400, code="bad_request", headers=(json_type,), closes=False):
            self.add(name, lambda route: route.takes_json,
                     lambda route: request(route.method, self.path(route), self.good, *headers, body=body), status, code, closes)
        for name, key in (("a blank in an Idempotency-Key", b"a b"), ("an Idempotency-Key of 256", b"k" * 256)):
            self.add(name, lambda route: route.template in ("/v2/resource_instances", "/v2/resource_keys") and route.takes_json,
                     lambda route, key=key: request(route.method, self.path(route), self.good, json_type,
                                                    b"Idempotency-Key: " + key, body=b"{}"), 400, "bad_request")
        add("a key twice", b'{"name":"a","name":"b"}')
        add("a key twice, deep inside", b'{"parameters":{"a":[{"b":1,"b":2}]}}')
        add("JSON 34 deep", deep)
        add("JSON 100 000 deep", b"[" * 100000)
        add("JSON cut short", b'{"name":')
        add("JSON with more behind", b'{"name":"a"} x')
        add("an array", b"[]")
        self.add("no body at all", lambda route: route.takes_json and not route.template.endswith("{action}"),
                 lambda route: request(route.method, self.path(route), self.good, json_type, body=b""), 400, "bad_request")
        add("a number too large", b'{"name":1e999}')
        add("a body that is not UTF-8", b'{"name":"\xff\xfe"}')
        add("a NUL in a string", b'{"name":"a\\u0000b"}')
        add("a lone surrogate", b'{"name":"\\ud800"}')
        add("an unknown member", b'{"colour":"red"}')
        add("a member of the wrong type", b'{"name":5,"comment":5}')
        add("another content type", b'{"name":"a"}', headers=(b"Content-Type: text/plain",))
        add("an unknown encoding", b'{"name":"a"}', headers=(json_type, b"Content-Encoding: br"))
        add("a gzip stream that is none", b"\x1f\x8bnonsense", headers=(json_type, b"Content-Encoding: gzip"))
        add("a gzip bomb", gzip.compress(b" " * (64 << 20)), 413, "content_too_large",
            headers=(json_type, b"Content-Encoding: gzip"))

    def add_forms(self):
        form = b"Content-Type: application/x-www-form-urlencoded"

        def add(name, body, status, code, *headers):
            self.add(name, lambda route: route.takes_form,
                     lambda route: request(route.method, self.path(route), *(headers or (form,)), body=body), status, code)
        add("a wrong API key", TOKEN_GRANT + b"mlo_" + b"0" * 16 + b"_" + b"0" * 72, 400, "BXNIM0415E")
        add("an expired refresh token", b"grant_type=refresh_token&refresh_token=" + self.expired["refresh"].encode(),
            400, "BXNIM0407E")
        add("unknown client credentials", TOKEN_GRANT + b"x", 401, "BXNIM0136E", form, b"Authorization: Basic ZXZpbDp4")
        add("a grant that is not offered", b"grant_type=password", 400, "BXNIM0113E")
        add("a form with bad escapes", b"grant_type=%zz", 400, "BXNIM0108E")
        add("a form with a name twice", b"grant_type=a&grant_type=b", 400, "BXNIM0108E")
        add("a form of too many pairs", b"&".join(b"p%d=x" % i for i in range(40)), 400, "BXNIM0108E")
        add("a form that says it is JSON", b"grant_type=x", 400, "BXNIM0108E", b"Content-Type: application/json")

    def add_sizes(self):
        over = b" " * ((1 << 20) + 1)

        def every(route):
            return True
        self.add("a body of a byte too much", lambda route: route.method in ("POST", "PATCH"),
                 lambda route: request(route.method, self.path(route), self.good, body=over), 413, "content_too_large", True)
        self.add("a declared length beyond all", every,
                 lambda route: request(route.method, self.path(route), self.good, b"Content-Length: 99999999999"),
                 413, "content_too_large", True)
        self.add("more than 64 headers", every, lambda route: request(
            route.method, self.path(route), *[b"X-%d: y" % i for i in range(70)]), 400, "bad_request", True)
        self.add("a head of 40 KiB", every, lambda route: request(
            route.method, self.path(route), b"X-A: " + b"a" * 40000), 431, None, True)
        self.add("a target of 9 KiB", every, lambda route: request(
            route.method, self.path(route) + b"a" * 9000, self.good), 413, "content_too_large")

    # ---- framing ----

    def add_framing(self):
        host = b"Host: localhost"
        cases = (
            ("two different lengths", (host, b"Content-Length: 0", b"Content-Length: 44"), b""),
            ("two equal lengths", (host, b"Content-Length: 0", b"Content-Length: 0"), b""),
            ("a length and chunks", (host, b"Content-Length: 5", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
            ("chunks and a length", (host, b"Transfer-Encoding: chunked", b"Content-Length: 5"), b"0\r\n\r\n"),
            ("chunks twice", (host, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
            ("an unknown transfer encoding", (host, b"Transfer-Encoding: xchunked"), b""),
            ("two hosts", (host, b"Host: other"), b""),
            ("no host", (), b""),
            ("a signed length", (host, b"Content-Length: +5"), b"hello"),
            ("a hexadecimal length", (host, b"Content-Length: 0x5"), b"hello"),
            ("a space before the colon", (host, b"Content-Length : 5"), b"hello"),
        )
        for name, headers, body in cases:
            def make(route, headers=headers, body=body):
                head = [route.method.encode() + b" " + self.path(route) + b" HTTP/1.1", *headers]
                return b"\r\n".join(head) + b"\r\n\r\n" + body
            self.add(name, lambda route: True, make, 400, None, True)

    def add_targets(self):
        for name, spoil in (("a bad escape", lambda path: path + b"%zz"), ("an encoded NUL", lambda path: path + b"%00"),
                            ("an escape of an escape", lambda path: path + b"%2541"),
                            ("an empty segment", lambda path: b"/" + path), ("a step up", lambda path: path + b"/../x"),
                            ("a query name twice", lambda path: path + b"?a=1&a=2")):
            self.add(name, lambda route: True,
                     lambda route, spoil=spoil: request(route.method, spoil(self.path(route)), self.good, body=b""),
                     400, "bad_request")
        self.add("a method that is not the path's", lambda route: "*" not in route.template,
                 lambda route: request("PUT", self.path(route), self.good, body=b""), 405, "method_not_allowed")
        self.add("a method nobody knows", lambda route: True,
                 lambda route: request("BREW", self.path(route), self.good, body=b""), 501, "not_implemented")


# ---- peers that are slow, or half there; each is cut without an answer ----

def stalled(service, kinds, route, kind):
    """Opens a peer that stops in the middle; the other side has to end it."""
    plain = socket.create_connection(("127.0.0.1", service.port), timeout=ANSWER_S)
    if kind == "no handshake":
        return plain
    if kind == "plain HTTP":
        plain.sendall(request(route.method, kinds.path(route), kinds.good))
        return plain
    if kind == "noise for a handshake":
        plain.sendall(b"\x16\x03\x01\xff\xff" + os.urandom(2000))
        return plain
    stream = service.tls().wrap_socket(plain, server_hostname="localhost")
    head = request(route.method, kinds.path(route), kinds.good, b"Content-Length: 1000")
    if kind == "half a head":
        stream.sendall(head[:-20])
    elif kind == "half a body":
        stream.sendall(head + b'{"name":')
    elif kind == "closed for sending in the middle":
        stream.sendall(head + b'{"name":')
        socket.socket.shutdown(stream, socket.SHUT_WR)  # of TCP, below TLS
    return stream


SLOW = ("no handshake", "plain HTTP", "noise for a handshake", "nothing after the handshake", "half a head", "half a body",
        "closed for sending in the middle")


def end_of(stream):
    """What the other side said before it closed."""
    said = b""
    try:
        while piece := stream.recv(4096):
            said += piece
    except TimeoutError:
        return "open"
    except OSError:
        pass
    finally:
        stream.close()
    return said if said[:1] != b"\x15" else CLOSED  # a TLS alert is a close


# ---- a good client ----

class GoodClient:
    def __init__(self, service, kinds):
        self.peer = Peer(service)
        self.ask = request("GET", b"/v2/resource_instances?limit=1", kinds.good)
        self.latencies, self.fault = [], None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.005):
            began = time.monotonic()
            self.peer.send(self.ask)
            status = self.peer.answer()[0]
            if status != 200:
                self.fault = f"a good call was answered {status}"
            self.latencies.append(1000 * (time.monotonic() - began))

    def take(self):
        """Milliseconds since the last take: the middle, 99 of 100, the worst."""
        taken, self.latencies = sorted(self.latencies), []
        if not taken:
            return "none"
        return f"p50 {taken[len(taken) // 2]:.1f} p99 {taken[len(taken) * 99 // 100]:.1f} max {taken[-1]:.1f} ms"

    def stop(self):
        self.stopping.set()
        self.thread.join()


def resident_kib(service):
    with open(f"/proc/{service.serve.pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


class Run:
    def __init__(self, service, kinds, routes, repeats):
        self.service, self.kinds, self.routes, self.repeats = service, kinds, routes, repeats
        self.faults = []

    def fault(self, text):
        self.faults.append(text)
        print("FAULT " + text, flush=True)

    def once(self, peer, kind, route):
        name, _, make, wanted = kind
        peer.send(make(route))
        found = peer.answer()
        if found[0] != wanted[0] or found[2] != wanted[2] or (wanted[1] and found[1] != wanted[1]):
            self.fault(f"{name}: {route}: {found}, wanted {wanted}")
            peer.close()

    def each_once(self):
        count = 0
        for kind in self.kinds.all:
            peer = Peer(self.service)
            for route in filter(kind[1], self.routes):
                self.once(peer, kind, route)
                count += 1
            peer.close()
        for kind in SLOW:
            streams = [(route, stalled(self.service, self.kinds, route, kind)) for route in self.routes]
            for route, stream in streams:
                if (said := end_of(stream)) not in (b"", CLOSED):
                    self.fault(f"{kind}: {route}: {said}, wanted a close")
                count += 1
        print(f"{count} answers over {len(self.routes)} routes and {len(self.kinds.all) + len(SLOW)} kinds", flush=True)

    def repeat(self, kind, count):
        peer = Peer(self.service)
        routes = list(filter(kind[1], self.routes))
        for i in range(count):
            self.once(peer, kind, routes[i % len(routes)])
        peer.close()

    def repeat_slow(self, kind, count):
        for first in range(0, count, 100):
            streams = [stalled(self.service, self.kinds, self.routes[i % len(self.routes)], kind)
                       for i in range(first, min(first + 100, count))]
            for stream in streams:
                if end_of(stream) not in (b"", CLOSED):
                    self.fault(f"{kind}: not closed")

    def measure(self, name, repeat, good):
        repeat(int(self.repeats * WARM_UP_SHARE))
        good.take()
        before = resident_kib(self.service)
        repeat(self.repeats)
        growth = resident_kib(self.service) - before
        print(f"{name:36} {growth:6} KiB   {good.take()}", flush=True)
        if growth > GROWTH_KIB_MAX:
            self.fault(f"{name}: resident memory grew by {growth} KiB in {self.repeats} repeats")

    def each_again(self):
        good = GoodClient(self.service, self.kinds)
        time.sleep(2)
        print(f"{'a good client alone':36} {'':10}   {good.take()}")
        for kind in self.kinds.all:
            self.measure(kind[0], lambda count, kind=kind: self.repeat(kind, count), good)
        for kind in SLOW:
            self.measure(kind, lambda count, kind=kind: self.repeat_slow(kind, count), good)
        good.stop()
        if good.fault:
            self.fault(good.fault)


def main():
    service = Service(os.path.abspath(sys.argv[1]), "--request_timeout_ms", str(REQUEST_TIMEOUT_MS), "--calls_per_minute",
                      "60000000", "--token_failures_per_minute", "60000000")
    try:
        run = Run(service, Kinds(service, os.path.abspath(sys.argv[2])), read_routes(), int(sys.argv[3]))
        run.each_once()
        if not run.faults:
            run.each_again()
    finally:
        service.close()
    sys.exit(f"{len(run.faults)} faults" if run.faults else 0)


if __name__ == "__main__":
    main()
