#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds one logged-in Kafka connection and says when the broker closes it.

    MILLRACE_API_KEY=… live_connection.py HOST:PORT CA_FILE

Prints `logged in`, then, when the connection ends, `closed UNIX_SECONDS`. Exit status 1 if the login is refused or nothing
closes the connection in 30 s. It speaks the three requests a login needs by hand (SaslHandshake v1, SaslAuthenticate v0
with PLAIN), because stock clients reconnect and would hide the moment.
"""

import os
import socket
import ssl
import struct
import sys
import time

PATIENCE_S = 30


def text(value):
    encoded = value.encode()
    return struct.pack(">h", len(encoded)) + encoded


def call(stream, api_key, version, correlation, body):
    """Sends one request with header v1; gives the answer's body."""
    request = struct.pack(">hhi", api_key, version, correlation) + text("live-connection") + body
    stream.sendall(struct.pack(">i", len(request)) + request)
    answer = receive(stream, struct.unpack(">i", receive(stream, 4))[0])
    if struct.unpack(">i", answer[:4])[0] != correlation:
        sys.exit("answer to another request")
    return answer[4:]


def receive(stream, count):
    received = b""
    while len(received) < count:
        chunk = stream.recv(count - len(received))
        if not chunk:
            sys.exit("the broker closed the connection during the login")
        received += chunk
    return received


def log_in(stream, key):
    if struct.unpack(">h", call(stream, 17, 1, 1, text("PLAIN"))[:2])[0] != 0:
        sys.exit("SASL PLAIN is refused")
    token = b"\0token\0" + key.encode()
    if struct.unpack(">h", call(stream, 36, 0, 2, struct.pack(">i", len(token)) + token)[:2])[0] != 0:
        sys.exit("the key is refused")


def main():
    if len(sys.argv) != 3 or "MILLRACE_API_KEY" not in os.environ:
        sys.exit(__doc__)
    host, port = sys.argv[1].rsplit(":", 1)
    context = ssl.create_default_context(cafile=sys.argv[2])
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            log_in(stream, os.environ["MILLRACE_API_KEY"])
            print("logged in", flush=True)
            try:
                ended = stream.recv(1) == b""
            except TimeoutError:
                ended = False
            except OSError:  # a reset, or TLS cut without goodbye: closed all the same
                ended = True
            if not ended:
                sys.exit(f"the connection still lived after {PATIENCE_S} s")
            print(f"closed {time.time():.3f}", flush=True)


if __name__ == "__main__":
    main()
