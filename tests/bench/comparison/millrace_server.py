# SPDX-License-Identifier: Apache-2.0
"""Millrace as one broker, with the interface of ApacheKafka: without TLS the instance `plaintext`, over TLS a tenant with a key.

The limits of plans are out of the way: what a plan sells is no property of the server.
"""

import os
import subprocess

from comparison.server import Server
from lone_broker import LoneBroker

LIMITS = {name: -1 for name in (
    "partitions", "storage_bytes", "retention_bytes_per_partition", "connections", "clients", "produce_bytes_per_second",
    "consume_bytes_per_second", "produce_bytes_per_second_per_partition", "consume_bytes_per_second_per_partition")}


class MillraceServer(Server):
    name = "millrace"

    def __init__(self, root, directory):
        super().__init__()
        self.root, self.directory, self.broker = root, directory, None

    def make(self):
        self.broker = LoneBroker(self.root, self.directory, limits=LIMITS, tenant_plan="standard", topic_mutations_per_second=-1)
        done = subprocess.run([self.broker.program, "--version"], check=True, capture_output=True, text=True)
        self.version = done.stdout.split()[-1]
        self.data, self.log, self.bootstrap = self.broker.data, self.broker.log, self.broker.bootstrap
        self.bootstrap_tls = self.broker.tenant["bootstrap_endpoints"].split(",")[0].replace("localhost", "127.0.0.1")
        self.user, self.ca = "token", os.path.join(self.directory, "tls", "ca.crt")
        self.password_file = os.path.join(self.directory, "secrets", "bench-tenant")
        with open(self.password_file, "w", encoding="ascii") as file:
            file.write(self.broker.tenant["api_key"])

    def start(self, waits=True):
        self.broker.start(on_faulty_disk=False, waits=waits)
        self.process = self.broker.process

    def is_ready(self):
        return self.broker.is_ready()

    def stop(self):
        self.broker.stop()

    def close(self):
        """However it is."""
        if self.broker is not None:
            self.broker.close()
