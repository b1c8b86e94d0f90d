# SPDX-License-Identifier: Apache-2.0
"""connections.py ROOT STATE [options]. See `connections` beside it.

lean_load opens them, 64 at a time, each with a full TLS 1.3 handshake and a SASL login, and holds them.
"""

import argparse
import json
import os
import subprocess
import time

from comparison import process_figures
from comparison.millrace_server import MillraceServer
from table import rows_of, say

SETTLE_SECONDS = 3


def run(server, program, count):
    """Rows."""
    empty, cpu = process_figures.resident_bytes(server.pid), process_figures.cpu_seconds(server.pid)
    load = subprocess.Popen([program, "connections", *server.load_options(tls=True), "--connections", str(count)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = load.stdout.readline()
    if not told:
        raise RuntimeError(f"lean_load ended with {load.wait()}")
    cpu = process_figures.cpu_seconds(server.pid) - cpu
    time.sleep(SETTLE_SECONDS)
    held = process_figures.resident_bytes(server.pid)
    load.communicate()
    return rows_of(
        ("connections", count, "", None),
        ("each_idle", (held - empty) / 1024 / count, "KiB", 50),
        ("logins", json.loads(told)["logins_per_second"], "a second", None),
        ("logins_per_core", count / cpu, "a second of CPU of the broker", 4000))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("state")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    server = MillraceServer(options.root, options.state)
    try:
        server.make()
        server.start()
        rows = run(server, os.path.join(options.root, "build", "tests", "bench", "lean_load"), options.count)
    finally:
        server.close()
    say("connections", rows, options.json)


if __name__ == "__main__":
    main()
