# SPDX-License-Identifier: Apache-2.0
"""tenants_apart.py ROOT STATE: two Standard instances, "first" and "other", on one shared cell.

Both have a topic `orders`, a group `readers`, a static member `worker-1` and the client id `app`; each has one topic and one group
more that the other must not learn of. Stock clients work in both at once. Then single requests ask one instance for
what belongs to the other, and for what belongs to nobody: after the name asked for is replaced, both answers must be
the same bytes, and no answer may hold anything of the other instance.
"""

import base64
import collections
import functools
import os
import sys
import time
import uuid

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from crash import Millrace
from frames import LoginRefused, Session, load_schemas
from probes import REFUSING, fetch, group_probes, id_probes, member_probes, name_probes, session_probes
from rest import Rest

NAMES = ("first", "other")
NOBODY = "never"  # as long as NAMES, so that answers can be compared byte by byte
RECORDS = {"first": 300, "other": 240}
PARTITIONS = 3
SECONDS = 30
UNKNOWN_SERVER_ERROR = -1
DEAD = ConsumerGroupState.DEAD


def expect(what, actual, wanted):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")


class Tenant:
    def __init__(self, rest, name):
        self.name = name
        self.instance = rest.create_instance("standard", f"apart-{name}")
        self.credentials = rest.create_key(self.instance["guid"], f"apart-{name}")
        self.ca_file = rest.endpoints["ca_file"]
        self.common = {
            "bootstrap.servers": self.credentials["bootstrap_endpoints"],
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "token",
            "sasl.password": self.credentials["api_key"],
            "ssl.ca.location": self.ca_file,
            "client.id": "app",
        }
        self.admin = AdminClient(self.common)
        self.reader = None
        self.topics = {"orders", f"only-{name}"}
        self.groups = {"readers", "idle", f"group-{name}"}

    def session(self, schemas, authzid=""):
        return Session(schemas, self.credentials["bootstrap_endpoints"], self.ca_file, self.credentials["api_key"], authzid)

    # ---- what a stock client does ----

    def create(self, name):
        self.admin.create_topics([NewTopic(name, PARTITIONS)])[name].result(SECONDS)

    def produce(self, topic, first, count):
        errors = []
        producer = Producer({**self.common, "enable.idempotence": True})
        for number in range(first, first + count):
            producer.produce(topic, key=str(number), value=f"{self.name}-secret-{number}", partition=number % PARTITIONS,
                             on_delivery=lambda error, _: errors.append(error) if error else None)
        expect("records left", producer.flush(SECONDS), 0)
        expect("delivery errors", errors, [])

    def join(self):
        self.reader = Consumer({**self.common, "group.id": "readers", "group.instance.id": "worker-1",
                                "auto.offset.reset": "earliest", "enable.auto.commit": False})
        self.reader.subscribe(["orders"])

    def read(self, count):
        """Exactly count records come, and then none for a moment; all are this instance's own."""
        seen = []
        deadline = time.monotonic() + SECONDS
        while len(seen) < count and time.monotonic() < deadline:
            seen += self.reader.consume(count - len(seen), timeout=0.5)
        seen += self.reader.consume(1000, timeout=1)
        expect("consumer errors", [message.error() for message in seen if message.error()], [])
        expect(f"records read by {self.name}", len(seen), count)
        foreign = [message.value() for message in seen if not message.value().startswith(self.name.encode() + b"-")]
        expect("records of another instance", foreign, [])
        self.reader.commit(asynchronous=False)

    def committed(self, group, topic="orders"):
        consumer = Consumer({**self.common, "group.id": group})
        found = consumer.committed([TopicPartition(topic, partition) for partition in range(PARTITIONS)], timeout=SECONDS)
        consumer.close()
        return sum(max(offset.offset, 0) for offset in found)

    def commit_alone(self, group, offset):
        consumer = Consumer({**self.common, "group.id": group, "enable.auto.commit": False})
        consumer.commit(offsets=[TopicPartition(f"only-{self.name}", 0, offset)], asynchronous=False)
        consumer.close()

    def listed_topics(self):
        return set(self.admin.list_topics(timeout=SECONDS).topics)

    def listed_groups(self):
        listed = self.admin.list_consumer_groups(request_timeout=SECONDS).result(SECONDS)
        expect("errors in the list of groups", listed.errors, [])
        return {group.group_id for group in listed.valid}

    def topic_id(self, name):
        described = self.admin.describe_topics(TopicCollection([name]), request_timeout=SECONDS)[name].result(SECONDS)
        identity = described.topic_id
        return uuid.UUID(int=((identity.get_most_significant_bits() & (1 << 64) - 1) << 64) |
                         (identity.get_least_significant_bits() & (1 << 64) - 1))

    def described_group(self, name):
        return self.admin.describe_consumer_groups([name], request_timeout=SECONDS)[name].result(SECONDS)

    def delete_topic(self, name):
        self.admin.delete_topics([name])[name].result(SECONDS)

    def ends(self):
        consumer = Consumer({**self.common, "group.id": "ends"})
        total = sum(consumer.get_watermark_offsets(TopicPartition("orders", partition), timeout=SECONDS)[1]
                    for partition in range(PARTITIONS))
        consumer.close()
        return total

    def expect_only_own(self):
        expect(f"topics of {self.name}", self.listed_topics(), self.topics)
        expect(f"groups of {self.name}", self.listed_groups(), self.groups)


# ---- with stock clients ----

def check_one_cell(millrace, tenants):
    brokers = [process for process in millrace.processes() if process["role"] == "broker"]
    expect("brokers", len(brokers), 1)
    expect("bootstrap addresses", len({tenant.credentials["bootstrap_endpoints"].split(":")[-1] for tenant in tenants}), 1)
    return "one broker process, one port"


def check_work_at_once(tenants):
    for tenant in tenants:
        for topic in sorted(tenant.topics):
            tenant.create(topic)
        tenant.produce("orders", 0, RECORDS[tenant.name])
        tenant.commit_alone(f"group-{tenant.name}", 7)
        tenant.commit_alone("idle", 8)
    for tenant in tenants:
        tenant.join()
    for tenant in tenants:
        tenant.read(RECORDS[tenant.name])
    return f"{sum(RECORDS.values())} records, two members worker-1 at once"


def check_lists(tenants):
    for tenant in tenants:
        tenant.expect_only_own()
        expect("committed by readers", tenant.committed("readers"), RECORDS[tenant.name])
        group = tenant.described_group("readers")
        expect("members", [(member.client_id, member.group_instance_id) for member in group.members], [("app", "worker-1")])
        expect("assigned partitions", len(group.members[0].assignment.topic_partitions), PARTITIONS)
    return "topics, groups, members and commits are one's own"


def check_the_other_is_unknown(tenants):
    for tenant, other in zip(tenants, reversed(tenants)):
        answers = []
        for name in (other.name, NOBODY):
            metadata = tenant.admin.list_topics(f"only-{name}", timeout=SECONDS).topics[f"only-{name}"]
            group = tenant.described_group(f"group-{name}")
            try:
                tenant.delete_topic(f"only-{name}")
                deleted = None
            except KafkaException as error:
                deleted = error.args[0].code()
            answers.append((metadata.error.code(), dict(metadata.partitions), group.state, len(group.members), deleted,
                            tenant.committed(f"group-{name}", f"only-{tenant.name}")))
        expect("the other's answers and those of nobody", answers[0], answers[1])
        expect("a group of nobody", answers[0][2], DEAD)
    return "describe, commit and delete answer as for nobody's names"


def check_ids(tenants):
    clusters = {tenant.admin.list_topics(timeout=SECONDS).cluster_id for tenant in tenants}
    own = {base64.urlsafe_b64encode(uuid.UUID(tenant.instance["guid"]).bytes).decode().rstrip("=") for tenant in tenants}
    expect("cluster ids", clusters, own)
    expect("different ids of topic orders", len({tenant.topic_id("orders") for tenant in tenants}), len(tenants))
    return ", ".join(sorted(clusters))


# ---- with single requests ----

def error_codes(answer):
    """Every error code in an answer, at any depth."""
    if isinstance(answer, list):
        for item in answer:
            yield from error_codes(item)
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if name == "ErrorCode":
                yield value
            else:
                yield from error_codes(value)


class Spy:
    """One tenant's connection, and what it must never be shown: all that names or belongs to the other."""

    def __init__(self, schemas, tenant, other):
        self.tenant, self.other = tenant, other
        self.session = tenant.session(schemas)
        self.compared = self.bytes = 0
        self.codes = collections.Counter()
        group = other.described_group("readers")
        self.other_member = group.members[0].member_id
        self.other_ids = {name: other.topic_id(name) for name in sorted(other.topics)}
        cluster = other.admin.list_topics(timeout=SECONDS).cluster_id
        texts = [f"only-{other.name}", f"group-{other.name}", f"{other.name}-secret-", other.instance["guid"], cluster,
                 other.credentials["api_key"][:16], self.other_member]
        self.forbidden = [text.encode() for text in texts]
        for identity in self.other_ids.values():
            self.forbidden += [identity.bytes, str(identity).encode(),
                               base64.urlsafe_b64encode(identity.bytes).rstrip(b"=")]

    def scan(self, what, data):
        self.bytes += len(data)
        for secret in self.forbidden:
            if secret in data:
                raise AssertionError(f"{what}: the answer to {self.tenant.name} holds {secret!r} of {self.other.name}")

    def compare(self, probes, foreign, unknown, in_bytes):
        """Each request once with what is the other's and once with what is nobody's."""
        expect("lengths", len(in_bytes(foreign)), len(in_bytes(unknown)))
        for api, version, make in probes:
            what = f"api {api} version {version}"
            there = self.session.call_raw(api, version, make(foreign)).replace(in_bytes(foreign), in_bytes(unknown))
            nowhere = self.session.call_raw(api, version, make(unknown))
            if there != nowhere:
                raise AssertionError(f"{what}: {foreign!r} answers {there.hex()}, {unknown!r} answers {nowhere.hex()}")
            self.scan(what, there)
            self.compared += 1
            codes = set(error_codes(self.session.decode(api, version, there)))
            if api in REFUSING and codes <= {0}:
                raise AssertionError(f"{what}: {foreign!r} is not refused")
            if UNKNOWN_SERVER_ERROR in codes:
                raise AssertionError(f"{what}: {foreign!r} answers {UNKNOWN_SERVER_ERROR}")
            self.codes.update(codes)

    def look_around(self):
        """Everything that may be listed without a name."""
        for api, version, request in (
                (3, 0, {}), (3, 9, {"Topics": None}), (3, 12, {"Topics": None}), (3, 13, {"Topics": None}),
                (16, 0, {}), (16, 5, {}), (60, 2, {}), (75, 0, {"Topics": []}),
                (9, 8, {"Groups": [{"GroupId": "readers", "Topics": None}]}), (15, 6, {"Groups": ["readers"]})):
            self.scan(f"api {api} version {version}", self.session.call_raw(api, version, request))

    def own_batch(self):
        """A valid record batch, as the broker itself stored it."""
        answer = fetch(self.session, self.tenant.topic_id("orders"))
        self.scan("own records", bytes(self.session.received))
        return answer["Responses"][0]["Partitions"][0]["Records"]


def check_single_requests(schemas, tenants):
    compared = scanned = 0
    codes = collections.Counter()
    for tenant, other in zip(tenants, reversed(tenants)):
        spy = Spy(schemas, tenant, other)
        with spy.session, other.session(schemas) as other_session:
            spy.look_around()
            batch = spy.own_batch()
            spy.compare(name_probes(batch), f"only-{other.name}", f"only-{NOBODY}", str.encode)
            for identity in spy.other_ids.values():
                spy.compare(id_probes(batch), identity, uuid.uuid4(), lambda value: value.bytes)
            spy.compare(group_probes(), f"group-{other.name}", f"group-{NOBODY}", str.encode)
            nobody = spy.other_member[:-4] + ("0000" if spy.other_member[-4:] != "0000" else "1111")
            spy.compare(member_probes(), spy.other_member, nobody, str.encode)
            number = fetch(other_session, other.topic_id("orders"), opens_session=True)["SessionId"]
            if number == 0:
                raise AssertionError("no fetch session was opened")
            spy.compare(session_probes(tenant.topic_id("orders")), number, number ^ 0x2AAAAAAA,
                        functools.partial(int.to_bytes, length=4, byteorder="big"))
        compared, scanned = compared + spy.compared, scanned + spy.bytes
        codes += spy.codes
    for tenant in tenants:
        tenant.expect_only_own()
        expect(f"records of {tenant.name}", tenant.ends(), RECORDS[tenant.name])
    told = ", ".join(f"{count} times {code}" for code, count in sorted(codes.items()))
    return f"{compared} pairs of answers are the same (codes: {told}), {scanned} bytes hold nothing of the other"


def check_keys(schemas, tenants):
    refused = 0
    for tenant, other in zip(tenants, reversed(tenants)):
        own = tenant.instance["guid"]
        for authzid in ("token", own, tenant.instance["crn"]):
            tenant.session(schemas, authzid).socket.close()
        answers = []
        for guid in (other.instance["guid"], str(uuid.uuid4())):
            for authzid in (guid, tenant.instance["crn"].replace(own, guid)):
                try:
                    tenant.session(schemas, authzid).socket.close()
                    raise AssertionError(f"the key of {tenant.name} opens {authzid}")
                except LoginRefused as error:
                    answers.append((error.code, error.answer))
        for answer in answers:
            expect("answer to a login with another's name", answer, (58, answers[-1][1]))
        refused += len(answers)
    return f"{refused} logins refused, all with the same answer"


# ---- and at the end ----

def check_deletion(tenants):
    first, other = tenants
    before = other.topic_id("orders"), first.topic_id("orders")
    first.reader.close()
    first.delete_topic("orders")
    first.topics.remove("orders")
    other.produce("orders", RECORDS["other"], 60)
    other.read(60)
    first.expect_only_own()
    other.expect_only_own()
    expect("id of the other's topic", other.topic_id("orders"), before[0])
    expect("committed by the other", other.committed("readers"), RECORDS["other"] + 60)
    first.create("orders")
    first.topics.add("orders")
    expect("the new topic's end", first.ends(), 0)
    if first.topic_id("orders") in before:
        raise AssertionError("the new topic has an old id")
    first.admin.delete_consumer_groups(["idle"])["idle"].result(SECONDS)
    first.groups.remove("idle")
    first.expect_only_own()
    other.expect_only_own()
    expect("committed in the other's group idle", other.committed("idle", "only-other"), 8)
    other.reader.close()
    return "topic and group of the same name stay in the other"


def main():
    root, state = sys.argv[1], sys.argv[2]
    millrace = Millrace(root, state)
    schemas = load_schemas(os.path.join(root, "api", "kafka"))
    millrace.run("up", "--detach")
    rest = Rest(os.path.join(state, "endpoints.json"))
    tenants = [Tenant(rest, name) for name in NAMES]
    for what, check in (
            ("both are on one shared cell", lambda: check_one_cell(millrace, tenants)),
            ("both produce, consume and commit under the same names", lambda: check_work_at_once(tenants)),
            ("each lists and describes its own", lambda: check_lists(tenants)),
            ("stock clients: the other's is unknown", lambda: check_the_other_is_unknown(tenants)),
            ("cluster and topic ids differ", lambda: check_ids(tenants)),
            ("single requests: foreign is unknown", lambda: check_single_requests(schemas, tenants)),
            ("a key opens its own instance only", lambda: check_keys(schemas, tenants)),
            ("deletion stays at home", lambda: check_deletion(tenants))):
        started = time.monotonic()
        print(f"ok      {what}: {check()} ({time.monotonic() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
