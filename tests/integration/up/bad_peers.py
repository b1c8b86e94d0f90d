# SPDX-License-Identifier: Apache-2.0
"""Peers that are silent, slow, strange, or not who they say."""

import json
import socket
import ssl
import struct
import threading
import time

from frames import LoginRefused, Session

SASL_AUTHENTICATION_FAILED = 58
REFUSAL = "Authentication failed: invalid credentials"
PATIENCE_SECONDS = 60
LOGIN_SECONDS = 10
STALLED_SECONDS = 30
STRANGERS_OF_AN_ADDRESS = 500  # on each loop
OTHER_ADDRESS = "127.0.0.2"


def address_of(victim):
    host, port = victim.bootstrap.split(",")[0].rsplit(":", 1)
    return host, int(port)


def connect(victim, source=None):
    host, port = address_of(victim)
    infos = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    return socket.create_connection(infos[0][4], timeout=PATIENCE_SECONDS, source_address=(source, 0) if source else None)


def seconds_until_closed(plain):
    """A reset is a close, too."""
    plain.settimeout(PATIENCE_SECONDS)
    started = time.monotonic()
    try:
        while plain.recv(65536):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - started


def send_and_wait_for_close(victim, frame):
    with victim.session() as session:
        session.socket.sendall(frame)
        try:
            found = session.socket.recv(1)
        except (ConnectionError, ssl.SSLError):
            found = b""
        if found:
            raise AssertionError("an answer where none was to be")


def send_and_go(victim, data):
    with victim.session() as session:
        session.socket.sendall(data)


# ---- credentials ----

def refusal(victim, api_key):
    try:
        Session(victim.schemas, victim.bootstrap, victim.ca_file, api_key).socket.close()
    except LoginRefused as error:
        return error.code, error.answer
    raise AssertionError("a login that had to fail did not")


def check_credentials(victim):
    rest = victim.rest
    body = {"name": "expires", "source": victim.instance["guid"], "role": "Manager"}
    made = rest.send("POST", "/v2/resource_keys", json.dumps(body).encode())
    expired = made["credentials"]["api_key"]
    held = Session(victim.schemas, victim.bootstrap, victim.ca_file, expired)
    rest.send("DELETE", "/v2/resource_keys/" + made["guid"])
    if seconds_until_closed(held.socket) > PATIENCE_SECONDS:
        raise AssertionError("a deleted key's connection stayed")
    own = victim.credentials["api_key"]
    wrong = {"nobody's": "mlr_0123456789abcdef_" + "0" * 64 + "00000000", "a word": "password", "nothing": "", "expired": expired,
             "one character changed": own[:40] + ("0" if own[40] != "0" else "1") + own[41:]}
    answers = {name: refusal(victim, key) for name, key in wrong.items()}
    for name, (code, answer) in answers.items():
        if code != SASL_AUTHENTICATION_FAILED or answer["ErrorMessage"] != REFUSAL or answer["AuthBytes"] != b"":
            raise AssertionError(f"{name}: {code} {answer}")
    victim.session().socket.close()  # a right login from the same address, at once
    return f"{len(answers)} wrong keys, one answer; a deleted key's connection was closed"


# ---- time and number ----

def expect_closed_within(what, plain, least, most):
    seconds = seconds_until_closed(plain)
    if not least <= seconds <= most:
        raise AssertionError(f"{what}: closed after {seconds:.1f} s, not {least} to {most}")
    return what, seconds


def tls_client_hello():
    """A handshake that begins as it should and goes no further."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def drip(plain, data):
    try:
        for byte in data:
            plain.sendall(bytes([byte]))
            time.sleep(0.5)
    except OSError:
        pass


def check_peers(victim):
    """The bound on time is the deadline's and what a sweep takes; the machine may be slow."""
    slack, checks, found = 20, [], []

    def check(what, plain, data, least, most):
        if data:
            plain.sendall(data)
        checks.append(threading.Thread(target=lambda: found.append(expect_closed_within(what, plain, least, most))))

    hello = tls_client_hello()
    check("a connection that says nothing", connect(victim), b"", LOGIN_SECONDS - 1, LOGIN_SECONDS + slack)
    check("half a ClientHello", connect(victim), hello[:30], LOGIN_SECONDS - 1, LOGIN_SECONDS + slack)
    check("a handshake that stops", connect(victim), hello, LOGIN_SECONDS - 1, LOGIN_SECONDS + slack)
    check("random bytes instead of TLS", connect(victim), bytes(range(7, 250)), 0, slack)
    check("HTTP instead of TLS", connect(victim), b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n", 0, slack)
    check("Kafka without TLS", connect(victim), struct.pack(">ihhih", 10, 18, 0, 1, 0), 0, slack)
    slow = connect(victim)
    dripping = threading.Thread(target=drip, args=(slow, hello), daemon=True)
    check("a ClientHello byte by byte", slow, b"", LOGIN_SECONDS - 1, LOGIN_SECONDS + slack)
    silent = ssl.create_default_context(cafile=victim.ca_file).wrap_socket(connect(victim), server_hostname=address_of(victim)[0])
    check("TLS and no login", silent, b"", LOGIN_SECONDS - 1, LOGIN_SECONDS + slack)
    half = victim.session("half")
    check("half a request after login", half.socket, b"\0\0\x10\0 and no more", STALLED_SECONDS - 1, STALLED_SECONDS + slack)
    for thread in [dripping, *checks]:
        thread.start()
    for thread in checks:
        thread.join()
    if len(found) != len(checks):
        raise AssertionError(f"{len(checks) - len(found)} peers were not closed in their time (see above)")
    return f"{len(found)} peers closed; {check_flood(victim)}"


def check_flood(victim):
    """More strangers than an address may have: the rest is closed at once, and other addresses do not feel it."""
    loops = 2
    flood = [connect(victim) for _ in range(loops * STRANGERS_OF_AN_ADDRESS + 100)]
    closed = 0
    for plain in flood[-150:]:
        plain.settimeout(0.2)
        try:
            closed += plain.recv(1) == b""
        except ConnectionError:
            closed += 1
        except TimeoutError:
            pass
    if not 50 <= closed <= 150:
        raise AssertionError(f"{closed} of the last 150 strangers were closed")
    other = connect(victim, OTHER_ADDRESS)
    stream = ssl.create_default_context(cafile=victim.ca_file).wrap_socket(other, server_hostname=address_of(victim)[0])
    stream.close()
    for plain in flood:
        plain.close()
    return f"{closed} of a flood refused, another address served"


# ---- what is repeated ----

def handshake_and_go(victim):
    with connect(victim) as plain:
        plain.sendall(tls_client_hello())
        plain.recv(1)


def noise(victim):
    with connect(victim) as plain:
        plain.sendall(bytes(range(7, 250)))
        seconds_until_closed(plain)


def actions(victim):
    yield "peer: random bytes instead of TLS", lambda: noise(victim)
    yield "peer: a handshake and gone", lambda: handshake_and_go(victim)
    yield "peer: connected and gone", lambda: connect(victim).close()
