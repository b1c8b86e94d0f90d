# SPDX-License-Identifier: Apache-2.0
"""What the two servers have in common: how they are reached, and topics that come and go.

A server has `name`, `version`, `pid`, `data`, `bootstrap` and `bootstrap_tls` (both HOST:PORT, an IPv4 address), `user`,
`password_file` and `ca`, and make, start, is_ready, stop and close.
"""

import contextlib
import itertools
import os
import time

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from lone_broker import LoneBroker

PATIENCE_SECONDS = 120
LOADED_BYTES = 1 << 20
AGAIN = (KafkaError.NOT_CONTROLLER, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART,
         KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError._NOENT)
numbers = itertools.count()


def size_of(path):
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


class Server:
    def __init__(self):
        self.process = self.data = self.bootstrap = self.bootstrap_tls = self.user = self.password_file = self.ca = None

    @property
    def pid(self):
        return self.process.pid

    def is_ready(self):
        raise NotImplementedError

    def wait_until_ready(self):
        LoneBroker.wait_for(f"a {self.name} that is ready", self.is_ready, PATIENCE_SECONDS)

    # ---- how it is reached ----

    def client_settings(self, tls=False):
        """Of librdkafka."""
        if not tls:
            return {"bootstrap.servers": self.bootstrap}
        with open(self.password_file, encoding="ascii") as file:
            return {"bootstrap.servers": self.bootstrap_tls, "security.protocol": "SASL_SSL", "ssl.ca.location": self.ca,
                    "sasl.mechanism": "PLAIN", "sasl.username": self.user, "sasl.password": file.read()}

    def load_options(self, tls=False):
        """Of lean_load."""
        if not tls:
            return ["--broker", self.bootstrap]
        return ["--broker", self.bootstrap_tls, "--tls-ca", self.ca, "--user", self.user, "--password-file", self.password_file]

    # ---- topics ----

    def until_done(self, call):
        """What the futures say once none of them says that it is too early."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return [future.result(PATIENCE_SECONDS) for future in call().values()]
            except KafkaException as error:
                if error.args[0].code() not in AGAIN or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def create_topic(self, name, partitions=1, settings=None, tls=False):
        """Each partition is led and answers."""
        admin = AdminClient({**self.client_settings(tls), "log_level": 0})
        topic = NewTopic(name, partitions, 1, config=settings or {})
        self.until_done(lambda: admin.create_topics([topic], request_timeout=PATIENCE_SECONDS))
        ends = {TopicPartition(name, index): OffsetSpec.latest() for index in range(partitions)}
        self.until_done(lambda: admin.list_offsets(ends, request_timeout=PATIENCE_SECONDS))

    def delete_topic(self, name, tls=False):
        admin = AdminClient({**self.client_settings(tls), "log_level": 0})
        self.until_done(lambda: admin.delete_topics([name], request_timeout=PATIENCE_SECONDS))

    @contextlib.contextmanager
    def topic(self, partitions, settings=None, tls=False):
        """The name of a new one; gone afterwards, and its files too."""
        name, before = f"bench-{next(numbers)}", self.log_files()
        self.create_topic(name, partitions, settings, tls)
        yield name
        self.delete_topic(name, tls)
        LoneBroker.wait_for(f"the end of the files of {name}", lambda: self.log_files() <= before, PATIENCE_SECONDS)

    def log_files(self):
        """How many there are that a load filled. (Small ones of others may come meanwhile: Millrace writes them late.)"""
        return sum(name.endswith(".log") and size_of(os.path.join(path, name)) > LOADED_BYTES
                   for path, _, names in os.walk(self.data) for name in names)
